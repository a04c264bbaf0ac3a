//! What the engine needs of a mesh.

use release_core::{ReleaseSpec, ReleaseTask, Report, Step};
use std::future::{self, Future};

/// What carries out the steps of tasks. `release-testkit` has a conformance suite that every mesh should pass.
///
/// **Contract.**
///
/// - A step is idempotent: it may be asked for any number of times, and after it has succeeded it succeeds again.
/// - A future may be dropped at any moment and the same step asked for again, or another one. A wait that a step needs is
///   therefore counted from what happened in the mesh, not from when the step was asked for; else it would never end.
/// - The generation fences. Once a generation of a task was applied, [`Step::Apply`] of an older one fails and changes
///   nothing, even if it was asked for earlier.
/// - The fence outlives the adapter: after a crash, a generation that was applied before it still refuses older ones. What
///   [`restore`](Self::restore) is told is enough for that if only one process drives the mesh; an adapter that can't rely on
///   it keeps the highest generation of each release in a place of its own.
/// - A process that was slow may ask for a step of a release that another process has closed meanwhile. It must do no harm
///   to a newer release of the same service: a version that is in use there is not retired.
/// - An `Apply` succeeds only when every proxy that can route to the service runs that generation, and fails or waits when
///   none is known: nobody can't confirm anything.
/// - A failure is answered with [`Step::failed`] and a reason for the one on call: it is shown to users. Waiting in
///   silence is fine as well; the engine starts a step over after [`Settings::step_limit`](crate::Settings::step_limit).
///
/// Implement it with `async fn`; the futures must be `Send`.
///
/// ```
/// use release_core::{ReleaseSpec, Report, Step, Witnesses};
/// use release_engine::Mesh;
///
/// /// One proxy that does at once whatever it is told.
/// struct Eager;
///
/// impl Mesh for Eager {
///     async fn perform(&self, _: &ReleaseSpec, step: &Step) -> Report {
///         step.succeeded(Witnesses::one("eager"), "it never has a request in flight")
///     }
/// }
/// ```
pub trait Mesh: Send + Sync + 'static {
    /// Performs a step of the task about `spec` and says what came of it.
    fn perform(&self, spec: &ReleaseSpec, step: &Step) -> impl Future<Output = Report> + Send;

    /// Takes note of the unclosed tasks that were found in the store, before a step is performed. A mesh that forgets
    /// anything in a crash must, before it returns, serve the newest routing of each of them,
    /// [`wanted`](ReleaseTask::wanted), and refuse older generations: **nobody asks for it again.** A task that is running
    /// and confirmed has no step; one that is [draining](release_core::Stage::Draining) or
    /// [retiring](release_core::Stage::Retiring) is past its [`Step::Apply`] and asks only for what comes after it, while a
    /// proxy that reconnects needs the routing. What is wanted is durable, so it may be served also where it is not
    /// confirmed yet.
    ///
    /// The engine starts when it returns: it should not wait for a proxy.
    fn restore(&self, tasks: &[ReleaseTask]) -> impl Future<Output = ()> + Send {
        let _ = tasks;
        future::ready(())
    }
}
