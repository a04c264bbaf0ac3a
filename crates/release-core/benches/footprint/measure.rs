//! The measurements, shared by the benchmark and the test.

#![expect(clippy::unwrap_used, reason = "a measurement may stop when its set-up is wrong")]

use allocation_counter::measure;
use release_core::{
    Command, Note, Percent, ReleaseKey, ReleaseSpec, ReleaseTask, Releases, Routing, Version, Witnesses,
};
use std::hint::black_box;

/// The most bytes per idle task, beyond its identifiers.
pub(crate) const GOAL: i64 = 256;

/// Each decision of a task's life, and how often it allocated. What comes from outside (the routing, the names of the
/// proxies, the evidence) exists before.
///
/// Law checks of debug builds copy the task and are counted too: copies do not allocate either.
pub(crate) fn decisions() -> Vec<(String, u64)> {
    let routing = Routing::weighted(Percent::new(20).unwrap());
    let (witnesses, evidence) = (Witnesses::one("envoy-1"), Note::new("idle for 15 s"));
    let mut task = ReleaseTask::new(spec(0)).unwrap();
    let mut counts = Vec::new();
    for command in [
        None,
        Some(Command::SetRouting(routing)),
        None,
        Some(Command::TakeOver(Version::Grayscale)),
        Some(Command::END),
        None,
        Some(Command::CANCEL),
        Some(Command::Reopen),
        None,
        Some(Command::CANCEL),
        Some(Command::END), // Refused.
        None,
        None,
        None,
        None,
    ] {
        if let Some(command) = command {
            let name = format!("{command:?}");
            let info = measure(|| {
                let _ = black_box(task.command(command));
            });
            counts.push((name, info.count_total));
        } else {
            let name = task.next_step().unwrap().kind().to_string();
            let info = measure(|| {
                let step = black_box(task.next_step()).unwrap();
                let report = step.succeeded(witnesses.clone(), evidence.clone());
                let _ = black_box(task.report(report.clone())).unwrap();
                let _ = black_box(task.report(report)).unwrap(); // Late.
            });
            counts.push((format!("report: {name}"), info.count_total));
        }
    }
    assert!(task.phase().is_closed());
    counts
}

pub(crate) struct Tasks {
    pub(crate) list: Bytes,
    pub(crate) releases: Bytes,
}

pub(crate) struct Bytes {
    pub(crate) in_all: i64,
    pub(crate) beyond_identifiers: i64,
}

/// What so many idle tasks take, in a list and in a [`Releases`]: everything on the heap, and that without the strings
/// of their identifiers.
pub(crate) fn bytes_per_task(tasks: u32) -> Tasks {
    let specs = held(|| (0..tasks).map(spec).collect::<Vec<_>>());
    let names = specs - i64::from(tasks) * bytes_of::<ReleaseSpec>();
    let list = held(|| {
        let task = |number| ReleaseTask::new(spec(number)).unwrap();
        (0..tasks).map(task).collect::<Vec<_>>()
    });
    let releases = held(|| {
        let mut releases = Releases::new();
        for number in 0..tasks {
            releases.create(spec(number)).unwrap();
        }
        releases
    });
    let each = |total: i64| total / i64::from(tasks);
    let bytes = |total| Bytes { in_all: each(total), beyond_identifiers: each(total - names) };
    Tasks { list: bytes(list), releases: bytes(releases) }
}

fn bytes_of<T>() -> i64 {
    size_of::<T>().try_into().unwrap()
}

/// The bytes that what `make` makes holds on the heap.
fn held<T>(make: impl FnOnce() -> T) -> i64 {
    let mut kept = None;
    let info = measure(|| kept = Some(make()));
    drop(kept);
    info.bytes_current
}

fn spec(number: u32) -> ReleaseSpec {
    ReleaseSpec {
        key: ReleaseKey::parse("mesh-1", "shop", &format!("release-{number:07}")).unwrap(),
        service: format!("cart-{number:07}").parse().unwrap(),
        original: "v1".parse().unwrap(),
        grayscale: "v2".parse().unwrap(),
    }
}
