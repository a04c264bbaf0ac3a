//! The OpenAPI document and the code say the same.

use crate::support::{CREATE, Failing, RELEASES, ask, one_of_each, request};
use http::Method;
use release_http::testkit::Memory;
use release_http::{Failure, OPENAPI, Operation, ReleaseService, Unauthenticated, properties};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// What a body of that status must be like, if there is to be one.
fn schema(operation: Operation, status: u16) -> Option<Value> {
    let document = document();
    let method = operation.method().as_str().to_lowercase();
    let response = &document["paths"][operation.path()][method]["responses"][status.to_string()];
    let response = match response["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => response,
    };
    assert!(response.is_object(), "{operation:?} does not list {status}");
    let schema = response.pointer("/content/application~1json/schema")?;
    Some(with_components(schema.clone()))
}

fn with_components(mut schema: Value) -> Value {
    schema["components"] = document()["components"].clone();
    schema
}

#[track_caller]
fn assert_fits(schema: &Value, body: &str) {
    let body: Value = serde_json::from_str(body).unwrap();
    let validator = jsonschema::draft202012::new(schema).unwrap();
    let complaints: Vec<String> = validator.iter_errors(&body).map(|error| error.to_string()).collect();
    assert!(complaints.is_empty(), "{body}\n{complaints:?}");
}

#[test]
fn its_operations_are_those_of_the_code() {
    let document = document();
    let listed: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(|method| (path.clone(), method.to_uppercase())))
        .collect();
    let coded: BTreeSet<(String, String)> =
        Operation::ALL.iter().map(|operation| (operation.path().to_owned(), operation.method().to_string())).collect();
    assert_eq!(listed, coded);
}

#[test]
fn its_parameters_are_those_of_the_paths() {
    let document = document();
    for operation in Operation::ALL {
        let method = operation.method().as_str().to_lowercase();
        let parameters = document["paths"][operation.path()][method]["parameters"].as_array().unwrap();
        let listed: BTreeSet<&str> = parameters
            .iter()
            .map(|parameter| parameter["$ref"].as_str().unwrap().rsplit('/').next().unwrap())
            .filter(|name| *name != "X-Request-Id")
            .collect();
        let mut expected: BTreeSet<&str> = operation.path().split(['{', '}']).skip(1).step_by(2).collect();
        if matches!(operation, Operation::Delete | Operation::Preview) {
            expected.insert("action");
        }
        assert_eq!(listed, expected, "{operation:?}");
    }
}

/// Every status of every operation, each brought about once, and its body held against the schema.
#[test]
fn every_listed_status_is_given_and_every_body_fits() {
    use release_core::{Error, ReleaseKey};
    use release_http::{Caller, Codes, Tokens};
    let key = || Box::new(ReleaseKey::parse("mesh-1", "shop", "r1").unwrap());
    let mut given: BTreeMap<Operation, BTreeSet<u16>> = BTreeMap::new();
    let mut note = |operation: Operation, response: http::Response<release_http::Body>| {
        let status = response.status().as_u16();
        let text = properties::text_of(response);
        match schema(operation, status) {
            Some(schema) => assert_fits(&schema, &text),
            None => assert_eq!(text, "", "{operation:?} {status}"),
        }
        given.entry(operation).or_default().insert(status);
    };
    for (operation, (method, target, body)) in Operation::ALL.into_iter().zip(one_of_each()) {
        let asked = || request(method, &target, body);
        let works = ReleaseService::new(Memory::default(), Unauthenticated);
        if operation != Operation::Create {
            assert_eq!(ask(&works, request("POST", RELEASES, CREATE)).status(), 201);
        }
        note(operation, ask(&works, asked()));
        let mut bare = asked();
        bare.headers_mut().clear();
        note(operation, ask(&works, bare));
        note(operation, ask(&works, request(method, &target, &" ".repeat(65 * 1024))));
        for failure in [
            Error::UnknownRelease(key()).into(),
            Error::ReleaseExists(key()).into(),
            Failure::Locked,
            Failure::Internal,
        ] {
            let fails = ReleaseService::new(Failing(failure), Unauthenticated).codes(Codes::Older);
            note(operation, ask(&fails, asked()));
        }
        let tokens = Tokens::new([("narrow", Caller::of_meshes([]))]);
        let guarded = ReleaseService::new(Memory::default(), tokens);
        note(operation, ask(&guarded, asked()));
        let mut narrow = asked();
        narrow.headers_mut().insert("x-auth-token", "narrow".parse().unwrap());
        note(operation, ask(&guarded, narrow));
    }
    for (operation, given) in given {
        let listed = properties::documented_statuses(&operation.method(), operation.path());
        let listed: BTreeSet<u16> = listed.iter().map(|status| status.parse().unwrap()).collect();
        assert_eq!(given, listed, "{operation:?}");
    }
}

#[test]
fn the_releases_of_every_phase_fit() {
    let path = |rest: &str| format!("{RELEASES}/r1{rest}");
    for memory in [Memory::default(), Memory::stalled()] {
        let service = ReleaseService::new(memory, Unauthenticated);
        let get = || properties::text_of(ask(&service, request("GET", &path(""), "")));
        let release = schema(Operation::Get, 200).unwrap();
        ask(&service, request("POST", RELEASES, CREATE));
        assert_fits(&release, &get());
        for policy in [
            r#"{"weighted":{"grayscale":20}}"#,
            r#"{"content":[[{"header":{"name":"x","value":{"exact":"1"}}},{"cookie":{"name":"y","value":{"regex":"a+"}}}],[{"query":{"name":"z","value":{"exact":"1"}}}],[{"operatingSystem":"macos"}],[{"browser":"internetExplorer"}]]}"#,
        ] {
            assert_fits(&with_components(json!({"$ref": "#/components/schemas/Policy"})), policy);
            ask(&service, request("PUT", &path("/policy"), policy));
            assert_fits(&release, &get());
        }
        ask(&service, request("DELETE", &path("?action=cancel"), ""));
        assert_fits(&release, &get());
    }
}

#[test]
fn the_schema_of_a_new_release_refuses_what_the_code_refuses() {
    let new_release = with_components(json!({"$ref": "#/components/schemas/NewRelease"}));
    let validator = jsonschema::draft202012::new(&new_release).unwrap();
    let service = ReleaseService::new(Memory::default(), Unauthenticated);
    assert_fits(&new_release, CREATE);
    let full = r#"{"kind":"Release","apiVersion":"asm/v2","metadata":{"meshID":"mesh-1","name":"cart-v2","uid":7,"namespace":"shop"},"spec":{"serviceName":"cart","clusterID":"c-1","deploymentName":"cart-v2","version":"v2","originalVersion":"v1","type":"canary","imageVersion":"2.0.0"}}"#;
    assert_fits(&new_release, full);
    assert_eq!(ask(&service, request("POST", RELEASES, full)).status(), 201);
    let good: Value = serde_json::from_str(full).unwrap();
    // Leave out or spoil each field in turn: both must be of the same opinion.
    for section in ["", "/metadata", "/spec"] {
        let fields: Vec<String> = good.pointer(section).unwrap().as_object().unwrap().keys().cloned().collect();
        for field in fields.iter().filter(|field| *field != "uid") {
            for spoil in [None, Some(json!("§")), Some(json!(1)), Some(json!(null)), Some(json!([])), Some(json!({}))]
            {
                let mut body = good.clone();
                let object = body.pointer_mut(section).unwrap().as_object_mut().unwrap();
                match spoil {
                    None => object.remove(field),
                    Some(value) => object.insert(field.clone(), value),
                };
                let status = ask(
                    &ReleaseService::new(Memory::default(), Unauthenticated),
                    request("POST", RELEASES, &body.to_string()),
                )
                .status();
                assert_eq!(status == 201, validator.is_valid(&body), "{status} {body}");
            }
        }
    }
}

#[test]
fn the_document_says_which_version_of_openapi_it_is() {
    assert_eq!(document()["openapi"], "3.1.0");
    assert_eq!(properties::documented_statuses(&Method::GET, "/nowhere"), ["404"]);
    assert_eq!(properties::documented_statuses(&Method::PUT, RELEASES), ["405"]);
    let lower_case = Method::from_bytes(b"post").unwrap();
    assert_eq!(properties::documented_statuses(&lower_case, RELEASES), ["405"]);
}
