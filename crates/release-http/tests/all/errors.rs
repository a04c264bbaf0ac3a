//! Every error body, in both generations of codes.

use crate::support::{CREATE, Failing, RELEASES, ask, one_of_each, refusal, request};
use http::Request;
use http::request::Parts;
use proptest::prelude::*;
use release_core::{Action, Error, ErrorKind, Note, ParseError, Phase, ReleaseId, ReleaseKey, Stage, Version};
use release_http::testkit::{Memory, block_on};
use release_http::{
    AkSk, Answer, Api, Authenticate, Call, Caller, Codes, Denied, Failure, Operation, Problem, ReleaseService, Tokens,
    Unauthenticated, properties,
};
use std::fmt::Write as _;
use std::sync::Arc;

fn key() -> ReleaseKey {
    ReleaseKey::parse("mesh-1", "shop", "r1").unwrap()
}

/// An example of every error of the core, for people to read.
fn core_errors() -> Vec<Error> {
    let parse: ParseError = ReleaseId::try_from("no such id").unwrap_err();
    vec![
        parse.into(),
        Error::UnknownRelease(key().into()),
        Error::Closed { key: key().into(), action: Action::End },
        Error::NotRunning { phase: Phase::Deploying },
        Error::NotRunning { phase: Phase::Closing(Action::Cancel, Stage::Draining) },
        Error::EndBeforeReady,
        Error::CancelUnderWay,
        Error::PointOfNoReturn { action: Action::End },
        Error::TakeoverRequired { action: Action::Cancel, survivor: Version::Original, phase: Phase::Running },
        Error::SameVersion("v1".parse().unwrap()),
        Error::ReleaseExists(key().into()),
        Error::ServiceBusy { service: "cart".parse().unwrap(), by: key().into() },
    ]
}

fn failures() -> Vec<Failure> {
    let mut failures: Vec<Failure> = core_errors().into_iter().map(Failure::from).collect();
    let error = Error::Closed { key: key().into(), action: Action::Cancel };
    failures.push(Failure::Refused { error, closed_at: Some(Note::new("2026-01-01T00:00:00.25Z")) });
    let phase = Phase::Closing(Action::End, Stage::Draining);
    failures.push(Failure::NotFinished { action: Action::End, phase, reason: None });
    let reason = Some(Note::new("envoy-3 does not answer"));
    failures.push(Failure::NotFinished { action: Action::End, phase, reason });
    failures.push(Failure::Reopened { action: Action::End });
    failures.push(Failure::ShuttingDown);
    failures.push(Failure::Locked);
    failures.push(Failure::Internal);
    failures
}

#[test]
fn every_failure_of_a_create_in_both_generations() {
    // Of all operations a create can give the most: it alone gives 409.
    let mut shown = String::new();
    for failure in failures() {
        for codes in [Codes::Newer, Codes::Older] {
            let service = ReleaseService::new(Failing(failure.clone()), Unauthenticated).codes(codes);
            let response = ask(&service, request("POST", RELEASES, CREATE));
            let status = response.status();
            writeln!(shown, "{codes:?} {}\n  {}", status.as_u16(), properties::text_of(response)).unwrap();
        }
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn every_refusal_of_the_adapter_in_both_generations() {
    let delete = format!("{RELEASES}/r1?action=cancel");
    let with_token = |token: &str| {
        let mut request = request("DELETE", &delete, "");
        request.headers_mut().insert("x-auth-token", token.parse().unwrap());
        request
    };
    let requests: Vec<Request<String>> = vec![
        request("DELETE", "/v2/meshes", ""),
        request("PATCH", &delete, ""),
        request("DELETE", &delete, &" ".repeat(300)),
        request("DELETE", &delete, ""),
        with_token("wrong"),
        with_token("narrow"),
        with_token("wide"),
    ];
    let mut shown = String::new();
    for asked in &requests {
        for codes in [Codes::Newer, Codes::Older] {
            let tokens = Tokens::new([
                ("wide", Caller::of_every_mesh()),
                ("narrow", Caller::of_meshes(["mesh-2".parse().unwrap()])),
            ]);
            let service = ReleaseService::new(Memory::default(), tokens).codes(codes).body_limit(200);
            let response = ask(&service, asked.clone());
            writeln!(shown, "{codes:?} {}", response.status().as_u16()).unwrap();
            for name in ["allow", "www-authenticate"] {
                for value in response.headers().get_all(name) {
                    writeln!(shown, "  {name}: {}", value.to_str().unwrap()).unwrap();
                }
            }
            writeln!(shown, "  {}", properties::text_of(response)).unwrap();
        }
    }
    insta::assert_snapshot!(shown);
}

proptest! {
    #[test]
    fn on_a_delete_the_core_gives_400_or_404_and_nothing_else(error in any::<Error>(), codes in codes()) {
        let service = ReleaseService::new(Failing(error.clone().into()), Unauthenticated).codes(codes);
        let delete = request("DELETE", &format!("{RELEASES}/r1?action=end"), "");
        let (method, path) = (delete.method().clone(), delete.uri().path().to_owned());
        let response = ask(&service, delete);
        let expected = if error.kind() == ErrorKind::NotFound { 404 } else { 400 };
        prop_assert_eq!(response.status(), expected, "{}", error);
        prop_assert_eq!(properties::answer_is_documented(&method, &path, codes, response), Ok(()));
    }
}

fn codes() -> impl Strategy<Value = Codes> {
    prop::sample::select(vec![Codes::Newer, Codes::Older])
}

#[test]
fn every_failure_of_every_operation_is_documented() {
    for failure in failures() {
        for codes in [Codes::Newer, Codes::Older] {
            let service = ReleaseService::new(Failing(failure.clone()), Unauthenticated).codes(codes);
            for (method, target, body) in one_of_each() {
                let asked = request(method, &target, body);
                let (method, path) = (asked.method().clone(), asked.uri().path().to_owned());
                let response = ask(&service, asked);
                assert!(!response.status().is_success());
                properties::answer_is_documented(&method, &path, codes, response).unwrap();
            }
        }
    }
}

#[test]
fn only_a_create_says_that_something_exists_already() {
    let exists = core_errors().into_iter().find(|error| error.kind() == ErrorKind::Conflict).unwrap();
    let service = ReleaseService::new(Failing(exists.into()), Unauthenticated);
    for (method, target, body) in one_of_each() {
        let status = ask(&service, request(method, &target, body)).status();
        assert_eq!(status, if target == RELEASES { 409 } else { 400 }, "{method} {target}");
    }
}

/// Denies everybody for one reason.
struct Denies(Denied);

impl Authenticate for Denies {
    async fn authenticate(&self, _: &Parts, _: &[u8]) -> Result<Caller, Denied> {
        Err(self.0.clone())
    }
}

#[test]
fn a_caller_is_denied_with_the_status_that_says_why() {
    for (denied, codes, said) in [
        (
            Denied::Missing("set it".into()),
            Codes::Older,
            "401 Authorization failed. The request has no credentials: set it.",
        ),
        (Denied::Wrong("No.".into()), Codes::Newer, "401 Authenticate error. No."),
        (Denied::Forbidden("Ask for it.".into()), Codes::Newer, "403 Forbidden. Ask for it."),
        (
            Denied::Unavailable,
            Codes::Newer,
            "500 Internal error. The credentials could not be checked now: repeat the request later.",
        ),
    ] {
        let service = ReleaseService::new(Memory::default(), Denies(denied.clone())).codes(codes);
        assert_eq!(refusal(&service, request("GET", &format!("{RELEASES}/r1"), "")), said);
        // Of a pair, the second is asked only when there are no credentials of the first kind.
        let pair = ReleaseService::new(Memory::default(), (Denies(denied.clone()), Unauthenticated));
        let status = ask(&pair, request("GET", "/v2/meshes/mesh-1/releases", "")).status();
        assert_eq!(status == 200, matches!(denied, Denied::Missing(_)), "{denied:?}");
    }
}

#[test]
fn a_401_offers_what_the_service_takes() {
    fn offered(authenticate: impl Authenticate) -> Vec<String> {
        let service = ReleaseService::new(Memory::default(), authenticate);
        let response = ask(&service, request("GET", &format!("{RELEASES}/r1"), ""));
        assert_eq!(response.status(), 401);
        response.headers().get_all("www-authenticate").iter().map(|value| value.to_str().unwrap().into()).collect()
    }
    let tokens = || Tokens::new([("wide", Caller::of_every_mesh())]);
    let aksk = || AkSk::new(|| 0).key("access", "secret", Caller::of_every_mesh());
    let (token, signature) = ("X-Auth-Token", "SDK-HMAC-SHA256");
    assert_eq!(offered(tokens()), [token]);
    assert_eq!(offered(Arc::new(aksk())), [signature]);
    assert_eq!(offered((tokens(), aksk())), [token, signature]);
    // Who does not say offers what the API knows.
    assert_eq!(offered(Denies(Denied::Wrong("No.".into()))), [token, signature]);
    assert_eq!(offered((tokens(), Denies(Denied::Missing("set it".into())))), [token]);
}

/// Whoever calls the halves of the adapter can write every answer that the service gives.
#[test]
fn the_halves_write_the_same_answers_as_the_service() {
    let key = ReleaseKey::parse("mesh-1", "shop", "r1").unwrap();
    let by_hand = |response: http::Response<release_http::Body>| (response.status(), properties::text_of(response));
    let service = ReleaseService::new(Memory::default(), Unauthenticated);
    let created = ask(&service, request("POST", RELEASES, CREATE));
    assert_eq!(created.headers()["location"], format!("{RELEASES}/r1"));
    let memory = Memory::default();
    let Call::Create(new) = Call::parse(&request("POST", RELEASES, CREATE).into_parts().0, CREATE.as_bytes()).unwrap()
    else {
        panic!("it is no create")
    };
    let release = block_on(memory.create(*new)).unwrap();
    assert_eq!(by_hand(Answer::Created(release.clone()).into_response(Codes::Newer)), by_hand(created));
    let got = ask(&service, request("GET", &format!("{RELEASES}/r1"), ""));
    assert_eq!(by_hand(Answer::Release(release).into_response(Codes::Newer)), by_hand(got));
    let failing = ReleaseService::new(Failing(Error::UnknownRelease(key.clone().into()).into()), Unauthenticated);
    let problem = Problem::of_failure(Operation::Get, Error::UnknownRelease(key.into()).into());
    let got = ask(&failing, request("GET", &format!("{RELEASES}/r1"), ""));
    assert_eq!(by_hand(problem.into_response(Codes::Newer)), by_hand(got));
}
