//! A client that takes a connection which breaks for an answer, and nothing that is not documented.

use anyhow::{Context, Result, anyhow, ensure};
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use release_http::{Body, Codes, properties};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No answer takes that long.
const LIMIT: Duration = Duration::from_mins(1);

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.text).with_context(|| format!("no JSON: {}", self.text))
    }

    /// The JSON of a success.
    pub(crate) fn expect(&self, status: u16) -> Result<Value> {
        ensure!(self.status == status, "{} in the place of {status}: {}", self.status, self.text);
        self.json()
    }
}

/// The answer; `None` if the connection broke, so that nobody knows what came of it.
pub(crate) async fn send(address: SocketAddr, method: Method, path: &str, body: &str) -> Result<Option<Answer>> {
    let uri_path = path.split('?').next().unwrap_or_default();
    let request = Request::builder()
        .method(&method)
        .uri(path)
        .header("host", address.to_string())
        .header("content-type", "application/json")
        .body(body.to_owned())?;
    let Ok(response) = timeout(LIMIT, exchange(address, request)).await.context("no answer in a minute")? else {
        return Ok(None);
    };
    let answer = Answer { status: response.status().as_u16(), text: response.body().clone() };
    let documented = properties::answer_is_documented(&method, uri_path, Codes::Newer, response.map(Body::from));
    documented.map_err(|error| anyhow!(error))?;
    Ok(Some(answer))
}

async fn exchange(address: SocketAddr, request: Request<String>) -> Result<Response<String>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await?.into_parts();
    let text = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
    connection.abort();
    Ok(Response::from_parts(head, text))
}
