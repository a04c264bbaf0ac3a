//! Processes that do what Envoys do, without a connection, and a [`Control`] that is told of them late.

#![expect(clippy::indexing_slicing, reason = "every index is below the number of processes or services")]

mod motion;
mod plane;
mod process;
mod processes;
mod promises;
mod scripts;
mod service;
mod situation;

pub use motion::{Answer, Edit, Motion, Noticed, Saving, Wanted};
pub use scripts::{Script, scripts};
pub use situation::{Seen, Situation};

use crate::control::{Control, Memory, Moment, Settings};
use crate::service::Kind;
use plane::described;
use process::Process;
use release_core::ParseError;
use service::{File, Service};
use std::collections::BTreeSet;
use std::time::Duration;

const MESH: &str = "mesh-1";

/// How long what was sent can be on its way, where there is a fence: what takes longer does not arrive.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// What bytes say happens to a control plane and some processes; `Err` says which promise was broken.
///
/// The first byte says whether there is a fence (1), a process that has the name of another one (2), and whether two nodes
/// are the least that may confirm (4). Each two bytes after it are one [`Motion`].
///
/// - A routing is confirmed only if every process that routes does so by it, or has lost the version that lost to its fence;
///   never while two processes are known to have one name, and not before a crash would leave that it was applied.
/// - A version counts as drained, and is retired, only if no process can give it a request, and none that was given to it can
///   still be under way. Once it is retired that stays so, and nobody is sent anything that names it.
/// - No process is sent routes before their clusters, and none loses a cluster that it routes to: but what the file no longer
///   describes is not known any more to a control plane that was started again.
/// - An older generation is refused. A description that is refused changes nothing; one that was taken in is taken in by a
///   control plane that was started again, too.
/// - When all processes are back, each under a name of its own, and say yes, what is wanted is confirmed, drained and retired,
///   and none of them loses a cluster to its fence.
///
/// Nobody can know of a process that it still routes when another one has come back under its name and confirmed, nor that it
/// was not the one of the two that was told of a fence: such a process is left out until it is given routes again.
pub fn control(bytes: &[u8]) -> Result<Seen, String> {
    let (kind, motions) = bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest));
    let mut world = World::new(kind).map_err(|error| error.to_string())?;
    let mut story = Vec::new();
    let mut all = || {
        for pair in motions.chunks_exact(2).take(400) {
            let &[what, more] = pair else { break };
            let motion = Motion::of([what, more]);
            if motion == Motion::Passes(Duration::ZERO) {
                continue;
            }
            story.push(format!("at {:?}: {motion:?}", world.now.since_start()));
            world.happens(motion)?;
        }
        world.comes_to_rest().map_err(|broken| format!("when all are back: {broken}"))?;
        Ok(world.seen.clone())
    };
    all().map_err(|broken: String| format!("{broken}\n{}", story.join("\n")))
}

struct World {
    settings: Settings,
    control: Control,
    /// What was saved: all that outlives a restart.
    saved: Memory,
    /// What is being saved, and its number.
    saving: Option<(u64, Memory)>,
    now: Moment,
    processes: Vec<Process>,
    services: Vec<Service>,
    /// Clusters that the file did not describe when the control plane was started.
    unknown: BTreeSet<String>,
    seen: Seen,
}

impl World {
    fn new(kind: u8) -> Result<Self, ParseError> {
        let settings = Settings {
            fence: (kind & 1 > 0).then_some(Duration::from_secs(2)),
            min_nodes: if kind & 4 > 0 { 2 } else { 1 },
            ..Settings::default()
        };
        let mut nodes = vec![("envoy-1", MESH), ("envoy-2", MESH), ("envoy-3", "mesh-1/shop/s0")];
        if kind & 2 > 0 {
            nodes.push(("envoy-1", MESH));
        }
        let processes = nodes.into_iter().map(|(name, route)| Process::new(name, route, settings.grace));
        let mut world = Self {
            settings,
            control: Control::new(settings, Memory::default(), Moment::default()),
            saved: Memory::default(),
            saving: None,
            now: Moment::default(),
            processes: processes.collect(),
            services: vec![Service::new(0)?, Service::new(1)?],
            unknown: BTreeSet::new(),
            seen: Seen::default(),
        };
        let files = world.files();
        let _ = world.control.declare(described(&world.services, &files));
        world.control.open();
        Ok(world)
    }

    fn happens(&mut self, motion: Motion) -> Result<(), String> {
        let (processes, services) = (self.processes.len(), self.services.len());
        let process = |who: u8| usize::from(who) % processes;
        let service = |which: u8| usize::from(which) % services;
        match motion {
            Motion::Hears(who, answer) => self.hears(process(who), answer).map(drop)?,
            Motion::Says(who) => drop(self.says(process(who))),
            Motion::Exchanges(who) => {
                self.hears(process(who), Answer::Takes)?;
                while self.says(process(who)) {}
            }
            Motion::Settles(who) => self.settles(process(who), true).map(drop)?,
            Motion::Talks(who) => self.settles(process(who), false).map(drop)?,
            Motion::Connects(who) => self.connects(process(who)),
            Motion::Breaks(who, noticed) => self.breaks(process(who), noticed),
            Motion::Notices => self.notices(),
            Motion::Killed(who) => {
                let who = process(who);
                self.breaks(who, Noticed::ByBoth);
                self.processes[who].starts_anew();
            }
            Motion::Forgotten(who) => self.forgotten(process(who)),
            Motion::Saves => self.saves(),
            Motion::Restarts(saving) => self.restarts(saving)?,
            Motion::Asks(who) => {
                let process = &mut self.processes[process(who)];
                process.asks(Kind::Cluster, None);
                if process.listens {
                    process.asks(Kind::Route, None);
                }
            }
            Motion::Listens(who) => {
                let (who, now) = (process(who), self.now);
                let listens = !self.processes[who].listens;
                self.processes[who].listens(listens, now);
            }
            Motion::Applies(which, wanted) => self.applies(service(which), wanted)?,
            Motion::Retires(which) => self.retires(service(which))?,
            Motion::Declares(which, edit) => self.declares(service(which), edit)?,
            Motion::Passes(time) => self.passes(time).map(drop)?,
        }
        self.sends()?;
        self.check()
    }

    fn files(&self) -> Vec<File> {
        self.services.iter().map(|service| service.file.clone()).collect()
    }

    fn sees(&mut self, situation: Situation) {
        *self.seen.entry(situation).or_default() += 1;
    }
}
