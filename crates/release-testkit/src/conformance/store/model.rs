//! A store against a naive one.

use super::operation::{How, Operation, Scope};
use crate::conformance::{Verdict, ensure};
use fastrand::Rng;
use release_core::{Error, ReleaseKey};
use release_engine::{CreateError, Record, ReplaceError, Revision, Store, StoreError, Stored};
use std::collections::BTreeMap;

/// Does `operations` random things with an empty store and with a naive model, and compares all that they answer.
///
/// `keep_closed` is how many closed records the store keeps: give it a small number, so that it has to drop some.
pub async fn model(store: &impl Store, keep_closed: usize, operations: usize, seed: u64) -> Verdict {
    let (mut model, mut rng) = (Model::new(keep_closed), Rng::with_seed(seed));
    for number in 0..operations {
        let operation = Operation::random(&mut rng, Scope::ALONE);
        let done = model.compare(store, &operation).await;
        done.map_err(|difference| {
            format!("seed {seed}, operation {number}, {operation:?}: {}", difference.describe())
        })?;
    }
    model.compare_everything(store).await.map_err(|error| format!("seed {seed}, in the end: {error}"))
}

/// The naive store: a list, the record that was changed last in the end.
#[derive(Clone, Debug)]
pub(super) struct Model {
    records: Vec<Stored>,
    /// What was removed or dropped, as it was in the end: who has it in hand still tries to change it.
    gone: BTreeMap<ReleaseKey, Stored>,
    keep_closed: usize,
    newest: Revision,
}

/// Why a store and the model were not the same.
pub(super) enum Difference {
    /// The store failed.
    Store(StoreError),
    /// The store is wrong.
    Wrong(String),
}

impl Difference {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Store(error) => error.to_string(),
            Self::Wrong(what) => what.clone(),
        }
    }
}

impl From<StoreError> for Difference {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<String> for Difference {
    fn from(what: String) -> Self {
        Self::Wrong(what)
    }
}

impl Model {
    pub(super) fn new(keep_closed: usize) -> Self {
        Self { records: Vec::new(), gone: BTreeMap::new(), keep_closed, newest: Revision::new(0) }
    }

    /// Does it in the store and in the model, and compares.
    pub(super) async fn compare(&mut self, store: &impl Store, operation: &Operation) -> Result<(), Difference> {
        match operation {
            Operation::Create(record) => {
                let answer = match store.create((**record).clone()).await {
                    Ok(revision) => Ok(revision),
                    Err(CreateError::Refused(error)) => Err(error),
                    Err(CreateError::Store(error)) => return Err(error.into()),
                };
                same(&answer.as_ref().err(), &self.conflict(record).as_ref())?;
                if let Ok(revision) = answer {
                    self.put((**record).clone(), revision)?;
                }
            }
            Operation::Change { key, newest, how } => {
                let Some(found) = self.find(key).cloned() else { return self.compare_gone(store, key, *how).await };
                let mut record = found.record.clone();
                how.change(&mut record);
                let revision = lost(store.replace(record.clone(), expected(&found, *newest)).await)?;
                same(&revision.is_some(), newest)?;
                if let Some(revision) = revision {
                    self.put(record, revision)?;
                }
            }
            Operation::Remove { key, newest } => {
                let Some(found) = self.find(key).cloned() else { return Ok(()) };
                let removed = lost(store.remove(key, expected(&found, *newest)).await)?.is_some();
                same(&removed, newest)?;
                if removed {
                    self.forget(key);
                }
                let again = lost(store.remove(key, expected(&found, false)).await)?;
                same(&again, &None)?;
            }
            Operation::Load(key) => same(&store.load(key).await?.as_deref(), &self.find(key))?,
            Operation::List(mesh) => {
                let mut of_mesh: Vec<_> =
                    self.records.iter().filter(|stored| stored.record.task.key().mesh == *mesh).collect();
                of_mesh.sort_by_key(|stored| stored.record.task.key());
                same(&store.list(mesh).await?.iter().map(|stored| &**stored).collect::<Vec<_>>(), &of_mesh)?;
            }
            Operation::Unclosed => {
                let mut found = store.unclosed().await?;
                found.sort();
                same(&found, &self.unclosed())?;
            }
        }
        Ok(())
    }

    /// Tries to change what is gone, as somebody does who has read it before.
    async fn compare_gone(&self, store: &impl Store, key: &ReleaseKey, how: How) -> Result<(), Difference> {
        let Some(Stored { mut record, revision }) = self.gone.get(key).cloned() else { return Ok(()) };
        how.change(&mut record);
        same(&lost(store.replace(record, revision).await)?, &None)?;
        Ok(same(&lost(store.remove(key, revision).await)?, &None)?)
    }

    /// Compares all that there is.
    pub(super) async fn compare_everything(&self, store: &impl Store) -> Verdict {
        let mut model = self.clone();
        let mut reads = vec![Operation::Unclosed];
        for stored in &self.records {
            let key = stored.record.task.key();
            reads.extend([Operation::Load(key.clone()), Operation::List(key.mesh.clone())]);
        }
        for read in reads {
            model.compare(store, &read).await.map_err(|difference| format!("{read:?}: {}", difference.describe()))?;
        }
        Ok(())
    }

    /// What the model would be if `operation` were done, with the revision that the store has given it.
    pub(super) async fn after(&self, store: &impl Store, operation: &Operation) -> Result<Self, Difference> {
        let mut model = self.clone();
        let key = match operation {
            Operation::Create(record) => record.task.key(),
            Operation::Change { key, .. } | Operation::Remove { key, .. } => key,
            Operation::Load(_) | Operation::List(_) | Operation::Unclosed => return Ok(model),
        };
        match (operation, store.load(key).await?) {
            (Operation::Remove { .. }, None) => model.forget(key),
            (_, Some(stored)) if model.find(key) != Some(&stored) => {
                let mut expected = match operation {
                    Operation::Create(record) => (**record).clone(),
                    _ => model.find(key).ok_or("a record from nowhere".to_owned())?.record.clone(),
                };
                if let Operation::Change { how, .. } = operation {
                    how.change(&mut expected);
                }
                same(&stored.record, &expected)?;
                model.put(expected, stored.revision)?;
            }
            _ => {}
        }
        Ok(model)
    }

    /// What several callers in meshes of their own have done together.
    pub(super) fn merged(models: impl IntoIterator<Item = Self>) -> Self {
        models.into_iter().fold(Self::new(0), |mut all, model| {
            all.records.extend(model.records);
            all.gone.extend(model.gone);
            all.newest = all.newest.max(model.newest);
            all.keep_closed = model.keep_closed;
            all
        })
    }

    fn find(&self, key: &ReleaseKey) -> Option<&Stored> {
        self.records.iter().find(|stored| stored.record.task.key() == key)
    }

    fn unclosed(&self) -> Vec<ReleaseKey> {
        let unclosed = self.records.iter().filter(|stored| !stored.record.task.phase().is_closed());
        let mut keys: Vec<ReleaseKey> = unclosed.map(|stored| stored.record.task.key().clone()).collect();
        keys.sort();
        keys
    }

    fn conflict(&self, record: &Record) -> Option<Error> {
        let (key, spec) = (record.task.key(), record.task.spec());
        if self.find(key).is_some() {
            return Some(Error::ReleaseExists(Box::new(key.clone())));
        }
        let busy = |stored: &&Stored| {
            let other = stored.record.task.spec();
            let same =
                (&other.key.mesh, &other.key.namespace, &other.service) == (&key.mesh, &key.namespace, &spec.service);
            same && !stored.record.task.phase().is_closed()
        };
        let by = self.records.iter().find(busy)?.record.task.key();
        Some(Error::ServiceBusy { service: spec.service.clone(), by: Box::new(by.clone()) })
    }

    fn put(&mut self, record: Record, revision: Revision) -> Verdict {
        ensure(revision > self.newest, || format!("{revision:?} is not greater than {:?}", self.newest))?;
        self.newest = revision;
        self.records.retain(|stored| stored.record.task.key() != record.task.key());
        self.records.push(Stored { record, revision });
        let closed = |stored: &Stored| stored.record.task.phase().is_closed();
        if self.records.iter().filter(|stored| closed(stored)).count() > self.keep_closed
            && let Some(oldest) = self.records.iter().position(closed)
        {
            let oldest = self.records.remove(oldest);
            self.gone.insert(oldest.record.task.key().clone(), oldest);
        }
        Ok(())
    }

    fn forget(&mut self, key: &ReleaseKey) {
        if let Some(at) = self.records.iter().position(|stored| stored.record.task.key() == key) {
            self.gone.insert(key.clone(), self.records.remove(at));
        }
    }
}

/// The revision to name: the one that the record has, or one that it had or may have had before.
fn expected(stored: &Stored, newest: bool) -> Revision {
    if newest { stored.revision } else { Revision::new(stored.revision.get() - 1) }
}

/// `None` if the swap was lost.
fn lost<T>(answer: Result<T, ReplaceError>) -> Result<Option<T>, StoreError> {
    match answer {
        Ok(done) => Ok(Some(done)),
        Err(ReplaceError::Lost) => Ok(None),
        Err(ReplaceError::Store(error)) => Err(error),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(store: &T, model: &T) -> Verdict {
    ensure(store == model, || format!("the store says {store:?} and the model {model:?}"))
}
