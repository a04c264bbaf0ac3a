//! A start with a million stored tasks.

use crate::process::Process;
use anyhow::{Context as _, Result};
use release_core::{Command, ReleaseKey, ReleaseSpec, ReleaseTask, Witnesses};
use release_engine::{Record, Store as _, Timestamp};
use release_store::RedbStore;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinSet;

const TASKS: usize = 1_000_000;
const UNCLOSED: usize = 1_000;

pub(crate) async fn run() -> Result<()> {
    println!("\nStarting the server, from its call until it answers, and its memory then");
    println!("                                           seconds  MiB in use  most MiB   MiB of file");
    println!("-----------------------------------------  -------  ----------  --------   -----------");
    for (tasks, unclosed) in [(0, 0), (10_000 + UNCLOSED, UNCLOSED), (TASKS, UNCLOSED)] {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        fill(directory.path(), tasks, unclosed).await?;
        let what = if tasks == 0 { "no tasks".to_owned() } else { format!("{tasks} tasks, {unclosed} unclosed") };
        let first = start(directory.path(), &what)?;
        // No end that lets it tidy up.
        drop(first);
        start(directory.path(), &format!("{what}, after kill -9"))?.stop()?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a file's size")]
fn start(data: &Path, what: &str) -> Result<Process> {
    let size = std::fs::metadata(file(data)).map_or(0, |file| file.len());
    let began = Instant::now();
    let process = Process::server(data, "warn")?;
    let (seconds, (now, most)) = (began.elapsed().as_secs_f64(), process.memory()?);
    println!("{what:<41}  {seconds:>7.2}  {now:>10.0}  {most:>8.0}   {:>11.0}", size as f64 / 1_048_576.0);
    Ok(process)
}

fn file(data: &Path) -> std::path::PathBuf {
    data.join("releases.redb")
}

/// Makes a store of that many tasks, closed ones and some that run.
async fn fill(data: &Path, tasks: usize, unclosed: usize) -> Result<()> {
    if tasks == 0 {
        return Ok(());
    }
    let store = Arc::new(RedbStore::open_keeping(file(data), tasks)?);
    let mut writes = JoinSet::new();
    for number in 0..tasks {
        let record = record(number, number >= tasks - unclosed)?;
        let store = Arc::clone(&store);
        writes.spawn(async move { store.create(record).await });
        // As many as share a commit, twice.
        if writes.len() >= 1024 {
            writes.join_next().await.context("no write")???;
        }
    }
    while let Some(written) = writes.join_next().await {
        written??;
    }
    Ok(())
}

fn record(number: usize, runs: bool) -> Result<Record> {
    let mut task = ReleaseTask::new(ReleaseSpec {
        key: ReleaseKey::parse(
            "mesh-1",
            &format!("shop-{}", number % 100),
            &format!("01a210c1-f95a-74d8-92f6-{number:012}"),
        )?,
        service: format!("service-{number}").parse()?,
        original: "v1".parse()?,
        grayscale: "v2".parse()?,
    })?;
    if !runs {
        let _ = task.command(Command::CANCEL)?;
    }
    while let Some(step) = task.next_step() {
        let _ = task.report(step.succeeded(Witnesses::one("envoy-1"), "nothing in flight for 15 s"))?;
    }
    let metadata = serde_json::json!({ "name": "release-of-it" });
    let closed = (!runs).then(Timestamp::now);
    Ok(Record { task, metadata, created: Timestamp::now(), closed })
}
