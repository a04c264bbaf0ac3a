//! Why a command did not do what it was asked for: a message, what to do next, and an exit code.

use super::connection::Answer;
use super::document::ProblemDocument;
use http::StatusCode;
use std::fmt;
use std::process::ExitCode;

/// How a command ended that is not done, for scripts. The numbers are part of what users rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// It failed for a reason that is none of the others.
    Failed = 1,
    /// The command line is not right; the server was not asked.
    Usage = 2,
    /// The server refused it: not allowed as it is, or not in the phase that the release is in.
    Refused = 3,
    /// There is no such release, or it is closed already; a cancel or an end that is closed as asked for is a success.
    NotFound = 4,
    /// A cancel or an end is decided and goes on.
    Running = 5,
    /// The server did not answer.
    Unreachable = 6,
    /// The server does not let this caller in, or not to this mesh.
    Denied = 7,
}

impl Exit {
    /// What `--help` says.
    pub(super) const HELP: &str = "\
Exit codes:
  0  done
  1  failed for another reason
  2  the command line is not right
  3  the server refused it
  4  no such release, or it is closed already (cancel, end: by the other one)
  5  the cancel or end is decided and goes on: repeat the command to wait again
  6  the server did not answer
  7  the token is missing or wrong, or not for this mesh (nodes: for every mesh)";
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    message: String,
    next: Option<String>,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), next: None }
    }

    /// Says what to do next.
    pub(super) fn next(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }

    /// What an answer says that is not a success.
    pub(super) fn answered(answer: &Answer) -> Self {
        let status = answer.status;
        let request = answer.request_id.as_ref().map(|id| format!(", request {id}")).unwrap_or_default();
        let denied = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
        let Ok(problem) = serde_json::from_slice::<ProblemDocument>(&answer.body) else {
            // A proxy on the way, or no release server at all.
            let exit = if denied { Exit::Denied } else { Exit::Failed };
            return Self::new(exit, format!("the answer is {status}, and not one of a release server{request}"))
                .next("check --server (RELEASE_SERVER): a path may be missing, or something else listens there");
        };
        let exit = match status {
            StatusCode::NOT_FOUND => Exit::NotFound,
            _ if denied => Exit::Denied,
            _ if status.is_client_error() => Exit::Refused,
            _ => Exit::Failed,
        };
        let failure = Self::new(exit, format!("{} ({}{request})", problem.message, problem.code));
        match status {
            StatusCode::UNAUTHORIZED => {
                failure.next("show a token: --token-file FILE, or in the environment variable RELEASE_TOKEN")
            }
            StatusCode::FORBIDDEN => failure.next(answer.question.forbidden()),
            _ => failure,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.message)?;
        self.next.iter().try_for_each(|next| writeln!(f, "next: {next}"))
    }
}
