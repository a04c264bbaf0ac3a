//! A store that another embedder of the engine uses, too, with metadata of its own.

use crate::client::{Client, LIMIT, Release};
use crate::in_process::hang_in;
use http::Method;
use release_core::{Action, Phase, ReleaseKey, ReleaseSpec, ReleaseTask, Stage};
use release_engine::{Record, Store as _, Stored, Timestamp};
use release_server::serve::{Options, Server};
use release_store::MemoryStore;
use release_testkit::SimulatedMesh;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_this_servers_hides_nothing_else_and_is_left_as_it_is() {
    let (store, mesh) = (MemoryStore::new(), SimulatedMesh::new(1));
    let key = ReleaseKey::parse("mesh-1", "shop", "foreign").unwrap();
    let spec = ReleaseSpec {
        key: key.clone(),
        service: "catalogue".parse().unwrap(),
        original: "v1".parse().unwrap(),
        grayscale: "v2".parse().unwrap(),
    };
    let metadata = json!({ "owner": "somebody else" });
    let record = Record { task: ReleaseTask::new(spec).unwrap(), metadata, created: Timestamp::now(), closed: None };
    store.create(record).await.unwrap();
    // No delete waits for its end.
    let options = Options { wait: Duration::ZERO, shutdown_limit: LIMIT, ..Options::default() };
    let server = Server::start_on(store.clone(), mesh.clone(), options).await.unwrap();
    let client = Client::new(server.address());

    let own = client.create("cart").await;
    let list = client.get("/v2/meshes/mesh-1/releases").await.ok().json();
    let shown: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| &item["metadata"]["uid"]).collect();
    assert_eq!(shown, [own.path.rsplit('/').next().unwrap()]);

    let path = "/v2/meshes/mesh-1/namespaces/shop/releases/foreign".to_owned();
    let foreign = Release { client: client.clone(), path };
    let before = until(&store, &key, |task| task.phase() == Phase::Running && task.next_step().is_none()).await;
    let update = client.request(Method::PUT, &foreign.path, r#"{"spec":{"imageVersion":"2.0.1"}}"#);
    for answer in [
        foreign.get().await,
        client.send(update).await,
        foreign.put("policy", r#"{"weighted":{"grayscale":50}}"#).await,
    ] {
        assert_eq!(answer.status, 500, "{answer:?}");
    }
    assert_eq!(load(&store, &key).await, before);

    // What is not shown needs not be understood.
    hang_in(&mesh, Stage::Routing);
    foreign.delete("end").await;
    let hangs = Phase::Closing(Action::End, Stage::Routing);
    until(&store, &key, |task| task.phase() == hangs).await;
    assert_eq!(foreign.reopen().await.status, 500);
    assert_eq!(load(&store, &key).await.record.task.phase(), hangs);
    assert!(server.shutdown().await);
}

async fn load(store: &MemoryStore, key: &ReleaseKey) -> Arc<Stored> {
    store.load(key).await.unwrap().unwrap()
}

/// Waits until the task is as wanted.
async fn until(store: &MemoryStore, key: &ReleaseKey, wanted: impl Fn(&ReleaseTask) -> bool) -> Arc<Stored> {
    let reached = async {
        loop {
            let stored = load(store, key).await;
            if wanted(&stored.record.task) {
                return stored;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LIMIT, reached).await.unwrap()
}
