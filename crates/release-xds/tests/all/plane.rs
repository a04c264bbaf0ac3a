//! The control plane under test, in this process.

use crate::rig::{LONGEST, Site};
use release_engine::{Engine, Settings};
use release_store::MemoryStore;
use release_xds::service::ServiceConfig;
use release_xds::{Config, EnvoyMesh, control};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// An engine and a mesh of Envoys.
pub(crate) struct Plane {
    pub(crate) engine: Engine<MemoryStore, EnvoyMesh>,
    pub(crate) mesh: EnvoyMesh,
    folder: TempDir,
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
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), site, settings, engine).await
    }

    /// Where nodes look for it already.
    pub(crate) async fn start_at(
        address: SocketAddr,
        site: &Site,
        settings: control::Settings,
        engine: Settings,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(site, folder.path(), address, settings);
        let mesh = EnvoyMesh::start(config).await.unwrap();
        let engine = Engine::start(MemoryStore::new(), mesh.clone(), engine).await.unwrap();
        Self { engine, mesh, folder }
    }

    /// What the retire hook was called with, a line for each call.
    pub(crate) fn retired(&self) -> String {
        retired(self.folder.path())
    }
}

/// A configuration whose files are in that folder.
pub(crate) fn config(site: &Site, folder: &Path, listen: SocketAddr, settings: control::Settings) -> Config {
    let services = folder.join("services.toml");
    std::fs::write(&services, site.services().map(|service| described(&service, folder)).collect::<String>()).unwrap();
    Config { listen, services, state: Some(folder.join("mesh.json")), settings }
}

/// What the retire hooks of that folder were called with.
pub(crate) fn retired(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("retired")).unwrap_or_default()
}

/// Has the retire hooks of that folder wait, or go on.
pub(crate) fn hold_retiring(folder: &Path, hold: bool) {
    let file = folder.join("hold");
    if hold { std::fs::write(file, "").unwrap() } else { std::fs::remove_file(file).unwrap() }
}

/// A service as the services file has it, with a hook that writes down that it was called.
fn described(service: &ServiceConfig, folder: &Path) -> String {
    let (name, retired, hold) = (&service.name, folder.join("retired"), folder.join("hold"));
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
retire-command = ["sh", "-c", 'while [ -e {} ]; do sleep 0.02; done; echo "$@" >> {}', "sh"]
{}
"#,
        name.mesh,
        name.namespace,
        name.service,
        service.domains,
        LONGEST.as_secs(),
        hold.display(),
        retired.display(),
        versions.collect::<String>(),
    )
}
