//! What those who run the server see of it: probes, metrics, the log, flags and variables.

use crate::client::Client;
use crate::process::{OPEN, Process, serve};
use http::Method;
use release_http::{Codes, OPENAPI};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn probes_and_metrics_are_there_to_read() {
    let process = Process::in_memory(&[]);
    let client = &process.client;
    assert_eq!(client.get("/healthz").await.ok().text, "ok\n");
    assert_eq!(client.get("/readyz").await.ok().text, "ready\n");
    assert_eq!(client.get("/openapi.json").await.ok().text, OPENAPI);
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        let refused = client.send(client.request(Method::POST, path, "")).await;
        assert_eq!((refused.status, refused.headers["allow"].to_str().unwrap()), (405, "GET, HEAD"), "{path}");
        assert!(refused.headers.contains_key("x-request-id"));
        assert_eq!(client.send(client.request(Method::HEAD, path, "")).await.ok().text, "");
    }
    assert_eq!(client.get("/nothing").await.status, 404);

    let release = client.at_a_fifth("cart").await;
    assert_eq!(client.metric(r#"release_unclosed{stage="running"}"#).await, Some(1.0));
    release.delete("end").await.ok();
    for (name, number) in [
        (r#"release_takeovers_total{action="end",result="closed"}"#, 1.0),
        (r#"release_stage_seconds_count{action="end",stage="preparing"}"#, 1.0),
        (r#"release_stage_seconds_count{action="end",stage="routing"}"#, 1.0),
        (r#"release_stage_seconds_count{action="end",stage="draining"}"#, 1.0),
        (r#"release_stage_seconds_count{action="end",stage="retiring"}"#, 1.0),
        (r#"release_unclosed{stage="running"}"#, 0.0),
        (r#"release_http_requests_total{method="DELETE",status="200"}"#, 1.0),
    ] {
        assert_eq!(client.metric(name).await, Some(number), "{name}");
    }
    let metrics = client.get("/metrics").await.ok();
    assert_eq!(client.get("/healthz").await.headers["content-type"], "text/plain; charset=utf-8");
    assert!(metrics.headers["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    assert!(metrics.text.ends_with("# EOF\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_a_request_or_a_takeover_names_it() {
    let process = Process::in_memory(&["--log-format=json", "--shutdown-time=60"]);
    let client = process.client.clone().with("x-request-id", "from-the-caller");
    let release = client.at_a_fifth("cart").await;
    release.delete("end").await.ok();
    assert_eq!(release.delete("stop").await.status, 400);
    process.signal("TERM");
    let (_, log) = process.ended();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let id = release.path.rsplit('/').next().unwrap();
    let key = format!("mesh-1/shop/{id}");
    let mut seen = [0, 0];
    for line in &lines {
        match line["message"].as_str().unwrap() {
            "answered" => {
                assert_eq!(line["span"]["id"], "from-the-caller", "{line}");
                assert_eq!(line["span"]["release"], key.as_str(), "{line}");
                seen[0] += 1;
            }
            "a release moved" => {
                assert_eq!(line["release"], key.as_str(), "{line}");
                // What follows from a request belongs to it.
                assert_eq!(line["span"]["id"], "from-the-caller", "{line}");
                seen[1] += 1;
            }
            other => {
                // What is about no release; all the rest names it.
                let about_none = ["the mesh is simulated", "tasks are kept", "listening", "the engine ", "the server "];
                assert!(about_none.iter().any(|start| other.starts_with(start)), "{line}");
            }
        }
    }
    // Created, policy set, ended; what was only read, or refused, is not logged. Running, four stages, closed.
    assert_eq!(seen, [3, 6], "{log}");
    assert!(log.contains("the mesh is simulated"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flag_is_a_variable_and_the_flag_goes_first() {
    let mut command = serve(["--error-codes=2026"]);
    for (name, value) in [
        ("RELEASE_LISTEN", "127.0.0.1:0"),
        ("RELEASE_STORE", "memory"),
        ("RELEASE_MESH", "simulated"),
        ("RELEASE_NO_AUTH", "true"),
        ("RELEASE_SIMULATED_LAG", "3600000"),
        ("RELEASE_WAIT", "1"),
        ("RELEASE_TAKEOVER", "require"),
        ("RELEASE_ERROR_CODES", "2025"),
        ("RELEASE_LOG", "warn"),
        ("RELEASE_LOG_FORMAT", "json"),
    ] {
        command.env(name, value);
    }
    let process = Process::start(command);
    let release = process.client.create("cart").await;
    // Nothing was given to the grayscale version yet, so even `require` lets a cancel begin; it hangs, and is answered.
    assert_eq!(release.delete("cancel").await.status, 500);
    // A store that took too long, on a busy machine, would be an error.
    let loud = |line: &str| [r#""level":"WARN""#, r#""level":"ERROR""#].iter().any(|level| line.contains(level));
    assert!(process.log().lines().all(loud), "{}", process.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_codes_and_a_required_takeover_can_be_asked_for() {
    let process = Process::in_memory(&["--error-codes=2025", "--takeover=require"]);
    let mut client = process.client.clone();
    client.codes = Codes::Older;
    let release = client.at_a_fifth("cart").await;
    let answer = release.delete("end").await;
    assert_eq!((answer.status, answer.json()["errorCode"].as_str()), (400, Some("ASM.01400001")));
    assert!(answer.text.contains("let it take over first"), "{answer:?}");
    release.put("policy", r#"{"exclusive":"grayscale"}"#).await.ok();
    release.until(|status| status["confirmed"] == status["wanted"]).await;
    release.delete("end").await.ok();
    assert_eq!(release.delete("end").await.json()["errorCode"], "ASM.01404001");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_mesh_routes_as_it_is_told() {
    let process = Process::start(serve(OPEN.iter().chain(&["--store=memory", "--simulated-listen=127.0.0.1:0"])));
    let traffic = Client::new(process.address("simulated traffic on http://"));
    assert_eq!(traffic.get("/").await.status, 404);
    let release = process.client.create("cart").await;
    release.until(|status| status["phase"] == "running").await;
    release.put("policy", r#"{"content":[[{"header":{"name":"x-group","value":{"exact":"beta"}}}]]}"#).await.ok();
    release.until(|status| status["confirmed"] == status["wanted"]).await;
    let version = |traffic: Client| async move {
        traffic.get("/anything").await.ok().headers["x-version"].to_str().unwrap().to_owned()
    };
    let beta = traffic.clone().with("x-group", "beta");
    assert_eq!((version(traffic.clone()).await.as_str(), version(beta.clone()).await.as_str()), ("v1", "v2"));
    release.delete("end").await.ok();
    assert_eq!((version(traffic).await.as_str(), version(beta).await.as_str()), ("v2", "v2"));
}
