//! No decision allocates, and an idle task stays small. A binary of its own: it counts with its own global allocator.

#[path = "../benches/footprint/measure.rs"]
mod measure;

#[test]
fn no_decision_allocates() {
    let allocating: Vec<_> = measure::decisions().into_iter().filter(|(_, allocations)| *allocations > 0).collect();
    assert_eq!(allocating, []);
}

#[test]
fn an_idle_task_stays_small() {
    let tasks = measure::bytes_per_task(1_000);
    let beyond = tasks.list.beyond_identifiers;
    assert!(beyond <= measure::GOAL, "{beyond} bytes");
    assert!(beyond < tasks.list.in_all && tasks.list.in_all < tasks.releases.in_all);
}
