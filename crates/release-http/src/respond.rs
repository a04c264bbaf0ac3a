//! From an answer to a response.

use crate::auth::{SIGNATURE_CHALLENGE, TOKEN_CHALLENGE};
use crate::resource::{PlanDocument, ReleaseDocument, ReleaseListDocument};
use crate::{Codes, Problem, ProblemKind, Published, Release};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use release_core::{Plan, ReleaseKey};
use serde::Serialize;

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
        self.written(codes, HeaderMap::new())
    }

    /// The response, with these headers besides its own.
    pub(crate) fn written(self, codes: Codes, headers: HeaderMap) -> Response<Body> {
        match self {
            Self::Done => empty(StatusCode::OK, headers),
            Self::Created(release) => created(&release, codes, headers),
            Self::Release(release) => json(StatusCode::OK, &ReleaseDocument::from(&release), codes, headers),
            Self::List(releases) => {
                json(StatusCode::OK, &ReleaseListDocument::from(releases.as_slice()), codes, headers)
            }
            Self::Plan(plan) => json(StatusCode::OK, &PlanDocument::from(&plan), codes, headers),
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
        self.written(codes, HeaderMap::new())
    }

    /// The response, with these headers besides its own.
    pub(crate) fn written(self, codes: Codes, headers: HeaderMap) -> Response<Body> {
        let Published { status, code, message } = codes.published(self.kind());
        let mut response = empty(status, headers);
        set_json(&mut response, problem_document(code, message, &self));
        match self.kind() {
            ProblemKind::MethodNotAllowed(allow) => {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
            }
            ProblemKind::Unauthenticated => {
                let all = [TOKEN_CHALLENGE, SIGNATURE_CHALLENGE];
                let offered = if self.challenges().is_empty() { &all } else { self.challenges() };
                for challenge in offered {
                    response.headers_mut().append(WWW_AUTHENTICATE, challenge.clone());
                }
            }
            _ => {}
        }
        response
    }
}

/// `{"errorCode":"ASM.01010001","errorMsg":"Invalid request. …"}`
fn problem_document(code: &str, start: &str, problem: &Problem) -> String {
    let mut document = String::with_capacity(320);
    for part in [r#"{"errorCode":""#, code, r#"","errorMsg":"#] {
        document.push_str(part);
    }
    let begin = document.len();
    document.push('"');
    document.push_str(start);
    document.push(' ');
    problem.write_to(&mut document);
    // Most messages stand in JSON as they are, and to find that out takes much less time than to write them byte by byte.
    let message = document.get(begin + 1..).unwrap_or_default();
    if is_plain(message) {
        document.push('"');
    } else {
        // A text always serialises.
        let escaped = serde_json::to_string(message).unwrap_or_default();
        document.truncate(begin);
        document.push_str(&escaped);
    }
    document.push('}');
    document
}

/// Whether JSON escapes nothing of it. Without an early end, so that the compiler looks at many bytes at once.
fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |plain, byte| plain & !matches!(byte, ..b' ' | b'"' | b'\\'))
}

/// With the place of what was created, as RFC 9110 (15.3.2) asks for. The names of a key need no escaping.
fn created(release: &Release, codes: Codes, headers: HeaderMap) -> Response<Body> {
    let mut response = json(StatusCode::CREATED, &ReleaseDocument::from(release), codes, headers);
    let ReleaseKey { mesh, namespace, id } = release.task.key();
    let path = format!("/v2/meshes/{mesh}/namespaces/{namespace}/releases/{id}");
    if let Ok(path) = HeaderValue::try_from(path) {
        response.headers_mut().insert(LOCATION, path);
    }
    response
}

/// Of no use to the next one who asks: that a request has `X-Auth-Token` keeps no shared cache from giving its answer away.
fn empty(status: StatusCode, headers: HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.headers_mut() = headers;
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn json(status: StatusCode, document: &impl Serialize, codes: Codes, headers: HeaderMap) -> Response<Body> {
    let Ok(body) = serde_json::to_vec(document) else {
        return Problem::new(ProblemKind::Internal, "The answer could not be written.").written(codes, headers);
    };
    let mut response = empty(status, headers);
    set_json(&mut response, body);
    response
}

fn set_json(response: &mut Response<Body>, document: impl Into<Bytes>) {
    *response.body_mut() = Body::new(document.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_message_can_be_read_back(text in prop_oneof![any::<String>(), "[ -~]*"]) {
            let response = Problem::new(ProblemKind::Forbidden, text.clone()).into_response(Codes::Older);
            let body = crate::testkit::block_on(response.into_body().collect()).unwrap().to_bytes();
            let expected = serde_json::json!({"errorCode": "ASM.01403001", "errorMsg": format!("Forbidden. {text}")});
            prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap(), expected);
        }
    }

    #[test]
    fn what_json_escapes_is_not_plain() {
        for byte in 0_u8..128 {
            let text = char::from(byte).to_string();
            let written = serde_json::to_string(&text).unwrap();
            assert_eq!(is_plain(&text), written == format!("\"{text}\""), "{text:?}");
        }
        assert!(is_plain("–"));
    }
}
