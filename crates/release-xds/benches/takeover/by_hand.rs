//! A takeover by a program that knows nothing but what comes next.

use crate::bare::Bare;
use release_core::{ReleaseKey, ReleaseSpec, ReleaseTask};
use release_engine::{Record, Revision, Store as _, Timestamp};
use release_store::RedbStore;
use release_testkit::envoy::RawClient;
use release_xds::service::Resource;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) struct ByHand {
    store: RedbStore,
    record: Record,
    revision: Revision,
    _folder: TempDir,
}

impl ByHand {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = RedbStore::open(folder.path().join("releases.redb")).unwrap();
        let spec = ReleaseSpec {
            key: ReleaseKey::parse("mesh-1", "shop", "s0-0").unwrap(),
            service: "s0".parse().unwrap(),
            original: "v1".parse().unwrap(),
            grayscale: "v2".parse().unwrap(),
        };
        let task = ReleaseTask::new(spec).unwrap();
        let record = Record { task, metadata: serde_json::json!({}), created: Timestamp::from_millis(0), closed: None };
        let revision = store.create(record.clone()).await.unwrap();
        Self { store, record, revision, _folder: folder }
    }

    /// Puts on record what was decided, asks the survivor whether it is ready, puts that on record, pushes, and puts on record
    /// that as many nodes have confirmed.
    pub(crate) async fn takes_over(
        &mut self,
        bare: &mut Bare,
        route: Resource,
        nodes: usize,
        survivor: SocketAddr,
    ) -> Duration {
        let start = Instant::now();
        self.commits().await;
        let mut client = RawClient::connect(survivor).await.unwrap();
        let response = client.send(b"GET /health HTTP/1.1\r\nhost: survivor\r\n\r\n").await.unwrap();
        assert_eq!(response.status, 200, "it is ready");
        self.commits().await;
        bare.push(route, nodes).await;
        self.commits().await;
        start.elapsed()
    }

    async fn commits(&mut self) {
        self.revision = self.store.replace(self.record.clone(), self.revision).await.unwrap();
    }
}
