//! The core says who owns a request, and a real Envoy routes it: thousands of times.

use crate::static_envoy::{Http2Client, StaticEnvoy, answered, connect, domain, http1, http2};
use arbitrary::Unstructured;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use release_core::{Condition, Matcher, Percent, Request, Routing, RoutingKind, Rule, Version};
use release_testkit::generate::request_for;
use release_xds::envoy;
use serde_json::json;
use std::collections::BTreeMap;

const ROUTINGS: usize = 250;
const REQUESTS: usize = 16;

#[tokio::test]
async fn an_envoy_gives_each_request_to_its_owner() {
    let mut random = Random::new();
    let mut drawn = 0;
    let routings: Vec<_> = std::iter::repeat_with(|| random.value(&any::<Routing>()))
        .filter(|routing| matches!(routing.kind(), RoutingKind::Content(_)))
        .inspect(|_| drawn += 1)
        .filter(|routing| envoy::check(routing).is_ok())
        .take(ROUTINGS)
        .chain(awkward())
        .collect();
    assert!(drawn < ROUTINGS * 2, "of {drawn} policies, Envoy could be given {ROUTINGS}");
    let envoy = StaticEnvoy::start(&routings).await;
    let (mut client, mut other_client) = (connect(&envoy).await, Http2Client::connect(&envoy).await);
    let mut counts = BTreeMap::from_iter(KINDS.map(|kind| (kind, [0; 2])));
    let (mut by_http2, mut crumbs) = ([0; 2], 0);
    for (at, routing) in routings.iter().enumerate() {
        for number in 0..REQUESTS {
            let request = carried(random.request(routing), at);
            let splits = || {
                let splits = random.value(&any::<bool>());
                crumbs += usize::from(splits);
                splits
            };
            // Each fourth, if it can be.
            let as_one = with_one_cookie_header(request.clone());
            let by_two = if number % 4 == 0 { http2(&as_one, splits) } else { None };
            let is_by_two = by_two.is_some();
            let (request, response, sent) = if let Some(by_two) = by_two {
                let sent = format!("{by_two:?}");
                (as_one, other_client.send(by_two).await.map_err(|error| error.to_string()), sent)
            } else {
                let bytes = http1(&request);
                let sent = String::from_utf8_lossy(&bytes).into_owned();
                (request, client.send(&bytes).await.map_err(|error| error.to_string()), sent)
            };
            let response = response.unwrap_or_else(|error| panic!("{error}: {sent}"));
            let owner = answered(&response).unwrap_or_else(|answer| panic!("{answer}: {sent}"));
            assert_eq!(owner, routing.owner(&request), "{sent}\n{routing:?}");
            by_http2[usize::from(owner == Version::Grayscale)] += usize::from(is_by_two);
            let RoutingKind::Content(rules) = routing.kind() else { continue };
            for kind in rules.iter().flat_map(Rule::conditions).map(kind) {
                counts.get_mut(kind).unwrap()[usize::from(owner == Version::Grayscale)] += 1;
            }
        }
    }
    // Both happen often with each kind of condition, or the test says little.
    assert!(counts.values().flatten().all(|count| *count >= REQUESTS), "{counts:?}");
    assert!(by_http2.iter().all(|count| *count >= ROUTINGS), "{by_http2:?} by HTTP/2");
    assert!(crumbs >= REQUESTS, "{crumbs} cookies were split");
}

const KINDS: [&str; 8] = [
    "an exact header",
    "an expression for a header",
    "an exact cookie",
    "an expression for a cookie",
    "an exact parameter",
    "an expression for a parameter",
    "an operating system",
    "a browser",
];

fn kind(condition: &Condition) -> &'static str {
    let of = |value: &Matcher, [exact, expression]: [_; 2]| match value {
        Matcher::Exact(_) => exact,
        Matcher::Regex(_) => expression,
    };
    match condition {
        Condition::Header { value, .. } => of(value, [KINDS[0], KINDS[1]]),
        Condition::Cookie { value, .. } => of(value, [KINDS[2], KINDS[3]]),
        Condition::Query { value, .. } => of(value, [KINDS[4], KINDS[5]]),
        Condition::OperatingSystem(_) => KINDS[6],
        Condition::Browser(_) => KINDS[7],
    }
}

/// The share of the grayscale version lies within 4.5 standard deviations of its weight. By the binomial
/// distribution, one run in 20,000 of a correct Envoy does not keep to that; 1 and 99, whose counts are skewed, miss most.
#[tokio::test]
async fn an_envoy_divides_requests_by_their_weights() {
    const DRAWS: u32 = 4_000;
    let percents = [0, 1, 20, 50, 99, 100];
    let routings = percents.map(|percent| Routing::weighted(Percent::new(percent).unwrap()));
    let envoy = StaticEnvoy::start(&routings).await;
    let mut client = connect(&envoy).await;
    for (at, percent) in percents.into_iter().enumerate() {
        let request = http1(&carried(Request::default(), at));
        let mut grayscale = 0;
        for _ in 0..DRAWS {
            grayscale += u32::from(answered(&client.send(&request).await.unwrap()) == Ok(Version::Grayscale));
        }
        let (share, weight) =
            (f64::from(grayscale) / f64::from(DRAWS), f64::from(u32::try_from(percent).unwrap()) / 100.0);
        let deviation = (weight * (1.0 - weight) / f64::from(DRAWS)).sqrt();
        assert!((share - weight).abs() <= 4.5 * deviation, "{share} instead of {weight}");
    }
}

/// Policies that are drawn rarely or never.
fn awkward() -> impl Iterator<Item = Routing> {
    let conditions = [
        json!({"header": {"name": "x-group", "value": {"exact": "a,b"}}}),
        json!({"header": {"name": "host", "value": {"regex": "s[0-9]+\\.test"}}}),
        json!({"header": {"name": "x-bytes", "value": {"regex": ".[^a-z]\u{7e}?.*"}}}),
        json!({"header": {"name": "x-large", "value": {"regex": "(?i)(?:[a-m]{40}|[0-9a-z ]{20}){5}"}}}),
        json!({"header": {"name": "x-space", "value": {"regex": "\\S+\\s\\S+"}}}),
        json!({"cookie": {"name": "user", "value": {"regex": "^(a|b ){1,3}$"}}}),
        json!({"cookie": {"name": "user", "value": {"regex": "[^;]*|\\bx\\B.*"}}}),
        json!({"cookie": {"name": "user", "value": {"regex": "(?:[a-z]{10}-){12}"}}}),
        json!({"cookie": {"name": "user", "value": {"exact": "\"quoted\""}}}),
        json!({"query": {"name": "q", "value": {"regex": ".*"}}}),
        json!({"query": {"name": "q?x", "value": {"exact": "%31"}}}),
        json!({"operatingSystem": "ios"}),
        json!({"operatingSystem": "android"}),
        json!({"operatingSystem": "windows"}),
        json!({"operatingSystem": "macos"}),
        json!({"browser": "chrome"}),
        json!({"browser": "internetExplorer"}),
    ];
    let rule = |condition: serde_json::Value| -> Rule {
        let condition: Condition = serde_json::from_value(condition).unwrap();
        Rule::new([condition]).unwrap()
    };
    conditions.into_iter().map(move |condition| Routing::content([rule(condition)]).unwrap())
}

/// The request that HTTP carries in place of `request`: what can't be sent is left out, and there is a host.
fn carried(request: Request, at: usize) -> Request {
    let own = |name: &str| {
        let headers =
            ["host", "connection", "content-length", "expect", "transfer-encoding", "upgrade", "te", "keep-alive"];
        headers.contains(&name) || name.starts_with("x-envoy-") || name.starts_with("x-test-")
    };
    let mut headers = vec![("host".to_owned(), domain(at))];
    for (name, value) in request.headers {
        let lower = name.to_ascii_lowercase();
        // Envoy has only one user agent: it joins several.
        let again = lower == "user-agent" && headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(&lower));
        if !own(&lower) && !again {
            headers.push((name, value));
        }
    }
    let in_target = |char: &char| char.is_ascii_graphic() && *char != '#';
    Request { headers, query: request.query.chars().filter(in_target).collect(), draw: 0 }
}

/// What HTTP/2 carries: cookie headers are one, in however many fields it comes.
fn with_one_cookie_header(request: Request) -> Request {
    let is_cookie = |(name, _): &(String, String)| name.eq_ignore_ascii_case("cookie");
    let (cookies, mut headers): (Vec<_>, Vec<_>) = request.headers.into_iter().partition(is_cookie);
    if let Some((name, _)) = cookies.first() {
        let values: Vec<_> = cookies.iter().map(|(_, value)| value.as_str()).collect();
        headers.push((name.clone(), values.join("; ")));
    }
    Request { headers, ..request }
}

/// Draws the same values each time; another seed gives others.
struct Random(TestRunner);

impl Random {
    fn new() -> Self {
        let seed = std::env::var("RELEASE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1_u64);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)))
    }

    fn value<S: Strategy>(&mut self, strategy: &S) -> S::Value {
        strategy.new_tree(&mut self.0).unwrap().current()
    }

    fn request(&mut self, routing: &Routing) -> Request {
        let bytes = self.value(&proptest::collection::vec(any::<u8>(), 256));
        request_for(&mut Unstructured::new(&bytes), routing).unwrap()
    }
}
