//! The whole transition table: each phase × each input → what comes of it.

use crate::stage::{STAGES, closing, deploying, every_phase, running, succeed, taken_over, twenty};
use release_core::law::{Input, Outcome};
use release_core::{
    Action, Change, Command, ErrorKind, Generation, Mode, Note, Percent, Phase, ReleaseTask, Report, Routing, Stage,
    StepKind, UnexpectedReport, Version, Witnesses,
};
use std::fmt::Write as _;

/// The parts of the crate's documentation that are generated.
const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/");

/// What the crate's documentation shows: the inputs that matter to a reader.
#[test]
fn the_documented_table_is_the_real_one() {
    let inputs = commands();
    let mut table = String::from("| phase | next step |");
    for (name, _) in &inputs {
        write!(table, " {name} |").unwrap();
    }
    table.push_str(" the step succeeds | it fails |\n|---|---|");
    table.push_str(&"---|".repeat(inputs.len() + 2));
    let mut rows: Vec<_> = every_phase().iter().map(|task| (task.phase().to_string(), unconfirmed(task))).collect();
    let never_deployed = never_deployed(Stage::Preparing);
    rows.insert(3, (format!("{}, never deployed", never_deployed.phase()), never_deployed));
    for (name, task) in rows {
        let due = task.next_step();
        let step = due.as_ref().map_or("none".to_owned(), |step| step.kind().to_string());
        write!(table, "\n| {name} | {step} |").unwrap();
        for (_, command) in &inputs {
            write!(table, " {} |", outcome(&task, &command.clone().into())).unwrap();
        }
        let answers = due.map(|step| [step.succeeded(Witnesses::one("envoy-1"), "idle"), step.failed("refused")]);
        for answer in 0..2 {
            let cell = answers.as_ref().map(|answers| outcome(&task, &answers[answer].clone().into()));
            write!(table, " {} |", cell.as_deref().unwrap_or("")).unwrap();
        }
    }
    table.push('\n');
    documented("transitions.md", &table);
}

#[test]
fn the_documented_laws_are_the_real_ones() {
    let laws = release_core::law::Law::ALL.map(|law| law.to_string());
    documented("laws.md", &(laws.join("\n") + "\n"));
}

fn documented(file: &str, generated: &str) {
    let path = format!("{DOCS}{file}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, generated).unwrap();
    }
    let documented = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(documented, generated, "run `UPDATE_DOCS=1 cargo test -p release-core documented`");
}

/// Everything: every command and every report, of the generation before, the current and the next one.
#[test]
fn the_whole_table() {
    let mut table = String::new();
    for (name, task) in situations() {
        let due = task.next_step().map_or("nothing".to_owned(), |step| step.kind().to_string());
        writeln!(table, "{name} (generation {}, due: {due})", task.wanted().generation).unwrap();
        for (name, command) in commands() {
            writeln!(table, "    {name:<32} {}", outcome(&task, &command.into())).unwrap();
        }
        for step in STEPS {
            for success in [true, false] {
                let cells = ["earlier", "current", "later"].map(|when| {
                    let report = answer(step, generation(&task, when), success);
                    format!("{when}: {}", outcome(&task, &report.into()))
                });
                let name = format!("{}{}", if success { "" } else { "failed: " }, done(step));
                writeln!(table, "    {name:<32} {}", cells.join("; ")).unwrap();
            }
        }
        table.push('\n');
    }
    insta::assert_snapshot!(table);
}

/// Laws 9 and 8 of every cell of the table, and every other law after it.
#[test]
fn every_cell_keeps_the_laws() {
    for (name, task) in situations() {
        let reports = STEPS.into_iter().flat_map(|step| {
            ["earlier", "current", "later"].into_iter().flat_map(move |when| [(step, when, true), (step, when, false)])
        });
        let reports = reports.map(|(step, when, success)| answer(step, generation(&task, when), success).into());
        for input in commands().into_iter().map(|(_, command)| Input::from(command)).chain(reports) {
            let checked = release_core::law::check_input(&task, &input);
            assert!(checked.is_ok(), "{name}: {input:?}: {checked:?}");
        }
    }
}

/// The phases, and the variants of them in which an input meets another answer.
fn situations() -> Vec<(String, ReleaseTask)> {
    let named = |task: ReleaseTask| (task.phase().to_string(), task);
    let mut situations = vec![("deploying".to_owned(), deploying())];
    situations.push(("running, 20 % unconfirmed".to_owned(), unconfirmed(&running())));
    situations.push(("running, 20 % confirmed".to_owned(), running()));
    for version in [Version::Original, Version::Grayscale] {
        situations.push((format!("running, all to {version} confirmed"), taken_over(version)));
    }
    situations.extend(every_phase().into_iter().skip(2).map(named));
    for stage in STAGES {
        let task = never_deployed(stage);
        situations.push((format!("{}, never deployed", task.phase()), task));
    }
    for stage in &STAGES[..3] {
        let mut task = closing(Action::End, *stage);
        let _ = task.command(Command::CANCEL).unwrap();
        situations.push((format!("{}, over an end that was {stage}", task.phase()), task));
    }
    situations
}

/// A cancel while deploying, that far.
fn never_deployed(stage: Stage) -> ReleaseTask {
    let mut task = deploying();
    let _ = task.command(Command::CANCEL).unwrap();
    while task.phase() != Phase::Closing(Action::Cancel, stage) {
        succeed(&mut task);
    }
    task
}

/// A running task whose routing is still to be confirmed; other tasks as they are.
fn unconfirmed(task: &ReleaseTask) -> ReleaseTask {
    let mut task = task.clone();
    if task.phase() == Phase::Running {
        let _ = task.command(Command::TakeOver(Version::Grayscale)).unwrap();
        let _ = task.command(Command::SetRouting(twenty())).unwrap();
    }
    task
}

fn commands() -> Vec<(&'static str, Command)> {
    let thirty = Routing::weighted(Percent::new(30).unwrap());
    vec![
        ("set routing", Command::SetRouting(thirty)),
        ("take over", Command::TakeOver(Version::Grayscale)),
        ("cancel", Command::CANCEL),
        ("end", Command::END),
        ("cancel (require)", Command::Delete(Action::Cancel, Mode::Require)),
        ("end (require)", Command::Delete(Action::End, Mode::Require)),
        ("reopen", Command::Reopen),
    ]
}

const STEPS: [StepKind; 7] = [
    StepKind::EnsureReady(Version::Original),
    StepKind::EnsureReady(Version::Grayscale),
    StepKind::Apply,
    StepKind::Drain(Version::Original),
    StepKind::Drain(Version::Grayscale),
    StepKind::Retire(Version::Original),
    StepKind::Retire(Version::Grayscale),
];

fn done(step: StepKind) -> String {
    match step {
        StepKind::EnsureReady(version) => format!("{version} ready"),
        StepKind::Apply => "confirmed".to_owned(),
        StepKind::Drain(version) => format!("{version} drained"),
        StepKind::Retire(version) => format!("{version} retired"),
    }
}

fn answer(step: StepKind, generation: Generation, success: bool) -> Report {
    if !success {
        return Report::Failed { generation, step, reason: Note::new("refused") };
    }
    match step {
        StepKind::EnsureReady(version) => Report::Ready { generation, version },
        StepKind::Apply => Report::Confirmed { generation, by: Witnesses::one("envoy-1") },
        StepKind::Drain(version) => Report::Drained { generation, version, evidence: Note::new("idle") },
        StepKind::Retire(version) => Report::Retired { generation, version },
    }
}

fn generation(task: &ReleaseTask, when: &str) -> Generation {
    let current = task.wanted().generation.get();
    Generation::new(match when {
        "earlier" => current - 1,
        "current" => current,
        _ => current + 1,
    })
}

/// What comes of `input`, in a few words.
fn outcome(task: &ReleaseTask, input: &Input) -> String {
    let mut after = task.clone();
    match after.input(input.clone()) {
        Outcome::Done(Change::Unchanged) => "no change".to_owned(),
        Outcome::Done(Change::Changed) if after.failure() != task.failure() && after.failure().is_some() => {
            "the reason is kept".to_owned()
        }
        Outcome::Done(Change::Changed) => {
            let routing = if after.wanted() == task.wanted() {
                String::new()
            } else {
                format!(", generation {}: {}", after.wanted().generation, after.wanted().routing)
            };
            format!("→ {}{routing}", after.phase())
        }
        Outcome::Refused(error) => match error.kind() {
            ErrorKind::Invalid => "invalid".to_owned(),
            ErrorKind::NotFound => "not found".to_owned(),
            ErrorKind::Conflict => "conflict".to_owned(),
        },
        Outcome::Unexpected(UnexpectedReport::FutureGeneration { .. }) => "unexpected (future)".to_owned(),
        Outcome::Unexpected(UnexpectedReport::NeverAsked { .. }) => "unexpected (never asked)".to_owned(),
    }
}
