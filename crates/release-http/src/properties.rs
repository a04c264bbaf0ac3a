//! What must hold for every input, as functions that tests and fuzz targets call. `Err` says what does not hold.

use crate::testkit::{Memory, Signer, block_on};
use crate::{AkSk, Authenticate, Body, Caller, Codes, OPENAPI, ReleaseService, Tokens, Unauthenticated};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::BodyExt;
use serde_json::Value;
use std::sync::OnceLock;

/// Any bytes, read as the text of a request, get one of the answers that the OpenAPI document lists: with and without
/// credentials, over a mesh that obeys and over one that does not. Gives the statuses; none where the text is no request.
///
/// The text is like HTTP/1.1: `METHOD target`, lines of `name: value`, an empty line, the body. What no HTTP library would
/// let through is left out.
pub fn any_request_gets_a_documented_answer(text: &[u8]) -> Result<Vec<u16>, String> {
    fn answers<U: Authenticate>(
        text: &[u8],
        service: ReleaseService<Memory, U>,
    ) -> impl Iterator<Item = Result<u16, String>> {
        let answer = move |codes| {
            let service = service.clone().codes(codes).body_limit(512);
            request_gets_a_documented_answer(text, codes, |request| block_on(service.answer(request))).transpose()
        };
        [Codes::Newer, Codes::Older].into_iter().filter_map(answer)
    }
    let open = answers(text, filled(Memory::default())).chain(answers(text, filled(Memory::stalled())));
    open.chain(answers(text, guarded())).collect()
}

/// The same of whatever gives the answers, with that generation of codes: a service of yours, or one behind a socket.
pub fn request_gets_a_documented_answer(
    text: &[u8],
    codes: Codes,
    answer: impl FnOnce(Request<Body>) -> Response<Body>,
) -> Result<Option<u16>, String> {
    let Some(request) = read_request(text) else { return Ok(None) };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = answer(request);
    let status = response.status().as_u16();
    answer_is_documented(&method, &path, codes, response)?;
    Ok(Some(status))
}

/// The key of the signature that [`any_other_authorization_is_refused`] begins with.
pub const SIGNER: Signer<'static> = Signer { access: "access", secret: "the-secret-key" };

/// A token that is as good as the signature, and is not given.
pub const TOKEN: &str = "a-token";

/// Any `Authorization` on a request that was signed with another one keeps the caller out. Gives the status; none where
/// the value is no header's.
///
/// Spaces around the commas are the only thing about the right one that may change.
pub fn any_other_authorization_is_refused(value: &[u8]) -> Result<Option<u16>, String> {
    let service = guarded();
    other_authorization_is_refused(value, |request| block_on(service.answer(request)))
}

/// The same of whatever gives the answers, if it knows [`SIGNER`] and [`TOKEN`] at 2026-01-02 03:04:05 UTC and no task.
pub fn other_authorization_is_refused(
    value: &[u8],
    answer: impl FnOnce(Request<Body>) -> Response<Body>,
) -> Result<Option<u16>, String> {
    let Ok(given) = HeaderValue::from_bytes(value) else { return Ok(None) };
    let mut request = signed_delete()?;
    let right = request.headers().get("authorization").cloned().ok_or("not signed")?;
    request.headers_mut().insert("authorization", given.clone());

    let response = answer(request.map(Body::from));
    let same = without_spaces(&given) == without_spaces(&right);
    let status = response.status().as_u16();
    match (status, same) {
        (404, true) | (401, false) => {}
        (401, true) if given != right => {}
        _ => return Err(format!("{given:?} got {status}")),
    }
    let body = text_of(response);
    if body.contains(SIGNER.secret) || body.contains(TOKEN) {
        return Err(format!("{given:?}: the answer shows a secret: {body}"));
    }
    Ok(Some(status))
}

/// The request that [`any_other_authorization_is_refused`] begins with: signed by [`SIGNER`], at 2026-01-02 03:04:05 UTC.
pub fn signed_delete() -> Result<Request<String>, String> {
    let request = Request::delete("/v2/meshes/mesh-1/namespaces/shop/releases/r9?action=cancel");
    let request = request.header("content-type", "application/json").header("host", "releases.example");
    let mut request = request.body(String::new()).map_err(|error| error.to_string())?;
    SIGNER.sign(&mut request, "20260102T030405Z", &["content-type"]);
    Ok(request)
}

/// Any body of a create gets a documented answer, and what is created is what was asked for. Gives the status.
pub fn any_create_body_is_understood_or_refused(body: &[u8]) -> Result<u16, String> {
    let service = ReleaseService::new(Memory::default(), Unauthenticated);
    create_body_is_understood_or_refused(body, |request| block_on(service.answer(request)))
}

/// The same of whatever gives the answers.
pub fn create_body_is_understood_or_refused(
    body: &[u8],
    answer: impl FnOnce(Request<Body>) -> Response<Body>,
) -> Result<u16, String> {
    let path = "/v2/meshes/mesh-1/namespaces/shop/releases";
    let request = Request::post(path).header("content-type", "application/json");
    let request = request.body(Body::from(body.to_vec())).map_err(|error| error.to_string())?;
    let (head, created) = answer(request).into_parts();
    let created = text_of(Response::new(created));
    if head.status == 201 {
        let asked: Value = serde_json::from_slice(body).map_err(|error| format!("not JSON, yet created: {error}"))?;
        let got: Value = serde_json::from_str(&created).map_err(|error| error.to_string())?;
        let same = |pointer: &str| asked.pointer(pointer) == got.pointer(pointer);
        for pointer in ["/metadata/name", "/spec/serviceName", "/spec/version", "/spec/originalVersion"] {
            if !same(pointer) {
                return Err(format!("{pointer} of {asked} became {got}"));
            }
        }
    }
    let status = head.status.as_u16();
    answer_is_documented(&Method::POST, path, Codes::Newer, Response::from_parts(head, Body::from(created)))?;
    Ok(status)
}

/// Whether the OpenAPI document lists this answer to a request of that method and path, and its body, codes and headers
/// are as they should be.
pub fn answer_is_documented(method: &Method, path: &str, codes: Codes, response: Response<Body>) -> Result<(), String> {
    let (success, status) = (response.status().is_success(), response.status().as_u16());
    let headers = response.headers().clone();
    let body = text_of(response);
    let parsed: Value = serde_json::from_str(&body).unwrap_or_default();
    let is_json = headers.get("content-type").is_some_and(|kind| kind == "application/json");
    let complaint = |what: &str| Err(format!("{method} {path}: {status} {body}: {what}"));
    if !documented_statuses(method, path).iter().any(|listed| *listed == status.to_string()) {
        return complaint("the status is not listed");
    }
    if headers.get("x-request-id").is_none_or(|id| id.is_empty() || id.len() > 64) {
        return complaint("no X-Request-Id");
    }
    if headers.get("cache-control").is_none_or(|cache| cache != "no-store") {
        return complaint("a cache may keep it");
    }
    if status == 201 && headers.get("location").is_none() {
        return complaint("no Location");
    }
    if success {
        if method == Method::DELETE {
            return if body.is_empty() { Ok(()) } else { complaint("not empty") };
        }
        let kind = parsed.get("kind").and_then(Value::as_str).unwrap_or_default();
        let right = match path.rsplit('/').next() {
            _ if method != Method::GET => "Release",
            Some("releases") => "ReleaseList",
            Some("plan") => "ReleasePlan",
            _ => "Release",
        };
        return if is_json && kind == right { Ok(()) } else { complaint("not the JSON of its kind") };
    }
    let field = |name: &str| parsed.get(name).and_then(Value::as_str).unwrap_or_default();
    let (code, message) = (field("errorCode"), field("errorMsg"));
    let as_published =
        published(status, codes).is_some_and(|(right, start)| code == right && message.starts_with(start));
    if !as_published || !is_json {
        return complaint("the code or the message is not the published one");
    }
    if message.chars().any(char::is_control) || message.len() > 4096 {
        return complaint("the message is not printable or very long");
    }
    if status == 405 && headers.get("allow").is_none() || status == 401 && headers.get("www-authenticate").is_none() {
        return complaint("a header is missing");
    }
    Ok(())
}

/// The published code and message of a status: the contract's table once more, apart from the code under test.
fn published(status: u16, codes: Codes) -> Option<(&'static str, &'static str)> {
    let (newer, older, message) = match status {
        400 | 405 | 413 => ("ASM.01010001", "ASM.01400001", "Invalid request. "),
        401 if codes == Codes::Newer => ("ASM.01000001", "", "Authenticate error. "),
        401 => ("", "ASM.01401001", "Authorization failed. "),
        403 => ("ASM.01000002", "ASM.01403001", "Forbidden. "),
        404 => ("ASM.01010002", "ASM.01404001", "Resource not found. "),
        409 => ("ASM.01010003", "ASM.01409001", "The resource already exists. "),
        429 => ("none", "ASM.01429001", "Resource locked by other requests. "),
        500 => ("ASM.01040001", "ASM.01500001", "Internal error. "),
        _ => return None,
    };
    let code = if codes == Codes::Newer { newer } else { older };
    Some((code, message))
}

/// The statuses that the OpenAPI document lists for a request, found by comparing the path with its templates.
pub fn documented_statuses(method: &Method, path: &str) -> Vec<String> {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| serde_json::from_str(OPENAPI).unwrap_or_default());
    let template = document.get("paths").and_then(Value::as_object).into_iter().flatten().find(|(template, _)| {
        let (template, path) = (template.split('/'), path.split('/'));
        template.clone().count() == path.clone().count()
            && template.zip(path).all(|(template, segment)| template.starts_with('{') || template == segment)
    });
    let operation = template.and_then(|(_, item)| item.get(method.as_str().to_ascii_lowercase()));
    let (responses, kind) = match (template, operation) {
        (_, Some(operation)) if method.as_str() == method.as_str().to_ascii_uppercase() => {
            (operation.get("responses"), None)
        }
        (Some(_), _) => (document.get("x-outside-of-operations"), Some("#/components/responses/MethodNotAllowed")),
        (None, _) => (document.get("x-outside-of-operations"), Some("#/components/responses/UnknownPath")),
    };
    let responses = responses.and_then(Value::as_object).into_iter().flatten();
    let listed = responses
        .filter(|(_, response)| kind.is_none_or(|kind| response.get("$ref").and_then(Value::as_str) == Some(kind)));
    listed.map(|(status, _)| status.clone()).collect()
}

/// The text of a response's body.
pub fn text_of(response: Response<Body>) -> String {
    let Ok(body) = block_on(response.into_body().collect());
    String::from_utf8_lossy(&body.to_bytes()).into_owned()
}

/// For callers with [`SIGNER`] or [`TOKEN`] only, at 2026-01-02 03:04:05 UTC.
fn guarded() -> ReleaseService<Memory, (Tokens, AkSk)> {
    let aksk = AkSk::new(|| 1_767_323_045).key(SIGNER.access, SIGNER.secret, Caller::of_every_mesh());
    ReleaseService::new(Memory::default(), (Tokens::new([(TOKEN, Caller::of_every_mesh())]), aksk))
}

/// With one task, `mesh-1/shop/r1`.
fn filled(memory: Memory) -> ReleaseService<Memory, Unauthenticated> {
    let service = ReleaseService::new(memory, Unauthenticated);
    let body = r#"{"metadata":{"name":"cart-v2"},"spec":{"serviceName":"cart","originalVersion":"v1","version":"v2"}}"#;
    let mut request = Request::new(body.to_owned());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static("/v2/meshes/mesh-1/namespaces/shop/releases");
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    let _ = block_on(service.answer(request));
    service
}

fn read_request(text: &[u8]) -> Option<Request<Body>> {
    let (head, body) = match text.windows(2).position(|pair| pair == b"\n\n") {
        Some(end) => (text.get(..end)?, text.get(end + 2..)?),
        None => (text, &[][..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = lines.next()?;
    let space = first.iter().position(|byte| *byte == b' ')?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(line.get(..colon)?).ok()?;
        headers.append(name, HeaderValue::from_bytes(line.get(colon + 1..)?.trim_ascii()).ok()?);
    }
    let mut request = Request::new(Body::from(body.to_vec()));
    *request.method_mut() = Method::from_bytes(first.get(..space)?).ok()?;
    *request.uri_mut() = Uri::try_from(first.get(space + 1..)?).ok()?;
    *request.headers_mut() = headers;
    Some(request)
}

fn without_spaces(value: &HeaderValue) -> Vec<u8> {
    value.as_bytes().iter().copied().filter(|byte| *byte != b' ').collect()
}
