//! Many tasks.

use crate::{
    Change, Command, Error, MeshId, Namespace, ReleaseId, ReleaseKey, ReleaseSpec, ReleaseTask, Report, Service,
    UnexpectedReport,
};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;

/// Release tasks by key: at most one unclosed task per service. Source: contract.
///
/// A pure collection; `release-engine` keeps the same promises over a store. Two collections of the same tasks are equal,
/// however they came about.
///
/// To go on after a restart, store each task that changes, and [`insert`](Self::insert) what was stored:
///
/// ```
/// # use release_core::{ReleaseKey, Releases, ReleaseSpec, StoredTask};
/// # let mut releases = Releases::new();
/// # releases.create(ReleaseSpec {
/// #     key: ReleaseKey::parse("mesh-1", "shop", "3f2a")?,
/// #     service: "cart".parse()?,
/// #     original: "v1".parse()?,
/// #     grayscale: "v2".parse()?,
/// # })?;
/// let stored: Vec<StoredTask> = releases.iter().cloned().map(StoredTask::from).collect();
///
/// let mut restored = Releases::new();
/// for task in stored {
///     restored.insert(task.try_into()?)?;
/// }
/// assert_eq!(restored, releases);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A command finds its task by key:
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
    /// The unclosed task of each service that has one: nothing that `by_id` does not say, so equality is by content.
    unclosed: BTreeMap<Service, ReleaseId>,
}

impl Releases {
    /// No tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a task. [`Error::ReleaseExists`], [`Error::ServiceBusy`] and [`Error::SameVersion`] refuse it.
    pub fn create(&mut self, spec: ReleaseSpec) -> Result<&ReleaseTask, Error> {
        self.admit(&spec, false)?;
        Ok(self.put(ReleaseTask::new(spec)?))
    }

    /// Adds a task as it is, one that was stored for example. [`Error::ReleaseExists`] refuses it, and
    /// [`Error::ServiceBusy`] unless it is closed.
    pub fn insert(&mut self, task: ReleaseTask) -> Result<&ReleaseTask, Error> {
        self.admit(task.spec(), task.phase().is_closed())?;
        Ok(self.put(task))
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

    /// All tasks, closed ones too, by mesh, namespace and id.
    pub fn iter(&self) -> impl Iterator<Item = &ReleaseTask> {
        self.namespaces.values().flat_map(|tasks| tasks.by_id.values().map(Box::as_ref))
    }

    /// Carries out a command on the task of that key: see [`ReleaseTask::command`].
    pub fn command(&mut self, key: &ReleaseKey, command: Command) -> Result<Change, Error> {
        self.get_mut(key).ok_or_else(|| unknown(key))?.command(command)
    }

    /// Hands a report to the task of that key: see [`ReleaseTask::report`]. A report for a task that is not there, because
    /// it was removed, changes nothing.
    pub fn report(&mut self, key: &ReleaseKey, report: Report) -> Result<Change, UnexpectedReport> {
        let Some(tasks) = self.namespaces.get_mut(&namespace(key)) else { return Ok(Change::Unchanged) };
        let Some(task) = tasks.by_id.get_mut(&key.id) else { return Ok(Change::Unchanged) };
        let change = task.report(report)?;
        if change == Change::Changed && task.phase().is_closed() {
            tasks.unclosed.remove(&task.spec().service);
        }
        Ok(change)
    }

    /// Forgets a closed task and returns it; an unclosed one stays, since its traffic has not been taken over.
    pub fn remove(&mut self, key: &ReleaseKey) -> Option<ReleaseTask> {
        let namespace = namespace(key);
        let tasks = self.namespaces.get_mut(&namespace)?;
        if !tasks.by_id.get(&key.id)?.phase().is_closed() {
            return None;
        }
        let task = *tasks.by_id.remove(&key.id)?;
        if tasks.by_id.is_empty() {
            self.namespaces.remove(&namespace);
        }
        Some(task)
    }

    /// Whether there is room for a task that is, or is not, closed.
    fn admit(&self, spec: &ReleaseSpec, closed: bool) -> Result<(), Error> {
        let Some(tasks) = self.namespaces.get(&namespace(&spec.key)) else { return Ok(()) };
        if tasks.by_id.contains_key(&spec.key.id) {
            return Err(Error::ReleaseExists(Box::new(spec.key.clone())));
        }
        match tasks.unclosed.get(&spec.service) {
            Some(id) if !closed => {
                let by = Box::new(ReleaseKey { id: id.clone(), ..spec.key.clone() });
                Err(Error::ServiceBusy { service: spec.service.clone(), by })
            }
            _ => Ok(()),
        }
    }

    /// Adds what was admitted.
    fn put(&mut self, task: ReleaseTask) -> &ReleaseTask {
        let id = task.key().id.clone();
        let tasks = self.namespaces.entry(namespace(task.key())).or_default();
        if !task.phase().is_closed() {
            tasks.unclosed.insert(task.spec().service.clone(), id.clone());
        }
        tasks.by_id.entry(id).or_insert_with(|| Box::new(task))
    }

    fn get_mut(&mut self, key: &ReleaseKey) -> Option<&mut ReleaseTask> {
        self.namespaces.get_mut(&namespace(key))?.by_id.get_mut(&key.id).map(Box::as_mut)
    }
}

fn namespace(key: &ReleaseKey) -> (MeshId, Namespace) {
    (key.mesh.clone(), key.namespace.clone())
}

fn unknown(key: &ReleaseKey) -> Error {
    Error::UnknownRelease(Box::new(key.clone()))
}
