//! The engine behind the API.

use super::exchange;
use release_core::{Action, Command, MeshId, Mode, Note, Plan, ReleaseId, ReleaseKey, Routing};
use release_engine::{Engine, EngineError, Mesh, Record, Store, Stored};
use release_http::{Api, Details, Failure, ImageVersion, NewRelease, Release};
use std::sync::Arc;
use uuid::Uuid;

/// The engine behind the API. What the caller must not, or need not, know of a failure is logged here.
pub(super) struct EngineApi<S, M> {
    pub(super) engine: Engine<S, M>,
    pub(super) takeover: Mode,
}

impl<S: Store, M: Mesh> Api for EngineApi<S, M> {
    async fn delete(&self, key: ReleaseKey, action: Action) -> Result<(), Failure> {
        let key = exchange::is_about(key);
        self.engine.delete(&key, action, self.takeover).await.map_err(failure)?;
        Ok(())
    }

    async fn create(&self, release: NewRelease) -> Result<Release, Failure> {
        // Ordered by time, so that a list shows the oldest first.
        let id = ReleaseId::try_from(Uuid::now_v7().to_string()).map_err(release_core::Error::from)?;
        let spec = release.spec(id);
        exchange::is_about(spec.key.clone());
        let metadata = metadata(&release.details)?;
        shown(self.engine.create(spec, metadata).await.map_err(failure)?)
    }

    async fn list(&self, mesh: MeshId) -> Result<Vec<Release>, Failure> {
        self.engine.list(&mesh).await.map_err(failure)?.into_iter().map(shown).collect()
    }

    async fn get(&self, key: ReleaseKey) -> Result<Release, Failure> {
        let key = exchange::is_about(key);
        shown(self.engine.get(&key).await.map_err(failure)?)
    }

    async fn update(&self, key: ReleaseKey, image: ImageVersion) -> Result<Release, Failure> {
        let key = exchange::is_about(key);
        // Refused before anything is written, should the metadata be somebody else's.
        let mut details = shown(self.engine.get(&key).await.map_err(failure)?)?.details;
        details.image_version = Some(image);
        let metadata = metadata(&details)?;
        let stored = self.engine.update(&key, |old| old.clone_from(&metadata)).await;
        shown(stored.map_err(failure)?)
    }

    async fn set_policy(&self, key: ReleaseKey, routing: Routing) -> Result<Release, Failure> {
        let key = exchange::is_about(key);
        shown(self.engine.command(&key, Command::SetRouting(routing)).await.map_err(failure)?)
    }

    async fn reopen(&self, key: ReleaseKey) -> Result<Release, Failure> {
        let key = exchange::is_about(key);
        shown(self.engine.command(&key, Command::Reopen).await.map_err(failure)?)
    }

    async fn preview(&self, key: ReleaseKey, action: Action) -> Result<Plan, Failure> {
        let key = exchange::is_about(key);
        self.engine.plan(&key, action, self.takeover).await.map_err(failure)
    }
}

/// A task as the API shows it.
fn shown(stored: Arc<Stored>) -> Result<Release, Failure> {
    // Who has just read it is most often the only one who has it.
    let Record { task, metadata, .. } = Arc::unwrap_or_clone(stored).record;
    match serde_json::from_value::<Details>(metadata) {
        Ok(details) => Ok(Release { task, details }),
        Err(error) => {
            exchange::within(|| {
                tracing::error!(release = %task.key(), %error, "the metadata of a release is not this server's");
            });
            Err(Failure::Internal)
        }
    }
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
