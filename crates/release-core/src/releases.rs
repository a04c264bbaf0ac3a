//! Many tasks.

use crate::{
    Change, Command, Error, MeshId, Namespace, ReleaseKey, ReleaseSpec, ReleaseTask, Report, Service, UnexpectedReport,
};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;

/// Release tasks by key: at most one unclosed task per service. Source: contract.
///
/// A pure collection; `release-engine` keeps the same promises over a store.
///
/// ```
/// use release_core::{Action, Command, Phase, ReleaseKey, Releases, ReleaseSpec, Stage};
///
/// let mut releases = Releases::new();
/// let key = ReleaseKey::parse("mesh-1", "shop", "3f2a")?;
/// releases.create(ReleaseSpec {
///     key: key.clone(),
///     service: "cart".parse()?,
///     original: "v1".parse()?,
///     grayscale: "v2".parse()?,
/// })?;
/// let _ = releases.command(&key, Command::CANCEL)?;
/// assert_eq!(releases.get(&key)?.phase(), Phase::Closing(Action::Cancel, Stage::Preparing));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Releases {
    /// Boxed, because the map's nodes are half empty when tasks come in the order of their keys.
    tasks: BTreeMap<ReleaseKey, Box<ReleaseTask>>,
    /// The last task of each service; stale once that one is closed.
    last: BTreeMap<(MeshId, Namespace, Service), ReleaseKey>,
}

impl Releases {
    /// No tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a task. [`Error::ReleaseExists`], [`Error::ServiceBusy`] and [`Error::SameVersion`] refuse it.
    pub fn create(&mut self, spec: ReleaseSpec) -> Result<&ReleaseTask, Error> {
        let service = (spec.key.mesh.clone(), spec.key.namespace.clone(), spec.service.clone());
        let unclosed = |key: &&ReleaseKey| self.tasks.get(*key).is_some_and(|task| !task.phase().is_closed());
        if self.tasks.contains_key(&spec.key) {
            return Err(Error::ReleaseExists(Box::new(spec.key)));
        }
        if let Some(by) = self.last.get(&service).filter(unclosed) {
            return Err(Error::ServiceBusy { service: spec.service, by: Box::new(by.clone()) });
        }
        let (key, task) = (spec.key.clone(), ReleaseTask::new(spec)?);
        self.last.insert(service, key.clone());
        Ok(self.tasks.entry(key).or_insert_with(|| Box::new(task)))
    }

    /// The task of that key, closed ones too.
    pub fn get(&self, key: &ReleaseKey) -> Result<&ReleaseTask, Error> {
        self.tasks.get(key).map(Box::as_ref).ok_or_else(|| unknown(key))
    }

    /// The tasks of a mesh, closed ones too, by namespace and id.
    pub fn list<'a>(&'a self, mesh: &'a MeshId) -> impl Iterator<Item = &'a ReleaseTask> {
        self.tasks.values().map(Box::as_ref).filter(move |task| task.key().mesh == *mesh)
    }

    /// Carries out a command on the task of that key: see [`ReleaseTask::command`].
    pub fn command(&mut self, key: &ReleaseKey, command: Command) -> Result<Change, Error> {
        self.tasks.get_mut(key).ok_or_else(|| unknown(key))?.command(command)
    }

    /// Hands a report to the task of that key: see [`ReleaseTask::report`]. A report for a task that is not there, because
    /// it was removed, changes nothing.
    pub fn report(&mut self, key: &ReleaseKey, report: Report) -> Result<Change, UnexpectedReport> {
        self.tasks.get_mut(key).map_or(Ok(Change::Unchanged), |task| task.report(report))
    }

    /// Forgets a closed task and returns it; an unclosed one stays, since its traffic has not been taken over.
    pub fn remove(&mut self, key: &ReleaseKey) -> Option<ReleaseTask> {
        if !self.tasks.get(key)?.phase().is_closed() {
            return None;
        }
        let task = *self.tasks.remove(key)?;
        let service = (key.mesh.clone(), key.namespace.clone(), task.spec().service.clone());
        if self.last.get(&service) == Some(key) {
            self.last.remove(&service);
        }
        Some(task)
    }
}

fn unknown(key: &ReleaseKey) -> Error {
    Error::UnknownRelease(Box::new(key.clone()))
}
