//! Where a task is.

use crate::Action;
use core::fmt;

/// Where a task is. The table in the crate's documentation says what happens in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "camelCase"))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Phase {
    /// The grayscale version is not known to be ready yet.
    Deploying,
    /// Both versions serve, as the routing says.
    Running,
    /// A takeover is under way.
    Closing(Action, Stage),
    /// The survivor has all traffic and the loser is gone.
    Closed(Action),
}

/// The four stages of a takeover, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "camelCase"))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Stage {
    /// Making sure that the survivor can take all traffic.
    Preparing,
    /// Giving the survivor all traffic, until every proxy confirmed it.
    Routing,
    /// Waiting until no request bound to the loser can still arrive.
    Draining,
    /// Deleting the loser. There is no way back.
    Retiring,
}

impl Phase {
    /// Whether a takeover is under way.
    pub fn is_closing(self) -> bool {
        matches!(self, Self::Closing(..))
    }

    /// Whether the task is finished.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Closed(_))
    }

    /// The action that is being, or was, carried out.
    pub fn action(self) -> Option<Action> {
        match self {
            Self::Deploying | Self::Running => None,
            Self::Closing(action, _) | Self::Closed(action) => Some(action),
        }
    }

    /// The stage of the takeover that is under way.
    pub fn stage(self) -> Option<Stage> {
        match self {
            Self::Closing(_, stage) => Some(stage),
            Self::Deploying | Self::Running | Self::Closed(_) => None,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deploying => f.write_str("deploying"),
            Self::Running => f.write_str("running"),
            Self::Closing(action, stage) => write!(f, "closing ({action}, {stage})"),
            Self::Closed(action) => write!(f, "closed ({action})"),
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Preparing => "preparing",
            Self::Routing => "routing",
            Self::Draining => "draining",
            Self::Retiring => "retiring",
        })
    }
}
