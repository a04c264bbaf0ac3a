//! Random runs of a task against the simulated mesh.

use std::cell::RefCell;
use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use release_core::law::Outcome;
use release_core::{Action, Change, Command, Generation, Phase, Report, Routing, Stage, Step, Version, Witnesses};
use release_testkit::mesh::{
    Event, Failure, Flaw, Limits, Link, Mesh, Motion, Violation, World, sample_requests, sample_task, simulate,
};

proptest! {
    /// Whatever happens, no request is lost, no law is broken, and the task closes once everything works.
    #[test]
    fn no_run_loses_a_request(proxies in 1..=5_u8, choices in vec(any::<u16>(), 0..200)) {
        let world = World::new(sample_task(), Mesh::new(proxies), Limits::wide());
        if let Err(failure) = simulate(world, &choices, &sample_requests()) {
            return Err(TestCaseError::fail(failure.to_string()));
        }
    }
}

/// Every mistake of a mesh adapter is found. The same draws every time: this test does not depend on luck.
#[test]
fn a_run_finds_every_flaw() {
    for flaw in Flaw::ALL {
        let violation = find(flaw, 0).violation;
        let expected = match flaw {
            Flaw::CallsStartedReady => {
                matches!(violation, Violation::NotReady { .. } | Violation::NotReadyAnyMore { .. })
            }
            Flaw::RemembersReadiness => matches!(violation, Violation::NotReadyAnyMore { .. }),
            _ => matches!(violation, Violation::CutRequest { .. } | Violation::LostRequest { .. }),
        };
        assert!(expected, "{flaw:?} was found, but as: {violation}");
    }
}

#[test]
fn a_failing_run_shrinks_to_a_short_list_of_events() {
    let failure = find(Flaw::DrainsAtOnce, 2_000);
    assert!(failure.events.len() <= 40, "{failure}");
    assert!(failure.to_string().contains("   1. "), "{failure}");
}

fn find(flaw: Flaw, max_shrink_iters: u32) -> Failure {
    let config = Config { cases: 4_000, failure_persistence: None, max_shrink_iters, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let run = |proxies, choices: &[u16]| {
        let world = World::new(sample_task(), Mesh::new(proxies).with_flaw(flaw), few_commands());
        simulate(world, choices, &sample_requests())
    };
    let found = runner.run(&(1..=3_u8, vec(any::<u16>(), 0..200)), |(proxies, choices)| {
        run(proxies, &choices).map(drop).map_err(|failure| TestCaseError::fail(failure.to_string()))
    });
    match found {
        Err(TestError::Fail(_, (proxies, choices))) => run(proxies, &choices).unwrap_err(),
        other => panic!("{flaw:?} was not found: {other:?}"),
    }
}

/// So that runs don't wander: what is random here is the mesh.
fn few_commands() -> Limits {
    Limits { commands: vec![Command::CANCEL, Command::END, Command::Reopen], ..Limits::wide() }
}

/// The property above would mean little if runs never got anywhere.
#[test]
fn runs_go_everywhere() {
    let mut runner = TestRunner::new_with_rng(
        Config { cases: 400, failure_persistence: None, ..Config::default() },
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let seen = RefCell::new(BTreeSet::new());
    runner
        .run(&(1..=5_u8, vec(any::<u16>(), 0..200)), |(proxies, choices)| {
            let world = World::new(sample_task(), Mesh::new(proxies), Limits::wide());
            for (event, happened) in simulate(world, &choices, &sample_requests()).unwrap() {
                seen.borrow_mut().insert(match (&event, happened.outcome.as_deref()) {
                    (Event::Move(motion), _) => format!("{motion:?}").split('(').next().unwrap().to_owned(),
                    (Event::Fail(_), _) => "a failure".to_owned(),
                    (_, Some(Outcome::Refused(_))) => "a refusal".to_owned(),
                    (Event::Deliver(_), Some(Outcome::Done(Change::Unchanged))) => "a late report".to_owned(),
                    (Event::Perform(Step::Apply { .. }), _)
                        if matches!(happened.report, Some(Report::Failed { .. })) =>
                    {
                        "a fence".to_owned()
                    }
                    _ => "progress".to_owned(),
                });
            }
            Ok(())
        })
        .unwrap();
    let all = "Acknowledge, Crash, CutOff, Finish, Join, Kill, Lose, Reconnect, Refuse, Take, a failure, a fence, a late report, \
               a refusal, progress";
    assert_eq!(seen.into_inner().into_iter().collect::<Vec<_>>().join(", "), all);
}

#[test]
fn a_takeover_is_to_blame_for_not_asking_and_not_for_what_is_lost_afterwards() {
    let mut world = World::new(sample_task(), Mesh::new(1), Limits::wide());
    world.apply(&Event::Command(Command::CANCEL)).unwrap();
    let step = world.task().next_step().unwrap();
    let answer = Event::Deliver(step.succeeded(Witnesses::one("proxy-1"), "idle"));
    let lost = Event::Move(Motion::Lose(Version::Original));
    world.apply(&lost).unwrap();
    let violation = world.clone().apply(&answer).unwrap_err();
    assert_eq!(violation, Violation::NotReadyAnyMore { version: Version::Original });
    for event in [Event::Perform(step), lost, answer] {
        world.apply(&event).unwrap();
    }
    assert_eq!(world.task().phase(), Phase::Closing(Action::Cancel, Stage::Routing));
}

fn apply(number: u64, to: Version) -> Step {
    Step::Apply { generation: Generation::new(number), routing: Routing::exclusive(to) }
}

#[test]
fn a_proxy_that_is_cut_off_counts_until_it_is_gone() {
    let mut mesh = Mesh::new(2);
    let second = mesh.proxies()[1].id();
    mesh.move_on(Motion::CutOff(second));
    assert_eq!(mesh.perform(&apply(1, Version::Original)), None);
    let first = mesh.proxies()[0].id();
    mesh.move_on(Motion::Take(first));
    mesh.move_on(Motion::Acknowledge(first));
    assert_eq!(mesh.perform(&apply(1, Version::Original)), None);
    mesh.move_on(Motion::Kill(second));
    assert!(matches!(mesh.perform(&apply(1, Version::Original)), Some(Report::Confirmed { .. })));
}

#[test]
fn nobody_confirms_nothing() {
    let mut mesh = Mesh::new(0);
    assert_eq!(mesh.perform(&apply(1, Version::Original)), None);
}

#[test]
fn a_mesh_does_not_go_back() {
    let mut mesh = Mesh::new(1);
    mesh.perform(&apply(2, Version::Original));
    mesh.settle();
    assert!(matches!(mesh.perform(&apply(1, Version::Grayscale)), Some(Report::Failed { .. })));
    mesh.move_on(Motion::Crash);
    assert!(matches!(mesh.perform(&apply(1, Version::Grayscale)), Some(Report::Failed { .. })));
    assert_eq!(mesh.newest().generation, Generation::new(2));
}

#[test]
fn requests_in_flight_hold_up_the_drain() {
    let mut mesh = Mesh::new(1);
    let ready = Step::EnsureReady { generation: Generation::new(1), version: Version::Grayscale };
    let drain = Step::Drain { generation: Generation::new(1), version: Version::Original };
    mesh.perform(&ready);
    mesh.perform(&apply(1, Version::Grayscale));
    let proxy = mesh.proxies()[0].id();
    mesh.move_on(Motion::Take(proxy));
    assert_eq!(mesh.proxies()[0].link(), Link::Taken);
    assert_eq!(mesh.proxies()[0].bound(), Some(Version::Original));
    assert!(matches!(mesh.perform(&drain), Some(Report::Failed { .. })));
    mesh.move_on(Motion::Finish(proxy));
    assert!(matches!(mesh.perform(&drain), Some(Report::Drained { .. })));
}
