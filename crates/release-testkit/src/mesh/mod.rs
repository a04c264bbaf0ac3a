//! A simulated mesh: what a release task talks to, without I/O, clocks or threads.
//!
//! [`Mesh`] is a control plane and its proxies. It performs a task's [`Step`]s, honestly or with a [`Flaw`]; between two
//! steps its proxies [move](Motion) at their own pace: they take a routing late, refuse it, are cut off and come back.
//! [`World`] puts a task in front of it and lets everything that can go wrong between the two go wrong.
//!
//! ```
//! use release_core::{Command, ReleaseKey, ReleaseSpec, ReleaseTask};
//! use release_testkit::mesh::Mesh;
//!
//! let mut mesh = Mesh::new(2);
//! let mut task = ReleaseTask::new(ReleaseSpec {
//!     key: ReleaseKey::parse("mesh-1", "shop", "3f2a")?,
//!     service: "cart".parse()?,
//!     original: "v1".parse()?,
//!     grayscale: "v2".parse()?,
//! })?;
//! task.command(Command::CANCEL)?;
//! while let Some(step) = task.next_step() {
//!     match mesh.perform(&step) {
//!         Some(report) => drop(task.report(report)?),
//!         None => mesh.settle(), // Nothing to report yet.
//!     }
//!     mesh.check()?;
//! }
//! assert!(task.phase().is_closed());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod event;
mod flaw;
mod limits;
mod motion;
mod perform;
mod proxy;
mod simulate;
mod tasks;
mod violation;
mod world;

pub use event::Event;
pub use flaw::Flaw;
pub use limits::{Limits, commands};
pub use motion::Motion;
pub use proxy::{Link, Proxy, ProxyId};
pub use simulate::{Failure, sample_requests, sample_task, simulate};
pub use tasks::{Direct, Tasks};
pub use violation::Violation;
pub use world::{Happened, World};

use release_core::{Generation, NumberedRouting, Owners, Request, Routing, Step, Version};

/// A control plane and its proxies.
///
/// What the control plane keeps for good: the newest routing it was given, with its generation, which is the fence. What it
/// forgets when it crashes: which proxy has acknowledged that routing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mesh {
    newest: NumberedRouting,
    /// Whether a routing older than the newest is refused.
    fenced: bool,
    /// Known proxies, in the order of their names.
    proxies: Vec<Proxy>,
    /// The versions that were found ready.
    ready: Owners,
    /// The one of them that is not ready any more, if any.
    lost: Option<Version>,
    retired: Option<Owners>,
    flaw: Option<Flaw>,
}

impl Mesh {
    /// A mesh of that many proxies, which route everything to the original version and have not heard of a release yet.
    pub fn new(proxies: u8) -> Self {
        let newest = NumberedRouting { generation: Generation::ZERO, routing: Routing::exclusive(Version::Original) };
        let proxy = |number| Proxy::new(ProxyId::new(number), newest.clone(), Link::Acknowledged);
        Self {
            proxies: (1..=proxies).map(proxy).collect(),
            newest,
            fenced: true,
            ready: Owners::Only(Version::Original),
            lost: None,
            retired: None,
            flaw: None,
        }
    }

    /// The same mesh with a control plane that makes this mistake.
    #[must_use]
    pub fn with_flaw(self, flaw: Flaw) -> Self {
        Self { flaw: Some(flaw), fenced: flaw != Flaw::HasNoFence, ..self }
    }

    /// The proxies that the control plane knows.
    pub fn proxies(&self) -> &[Proxy] {
        &self.proxies
    }

    /// The newest routing that the control plane was given.
    pub fn newest(&self) -> &NumberedRouting {
        &self.newest
    }

    /// The versions that are deleted, if any.
    pub fn retired(&self) -> Option<Owners> {
        self.retired
    }

    /// The version that was found ready and is not any more, if any.
    pub fn lost(&self) -> Option<Version> {
        self.lost
    }

    /// Sends a request through every proxy and returns who served it where.
    ///
    /// It is a [`Violation`] when that version is retired, or was never ready.
    pub fn serve(&self, request: &Request) -> Result<Vec<(ProxyId, Version)>, Violation> {
        let serve = |proxy: &Proxy| {
            let version = proxy.running().routing.owner(request);
            self.can_serve(proxy.id(), version).map(|()| (proxy.id(), version))
        };
        self.proxies.iter().map(serve).collect()
    }

    /// Whether no request is lost at this moment, wherever and whatever it is.
    pub fn check(&self) -> Result<(), Violation> {
        if self.retired == Some(Owners::Both) {
            return Err(Violation::NothingLeft);
        }
        for proxy in &self.proxies {
            for version in [Version::Original, Version::Grayscale] {
                if proxy.running().routing.owners().contains(version) {
                    self.can_serve(proxy.id(), version)?;
                }
                if proxy.bound() == Some(version) && self.is_retired(version) {
                    return Err(Violation::CutRequest { proxy: proxy.id(), version });
                }
            }
        }
        Ok(())
    }

    /// What was lost is ready again, by itself.
    pub(crate) fn regain(&mut self) {
        self.lost = None;
    }

    fn can_serve(&self, proxy: ProxyId, version: Version) -> Result<(), Violation> {
        if self.is_retired(version) {
            return Err(Violation::LostRequest { proxy, version });
        }
        if self.ready.contains(version) { Ok(()) } else { Err(Violation::NotReady { proxy, version }) }
    }

    fn is_retired(&self, version: Version) -> bool {
        self.retired.is_some_and(|retired| retired.contains(version))
    }

    /// Whether performing `step` would change what proxies are given.
    fn heeds(&self, step: &Step) -> bool {
        let (generation, newest) = (step.generation(), self.newest.generation);
        matches!(step, Step::Apply { .. }) && (generation > newest || !self.fenced && generation != newest)
    }

    /// Whether it would now or later.
    pub(crate) fn may_heed(&self, step: &Step) -> bool {
        let forgets = self.flaw == Some(Flaw::ForgetsTheFence) && step.generation() != self.newest.generation;
        self.heeds(step) || forgets && matches!(step, Step::Apply { .. })
    }

    /// Gives every generation another number. Proxies that don't run the newest routing get number 0: their numbers make
    /// no difference to what happens.
    pub(crate) fn renumber(&mut self, number: impl Fn(Generation) -> Generation) {
        let newest = self.newest.generation;
        for proxy in &mut self.proxies {
            let runs_newest = proxy.running().generation == newest;
            proxy.renumber(if runs_newest { number(newest) } else { Generation::ZERO });
        }
        self.newest.generation = number(newest);
    }
}
