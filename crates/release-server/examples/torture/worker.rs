//! A client that takes one release after the other through its life, whatever becomes of the server.

use crate::client::{self, Answer};
use crate::ledger::{Ledger, Seen};
use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;
use http::Method;
use release_core::{Action, Phase, ReleaseId, Stage};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::RwLock;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How long a release may take to get anywhere, kills included.
const LIMIT: Duration = Duration::from_secs(100);

const RELEASES: &str = "/v2/meshes/mesh-1/namespaces/shop/releases";

/// What all workers share.
pub(crate) struct World {
    pub(crate) ledger: Ledger,
    /// Where the server is. Whoever holds it for writing knows that no request is under way.
    pub(crate) server: RwLock<SocketAddr>,
    /// The releases that were closed after a kill without being asked for again.
    pub(crate) resumed: AtomicU32,
}

pub(crate) struct Worker {
    pub(crate) number: u32,
    pub(crate) world: Arc<World>,
    pub(crate) rng: Rng,
}

impl Worker {
    /// Releases one thing after the other until it is told to stop.
    pub(crate) async fn work(mut self, stop: watch::Receiver<bool>) -> Result<()> {
        for number in 0.. {
            if *stop.borrow() {
                break;
            }
            let service = format!("service-{}-{number}", self.number);
            let script = self.rng.u8(0..8);
            self.release(&service, script).await.with_context(|| format!("{service}, script {script}"))?;
        }
        Ok(())
    }

    async fn release(&mut self, service: &str, script: u8) -> Result<()> {
        let id = self.create(service).await?;
        if script == 0 {
            return self.close(&id, Action::Cancel).await;
        }
        self.until(&id, |seen| seen.phase != Phase::Deploying).await?;
        let percent = self.rng.u8(1..100);
        let policy = json!({ "weighted": { "grayscale": percent } }).to_string();
        while self.send(&id, Method::PUT, "/policy", &policy).await?.is_none() {}
        match script {
            1 | 2 => self.close(&id, Action::Cancel).await,
            3 | 4 => self.close(&id, Action::End).await,
            5 | 6 => {
                self.decide(&id, Action::End).await?;
                sleep(Duration::from_millis(self.rng.u64(0..80))).await;
                self.close(&id, Action::Cancel).await
            }
            _ => {
                self.decide(&id, Action::End).await?;
                self.world.ledger.reopen(&id, true);
                // Past the point of no return it is refused.
                self.send(&id, Method::POST, "/reopen", "").await?;
                self.until(&id, |_| true).await?;
                self.world.ledger.reopen(&id, false);
                let action = if self.rng.bool() { Action::Cancel } else { Action::End };
                self.close(&id, action).await
            }
        }
    }

    /// Creates a release, once, however often the server dies meanwhile.
    async fn create(&mut self, service: &str) -> Result<ReleaseId> {
        let body = json!({
            "metadata": { "name": "release-of-it" },
            "spec": { "serviceName": service, "originalVersion": "v1", "version": "v2" },
        });
        loop {
            if let Some(answer) = self.request(None, Method::POST, "", &body.to_string()).await? {
                return id(&answer.expect(201)?);
            }
            // Nobody knows whether it was created.
            let all = loop {
                let server = self.world.server.read().await;
                let all = client::send(*server, Method::GET, "/v2/meshes/mesh-1/releases", "").await?;
                if let Some(all) = all {
                    break all.expect(200)?;
                }
            };
            let all = all.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            let of_service =
                |release: &&Value| release.pointer("/spec/serviceName").is_some_and(|name| name == service);
            let found: Vec<_> = all.iter().filter(of_service).collect();
            ensure!(found.len() <= 1, "{} releases of {service}", found.len());
            if let Some(found) = found.first() {
                return id(found);
            }
        }
    }

    /// Asks for a delete, and goes on as soon as it is recorded.
    async fn decide(&mut self, id: &ReleaseId, action: Action) -> Result<()> {
        self.world.ledger.delete(id, action);
        let query = format!("?action={action}");
        loop {
            let asked = self.send(id, Method::DELETE, &query, "");
            // The connection is closed in the middle if it takes longer: the decision goes on.
            if let Ok(answer) = timeout(Duration::from_millis(30), asked).await {
                answer?;
            }
            if self.look(id).await?.is_some_and(|seen| seen.phase.action().is_some()) {
                return Ok(());
            }
        }
    }

    /// Asks for a delete until the release is closed. Every other time it is not repeated once it is recorded and the server
    /// was killed: a repeated one has the task driven, and the server must go on without being asked.
    async fn close(&mut self, id: &ReleaseId, action: Action) -> Result<()> {
        self.world.ledger.delete(id, action);
        let repeats = self.rng.bool();
        let asked = async {
            loop {
                let answer = self.send(id, Method::DELETE, &format!("?action={action}"), "").await?;
                let seen = self.until(id, |_| true).await?;
                match (answer.map(|answer| answer.status), seen.phase) {
                    (_, Phase::Closed(_)) => return Ok(true),
                    (Some(200), phase) => bail!("answered with 200, and then it is {phase}"),
                    (None, Phase::Closing(by, _)) if by == action && !repeats => return Ok(false),
                    // Too late: the other one is past the point of no return. Or a reopened task is not ready yet.
                    (Some(400), Phase::Closing(_, Stage::Retiring) | Phase::Deploying) => {}
                    (Some(400 | 404), phase) => bail!("refused, and it is {phase}"),
                    _ => {}
                }
            }
        };
        if !timeout(LIMIT, asked).await.context("it does not end")?? {
            let closed = self.until(id, |seen| seen.phase.is_closed()).await;
            closed.context("the server was killed while it closed this, and does not go on with it by itself")?;
            self.world.resumed.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    /// Looks until it is as wanted.
    async fn until(&self, id: &ReleaseId, wanted: impl Fn(&Seen) -> bool) -> Result<Seen> {
        let reached = async {
            loop {
                if let Some(seen) = self.look(id).await?.filter(&wanted) {
                    return Ok(seen);
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LIMIT, reached).await.context("it does not get there")?
    }

    async fn look(&self, id: &ReleaseId) -> Result<Option<Seen>> {
        let Some(answer) = self.send(id, Method::GET, "", "").await? else { return Ok(None) };
        Ok(Some(Seen::try_from(&answer.expect(200)?)?))
    }

    async fn send(&self, id: &ReleaseId, method: Method, more: &str, body: &str) -> Result<Option<Answer>> {
        self.request(Some(id), method, more, body).await
    }

    /// Sends a request and notes what it was told.
    async fn request(&self, id: Option<&ReleaseId>, method: Method, more: &str, body: &str) -> Result<Option<Answer>> {
        let path = id.map_or_else(|| RELEASES.to_owned(), |id| format!("{RELEASES}/{id}{more}"));
        let server = self.world.server.read().await;
        let Some(answer) = client::send(*server, method.clone(), &path, body).await? else { return Ok(None) };
        let success = answer.status < 300;
        match id {
            Some(id) if method == Method::DELETE && success => {
                let action = if more.ends_with("cancel") { Action::Cancel } else { Action::End };
                self.world.ledger.closed(id, action)?;
            }
            _ if success => {
                let release = answer.json()?;
                self.world.ledger.saw(&self::id(&release)?, Seen::try_from(&release)?)?;
            }
            _ => {}
        }
        Ok(Some(answer))
    }
}

fn id(release: &Value) -> Result<ReleaseId> {
    let id = release.pointer("/metadata/uid").and_then(Value::as_str).context("no uid")?;
    Ok(id.parse()?)
}
