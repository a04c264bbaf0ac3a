//! A mesh in a few lines on the bare control plane: what it leaves out, the load must show.

use crate::bare::Bare;
use crate::rig::Site;
use release_core::{ReleaseSpec, Report, Step, Version, VersionLabel, Witnesses};
use release_engine::Mesh;
use release_xds::envoy;
use release_xds::service::{Resource, Serves, ServiceConfig, ServiceName};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Pushes routes to a number of nodes, waits until all have acknowledged them, and waits as long as it is told to.
pub(crate) struct ByTheBook {
    site: Arc<Site>,
    state: Mutex<State>,
    nodes: usize,
    drain: Duration,
}

struct State {
    bare: Bare,
    services: BTreeMap<ServiceName, ServiceConfig>,
}

impl ByTheBook {
    pub(crate) fn start(site: &Arc<Site>, nodes: usize, drain: Duration) -> (Self, std::net::SocketAddr) {
        let services: BTreeMap<_, _> = site.services().map(|service| (service.name.clone(), service)).collect();
        let clusters = services.values().flat_map(envoy::clusters).collect();
        let bare = Bare::start(clusters, routes(&services));
        let address = bare.address;
        (Self { site: Arc::clone(site), state: Mutex::new(State { bare, services }), nodes, drain }, address)
    }

    async fn apply(&self, spec: &ReleaseSpec, serves: Serves) {
        let mut state = self.state.lock().await;
        let State { bare, services } = &mut *state;
        let service = services.values_mut().find(|service| service.name.service == spec.service).unwrap();
        service.serves = serves;
        bare.push(routes(services), self.nodes).await;
    }
}

impl Mesh for ByTheBook {
    async fn perform(&self, spec: &ReleaseSpec, step: &Step) -> Report {
        match step {
            Step::EnsureReady { .. } => {}
            Step::Apply { routing, .. } => {
                let (original, grayscale) = (spec.original.clone(), spec.grayscale.clone());
                self.apply(spec, Serves::Release { original, grayscale, routing: routing.clone() }).await;
            }
            Step::Drain { .. } => tokio::time::sleep(self.drain).await,
            Step::Retire { version, .. } => {
                self.apply(spec, Serves::One(survivor(spec, *version))).await;
                let service = spec.service.as_str().trim_start_matches('s').parse().unwrap();
                self.site.upstream(service, spec.label(*version)).retire();
            }
        }
        step.succeeded(Witnesses::one("all"), "it took long enough")
    }
}

fn survivor(spec: &ReleaseSpec, loser: Version) -> VersionLabel {
    match loser {
        Version::Original => spec.grayscale.clone(),
        Version::Grayscale => spec.original.clone(),
    }
}

fn routes(services: &BTreeMap<ServiceName, ServiceConfig>) -> Resource {
    envoy::route("mesh-1", &services.values().collect::<Vec<_>>())
}
