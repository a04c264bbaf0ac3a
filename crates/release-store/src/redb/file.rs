//! The file: made once, opened with distrust.

use super::tables::{FORMAT, META, REVISION, Tables};
use super::trial::Trial;
use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageBackend, TableError};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// The version of the format that this library writes. Older ones: there are none yet; a change that old data does not
/// fit raises the number and migrates them here.
const VERSION: u64 = 1;

/// The memory that a store may use to keep parts of the file at hand.
pub(super) const CACHE_BYTES: usize = 64 << 20;

/// Why a store's file was not opened. It was left as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open, or another store of this process.
    #[error("{} is in use by another process: a store's file is for one process at a time", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of this library wrote it, or one that is so old that this one can't migrate what it wrote.
    #[error(
        "{} has format {found}, and this version reads format {VERSION}: run {} version of the program; the file was left as it is",
        path.display(),
        if *found > VERSION { "a newer" } else { "an older" }
    )]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// An older version of the database library wrote it, and the one in use can't read it.
    #[error(
        "{} is a file of an older redb (format {found} of its own): run the version of the program that wrote it; the file was left as it is",
        path.display()
    )]
    OldDatabase {
        /// The file.
        path: PathBuf,
        /// The format of the database itself.
        found: u8,
    },
    /// It is not a store, or was damaged since it was written.
    #[error(
        "{} is not a store, or is damaged ({reason}): restore it from a backup, or move it away to begin with an empty one",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The system refused.
    #[error("{} can't be opened: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
}

/// Opens the file at `path`, and makes it first if there is none.
pub(super) fn open_or_create(path: &Path) -> Result<Database, OpenError> {
    let io = |error| OpenError::Io { path: path.into(), error };
    if !path.try_exists().map_err(io)? {
        publish_empty(path)?;
        // A volume that is not mounted looks like a clean start.
        tracing::info!(path = %path.display(), "there was no store here: an empty one was made");
    }
    open(path)
}

/// Opens the file at `path`.
pub(super) fn open(path: &Path) -> Result<Database, OpenError> {
    open_backend(path, CACHE_BYTES, || {
        // For writing as well, because only then can it be locked.
        let file = File::options().read(true).write(true).open(path).map_err(redb::StorageError::Io)?;
        FileBackend::new(file)
    })
}

/// Opens a file, or what a test gives in the place of one. `path` is what messages name.
pub(super) fn open_backend<B: StorageBackend>(
    path: &Path,
    cache_bytes: usize,
    backend: impl Fn() -> Result<B, DatabaseError>,
) -> Result<Database, OpenError> {
    let database = try_out(path, backend().map_err(|error| explain(path, error))?)?;
    check_format(&database, path)?;
    drop(database);
    let database = backend().and_then(|backend| builder().set_cache_size(cache_bytes).create_with_backend(backend));
    database.map_err(|error| explain(path, error))
}

/// Opens the file on a copy of the changes that this makes: it reads the whole file and writes nothing to it.
fn try_out(path: &Path, file: impl StorageBackend) -> Result<Database, OpenError> {
    let trial = Trial::new(file).map_err(|error| OpenError::Io { path: path.into(), error })?;
    // An empty file would be taken for a new one, and the records that were once in it for nothing.
    if trial.is_empty() {
        return Err(OpenError::Damaged { path: path.into(), reason: "it is empty".into() });
    }
    // Bounded tombstones keep it small: better refused now than wrong later.
    let database = builder().set_check_integrity_on_open(true).create_with_backend(trial);
    database.map_err(|error| explain(path, error))
}

/// Settings of every database.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Makes an empty store, and closes it.
pub(super) fn make(path: &Path, backend: impl StorageBackend) -> Result<(), OpenError> {
    let database = builder().create_with_backend(backend).map_err(|error| explain(path, error))?;
    initialise(&database).map_err(|error| explain(path, error))?;
    database.close().map_err(|error| explain(path, error))
}

/// Writes what an empty store holds.
fn initialise(database: &Database) -> Result<(), redb::Error> {
    let txn = database.begin_write()?;
    drop(Tables::open(&txn, 0)?);
    {
        let mut meta = txn.open_table(META)?;
        meta.insert(FORMAT, VERSION)?;
        meta.insert(REVISION, 0)?;
    }
    Ok(txn.commit()?)
}

/// Makes an empty store beside `path` and gives it that name only when it is complete: a crash leaves all or nothing.
fn publish_empty(path: &Path) -> Result<(), OpenError> {
    let io = |error| OpenError::Io { path: path.into(), error };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = NamedTempFile::with_prefix_in(".new-store-", directory).map_err(io)?;
    let file = FileBackend::new(beside.reopen().map_err(io)?).map_err(|error| explain(path, error))?;
    make(path, file)?;
    match beside.persist_noclobber(path) {
        Ok(_) => {}
        // Somebody else was faster.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(io(error.error)),
    }
    // The name must be as durable as what will be written under it.
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(io)
}

fn check_format(database: &Database, path: &Path) -> Result<(), OpenError> {
    match format_of(database).map_err(|error| explain(path, error))? {
        Some(VERSION) => Ok(()),
        Some(found) => Err(OpenError::OtherFormat { path: path.into(), found }),
        None => Err(OpenError::Damaged { path: path.into(), reason: "it does not say which format it has".into() }),
    }
}

fn format_of(database: &Database) -> Result<Option<u64>, redb::Error> {
    let meta = match database.begin_read()?.open_table(META) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        meta => meta?,
    };
    Ok(meta.get(FORMAT)?.map(|version| version.value()))
}

/// Says what an error of the database means for whoever runs it. That the file is damaged is said only where that is known:
/// it is an advice to move it away.
fn explain(path: &Path, error: impl Into<redb::Error>) -> OpenError {
    let path = path.into();
    match error.into() {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => OpenError::InUse { path },
        redb::Error::UpgradeRequired(found) => OpenError::OldDatabase { path, found },
        redb::Error::Io(error) if is_content(error.kind()) => OpenError::Damaged { path, reason: error.to_string() },
        redb::Error::Io(error) => OpenError::Io { path, error },
        error @ (redb::Error::Corrupted(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TableIsNotMultimap(_)
        | redb::Error::TableDoesNotExist(_)) => OpenError::Damaged { path, reason: error.to_string() },
        error => OpenError::Io { path, error: io::Error::other(error.to_string()) },
    }
}

/// Whether an I/O error speaks of what stands in the file.
fn is_content(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof)
}

/// The thread that writes could not be started.
pub(super) fn no_thread(path: &Path, error: &io::Error) -> OpenError {
    let error = io::Error::new(error.kind(), format!("the thread that writes to it can't be started: {error}"));
    OpenError::Io { path: path.into(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who is told that it is damaged may move it away.
    #[test]
    fn only_what_stands_in_the_file_is_called_damaged() {
        let said = |error: redb::Error| explain(Path::new("releases"), error);
        for error in [redb::Error::PreviousIo, redb::Error::DatabaseClosed, redb::Error::Unsupported] {
            let expected = format!("releases can't be opened: {error}");
            assert_eq!(said(error).to_string(), expected);
        }
        assert!(matches!(said(io::Error::from(io::ErrorKind::StorageFull).into()), OpenError::Io { .. }));
        for error in [
            redb::Error::Corrupted("a page".into()),
            redb::Error::TableIsMultimap("releases".into()),
            io::Error::from(io::ErrorKind::UnexpectedEof).into(),
        ] {
            assert!(matches!(said(error), OpenError::Damaged { .. }));
        }
    }

    #[test]
    fn a_thread_that_can_t_be_started_is_named() {
        let error = no_thread(Path::new("releases"), &io::Error::from(io::ErrorKind::WouldBlock));
        let expected = "releases can't be opened: the thread that writes to it can't be started: operation would block";
        assert_eq!(error.to_string(), expected);
    }
}
