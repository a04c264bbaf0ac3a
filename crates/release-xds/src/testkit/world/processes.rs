//! What happens to processes.

use super::motion::{Answer, Noticed};
use super::process::Process;
use super::situation::Situation;
use super::{ON_ITS_WAY, World};
use crate::control::StreamId;
use std::time::Duration;

impl World {
    pub(super) fn connects(&mut self, who: usize) {
        self.breaks(who, Noticed::ByBoth);
        let name = self.processes[who].name.clone();
        let Ok(stream) = self.control.connected(&name, self.now) else { return };
        let mut alone = true;
        for (_, other) in self.twins(who) {
            // What it left is taken for that of this one.
            other.hidden |= other.open.is_empty();
            other.overlapped.extend(other.open.iter().copied());
            alone &= other.open.is_empty();
        }
        if !alone {
            self.processes[who].overlapped.insert(stream);
        }
        if self.processes[who].routes() {
            self.sees(Situation::Back);
        }
        self.processes[who].connects(stream);
    }

    /// The other processes of its name.
    fn twins(&mut self, who: usize) -> impl Iterator<Item = (usize, &mut Process)> {
        let name = self.processes[who].name.clone();
        let others = self.processes.iter_mut().enumerate();
        others.filter(move |(other, process)| *other != who && process.name == name)
    }

    pub(super) fn breaks(&mut self, who: usize, noticed: Noticed) {
        let process = &mut self.processes[who];
        let Some(stream) = process.disconnects() else { return };
        if noticed != Noticed::ByControl {
            process.inbox.clear();
        }
        if noticed != Noticed::ByProcess {
            self.closes(who, stream);
        }
    }

    /// The control plane notices which streams are broken.
    pub(super) fn notices(&mut self) {
        for who in 0..self.processes.len() {
            let process = &self.processes[who];
            let broken: Vec<_> = process.open.iter().copied().filter(|open| process.stream != Some(*open)).collect();
            for stream in broken {
                self.closes(who, stream);
            }
        }
    }

    fn closes(&mut self, who: usize, stream: StreamId) {
        self.control.closed(stream, self.now);
        let taken_over = self.twins(who).any(|(_, other)| other.open.last().is_some_and(|newest| *newest > stream));
        let process = &mut self.processes[who];
        process.open.remove(&stream);
        let noticed = process.noticed.remove(&stream);
        // It looks as if its node had come back on the newer one.
        process.hidden |= taken_over && !noticed && process.open.last().is_none_or(|newest| *newest < stream);
        // Or as if the fence that the other one was told of were its own.
        let untold = self.settings.fence.is_some() && process.overlapped.remove(&stream) && !noticed;
        if untold && self.twins(who).all(|(_, other)| other.noticed.is_empty()) {
            self.processes[who].hidden = true;
        }
    }

    pub(super) fn forgotten(&mut self, who: usize) {
        let name = self.processes[who].name.clone();
        if self.control.forget(&name, self.now).is_ok() {
            for process in self.processes.iter_mut().filter(|process| process.name == name) {
                process.stops_routing(self.now);
            }
        }
    }

    /// Returns whether something has arrived.
    pub(super) fn hears(&mut self, who: usize, answer: Answer) -> Result<bool, String> {
        let process = &mut self.processes[who];
        let Some((sent, push)) = process.inbox.pop_front() else { return Ok(false) };
        if self.settings.fence.is_some() && sent + ON_ITS_WAY < self.now {
            self.breaks(who, Noticed::ByBoth);
            self.processes[who].inbox.clear();
            return Ok(false);
        }
        process.hears(&push, answer, self.now, &self.unknown)?;
        if answer != Answer::Takes {
            self.sees(Situation::Refused);
        }
        Ok(true)
    }

    /// Whether something of it has arrived at the control plane.
    pub(super) fn says(&mut self, who: usize) -> bool {
        let process = &mut self.processes[who];
        let (Some(stream), Some(request)) = (process.stream, process.outbox.pop_front()) else { return false };
        if process.is_stale(&request) {
            self.sees(Situation::Stale);
        } else if self.twins(who).any(|(_, other)| other.open.last().is_some_and(|newest| *newest > stream)) {
            self.processes[who].noticed.insert(stream);
            self.sees(Situation::Twins);
        }
        self.control.request(stream, &request, self.now);
        true
    }

    /// `saves`: the memory is saved whenever it changes. Returns whether something has arrived.
    pub(super) fn settles(&mut self, who: usize, saves: bool) -> Result<bool, String> {
        let mut moved = false;
        for _ in 0..100 {
            let (said, heard) = (self.says(who), self.hears(who, Answer::Takes)?);
            self.sends()?;
            while saves && (self.saving.is_some() || self.control.unsaved().is_some()) {
                self.saves();
                self.sends()?;
            }
            if !said && !heard {
                return Ok(moved);
            }
            moved = true;
            self.check()?;
        }
        Err(format!("{} and the control plane do not come to an end", self.processes[who].name))
    }

    /// Returns whether a process that is connected has lost a cluster to its fence.
    pub(super) fn passes(&mut self, time: Duration) -> Result<bool, String> {
        let end = self.now + time;
        let mut lost = false;
        for _ in 0..1000 {
            let wake = self.control.wake().filter(|wake| *wake < end);
            self.now = wake.map_or(end, |wake| wake.max(self.now));
            for process in &mut self.processes {
                lost |= process.passes(self.now) && process.stream.is_some();
            }
            self.sends()?;
            if wake.is_none() {
                return Ok(lost);
            }
        }
        Err("the control plane wakes again and again".to_owned())
    }
}
