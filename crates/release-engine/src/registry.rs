//! Which tasks are being driven in this process.

use crate::Stored;
use release_core::ReleaseKey;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// The newest version of a task that this process knows, as its driver and whoever waits for it see it.
///
/// It is closed once the driver has ended; the last version stays readable.
pub(crate) type Newest = watch::Receiver<Arc<Stored>>;

/// Which tasks are being driven in this process: at most one driver each.
#[derive(Default)]
pub(crate) struct Registry {
    driven: Mutex<HashMap<ReleaseKey, Driven>>,
}

/// How a driver is told something.
struct Driven {
    newest: watch::Sender<Arc<Stored>>,
    /// Ends its pause.
    nudge: Arc<Notify>,
}

/// What became of an announcement.
pub(crate) enum Announced {
    /// A driver has been told, if the version was news.
    Told(Newest),
    /// Nobody drives the task, and there is a step to take: the caller must start a driver with this, which ends its pause when it is
    /// notified.
    DriverNeeded(Newest, Arc<Notify>),
    /// Nobody drives the task, and nothing is to be done.
    Idle,
}

impl Registry {
    /// Makes a version of a task known that was read from, or written to, the store.
    pub(crate) fn announce(&self, stored: &Arc<Stored>) -> Announced {
        match self.lock().entry(stored.record.task.key().clone()) {
            Entry::Occupied(driven) => {
                driven.get().newest.send_if_modified(|newest| {
                    let news = stored.revision > newest.revision;
                    if news {
                        newest.clone_from(stored);
                    }
                    news
                });
                Announced::Told(driven.get().newest.subscribe())
            }
            Entry::Vacant(_) if stored.record.task.next_step().is_none() => Announced::Idle,
            Entry::Vacant(free) => {
                let (sender, newest) = watch::channel(Arc::clone(stored));
                let driven = free.insert(Driven { newest: sender, nudge: Arc::default() });
                Announced::DriverNeeded(newest, Arc::clone(&driven.nudge))
            }
        }
    }

    /// Has the driver of a task try again at once, if it pauses.
    pub(crate) fn nudge(&self, key: &ReleaseKey) {
        if let Some(driven) = self.lock().get(key) {
            driven.nudge.notify_waiters();
        }
    }

    /// Ends the registration of a driver that has nothing left to do, unless there is news that it has not seen.
    pub(crate) fn release(&self, key: &ReleaseKey, newest: &Newest) -> bool {
        let mut driven = self.lock();
        // Under the lock, so that what is announced later finds no driver and starts one.
        let news = newest.has_changed().unwrap_or(false);
        if !news {
            driven.remove(key);
        }
        !news
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ReleaseKey, Driven>> {
        self.driven.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Record, Revision, Timestamp};
    use release_core::{ReleaseSpec, ReleaseTask};

    fn stored(revision: u64) -> Arc<Stored> {
        let task = ReleaseTask::new(ReleaseSpec {
            key: ReleaseKey::parse("mesh-1", "shop", "a").unwrap(),
            service: "cart".parse().unwrap(),
            original: "v1".parse().unwrap(),
            grayscale: "v2".parse().unwrap(),
        });
        let (created, metadata) = (Timestamp::from_millis(1), serde_json::Value::Null);
        let record = Record { task: task.unwrap(), metadata, created, closed: None };
        Arc::new(Stored { record, revision: Revision::new(revision) })
    }

    #[test]
    fn a_driver_does_not_end_over_news_that_it_has_not_seen() {
        let registry = Registry::default();
        let key = stored(1).record.task.key().clone();
        let Announced::DriverNeeded(mut newest, _) = registry.announce(&stored(1)) else { panic!("nobody drives it") };
        let Announced::Told(mut waiting) = registry.announce(&stored(2)) else { panic!("it is driven") };
        assert!(!registry.release(&key, &newest));
        assert_eq!(newest.borrow_and_update().revision, Revision::new(2));
        assert!(registry.release(&key, &newest));
        assert!(matches!(registry.announce(&stored(3)), Announced::DriverNeeded(..)), "nobody drives it any more");
        assert_eq!(waiting.borrow_and_update().revision, Revision::new(2), "the last version stays readable");
    }

    #[test]
    fn an_older_version_is_no_news() {
        let registry = Registry::default();
        let Announced::DriverNeeded(newest, _) = registry.announce(&stored(2)) else { panic!("nobody drives it") };
        for revision in [1, 2] {
            assert!(matches!(registry.announce(&stored(revision)), Announced::Told(_)));
            assert!(!newest.has_changed().unwrap());
        }
    }
}
