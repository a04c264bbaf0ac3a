use release_store::MemoryStore;
use release_testkit::conformance::store;
use std::sync::Arc;

#[tokio::test]
async fn it_is_like_the_model() {
    for seed in 0..100 {
        store::model(&MemoryStore::keeping(2), 2, 150, seed).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_in_races() {
    store::races(Arc::new(MemoryStore::new())).await.unwrap();
}
