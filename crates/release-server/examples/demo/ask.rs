//! The API, asked as anybody would: over HTTP, and with the program's own commands.

use crate::programs;
use anyhow::{Context as _, Result, ensure};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const MESH: &str = "mesh-1";
const NAMESPACE: &str = "shop";

pub(crate) struct Api {
    program: PathBuf,
    url: String,
    client: Client<HttpConnector, Empty<Bytes>>,
}

/// What a request was answered with.
pub(crate) struct Answered {
    pub(crate) request: String,
    pub(crate) status: StatusCode,
    pub(crate) body: String,
    pub(crate) took: Duration,
}

impl Api {
    pub(crate) fn new(program: PathBuf, url: String) -> Self {
        Self { program, url, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// The variables that make the commands as short as they are shown.
    pub(crate) fn variables(&self) -> [(&'static str, &str); 3] {
        [("RELEASE_SERVER", &self.url), ("RELEASE_MESH_ID", MESH), ("RELEASE_NAMESPACE", NAMESPACE)]
    }

    /// Runs one of the program's commands, which must succeed, and returns what it printed.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Result<String> {
        let mut command = programs::command(&self.program);
        let output = command.args(arguments).envs(self.variables()).kill_on_drop(true).output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`release-server {}`: {}\n{said}", arguments.join(" "), output.status);
        Ok(String::from_utf8(output.stdout)?)
    }

    /// `DELETE …/releases/{id}?action={action}`.
    pub(crate) async fn delete(&self, id: &str, action: &str) -> Result<Answered> {
        let path = format!("/v2/meshes/{MESH}/namespaces/{NAMESPACE}/releases/{id}?action={action}");
        self.ask(Method::DELETE, &path).await
    }

    /// The release as the server shows it.
    pub(crate) async fn release(&self, id: &str) -> Result<Value> {
        let path = format!("/v2/meshes/{MESH}/namespaces/{NAMESPACE}/releases/{id}");
        let answer = self.ask(Method::GET, &path).await?;
        ensure!(answer.status.is_success(), "{}: {} {}", answer.request, answer.status, answer.body);
        Ok(serde_json::from_str(&answer.body)?)
    }

    async fn ask(&self, method: Method, path: &str) -> Result<Answered> {
        let request = Request::builder()
            .method(&method)
            .uri(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .body(Empty::new())?;
        let start = Instant::now();
        let response = self.client.request(request).await.with_context(|| format!("{method} {path}"))?;
        let status = response.status();
        let body = String::from_utf8(response.into_body().collect().await?.to_bytes().to_vec())?;
        Ok(Answered { request: format!("{method} {path}"), status, body, took: start.elapsed() })
    }
}
