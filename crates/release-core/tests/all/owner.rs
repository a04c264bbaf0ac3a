//! Which version owns which request.

use release_core::{Condition, Matcher, Owners, Percent, Request, Routing, RoutingKind, Rule, Version};

#[test]
fn a_ratio_takes_that_share_of_the_draws() {
    for percent in 0..=100 {
        let routing = Routing::weighted(Percent::new(percent).unwrap());
        let grayscale = |draws: std::ops::Range<u8>| {
            draws.filter(|draw| routing.owner(&request("", &[], *draw)) == Version::Grayscale).count() as u64
        };
        assert_eq!(grayscale(0..100), percent);
        assert_eq!(grayscale(100..200), percent, "a draw is taken modulo 100");
        let weights = routing.weights().map(|(original, gray)| (original.get(), gray.get()));
        let gray = u8::try_from(percent).unwrap();
        assert_eq!(weights, Some((100 - gray, gray)));
    }
}

#[test]
fn rules_are_alternatives_and_conditions_are_not() {
    let rule = |conditions: &[&str]| Rule::new(conditions.iter().map(|text| condition(text))).unwrap();
    let header = r#"{"header":{"name":"x-group","value":{"exact":"beta"}}}"#;
    let query = r#"{"query":{"name":"preview","value":{"regex":"[0-9]+"}}}"#;
    let both = Routing::content([rule(&[header, query])]).unwrap();
    let either = Routing::content([rule(&[header]), rule(&[query])]).unwrap();
    let requests = [
        (request("", &[], 0), false, false),
        (request("", &[("X-Group", "beta")], 0), false, true),
        (request("a=b&preview=12", &[], 0), false, true),
        (request("preview=12", &[("x-group", "beta")], 0), true, true),
        (request("preview=x", &[("x-group", "Beta")], 0), false, false),
    ];
    for (request, by_both, by_either) in requests {
        let grayscale = |routing: &Routing| routing.owner(&request) == Version::Grayscale;
        assert_eq!((grayscale(&both), grayscale(&either)), (by_both, by_either), "{request:?}");
    }
    assert_eq!((both.weights(), both.sole_owner()), (None, None));
    let written = serde_json::to_string(&either).unwrap();
    assert_eq!(serde_json::from_str::<Routing>(&written).unwrap(), either, "{written}");
    assert!(matches!(either.kind(), RoutingKind::Content(rules) if rules.len() == 2));
    assert!(format!("{either:?}").starts_with("Content([Rule("));
}

/// A condition, a request's query and headers, and whether it matches.
type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], bool);

#[test]
fn conditions_read_requests_as_http_does() {
    let beta = r#"{"header":{"name":"x-group","value":{"exact":"beta"}}}"#;
    let list = r#"{"header":{"name":"x-group","value":{"exact":"a,b"}}}"#;
    let user = r#"{"cookie":{"name":"user","value":{"regex":"7.*"}}}"#;
    let bare = r#"{"query":{"name":"flag","value":{"regex":".*"}}}"#;
    let first = r#"{"query":{"name":"n","value":{"exact":"1"}}}"#;
    let rows: &[Row] = &[
        (beta, "", &[("X-GROUP", " beta\t")], true),
        (beta, "", &[("x-groups", "beta")], false),
        (list, "", &[("x-group", "a,b")], true),
        (list, "", &[("x-group", "a"), ("X-Group", "b")], false),
        (beta, "", &[("x-group", "a"), ("other", "x"), ("X-Group", "beta")], true),
        (user, "", &[("cookie", "a=1; user=77; b=2")], true),
        (user, "", &[("cookie", "user=1;user=7")], true),
        (user, "", &[("cookie", "a=1"), ("Cookie", "user=7")], true),
        (user, "", &[("cookie", "xuser=7; user=1;7")], false),
        (user, "", &[("x", "user=7")], false),
        (bare, "flag", &[], true),
        (bare, "flag=", &[], true),
        (bare, "flags=1&x=flag", &[], false),
        (first, "n=1&n=2", &[], true),
        (first, "n=2&n=1", &[], false),
        (first, "n=%31", &[], false),
    ];
    for (json, query, headers, matches) in rows {
        assert_eq!(condition(json).matches(&request(query, headers, 0)), *matches, "{json} {query} {headers:?}");
    }
}

#[test]
fn user_agents_are_told_apart() {
    let rows = [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "ios", ""),
        ("Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) CriOS/130.0", "ios", "chrome"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/130.0 Mobile Safari/537.36", "android", "chrome"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/130.0 Safari/537.36", "windows", "chrome"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/130.0 Safari/537.36 Edg/130.0", "windows", ""),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/130.0 OPR/115.0", "macos", ""),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1", "macos", ""),
        (
            "Mozilla/5.0 (Linux; Android 15; SM-S921B) SamsungBrowser/27.0 Chrome/125.0 Mobile Safari/537.36",
            "android",
            "",
        ),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/128.0 YaBrowser/24.10 Safari/537.36", "windows", ""),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/130.0 Safari/537.36 Vivaldi/7.0", "windows", ""),
        ("Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko", "windows", "internetExplorer"),
        ("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1)", "windows", "internetExplorer"),
        ("Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1) iPhone", "windows", ""),
        ("curl/8.0", "", ""),
    ];
    for (agent, system, browser) in rows {
        let matching = |kind: &str, names: &[&'static str]| -> Vec<&'static str> {
            let matches = |name: &&&str| {
                condition(&format!(r#"{{"{kind}":"{name}"}}"#)).matches(&request("", &[("User-Agent", agent)], 0))
            };
            names.iter().filter(matches).copied().collect()
        };
        let expected = |name: &'static str| if name.is_empty() { vec![] } else { vec![name] };
        let systems = matching("operatingSystem", &["ios", "android", "windows", "macos"]);
        assert_eq!((systems, agent), (expected(system), agent));
        assert_eq!((matching("browser", &["chrome", "internetExplorer"]), agent), (expected(browser), agent));
    }
}

#[test]
fn patterns_are_those_that_every_data_plane_reads_alike() {
    let good = [
        "a",
        "a|b",
        "(?i)beta",
        "(?ims-U:x)",
        r"\d{1,3}",
        r"[a-z\-]+?",
        r"^x$",
        r"\bword\B",
        r"\.\n",
        "(a{10}){100}",
        "a{1000}",
        "a{1000}b{1000}",
        "a{2,}",
        "[[:alpha:]]",
        "[^a]",
        "()",
        r"\A\w\z",
        r"\/\_\ a",
        "(a|b)*",
    ];
    let bad = [
        "",
        "(",
        "(?x)a",
        "(?u)a",
        "(?R)a",
        r"\pL",
        r"\x41",
        "a**",
        "(?:^)*^*",
        "a{1001}",
        "(a{11}){100}",
        "[a&&b]",
        "[a[b]]",
        "(?P<n>a)",
        r"\b{start}a",
        "(?=a)",
        r"(a)\1",
        "ä",
        "a\n",
        r"\<a",
        r"[\pL]",
        "[a-\u{e4}]",
        r"[\x41]",
        r"[\x41-b]",
        r"[a-\x62]",
        "(a{11}){10}b(c{5}){300}",
        "(?i-x:a)",
    ];
    for pattern in good {
        let parsed: release_core::Pattern = pattern.parse().unwrap();
        assert_eq!(
            (parsed.as_str(), parsed.to_string(), String::from(parsed.clone())),
            (pattern, pattern.into(), pattern.into())
        );
    }
    for pattern in bad {
        assert!(pattern.parse::<release_core::Pattern>().is_err(), "{pattern}");
    }
    // How large an expression may be, with repetitions written out; classes of many ranges are no more than characters.
    let class = "[!#%')+/13579;=?ACEGIKMOQSUWY_acegikmoqsuwy}]";
    for part in ["a", "(?i:b)", class] {
        let most = format!("{part}{{1000}}").repeat(3) + &format!("{part}{{999}}");
        assert!(format!("{most}c").parse::<release_core::Pattern>().is_ok(), "{part}");
        assert!(format!("{most}cd").parse::<release_core::Pattern>().is_err(), "{part}");
    }
    assert!("(a{10}b{10}){100}c{1000}d{1000}".parse::<release_core::Pattern>().is_ok());
    assert!("(a{10}b{10}){100}c{1000}d{1000}$".parse::<release_core::Pattern>().is_err());
    assert!("a".repeat(512).parse::<release_core::Pattern>().is_ok());
    assert!("a".repeat(513).parse::<release_core::Pattern>().is_err());
    let matcher: Matcher = serde_json::from_str(r#"{"regex":"a|bc"}"#).unwrap();
    assert!(matcher.matches("bc") && !matcher.matches("abc") && !matcher.matches("bcd") && !matcher.matches("a\n"));
}

#[test]
fn owners_are_a_set_of_versions() {
    use Version::{Grayscale, Original};
    let sets = [Owners::Only(Original), Owners::Only(Grayscale), Owners::Both];
    let members = sets.map(|owners| (owners.contains(Original), owners.contains(Grayscale), owners.sole()));
    assert_eq!(members, [(true, false, Some(Original)), (false, true, Some(Grayscale)), (true, true, None)]);
    assert_eq!(sets.map(|owners| owners.and(Owners::Only(Original))), [sets[0], Owners::Both, Owners::Both]);
}

fn condition(json: &str) -> Condition {
    serde_json::from_str(json).unwrap()
}

fn request(query: &str, headers: &[(&str, &str)], draw: u8) -> Request {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Request { headers, query: query.to_owned(), draw }
}
