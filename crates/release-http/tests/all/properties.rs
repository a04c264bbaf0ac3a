//! The properties that the fuzz targets call, on generated input and on the fuzzers' seeds.

use crate::support::{CREATE, RELEASES};
use http::{Method, Request, Response};
use proptest::prelude::*;
use release_core::{Action, ReleaseKey};
use release_http::{Body, Call, Codes, properties};
use std::fmt::{Debug, Write as _};
use std::path::Path;

fn holds<T>(result: Result<T, String>) -> Result<T, TestCaseError> {
    result.map_err(TestCaseError::fail)
}

/// Text that is nearly a request: each part is mostly right and sometimes anything.
fn nearly_a_request() -> impl Strategy<Value = Vec<u8>> {
    let method = prop_oneof![8 => prop::sample::select(vec!["DELETE", "GET", "PUT", "POST"]).prop_map(String::from), 1 => "[A-Za-z]{1,7}"];
    let segment = prop_oneof![
        8 => prop::sample::select(vec![
            "v2", "meshes", "mesh-1", "namespaces", "shop", "releases", "r1", "plan", "policy", "reopen", "%72%31", "",
        ]).prop_map(String::from),
        1 => "[!-~]{0,5}",
    ];
    let right = prop::sample::select(vec![
        "/v2/meshes/mesh-1/releases",
        RELEASES,
        "/v2/meshes/mesh-1/namespaces/shop/releases/r1",
        "/v2/meshes/mesh-1/namespaces/shop/releases/r1/plan",
        "/v2/meshes/mesh-1/namespaces/shop/releases/r1/policy",
        "/v2/meshes/mesh-1/namespaces/shop/releases/r1/reopen",
        "/v2/meshes/m%zz/releases",
    ])
    .prop_map(String::from);
    let path = prop_oneof![
        4 => right,
        1 => prop::collection::vec(segment, 0..9).prop_map(|segments| format!("/{}", segments.join("/"))),
    ];
    let query = prop::sample::select(vec![
        "",
        "",
        "?action=cancel",
        "?action=end",
        "?action=x",
        "?action=end&action=end",
        "?a=%f",
    ]);
    let kind = prop::sample::select(vec![
        "Content-Type: application/json\n",
        "Content-Type: application/json\n",
        "content-type: text/plain\n",
        "",
        "Content-Type: application/json; charset=UTF-8\nX-Request-Id: a b\n",
        "Content-Type: application/json\nX-Auth-Token: a-token\n",
        "Content-Type: application/json\nX-Auth-Token: another\n",
    ]);
    let body = prop_oneof![
        Just(String::new()),
        Just("{}".into()),
        Just(CREATE.into()),
        Just(r#"{"weighted":{"grayscale":5}}"#.into()),
        Just(r#"{"spec":{"imageVersion":"1"}}"#.into()),
        ".{0,40}",
        "[{}\\[\\]\":,a-z0-9]{0,600}",
    ];
    (method, path, query, kind, body)
        .prop_map(|(method, path, query, kind, body)| format!("{method} {path}{query}\n{kind}\n{body}").into_bytes())
}

proptest! {
    #[test]
    fn nearly_any_request_gets_a_documented_answer(text in nearly_a_request()) {
        holds(properties::any_request_gets_a_documented_answer(&text))?;
    }

    #[test]
    fn any_bytes_get_a_documented_answer(text in prop::collection::vec(any::<u8>(), 0..300)) {
        holds(properties::any_request_gets_a_documented_answer(&text))?;
    }

    #[test]
    fn any_other_authorization_is_refused(
        value in "SDK-HMAC-SHA256 Access=access, ?SignedHeaders=[a-z;-]{0,40}, Signature=[0-9a-f]{60,66}|.{0,60}",
    ) {
        holds(properties::any_other_authorization_is_refused(value.as_bytes()))?;
    }

    #[test]
    fn any_create_body_is_understood_or_refused(at in 0..CREATE.len(), with in "[{}\\[\\]\":,a-z0-9]{0,6}") {
        let (start, end) = CREATE.split_at(at);
        let body = format!("{start}{with}{}", end.get(with.len()..).unwrap_or_default());
        holds(properties::any_create_body_is_understood_or_refused(body.as_bytes()))?;
    }

    #[test]
    fn a_key_and_an_action_come_back(
        mesh in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
        namespace in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        id in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
        end in any::<bool>(),
        escaped in any::<bool>(),
    ) {
        let key = ReleaseKey::parse(&mesh, &namespace, &id).unwrap();
        let action = if end { Action::End } else { Action::Cancel };
        let write = |part: &str| {
            let escape = |text: String, byte| text + &format!("%{byte:02X}");
            if escaped { part.bytes().fold(String::new(), escape) } else { part.to_owned() }
        };
        let target = format!(
            "/v2/meshes/{}/namespaces/{}/releases/{}?action={}",
            write(&mesh), write(&namespace), write(&id), write(&action.to_string()),
        );
        let asked = Request::delete(target).header("content-type", "application/json").body(()).unwrap();
        prop_assert_eq!(Call::parse(&asked.into_parts().0, b""), Ok(Call::Delete(key, action)));
    }
}

/// What each seed is answered with: a property that looked at nothing would answer nothing.
#[test]
fn the_seeds_of_the_fuzzers_hold_and_reach_what_they_are_for() {
    let mut shown = String::new();
    let mut seeds = |target: &str, property: fn(&[u8]) -> Result<String, String>| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
        let mut seeds: Vec<_> = std::fs::read_dir(folder).unwrap().map(|seed| seed.unwrap().path()).collect();
        seeds.sort();
        for seed in seeds {
            let name = seed.file_name().unwrap().to_string_lossy().into_owned();
            let answered = property(&std::fs::read(&seed).unwrap()).unwrap_or_else(|why| panic!("{name}: {why}"));
            writeln!(shown, "{target}/{name}: {answered}").unwrap();
        }
    };
    seeds("http_request", |text| properties::any_request_gets_a_documented_answer(text).map(|all| format!("{all:?}")));
    seeds("http_authorization", |value| {
        properties::any_other_authorization_is_refused(value).map(|status| format!("{status:?}"))
    });
    seeds("http_create", |body| properties::any_create_body_is_understood_or_refused(body).map(|one| one.to_string()));
    insta::assert_snapshot!(shown);
}

#[test]
fn what_is_no_request_is_left_out() {
    assert_eq!(properties::any_request_gets_a_documented_answer(b"GET"), Ok(vec![]));
    assert_eq!(properties::any_other_authorization_is_refused(b"\n"), Ok(None));
}

#[track_caller]
fn broken<T: Debug>(result: Result<T, String>, why: &str) {
    let said = result.unwrap_err();
    assert!(said.contains(why), "{said}");
}

/// A property that no service breaks says nothing: each is broken here by one that is wrong in one way.
#[test]
fn a_wrong_service_breaks_each_property() {
    let reply = |status: u16, body: &str| {
        let response = Response::builder().status(status);
        let response = response.header("x-request-id", "1").header("content-type", "application/json");
        let response = response.header("cache-control", "no-store").header("location", "/");
        let challenge = if status == 401 { response.header("www-authenticate", "X-Auth-Token") } else { response };
        challenge.body(Body::from(body.to_owned())).unwrap()
    };
    let request =
        b"DELETE /v2/meshes/mesh-1/namespaces/shop/releases/r1?action=end\ncontent-type: application/json\n\n{}";
    let answered = |status| {
        properties::request_gets_a_documented_answer(request, Codes::Newer, |asked| {
            assert_eq!((asked.method(), asked.uri().query()), (&Method::DELETE, Some("action=end")));
            assert_eq!(asked.headers().get("content-type").unwrap(), "application/json");
            assert_eq!(properties::text_of(Response::new(asked.into_body())), "{}");
            reply(status, "")
        })
    };
    assert_eq!(answered(200), Ok(Some(200)));
    broken(answered(204), "the status is not listed");

    let other = |value: &[u8], status, body| {
        properties::other_authorization_is_refused(value, |asked| {
            assert_eq!(asked.headers().get("authorization").unwrap().as_bytes(), value);
            reply(status, body)
        })
    };
    assert_eq!(other(b"anything", 401, ""), Ok(Some(401)));
    broken(other(b"anything", 404, ""), "got 404");
    broken(other(b"anything", 401, "wrong: a-token"), "shows a secret");
    broken(other(b"anything", 401, "wrong: the-secret-key"), "shows a secret");
    let signed = properties::signed_delete().unwrap();
    let right = signed.headers().get("authorization").unwrap().to_str().unwrap();
    let spaced = right.replace(", ", " ,  ");
    assert_eq!(other(right.as_bytes(), 404, ""), Ok(Some(404)));
    assert_eq!(other(spaced.as_bytes(), 404, ""), Ok(Some(404)));
    assert_eq!(other(spaced.as_bytes(), 401, ""), Ok(Some(401)));
    broken(other(right.as_bytes(), 401, ""), "got 401");

    let created = |asked: &str, status, body: &str| {
        properties::create_body_is_understood_or_refused(asked.as_bytes(), |_| reply(status, body))
    };
    let release = CREATE.replacen('{', r#"{"kind":"Release","#, 1);
    assert_eq!(created(CREATE, 201, &release), Ok(201));
    broken(created(CREATE, 201, CREATE), "not the JSON of its kind");
    broken(created(CREATE, 201, &release.replace("cart-v2", "cart-v3")), "/metadata/name");
    broken(created("{", 201, CREATE), "not JSON, yet created");
    broken(created(CREATE, 418, "{}"), "the status is not listed");
}

/// A checker that accepts everything would make every property hold.
#[test]
fn the_checker_finds_what_is_wrong_with_an_answer() {
    const GOOD: &str = r#"{"errorCode":"ASM.01010001","errorMsg":"Invalid request. No."}"#;
    let delete = format!("{RELEASES}/r1");
    let verdict = |method: &Method, path: &str, status: u16, headers: &[(&str, &str)], body: &str| {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(Body::from(body.to_owned())).unwrap();
        properties::answer_is_documented(method, path, Codes::Newer, response)
    };
    let plain = [("x-request-id", "1"), ("content-type", "application/json"), ("cache-control", "no-store")];
    let on_delete =
        |status, headers: &[(&str, &str)], body: &str| verdict(&Method::DELETE, &delete, status, headers, body);
    assert_eq!(on_delete(400, &plain, GOOD), Ok(()));
    let forbidden = GOOD.replace("ASM.01010001", "ASM.01000002").replace("Invalid request.", "Forbidden.");
    assert_eq!(on_delete(403, &plain, &forbidden), Ok(()));
    assert_eq!(on_delete(200, &plain, ""), Ok(()));
    let unauthenticated =
        GOOD.replace("ASM.01010001", "ASM.01000001").replace("Invalid request.", "Authenticate error.");
    let challenged = [plain[0], plain[1], plain[2], ("www-authenticate", "X-Auth-Token")];
    assert_eq!(on_delete(401, &challenged, &unauthenticated), Ok(()));
    let get = |path: &str, headers: &[(&str, &str)], body: &str| verdict(&Method::GET, path, 200, headers, body);
    let preview = format!("{delete}/plan");
    for (path, right) in
        [(&*delete, "Release"), ("/v2/meshes/mesh-1/releases", "ReleaseList"), (&*preview, "ReleasePlan")]
    {
        for kind in ["Release", "ReleaseList", "ReleasePlan"] {
            let body = format!(r#"{{"kind":"{kind}"}}"#);
            assert_eq!(get(path, &plain, &body).is_ok(), kind == right, "{path} {kind}");
        }
    }
    // The longest that may be, and one more.
    let with_id = |length| on_delete(400, &[("x-request-id", &"x".repeat(length)), plain[1], plain[2]], GOOD);
    let with_message =
        |length| on_delete(400, &plain, &GOOD.replace("No.", &"x".repeat(length - "Invalid request. ".len())));
    assert_eq!((with_id(64), with_message(4096)), (Ok(()), Ok(())));
    for (wrong, why) in [
        (on_delete(418, &plain, GOOD), "the status is not listed"),
        (on_delete(409, &plain, GOOD), "the status is not listed"),
        (on_delete(400, &plain[1..], GOOD), "no X-Request-Id"),
        (with_id(65), "no X-Request-Id"),
        (on_delete(400, &[("x-request-id", ""), plain[1], plain[2]], GOOD), "no X-Request-Id"),
        (on_delete(200, &plain[..2], ""), "a cache may keep it"),
        (verdict(&Method::POST, RELEASES, 201, &plain, r#"{"kind":"Release"}"#), "no Location"),
        (on_delete(200, &plain, "{}"), "not empty"),
        (on_delete(400, &plain, ""), "not the published one"),
        (on_delete(400, &plain, &GOOD.replace("ASM.01010001", "ASM.01400001")), "not the published one"),
        (on_delete(400, &plain, &GOOD.replace("Invalid", "Wrong")), "not the published one"),
        (on_delete(404, &plain, GOOD), "not the published one"),
        (on_delete(400, &[plain[0], plain[2]], GOOD), "not the published one"),
        (on_delete(400, &plain, &GOOD.replace("No.", "N\\no.")), "not printable or very long"),
        (with_message(4097), "not printable or very long"),
        (on_delete(401, &plain, &unauthenticated), "a header is missing"),
        (
            on_delete(401, &challenged, &unauthenticated.replace("Authenticate error", "Authorization failed")),
            "not the published one",
        ),
        (get(&delete, &plain, ""), "not the JSON of its kind"),
        (get(&delete, &plain, "{}"), "not the JSON of its kind"),
        (get(&delete, &[plain[0], plain[2]], r#"{"kind":"Release"}"#), "not the JSON of its kind"),
        (verdict(&Method::PATCH, &delete, 405, &plain, GOOD), "a header is missing"),
    ] {
        let said = wrong.unwrap_err();
        assert!(said.ends_with(why), "{said}");
    }
}
