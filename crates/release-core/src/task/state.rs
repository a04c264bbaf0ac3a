//! The states, each with the data that exists only there.

use crate::{Action, Note, Phase, Routing, Stage, Version, Witnesses};
use core::mem;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Deploying,
    Running,
    Preparing {
        action: Action,
        resume: Resume,
    },
    Routing {
        action: Action,
        resume: Resume,
    },
    Draining {
        action: Action,
        resume: Resume,
        confirmed_by: Witnesses,
    },
    /// The point of no return: from here there is nothing to resume.
    Retiring {
        action: Action,
        confirmed_by: Witnesses,
        drained: Note,
    },
    Closed {
        action: Action,
        confirmed_by: Witnesses,
        drained: Note,
    },
}

/// What `reopen` goes back to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Resume {
    /// Whether the grayscale version had been ready.
    pub(crate) deployed: bool,
    /// The routing that was wanted last.
    pub(crate) routing: Routing,
}

impl State {
    pub(crate) fn phase(&self) -> Phase {
        match self {
            Self::Deploying => Phase::Deploying,
            Self::Running => Phase::Running,
            Self::Preparing { action, .. } => Phase::Closing(*action, Stage::Preparing),
            Self::Routing { action, .. } => Phase::Closing(*action, Stage::Routing),
            Self::Draining { action, .. } => Phase::Closing(*action, Stage::Draining),
            Self::Retiring { action, .. } => Phase::Closing(*action, Stage::Retiring),
            Self::Closed { action, .. } => Phase::Closed(*action),
        }
    }

    /// What `reopen` goes back to, while there is a way back.
    pub(crate) fn resume(&self) -> Option<&Resume> {
        match self {
            Self::Preparing { resume, .. } | Self::Routing { resume, .. } | Self::Draining { resume, .. } => {
                Some(resume)
            }
            Self::Deploying | Self::Running | Self::Retiring { .. } | Self::Closed { .. } => None,
        }
    }

    /// Takes out what `reopen` goes back to, while there is a way back. The caller puts another state in this one's place.
    ///
    /// In place, and not with the whole state by value: a decision is so short that copying states would dominate it.
    pub(crate) fn take_resume(&mut self) -> Option<Resume> {
        let nothing = Resume { deployed: false, routing: Routing::exclusive(Version::Original) };
        match self {
            Self::Preparing { resume, .. } | Self::Routing { resume, .. } | Self::Draining { resume, .. } => {
                Some(mem::replace(resume, nothing))
            }
            Self::Deploying | Self::Running | Self::Retiring { .. } | Self::Closed { .. } => None,
        }
    }

    /// Who confirmed the survivor's routing and how the loser was drained.
    pub(crate) fn proof(&self) -> Option<(&Witnesses, &Note)> {
        match self {
            Self::Retiring { confirmed_by, drained, .. } | Self::Closed { confirmed_by, drained, .. } => {
                Some((confirmed_by, drained))
            }
            _ => None,
        }
    }
}
