//! One request after the other to one server.

use super::arguments::Connection;
use super::failure::{Exit, Failure};
use super::question::Question;
use super::token::token;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use release_core::{MeshId, Namespace, ReleaseKey};
use release_http::Operation;
use std::error::Error as _;
use std::time::Duration;

/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// The longest answer, in bytes: more than any list of releases that fits a person's patience.
const BODY: usize = 256 << 20;

/// A server that can be asked.
pub(super) struct Server {
    base: String,
    client: AnyClient,
    token: Option<HeaderValue>,
    timeout: Duration,
}

enum AnyClient {
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

/// What a server said.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) question: Question,
    pub(super) status: StatusCode,
    pub(super) request_id: Option<String>,
    pub(super) body: Bytes,
}

impl Server {
    pub(super) fn new(connection: &Connection) -> Result<Self, Failure> {
        let (base, scheme) = base(&connection.server)?;
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.enforce_http(false);
        let builder = Client::builder(TokioExecutor::new());
        let client = if scheme == Scheme::HTTPS {
            let roots = HttpsConnectorBuilder::new().with_native_roots().map_err(|error| {
                Failure::new(Exit::Failed, format!("no certificates to trust: {error}"))
                    .next("install ca-certificates, or name a file of certificates in SSL_CERT_FILE")
            })?;
            AnyClient::Tls(builder.build(roots.https_only().enable_http1().wrap_connector(tcp)))
        } else {
            AnyClient::Plain(builder.build(tcp))
        };
        let token = token(connection.token_file.as_deref())?;
        Ok(Self { base, client, token, timeout: Duration::from_secs(connection.timeout) })
    }

    /// Asks for an operation on a release.
    pub(super) async fn ask(
        &self,
        operation: Operation,
        key: &ReleaseKey,
        query: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, Failure> {
        let path = operation.path().replace("{release_id}", key.id.as_str());
        self.send(operation, &path, &key.mesh, Some(&key.namespace), query, body.into()).await
    }

    /// Asks for an operation on a mesh, or on a namespace of it.
    pub(super) async fn ask_mesh(
        &self,
        operation: Operation,
        mesh: &MeshId,
        namespace: Option<&Namespace>,
        body: impl Into<Bytes>,
    ) -> Result<Answer, Failure> {
        self.send(operation, operation.path(), mesh, namespace, "", body.into()).await
    }

    async fn send(
        &self,
        operation: Operation,
        path: &str,
        mesh: &MeshId,
        namespace: Option<&Namespace>,
        query: &str,
        body: Bytes,
    ) -> Result<Answer, Failure> {
        // None of these names has a character that would have to be escaped.
        let path =
            path.replace("{mesh_id}", mesh.as_str()).replace("{namespace}", namespace.map_or("", Namespace::as_str));
        self.request(Question::Releases(operation), &format!("{path}{query}"), body).await
    }

    /// Asks for what is at a path.
    pub(super) async fn request(&self, question: Question, path: &str, body: Bytes) -> Result<Answer, Failure> {
        let mut request = Request::builder()
            .method(question.method())
            .uri(format!("{}{path}", self.base))
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("release-server/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            request = request.header("x-auth-token", token);
        }
        let request = request
            .body(Full::new(body))
            .map_err(|error| Failure::new(Exit::Failed, format!("no request can be made of this: {error}")))?;
        let exchanged = tokio::time::timeout(self.timeout, self.exchange(question, request)).await;
        exchanged
            .unwrap_or_else(|_| Err(Silence::Later(format!("no answer within {} s", self.timeout.as_secs()))))
            .map_err(|silence| match silence {
                Silence::AtOnce(why) => {
                    self.unreachable(&why, "is the server running, and is --server (RELEASE_SERVER) its address?")
                }
                Silence::Later(why) => self.unreachable(&why, question.unanswered()),
            })
    }

    async fn exchange(&self, question: Question, request: Request<Full<Bytes>>) -> Result<Answer, Silence> {
        let response = match &self.client {
            AnyClient::Plain(client) => client.request(request).await,
            AnyClient::Tls(client) => client.request(request).await,
        };
        let response = response.map_err(|error| {
            let why = causes(&error);
            if error.is_connect() { Silence::AtOnce(why) } else { Silence::Later(why) }
        })?;
        read(question, response).await.map_err(Silence::Later)
    }

    fn unreachable(&self, why: &str, next: &str) -> Failure {
        Failure::new(Exit::Unreachable, format!("{} did not answer: {why}", self.base)).next(next)
    }
}

/// Why there is no answer.
enum Silence {
    /// The server was never reached: nothing was done.
    AtOnce(String),
    /// The request was sent: it may have been done.
    Later(String),
}

async fn read(question: Question, response: Response<Incoming>) -> Result<Answer, String> {
    let (head, body) = response.into_parts();
    let request_id = head.headers.get("x-request-id").and_then(|id| id.to_str().ok()).map(ToOwned::to_owned);
    let body = Limited::new(body, BODY).collect().await.map_err(|error| format!("the answer broke off: {error}"))?;
    Ok(Answer { question, status: head.status, request_id, body: body.to_bytes() })
}

/// What the paths of the API are appended to.
fn base(url: &str) -> Result<(String, Scheme), Failure> {
    let refused = || {
        // In front of an @ there may be a password: that is not repeated.
        let shown = if url.contains('@') { String::new() } else { format!(" {url:?}") };
        let message = format!("--server{shown} is no address of a server");
        Failure::new(Exit::Usage, message)
            .next("write it as http://HOST:PORT or https://HOST, without a query or a password")
    };
    let uri: Uri = url.parse().map_err(|_| refused())?;
    match (uri.scheme().cloned(), uri.authority(), uri.query()) {
        (Some(scheme), Some(authority), None)
            if [Scheme::HTTP, Scheme::HTTPS].contains(&scheme) && !authority.as_str().contains('@') =>
        {
            Ok((url.trim_end_matches('/').to_owned(), scheme))
        }
        _ => Err(refused()),
    }
}

/// The innermost causes say what happened: "connection refused", not "client error".
fn causes(error: &hyper_util::client::legacy::Error) -> String {
    let mut text = String::new();
    let mut source = error.source();
    while let Some(error) = source {
        let separator = if text.is_empty() { "" } else { ": " };
        // Some print the cause with themselves.
        let error_text = error.to_string();
        if !text.ends_with(&error_text) {
            text.extend([separator, &error_text]);
        }
        source = error.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_be_mounted_at_a_path() {
        for (url, expected) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("https://releases.example.com/mesh/", "https://releases.example.com/mesh"),
        ] {
            assert_eq!(base(url).unwrap().0, expected);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_before_anything_is_sent() {
        for url in ["", "127.0.0.1:8080", "ftp://a", "http://", "http://a?b", "http://me:secret@a", "/v2"] {
            assert_eq!(base(url).unwrap_err().exit, Exit::Usage, "{url}");
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        for url in ["http://me:secret@a", "ftp://me:secret@a", "http://me:secret@a b", "me:secret@"] {
            let message = base(url).unwrap_err().to_string();
            assert!(!message.contains("secret"), "{message}");
        }
        assert!(base("ftp://a").unwrap_err().to_string().contains("\"ftp://a\""));
    }
}
