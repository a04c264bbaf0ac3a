//! What a server is asked, and what to do when there is no good answer to that.

use http::Method;
use release_http::Operation;

/// What a server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// An operation on releases.
    Releases(Operation),
    /// Which nodes there are.
    Nodes,
    /// To forget a node.
    Forget,
}

impl Question {
    pub(super) fn method(self) -> Method {
        match self {
            Self::Releases(operation) => operation.method(),
            Self::Nodes => Method::GET,
            Self::Forget => Method::DELETE,
        }
    }

    /// What to do when it was sent and not answered.
    pub(super) fn unanswered(self) -> &'static str {
        match self {
            Self::Releases(Operation::Delete) => {
                "repeat the command: if the first one was recorded, that only waits for it"
            }
            Self::Releases(Operation::Create | Operation::Update | Operation::SetPolicy | Operation::Reopen) => {
                "it may have been done all the same: `release-server list` and `show` tell"
            }
            Self::Releases(Operation::Get | Operation::List | Operation::Preview) | Self::Nodes => {
                "repeat the command; is --server (RELEASE_SERVER) the address of a release server?"
            }
            Self::Forget => "it may have been done all the same: `release-server nodes list` tells",
        }
    }

    /// What to do when the token is known, and not enough.
    pub(super) fn forbidden(self) -> &'static str {
        match self {
            Self::Releases(_) => "the token is known, but may not touch this mesh: check --mesh-id",
            Self::Nodes | Self::Forget => "the token is known, but nodes may be of any mesh: show one for every mesh",
        }
    }
}
