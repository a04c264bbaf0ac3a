//! Closes per second on redb, against raw commits of the same rows.

use crate::handed_over::HandedOver;
use crate::http::{Connection, request};
use crate::median;
use crate::process::Process;
use anyhow::{Context as _, Result, ensure};
use redb::{Database, ReadableTable as _, TableDefinition};
use release_core::{Command, ReleaseKey, ReleaseSpec, ReleaseTask, Witnesses};
use release_engine::{Record, Timestamp};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const ROUNDS: usize = 5;
const RELEASES: &str = "/v2/meshes/mesh-1/namespaces/shop/releases";

/// How many releases are closed one after the other, and in each round by many clients.
const BY_ONE: usize = 200;
const IN_A_TURN: usize = 10;
const BY_MANY: usize = 1024;
const CLIENTS: usize = 64;

#[expect(clippy::cast_precision_loss, reason = "a small number")]
pub(crate) async fn run() -> Result<()> {
    // Beside the build's results: what is a disk in memory elsewhere, would not sync.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let server = Process::server(directory.path(), "warn")?;
    let raw = Database::create(directory.path().join("raw"))?;
    let states = Arc::new(states()?);
    let thread = HandedOver::start(Database::create(directory.path().join("thread"))?)?;
    let paths = ready(server.address, "one", BY_ONE).await?;
    let (mut connection, mut times) = (Connection::open(server.address).await?, [const { Vec::new() }; 4]);
    let [two, one, handed, by_one] = &mut times;
    // In turns, because disks have moods; each of a few closes, because a client that closes one release after the other does
    // not wait for a server that has slept meanwhile.
    for paths in paths.chunks(IN_A_TURN) {
        for path in paths {
            two.push(raw_close(&raw, &states, id(path), true)?);
        }
        for path in paths {
            one.push(raw_close(&raw, &states, id(path), false)?);
        }
        for path in paths {
            handed.push(thread.close(&states, id(path)).await?);
        }
        for path in paths {
            let began = Instant::now();
            end(&mut connection, path).await?;
            by_one.push(began.elapsed().as_secs_f64());
        }
    }
    let (mut by_many, mut then) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let paths = ready(server.address, &format!("many-{round}"), BY_MANY).await?;
        for path in paths.iter().take(BY_MANY / 32) {
            then.push(raw_close(&raw, &states, id(path), true)?);
        }
        let began = Instant::now();
        on_connections(server.address, CLIENTS, paths.into(), async |connection: &mut Connection, path: String| {
            end(connection, &path).await
        })
        .await?;
        by_many.push(began.elapsed().as_secs_f64() / BY_MANY as f64);
    }
    let [two, one, handed, by_one] = times.map(median);
    let (by_many, then) = (median(by_many), median(then));
    println!(
        "\nDurable closes of five commits: {BY_ONE} in turns of {IN_A_TURN}, and {ROUNDS} rounds of {BY_MANY}; medians"
    );
    println!("                                            ms each  closes/s  ratio  to one sync");
    println!("------------------------------------------  -------  --------  -----  -----------");
    // Commits with one sync are measured in the turns only: between the rounds they are taken to be as much faster.
    for (name, time, raw) in [
        ("raw redb, two syncs per commit", two, two),
        ("raw redb, one sync per commit", one, two),
        ("  two syncs, by a thread, for a task", handed, two),
        ("1 client: DELETE over HTTP", by_one, two),
        ("raw redb, two syncs, between the rounds", then, then),
        ("64 clients: DELETE over HTTP", by_many, then),
    ] {
        let (per_second, ratio) = (1.0 / time, time / raw);
        println!("{name:<42}  {:>7.2}  {per_second:>8.0}  {ratio:>5.2}  {:>11.2}", time * 1e3, ratio * two / one);
    }
    println!(
        "One commit for each of the five. Two syncs, as the store has them to tell a damaged file: ARCHITECTURE.md says why."
    );
    println!(
        "By a thread, for a task: what no server does without whose disk must not block its runtime. The rest is the engine and HTTP."
    );
    println!(
        "Goals, of the first ratio: 1 client at most 1.20; 64 clients at most 0.20, which is 5 times the closes/s."
    );
    Ok(())
}

/// The id of the release with that path.
fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Creates that many releases, ready to be closed.
async fn ready(server: SocketAddr, name: &str, releases: usize) -> Result<Vec<String>> {
    let name = name.to_owned();
    on_connections(server, CLIENTS, (0..releases).collect(), async move |connection: &mut Connection, number: usize| {
        create(connection, &format!("{name}-{number}")).await
    })
    .await
}

async fn end(connection: &mut Connection, path: &str) -> Result<()> {
    let (status, body) = connection.exchange(&request("DELETE", &format!("{path}?action=end"), "")).await?;
    ensure!(status == 200, "{status}: {body}");
    Ok(())
}

/// Does something to each item, on that many connections at the same time.
async fn on_connections<T: Send + 'static, R: Send + 'static>(
    server: SocketAddr,
    connections: usize,
    items: VecDeque<T>,
    work: impl AsyncFn(&mut Connection, T) -> Result<R> + Clone + Send + 'static,
) -> Result<Vec<R>> {
    let items = Arc::new(Mutex::new(items));
    let local = tokio::task::LocalSet::new();
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        let (items, work) = (Arc::clone(&items), work.clone());
        clients.spawn_local_on(
            async move {
                let (mut connection, mut done) = (Connection::open(server).await?, Vec::new());
                loop {
                    let next = items.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(item) = next else { return anyhow::Ok(done) };
                    done.push(work(&mut connection, item).await?);
                }
            },
            &local,
        );
    }
    let all = local.run_until(clients.join_all()).await;
    Ok(all.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// Creates a release and waits until a fifth of its traffic goes to the grayscale version. Returns its path.
async fn create(connection: &mut Connection, service: &str) -> Result<String> {
    let body = json!({
        "metadata": { "name": "release-of-it" },
        "spec": { "serviceName": service, "originalVersion": "v1", "version": "v2" },
    });
    let (status, created) = connection.exchange(&request("POST", RELEASES, &body.to_string())).await?;
    ensure!(status == 201, "{status}: {created}");
    let created: Value = serde_json::from_str(created)?;
    let id = created.pointer("/metadata/uid").and_then(Value::as_str).context("no uid")?;
    let path = format!("{RELEASES}/{id}");
    until(connection, &path, |release| release.pointer("/status/phase").is_some_and(|phase| phase == "running"))
        .await?;
    let policy = request("PUT", &format!("{path}/policy"), r#"{"weighted":{"grayscale":20}}"#);
    let (status, body) = connection.exchange(&policy).await?;
    ensure!(status == 200, "{status}: {body}");
    until(connection, &path, |release| release.pointer("/status/wanted") == release.pointer("/status/confirmed"))
        .await?;
    Ok(path)
}

async fn until(connection: &mut Connection, path: &str, wanted: impl Fn(&Value) -> bool) -> Result<()> {
    let request = request("GET", path, "");
    loop {
        let (status, body) = connection.exchange(&request).await?;
        ensure!(status == 200, "{status}: {body}");
        if wanted(&serde_json::from_str(body)?) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// How long raw redb takes with a commit for each operation of a close, in seconds. `two_syncs` as the store does it.
fn raw_close(database: &Database, states: &[Vec<u8>], id: &str, two_syncs: bool) -> Result<f64> {
    let began = Instant::now();
    for (number, state) in states.iter().enumerate() {
        raw_commit(database, state, id, number + 1 == states.len(), two_syncs)?;
    }
    Ok(began.elapsed().as_secs_f64())
}

/// Commits the same rows as the store does: the record, the number of the newest revision, and at the end the entry of the
/// closed ones.
pub(crate) fn raw_commit(database: &Database, state: &[u8], id: &str, closed: bool, two_syncs: bool) -> Result<()> {
    const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
    const RELEASES: TableDefinition<(&str, &str, &str), (u64, &[u8])> = TableDefinition::new("releases");
    const CLOSED: TableDefinition<u64, (&str, &str, &str)> = TableDefinition::new("closed");
    let name = ("mesh-1", "shop", id);
    let mut txn = database.begin_write()?;
    txn.set_two_phase_commit(two_syncs);
    {
        let mut meta = txn.open_table(META)?;
        let revision = meta.get("revision")?.map_or(0, |newest| newest.value()) + 1;
        meta.insert("revision", revision)?;
        txn.open_table(RELEASES)?.insert(name, (revision, state))?;
        if closed {
            txn.open_table(CLOSED)?.insert(revision, name)?;
        }
    }
    Ok(txn.commit()?)
}

/// What is stored of a release that is ended, one after the other.
fn states() -> Result<Vec<Vec<u8>>> {
    let mut task = ReleaseTask::new(ReleaseSpec {
        key: ReleaseKey::parse("mesh-1", "shop", "01a210c1-f95a-74d8-92f6-222b22f1525c")?,
        service: "many-1-100".parse()?,
        original: "v1".parse()?,
        grayscale: "v2".parse()?,
    })?;
    let succeed = |task: &mut ReleaseTask| -> Result<bool> {
        let Some(step) = task.next_step() else { return Ok(false) };
        let _ = task.report(step.succeeded(Witnesses::one("envoy-1"), "nothing in flight for 15 s"))?;
        Ok(true)
    };
    while succeed(&mut task)? {}
    let _ = task.command(Command::END)?;
    let mut states = Vec::new();
    loop {
        let metadata = json!({ "name": "release-of-it" });
        let record = Record { task: task.clone(), metadata, created: Timestamp::now(), closed: None };
        states.push(serde_json::to_vec(&record)?);
        if !succeed(&mut task)? {
            ensure!(states.len() == 5, "{} states", states.len());
            return Ok(states);
        }
    }
}
