//! The answer 404 against a bare hyper that answers hello: same runtime, same load.

use crate::http::{Connection, request};
use crate::median;
use crate::process::Process;
use anyhow::{Result, ensure};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use release_server::serve::Limits;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_secs(1);

pub(crate) async fn run() -> Result<()> {
    let directories = [tempfile::tempdir()?, tempfile::tempdir()?];
    let [first, second] = &directories;
    let hello = Process::hello()?;
    let servers = [
        ("hyper, hello", hello, 200),
        ("404, default log", Process::server(first.path(), "info")?, 404),
        ("404, --log debug", Process::server(second.path(), "debug")?, 404),
    ];
    let path = "/v2/meshes/mesh-1/namespaces/shop/releases/none?action=cancel";
    let request = request("DELETE", path, "");
    let mut rounds: Vec<Vec<Round>> = Vec::new();
    // All in each round, so that what else happens on the machine hits all of them.
    for _ in 0..ROUNDS {
        let mut round = Vec::new();
        for (_, server, status) in &servers {
            round.push(load(server, &request, *status).await?);
        }
        rounds.push(round);
    }
    println!("\nA DELETE of a release that is not there, {CONNECTIONS} connections, medians of {ROUNDS} rounds");
    println!("                   requests/s  ratio   p50 µs   p99 µs  µs of CPU  ratio");
    println!("-----------------  ----------  -----  -------  -------  ---------  -----");
    for (number, (name, _, _)) in servers.iter().enumerate() {
        let of = |what: &dyn Fn(&Round, &Round) -> f64| {
            let each = rounds.iter().filter_map(|round| Some(what(round.get(number)?, round.first()?)));
            median(each.collect())
        };
        println!(
            "{name:<17}  {:>10.0}  {:>5.2}  {:>7.0}  {:>7.0}  {:>9.1}  {:>5.2}",
            of(&|own, _| own.per_second),
            of(&|own, hello| own.per_second / hello.per_second),
            of(&|own, _| own.p50),
            of(&|own, _| own.p99),
            of(&|own, _| own.processor),
            of(&|own, hello| own.processor / hello.processor),
        );
    }
    println!("Goal: at least 0.8 of hyper's requests/s.");
    Ok(())
}

struct Round {
    per_second: f64,
    /// Microseconds.
    p50: f64,
    p99: f64,
    /// Microseconds of the server's processor time per request.
    processor: f64,
}

#[expect(clippy::cast_precision_loss, reason = "numbers of requests")]
async fn load(server: &Process, request: &[u8], status: u16) -> Result<Round> {
    let (began, before) = (Instant::now(), server.processor_time()?);
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        connections.spawn(repeat(server.address, request.to_vec(), status, began + ROUND));
    }
    let mut latencies = Vec::new();
    while let Some(connection) = connections.join_next().await {
        latencies.extend(connection??);
    }
    let number = latencies.len() as f64;
    ensure!(number > 100.0, "only {number} requests were answered");
    latencies.sort_unstable();
    let quantile =
        |part: usize| latencies.get(latencies.len() * part / 100).map_or(f64::NAN, |it| it.as_secs_f64() * 1e6);
    Ok(Round {
        per_second: number / began.elapsed().as_secs_f64(),
        p50: quantile(50),
        p99: quantile(99),
        processor: (server.processor_time()? - before) / number * 1e6,
    })
}

async fn repeat(address: SocketAddr, request: Vec<u8>, expected: u16, until: Instant) -> Result<Vec<Duration>> {
    let (mut connection, mut latencies) = (Connection::open(address).await?, Vec::new());
    while Instant::now() < until {
        let sent = Instant::now();
        let (status, body) = connection.exchange(&request).await?;
        ensure!(status == expected, "{status}: {body}");
        latencies.push(sent.elapsed());
    }
    Ok(latencies)
}

/// The baseline, in a process of its own: the same runtime and connection settings as the server's, and nothing else.
pub(crate) fn hello() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on http://{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let service = service_fn(async |_: Request<hyper::body::Incoming>| {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
            });
            let mut builder = http1::Builder::new();
            let limits = Limits::default();
            builder.timer(TokioTimer::new()).header_read_timeout(limits.read_time);
            builder.writev(false).max_buf_size(limits.header_bytes);
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
        }
    })
}
