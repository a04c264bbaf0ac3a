//! What clients were told, and whether what is stored agrees.

use anyhow::{Context as _, Result, bail, ensure};
use release_core::{Action, Phase, ReleaseId, ReleaseTask, Routing, Stage};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How far a task was when somebody looked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) phase: Phase,
    generation: u64,
    wanted: Routing,
}

/// What is known of one release.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// How far it was when somebody looked last.
    pub(crate) seen: Option<Seen>,
    /// The deletes that were sent, answered or not.
    deletes: Vec<Action>,
    /// Whether a reopen is under way.
    reopened: bool,
    /// By what it was closed, as a client was told.
    closed: Option<Action>,
}

/// What is known of all releases: it only grows.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<BTreeMap<ReleaseId, Known>>);

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ReleaseId, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A delete is about to be sent.
    pub(crate) fn delete(&self, id: &ReleaseId, action: Action) {
        self.lock().entry(id.clone()).or_default().deletes.push(action);
    }

    /// A reopen is about to be sent, or what came of it was seen.
    pub(crate) fn reopen(&self, id: &ReleaseId, under_way: bool) {
        self.lock().entry(id.clone()).or_default().reopened = under_way;
    }

    /// A delete was answered with 200.
    pub(crate) fn closed(&self, id: &ReleaseId, action: Action) -> Result<()> {
        let mut all = self.lock();
        let known = all.entry(id.clone()).or_default();
        ensure!(known.closed.is_none_or(|closed| closed == action), "{id} was closed by both actions");
        known.closed = Some(action);
        Ok(())
    }

    /// Somebody looked.
    pub(crate) fn saw(&self, id: &ReleaseId, seen: Seen) -> Result<()> {
        let mut all = self.lock();
        let known = all.entry(id.clone()).or_default();
        known.allows(&seen).with_context(|| format!("{id}: {known:?}, and now {seen:?}"))?;
        known.seen = Some(seen);
        Ok(())
    }

    /// The releases that somebody was told of.
    pub(crate) fn ids(&self) -> Vec<ReleaseId> {
        self.lock().keys().cloned().collect()
    }

    /// The releases that are closed, as somebody was told or saw.
    pub(crate) fn closed_ones(&self) -> usize {
        let closed = |known: &&Known| known.seen.as_ref().is_some_and(|seen| seen.phase.is_closed());
        self.lock().values().filter(closed).count()
    }
}

impl Known {
    /// Whether a task that is `now` can be the one that was known, with what was asked for since.
    fn allows(&self, now: &Seen) -> Result<()> {
        if let Some(by) = now.phase.action() {
            ensure!(self.deletes.contains(&by), "nobody asked for this {by}");
        }
        if let Some(by) = self.closed {
            ensure!(now.phase == Phase::Closed(by), "a client was told that it is closed ({by})");
        }
        let Some(before) = &self.seen else { return Ok(()) };
        ensure!(now.generation >= before.generation, "a generation was forgotten");
        let same = now.generation > before.generation || now.wanted == before.wanted;
        ensure!(same, "a routing has changed without a new number");
        match (before.phase, now.phase) {
            (Phase::Closed(_), _) => ensure!(before == now, "a closed task has changed"),
            (Phase::Closing(by, Stage::Retiring), _) => {
                let on = [before.phase, Phase::Closed(by)].contains(&now.phase);
                ensure!(on && before.generation == now.generation, "it came back from the point of no return");
            }
            (_, _) if self.reopened => {}
            (Phase::Closing(Action::End, _), Phase::Closing(Action::Cancel, _) | Phase::Closed(Action::Cancel)) => {}
            (Phase::Closing(before, _), Phase::Closing(now, _) | Phase::Closed(now)) if before != now => {
                bail!("a cancel has become an end");
            }
            (before, now) => ensure!(rank(now) >= rank(before), "a step that was taken is forgotten"),
        }
        Ok(())
    }
}

fn rank(phase: Phase) -> u8 {
    match phase {
        Phase::Deploying => 0,
        Phase::Running => 1,
        Phase::Closing(_, Stage::Preparing) => 2,
        Phase::Closing(_, Stage::Routing) => 3,
        Phase::Closing(_, Stage::Draining) => 4,
        Phase::Closing(_, Stage::Retiring) => 5,
        Phase::Closed(_) => 6,
    }
}

impl From<&ReleaseTask> for Seen {
    fn from(task: &ReleaseTask) -> Self {
        let wanted = task.wanted();
        Self { phase: task.phase(), generation: wanted.generation.get(), wanted: wanted.routing.clone() }
    }
}

/// From the document of a release.
impl TryFrom<&Value> for Seen {
    type Error = anyhow::Error;

    fn try_from(release: &Value) -> Result<Self> {
        let field = |path: &str| release.pointer(path).cloned().unwrap_or_default();
        let action = || serde_json::from_value::<Action>(field("/status/action"));
        let phase = match field("/status/phase").as_str() {
            Some("deploying") => Phase::Deploying,
            Some("running") => Phase::Running,
            Some("closing") => Phase::Closing(action()?, serde_json::from_value(field("/status/stage"))?),
            Some("closed") => Phase::Closed(action()?),
            _ => bail!("no phase in {release}"),
        };
        let generation = field("/status/wanted/generation").as_u64().context("no generation")?;
        Ok(Self { phase, generation, wanted: serde_json::from_value(field("/status/wanted/policy"))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{Cancel, End};
    use Phase::{Closed, Closing, Deploying, Running};
    use Stage::{Draining, Preparing, Retiring};
    use release_core::Percent;

    /// A phase and a generation, which stands for its routing, too.
    fn seen((phase, generation): (Phase, u8)) -> Seen {
        let wanted = Routing::weighted(Percent::new(generation.into()).unwrap());
        Seen { phase, generation: generation.into(), wanted }
    }

    /// What is known when it was seen like that, and both deletes were sent since.
    fn known(before: (Phase, u8)) -> Known {
        Known { seen: Some(seen(before)), deletes: vec![Cancel, End], ..Known::default() }
    }

    fn wrong(known: &Known, now: (Phase, u8)) -> String {
        known.allows(&seen(now)).map_or_else(|error| error.to_string(), |()| "nothing".into())
    }

    #[test]
    fn a_step_forward_is_allowed_and_nothing_else() {
        for (before, now, expected) in [
            ((Deploying, 1), (Running, 1), "nothing"),
            ((Running, 1), (Running, 2), "nothing"),
            ((Running, 2), (Closed(End), 3), "nothing"),
            ((Closing(End, Draining), 3), (Closing(Cancel, Preparing), 3), "nothing"),
            ((Closing(End, Draining), 3), (Closed(Cancel), 4), "nothing"),
            ((Closing(End, Retiring), 3), (Closed(End), 3), "nothing"),
            ((Closed(End), 3), (Closed(End), 3), "nothing"),
            ((Running, 2), (Running, 1), "a generation was forgotten"),
            ((Running, 1), (Deploying, 1), "a step that was taken is forgotten"),
            ((Closing(End, Draining), 3), (Closing(End, Preparing), 3), "a step that was taken is forgotten"),
            ((Closing(End, Draining), 3), (Running, 4), "a step that was taken is forgotten"),
            ((Closing(Cancel, Draining), 3), (Closing(End, Preparing), 3), "a cancel has become an end"),
            ((Closing(Cancel, Draining), 3), (Closed(End), 4), "a cancel has become an end"),
            ((Closing(End, Retiring), 3), (Closing(End, Draining), 3), "it came back from the point of no return"),
            ((Closing(End, Retiring), 3), (Closed(Cancel), 4), "it came back from the point of no return"),
            ((Closed(End), 3), (Closed(End), 4), "a closed task has changed"),
        ] {
            assert_eq!(wrong(&known(before), now), expected, "{before:?}, and then {now:?}");
        }
        let other = Seen { wanted: Routing::weighted(Percent::ZERO), ..seen((Running, 2)) };
        let error = known((Running, 2)).allows(&other).unwrap_err();
        assert_eq!(error.to_string(), "a routing has changed without a new number");
    }

    #[test]
    fn what_was_asked_for_and_what_was_told_count() {
        let draining = (Closing(End, Draining), 3);
        let reopened = Known { reopened: true, ..known(draining) };
        assert_eq!(wrong(&reopened, (Running, 4)), "nothing");
        let past = Known { reopened: true, ..known((Closing(End, Retiring), 3)) };
        assert_eq!(wrong(&past, (Running, 4)), "it came back from the point of no return");
        let nobody = Known { deletes: vec![Cancel], ..known((Running, 2)) };
        assert_eq!(wrong(&nobody, draining), "nobody asked for this end");
        let told = Known { closed: Some(End), ..known(draining) };
        assert_eq!(wrong(&told, (Closed(End), 3)), "nothing");
        assert_eq!(wrong(&told, draining), "a client was told that it is closed (end)");
    }

    #[test]
    fn nobody_is_told_that_both_actions_have_closed_it() {
        let (ledger, id) = (Ledger::default(), "a".parse().unwrap());
        ledger.closed(&id, End).unwrap();
        ledger.closed(&id, End).unwrap();
        assert_eq!(ledger.closed(&id, Cancel).unwrap_err().to_string(), "a was closed by both actions");
    }
}
