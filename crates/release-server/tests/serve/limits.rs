//! What one client can't do to the others.

use crate::client::{Client, LIMIT};
use crate::process::{OPEN, Process};
use http::Method;
use release_server::serve::{Limits, Options, Server};
use release_store::MemoryStore;
use release_testkit::{Behaviour, SimulatedMesh};
use std::process::Command;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused() {
    let process = Process::in_memory(&["--max-header-bytes=8192", "--max-body-bytes=1024"]);
    let client = &process.client;
    assert_eq!(raw(client, &format!("GET /healthz HTTP/1.1\r\na: {}\r\n\r\n", "x".repeat(7000))).await.0, 200);
    assert_eq!(raw(client, &format!("GET /healthz HTTP/1.1\r\na: {}\r\n\r\n", "x".repeat(9000))).await.0, 431);
    assert_eq!(raw(client, &format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(9000))).await.0, 431);
    assert_eq!(raw(client, &format!("GET /healthz HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(1000))).await.0, 431);
    let create = |length: usize| {
        let body = "x".repeat(length);
        client.send(client.request(Method::POST, "/v2/meshes/mesh-1/namespaces/shop/releases", &body))
    };
    assert_eq!(create(1024).await.status, 400);
    assert_eq!(create(1025).await.status, 413);
    // Who says how much it will be is told at once.
    let head = "POST /v2/meshes/mesh-1/namespaces/shop/releases HTTP/1.1\r\ncontent-length: 1025\r\n\r\n";
    assert_eq!(raw(client, head).await.0, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_refused() {
    let process = Process::in_memory(&[]);
    for text in ["nonsense\r\n\r\n", "GET /healthz HTTP/1.1\r\nbad header\r\n\r\n", "\0\0\0\0\r\n\r\n"] {
        assert_eq!(raw(&process.client, text).await.0, 400, "{text:?}");
    }
    process.client.get("/healthz").await.ok();
}

#[tokio::test]
async fn a_client_that_sends_slowly_is_not_waited_for() {
    let process = Process::in_memory(&["--read-time=1"]);
    assert_eq!(raw(&process.client, "GET /healthz HT").await.1, "", "the connection is closed");
    let (_server, client) = impatient(SimulatedMesh::new(1)).await;
    let head = "POST /v2/meshes/mesh-1/namespaces/shop/releases HTTP/1.1\r\ncontent-type: application/json\r\n";
    let (status, text) = raw(&client, &format!("{head}content-length: 100\r\n\r\n{{")).await;
    assert_eq!(status, 400, "{text}");
    assert!(text.contains("The body was not complete within 1s, which is the limit: send it faster."), "{text}");
}

/// A server that gives its clients a second. It is on the one thread of its test: when the machine lets that stand still, both
/// do, and after that the server looks at what has arrived before it looks at the clock.
async fn impatient(mesh: SimulatedMesh) -> (Server, Client) {
    let limits = Limits { read_time: Duration::from_secs(1), ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let server = Server::start_on(MemoryStore::new(), mesh, options).await.unwrap();
    let client = Client::new(server.address());
    (server, client)
}

/// What is the largest number of its type is no bound, and nothing that panics.
#[tokio::test(flavor = "multi_thread")]
async fn without_bounds_it_serves() {
    let limits =
        Limits { header_bytes: usize::MAX, body_bytes: usize::MAX, connections: usize::MAX, read_time: Duration::MAX };
    let (wait, shutdown_limit) = (Duration::MAX, Duration::MAX);
    let options = Options { limits, wait, shutdown_limit, ..Options::default() };
    let server = Server::start_on(MemoryStore::new(), SimulatedMesh::new(1), options).await.unwrap();
    let client = Client::new(server.address());
    client.at_a_fifth("cart").await.delete("end").await.ok();

    // More answers than fit in between, to a client that reads none before it has asked for all: the server must wait.
    let stream = TcpSocket::new_v4().unwrap();
    stream.set_recv_buffer_size(4096).unwrap();
    let mut stream = stream.connect(client.address).await.unwrap();
    let count = 1000;
    let last = "GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n";
    let requests = "GET /openapi.json HTTP/1.1\r\n\r\n".repeat(count) + last;
    stream.write_all(requests.as_bytes()).await.unwrap();
    let mut answers = String::new();
    timeout(LIMIT, stream.read_to_string(&mut answers)).await.unwrap().unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), count + 1);
    assert!(server.shutdown().await);
}

/// HEAD is answered without a body: it takes more of them until nothing fits in between any longer.
#[tokio::test]
async fn a_client_that_does_not_read_is_not_waited_for() {
    let (_server, client) = impatient(SimulatedMesh::new(1)).await;
    for method in ["GET", "HEAD"] {
        let mut stream = TcpStream::connect(client.address).await.unwrap();
        let requests = format!("{method} /openapi.json HTTP/1.1\r\n\r\n").repeat(1000);
        let asks = async { while stream.write_all(requests.as_bytes()).await.is_ok() {} };
        assert!(timeout(LIMIT, asks).await.is_ok(), "{method}: the connection is still there");
        client.until_metric("release_http_connections", |open| open <= 1.0).await;
    }
}

/// A delete that waits is no client that sends slowly.
#[tokio::test]
async fn a_client_that_waits_is_not_cut_off() {
    let mesh = SimulatedMesh::new(1);
    let (_server, client) = impatient(mesh.clone()).await;
    let release = client.create("cart").await;
    mesh.behave(|_, _| Behaviour::Hangs);
    let waits = async {
        release.until(|status| status["phase"] == "closing").await;
        sleep(Duration::from_millis(1500)).await;
        mesh.behave(|_, _| Behaviour::Works);
    };
    tokio::join!(release.delete("cancel"), waits).0.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_over_the_limit_wait_for_a_place() {
    let process = Process::in_memory(&["--max-connections=2", "--read-time=3600"]);
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(process.client.address).await.unwrap();
        // An answer shows that the connection has its place.
        stream.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").await.unwrap();
        assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
        open.push(stream);
    }
    let waiting = process.client.get("/healthz");
    tokio::pin!(waiting);
    assert!(timeout(Duration::from_millis(300), &mut waiting).await.is_err(), "there was a third place");
    drop(open.pop());
    waiting.await.ok();
}

/// Else connections would be refused although there are places for them.
#[tokio::test(flavor = "multi_thread")]
async fn there_is_room_for_the_connections_that_are_allowed() {
    for (soft, hard, expected) in [(200, 4096, 564), (1000, 4096, 1000), (200, 300, 300)] {
        let mut command = Command::new("sh");
        let limits = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$@\"");
        command.args(["-c", &limits, "sh", env!("CARGO_BIN_EXE_release-server"), "serve"]);
        let process = Process::start({
            command.args(OPEN).args(["--store=memory", "--max-connections=500"]);
            command
        });
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap();
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
        let numbers: Vec<u64> = line.split_whitespace().map_while(|number| number.parse().ok()).collect();
        assert_eq!(numbers, [expected, hard]);
        process.signal("TERM");
        let (_, log) = process.ended();
        assert_eq!(log.contains(&format!("allowed={hard} needed=564")), hard < 564, "{log}");
    }
}

/// Sends a text as it is, and returns the status of the answer and all of it.
async fn raw(client: &Client, text: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(client.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The server closes the connection after an error; after a success it would wait for the next request.
    let mut buffer = [0; 4096];
    loop {
        let read = timeout(LIMIT, stream.read(&mut buffer)).await.unwrap().unwrap_or(0);
        answer.extend(&buffer[..read]);
        if read == 0 || answer.starts_with(b"HTTP/1.1 200") {
            break;
        }
    }
    let answer = String::from_utf8(answer).unwrap();
    (answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), answer)
}
