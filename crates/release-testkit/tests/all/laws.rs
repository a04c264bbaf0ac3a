//! The laws, each told again in its own words: that the checkers of `release_core::law` agree is the last test.

use crate::lives::{Moment, any_moment, life};
use proptest::prelude::*;
use release_core::law::{Input, Outcome, check_input};
use release_core::{
    Action, Change, Command, Generation, Mode, NumberedRouting, Owners, Phase, ReleaseTask, Report, Request, Routing,
    Stage, Step, Version, Witnesses,
};
use release_testkit::properties;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn law_1_every_request_has_exactly_one_owner(routing: Routing, request: Request) {
        prop_assert_eq!(properties::routing_is_total(&routing, &request), Ok(()));
    }

    #[test]
    fn laws_2_and_3_a_closed_task_has_given_everything_to_the_survivor(task: ReleaseTask, request: Request) {
        if let Phase::Closed(action) = finished(task.clone()).phase() {
            let task = finished(task);
            let survivor = if action == Action::Cancel { Version::Original } else { Version::Grayscale };
            prop_assert_eq!(task.wanted().routing.owner(&request), survivor);
            prop_assert_eq!(task.confirmed().routing.owner(&request), survivor);
            prop_assert_eq!(task.wanted(), task.confirmed());
        }
    }

    #[test]
    fn law_4_nothing_is_retired_that_a_request_can_reach(life in life(), request: Request) {
        let mut wanted: Vec<NumberedRouting> = Vec::new();
        for moment in life {
            wanted.push(moment.after.wanted().clone());
            let Some(retired) = retired(&moment.after) else { continue };
            let confirmed = moment.after.confirmed();
            let since = wanted.iter().filter(|routing| routing.generation >= confirmed.generation);
            for applied in since.chain([confirmed]) {
                prop_assert_ne!(applied.routing.owner(&request), retired);
            }
        }
    }

    #[test]
    fn law_5_no_routing_names_a_retired_version(life in life(), request: Request) {
        let mut out = None;
        for moment in life {
            out = out.or(retired(&moment.before));
            if let Some(retired) = out {
                prop_assert_ne!(moment.after.wanted().routing.owner(&request), retired);
                prop_assert_ne!(moment.after.confirmed().routing.owner(&request), retired);
            }
        }
    }

    #[test]
    fn law_6_exactly_one_version_survives(life in life()) {
        let retired: Vec<Version> = life.iter().filter_map(|moment| retired(&moment.after)).collect();
        prop_assert!(retired.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", retired);
        for moment in life {
            if let Phase::Closed(action) = moment.after.phase() {
                prop_assert_eq!(retired.last(), Some(&action.loser()));
            }
        }
    }

    #[test]
    fn law_7_phases_move_forward_and_generations_grow(life in life()) {
        for moment in life {
            let (before, after) = (&moment.before, &moment.after);
            let reopened = moment.input == Input::Command(Command::Reopen);
            let overtaken = matches!(
                (before.phase(), after.phase()),
                (Phase::Closing(Action::End, _), Phase::Closing(Action::Cancel, Stage::Preparing))
            );
            prop_assert!(reopened || overtaken || before.phase() <= after.phase(), "{:?}", moment);
            let (old, new) = (before.wanted(), after.wanted());
            let next = Generation::new(old.generation.get() + 1);
            prop_assert!(old == new || new.generation == next, "{:?}", moment);
            prop_assert!(before.confirmed().generation <= after.confirmed().generation);
        }
    }

    #[test]
    fn law_8_the_same_once_more_is_nothing(moment in any_moment()) {
        let mut again = moment.after.clone();
        let outcome = again.input(moment.input.clone());
        prop_assert_eq!(&again, &moment.after);
        match moment.outcome {
            Outcome::Done(_) if !again.phase().is_closed() => prop_assert_eq!(outcome, Outcome::Done(Change::Unchanged)),
            Outcome::Done(_) => {}
            refused => prop_assert_eq!(outcome, refused),
        }
    }

    #[test]
    fn law_9_what_is_refused_changes_nothing(moment in any_moment()) {
        match moment.outcome {
            Outcome::Refused(_) | Outcome::Unexpected(_) | Outcome::Done(Change::Unchanged) => {
                prop_assert_eq!(moment.before, moment.after);
            }
            Outcome::Done(Change::Changed) => prop_assert_ne!(moment.before, moment.after),
        }
    }

    #[test]
    fn law_10_cancel_and_end_commute(task: ReleaseTask, mode: Mode) {
        prop_assume!(retired(&task).is_none());
        let after = |actions: [Action; 2]| {
            let mut task = task.clone();
            let results = actions.map(|action| task.command(Command::Delete(action, mode)));
            (task, results[0].is_ok() || results[1].is_ok())
        };
        prop_assert_eq!(after([Action::Cancel, Action::End]), after([Action::End, Action::Cancel]));
    }

    #[test]
    fn law_11_a_delete_closes_within_four_reports(task: ReleaseTask, action: Action) {
        let planned = task.plan(action, Mode::Perform);
        let mut task = task;
        let accepted = task.command(Command::Delete(action, Mode::Perform));
        prop_assert_eq!(planned.is_ok(), accepted.is_ok());
        if let Ok(plan) = planned {
            prop_assert!(plan.steps.len() <= 4);
            for planned in plan.steps {
                prop_assert_eq!(succeed(&mut task), Some(planned.step));
                prop_assert_eq!(task.phase(), planned.phase);
                prop_assert_eq!(&task.confirmed().routing, &planned.routing);
            }
            prop_assert_eq!(task.phase(), Phase::Closed(action));
            prop_assert_eq!(task.next_step(), None);
        }
    }

    #[test]
    fn law_12_a_task_survives_serialisation(task: ReleaseTask) {
        let json: ReleaseTask = serde_json::from_slice(&serde_json::to_vec(&task).unwrap()).unwrap();
        let postcard: ReleaseTask = postcard::from_bytes(&postcard::to_stdvec(&task).unwrap()).unwrap();
        prop_assert_eq!(json.next_step(), task.next_step());
        prop_assert_eq!((&json, &postcard), (&task, &task));
    }

    #[test]
    fn law_13_the_survivors_share_never_falls(life in life(), request: Request) {
        for moment in life {
            let (Phase::Closing(action, stage), Some(now)) = (moment.before.phase(), moment.after.phase().action()) else {
                continue;
            };
            if stage > Stage::Preparing && action == now {
                prop_assert_eq!(moment.before.wanted().routing.owner(&request), action.survivor());
                prop_assert_eq!(moment.after.wanted().routing.owner(&request), action.survivor());
            }
        }
    }

    #[test]
    fn law_14_nothing_reaches_the_grayscale_version_before_it_is_ready(life in life()) {
        for moment in life {
            if (moment.before.phase(), moment.after.phase()) == (Phase::Deploying, Phase::Running) {
                break;
            }
            prop_assert_eq!(moment.after.reachable(), Owners::Only(Version::Original));
            prop_assert_eq!(moment.after.wanted().routing.sole_owner(), Some(Version::Original));
        }
    }

    #[test]
    fn law_15_no_stage_is_skipped(life in life()) {
        for Moment { before, input, after, .. } in life {
            let now = after.phase();
            if before.phase() == now || input == Input::Command(Command::Reopen) {
                continue;
            }
            match input {
                Input::Command(command) => {
                    prop_assert_eq!(now.stage(), Some(Stage::Preparing), "by {:?}", command);
                }
                Input::Report(report) => {
                    prop_assert_eq!(before.next_step().map(|step| step.kind()), Some(report.step()));
                    let failed = matches!(report, Report::Failed { .. });
                    prop_assert!(!failed);
                    let closing = |action| {
                        let stages = [Stage::Preparing, Stage::Routing, Stage::Draining, Stage::Retiring];
                        stages.map(|stage| Phase::Closing(action, stage)).into_iter().chain([Phase::Closed(action)])
                    };
                    let way: Vec<Phase> = match now.action() {
                        None => vec![Phase::Deploying, Phase::Running],
                        Some(action) => closing(action).collect(),
                    };
                    prop_assert!(way.windows(2).any(|pair| pair == [before.phase(), now]), "to {}", now);
                }
            }
        }
    }

    #[test]
    fn the_checkers_agree(moment in any_moment()) {
        let checked = check_input(&moment.before, &moment.input);
        prop_assert_eq!(checked, Ok((moment.after, moment.outcome)));
    }
}

/// The version that the task retires or has retired.
fn retired(task: &ReleaseTask) -> Option<Version> {
    match (task.next_step(), task.phase()) {
        (Some(Step::Retire { version, .. }), _) => Some(version),
        (_, Phase::Closed(action)) => Some(action.loser()),
        _ => None,
    }
}

/// What becomes of the task when every step succeeds.
fn finished(mut task: ReleaseTask) -> ReleaseTask {
    while succeed(&mut task).is_some() {}
    task
}

fn succeed(task: &mut ReleaseTask) -> Option<Step> {
    let step = task.next_step()?;
    let _ = task.report(step.succeeded(Witnesses::one("envoy-1"), "idle")).unwrap();
    Some(step)
}
