//! Thousands of releases at once.

use crate::fixture::{at_a_fifth, engine, spec};
use release_core::{Action, Mode, Phase};
use tokio::task::JoinSet;

#[tokio::test(start_paused = true)]
async fn thousands_close_at_once() {
    const RELEASES: usize = 3000;
    let (engine, _, mesh) = engine().await;
    let _running = at_a_fifth(&engine, "running").await;
    let mut closing = JoinSet::new();
    for number in 0..RELEASES {
        let engine = engine.clone();
        closing.spawn(async move {
            let spec = spec(&format!("a{number}"));
            let key = spec.key.clone();
            engine.create(spec, serde_json::Value::Null).await.unwrap();
            engine.delete(&key, Action::Cancel, Mode::Perform).await
        });
    }
    let before = tokio::time::Instant::now();
    let answers = closing.join_all().await;
    assert_eq!(answers.len(), RELEASES);
    for answer in answers {
        assert_eq!(answer.unwrap().record.task.phase(), Phase::Closed(Action::Cancel));
    }
    // Each step takes a second: four of them, whether for one release or for thousands.
    assert!(before.elapsed().as_secs() < 6, "{:?}", before.elapsed());
    assert_eq!(engine.unclosed().await.unwrap().len(), 1);
    mesh.check().unwrap();
}
