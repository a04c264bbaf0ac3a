//! Takeovers under load.

use crate::by_the_book::ByTheBook;
use crate::plane::Plane;
use crate::rig::{IN_GROUP, LONGEST, Over, Site, Traffic, VERSIONS, envoys, failed, misrouted, release_over_and_over};
use release_engine::{Engine, Mesh, Settings};
use release_store::MemoryStore;
use release_testkit::envoy::{EnvoyProcess, Outcome, Protocol};
use release_xds::control;
use std::sync::Arc;
use std::time::Duration;

const SERVICES: usize = 10;

/// How late the workers of an Envoy may be here: this machine may have little time for them.
const GRACE: Duration = Duration::from_secs(1);

/// The rounds of each service: more than a hundred takeovers in all.
const ROUNDS: usize = 11;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_takeovers_lose_and_misroute_no_request() {
    let site = Arc::new(Site::start(SERVICES).await);
    let settings = control::Settings { min_nodes: 2, grace: GRACE, ..control::Settings::default() };
    let plane = Plane::start(&site, settings).await;
    let envoys = envoys(plane.mesh.address(), 2).await;
    let seen = takeovers(plane.engine.clone(), &site, &envoys, ROUNDS).await;
    assert!(seen.over.len() >= 100);
    assert_eq!(failed(&seen.outcomes), [""; 0]);
    assert_eq!(misrouted(&seen.over, &seen.outcomes), [""; 0]);
    assert_eq!(site.knocks(), [""; 0], "nothing reaches a version that was retired");
    assert!(seen.over.iter().all(|over| over.since - over.asked >= GRACE + LONGEST), "what is under way is waited for");
    let mut retired = site.retirement.retired();
    retired.sort();
    retired.dedup();
    assert_eq!(retired.len(), seen.over.len(), "each loser was retired");
    assert_eq!(site.retirement.retired().len(), seen.over.len(), "once");
}

/// What a mesh does wrong, the load must show: each of the two kinds of requests that go to the loser although all Envoys have
/// confirmed, by itself, and both without a wait and with one for the workers of an Envoy alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_load_shows_that_a_confirmation_is_not_enough() {
    for drain in [Duration::ZERO, Duration::from_millis(250)] {
        for headers in [&HELD[..], &again_and_again("v1"), &again_and_again("v2")] {
            let site = Arc::new(Site::start(SERVICES).await);
            let (mesh, address) = ByTheBook::start(&site, 2, drain);
            let envoys = envoys(address, 2).await;
            let engine = Engine::start(MemoryStore::new(), mesh, Settings::default()).await.unwrap();
            let traffic = Traffic::start(&envoys, SERVICES, 4, headers);
            release_over_and_over(&engine, &site, 6).await;
            traffic.stop().await;
            assert!(!site.knocks().is_empty(), "with {drain:?}, requests with {headers:?} go to the loser");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_takeover_by_the_book_loses_and_misroutes_no_request() {
    let site = Arc::new(Site::start(SERVICES).await);
    let (mesh, address) = ByTheBook::start(&site, 2, GRACE + LONGEST);
    let envoys = envoys(address, 2).await;
    let engine = Engine::start(MemoryStore::new(), mesh, Settings::default()).await.unwrap();
    let seen = takeovers(engine, &site, &envoys, 3).await;
    assert_eq!(failed(&seen.outcomes), [""; 0]);
    assert_eq!(misrouted(&seen.over, &seen.outcomes), [""; 0]);
    assert_eq!(site.knocks(), [""; 0]);
}

struct Seen {
    over: Vec<Over>,
    /// Of all requests but those that were to fail.
    outcomes: Vec<(usize, Outcome)>,
}

/// Held before they are routed.
const HELD: [(&str, &str); 1] = [("x-envoy-fault-delay-request", "400")];

/// Answered after a while.
const SLOW: [(&str, &str); 1] = [("x-test-delay-ms", "500")];

/// Fail at that version, and are tried again until their time is over.
fn again_and_again(version: &str) -> [(&str, &str); 3] {
    [("x-envoy-retry-on", "5xx"), ("x-envoy-max-retries", "12"), ("x-test-fail", version)]
}

/// Takes each service over that often, under load: quick requests, half of which the rules of a routing apply to, slow ones,
/// some that are held before they are routed, and some that fail at one version and are tried again and again.
async fn takeovers<M: Mesh>(
    engine: Engine<MemoryStore, M>,
    site: &Arc<Site>,
    envoys: &[EnvoyProcess],
    times: usize,
) -> Seen {
    let traffic = |rate, headers: &[_]| Traffic::start(envoys, SERVICES, rate, headers);
    let quick = [traffic(4, &[]), traffic(4, &IN_GROUP)];
    let (slow, held) = (traffic(1, &SLOW), traffic(1, &HELD));
    // Each through one Envoy: they are many requests upstream.
    let retried = VERSIONS.into_iter().zip(envoys);
    let retried = retried
        .map(|(version, envoy)| Traffic::start([envoy], SERVICES, 1, &again_and_again(version)))
        .collect::<Vec<_>>();
    let over = release_over_and_over(&engine, site, times).await;
    let (slow, held) = (slow.stop().await, held.stop().await);
    // Or there was less to lose than it seems.
    assert!(
        answers(&slow).all(|outcome| outcome.done - outcome.sent >= Duration::from_millis(500)),
        "slow ones were slow"
    );
    let mut delays = 0;
    for envoy in envoys {
        delays += envoy.stat("http.http.fault.delays_injected").await.unwrap();
    }
    assert_eq!(delays, u64::try_from(held.len()).unwrap(), "held ones were held");
    let mut outcomes = [slow, held].concat();
    for traffic in quick {
        outcomes.extend(traffic.stop().await);
    }
    for protocol in [Protocol::Http1, Protocol::Http2] {
        assert!(answers(&outcomes).any(|outcome| outcome.protocol == protocol), "{protocol:?} carried some");
    }
    for traffic in retried {
        assert!(traffic.stop().await.iter().any(|(_, outcome)| outcome.answer.is_err()), "retries went on and on");
    }
    assert!(site.retries() > 0, "some were tried again");
    Seen { over, outcomes }
}

fn answers(outcomes: &[(usize, Outcome)]) -> impl Iterator<Item = &Outcome> {
    outcomes.iter().map(|(_, outcome)| outcome).filter(|outcome| outcome.answer.is_ok())
}
