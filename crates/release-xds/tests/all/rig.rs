//! Services behind Envoys, and releases of them.

use crate::retirement::Retirement;
use release_core::{Action, Command, Mode, Percent, Phase, ReleaseKey, ReleaseSpec, Routing, Version, VersionLabel};
use release_engine::{Engine, EngineError, Mesh, Store, Stored};
use release_testkit::envoy::{Bootstrap, EnvoyProcess, Load, Outcome, Protocol, Running, Source, Upstream};
use release_xds::service::{Endpoint, Serves, ServiceConfig, ServiceName, VersionConfig};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long a request may take here, unless a test says otherwise. On a busy machine, nobody may answer for a while.
pub(crate) const LONGEST: Duration = Duration::from_secs(3);

/// The servers of some services, each with the versions v1 and v2.
pub(crate) struct Site {
    /// How long a request may take.
    pub(crate) longest: Duration,
    upstreams: Arc<Vec<[Upstream; 2]>>,
    pub(crate) retirement: Retirement,
}

pub(crate) const VERSIONS: [&str; 2] = ["v1", "v2"];

impl Site {
    pub(crate) async fn start(services: usize) -> Self {
        let mut upstreams = Vec::new();
        for _ in 0..services {
            upstreams.push([Upstream::start("v1").await.unwrap(), Upstream::start("v2").await.unwrap()]);
        }
        let upstreams = Arc::new(upstreams);
        let retirement = Retirement::start(Arc::clone(&upstreams)).await;
        Self { longest: LONGEST, upstreams, retirement }
    }

    pub(crate) fn services(&self) -> impl Iterator<Item = ServiceConfig> {
        self.upstreams.iter().enumerate().map(|(at, upstreams)| {
            let endpoint = |upstream: &Upstream| {
                let (host, port) = (upstream.address().ip().to_string(), upstream.address().port());
                VersionConfig { endpoints: vec![Endpoint { host, port }] }
            };
            let versions = VERSIONS.map(label).into_iter().zip(upstreams.each_ref().map(endpoint));
            ServiceConfig {
                name: ServiceName {
                    mesh: "mesh-1".parse().unwrap(),
                    namespace: "shop".parse().unwrap(),
                    service: service(at).parse().unwrap(),
                },
                domains: vec![host(at)],
                max_stream_duration: self.longest,
                versions: versions.collect::<BTreeMap<_, _>>(),
                serves: Serves::One(label("v1")),
            }
        })
    }

    /// It is gone as after a crash.
    pub(crate) fn kill(&self, service: usize, version: Version) {
        let upstreams = self.upstreams.get(service).unwrap();
        let [v1, v2] = upstreams;
        match version {
            Version::Original => v1.kill(),
            Version::Grayscale => v2.kill(),
        }
    }

    /// Who was asked for something while it was retired. Nothing of that can be excused by a slow client.
    pub(crate) fn knocks(&self) -> Vec<String> {
        let of_service = |(at, upstreams): (usize, &[Upstream; 2])| {
            let knocks = VERSIONS.into_iter().zip(upstreams.each_ref().map(Upstream::knocks));
            let some = knocks.filter(|(_, knocks)| *knocks > 0);
            some.map(|(version, knocks)| format!("{version} of {}: {knocks}", service(at))).collect::<Vec<_>>()
        };
        self.upstreams.iter().enumerate().flat_map(of_service).collect()
    }

    /// How many requests came again to one of the servers after it had failed them.
    pub(crate) fn retries(&self) -> u64 {
        self.upstreams.iter().flatten().map(Upstream::retries).sum()
    }

    pub(crate) fn upstream(&self, service: usize, version: &VersionLabel) -> &Upstream {
        let [v1, v2] = self.upstreams.get(service).unwrap();
        if version.as_str() == VERSIONS[0] { v1 } else { v2 }
    }
}

pub(crate) fn service(at: usize) -> String {
    format!("s{at}")
}

pub(crate) fn host(at: usize) -> String {
    format!("s{at}.shop")
}

pub(crate) fn label(label: &str) -> VersionLabel {
    label.parse().unwrap()
}

/// Envoys that ask that control plane.
pub(crate) async fn envoys(control_plane: SocketAddr, count: usize) -> Vec<EnvoyProcess> {
    let mut envoys = Vec::new();
    for at in 0..count {
        envoys.push(envoy(control_plane, &format!("envoy-{}", at + 1)).await);
    }
    envoys
}

pub(crate) async fn envoy(control_plane: SocketAddr, node: &str) -> EnvoyProcess {
    envoy_with(control_plane, node, Value::Null).await
}

/// With that runtime configuration.
pub(crate) async fn envoy_with(control_plane: SocketAddr, node: &str, runtime: Value) -> EnvoyProcess {
    let source = Source::Ads { control_plane, load_reports: false };
    EnvoyProcess::start(&Bootstrap { runtime, ..Bootstrap::new(node, "mesh-1", source) }).await.unwrap()
}

/// A release that is over: the loser must not answer from `since` to `until`.
#[derive(Debug)]
pub(crate) struct Over {
    pub(crate) service: usize,
    pub(crate) loser: VersionLabel,
    /// When the caller asked for it.
    pub(crate) asked: Instant,
    pub(crate) since: Instant,
    pub(crate) until: Instant,
    /// How many requests reached the loser all the same.
    pub(crate) late: u64,
}

/// Releases all services over and over at the same time, and says when which version had lost.
pub(crate) async fn release_over_and_over<S: Store, M: Mesh>(
    engine: &Engine<S, M>,
    site: &Arc<Site>,
    times: usize,
) -> Vec<Over> {
    let mut services = JoinSet::new();
    for at in 0..site.upstreams.len() {
        let (engine, site) = (engine.clone(), Arc::clone(site));
        services.spawn(async move { release_service(&engine, &site, at, times).await });
    }
    services.join_all().await.into_iter().flatten().collect()
}

async fn release_service<S: Store, M: Mesh>(engine: &Engine<S, M>, site: &Site, at: usize, times: usize) -> Vec<Over> {
    let mut owner = label("v1");
    let mut over = Vec::new();
    for round in 0..times {
        let other = VERSIONS.map(label).into_iter().find(|label| *label != owner).unwrap();
        site.upstream(at, &other).revive();
        let release = Release::new(at, round, &owner, &other);
        release.start_with(engine, routing(round)).await;
        // Each version is the loser of either.
        let action = if (round + at).is_multiple_of(2) { Action::End } else { Action::Cancel };
        let asked = Instant::now();
        release.delete(engine, action).await.unwrap();
        let done = Instant::now();
        let (survivor, loser) = if action == Action::End { (other, owner) } else { (owner, other) };
        let upstream = site.upstream(at, &loser);
        let before = upstream.requests();
        sleep(AFTER).await;
        let late = upstream.requests() - before;
        over.push(Over { service: at, loser, asked, since: done, until: Instant::now(), late });
        owner = survivor;
    }
    over
}

/// The header and the cookie of the requests that rules give to the grayscale version.
pub(crate) const IN_GROUP: [(&str, &str); 2] = [("x-group", "beta"), ("cookie", "theme=dark; group=beta")];

/// What a takeover starts from: half of all requests, those with a header or those with a cookie at the grayscale version.
fn routing(round: usize) -> Routing {
    let rule = match round % 3 {
        0 => return half(),
        1 => json!({"header": {"name": "x-group", "value": {"exact": "beta"}}}),
        _ => json!({"cookie": {"name": "group", "value": {"regex": "bet[ab]"}}}),
    };
    serde_json::from_value(json!({"content": [[rule]]})).unwrap()
}

fn half() -> Routing {
    Routing::weighted(Percent::new(50).unwrap())
}

/// How long a loser is watched after it was retired.
const AFTER: Duration = Duration::from_millis(100);

/// A release of a service.
pub(crate) struct Release {
    pub(crate) spec: ReleaseSpec,
}

impl Release {
    pub(crate) fn new(at: usize, round: usize, original: &VersionLabel, grayscale: &VersionLabel) -> Self {
        let key = ReleaseKey::parse("mesh-1", "shop", &format!("s{at}-{round}")).unwrap();
        let (original, grayscale) = (original.clone(), grayscale.clone());
        Self { spec: ReleaseSpec { key, service: service(at).parse().unwrap(), original, grayscale } }
    }

    /// Creates it and waits until half of the requests go to the grayscale version.
    pub(crate) async fn start<S: Store, M: Mesh>(&self, engine: &Engine<S, M>) {
        self.start_with(engine, half()).await;
    }

    async fn start_with<S: Store, M: Mesh>(&self, engine: &Engine<S, M>, routing: Routing) {
        engine.create(self.spec.clone(), json!({})).await.unwrap();
        self.until(engine, |stored| stored.record.task.phase() == Phase::Running).await;
        engine.command(&self.spec.key, Command::SetRouting(routing.clone())).await.unwrap();
        self.until(engine, |stored| stored.record.task.confirmed().routing == routing).await;
    }

    pub(crate) async fn delete<S: Store, M: Mesh>(
        &self,
        engine: &Engine<S, M>,
        action: Action,
    ) -> Result<Arc<Stored>, EngineError> {
        engine.delete(&self.spec.key, action, Mode::Perform).await
    }

    /// Waits until the stored release is as wanted.
    pub(crate) async fn until<S: Store, M: Mesh>(
        &self,
        engine: &Engine<S, M>,
        wanted: impl Fn(&Stored) -> bool,
    ) -> Arc<Stored> {
        let wait = async {
            loop {
                let stored = engine.get(&self.spec.key).await.unwrap();
                if wanted(&stored) {
                    return stored;
                }
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(Duration::from_secs(30), wait).await.unwrap()
    }
}

/// Load on each of the services through each of the Envoys.
pub(crate) struct Traffic {
    running: Vec<(usize, Running)>,
    rate: u32,
    since: Instant,
}

impl Traffic {
    /// `rate`: of each protocol, service and Envoy, in requests a second.
    pub(crate) fn start<'a>(
        envoys: impl IntoIterator<Item = &'a EnvoyProcess>,
        services: usize,
        rate: u32,
        headers: &[(&str, &str)],
    ) -> Self {
        let mut running = Vec::new();
        for envoy in envoys {
            for (at, protocol) in (0..services).flat_map(|at| [(at, Protocol::Http1), (at, Protocol::Http2)]) {
                let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
                let load = Load { address: envoy.address(), protocol, rate, host: host(at), headers };
                running.push((at, load.start()));
            }
        }
        Self { running, rate, since: Instant::now() }
    }

    /// What came of the requests, with their service. There must have been some: at least half of what was due.
    pub(crate) async fn stop(self) -> Vec<(usize, Outcome)> {
        let due = self.since.elapsed().as_secs_f64() * f64::from(self.rate);
        self.running.iter().for_each(|(_, running)| running.halt());
        let mut outcomes = Vec::new();
        for (at, running) in self.running {
            let of_one = running.stop().await;
            let sent = of_one.len();
            assert!(sent > 0 && f64::from(u32::try_from(sent).unwrap()) >= due / 2.0, "{sent} of {due} requests");
            outcomes.extend(of_one.into_iter().map(|outcome| (at, outcome)));
        }
        outcomes
    }
}

/// What failed, each kind with how often it did.
pub(crate) fn failed(outcomes: &[(usize, Outcome)]) -> Vec<String> {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for failure in outcomes.iter().filter_map(|(_, outcome)| outcome.answer.as_ref().err()) {
        *kinds.entry(failure).or_default() += 1;
    }
    kinds.into_iter().map(|(kind, times)| format!("{times} of {}: {kind}", outcomes.len())).collect()
}

/// What a loser answered although it was sent when the release was over, and what it got although it was over: each with
/// when that was. Only what was answered before the next release of the service counts: a client that stalls reads late. What
/// was sent before and came too late is for [`Site::knocks`].
pub(crate) fn misrouted(over: &[Over], outcomes: &[(usize, Outcome)]) -> Vec<String> {
    let mut found = Vec::new();
    for over in over {
        let (loser, service) = (&over.loser, service(over.service));
        let took = over.since - over.asked;
        if over.late > 0 {
            found
                .push(format!("{loser} of {service} got {} requests after a takeover of {took:?} was over", over.late));
        }
        let after = |outcome: &Outcome| over.since < outcome.sent && outcome.done < over.until;
        let by_loser = |outcome: &Outcome| outcome.answer.as_deref() == Ok(loser.as_str());
        let mine = outcomes.iter().filter(|(service, _)| *service == over.service).map(|(_, outcome)| outcome);
        found.extend(mine.filter(|outcome| after(outcome) && by_loser(outcome)).map(|outcome| {
            let (sent, took) = (outcome.sent - over.since, outcome.done - outcome.sent);
            format!(
                "{loser} of {service} answered a request that was sent {sent:?} after the release was over, in {took:?}"
            )
        }));
    }
    found
}
