//! From an answer to a response.

use crate::resource::{PlanDocument, ReleaseDocument, ReleaseListDocument};
use crate::{Codes, Problem, ProblemKind, Release};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use release_core::Plan;
use serde::{Serialize, Serializer};

/// The body of every response: whole, and often empty.
pub type Body = Full<Bytes>;

/// What an operation gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A delete. Empty: no page gives it a schema.
    Done,
    Created(Release),
    Release(Release),
    List(Vec<Release>),
    Plan(Plan),
}

impl Answer {
    pub(crate) fn into_response(self, codes: Codes) -> Response<Body> {
        match self {
            Self::Done => Response::new(Body::default()),
            Self::Created(release) => json(StatusCode::CREATED, &ReleaseDocument::from(&release), codes),
            Self::Release(release) => json(StatusCode::OK, &ReleaseDocument::from(&release), codes),
            Self::List(releases) => json(StatusCode::OK, &ReleaseListDocument::from(releases.as_slice()), codes),
            Self::Plan(plan) => json(StatusCode::OK, &PlanDocument::from(&plan), codes),
        }
    }
}

impl Problem {
    /// The response: status, `errorCode` and `errorMsg`, and the header that HTTP asks for with a 401 or a 405.
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
        let mut response = Response::new(Body::default());
        *response.status_mut() = published.status;
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

fn json(status: StatusCode, document: &impl Serialize, codes: Codes) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
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
