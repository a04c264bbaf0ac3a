//! What a decision costs, against the same chart by hand (`bare`: the baseline) and in three state machine crates.
//!
//! Everyone gets the same inputs and keeps the same data: identities, routings with their generations, evidence, the
//! reason of a failure, what to go back to. That they answer alike is checked before anything is measured. Laws are
//! checked by `release-core` in debug builds only, so they cost nothing here.
//!
//! - `decision`: on a running task a cancel, its next step, the report that answers it, and a reopen: three decisions.
//! - `whole_close`: create, ready, a routing of 20 % confirmed, cancel, and the four reports until it is closed.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop when its set-up is wrong")]

mod machines;

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use machines::data::Machine;
use machines::{agree, bare::Bare, rust_fsm::RustFsm, smlang::Smlang, statig::Statig};
use release_core::{Command, Note, Percent, ReleaseKey, ReleaseSpec, ReleaseTask, Routing, Witnesses};
use std::hint::black_box;

fn main() {
    let given = Given::new();
    agree::check::<Bare>(&given.spec);
    agree::check::<RustFsm>(&given.spec);
    agree::check::<Smlang>(&given.spec);
    agree::check::<Statig>(&given.spec);
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("decision");
    decision::<Bare>(&mut group, "bare", &given);
    decision::<ReleaseTask>(&mut group, "release_core", &given);
    decision::<Statig>(&mut group, "statig", &given);
    decision::<RustFsm>(&mut group, "rust_fsm", &given);
    decision::<Smlang>(&mut group, "smlang", &given);
    group.finish();
    let mut group = criterion.benchmark_group("whole_close");
    whole_close::<Bare>(&mut group, "bare", &given);
    whole_close::<ReleaseTask>(&mut group, "release_core", &given);
    whole_close::<Statig>(&mut group, "statig", &given);
    whole_close::<RustFsm>(&mut group, "rust_fsm", &given);
    whole_close::<Smlang>(&mut group, "smlang", &given);
    group.finish();
    criterion.final_summary();
}

/// What the outside world brings along, made once: here the machine is measured, not the making of strings.
struct Given {
    spec: ReleaseSpec,
    routing: Routing,
    witnesses: Witnesses,
    evidence: Note,
}

impl Given {
    fn new() -> Self {
        Self {
            spec: ReleaseSpec {
                key: ReleaseKey::parse("mesh-1", "shop", "3f2a").unwrap(),
                service: "cart".parse().unwrap(),
                original: "v1".parse().unwrap(),
                grayscale: "v2".parse().unwrap(),
            },
            routing: Routing::weighted(Percent::new(20).unwrap()),
            witnesses: Witnesses::one("envoy-1"),
            evidence: Note::new("idle for 15 s"),
        }
    }

    fn succeed<M: Machine>(&self, machine: &mut M) {
        let step = black_box(machine.next_step()).unwrap();
        let report = step.succeeded(self.witnesses.clone(), self.evidence.clone());
        let _ = black_box(machine.report(black_box(report))).unwrap();
    }

    fn running<M: Machine>(&self) -> M {
        let mut machine = M::new(black_box(self.spec.clone())).unwrap();
        self.succeed(&mut machine);
        let _ = black_box(machine.command(black_box(Command::SetRouting(self.routing.clone())))).unwrap();
        self.succeed(&mut machine);
        machine
    }
}

fn decision<M: Machine>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, given: &Given) {
    let mut machine: M = given.running();
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let _ = black_box(machine.command(black_box(Command::CANCEL))).unwrap();
            given.succeed(&mut machine);
            let _ = black_box(machine.command(black_box(Command::Reopen))).unwrap();
        });
    });
}

fn whole_close<M: Machine>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, given: &Given) {
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let mut machine: M = given.running();
            let _ = black_box(machine.command(black_box(Command::CANCEL))).unwrap();
            for _ in 0..4 {
                given.succeed(&mut machine);
            }
            assert!(machine.phase().is_closed());
            machine
        });
    });
}
