//! The exhaustive exploration, small enough for a debug build; `cargo xtask explore` runs the real one.

use std::fmt::Write as _;

use release_core::{Action, Command, Mode};
use release_testkit::explore::explore;
use release_testkit::mesh::{Flaw, Limits, Mesh, World, commands, sample_task};

/// One proxy, and no routing in between all and nothing.
#[test]
fn a_small_world_has_no_bad_state() {
    let limits = Limits { commands: commands(&[]), proxies: 1..=1, ..Limits::narrow() };
    let figures =
        explore(World::new(sample_task(), Mesh::new(1), limits)).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(figures.missing(), [], "{figures}");
    assert!(figures.longest_fair_run <= 20, "{figures}");
    assert!(figures.states > 1_000, "{figures}");
}

/// The shortest way to lose a request through each mistake of a mesh adapter.
#[test]
fn the_shortest_way_from_each_flaw_to_its_loss() {
    let delete = |action| Command::Delete(action, Mode::Perform);
    let few = vec![delete(Action::Cancel), delete(Action::End), Command::Reopen];
    let limits = Limits { commands: few, ..Limits::narrow() };
    let mut ways = String::new();
    for flaw in Flaw::ALL {
        let proxies = if flaw == Flaw::ConfirmsWithoutTheCutOff { 2 } else { 1 };
        // A proxy joins where that is what goes wrong; anywhere else it only costs time.
        let most = if flaw == Flaw::JoinsWithTheFirstRouting { 2 } else { proxies };
        let (failures, losses) = (flaw == Flaw::CallsStartedReady, flaw == Flaw::RemembersReadiness);
        let limits = Limits { proxies: proxies..=most, failures, losses, ..limits.clone() };
        let mesh = Mesh::new(u8::try_from(proxies).unwrap()).with_flaw(flaw);
        match explore(World::new(sample_task(), mesh, limits)) {
            Ok(figures) => panic!("{flaw:?} does no harm in {} states", figures.states),
            Err(failure) => writeln!(ways, "{flaw:?}: {failure}").unwrap(),
        }
    }
    insta::assert_snapshot!(ways);
}
