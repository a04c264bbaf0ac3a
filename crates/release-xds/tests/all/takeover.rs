//! Takeovers under load.

use crate::by_the_book::ByTheBook;
use crate::rig::{LONGEST, Over, Site, Traffic, envoys, failed, misrouted, release_over_and_over};
use release_engine::{Engine, Mesh, Settings};
use release_store::MemoryStore;
use release_testkit::envoy::{EnvoyProcess, Outcome};
use std::sync::Arc;
use std::time::Duration;

const SERVICES: usize = 6;

/// What a mesh does wrong, the load must show.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_load_shows_that_a_confirmation_is_not_enough() {
    let site = Arc::new(Site::start(SERVICES).await);
    let (mesh, address) = ByTheBook::start(&site, 2, Duration::ZERO).await;
    let envoys = envoys(address, 2).await;
    let seen = takeovers(mesh, &site, &envoys, 3).await;
    assert!(misrouted(&seen.over, &seen.outcomes) > 0, "requests that were held go to the loser");
    assert_eq!(failed(&seen.outcomes), [""; 0], "as long as it is there, nothing fails");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_takeover_by_the_book_loses_and_misroutes_no_request() {
    let site = Arc::new(Site::start(SERVICES).await);
    let (mesh, address) = ByTheBook::start(&site, 2, Duration::from_millis(250) + LONGEST).await;
    let envoys = envoys(address, 2).await;
    let seen = takeovers(mesh, &site, &envoys, 3).await;
    assert_eq!(failed(&seen.outcomes), [""; 0]);
    assert_eq!(misrouted(&seen.over, &seen.outcomes), 0);
}

struct Seen {
    over: Vec<Over>,
    /// Of all requests but those that were to fail.
    outcomes: Vec<(usize, Outcome)>,
}

/// Takes each service over that often, under load: quick requests, slow ones, some that are held before they are routed, and
/// some that fail at v1 and are tried again and again.
async fn takeovers<M: Mesh>(mesh: M, site: &Arc<Site>, envoys: &[EnvoyProcess], times: usize) -> Seen {
    let engine = Engine::start(MemoryStore::new(), mesh, Settings::default()).await.unwrap();
    let traffic = |rate, headers: &[_]| Traffic::start(envoys, SERVICES, rate, headers);
    let quick = traffic(30, &[]);
    let slow = traffic(4, &[("x-test-delay-ms", "600")]);
    let held = traffic(4, &[("x-envoy-fault-delay-request", "400")]);
    let again_and_again = [("x-envoy-retry-on", "5xx"), ("x-envoy-max-retries", "20"), ("x-test-fail", "v1")];
    let retried = traffic(4, &again_and_again);
    let over = release_over_and_over(&engine, site, times).await;
    let mut outcomes = Vec::new();
    for traffic in [quick, slow, held] {
        outcomes.extend(traffic.stop().await);
    }
    assert!(retried.stop().await.iter().any(|(_, outcome)| outcome.answer.is_err()), "retries went on and on");
    Seen { over, outcomes }
}
