//! Many clients at once.

use crate::client::Client;
use crate::in_process::{InProcess, directory, hang_in};
use crate::process::{OPEN, Process, serve};
use release_core::Stage;
use release_testkit::Behaviour;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// More than enough for each of two to win five times, whoever has won more often being later by a millisecond for each.
const ROUNDS: u64 = 400;

const WAIT: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn of_a_cancel_and_an_end_that_race_exactly_one_is_done() {
    let directory = directory();
    let mut command = serve(OPEN);
    command.arg("--data").arg(directory.path());
    let process = Process::start(command);
    let mut won = (0, 0);
    for round in 0..ROUNDS {
        let release = process.client.at_a_fifth(&format!("cart-{round}")).await;
        let later = async |action: &str, by: u64| {
            tokio::time::sleep(Duration::from_millis(by)).await;
            release.delete(action).await
        };
        let (cancels, ends): (u64, u64) = won;
        let cancel = later("cancel", cancels.saturating_sub(ends));
        let (cancel, end) = tokio::join!(cancel, later("end", ends.saturating_sub(cancels)));
        let winner = match (cancel.status, end.status) {
            (200, 400 | 404) => {
                won.0 += 1;
                "cancel"
            }
            (400 | 404, 200) => {
                won.1 += 1;
                "end"
            }
            _ => panic!("{cancel:?} {end:?}"),
        };
        release.until_closed(winner).await;
        for action in ["cancel", "end"] {
            assert_eq!(release.delete(action).await.status, 404, "what is closed is not there for a delete");
        }
        if won.0 >= 5 && won.1 >= 5 {
            return;
        }
    }
    panic!("the cancel and the end won {won:?} of {ROUNDS} rounds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_clients_wait_for_one_takeover() {
    let directory = directory();
    let InProcess { server, client, mesh, store: _store } = InProcess::start(directory.path(), WAIT).await;
    let release = client.at_a_fifth("cart").await;
    hang_in(&mesh, Stage::Draining);
    let mut waiting = JoinSet::new();
    for _ in 0..100 {
        let release = release.clone();
        waiting.spawn(async move { release.delete("end").await });
    }
    // All of them, and the one that asks.
    client.until_metric("release_http_requests_in_progress", |begun| begun >= 101.0).await;
    release.until(|status| status["stage"] == "draining").await;
    assert!(waiting.try_join_next().is_none(), "nobody is answered before the end");
    mesh.behave(|_, _| Behaviour::Works);
    let answers = waiting.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(client.metric(r#"release_takeovers_total{action="end",result="closed"}"#).await, Some(1.0));
    mesh.check().unwrap();
    assert!(server.shutdown().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_goes_on_when_the_client_hangs_up() {
    let directory = directory();
    let InProcess { server: _server, client, mesh, store: _store } = InProcess::start(directory.path(), WAIT).await;
    let release = client.at_a_fifth("cart").await;
    hang_in(&mesh, Stage::Routing);
    let waiting = release.begin("end", "routing").await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    // Only the one that asks is left.
    client.until_metric("release_http_connections", |open| open <= 1.0).await;
    mesh.behave(|_, _| Behaviour::Works);
    release.until_closed("end").await;
    mesh.check().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_breaks_off_changes_nothing() {
    let directory = directory();
    let InProcess { server: _server, client, .. } = InProcess::start(directory.path(), WAIT).await;
    let release = client.at_a_fifth("cart").await;
    let before = release.get().await.text;
    let head = format!("PUT {}/policy HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n", release.path);
    let body = r#"{"weighted":{"grayscale":90}}"#;
    let length = format!("content-length: {}\r\n\r\n", body.len());
    let whole = format!("{head}{length}{body}");
    for sent in [10, head.len(), head.len() + length.len(), whole.len() - 1] {
        break_off(&client, &whole[..sent]).await;
    }
    client.until_metric("release_http_connections", |open| open <= 1.0).await;
    assert_eq!(release.get().await.text, before);
}

async fn break_off(client: &Client, text: &str) {
    let mut stream = TcpStream::connect(client.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
}
