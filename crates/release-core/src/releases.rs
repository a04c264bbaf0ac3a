//! Many tasks.

use crate::{
    Change, Command, Error, MeshId, Namespace, ReleaseId, ReleaseKey, ReleaseSpec, ReleaseTask, Report, Service,
    UnexpectedReport,
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
    /// No namespace without a task.
    namespaces: BTreeMap<(MeshId, Namespace), Tasks>,
}

/// The tasks of a mesh's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tasks {
    /// Boxed, because the map's nodes are half empty when tasks come in the order of their ids.
    by_id: BTreeMap<ReleaseId, Box<ReleaseTask>>,
    /// The last task of each service; stale once that one is closed.
    last: BTreeMap<Service, ReleaseId>,
}

impl Releases {
    /// No tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a task. [`Error::ReleaseExists`], [`Error::ServiceBusy`] and [`Error::SameVersion`] refuse it.
    pub fn create(&mut self, spec: ReleaseSpec) -> Result<&ReleaseTask, Error> {
        if self.get(&spec.key).is_ok() {
            return Err(Error::ReleaseExists(Box::new(spec.key)));
        }
        let namespace = namespace(&spec.key);
        let unclosed = self.namespaces.get(&namespace).and_then(|tasks| tasks.unclosed(&spec.service));
        if let Some(task) = unclosed {
            return Err(Error::ServiceBusy { service: spec.service, by: Box::new(task.key().clone()) });
        }
        let task = Box::new(ReleaseTask::new(spec)?);
        let (id, service) = (task.key().id.clone(), task.spec().service.clone());
        let tasks = self.namespaces.entry(namespace).or_default();
        tasks.last.insert(service, id.clone());
        Ok(tasks.by_id.entry(id).or_insert(task))
    }

    /// The task of that key, closed ones too.
    pub fn get(&self, key: &ReleaseKey) -> Result<&ReleaseTask, Error> {
        let tasks = self.namespaces.get(&namespace(key));
        tasks.and_then(|tasks| tasks.by_id.get(&key.id)).map(Box::as_ref).ok_or_else(|| unknown(key))
    }

    /// The tasks of a mesh, closed ones too, by namespace and id.
    pub fn list<'a>(&'a self, mesh: &'a MeshId) -> impl Iterator<Item = &'a ReleaseTask> {
        let of_mesh = self.namespaces.iter().filter(move |((of, _), _)| of == mesh);
        of_mesh.flat_map(|(_, tasks)| tasks.by_id.values().map(Box::as_ref))
    }

    /// Carries out a command on the task of that key: see [`ReleaseTask::command`].
    pub fn command(&mut self, key: &ReleaseKey, command: Command) -> Result<Change, Error> {
        self.get_mut(key).ok_or_else(|| unknown(key))?.command(command)
    }

    /// Hands a report to the task of that key: see [`ReleaseTask::report`]. A report for a task that is not there, because
    /// it was removed, changes nothing.
    pub fn report(&mut self, key: &ReleaseKey, report: Report) -> Result<Change, UnexpectedReport> {
        self.get_mut(key).map_or(Ok(Change::Unchanged), |task| task.report(report))
    }

    /// Forgets a closed task and returns it; an unclosed one stays, since its traffic has not been taken over.
    pub fn remove(&mut self, key: &ReleaseKey) -> Option<ReleaseTask> {
        let namespace = namespace(key);
        let tasks = self.namespaces.get_mut(&namespace)?;
        if !tasks.by_id.get(&key.id)?.phase().is_closed() {
            return None;
        }
        let task = *tasks.by_id.remove(&key.id)?;
        let service = &task.spec().service;
        if tasks.last.get(service) == Some(&key.id) {
            tasks.last.remove(service);
        }
        if tasks.by_id.is_empty() {
            self.namespaces.remove(&namespace);
        }
        Some(task)
    }

    fn get_mut(&mut self, key: &ReleaseKey) -> Option<&mut ReleaseTask> {
        self.namespaces.get_mut(&namespace(key))?.by_id.get_mut(&key.id).map(Box::as_mut)
    }
}

impl Tasks {
    /// The unclosed task of a service.
    fn unclosed(&self, service: &Service) -> Option<&ReleaseTask> {
        let last = self.by_id.get(self.last.get(service)?)?;
        (!last.phase().is_closed()).then_some(last)
    }
}

fn namespace(key: &ReleaseKey) -> (MeshId, Namespace) {
    (key.mesh.clone(), key.namespace.clone())
}

fn unknown(key: &ReleaseKey) -> Error {
    Error::UnknownRelease(Box::new(key.clone()))
}
