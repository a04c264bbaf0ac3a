//! How much can happen in a world.

use std::ops::RangeInclusive;

use release_core::{Action, Command, Condition, Matcher, Mode, Percent, Routing, Rule, Version};

/// What can happen in a [`World`](super::World).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The commands that users give.
    pub commands: Vec<Command>,
    /// How few and how many proxies there may be: they join and leave within these.
    pub proxies: RangeInclusive<usize>,
    /// Whether steps fail for reasons outside the mesh: pods that are not ready, deletions that don't work.
    pub failures: bool,
    /// Whether the version that is to survive may have stopped being ready when a takeover begins.
    pub losses: bool,
    /// How many routings that are not wanted any more may still be on their way to a mesh that would apply them. Of more
    /// than that, the oldest is lost.
    pub late_routings: usize,
    /// How many steps, and how many reports, of older generations are kept that can't change anything any more. Of more
    /// than that, the oldest is performed or delivered at once, to see that it changes nothing.
    pub stale: usize,
}

impl Limits {
    /// For random runs: every command, up to five proxies that come and go, much that is late.
    pub fn wide() -> Self {
        Self {
            commands: commands(&[exclusive(Version::Original), exclusive(Version::Grayscale), fifth(), beta()]),
            proxies: 1..=5,
            failures: true,
            losses: true,
            late_routings: 4,
            stale: 4,
        }
    }

    /// For exhaustive exploration within a minute: every command, two proxies, of which one comes and goes.
    pub fn narrow() -> Self {
        Self {
            commands: commands(&[exclusive(Version::Original), exclusive(Version::Grayscale), fifth()]),
            proxies: 1..=2,
            failures: true,
            losses: true,
            late_routings: 1,
            stale: 0,
        }
    }

    /// For exhaustive exploration that may take long: rules about content too, and more that is late.
    pub fn deep() -> Self {
        Self {
            commands: commands(&[exclusive(Version::Original), exclusive(Version::Grayscale), fifth(), beta()]),
            late_routings: 2,
            ..Self::narrow()
        }
    }
}

/// All commands, with these routings.
pub fn commands(routings: &[Routing]) -> Vec<Command> {
    let delete = |action| [Mode::Perform, Mode::Require].map(|mode| Command::Delete(action, mode));
    let mut commands: Vec<Command> = [Action::Cancel, Action::End].into_iter().flat_map(delete).collect();
    commands.push(Command::Reopen);
    commands.extend([Version::Original, Version::Grayscale].map(Command::TakeOver));
    commands.extend(routings.iter().cloned().map(Command::SetRouting));
    commands
}

fn exclusive(version: Version) -> Routing {
    Routing::exclusive(version)
}

/// 20 % to the grayscale version.
#[expect(clippy::expect_used, reason = "a constant in range")]
fn fifth() -> Routing {
    Routing::weighted(Percent::new(20).expect("in range"))
}

/// The requests with `x-group: beta` to the grayscale version.
#[expect(clippy::expect_used, reason = "constants, and valid")]
fn beta() -> Routing {
    let value = Matcher::Exact("beta".parse().expect("valid"));
    let beta = Condition::Header { name: "x-group".parse().expect("valid"), value };
    Routing::content([Rule::new([beta]).expect("one condition")]).expect("one rule")
}
