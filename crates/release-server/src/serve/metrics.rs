//! What is counted, and how it is shown to Prometheus.

use http::{Method, StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use release_core::{Action, Phase, ReleaseKey, ReleaseSpec, ReleaseTask, Report, Stage, Step, StepKind};
use release_engine::{Cause, Event, Mesh};
use release_xds::EnvoyMesh;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

/// The type of what [`Metrics::text`] gives.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long a stage takes, in seconds: from a mesh that obeys at once to one that needs an hour to drain.
const STAGE_SECONDS: [f64; 14] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

/// All metrics of a server.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    takeovers: Family<Labels<2>, Counter>,
    stages: Family<Labels<2>, Histogram, fn() -> Histogram>,
    failures: Family<Labels<2>, Counter>,
    store_errors: Counter,
    unclosed: Family<Labels<1>, Gauge>,
    oldest_takeover: Gauge<f64, AtomicU64>,
    requests: Requests,
    in_progress: Gauge,
    connections: Gauge,
    /// The unclosed tasks.
    tasks: Mutex<HashMap<ReleaseKey, Place>>,
}

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// The labels of a request that was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    status: u16,
}

/// Where a task is.
#[derive(Clone, Copy, Debug)]
struct Place {
    phase: Phase,
    /// Since when, if that was seen.
    since: Option<Instant>,
    /// When its takeover began, or was found to be under way.
    takeover: Option<Instant>,
}

impl Metrics {
    /// `envoys`: the mesh, if it is one of Envoys.
    pub(super) fn new(envoys: Option<EnvoyMesh>) -> Self {
        let mut registry = Registry::with_prefix("release");
        if let Some(envoys) = envoys {
            registry.register_collector(Box::new(Envoys(envoys)));
        }
        let metrics = Self {
            takeovers: Family::default(),
            stages: Family::new_with_constructor(|| Histogram::new(STAGE_SECONDS)),
            failures: Family::default(),
            store_errors: Counter::default(),
            unclosed: Family::default(),
            oldest_takeover: Gauge::default(),
            requests: Requests::new(),
            in_progress: Gauge::default(),
            connections: Gauge::default(),
            tasks: Mutex::default(),
            registry: Registry::default(),
        };
        registry.register(
            "takeovers",
            "Takeovers that came to an end: closed, overtaken by a cancel, or reopened",
            metrics.takeovers.clone(),
        );
        registry.register(
            "stage_seconds",
            "How long a stage of a takeover took; those that began before this process did are left out",
            metrics.stages.clone(),
        );
        registry.register(
            "step_failures",
            "Steps that did not succeed and are tried again, by who said so; the log and the release have the words",
            metrics.failures.clone(),
        );
        registry.register(
            "store_errors",
            "Calls of the store that failed or had no answer in time; a write may have happened all the same",
            metrics.store_errors.clone(),
        );
        registry.register("unclosed", "Tasks that are not closed, by phase or stage", metrics.unclosed.clone());
        registry.register_with_unit(
            "oldest_takeover",
            "How long the takeover that began first has been going on, 0 if there is none; one that was found at the start \
             counts from then",
            Unit::Seconds,
            metrics.oldest_takeover.clone(),
        );
        registry.register("http_requests", "Requests that were answered", metrics.requests.family.clone());
        registry.register(
            "http_requests_in_progress",
            "Requests without an answer yet; most of them wait for a takeover",
            metrics.in_progress.clone(),
        );
        registry.register("http_connections", "Connections that are open", metrics.connections.clone());
        Self { registry, ..metrics }
    }

    /// All of them, in the text format that Prometheus reads.
    pub(super) fn text(&self) -> String {
        let (unclosed, oldest) = self.look_at_tasks();
        for (name, number) in unclosed {
            self.unclosed.get_or_create(&[("stage", name)]).set(number);
        }
        self.oldest_takeover.set(oldest.map_or(0.0, |began| began.elapsed().as_secs_f64()));
        let mut text = String::new();
        // Writing to a String never fails.
        encode(&mut text, &self.registry).unwrap_or_default();
        text
    }

    /// Takes note of what the engine did.
    pub(super) fn observe(&self, event: Event<'_>) {
        match event {
            Event::Created { key } => self.place(key, Phase::Deploying, Some(Instant::now())),
            Event::Moved { key, from, to } => self.moved(key, from, to),
            // The kind of reason only: its words have names in them, and whoever asks for metrics needs no credentials.
            Event::Failed { step, cause, .. } => {
                self.failures.get_or_create(&[("step", step_name(step)), ("reason", cause_name(cause))]).inc();
            }
            Event::StoreFailed { .. } => drop(self.store_errors.inc()),
            _ => {}
        }
    }

    /// Takes note of the tasks that are there already.
    fn found(&self, tasks: &[ReleaseTask]) {
        for task in tasks {
            self.place(task.key(), task.phase(), None);
        }
    }

    pub(super) fn answered(&self, method: &Method, status: StatusCode) {
        self.requests.count(method, status);
    }

    /// The number of requests without an answer.
    pub(super) fn in_progress(&self) -> &Gauge {
        &self.in_progress
    }

    /// The number of open connections.
    pub(super) fn connections(&self) -> &Gauge {
        &self.connections
    }

    fn place(&self, key: &ReleaseKey, phase: Phase, since: Option<Instant>) {
        let takeover = matches!(phase, Phase::Closing(..)).then(Instant::now);
        self.tasks().insert(key.clone(), Place { phase, since, takeover });
    }

    fn moved(&self, key: &ReleaseKey, from: Phase, to: Phase) {
        let now = Instant::now();
        let before = {
            let tasks = &mut *self.tasks();
            // A cancel that overtakes an end is a takeover of its own.
            let takeover = match (from, to) {
                (Phase::Closing(before, _), Phase::Closing(action, _)) if before == action => {
                    tasks.get(key).and_then(|place| place.takeover).or(Some(now))
                }
                _ => matches!(to, Phase::Closing(..)).then_some(now),
            };
            let place = Place { phase: to, since: Some(now), takeover };
            if to.is_closed() { tasks.remove(key) } else { tasks.insert(key.clone(), place) }
        };
        let Phase::Closing(action, stage) = from else { return };
        let since = before.filter(|before| before.phase == from).and_then(|before| before.since);
        if let Some(since) = since {
            let labels = [("action", action_name(action)), ("stage", stage_name(stage))];
            self.stages.get_or_create(&labels).observe(now.duration_since(since).as_secs_f64());
        }
        let result = match to {
            Phase::Closed(_) => "closed",
            Phase::Closing(other, _) if other != action => "overtaken",
            Phase::Closing(..) => return,
            Phase::Running | Phase::Deploying => "reopened",
        };
        self.takeovers.get_or_create(&[("action", action_name(action)), ("result", result)]).inc();
    }

    /// How many tasks are in each stage or phase, and when the oldest takeover began.
    fn look_at_tasks(&self) -> ([(&'static str, i64); 6], Option<Instant>) {
        let mut oldest: Option<Instant> = None;
        let mut counts = ["deploying", "running", "preparing", "routing", "draining", "retiring"].map(|name| (name, 0));
        for place in self.tasks().values() {
            oldest = oldest.into_iter().chain(place.takeover).min();
            let name = match place.phase {
                Phase::Deploying => "deploying",
                Phase::Running => "running",
                Phase::Closing(_, stage) => stage_name(stage),
                Phase::Closed(_) => continue,
            };
            counts.iter_mut().filter(|(counted, _)| *counted == name).for_each(|(_, number)| *number += 1);
        }
        (counts, oldest)
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<ReleaseKey, Place>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of those that a gauge counts, as long as it is there.
pub(super) struct Counted<'a>(&'a Gauge);

impl<'a> Counted<'a> {
    pub(super) fn new(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The requests that were answered.
#[derive(Debug)]
struct Requests {
    family: Family<Answered, Counter>,
    /// The counters of the family that were needed, by status, then by method: to look for one in the family takes a lock that
    /// all threads share, for each request.
    counters: Vec<[OnceLock<Counter>; METHODS.len() + 1]>,
}

/// By which requests are counted, and all others together: anybody can invent one.
static METHODS: [Method; 5] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE];

impl Requests {
    fn new() -> Self {
        Self { family: Family::default(), counters: (0..1000).map(|_| Default::default()).collect() }
    }

    fn count(&self, method: &Method, status: StatusCode) {
        let place = METHODS.iter().position(|known| known == method);
        let of_status = self.counters.get(usize::from(status.as_u16()));
        let counter = of_status.and_then(|of_status| of_status.get(place.unwrap_or(METHODS.len())));
        let found = || {
            let method = place.and_then(|place| METHODS.get(place)).map_or("other", Method::as_str);
            self.family.get_or_create(&Answered { method, status: status.as_u16() }).clone()
        };
        if let Some(counter) = counter {
            counter.get_or_init(found).inc();
        }
    }
}

fn action_name(action: Action) -> &'static str {
    match action {
        Action::Cancel => "cancel",
        Action::End => "end",
    }
}

fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Preparing => "preparing",
        Stage::Routing => "routing",
        Stage::Draining => "draining",
        Stage::Retiring => "retiring",
    }
}

fn step_name(step: StepKind) -> &'static str {
    match step {
        StepKind::EnsureReady(_) => "ensure ready",
        StepKind::Apply => "apply",
        StepKind::Drain(_) => "drain",
        StepKind::Retire(_) => "retire",
    }
}

fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::Mesh => "the mesh says why",
        Cause::NoAnswer => "no answer in time",
        Cause::WrongAnswer => "answer to another step",
        Cause::Panic => "panic",
        _ => "other",
    }
}

/// What is read off the mesh whenever somebody looks.
#[derive(Debug)]
struct Envoys(EnvoyMesh);

impl Collector for Envoys {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Envoys that are known, by state; those that are silent or cut off hold up takeovers";
        let mut nodes = encoder.encode_descriptor("nodes", help, None, MetricType::Gauge)?;
        let mut counts = ["connected", "silent", "cut_off"].map(|state| (state, 0_i64));
        for node in self.0.nodes() {
            let now = match (node.connected, node.since) {
                (true, None) => "connected",
                (true, Some(_)) => "silent",
                (false, _) => "cut_off",
            };
            counts.iter_mut().filter(|(state, _)| *state == now).for_each(|(_, count)| *count += 1);
        }
        for (state, count) in counts {
            ConstGauge::new(count).encode(nodes.encode_family(&[("state", state)])?)?;
        }
        let help = "Requests to versions that lost which were in progress when max_stream_duration ended them";
        let cut_off = encoder.encode_descriptor("requests_cut_off", help, None, MetricType::Counter)?;
        ConstCounter::new(self.0.cut_off()).encode(cut_off)
    }
}

/// A mesh that has the tasks counted with which the engine starts.
pub(super) struct CountingMesh<M> {
    pub(super) mesh: M,
    pub(super) metrics: Arc<Metrics>,
}

impl<M: Mesh> Mesh for CountingMesh<M> {
    fn perform(&self, spec: &ReleaseSpec, step: &Step) -> impl Future<Output = Report> + Send {
        self.mesh.perform(spec, step)
    }

    fn restore(&self, tasks: &[ReleaseTask]) -> impl Future<Output = ()> + Send {
        // The engine waits for this before it moves anything.
        self.metrics.found(tasks);
        self.mesh.restore(tasks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_takeover_is_counted_by_how_it_came_to_its_end() {
        let metrics = Metrics::new(None);
        let key = ReleaseKey::parse("mesh-1", "shop", "a").unwrap();
        let moves = [
            (Phase::Running, Phase::Closing(Action::End, Stage::Preparing)),
            (Phase::Closing(Action::End, Stage::Preparing), Phase::Running),
            (Phase::Running, Phase::Closing(Action::End, Stage::Preparing)),
            (Phase::Closing(Action::End, Stage::Preparing), Phase::Closing(Action::End, Stage::Routing)),
            (Phase::Closing(Action::End, Stage::Routing), Phase::Closing(Action::Cancel, Stage::Preparing)),
            (Phase::Closing(Action::Cancel, Stage::Preparing), Phase::Closed(Action::Cancel)),
        ];
        metrics.observe(Event::Created { key: &key });
        for (from, to) in moves {
            metrics.observe(Event::Moved { key: &key, from, to });
        }
        let text = metrics.text();
        for line in [
            r#"release_takeovers_total{action="end",result="reopened"} 1"#,
            r#"release_takeovers_total{action="end",result="overtaken"} 1"#,
            r#"release_takeovers_total{action="cancel",result="closed"} 1"#,
            r#"release_stage_seconds_count{action="end",stage="preparing"} 2"#,
            r#"release_stage_seconds_count{action="end",stage="routing"} 1"#,
            r#"release_stage_seconds_count{action="cancel",stage="preparing"} 1"#,
            r#"release_unclosed{stage="running"} 0"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn requests_are_counted_by_method_and_status() {
        let metrics = Metrics::new(None);
        let invented = Method::from_bytes(b"INVENTED").unwrap();
        for (method, status) in [(Method::PUT, 200), (Method::GET, 200), (Method::PUT, 200), (invented, 999)] {
            metrics.answered(&method, StatusCode::from_u16(status).unwrap());
        }
        let text = metrics.text();
        let mut lines: Vec<&str> =
            text.lines().filter(|line| line.starts_with("release_http_requests_total")).collect();
        lines.sort_unstable();
        let expected = [
            r#"release_http_requests_total{method="GET",status="200"} 1"#,
            r#"release_http_requests_total{method="PUT",status="200"} 2"#,
            r#"release_http_requests_total{method="other",status="999"} 1"#,
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn the_oldest_takeover_counts_from_its_beginning_to_its_end() {
        let metrics = Metrics::new(None);
        let keys = ["a", "b"].map(|id| ReleaseKey::parse("mesh-1", "shop", id).unwrap());
        let moves = |key, from, to| {
            metrics.observe(Event::Moved { key, from, to });
            metrics.look_at_tasks().1
        };
        let [end, cancel] = [Action::End, Action::Cancel].map(|action| move |stage| Phase::Closing(action, stage));
        assert!(metrics.text().lines().any(|line| line == "release_oldest_takeover_seconds 0.0"), "{}", metrics.text());
        let first = moves(&keys[0], Phase::Running, end(Stage::Preparing)).unwrap();
        assert_eq!(moves(&keys[1], Phase::Running, end(Stage::Preparing)), Some(first));
        assert_eq!(
            moves(&keys[0], end(Stage::Preparing), end(Stage::Routing)),
            Some(first),
            "stages are of one takeover"
        );
        let second = moves(&keys[0], end(Stage::Routing), cancel(Stage::Preparing)).unwrap();
        assert!(second > first, "the other one is the oldest now");
        let third = moves(&keys[1], end(Stage::Preparing), Phase::Running).unwrap();
        assert!(third > second);
        assert_eq!(moves(&keys[0], cancel(Stage::Preparing), Phase::Closed(Action::Cancel)), None);
    }
}
