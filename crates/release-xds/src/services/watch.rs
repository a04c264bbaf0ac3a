//! The services file of a running server: read again when it has changed.

use super::{Description, ServicesError, read};
use std::io;
use std::path::{Path, PathBuf};

/// A services file, and what was read of it last.
///
/// The content is compared, not the time of its last change: a mounted file may be swapped for another by a link. A file may
/// be read while it is written, so a change counts only when two looks in a row see the same, and services never go away all
/// at once: write the file beside it and rename it.
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
/// assert!(watch.changed()?.is_none(), "it may not be complete");
/// let refused = watch.changed().unwrap_err();
/// assert!(refused.to_string().ends_with("services.toml: line 1: missing field `mesh`"), "{refused}");
/// // It is said once.
/// assert!(watch.changed()?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    /// What was taken in last.
    taken: String,
    /// What the last look saw; an error of the system by its text.
    last: Result<String, String>,
    /// Whether it was said what is wrong with that.
    said: bool,
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
    /// There were services before, and now there are none.
    #[error("{}: no service is described any more: that is taken in at a start only", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

impl Watch {
    /// Reads the file.
    pub fn open(path: impl AsRef<Path>) -> Result<(Self, Vec<Description>), WatchError> {
        let path = path.as_ref().to_owned();
        let text = std::fs::read_to_string(&path).map_err(|error| WatchError::Io { path: path.clone(), error })?;
        let services = read(&text).map_err(|error| WatchError::Refused { path: path.clone(), error })?;
        Ok((Self { path, taken: text.clone(), last: Ok(text), said: false }, services))
    }

    /// Reads the file again: what it describes now, if that is not what was [taken in](Self::taken) last and it was the same
    /// at the last look. What is wrong is said once.
    pub fn changed(&mut self) -> Result<Option<Vec<Description>>, WatchError> {
        let read_now = std::fs::read_to_string(&self.path);
        let seen = read_now.as_ref().map(Clone::clone).map_err(io::Error::to_string);
        if seen != self.last {
            (self.last, self.said) = (seen, false);
            return Ok(None);
        }
        if self.last.as_ref() == Ok(&self.taken) {
            return Ok(None);
        }
        let path = || self.path.clone();
        let described = match read_now {
            Err(error) => Err(WatchError::Io { path: path(), error }),
            Ok(text) => match read(&text) {
                Err(error) => Err(WatchError::Refused { path: path(), error }),
                Ok(services) if services.is_empty() && !self.taken.is_empty() => {
                    Err(WatchError::Empty { path: path() })
                }
                Ok(services) => Ok(services),
            },
        };
        match described {
            Ok(services) => Ok(Some(services)),
            Err(_) if self.said => Ok(None),
            Err(error) => {
                self.said = true;
                Err(error)
            }
        }
    }

    /// What [`changed`](Self::changed) returned last was taken in: until then it returns that at each look, because what
    /// goes against it may be over.
    pub fn taken(&mut self) {
        if let Ok(text) = &self.last {
            self.taken.clone_from(text);
        }
    }
}
