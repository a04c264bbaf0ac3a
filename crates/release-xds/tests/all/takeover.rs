//! Takeovers under load.

use crate::by_the_book::ByTheBook;
use crate::plane::Plane;
use crate::rig::{LONGEST, Over, Site, Traffic, envoys, failed, misrouted, release_over_and_over};
use release_engine::{Engine, Mesh, Settings};
use release_store::MemoryStore;
use release_testkit::envoy::{EnvoyProcess, Outcome};
use release_xds::control;
use std::sync::Arc;
use std::time::Duration;

const SERVICES: usize = 10;

/// The rounds of each service: more than a hundred takeovers in all.
const ROUNDS: usize = 11;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_takeovers_lose_and_misroute_no_request() {
    let site = Arc::new(Site::start(SERVICES).await);
    let plane = Plane::start(&site, control::Settings { min_nodes: 2, ..control::Settings::default() }).await;
    let envoys = envoys(plane.mesh.address(), 2).await;
    let seen = takeovers(plane.engine.clone(), &site, &envoys, ROUNDS).await;
    assert!(seen.over.len() >= 100);
    assert_eq!(failed(&seen.outcomes), [""; 0]);
    assert_eq!(misrouted(&seen.over, &seen.outcomes), [""; 0]);
    let bound = control::Settings::default().grace + LONGEST;
    assert!(seen.over.iter().all(|over| over.since - over.asked >= bound), "what is under way is waited for");
    assert_eq!(plane.retired().lines().count(), seen.over.len(), "each loser was retired once");
}

/// What a mesh does wrong, the load must show.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_load_shows_that_a_confirmation_is_not_enough() {
    let site = Arc::new(Site::start(SERVICES).await);
    let (mesh, address) = ByTheBook::start(&site, 2, Duration::ZERO);
    let envoys = envoys(address, 2).await;
    let engine = Engine::start(MemoryStore::new(), mesh, Settings::default()).await.unwrap();
    let seen = takeovers(engine, &site, &envoys, 3).await;
    assert!(!misrouted(&seen.over, &seen.outcomes).is_empty(), "requests that were held go to the loser");
    assert_eq!(failed(&seen.outcomes), [""; 0], "as long as it is there, nothing fails");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_takeover_by_the_book_loses_and_misroutes_no_request() {
    let site = Arc::new(Site::start(SERVICES).await);
    let (mesh, address) = ByTheBook::start(&site, 2, Duration::from_millis(250) + LONGEST);
    let envoys = envoys(address, 2).await;
    let engine = Engine::start(MemoryStore::new(), mesh, Settings::default()).await.unwrap();
    let seen = takeovers(engine, &site, &envoys, 3).await;
    assert_eq!(failed(&seen.outcomes), [""; 0]);
    assert_eq!(misrouted(&seen.over, &seen.outcomes), [""; 0]);
}

struct Seen {
    over: Vec<Over>,
    /// Of all requests but those that were to fail.
    outcomes: Vec<(usize, Outcome)>,
}

/// Takes each service over that often, under load: quick requests, slow ones, some that are held before they are routed, and
/// some that fail at v1 and are tried again and again.
async fn takeovers<M: Mesh>(
    engine: Engine<MemoryStore, M>,
    site: &Arc<Site>,
    envoys: &[EnvoyProcess],
    times: usize,
) -> Seen {
    let traffic = |rate, headers: &[_]| Traffic::start(envoys, SERVICES, rate, headers);
    let quick = traffic(8, &[]);
    let slow = traffic(1, &[("x-test-delay-ms", "500")]);
    let held = traffic(1, &[("x-envoy-fault-delay-request", "400")]);
    let again_and_again = [("x-envoy-retry-on", "5xx"), ("x-envoy-max-retries", "12"), ("x-test-fail", "v1")];
    let retried = traffic(1, &again_and_again);
    let over = release_over_and_over(&engine, site, times).await;
    let mut outcomes = Vec::new();
    for traffic in [quick, slow, held] {
        outcomes.extend(traffic.stop().await);
    }
    assert!(retried.stop().await.iter().any(|(_, outcome)| outcome.answer.is_err()), "retries went on and on");
    Seen { over, outcomes }
}
