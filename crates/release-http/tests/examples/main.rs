//! The examples, as they stand: those that serve, over real sockets.

#![expect(clippy::unwrap_used, reason = "a test may stop when its set-up is wrong")]
#![expect(dead_code, reason = "the examples' own `main`, which takes a fixed port or prints")]

#[path = "../../examples/axum.rs"]
mod axum;
#[path = "../../examples/hyper.rs"]
mod hyper;
#[path = "../../examples/plain.rs"]
mod plain;
#[path = "../../examples/tonic.rs"]
mod tonic;

use ::hyper::body::Incoming;
use ::hyper::client::conn::http2::{self, SendRequest};
use http::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tokio::net::TcpListener;

#[test]
fn axum_serves_the_api_next_to_other_routes() {
    let address = serve(axum::serve);
    assert_documented(address);
    assert!(ask(address, "GET", "/healthz", "").starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn bare_hyper_serves_the_api() {
    assert_documented(serve(hyper::serve));
}

/// Over HTTP/1.1 and HTTP/2; and gRPC goes where it did.
#[test]
fn tonic_serves_the_api_next_to_grpc() {
    let address = serve(tonic::serve);
    assert_documented(address);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = connect_http2(address).await;
        let found =
            ask_http2(&mut connection, Request::get(format!("http://{address}/v2/meshes/mesh-1/releases"))).await;
        assert_eq!((found.version(), found.status().as_u16()), (Version::HTTP_2, 200));
        assert!(found.headers().contains_key("x-request-id"));
        let pinged =
            Request::post(format!("http://{address}/example.Ping/Ping")).header("content-type", "application/grpc");
        let pinged = ask_http2(&mut connection, pinged).await;
        assert_eq!(pinged.headers()["grpc-message"], "pong");
    });
}

#[test]
fn the_plain_function_answers_without_a_server() {
    let said = plain::conversation().unwrap();
    let statuses: Vec<&str> =
        said.lines().filter(|line| line.starts_with(|char: char| char.is_ascii_digit())).collect();
    assert_eq!(statuses, ["201 Created", "200 OK", "404 Not Found"]);
    assert!(said.contains("ASM.01404001") && said.contains("Delete("), "{said}");
}

/// A release is created, ended, and then not found any more; what is wrong is said.
fn assert_documented(address: SocketAddr) {
    const RELEASES: &str = "/v2/meshes/mesh-1/namespaces/shop/releases";
    const CREATE: &str =
        r#"{"metadata":{"name":"cart-v2"},"spec":{"serviceName":"cart","originalVersion":"v1","version":"v2"}}"#;
    let task = format!("{RELEASES}/r1");
    for (method, target, body, status, says) in [
        ("POST", RELEASES.to_owned(), CREATE, "201 Created", "\"uid\":\"r1\""),
        ("DELETE", format!("{task}?action=stop"), "", "400 Bad Request", "\"errorCode\":\"ASM.01010001\""),
        ("DELETE", format!("{task}?action=end"), "", "200 OK", ""),
        ("DELETE", format!("{task}?action=end"), "", "404 Not Found", "\"errorCode\":\"ASM.01010002\""),
        ("PATCH", task, "", "405 Method Not Allowed", "DELETE, GET, PUT"),
    ] {
        let answer = ask(address, method, &target, body);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{method} {target}: {answer}");
        assert!(answer.contains(says) && answer.contains("x-request-id: "), "{method} {target}: {answer}");
    }
}

/// Serves on a free port until the test's process ends.
fn serve<F: Future<Output = io::Result<()>> + 'static>(server: fn(TcpListener) -> F) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { server(TcpListener::from_std(listener).unwrap()).await })
    });
    address
}

/// One request on a connection of its own; the whole answer.
fn ask(address: SocketAddr, method: &str, target: &str, body: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    // Only ends a test that hangs.
    connection.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let length = body.len();
    let head =
        format!("{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}");
    write!(connection, "{head}\r\ncontent-type: application/json\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

async fn connect_http2(address: SocketAddr) -> SendRequest<String> {
    let socket = TokioIo::new(tokio::net::TcpStream::connect(address).await.unwrap());
    let (requests, connection) = http2::handshake(TokioExecutor::new(), socket).await.unwrap();
    tokio::spawn(connection);
    requests
}

/// The answer's head; the test ends when there is none for too long.
async fn ask_http2(connection: &mut SendRequest<String>, request: http::request::Builder) -> Response<Incoming> {
    let request = request.body(String::new()).unwrap();
    tokio::time::timeout(Duration::from_mins(1), connection.send_request(request)).await.unwrap().unwrap()
}
