//! Expressions against the definition in release-core, with Rust's `regex` in place of RE2; `tests/` asks a real Envoy.

use super::*;
use arbitrary::Unstructured;
use proptest::prelude::*;
use regex::bytes::RegexBuilder;
use release_core::{Condition, Matcher, Request};
use release_testkit::generate::value_for;

/// Patterns that are awkward in the middle of a header.
const AWKWARD: [&str; 24] = [
    "^a|b$",
    "(^|,)beta(,|$)",
    r"\ba\b",
    "a ",
    "a *",
    "[^;]*;",
    ".*",
    "(a|)(b|)",
    "^$",
    "^",
    "x?$",
    r"(?:\b|a){2,3}",
    r"\B",
    "(?i)Beta",
    "a;b|c",
    r"(a|\B){2} ?",
    "(^a)?b",
    "b(a$)?",
    r"[^\d\D]|a",
    r"[^\d\D]",
    "(?:a ?){2}",
    "(a|b| ){0,3}",
    "a^b|c$d",
    r"[\s;]+x",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_value_matches_as_the_core_says(pattern in patterns(), seed: u64) {
        let value = sample(&pattern, &mut fastrand::Rng::with_seed(seed));
        let by_envoy = of_value(&pattern).is_some_and(|expression| matches(&expression, &value));
        prop_assert_eq!(by_envoy, pattern.matches(&value), "{:?}", value);
    }

    #[test]
    fn a_cookie_matches_as_the_core_says(name: CookieName, pattern in patterns(), seed: u64) {
        let Ok(expression) = of_cookie_like(&name, &pattern) else { return Ok(()) };
        let cookies = cookies(&name, &pattern, &mut fastrand::Rng::with_seed(seed));
        check(&name, Matcher::Regex(pattern), expression.as_ref(), &cookies)?;
    }

    #[test]
    fn a_cookie_is_exactly_what_the_core_says(name: CookieName, value: Literal, seed: u64) {
        let same = regex::escape(value.as_str()).parse::<Pattern>();
        let expression = of_cookie(&name, &value);
        let Ok(same) = same else { return Ok(()) };
        let cookies = cookies(&name, &same, &mut fastrand::Rng::with_seed(seed));
        check(&name, Matcher::Exact(value), expression.as_ref(), &cookies)?;
    }
}

fn check(name: &CookieName, value: Matcher, ours: Option<&Expression>, cookies: &str) -> Result<(), TestCaseError> {
    let by_envoy = ours.is_some_and(|expression| matches(expression, cookies));
    let request = Request { headers: vec![("cookie".into(), cookies.to_owned())], ..Request::default() };
    let by_core = Condition::Cookie { name: name.clone(), value }.matches(&request);
    prop_assert_eq!(by_envoy, by_core, "{:?} by {:?}", cookies, ours);
    Ok(())
}

#[test]
fn some_samples_match_and_some_do_not() {
    let mut rng = fastrand::Rng::with_seed(1);
    let name: CookieName = "user".try_into().unwrap();
    let mut count = [0; 2];
    for pattern in AWKWARD.map(|text| text.parse::<Pattern>().unwrap()).iter().cycle().take(2_400) {
        let Some(expression) = of_cookie_like(&name, pattern).ok().flatten() else { continue };
        count[usize::from(matches(&expression, &cookies(&name, pattern, &mut rng)))] += 1;
    }
    assert!(count.iter().all(|count| *count > 400), "{count:?}");
}

#[test]
fn what_is_written_is_what_a_person_would_write() {
    let written = |text: &str| of_value(&text.parse().unwrap()).map(|expression| expression.text);
    let rows = [
        ("beta-[0-9]+", Some("beta-[0-9]+")),
        (r"(?i)ab\.c", Some(r"[Aa][Bb]\.[Cc]")),
        (".*", Some(r"[^\n]*")),
        (r"^(a|bc){2,}?$", Some(r"\A(?:a|bc){2,}\z")),
        ("(?s).", Some(r"\C")),
        ("()", Some("(?:)")),
        (r"[^\d\D]", None),
        (r"a[^\d\D]|b", Some(r"a[^\x00-\x{10FFFF}]|b")),
    ];
    for (pattern, expected) in rows {
        assert_eq!(written(pattern).as_deref(), expected, "{pattern}");
    }
    let user: CookieName = "user".try_into().unwrap();
    let cookie = |text: &str| of_cookie_like(&user, &text.parse().unwrap()).map(|found| found.map(|found| found.text));
    assert_eq!(cookie("^[0-9]+7$"), Ok(Some(r"(?:\C*;)?[ \t]*user=(?:[0-9]+7)[ \t]*(?:;\C*)?".to_owned())));
    assert_eq!(cookie("a;b"), Ok(None));
    assert_eq!(cookie("(a|^)+"), Err(RepeatedAnchor));
    let beta = of_cookie(&user, &"be.ta".try_into().unwrap()).map(|found| found.text);
    assert_eq!(beta.as_deref(), Some(r"(?:\C*;)?[ \t]*user=(?:be\.ta)[ \t]*(?:;\C*)?"));
    assert_eq!(of_cookie(&user, &"a;b".try_into().unwrap()), None);
}

#[test]
fn deep_expressions_stay_small() {
    let deep =
        [("(?:", "a)*"), ("(?:a|b ", ")?"), (r"(?:(?:\b|a)", ")+"), ("(a?", "b?)"), ("(?:a|^", ")"), ("(?:$|", "a)")];
    for (open, close) in deep {
        let levels = 500 / (open.len() + close.len());
        let text = open.repeat(levels) + &close.repeat(levels);
        let Ok(pattern) = text.parse::<Pattern>() else { continue };
        let name = "user".try_into().unwrap();
        let length = of_cookie_like(&name, &pattern).map(|found| found.map_or(0, |found| found.text.len()));
        assert!(length.is_ok_and(|length| length < 200_000), "{text}: {length:?}");
    }
}

fn patterns() -> impl Strategy<Value = Pattern> {
    prop_oneof![
        3 => any::<Pattern>(),
        1 => proptest::sample::select(&AWKWARD[..]).prop_map(|text| text.parse().unwrap()),
    ]
}

/// As Envoy asks RE2: the whole value, as bytes.
fn matches(expression: &Expression, value: &str) -> bool {
    let mut text = String::new();
    let mut rest = expression.text.chars();
    while let Some(char) = rest.next() {
        match (char, rest.clone().next()) {
            ('\\', Some('C')) => text.push_str("(?s:.)"),
            ('\\', Some(next)) => text.extend(['\\', next]),
            _ => {
                text.push(char);
                continue;
            }
        }
        rest.next();
    }
    let text = text.replace(r"[^\x00-\x{10FFFF}]", r"[a&&b]");
    let whole = RegexBuilder::new(&format!(r"\A(?:{text})\z")).unicode(false).size_limit(1 << 24).build().unwrap();
    whole.is_match(value.as_bytes())
}

/// A `Cookie` header in which cookies of that name, some with a value that the pattern likes, stand among others.
fn cookies(name: &CookieName, pattern: &Pattern, rng: &mut fastrand::Rng) -> String {
    let blanks = ["", "", " ", "  ", "\t"];
    let blank = |rng: &mut fastrand::Rng| *rng.choice(&blanks).unwrap();
    let mut header = String::new();
    for at in 0..rng.usize(1..4) {
        let name = if rng.u8(..4) == 0 { "x" } else { name.as_str() };
        let value = if rng.u8(..4) == 0 { "z".to_owned() } else { sample(pattern, rng) };
        let equals = if rng.u8(..16) == 0 { "" } else { "=" };
        header += if at == 0 { "" } else { ";" };
        header += blank(rng);
        header.extend([name, equals, &value, blank(rng)]);
    }
    header.trim_matches([' ', '\t']).to_owned()
}

fn sample(pattern: &Pattern, rng: &mut fastrand::Rng) -> String {
    let bytes: Vec<u8> = (0..64).map(|_| rng.u8(..)).collect();
    value_for(&mut Unstructured::new(&bytes), pattern).unwrap_or_default()
}
