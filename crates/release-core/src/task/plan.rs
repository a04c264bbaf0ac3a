//! The preview of a delete.

use super::{Command, ReleaseTask};
use crate::{Action, Error, Mode, Note, Phase, Routing, Step, Witnesses};
use alloc::vec::Vec;

/// What a delete would do from here: the steps in their order. Empty when the delete has nothing left to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Plan {
    /// The action.
    pub action: Action,
    /// The steps, each with what it leads to.
    pub steps: Vec<PlannedStep>,
}

/// A step of a [`Plan`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct PlannedStep {
    /// What will be done.
    pub step: Step,
    /// The phase once it has succeeded.
    pub phase: Phase,
    /// The routing that every proxy has confirmed once it has succeeded.
    pub routing: Routing,
}

impl ReleaseTask {
    /// The exact steps that a delete would take from here, if each succeeds, or the error it would be refused with.
    /// Nothing changes.
    ///
    /// ```
    /// # use release_core::{Action, Mode, ReleaseKey, ReleaseSpec, ReleaseTask};
    /// # let task = ReleaseTask::new(ReleaseSpec {
    /// #     key: ReleaseKey::parse("mesh-1", "shop", "3f2a")?,
    /// #     service: "cart".parse()?,
    /// #     original: "v1".parse()?,
    /// #     grayscale: "v2".parse()?,
    /// # })?;
    /// let plan = task.plan(Action::Cancel, Mode::Perform)?;
    /// let steps: Vec<_> = plan.steps.iter().map(|planned| planned.step.kind().to_string()).collect();
    /// assert_eq!(steps, [
    ///     "ensure that the original version is ready",
    ///     "apply the routing",
    ///     "drain the grayscale version",
    ///     "retire the grayscale version",
    /// ]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn plan(&self, action: Action, mode: Mode) -> Result<Plan, Error> {
        let mut task = self.clone();
        let _ = task.command(Command::Delete(action, mode))?;
        let (witnesses, evidence) = (Witnesses::one("preview"), Note::new("preview"));
        let mut steps = Vec::new();
        // One more than law 11 allows, which then sees it: a plan that ends early beats one that never ends.
        for _ in 0..5 {
            let Some(step) = task.next_step() else { break };
            if task.report(step.succeeded(witnesses.clone(), evidence.clone())).is_err() {
                debug_assert!(false, "a task refused the answer to its own step");
                break;
            }
            steps.push(PlannedStep { step, phase: task.phase(), routing: task.confirmed().routing.clone() });
        }
        Ok(Plan { action, steps })
    }
}
