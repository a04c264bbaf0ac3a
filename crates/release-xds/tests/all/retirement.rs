//! What stops the workloads of versions that were retired: the webhook of a site.

use release_testkit::envoy::{Upstream, Webhook};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// Retires the servers that it is called for.
pub(crate) struct Retirement {
    webhook: Webhook,
    state: watch::Sender<State>,
}

#[derive(Default)]
struct State {
    /// How often it was called.
    calls: usize,
    /// Calls wait.
    held: bool,
    /// Which release had which version retired, a line for each call that has succeeded.
    retired: Vec<String>,
}

impl Retirement {
    /// Of the servers for service `s0`, `s1` and so on, each with the versions v1 and v2.
    pub(crate) async fn start(upstreams: Arc<Vec<[Upstream; 2]>>) -> Self {
        let state = watch::Sender::<State>::default();
        let handle = {
            let state = state.clone();
            move |body: Vec<u8>| retire(body, Arc::clone(&upstreams), state.clone())
        };
        Self { webhook: Webhook::start(handle).await.unwrap(), state }
    }

    pub(crate) fn url(&self) -> String {
        self.webhook.url()
    }

    /// Has calls wait, or go on.
    pub(crate) fn hold(&self, held: bool) {
        self.state.send_modify(|state| state.held = held);
    }

    /// How often it was called so far.
    pub(crate) fn calls(&self) -> usize {
        self.state.borrow().calls
    }

    /// Waits until it was called so often.
    pub(crate) async fn called(&self, times: usize) {
        let mut seen = self.state.subscribe();
        let called = seen.wait_for(|state| state.calls >= times);
        assert!(timeout(Duration::from_secs(30), called).await.is_ok(), "it was not called {times} times");
    }

    /// A line like `s0-3 v1` for each call that has succeeded.
    pub(crate) fn retired(&self) -> Vec<String> {
        self.state.borrow().retired.clone()
    }
}

async fn retire(facts: Vec<u8>, upstreams: Arc<Vec<[Upstream; 2]>>, state: watch::Sender<State>) {
    state.send_modify(|state| state.calls += 1);
    let facts: Value = serde_json::from_slice(&facts).unwrap();
    let fact = |name: &str| facts.get(name).and_then(Value::as_str).unwrap();
    let at: usize = fact("service").strip_prefix('s').unwrap().parse().unwrap();
    let [v1, v2] = upstreams.get(at).unwrap();
    let _ = state.subscribe().wait_for(|state| !state.held).await;
    if fact("version") == "v1" {
        v1.retire();
    } else {
        v2.retire();
    }
    state.send_modify(|state| state.retired.push(format!("{} {}", fact("release"), fact("version"))));
}
