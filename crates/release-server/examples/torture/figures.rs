//! What was killed, and where.

use crate::aim::PHASES;
use crate::server::Kind;
use anyhow::{Result, ensure};
use release_core::Phase;
use std::collections::BTreeMap;
use std::fmt;

/// What was killed, and where.
#[derive(Default)]
pub(crate) struct Figures {
    kills: [u32; 2],
    /// Kills that were aimed at a phase, and a task was in it.
    hits: BTreeMap<Phase, [u32; 2]>,
    /// Tasks that were in a phase when their server was killed, whatever was aimed at.
    caught: BTreeMap<Phase, [u32; 2]>,
    closed: usize,
}

impl Figures {
    pub(crate) fn killed(&mut self, kind: Kind, hit: Option<Phase>, found: impl Iterator<Item = Phase>) {
        let of = |counts: &mut [u32; 2]| match (kind, counts) {
            (Kind::Outliving, [count, _]) | (Kind::Binary, [_, count]) => *count += 1,
        };
        of(&mut self.kills);
        if let Some(phase) = hit {
            of(self.hits.entry(phase).or_default());
        }
        for phase in found {
            of(self.caught.entry(phase).or_default());
        }
    }

    pub(crate) fn closed(&mut self, releases: usize) {
        self.closed += releases;
    }

    /// With fewer kills than there are phases to aim at, some are left for sure.
    pub(crate) fn ensure_every_stage_was_hit(&self, kills: u32) -> Result<()> {
        let left: Vec<String> =
            PHASES.iter().filter(|phase| !self.hits.contains_key(phase)).map(Phase::to_string).collect();
        let enough = 2 * kills as usize >= 3 * PHASES.len();
        ensure!(left.is_empty() || !enough, "never killed while {}", left.join(", "));
        Ok(())
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [outliving, binary] = self.kills;
        writeln!(f, "\n                            mesh outlives     real binary")?;
        writeln!(f, "killed while a task was     aimed   found   aimed   found")?;
        writeln!(f, "--------------------------- -----   -----   -----   -----")?;
        for phase in PHASES {
            let counts = |of: &BTreeMap<Phase, [u32; 2]>| of.get(&phase).copied().unwrap_or_default();
            let ([aimed, real_aimed], [found, real_found]) = (counts(&self.hits), counts(&self.caught));
            let phase = phase.to_string();
            writeln!(f, "{phase:<27} {aimed:>5}   {found:>5}   {real_aimed:>5}   {real_found:>5}")?;
        }
        let total = outliving + binary;
        write!(f, "\n{total} kills ({outliving} + {binary}); {} releases were closed, nothing was lost", self.closed)
    }
}
