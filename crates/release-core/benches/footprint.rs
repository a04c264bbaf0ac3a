//! What a task needs: allocations per decision, bytes per idle task.
//!
//! Fails when a decision allocates or a task is too big: these figures are the same on every machine of one word size.
//! [`Releases`](release_core::Releases) is shown too, without a goal: it keeps two ordered maps, whose keys repeat the
//! identifiers and whose nodes are half empty after ordered inserts.

#[path = "footprint/measure.rs"]
mod measure;

use std::process::ExitCode;

fn main() -> ExitCode {
    println!("{:<52} {:>11}", "decision", "allocations");
    let decisions = measure::decisions();
    for (name, allocations) in &decisions {
        println!("{name:<52} {allocations:>11}");
    }
    println!("\n{:<52} {:>11} {:>22}", "1 000 000 idle tasks, bytes per task", "in all", "beyond identifiers");
    let tasks = measure::bytes_per_task(1_000_000);
    for (name, bytes) in [("Vec<ReleaseTask>", &tasks.list), ("Releases", &tasks.releases)] {
        println!("{name:<52} {:>11} {:>22}", bytes.in_all, bytes.beyond_identifiers);
    }
    println!("{:<52} {:>11}", "size_of::<ReleaseTask>()", size_of::<release_core::ReleaseTask>());
    let met =
        decisions.iter().all(|(_, allocations)| *allocations == 0) && tasks.list.beyond_identifiers <= measure::GOAL;
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
