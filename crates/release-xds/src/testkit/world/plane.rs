//! What happens to the control plane.

use super::World;
use super::motion::{Edit, Noticed, Saving, Wanted};
use super::service::{File, Release, Service};
use super::situation::Situation;
use crate::control::{Control, Declared, Progress};
use release_core::{Generation, Percent, Routing, Version};

impl World {
    pub(super) fn saves(&mut self) {
        if let Some((number, saving)) = self.saving.take() {
            self.saved = saving;
            self.control.saved(number);
        } else if let Some(number) = self.control.unsaved() {
            self.saving = Some((number, self.control.memory().clone()));
        }
    }

    pub(super) fn restarts(&mut self, saving: Saving) -> Result<(), String> {
        if let Some((_, memory)) = self.saving.take().filter(|_| saving == Saving::Done) {
            self.saved = memory;
        }
        if self.saved != *self.control.memory() {
            self.sees(Situation::Lost);
        }
        self.notices();
        for who in 0..self.processes.len() {
            self.breaks(who, Noticed::ByControl);
        }
        self.unknown = self.services.iter().flat_map(Service::undescribed).collect();
        let files = self.files();
        self.control = Control::new(self.settings, self.saved.clone(), self.now);
        self.control.declare(described(&self.services, &files)).map_err(|error| format!("after a restart: {error}"))?;
        self.take_in(files);
        for release in self.services.iter_mut().filter_map(|service| service.release.as_mut()) {
            release.cleared = self.control.is_cleared(&release.spec);
            let applied = self.control.apply(&release.spec, release.generation, &release.routing);
            applied.map_err(|error| format!("after a restart: {error}"))?;
        }
        if self.services.iter().any(|service| service.release.is_some()) {
            self.sees(Situation::Restarted);
        }
        self.control.open();
        Ok(())
    }

    pub(super) fn declares(&mut self, which: usize, edit: Edit) -> Result<(), String> {
        if self.control.unsaved().is_some() {
            return Ok(());
        }
        let mut files = self.files();
        files[which] = self.services[which].edited(edit);
        let before: Vec<_> = self.control.services().cloned().collect();
        match self.control.declare(described(&self.services, &files)) {
            Ok(()) => {
                if self.services[which].release.is_some() {
                    self.sees(Situation::Declared);
                }
                self.take_in(files);
                Ok(())
            }
            Err(_) if self.control.services().eq(before.iter()) => {
                self.sees(Situation::Undeclared);
                Ok(())
            }
            Err(error) => Err(format!("what was refused has changed something: {error}")),
        }
    }

    /// All services were described, by those files.
    fn take_in(&mut self, files: Vec<File>) {
        for (service, file) in self.services.iter_mut().zip(files) {
            service.is_now(file);
        }
    }

    pub(super) fn applies(&mut self, which: usize, wanted: Wanted) -> Result<(), String> {
        let service = &mut self.services[which];
        if !service.file.there || service.release.as_ref().is_some_and(|release| release.retired) {
            return Ok(());
        }
        let (spec, newest) = match &service.release {
            Some(release) => (release.spec.clone(), release.generation.get()),
            None => (service.next_release().map_err(|error| error.to_string())?, 1),
        };
        let half = Percent::new(50).map_or(Routing::exclusive(Version::Original), Routing::weighted);
        let (next, routing) = match (wanted, &service.release) {
            (Wanted::Alone(version), _) => (newest + 1, Routing::exclusive(version)),
            (Wanted::Half, _) => (newest + 1, half),
            (Wanted::Again, Some(release)) => (newest, release.routing.clone()),
            (Wanted::Older, Some(_)) => (newest - 1, half),
            (Wanted::Again | Wanted::Older, None) => return Ok(()),
        };
        let generation = Generation::new(next);
        let applied = self.control.apply(&spec, generation, &routing);
        match (wanted, applied) {
            (Wanted::Older, Ok(())) => return Err(format!("generation {next} was applied after {newest}")),
            (Wanted::Older, Err(_)) => self.sees(Situation::Older),
            (Wanted::Again, applied) => applied.map_err(|error| format!("the same again is refused: {error}"))?,
            (_, Ok(())) => {
                service.gone.clear();
                service.release =
                    Some(Release { spec, generation, routing, confirmed: false, retired: false, cleared: false });
            }
            (_, Err(_)) => {}
        }
        Ok(())
    }

    /// As an engine does it: not before the routing was confirmed.
    pub(super) fn retires(&mut self, which: usize) -> Result<(), String> {
        let service = &self.services[which];
        let Some(release) = service.release.as_ref().filter(|release| release.confirmed) else { return Ok(()) };
        let Some(loser) = release.loser() else { return Ok(()) };
        let (spec, again) = (release.spec.clone(), release.retired);
        let label = spec.label(loser);
        let cluster = service.cluster(label);
        if self.control.retire(&spec, loser, self.now).is_err() {
            self.sees(Situation::Kept);
            return Ok(());
        }
        // Once the workloads are gone, the operator may have it serve anew.
        if !self.control.is_cleared(&spec) {
            self.check_unused(&cluster, "is retired")?;
        }
        // Nothing that follows from it is done before it is saved.
        if self.control.unsaved().is_some() {
            return Ok(());
        }
        if !again {
            self.services[which].is_without(label);
            self.sees(Situation::Retired);
            return Ok(());
        }
        if !self.control.is_cleared(&spec) {
            if !matches!(self.control.withdrawn(&spec, loser, self.now), Progress::Done(())) {
                return Ok(());
            }
            self.check_withdrawn(&cluster)?;
            self.control.cleared(&spec);
            self.services[which].is_cleared(spec.label(loser.other()));
        }
        if self.control.unsaved().is_some() {
            return Ok(());
        }
        self.sees(Situation::Over);
        self.services[which].release = None;
        Ok(())
    }

    /// Sends what the control plane wants sent.
    pub(super) fn sends(&mut self) -> Result<(), String> {
        let pushes = self.control.pushes(self.now);
        let gone: Vec<String> = self.services.iter().flat_map(Service::gone).collect();
        for push in pushes {
            let named = |cluster: &&String| {
                push.resources.iter().any(|(sent, _)| sent.name == **cluster || sent.uses.contains(*cluster))
            };
            if let Some(cluster) = gone.iter().find(named) {
                return Err(format!("{cluster} is retired, and sent to a process"));
            }
            let to = self.processes.iter_mut().find(|process| process.stream == Some(push.stream));
            if let Some(process) = to {
                process.sent.insert(push.kind, push.nonce.clone());
                process.inbox.push_back((self.now, push));
            }
        }
        Ok(())
    }
}

/// The services as files describe them.
pub(super) fn described(services: &[Service], files: &[File]) -> Vec<Declared> {
    let there = services.iter().zip(files).filter(|(_, file)| file.there);
    there.map(|(service, file)| file.declared(&service.name)).collect()
}
