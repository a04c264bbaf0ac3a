//! Whether a version can take all traffic.

use crate::hook::innermost;
use crate::service::Endpoint;
use crate::services::Health;
use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long an endpoint may take to answer its health check.
const LIMIT: Duration = Duration::from_secs(2);

/// How many endpoints are asked at the same time.
const AT_ONCE: usize = 32;

/// Asks all endpoints at once; enough of them must answer. The error says which did not, and why.
pub(super) async fn ensure(health: &Health, endpoints: &[Endpoint]) -> Result<(), String> {
    let needed = health.endpoints.map_or(endpoints.len(), Into::into);
    let (mut healthy, mut failures) = (0, Vec::new());
    let mut left = endpoints.iter();
    let mut asking = JoinSet::new();
    loop {
        while asking.len() < AT_ONCE
            && let Some(endpoint) = left.next()
        {
            let (endpoint, path) = (endpoint.clone(), health.path.clone());
            asking.spawn(async move {
                let result = probe(&endpoint, path.as_deref()).await;
                result.map_err(|error| format!("{endpoint}: {error}"))
            });
        }
        match asking.join_next().await {
            None => break,
            Some(Ok(Ok(()))) => healthy += 1,
            Some(Ok(Err(failure))) => failures.push(failure),
            Some(Err(error)) => failures.push(error.to_string()),
        }
    }
    if healthy >= needed && needed > 0 {
        return Ok(());
    }
    failures.sort();
    failures.truncate(3);
    Err(format!("{healthy} of {} endpoints are healthy, {needed} must be: {}", endpoints.len(), failures.join("; ")))
}

async fn probe(endpoint: &Endpoint, path: Option<&str>) -> Result<(), String> {
    let Endpoint { host, port } = endpoint;
    let Some(path) = path else {
        let connected = timeout(LIMIT, TcpStream::connect((host.as_str(), *port))).await;
        return match connected {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no connection within {} s", LIMIT.as_secs())),
        };
    };
    let request = http::Request::get(format!("http://{endpoint}{path}")).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    match timeout(LIMIT, client.request(request)).await {
        Ok(Ok(response)) if response.status() == http::StatusCode::OK => Ok(()),
        Ok(Ok(response)) => Err(format!("{path} answers {}", response.status().as_u16())),
        Ok(Err(error)) => Err(innermost(&error)),
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    }
}
