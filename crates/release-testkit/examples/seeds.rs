//! Writes the seeds of the fuzz targets `core_*` to `fuzz/seeds/`: `cargo run -p release-testkit --example seeds`.
//!
//! Needed again when the meaning of bytes changes, that is the generators: a test says so.

use arbitrary::Unstructured;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use release_core::{Action, MeshId, Pattern, Phase, ReleaseKey, ReleaseTask, Routing};
use release_testkit::{harness, properties};
use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    operations()?;
    stored()?;
    names()
}

/// Of many random lists of operations, those in which a task is in a phase for the first time.
fn operations() -> Result<(), Box<dyn Error>> {
    let folder = folder("core_operations")?;
    let (mut runner, mut phases) = (TestRunner::deterministic(), BTreeSet::new());
    for _ in 0..2_000 {
        let bytes = draw(&vec(any::<u8>(), 400), &mut runner)?;
        let summary = harness::run(&properties::read_operations(&bytes))?;
        let new = summary.phases.difference(&phases).last().copied();
        if let Some(phase) = new {
            std::fs::write(folder.join(slug(phase)), &bytes)?;
            phases.insert(phase);
        }
    }
    println!("core_operations: {} phases", phases.len());
    Ok(())
}

/// The documents that are kept as examples of the stored form, and a few random tasks.
fn stored() -> Result<(), Box<dyn Error>> {
    let folder = folder("core_stored")?;
    for file in std::fs::read_dir(root().join("crates/release-testkit/tests/stored-v1"))? {
        let file = file?;
        let document: serde_json::Value = serde_json::from_slice(&std::fs::read(file.path())?)?;
        std::fs::write(folder.join(file.file_name()), serde_json::to_vec(&document)?)?;
    }
    let mut runner = TestRunner::deterministic();
    for action in [Action::Cancel, Action::End] {
        let closing = any::<ReleaseTask>().prop_filter("closing", |task| task.phase().action() == Some(action));
        let task = draw(&closing, &mut runner)?;
        std::fs::write(folder.join(format!("any-{action}.json")), serde_json::to_vec(&task)?)?;
    }
    Ok(())
}

/// One of each kind of text, and a few random ones.
fn names() -> Result<(), Box<dyn Error>> {
    let folder = folder("core_names")?;
    let mut texts = [
        "mesh-1",
        "mesh-1/shop/3f2a",
        "cancel",
        "X-Group",
        "v1.2_rc-3",
        "beta-[0-9]+",
        r"^(?i:a|\d{2,}[^x]*)$",
        "(",
        r#"{"exclusive":"original"}"#,
        r#"{"weighted":{"grayscale":20}}"#,
        r#"{"content":[[{"header":{"name":"x-group","value":{"exact":"beta"}}},{"operatingSystem":"ios"}]]}"#,
        r#"{"content":[[{"cookie":{"name":"user","value":{"regex":"[0-9]+7"}}}],[{"browser":"chrome"}]]}"#,
        r#"{"content":[[{"query":{"name":"preview","value":{"exact":"1"}}}]]}"#,
    ]
    .map(str::to_owned)
    .to_vec();
    let mut runner = TestRunner::deterministic();
    for _ in 0..4 {
        let bytes = draw(&vec(any::<u8>(), 200), &mut runner)?;
        let mut u = Unstructured::new(&bytes);
        texts.push(u.arbitrary::<Pattern>()?.to_string());
        texts.push(u.arbitrary::<MeshId>()?.to_string());
        texts.push(u.arbitrary::<ReleaseKey>()?.to_string());
        texts.push(serde_json::to_string(&u.arbitrary::<Routing>()?)?);
    }
    for (number, text) in (1..).zip(texts) {
        std::fs::write(folder.join(format!("{number:02}")), text)?;
    }
    Ok(())
}

fn draw<S: Strategy>(strategy: &S, runner: &mut TestRunner) -> Result<S::Value, String> {
    strategy.new_tree(runner).map(|tree| tree.current()).map_err(|reason| reason.to_string())
}

/// The folder of a target's seeds, empty.
fn folder(target: &str) -> Result<PathBuf, Box<dyn Error>> {
    let folder = root().join("fuzz/seeds").join(target);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn slug(phase: Phase) -> String {
    phase.to_string().replace(['(', ')', ','], "").replace(' ', "-")
}
