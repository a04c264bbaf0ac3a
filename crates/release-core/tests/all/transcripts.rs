//! Whole stories, for readers without Rust.

use crate::stage::{STAGES, closing, deploying, running, succeed};
use release_core::{Action, Command, Phase, ReleaseTask, Version};
use std::fmt::Write as _;

/// A task and what happened to it, in words.
struct Story {
    task: ReleaseTask,
    told: String,
}

impl Story {
    fn of(task: ReleaseTask) -> Self {
        let mut story = Self { task, told: String::new() };
        story.tell("at first");
        story
    }

    fn user(&mut self, words: &str, command: Command) {
        let answer = match self.task.command(command) {
            Ok(change) => format!("accepted, {change:?}"),
            Err(error) => format!("refused: {error}"),
        };
        writeln!(self.told, "user: {words}\n  {answer}").unwrap();
        self.tell("now");
    }

    fn world(&mut self) {
        let step = self.task.next_step().unwrap();
        writeln!(self.told, "world: asked to {}, and did", step.kind()).unwrap();
        succeed(&mut self.task);
        self.tell("now");
    }

    fn fails(&mut self, reason: &str) {
        let step = self.task.next_step().unwrap();
        writeln!(self.told, "world: asked to {}, and failed: {reason}", step.kind()).unwrap();
        let _ = self.task.report(step.failed(reason)).unwrap();
        self.tell("now");
    }

    /// The process dies and another one loads what was stored.
    fn crash(&mut self) {
        let stored = serde_json::to_string(&self.task).unwrap();
        self.task = serde_json::from_str(&stored).unwrap();
        writeln!(self.told, "crash: the process dies, another one loads the task").unwrap();
        self.tell("now");
    }

    fn tell(&mut self, when: &str) {
        let task = &self.task;
        write!(
            self.told,
            "  {when}: {}; wanted {} ({})",
            task.phase(),
            task.wanted().generation,
            task.wanted().routing
        )
        .unwrap();
        write!(self.told, "; confirmed {} ({})", task.confirmed().generation, task.confirmed().routing).unwrap();
        if let Some(failure) = task.failure() {
            write!(self.told, "; could not {}: {}", failure.step, failure.reason).unwrap();
        }
        self.told.push('\n');
    }

    fn finish(mut self) -> String {
        while self.task.next_step().is_some() {
            self.world();
        }
        if let Some(proof) = self.task.proof() {
            writeln!(
                self.told,
                "proof: generation {} confirmed by {}; drained: {}",
                proof.generation, proof.confirmed_by, proof.drained
            )
            .unwrap();
        }
        self.told
    }
}

#[test]
fn a_cancel() {
    let mut story = Story::of(running());
    story.user("cancel the release", Command::CANCEL);
    insta::assert_snapshot!(story.finish());
}

#[test]
fn an_end() {
    let mut story = Story::of(deploying());
    story.world();
    story.user("20 % to the grayscale version", Command::SetRouting(crate::stage::twenty()));
    story.world();
    story.user("end the release", Command::END);
    story.fails("only 1 of 3 pods is ready");
    story.world();
    story.fails("envoy-2 refused: unknown cluster cart-v2");
    insta::assert_snapshot!(story.finish());
}

#[test]
fn a_cancel_overtakes_an_end() {
    let mut story = Story::of(running());
    story.user("end the release", Command::END);
    story.world();
    story.world();
    story.user("cancel the release", Command::CANCEL);
    story.user("end the release", Command::END);
    insta::assert_snapshot!(story.finish());
}

#[test]
fn a_reopened_release() {
    let mut story = Story::of(running());
    story.user("end the release", Command::END);
    story.world();
    story.user("take that back", Command::Reopen);
    story.world();
    story.user("give the grayscale version all traffic", Command::TakeOver(Version::Grayscale));
    insta::assert_snapshot!(story.finish());
}

/// Cancel of a release whose new version never came up, taken back, and canceled again.
#[test]
fn a_version_that_never_gets_ready() {
    let mut story = Story::of(deploying());
    story.fails("image not found");
    story.user("cancel the release", Command::CANCEL);
    story.user("take that back", Command::Reopen);
    story.user("cancel the release", Command::CANCEL);
    insta::assert_snapshot!(story.finish());
}

#[test]
fn a_crash_in_every_stage() {
    let mut told = String::new();
    for stage in STAGES {
        let mut story = Story::of(closing(Action::Cancel, stage));
        story.crash();
        assert_eq!(story.task.phase(), Phase::Closing(Action::Cancel, stage));
        write!(told, "# a crash while {stage}\n{}\n", story.finish()).unwrap();
    }
    insta::assert_snapshot!(told);
}
