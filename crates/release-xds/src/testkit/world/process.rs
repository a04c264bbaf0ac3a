//! A process that does what an Envoy does.

use super::motion::Answer;
use crate::control::{Moment, Push, Request, StreamId};
use crate::service::Kind;
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_action::ClusterSpecifier;
use envoy_types::pb::envoy::config::route::v3::{RouteConfiguration, VirtualHost};
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// A process that does what an Envoy does, by `envoy-measured.md`.
#[derive(Default)]
pub(super) struct Process {
    pub(super) name: String,
    /// The name of its route configuration.
    pub(super) route: String,
    /// It has a listener that needs routes.
    pub(super) listens: bool,
    pub(super) stream: Option<StreamId>,
    /// Its streams that the control plane takes for open.
    pub(super) open: BTreeSet<StreamId>,
    /// Those of them on which it has said something after another process of its name had opened one.
    pub(super) noticed: BTreeSet<StreamId>,
    /// Its streams that were open at the same time as one of another process of its name.
    pub(super) overlapped: BTreeSet<StreamId>,
    /// What has not arrived yet, and when it was sent.
    pub(super) inbox: VecDeque<(Moment, Push)>,
    pub(super) outbox: VecDeque<Request>,
    /// The newest nonce of each type that it was sent, and that it has got, on its stream.
    pub(super) sent: BTreeMap<Kind, String>,
    got: BTreeMap<Kind, String>,
    /// The version of each type that it has taken last.
    versions: BTreeMap<Kind, String>,
    /// Its clusters, and until when it keeps them.
    clusters: BTreeMap<String, Option<Moment>>,
    /// When it dropped those that it has no more.
    dropped: BTreeMap<String, Moment>,
    routes: Option<Routes>,
    /// Until when a request to a cluster can be under way.
    busy: BTreeMap<String, Moment>,
    /// Another process has taken its name in a way that nobody can tell from a reconnect: see [`World`](super::World).
    pub(super) hidden: bool,
    /// How long its workers go on by what it had before.
    grace: Duration,
}

/// A route configuration.
struct Routes {
    /// By the names of the services.
    hosts: BTreeMap<String, VirtualHost>,
    /// The clusters that they use, and how long a request to them can take.
    uses: BTreeMap<String, Duration>,
}

impl Process {
    pub(super) fn new(name: &str, route: &str, grace: Duration) -> Self {
        Self { name: name.to_owned(), route: route.to_owned(), grace, listens: true, ..Self::default() }
    }

    /// Another process of the same name: it has nothing. What the control plane takes for open it goes on to take for open.
    pub(super) fn starts_anew(&mut self) {
        let open = std::mem::take(&mut self.open);
        *self = Self { open, ..Self::new(&self.name, &self.route, self.grace) };
    }

    /// It routes nothing any more, but what it has begun may be under way.
    pub(super) fn stops_routing(&mut self, now: Moment) {
        self.uses(now);
        // What nobody knew of is nobody's guess.
        let busy = if self.hidden { BTreeMap::new() } else { std::mem::take(&mut self.busy) };
        self.starts_anew();
        self.busy = busy;
    }

    pub(super) fn connects(&mut self, stream: StreamId) {
        self.stream = Some(stream);
        self.open.insert(stream);
        self.inbox.clear();
        self.asks(Kind::Cluster, None);
        if self.listens {
            self.asks(Kind::Route, None);
        }
    }

    /// Its stream is over.
    pub(super) fn disconnects(&mut self) -> Option<StreamId> {
        self.outbox.clear();
        self.sent.clear();
        self.got.clear();
        self.stream.take()
    }

    /// Asks for what it wants of a type.
    pub(super) fn asks(&mut self, kind: Kind, refusal: Option<String>) {
        if self.stream.is_none() {
            return;
        }
        let names = if kind == Kind::Route && self.listens { vec![self.route.clone()] } else { Vec::new() };
        let version = self.versions.get(&kind).cloned().unwrap_or_default();
        let nonce = self.got.get(&kind).cloned().unwrap_or_default();
        self.outbox.push_back(Request { kind, version, nonce, names, refusal });
    }

    /// Whether the control plane has sent something newer than what the request answers.
    pub(super) fn is_stale(&self, request: &Request) -> bool {
        self.sent.get(&request.kind).map_or("", String::as_str) != request.nonce
    }

    /// `unknown`: the clusters that it may be told to drop although it routes to them.
    pub(super) fn hears(
        &mut self,
        push: &Push,
        answer: Answer,
        now: Moment,
        unknown: &BTreeSet<String>,
    ) -> Result<(), String> {
        self.uses(now);
        match push.kind {
            Kind::Cluster => self.takes_clusters(push, answer, now, unknown)?,
            Kind::Route => self.takes_routes(push, answer)?,
            Kind::Endpoints => {}
        }
        self.got.insert(push.kind, push.nonce.clone());
        let refusal = (answer != Answer::Takes).then(|| "it is out of order".to_owned());
        if refusal.is_none() {
            self.versions.insert(push.kind, push.version.clone());
        }
        self.asks(push.kind, refusal);
        Ok(())
    }

    fn takes_clusters(
        &mut self,
        push: &Push,
        answer: Answer,
        now: Moment,
        unknown: &BTreeSet<String>,
    ) -> Result<(), String> {
        let sent: BTreeMap<_, _> =
            push.resources.iter().map(|(cluster, ttl)| (cluster.name.clone(), ttl.map(|ttl| now + ttl))).collect();
        let kept = |cluster: &String| sent.contains_key(cluster) || unknown.contains(cluster) || self.hidden;
        if let Some(lost) = self.reaches().map(|(cluster, _)| cluster).find(|cluster| !kept(cluster)) {
            return Err(format!("{} routes to {lost}, and is told to drop it", self.name));
        }
        if answer == Answer::Refuses {
            return Ok(());
        }
        // In part: of those that it did not have, each other one.
        let all = answer != Answer::RefusesInPart;
        let had = std::mem::take(&mut self.clusters);
        let gets = |at: usize, name: &String| all || at.is_multiple_of(2) || had.contains_key(name);
        let now_has = sent.into_iter().enumerate().filter(|(at, (name, _))| gets(*at, name));
        self.clusters = now_has.map(|(_, cluster)| cluster).collect();
        let dropped = had.into_keys().filter(|name| !self.clusters.contains_key(name));
        self.dropped.extend(dropped.map(|name| (name, now)));
        Ok(())
    }

    fn takes_routes(&mut self, push: &Push, answer: Answer) -> Result<(), String> {
        for (resource, _) in push.resources.iter().filter(|(resource, _)| resource.name == self.route) {
            if let Some(lacking) = resource.uses.iter().find(|cluster| !self.clusters.contains_key(*cluster)) {
                return Err(format!("{} is given routes to {lacking}, which it does not have", self.name));
            }
            // What it has no listener for it ignores; routes are applied as a whole.
            if self.listens && matches!(answer, Answer::Takes | Answer::RefusesInVain) {
                self.routes = Some(Routes::read(&resource.body.value)?);
                if std::mem::take(&mut self.hidden) {
                    self.busy.clear();
                }
            }
        }
        Ok(())
    }

    /// Gets or loses its listener.
    pub(super) fn listens(&mut self, listens: bool, now: Moment) {
        if self.listens != listens {
            self.uses(now);
            self.listens = listens;
            self.routes = None;
            self.asks(Kind::Route, None);
        }
    }

    /// Time has passed. Returns whether a cluster has ended.
    pub(super) fn passes(&mut self, now: Moment) -> bool {
        let ends = self.clusters.iter().filter_map(|(name, end)| Some((name.clone(), (*end)?)));
        let over: Vec<_> = ends.filter(|(_, end)| *end <= now).collect();
        for (cluster, end) in &over {
            self.uses_one(cluster, *end);
            self.clusters.remove(cluster);
            self.dropped.insert(cluster.clone(), *end);
        }
        self.uses(now);
        !over.is_empty()
    }

    /// The clusters that a request can be given to, and how long it can take.
    fn reaches(&self) -> impl Iterator<Item = (&String, &Duration)> {
        let uses = self.routes.iter().flat_map(|routes| &routes.uses);
        uses.filter(|(cluster, _)| self.clusters.contains_key(*cluster))
    }

    pub(super) fn can_reach(&self, cluster: &str) -> bool {
        self.reaches().any(|(reached, _)| reached == cluster)
    }

    /// Whether a request to the cluster can be under way.
    pub(super) fn is_busy(&self, cluster: &str, now: Moment) -> bool {
        self.busy.get(cluster).is_some_and(|end| *end > now)
    }

    /// Whether it has the cluster, or its workers may go on with it although it has dropped it.
    pub(super) fn has_cluster(&self, cluster: &str, now: Moment) -> bool {
        let lately = |dropped: &Moment| *dropped + self.grace > now;
        self.clusters.contains_key(cluster) || self.dropped.get(cluster).is_some_and(lately)
    }

    /// Whether it has got clusters on its stream.
    pub(super) fn has_heard_of_clusters(&self) -> bool {
        self.got.contains_key(&Kind::Cluster)
    }

    /// Whether it has routes.
    pub(super) fn routes(&self) -> bool {
        self.routes.is_some()
    }

    /// Its routes to a service, if it has routes.
    pub(super) fn host(&self, service: &str) -> Option<&VirtualHost> {
        self.routes.as_ref()?.hosts.get(service)
    }

    /// Until now it gives requests to what it reaches.
    fn uses(&mut self, now: Moment) {
        let reached: Vec<String> = self.reaches().map(|(cluster, _)| cluster.clone()).collect();
        for cluster in reached {
            self.uses_one(&cluster, now);
        }
    }

    fn uses_one(&mut self, cluster: &str, until: Moment) {
        let longest = self.reaches().find(|(reached, _)| *reached == cluster).map(|(_, longest)| *longest);
        if let Some(longest) = longest {
            let busy = self.busy.entry(cluster.to_owned()).or_default();
            *busy = (*busy).max(until + self.grace + longest);
        }
    }
}

impl Routes {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let configuration = RouteConfiguration::decode(bytes).map_err(|error| error.to_string())?;
        let mut uses = BTreeMap::new();
        for route in configuration.virtual_hosts.iter().flat_map(|host| &host.routes) {
            let Some(Action::Route(action)) = &route.action else { continue };
            let longest = action.max_stream_duration.as_ref().and_then(|limits| limits.max_stream_duration.as_ref());
            let longest = longest.and_then(|longest| {
                Some(Duration::new(u64::try_from(longest.seconds).ok()?, u32::try_from(longest.nanos).ok()?))
            });
            let longest = longest.ok_or_else(|| format!("nothing limits requests by {}", route.name))?;
            match &action.cluster_specifier {
                Some(ClusterSpecifier::Cluster(name)) => drop(uses.insert(name.clone(), longest)),
                Some(ClusterSpecifier::WeightedClusters(shares)) => {
                    uses.extend(shares.clusters.iter().map(|share| (share.name.clone(), longest)));
                }
                other => return Err(format!("no cluster is named by {other:?}")),
            }
        }
        let hosts = configuration.virtual_hosts.into_iter().map(|host| (host.name.clone(), host)).collect();
        Ok(Self { hosts, uses })
    }
}
