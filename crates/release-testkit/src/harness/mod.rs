//! Runs any list of operations on [`Releases`] and on the [naive model](crate::model), and compares them after each.
//!
//! ```
//! use proptest::prelude::*;
//! use release_testkit::harness::{self, Operation};
//!
//! proptest!(ProptestConfig::with_cases(8), |(operations: Vec<Operation>)| {
//!     if let Err(failure) = harness::run(&operations) {
//!         panic!("{failure}");
//!     }
//! });
//! ```

mod compare;
mod operation;

pub use operation::Operation;

use crate::model::Model;
use core::fmt;
use release_core::law::{Input, Outcome, check_asked, check_input};
use release_core::{Change, Phase, ReleaseKey, ReleaseTask, Releases, Report, Step};
use std::collections::{BTreeMap, BTreeSet};

/// What happened in a run, to see that it was an interesting one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The phases that a task was in after any operation.
    pub phases: BTreeSet<Phase>,
    /// Commands and reports that changed a task.
    pub changed: usize,
    /// Commands and reports that were taken in and changed nothing.
    pub unchanged: usize,
    /// Commands that were refused, and creations.
    pub refused: usize,
    /// Reports that were refused.
    pub unexpected: usize,
    /// Closed tasks that were removed.
    pub removed: usize,
}

/// The first operation after which [`Releases`] and the model differ, or a law is broken. Its `Display` form is the list of
/// what was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Failure {
    /// The operations so far, each with what came of it; of the last one, what is wrong.
    pub done: Vec<(Operation, String)>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (operation, came)) in (1..).zip(&self.done) {
            writeln!(f, "{number:4}. {operation}\n      → {came}")?;
        }
        Ok(())
    }
}

/// Does the operations one after the other.
pub fn run(operations: &[Operation]) -> Result<Summary, Failure> {
    let (mut run, mut done) = (Run::default(), Vec::new());
    for operation in operations {
        let came = run.operate(operation).and_then(|came| run.compare().map(|()| came));
        let failed = came.is_err();
        done.push((operation.clone(), came.unwrap_or_else(|wrong| wrong)));
        if failed {
            return Err(Failure { done });
        }
    }
    Ok(run.summary)
}

#[derive(Default)]
struct Run {
    releases: Releases,
    model: Model,
    /// Every report given so far.
    reports: Vec<Report>,
    /// Every step that was ever due, of the tasks that are there.
    asked: BTreeMap<ReleaseKey, Vec<Step>>,
    summary: Summary,
}

impl Run {
    /// What came of it, or what is wrong.
    fn operate(&mut self, operation: &Operation) -> Result<String, String> {
        match operation {
            Operation::Create(spec) => {
                let mut inserted = self.releases.clone();
                let insert = ReleaseTask::new(spec.clone()).and_then(|task| inserted.insert(task).map(drop));
                let real = self.releases.create(spec.clone()).map(drop);
                if spec.original != spec.grayscale {
                    same("result of an insert", &insert, &real)?;
                }
                same("releases after an insert", &inserted, &self.releases)?;
                self.summary.refused += usize::from(real.is_err());
                same("result", &real, &self.model.create(spec.clone()))
            }
            Operation::Get(key) => {
                let real = self.releases.get(key).map(|task| task.key().clone());
                same("result", &real, &self.model.get(key).map(|record| record.spec.key.clone()))
            }
            Operation::List(mesh) => {
                let real: Vec<ReleaseKey> = self.releases.list(mesh).map(|task| task.key().clone()).collect();
                same("list", &real, &self.model.list(mesh))
            }
            Operation::Plan(key, action, mode) => {
                let real = self.releases.get(key).and_then(|task| task.plan(*action, *mode));
                if let Ok(plan) = &real {
                    same("planned action", &plan.action, action)?;
                }
                same("plan", &real.map(|plan| plan.steps), &self.model.plan(key, *action, *mode))
            }
            Operation::Remove(key) => {
                let real = self.releases.remove(key);
                self.summary.removed += usize::from(real.is_some());
                if real.is_some() {
                    self.asked.remove(key);
                }
                same("removed", &real.is_some(), &self.model.remove(key))
            }
            Operation::Crash => {
                let tasks: Vec<ReleaseTask> = self.releases.iter().map(reload).collect::<Result<_, _>>()?;
                let mut restored = Releases::new();
                for task in tasks.into_iter().rev() {
                    let _ = restored.insert(task).map_err(|error| error.to_string())?;
                }
                same("releases after storing and loading them", &restored, &self.releases)?;
                self.releases = restored;
                Ok("every task is the same".to_owned())
            }
            Operation::Command(key, command) => self.input(key, command.clone().into()),
            Operation::Report(key, report) => self.report(key, report.clone()),
            Operation::Repeat(key, which) => match self.reports.get(usize::from(*which) % self.reports.len().max(1)) {
                Some(report) => self.report(key, report.clone()),
                None => Ok("no report yet".to_owned()),
            },
            Operation::Succeed(key, by, evidence) => match self.due(key) {
                Some(step) => self.report(key, step.succeeded(by.clone(), evidence.clone())),
                None => Ok("no step is due".to_owned()),
            },
            Operation::Fail(key, reason) => match self.due(key) {
                Some(step) => self.report(key, step.failed(reason.clone())),
                None => Ok("no step is due".to_owned()),
            },
        }
    }

    fn due(&self, key: &ReleaseKey) -> Option<Step> {
        self.releases.get(key).ok()?.next_step()
    }

    fn report(&mut self, key: &ReleaseKey, report: Report) -> Result<String, String> {
        self.reports.push(report.clone());
        self.input(key, report.into())
    }

    /// Three times the same: on a task that was stored and loaded, with every law checked; on the real one; on the model.
    fn input(&mut self, key: &ReleaseKey, input: Input) -> Result<String, String> {
        let checked = match self.releases.get(key) {
            Ok(task) => {
                let (after, outcome) = check_input(&reload(task)?, &input).map_err(|broken| broken.to_string())?;
                let asked = self.asked.entry(key.clone()).or_default();
                asked.extend(task.next_step().filter(|step| !asked.contains(step)));
                check_asked(asked, task, &after).map_err(|broken| broken.to_string())?;
                Some((after, outcome))
            }
            Err(_) => None,
        };
        let (real, model): (Outcome, Outcome) = match input {
            Input::Command(command) => {
                (self.releases.command(key, command.clone()).into(), self.model.command(key, command).into())
            }
            Input::Report(report) => {
                (self.releases.report(key, report.clone()).into(), self.model.report(key, report).into())
            }
        };
        if let (Some((task, outcome)), Ok(after)) = (&checked, self.releases.get(key)) {
            same("outcome of the loaded task", outcome, &real)?;
            same("loaded task", task, after)?;
        }
        *match &real {
            Outcome::Done(Change::Changed) => &mut self.summary.changed,
            Outcome::Done(Change::Unchanged) => &mut self.summary.unchanged,
            Outcome::Refused(_) => &mut self.summary.refused,
            Outcome::Unexpected(_) => &mut self.summary.unexpected,
        } += 1;
        same("outcome", &real, &model)
    }

    /// Whether the two are in the same state.
    fn compare(&mut self) -> Result<(), String> {
        let tasks: Vec<ReleaseKey> = self.releases.iter().map(|task| task.key().clone()).collect();
        same("tasks", &tasks, &self.model.keys())?;
        for record in self.model.records() {
            let task = self.releases.get(&record.spec.key).map_err(|error| error.to_string())?;
            compare::compare(task, record)?;
            self.summary.phases.insert(record.phase);
        }
        Ok(())
    }
}

/// Through JSON and back.
fn reload(task: &ReleaseTask) -> Result<ReleaseTask, String> {
    let stored = serde_json::to_string(task).map_err(|error| error.to_string())?;
    let loaded = serde_json::from_str(&stored).map_err(|error| format!("{error}: {stored}"))?;
    same("task after storing and loading it", &loaded, task)?;
    Ok(loaded)
}

fn same<T: PartialEq + fmt::Debug>(what: &str, real: &T, expected: &T) -> Result<String, String> {
    if real == expected {
        Ok(format!("{real:?}"))
    } else {
        Err(format!("{what}: {real:?}, but expected was {expected:?}"))
    }
}
