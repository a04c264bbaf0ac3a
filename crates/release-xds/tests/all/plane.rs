//! The control plane under test, in this process.

use crate::rig::Site;
use release_engine::{Engine, Settings, Store};
use release_store::MemoryStore;
use release_xds::service::ServiceConfig;
use release_xds::{Config, EnvoyMesh, control};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// An engine and a mesh of Envoys.
pub(crate) struct Plane<S = MemoryStore> {
    pub(crate) engine: Engine<S, EnvoyMesh>,
    pub(crate) mesh: EnvoyMesh,
    _folder: TempDir,
}

impl Plane {
    pub(crate) async fn start(site: &Site, settings: control::Settings) -> Self {
        Self::start_with(site, settings, Settings::default()).await
    }

    /// With callers that wait as long as `patience` for the end of a takeover.
    pub(crate) async fn impatient(site: &Site, settings: control::Settings, patience: Duration) -> Self {
        Self::start_with(
            site,
            settings,
            Settings { wait: patience, longest_pause: Duration::from_millis(500), ..Settings::default() },
        )
        .await
    }

    async fn start_with(site: &Site, settings: control::Settings, engine: Settings) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), site, settings, engine, |_| MemoryStore::new()).await
    }
}

impl<S: Store> Plane<S> {
    /// Where nodes look for it already, with the store that `store` makes in a folder.
    pub(crate) async fn start_at(
        address: SocketAddr,
        site: &Site,
        settings: control::Settings,
        engine: Settings,
        store: impl FnOnce(&Path) -> S,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(site, folder.path(), address, settings);
        let mesh = EnvoyMesh::start(config).await.unwrap();
        let engine = Engine::start(store(folder.path()), mesh.clone(), engine).await.unwrap();
        Self { engine, mesh, _folder: folder }
    }
}

/// A configuration whose files are in that folder.
pub(crate) fn config(site: &Site, folder: &Path, listen: SocketAddr, settings: control::Settings) -> Config {
    let services = folder.join("services.toml");
    std::fs::write(
        &services,
        site.services().map(|service| described(&service, &site.retirement.url())).collect::<String>(),
    )
    .unwrap();
    Config { listen, services, state: Some(folder.join("mesh.json")), settings }
}

/// A service as the services file has it.
fn described(service: &ServiceConfig, retire: &str) -> String {
    let name = &service.name;
    let versions = service.versions.iter().map(|(label, version)| {
        let endpoints: Vec<_> = version.endpoints.iter().map(ToString::to_string).collect();
        format!("versions.{label} = {endpoints:?}\n")
    });
    format!(
        r#"[[service]]
mesh = "{}"
namespace = "{}"
name = "{}"
domains = {:?}
serves = "v1"
max-stream-seconds = {}
health-path = "/health"
retire-webhook = "{retire}"
{}
"#,
        name.mesh,
        name.namespace,
        name.service,
        service.domains,
        service.max_stream_duration.as_secs(),
        versions.collect::<String>(),
    )
}
