//! Which tasks are being driven in this process.

use crate::Stored;
use release_core::{Action, Phase, ReleaseKey};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};
use tracing::Span;

/// The newest version of a task that this process knows, as its driver sees it.
pub(crate) type Newest = watch::Receiver<Known>;

/// The newest version of a task that this process knows, as whoever waits for it sees it.
///
/// It is closed once the driver has ended; the last version stays readable.
pub(crate) type Outlook = watch::Receiver<Arc<Stored>>;

/// A version of a task, and in which span it became known: what is done for it is logged in there, too.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) stored: Arc<Stored>,
    pub(crate) span: Span,
}

/// Which tasks are being driven in this process: at most one driver each.
#[derive(Default)]
pub(crate) struct Registry {
    driven: Mutex<HashMap<ReleaseKey, Driven>>,
}

/// How a driver, and those who wait for what it does, are told something.
struct Driven {
    newest: watch::Sender<Known>,
    /// The same for those who wait, who are woken only when there is [something for them](outlook): to wake them after each
    /// step would take longer than the step.
    outlook: watch::Sender<Arc<Stored>>,
    /// Ends its pause.
    nudge: Arc<Notify>,
}

/// What became of an announcement.
pub(crate) enum Announced {
    /// A driver has been told, if the version was news. This is for who waits.
    Told(Outlook),
    /// Nobody drives the task, and there is a step to take: the caller must start a driver.
    DriverNeeded {
        /// For the driver.
        newest: Newest,
        /// Ends the driver's pause when it is notified.
        nudged: Arc<Notify>,
        /// For who waits.
        outlook: Outlook,
    },
    /// Nobody drives the task, and nothing is to be done.
    Idle,
}

impl Registry {
    /// Makes a version of a task known that was read from, or written to, the store, in the current span.
    pub(crate) fn announce(&self, stored: &Arc<Stored>) -> Announced {
        match self.lock().entry(stored.record.task.key().clone()) {
            Entry::Occupied(driven) => {
                let Driven { newest, outlook, .. } = driven.get();
                newest.send_if_modified(|known| {
                    let news = take_over(&mut known.stored, stored);
                    if news {
                        known.span = Span::current();
                    }
                    news
                });
                outlook.send_if_modified(|known| {
                    let before = self::outlook(known);
                    take_over(known, stored) && self::outlook(stored) != before
                });
                Announced::Told(outlook.subscribe())
            }
            Entry::Vacant(_) if stored.record.task.next_step().is_none() => Announced::Idle,
            Entry::Vacant(free) => {
                let known = Known { stored: Arc::clone(stored), span: Span::current() };
                let ((sender, newest), (waited_for, outlook)) =
                    (watch::channel(known), watch::channel(Arc::clone(stored)));
                let nudged = Arc::default();
                free.insert(Driven { newest: sender, outlook: waited_for, nudge: Arc::clone(&nudged) });
                Announced::DriverNeeded { newest, nudged, outlook }
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

/// Replaces a version by a newer one. Whether it was.
fn take_over(known: &mut Arc<Stored>, stored: &Arc<Stored>) -> bool {
    let news = stored.revision > known.revision;
    if news {
        known.clone_from(stored);
    }
    news
}

/// What those who wait for the end of a task want to know: which action closes it, if any, and whether it has.
fn outlook(stored: &Stored) -> Option<(Action, bool)> {
    match stored.record.task.phase() {
        Phase::Closed(action) => Some((action, true)),
        Phase::Closing(action, _) => Some((action, false)),
        Phase::Deploying | Phase::Running => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Record, Revision, Timestamp};
    use release_core::{Command, ReleaseSpec, ReleaseTask, Witnesses};

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
        let Announced::DriverNeeded { mut newest, .. } = registry.announce(&stored(1)) else {
            panic!("nobody drives it")
        };
        let Announced::Told(mut waiting) = registry.announce(&stored(2)) else { panic!("it is driven") };
        assert!(!registry.release(&key, &newest));
        assert_eq!(newest.borrow_and_update().stored.revision, Revision::new(2));
        assert!(registry.release(&key, &newest));
        assert!(matches!(registry.announce(&stored(3)), Announced::DriverNeeded { .. }), "nobody drives it any more");
        assert_eq!(waiting.borrow_and_update().revision, Revision::new(2), "the last version stays readable");
    }

    #[test]
    fn who_waits_for_the_end_is_not_woken_for_each_step_and_sees_it_all_the_same() {
        let registry = Registry::default();
        let Announced::DriverNeeded { mut outlook, .. } = registry.announce(&stored(1)) else {
            panic!("nobody drives it")
        };
        registry.announce(&stored(2));
        assert!(!outlook.has_changed().unwrap());
        assert_eq!(outlook.borrow().revision, Revision::new(2));
        let canceled = |revision| {
            let mut canceled = Stored::clone(&stored(revision));
            let _ = canceled.record.task.command(Command::CANCEL).unwrap();
            canceled
        };
        registry.announce(&Arc::new(canceled(3)));
        assert!(outlook.has_changed().unwrap(), "it will be closed");
        outlook.mark_unchanged();
        let mut closed = canceled(4);
        while let Some(step) = closed.record.task.next_step() {
            let _ = closed.record.task.report(step.succeeded(Witnesses::one("a"), "none")).unwrap();
        }
        registry.announce(&Arc::new(closed));
        assert!(outlook.has_changed().unwrap(), "it is closed");
    }

    #[test]
    fn an_older_version_is_no_news() {
        let registry = Registry::default();
        let Announced::DriverNeeded { newest, .. } = registry.announce(&stored(2)) else { panic!("nobody drives it") };
        for revision in [1, 2] {
            assert!(matches!(registry.announce(&stored(revision)), Announced::Told(_)));
            assert!(!newest.has_changed().unwrap());
        }
    }
}
