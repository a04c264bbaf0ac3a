//! `cargo xtask bench takeover`: how long a takeover takes from its DELETE, and what a bare control plane needs to have the
//! same nodes acknowledge a route, both in one run; and what the requests notice of it.
//!
//! Real Envoys keep running from the one control plane to the other. Hundreds of them would not fit on one machine: those are
//! simulated nodes that take whatever they are given.
//!
//! Issue 5 wanted a takeover confirmed within 1.2 bare pushes. No takeover that keeps its promises can be: the decision is
//! durable before anything is done for it, the survivor has said that it is ready, and is on record as that, before traffic moves
//! to it, and that all nodes have confirmed is on record before anybody is told. So the bench does the same **by hand** as well:
//! a program that knows nothing but what comes next writes to the same disk, asks the survivor, writes, pushes, and writes. What
//! a takeover takes on top of that is the control plane's and the engine's own: it must stay within `MOST`, and the ratio to a
//! bare push is printed beside it. On a RAM disk (`TMPDIR=/dev/shm`) the writes are free.
//!
//! Simulated nodes are in this process, and share the threads of the control plane, while the bare one has a thread of its own:
//! they show that the work for each node stays the same however many there are, within `MOST_SIMULATED`.
//!
//! It fails if a takeover takes much longer than by hand, or if a request failed or was misrouted.

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

mod by_hand;

use bare::Bare;
use by_hand::ByHand;
use plane::Plane;
use release_core::{Phase, Stage};
use release_engine::{Event, Settings};
use release_store::RedbStore;
use release_testkit::envoy::Outcome;
use release_xds::service::{Kind, Resource, Serves, ServiceConfig};
use release_xds::testkit::SimulatedNode;
use release_xds::{control, envoy};
use rig::{LONGEST, Over, Site, Traffic, VERSIONS, failed, label, misrouted, release_over_and_over};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often a bare route is pushed.
const PUSHES: usize = 200;

/// Requests a second to all Envoys together, half of them over HTTP/1.1 and half over HTTP/2.
const RATE: u32 = 1_000;

/// How long load is measured while nothing happens.
const QUIET: Duration = Duration::from_secs(5);

/// How often a takeover is made by hand.
const BY_HAND: usize = 50;

/// The most that a takeover may need from its DELETE to the last confirmation, in takeovers by hand of the same run.
const MOST: f64 = 1.2;

/// The same for simulated nodes.
const MOST_SIMULATED: f64 = 3.0;

/// What was not reached, a line each.
type Misses = Vec<String>;

fn main() -> ExitCode {
    let misses = run();
    for miss in &misses {
        println!("missed: {miss}");
    }
    if misses.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run() -> Misses {
    let mut misses = Misses::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!(
        "milliseconds, median / 99th percentile, or the maximum of less than {FEW}; no more than {LONGEST:?} for a request, and \
         a grace of 250 ms; releases are stored with redb"
    );
    let heading = [
        "nodes",
        "bare push to ACK",
        "by hand",
        "DELETE to confirmed",
        "to by hand",
        "to a bare push",
        "ready, in it",
        "routed, in it",
        "DELETE to drained",
        "past the bound",
        "DELETE to closed",
        "requests/s, quiet",
        "during takeovers",
        "latency, quiet",
        "during takeovers",
        "failed",
        "misrouted",
    ];
    println!("{}", heading.join(" | "));
    for (nodes, times) in [(1, 20), (2, 20), (10, 10)] {
        misses.extend(runtime.block_on(real(nodes, times)));
    }
    for (nodes, times) in [(100, 10), (1_000, 5)] {
        let (needed, files) = (2 * nodes + 200, open_files());
        if files < needed {
            misses.push(format!("{nodes} simulated nodes need {needed} open files, not {files}: see `ulimit -n`"));
        } else {
            misses.extend(runtime.block_on(simulated(nodes, times)));
        }
    }
    misses
}

/// How many files this process may have open.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
    limit.unwrap().parse().unwrap_or(usize::MAX)
}

async fn real(nodes: usize, times: usize) -> Misses {
    let site = Arc::new(Site::start(1).await);
    let mut bare = bare(&site);
    let (address, start) = (bare.address, Instant::now());
    let envoys = rig::envoys(address, nodes).await;
    bare.acknowledged_by(nodes, start).await;
    let load = || Traffic::start(&envoys, 1, (RATE / 2 / u32::try_from(nodes).unwrap()).max(1), &[]);
    // Under the same load as takeovers.
    let traffic = load();
    let bare_times = bare_times(&mut bare, &site, nodes).await;
    traffic.stop().await;
    drop(bare);
    let (plane, moments) = plane(address, &site, nodes).await;
    let (traffic, start) = (load(), Instant::now());
    tokio::time::sleep(QUIET).await;
    let quiet = Requests::new(start.elapsed(), traffic.stop().await);
    let (traffic, start) = (load(), Instant::now());
    let over = release_over_and_over(&plane.engine, &site, times).await;
    let during = Requests::new(start.elapsed(), traffic.stop().await);
    let (failed, mut misrouted) = (failed(&during.outcomes), misrouted(&over, &during.outcomes));
    misrouted.extend(site.knocks());
    let requests = [
        quiet.per_second(),
        during.per_second(),
        quiet.latency(),
        during.latency(),
        during.outcomes.iter().filter(|(_, outcome)| outcome.answer.is_err()).count().to_string(),
        misrouted.len().to_string(),
    ];
    let name = format!("{nodes} Envoys");
    let missed = report(&name, MOST, bare_times, &times_of(&over, &moments.lock().unwrap()), &requests);
    missed.into_iter().chain([failed, misrouted].concat()).map(|miss| format!("{name}: {miss}")).collect()
}

/// What came of the requests of some time.
struct Requests {
    elapsed: Duration,
    outcomes: Vec<(usize, Outcome)>,
}

impl Requests {
    fn new(elapsed: Duration, outcomes: Vec<(usize, Outcome)>) -> Self {
        Self { elapsed, outcomes }
    }

    #[expect(clippy::cast_precision_loss, reason = "for people")]
    fn per_second(&self) -> String {
        format!("{:.0}", self.outcomes.len() as f64 / self.elapsed.as_secs_f64())
    }

    fn latency(&self) -> String {
        both(self.outcomes.iter().map(|(_, outcome)| outcome.done - outcome.due).collect())
    }
}

async fn simulated(nodes: usize, times: usize) -> Misses {
    let site = Arc::new(Site::start(1).await);
    let mut bare = bare(&site);
    let (address, start) = (bare.address, Instant::now());
    let connected = connect(address, nodes).await;
    bare.acknowledged_by(nodes, start).await;
    let bare_times = bare_times(&mut bare, &site, nodes).await;
    drop((bare, connected));
    let (plane, moments) = plane(address, &site, nodes).await;
    let connected = connect(address, nodes).await;
    for node in &connected {
        assert!(node.has(Kind::Route).await);
    }
    let over = release_over_and_over(&plane.engine, &site, times).await;
    let (name, times) = (format!("{nodes} simulated"), times_of(&over, &moments.lock().unwrap()));
    let missed = report(&name, MOST_SIMULATED, bare_times, &times, &["-"; 6].map(str::to_owned));
    missed.into_iter().map(|miss| format!("{name}: {miss}")).collect()
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

/// Of bare pushes, and of takeovers by hand.
async fn bare_times(bare: &mut Bare, site: &Site, nodes: usize) -> [Vec<Duration>; 2] {
    let (mut pushes, mut by_hand) = (Vec::new(), Vec::new());
    for number in 0..PUSHES {
        pushes.push(bare.push(route(site, number), nodes).await);
    }
    let mut hand = ByHand::start().await;
    for number in 0..BY_HAND {
        let survivor = site.upstream(0, &label(VERSIONS[number % 2])).address();
        by_hand.push(hand.takes_over(bare, route(site, number), nodes, survivor).await);
    }
    [pushes, by_hand]
}

/// All requests to one version, and to the other the next time.
fn route(site: &Site, number: usize) -> Resource {
    let serves = Serves::One(label(VERSIONS[number % 2]));
    let services: Vec<_> = site.services().map(|service| ServiceConfig { serves: serves.clone(), ..service }).collect();
    envoy::route("mesh-1", &services.iter().collect::<Vec<_>>())
}

/// When each release got where, by its key.
type Moments = Arc<Mutex<BTreeMap<String, BTreeMap<String, Instant>>>>;

async fn plane(address: SocketAddr, site: &Site, nodes: usize) -> (Plane<RedbStore>, Moments) {
    let moments = Moments::default();
    let noted = Arc::clone(&moments);
    let observer = Arc::new(move |event: Event<'_>| {
        if let Event::Moved { key, to, .. } = event {
            let to = if let Phase::Closing(_, stage) = to { stage.to_string() } else { "closed".to_owned() };
            noted.lock().unwrap().entry(key.id.to_string()).or_default().insert(to, Instant::now());
        }
    });
    let settings = control::Settings { min_nodes: nodes, ..control::Settings::default() };
    let engine = Settings { observer, ..Settings::default() };
    let store = |folder: &Path| RedbStore::open(folder.join("releases.redb")).unwrap();
    (Plane::start_at(address, site, settings, engine, store).await, moments)
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

/// Prints a line, and says if the ratio is too large.
fn report(
    name: &str,
    most: f64,
    [mut pushes, mut by_hand]: [Vec<Duration>; 2],
    [ready, confirmed, drained, closed]: &[Vec<Duration>; 4],
    requests: &[String; 6],
) -> Option<String> {
    let between = |from: &[Duration], to: &[Duration]| {
        from.iter().zip(to).map(|(from, to)| to.saturating_sub(*from)).collect::<Vec<_>>()
    };
    let median = percentile(&mut confirmed.clone(), 50);
    let ratio = median.div_duration_f64(percentile(&mut by_hand, 50));
    let to_push = median.div_duration_f64(percentile(&mut pushes, 50));
    let bound = LONGEST + control::Settings::default().grace;
    let past_bound = between(confirmed, drained).into_iter().map(|took| took.saturating_sub(bound)).collect();
    let columns = [
        name.to_owned(),
        both(pushes),
        both(by_hand),
        both(confirmed.clone()),
        format!("{ratio:.2}"),
        format!("{to_push:.2}"),
        both(ready.clone()),
        both(between(ready, confirmed)),
        both(drained.clone()),
        both(past_bound),
        both(closed.clone()),
    ];
    println!("{}", columns.into_iter().chain(requests.iter().cloned()).collect::<Vec<_>>().join(" | "));
    (ratio > most)
        .then(|| format!("a takeover takes {ratio:.2} times as long as by hand until it is confirmed, not {most}"))
}

/// Fewer samples have no 99th percentile.
const FEW: usize = 100;

fn both(mut durations: Vec<Duration>) -> String {
    let high = if durations.len() < FEW { 100 } else { 99 };
    format!("{} / {}", millis(percentile(&mut durations, 50)), millis(percentile(&mut durations, high)))
}

fn percentile(durations: &mut [Duration], percent: usize) -> Duration {
    durations.sort_unstable();
    durations.get((durations.len() * percent / 100).min(durations.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn millis(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1e3)
}
