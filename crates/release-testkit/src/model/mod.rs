//! A naive reference model: the same promises as [`Releases`](release_core::Releases), written a second time.
//!
//! It is made to be checked by eye against the table in the documentation of `release-core` and against the laws, and
//! nothing else: plain lists, everything remembered, nothing clever. [`harness`](crate::harness) compares the two after
//! each operation.

mod record;

pub use record::Record;

use release_core::{Action, Change, Command, Error, MeshId, Mode, PlannedStep, ReleaseKey, ReleaseSpec};
use release_core::{Report, UnexpectedReport};

/// Release tasks in the order in which they were created.
#[derive(Clone, Debug, Default)]
pub struct Model {
    records: Vec<Record>,
}

impl Model {
    /// At most one task of a key, and one unclosed task of a service.
    pub fn create(&mut self, spec: ReleaseSpec) -> Result<(), Error> {
        for record in &self.records {
            if record.spec.key == spec.key {
                return Err(Error::ReleaseExists(Box::new(spec.key)));
            }
        }
        for record in &self.records {
            let (one, other) = (&record.spec, &spec);
            let same = one.key.mesh == other.key.mesh
                && one.key.namespace == other.key.namespace
                && one.service == other.service;
            if same && !record.phase.is_closed() {
                return Err(Error::ServiceBusy { service: spec.service, by: Box::new(one.key.clone()) });
            }
        }
        if spec.original == spec.grayscale {
            return Err(Error::SameVersion(spec.original));
        }
        self.records.push(Record::new(spec));
        Ok(())
    }

    /// The task of that key.
    pub fn get(&self, key: &ReleaseKey) -> Result<&Record, Error> {
        let found = self.records.iter().find(|record| record.spec.key == *key);
        found.ok_or_else(|| Error::UnknownRelease(Box::new(key.clone())))
    }

    /// The keys of a mesh, sorted.
    pub fn list(&self, mesh: &MeshId) -> Vec<ReleaseKey> {
        let mut keys = self.keys();
        keys.retain(|key| key.mesh == *mesh);
        keys
    }

    /// The keys of all tasks, sorted.
    pub fn keys(&self) -> Vec<ReleaseKey> {
        let mut keys: Vec<ReleaseKey> = self.records.iter().map(|record| record.spec.key.clone()).collect();
        keys.sort();
        keys
    }

    /// A command for a task that is not there is refused.
    pub fn command(&mut self, key: &ReleaseKey, command: Command) -> Result<Change, Error> {
        self.get(key)?;
        self.find(key).map_or(Ok(Change::Unchanged), |record| record.command(command))
    }

    /// A report for a task that is not there changes nothing.
    pub fn report(&mut self, key: &ReleaseKey, report: Report) -> Result<Change, UnexpectedReport> {
        self.find(key).map_or(Ok(Change::Unchanged), |record| record.report(report))
    }

    /// The steps of a delete.
    pub fn plan(&self, key: &ReleaseKey, action: Action, mode: Mode) -> Result<Vec<PlannedStep>, Error> {
        self.get(key)?.plan(action, mode)
    }

    /// Only a closed task is removed.
    pub fn remove(&mut self, key: &ReleaseKey) -> bool {
        let before = self.records.len();
        self.records.retain(|record| record.spec.key != *key || !record.phase.is_closed());
        self.records.len() < before
    }

    /// All tasks.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    fn find(&mut self, key: &ReleaseKey) -> Option<&mut Record> {
        self.records.iter_mut().find(|record| record.spec.key == *key)
    }
}
