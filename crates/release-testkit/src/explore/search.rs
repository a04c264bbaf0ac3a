//! The search, breadth first.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use super::cache::{Cache, address};
use super::{Figures, Situation, situation};
use crate::mesh::{Event, Failure, Violation, World};

/// Goes through every state that `start` leads to, and fails with the shortest way to something that must not happen.
///
/// States are told apart by a fingerprint of 128 bits, which takes some 40 bytes each; those that are still to be looked at
/// take about a kilobyte.
///
/// ```
/// use release_testkit::explore::explore;
/// use release_testkit::mesh::{Limits, Mesh, World, sample_task};
///
/// let limits = Limits { commands: vec![release_core::Command::CANCEL], proxies: 1..=1, ..Limits::narrow() };
/// let figures = explore(World::new(sample_task(), Mesh::new(1), limits))?;
/// assert!(figures.longest_fair_run < 20);
/// # Ok::<(), Box<release_testkit::mesh::Failure>>(())
/// ```
pub fn explore(start: World) -> Result<Figures, Box<Failure>> {
    let mut search = Search::default();
    let origin = start.clone();
    let failure = |search: &Search, (node, event): (u32, Option<u16>), violation| {
        let path = search.path(node).into_iter().chain(event);
        Box::new(Failure { events: replay(&origin, path), violation })
    };

    let mut start = start;
    search.canonical(&mut start).map_err(|violation| failure(&search, (0, None), violation))?;
    search.visit(&start, NONE, 0);
    let mut layer = vec![(0, start)];
    while !layer.is_empty() {
        let mut next = Vec::new();
        for (node, world) in layer {
            for (number, event) in (0..).zip(world.events()) {
                let step =
                    search.take(&world, &event).map_err(|found| failure(&search, (node, Some(number)), found))?;
                let (target, is_new) = search.visit(&step, node, number);
                if number == 0 && world.fair_event().is_some() {
                    search.set_fair(node, target);
                }
                if is_new {
                    next.push((target, step));
                }
            }
        }
        search.figures.depth += usize::from(!next.is_empty());
        search.figures.widest = search.figures.widest.max(next.len());
        layer = next;
    }
    search.figures.longest_fair_run =
        search.longest_fair_run().map_err(|node| failure(&search, (node, None), Violation::Stuck))?;
    search.figures.states = search.nodes.len();
    search.figures.tasks = search.cache.tasks();
    search.figures.changes = search.cache.inputs();
    Ok(search.figures)
}

#[derive(Default)]
struct Search {
    cache: Cache,
    seen: HashMap<u128, u32, BuildHasherDefault<Fingerprint>>,
    nodes: Vec<Node>,
    figures: Figures,
}

/// How a state was first reached, and where everything that works leads from it.
struct Node {
    parent: u32,
    fair: u32,
    event: u16,
}

const NONE: u32 = u32::MAX;

impl Search {
    /// The canonical state after one event.
    fn take(&mut self, before: &World, event: &Event) -> Result<World, Violation> {
        let mut world = before.clone();
        let happened = world.apply_with(event, &mut self.cache)?;
        situation::count(&mut self.figures.situations, before, event, &happened, &world);
        self.canonical(&mut world)?;
        self.figures.transitions += 1;
        Ok(world)
    }

    fn canonical(&mut self, world: &mut World) -> Result<(), Violation> {
        world.renumber(|task, wanted, confirmed| self.cache.renumber(task, wanted, confirmed))
    }

    /// The node of a state, and whether it is new.
    fn visit(&mut self, world: &World, parent: u32, event: u16) -> (u32, bool) {
        // 2^32 nodes would take more memory than there is; should they come to be, the last stands for the rest.
        let new = u32::try_from(self.nodes.len()).unwrap_or(NONE - 1);
        match self.seen.entry(fingerprint(world)) {
            Entry::Occupied(known) => (*known.get(), false),
            Entry::Vacant(place) => {
                place.insert(new);
                self.nodes.push(Node { parent, fair: NONE, event });
                *self.figures.situations.entry(Situation::Reached(world.task().phase())).or_default() += 1;
                (new, true)
            }
        }
    }

    fn set_fair(&mut self, node: u32, target: u32) {
        if let Some(node) = self.nodes.get_mut(node as usize) {
            node.fair = target;
        }
    }

    /// The numbers of the events that lead to a node.
    fn path(&self, mut node: u32) -> Vec<u16> {
        let mut events = Vec::new();
        while let Some(Node { parent, event, .. }) = self.nodes.get(node as usize)
            && *parent != NONE
        {
            events.push(*event);
            node = *parent;
        }
        events.reverse();
        events
    }

    /// The most events from any state to the end, if everything works. An error where there is no end: a state on a circle.
    fn longest_fair_run(&self) -> Result<usize, u32> {
        const UNDER_WAY: u32 = NONE - 1;
        let mut lengths = vec![NONE; self.nodes.len()];
        let mut longest = 0;
        for node in 0..self.nodes.len() {
            let mut way = Vec::new();
            let mut at = node;
            let mut length = loop {
                match (lengths.get_mut(at), self.nodes.get(at)) {
                    (Some(length), Some(node)) if *length == NONE => {
                        *length = UNDER_WAY;
                        way.push(at);
                        if node.fair == NONE {
                            break 0;
                        }
                        at = node.fair as usize;
                    }
                    (Some(length), _) if *length != UNDER_WAY => break *length + 1,
                    _ => return Err(u32::try_from(at).unwrap_or(NONE)),
                }
            };
            for at in way.into_iter().rev() {
                longest = longest.max(length);
                if let Some(known) = lengths.get_mut(at) {
                    *known = length;
                }
                length += 1;
            }
        }
        Ok(longest as usize)
    }
}

/// What happens by these choices, with the generations as they would be in earnest.
fn replay(start: &World, choices: impl Iterator<Item = u16>) -> Vec<Event> {
    // What is spent is dropped as it was in the search, so that the choices mean the same.
    let (mut world, mut cache) = (start.clone(), Cache::default());
    let mut events = Vec::new();
    for choice in choices {
        let Some(event) = world.events().into_iter().nth(choice.into()) else { break };
        let happened = world.apply_with(&event, &mut cache);
        events.push(event);
        if happened.is_err() {
            break;
        }
    }
    events
}

fn fingerprint(world: &World) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, address(world.task()), world.mesh(), world.steps(), world.reports(), world.found_ready())
            .hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// A fingerprint needs no further hashing.
#[derive(Default)]
struct Fingerprint(u64);

impl Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "half of it is enough to find a place in the table")]
    fn write_u128(&mut self, fingerprint: u128) {
        self.0 = fingerprint as u64;
    }
}
