//! How many files the process may have open: a connection is one of them.

use super::config::{Config, MeshConfig};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is open beside connections: the store, the log, the runtime's own, webhooks and commands that retire versions.
const BESIDE: u64 = 64;

/// Connections of Envoys, one each, that there should be room for.
const ENVOYS: u64 = 1024;

/// Raises the soft limit of open files to what the configuration may need, as far as the hard limit lets it, and warns if
/// that is not enough: connections would be refused although `--max-connections` has places for them.
pub(super) fn make_room(config: &Config) {
    let needed = needed(config);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // No number stands for no limit.
    let Some(current) = current.filter(|current| *current < needed) else { return };
    let possible = maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = possible > current
        && setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum })
            .inspect_err(|error| tracing::warn!(%error, "the limit of open files could not be raised"))
            .is_ok();
    let allowed = if raised { possible } else { current };
    if raised {
        tracing::info!(from = current, to = allowed, "the limit of open files was raised");
    }
    if allowed < needed {
        tracing::warn!(
            allowed,
            needed,
            "fewer files may be open than all connections would need, and those over it would not be accepted: raise the hard \
             limit (ulimit -Hn, LimitNOFILE=) or lower --max-connections"
        );
    }
}

fn needed(config: &Config) -> u64 {
    let connections = u64::try_from(config.options.limits.connections).unwrap_or(u64::MAX);
    let of_mesh = match &config.mesh {
        MeshConfig::Simulated { listen: None, .. } => 0,
        MeshConfig::Simulated { listen: Some(_), .. } => connections,
        MeshConfig::Envoy(_) => ENVOYS,
    };
    connections.saturating_add(of_mesh).saturating_add(BESIDE)
}
