//! Nodes that come, go and come back, told to a control plane without a connection.

use crate::fixture::spec;
use release_core::{Generation, ReleaseSpec, Routing, Version};
use release_xds::control::service_of;
use release_xds::control::{Control, Declared, Memory, Moment, Progress, Push, Request, Settings, StepError, StreamId};
use release_xds::service::{Endpoint, Kind, VersionConfig};
use std::time::Duration;

/// At that second.
const fn at(second: u64) -> Moment {
    Moment::new(Duration::from_secs(second))
}

/// A control plane of one service, whose longest request takes a second.
fn control(settings: Settings, memory: Memory, now: Moment) -> Control {
    let spec = spec("a");
    let version = || VersionConfig { endpoints: vec![Endpoint { host: "127.0.0.1".into(), port: 1 }] };
    let mut control = Control::new(settings, memory, now);
    let declared = Declared {
        name: service_of(&spec),
        domains: vec!["cart.shop".into()],
        max_stream_duration: Duration::from_secs(1),
        versions: [(spec.original.clone(), version()), (spec.grayscale.clone(), version())].into(),
        serves: spec.original,
    };
    control.declare(vec![declared]).unwrap();
    control.open();
    control
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

/// All that is sent to those streams is taken, until nothing is sent to them any more.
fn settle(control: &mut Control, streams: &[StreamId], now: Moment) {
    loop {
        let pushes = control.pushes(now);
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
}

fn is_confirmed(control: &Control, now: Moment) -> bool {
    matches!(control.confirmed(&spec("a"), now), Progress::Done(_))
}

fn is_drained(control: &Control, now: Moment) -> bool {
    matches!(control.drained(&spec("a"), Version::Original, now), Progress::Done(_))
}

fn retire(control: &mut Control, now: Moment) -> Result<(), StepError> {
    let spec: ReleaseSpec = spec("a");
    control.retire(&spec, Version::Original, now)
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
    for push in control.pushes(at(5)) {
        match push.kind {
            Kind::Cluster => refuses(&mut control, &push, at(5)),
            _ => takes(&mut control, &push, at(5)),
        }
    }
    assert_eq!(control.pushes(at(5)), []);
    assert!(matches!(control.withdrawn(&spec("a"), Version::Original), Progress::Refused { .. }));
    retire(&mut control, at(6)).unwrap();
    settle(&mut control, &[stream], at(6));
    assert!(matches!(control.withdrawn(&spec("a"), Version::Original), Progress::Done(())));
}
