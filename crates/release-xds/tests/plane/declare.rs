//! A changed services file, before, during and after a release.

use crate::fixture::spec;
use release_core::{Generation, Routing, Version, VersionLabel};
use release_xds::control::{Control, DeclareError, Declared, Memory, Moment, Settings};
use release_xds::service::{Endpoint, ServiceName, VersionConfig};
use std::time::Duration;

/// A service with these versions, each with so many endpoints.
fn cart(versions: &[(&str, u16)], serves: &str) -> Declared {
    let spec = spec("a");
    let version = |(label, endpoints): &(&str, u16)| -> (VersionLabel, VersionConfig) {
        let endpoint = |port| Endpoint { host: "127.0.0.1".into(), port };
        (label.parse().unwrap(), VersionConfig { endpoints: (1..=*endpoints).map(endpoint).collect() })
    };
    Declared {
        name: ServiceName { mesh: spec.key.mesh, namespace: spec.key.namespace, service: spec.service },
        domains: vec!["cart.shop".into()],
        max_stream_duration: Duration::from_secs(1),
        versions: versions.iter().map(version).collect(),
        serves: serves.parse().unwrap(),
    }
}

/// With a release of `cart` from v1 to v2 whose newest routing is that one.
fn under_release(generation: u64, routing: Version) -> Control {
    let mut control = Control::new(Settings::default(), Memory::default(), Moment::default());
    control.declare(vec![cart(&[("v1", 1), ("v2", 1)], "v1")]).unwrap();
    control.open();
    control.apply(&spec("a"), Generation::new(generation), &Routing::exclusive(routing)).unwrap();
    control
}

fn served(control: &Control) -> Vec<release_xds::service::ServiceConfig> {
    control.services().cloned().collect()
}

#[test]
fn a_version_under_release_stays_and_what_is_refused_changes_nothing() {
    let mut control = under_release(3, Version::Grayscale);
    let before = served(&control);
    for without in [vec![], vec![cart(&[("v1", 1)], "v1")], vec![cart(&[("v2", 1), ("v3", 1)], "v2")]] {
        let refused = control.declare(without).unwrap_err();
        assert!(matches!(refused, DeclareError::UnderRelease { .. }), "{refused:?}");
        assert_eq!(served(&control), before);
    }
}

#[test]
fn endpoints_may_change_during_a_release_and_its_routing_stays() {
    let mut control = under_release(3, Version::Grayscale);
    let before = served(&control);
    // Another version, more endpoints; and what serves by the file is of no interest now.
    control.declare(vec![cart(&[("v1", 2), ("v2", 3), ("v3", 1)], "v3")]).unwrap();
    let after = served(&control);
    assert_eq!(after[0].serves, before[0].serves);
    assert_eq!(after[0].versions.values().map(|version| version.endpoints.len()).collect::<Vec<_>>(), [2, 3, 1]);
}

#[test]
fn what_a_release_left_stays_when_the_file_is_read_again() {
    let mut control = under_release(3, Version::Grayscale);
    // Nobody is connected, so nobody can route to v1.
    control.retire(&spec("a"), Version::Original, Moment::default()).unwrap();
    control.cleared(&spec("a"));
    control.declare(vec![cart(&[("v1", 1), ("v2", 1)], "v1")]).unwrap();
    let labels =
        |control: &Control| -> Vec<String> { served(control)[0].versions.keys().map(ToString::to_string).collect() };
    assert_eq!(labels(&control), ["v2"], "a version that was retired does not come back");
    assert_eq!(served(&control)[0].serves.owners().into_iter().map(ToString::to_string).collect::<Vec<_>>(), ["v2"]);
    let refused = control.declare(vec![cart(&[("v1", 1)], "v1")]).unwrap_err();
    assert!(matches!(refused, DeclareError::Serving { .. }), "{refused:?}");
    control.declare(vec![cart(&[("v2", 1)], "v2")]).unwrap();
    assert_eq!(labels(&control), ["v2"]);
}
