//! The real thing against the naive model.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use release_core::{Action, Phase, Stage};
use release_testkit::harness::{self, Operation, Summary};
use std::collections::BTreeSet;

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    proptest::collection::vec(any::<Operation>(), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_operations_have_the_results_that_the_model_says(operations in operations()) {
        if let Err(failure) = harness::run(&operations) {
            prop_assert!(false, "\n{failure}");
        }
    }
}

/// The operations are interesting ones: every phase is reached, and everything that can come of an input comes.
#[test]
fn operations_reach_everything() {
    let mut runner = TestRunner::deterministic();
    let mut all = Summary::default();
    for _ in 0..100 {
        let run = harness::run(&operations().new_tree(&mut runner).unwrap().current()).unwrap();
        all.phases.extend(run.phases);
        all.changed += run.changed;
        all.unchanged += run.unchanged;
        all.refused += run.refused;
        all.unexpected += run.unexpected;
        all.removed += run.removed;
    }
    assert_eq!(all.phases, every_phase());
    assert!([all.changed, all.unchanged, all.refused, all.unexpected].into_iter().all(|count| count > 50), "{all:?}");
    assert!(all.removed > 0, "{all:?}");
}

pub(crate) fn every_phase() -> BTreeSet<Phase> {
    let mut phases = BTreeSet::from([Phase::Deploying, Phase::Running]);
    for action in [Action::Cancel, Action::End] {
        let stages = [Stage::Preparing, Stage::Routing, Stage::Draining, Stage::Retiring];
        phases.extend(stages.map(|stage| Phase::Closing(action, stage)));
        phases.insert(Phase::Closed(action));
    }
    phases
}
