//! Whole conversations, for people to read.

use crate::support::{RELEASES, ask, request};
use http::Request;
use release_core::Mode;
use release_http::testkit::Memory;
use release_http::{Api, ReleaseService, Unauthenticated, properties};
use std::fmt::Write as _;

/// Asks one after the other and writes down what was said.
fn transcript<A: Api>(api: A, requests: &[(&str, &str, &str)]) -> String {
    let service = ReleaseService::new(api, Unauthenticated);
    let mut shown = String::new();
    for (method, target, body) in requests {
        let asked: Request<String> = request(method, target, body);
        writeln!(shown, "> {method} {target}").unwrap();
        if !body.is_empty() {
            writeln!(shown, "> {body}").unwrap();
        }
        let response = ask(&service, asked);
        writeln!(shown, "< {}", response.status()).unwrap();
        for (name, value) in response.headers() {
            writeln!(shown, "< {name}: {}", value.to_str().unwrap()).unwrap();
        }
        let text = properties::text_of(response);
        if !text.is_empty() {
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            writeln!(shown, "{json:#}").unwrap();
        }
        shown.push('\n');
    }
    shown
}

const R1: &str = "/v2/meshes/mesh-1/namespaces/shop/releases/r1";
const FULL: &str = r#"{"kind":"Release","apiVersion":"asm/v2","metadata":{"meshID":"mesh-1","name":"cart-v2","uid":"ignored","namespace":"shop"},"spec":{"serviceName":"cart","clusterID":"c-1","deploymentName":"cart-v2","version":"v2","originalVersion":"v1","type":"canary","imageVersion":"2.0.0"}}"#;

#[test]
fn from_create_to_end() {
    let policy = &format!("{R1}/policy");
    insta::assert_snapshot!(transcript(
        Memory::default(),
        &[
            ("POST", RELEASES, FULL),
            ("POST", RELEASES, FULL),
            (
                "PUT",
                policy,
                r#"{"content":[[{"header":{"name":"X-Group","value":{"exact":"beta"}}},{"browser":"chrome"}]]}"#
            ),
            ("PUT", policy, r#"{"weighted":{"grayscale":20}}"#),
            ("PUT", R1, r#"{"spec":{"imageVersion":"2.0.1"}}"#),
            ("GET", &format!("{R1}/plan?action=end"), ""),
            ("DELETE", &format!("{R1}?action=end"), "{}"),
            ("GET", R1, ""),
            ("DELETE", &format!("{R1}?action=end"), ""),
            ("PUT", R1, r#"{"spec":{"imageVersion":"2.0.2"}}"#),
            ("GET", "/v2/meshes/mesh-1/releases", ""),
            ("GET", "/v2/meshes/mesh-2/releases", ""),
        ],
    ));
}

#[test]
fn a_takeover_that_does_not_finish_and_is_reopened() {
    insta::assert_snapshot!(transcript(
        Memory::stalled(),
        &[
            ("POST", RELEASES, FULL),
            ("DELETE", &format!("{R1}?action=end"), ""),
            ("DELETE", &format!("{R1}?action=cancel"), ""),
            ("GET", R1, ""),
            ("POST", &format!("{R1}/reopen"), ""),
        ],
    ));
}

#[test]
fn the_documented_precondition() {
    insta::assert_snapshot!(transcript(
        Memory::default().mode(Mode::Require),
        &[
            ("POST", RELEASES, FULL),
            ("DELETE", &format!("{R1}?action=end"), ""),
            ("GET", &format!("{R1}/plan?action=end"), ""),
            ("PUT", &format!("{R1}/policy"), r#"{"exclusive":"grayscale"}"#),
            ("DELETE", &format!("{R1}?action=end"), ""),
        ],
    ));
}
