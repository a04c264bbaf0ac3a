//! The flags of `serve`, each also an environment variable.

use super::config::{Authentication, Config, Limits, MeshConfig, Options, StoreConfig};
use super::telemetry::LogFormat;
use anyhow::{bail, ensure};
use clap::ValueEnum;
use clap::builder::BoolishValueParser;
use release_core::Mode;
use release_http::Codes;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tracing_subscriber::filter::Targets;

/// Serve the API.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where to listen: an IP address and a port; port 0 takes a free one
    #[arg(long, env = "RELEASE_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// The directory of the store's file; made if there is none
    #[arg(long, env = "RELEASE_DATA", value_name = "DIR")]
    data: Option<PathBuf>,

    /// Where tasks are kept: in a file of --data, or in memory, which is gone with the process
    #[arg(long, env = "RELEASE_STORE", default_value = "redb")]
    store: Store,

    /// What carries out the steps: the Envoys that connect to --xds-listen, or a mesh that exists in this process only
    #[arg(long, env = "RELEASE_MESH")]
    mesh: Mesh,

    /// Where Envoys connect to
    #[arg(long, env = "RELEASE_XDS_LISTEN", value_name = "ADDR")]
    xds_listen: Option<SocketAddr>,

    /// The services and where their versions run
    #[arg(long, env = "RELEASE_SERVICES", value_name = "FILE")]
    services: Option<PathBuf>,

    /// How long each step of the simulated mesh takes
    #[arg(long, env = "RELEASE_SIMULATED_LAG", value_name = "MILLISECONDS", default_value_t = 200)]
    simulated_lag: u64,

    /// Where the simulated mesh takes requests; each is answered with the header x-version
    #[arg(long, env = "RELEASE_SIMULATED_LISTEN", value_name = "ADDR")]
    simulated_listen: Option<SocketAddr>,

    /// The tokens that let a caller in
    #[arg(long, env = "RELEASE_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// The access keys that let a caller in, for signed requests (SDK-HMAC-SHA256)
    #[arg(long, env = "RELEASE_AKSK_FILE", value_name = "FILE")]
    aksk_file: Option<PathBuf>,

    /// Let everybody in: only on a loopback address
    #[arg(long, env = "RELEASE_NO_AUTH", value_parser = BoolishValueParser::new())]
    no_auth: bool,

    /// Whether a cancel or an end performs the takeover, or is refused unless it was done before
    #[arg(long, env = "RELEASE_TAKEOVER", default_value = "perform")]
    takeover: Takeover,

    /// How long a cancel or an end waits to be finished before it is answered
    #[arg(long, env = "RELEASE_WAIT", value_name = "SECONDS", default_value_t = 30)]
    wait: u64,

    /// The generation of error codes
    #[arg(long, env = "RELEASE_ERROR_CODES", default_value = "2026")]
    error_codes: ErrorCodes,

    /// What to log: a level (error, warn, info, debug, trace), or `target=level` pairs separated by commas
    #[arg(long, env = "RELEASE_LOG", value_name = "LEVEL", default_value = "info")]
    pub(super) log: Targets,

    /// How to write the log
    #[arg(long, env = "RELEASE_LOG_FORMAT", default_value = "text")]
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
                limits: Limits::default(),
                ..Options::default()
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
            Mesh::Envoy => {
                bail!("--mesh envoy is not there yet in this version: use --mesh simulated to try the API out")
            }
        }
    }

    fn authentication(&self) -> anyhow::Result<Authentication> {
        ensure!(self.no_auth, "authentication files are not there yet");
        Ok(Authentication::Off)
    }
}
