//! Whole lives of tasks.

use proptest::collection::vec;
use proptest::prelude::*;
use release_core::law::{Input, Outcome};
use release_core::{ReleaseSpec, ReleaseTask, Witnesses};

/// One moment in the life of a task.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) before: ReleaseTask,
    pub(crate) input: Input,
    pub(crate) outcome: Outcome,
    pub(crate) after: ReleaseTask,
}

/// Every moment of a life, from the new task on: every other input is the answer to the step that is due.
pub(crate) fn life() -> impl Strategy<Value = Vec<Moment>> {
    (any::<ReleaseSpec>(), vec(choice(), 0..24)).prop_map(|(spec, choices)| {
        let mut task = ReleaseTask::new(spec).unwrap();
        let mut moments = Vec::new();
        for choice in choices {
            let moment = moment(task, choice);
            task = moment.after.clone();
            moments.push(moment);
        }
        moments
    })
}

/// One moment anywhere in a life.
pub(crate) fn any_moment() -> impl Strategy<Value = Moment> {
    (any::<ReleaseTask>(), choice()).prop_map(|(task, choice)| moment(task, choice))
}

fn choice() -> impl Strategy<Value = (u8, Input)> {
    (0_u8..8, any::<Input>())
}

fn moment(before: ReleaseTask, (kind, other): (u8, Input)) -> Moment {
    let input = match (kind, before.next_step()) {
        (0..=3, Some(step)) => step.succeeded(Witnesses::one("envoy-1"), "idle").into(),
        (4, Some(step)) => step.failed("refused").into(),
        _ => other,
    };
    let mut after = before.clone();
    let outcome = after.input(input.clone());
    Moment { before, input, outcome, after }
}
