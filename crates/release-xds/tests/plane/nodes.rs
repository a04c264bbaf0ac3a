//! Nodes that come, go and come back, told to a control plane without a connection.

use crate::fixture::spec;
use release_core::{Generation, ReleaseSpec, Routing, Version};
use release_xds::control::service_of;
use release_xds::control::{
    Control, Declared, Memory, Moment, Obstacle, Progress, Push, Request, Settings, StepError, StreamId,
};
use release_xds::service::{Endpoint, Kind, ServiceName, VersionConfig};
use std::time::Duration;

/// At that second.
const fn at(second: u64) -> Moment {
    Moment::new(Duration::from_secs(second))
}

/// A control plane of one service, whose longest request takes a second.
fn control(settings: Settings, memory: Memory, now: Moment) -> Control {
    let mut control = Control::new(settings, memory, now);
    control.declare(vec![declared()]).unwrap();
    control.open();
    control
}

fn declared() -> Declared {
    let spec = spec("a");
    let version = || VersionConfig { endpoints: vec![Endpoint { host: "127.0.0.1".into(), port: 1 }] };
    Declared {
        name: service_of(&spec),
        domains: vec!["cart.shop".into()],
        max_stream_duration: Duration::from_secs(1),
        versions: [(spec.original.clone(), version()), (spec.grayscale.clone(), version())].into(),
        serves: spec.original,
    }
}

fn started() -> Control {
    control(Settings::default(), Memory::default(), at(0))
}

/// The first requests of a stream; `version`: empty if the node has nothing yet.
fn connect(control: &mut Control, node: &str, version: &str, now: Moment) -> StreamId {
    let stream = control.connected(node, now).unwrap();
    for kind in [Kind::Cluster, Kind::Route] {
        control.request(stream, &request(kind, version, ""), now);
    }
    stream
}

fn request(kind: Kind, version: &str, nonce: &str) -> Request {
    let names = if kind == Kind::Route { vec!["mesh-1".to_owned()] } else { Vec::new() };
    Request { kind, version: version.to_owned(), nonce: nonce.to_owned(), names, refusal: None }
}

fn takes(control: &mut Control, push: &Push, now: Moment) {
    control.request(push.stream, &request(push.kind, &push.version, &push.nonce), now);
}

fn refuses(control: &mut Control, push: &Push, now: Moment) {
    let refusal = Some("no".to_owned());
    control.request(push.stream, &Request { refusal, ..request(push.kind, "1", &push.nonce) }, now);
}

/// What is sent once what is remembered is saved.
fn pushes(control: &mut Control, now: Moment) -> Vec<Push> {
    let mut pushes = control.pushes(now);
    save(control);
    pushes.extend(control.pushes(now));
    pushes
}

fn save(control: &mut Control) {
    if let Some(number) = control.unsaved() {
        control.saved(number);
    }
}

/// All that is sent to those streams is taken, until nothing is sent to them any more.
fn settle(control: &mut Control, streams: &[StreamId], now: Moment) {
    loop {
        let pushes = pushes(control, now);
        let mine: Vec<_> = pushes.iter().filter(|push| streams.contains(&push.stream)).collect();
        if mine.is_empty() {
            return;
        }
        for push in mine {
            takes(control, push, now);
        }
    }
}

fn apply(control: &mut Control, generation: u64, version: Version) {
    control.apply(&spec("a"), Generation::new(generation), &Routing::exclusive(version)).unwrap();
    save(control);
}

fn is_confirmed(control: &Control, now: Moment) -> bool {
    matches!(control.confirmed(&spec("a"), now), Progress::Done(_))
}

fn is_drained(control: &Control, now: Moment) -> bool {
    matches!(control.drained(&spec("a"), Version::Original, now), Progress::Done(_))
}

fn retire(control: &mut Control, now: Moment) -> Result<(), StepError> {
    let spec: ReleaseSpec = spec("a");
    let retired = control.retire(&spec, Version::Original, now);
    save(control);
    retired
}

#[test]
fn a_node_that_comes_back_after_the_drain_is_waited_for_again() {
    let mut control = started();
    let streams = [connect(&mut control, "envoy-1", "", at(0)), connect(&mut control, "envoy-2", "", at(0))];
    settle(&mut control, &streams, at(0));
    control.closed(streams[1], at(1));
    control.forget("envoy-2", at(1)).unwrap();
    apply(&mut control, 3, Version::Grayscale);
    settle(&mut control, &streams, at(1));
    assert!(is_confirmed(&control, at(10)) && is_drained(&control, at(10)));
    // It was there all the time, with the old routes.
    let back = connect(&mut control, "envoy-2", "old", at(10));
    let refused = retire(&mut control, at(10)).unwrap_err().to_string();
    assert_eq!(refused, "version v1 is not drained: node envoy-2 may still route to it");
    settle(&mut control, &[back], at(11));
    let refused = retire(&mut control, at(11)).unwrap_err().to_string();
    assert_eq!(refused, "version v1 is not drained: a request to it may still be in progress");
    retire(&mut control, at(13)).unwrap();
}

#[test]
fn a_refused_withdrawal_is_sent_again() {
    let mut control = started();
    let stream = connect(&mut control, "envoy-1", "", at(0));
    apply(&mut control, 3, Version::Grayscale);
    settle(&mut control, &[stream], at(0));
    retire(&mut control, at(5)).unwrap();
    for push in pushes(&mut control, at(5)) {
        match push.kind {
            Kind::Cluster => refuses(&mut control, &push, at(5)),
            _ => takes(&mut control, &push, at(5)),
        }
    }
    assert_eq!(pushes(&mut control, at(5)), []);
    assert!(matches!(control.withdrawn(&spec("a"), Version::Original, at(5)), Progress::Refused { .. }));
    retire(&mut control, at(6)).unwrap();
    settle(&mut control, &[stream], at(6));
    assert_eq!(control.withdrawn(&spec("a"), Version::Original, at(7)), Progress::Done(()));
}

#[test]
fn workloads_go_a_grace_after_the_last_node_has_dropped_their_cluster_and_nothing_else_puts_that_off() {
    let mut control = started();
    let [first, second] = ["envoy-1", "envoy-2"].map(|node| connect(&mut control, node, "", at(0)));
    apply(&mut control, 3, Version::Grayscale);
    settle(&mut control, &[first, second], at(0));
    let withdrawn = |control: &Control, now| control.withdrawn(&spec("a"), Version::Original, now);
    retire(&mut control, at(5)).unwrap();
    settle(&mut control, &[first], at(5));
    assert!(matches!(withdrawn(&control, at(7)), Progress::Waiting(waiting) if waiting.blockers.len() == 1));
    // What was sent to both is not taken by the second before now.
    control.closed(second, at(7));
    let second = connect(&mut control, "envoy-2", "old", at(8));
    settle(&mut control, &[second], at(8));
    let end = at(8) + Settings::default().grace;
    let mut later = declared();
    later.versions.values_mut().for_each(|version| version.endpoints[0].port = 2);
    control.declare(vec![later]).unwrap();
    settle(&mut control, &[first, second], end);
    let early = at(8) + Settings::default().grace / 2;
    assert!(matches!(withdrawn(&control, early), Progress::Waiting(waiting) if waiting.until == Some(end)));
    assert_eq!(withdrawn(&control, end), Progress::Done(()));
}

#[test]
fn two_nodes_of_one_name_are_seen_and_the_one_that_is_cut_off_counts() {
    let mut control = started();
    let first = connect(&mut control, "envoy-1", "", at(0));
    let second = connect(&mut control, "envoy-1", "", at(0));
    settle(&mut control, &[first, second], at(0));
    assert!(control.nodes()[0].duplicate);
    control.closed(first, at(1));
    apply(&mut control, 3, Version::Grayscale);
    settle(&mut control, &[second], at(1));
    let Progress::Waiting(waiting) = control.confirmed(&spec("a"), at(10)) else { panic!("it is confirmed") };
    assert_eq!(waiting.blockers[0].obstacle, Obstacle::Duplicate);
    assert!(!is_drained(&control, at(10)));
    // It is back under a name of its own, and so is the other one.
    control.closed(second, at(11));
    let back = connect(&mut control, "envoy-1", "old", at(11));
    settle(&mut control, &[back], at(11));
    assert!(!control.nodes()[0].duplicate && is_confirmed(&control, at(11)) && is_drained(&control, at(14)));
}

#[test]
fn a_connection_that_takes_the_place_of_another_is_no_second_node() {
    let mut control = started();
    let first = connect(&mut control, "envoy-1", "", at(0));
    settle(&mut control, &[first], at(0));
    let second = connect(&mut control, "envoy-1", "old", at(1));
    settle(&mut control, &[second], at(1));
    control.closed(first, at(2));
    apply(&mut control, 3, Version::Grayscale);
    settle(&mut control, &[second], at(2));
    assert!(!control.nodes()[0].duplicate && is_confirmed(&control, at(2)));
}

#[test]
fn a_node_that_asks_for_no_routes_when_it_is_back_is_not_waited_for() {
    let mut control = started();
    let gateway = connect(&mut control, "envoy-1", "", at(0));
    let other = control.connected("envoy-2", at(0)).unwrap();
    control.request(other, &request(Kind::Cluster, "old", ""), at(0));
    apply(&mut control, 3, Version::Grayscale);
    // Until it has answered, it may be about to ask for them.
    settle(&mut control, &[gateway], at(0));
    assert!(!is_confirmed(&control, at(0)));
    control.closed(other, at(1));
    let other = control.connected("envoy-2", at(1)).unwrap();
    control.request(other, &request(Kind::Cluster, "old", ""), at(1));
    settle(&mut control, &[other], at(1));
    assert!(is_confirmed(&control, at(1)) && is_drained(&control, at(9)));
}

#[test]
fn a_service_that_is_described_again_is_not_confirmed_by_what_a_node_had_of_it_before() {
    let mut control = started();
    let stream = connect(&mut control, "envoy-1", "", at(0));
    for (generation, version) in [(3, Version::Grayscale), (4, Version::Original), (5, Version::Grayscale)] {
        apply(&mut control, generation, version);
        settle(&mut control, &[stream], at(0));
    }
    retire(&mut control, at(5)).unwrap();
    control.cleared(&spec("a"));
    settle(&mut control, &[stream], at(5));
    control.closed(stream, at(6));
    let declared = declared();
    control.declare(vec![]).unwrap();
    control.declare(vec![declared]).unwrap();
    control.apply(&spec("b"), Generation::new(3), &Routing::exclusive(Version::Grayscale)).unwrap();
    save(&mut control);
    let other = connect(&mut control, "envoy-2", "", at(7));
    settle(&mut control, &[other], at(7));
    assert!(!matches!(control.confirmed(&spec("b"), at(20)), Progress::Done(_)));
}

/// With a fence of three seconds, and at least two nodes.
fn fenced() -> Control {
    let fence = Some(Duration::from_secs(3));
    control(Settings { fence, min_nodes: 2, ..Settings::default() }, Memory::default(), at(0))
}

/// A takeover that the first node has confirmed, and the second has heard of only as far as the clusters.
fn half_taken_over(control: &mut Control) -> [StreamId; 2] {
    let streams = [connect(control, "envoy-1", "", at(0)), connect(control, "envoy-2", "", at(0))];
    settle(control, &streams, at(0));
    apply(control, 3, Version::Grayscale);
    for push in pushes(control, at(1)) {
        takes(control, &push, at(1));
    }
    settle(control, &streams[..1], at(1));
    streams
}

#[test]
fn a_node_behind_the_fence_counts_if_it_is_cut_off_and_not_if_it_is_only_silent() {
    let mut control = fenced();
    let [_, second] = half_taken_over(&mut control);
    // However long it is silent: it may be stopped, and its clock with it.
    assert!(!is_confirmed(&control, at(100)));
    control.closed(second, at(100));
    assert!(is_confirmed(&control, at(100)), "{:?}", control.confirmed(&spec("a"), at(100)));
}

#[test]
fn a_node_that_refused_clusters_hears_of_the_fence_all_the_same() {
    let mut control = fenced();
    let [first, _] = half_taken_over(&mut control);
    let beat = |control: &mut Control, now| -> Vec<Push> {
        pushes(control, now).into_iter().filter(|push| push.stream == first && push.kind == Kind::Cluster).collect()
    };
    for push in beat(&mut control, at(2)) {
        refuses(&mut control, &push, at(2));
    }
    assert_eq!(beat(&mut control, at(4)).len(), 1);
}

#[test]
fn nothing_is_drained_while_it_is_not_known_which_nodes_there_were() {
    let mut control = started();
    control.lost();
    let stream = connect(&mut control, "envoy-1", "", at(0));
    apply(&mut control, 3, Version::Grayscale);
    settle(&mut control, &[stream], at(0));
    assert!(is_confirmed(&control, at(9)) && !is_drained(&control, at(9)));
    assert!(retire(&mut control, at(9)).is_err());
    assert!(control.memory().lost);
}

#[test]
fn a_routing_is_sent_at_once_and_confirmed_when_it_is_saved() {
    let mut control = started();
    let stream = connect(&mut control, "envoy-1", "", at(0));
    settle(&mut control, &[stream], at(0));
    control.apply(&spec("a"), Generation::new(3), &Routing::exclusive(Version::Grayscale)).unwrap();
    let sent = control.pushes(at(1));
    assert_eq!(sent.iter().map(|push| push.kind).collect::<Vec<_>>(), [Kind::Route]);
    takes(&mut control, &sent[0], at(1));
    let Progress::Waiting(waiting) = control.confirmed(&spec("a"), at(1)) else { panic!("it is confirmed") };
    assert!(waiting.unsaved && waiting.blockers.is_empty(), "{waiting:?}");
    assert!(!is_drained(&control, at(9)));
    save(&mut control);
    assert!(is_confirmed(&control, at(1)) && is_drained(&control, at(9)));
    control.retire(&spec("a"), Version::Original, at(9)).unwrap();
    for push in control.pushes(at(9)) {
        takes(&mut control, &push, at(9));
    }
    let withdrawn = |control: &Control| control.withdrawn(&spec("a"), Version::Original, at(10)) == Progress::Done(());
    assert!(!withdrawn(&control));
    save(&mut control);
    assert!(withdrawn(&control));
}

#[test]
fn a_node_is_given_routes_when_it_is_saved_that_it_may_have_them() {
    let mut control = started();
    save(&mut control);
    let stream = connect(&mut control, "envoy-1", "", at(0));
    let sent = control.pushes(at(0));
    assert_eq!(sent.iter().map(|push| push.kind).collect::<Vec<_>>(), [Kind::Cluster]);
    takes(&mut control, &sent[0], at(0));
    assert_eq!(control.pushes(at(0)), []);
    assert!(control.memory().nodes["envoy-1"].contains("mesh-1"));
    save(&mut control);
    assert_eq!(control.pushes(at(0)).iter().map(|push| push.kind).collect::<Vec<_>>(), [Kind::Route]);
    // One that goes before it was given any leaves nothing behind.
    let other = connect(&mut control, "envoy-2", "", at(0));
    let sent = control.pushes(at(0));
    takes(&mut control, &sent[0], at(0));
    assert_eq!(control.pushes(at(0)), []);
    control.closed(other, at(0));
    assert_eq!(control.nodes().len(), 1);
    assert_eq!(control.memory().nodes.len(), 1);
    control.closed(stream, at(0));
    assert_eq!(control.memory().nodes.len(), 1);
}

#[test]
fn what_a_services_file_changed_is_saved_before_it_is_sent() {
    let mut control = started();
    let stream = connect(&mut control, "envoy-1", "", at(0));
    settle(&mut control, &[stream], at(0));
    let longer = Declared { max_stream_duration: Duration::from_secs(9), ..declared() };
    control.declare(vec![longer]).unwrap();
    assert_eq!(control.pushes(at(1)), []);
    save(&mut control);
    assert_eq!(control.pushes(at(1)).len(), 1);
}

fn kinds(pushes: &[Push]) -> Vec<Kind> {
    pushes.iter().map(|push| push.kind).collect()
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let mut control = started();
    let stream = connect(&mut control, "envoy-1", "", at(0));
    settle(&mut control, &[stream], at(0));
    let mut moved = declared();
    for version in moved.versions.values_mut() {
        version.endpoints[0].port += 1;
    }
    control.declare(vec![moved.clone()]).unwrap();
    let sent = pushes(&mut control, at(1));
    assert_eq!(kinds(&sent), [Kind::Cluster]);
    takes(&mut control, &sent[0], at(1));
    assert_eq!(pushes(&mut control, at(1)), []);
    // Another one that is the same.
    control.declare(vec![moved]).unwrap();
    assert_eq!(pushes(&mut control, at(1)), []);
    apply(&mut control, 3, Version::Grayscale);
    let sent = pushes(&mut control, at(1));
    assert_eq!(kinds(&sent), [Kind::Route]);
    takes(&mut control, &sent[0], at(1));
    // The routes of a release whose loser is gone are those of its survivor alone.
    retire(&mut control, at(9)).unwrap();
    assert_eq!(kinds(&pushes(&mut control, at(9))), [Kind::Cluster]);
}

#[test]
fn of_a_refused_route_configuration_the_services_are_named_that_are_new_in_it() {
    let mut control = started();
    let other = "wish".parse().unwrap();
    let other = Declared { name: ServiceName { service: other, ..declared().name }, ..declared() };
    control.declare(vec![declared(), other.clone()]).unwrap();
    let stream = connect(&mut control, "envoy-1", "", at(0));
    settle(&mut control, &[stream], at(0));
    let wish = ReleaseSpec { service: other.name.service.clone(), ..spec("b") };
    control.apply(&wish, Generation::new(3), &Routing::exclusive(Version::Grayscale)).unwrap();
    for push in pushes(&mut control, at(1)) {
        refuses(&mut control, &push, at(1));
    }
    // The release of the other service is waited for because of that one.
    apply(&mut control, 3, Version::Grayscale);
    let refused = |control: &Control, spec: &ReleaseSpec| match control.confirmed(spec, at(1)) {
        Progress::Refused { services, .. } => services,
        progress => panic!("{progress:?}"),
    };
    assert_eq!(refused(&control, &spec("a")), std::slice::from_ref(&other.name));
    for push in pushes(&mut control, at(1)) {
        refuses(&mut control, &push, at(1));
    }
    assert_eq!(refused(&control, &wish), [declared().name, other.name]);
}

#[test]
fn a_node_that_asks_for_routes_before_clusters_gets_them_again_when_it_has_those() {
    let mut control = started();
    let stream = control.connected("envoy-1", at(0)).unwrap();
    control.request(stream, &request(Kind::Route, "old", ""), at(0));
    let sent = pushes(&mut control, at(0));
    assert_eq!(kinds(&sent), [Kind::Route]);
    // It does not have their clusters, and goes on with its own routes.
    refuses(&mut control, &sent[0], at(0));
    control.request(stream, &request(Kind::Cluster, "old", ""), at(0));
    let sent = pushes(&mut control, at(0));
    assert_eq!(kinds(&sent), [Kind::Cluster]);
    takes(&mut control, &sent[0], at(0));
    let sent = pushes(&mut control, at(0));
    assert_eq!(kinds(&sent), [Kind::Route]);
    takes(&mut control, &sent[0], at(0));
    apply(&mut control, 3, Version::Original);
    assert!(is_confirmed(&control, at(0)));
}
