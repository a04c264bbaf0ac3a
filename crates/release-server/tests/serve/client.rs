//! A client that accepts documented answers only.

use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use release_http::{Body, Codes, properties};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// No answer takes that long, however busy the machine is.
pub(crate) const LIMIT: Duration = Duration::from_mins(2);

/// A client with its own headers. Each request has a connection of its own.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) codes: Codes,
    headers: Vec<(&'static str, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The answer, if it is a success.
    pub(crate) fn ok(self) -> Self {
        assert!(self.status < 300, "{self:?}");
        self
    }
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, codes: Codes::Newer, headers: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The request as it is sent.
    pub(crate) fn request(&self, method: Method, path: &str, body: &str) -> Request<String> {
        let mut request = Request::builder().method(method).uri(path).header("host", self.address.to_string());
        request = request.header("content-type", "application/json");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(body.to_owned()).unwrap()
    }

    pub(crate) async fn send(&self, request: Request<String>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = timeout(LIMIT, exchange(self.address, request)).await.unwrap();
        if path.starts_with("/v2") {
            let mut response = Response::new(Body::from(answer.text.clone()));
            *response.status_mut() = answer.status.try_into().unwrap();
            response.headers_mut().clone_from(&answer.headers);
            properties::answer_is_documented(&method, &path, self.codes, response).unwrap();
        }
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path, "")).await
    }

    /// Creates a release of a service, from `v1` to `v2`.
    pub(crate) async fn create(&self, service: &str) -> Release {
        self.create_from(service, "v1", "v2").await
    }

    /// Creates a release of a service.
    pub(crate) async fn create_from(&self, service: &str, original: &str, grayscale: &str) -> Release {
        let path = "/v2/meshes/mesh-1/namespaces/shop/releases";
        let body = json!({
            "metadata": { "name": "release-of-it" },
            "spec": { "serviceName": service, "originalVersion": original, "version": grayscale },
        });
        let created = self.send(self.request(Method::POST, path, &body.to_string())).await.ok().json();
        Release { client: self.clone(), path: format!("{path}/{}", created["metadata"]["uid"].as_str().unwrap()) }
    }

    /// Creates a release and waits until a fifth of its traffic goes to the grayscale version.
    pub(crate) async fn at_a_fifth(&self, service: &str) -> Release {
        let release = self.create(service).await;
        release.until(|status| status["phase"] == "running").await;
        release.put("policy", r#"{"weighted":{"grayscale":20}}"#).await.ok();
        release.until(|status| status["confirmed"] == status["wanted"]).await;
        release
    }

    /// The number of a metric.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").await.ok().text;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
        line.map(|number| number.parse().unwrap())
    }

    /// Waits until a metric is as wanted.
    pub(crate) async fn until_metric(&self, name: &str, wanted: impl Fn(f64) -> bool) {
        let reached = async {
            while !self.metric(name).await.is_some_and(&wanted) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(LIMIT, reached).await.unwrap();
    }
}

async fn exchange(address: SocketAddr, request: Request<String>) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Answer { status: head.status.as_u16(), headers: head.headers, text }
}

/// A release on the server.
#[derive(Clone)]
pub(crate) struct Release {
    pub(crate) client: Client,
    pub(crate) path: String,
}

impl Release {
    /// The same release on another server.
    pub(crate) fn at(&self, client: &Client) -> Self {
        Self { client: client.clone(), path: self.path.clone() }
    }

    pub(crate) async fn get(&self) -> Answer {
        self.client.get(&self.path).await
    }

    pub(crate) async fn put(&self, what: &str, body: &str) -> Answer {
        self.client.send(self.client.request(Method::PUT, &format!("{}/{what}", self.path), body)).await
    }

    pub(crate) async fn reopen(&self) -> Answer {
        self.client.send(self.client.request(Method::POST, &format!("{}/reopen", self.path), "")).await
    }

    pub(crate) async fn delete(&self, action: &str) -> Answer {
        let path = format!("{}?action={action}", self.path);
        self.client.send(self.client.request(Method::DELETE, &path, "")).await
    }

    /// Decides on a takeover, and waits until it is in that stage. What is answered comes when it is over.
    pub(crate) async fn begin(&self, action: &'static str, stage: &str) -> JoinHandle<Answer> {
        let release = self.clone();
        let waiting = tokio::spawn(async move { release.delete(action).await });
        self.until(|status| status["stage"] == stage).await;
        waiting
    }

    /// Decides on a takeover that can't be done, and returns what is answered of it. Who asks first waits for the disk, too, and
    /// is told less if that is slow.
    pub(crate) async fn delete_in_vain(&self, action: &str) -> Answer {
        let again = async {
            self.until(|status| status["phase"] == "closing").await;
            self.delete(action).await
        };
        let (first, again) = tokio::join!(self.delete(action), again);
        assert_eq!((first.status, again.status), (500, 500), "{first:?} {again:?}");
        assert!(again.text.contains("recorded and goes on"), "{again:?}");
        again
    }

    /// Waits until the status is as wanted.
    pub(crate) async fn until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let reached = async {
            loop {
                let answer = self.get().await;
                // A store that fails in a test is none of this function's business.
                if answer.status == 200 {
                    let status = answer.json()["status"].take();
                    if wanted(&status) {
                        return status;
                    }
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(LIMIT, reached).await.unwrap()
    }

    /// Waits until it is closed by `action`.
    pub(crate) async fn until_closed(&self, action: &str) -> Value {
        let status = self.until(|status| status["phase"] == "closed").await;
        assert_eq!(status["action"], action);
        status
    }
}
