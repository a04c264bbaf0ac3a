//! What holds in every state.

use super::{Broken, Law};
use crate::task::State;
use crate::{Action, Phase, ReleaseTask, RoutingKind, Stage, StepKind, Version};

/// Checks the laws that one state can break: 1 to 7, 13 and 14.
pub fn check_task(task: &ReleaseTask) -> Result<(), Broken> {
    routings_are_total(task)?;
    reachable_is_honest(task)?;
    nothing_is_retired_while_reachable(task)?;
    closing_gives_all_to_the_survivor(task)?;
    nothing_reaches_an_unready_version(task)
}

/// Laws 1 and 7.
fn routings_are_total(task: &ReleaseTask) -> Result<(), Broken> {
    let (wanted, confirmed) = (task.wanted(), task.confirmed());
    let resumed = task.state().resume().map(|resume| &resume.routing);
    for routing in [&wanted.routing, &confirmed.routing].into_iter().chain(resumed) {
        let total = match routing.kind() {
            RoutingKind::Exclusive(_) => true,
            RoutingKind::Weighted(share) => (1..100).contains(&share.get()),
            RoutingKind::Content(rules) => !rules.is_empty(),
        };
        Law::Total.holds(total, "a routing is not in normal form")?;
        let sum = routing.weights().map_or(100, |(original, grayscale)| original.get() + grayscale.get());
        Law::Total.holds(sum == 100, "weights don't sum to 100")?;
    }
    Law::Forward.holds(wanted.generation.get() > 0, "the wanted routing has generation 0")?;
    Law::Forward.holds(confirmed.generation <= wanted.generation, "a later routing was confirmed than was wanted")?;
    let same = confirmed.generation != wanted.generation || confirmed.routing == wanted.routing;
    Law::Forward.holds(same, "one generation stands for two routings")
}

/// Law 4: what it speaks of is not forgotten.
fn reachable_is_honest(task: &ReleaseTask) -> Result<(), Broken> {
    let (wanted, confirmed) = (task.wanted(), task.confirmed());
    let seen = wanted.routing.owners().and(confirmed.routing.owners());
    let holds = if wanted.generation == confirmed.generation {
        task.reachable() == seen
    } else {
        task.reachable().and(seen) == task.reachable()
    };
    Law::RetireOnlyUnreachable
        .holds(holds, "the reachable versions are not those of the routings since the confirmed one")
}

/// Laws 4, 5 and 6.
fn nothing_is_retired_while_reachable(task: &ReleaseTask) -> Result<(), Broken> {
    let retired = match task.state() {
        State::Draining { action, .. } | State::Retiring { action, .. } | State::Closed { action, .. } => *action,
        State::Deploying | State::Running | State::Preparing { .. } | State::Routing { .. } => {
            let retires = matches!(task.next_step().map(|step| step.kind()), Some(StepKind::Retire(_)));
            return Law::RetireOnlyUnreachable.holds(!retires, "a retire step before the loser was drained");
        }
    };
    let (wanted, confirmed) = (task.wanted(), task.confirmed());
    let unreachable = task.reachable().sole() == Some(retired.survivor()) && wanted.generation == confirmed.generation;
    let owners = (wanted.routing.sole_owner(), confirmed.routing.sole_owner());
    let survivor = Some(retired.survivor());
    if let Phase::Closed(action) = task.phase() {
        let law = if action == Action::Cancel { Law::Cancel } else { Law::End };
        law.holds(owners == (survivor, survivor), "another version owns requests of a closed task")?;
    }
    Law::RetiredStaysOut.holds(owners.0 == survivor, "the wanted routing names the loser")?;
    Law::RetireOnlyUnreachable.holds(unreachable, "a request can reach the loser")?;
    let due = task.next_step().map(|step| step.kind());
    Law::OneSurvives.holds(due != Some(StepKind::Retire(retired.survivor())), "the survivor is about to be retired")
}

/// Law 13.
fn closing_gives_all_to_the_survivor(task: &ReleaseTask) -> Result<(), Broken> {
    let Phase::Closing(action, Stage::Routing | Stage::Draining | Stage::Retiring) = task.phase() else {
        return Ok(());
    };
    let all = task.wanted().routing.sole_owner() == Some(action.survivor());
    Law::ShareNeverFalls.holds(all, "closing routes requests to the loser")
}

/// Law 14.
fn nothing_reaches_an_unready_version(task: &ReleaseTask) -> Result<(), Broken> {
    let deployed = match task.state() {
        State::Deploying => false,
        state => state.resume().is_none_or(|resume| resume.deployed),
    };
    let ended = task.phase().action() == Some(Action::End);
    Law::ReadyFirst.holds(deployed || !ended, "an end, but the grayscale version was never ready")?;
    let ready_first = deployed
        || task.reachable().sole() == Some(Version::Original)
            && task.state().resume().is_none_or(|resume| resume.routing.sole_owner() == Some(Version::Original));
    Law::ReadyFirst.holds(ready_first, "the grayscale version can be reached before it was ready")
}
