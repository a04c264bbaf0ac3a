//! The memory of the control plane, in a file.

use crate::control::Memory;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A file with a [`Memory`], for one process at a time. It is replaced as a whole: what is in it is always complete.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    /// Held for as long as this lives.
    _lock: File,
}

/// What is in the file: the memory, under the number of its form.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<M> {
    v1: M,
}

impl StateFile {
    /// Opens the file and reads it; `None` if there is none.
    pub(crate) fn open(path: &Path) -> Result<(Self, Option<Memory>), String> {
        let shown = path.display();
        let failed = |error: io::Error| format!("{shown}: {error}");
        let lock = File::create(path.with_extension("lock")).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => format!("{shown}: another process has it open"),
            TryLockError::Error(error) => failed(error),
        })?;
        let memory = match fs::read(path) {
            Ok(bytes) => {
                let read: Result<Document<Memory>, _> = serde_json::from_slice(&bytes);
                Some(read.map_err(|error| format!("{shown} is damaged: {error}"))?.v1)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        Ok((Self { path: path.to_owned(), _lock: lock }, memory))
    }

    /// Writes the memory. When it returns it outlives a crash of the machine.
    pub(crate) fn save(&self, memory: &Memory) -> io::Result<()> {
        let next = self.path.with_extension("next");
        let mut file = File::create(&next)?;
        file.write_all(&serde_json::to_vec(&Document { v1: memory })?)?;
        file.sync_all()?;
        fs::rename(&next, &self.path)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}
