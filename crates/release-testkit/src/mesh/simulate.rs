//! Random runs.

use core::fmt;

use release_core::{ReleaseKey, ReleaseSpec, ReleaseTask, Request};

use super::perform::can_fail;
use super::{Event, Happened, Violation, World};

/// How many events a run may take from anywhere to its end when everything works: far more than it needs.
const FAIR_EVENTS: usize = 1_000;

/// A run that ended in a [`Violation`]. Its `Display` form is the list of what happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Failure {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// What it led to.
    pub violation: Violation,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.violation)?;
        for (number, event) in (1..).zip(&self.events) {
            writeln!(f, "{number:4}. {event}")?;
        }
        Ok(())
    }
}

/// Lets as many events happen in `world` as there are choices, sending requests through every proxy after each; then
/// everything works again, and the task must close. Returns what happened, or the run that went wrong.
///
/// Small choices are events that bring the task to its end, large ones are any of the [`events`](World::events) that can
/// happen. So smaller choices and shorter lists are simpler runs, which is how a property test shrinks one:
///
/// ```
/// use proptest::prelude::*;
/// use release_testkit::mesh::{Limits, Mesh, World, sample_requests, sample_task, simulate};
///
/// proptest!(ProptestConfig::with_cases(8), |(choices: Vec<u16>)| {
///     let world = World::new(sample_task(), Mesh::new(3), Limits::wide());
///     if let Err(failure) = simulate(world, &choices, &sample_requests()) {
///         panic!("{failure}");
///     }
/// });
/// ```
pub fn simulate(mut world: World, choices: &[u16], requests: &[Request]) -> Result<Vec<(Event, Happened)>, Failure> {
    let mut run: Vec<(Event, Happened)> = Vec::new();
    let failure = |run: Vec<(Event, Happened)>, last: Option<Event>, violation| Failure {
        events: run.into_iter().map(|(event, _)| event).chain(last).collect(),
        violation,
    };
    for choice in choices.iter().copied().map(Some).chain(std::iter::repeat_n(None, FAIR_EVENTS)) {
        let event = match choice {
            Some(choice) => choose(&world, choice),
            None => world.fair_event(),
        };
        let Some(event) = event else {
            return Ok(run); // Only a closed task has no fair event, and any world has others.
        };
        let happened = world.apply(&event).and_then(|happened| {
            requests.iter().try_for_each(|request| world.mesh().serve(request).map(drop))?;
            Ok(happened)
        });
        match happened {
            Ok(happened) => run.push((event, happened)),
            Err(violation) => return Err(failure(run, Some(event), violation)),
        }
    }
    Err(failure(run, None, Violation::Stuck))
}

/// A run that is all chance gets nowhere: only two choices of eight are any event at all. The others are what is fair; what
/// brings the newest routing forward; what the engine does next (twice); the failure of what it does; a command.
fn choose(world: &World, choice: u16) -> Option<Event> {
    let (kind, place) = (choice / 8_192, usize::from(choice % 8_192));
    let likely = match kind {
        0 => world.fair_event(),
        1 => world.mesh().forward().map(Event::Move),
        2 | 3 => world.engine_event(),
        4 => world.task().next_step().filter(can_fail).map(Event::Fail),
        _ => None,
    };
    likely.or_else(|| {
        let mut events = world.events();
        if kind == 5 {
            events.retain(|event| matches!(event, Event::Command(_)));
        }
        let place = place * events.len() / 8_192;
        (place < events.len()).then(|| events.swap_remove(place))
    })
}

/// A task to simulate with: `mesh-1/shop/3f2a`, which releases `v2` of `cart`.
#[expect(clippy::expect_used, clippy::missing_panics_doc, reason = "the names are constants, and valid")]
pub fn sample_task() -> ReleaseTask {
    let key = ReleaseKey::parse("mesh-1", "shop", "3f2a").expect("valid");
    let [service, original, grayscale] = ["cart", "v1", "v2"];
    ReleaseTask::new(ReleaseSpec {
        key,
        service: service.parse().expect("valid"),
        original: original.parse().expect("valid"),
        grayscale: grayscale.parse().expect("valid"),
    })
    .expect("the labels differ")
}

/// Requests that the routings of [`Limits::wide`](super::Limits::wide) tell apart: every draw, with and without the
/// header that its rule looks for.
pub fn sample_requests() -> Vec<Request> {
    let beta = vec![("X-Group".to_owned(), "beta".to_owned())];
    let request =
        |draw, headers: &Vec<(String, String)>| Request { headers: headers.clone(), draw, ..Request::default() };
    [0, 19, 20, 99].into_iter().flat_map(|draw| [request(draw, &Vec::new()), request(draw, &beta)]).collect()
}
