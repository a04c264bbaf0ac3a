//! Who is let in with a token.

use crate::support::{RELEASES, refusal, request, told};
use http::Request;
use release_http::testkit::{Memory, block_on};
use release_http::{Authenticate as _, Caller, ReleaseService, Tokens};

fn service() -> ReleaseService<Memory, Tokens> {
    ReleaseService::new(
        Memory::default(),
        Tokens::new([
            ("first-token", Caller::of_every_mesh()),
            ("second-token", Caller::of_meshes(["mesh-1".parse().unwrap(), "mesh-3".parse().unwrap()])),
            ("", Caller::of_every_mesh()),
        ]),
    )
}

fn with_tokens(mesh: &str, tokens: &[&str]) -> Request<String> {
    let mut asked = request("GET", &format!("/v2/meshes/{mesh}/releases"), "");
    for token in tokens {
        asked.headers_mut().append("x-auth-token", token.parse().unwrap());
    }
    asked
}

#[test]
fn each_of_several_tokens_opens_its_own_meshes() {
    for (mesh, token, status) in [
        ("mesh-1", "first-token", 200),
        ("mesh-2", "first-token", 200),
        ("mesh-1", "second-token", 200),
        ("mesh-2", "second-token", 403),
        ("mesh-3", "second-token", 200),
        ("mesh-1", "third-token", 401),
        ("mesh-1", "first-toke", 401),
        ("mesh-1", "first-token ", 401),
        ("mesh-1", "first-token2", 401),
        ("mesh-1", "First-token", 401),
        ("mesh-1", "", 401),
    ] {
        assert_eq!(told(&service(), with_tokens(mesh, &[token])).0, status, "{mesh} {token}");
    }
}

#[test]
fn a_token_has_the_name_of_its_caller() {
    let tokens = Tokens::new([
        ("first-token", Caller::of_every_mesh().named("console")),
        ("second-token", Caller::of_meshes(["mesh-1".parse().unwrap()]).named("pipeline")),
        ("third-token", Caller::of_every_mesh()),
    ]);
    for (token, name) in [("first-token", Some("console")), ("second-token", Some("pipeline")), ("third-token", None)] {
        let (head, _) = with_tokens("mesh-1", &[token]).into_parts();
        let caller = block_on(tokens.authenticate(&head, b"")).unwrap();
        assert_eq!(caller.name(), name);
        assert_eq!(caller.may_touch_every_mesh(), token != "second-token");
    }
}

#[test]
fn what_is_said_names_no_token() {
    let said = refusal(&service(), with_tokens("mesh-1", &[]));
    assert_eq!(said, "401 Authenticate error. The request has no credentials: set X-Auth-Token to a token.");
    let said = refusal(&service(), with_tokens("mesh-1", &["guess"]));
    assert_eq!(said, "401 Authenticate error. The token in X-Auth-Token is not valid: get a new one.");
    let said = refusal(&service(), with_tokens("mesh-1", &["first-token", "first-token"]));
    assert_eq!(said, "401 Authenticate error. X-Auth-Token is given more than once: give it exactly once.");
    let said = refusal(&service(), with_tokens("mesh-2", &["second-token"]));
    assert_eq!(said, "403 Forbidden. The caller may not touch the mesh mesh-2: use credentials for it.");
    let shown = format!("{:?}", service());
    assert!(shown.contains("Tokens(2)") && !shown.contains("-token"), "{shown}");
}

#[test]
fn without_credentials_nothing_is_said_about_the_request() {
    // Not even that the content type is missing, the mesh id malformed or the body wrong.
    for (method, target) in [("DELETE", format!("{RELEASES}/r1")), ("GET", "/v2/meshes/%00/releases".to_owned())] {
        let mut asked = request(method, &target, "nonsense");
        asked.headers_mut().remove("content-type");
        assert_eq!(told(&service(), asked).0, 401);
    }
    // Paths and methods are no secret.
    assert_eq!(told(&service(), request("GET", "/v2", "")).0, 404);
    assert_eq!(told(&service(), request("PUT", RELEASES, "")).0, 405);
}
