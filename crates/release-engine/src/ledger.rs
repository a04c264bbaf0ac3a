//! What is being written in this process, and what the observer was told of it.

use crate::event::Listener;
use crate::{Event, Revision, StoreError, Stored};
use release_core::{Phase, ReleaseKey};
use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Which writes are under way, and how far the observer knows each task: it is told of every phase that a task is seen in,
/// once and in order, whoever saw or wrote it.
pub(crate) struct Ledger {
    listener: Listener,
    entries: Mutex<HashMap<ReleaseKey, Entry>>,
}

#[derive(Default)]
struct Entry {
    /// How many writes are under way.
    writes: usize,
    /// How many of them had no answer in time.
    late: usize,
    /// How many of them create the task.
    creates: usize,
    /// How many writes failed that may have created the task all the same.
    doubtful: usize,
    /// The newest version that was seen, and its phase.
    seen: Option<(Revision, Phase)>,
}

impl Ledger {
    pub(crate) fn new(listener: Listener) -> Self {
        Self { listener, entries: Mutex::default() }
    }

    /// Begins a write, unless an earlier one of that record has had no answer in time and has not ended: the two might be
    /// carried out one after the other, long after somebody was told that they failed.
    pub(crate) fn begin(self: &Arc<Self>, key: &ReleaseKey) -> Result<Writing, StoreError> {
        self.begin_to(key, false)
    }

    /// Begins a write that creates a task.
    pub(crate) fn begin_to_create(self: &Arc<Self>, key: &ReleaseKey) -> Result<Writing, StoreError> {
        self.begin_to(key, true)
    }

    fn begin_to(self: &Arc<Self>, key: &ReleaseKey, creates: bool) -> Result<Writing, StoreError> {
        let mut entries = self.entries();
        let entry = entries.entry(key.clone()).or_default();
        if entry.late > 0 {
            let reason = "an earlier write of this release has not ended; this one was not begun";
            return Err(StoreError::Failed(reason.into()));
        }
        entry.writes += 1;
        entry.creates += usize::from(creates);
        drop(entries);
        Ok(Writing { ledger: Arc::clone(self), key: key.clone(), creates, late: false })
    }

    /// How many writes failed that may have created the task all the same.
    pub(crate) fn doubtful(&self, key: &ReleaseKey) -> usize {
        self.entries().get(key).map_or(0, |entry| entry.doubtful)
    }

    /// That many of them have been looked into: what is in the store was [seen](Self::saw), if there is anything.
    pub(crate) fn looked_into(&self, key: &ReleaseKey, doubtful: usize) {
        self.change(key, |entry| entry.doubtful -= doubtful);
    }

    /// Takes note of a task that was there before this process.
    pub(crate) fn found(&self, stored: &Stored) {
        let seen = Some((stored.revision, stored.record.task.phase()));
        self.entries().entry(stored.record.task.key().clone()).or_default().seen = seen;
    }

    /// Takes note of the version that a write in this process has replaced.
    pub(crate) fn replaced(&self, key: &ReleaseKey, revision: Revision, phase: Phase) {
        self.change(key, |entry| {
            self.advance(key, entry, revision, phase);
            // Another process created it.
            entry.seen.get_or_insert((revision, phase));
        });
    }

    /// Takes note of a version that was read or written.
    pub(crate) fn saw(&self, stored: &Stored) {
        let task = &stored.record.task;
        self.change(task.key(), |entry| self.advance(task.key(), entry, stored.revision, task.phase()));
    }

    /// The observer is told under the lock, else it might be told in another order.
    fn advance(&self, key: &ReleaseKey, entry: &mut Entry, revision: Revision, phase: Phase) {
        if entry.seen.is_some_and(|(seen, _)| revision <= seen) {
            return;
        }
        if entry.may_be_born() {
            entry.seen = Some((revision, Phase::Deploying));
            self.listener.tell(Event::Created { key });
        }
        let Some((_, from)) = entry.seen else { return };
        entry.seen = Some((revision, phase));
        if from != phase {
            tracing::info!(release = %key, %from, to = %phase, "a release moved");
            self.listener.tell(Event::Moved { key, from, to: phase });
        }
    }

    /// Changes what is known of a task, if anything is.
    fn change(&self, key: &ReleaseKey, change: impl FnOnce(&mut Entry)) {
        if let Place::Occupied(mut place) = self.entries().entry(key.clone()) {
            change(place.get_mut());
            if !place.get().is_needed() {
                place.remove();
            }
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<ReleaseKey, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The task that is seen next was created here, if it is a new one.
    fn may_be_born(&self) -> bool {
        (self.creates > 0 || self.doubtful > 0) && self.seen.is_none_or(|(_, phase)| phase.is_closed())
    }

    /// A closed task is kept while it is being written: whoever is slow must not take an older version for a new task.
    fn is_needed(&self) -> bool {
        self.writes > 0 || self.doubtful > 0 || self.seen.is_some_and(|(_, phase)| !phase.is_closed())
    }
}

/// A write that is under way, until this is dropped.
pub(crate) struct Writing {
    ledger: Arc<Ledger>,
    key: ReleaseKey,
    creates: bool,
    late: bool,
}

impl Writing {
    /// The write has had no answer in time: until it has ended, no other one of that record is begun.
    pub(crate) fn mark_late(&mut self) {
        self.ledger.change(&self.key, |entry| entry.late += usize::from(!self.late));
        self.late = true;
    }

    /// The write failed, and may have happened all the same.
    pub(crate) fn mark_doubtful(&self) {
        self.ledger.change(&self.key, |entry| entry.doubtful += usize::from(self.creates));
    }

    pub(crate) fn key(&self) -> &ReleaseKey {
        &self.key
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.ledger.change(&self.key, |entry| {
            entry.writes -= 1;
            entry.creates -= usize::from(self.creates);
            entry.late -= usize::from(self.late);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Told {
        ledger: Arc<Ledger>,
        lines: Arc<Mutex<Vec<String>>>,
        key: ReleaseKey,
    }

    impl Told {
        fn new() -> Self {
            let lines = Arc::new(Mutex::new(Vec::new()));
            let told = Arc::clone(&lines);
            let listener = Listener(Arc::new(move |event| told.lock().unwrap().push(format!("{event:?}"))));
            let key = ReleaseKey::parse("mesh-1", "shop", "a").unwrap();
            Self { ledger: Arc::new(Ledger::new(listener)), lines, key }
        }

        /// A version in that phase is seen.
        fn sees(&self, revision: u64, phase: Phase) {
            self.ledger.change(&self.key, |entry| {
                self.ledger.advance(&self.key, entry, Revision::new(revision), phase);
            });
        }

        fn is_told(&self, creations: usize) {
            let lines = self.lines.lock().unwrap();
            assert_eq!(lines.iter().filter(|line| line.starts_with("Created")).count(), creations, "{lines:?}");
        }
    }

    #[test]
    fn a_create_that_was_refused_hides_none_that_was_not() {
        let told = Told::new();
        let stored = told.ledger.begin_to_create(&told.key).unwrap();
        drop(told.ledger.begin_to_create(&told.key).unwrap());
        told.sees(1, Phase::Deploying);
        drop(stored);
        told.sees(2, Phase::Running);
        told.is_told(1);
    }

    #[test]
    fn what_is_looked_into_is_not_what_is_created_meanwhile() {
        let told = Told::new();
        told.ledger.begin_to_create(&told.key).unwrap().mark_doubtful();
        let doubtful = told.ledger.doubtful(&told.key);
        let again = told.ledger.begin_to_create(&told.key).unwrap();
        told.ledger.looked_into(&told.key, doubtful);
        told.sees(1, Phase::Deploying);
        drop(again);
        told.is_told(1);
    }

    #[test]
    fn a_create_that_may_have_happened_is_told_when_it_is_seen() {
        let told = Told::new();
        for _ in 0..2 {
            told.ledger.begin_to_create(&told.key).unwrap().mark_doubtful();
        }
        // Because there is one already.
        drop(told.ledger.begin_to_create(&told.key).unwrap());
        told.is_told(0);
        told.sees(1, Phase::Deploying);
        told.is_told(1);
        told.ledger.looked_into(&told.key, told.ledger.doubtful(&told.key));
        told.sees(2, Phase::Closed(release_core::Action::End));
        assert!(told.ledger.entries().is_empty());
    }

    #[test]
    fn what_another_process_created_is_not_told_as_created_here() {
        let told = Told::new();
        let writing = told.ledger.begin(&told.key).unwrap();
        drop(told.ledger.begin_to_create(&told.key).unwrap());
        told.sees(1, Phase::Deploying);
        drop(writing);
        told.is_told(0);
        assert!(told.ledger.entries().is_empty());
    }
}
