//! Closes per second on redb, against raw commits of the same bytes.

use crate::http::{Connection, request};
use crate::median;
use crate::process::Process;
use anyhow::{Context as _, Result, ensure};
use redb::{Database, TableDefinition};
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

/// How many releases are closed in a round by one client, and by 64.
const BY_ONE: usize = 32;
const BY_MANY: usize = 1024;

pub(crate) async fn run() -> Result<()> {
    // Beside the build's results: what is a disk in memory elsewhere, would not sync.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let server = Process::server(directory.path(), "warn")?;
    let raw = Database::create(directory.path().join("raw"))?;
    let mut figures: [Vec<f64>; 4] = Default::default();
    for round in 0..ROUNDS {
        let two = raw_closes(&raw, true)?;
        let one = raw_closes(&raw, false)?;
        let by_one = closes(server.address, &format!("one-{round}"), BY_ONE, 1).await?;
        let by_many = closes(server.address, &format!("many-{round}"), BY_MANY, 64).await?;
        for (figures, figure) in figures.iter_mut().zip([two, one, by_one, by_many]) {
            figures.push(figure);
        }
    }
    let [two, one, by_one, by_many] = figures;
    let ratio = |of: &[f64]| median(of.iter().zip(&two).map(|(of, raw)| of / raw).collect());
    println!("\nDurable closes, five commits each, medians of {ROUNDS} rounds");
    println!("                                        closes/s   ms each  times the raw closes/s");
    println!("--------------------------------------  --------  --------  ----------------------");
    for (name, figures) in [
        ("raw redb, one commit per operation", &two),
        ("  the same with one sync per commit", &one),
        ("DELETE over HTTP, 1 client", &by_one),
        ("DELETE over HTTP, 64 clients", &by_many),
    ] {
        let each = median(figures.clone());
        println!("{name:<38}  {each:>8.0}  {:>8.2}  {:>22.2}", 1e3 / each, ratio(figures));
    }
    println!("Goals: 64 clients at least 5; 1 client at least {:.2}, which is 1.2 times the time.", 1.0 / 1.2);
    Ok(())
}

/// Creates releases, and returns how many per second are then closed by that many clients.
async fn closes(server: SocketAddr, name: &str, releases: usize, clients: usize) -> Result<f64> {
    let ready = on_connections(server, clients.max(16), (0..releases).collect(), {
        let name = name.to_owned();
        async move |connection: &mut Connection, number: usize| create(connection, &format!("{name}-{number}")).await
    })
    .await?;
    let began = Instant::now();
    on_connections(server, clients, ready.into(), async |connection: &mut Connection, path: String| {
        let (status, body) = connection.exchange(&request("DELETE", &format!("{path}?action=end"), "")).await?;
        ensure!(status == 200, "{status}: {body}");
        Ok(())
    })
    .await?;
    Ok(per_second(releases, began.elapsed()))
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

/// How many closes per second raw redb could do with a commit for each operation. `two_syncs` as the store does it.
fn raw_closes(database: &Database, two_syncs: bool) -> Result<f64> {
    const TABLE: TableDefinition<&str, &[u8]> = TableDefinition::new("raw");
    let states = states()?;
    let began = Instant::now();
    for number in 0..BY_ONE {
        for state in &states {
            let mut txn = database.begin_write()?;
            txn.set_two_phase_commit(two_syncs);
            txn.open_table(TABLE)?.insert(format!("release-{number}").as_str(), state.as_slice())?;
            txn.commit()?;
        }
    }
    Ok(per_second(BY_ONE, began.elapsed()))
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

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn per_second(number: usize, time: Duration) -> f64 {
    number as f64 / time.as_secs_f64()
}
