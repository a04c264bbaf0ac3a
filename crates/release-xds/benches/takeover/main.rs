//! `cargo xtask bench takeover`: how long a takeover takes from its DELETE, and what a bare control plane needs to have the
//! same nodes acknowledge a route, both in one run; and what the requests notice of it.
//!
//! Real Envoys keep running from the one control plane to the other. Hundreds of them would not fit on one machine: those are
//! simulated nodes that take whatever they are given.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark that can't be run says so by a panic")]

#[path = "../../tests/all/bare.rs"]
mod bare;
#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../../tests/all/plane.rs"]
mod plane;
#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../../tests/all/retirement.rs"]
mod retirement;
#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../../tests/all/rig.rs"]
mod rig;

use bare::Bare;
use plane::Plane;
use release_core::{Phase, Stage};
use release_engine::{Event, Settings};
use release_xds::service::{Kind, Serves, ServiceConfig};
use release_xds::testkit::SimulatedNode;
use release_xds::{control, envoy};
use rig::{LONGEST, Over, Site, Traffic, VERSIONS, failed, label, misrouted, release_over_and_over};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often a bare route is pushed.
const PUSHES: usize = 200;

/// Requests a second to each Envoy, half of them over HTTP/1.1 and half over HTTP/2.
const RATE: u32 = 1_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("milliseconds, median / 99th percentile; no more than {LONGEST:?} for a request, and a grace of 250 ms");
    let heading = ["nodes", "bare push to ACK", "DELETE to confirmed", "ratio", "ready, in it", "routed, in it"];
    let heading = heading.into_iter().chain([
        "drained, past the bound",
        "closed after that",
        "requests/s",
        "p99",
        "failed",
        "misrouted",
    ]);
    println!("{}", heading.collect::<Vec<_>>().join(" | "));
    for (nodes, times) in [(1, 20), (2, 20), (10, 10)] {
        runtime.block_on(real(nodes, times));
    }
    for (nodes, times) in [(100, 10), (1_000, 5)] {
        runtime.block_on(simulated(nodes, times));
    }
}

async fn real(nodes: usize, times: usize) {
    let site = Arc::new(Site::start(1).await);
    let mut bare = bare(&site);
    let (address, start) = (bare.address, Instant::now());
    let envoys = rig::envoys(address, nodes).await;
    bare.acknowledged_by(nodes, start).await;
    let pushes = pushes(&mut bare, &site, nodes).await;
    drop(bare);
    let (plane, moments) = plane(address, &site, nodes).await;
    let rate = RATE / 2 / u32::try_from(nodes).unwrap();
    let (traffic, start) = (Traffic::start(&envoys, 1, rate.max(1), &[]), Instant::now());
    let over = release_over_and_over(&plane.engine, &site, times).await;
    let seconds = start.elapsed().as_secs_f64();
    let outcomes = traffic.stop().await;
    let mut latencies: Vec<_> = outcomes.iter().map(|(_, outcome)| outcome.done - outcome.due).collect();
    let failures = outcomes.iter().filter(|(_, outcome)| outcome.answer.is_err()).count();
    if failures > 0 {
        println!("{:?}", failed(&outcomes));
    }
    let misrouted = misrouted(&over, &outcomes);
    for what in &misrouted {
        println!("{what}");
    }
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let per_second = outcomes.len() as f64 / seconds;
    let requests = [
        format!("{per_second:.0}"),
        millis(percentile(&mut latencies, 99)),
        failures.to_string(),
        misrouted.len().to_string(),
    ];
    report(&format!("{nodes} Envoys"), pushes, &times_of(&over, &moments.lock().unwrap()), &requests);
}

async fn simulated(nodes: usize, times: usize) {
    let site = Arc::new(Site::start(1).await);
    let mut bare = bare(&site);
    let (address, start) = (bare.address, Instant::now());
    let connected = connect(address, nodes).await;
    bare.acknowledged_by(nodes, start).await;
    let pushes = pushes(&mut bare, &site, nodes).await;
    drop((bare, connected));
    let (plane, moments) = plane(address, &site, nodes).await;
    let connected = connect(address, nodes).await;
    for node in &connected {
        assert!(node.has(Kind::Route).await);
    }
    let over = release_over_and_over(&plane.engine, &site, times).await;
    report(
        &format!("{nodes} simulated"),
        pushes,
        &times_of(&over, &moments.lock().unwrap()),
        &["-", "-", "-", "-"].map(str::to_owned),
    );
}

async fn connect(address: SocketAddr, nodes: usize) -> Vec<SimulatedNode> {
    let mut connected = Vec::new();
    for number in 0..nodes {
        connected.push(SimulatedNode::connect(address, &format!("simulated-{number}"), "mesh-1").await.unwrap());
    }
    connected
}

fn bare(site: &Site) -> Bare {
    let services: Vec<_> = site.services().collect();
    Bare::start(
        services.iter().flat_map(envoy::clusters).collect(),
        envoy::route("mesh-1", &services.iter().collect::<Vec<_>>()),
    )
}

async fn pushes(bare: &mut Bare, site: &Site, nodes: usize) -> Vec<Duration> {
    let mut took = Vec::new();
    for number in 0..PUSHES {
        let serves = Serves::One(label(VERSIONS[number % 2]));
        let services: Vec<_> =
            site.services().map(|service| ServiceConfig { serves: serves.clone(), ..service }).collect();
        took.push(bare.push(envoy::route("mesh-1", &services.iter().collect::<Vec<_>>()), nodes).await);
    }
    took
}

/// When each release got where, by its key.
type Moments = Arc<Mutex<BTreeMap<String, BTreeMap<String, Instant>>>>;

async fn plane(address: SocketAddr, site: &Site, nodes: usize) -> (Plane, Moments) {
    let moments = Moments::default();
    let noted = Arc::clone(&moments);
    let observer = Arc::new(move |event: Event<'_>| {
        if let Event::Moved { key, to, .. } = event {
            let to = if let Phase::Closing(_, stage) = to { stage.to_string() } else { "closed".to_owned() };
            noted.lock().unwrap().entry(key.id.to_string()).or_default().insert(to, Instant::now());
        }
    });
    let settings = control::Settings { min_nodes: nodes, ..control::Settings::default() };
    (Plane::start_at(address, site, settings, Settings { observer, ..Settings::default() }).await, moments)
}

/// From the DELETE: until the survivor was ready, until it was confirmed, drained, and closed.
fn times_of(over: &[Over], moments: &BTreeMap<String, BTreeMap<String, Instant>>) -> [Vec<Duration>; 4] {
    let stages = [Stage::Routing, Stage::Draining, Stage::Retiring].map(|stage| stage.to_string());
    let [ready, confirmed, drained] = stages;
    [ready, confirmed, drained, "closed".to_owned()].map(|moment| {
        let of_round = |(round, over): (usize, &Over)| moments[&format!("s0-{round}")][&moment] - over.asked;
        over.iter().enumerate().map(of_round).collect()
    })
}

fn report(
    name: &str,
    mut pushes: Vec<Duration>,
    [ready, confirmed, drained, closed]: &[Vec<Duration>; 4],
    requests: &[String; 4],
) {
    let between = |from: &[Duration], to: &[Duration]| {
        from.iter().zip(to).map(|(from, to)| to.saturating_sub(*from)).collect::<Vec<_>>()
    };
    let ratio = percentile(&mut confirmed.clone(), 50).div_duration_f64(percentile(&mut pushes, 50));
    let bound = LONGEST + control::Settings::default().grace;
    let past_bound = between(confirmed, drained).into_iter().map(|took| took.saturating_sub(bound)).collect();
    let columns = [
        name.to_owned(),
        both(pushes),
        both(confirmed.clone()),
        format!("{ratio:.2}"),
        both(ready.clone()),
        both(between(ready, confirmed)),
        both(past_bound),
        both(between(drained, closed)),
    ];
    println!("{}", columns.into_iter().chain(requests.iter().cloned()).collect::<Vec<_>>().join(" | "));
}

fn both(mut durations: Vec<Duration>) -> String {
    format!("{} / {}", millis(percentile(&mut durations, 50)), millis(percentile(&mut durations, 99)))
}

fn percentile(durations: &mut [Duration], percent: usize) -> Duration {
    durations.sort_unstable();
    durations.get((durations.len() * percent / 100).min(durations.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn millis(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1e3)
}
