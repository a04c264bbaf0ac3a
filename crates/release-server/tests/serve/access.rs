//! Who gets in, and that the log does not help others to.

use crate::client::Client;
use crate::process::{Process, serve};
use http::Method;
use release_http::testkit::Signer;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;

const EVERYWHERE: &str = "token-for-every-mesh-58c1";
const ONE_MESH: &str = "token-for-mesh-2-0d9a44e7";
const SECRET: &str = "secret-key-of-access-1-77ab";
const WRONG: &str = "a-wrong-token-but-a-secret";

fn start(directory: &TempDir, format: &str) -> Process {
    let [tokens, keys] = ["tokens", "keys"].map(|name| directory.path().join(name));
    fs::write(&tokens, format!("{EVERYWHERE} * name=console\n{ONE_MESH} mesh-2,mesh-3\n")).unwrap();
    fs::write(&keys, format!("access-1 {SECRET} mesh-1\n")).unwrap();
    let mut command = serve(["--listen=127.0.0.1:0", "--mesh=simulated", "--store=memory", "--simulated-lag=0"]);
    command.args(["--log=trace", "--log-format", format]).arg("--token-file").arg(tokens).arg("--aksk-file").arg(keys);
    Process::start(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_get_in_with_what_they_have_and_no_secret_is_logged() {
    for format in ["text", "json"] {
        let directory = TempDir::new().unwrap();
        let process = start(&directory, format);
        let list = |mesh: &str| format!("/v2/meshes/{mesh}/releases");
        let client = process.client.clone();
        assert_eq!(client.get(&list("mesh-1")).await.status, 401);
        assert_eq!(client.clone().with("x-auth-token", WRONG).get(&list("mesh-1")).await.status, 401);
        for (token, mesh, status) in [
            (EVERYWHERE, "mesh-1", 200),
            (EVERYWHERE, "any", 200),
            (ONE_MESH, "mesh-3", 200),
            (ONE_MESH, "mesh-1", 403),
        ] {
            let answer = client.clone().with("x-auth-token", token).get(&list(mesh)).await;
            assert_eq!(answer.status, status, "{answer:?}");
        }
        // A token in the wrong place.
        let misplaced = format!("{}?token={WRONG}", list("mesh-1"));
        assert_eq!(client.clone().with("x-auth-token", EVERYWHERE).get(&misplaced).await.status, 400);

        assert_eq!(signed(&client, SECRET, &list("mesh-1")).await, 200);
        assert_eq!(signed(&client, SECRET, &list("mesh-2")).await, 403);
        assert_eq!(signed(&client, WRONG, &list("mesh-1")).await, 401);

        // What operators ask needs no credentials, and a refused delete changes nothing.
        for path in ["/healthz", "/readyz", "/metrics"] {
            client.get(path).await.ok();
        }
        let release = client.clone().with("x-auth-token", EVERYWHERE).at_a_fifth("cart").await;
        assert_eq!(release.at(&client).delete("end").await.status, 401);
        assert_eq!(release.at(&client.clone().with("x-auth-token", ONE_MESH)).delete("end").await.status, 403);
        assert_eq!(release.delete("stop").await.status, 400);
        assert_eq!(release.get().await.json()["status"]["phase"], "running");

        process.signal("TERM");
        let (status, log) = process.ended();
        assert!(status.success());
        for secret in [EVERYWHERE, ONE_MESH, SECRET, WRONG, "Signature"] {
            assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
        }
        assert!(log.contains("answered"), "{log}");
        if format == "json" {
            its_callers_are_named(&log);
        }
    }
}

/// Who did this, and who was kept out?
fn its_callers_are_named(log: &str) {
    let mut seen = BTreeSet::new();
    for line in log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let span = &line["span"];
        if line["message"] == "answered" {
            assert!(span["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{line}");
            let path: Vec<_> = line["path"].as_str().unwrap().split('/').collect();
            if let ["", "v2", "meshes", mesh, "namespaces", namespace, "releases", id, ..] = path[..] {
                assert_eq!(span["release"], format!("{mesh}/{namespace}/{id}"), "{line}");
            }
            seen.insert((line["status"].as_u64().unwrap(), span["caller"].as_str().map(str::to_owned)));
        }
        if line["message"] == "a release moved" && line["from"] == "deploying" {
            assert_eq!(span["caller"], "console", "it follows from the request that created it: {line}");
        }
    }
    let expected = [
        (200, Some("access-1")),
        (200, Some("console")),
        (200, Some("token of line 2")),
        (201, Some("console")),
        (400, Some("console")),
        (401, None),
        (403, Some("access-1")),
        (403, Some("token of line 2")),
    ];
    for (status, caller) in expected {
        assert!(seen.contains(&(status, caller.map(str::to_owned))), "{status} {caller:?} is not in {seen:?}");
    }
    assert!(seen.iter().all(|(status, caller)| *status != 401 || caller.is_none()), "{seen:?}");
}

async fn signed(client: &Client, secret: &str, path: &str) -> u16 {
    let mut request = client.request(Method::GET, path, "");
    Signer { access: "access-1", secret }.sign(&mut request, &now(), &["content-type"]);
    client.send(request).await.status
}

/// `YYYYMMDDTHHMMSSZ`, as the contract wants it.
fn now() -> String {
    release_engine::Timestamp::now()
        .to_string()
        .chars()
        .filter(|char| !['-', ':'].contains(char))
        .take(15)
        .collect::<String>()
        + "Z"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_secrets_that_everybody_can_read_is_warned_about() {
    for (mode, warned) in [(0o600, false), (0o640, false), (0o644, true)] {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("tokens");
        fs::write(&path, format!("{EVERYWHERE} *\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let mut command = serve(["--listen=127.0.0.1:0", "--mesh=simulated", "--store=memory"]);
        command.arg("--token-file").arg(&path);
        let process = Process::start(command);
        process.signal("TERM");
        let (_, log) = process.ended();
        assert_eq!(log.contains("every user of this machine can read"), warned, "{mode:o}: {log}");
    }
}
