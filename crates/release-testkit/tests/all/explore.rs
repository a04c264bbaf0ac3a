//! The exhaustive exploration, small enough for a debug build; `cargo xtask explore` runs the real one.

use release_core::{Action, Command, Mode};
use release_testkit::explore::{Situation, explore};
use release_testkit::mesh::{Flaw, Limits, Mesh, World, sample_task};

/// One proxy, every command, nothing that is late by more than a generation.
#[test]
fn a_small_world_has_no_bad_state() {
    let limits = Limits { proxies: 1..=1, late_routings: 0, ..Limits::narrow() };
    let figures =
        explore(World::new(sample_task(), Mesh::new(1), limits)).unwrap_or_else(|failure| panic!("{failure}"));
    // Only a routing that is kept under way can be applied late.
    assert_eq!(figures.missing(), [Situation::AppliedLate], "{figures}");
    assert!(figures.longest_fair_run <= 20, "{figures}");
    assert!(figures.states > 1_000, "{figures}");
}

/// The shortest way to lose a request through each mistake of a mesh adapter.
#[test]
fn the_shortest_way_from_each_flaw_to_its_loss() {
    let delete = |action| Command::Delete(action, Mode::Perform);
    let commands = vec![delete(Action::Cancel), delete(Action::End), Command::Reopen];
    let limits = Limits { commands, failures: false, ..Limits::narrow() };
    let mut ways = String::new();
    for flaw in Flaw::ALL {
        let proxies = if flaw == Flaw::ConfirmsWithoutTheCutOff { 2 } else { 1 };
        // A proxy joins where that is what goes wrong; anywhere else it only costs time.
        let most = if flaw == Flaw::JoinsWithTheFirstRouting { 2 } else { proxies };
        let limits = Limits { proxies: proxies..=most, failures: flaw == Flaw::CallsStartedReady, ..limits.clone() };
        let mesh = Mesh::new(u8::try_from(proxies).unwrap()).with_flaw(flaw);
        match explore(World::new(sample_task(), mesh, limits)) {
            Ok(figures) => panic!("{flaw:?} does no harm in {} states", figures.states),
            Err(failure) => ways.push_str(&format!("{flaw:?}: {failure}\n")),
        }
    }
    insta::assert_snapshot!(ways);
}
