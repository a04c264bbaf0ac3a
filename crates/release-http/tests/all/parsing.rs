//! What a request may look like, and what is said about any other.

use crate::support::{CREATE, RELEASES, ask, refusal, request, service, told};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use release_core::Action;
use release_http::testkit::block_on;
use release_http::{Call, Codes, Operation, Problem, ProblemKind};
use std::fmt::Write as _;

fn parse(method: &str, target: &str, body: &str) -> Result<Call, Problem> {
    let (head, body) = request(method, target, body).into_parts();
    Call::parse(&head, body.as_bytes())
}

#[test]
fn what_is_said_about_paths_and_queries() {
    let mut shown = String::new();
    for target in [
        "/mesh%20x/namespaces/shop/releases/r1?action=end",
        "/mesh-1/namespaces/Shop/releases/r1?action=end",
        "/mesh-1/namespaces/shop/releases/?action=end",
        "//namespaces/shop/releases/r1?action=end",
        "/mesh-1/namespaces/shop/releases/r%2F1?action=end",
        "/mesh-1/namespaces/shop/releases/r%0A1?action=end",
        "/mesh-1/namespaces/shop/releases/r%?action=end",
        "/mesh-1/namespaces/shop/releases/r%4?action=end",
        "/mesh-1/namespaces/shop/releases/r%zz?action=end",
        "/mesh-1/namespaces/shop/releases/%ff?action=end",
        "/mesh-1/namespaces/shop/releases/%2541?action=end",
        "/mesh-1/namespaces/shop/releases/..?action=end",
        "/mesh-1/namespaces/shop/releases/r1",
        "/mesh-1/namespaces/shop/releases/r1?",
        "/mesh-1/namespaces/shop/releases/r1?action",
        "/mesh-1/namespaces/shop/releases/r1?action=",
        "/mesh-1/namespaces/shop/releases/r1?action=END",
        "/mesh-1/namespaces/shop/releases/r1?action=cancel%20",
        "/mesh-1/namespaces/shop/releases/r1?action=%e2%80%aeend",
        "/mesh-1/namespaces/shop/releases/r1?action=%ff",
        "/mesh-1/namespaces/shop/releases/r1?action=end&action=end",
        "/mesh-1/namespaces/shop/releases/r1?action=cancel&action=end",
        "/mesh-1/namespaces/shop/releases/r1?action=end&",
        "/mesh-1/namespaces/shop/releases/r1?Action=end",
        "/mesh-1/namespaces/shop/releases/r1?action=end&X-Auth-Token=secret",
        "/mesh-1/namespaces/shop/releases/r1?%=1",
    ] {
        let said = parse("DELETE", &format!("/v2/meshes{target}"), "").unwrap_err();
        assert_eq!(said.kind(), ProblemKind::Invalid);
        writeln!(shown, "{target}\n  {said}").unwrap();
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn an_escaped_letter_is_that_letter() {
    let call = parse("DELETE", "/v2/meshes/%6desh-1/namespaces/sho%70/releases/r%31?%61ction=e%6Ed", "").unwrap();
    let Call::Delete(key, Action::End) = call else { panic!("{call:?}") };
    assert_eq!(key.to_string(), "mesh-1/shop/r1");
}

#[test]
fn what_is_said_about_bodies() {
    let create = |body: &str| ("POST", RELEASES.to_owned(), body.to_owned());
    let policy = |body: &str| ("PUT", format!("{RELEASES}/r1/policy"), body.to_owned());
    let update = |body: &str| ("PUT", format!("{RELEASES}/r1"), body.to_owned());
    let with = |from: &str, to: &str| create(&CREATE.replacen(from, to, 1));
    let mut shown = String::new();
    for (method, target, body) in [
        create(""),
        create("{"),
        create("[]"),
        create("{}"),
        create(&format!("{CREATE}{CREATE}")),
        create(r#"[null,null,{"name":"cart-v2"},{"serviceName":"cart","originalVersion":"v1","version":"v2"}]"#),
        with("{\"name\":\"cart-v2\"}", "[null,\"cart-v2\",null,null]"),
        with("\"metadata\":{", "\"status\":{},\"metadata\":{"),
        with("\"metadata\":{", "\"kind\":\"Pod\",\"metadata\":{"),
        with("\"metadata\":{", "\"apiVersion\":\"asm/v1\",\"metadata\":{"),
        with("\"name\":", "\"labels\":{},\"name\":"),
        with("\"name\":", "\"name\":\"cart-v2\",\"name\":"),
        with("\"name\":", "\"meshID\":\"mesh-2\",\"name\":"),
        with("\"name\":", "\"namespace\":\"bar\",\"name\":"),
        with("\"name\":", "\"meshID\":null,\"name\":"),
        with("\"v2\"", "\"v2\",\"type\":{\"canary\":null}"),
        with("\"cart-v2\"", "3"),
        with("\"cart-v2\"", "\"CV2\""),
        with("\"cart\"", "null"),
        with("\"cart\"", "\"a\\u0000b\""),
        with("\"v2\"", "\"v1\""),
        with("\"v2\"", "\"v2\",\"type\":\"bluegreen\""),
        with("\"v2\"", "\"v2\",\"clusterID\":\"a b\""),
        with("\"v2\"", &format!("\"v2\",\"{}\":1", "x".repeat(2000))),
        update("{\"spec\":{}}"),
        update("{\"spec\":{\"imageVersion\":\"a:b\"}}"),
        update("{\"kind\":\"Pod\",\"spec\":{\"imageVersion\":\"1\"}}"),
        update("{\"metadata\":{\"meshID\":\"mesh-2\"},\"spec\":{\"imageVersion\":\"1\"}}"),
        update("{\"metadata\":{\"namespace\":\"bar\"},\"spec\":{\"imageVersion\":\"1\"}}"),
        create("7"),
        with("{\"name\":\"cart-v2\"}", "7"),
        update("{\"spec\":{\"imageVersion\":\"1\",\"imageVersion\":\"1\"}}"),
        policy("{}"),
        policy("[]"),
        policy("7"),
        policy("\"exclusive\""),
        policy("{\"share\":20}"),
        policy("{\"exclusive\":\"original\",\"exclusive\":\"original\"}"),
        policy("{\"weighted\":20}"),
        policy("{\"content\":{}}"),
        policy("{\"content\":[{\"browser\":\"chrome\"}]}"),
        policy("{\"content\":[[{}]]}"),
        policy("{\"content\":[[{\"browser\":\"chrome\",\"operatingSystem\":\"ios\"}]]}"),
        policy("{\"content\":[[{\"query\":{\"name\":\"x\",\"value\":\"1\"}}]]}"),
        policy("{\"content\":[[{\"query\":{\"name\":\"x\",\"value\":{}}}]]}"),
        policy("{\"content\":[[{\"query\":{\"name\":\"x\",\"value\":{\"exact\":\"1\",\"regex\":\"1\"}}}]]}"),
        policy("{\"weighted\":{\"grayscale\":101}}"),
        policy("{\"weighted\":{\"grayscale\":20,\"original\":80}}"),
        policy("{\"weighted\":{\"grayscale\":20},\"exclusive\":\"original\"}"),
        policy("{\"exclusive\":\"both\"}"),
        policy("{\"weighted\":[20]}"),
        policy("{\"exclusive\":{\"original\":null}}"),
        policy("{\"content\":[[{\"header\":[\"x\",{\"exact\":\"1\"}]}]]}"),
        policy("{\"content\":[[]]}"),
        policy("{\"content\":[[{\"header\":{\"name\":\"x\",\"value\":{\"regex\":\"(\"}}}]]}"),
        ("DELETE", format!("{RELEASES}/r1?action=end"), "{\"action\":\"end\"}".to_owned()),
        ("GET", format!("{RELEASES}/r1"), "[]".to_owned()),
    ] {
        let said = refusal(&service(), request(method, &target, &body));
        assert!(said.starts_with("400 ") && said.len() < 1200, "{body}: {said}");
        let body = if body.len() > 200 { format!("{}…", &body[..200]) } else { body };
        writeln!(shown, "{method} {body}\n  {said}").unwrap();
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn what_is_ignored_may_be_anything() {
    for uid in ["null", "7", "\"x\"", "[[1],{\"a\":[]}]", "{\"a\":[{}]}"] {
        let body = CREATE.replacen("\"name\":", &format!("\"uid\":{uid},\"name\":"), 1);
        assert_eq!(told(&service(), request("POST", RELEASES, &body)).0, 201, "{body}");
    }
}

#[test]
fn operations_without_a_body_take_none_or_an_empty_object() {
    for (method, target) in [
        ("GET", "/v2/meshes/mesh-1/releases".to_owned()),
        ("GET", format!("{RELEASES}/r1")),
        ("DELETE", format!("{RELEASES}/r1?action=end")),
        ("POST", format!("{RELEASES}/r1/reopen")),
        ("GET", format!("{RELEASES}/r1/plan?action=end")),
    ] {
        for body in ["", "{}", " { } \n"] {
            assert!(parse(method, &target, body).is_ok(), "{method} {target} {body:?}");
        }
        assert!(parse(method, &target, "{\"x\":1}").is_err(), "{method} {target}");
    }
}

#[test]
fn operations_without_a_parameter_refuse_any() {
    for (method, target, body) in crate::support::one_of_each() {
        let call = parse(method, &target, body).unwrap();
        let more = if target.contains('?') { "&limit=10" } else { "?limit=10" };
        let said = parse(method, &format!("{target}{more}"), body).unwrap_err().to_string();
        let has_action = matches!(call.operation(), Operation::Delete | Operation::Preview);
        let rule = if has_action { "has one query parameter, action" } else { "has no query parameters" };
        assert!(said.contains("\"limit\"") && said.contains(rule), "{method} {target}: {said}");
    }
}

#[test]
fn each_request_is_the_call_it_looks_like() {
    let calls: Vec<Operation> = crate::support::one_of_each()
        .into_iter()
        .map(|(method, target, body)| parse(method, &target, body).unwrap().operation())
        .collect();
    assert_eq!(calls, Operation::ALL);
}

#[test]
fn the_content_type_is_mandatory_but_on_a_get() {
    for (method, target, body) in crate::support::one_of_each() {
        let mut asked = request(method, &target, body);
        asked.headers_mut().remove("content-type");
        if method == "GET" {
            let (head, body) = asked.into_parts();
            assert!(Call::parse(&head, body.as_bytes()).is_ok(), "{target}");
            continue;
        }
        let said = refusal(&service(), asked);
        assert_eq!(
            said,
            "400 Invalid request. The header Content-Type is missing: \
             set it to application/json or application/json;charset=utf-8."
        );
    }
    let mut asked = request("GET", "/v2/meshes/mesh-1/releases", "");
    asked.headers_mut().insert("content-type", "text/secret".parse().unwrap());
    let said = refusal(&service(), asked);
    assert!(said.contains("not supported") && !said.contains("secret"), "{said}");
    let mut asked = request("GET", "/v2/meshes/mesh-1/releases", "");
    asked.headers_mut().append("content-type", "application/json".parse().unwrap());
    assert!(refusal(&service(), asked).contains("more than once"));
}

#[test]
fn the_body_limit_is_the_longest_body_that_is_read() {
    let length = CREATE.len();
    let at = service().body_limit(length);
    assert_eq!(told(&at, request("POST", RELEASES, CREATE)).0, 201);
    let below = service().body_limit(length - 1);
    assert!(refusal(&below, request("POST", RELEASES, CREATE)).starts_with("413 Invalid request. The body is longer"));
    let none = service().body_limit(0);
    assert_eq!(told(&none, request("GET", "/v2/meshes/mesh-1/releases", "")).0, 200);
}

#[test]
fn the_default_limit_is_64_kib() {
    let fits = format!("{CREATE}{}", " ".repeat(64 * 1024 - CREATE.len()));
    assert_eq!(told(&service(), request("POST", RELEASES, &fits)).0, 201);
    assert_eq!(told(&service(), request("POST", RELEASES, &format!("{fits} "))).0, 413);
}

/// A body that does not say how long it is, or ends in an error.
struct Chunks<E>(Vec<Result<&'static [u8], E>>);

impl<E: Unpin> http_body::Body for Chunks<E> {
    type Data = Bytes;
    type Error = E;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, E>>> {
        let next = (!self.0.is_empty()).then(|| self.0.remove(0));
        std::task::Poll::Ready(next.map(|next| next.map(|data| http_body::Frame::data(Bytes::from_static(data)))))
    }
}

fn send(chunks: Vec<Result<&'static [u8], &'static str>>) -> (u16, String) {
    send_body(Chunks(chunks))
}

fn send_body<B>(body: B) -> (u16, String)
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let asked = request("POST", RELEASES, "").map(|_| body);
    let (head, body) = block_on(service().body_limit(400).answer(asked)).into_parts();
    let body = block_on(body.collect()).unwrap().to_bytes();
    (head.status.as_u16(), String::from_utf8_lossy(&body).into_owned())
}

#[test]
fn a_body_of_unknown_length_is_read_up_to_the_limit() {
    let (start, end) = CREATE.as_bytes().split_at(20);
    assert_eq!(send(vec![Ok(start), Ok(end)]).0, 201);
    let (status, said) = send(vec![Ok(&[b' '; 399]), Ok(b"  ")]);
    assert_eq!(status, 413);
    assert!(said.contains("the limit of 400 bytes"), "{said}");
    let (status, said) = send(vec![Ok(start), Err("reset")]);
    assert_eq!(status, 400);
    assert!(said.contains("ended before it was complete"), "{said}");
}

#[test]
fn a_body_that_says_why_it_failed_is_refused_for_that() {
    let body = || Chunks(vec![Ok(b"{"), Err(Problem::new(ProblemKind::Invalid, "It is too slow."))]);
    let expected = (400, r#"{"errorCode":"ASM.01010001","errorMsg":"Invalid request. It is too slow."}"#.to_owned());
    assert_eq!(send_body(body()), expected);
    // axum wraps the error of a body in its own.
    assert_eq!(send_body(axum::body::Body::new(body())), expected);
}

#[test]
fn a_limit_around_the_service_is_a_limit() {
    let limited = http_body_util::Limited::new(CREATE.to_owned(), 9);
    // axum wraps the error of a body in its own.
    let asked = request("POST", RELEASES, "").map(|_| axum::body::Body::new(limited));
    assert_eq!(block_on(service().answer(asked)).status(), 413);
}

#[test]
fn another_kind_of_body_will_do() {
    let asked = request("GET", "/v2/meshes/mesh-1/releases", "").map(|_| Empty::<Bytes>::new());
    assert_eq!(block_on(service().answer(asked)).status(), 200);
}

#[test]
fn the_request_id_is_taken_over() {
    let response = ask(&service(), request("GET", "/v2/meshes/mesh-1/releases", ""));
    assert_eq!(response.headers()["x-request-id"], "test-1");
    let mut asked = request("GET", "/nowhere", "");
    asked.headers_mut().insert("x-request-id", "not well formed".parse().unwrap());
    let response = ask(&service(), asked);
    assert_eq!(response.headers()["x-request-id"].len(), 32);
}

#[test]
fn an_answer_has_the_id_that_it_is_given() {
    for target in ["/v2/meshes/mesh-1/releases", "/nowhere"] {
        let (mut head, body) = request("GET", target, "").into_parts();
        let response = block_on(service().answer_as("given".parse().unwrap(), &mut head, body));
        assert_eq!(response.headers().get_all("x-request-id").iter().collect::<Vec<_>>(), ["given"]);
    }
}

#[test]
fn debug_says_how_it_is_set_up() {
    let shown = format!("{:?}", service().codes(Codes::Older).body_limit(7));
    assert_eq!(shown, "ReleaseService { authenticate: Unauthenticated, codes: Older, body_limit: 7, .. }");
}
