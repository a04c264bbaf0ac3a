//! Hooks, called for real: programs of this machine, and a server on a socket.

#![expect(clippy::unwrap_used, reason = "a test may stop when its set-up is wrong")]

use release_core::{Generation, ReleaseKey, ReleaseSpec, Version};
use release_xds::hook::{Facts, Hook, HookError};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

fn facts() -> Facts {
    let spec = ReleaseSpec {
        key: ReleaseKey::parse("mesh-1", "shop", "3f2a").unwrap(),
        service: "cart".parse().unwrap(),
        original: "v1".parse().unwrap(),
        grayscale: "v2".parse().unwrap(),
    };
    Facts::new(&spec, Version::Original, Generation::new(4))
}

fn shell(script: &str) -> Hook {
    Hook::command(["/bin/sh", "-c", script, "hook"].map(String::from).into()).unwrap()
}

#[tokio::test]
async fn a_command_gets_the_facts_as_arguments() {
    let directory = tempfile::tempdir().unwrap();
    let told = directory.path().join("told");
    shell(&format!("echo \"$@\" > {}", told.display())).call(&facts()).await.unwrap();
    let expected =
        "--mesh-id mesh-1 --namespace shop --service cart --release 3f2a --version v1 --survivor v2 --generation 4\n";
    assert_eq!(std::fs::read_to_string(told).unwrap(), expected);
}

#[tokio::test]
async fn a_command_that_fails_says_why() {
    let why = |script: &'static str| async move { shell(script).call(&facts()).await.unwrap_err().to_string() };
    assert_eq!(
        why("echo starting >&2; echo 'no such deployment' >&2; echo >&2; exit 3").await,
        "the retire command failed (exit status: 3): no such deployment"
    );
    assert_eq!(why("exit 1").await, "the retire command failed (exit status: 1): it printed nothing");
    assert_eq!(why("yes 2>&1 | head -c 1000000 >&2; exit 1").await, "the retire command failed (exit status: 1): y");
    let missing = Hook::command(vec!["/no/such/program".into()]).unwrap().call(&facts()).await.unwrap_err();
    assert_eq!(missing.to_string(), "the retire command can't be started: No such file or directory (os error 2)");
}

/// It ends with the command, not with what the command left running.
#[tokio::test]
async fn a_command_may_leave_something_running() {
    let directory = tempfile::tempdir().unwrap();
    let id = directory.path().join("id");
    shell(&format!("sleep 300 & echo $! > {}", id.display())).call(&facts()).await.unwrap();
    let id = std::fs::read_to_string(id).unwrap();
    let end = format!("kill {}", id.trim());
    assert!(std::process::Command::new("sh").args(["-c", &end]).status().unwrap().success(), "it was still running");
}

#[tokio::test]
async fn a_webhook_gets_the_facts_as_json() {
    let (url, server) = answering("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
    Hook::webhook(&format!("{url}/retire?a=b")).unwrap().call(&facts()).await.unwrap();
    let request = server.join().unwrap().to_ascii_lowercase();
    assert!(request.starts_with("post /retire?a=b http/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nidempotency-key: mesh-1/shop/3f2a/v1\r\n"), "{request}");
    let body = r#"{"meshid":"mesh-1","namespace":"shop","service":"cart","release":"3f2a","version":"v1","survivor":"v2","generation":4}"#;
    assert!(request.ends_with(body), "{request}");
}

#[tokio::test]
async fn a_webhook_that_fails_says_why() {
    let (url, server) = answering("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(Hook::webhook(&url).unwrap().call(&facts()).await, Err(HookError::Refused(500)));
    server.join().unwrap();
    // Bound, so that nobody else gets it, but nobody listens.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = socket.local_addr().unwrap();
    let error = Hook::webhook(&format!("http://{nobody}/")).unwrap().call(&facts()).await.unwrap_err();
    assert_eq!(error.to_string(), "the retire webhook can't be reached: Connection refused (os error 111)");
}

/// Answers one request, and gives back what it was.
fn answering(answer: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let (mut request, mut part) = (Vec::new(), [0; 4096]);
        // The body is the only thing with a closing brace.
        while request.last() != Some(&b'}') {
            let read = connection.read(&mut part).unwrap();
            assert_ne!(read, 0, "the request ended too early");
            request.extend_from_slice(part.get(..read).unwrap());
        }
        connection.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(request).unwrap()
    });
    (url, server)
}
