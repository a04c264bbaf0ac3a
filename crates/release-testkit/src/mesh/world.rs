//! A task, a mesh, and between them a network that loses, delays, repeats and reorders.

use std::sync::Arc;

use release_core::law::{Input, Outcome, check_asked};
use release_core::{
    Change, Command, Generation, Note, Owners, Phase, ReleaseTask, Report, Stage, Step, StepKind, Version, Witnesses,
};

use super::perform::can_fail;
use super::{Direct, Event, Limits, Mesh, Motion, Tasks, Violation};

/// Everything there is: one task as it is stored, the mesh, and what is under way between them.
///
/// [`events`](Self::events) lists what can happen now and [`apply`](Self::apply) makes one of them happen; nothing else
/// changes a world, so whoever chooses the events decides everything: a random run, an exhaustive exploration, a test.
///
/// - A step that the task ever asked for may be performed at any time, however late and however often: the replica that
///   was asked may have been deposed meanwhile. A report, once sent, may arrive at any time and any number of times. What
///   is lost never happens.
/// - A crash takes the engine and the control plane at once. The task comes back from its store. Steps and reports that
///   were under way may have been lost with it, or may be another replica's and still come.
/// - After every event the world is [checked](Violation).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    task: Arc<ReleaseTask>,
    mesh: Mesh,
    /// What may still be performed, in the order of generations.
    steps: Vec<Step>,
    /// What may still arrive, in the order of generations.
    reports: Vec<Report>,
    /// Whether the survivor was ready when it was asked for since the takeover began. Only while that is prepared.
    found_ready: bool,
    limits: Arc<Limits>,
}

/// What an event came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Happened {
    /// What the task said to a command or a report.
    pub outcome: Option<Arc<Outcome>>,
    /// What the mesh sent off, whether or not it will arrive.
    pub report: Option<Report>,
    /// What was too old to change anything, and was delivered to see that it did not.
    pub stale: Vec<Report>,
}

impl World {
    /// The beginning of a world.
    pub fn new(task: ReleaseTask, mesh: Mesh, limits: Limits) -> Self {
        let steps = task.next_step().into_iter().collect();
        let (task, limits) = (Arc::new(task), Arc::new(limits));
        Self { task, mesh, steps, reports: Vec::new(), found_ready: false, limits }
    }

    /// The task.
    pub fn task(&self) -> &Arc<ReleaseTask> {
        &self.task
    }

    /// The mesh.
    pub fn mesh(&self) -> &Mesh {
        &self.mesh
    }

    /// The steps that were asked for and may be performed, again or late.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The reports that were sent and may arrive, again or late.
    pub fn reports(&self) -> &[Report] {
        &self.reports
    }

    /// Whether the survivor was ready when it was asked for since the takeover began: `false` again when it is prepared no
    /// longer.
    pub fn found_ready(&self) -> bool {
        self.found_ready
    }

    /// What can happen now. What brings the task to its end stands first, what gets in its way last.
    pub fn events(&self) -> Vec<Event> {
        let mut events: Vec<Event> = self.fair_event().into_iter().collect();
        events.extend(self.reports.iter().cloned().map(Event::Deliver));
        events.extend(self.steps.iter().cloned().map(Event::Perform));
        events.extend(self.limits.commands.iter().cloned().map(Event::Command));
        if self.limits.failures {
            events.extend(self.steps.iter().filter(|step| can_fail(step)).cloned().map(Event::Fail));
        }
        let (least, most) = (*self.limits.proxies.start(), *self.limits.proxies.end());
        events.extend(self.mesh.motions(least, most).into_iter().map(Event::Move));
        events.extend(self.loss().map(Event::Move));
        events
    }

    /// The survivor has lost its readiness, and the takeover has not asked yet. Lost earlier, it would have made no
    /// difference until now; lost after the answer, it is nothing that a takeover can know.
    fn loss(&self) -> Option<Motion> {
        let Phase::Closing(action, Stage::Preparing) = self.task.phase() else { return None };
        let can = self.limits.losses && !self.found_ready && self.mesh.lost() != Some(action.survivor());
        can.then_some(Motion::Lose(action.survivor()))
    }

    /// What happens next in a run in which everything works: the release is canceled unless it is being finished already,
    /// proxies come back and take what they are given, reports arrive. `None` once the task is closed.
    pub fn fair_event(&self) -> Option<Event> {
        match self.task.phase() {
            Phase::Deploying | Phase::Running => return Some(Event::Command(Command::CANCEL)),
            Phase::Closed(_) => return None,
            Phase::Closing(..) => {}
        }
        if self.mesh.proxies().is_empty() {
            return Some(Event::Move(Motion::Join));
        }
        if let Some(motion) = self.mesh.forward() {
            return Some(Event::Move(motion));
        }
        self.engine_event()
    }

    /// What an engine does next, however the mesh is: it hears the answer to the step that is due, or performs it. `None`
    /// while no step is due.
    pub fn engine_event(&self) -> Option<Event> {
        let due = self.task.next_step()?;
        let answers = |report: &&Report| {
            let same = report.generation() == due.generation() && report.step() == due.kind();
            same && !matches!(report, Report::Failed { .. })
        };
        let answer = self.reports.iter().find(answers);
        Some(answer.map_or_else(|| Event::Perform(due.clone()), |answer| Event::Deliver(answer.clone())))
    }

    /// Makes `event` happen and checks the world: every law on the task, and that no request is lost.
    pub fn apply(&mut self, event: &Event) -> Result<Happened, Violation> {
        self.apply_with(event, &mut Direct)
    }

    /// The same where the task is changed and checked by `tasks`.
    pub fn apply_with(&mut self, event: &Event, tasks: &mut impl Tasks) -> Result<Happened, Violation> {
        let mut happened = Happened::default();
        let (task, newest) = (self.task.clone(), self.mesh.newest().generation);
        match event {
            Event::Command(command) => happened.outcome = Some(self.input(&command.clone().into(), tasks)?),
            Event::Deliver(report) => happened.outcome = Some(self.input(&report.clone().into(), tasks)?),
            Event::Perform(step) => {
                happened.report = self.mesh.perform(step);
                self.found_ready |= self.finds_ready(step);
            }
            Event::Fail(step) => happened.report = self.mesh.fail(step),
            Event::Move(motion) => {
                if *motion == Motion::Crash {
                    self.task = tasks.reload(&self.task)?;
                }
                happened.report = self.mesh.move_on(*motion);
            }
        }
        if let Some(report) = &happened.report {
            insert(&mut self.reports, report.clone(), report_order);
        }
        if happened.report.is_some() || !Arc::ptr_eq(&task, &self.task) || newest != self.mesh.newest().generation {
            self.lose_routings();
            self.expire(&mut happened.stale, tasks)?;
        }
        self.check()?;
        Ok(happened)
    }

    fn input(&mut self, input: &Input, tasks: &mut impl Tasks) -> Result<Arc<Outcome>, Violation> {
        let (task, outcome) = tasks.input(&self.task, input)?;
        if let (Outcome::Unexpected(error), Input::Report(report)) = (&*outcome, input) {
            return Err(Violation::ReportRefused { report: Box::new(report.clone()), error: error.clone() });
        }
        check_asked(&self.steps, &self.task, &task)?;
        if self.task.phase() != task.phase() {
            self.check_survivor(task.phase())?;
            self.found_ready = false;
            self.mesh.regain();
        }
        self.task = task;
        if let Some(step) = self.task.next_step() {
            insert(&mut self.steps, step, |step| (step.generation(), step.kind()));
        }
        Ok(outcome)
    }

    /// Whether the survivor of a takeover that is prepared is ready, now that it was asked for.
    fn finds_ready(&self, asked: &Step) -> bool {
        let Phase::Closing(action, Stage::Preparing) = self.task.phase() else { return false };
        let survivor = action.survivor();
        matches!(asked, Step::EnsureReady { version, .. } if *version == survivor) && self.mesh.lost() != Some(survivor)
    }

    /// A version may stop being ready at any time: no takeover is to blame for what it could not know when it asked. It is
    /// for not having asked since it began.
    fn check_survivor(&self, next: Phase) -> Result<(), Violation> {
        match next {
            Phase::Closing(action, Stage::Routing)
                if !self.found_ready && self.mesh.lost() == Some(action.survivor()) =>
            {
                Err(Violation::NotReadyAnyMore { version: action.survivor() })
            }
            _ => Ok(()),
        }
    }

    /// Forgets the oldest routings that are under way beyond the limit.
    fn lose_routings(&mut self) {
        let wanted = self.task.wanted().generation;
        let late = |step: &Step| step.generation() < wanted && self.mesh.may_heed(step);
        while self.steps.iter().filter(|step| late(step)).count() > self.limits.late_routings {
            let Some(oldest) = self.steps.iter().position(late) else { return };
            self.steps.remove(oldest);
        }
    }

    /// Performs (on a copy of the mesh) and delivers what can't change anything any more, beyond the limit.
    fn expire(&mut self, stale: &mut Vec<Report>, tasks: &mut impl Tasks) -> Result<(), Violation> {
        let mut spent = Vec::new();
        for step in &self.steps {
            let reports = [step.failed("late"), step.succeeded(Witnesses::one("a proxy"), "late")];
            let mut any = !self.mesh.may_heed(step);
            for report in &reports {
                any = any && tasks.is_spent(&self.task, report)?;
            }
            spent.extend(any.then(|| step.clone()));
        }
        for step in spent.iter().take(spent.len().saturating_sub(self.limits.stale)) {
            self.steps.retain(|other| other != step);
            if let Some(report) = self.mesh.clone().perform(step) {
                insert(&mut self.reports, report, report_order);
            }
        }
        let mut spent = Vec::new();
        for report in &self.reports {
            spent.extend(tasks.is_spent(&self.task, report)?.then(|| report.clone()));
        }
        for report in spent.into_iter().rev().skip(self.limits.stale) {
            self.reports.retain(|other| *other != report);
            let (_, outcome) = tasks.input(&self.task, &report.clone().into())?;
            match &*outcome {
                Outcome::Done(Change::Unchanged) => stale.push(report),
                _ => return Err(Violation::LateReportCounted(Box::new(report))),
            }
        }
        Ok(())
    }

    /// What must hold at every moment.
    fn check(&self) -> Result<(), Violation> {
        self.mesh.check()?;
        if let Phase::Closed(action) = self.task.phase()
            && self.mesh.retired().and_then(Owners::sole) != Some(action.loser())
        {
            return Err(Violation::NotRetired { action });
        }
        if self.mesh.flaw.is_some() {
            return Ok(()); // It lies to the task: what the task says about it need not be true.
        }
        let confirmed = self.task.confirmed().generation == self.task.wanted().generation;
        for proxy in self.mesh.proxies() {
            let owners = proxy.running().routing.owners();
            for version in [Version::Original, Version::Grayscale] {
                if owners.contains(version) && !self.task.reachable().contains(version) {
                    return Err(Violation::Unreachable { proxy: proxy.id(), version });
                }
            }
            if confirmed && proxy.running() != self.task.wanted() {
                return Err(Violation::FalselyConfirmed { proxy: proxy.id() });
            }
        }
        Ok(())
    }

    /// Gives every generation the smallest number that keeps their order, as far as the order makes a difference. `task`
    /// is this world's task with the wanted and the confirmed generation that the function is told.
    pub(crate) fn renumber<E>(
        &mut self,
        task: impl FnOnce(&Arc<ReleaseTask>, Generation, Generation) -> Result<Arc<ReleaseTask>, E>,
    ) -> Result<(), E> {
        let (wanted, confirmed) = (self.task.wanted().generation, self.task.confirmed().generation);
        let mut order: Vec<Generation> = self.steps.iter().map(Step::generation).collect();
        order.extend([wanted, self.mesh.newest().generation]);
        order.sort();
        order.dedup();
        let number = |generation: Generation| {
            let rank = order.iter().position(|known| *known == generation);
            Generation::new(rank.map_or(0, |rank| rank as u64 + 1))
        };
        let as_confirmed = if confirmed == wanted { number(wanted) } else { Generation::ZERO };
        self.task = task(&self.task, number(wanted), as_confirmed)?;
        self.mesh.renumber(number);
        for step in &mut self.steps {
            let (Step::EnsureReady { generation, .. }
            | Step::Apply { generation, .. }
            | Step::Drain { generation, .. }
            | Step::Retire { generation, .. }) = step;
            *generation = number(*generation);
        }
        for report in &mut self.reports {
            let (Report::Ready { generation, .. }
            | Report::Confirmed { generation, .. }
            | Report::Drained { generation, .. }
            | Report::Retired { generation, .. }
            | Report::Failed { generation, .. }) = report;
            *generation = number(*generation);
        }
        Ok(())
    }
}

/// Inserts what is not there yet at its place in an order that does not depend on what came first.
fn insert<T, K: Ord>(items: &mut Vec<T>, item: T, order: impl Fn(&T) -> K) {
    let key = order(&item);
    if let Err(place) = items.binary_search_by(|other| order(other).cmp(&key)) {
        items.insert(place, item);
    }
}

fn report_order(report: &Report) -> (Generation, StepKind, Vec<Note>) {
    let notes = match report {
        Report::Failed { reason, .. } => vec![reason.clone()],
        Report::Confirmed { by, .. } => by.names().to_vec(),
        Report::Ready { .. } | Report::Drained { .. } | Report::Retired { .. } => Vec::new(),
    };
    (report.generation(), report.step(), notes)
}
