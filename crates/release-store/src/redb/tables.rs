//! What stands in the file.

use redb::{
    Database, ReadOnlyTable, ReadableDatabase, ReadableTable, ReadableTableMetadata, Table, TableDefinition,
    WriteTransaction,
};
use release_core::{Error, MeshId, ReleaseKey};
use release_engine::{Record, Revision, StoreError, Stored};
use std::fmt;
use std::sync::Arc;

/// A mesh, a namespace, and a release or a service of it.
type Name = (&'static str, &'static str, &'static str);

/// Numbers about the file: [`FORMAT`], [`REVISION`].
pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// The revision of each release's record, and the record as JSON: it can be read with any tool when something is wrong,
/// and half the size would save nothing that counts.
const RELEASES: TableDefinition<Name, (u64, &[u8])> = TableDefinition::new("releases");
/// The id of the unclosed release of each service.
const UNCLOSED: TableDefinition<Name, &str> = TableDefinition::new("unclosed");
/// The closed releases by revision: the oldest first.
const CLOSED: TableDefinition<u64, Name> = TableDefinition::new("closed");

/// The version of the file's format.
pub(super) const FORMAT: &str = "format";
/// The newest revision of any record.
pub(super) const REVISION: &str = "revision";

/// What is to be written.
pub(super) enum Operation {
    Create(Box<Row>),
    Replace(Box<Row>, Revision),
    Remove(ReleaseKey, Revision),
}

/// A record, ready to be written.
pub(super) struct Row {
    record: Record,
    json: Vec<u8>,
}

/// Why something was not written.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    Exists(Error),
    Lost,
    /// What stands in its place can't be read.
    Damaged(StoreError),
}

impl Row {
    pub(super) fn new(record: Record) -> Result<Box<Self>, StoreError> {
        let json = serde_json::to_vec(&record)
            .map_err(|error| StoreError::Failed(format!("the record can't be written as JSON: {error}")))?;
        Ok(Box::new(Self { record, json }))
    }

    fn is_closed(&self) -> bool {
        self.record.task.phase().is_closed()
    }

    fn service(&self) -> (&str, &str, &str) {
        let spec = self.record.task.spec();
        (spec.key.mesh.as_str(), spec.key.namespace.as_str(), spec.service.as_str())
    }
}

/// The tables, open in one transaction that writes.
pub(super) struct Tables<'txn> {
    meta: Table<'txn, &'static str, u64>,
    releases: Table<'txn, Name, (u64, &'static [u8])>,
    unclosed: Table<'txn, Name, &'static str>,
    closed: Table<'txn, u64, Name>,
    keep_closed: u64,
}

impl<'txn> Tables<'txn> {
    /// Opens the tables, or creates them.
    pub(super) fn open(txn: &'txn WriteTransaction, keep_closed: u64) -> Result<Self, redb::Error> {
        Ok(Self {
            meta: txn.open_table(META)?,
            releases: txn.open_table(RELEASES)?,
            unclosed: txn.open_table(UNCLOSED)?,
            closed: txn.open_table(CLOSED)?,
            keep_closed,
        })
    }

    /// Writes something, or refuses and writes nothing.
    pub(super) fn apply(&mut self, operation: &Operation) -> Result<Result<Revision, Refusal>, redb::Error> {
        match operation {
            Operation::Create(row) => {
                if let Some(refusal) = self.conflict(row)? {
                    return Ok(Err(refusal));
                }
                self.put(row).map(Ok)
            }
            Operation::Replace(row, expected) => {
                let spec = row.record.task.spec();
                if self.revision(&spec.key)? != Some(expected.get()) {
                    return Ok(Err(Refusal::Lost));
                }
                // A task that stays unclosed stays where it is listed: a page that is not written is not synced either.
                if row.is_closed() {
                    self.unlist(row.service(), *expected)?;
                }
                self.put(row).map(Ok)
            }
            Operation::Remove(key, expected) => {
                let service = match self.releases.get(name(key))? {
                    Some(row) if row.value().0 == expected.get() => match decoded(name(key), row.value()) {
                        Ok(stored) => stored.record.task.spec().service.clone(),
                        // Of this operation only: others share the transaction.
                        Err(error) => return Ok(Err(Refusal::Damaged(error))),
                    },
                    _ => return Ok(Err(Refusal::Lost)),
                };
                self.unlist((key.mesh.as_str(), key.namespace.as_str(), service.as_str()), *expected)?;
                self.releases.remove(name(key))?;
                Ok(Ok(*expected))
            }
        }
    }

    fn conflict(&self, row: &Row) -> Result<Option<Refusal>, redb::Error> {
        let key = row.record.task.key();
        if self.revision(key)?.is_some() {
            return Ok(Some(Refusal::Exists(Error::ReleaseExists(Box::new(key.clone())))));
        }
        let Some(by) = self.unclosed.get(row.service())? else { return Ok(None) };
        Ok(Some(match by.value().parse() {
            Ok(id) => {
                let by = Box::new(ReleaseKey { id, ..key.clone() });
                Refusal::Exists(Error::ServiceBusy { service: row.record.task.spec().service.clone(), by })
            }
            Err(reason) => Refusal::Damaged(damaged(row.service(), &reason)),
        }))
    }

    fn revision(&self, key: &ReleaseKey) -> Result<Option<u64>, redb::Error> {
        Ok(self.releases.get(name(key))?.map(|row| row.value().0))
    }

    fn put(&mut self, row: &Row) -> Result<Revision, redb::Error> {
        let key = row.record.task.key();
        let revision = self.meta.get(REVISION)?.map_or(0, |newest| newest.value()) + 1;
        self.meta.insert(REVISION, revision)?;
        self.releases.insert(name(key), (revision, row.json.as_slice()))?;
        if row.is_closed() {
            self.closed.insert(revision, name(key))?;
        } else if self.unclosed.get(row.service())?.is_none_or(|by| by.value() != key.id.as_str()) {
            self.unclosed.insert(row.service(), key.id.as_str())?;
        }
        // Two at most: a store that is to keep far fewer than before gets there without a write that takes long.
        for _ in 0..2 {
            if self.closed.len()? <= self.keep_closed {
                break;
            }
            if let Some((_, oldest)) = self.closed.pop_first()? {
                self.releases.remove(oldest.value())?;
            }
        }
        Ok(Revision::new(revision))
    }

    /// Takes a record out of the table of the unclosed or of the closed ones, wherever it stands.
    fn unlist(&mut self, service: (&str, &str, &str), revision: Revision) -> Result<(), redb::Error> {
        if self.closed.remove(revision.get())?.is_none() {
            self.unclosed.remove(service)?;
        }
        Ok(())
    }
}

/// The tables as one commit left them, open to be read.
pub(super) struct Snapshot {
    releases: ReadOnlyTable<Name, (u64, &'static [u8])>,
    unclosed: ReadOnlyTable<Name, &'static str>,
}

impl Snapshot {
    /// What was committed last.
    pub(super) fn of(database: &Database) -> Result<Self, ReadError> {
        let txn = database.begin_read()?;
        Ok(Self { releases: txn.open_table(RELEASES)?, unclosed: txn.open_table(UNCLOSED)? })
    }
}

/// The record of that key.
pub(super) fn load(snapshot: &Snapshot, key: &ReleaseKey) -> Result<Option<Arc<Stored>>, ReadError> {
    let Some(row) = snapshot.releases.get(name(key))? else { return Ok(None) };
    decoded(name(key), row.value()).map(|stored| Some(Arc::new(stored))).map_err(ReadError::Record)
}

/// All records of a mesh. One that can't be read is left out, loudly: the others are not less true.
pub(super) fn list(snapshot: &Snapshot, mesh: &MeshId) -> Result<Vec<Arc<Stored>>, ReadError> {
    let mut found = Vec::new();
    for row in snapshot.releases.range((mesh.as_str(), "", "")..)? {
        let (key, row) = row?;
        if key.value().0 != mesh.as_str() {
            break;
        }
        match decoded(key.value(), row.value()) {
            Ok(stored) => found.push(Arc::new(stored)),
            Err(error) => tracing::error!(%error, "a release is not listed"),
        }
    }
    Ok(found)
}

/// The keys of all unclosed releases.
pub(super) fn unclosed(snapshot: &Snapshot) -> Result<Vec<ReleaseKey>, ReadError> {
    let mut found = Vec::new();
    for row in snapshot.unclosed.iter()? {
        let (service, id) = row?;
        let (mesh, namespace, _) = service.value();
        let key = ReleaseKey::parse(mesh, namespace, id.value());
        found.push(key.map_err(|error| ReadError::Record(damaged(service.value(), &error)))?);
    }
    Ok(found)
}

/// Why something was not read.
pub(super) enum ReadError {
    /// The file could not be read.
    File(StoreError),
    /// What stands there is not a record.
    Record(StoreError),
}

impl<E: Into<redb::Error>> From<E> for ReadError {
    fn from(error: E) -> Self {
        Self::File(StoreError::Failed(error.into().to_string()))
    }
}

impl From<ReadError> for StoreError {
    fn from(error: ReadError) -> Self {
        let (ReadError::File(error) | ReadError::Record(error)) = error;
        error
    }
}

fn name(key: &ReleaseKey) -> (&str, &str, &str) {
    (key.mesh.as_str(), key.namespace.as_str(), key.id.as_str())
}

fn decoded(name: (&str, &str, &str), (revision, json): (u64, &[u8])) -> Result<Stored, StoreError> {
    let record = serde_json::from_slice(json).map_err(|reason| damaged(name, &reason))?;
    Ok(Stored { record, revision: Revision::new(revision) })
}

fn damaged((mesh, namespace, name): (&str, &str, &str), reason: &impl fmt::Display) -> StoreError {
    StoreError::Damaged { key: format!("{mesh}/{namespace}/{name}"), reason: reason.to_string() }
}
