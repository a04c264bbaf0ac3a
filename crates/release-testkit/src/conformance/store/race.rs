//! Many callers at once.

use super::operation::{named, record};
use crate::conformance::{Verdict, ensure};
use release_core::Error;
use release_engine::{CreateError, ReplaceError, Store};
use std::sync::Arc;
use tokio::task::JoinSet;

const CALLERS: u32 = 8;
const CHANGES: u32 = 16;

/// Lets many tasks do the same thing to an empty store at the same time. Run it on a runtime with several threads.
pub async fn races(store: Arc<impl Store>) -> Verdict {
    one_task_per_service(&store).await?;
    no_change_is_lost(&store).await
}

/// Of many that create a task for one service, one succeeds, and the others are told which.
async fn one_task_per_service(store: &Arc<impl Store>) -> Verdict {
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let store = Arc::clone(store);
        let record = record(named("mesh-1", "shop", &format!("id-{number}")), "cart", number);
        callers.spawn(async move { (record.task.key().clone(), store.create(record).await) });
    }
    let answers = callers.join_all().await;
    let winners: Vec<_> = answers.iter().filter(|(_, answer)| answer.is_ok()).map(|(key, _)| key).collect();
    let [winner] = winners.as_slice() else {
        return Err(format!("of {CALLERS} tasks for one service, these were created: {winners:?}"));
    };
    for (key, answer) in &answers {
        let told = match answer {
            Ok(_) => true,
            Err(CreateError::Refused(Error::ServiceBusy { by, .. })) => **by == **winner,
            Err(_) => false,
        };
        ensure(told, || format!("{winner} was first, and {key} got {answer:?}"))?;
    }
    Ok(())
}

/// Of many that count in one record, by compare-and-swap, each counts.
async fn no_change_is_lost(store: &Arc<impl Store>) -> Verdict {
    let key = named("mesh-2", "shop", "counter");
    store.create(record(key.clone(), "cart", 0)).await.map_err(|error| error.to_string())?;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (store, key) = (Arc::clone(store), key.clone());
        callers.spawn(async move {
            let mut done = 0;
            while done < CHANGES {
                let found = store.load(&key).await.map_err(|error| error.to_string())?;
                let mut found = Arc::unwrap_or_clone(found.ok_or("the counter is gone")?);
                found.record.metadata = (found.record.metadata.as_u64().unwrap_or(0) + 1).into();
                match store.replace(found.record, found.revision).await {
                    Ok(_) => done += 1,
                    Err(ReplaceError::Lost) => {}
                    Err(ReplaceError::Store(error)) => return Err(error.to_string()),
                }
            }
            Verdict::Ok(())
        });
    }
    callers.join_all().await.into_iter().collect::<Verdict>()?;
    let found = store.load(&key).await.map_err(|error| error.to_string())?;
    let counted = found.and_then(|found| found.record.metadata.as_u64());
    let all = u64::from(CALLERS * CHANGES);
    ensure(counted == Some(all), || format!("{all} changes were made, and {counted:?} are there"))
}
