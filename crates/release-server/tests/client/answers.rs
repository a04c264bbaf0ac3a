//! What scripts read.

use crate::exit_codes::{answer, answering};
use crate::programs::{Server, client, done};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::Stdio;

fn running(server: &Server) -> String {
    let id = server.create();
    server.until(&id, |release| release["status"]["phase"] == "running");
    id
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn json_is_the_document_of_the_server() {
    let server = Server::start(&["--no-auth"]);
    let id = running(&server);
    let shown = json(&server.run(["show", &id, "--output", "json"]).ok());
    assert_eq!(shown["metadata"]["uid"], *id);
    let listed = json(&server.run(["list", "-o", "json"]).ok());
    assert_eq!(listed["kind"], "ReleaseList");
    assert_eq!(listed["items"][0]["metadata"], shown["metadata"]);
    assert_eq!(json(&server.run(["plan", "cancel", &id, "-o", "json"]).ok())["steps"].as_array().unwrap().len(), 4);
    let closed = json(&server.run(["cancel", &id, "-o", "json"]).ok());
    assert_eq!(closed["status"]["result"], "Released canceled");
    assert_eq!(json(&server.run(["list", "-o", "json", "--unclosed"]).ok())["items"], json!([]));
}

/// It takes no more of a document than it prints.
#[test]
fn what_a_script_asks_for_does_not_depend_on_the_rest_of_a_document() {
    const DOCUMENT: &str = r#"{"metadata":{"uid":"1"},"status":{"phase":"new to this client"}}"#;
    let url = answering(answer("200 OK", DOCUMENT));
    assert_eq!(json(&done(client(&url).args(["show", "1", "-o", "json"])).ok()), json(DOCUMENT));
    assert_eq!(done(client(&url).args(["show", "1", "-o", "id"])).ok(), "1\n");
    assert_eq!(done(client(&url).args(["show", "1"])).code, 1);
}

#[test]
fn ids_can_be_handed_to_the_next_command() {
    let server = Server::start(&["--no-auth"]);
    let id = running(&server);
    assert_eq!(server.run(["list", "--output", "id"]).ok(), format!("{id}\n"));
    assert_eq!(server.run(["list", "--output", "id", "--namespace", "other"]).ok(), "");
    assert_eq!(server.run(["cancel", &id, "--output", "id"]).ok(), format!("{id}\n"));
    assert_eq!(server.run(["list", "--output", "id", "--unclosed"]).ok(), "");
}

#[test]
fn a_release_is_known_by_its_name_too() {
    let server = Server::start(&["--no-auth"]);
    let create = |name: &str, service: &str| {
        let create = format!("create {name} --service {service} --original v1 --grayscale v2 --output id");
        server.run(create.split(' ')).ok().trim().to_owned()
    };
    let shown = |name: &str| server.run(["show", name, "--output", "id"]);
    let first = create("cart-v2", "cart");
    assert_eq!(shown("cart-v2").ok().trim(), first);
    assert_eq!(server.run(["cancel", "cart-v2", "--output", "id"]).ok().trim(), first);
    // The unclosed one goes first, and the newest of those that are closed.
    let second = create("cart-v2", "cart");
    assert_eq!(shown("cart-v2").ok().trim(), second);
    let third = create("cart-v2", "basket");
    let both = shown("cart-v2");
    assert_eq!(both.code, 2, "{both:?}");
    assert!(both.err.contains(&second) && both.err.contains(&third), "{both:?}");
    server.run(["cancel", &second]).ok();
    assert_eq!(server.run(["cancel", "cart-v2", "--output", "id"]).ok().trim(), third);
    assert_eq!(shown("cart-v2").ok().trim(), third);
    assert_eq!(server.run(["cancel", "cart-v2", "--output", "id"]).ok().trim(), third);
    assert_eq!(server.run(["end", "cart-v2"]).code, 4);
    assert_eq!(server.run(["cancel", "cart-v3"]).code, 4);
    assert_eq!(server.run(["show", "cart-v2", "--namespace", "elsewhere"]).code, 4);
}

#[test]
fn a_policy_is_a_share_or_a_version_or_a_document() {
    let server = Server::start(&["--no-auth"]);
    let id = running(&server);
    let wanted = |done: crate::programs::Done| json(&done.ok())["status"]["wanted"]["policy"].clone();
    let policy = |more: [&str; 2]| wanted(server.run(["policy", &id, "-o", "json"].into_iter().chain(more)));
    assert_eq!(policy(["--weight", "20"]), json!({ "weighted": { "grayscale": 20 } }));
    assert_eq!(policy(["--exclusive", "grayscale"]), json!({ "exclusive": "grayscale" }));
    let rules = json!({ "content": [[{ "browser": "chrome" }]] });
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "{rules}").unwrap();
    assert_eq!(policy(["--file", file.path().to_str().unwrap()]), rules);

    let mut child = server.client();
    let mut child = child.args(["policy", &id, "--file", "-", "-o", "json"]);
    child = child.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    child.stdin.take().unwrap().write_all(br#"{"weighted":{"grayscale":7}}"#).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        json(&String::from_utf8(output.stdout).unwrap())["status"]["wanted"]["policy"]["weighted"]["grayscale"],
        7
    );
}

#[test]
fn a_token_comes_from_a_file_or_from_the_environment() {
    let mut tokens = tempfile::NamedTempFile::new().unwrap();
    writeln!(tokens, "a-token-of-mesh-1 mesh-1").unwrap();
    let server = Server::start(&["--token-file", tokens.path().to_str().unwrap()]);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "a-token-of-mesh-1").unwrap();
    let path = file.path().to_str().unwrap();
    assert_eq!(server.run(["list"]).code, 7);
    assert_eq!(server.run(["list", "--token-file", path]).code, 0);
    assert_eq!(server.run(["list", "--token-file", path, "--mesh-id", "mesh-2"]).code, 7);
    assert_eq!(done(server.client().arg("list").env("RELEASE_TOKEN", "a-token-of-mesh-1")).code, 0);
    let wrong = done(server.client().arg("list").env("RELEASE_TOKEN", "another-secret-token"));
    assert_eq!(wrong.code, 7);
    assert!(!wrong.err.contains("another-secret"), "{wrong:?}");
}

/// `head` ends before it has read all.
#[test]
fn whoever_reads_a_part_only_is_no_error() {
    let server = Server::start(&["--no-auth"]);
    let mut child = server.client().args(["completions", "bash"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

/// What the operator of Envoys sees; the server's own tests show that it says so.
#[test]
fn nodes_are_shown_with_what_they_keep_a_takeover_from() {
    const NODES: &str = concat!(
        r#"{"kind":"NodeList","items":["#,
        r#"{"id":"envoy-1","connected":true,"since":null,"routes":["mesh-1"],"refusal":null},"#,
        r#"{"id":"envoy-2","connected":true,"since":"2026-11-25T03:00:00Z","routes":["mesh-1"],"refusal":null},"#,
        r#"{"id":"envoy-3","connected":false,"since":"2026-11-25T03:00:00Z","routes":["mesh-1","mesh-2"],"refusal":null},"#,
        r#"{"id":"envoy-4","connected":true,"since":null,"routes":["mesh-1"],"refusal":"no such cluster"}]}"#,
    );
    let url = answering(answer("200 OK", NODES));
    insta::assert_snapshot!(done(client(&url).args(["nodes", "list"])).ok());
    assert_eq!(json(&done(client(&url).args(["nodes", "list", "-o", "json"])).ok()), json(NODES));
    assert_eq!(done(client(&url).args(["nodes", "list", "-o", "id"])).ok(), "envoy-1\nenvoy-2\nenvoy-3\nenvoy-4\n");
    let forgotten = done(client(&url).args(["nodes", "forget", "a node/1"])).ok();
    assert_eq!(forgotten, "Forgotten: no takeover waits for a node/1 any longer\n");
}
