//! What a script can tell from the exit code, and a person from the message.

use crate::programs::{Done, STUCK, Server, client, done, stable};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

fn message(Done { code, out, err }: Done, url: &str) -> String {
    assert_eq!(out, "", "{err}");
    format!("[{code}] {}", stable(&err, &[(url, "SERVER")]))
}

#[test]
fn what_the_server_says_no_to() {
    let server = Server::start(&["--no-auth", STUCK, "--wait=1"]);
    let id = server.create();
    let mut text = String::new();
    for line in [
        "show no-such-release",
        "cancel no-such-release",
        "plan end no-such-release",
        "end ID",
        "policy ID --weight 20",
        "create cart-v3 --service cart --original v1 --grayscale v3",
        "create cart-v3 --service other --original v1 --grayscale v1",
    ] {
        let done = server.run(line.replace("ID", &id).split(' '));
        writeln!(text, "$ {line}\n{}", message(done, &server.url).replace(&id, "ID")).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn what_is_no_command_line_is_told_before_anybody_is_asked() {
    // Nobody listens there.
    let url = "http://127.0.0.1:1";
    let mut text = String::new();
    for line in [
        "show",
        "show a/b",
        "plan finish r1",
        "policy r1",
        "policy r1 --weight 101",
        "policy r1 --weight 20 --exclusive original",
        "policy r1 --exclusive both",
        "policy r1 --file no-such-file.json",
        "create X --service cart --original v1 --grayscale v2",
        "list --server 127.0.0.1:8080",
        "list --server http://127.0.0.1:1/?a=b",
        "list --token-file no-such-file",
        "list --mesh-id -",
    ] {
        let done = done(client(url).args(line.split(' ')));
        assert_eq!(done.code, 2, "{line}: {done:?}");
        writeln!(text, "$ {line}\n{}", message(done, url)).unwrap();
    }
    insta::assert_snapshot!(text);
}

/// One that nobody can read is not one that is not there. It is not repeated: most of it may be right.
#[test]
fn a_token_in_the_environment_that_is_no_text() {
    let url = "http://127.0.0.1:1";
    let done = done(client(url).arg("list").env("RELEASE_TOKEN", OsStr::from_bytes(b"s3cret\xff")));
    assert!(!done.err.contains("s3cret"), "{done:?}");
    insta::assert_snapshot!(message(done, url));
}

#[test]
fn a_server_that_is_not_there() {
    // Bound, so that no other test gets it, but nobody listens.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let mut text = String::new();
    for line in ["list", "end r1"] {
        text += &message(done(client(&url).args(line.split(' '))), &url);
    }
    insta::assert_snapshot!(text);
}

/// An answer of that status, such as `200 OK`, with a request id.
pub(crate) fn answer(status: &str, body: &str) -> String {
    let head = format!("HTTP/1.1 {status}\r\nx-request-id: 1\r\nconnection: close\r\n");
    format!("{head}content-length: {}\r\n\r\n{body}", body.len())
}

/// Answers each connection with the same text, once something was asked.
pub(crate) fn answering(answer: impl Into<String>) -> String {
    let answer = answer.into();
    answering_each(move |_| answer.clone())
}

/// Answers each connection with what the method calls for, once something was asked.
fn answering_each(answer: impl Fn(&str) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Ends with the process of the tests.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = [0; 4096];
            let read = stream.read(&mut asked).unwrap_or_default();
            let asked = String::from_utf8_lossy(&asked[..read]);
            let _ = stream.write_all(answer(asked.split(' ').next().unwrap_or_default()).as_bytes());
        }
    });
    url
}

#[test]
fn a_server_that_is_another_one() {
    let mut text = String::new();
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\ncut off",
        "220 mail.example.com ESMTP\r\n",
        "",
    ] {
        let url = answering(answer);
        text += &message(done(client(&url).arg("list")), &url);
        text += &message(done(client(&url).args(["cancel", "r1"])), &url);
        text += "\n";
    }
    insta::assert_snapshot!(text);
}

/// Whether it is done is one question, and what it looks like then another one.
#[test]
fn a_takeover_that_is_done_is_a_success_whatever_can_be_shown_of_it() {
    let mut text = String::new();
    for shown in [answer("200 OK", r#"{"another":"one"}"#), answer("200 OK", "hello"), String::new()] {
        let url = answering_each(move |method| if method == "DELETE" { answer("200 OK", "") } else { shown.clone() });
        for format in ["table", "json", "id"] {
            let Done { code, out, err } = done(client(&url).args(["end", "1", "-o", format]));
            assert_eq!(code, 0, "{format}: {err}");
            write!(text, "$ end 1 -o {format}\n{out}").unwrap();
            if !err.is_empty() {
                writeln!(text, "on standard error: {}", stable(&err, &[(&url, "SERVER")])).unwrap();
            }
        }
        text += "\n";
    }
    insta::assert_snapshot!(text);
}

/// The same request means something else for nodes than for releases.
#[test]
fn what_to_do_next_is_about_what_was_asked() {
    let mut text = String::new();
    for said in [answer("403 Forbidden", r#"{"errorCode":"ASM.1","errorMsg":"No."}"#), String::new()] {
        let url = answering(said);
        for line in ["list", "cancel 1", "policy 1 --weight 20", "reopen 1", "nodes list", "nodes forget envoy-1"] {
            let done = done(client(&url).args(line.split(' ')));
            writeln!(text, "$ {line}\n{}", message(done, &url)).unwrap();
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_server_that_is_silent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    insta::assert_snapshot!(message(done(client(&url).args(["list", "--timeout", "1"])), &url));
}

/// The client gives up before the server answers: it finds out that the decision is recorded.
#[test]
fn a_client_that_does_not_wait_for_the_end_knows_that_it_goes_on() {
    let server = Server::start(&["--no-auth", STUCK]);
    let id = server.create();
    let give_up_after = |seconds| server.run(["cancel", &id, "--timeout", seconds]);
    let mut done = give_up_after("1");
    // On a busy machine that may be too short to be told anything.
    if done.code == 6 {
        done = give_up_after("30");
    }
    assert_eq!(done.code, 5, "{done:?}");
    assert!(done.err.contains("the cancel is decided and goes on"), "{done:?}");
}

/// Ctrl-C ends the waiting, not the takeover, and says so.
#[test]
fn an_interrupt_tells_that_it_goes_on() {
    let server = Server::start(&["--no-auth", STUCK]);
    let id = server.create();
    let mut command = server.client();
    command.args(["cancel", &id]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    server.until(&id, |release| release["status"]["phase"] == "closing");
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("the cancel is decided and goes on"), "{said}");
}

/// The first one has the client ask what is known. Of a server that is silent, the second one does not wait for it.
#[test]
fn a_second_interrupt_ends_the_client() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut child = client(&url).args(["cancel", "1", "--timeout", "3600"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut silent = Vec::new();
    for method in ["DELETE", "GET"] {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; 10];
        stream.read_exact(&mut asked).unwrap();
        assert!(asked.starts_with(method.as_bytes()), "{asked:?}");
        // Kept: a connection that is closed would be an answer.
        silent.push(stream);
        interrupt(&child);
    }
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_mins(1) {
        thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("interrupted: the server may go on with the cancel"), "{said}");
}

fn interrupt(child: &Child) {
    let sent = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap();
    assert!(sent.success());
}
