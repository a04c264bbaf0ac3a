//! What the proxies do on their own.

use core::fmt;

use release_core::{Generation, NumberedRouting, Report, Routing, StepKind, Version};

use super::{Flaw, Link, Mesh, Proxy, ProxyId};

/// Something that happens in the mesh by itself, at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Motion {
    /// A proxy that was cut off is back.
    Reconnect(ProxyId),
    /// A proxy takes the routing that was pushed to it.
    Take(ProxyId),
    /// A proxy's acknowledgement reaches the control plane.
    Acknowledge(ProxyId),
    /// The requests that were bound to a version it does not route to any more have ended.
    Finish(ProxyId),
    /// A proxy joins: it is given the newest routing before its first request, and counts from then on.
    Join,
    /// A proxy refuses the routing that was pushed to it and goes on with the one it has.
    Refuse(ProxyId),
    /// A proxy is cut off from the control plane.
    CutOff(ProxyId),
    /// A proxy is gone for good, with its requests.
    Kill(ProxyId),
    /// A version that was found ready is not ready any more, and nobody is told.
    Lose(Version),
    /// The control plane crashes and comes back: connections break, acknowledgements are forgotten, the newest routing
    /// and its generation are not.
    Crash,
}

impl Mesh {
    /// What can happen now: first what brings the newest routing forward, last what does not. Proxies join and leave
    /// within these numbers.
    pub fn motions(&self, least: usize, most: usize) -> Vec<Motion> {
        let mut forward = Vec::new();
        let mut backward = Vec::new();
        for proxy in &self.proxies {
            let id = proxy.id();
            if proxy.bound().is_some() {
                forward.push(Motion::Finish(id));
            }
            match proxy.link() {
                Link::Pushed => {
                    forward.push(Motion::Take(id));
                    if proxy.running().generation != self.newest.generation {
                        backward.push(Motion::Refuse(id));
                    }
                }
                Link::Taken => forward.push(Motion::Acknowledge(id)),
                Link::Acknowledged => {}
                Link::CutOff { .. } => forward.push(Motion::Reconnect(id)),
            }
            if proxy.is_connected() {
                backward.push(Motion::CutOff(id));
            }
            if self.proxies.len() > least {
                backward.push(Motion::Kill(id));
            }
        }
        if self.proxies.len() < most {
            forward.push(Motion::Join);
        }
        forward.append(&mut backward);
        forward.push(Motion::Crash);
        forward
    }

    /// Lets it happen. A refusal is reported at once; what can't happen now does nothing.
    pub fn move_on(&mut self, motion: Motion) -> Option<Report> {
        let newest = self.newest.clone();
        match motion {
            Motion::Join => self.join(),
            Motion::Kill(id) => self.proxies.retain(|proxy| proxy.id() != id),
            Motion::Crash => {
                self.proxies.iter_mut().for_each(Proxy::forget);
                self.fenced &= self.flaw != Some(Flaw::ForgetsTheFence);
            }
            Motion::Lose(version) => self.lost = self.ready.contains(version).then_some(version).or(self.lost),
            Motion::Refuse(id) => return self.refuse(id),
            Motion::Reconnect(id)
            | Motion::Take(id)
            | Motion::Acknowledge(id)
            | Motion::CutOff(id)
            | Motion::Finish(id) => {
                let proxy = self.proxies.iter_mut().find(|proxy| proxy.id() == id)?;
                match (motion, proxy.link()) {
                    (Motion::Reconnect(_), Link::CutOff { .. }) => proxy.reconnect(),
                    (Motion::Take(_), Link::Pushed) => proxy.take(&newest),
                    (Motion::Acknowledge(_), Link::Taken) => proxy.acknowledge(),
                    (Motion::CutOff(_), _) => proxy.cut_off(),
                    (Motion::Finish(_), _) => proxy.finish(),
                    _ => {}
                }
            }
        }
        None
    }

    /// Lets everything arrive and end that is under way: every proxy is connected and runs the newest routing, and the
    /// control plane knows it.
    pub fn settle(&mut self) {
        while let Some(motion) = self.forward() {
            self.move_on(motion);
        }
    }

    /// The next motion that brings the newest routing forward.
    pub(crate) fn forward(&self) -> Option<Motion> {
        self.proxies.iter().find_map(|proxy| match proxy.link() {
            Link::CutOff { .. } => Some(Motion::Reconnect(proxy.id())),
            Link::Pushed => Some(Motion::Take(proxy.id())),
            Link::Taken => Some(Motion::Acknowledge(proxy.id())),
            Link::Acknowledged => proxy.bound().map(|_| Motion::Finish(proxy.id())),
        })
    }

    fn join(&mut self) {
        let free = |id: &ProxyId| self.proxies.iter().all(|proxy| proxy.id() != *id);
        let Some(id) = (1..=u8::MAX).map(ProxyId::new).find(free) else { return };
        let proxy = if self.flaw == Some(Flaw::JoinsWithTheFirstRouting) {
            let first =
                NumberedRouting { generation: Generation::ZERO, routing: Routing::exclusive(Version::Original) };
            Proxy::new(id, first, Link::Acknowledged)
        } else {
            Proxy::new(id, self.newest.clone(), Link::Taken)
        };
        self.proxies.push(proxy);
        self.proxies.sort_by_key(Proxy::id);
    }

    /// The routing stays pushed: the proxy may yet take it, or refuse it again.
    fn refuse(&mut self, id: ProxyId) -> Option<Report> {
        let generation = self.newest.generation;
        let proxy = self.proxies.iter_mut().find(|proxy| proxy.id() == id && proxy.link() == Link::Pushed)?;
        if self.flaw == Some(Flaw::TakesRefusalForConsent) {
            proxy.acknowledge();
            return None;
        }
        Some(Report::Failed { generation, step: StepKind::Apply, reason: format!("{id} refused the routing").into() })
    }
}

impl fmt::Display for Motion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reconnect(id) => write!(f, "{id} is back"),
            Self::Take(id) => write!(f, "{id} takes the routing that was pushed to it"),
            Self::Acknowledge(id) => write!(f, "{id}'s acknowledgement arrives"),
            Self::Finish(id) => write!(f, "the requests in flight at {id} end"),
            Self::Join => f.write_str("a proxy joins"),
            Self::Refuse(id) => write!(f, "{id} refuses the routing that was pushed to it"),
            Self::CutOff(id) => write!(f, "{id} is cut off"),
            Self::Kill(id) => write!(f, "{id} is gone for good"),
            Self::Lose(version) => write!(f, "the {version} version is not ready any more"),
            Self::Crash => f.write_str("everything crashes; the task is loaded from its store"),
        }
    }
}
