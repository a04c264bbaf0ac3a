//! The flags of `serve`, each also an environment variable.

use super::auth_file;
use super::config::{Authentication, Config, Limits, MeshConfig, Options, StoreConfig};
use super::telemetry::{self, LogFormat};
use anyhow::bail;
use clap::ValueEnum;
use clap::builder::{BoolishValueParser, RangedU64ValueParser};
use release_core::Mode;
use release_http::Codes;
use release_xds::control;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tracing_subscriber::filter::Targets;

/// Serve the API.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Arguments {
    /// Where to listen: an IP address and a port; port 0 takes a free one
    #[arg(long, help_heading = "API", env = "RELEASE_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// The directory of the store's file; made if there is none
    #[arg(long, help_heading = "Store", env = "RELEASE_DATA", value_name = "DIR")]
    data: Option<PathBuf>,

    /// Where tasks are kept: in a file of --data, or in memory, which is gone with the process
    #[arg(long, help_heading = "Store", env = "RELEASE_STORE", default_value = "redb")]
    store: Store,

    /// What carries out the steps: the Envoys that connect to --xds-listen, or a mesh that exists in this process only
    #[arg(long, help_heading = "Mesh", env = "RELEASE_MESH")]
    mesh: Mesh,

    /// Where Envoys connect to, for --mesh envoy; whoever can connect there can read the routes, and is waited for
    #[arg(long, help_heading = "Mesh", env = "RELEASE_XDS_LISTEN", value_name = "ADDR")]
    xds_listen: Option<SocketAddr>,

    /// The services and where their versions run, for --mesh envoy; read again whenever it changes. Its format is in the documentation of the module `services` of release-xds
    #[arg(long, help_heading = "Mesh", env = "RELEASE_SERVICES", value_name = "FILE")]
    services: Option<PathBuf>,

    /// How many Envoys must be known before a routing can count as confirmed
    #[arg(long, help_heading = "Mesh", env = "RELEASE_MIN_NODES", value_name = "NUMBER", default_value_t = 1,
          value_parser = in_range(1, 100_000))]
    min_nodes: usize,

    /// How long an Envoy that is cut off keeps the cluster of a version that lost; without it, it is waited for until it is back
    /// or forgotten. It costs: while a takeover runs and this server is away for longer, Envoys with old routes answer 503 for
    /// that version. An Envoy that was cut off before the takeover was never told, and is waited for all the same
    #[arg(long, help_heading = "Mesh", env = "RELEASE_FENCE", value_name = "SECONDS", value_parser = seconds())]
    fence: Option<u64>,

    /// How long the workers of an Envoy may go on with what they had after it has confirmed what is new; waited for before a
    /// version counts as drained, and again before its workloads are stopped. More where Envoys get so little processor time that
    /// they stand still for longer
    #[arg(long, help_heading = "Mesh", env = "RELEASE_GRACE", value_name = "MILLISECONDS", default_value_t = 250,
          value_parser = RangedU64ValueParser::<u64>::new().range(250..=3_600_000))]
    grace: u64,

    /// How long each step of the simulated mesh takes
    #[arg(
        long,
        help_heading = "Mesh",
        env = "RELEASE_SIMULATED_LAG",
        value_name = "MILLISECONDS",
        default_value_t = 200
    )]
    simulated_lag: u64,

    /// Where the simulated mesh takes requests; each is answered with the header x-version
    #[arg(long, help_heading = "Mesh", env = "RELEASE_SIMULATED_LISTEN", value_name = "ADDR")]
    simulated_listen: Option<SocketAddr>,

    /// The tokens that let a caller in: see below
    #[arg(long, help_heading = "Access", env = "RELEASE_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// The access keys that let a caller in, for signed requests (SDK-HMAC-SHA256): see below
    #[arg(long, help_heading = "Access", env = "RELEASE_AKSK_FILE", value_name = "FILE")]
    aksk_file: Option<PathBuf>,

    /// Let everybody in: only on a loopback address
    #[arg(long, help_heading = "Access", env = "RELEASE_NO_AUTH", value_parser = BoolishValueParser::new())]
    no_auth: bool,

    /// Whether a cancel or an end performs the takeover, or is refused unless it was done before
    #[arg(long, help_heading = "API", env = "RELEASE_TAKEOVER", default_value = "perform")]
    takeover: Takeover,

    /// How long a cancel or an end waits to be finished before it is answered
    #[arg(long, help_heading = "API", env = "RELEASE_WAIT", value_name = "SECONDS", default_value_t = 30, value_parser = seconds())]
    wait: u64,

    /// The generation of error codes
    #[arg(long, help_heading = "API", env = "RELEASE_ERROR_CODES", default_value = "2026")]
    error_codes: ErrorCodes,

    /// The longest request line and headers together
    #[arg(long, help_heading = "Limits", env = "RELEASE_MAX_HEADER_BYTES", value_name = "BYTES", default_value_t = Limits::default().header_bytes,
          value_parser = in_range(8192, 1 << 20))]
    max_header_bytes: usize,

    /// The longest body of a request
    #[arg(long, help_heading = "Limits", env = "RELEASE_MAX_BODY_BYTES", value_name = "BYTES", default_value_t = Limits::default().body_bytes,
          value_parser = in_range(1024, 16 << 20))]
    max_body_bytes: usize,

    /// How many connections are served at the same time; more of them wait
    #[arg(long, help_heading = "Limits", env = "RELEASE_MAX_CONNECTIONS", value_name = "NUMBER", default_value_t = Limits::default().connections,
          value_parser = in_range(1, 1_000_000))]
    max_connections: usize,

    /// How long a client may take to send the head of a request, and again its body; a connection that is idle, or whose answers are not read, is closed after it
    #[arg(long, help_heading = "Limits", env = "RELEASE_READ_TIME", value_name = "SECONDS", default_value_t = 30, value_parser = seconds())]
    read_time: u64,

    /// How long a shutdown may take
    #[arg(long, help_heading = "Limits", env = "RELEASE_SHUTDOWN_TIME", value_name = "SECONDS", default_value_t = 10, value_parser = seconds())]
    shutdown_time: u64,

    /// What to log: a level (off, error, warn, info, debug, trace), or target=level pairs separated by commas
    #[arg(long, help_heading = "Log", env = "RELEASE_LOG", value_name = "LEVEL", default_value = "info", value_parser = telemetry::targets)]
    pub(super) log: Targets,

    /// How to write the log
    #[arg(long, help_heading = "Log", env = "RELEASE_LOG_FORMAT", default_value = "text")]
    pub(super) log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Store {
    Redb,
    Memory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mesh {
    Envoy,
    Simulated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Takeover {
    Perform,
    Require,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ErrorCodes {
    #[value(name = "2026")]
    Newer,
    #[value(name = "2025")]
    Older,
}

impl TryFrom<Arguments> for Config {
    type Error = anyhow::Error;

    fn try_from(arguments: Arguments) -> anyhow::Result<Self> {
        Ok(Self {
            store: arguments.store()?,
            mesh: arguments.mesh()?,
            options: Options {
                listen: arguments.listen,
                authentication: arguments.authentication()?,
                takeover: match arguments.takeover {
                    Takeover::Perform => Mode::Perform,
                    Takeover::Require => Mode::Require,
                },
                wait: Duration::from_secs(arguments.wait),
                codes: match arguments.error_codes {
                    ErrorCodes::Newer => Codes::Newer,
                    ErrorCodes::Older => Codes::Older,
                },
                limits: Limits {
                    header_bytes: arguments.max_header_bytes,
                    body_bytes: arguments.max_body_bytes,
                    connections: arguments.max_connections,
                    read_time: Duration::from_secs(arguments.read_time),
                },
                shutdown_limit: Duration::from_secs(arguments.shutdown_time),
            },
        })
    }
}

impl Arguments {
    fn store(&self) -> anyhow::Result<StoreConfig> {
        match (self.store, &self.data) {
            (Store::Memory, _) => Ok(StoreConfig::Memory),
            (Store::Redb, Some(data)) => Ok(StoreConfig::Redb(data.clone())),
            (Store::Redb, None) => bail!("--store redb needs --data DIR, the directory of its file"),
        }
    }

    fn mesh(&self) -> anyhow::Result<MeshConfig> {
        match self.mesh {
            Mesh::Simulated => Ok(MeshConfig::Simulated {
                lag: Duration::from_millis(self.simulated_lag),
                listen: self.simulated_listen,
            }),
            Mesh::Envoy => self.envoys(),
        }
    }

    fn envoys(&self) -> anyhow::Result<MeshConfig> {
        let (Some(listen), Some(services)) = (self.xds_listen, self.services.clone()) else {
            bail!("--mesh envoy needs --xds-listen ADDR, where Envoys connect to, and --services FILE");
        };
        let state = match self.store {
            Store::Memory => None,
            Store::Redb => self.data.as_ref().map(|data| data.join("mesh.json")),
        };
        let fence = self.fence.map(Duration::from_secs);
        let grace = Duration::from_millis(self.grace);
        let settings = control::Settings { min_nodes: self.min_nodes, grace, fence };
        Ok(MeshConfig::Envoy(release_xds::Config { listen, services, state, settings }))
    }

    fn authentication(&self) -> anyhow::Result<Authentication> {
        let tokens = self.token_file.as_deref().map(auth_file::tokens).transpose()?;
        let aksk = self.aksk_file.as_deref().map(auth_file::access_keys).transpose()?;
        match (tokens, aksk, self.no_auth) {
            (None, None, true) => Ok(Authentication::Off),
            (None, None, false) => bail!(
                "nobody could get in: give --token-file FILE or --aksk-file FILE, or --no-auth to let everybody in on a \
                 loopback address"
            ),
            (_, _, true) => bail!("--no-auth lets everybody in: leave it out, or --token-file and --aksk-file"),
            (Some(tokens), None, false) => Ok(Authentication::Tokens(tokens)),
            (None, Some(aksk), false) => Ok(Authentication::AkSk(aksk)),
            (Some(tokens), Some(aksk), false) => Ok(Authentication::Either(Box::new((tokens, aksk)))),
        }
    }
}

/// A time that a clock can hold.
fn seconds() -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(1..=86_400)
}

fn in_range(least: u64, most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(least..=most)
}

/// What the help says after the flags.
const AFTER: &str = "\
Files of credentials: one caller per line, fields separated by blanks; empty lines and lines that start with # are left out.
  --token-file  TOKEN MESHES [name=NAME]
  --aksk-file   ACCESS-KEY SECRET-KEY MESHES
MESHES is * for every mesh, or mesh ids separated by commas. Tokens and secret keys have 16 characters or more. The log shows NAME, or
the number of the line, and access keys. Example:
  # the pipeline of the shop
  6f1c5a0b9d2e47f3a8c1 mesh-1,mesh-2 name=pipeline

Also served, without authentication: /healthz, /readyz, /metrics in the format of Prometheus, and /openapi.json.
Operators whose credentials are for every mesh see the Envoys with GET /nodes, and have one that is gone for good forgotten with
DELETE /nodes/ID.
There is no TLS: put a proxy in front where the network is not yours.";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn settings(more: &[&str]) -> control::Settings {
        let envoys =
            ["serve", "--no-auth", "--store=memory", "--mesh=envoy", "--xds-listen=127.0.0.1:0", "--services=x"];
        let line = Line::try_parse_from(envoys.iter().chain(more)).unwrap();
        match Config::try_from(line.arguments).unwrap().mesh {
            MeshConfig::Envoy(config) => config.settings,
            MeshConfig::Simulated { .. } => panic!("not the mesh that was asked for"),
        }
    }

    #[test]
    fn how_careful_the_mesh_is() {
        assert_eq!(settings(&[]), control::Settings::default());
        let expected = control::Settings {
            min_nodes: 3,
            grace: Duration::from_millis(1500),
            fence: Some(Duration::from_secs(20)),
        };
        assert_eq!(settings(&["--min-nodes=3", "--grace=1500", "--fence=20"]), expected);
    }
}
