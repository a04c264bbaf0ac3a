//! One run: clients, a server, kills.

use crate::aim::{Aim, Moment, PHASES};
use crate::client;
use crate::figures::Counts;
use crate::inspect::inspect;
use crate::ledger::{Ledger, Seen};
use crate::mesh;
use crate::server::{Kind, Process};
use crate::worker::{Worker, World};
use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;
use http::Method;
use release_core::{Phase, ReleaseKey};
use release_store::KEEP_CLOSED;
use release_testkit::SimulatedMesh;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{RwLock, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const WORKERS: u32 = 8;

/// How long to wait for a task to be in the phase that is aimed at. A client whose release does not get on says so before.
const PATIENCE: Duration = Duration::from_mins(2);

/// How many releases there may be. A store drops old ones when they are closed and there are too many, and here each one that
/// is gone counts as lost; with far fewer, a look at all of them after each kill is quick.
const RELEASES: usize = KEEP_CLOSED / 10;

/// Kills a server of that kind on a file of its own, until that is enough or the file holds many releases.
pub(crate) async fn run(kind: Kind, rng: &mut Rng, counts: &mut Counts) -> Result<()> {
    let directory = TempDir::new()?;
    let (mesh, aim) = (SimulatedMesh::new(2), Arc::new(Aim::default()));
    let mesh_address = mesh::serve(mesh.clone(), Arc::clone(&aim), rng.u64(..)).await?;
    let mut process = Process::start(kind, directory.path(), mesh_address).await?;
    let world = Arc::new(World { ledger: Ledger::default(), server: RwLock::new(process.address), resumed: 0.into() });
    let (stop, stopped) = watch::channel(false);
    let mut workers = JoinSet::new();
    for number in 0..WORKERS {
        let worker = Worker { number, world: Arc::clone(&world), rng: rng.fork() };
        workers.spawn(worker.work(stopped.clone()));
    }
    let mut left: Vec<Phase> = PHASES.to_vec();
    rng.shuffle(&mut left);
    let mut releases = 0;
    while !counts.is_enough() && releases < RELEASES {
        let (kill, last) = (counts.kills(), left.len() >= counts.remaining() as usize);
        let aimed = if last || kill % 2 == 0 { left.first().copied() } else { None };
        let moment = match rng.u8(0..3) {
            _ if last => Moment::Before,
            0 => Moment::Before,
            1 => Moment::During,
            _ => Moment::After,
        };
        let hit = tokio::select! {
            hit = moment_to_kill(kind, aimed, moment, &aim, process.address, rng) => hit?,
            ended = workers.join_next() => return Err(why(ended)),
        };
        process.kill().await?;
        // No request is under way once this is there.
        let mut server = world.server.write().await;
        let found = inspect(directory.path(), &world.ledger, (kind == Kind::Outliving).then_some(&mesh)).await;
        let found = found.with_context(|| format!("after kill {kill} ({aimed:?}, {moment:?})"))?;
        // Without a mesh that stands still meanwhile, it may have gone on between the look and the kill.
        let hit = aimed.filter(|phase| match &hit {
            Some(key) => found.get(key) == Some(phase),
            None => found.values().any(|found| found == phase),
        });
        counts.killed(hit, found.values().copied());
        releases = found.len();
        left.retain(|phase| Some(*phase) != hit);
        if left.is_empty() {
            left = PHASES.to_vec();
            rng.shuffle(&mut left);
        } else if hit.is_none() && aimed.is_some() {
            left.rotate_left(1);
        }
        process = Process::start(kind, directory.path(), mesh_address).await?;
        *server = process.address;
    }
    stop.send_replace(true);
    while let Some(ended) = workers.join_next().await {
        ended??;
    }
    process.kill().await?;
    let found = inspect(directory.path(), &world.ledger, (kind == Kind::Outliving).then_some(&mesh)).await?;
    let open: Vec<_> = found.iter().filter(|(_, phase)| !phase.is_closed()).collect();
    ensure!(open.is_empty(), "not closed: {open:?}");
    ensure!(
        found.len() == world.ledger.closed_ones(),
        "{} releases, and {} were closed",
        found.len(),
        world.ledger.closed_ones()
    );
    counts.closed(found.len(), world.resumed.load(Relaxed));
    Ok(())
}

/// Returns when the server is to be killed, with the release whose step was aimed at, if one was.
async fn moment_to_kill(
    kind: Kind,
    aimed: Option<Phase>,
    moment: Moment,
    aim: &Aim,
    server: SocketAddr,
    rng: &mut Rng,
) -> Result<Option<ReleaseKey>> {
    match (aimed, kind) {
        (None, _) => sleep(Duration::from_micros(rng.u64(0..400_000))).await,
        (Some(phase), Kind::Outliving) => {
            let hit = aim.at(phase, moment);
            return Ok(Some(timeout(PATIENCE, hit).await.with_context(|| format!("no task gets to {phase}"))??));
        }
        (Some(phase), Kind::Binary) => {
            let seen = async {
                while !phases(server).await?.contains(&phase) {
                    sleep(Duration::from_millis(1)).await;
                }
                anyhow::Ok(())
            };
            timeout(PATIENCE, seen).await.with_context(|| format!("no task gets to {phase}"))??;
        }
    }
    Ok(None)
}

/// The phases of all releases, as the server says.
async fn phases(server: SocketAddr) -> Result<Vec<Phase>> {
    let Some(all) = client::send(server, Method::GET, "/v2/meshes/mesh-1/releases", "").await? else {
        bail!("the server is gone, and nobody killed it");
    };
    let all = all.expect(200)?;
    let items = all.get("items").and_then(Value::as_array).into_iter().flatten();
    items.map(|release| Ok(Seen::try_from(release)?.phase)).collect()
}

fn why(ended: Option<Result<Result<()>, tokio::task::JoinError>>) -> anyhow::Error {
    match ended {
        Some(Ok(Err(error))) => error,
        Some(Err(panic)) => panic.into(),
        Some(Ok(Ok(()))) | None => anyhow::anyhow!("a client stopped too early"),
    }
}
