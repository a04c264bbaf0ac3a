//! What an exploration has seen, in numbers.

use core::fmt;
use std::collections::BTreeMap;

use super::Situation;

/// What an exploration has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Distinct states of the world.
    pub states: usize,
    /// Ways from a state to a state.
    pub transitions: u64,
    /// The most events that the shortest way to a state takes.
    pub depth: usize,
    /// Distinct tasks: all laws were checked, and storing and loading was tried, on each.
    pub tasks: usize,
    /// Distinct changes of a task: the laws about changes were checked on each, and on its repetition.
    pub changes: usize,
    /// The most events that a run takes to close the task, from anywhere, when everything works.
    pub longest_fair_run: usize,
    /// The most states that were waiting to be looked at.
    pub widest: usize,
    /// How often each situation was seen.
    pub situations: BTreeMap<Situation, u64>,
}

impl Figures {
    /// The situations that were never seen.
    pub fn missing(&self) -> Vec<Situation> {
        Situation::all().into_iter().filter(|situation| !self.situations.contains_key(situation)).collect()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>11} states, no request lost in any", self.states)?;
        writeln!(f, "{:>11} transitions", self.transitions)?;
        writeln!(f, "{:>11} events deep", self.depth)?;
        writeln!(f, "{:>11} distinct tasks, every law checked in each", self.tasks)?;
        writeln!(f, "{:>11} distinct changes of a task, every law checked of each", self.changes)?;
        writeln!(
            f,
            "{:>11} events at most to close a task from anywhere, when everything works",
            self.longest_fair_run
        )?;
        writeln!(f, "{:>11} states waiting at most", self.widest)?;
        writeln!(f)?;
        for (situation, count) in &self.situations {
            writeln!(f, "{count:>11} × {situation}")?;
        }
        for situation in self.missing() {
            writeln!(f, "      never × {situation}")?;
        }
        Ok(())
    }
}
