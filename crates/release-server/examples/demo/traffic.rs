//! The users: a steady stream of requests, sent whether or not the ones before were answered.

use crate::record::Recorder;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Requests per second.
pub(crate) const RATE: u64 = 400;

/// How long a user waits.
const PATIENCE: Duration = Duration::from_secs(30);

type Users = Client<HttpConnector, Empty<Bytes>>;

/// Requests that go on until they are stopped.
pub(crate) struct Traffic {
    stop: CancellationToken,
    running: AbortOnDropHandle<()>,
}

impl Traffic {
    /// Starts to send requests for the service of that host name to those addresses in turn.
    pub(crate) fn start(urls: Vec<String>, host: &'static str, recorder: Arc<Recorder>) -> Self {
        let stop = CancellationToken::new();
        let running = AbortOnDropHandle::new(tokio::spawn(send(urls, host, recorder, stop.clone())));
        Self { stop, running }
    }

    /// Stops, and waits for the last answers.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        let _ = self.running.await;
    }
}

async fn send(urls: Vec<String>, host: &'static str, recorder: Arc<Recorder>, stop: CancellationToken) {
    let users: Users = Client::builder(TokioExecutor::new()).build_http();
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(RATE).unwrap_or(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut requests = JoinSet::new();
    let mut urls = urls.into_iter().cycle();
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let Some(url) = urls.next() else { return };
        let (users, recorder) = (users.clone(), Arc::clone(&recorder));
        requests.spawn(async move {
            let sent = recorder.now();
            let by = timeout(PATIENCE, one(&users, &url, host)).await.unwrap_or_else(|_| Err("no answer".into()));
            recorder.served(sent, by);
        });
        while requests.try_join_next().is_some() {}
    }
    while requests.join_next().await.is_some() {}
}

/// The version that answers a request.
async fn one(users: &Users, url: &str, host: &str) -> Result<String, String> {
    let request = Request::get(url).header("host", host).body(Empty::new()).map_err(|error| error.to_string())?;
    let response = users.request(request).await.map_err(|error| error.to_string())?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    match head.headers.get("x-version").and_then(|version| version.to_str().ok()) {
        Some(version) if head.status.is_success() => Ok(version.to_owned()),
        _ => Err(format!("{} {}", head.status, String::from_utf8_lossy(&body).trim())),
    }
}
