//! The stored form: what was written once is read for ever, and what breaks a law is not read at all.

use crate::model::every_phase;
use proptest::prelude::*;
use release_core::{
    Action, Command, Condition, Matcher, Percent, Phase, ReleaseKey, ReleaseSpec, ReleaseTask, Routing, Rule, Stage,
    Witnesses,
};
use release_testkit::properties;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// Documents that this library wrote when `v1` was new, by the phase in them. They never change: a change that does not read
/// them breaks every store.
const DOCUMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stored-v1");

/// Where in a document, and what stands there instead.
type Edits = Vec<(&'static str, Value)>;

#[test]
fn every_document_that_was_ever_written_is_read_and_written_again() {
    let mut phases = BTreeSet::new();
    for file in std::fs::read_dir(DOCUMENTS).unwrap() {
        let file = file.unwrap().path();
        let document = std::fs::read_to_string(&file).unwrap();
        let task: ReleaseTask = serde_json::from_str(&document).unwrap();
        assert_eq!(serde_json::to_string_pretty(&task).unwrap() + "\n", document, "{}", file.display());
        assert_eq!(properties::decode_stored(document.as_bytes()), Ok(()), "{}", file.display());
        phases.insert(task.phase());
    }
    assert_eq!(phases, every_phase());
}

/// What is written now; a difference here is a change of the stored form.
#[test]
fn what_is_written() {
    let mut written = String::new();
    let mut tasks: Vec<_> = every_phase().into_iter().map(|phase| (phase.to_string(), task_in(phase))).collect();
    tasks.push(("closing (cancel, preparing), never deployed".to_owned(), never_deployed()));
    for (name, task) in tasks {
        let document = serde_json::to_string_pretty(&task).unwrap();
        let file = Path::new(DOCUMENTS).join(file_name(&name));
        if std::env::var_os("WRITE_STORED_V1").is_some() && !file.exists() {
            std::fs::write(file, format!("{document}\n")).unwrap();
        }
        writeln!(written, "{name}\n{document}\n").unwrap();
    }
    insta::assert_snapshot!(written);
}

/// Each row: the law, the phase of a valid document, and the edits that break the law.
///
/// Laws 1 and 6 are not here, because no document can break them: routings are brought into normal form when they are read,
/// and which version is retired is not written but follows from the action.
#[test]
fn a_document_that_breaks_a_law_is_refused_and_the_law_is_named() {
    let (cancel, end) = (Action::Cancel, Action::End);
    let (original, grayscale) = (json!({"exclusive": "original"}), json!({"exclusive": "grayscale"}));
    let twenty = json!({"weighted": {"grayscale": 20}});
    let only = |version: &str| json!({"only": version});
    // What a cancel while deploying leaves, but it is an end.
    let mut undeployed = routed(&original, only("original"));
    undeployed.push(("resume", json!({"deployed": false, "routing": original})));
    #[rustfmt::skip]
    let rows: [(u8, Phase, Edits); 18] = [
        (2, Phase::Closed(cancel), routed(&grayscale, only("grayscale"))),
        (2, Phase::Closed(cancel), routed(&twenty, json!("both"))),
        (2, Phase::Closed(end), vec![("action", json!("cancel"))]),
        (3, Phase::Closed(end), routed(&original, only("original"))),
        (3, Phase::Closed(cancel), vec![("action", json!("end"))]),
        (4, Phase::Running, vec![("reachable", only("original"))]),
        (4, Phase::Running, vec![("reachable", only("grayscale"))]),
        (4, Phase::Closing(end, Stage::Routing), vec![("reachable", only("grayscale"))]),
        (4, Phase::Closing(end, Stage::Retiring), vec![("confirmed/generation", json!(1)), ("reachable", json!("both"))]),
        (5, Phase::Closing(end, Stage::Retiring), vec![("action", json!("cancel"))]),
        (5, Phase::Closing(end, Stage::Draining), routed(&twenty, json!("both"))),
        (7, Phase::Running, vec![("confirmed/generation", json!(1_000))]),
        (7, Phase::Running, vec![("wanted/routing", json!({"weighted": {"grayscale": 21}}))]),
        (7, Phase::Deploying, vec![("wanted/generation", json!(0))]),
        (13, Phase::Closing(end, Stage::Routing), vec![("wanted/routing", twenty.clone())]),
        (14, Phase::Deploying, vec![("wanted/routing", twenty), ("reachable", json!("both"))]),
        (14, Phase::Closing(cancel, Stage::Preparing), vec![("resume/deployed", json!(false))]),
        (14, Phase::Closing(end, Stage::Preparing), undeployed),
    ];
    for (law, phase, edits) in rows {
        let error = read_edited(phase, &edits).unwrap_err();
        assert!(error.contains(&format!("law {law} is broken")), "{phase}, {edits:?}: {error}");
    }
}

/// Beyond the laws: parts that no task has together, or that mean nothing.
#[test]
fn a_document_that_contradicts_itself_is_refused() {
    let (retiring, draining) =
        (Phase::Closing(Action::End, Stage::Retiring), Phase::Closing(Action::End, Stage::Draining));
    let most = u64::MAX;
    let rows: [(&str, Phase, Edits); 9] = [
        ("does not go with", Phase::Running, vec![("action", json!("end"))]),
        ("does not go with", retiring, vec![("drained", Value::Null)]),
        ("does not go with", draining, vec![("confirmedBy", Value::Null)]),
        ("by nobody", draining, vec![("confirmedBy", json!([]))]),
        ("unknown variant", draining, vec![("phase", json!("resting"))]),
        ("unknown field", draining, vec![("wanted/until", json!("noon"))]),
        ("percent \"101\"", Phase::Running, vec![("wanted/routing", json!({"weighted": {"grayscale": 101}}))]),
        ("no step is due", Phase::Closed(Action::End), vec![("failure", json!("why"))]),
        ("generation", Phase::Running, vec![("wanted/generation", json!(most)), ("confirmed/generation", json!(most))]),
    ];
    for (words, phase, edits) in rows {
        let error = read_edited(phase, &edits).unwrap_err();
        assert!(error.contains(words), "{phase}, {edits:?}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// One part of a document, put into another.
    #[test]
    fn parts_of_other_documents_never_make_a_task_that_breaks_a_law(
        task: ReleaseTask,
        other: ReleaseTask,
        parts: [prop::sample::Index; 2],
    ) {
        let (mut document, other) = (serde_json::to_value(task).unwrap(), serde_json::to_value(other).unwrap());
        let names: Vec<&String> = other["v1"].as_object().unwrap().keys().collect();
        for part in parts {
            let name = part.get(&names).as_str();
            document["v1"][name] = other["v1"][name].clone();
        }
        let document = serde_json::to_vec(&document).unwrap();
        prop_assert_eq!(properties::decode_stored(&document), Ok(()));
    }
}

/// Both routings, and what follows from them.
fn routed(routing: &Value, reachable: Value) -> Edits {
    vec![("wanted/routing", routing.clone()), ("confirmed/routing", routing.clone()), ("reachable", reachable)]
}

fn read_edited(phase: Phase, edits: &[(&str, Value)]) -> Result<ReleaseTask, String> {
    let mut document = serde_json::to_value(task_in(phase)).unwrap();
    for (path, value) in edits {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = if parent.is_empty() { "/v1".to_owned() } else { format!("/v1/{parent}") };
        document.pointer_mut(&parent).unwrap()[name] = value.clone();
    }
    serde_json::from_value(document).map_err(|error| error.to_string())
}

/// A task with a past: routed by weight, then (for an end) by content.
fn task_in(phase: Phase) -> ReleaseTask {
    let mut task = ReleaseTask::new(ReleaseSpec {
        key: ReleaseKey::parse("mesh-1", "shop", "3f2a").unwrap(),
        service: "cart".parse().unwrap(),
        original: "v1".parse().unwrap(),
        grayscale: "v2".parse().unwrap(),
    })
    .unwrap();
    if phase == Phase::Deploying {
        return task;
    }
    succeed(&mut task);
    let twenty = Routing::weighted(Percent::new(20).unwrap());
    let _ = task.command(Command::SetRouting(twenty)).unwrap();
    succeed(&mut task);
    if phase.action() == Some(Action::End) {
        let beta =
            Condition::Header { name: "x-group".parse().unwrap(), value: Matcher::Exact("beta".parse().unwrap()) };
        let staff =
            Condition::Cookie { name: "user".parse().unwrap(), value: Matcher::Regex("[0-9]+7".parse().unwrap()) };
        let rules = [beta, staff].map(|condition| Rule::new([condition]).unwrap());
        let _ = task.command(Command::SetRouting(Routing::content(rules).unwrap())).unwrap();
        let failed = task.next_step().unwrap().failed("envoy-2: no such cluster");
        let _ = task.report(failed).unwrap();
    }
    match phase.action() {
        Some(Action::Cancel) => drop(task.command(Command::CANCEL).unwrap()),
        Some(Action::End) => drop(task.command(Command::END).unwrap()),
        None => {}
    }
    while task.phase() != phase {
        succeed(&mut task);
    }
    if phase == Phase::Closing(Action::End, Stage::Retiring) {
        let failed = task.next_step().unwrap().failed("cart-v1 is protected");
        let _ = task.report(failed).unwrap();
    }
    task
}

/// A cancel while deploying.
fn never_deployed() -> ReleaseTask {
    let mut task = task_in(Phase::Deploying);
    let _ = task.command(Command::CANCEL).unwrap();
    task
}

fn succeed(task: &mut ReleaseTask) {
    let report = task.next_step().unwrap().succeeded(Witnesses::one("envoy-1"), "idle for 15 s");
    let _ = task.report(report).unwrap();
}

fn file_name(name: &str) -> String {
    let words: Vec<&str> = name.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).collect();
    format!("{}.json", words.join("-"))
}
