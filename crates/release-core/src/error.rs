//! Why a command was refused, sorted by what the caller can do about it.

use crate::{Action, ParseError, Phase, ReleaseKey, Service, Version, VersionLabel};
use alloc::boxed::Box;

/// Why a command was refused. The task is exactly as it was before.
///
/// Each message says what was wrong and what to do. The variants may grow; the [`kind`](Error::kind) is what adapters
/// branch on.
///
/// ```
/// use release_core::{Command, ErrorKind, ReleaseKey, Releases};
///
/// let mut releases = Releases::new();
/// let key = ReleaseKey::parse("mesh-1", "shop", "3f2a")?;
/// let error = releases.command(&key, Command::CANCEL).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// assert_eq!(error.to_string(), "there is no release task mesh-1/shop/3f2a: check the three ids, or list the mesh's tasks");
/// # Ok::<(), release_core::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum Error {
    /// A parameter could not be parsed.
    #[error(transparent)]
    Parse(#[from] ParseError),

    /// There is no such task.
    #[error("there is no release task {0}: check the three ids, or list the mesh's tasks")]
    UnknownRelease(Box<ReleaseKey>),

    /// The task is closed: for commands it does not exist any more.
    #[error("release task {key} is closed already, by {action}: create a new one to release again")]
    Closed {
        /// The task.
        key: Box<ReleaseKey>,
        /// How it was closed.
        action: Action,
    },

    /// The routing may change only while the task is running. Source: contract.
    #[error(
        "the routing can be changed only while the task is running, and it is {phase}: \
         {}", if phase.is_closing() { "reopen it first" } else { "wait until the grayscale version is ready" }
    )]
    NotRunning {
        /// Where the task is instead.
        phase: Phase,
    },

    /// An end before the grayscale version was ready.
    #[error(
        "the grayscale version has not been ready yet and can't take over: wait until it is, or cancel the release"
    )]
    EndBeforeReady,

    /// An end while a cancel is under way: of the two, cancel wins.
    #[error("the release is being canceled and can't be ended: let the cancel finish, or reopen the release first")]
    CancelUnderWay,

    /// The loser is being retired: there is no way back.
    #[error(
        "the {} version is being retired to {action} the release, which can't be undone: \
         wait until it is closed", action.loser()
    )]
    PointOfNoReturn {
        /// The action that is being completed.
        action: Action,
    },

    /// With [`Mode::Require`](crate::Mode::Require): requests can still reach the version that would be retired.
    #[error(
        "the {survivor} version does not have all traffic yet, confirmed by every proxy: \
         {}let it take over first, then {action} the release",
        if phase.is_closing() { "reopen the release and " } else { "" }
    )]
    TakeoverRequired {
        /// What was asked for.
        action: Action,
        /// The version that must take over first.
        survivor: Version,
        /// Where the task is: only a running one lets a version take over.
        phase: Phase,
    },

    /// The two versions of a release must differ.
    #[error("the original and the grayscale version are both \"{0}\": they must have different version labels")]
    SameVersion(VersionLabel),

    /// A task with that key exists already.
    #[error("there is a release task {0} already: use another id")]
    ReleaseExists(Box<ReleaseKey>),

    /// The service has an unclosed task already. Source: contract (one task per service).
    #[error("service \"{service}\" has an unclosed release task already, {by}: cancel or end that one first")]
    ServiceBusy {
        /// The service.
        service: Service,
        /// Its unclosed task.
        by: Box<ReleaseKey>,
    },
}

impl Error {
    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Parse(_)
            | Self::NotRunning { .. }
            | Self::EndBeforeReady
            | Self::CancelUnderWay
            | Self::PointOfNoReturn { .. }
            | Self::TakeoverRequired { .. }
            | Self::SameVersion(_) => ErrorKind::Invalid,
            Self::UnknownRelease(_) | Self::Closed { .. } => ErrorKind::NotFound,
            Self::ReleaseExists(_) | Self::ServiceBusy { .. } => ErrorKind::Conflict,
        }
    }
}

/// The classes of [`Error`], which the HTTP adapter maps to a status each.
///
/// Deliberately not `#[non_exhaustive]`: a new kind must stop an adapter from compiling until it says what it maps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum ErrorKind {
    /// The command does not fit the parameters or the task's phase (400).
    Invalid,
    /// There is no such task, or none any more (404).
    NotFound,
    /// Something like it exists already. Only creating a task gives this (409).
    Conflict,
}
