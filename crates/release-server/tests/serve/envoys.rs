//! The mesh of Envoys behind the real binary, with nodes that speak xDS and have no traffic. `release-xds` has the tests with
//! real Envoys.

use crate::client::{Client, LIMIT, Release};
use crate::process::{Process, limit_files, serve};
use http::Method;
use release_xds::service::Kind;
use release_xds::testkit::SimulatedNode;
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use tempfile::TempDir;
use tokio::net::TcpListener;

const OPERATOR: &str = "token-of-the-operator-1f3d";
const PIPELINE: &str = "token-of-the-pipeline-9b2c";

/// For takeovers that can't be done while they are waited for.
const WAIT: &str = "--wait=2";

/// What outlives the server.
pub(crate) struct Surroundings {
    directory: TempDir,
    _workloads: Vec<TcpListener>,
}

impl Surroundings {
    /// Three versions of a service that accept connections.
    pub(crate) async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let mut text =
            "[[service]]\nmesh = \"mesh-1\"\nnamespace = \"shop\"\nname = \"cart\"\ndomains = [\"cart.shop\"]\n\
             serves = \"v1\"\nmax-stream-seconds = 1\n"
                .to_owned();
        let mut workloads = Vec::new();
        for version in ["v1", "v2", "v3"] {
            let workload = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = workload.local_addr().unwrap();
            text.extend(["versions.", version, " = [\"", &address.to_string(), "\"]\n"]);
            workloads.push(workload);
        }
        fs::write(directory.path().join("services.toml"), text).unwrap();
        fs::write(directory.path().join("tokens"), format!("{OPERATOR} *\n{PIPELINE} mesh-1\n")).unwrap();
        Self { directory, _workloads: workloads }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A server, where its nodes connect to, and an operator.
    pub(crate) fn serve(&self, wait: &str) -> (Process, SocketAddr, Client) {
        let mut command = serve(["--listen=127.0.0.1:0", "--mesh=envoy", "--xds-listen=127.0.0.1:0", "--min-nodes=2"]);
        command.args([wait, "--shutdown-time=60"]).arg("--data").arg(self.path().join("data"));
        command.arg("--services").arg(self.path().join("services.toml"));
        command.arg("--token-file").arg(self.path().join("tokens"));
        let process = Process::start(command);
        let xds = process.address("xds on http://");
        let operator = process.client.clone().with("x-auth-token", OPERATOR);
        (process, xds, operator)
    }
}

/// One that has its routes: from then on it is waited for.
pub(crate) async fn node(xds: SocketAddr, id: &str) -> SimulatedNode {
    let node = SimulatedNode::connect(xds, id, "mesh-1").await.unwrap();
    assert!(node.has(Kind::Route).await);
    node
}

async fn nodes(client: &Client) -> Vec<Value> {
    let answer = client.get("/nodes").await.ok();
    assert_eq!(answer.headers["cache-control"], "no-store");
    let list = answer.json();
    assert_eq!(list["kind"], "NodeList");
    list["items"].as_array().unwrap().clone()
}

async fn forget(client: &Client, node: &str) -> (u16, Value) {
    let answer = client.send(client.request(Method::DELETE, &format!("/nodes/{node}"), "")).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    (answer.status, serde_json::from_str::<Value>(&answer.text).unwrap_or_default()["errorMsg"].take())
}

/// Waits until a node is seen to be connected, or not.
async fn until_connected(client: &Client, node: &str, connected: bool) {
    let seen = async {
        while !nodes(client).await.iter().any(|seen| seen["id"] == node && seen["connected"] == connected) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, seen).await.unwrap();
}

pub(crate) async fn until_running(release: &Release) {
    release.until(|status| status["phase"] == "running" && status["confirmed"] == status["wanted"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_needs_every_node_that_is_not_forgotten_also_after_a_restart() {
    let surroundings = Surroundings::new().await;
    let (process, xds, operator) = surroundings.serve(WAIT);
    let (first, second) = (node(xds, "envoy-1").await, node(xds, "envoy-2").await);
    let release = operator.create("cart").await;
    until_running(&release).await;
    release.put("policy", r#"{"weighted":{"grayscale":20}}"#).await.ok();
    until_running(&release).await;
    release.delete("end").await;
    let closed = release.until_closed("end").await;
    assert_eq!(closed["proof"]["confirmedBy"], json!(["envoy-1", "envoy-2"]), "{closed}");

    // One of them is cut off: the next takeover waits for it.
    let release = operator.create_from("cart", "v2", "v3").await;
    until_running(&release).await;
    release.put("policy", r#"{"weighted":{"grayscale":20}}"#).await.ok();
    until_running(&release).await;
    drop(second);
    until_connected(&operator, "envoy-2", false).await;
    release.delete_in_vain("cancel").await;
    assert_eq!(forget(&operator, "envoy-1").await.0, 400, "it is connected");
    let metrics = operator.get("/metrics").await.ok().text;
    for line in [
        r#"release_nodes{state="connected"} 1"#,
        r#"release_nodes{state="silent"} 0"#,
        r#"release_nodes{state="cut_off"} 1"#,
        "release_requests_cut_off_total 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }

    // It is still waited for by the next process.
    process.signal("TERM");
    let (status, log) = process.ended();
    assert!(status.success() && !log.contains("not everything ended in time"), "{log}");
    drop(first);
    let (_process, xds, operator) = surroundings.serve(WAIT);
    let release = release.at(&operator);
    let _nodes = [node(xds, "envoy-1").await, node(xds, "envoy-3").await];
    until_connected(&operator, "envoy-1", true).await;
    until_connected(&operator, "envoy-3", true).await;
    until_connected(&operator, "envoy-2", false).await;
    release.until(|status| status["failure"]["reason"].as_str().is_some_and(|why| why.contains("envoy-2"))).await;
    let answer = release.delete("cancel").await;
    assert!(answer.text.contains("envoy-2"), "the node that is waited for is named: {answer:?}");
    assert_eq!(forget(&operator, "envoy-2").await.0, 200);
    assert_eq!(forget(&operator, "envoy-2").await.0, 404);
    let closed = release.until_closed("cancel").await;
    assert_eq!(closed["proof"]["confirmedBy"], json!(["envoy-1", "envoy-3"]), "{closed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_operators_see_nodes() {
    let surroundings = Surroundings::new().await;
    let (process, _, operator) = surroundings.serve(WAIT);
    assert_eq!(nodes(&operator).await, Vec::<Value>::new());
    let nobody = process.client.clone();
    let pipeline = nobody.clone().with("x-auth-token", PIPELINE);
    let unknown = nobody.get("/nodes").await;
    assert_eq!((unknown.status, unknown.headers["www-authenticate"].to_str().unwrap()), (401, "X-Auth-Token"));
    assert_eq!(pipeline.get("/nodes").await.status, 403);
    assert_eq!(forget(&nobody, "envoy-1").await.0, 401);
    assert_eq!(forget(&pipeline, "envoy-1").await.0, 403);
    assert_eq!(
        forget(&operator, "a%20b").await,
        (404, "Resource not found. No node of that name is known: list them with GET /nodes.".into())
    );
    assert_eq!(forget(&operator, "%ff").await.0, 400);
    for (method, path, allow) in [(Method::POST, "/nodes", "GET"), (Method::GET, "/nodes/a", "DELETE")] {
        let refused = operator.send(operator.request(method, path, "")).await;
        assert_eq!((refused.status, refused.headers["allow"].to_str().unwrap()), (405, allow));
    }
    assert_eq!(operator.send(operator.request(Method::DELETE, "/nodes/a", "{}")).await.status, 400);
    assert_eq!(operator.get("/nodesque").await.status, 404);
    assert_eq!(Process::in_memory(&[]).client.get("/nodes").await.status, 404, "a simulated mesh has none");
}

/// What an operator types.
#[tokio::test(flavor = "multi_thread")]
async fn operators_list_and_forget_nodes_on_the_command_line() {
    let surroundings = Surroundings::new().await;
    let (process, xds, operator) = surroundings.serve(WAIT);
    let url = format!("http://{}", process.client.address);
    let run = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_release-server"));
        command.env_clear().env("RELEASE_SERVER", &url).env("RELEASE_TOKEN", OPERATOR).args(words);
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    };
    assert_eq!(run(&["nodes", "list"]), (0, "No Envoy has connected yet: nothing can be confirmed.\n".into()));
    let strange = "sidecar~10.0.0.1~a/b";
    let connected = node(xds, strange).await;
    until_connected(&operator, strange, true).await;
    let (code, text) = run(&["nodes", "list"]);
    assert!(code == 0 && text.contains(strange) && text.contains("mesh-1"), "{text}");
    assert_eq!(run(&["nodes", "list", "--output=id"]), (0, format!("{strange}\n")));
    let (code, text) = run(&["nodes", "forget", strange]);
    assert!(code != 0 && text.contains("The node is connected"), "{text}");
    drop(connected);
    until_connected(&operator, strange, false).await;
    assert!(run(&["nodes", "list"]).1.contains("cut off since "));
    assert_eq!(
        run(&["nodes", "forget", strange]),
        (0, format!("Forgotten: no takeover waits for {strange} any longer\n"))
    );
    let (code, text) = run(&["nodes", "forget", strange]);
    assert!(code != 0 && text.contains("`release-server nodes list` shows"), "{text}");
}

/// The state file can't be written any more, as on a full disk.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_not_ready_while_its_control_plane_can_save_nothing() {
    let surroundings = Surroundings::new().await;
    let (process, xds, operator) = surroundings.serve(WAIT);
    assert_eq!(operator.get("/readyz").await.ok().text, "ready\n");
    limit_files(&process, "1");
    // That it is there must be remembered before it is sent routes.
    let _node = SimulatedNode::connect(xds, "envoy-1", "mesh-1").await.unwrap();
    let why = "not ready: what the control plane of the Envoys must remember can't be saved\n";
    until_readiness(&operator, 503, why).await;
    limit_files(&process, "unlimited");
    until_readiness(&operator, 200, "ready\n").await;
}

/// Waits until the probe says this.
pub(crate) async fn until_readiness(client: &Client, status: u16, text: &str) {
    let seen = async {
        loop {
            let answer = client.get("/readyz").await;
            if (answer.status, answer.text.as_str()) == (status, text) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, seen).await.unwrap();
}
