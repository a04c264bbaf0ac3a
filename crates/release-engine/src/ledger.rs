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
    /// The task is being created, or may have been, and nobody was told.
    unborn: bool,
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
        let mut entries = self.entries();
        let entry = entries.entry(key.clone()).or_default();
        if entry.late > 0 {
            let reason = "an earlier write of this release has not ended; this one was not begun";
            return Err(StoreError::Failed(reason.into()));
        }
        entry.writes += 1;
        drop(entries);
        Ok(Writing { ledger: Arc::clone(self), key: key.clone(), late: false })
    }

    /// Takes note of a task that is to be created.
    pub(crate) fn creating(&self, key: &ReleaseKey) {
        let mut entries = self.entries();
        let entry = entries.entry(key.clone()).or_default();
        entry.unborn = entry.seen.is_none_or(|(_, phase)| phase.is_closed());
    }

    /// Takes note that there is no such task.
    pub(crate) fn not_created(&self, key: &ReleaseKey) {
        self.change(key, |entry| entry.unborn = false);
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
        if entry.unborn {
            entry.unborn = false;
            let before = entry.seen.map_or(Revision::new(0), |(revision, _)| revision);
            entry.seen = Some((before, Phase::Deploying));
            self.listener.tell(Event::Created { key });
        }
        let Some((_, from)) = entry.seen.filter(|(seen, _)| revision > *seen) else { return };
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
    /// A closed task is kept while it is being written: whoever is slow must not take an older version for a new task.
    fn is_needed(&self) -> bool {
        self.writes > 0 || self.unborn || self.seen.is_some_and(|(_, phase)| !phase.is_closed())
    }
}

/// A write that is under way, until this is dropped.
pub(crate) struct Writing {
    ledger: Arc<Ledger>,
    key: ReleaseKey,
    late: bool,
}

impl Writing {
    /// The write has had no answer in time: until it has ended, no other one of that record is begun.
    pub(crate) fn is_late(&mut self) {
        self.ledger.change(&self.key, |entry| entry.late += usize::from(!self.late));
        self.late = true;
    }

    pub(crate) fn key(&self) -> &ReleaseKey {
        &self.key
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.ledger.change(&self.key, |entry| {
            entry.writes -= 1;
            entry.late -= usize::from(self.late);
        });
    }
}
