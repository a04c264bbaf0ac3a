//! How patient the engine is.

use crate::{Observer, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// How patient the engine is. All durations are measured by tokio's clock.
///
/// ```
/// use release_engine::Settings;
/// use std::time::Duration;
///
/// let settings = Settings { wait: Duration::from_secs(5), ..Settings::default() };
/// ```
#[derive(Clone)]
pub struct Settings {
    /// How long [`Engine::delete`](crate::Engine::delete) waits for the task to be closed, and before that for the store to
    /// take the decision: with less time than that needs, the answer is an error although the decision may be recorded. 30 s.
    pub wait: Duration,
    /// How long a step may go without an answer before it is started over. 30 s.
    pub step_limit: Duration,
    /// How long a call of the store may take; after that it counts as failed, and a write may still happen.
    /// 10 s.
    pub store_limit: Duration,
    /// The pause after a first failure; it doubles with every further one. 100 ms.
    pub first_pause: Duration,
    /// The longest pause after a failure. 30 s.
    pub longest_pause: Duration,
    /// The clock for when a task was created and closed. The system's.
    pub now: fn() -> Timestamp,
    /// Who is told what happens. Nobody.
    pub observer: Observer,
    /// The span of what is logged while something is written for a caller, and while the steps are taken that follow from
    /// it. It is asked for in the caller's task when a write begins, so it need not be made for calls that write nothing. The
    /// current one.
    pub span: fn() -> tracing::Span,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(30),
            step_limit: Duration::from_secs(30),
            store_limit: Duration::from_secs(10),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(30),
            now: Timestamp::now,
            observer: Arc::new(|_| ()),
            span: tracing::Span::current,
        }
    }
}
