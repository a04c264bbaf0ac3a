//! From an answer to a response.

use crate::resource::{PlanDocument, ReleaseDocument, ReleaseListDocument};
use crate::{Codes, Problem, ProblemKind, Release};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use release_core::{Plan, ReleaseKey};
use serde::{Serialize, Serializer};

/// The body of every response: whole, and often empty.
pub type Body = Full<Bytes>;

/// What an operation that was carried out gives back: with [`Problem`] the half of the adapter that writes responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of [`Operation::Delete`](crate::Operation::Delete): 200, empty, because no page gives it a schema.
    Done,
    /// Of [`Operation::Create`](crate::Operation::Create): 201, with its path in `Location`.
    Created(Release),
    /// Of the operations that give one release: 200.
    Release(Release),
    /// Of [`Operation::List`](crate::Operation::List): 200.
    List(Vec<Release>),
    /// Of [`Operation::Preview`](crate::Operation::Preview): 200.
    Plan(Plan),
}

impl Answer {
    /// The response. It has no `X-Request-Id`, which every answer must have: set it to what
    /// [`RequestIds::of`](crate::RequestIds::of) gives. The codes are needed should the answer not be writable: 500.
    ///
    /// ```
    /// use release_http::{Answer, Codes};
    ///
    /// let response = Answer::List(vec![]).into_response(Codes::Newer);
    /// assert_eq!((response.status().as_u16(), &response.headers()["cache-control"]), (200, &"no-store".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_response(self, codes: Codes) -> Response<Body> {
        match self {
            Self::Done => empty(StatusCode::OK),
            Self::Created(release) => created(&release, codes),
            Self::Release(release) => json(StatusCode::OK, &ReleaseDocument::from(&release), codes),
            Self::List(releases) => json(StatusCode::OK, &ReleaseListDocument::from(releases.as_slice()), codes),
            Self::Plan(plan) => json(StatusCode::OK, &PlanDocument::from(&plan), codes),
        }
    }
}

impl Problem {
    /// The response: status, `errorCode` and `errorMsg`, and the header that HTTP asks for with a 401 or a 405. It has no
    /// `X-Request-Id`, which every answer must have: set it to what [`RequestIds::of`](crate::RequestIds::of) gives.
    ///
    /// ```
    /// use release_http::{Codes, Problem, ProblemKind};
    ///
    /// let response = Problem::new(ProblemKind::NotFound, "There is no such path.").into_response(Codes::Older);
    /// assert_eq!(response.status(), 404);
    /// ```
    pub fn into_response(self, codes: Codes) -> Response<Body> {
        let published = codes.published(self.kind());
        let body =
            ProblemDocument { code: published.code, message: Message { start: published.message, problem: &self } };
        let mut response = empty(published.status);
        // Two texts always serialise.
        write(&mut response, &body).unwrap_or_default();
        match self.kind() {
            ProblemKind::MethodNotAllowed(allow) => {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
            }
            ProblemKind::Unauthenticated => {
                response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
            }
            _ => {}
        }
        response
    }
}

/// The ways to authenticate that the API knows. (That a token goes into `X-Auth-Token` has no registered name.)
const CHALLENGE: HeaderValue = HeaderValue::from_static("X-Auth-Token, SDK-HMAC-SHA256");

/// `{"errorCode":"ASM.01010001","errorMsg":"Invalid request. …"}`
#[derive(Serialize)]
struct ProblemDocument<'a> {
    #[serde(rename = "errorCode")]
    code: &'static str,
    #[serde(rename = "errorMsg")]
    message: Message<'a>,
}

struct Message<'a> {
    start: &'static str,
    problem: &'a Problem,
}

impl Serialize for Message<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{} {}", self.start, self.problem))
    }
}

/// With the place of what was created, as RFC 9110 (15.3.2) asks for. The names of a key need no escaping.
fn created(release: &Release, codes: Codes) -> Response<Body> {
    let mut response = json(StatusCode::CREATED, &ReleaseDocument::from(release), codes);
    let ReleaseKey { mesh, namespace, id } = release.task.key();
    let path = format!("/v2/meshes/{mesh}/namespaces/{namespace}/releases/{id}");
    if let Ok(path) = HeaderValue::try_from(path) {
        response.headers_mut().insert(LOCATION, path);
    }
    response
}

/// Of no use to the next one who asks: that a request has `X-Auth-Token` keeps no shared cache from giving its answer away.
fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn json(status: StatusCode, document: &impl Serialize, codes: Codes) -> Response<Body> {
    let mut response = empty(status);
    match write(&mut response, document) {
        Ok(()) => response,
        Err(_) => Problem::new(ProblemKind::Internal, "The answer could not be written.").into_response(codes),
    }
}

fn write(response: &mut Response<Body>, document: &impl Serialize) -> Result<(), serde_json::Error> {
    let mut body = Vec::with_capacity(256);
    serde_json::to_writer(&mut body, document)?;
    *response.body_mut() = Body::from(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(())
}
