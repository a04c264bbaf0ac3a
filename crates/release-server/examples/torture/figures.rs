//! What was killed, and where.

use crate::aim::PHASES;
use crate::server::Kind;
use anyhow::{Result, ensure};
use release_core::Phase;
use std::collections::BTreeMap;
use std::fmt;

/// What was killed, and where, by kind of server.
pub(crate) struct Figures {
    outliving: Counts,
    binary: Counts,
}

/// The same for one kind.
#[derive(Default)]
pub(crate) struct Counts {
    /// How many kills there are to be.
    wanted: u32,
    kills: u32,
    /// Kills that were aimed at a phase, and a task was in it.
    hits: BTreeMap<Phase, u32>,
    /// Tasks that were in a phase when their server was killed, whatever was aimed at.
    caught: BTreeMap<Phase, u32>,
    closed: usize,
    /// Of the closed ones: those that a restarted server closed without being asked again.
    resumed: u32,
}

impl Figures {
    pub(crate) fn new(kills: u32) -> Self {
        // The mesh that outlives the server shows more.
        let outliving = kills.div_ceil(2).max(kills.saturating_sub(20));
        let counts = |wanted| Counts { wanted, ..Counts::default() };
        Self { outliving: counts(outliving), binary: counts(kills - outliving) }
    }

    pub(crate) fn of(&mut self, kind: Kind) -> &mut Counts {
        match kind {
            Kind::Outliving => &mut self.outliving,
            Kind::Binary => &mut self.binary,
        }
    }
}

impl Counts {
    pub(crate) fn killed(&mut self, hit: Option<Phase>, found: impl Iterator<Item = Phase>) {
        self.kills += 1;
        if let Some(phase) = hit {
            *self.hits.entry(phase).or_default() += 1;
        }
        for phase in found {
            *self.caught.entry(phase).or_default() += 1;
        }
    }

    pub(crate) fn closed(&mut self, releases: usize, resumed: u32) {
        self.closed += releases;
        self.resumed += resumed;
    }

    pub(crate) fn kills(&self) -> u32 {
        self.kills
    }

    /// How many of the kills that are wanted are left.
    pub(crate) fn remaining(&self) -> u32 {
        self.wanted.saturating_sub(self.kills)
    }

    /// Whether nothing is left to kill. A task that is aimed at may go on just before it is hit, so some more kills than are
    /// wanted may be needed to have hit all.
    pub(crate) fn is_enough(&self) -> bool {
        self.remaining() == 0 && (self.left().is_empty() || self.kills >= 4 * self.wanted)
    }

    pub(crate) fn ensure_all_was_hit(&self) -> Result<()> {
        let left = self.left();
        ensure!(left.is_empty(), "never killed while {}", left.join(", "));
        ensure!(self.resumed > 0 || self.are_few(), "each delete was sent again after the kill");
        Ok(())
    }

    /// The phases to aim at that were never hit.
    fn left(&self) -> Vec<String> {
        let left = PHASES.iter().filter(|phase| !self.are_few() && !self.hits.contains_key(phase));
        left.map(Phase::to_string).collect()
    }

    /// With hardly more kills than there are phases to aim at, some are left for sure.
    fn are_few(&self) -> bool {
        2 * (self.wanted as usize) < 3 * PHASES.len()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { outliving, binary } = self;
        writeln!(f, "\n                            mesh outlives     real binary")?;
        writeln!(f, "killed while a task was     aimed   found   aimed   found")?;
        writeln!(f, "--------------------------- -----   -----   -----   -----")?;
        for phase in PHASES {
            let count = |of: &BTreeMap<Phase, u32>| of.get(&phase).copied().unwrap_or_default();
            let (aimed, found) = (count(&outliving.hits), count(&outliving.caught));
            let (real_aimed, real_found) = (count(&binary.hits), count(&binary.caught));
            let phase = phase.to_string();
            writeln!(f, "{phase:<27} {aimed:>5}   {found:>5}   {real_aimed:>5}   {real_found:>5}")?;
        }
        let (kills, closed) = (outliving.kills + binary.kills, outliving.closed + binary.closed);
        writeln!(
            f,
            "\n{kills} kills ({} + {}); {closed} releases were closed, nothing was lost",
            outliving.kills, binary.kills
        )?;
        let resumed = outliving.resumed + binary.resumed;
        write!(f, "{resumed} of them were being closed when the server was killed, and nobody asked for it again")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_must_be_hit_in_every_phase_and_go_on_by_itself() {
        let mut figures = Figures::new(36);
        let wrong =
            |counts: &Counts| counts.ensure_all_was_hit().map_or_else(|error| error.to_string(), |()| "nothing".into());
        for kind in [Kind::Outliving, Kind::Binary] {
            let counts = figures.of(kind);
            for phase in PHASES {
                assert!(wrong(counts).contains(&phase.to_string()), "{phase}");
                counts.killed(Some(phase), [phase].into_iter());
            }
            assert_eq!(wrong(counts), "each delete was sent again after the kill");
            counts.closed(1, 1);
            assert_eq!(wrong(counts), "nothing");
        }
        assert!(Figures::new(20).of(Kind::Binary).ensure_all_was_hit().is_ok(), "too few to hit all");
    }

    #[test]
    fn some_more_kills_are_for_what_was_missed() {
        let mut figures = Figures::new(36);
        let mut kills = |kind, hits: &[Phase]| {
            let (counts, mut hits) = (figures.of(kind), hits.iter().copied());
            while !counts.is_enough() {
                counts.killed(hits.next(), [].into_iter());
            }
            counts.kills()
        };
        assert_eq!(kills(Kind::Outliving, &PHASES), 18);
        assert_eq!(kills(Kind::Binary, &[]), 72, "four times as many, and no more");
    }
}
