//! The seeds of the fuzz targets: `cargo run -p release-testkit --example seeds` writes them.

use crate::model::every_phase;
use release_core::{Phase, ReleaseTask};
use release_testkit::{harness, properties};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn the_properties_hold_of_every_seed() {
    type Property = fn(&[u8]) -> Result<(), String>;
    let properties: [(&str, Property); 3] = [
        ("core_operations", properties::operations),
        ("core_stored", properties::decode_stored),
        ("core_names", properties::parse_names_and_routings),
    ];
    for (target, property) in properties {
        for (name, seed) in seeds(target) {
            assert_eq!(property(&seed), Ok(()), "{target}/{name}");
        }
    }
}

/// If this fails, the generators read bytes in another way than before: write the seeds again.
#[test]
fn seeds_reach_every_phase() {
    let run = |(_, seed): (String, Vec<u8>)| harness::run(&properties::read_operations(&seed)).unwrap().phases;
    let phases: BTreeSet<Phase> = seeds("core_operations").into_iter().flat_map(run).collect();
    assert_eq!(phases, every_phase());
    let read = |(_, seed): (String, Vec<u8>)| serde_json::from_slice::<ReleaseTask>(&seed).unwrap().phase();
    let phases: BTreeSet<Phase> = seeds("core_stored").into_iter().map(read).collect();
    assert_eq!(phases, every_phase());
}

/// Names and contents.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let seeds = files.map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap()));
    let seeds: Vec<_> = seeds.collect();
    assert!(!seeds.is_empty(), "{target}");
    seeds
}
