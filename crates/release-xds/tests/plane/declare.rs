//! A changed services file, before, during and after a release.

use crate::fixture::spec;
use release_core::{Generation, Routing, Version, VersionLabel};
use release_xds::control::{Control, DeclareError, Declared, Memory, Moment, Settings, StepError};
use release_xds::service::{Endpoint, ServiceName, VersionConfig};
use std::time::Duration;

/// Has v1 retired: nobody is connected, so after a while nobody can route to it.
fn retire(control: &mut Control) {
    control.saved(control.unsaved().unwrap());
    control.retire(&spec("a"), Version::Original, Moment::new(Duration::from_secs(5))).unwrap();
}

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
    retire(&mut control);
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

#[test]
fn what_serves_by_the_file_during_a_release_is_not_carried_out_behind_it() {
    let mut control = under_release(3, Version::Grayscale);
    let edited = || vec![cart(&[("v1", 1), ("v2", 1), ("v3", 1)], "v3")];
    control.declare(edited()).unwrap();
    retire(&mut control);
    // The release is open until the workloads are gone.
    control.declare(edited()).unwrap();
    control.cleared(&spec("a"));
    control.declare(edited()).unwrap();
    assert_eq!(owners(&control), ["v2"]);
    // The file and what serves differ: only a change has effect.
    let refused = control.declare(vec![cart(&[("v1", 1), ("v2", 1), ("v3", 1)], "v1")]).unwrap_err();
    assert!(matches!(refused, DeclareError::Retired { .. }), "{refused:?}");
    assert_eq!(owners(&control), ["v2"]);
    control.declare(vec![cart(&[("v1", 1), ("v2", 1), ("v3", 1)], "v2")]).unwrap();
    control.declare(edited()).unwrap();
    assert_eq!(owners(&control), ["v3"]);
}

#[test]
fn a_service_stays_until_the_workloads_that_its_release_retired_are_gone() {
    let mut control = under_release(3, Version::Grayscale);
    retire(&mut control);
    let refused = control.declare(vec![]).unwrap_err();
    assert!(matches!(refused, DeclareError::UnderRelease { .. }), "{refused:?}");
    control.cleared(&spec("a"));
    control.declare(vec![]).unwrap();
    assert_eq!(served(&control), []);
}

#[test]
fn a_release_of_what_does_not_serve_moves_no_traffic() {
    let mut control = under_release(3, Version::Grayscale);
    retire(&mut control);
    control.cleared(&spec("a"));
    let before = served(&control);
    // By mistake: v1 was replaced by v2 long ago.
    let original = Routing::exclusive(Version::Original);
    let refused = control.apply(&spec("b"), Generation::new(1), &original).unwrap_err();
    assert!(matches!(refused, StepError::NotServing { .. }), "{refused:?}");
    assert!(refused.to_string().starts_with("service mesh-1/shop/cart serves v2, not v1"), "{refused}");
    assert_eq!(served(&control), before);
    // Its end can be carried out: v2 goes on.
    control.apply(&spec("b"), Generation::new(2), &Routing::exclusive(Version::Grayscale)).unwrap();
    assert_eq!(owners(&control), ["v2"]);
}

fn owners(control: &Control) -> Vec<String> {
    control.services().flat_map(|service| service.serves.owners()).map(ToString::to_string).collect()
}
