//! What must be true.

use super::World;
use super::motion::{Noticed, Wanted};
use super::process::Process;
use super::service::Release;
use super::situation::Situation;
use crate::control::{Obstacle, Progress};
use release_core::{ReleaseSpec, Version};
use std::collections::BTreeSet;
use std::time::Duration;

impl World {
    pub(super) fn check(&mut self) -> Result<(), String> {
        for which in 0..self.services.len() {
            for cluster in self.services[which].gone().collect::<Vec<_>>() {
                self.check_unreachable(&cluster, "was retired")?;
            }
            // Once the workloads are gone, the operator may want something else.
            let Some(release) = self.services[which].release.as_ref().filter(|release| !release.cleared) else {
                continue;
            };
            let spec = release.spec.clone();
            self.check_confirmed(which, &spec)?;
            self.check_drained(which, &spec)?;
        }
        Ok(())
    }

    fn check_confirmed(&mut self, which: usize, spec: &ReleaseSpec) -> Result<(), String> {
        let witnesses = match self.control.confirmed(spec, self.now) {
            Progress::Done(witnesses) => witnesses,
            Progress::Waiting(waiting) => {
                if waiting.blockers.iter().any(|blocker| matches!(blocker.obstacle, Obstacle::CutOff(_))) {
                    self.sees(Situation::CutOff);
                }
                return Ok(());
            }
            Progress::Refused { .. } => return Ok(()),
        };
        self.sees(Situation::Confirmed);
        let service = &mut self.services[which];
        let Some(mut release) = service.release.take() else { return Ok(()) };
        release.confirmed = true;
        let expected = service.expected(&release)?;
        let lost = release.loser().map(|loser| service.cluster(spec.label(loser)));
        let (name, generation) = (service.name.to_string(), release.generation);
        service.release = Some(release);
        let remembered = self.saved.services.iter().find(|known| known.name.to_string() == name);
        let saved = remembered.and_then(|known| known.release.as_ref());
        if saved.is_none_or(|fence| fence.key != spec.key || fence.generation != generation) {
            return Err(format!("generation {generation} of {name} is confirmed, and a crash would lose it"));
        }
        if witnesses.is_empty() {
            return Err(format!("nobody has confirmed generation {generation} of {name}"));
        }
        let mut fenced = 0;
        for process in self.processes.iter().filter(|process| !process.hidden) {
            if process.stream.is_some_and(|stream| process.noticed.contains(&stream)) && process.routes() {
                return Err(format!("generation {generation} is confirmed, and there is another {}", process.name));
            }
            let Some(host) = process.host(&name).filter(|host| **host != expected) else { continue };
            let lost_it = lost.as_ref().is_some_and(|lost| !process.can_reach(lost));
            if self.settings.fence.is_none() || process.stream.is_some() || !lost_it {
                let uses: Vec<_> = host.routes.iter().map(|route| &route.name).collect();
                return Err(format!("generation {generation} is confirmed, and {} runs {uses:?}", process.name));
            }
            fenced += 1;
        }
        if fenced > 0 {
            self.sees(Situation::Fenced);
        }
        Ok(())
    }

    fn check_drained(&mut self, which: usize, spec: &ReleaseSpec) -> Result<(), String> {
        let service = &self.services[which];
        let Some(loser) = service.release.as_ref().filter(|release| !release.retired).and_then(Release::loser) else {
            return Ok(());
        };
        let cluster = service.cluster(spec.label(loser));
        if let Progress::Done(_) = self.control.drained(spec, loser, self.now) {
            self.sees(Situation::Drained);
            self.check_unused(&cluster, "counts as drained")?;
        }
        Ok(())
    }

    fn check_unreachable(&self, cluster: &str, why: &str) -> Result<(), String> {
        let reaches = |process: &&Process| !process.hidden && process.can_reach(cluster);
        match self.processes.iter().find(reaches) {
            Some(process) => Err(format!("{cluster} {why}, and {} routes to it", process.name)),
            None => Ok(()),
        }
    }

    pub(super) fn check_unused(&self, cluster: &str, why: &str) -> Result<(), String> {
        self.check_unreachable(cluster, why)?;
        let uses = |process: &&Process| !process.hidden && process.is_busy(cluster, self.now);
        match self.processes.iter().find(uses) {
            Some(process) => Err(format!("{cluster} {why}, and a request from {} can be under way", process.name)),
            None => Ok(()),
        }
    }

    pub(super) fn check_withdrawn(&self, cluster: &str) -> Result<(), String> {
        let connected = |process: &&Process| process.stream.is_some() && !process.hidden;
        // One that is back drops it with the first clusters that it gets.
        let has_it = |process: &&Process| process.has_heard_of_clusters() && process.has_cluster(cluster, self.now);
        match self.processes.iter().filter(connected).find(has_it) {
            Some(process) => Err(format!("{cluster} counts as withdrawn, and {} has it", process.name)),
            None => Ok(()),
        }
    }

    /// All processes are back, each under a name of its own, and take everything: then nothing is waited for.
    pub(super) fn comes_to_rest(&mut self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for who in 0..self.processes.len() {
            self.breaks(who, Noticed::ByBoth);
            if !names.insert(self.processes[who].name.clone()) {
                self.processes[who].starts_anew();
            }
        }
        self.notices();
        self.processes.retain(|process| names.remove(&process.name));
        for who in 0..self.processes.len() {
            self.connects(who);
            self.processes[who].listens(true, self.now);
        }
        self.all_settle()?;
        self.all_again()?;
        for _ in 0..10 {
            if self.passes(Duration::from_secs(1))? {
                return Err("a process that is connected has lost a cluster".to_owned());
            }
            self.all_settle()?;
        }
        for which in 0..self.services.len() {
            let Some(release) = &self.services[which].release else { continue };
            let spec = release.spec.clone();
            let confirmed = self.control.confirmed(&spec, self.now);
            if !release.cleared && !matches!(confirmed, Progress::Done(_)) {
                return Err(format!("{} is not confirmed: {confirmed:?}", spec.key.id));
            }
            // It is saved what is done, before the next is.
            for _ in 0..4 {
                self.retires(which)?;
                self.sends()?;
                self.all_settle()?;
                self.passes(self.settings.grace)?;
            }
            let open = self.services[which].release.as_ref();
            if let Some(release) = open.filter(|release| release.loser().is_some()) {
                let loser = release.loser().unwrap_or(Version::Original);
                let progress = self.control.drained(&spec, loser, self.now);
                return Err(format!("{} is not over: {progress:?}", spec.key.id));
            }
        }
        Ok(())
    }

    fn all_settle(&mut self) -> Result<(), String> {
        for _ in 0..100 {
            let mut moved = false;
            for who in 0..self.processes.len() {
                moved |= self.settles(who, true)?;
            }
            if !moved {
                return self.check();
            }
        }
        Err("the processes and the control plane do not come to an end".to_owned())
    }

    /// An engine asks for a step that waits again and again.
    fn all_again(&mut self) -> Result<(), String> {
        for which in 0..self.services.len() {
            self.applies(which, Wanted::Again)?;
            self.sends()?;
        }
        self.all_settle()
    }
}
