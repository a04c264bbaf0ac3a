//! Every distinct task once, and what came of every distinct input to it.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use release_core::law::{Input, Outcome, check_future, check_task};
use release_core::{Change, Command, Generation, ReleaseTask, Report, Step, Witnesses};

use crate::mesh::{Direct, Tasks, Violation};

/// Tasks that are the same are the same allocation, so that they can be told apart by their address.
///
/// All laws are checked, and the way through the store is taken, once for every distinct task; one change and its
/// repetition once for every distinct task and input.
#[derive(Default)]
pub(super) struct Cache {
    tasks: HashSet<Arc<ReleaseTask>>,
    by_address: HashMap<usize, Known>,
}

#[derive(Default)]
struct Known {
    inputs: HashMap<Input, (Arc<ReleaseTask>, Arc<Outcome>)>,
    renumbered: HashMap<(Generation, Generation), Arc<ReleaseTask>>,
    /// Every task that this one can become in the same generation.
    becomes: Option<Rc<[Arc<ReleaseTask>]>>,
    spent: HashMap<Report, bool>,
}

impl Cache {
    /// How many distinct tasks there are.
    pub(super) fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// How many distinct changes of a task there are.
    pub(super) fn inputs(&self) -> usize {
        self.by_address.values().map(|known| known.inputs.len()).sum()
    }

    /// The one allocation of that task.
    pub(super) fn intern(&mut self, task: Arc<ReleaseTask>) -> Result<Arc<ReleaseTask>, Violation> {
        if let Some(known) = self.tasks.get(&task) {
            return Ok(known.clone());
        }
        check_task(&task)?;
        check_future(&task)?;
        Direct.reload(&task)?;
        self.tasks.insert(task.clone());
        Ok(task)
    }

    /// The same task with other numbers for its generations.
    pub(super) fn renumber(
        &mut self,
        task: &Arc<ReleaseTask>,
        wanted: Generation,
        confirmed: Generation,
    ) -> Result<Arc<ReleaseTask>, Violation> {
        if (task.wanted().generation, task.confirmed().generation) == (wanted, confirmed) {
            return self.intern(task.clone());
        }
        if let Some(renumbered) = self.known(task).renumbered.get(&(wanted, confirmed)) {
            return Ok(renumbered.clone());
        }
        let unreadable = |error: serde_json::Error| Violation::Stored(error.to_string());
        let mut stored = serde_json::to_value(&**task).map_err(unreadable)?;
        for (name, generation) in [("wanted", wanted), ("confirmed", confirmed)] {
            let place = stored.pointer_mut(&format!("/v1/{name}/generation"));
            *place.ok_or_else(|| Violation::Stored(format!("there is no {name} routing")))? = generation.get().into();
        }
        let renumbered: ReleaseTask = serde_json::from_value(stored).map_err(unreadable)?;
        let renumbered = self.intern(Arc::new(renumbered))?;
        self.known(task).renumbered.insert((wanted, confirmed), renumbered.clone());
        Ok(renumbered)
    }

    /// Every task that `task` can become in the same generation, itself too.
    fn becomes(&mut self, task: &Arc<ReleaseTask>) -> Result<Rc<[Arc<ReleaseTask>]>, Violation> {
        if let Some(known) = &self.known(task).becomes {
            return Ok(known.clone());
        }
        // Every other command is refused, changes nothing or begins a new generation.
        let commands = [Input::from(Command::CANCEL), Input::from(Command::END)];
        let mut all = vec![task.clone()];
        let mut next = 0;
        while let Some(at) = all.get(next).cloned() {
            let answers = |step: Step| [step.succeeded(Witnesses::one("a proxy"), "late"), step.failed("late")];
            let reports = at.next_step().into_iter().flat_map(answers).map(Input::Report);
            for input in commands.iter().cloned().chain(reports) {
                let (after, _) = self.input(&at, &input)?;
                if after.wanted().generation == task.wanted().generation && !all.contains(&after) {
                    all.push(after);
                }
            }
            next += 1;
        }
        let all: Rc<[Arc<ReleaseTask>]> = all.into();
        self.known(task).becomes = Some(all.clone());
        Ok(all)
    }

    fn known(&mut self, task: &Arc<ReleaseTask>) -> &mut Known {
        self.by_address.entry(address(task)).or_default()
    }
}

impl Tasks for Cache {
    fn input(&mut self, task: &Arc<ReleaseTask>, input: &Input) -> Result<(Arc<ReleaseTask>, Arc<Outcome>), Violation> {
        if let Some(known) = self.known(task).inputs.get(input) {
            return Ok(known.clone());
        }
        let (after, outcome) = Direct.input(task, input)?;
        let known = (self.intern(after)?, outcome);
        self.known(task).inputs.insert(input.clone(), known.clone());
        Ok(known)
    }

    fn reload(&mut self, task: &Arc<ReleaseTask>) -> Result<Arc<ReleaseTask>, Violation> {
        self.intern(task.clone()) // Stored and loaded when it was first seen.
    }

    /// Delivers it to everything that the task can become before the next generation.
    fn is_spent(&mut self, task: &Arc<ReleaseTask>, report: &Report) -> Result<bool, Violation> {
        if report.generation() < task.wanted().generation {
            return Ok(true);
        }
        if let Some(spent) = self.known(task).spent.get(report) {
            return Ok(*spent);
        }
        let mut spent = true;
        for task in &*self.becomes(task)? {
            let (_, outcome) = self.input(task, &report.clone().into())?;
            spent &= *outcome == Outcome::Done(Change::Unchanged);
        }
        self.known(task).spent.insert(report.clone(), spent);
        Ok(spent)
    }
}

/// Tells interned tasks apart.
pub(super) fn address(task: &Arc<ReleaseTask>) -> usize {
    Arc::as_ptr(task).addr()
}
