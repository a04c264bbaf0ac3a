//! The control plane's side of a task's steps.

use release_core::{Note, NumberedRouting, Owners, Report, Step, Version, Witnesses};

use super::{Flaw, Mesh, Proxy};

impl Mesh {
    /// Performs a step as far as it goes at once and reports what came of it; `None` where there is nothing to report yet
    /// (a proxy has still to confirm): perform it again later. Performing a step repeatedly is as good as once.
    pub fn perform(&mut self, step: &Step) -> Option<Report> {
        match step {
            Step::EnsureReady { version, .. } => {
                self.ensure_ready(*version);
                Some(success(step))
            }
            Step::Apply { generation, routing } => {
                self.apply(step, &NumberedRouting { generation: *generation, routing: routing.clone() })
            }
            Step::Drain { version, .. } => Some(self.drain(step, *version)),
            Step::Retire { version, .. } => {
                self.retire(*version);
                Some(success(step))
            }
        }
    }

    /// The same where something outside the mesh is not as it should be: pods are not ready, a deletion fails. Steps that
    /// depend on the mesh alone are performed.
    pub fn fail(&mut self, step: &Step) -> Option<Report> {
        match step {
            Step::EnsureReady { .. } if self.flaw == Some(Flaw::CallsStartedReady) => Some(success(step)),
            Step::EnsureReady { version, .. } => Some(step.failed(format!("no pod of the {version} version is ready"))),
            Step::Retire { version, .. } => Some(step.failed(format!("the {version} version could not be deleted"))),
            Step::Apply { .. } | Step::Drain { .. } => self.perform(step),
        }
    }

    fn ensure_ready(&mut self, version: Version) {
        let remembers = self.flaw == Some(Flaw::RemembersReadiness) && self.ready.contains(version);
        if !remembers {
            self.ready = self.ready.and(Owners::Only(version));
            self.lost = self.lost.filter(|lost| *lost != version);
        }
    }

    fn apply(&mut self, step: &Step, wanted: &NumberedRouting) -> Option<Report> {
        if self.heeds(step) {
            self.newest = wanted.clone();
            self.fenced = self.flaw != Some(Flaw::HasNoFence);
            self.proxies.iter_mut().for_each(Proxy::push);
        }
        if self.newest.generation != wanted.generation {
            return Some(step.failed("the mesh was given a newer routing already"));
        }
        let confirms = |proxy: &&Proxy| match self.flaw {
            Some(Flaw::ConfirmsWhatWasSent) => true,
            Some(Flaw::ConfirmsWithoutTheCutOff) => proxy.is_acknowledged() || !proxy.is_connected(),
            _ => proxy.is_acknowledged(),
        };
        let by = self.proxies.iter().filter(confirms);
        let by: Vec<Note> = by.map(|proxy| Note::new(&proxy.id().to_string())).collect();
        if by.len() < self.proxies.len() {
            return None;
        }
        Witnesses::new(by).map(|by| Report::Confirmed { generation: wanted.generation, by })
    }

    /// Idle is not unreachable: where a proxy still gives the version requests, there may happen to be none in flight. The
    /// adapter may rely on the contract, by which every proxy has confirmed that it gives it none.
    fn drain(&mut self, step: &Step, version: Version) -> Report {
        if self.flaw == Some(Flaw::RetiresWhenDraining) {
            self.retire(version);
        }
        let busy = self.proxies.iter().any(|proxy| proxy.bound() == Some(version));
        if busy && self.flaw != Some(Flaw::DrainsAtOnce) {
            return step.failed("requests are still in flight");
        }
        success(step)
    }

    fn retire(&mut self, version: Version) {
        let gone = Owners::Only(version);
        self.retired = Some(self.retired.map_or(gone, |before| before.and(gone)));
    }
}

/// Whether a step depends on more than the mesh.
pub(super) fn can_fail(step: &Step) -> bool {
    matches!(step, Step::EnsureReady { .. } | Step::Retire { .. })
}

/// The success of a step that needs no witnesses.
fn success(step: &Step) -> Report {
    step.succeeded(Witnesses::one("the control plane"), "no request in flight")
}
