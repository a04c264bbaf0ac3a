//! The memory of the control plane, in a file.

use crate::control::Memory;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A file with a [`Memory`], for one process at a time.
///
/// Each line is a whole memory, and the last complete one counts. To append one takes a single sync, and nothing but the
/// file's own blocks; to replace the file takes two, and a new file. So it is replaced only now and then, when it has grown.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    /// What lines are appended to, and how long it is; `None` if its end is not known.
    open: Option<(File, u64)>,
    /// Held for as long as this lives.
    lock: File,
}

/// What is in a line: the memory, under the number of its form.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<M> {
    v1: M,
}

/// How long it may become, in bytes.
const LONGEST: u64 = 1 << 20;

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
            Ok(bytes) => Some(newest(&bytes).map_err(|error| format!("{shown} is damaged: {error}"))?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        Ok((Self { path: path.to_owned(), open: None, lock }, memory))
    }

    /// Writes the memory. When it returns it outlives a crash of the machine.
    pub(crate) fn save(&mut self, memory: &Memory) -> Result<(), String> {
        self.write(memory).map_err(|error| format!("{}: {error}", self.path.display()))
    }

    fn write(&mut self, memory: &Memory) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Document { v1: memory })?;
        line.push(b'\n');
        let added = u64::try_from(line.len()).unwrap_or(u64::MAX);
        // After a failure nobody knows what is at its end: then it is replaced.
        let (file, length) = match self.open.take().filter(|(_, length)| length.saturating_add(added) <= LONGEST) {
            Some((mut file, length)) => {
                file.write_all(&line)?;
                file.sync_data()?;
                (file, length)
            }
            None => (self.replace(&line)?, 0),
        };
        self.open = Some((file, length.saturating_add(added)));
        Ok(())
    }

    fn replace(&self, line: &[u8]) -> io::Result<File> {
        let next = self.path.with_extension("next");
        let mut file = File::create(&next)?;
        file.write_all(line)?;
        file.sync_all()?;
        fs::rename(&next, &self.path)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(file)
    }
}

impl Drop for StateFile {
    /// A hook that this process has just begun to start may have the file, too, and with it the lock.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

/// The memory of the last line. One that has no end was being written during a crash: nobody relied on it.
fn newest(bytes: &[u8]) -> Result<Memory, serde_json::Error> {
    // As a person may have laid it out.
    if let Ok(Document { v1 }) = serde_json::from_slice(bytes) {
        return Ok(v1);
    }
    let end = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let complete = bytes.get(..end).unwrap_or(bytes);
    let last = complete.split(|byte| *byte == b'\n').rfind(|line| !line.trim_ascii().is_empty());
    let Document { v1 } = serde_json::from_slice(last.unwrap_or_default())?;
    Ok(v1)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Memory, StateFile};
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    fn memory(node: &str) -> Memory {
        Memory { nodes: [(node.to_owned(), BTreeSet::from(["mesh-1".to_owned()]))].into(), ..Memory::default() }
    }

    /// What is read by somebody who opens it anew.
    fn read(path: &Path) -> Result<Memory, String> {
        StateFile::open(path).map(|(_, memory)| memory.unwrap())
    }

    #[test]
    fn the_newest_that_was_saved_is_read_wherever_a_crash_cuts_off_what_comes_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mesh.json");
        let (mut file, none) = StateFile::open(&path).unwrap();
        assert_eq!(none, None);
        file.save(&memory("first")).unwrap();
        file.save(&memory("second")).unwrap();
        let saved = fs::read(&path).unwrap().len();
        file.save(&memory("third")).unwrap();
        drop(file);
        let whole = fs::read(&path).unwrap();
        for end in saved..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            assert_eq!(read(&path), Ok(memory("second")), "cut off at {end}");
        }
        fs::write(&path, &whole).unwrap();
        assert_eq!(read(&path), Ok(memory("third")));
    }

    #[test]
    fn what_is_damaged_is_not_taken_for_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mesh.json");
        let (mut file, _) = StateFile::open(&path).unwrap();
        file.save(&memory("first")).unwrap();
        file.save(&memory("second")).unwrap();
        drop(file);
        let whole = fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        damaged[whole.len() - 2] = b' ';
        for bytes in [damaged.as_slice(), b"", b"{}\n", &whole[..10]] {
            fs::write(&path, bytes).unwrap();
            assert!(read(&path).unwrap_err().contains("is damaged: "));
        }
    }

    #[test]
    fn a_person_may_lay_it_out_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mesh.json");
        let (mut file, _) = StateFile::open(&path).unwrap();
        file.save(&memory("first")).unwrap();
        drop(file);
        let value: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        fs::write(&path, serde_json::to_vec_pretty(&value).unwrap()).unwrap();
        assert_eq!(read(&path), Ok(memory("first")));
    }

    #[test]
    fn it_does_not_grow_for_ever_and_is_replaced_after_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mesh.json");
        let (mut file, _) = StateFile::open(&path).unwrap();
        let long = memory(&"x".repeat(usize::try_from(LONGEST / 3).unwrap()));
        for _ in 0..10 {
            file.save(&long).unwrap();
            assert!(fs::metadata(&path).unwrap().len() <= LONGEST);
        }
        // Nothing can be made of that name.
        let next = path.with_extension("next");
        fs::create_dir(&next).unwrap();
        file.open = None;
        assert!(file.save(&memory("late")).unwrap_err().contains("mesh.json: "));
        fs::remove_dir(&next).unwrap();
        file.save(&memory("late")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        drop(file);
        assert_eq!(read(&path), Ok(memory("late")));
    }
}
