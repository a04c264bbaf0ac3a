//! The generators: what comes out is valid, and nothing that matters never comes out.

use crate::model::every_phase;
use arbitrary::Unstructured;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use release_core::law::{Broken, Input, Law, Outcome, check_task};
use release_core::{
    Action, Change, Command, Error, ErrorKind, Failure, Note, ParseError, Pattern, Phase, Plan, Proof, ReleaseKey,
    ReleaseName, ReleaseTask, Releases, Report, Request, Routing, RoutingKind, Service, Stage, Step, StoredError,
    StoredTask, UnexpectedReport, UserAgent, Version,
};
use release_testkit::harness::Operation;
use std::collections::{BTreeMap, BTreeSet};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_bytes_make_a_value(bytes: Vec<u8>) {
        fn made<T: for<'a> arbitrary::Arbitrary<'a>>(bytes: &[u8]) -> bool {
            T::arbitrary(&mut Unstructured::new(bytes)).is_ok()
        }
        for (name, made) in [
            ("task", made::<ReleaseTask>(&bytes)),
            ("stored task", made::<StoredTask>(&bytes)),
            ("operation", made::<Operation>(&bytes)),
            ("input", made::<Input>(&bytes)),
            ("name", made::<ReleaseName>(&bytes)),
            ("pattern", made::<Pattern>(&bytes)),
            ("request", made::<Request>(&bytes)),
            ("results", made::<(Change, Failure, Plan, Proof)>(&bytes)),
            ("errors", made::<(Error, ErrorKind, ParseError, StoredError, UnexpectedReport)>(&bytes)),
            ("laws", made::<(Broken, Law, Outcome)>(&bytes)),
            ("releases", made::<Releases>(&bytes)),
            ("user agent", made::<UserAgent>(&bytes)),
        ] {
            prop_assert!(made, "{}", name);
        }
    }

    #[test]
    fn a_task_keeps_the_laws(task: ReleaseTask) {
        prop_assert_eq!(check_task(&task), Ok(()));
    }
}

/// At most one unclosed task of a service; from none to four tasks, in every phase.
#[test]
fn collections_are_of_many_kinds() {
    let meshes = ["mesh-1".parse().unwrap(), "mesh-2".parse().unwrap()];
    let tasks = |releases: &Releases| -> Vec<ReleaseTask> {
        meshes.iter().flat_map(|mesh| releases.list(mesh).cloned().collect::<Vec<_>>()).collect()
    };
    let sizes = count(&any::<Releases>(), 1000, |releases| {
        let unclosed = tasks(&releases).into_iter().filter(|task| !task.phase().is_closed());
        let services: Vec<_> = unclosed.map(|task| (task.key().clone(), task.spec().service.clone())).collect();
        let of = |(key, service): &(ReleaseKey, Service)| (key.mesh.clone(), key.namespace.clone(), service.clone());
        assert_eq!(services.iter().map(of).collect::<BTreeSet<_>>().len(), services.len(), "{services:?}");
        Some(tasks(&releases).len())
    });
    assert!([0, 1, 2, 3].iter().all(|size| sizes.contains_key(size)), "{sizes:?}");
    let phases = count(&any::<Releases>(), 2000, |releases| tasks(&releases).first().map(ReleaseTask::phase));
    assert_eq!(phases.keys().copied().collect::<BTreeSet<_>>(), every_phase());
}

/// What is refused is named: every parameter of the core is among them.
#[test]
fn errors_are_of_every_kind() {
    let parameters = count(&any::<ParseError>(), 1000, |error| Some(error.parameter()));
    let all = [
        "action",
        "content",
        "cookie",
        "header",
        "mesh_id",
        "name",
        "namespace",
        "percent",
        "query",
        "regex",
        "release_id",
        "rule",
        "service",
        "value",
        "version",
    ];
    assert_eq!(parameters.keys().copied().collect::<Vec<_>>(), all);
    let kinds = count(&any::<Error>(), 500, |error| Some(error.kind()));
    assert_eq!(kinds.len(), 3, "{kinds:?}");
    let laws = count(&any::<Broken>(), 500, |broken| Some(broken.law()));
    assert_eq!(laws.len(), Law::ALL.len(), "{laws:?}");
}

/// Each phase is the end of at least one in a hundred tasks.
#[test]
fn tasks_reach_every_phase_and_stage() {
    let phases = count(&any::<ReleaseTask>(), 2000, |task| Some(task.phase()));
    assert_eq!(phases.keys().copied().collect::<BTreeSet<_>>(), every_phase());
    assert!(phases.values().all(|count| *count >= 20), "{phases:?}");
}

/// The same for fuzzers, from bytes of which most are not small.
#[test]
fn tasks_from_bytes_reach_every_phase_and_stage() {
    let bytes = proptest::collection::vec(any::<u8>(), 512);
    let phase = |bytes: Vec<u8>| Unstructured::new(&bytes).arbitrary::<ReleaseTask>().ok().map(|task| task.phase());
    let phases = count(&bytes, 2000, phase);
    assert_eq!(phases.keys().copied().collect::<BTreeSet<_>>(), every_phase());
    assert!(phases.values().all(|count| *count >= 20), "{phases:?}");
}

/// What is rare but matters.
#[test]
fn tasks_are_in_every_kind_of_trouble() {
    let troubles = count(&any::<ReleaseTask>(), 2000, |task| {
        let unconfirmed = task.wanted().generation.get() > task.confirmed().generation.get() + 1;
        match (task.failure(), task.phase()) {
            (Some(_), Phase::Closing(_, Stage::Retiring)) => Some("retiring fails"),
            (Some(_), Phase::Closing(..)) => Some("closing fails"),
            (Some(_), _) => Some("applying or deploying fails"),
            (None, Phase::Running) if unconfirmed => Some("several routings are unconfirmed"),
            (None, Phase::Closing(Action::Cancel, _)) if unconfirmed => Some("a cancel amid unconfirmed routings"),
            (None, Phase::Deploying) if task.wanted().generation.get() > 1 => Some("reopened while deploying"),
            _ => None,
        }
    });
    assert_eq!(troubles.len(), 6, "{troubles:?}");
}

/// Rules and requests have enough in common.
#[test]
fn requests_are_owned_by_either_version_under_every_kind_of_routing() {
    let owners = count(&any::<(Routing, Request)>(), 2000, |(routing, request)| {
        let kind = match routing.kind() {
            RoutingKind::Exclusive(_) => "exclusive",
            RoutingKind::Weighted(_) => "weighted",
            RoutingKind::Content(_) => "content",
        };
        Some((kind, routing.owner(&request)))
    });
    assert_eq!(owners.len(), 6, "{owners:?}");
}

#[test]
fn patterns_and_notes_are_of_many_kinds() {
    let patterns = count(&any::<Pattern>(), 500, |pattern| Some(pattern.as_str().to_owned()));
    assert!(patterns.len() > 150, "{}", patterns.len());
    let lengths = count(&any::<Note>(), 500, |note| Some(note.as_str().chars().count() == 512));
    assert_eq!(lengths.len(), 2, "{lengths:?}");
}

/// Small bytes and no bytes make simple values, which is what shrinking ends in.
#[test]
fn shrinking_ends_in_something_simple() {
    let mut runner = TestRunner::deterministic();
    let running = |task: &ReleaseTask| task.phase() != Phase::Deploying;
    let any_task = any::<ReleaseTask>();
    let mut tree = std::iter::repeat_with(|| any_task.new_tree(&mut runner).unwrap())
        .find(|tree| tree.current().phase() == Phase::Closed(Action::End))
        .unwrap();
    for _ in 0..2000 {
        if running(&tree.current()) {
            if !tree.simplify() {
                break;
            }
        } else if !tree.complicate() {
            break;
        }
    }
    let simple = ["mesh-1", "shop", "3f2a"].join("/");
    assert_eq!((tree.current().phase(), tree.current().key().to_string()), (Phase::Running, simple));
    assert_eq!(tree.current().wanted().generation.get(), 2, "no more than its beginning");

    let mut none = Unstructured::new(&[]);
    assert!(matches!(none.arbitrary::<Input>().unwrap(), Input::Command(Command::SetRouting(_))));
    assert!(matches!(none.arbitrary::<Report>().unwrap(), Report::Ready { version: Version::Original, .. }));
    assert!(matches!(none.arbitrary::<Step>().unwrap(), Step::EnsureReady { .. }));
    assert!(matches!(none.arbitrary::<Operation>().unwrap(), Operation::Create(_)));
}

/// How often each answer is given.
fn count<S: Strategy, K: Ord>(
    strategy: &S,
    cases: usize,
    question: impl Fn(S::Value) -> Option<K>,
) -> BTreeMap<K, usize> {
    let mut runner = TestRunner::deterministic();
    let mut counts = BTreeMap::new();
    for _ in 0..cases {
        let answer = question(strategy.new_tree(&mut runner).unwrap().current());
        if let Some(answer) = answer {
            *counts.entry(answer).or_default() += 1;
        }
    }
    counts
}
