//! An API in memory, over a mesh that obeys at once.

use crate::{Api, Details, Failure, ImageVersion, NewRelease, Release};
use release_core::{
    Action, Command, Error, MeshId, Mode, Note, Plan, ReleaseId, ReleaseKey, ReleaseTask, Releases, Routing, Witnesses,
};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An [`Api`] that keeps its releases in memory and forgets them with it.
///
/// Every step succeeds as soon as it is due, so a delete closes its task before it is answered; in a
/// [`stalled`](Self::stalled) one, none ever does.
#[derive(Debug, Default)]
pub struct Memory {
    state: Mutex<State>,
    mode: Mode,
    stalled: bool,
}

#[derive(Debug, Default)]
struct State {
    releases: Releases,
    details: BTreeMap<ReleaseKey, Details>,
}

impl Memory {
    /// Over a mesh that never gets a step done: a delete is recorded and not finished.
    pub fn stalled() -> Self {
        Self { stalled: true, ..Self::default() }
    }

    /// Asks for the takeover before a delete, or performs it.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out a command and then, over a mesh that obeys, all that follows from it.
    fn command(&self, key: &ReleaseKey, command: Command) -> Result<Release, Failure> {
        let mut state = self.lock();
        let _ = state.releases.command(key, command)?;
        self.settle(&mut state, key)?;
        state.release(key)
    }

    fn settle(&self, state: &mut State, key: &ReleaseKey) -> Result<(), Failure> {
        while let Some(step) = state.releases.get(key)?.next_step().filter(|_| !self.stalled) {
            let report = step.succeeded(Witnesses::one("memory"), "nothing is ever in flight");
            let _ = state.releases.report(key, report).map_err(|_| Failure::Internal)?;
        }
        Ok(())
    }
}

impl State {
    fn release(&self, key: &ReleaseKey) -> Result<Release, Failure> {
        let task: ReleaseTask = self.releases.get(key)?.clone();
        let details = self.details.get(key).cloned().ok_or_else(|| Error::UnknownRelease(Box::new(key.clone())))?;
        Ok(Release { task, details })
    }
}

impl Api for Memory {
    async fn delete(&self, key: ReleaseKey, action: Action) -> Result<(), Failure> {
        let release = self.command(&key, Command::Delete(action, self.mode))?;
        let phase = release.task.phase();
        if phase.is_closed() {
            return Ok(());
        }
        Err(Failure::NotFinished { action, phase, reason: Some(Note::new("the mesh does not answer")) })
    }

    async fn create(&self, release: NewRelease) -> Result<Release, Failure> {
        let mut state = self.lock();
        let id = format!("r{}", state.details.len() + 1);
        let key = state.releases.create(release.spec(ReleaseId::try_from(id).map_err(Error::from)?))?.key().clone();
        state.details.insert(key.clone(), release.details);
        self.settle(&mut state, &key)?;
        state.release(&key)
    }

    async fn list(&self, mesh: MeshId) -> Result<Vec<Release>, Failure> {
        let state = self.lock();
        state.releases.list(&mesh).map(|task| state.release(task.key())).collect()
    }

    async fn get(&self, key: ReleaseKey) -> Result<Release, Failure> {
        self.lock().release(&key)
    }

    async fn update(&self, key: ReleaseKey, image: ImageVersion) -> Result<Release, Failure> {
        let mut state = self.lock();
        let phase = state.releases.get(&key)?.phase();
        if let Some(action) = phase.action().filter(|_| phase.is_closed()) {
            return Err(Error::Closed { key: Box::new(key), action }.into());
        }
        if let Some(details) = state.details.get_mut(&key) {
            details.image_version = Some(image);
        }
        state.release(&key)
    }

    async fn set_policy(&self, key: ReleaseKey, routing: Routing) -> Result<Release, Failure> {
        self.command(&key, Command::SetRouting(routing))
    }

    async fn reopen(&self, key: ReleaseKey) -> Result<Release, Failure> {
        self.command(&key, Command::Reopen)
    }

    async fn preview(&self, key: ReleaseKey, action: Action) -> Result<Plan, Failure> {
        Ok(self.lock().releases.get(&key)?.plan(action, self.mode)?)
    }
}
