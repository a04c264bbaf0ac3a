//! The services file: which services there are, their versions and where those listen.
//!
//! ```toml
//! # One table for each service.
//! [[service]]
//! mesh = "mesh-1"
//! namespace = "shop"
//! name = "cart"
//! domains = ["cart.shop", "cart.shop:8080"] # Envoy's virtual host; NAME.NAMESPACE if left out
//! serves = "v1"                             # the version that serves before the first release
//! max-stream-seconds = 30                   # the longest that a request may take; 15 if left out
//! health-path = "/healthz"                  # an endpoint is ready if it answers 200 there; if left out, if it accepts a connection
//! ready-endpoints = 2                       # so many must be ready before traffic moves; if left out, all of them
//! retire-command = ["/usr/local/bin/retire", "--quietly"] # see `Hook`; or retire-webhook = "http://…"
//!
//! [service.versions]
//! v1 = ["10.0.0.1:8080", "10.0.0.2:8080"]
//! v2 = ["cart-v2.shop.svc:8080", "[fd00::7]:8080"]
//! ```
//!
//! A takeover takes at least `max-stream-seconds`: see [long streams](crate#long-streams) before it is 30 or more.
//!
//! What is not known, given twice or contradicts itself is refused, with the number of the line.
//!
//! A version that is taken out while the server runs is served until no Envoy can route to it. One that serves should not be
//! taken out while the server is stopped: nobody knows where it listens then, so Envoys that come back lose it some milliseconds
//! before they get other routes.

mod read;
#[cfg(test)]
mod tests;
mod watch;

pub use watch::{Watch, WatchError};

use crate::hook::Hook;
use crate::service::{ServiceName, VersionConfig};
use release_core::VersionLabel;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

/// A service as the file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The service.
    pub name: ServiceName,
    /// See [`ServiceConfig::domains`](crate::service::ServiceConfig::domains).
    pub domains: Vec<String>,
    /// The version that serves before the first release.
    pub serves: VersionLabel,
    /// See [`ServiceConfig::max_stream_duration`](crate::service::ServiceConfig::max_stream_duration).
    pub max_stream_duration: Duration,
    /// Its versions; each has an endpoint at least.
    pub versions: BTreeMap<VersionLabel, VersionConfig>,
    /// When a version can take traffic.
    pub health: Health,
    /// What stops the workloads of a version that was retired.
    pub retire: Option<Hook>,
}

/// When a version can take traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The path that a ready endpoint answers with 200; without one, an endpoint that accepts a connection is ready.
    pub path: Option<String>,
    /// How many endpoints of a version must be ready; `None`: all of them.
    pub endpoints: Option<NonZeroUsize>,
}

/// Why a services file was refused: nothing of it is taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ServicesError {
    line: usize,
    what: String,
}

impl ServicesError {
    /// The number of the line, from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

/// Reads a services file.
///
/// ```
/// let text = r#"
/// [[service]]
/// mesh = "mesh-1"
/// namespace = "shop"
/// name = "cart"
/// serves = "v1"
/// versions = { v1 = ["127.0.0.1:8081"], v2 = ["127.0.0.1:8082"] }
/// "#;
/// let services = release_xds::services::read(text)?;
/// assert_eq!(services[0].domains, ["cart.shop"]);
///
/// let refused = release_xds::services::read(&text.replace("v1\"\n", "v3\"\n")).unwrap_err();
/// assert_eq!(refused.to_string(), "line 6: serves \"v3\" is none of the versions: v1, v2");
/// # Ok::<(), release_xds::services::ServicesError>(())
/// ```
pub fn read(text: &str) -> Result<Vec<Description>, ServicesError> {
    read::read(text)
}
