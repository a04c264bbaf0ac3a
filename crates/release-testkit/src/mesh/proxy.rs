//! One proxy of the simulated mesh.

use core::fmt;

use release_core::{Generation, NumberedRouting, Owners, Version};

/// A proxy's name: `proxy-1`, `proxy-2`, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProxyId(u8);

impl ProxyId {
    /// The proxy of that number.
    pub fn new(number: u8) -> Self {
        Self(number)
    }
}

impl fmt::Display for ProxyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "proxy-{}", self.0)
    }
}

/// How far the newest routing has come on its way to a proxy and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    /// It is on its way to the proxy, which may be slow to take it.
    Pushed,
    /// The proxy runs it; the acknowledgement is on its way back.
    Taken,
    /// The control plane knows that the proxy runs it.
    Acknowledged,
    /// The proxy can't be reached. It goes on routing by what it has, and it goes on counting.
    CutOff {
        /// Whether the proxy had acknowledged the newest routing before.
        acknowledged: bool,
    },
}

/// One proxy: it routes by what it runs, whatever the control plane knows or thinks.
///
/// Traffic never stops: while a routing gives a version requests, there may or may not be some in flight at any moment.
/// When the proxy takes a routing that gives the version none, those that were in flight are bound to it still, until
/// they end, however late.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proxy {
    id: ProxyId,
    running: NumberedRouting,
    link: Link,
    bound: Option<Version>,
}

impl Proxy {
    pub(super) fn new(id: ProxyId, running: NumberedRouting, link: Link) -> Self {
        Self { id, running, link, bound: None }
    }

    /// Its name.
    pub fn id(&self) -> ProxyId {
        self.id
    }

    /// What it routes by.
    pub fn running(&self) -> &NumberedRouting {
        &self.running
    }

    /// How far the newest routing has come.
    pub fn link(&self) -> Link {
        self.link
    }

    /// The version that requests in flight here are bound to, although new ones are not given to it any more.
    pub fn bound(&self) -> Option<Version> {
        self.bound
    }

    /// Whether it can be reached by the control plane.
    pub fn is_connected(&self) -> bool {
        !matches!(self.link, Link::CutOff { .. })
    }

    pub(super) fn is_acknowledged(&self) -> bool {
        matches!(self.link, Link::Acknowledged | Link::CutOff { acknowledged: true })
    }

    /// A newer routing is sent.
    pub(super) fn push(&mut self) {
        self.link = if self.is_connected() { Link::Pushed } else { Link::CutOff { acknowledged: false } };
    }

    /// Routes by what was pushed from now on.
    pub(super) fn take(&mut self, newest: &NumberedRouting) {
        let old = self.running.routing.owners();
        let had = |version| old.contains(version) || self.bound == Some(version);
        self.bound = match newest.routing.owners() {
            Owners::Both => None,
            Owners::Only(owner) => had(owner.other()).then_some(owner.other()),
        };
        self.running = newest.clone();
        self.link = Link::Taken;
    }

    /// Its acknowledgement, or what passes for one, arrives.
    pub(super) fn acknowledge(&mut self) {
        self.link = Link::Acknowledged;
    }

    /// What was under way to it and from it is lost.
    pub(super) fn cut_off(&mut self) {
        self.link = Link::CutOff { acknowledged: self.is_acknowledged() };
    }

    /// It is back: it is sent the newest routing, unless it is known to have it.
    pub(super) fn reconnect(&mut self) {
        self.link = if self.is_acknowledged() { Link::Acknowledged } else { Link::Pushed };
    }

    /// The control plane forgets what it knew of it, and the connection breaks.
    pub(super) fn forget(&mut self) {
        self.link = Link::CutOff { acknowledged: false };
    }

    /// The requests that were bound to an earlier version have ended.
    pub(super) fn finish(&mut self) {
        self.bound = None;
    }

    pub(super) fn renumber(&mut self, generation: Generation) {
        self.running.generation = generation;
    }
}
