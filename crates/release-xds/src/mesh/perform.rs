//! The four steps.

use super::{Inner, describe, ready};
use crate::control::{Blocker, Control, Moment, Progress, StepError, service_of};
use crate::envoy;
use crate::server::Hub;
use release_core::{Generation, Note, ReleaseSpec, Report, Step, Version, Witnesses};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How long a step waits before it says what for.
const FIRST_WORD: Duration = Duration::from_secs(2);

/// How soon a step that a node hinders sees what else has changed.
const SOON: Duration = Duration::from_millis(100);

/// How long a step waits for what it has said before; less than an engine gives it.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn perform(inner: &Inner, spec: &ReleaseSpec, step: &Step) -> Result<Report, String> {
    let name = service_of(spec);
    let hub = &inner.hub;
    // An engine says first what is open; whoever asks for steps without that has nothing to say.
    hub.tell(|control, _| control.open());
    let succeeded = match step {
        Step::EnsureReady { version, .. } => {
            let label = spec.label(*version);
            let described =
                inner.description(&name).ok_or_else(|| StepError::UnknownService(name.clone()).to_string())?;
            let unknown = || StepError::UnknownVersion { service: name, version: label.clone() }.to_string();
            let endpoints = &described.versions.get(label).ok_or_else(unknown)?.endpoints;
            ready::ensure(&described.health, endpoints).await.map_err(|reason| format!("version {label}: {reason}"))?;
            step.succeeded(Witnesses::one("endpoints"), "")
        }
        Step::Apply { generation, routing } => {
            envoy::check(routing).map_err(|error| error.to_string())?;
            hub.tell(|control, _| control.apply(spec, *generation, routing)).map_err(|error| error.to_string())?;
            let confirmed = |control: &Control, now| {
                control.is_current(spec, *generation)?;
                Ok(control.confirmed(spec, now))
            };
            let nodes = wait(inner, spec, confirmed, |control, node| control.is_behind(spec, node));
            let witnesses = Witnesses::new(nodes.await?.into_iter().map(Note::from));
            step.succeeded(witnesses.ok_or("nobody has confirmed the routing")?, "")
        }
        Step::Drain { generation, version } => {
            let drained = |control: &Control, now| {
                control.is_current(spec, *generation)?;
                Ok(control.drained(spec, *version, now))
            };
            let drained = wait(inner, spec, drained, |control, node| control.may_route(spec, *version, node)).await?;
            inner.cut_off.fetch_add(drained.cut_off, Ordering::Relaxed);
            let evidence = describe::drained(hub, &drained);
            step.succeeded(Witnesses::one("nodes"), evidence)
        }
        Step::Retire { generation, version } => {
            let drained = |control: &Control, now| {
                control.is_current(spec, *generation)?;
                // Whatever was drained once is drained again, unless a node has come back with old routes since.
                Ok(match control.drained(spec, *version, now) {
                    Progress::Waiting(waiting) if !control.is_retired(spec, *version) => Progress::Waiting(waiting),
                    _ => Progress::Done(()),
                })
            };
            wait(inner, spec, drained, |control, node| control.may_route(spec, *version, node)).await?;
            hub.tell(|control, now| {
                control.is_current(spec, *generation)?;
                control.retire(spec, *version, now)
            })
            .map_err(|error| error.to_string())?;
            // The cluster first, then the workloads: never both at once.
            if !hub.read(|control, _| control.is_cleared(spec)) {
                let withdrawn = |control: &Control, now| Ok(control.withdrawn(spec, *version, now));
                wait(inner, spec, withdrawn, |control, node| control.has_cluster(spec, *version, node)).await?;
                clear(inner, spec, *version, *generation).await?;
            }
            step.succeeded(Witnesses::one("nodes"), "")
        }
    };
    inner.told.lock().unwrap_or_else(PoisonError::into_inner).remove(&spec.key);
    Ok(succeeded)
}

/// Has the workloads of the loser retired.
async fn clear(inner: &Inner, spec: &ReleaseSpec, loser: Version, generation: Generation) -> Result<(), String> {
    let service = service_of(spec);
    let described = inner.description(&service).ok_or_else(|| StepError::UnknownService(service).to_string())?;
    if let Some(hook) = described.retire {
        inner.hooks.call(&inner.tracker, hook, spec, loser, generation).await?;
    }
    inner.hub.tell(|control, _| control.cleared(spec));
    inner.hub.until_saved().await.map_err(|trouble| unsaved(&trouble))
}

fn unsaved(trouble: &str) -> String {
    format!("the state file can't be written: {trouble}")
}

/// Waits until it is done. What it waits for is an error after a while, so that it can be seen; the same again is not said
/// before long. `hinders`: whether a node that was waited for still is.
async fn wait<T>(
    inner: &Inner,
    spec: &ReleaseSpec,
    progress: impl Fn(&Control, Moment) -> Result<Progress<T>, StepError>,
    hinders: impl Fn(&Control, &str) -> bool,
) -> Result<T, String> {
    let (hub, begun) = (&inner.hub, Instant::now());
    let mut changed = hub.changed.subscribe();
    loop {
        changed.mark_unchanged();
        let waiting = match hub.read(&progress).map_err(|error| error.to_string())? {
            Progress::Done(done) => return Ok(done),
            Progress::Refused { node, services, reason } => return Err(describe::refused(&node, &services, &reason)),
            Progress::Waiting(waiting) => waiting,
        };
        if let Some(trouble) = hub.trouble() {
            return Err(unsaved(&trouble));
        }
        let said = describe::waiting(hub, &waiting);
        // What ends by itself soon is no news.
        let soon = waiting.blockers.is_empty() && waiting.until.is_some();
        let limit = if soon || is_told(inner, spec, &said) { PATIENCE } else { FIRST_WORD };
        let end = begun + limit;
        if Instant::now() >= end {
            inner.told.lock().unwrap_or_else(PoisonError::into_inner).insert(spec.key.clone(), said.clone());
            return Err(said);
        }
        let until = waiting.until.map_or(end, |until| hub.instant(until).min(end));
        news(hub, &mut changed, waiting.blockers, until, &hinders).await;
    }
}

/// Waits until another look at all nodes can say something new, at the latest until then.
///
/// Each of n nodes answers, and a look at all of them each time would be n² work: while one that hinders still does, the step
/// is not done whatever the others say, and that can be told soon enough.
async fn news(
    hub: &Hub,
    changed: &mut watch::Receiver<()>,
    mut blockers: Vec<Blocker>,
    mut until: Instant,
    hinders: impl Fn(&Control, &str) -> bool,
) {
    let soon = Instant::now() + SOON;
    loop {
        tokio::select! {
            _ = changed.changed() => {}
            () = sleep_until(until) => return,
        }
        hub.read(|control, _| while blockers.pop_if(|blocker| !hinders(control, &blocker.node)).is_some() {});
        if blockers.is_empty() {
            return;
        }
        until = until.min(soon);
    }
}

fn is_told(inner: &Inner, spec: &ReleaseSpec, said: &str) -> bool {
    inner.told.lock().unwrap_or_else(PoisonError::into_inner).get(&spec.key).is_some_and(|told| told == said)
}
