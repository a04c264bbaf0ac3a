//! A mesh that outlives the server, and the adapter through which the server asks it for steps.

use crate::aim::{Aim, Moment};
use anyhow::Result;
use fastrand::Rng;
use release_core::{ReleaseSpec, Report, Step};
use release_engine::Mesh;
use release_testkit::SimulatedMesh;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// How long a step takes at most.
const LAG: Duration = Duration::from_millis(20);

/// The adapter: each step is a line of JSON on a connection of its own, and so is the report.
pub(crate) struct Remote(pub(crate) SocketAddr);

impl Mesh for Remote {
    async fn perform(&self, spec: &ReleaseSpec, step: &Step) -> Report {
        match ask(self.0, spec, step).await {
            Ok(report) => report,
            Err(error) => step.failed(format!("the mesh did not answer: {error}")),
        }
    }
}

async fn ask(mesh: SocketAddr, spec: &ReleaseSpec, step: &Step) -> io::Result<Report> {
    let mut stream = TcpStream::connect(mesh).await?;
    let mut question = serde_json::to_vec(&(spec, step))?;
    question.push(b'\n');
    stream.write_all(&question).await?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await?;
    Ok(serde_json::from_str(&answer)?)
}

/// Performs the steps that adapters ask for, until the process ends.
pub(crate) async fn serve(mesh: SimulatedMesh, aim: Arc<Aim>, seed: u64) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let mut rng = Rng::with_seed(seed);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (mesh, aim, rng) = (mesh.clone(), Arc::clone(&aim), rng.fork());
            // It is performed even if whoever asked is killed meanwhile.
            tokio::spawn(async move { drop(answer(stream, &mesh, &aim, rng).await) });
        }
    });
    Ok(address)
}

async fn answer(stream: TcpStream, mesh: &SimulatedMesh, aim: &Aim, mut rng: Rng) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut question = String::new();
    stream.read_line(&mut question).await?;
    let (spec, step): (ReleaseSpec, Step) = serde_json::from_str(&question)?;
    let mut part = |of: Duration| of.mul_f64(rng.f64());
    match aim.look(&spec.key, &step) {
        Some((Moment::Before, shot)) => {
            shot.now();
            // The server is killed while it waits.
            sleep(Duration::from_secs(5)).await;
        }
        Some((Moment::During, shot)) => {
            shot.now();
            sleep(part(10 * LAG)).await;
            mesh.perform(&spec, &step).await;
        }
        after => {
            sleep(part(LAG)).await;
            let mut report = serde_json::to_vec(&mesh.perform(&spec, &step).await)?;
            report.push(b'\n');
            stream.write_all(&report).await?;
            if let Some((Moment::After, shot)) = after {
                sleep(part(LAG / 4)).await;
                shot.now();
            }
        }
    }
    Ok(())
}
