//! The services file of a running server: read again when it has changed.

use super::{Description, ServicesError, read};
use std::io;
use std::path::{Path, PathBuf};

/// A services file, and what was read of it last.
///
/// The content is compared, not the time of its last change: a mounted file may be swapped for another by a link.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("services.toml");
/// use release_xds::services::Watch;
///
/// std::fs::write(&path, "")?;
/// let (mut watch, services) = Watch::open(&path)?;
/// assert!(services.is_empty());
/// assert!(watch.changed()?.is_none());
///
/// std::fs::write(&path, "[[service]]")?;
/// let refused = watch.changed().unwrap_err();
/// assert!(refused.to_string().ends_with("services.toml: line 1: missing field `mesh`"), "{refused}");
/// // It is said once.
/// assert!(watch.changed()?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    /// What was read last, whether or not it was refused; an error of the system by its text.
    last: Result<String, String>,
}

/// Why a services file was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// It can't be read.
    #[error("the services file {} can't be read: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// It is not one.
    #[error("{}: {error}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: ServicesError,
    },
}

impl Watch {
    /// Reads the file.
    pub fn open(path: impl AsRef<Path>) -> Result<(Self, Vec<Description>), WatchError> {
        let path = path.as_ref().to_owned();
        let text = std::fs::read_to_string(&path).map_err(|error| WatchError::Io { path: path.clone(), error })?;
        let services = read(&text).map_err(|error| WatchError::Refused { path: path.clone(), error })?;
        Ok((Self { path, last: Ok(text) }, services))
    }

    /// Reads the file again: what it describes now, if it has changed. What is wrong is said once.
    pub fn changed(&mut self) -> Result<Option<Vec<Description>>, WatchError> {
        let read_now = std::fs::read_to_string(&self.path);
        let seen = read_now.as_ref().map(Clone::clone).map_err(io::Error::to_string);
        if seen == self.last {
            return Ok(None);
        }
        self.last = seen;
        let text = read_now.map_err(|error| WatchError::Io { path: self.path.clone(), error })?;
        let services = read(&text).map_err(|error| WatchError::Refused { path: self.path.clone(), error })?;
        Ok(Some(services))
    }
}
