//! What whoever embeds the adapter implements.

use crate::{ImageVersion, NewRelease, Release};
use release_core::{Action, Error, MeshId, Note, Phase, Plan, ReleaseKey, Routing};
use std::future::Future;

/// The operations behind the API, one method each.
///
/// They get values that have been parsed and a caller that may touch the mesh; they answer with a value or a [`Failure`].
/// How a release is created, stored and driven to its end is theirs; so is its id.
///
/// **A future of theirs is dropped when its caller hangs up**, at any await. What was decided must then go on: store the
/// decision first, carry it out in a task of your own, and let the future only wait for that.
///
/// Implement it with `async fn`; the futures must be `Send`. The `Memory` of the feature
/// `testkit` is an example.
pub trait Api: Send + Sync {
    /// Cancels or ends a task. `Ok` says that it is closed: the survivor has all traffic and the loser is gone.
    fn delete(&self, key: ReleaseKey, action: Action) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Creates a task and gives it an id that no other task has, or had.
    fn create(&self, release: NewRelease) -> impl Future<Output = Result<Release, Failure>> + Send;

    /// All tasks of a mesh.
    fn list(&self, mesh: MeshId) -> impl Future<Output = Result<Vec<Release>, Failure>> + Send;

    /// One task.
    fn get(&self, key: ReleaseKey) -> impl Future<Output = Result<Release, Failure>> + Send;

    /// Sets the image version of the grayscale version.
    fn update(&self, key: ReleaseKey, image: ImageVersion) -> impl Future<Output = Result<Release, Failure>> + Send;

    /// Sets who serves which request.
    fn set_policy(&self, key: ReleaseKey, routing: Routing) -> impl Future<Output = Result<Release, Failure>> + Send;

    /// Stops a takeover and goes back to the policy that was wanted last.
    fn reopen(&self, key: ReleaseKey) -> impl Future<Output = Result<Release, Failure>> + Send;

    /// What a delete would do, without doing it.
    fn preview(&self, key: ReleaseKey, action: Action) -> impl Future<Output = Result<Plan, Failure>> + Send;
}

/// Why an operation was not, or not yet, carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The core refused it: 400, 404, or 409 for a create.
    #[error("{error}")]
    Refused {
        /// Why.
        error: Error,
        /// When the task was closed, where that is why and you know it: as RFC 3339 writes a time.
        closed_at: Option<Note>,
    },

    /// A delete was recorded and goes on, but did not finish within the time that a request may wait: 500, and the caller
    /// may repeat the request to wait again.
    #[error("the decision to {action} the release is recorded and goes on; the task is {phase}")]
    NotFinished {
        /// What was asked for.
        action: Action,
        /// How far it is.
        phase: Phase,
        /// Why the last attempt at the step that is due failed, if it did.
        reason: Option<Note>,
    },

    /// A delete was recorded, and before the task was closed, somebody reopened it: 400. It will not be closed unless
    /// somebody asks again.
    #[error("the decision to {action} the release was recorded, but then the release was reopened")]
    Reopened {
        /// What was asked for.
        action: Action,
    },

    /// The server is going down, and nothing was changed: 500, and the caller may repeat the request.
    #[error("the server is going down")]
    ShuttingDown,

    /// Another request holds the task: 429 in the older codes, 500 in the newer ones, which have no 429.
    #[error("another request is changing the task")]
    Locked,

    /// A store or a mesh failed: 500. Why is for the embedder's log, which is where it belongs before this is returned;
    /// the caller can do nothing about it.
    #[error("the store or the mesh failed")]
    Internal,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused { error, closed_at: None }
    }
}
