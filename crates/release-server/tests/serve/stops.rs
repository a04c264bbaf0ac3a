//! Shutdown, in the middle of a takeover and elsewhere, and what comes after it.

use crate::client::LIMIT;
use crate::in_process::{InProcess, STAGES, directory, hang_in};
use crate::process::{OPEN, Process, serve};
use release_core::{ReleaseSpec, Report, Step};
use release_engine::Mesh;
use release_server::serve::{Options, Server};
use release_store::MemoryStore;
use release_testkit::{Behaviour, SimulatedMesh};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_shutdown_interrupts_in_any_stage_goes_on_after_a_restart() {
    for (stage, name) in STAGES {
        let directory = directory();
        let first = InProcess::start(directory.path(), Duration::from_mins(2)).await;
        let release = first.client.at_a_fifth("cart").await;
        hang_in(&first.mesh, stage);
        let waiting = release.begin("end", name).await;
        assert!(first.server.shutdown().await);
        let answer = waiting.await.unwrap();
        assert_eq!(answer.status, 500);
        assert!(
            answer.text.contains(&format!("recorded and goes on; the task is closing (end, {name})")),
            "{answer:?}"
        );
        drop(first.store);

        let mesh = SimulatedMesh::new(2);
        hang_in(&mesh, stage);
        let again = InProcess::start_over(mesh, directory.path(), Duration::from_mins(2)).await;
        // Before anything of it has moved here.
        let unclosed = format!(r#"release_unclosed{{stage="{name}"}}"#);
        assert_eq!(again.client.metric(&unclosed).await, Some(1.0), "{name}");
        again.mesh.behave(|_, _| Behaviour::Works);
        release.at(&again.client).until_closed("end").await;
        assert_eq!(again.client.metric(&unclosed).await, Some(0.0), "{name}");
        again.mesh.check().unwrap();
        assert!(again.server.shutdown().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_and_sigint_answer_those_who_wait_and_the_next_server_goes_on() {
    for signal in ["TERM", "INT"] {
        let directory = directory();
        let start = |lag: &str| {
            let mut command = serve(OPEN);
            command.arg("--data").arg(directory.path()).args(["--simulated-lag", lag]);
            Process::start(command)
        };
        let first = start("3600000");
        let release = first.client.create("cart").await;
        let waiting = tokio::spawn({
            let release = release.clone();
            async move { release.delete("cancel").await }
        });
        release.until(|status| status["phase"] == "closing").await;
        first.signal(signal);
        assert_eq!(waiting.await.unwrap().status, 500);
        let (status, log) = first.ended();
        assert!(status.success(), "{status}");
        for line in [&format!("the server is asked to stop signal=\"SIG{signal}\""), "the server has stopped"] {
            assert!(log.contains(line), "{log}");
        }
        let again = start("0");
        release.at(&again.client).until_closed("cancel").await;
    }
}

/// A client that has not ended its request.
async fn stalled(process: &Process) -> TcpStream {
    let mut stream = TcpStream::connect(process.client.address).await.unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\n").await.unwrap();
    // It has arrived once another request, on a later connection, was answered.
    process.client.until_metric("release_http_connections", |open| open >= 2.0).await;
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_takes_a_bounded_time() {
    let process = Process::in_memory(&["--shutdown-time=1", "--read-time=3600"]);
    let mut stream = stalled(&process).await;
    process.signal("TERM");
    let (status, log) = process.ended();
    assert!(status.success());
    assert!(log.contains("not everything ended in time"), "{log}");
    assert_eq!(stream.read(&mut [0; 10]).await.ok().filter(|read| *read > 0), None);
}

/// A request that was being sent is answered, and says that there is no sense in another one.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_not_ready_while_it_goes_down() {
    let process = Process::in_memory(&["--shutdown-time=60"]);
    let mut stream = stalled(&process).await;
    process.signal("TERM");
    process.until_logged("the server is asked to stop");
    // Only after that, nobody is let in any longer.
    until_gone(process.client.address).await;
    stream.write_all(b"\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.ends_with("not ready: the server is going down\n"), "{answer}");
    let (status, log) = process.ended();
    assert!(status.success() && log.contains("the server has stopped"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_server_at_once() {
    let process = Process::in_memory(&["--shutdown-time=3600", "--read-time=3600"]);
    let _stream = stalled(&process).await;
    process.signal("TERM");
    process.until_logged("the server is asked to stop");
    process.signal("INT");
    let (status, log) = process.ended();
    assert!(status.success());
    assert!(log.contains("the server stops at once"), "{log}");
}

/// A mesh that is gone only when it may be, as a store that waits for its disk when it is dropped.
struct Lingers(Mutex<Receiver<()>>);

impl Mesh for Lingers {
    async fn perform(&self, _: &ReleaseSpec, step: &Step) -> Report {
        step.failed("there is nothing to do")
    }
}

impl Drop for Lingers {
    fn drop(&mut self) {
        let _ = self.0.get_mut().map(|until| until.recv());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_waits_for_what_it_drops_as_long_as_it_may() {
    let (let_go, until) = channel();
    let options = Options { shutdown_limit: Duration::from_millis(10), ..Options::default() };
    let server = Server::start_on(MemoryStore::new(), Lingers(Mutex::new(until)), options).await.unwrap();
    assert!(!timeout(LIMIT, server.shutdown()).await.unwrap());
    drop(let_go);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_dropped_stops() {
    let directory = directory();
    let InProcess { server, client, .. } = InProcess::start(directory.path(), Duration::from_secs(1)).await;
    client.get("/healthz").await.ok();
    drop(server);
    until_gone(client.address).await;
}

/// Waits until nobody listens there, be it a server of another test that was given the port since.
async fn until_gone(address: SocketAddr) {
    let gone = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, gone).await.unwrap();
}
