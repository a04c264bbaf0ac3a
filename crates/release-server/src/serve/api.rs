//! The engine behind the API.

use super::exchange;
use release_core::{Action, Command, MeshId, Mode, Note, Plan, ReleaseId, ReleaseKey, Routing};
use release_engine::{Engine, EngineError, Mesh, Record, Store, Stored};
use release_http::{Api, Details, Failure, ImageVersion, NewRelease, Release};
use serde::Deserialize as _;
use std::sync::Arc;
use uuid::Uuid;

/// The engine behind the API. What the caller must not, or need not, know of a failure is logged here.
pub(super) struct EngineApi<S, M> {
    pub(super) engine: Engine<S, M>,
    pub(super) takeover: Mode,
}

impl<S: Store, M: Mesh> Api for EngineApi<S, M> {
    async fn delete(&self, key: ReleaseKey, action: Action) -> Result<(), Failure> {
        self.engine.delete(&key, action, self.takeover).await.map_err(failure)?;
        Ok(())
    }

    async fn create(&self, release: NewRelease) -> Result<Release, Failure> {
        // Ordered by time, so that a list shows the oldest first.
        let id = ReleaseId::try_from(Uuid::now_v7().to_string()).map_err(release_core::Error::from)?;
        let spec = release.spec(id);
        exchange::note_created(&spec.key);
        let metadata = metadata(&release.details)?;
        shown(self.engine.create(spec, metadata).await.map_err(failure)?)
    }

    async fn list(&self, mesh: MeshId) -> Result<Vec<Release>, Failure> {
        let found = self.engine.list(&mesh).await.map_err(failure)?;
        // One that is somebody else's hides no other one.
        Ok(found.into_iter().filter_map(|stored| shown(stored).ok()).collect())
    }

    async fn get(&self, key: ReleaseKey) -> Result<Release, Failure> {
        shown(self.engine.get(&key).await.map_err(failure)?)
    }

    async fn update(&self, key: ReleaseKey, image: ImageVersion) -> Result<Release, Failure> {
        let mut written = Ok(());
        let stored = self.engine.update(&key, |old| {
            // What is somebody else's stays as it is, and is not shown.
            if let Ok(details) = Details::deserialize(&*old) {
                written = metadata(&Details { image_version: Some(image.clone()), ..details }).map(|new| *old = new);
            }
        });
        let stored = stored.await.map_err(failure)?;
        written?;
        shown(stored)
    }

    async fn set_policy(&self, key: ReleaseKey, routing: Routing) -> Result<Release, Failure> {
        self.command(key, Command::SetRouting(routing)).await
    }

    async fn reopen(&self, key: ReleaseKey) -> Result<Release, Failure> {
        self.command(key, Command::Reopen).await
    }

    async fn preview(&self, key: ReleaseKey, action: Action) -> Result<Plan, Failure> {
        self.engine.plan(&key, action, self.takeover).await.map_err(failure)
    }
}

impl<S: Store, M: Mesh> EngineApi<S, M> {
    async fn command(&self, key: ReleaseKey, command: Command) -> Result<Release, Failure> {
        // Before: who is told that it failed may rely on that.
        details(&self.engine.get(&key).await.map_err(failure)?.record)?;
        shown(self.engine.command(&key, command).await.map_err(failure)?)
    }
}

/// A task as the API shows it.
fn shown(stored: Arc<Stored>) -> Result<Release, Failure> {
    let details = details(&stored.record)?;
    // Who has just read it is most often the only one who has it.
    let task = Arc::try_unwrap(stored).map_or_else(|shared| shared.record.task.clone(), |own| own.record.task);
    Ok(Release { task, details })
}

/// What this server has stored with a task, if it was this one.
fn details(record: &Record) -> Result<Details, Failure> {
    Details::deserialize(&record.metadata).map_err(|error| {
        exchange::within(|| {
            tracing::error!(release = %record.task.key(), %error, "the metadata of a release is not this server's");
        });
        Failure::Internal
    })
}

fn metadata(details: &Details) -> Result<serde_json::Value, Failure> {
    serde_json::to_value(details).map_err(|error| {
        exchange::within(|| tracing::error!(%error, "metadata could not be written"));
        Failure::Internal
    })
}

fn failure(error: EngineError) -> Failure {
    match error {
        EngineError::Refused { error, closed } => {
            Failure::Refused { error, closed_at: closed.map(|at| Note::new(&at.to_string())) }
        }
        EngineError::NotFinished { action, phase, failure } => {
            Failure::NotFinished { action, phase, reason: failure.map(|failure| failure.reason) }
        }
        EngineError::Reopened { action } => Failure::Reopened { action },
        EngineError::ShutDown => Failure::ShuttingDown,
        EngineError::Store(error) => {
            exchange::within(|| tracing::error!(%error, "the store did not do its part"));
            Failure::Internal
        }
    }
}
