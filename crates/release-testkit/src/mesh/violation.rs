//! What must never happen.

use release_core::law::Broken;
use release_core::{Action, Report, StoredError, UnexpectedReport, Version};

use super::ProxyId;

/// Something that must never happen: traffic is lost, or a law is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A proxy gives requests to a version that is gone.
    #[error("{proxy} gives requests to the {version} version, which is retired")]
    LostRequest {
        /// The proxy.
        proxy: ProxyId,
        /// The version.
        version: Version,
    },
    /// A version was retired under the requests it was serving.
    #[error("requests in flight at {proxy} are bound to the {version} version, which is retired")]
    CutRequest {
        /// The proxy.
        proxy: ProxyId,
        /// The version.
        version: Version,
    },
    /// A proxy gives requests to a version that was never ready.
    #[error("{proxy} gives requests to the {version} version, which was never found ready")]
    NotReady {
        /// The proxy.
        proxy: ProxyId,
        /// The version.
        version: Version,
    },
    /// A takeover moves all traffic to a version that is not ready, and was not either when the takeover asked, if it did.
    #[error(
        "the takeover gives all requests to the {version} version, which is not ready any more, and it was not found ready \
         since the takeover began"
    )]
    NotReadyAnyMore {
        /// The version.
        version: Version,
    },
    /// Both versions are retired.
    #[error("both versions are retired: no version is left to serve requests")]
    NothingLeft,
    /// The task is closed, but the loser is not gone.
    #[error("the task is closed ({action}), but the {} version was not retired", action.loser())]
    NotRetired {
        /// How the task was closed.
        action: Action,
    },
    /// A proxy can reach a version of which the task says that no request can.
    #[error("{proxy} gives requests to the {version} version, which the task calls unreachable")]
    Unreachable {
        /// The proxy.
        proxy: ProxyId,
        /// The version.
        version: Version,
    },
    /// The task says that every proxy confirmed the routing that it wants, and one runs another.
    #[error("{proxy} does not run the routing that the task calls confirmed by every proxy")]
    FalselyConfirmed {
        /// The proxy.
        proxy: ProxyId,
    },
    /// The task called a true report impossible.
    #[error("the task refused a true report ({report:?}): {error}")]
    ReportRefused {
        /// The report.
        report: Box<Report>,
        /// What the task said.
        error: UnexpectedReport,
    },
    /// A report of an older generation changed the task.
    #[error("a report of an older generation changed the task: {0:?}")]
    LateReportCounted(Box<Report>),
    /// A law is broken.
    #[error(transparent)]
    Law(#[from] Broken),
    /// A task was stored and could not be loaded.
    #[error("the task could not be loaded again: {0}")]
    Stored(String),
    /// A task was stored and came back as another.
    #[error("the task came back from the store as another one")]
    Altered,
    /// Even if everything works from now on, the task is not closed.
    #[error("the task is not closed by a run in which everything works")]
    Stuck,
}

impl From<StoredError> for Violation {
    fn from(error: StoredError) -> Self {
        Self::Stored(error.to_string())
    }
}
