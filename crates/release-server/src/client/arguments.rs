//! The flags of the client, those that a shell would keep also as environment variables.

use super::failure::Exit;
use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;
use release_core::{Action, MeshId, Namespace, ReleaseId, ReleaseName, Service, Version, VersionLabel};
use std::path::PathBuf;

/// Which server, and what it is shown.
#[derive(Debug, Args)]
pub(crate) struct Connection {
    /// The server, as http:// or https:// and perhaps the path that it is mounted at
    #[arg(long, env = "RELEASE_SERVER", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(super) server: String,

    /// The file with the token to show; without it, that is what `RELEASE_TOKEN` in the environment holds
    // No variable: serve has RELEASE_TOKEN_FILE, which holds everybody's.
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,

    /// How long to wait for an answer; what was asked for goes on without this command
    #[arg(long, env = "RELEASE_TIMEOUT", value_name = "SECONDS", default_value_t = 60)]
    pub(super) timeout: u64,
}

/// Where releases are.
#[derive(Debug, Args)]
pub(crate) struct Scope {
    // Not --mesh: that is the kind of mesh, for serve.
    /// The mesh
    #[arg(long, short, env = "RELEASE_MESH_ID", value_name = "ID")]
    pub(super) mesh_id: MeshId,

    /// The namespace of the service
    #[arg(long, short, env = "RELEASE_NAMESPACE", value_name = "NAME")]
    pub(super) namespace: Namespace,
}

/// How to print an answer.
#[derive(Debug, Args)]
pub(crate) struct OutputOption {
    /// How to print what there is
    #[arg(long = "output", short = 'o', value_name = "FORMAT", default_value = "table")]
    pub(super) format: OutputFormat,
}

/// How to print an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    Table,
    /// The server's document
    Json,
    /// Only ids, one on each line, for a script
    Id,
}

/// A release that is there already.
#[derive(Debug, Args)]
pub(crate) struct OneRelease {
    /// The release, by its id as `create` and `list` show it, or by its name
    #[arg(value_name = "RELEASE")]
    pub(super) id: ReleaseId,
    #[command(flatten)]
    pub(super) scope: Scope,
    #[command(flatten)]
    pub(super) output: OutputOption,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// A cancel or an end.
pub(crate) type Takeover = OneRelease;

/// The flags of `create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The name of the release
    #[arg(value_name = "NAME")]
    pub(super) name: ReleaseName,
    /// The service; it has one unclosed release at most
    #[arg(long, value_name = "NAME")]
    pub(super) service: Service,
    /// The version that serves now, by its label
    #[arg(long, value_name = "LABEL")]
    pub(super) original: VersionLabel,
    /// The new version, by its label
    #[arg(long, value_name = "LABEL")]
    pub(super) grayscale: VersionLabel,
    /// The cluster of the new version
    #[arg(long, value_name = "ID")]
    pub(super) cluster_id: Option<String>,
    /// The deployment of the new version
    #[arg(long, value_name = "NAME")]
    pub(super) deployment: Option<String>,
    /// The image version of the new version
    #[arg(long, value_name = "TAG")]
    pub(super) image_version: Option<String>,
    #[command(flatten)]
    pub(super) scope: Scope,
    #[command(flatten)]
    pub(super) output: OutputOption,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// The flags of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// The mesh
    #[arg(long, short, env = "RELEASE_MESH_ID", value_name = "ID")]
    pub(super) mesh_id: MeshId,
    /// Only releases of this namespace
    #[arg(long, short, env = "RELEASE_NAMESPACE", value_name = "NAME")]
    pub(super) namespace: Option<Namespace>,
    /// Only releases that are not closed
    #[arg(long)]
    pub(super) unclosed: bool,
    #[command(flatten)]
    pub(super) output: OutputOption,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// The flags of `policy`.
#[derive(Debug, Args)]
pub(crate) struct Policy {
    #[command(flatten)]
    pub(super) choice: PolicyChoice,
    #[command(flatten)]
    pub(super) release: OneRelease,
}

/// One of the ways to say who serves which request.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct PolicyChoice {
    /// The grayscale version serves this share of the requests, the original the rest
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(0..=100))]
    pub(super) weight: Option<u64>,
    /// One version serves every request: original or grayscale
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub(super) exclusive: Option<Version>,
    /// A file with the policy as JSON, for policies by request content; - reads standard input
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
}

fn version(text: &str) -> Result<Version, String> {
    [Version::Original, Version::Grayscale]
        .into_iter()
        .find(|version| version.to_string() == text)
        .ok_or_else(|| "must be original or grayscale".into())
}

/// The flags of `plan`.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// What would be done: cancel or end
    pub(super) action: Action,
    #[command(flatten)]
    pub(super) release: OneRelease,
}

/// The flags of `completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(super) shell: Shell,
}

/// The flags of `nodes`.
#[derive(Debug, Args)]
pub(crate) struct Nodes {
    #[command(subcommand)]
    pub(super) command: NodesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NodesCommand {
    /// List the Envoys, and what each of them keeps a takeover from
    #[command(after_help = Exit::HELP)]
    List(NodesList),
    /// Wait no longer for an Envoy that is gone for good: make sure that it is, for if it still routes, requests get lost
    #[command(after_help = Exit::HELP)]
    Forget(Forget),
}

/// The flags of `nodes list`.
#[derive(Debug, Args)]
pub(crate) struct NodesList {
    #[command(flatten)]
    pub(super) output: OutputOption,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// The flags of `nodes forget`.
#[derive(Debug, Args)]
pub(crate) struct Forget {
    /// The node, by the id that it gave itself
    pub(super) node: String,
    #[command(flatten)]
    pub(super) connection: Connection,
}
