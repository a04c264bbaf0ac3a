//! The OpenAPI document and the code say the same.

use crate::support::{CREATE, Failing, RELEASES, ask, one_of_each, request};
use http::Method;
use jsonschema::Validator;
use proptest::prelude::*;
use release_core::Routing;
use release_http::testkit::Memory;
use release_http::{
    Call, Codes, Failure, OPENAPI, Operation, ProblemKind, ReleaseService, Unauthenticated, properties,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

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
    use release_http::{Caller, Tokens};
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
        bare.headers_mut().insert("content-type", "text/plain".parse().unwrap());
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

/// Each code that a description names, and no other, is the published one; a status that none is for says so.
#[test]
fn the_codes_in_its_descriptions_are_the_published_ones() {
    let document = document();
    let responses = document["components"]["responses"].as_object().unwrap();
    let kind = |name: &str| match name {
        "Invalid" => ProblemKind::Invalid,
        "Unauthenticated" => ProblemKind::Unauthenticated,
        "Forbidden" => ProblemKind::Forbidden,
        "NotFound" | "UnknownPath" => ProblemKind::NotFound,
        "MethodNotAllowed" => ProblemKind::MethodNotAllowed(""),
        "Exists" => ProblemKind::Exists,
        "TooLarge" => ProblemKind::TooLarge,
        "Locked" => ProblemKind::Locked,
        "Internal" => ProblemKind::Internal,
        other => panic!("{other} is no kind of problem"),
    };
    let listed_at = |name: &str| -> BTreeSet<String> {
        let reference = format!("#/components/responses/{name}");
        let outside = document["x-outside-of-operations"].as_object().unwrap().iter();
        let operations = document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap());
        let inside = operations.flat_map(|(_, operation)| operation["responses"].as_object().unwrap());
        let listed = inside.chain(outside).filter(|(_, response)| response["$ref"] == *reference);
        listed.map(|(status, _)| status.clone()).collect()
    };
    for (name, response) in responses {
        let description = response["description"].as_str().unwrap();
        let named: Vec<&str> = description
            .split(|char: char| !char.is_ascii_alphanumeric() && char != '.')
            .filter(|word| word.starts_with("ASM"))
            .map(|word| word.trim_end_matches('.'))
            .collect();
        let [newer, older] = [Codes::Newer, Codes::Older].map(|codes| codes.published(kind(name)));
        // No newer code is published for a task that is locked: it is an internal error there.
        let expected = if name == "Locked" { vec![older.code] } else { vec![newer.code, older.code] };
        assert_eq!(named, expected, "{name}: {description}");
        assert_eq!(listed_at(name), BTreeSet::from([older.status.as_str().to_owned()]), "{name}");
    }
}

fn validator(reference: &str) -> Validator {
    jsonschema::draft202012::new(&with_components(json!({"$ref": reference}))).unwrap()
}

type Reads = fn(&Value) -> bool;

fn reads<T: serde::de::DeserializeOwned>(value: &Value) -> bool {
    T::deserialize(value).is_ok()
}

/// Where each checked text is in the document, and the type that reads it. A regex has more rules than its pattern.
fn texts() -> Vec<(String, Reads)> {
    use release_core as core;
    let schema = |name: &str| format!("#/components/schemas/{name}");
    let condition =
        |index: u8, kind: &str| schema(&format!("Condition/oneOf/{index}/properties/{kind}/properties/name"));
    vec![
        (schema("MeshId"), reads::<core::MeshId>),
        (schema("Namespace"), reads::<core::Namespace>),
        (schema("ReleaseId"), reads::<core::ReleaseId>),
        (schema("ReleaseName"), reads::<core::ReleaseName>),
        (schema("Service"), reads::<core::Service>),
        (schema("VersionLabel"), reads::<core::VersionLabel>),
        (schema("ClusterId"), reads::<release_http::ClusterId>),
        (schema("DeploymentName"), reads::<release_http::DeploymentName>),
        (schema("ImageVersion"), reads::<release_http::ImageVersion>),
        (schema("Action"), reads::<core::Action>),
        (schema("Version"), reads::<core::Version>),
        (condition(0, "header"), reads::<core::HeaderName>),
        (condition(1, "cookie"), reads::<core::CookieName>),
        (condition(2, "query"), reads::<core::QueryName>),
        (schema("Matcher/oneOf/0/properties/exact"), reads::<core::Literal>),
        (schema("Matcher/oneOf/1/properties/regex"), reads::<core::Pattern>),
    ]
}

/// Mostly right, about as long as the bounds, and with up to two characters that may be wrong.
fn nearly_a_text() -> impl Strategy<Value = String> {
    let bounds =
        prop::sample::select(vec![0, 1, 2, 3, 4, 5, 62, 63, 64, 65, 127, 128, 129, 252, 253, 254, 511, 512, 513]);
    let letters = prop::sample::select(vec!["[a-z]", "[a-z0-9-]", "[A-Za-z0-9._-]", "[!-~]", "[ -~]"]);
    let right = (bounds, letters)
        .prop_flat_map(|(length, letters)| proptest::string::string_regex(&format!("{letters}{{{length}}}")).unwrap());
    let odd = (any::<prop::sample::Index>(), "[ -~]|[\x00\n\t\x7fé\u{2003}]");
    let words = prop::sample::select(vec!["cancel", "end", "original", "grayscale"]).prop_map(String::from);
    let text = (right, prop::collection::vec(odd, 0..3)).prop_map(|(right, odd)| {
        let mut chars: Vec<char> = right.chars().collect();
        for (at, with) in odd {
            if !chars.is_empty() {
                let at = at.index(chars.len());
                chars[at] = with.chars().next().unwrap();
            }
        }
        chars.into_iter().collect()
    });
    prop_oneof![9 => text, 1 => words]
}

/// Changes something at a place in a document: the kinds of mistakes that callers make.
fn spoil(value: &mut Value, at: prop::sample::Index, with: &Value) {
    fn count(value: &Value) -> usize {
        1 + match value {
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Object(fields) => fields.values().map(count).sum(),
            _ => 0,
        }
    }
    fn place(value: &mut Value, at: usize) -> Option<&mut Value> {
        if at == 0 {
            return Some(value);
        }
        let mut left = at - 1;
        let children: Vec<&mut Value> = match value {
            Value::Array(items) => items.iter_mut().collect(),
            Value::Object(fields) => fields.values_mut().collect(),
            _ => vec![],
        };
        for child in children {
            let size = count(child);
            if left < size {
                return place(child, left);
            }
            left -= size;
        }
        None
    }
    let at = at.index(count(value));
    let place = place(value, at).unwrap();
    match (place, with) {
        (Value::Object(fields), Value::Object(more)) => fields.extend(more.clone()),
        (Value::Object(fields), Value::Bool(false)) => fields.clear(),
        (Value::Array(items), Value::Bool(false)) => items.clear(),
        (place, with) => *place = with.clone(),
    }
}

fn mistakes() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec![
            json!(false),
            json!(null),
            json!(7),
            json!(-1),
            json!(100),
            json!(101),
            json!("\u{e9}"),
            json!("x y"),
            json!(""),
            json!("a&b"),
            json!([]),
            json!({}),
            json!({"exclusive": "original"}),
            json!({"weighted": {"grayscale": 5}}),
            json!({"content": []}),
            json!({"browser": "chrome"}),
            json!({"exact": "1"}),
            json!({"more": 1}),
            json!([[]]),
            json!("ios"),
            json!("original"),
        ]),
        nearly_a_text().prop_map(Value::from),
    ]
}

fn has_regex(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_regex),
        Value::Object(fields) => fields.iter().any(|(name, value)| name == "regex" || has_regex(value)),
        _ => false,
    }
}

static TEXTS: LazyLock<Vec<(String, Validator, Reads)>> = LazyLock::new(|| {
    texts().into_iter().map(|(reference, reads)| (reference.clone(), validator(&reference), reads)).collect()
});

static POLICY: LazyLock<Validator> = LazyLock::new(|| validator("#/components/schemas/Policy"));

proptest! {
    #[test]
    fn a_text_fits_its_pattern_if_and_only_if_the_code_takes_it(text in nearly_a_text()) {
        let value = Value::from(text);
        for (reference, validator, reads) in TEXTS.iter() {
            let fits = validator.is_valid(&value);
            if !(reference.ends_with("/regex") && fits) {
                prop_assert_eq!(reads(&value), fits, "{} {}", reference, value);
            }
        }
    }

    #[test]
    fn a_policy_fits_its_schema_if_and_only_if_the_code_takes_it(
        routing in any::<Routing>(),
        mistakes in prop::collection::vec((any::<prop::sample::Index>(), mistakes()), 0..3),
    ) {
        let mut policy = serde_json::to_value(routing).unwrap();
        let right = mistakes.is_empty();
        for (at, with) in &mistakes {
            spoil(&mut policy, *at, with);
        }
        let fits = POLICY.is_valid(&policy);
        let (head, body) = request("PUT", &format!("{RELEASES}/r1/policy"), &policy.to_string()).into_parts();
        let taken = Call::parse(&head, body.as_bytes());
        prop_assert!(!right || taken.is_ok(), "{} {:?}", policy, taken);
        if !(fits && has_regex(&policy)) {
            prop_assert_eq!(taken.is_ok(), fits, "{} {:?}", policy, taken);
        }
    }
}
