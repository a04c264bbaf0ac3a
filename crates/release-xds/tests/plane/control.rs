//! What the control plane says of nodes that it hears of late must be true of them.

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any};
use proptest::sample::{Index, select};
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng, TestRunner};
use release_xds::testkit::{Seen, Situation, control, scripts};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

#[test]
fn whatever_happens_no_promise_is_broken() {
    explore(TestRunner::new(config()));
}

/// Each of them often, or it says little. Not at random: what is rare must not be missed by chance.
#[test]
fn each_situation_comes_about() {
    let seen = explore(TestRunner::new_with_rng(config(), TestRng::deterministic_rng(RngAlgorithm::ChaCha)));
    let often = |situation: &Situation| seen.get(situation).is_some_and(|times| *times >= 10);
    assert!(Situation::ALL.iter().all(often), "{seen:?}");
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() }
}

/// What was seen while anything happened, after the beginning of a script or of nothing.
fn explore(mut runner: TestRunner) -> Seen {
    let seen = RefCell::new(Seen::new());
    let input = (select(scripts()), any::<Index>(), any::<u8>(), vec(any::<[u8; 2]>(), 0..300));
    let ran = runner.run(&input, |(script, end, kind, motions)| {
        let begins = end.index(script.bytes.len() / 2 + 1);
        let begin: Vec<u8> = match begins {
            0 => vec![kind],
            motions => script.bytes.into_iter().take(1 + motions * 2).collect(),
        };
        let bytes: Vec<u8> = begin.into_iter().chain(motions.into_iter().flatten()).collect();
        for (situation, times) in control(&bytes).map_err(TestCaseError::fail)? {
            *seen.borrow_mut().entry(situation).or_default() += times;
        }
        Ok(())
    });
    ran.unwrap();
    seen.into_inner()
}

/// If this fails after a change of the world or the scripts: `cargo run -p release-xds --features testkit --example xds_seeds`.
#[test]
fn the_seeds_of_the_fuzzer_are_the_scripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/xds_control");
    let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let seeds: BTreeMap<_, _> =
        files.map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap())).collect();
    let scripts = scripts().into_iter().map(|script| (script.name.to_owned(), script.bytes)).collect();
    assert_eq!(seeds, scripts);
}

#[test]
fn each_seed_gets_to_what_its_name_says() {
    for script in scripts() {
        let seen = control(&script.bytes).unwrap_or_else(|broken| panic!("{}: {broken}", script.name));
        let missed: Vec<_> = script.reaches.iter().filter(|situation| !seen.contains_key(situation)).collect();
        assert!(missed.is_empty(), "{}: {missed:?}, but {seen:?}", script.name);
    }
}
