//! Everything that is not a success, and what it is on the wire: status, code and message.

use crate::{Authenticate, Denied, Failure, Operation};
use http::{HeaderValue, StatusCode};
use release_core::{Error, ErrorKind, Note};
use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// Why a request was not carried out.
///
/// Its `Display` is the sentence that follows the published message in `errorMsg`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    kind: ProblemKind,
    detail: Detail,
    /// What a 401 offers; none stands for all that the API knows.
    challenges: Vec<HeaderValue>,
}

/// The kinds of [`Problem`]: each has one status and one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemKind {
    /// The request is not as the contract says, or does not fit the task's phase.
    Invalid,
    /// Missing or wrong credentials.
    Unauthenticated,
    /// The caller may not touch that mesh.
    Forbidden,
    /// No such task, or no such path.
    NotFound,
    /// The path is known; it takes the methods in this list only.
    MethodNotAllowed(&'static str),
    /// Something like it exists already. Only [`Operation::Create`] gives this.
    Exists,
    /// The body is over the limit.
    TooLarge,
    /// Another request holds the task.
    Locked,
    /// A store or a mesh failed, or a takeover is not finished yet.
    Internal,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Detail {
    Text(Cow<'static, str>),
    Core { error: Error, closed_at: Option<Note> },
}

/// The two published generations of error codes. Source: contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codes {
    /// `ASM.01010001` and so on.
    #[default]
    Newer,
    /// `ASM.01400001` and so on.
    Older,
}

/// What a kind of problem is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The status of the answer.
    pub status: StatusCode,
    /// `errorCode`.
    pub code: &'static str,
    /// What `errorMsg` starts with.
    pub message: &'static str,
}

impl Codes {
    /// Status, code and message of a kind of problem.
    ///
    /// No code is published for 405 and 413: they carry the one of an invalid request. None is published for a locked
    /// resource in the newer generation: there it is an internal error. Ours.
    pub fn published(self, kind: ProblemKind) -> Published {
        use StatusCode as S;
        let (status, newer, older, message) = match kind {
            ProblemKind::Invalid => (S::BAD_REQUEST, "ASM.01010001", "ASM.01400001", "Invalid request."),
            ProblemKind::MethodNotAllowed(_) => {
                (S::METHOD_NOT_ALLOWED, "ASM.01010001", "ASM.01400001", "Invalid request.")
            }
            ProblemKind::TooLarge => (S::PAYLOAD_TOO_LARGE, "ASM.01010001", "ASM.01400001", "Invalid request."),
            ProblemKind::Unauthenticated => match self {
                Self::Newer => (S::UNAUTHORIZED, "ASM.01000001", "", "Authenticate error."),
                Self::Older => (S::UNAUTHORIZED, "", "ASM.01401001", "Authorization failed."),
            },
            ProblemKind::Forbidden => (S::FORBIDDEN, "ASM.01000002", "ASM.01403001", "Forbidden."),
            ProblemKind::NotFound => (S::NOT_FOUND, "ASM.01010002", "ASM.01404001", "Resource not found."),
            ProblemKind::Exists => (S::CONFLICT, "ASM.01010003", "ASM.01409001", "The resource already exists."),
            ProblemKind::Locked => match self {
                Self::Newer => (S::INTERNAL_SERVER_ERROR, "ASM.01040001", "", "Internal error."),
                Self::Older => (S::TOO_MANY_REQUESTS, "", "ASM.01429001", "Resource locked by other requests."),
            },
            ProblemKind::Internal => (S::INTERNAL_SERVER_ERROR, "ASM.01040001", "ASM.01500001", "Internal error."),
        };
        let code = match self {
            Self::Newer => newer,
            Self::Older => older,
        };
        Published { status, code, message }
    }
}

impl Problem {
    /// A problem of that kind; `detail` is a sentence that says what was wrong and what to do.
    pub fn new(kind: ProblemKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: Detail::Text(detail.into()), challenges: Vec::new() }
    }

    /// What kind of problem it is.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    pub(crate) fn challenges(&self) -> &[HeaderValue] {
        &self.challenges
    }

    pub(crate) fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ProblemKind::Invalid, detail)
    }

    /// What the embedder's failure of an operation is to the caller: on a delete, an error of the core is 400 or 404.
    pub fn of_failure(operation: Operation, failure: Failure) -> Self {
        match failure {
            Failure::Refused { error, closed_at } => Self::of_core(operation, error, closed_at),
            Failure::NotFinished { action, phase, reason } => {
                let because = reason.map(|reason| format!(" The last attempt failed: {}.", reason.as_str()));
                let detail = format!(
                    "The decision to {action} the release is recorded and goes on; the task is {phase}.{} \
                     Repeat the same request to wait again.",
                    because.unwrap_or_default()
                );
                Self::new(ProblemKind::Internal, detail)
            }
            // Not a 500: clients repeat those by themselves, and would so overrule whoever reopened it.
            Failure::Reopened { action } => Self::invalid(format!(
                "The release was reopened after the decision to {action} it, and goes on as before: \
                 repeat the request to {action} it after all."
            )),
            Failure::ShuttingDown => Self::new(
                ProblemKind::Internal,
                "The server is going down and nothing was changed: repeat the same request soon.",
            ),
            Failure::Locked => {
                Self::new(ProblemKind::Locked, "Another request is changing the task: repeat this one later.")
            }
            Failure::Internal => Self::new(
                ProblemKind::Internal,
                "The store or the mesh did not answer as it should: repeat the request later.",
            ),
        }
    }

    /// An error of the core: the only place where its kinds become statuses.
    ///
    /// On a delete that is 400 or 404 and nothing else: only creating gives a conflict, and should an embedder answer
    /// another operation with one, the request did not fit.
    fn of_core(operation: Operation, error: Error, closed_at: Option<Note>) -> Self {
        let kind = match error.kind() {
            ErrorKind::NotFound => ProblemKind::NotFound,
            ErrorKind::Conflict if operation == Operation::Create => ProblemKind::Exists,
            ErrorKind::Invalid | ErrorKind::Conflict => ProblemKind::Invalid,
        };
        Self { kind, detail: Detail::Core { error, closed_at }, challenges: Vec::new() }
    }

    /// Adds the sentence that says what was wrong. (To write to a string does not fail.)
    pub(crate) fn write_to(&self, text: &mut String) {
        let (error, closed_at) = match &self.detail {
            Detail::Text(detail) => return text.push_str(detail),
            Detail::Core { error, closed_at } => (error, closed_at),
        };
        let begin = text.len();
        let _ = match error {
            Error::Parse(error) => write!(text, "The parameter {error}."),
            error => write!(text, "{error}."),
        };
        // The core's messages are no sentences.
        if let Some(first) = text.get_mut(begin..=begin) {
            first.make_ascii_uppercase();
        }
        if let Some(at) = closed_at {
            let _ = write!(text, " It was closed at {at}.");
        }
    }

    /// What it is to a caller that `by` does not let in: 401, but for one who is known and not allowed (403) and for
    /// credentials that could not be checked (500).
    pub fn of_denied(by: &impl Authenticate, denied: Denied) -> Self {
        let problem = match denied {
            Denied::Missing(what) => {
                Self::new(ProblemKind::Unauthenticated, format!("The request has no credentials: {what}."))
            }
            Denied::Wrong(why) => Self::new(ProblemKind::Unauthenticated, why),
            Denied::Forbidden(why) => Self::new(ProblemKind::Forbidden, why),
            Denied::Unavailable => {
                Self::new(ProblemKind::Internal, "The credentials could not be checked now: repeat the request later.")
            }
        };
        Self { challenges: by.challenges(), ..problem }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write_to(&mut text);
        f.write_str(&text)
    }
}

impl std::error::Error for Problem {}
