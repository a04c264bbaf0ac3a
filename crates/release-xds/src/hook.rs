//! What stops the workloads of a version that was retired: a command or a webhook.

use bytes::Bytes;
use http::{Method, Request, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use release_core::{Generation, Note, ReleaseSpec, Version};
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::time::timeout;

/// How long a hook may take. It is tried again after a failure, so a slow one should start its work and return.
const LIMIT: Duration = Duration::from_mins(1);

/// How long what a command printed may take to arrive once it has ended.
const AFTERWARDS: Duration = Duration::from_millis(250);

/// How much of what a command prints is kept for the reason of a failure.
const KEPT: usize = 64 << 10;

/// What stops the workloads of a version that was retired.
///
/// It is called when no proxy can route to the version any more, and again after every failure and restart until it has
/// succeeded once: **it must be idempotent**, so that the second call for the same release succeeds too.
///
/// - A command gets the [facts](Facts) after its own arguments, as
///   `--mesh-id M --namespace N --service S --release R --version V --survivor W --generation G`, and succeeds with exit
///   code 0. It inherits the server's environment.
/// - A webhook gets them in a POST with a JSON body, `{"meshId":…,"namespace":…,"service":…,"release":…,"version":…,
///   "survivor":…,"generation":…}`, with the header `Idempotency-Key: M/N/R/V`, and succeeds with a status of 200 to 299. It is
///   for a service nearby: `http` only. For anything else use a command.
///
/// Each call may take 60 seconds.
#[derive(Clone, PartialEq, Eq)]
pub struct Hook(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Command { program: String, arguments: Vec<String> },
    Webhook(Uri),
}

/// What a hook is told.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    mesh_id: String,
    namespace: String,
    service: String,
    release: String,
    version: String,
    survivor: String,
    generation: u64,
}

impl Facts {
    /// That `loser` is retired, at this generation of the release's routing.
    pub fn new(spec: &ReleaseSpec, loser: Version, generation: Generation) -> Self {
        Self {
            mesh_id: spec.key.mesh.to_string(),
            namespace: spec.key.namespace.to_string(),
            service: spec.service.to_string(),
            release: spec.key.id.to_string(),
            version: spec.label(loser).to_string(),
            survivor: spec.label(loser.other()).to_string(),
            generation: generation.get(),
        }
    }

    fn arguments(&self) -> [(&'static str, String); 7] {
        [
            ("--mesh-id", self.mesh_id.clone()),
            ("--namespace", self.namespace.clone()),
            ("--service", self.service.clone()),
            ("--release", self.release.clone()),
            ("--version", self.version.clone()),
            ("--survivor", self.survivor.clone()),
            ("--generation", self.generation.to_string()),
        ]
    }
}

/// Why a hook can't be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHook {
    /// A command without a program.
    #[error("a command has a program at least: [\"/path/to/program\", \"argument\"]")]
    NoProgram,
    /// A webhook that can't be called. Its text is left out: it may hold a secret.
    #[error("a webhook is a URL like http://host:port/path, and http only: use a command for anything else")]
    BadUrl,
}

/// Why a hook did not succeed. Safe to show: it holds nothing of the hook's own configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// It did not end in time.
    #[error("the retire hook took longer than {} s and was stopped", LIMIT.as_secs())]
    TooLong,
    /// The command could not be started.
    #[error("the retire command can't be started: {0}")]
    Start(String),
    /// The command failed; what it printed last on standard error.
    #[error("the retire command failed ({status}): {said}")]
    Failed {
        /// Its exit status.
        status: String,
        /// The last line that it printed.
        said: Note,
    },
    /// The webhook could not be reached.
    #[error("the retire webhook can't be reached: {0}")]
    Unreachable(String),
    /// The webhook answered with another status than 200 to 299.
    #[error("the retire webhook answered {0}")]
    Refused(u16),
}

impl Hook {
    /// A command: a program and its arguments. No shell is involved.
    pub fn command(words: Vec<String>) -> Result<Self, BadHook> {
        let mut words = words.into_iter();
        match words.next() {
            Some(program) if !program.is_empty() => Ok(Self(Kind::Command { program, arguments: words.collect() })),
            _ => Err(BadHook::NoProgram),
        }
    }

    /// A webhook.
    pub fn webhook(url: &str) -> Result<Self, BadHook> {
        let uri: Uri = url.parse().map_err(|_| BadHook::BadUrl)?;
        match (uri.scheme_str(), uri.host()) {
            (Some("http"), Some(_)) => Ok(Self(Kind::Webhook(uri))),
            _ => Err(BadHook::BadUrl),
        }
    }

    /// Calls it. Dropped, a command is killed and a webhook's connection closed.
    pub async fn call(&self, facts: &Facts) -> Result<(), HookError> {
        let called = async {
            match &self.0 {
                Kind::Command { program, arguments } => run(program, arguments, facts).await,
                Kind::Webhook(uri) => post(uri, facts).await,
            }
        };
        timeout(LIMIT, called).await.unwrap_or(Err(HookError::TooLong))
    }
}

async fn run(program: &str, arguments: &[String], facts: &Facts) -> Result<(), HookError> {
    let start = |error: std::io::Error| HookError::Start(error.to_string());
    let mut command = Command::new(program);
    command.args(arguments);
    for (flag, value) in facts.arguments() {
        command.arg(flag).arg(value);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(start)?;
    let stderr = child.stderr.take();
    let mut said = Vec::new();
    let status = {
        let mut reading = pin!(read_to_end(stderr, &mut said));
        tokio::select! {
            status = child.wait() => {
                // What it left running may hold its standard error open for ever.
                let _ = timeout(AFTERWARDS, reading).await;
                status
            }
            () = reading.as_mut() => child.wait().await,
        }
    };
    let status = status.map_err(start)?;
    if status.success() {
        Ok(())
    } else {
        Err(HookError::Failed { status: status.to_string(), said: last_line(&said) })
    }
}

/// Reads to the end, so that the command never waits for a reader, and keeps the last part.
async fn read_to_end(from: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    let mut part = vec![0; 4096];
    while let Ok(read @ 1..) = from.read(&mut part).await {
        kept.extend_from_slice(part.get(..read).unwrap_or_default());
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
    }
}

fn last_line(said: &[u8]) -> Note {
    let text = String::from_utf8_lossy(said);
    Note::new(text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it printed nothing"))
}

async fn post(uri: &Uri, facts: &Facts) -> Result<(), HookError> {
    let unreachable = |why: &dyn std::fmt::Display| HookError::Unreachable(why.to_string());
    let Facts { mesh_id, namespace, release, version, .. } = facts;
    let body = serde_json::to_vec(facts).map_err(|error| unreachable(&error))?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(uri)
        .header("content-type", "application/json")
        .header("idempotency-key", format!("{mesh_id}/{namespace}/{release}/{version}"))
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| unreachable(&error))?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let response = client.request(request).await.map_err(|error| unreachable(&innermost(&error)))?;
    let status = response.status();
    if status.is_success() { Ok(()) } else { Err(HookError::Refused(status.as_u16())) }
}

/// The end of the chain says why; what is before it, only that.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map(ToString::to_string).unwrap_or_default()
}

/// Without arguments, path and user information: they may hold a secret.
impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Kind::Command { program, .. } => write!(f, "Hook({program} …)"),
            Kind::Webhook(uri) => write!(f, "Hook(http://{}/…)", uri.host().unwrap_or_default()),
        }
    }
}
