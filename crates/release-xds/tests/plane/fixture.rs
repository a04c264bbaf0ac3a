//! What the tests share.

use release_core::{Generation, ReleaseKey, ReleaseSpec, Report, Routing, Step, Version};
use release_engine::Mesh as _;
use release_xds::testkit::SimulatedNode;
use release_xds::{Config, EnvoyMesh, control};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::yield_now;
use tokio::time::timeout;

/// A generous time limit: it ends a test that hangs.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// A mesh of its own, in a folder of its own, with one service whose endpoints accept connections.
pub(crate) struct Fixture {
    pub(crate) mesh: EnvoyMesh,
    folder: TempDir,
    _endpoints: [TcpListener; 2],
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::start_with(control::Settings::default(), "").await
    }

    /// `more`: further lines of the service in the services file.
    pub(crate) async fn start_with(settings: control::Settings, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let endpoints = [listener().await, listener().await];
        let [v1, v2] = [&endpoints[0], &endpoints[1]].map(|listener| listener.local_addr().unwrap());
        let text = format!(
            "[[service]]\nmesh = \"mesh-1\"\nnamespace = \"shop\"\nname = \"cart\"\n\
             serves = \"v1\"\nmax-stream-seconds = 1\n{more}\n\
             versions.v1 = [\"{v1}\"]\nversions.v2 = [\"{v2}\"]\n"
        );
        std::fs::write(services(folder.path()), text).unwrap();
        let mesh = EnvoyMesh::start(config(folder.path(), settings)).await.unwrap();
        Self { mesh, folder, _endpoints: endpoints }
    }

    /// Stops the control plane, and starts another one on the same files.
    pub(crate) async fn restart(&mut self) {
        assert!(self.mesh.shutdown(LIMIT).await);
        self.mesh = EnvoyMesh::start(config(self.folder.path(), control::Settings::default())).await.unwrap();
    }

    /// Performs a step of the release `a` until the report is the wanted one: what is waited for is said after two seconds, and
    /// on a busy machine that may be another node, or the disk.
    pub(crate) async fn performs(&self, step: &Step, wanted: impl Fn(&Report) -> bool) -> Report {
        let mut last = None;
        let performed = async {
            loop {
                let report = self.mesh.perform(&spec("a"), step).await;
                if wanted(&report) {
                    return report;
                }
                last = Some(report);
                // One that fails at once would never let the time be over.
                yield_now().await;
            }
        };
        timeout(LIMIT, performed).await.unwrap_or_else(|_| panic!("{last:?}"))
    }

    pub(crate) async fn two_nodes(&self) -> [SimulatedNode; 2] {
        [self.node("envoy-1").await, self.node("envoy-2").await]
    }

    pub(crate) async fn node(&self, id: &str) -> SimulatedNode {
        SimulatedNode::connect(self.mesh.address(), id, "mesh-1").await.unwrap()
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn services(folder: &Path) -> PathBuf {
    folder.join("services.toml")
}

fn config(folder: &Path, settings: control::Settings) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        services: services(folder),
        state: Some(folder.join("mesh.json")),
        settings,
    }
}

pub(crate) fn spec(id: &str) -> ReleaseSpec {
    ReleaseSpec {
        key: ReleaseKey::parse("mesh-1", "shop", id).unwrap(),
        service: "cart".parse().unwrap(),
        original: "v1".parse().unwrap(),
        grayscale: "v2".parse().unwrap(),
    }
}

pub(crate) fn apply(number: u64, version: Version) -> Step {
    Step::Apply { generation: Generation::new(number), routing: Routing::exclusive(version) }
}
