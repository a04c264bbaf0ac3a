//! Every error body, in both generations of codes.

use crate::support::{CREATE, Failing, RELEASES, ask, one_of_each, request};
use http::Request;
use proptest::prelude::*;
use release_core::{Action, Error, ErrorKind, Note, ParseError, Phase, ReleaseId, ReleaseKey, Stage, Version};
use release_http::testkit::Memory;
use release_http::{Caller, Codes, Failure, ReleaseService, Tokens, Unauthenticated, properties};
use std::fmt::Write as _;

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
                if let Some(value) = response.headers().get(name) {
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
