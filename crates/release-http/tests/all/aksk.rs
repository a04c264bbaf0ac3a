//! Who is let in with a signature.

use crate::support::{CREATE, RELEASES, refusal, request, told};
use http::{HeaderValue, Request};
use proptest::prelude::*;
use release_http::testkit::{Memory, Signer, block_on};
use release_http::{AkSk, Authenticate, Caller, Denied, ReleaseService, Tokens};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// 2019-11-15T03:36:55Z, the date of the published examples.
const NOW: u64 = 1_573_789_015;
const DATE: &str = "20191115T033655Z";
const SIGNER: Signer<'static> =
    Signer { access: "QTWAOYTTINDUT2QVKYUC", secret: "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc" };

fn aksk() -> AkSk {
    AkSk::new(|| NOW).key(SIGNER.access, SIGNER.secret, Caller::of_every_mesh())
}

fn service() -> ReleaseService<Memory, AkSk> {
    ReleaseService::new(Memory::default(), aksk())
}

fn signed_delete() -> Request<String> {
    let mut asked = request("DELETE", &format!("{RELEASES}/r1?action=end"), "");
    asked.headers_mut().insert("host", "releases.example".parse().unwrap());
    SIGNER.sign(&mut asked, DATE, &["content-type"]);
    asked
}

fn check(aksk: &AkSk, asked: Request<String>) -> Result<Caller, Denied> {
    let (head, body) = asked.into_parts();
    block_on(aksk.authenticate(&head, body.as_bytes()))
}

/// An example that the vendor published: the signature was not computed here.
fn published(path: &str, signature: &str) -> Request<String> {
    let query = "limit=2&marker=13551d6b-755d-4757-b956-536f674975c0";
    let authorization = format!(
        "SDK-HMAC-SHA256 Access={}, SignedHeaders=content-type;host;x-sdk-date, Signature={signature}",
        SIGNER.access
    );
    Request::get(format!("{path}?{query}"))
        .header("content-type", "application/json")
        .header("host", "service.region.example.com")
        .header("x-sdk-date", DATE)
        .header("authorization", authorization)
        .body(String::new())
        .unwrap()
}

#[test]
fn published_signatures_are_right() {
    let caller = Caller::of_every_mesh().named(SIGNER.access);
    // The signing guide's example, and the one in the Java SDK's own tests.
    for (path, signature) in [
        (
            "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs",
            "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe",
        ),
        (
            "/v5/iotps/77b6a44cba5143ab91d13ab9a8ff44fd/certificates",
            "012cac5e920807f98bf7b23dfe05d29596d544a9b76c37cf933b274a6d4aa874",
        ),
    ] {
        assert_eq!(check(&aksk(), published(path, signature)), Ok(caller.clone()), "{path}");
        let other = signature.replacen(|char: char| char.is_ascii_digit(), "f", 1);
        assert!(check(&aksk(), published(path, &other)).is_err());
    }
}

#[test]
fn an_access_key_is_the_name_of_a_caller_who_has_none() {
    let name = |caller: Caller| {
        let aksk = AkSk::new(|| NOW).key(SIGNER.access, SIGNER.secret, caller);
        check(&aksk, signed_delete()).unwrap().name().map(str::to_owned)
    };
    assert_eq!(name(Caller::of_every_mesh()).as_deref(), Some(SIGNER.access));
    assert_eq!(name(Caller::of_every_mesh().named("pipeline")).as_deref(), Some("pipeline"));
}

#[test]
fn a_signature_lets_in_once() {
    let service = service();
    assert_eq!(told(&service, signed_delete()).0, 404);
    assert_eq!(
        refusal(&service, signed_delete()),
        "401 Authenticate error. The signature was used already: \
         sign again, with a later X-Sdk-Date or another header that differs."
    );
}

#[test]
fn reading_again_is_for_who_wants_it() {
    let get = || {
        let mut asked = request("GET", "/v2/meshes/mesh-1/releases", "");
        asked.headers_mut().insert("host", "releases.example".parse().unwrap());
        SIGNER.sign(&mut asked, DATE, &[]);
        asked
    };
    let strict = aksk();
    assert!(check(&strict, get()).is_ok() && check(&strict, get()).is_err());
    let lenient = aksk().repeatable_reads();
    assert!(check(&lenient, get()).is_ok() && check(&lenient, get()).is_ok());
    assert!(check(&lenient, signed_delete()).is_ok() && check(&lenient, signed_delete()).is_err());
}

#[test]
fn each_key_remembers_its_own_signatures_and_no_more_than_it_may() {
    let aksk = aksk().key("other", "another-secret", Caller::of_every_mesh()).capacity(2);
    let signed = |signer: Signer<'_>, id: &str| {
        let mut asked = signed_delete();
        asked.headers_mut().insert("x-request-id", id.parse().unwrap());
        signer.sign(&mut asked, DATE, &["x-request-id"]);
        check(&aksk, asked)
    };
    assert!(signed(SIGNER, "1").is_ok() && signed(SIGNER, "2").is_ok());
    let Err(Denied::Wrong(full)) = signed(SIGNER, "3") else { panic!("the third is let in") };
    assert_eq!(full, "The access key signed more requests than can be remembered: wait some minutes.");
    assert!(signed(Signer { access: "other", secret: "another-secret" }, "3").is_ok());
}

#[test]
fn the_date_may_be_15_minutes_off() {
    for (seconds, good) in [(-901, false), (-900, true), (0, true), (900, true), (901, false)] {
        let aksk = AkSk::new(move || NOW.checked_add_signed(seconds).unwrap());
        let aksk = aksk.key(SIGNER.access, SIGNER.secret, Caller::of_every_mesh());
        assert_eq!(check(&aksk, signed_delete()).is_ok(), good, "{seconds}");
    }
}

#[test]
fn a_clock_that_goes_back_brings_no_signature_back() {
    let clock = Arc::new(AtomicU64::new(NOW));
    let reader = Arc::clone(&clock);
    let aksk =
        AkSk::new(move || reader.load(Ordering::Relaxed)).key(SIGNER.access, SIGNER.secret, Caller::of_every_mesh());
    assert!(check(&aksk, signed_delete()).is_ok());
    clock.store(NOW + 1000, Ordering::Relaxed);
    let mut later = signed_delete();
    SIGNER.sign(&mut later, "20191115T035255Z", &[]);
    assert!(check(&aksk, later).is_ok());
    clock.store(NOW, Ordering::Relaxed);
    assert!(check(&aksk, signed_delete()).is_err());
}

#[test]
fn a_clock_that_was_wrong_for_a_moment_locks_nobody_out() {
    let clock = Arc::new(AtomicU64::new(NOW));
    let reader = Arc::clone(&clock);
    let aksk =
        AkSk::new(move || reader.load(Ordering::Relaxed)).key(SIGNER.access, SIGNER.secret, Caller::of_every_mesh());
    let dated = |date: &str| {
        let mut asked = signed_delete();
        SIGNER.sign(&mut asked, date, &[]);
        check(&aksk, asked)
    };
    assert!(dated(DATE).is_ok());
    clock.store(NOW + 24 * 60 * 60, Ordering::Relaxed);
    assert!(dated("20191116T033655Z").is_ok());
    clock.store(NOW, Ordering::Relaxed);
    // What was signed before the jump was forgotten, so it stays out; what is signed after it is let in.
    assert!(dated(DATE).is_err());
    assert!(dated("20191115T033656Z").is_ok());
    assert!(dated("20191115T033656Z").is_err());
}

#[test]
fn dates_that_are_none_are_refused() {
    for date in [
        "",
        "20191115T033655",
        "20191115033655Z",
        "20191115T0336Z",
        "20191115T0336550Z",
        "201911150T033655Z",
        "20191115T033655ZZ",
        "2019-11-15T03:36:55Z",
        "20191315T033655Z",
        "20191131T033655Z",
        "20191115T243655Z",
        "20191115T036055Z",
        "20191115T033660Z",
        "+2019111T033655Z",
        "20191115T+33655Z",
        "00000101T000000Z",
    ] {
        let mut asked = signed_delete();
        SIGNER.sign(&mut asked, date, &[]);
        let Err(Denied::Wrong(why)) = check(&aksk(), asked) else { panic!("{date} is taken") };
        assert_eq!(why, "X-Sdk-Date must be given exactly once, as YYYYMMDDTHHMMSSZ in UTC.", "{date}");
    }
    let mut asked = signed_delete();
    asked.headers_mut().append("x-sdk-date", DATE.parse().unwrap());
    assert!(check(&aksk(), asked).is_err());
}

#[test]
fn what_is_not_an_authorization_is_refused() {
    let right = signed_delete().headers()["authorization"].to_str().unwrap().to_owned();
    let signature = right.rsplit('=').next().unwrap().to_owned();
    for (value, why) in [
        ("Basic abc".to_owned(), "no credentials"),
        (right.replace("SDK-HMAC-SHA256 ", "SDK-HMAC-SHA256"), "no credentials"),
        (right.replace("SDK-HMAC-SHA256", "sdk-hmac-sha256"), "no credentials"),
        (right.replace("Access=QTWAOYTTINDUT2QVKYUC", "Access="), "not of the form"),
        (right.replace("Access", "access"), "not of the form"),
        (format!("{right}, X=1"), "not of the form"),
        (right.replace(&signature, &signature[..62]), "not of the form"),
        (right.replace(&signature, &format!("{signature}00")), "not of the form"),
        (right.replace(&signature, &signature.to_uppercase()), "not of the form"),
        (right.replace("content-type;host", "host;content-type"), "SignedHeaders must be"),
        (right.replace("content-type;host", "content-type;content-type;host"), "SignedHeaders must be"),
        (right.replace("content-type;host", "Content-Type;host"), "SignedHeaders must be"),
        (right.replace("content-type;host", "content_type;host"), "SignedHeaders must be"),
        (right.replace("content-type;host", ";content-type;host"), "SignedHeaders must be"),
        (right.replace("content-type;host", "content-type"), "must cover host"),
        (right.replace(";x-sdk-date", ""), "must cover host"),
        (right.replace("content-type;host", "accept;content-type;host"), "exactly once"),
        (right.replace("QTWA", "XTWA"), "not known or the signature is wrong"),
        (
            right.replace(&signature, &signature.chars().rev().collect::<String>()),
            "not known or the signature is wrong",
        ),
    ] {
        let mut asked = signed_delete();
        asked.headers_mut().insert("authorization", value.parse().unwrap());
        let said = refusal(&service(), asked);
        assert!(said.starts_with("401 ") && said.contains(why), "{value}: {said}");
        assert!(!said.contains(&signature) && !said.contains(SIGNER.access), "{said}");
    }
    let mut twice = signed_delete();
    twice.headers_mut().append("authorization", right.parse().unwrap());
    assert!(refusal(&service(), twice).contains("more than once"));
    let mut none = signed_delete();
    none.headers_mut().remove("authorization");
    assert!(refusal(&service(), none).contains("sign it with an access key"));
}

#[test]
fn a_signed_header_must_be_there_once() {
    let mut asked = signed_delete();
    asked.headers_mut().append("content-type", "text/plain".parse().unwrap());
    assert!(refusal(&service(), asked).contains("exactly once"));
}

#[test]
fn the_host_may_come_from_the_target_but_not_from_two_places() {
    let with = |target: &str, host: Option<&str>| {
        let mut asked = signed_delete();
        let path = asked.uri().path_and_query().unwrap().to_string();
        *asked.uri_mut() = format!("{target}{path}").parse().unwrap();
        asked.headers_mut().remove("host");
        if let Some(host) = host {
            asked.headers_mut().insert("host", host.parse().unwrap());
        }
        check(&aksk(), asked)
    };
    assert!(with("", Some("releases.example")).is_ok());
    assert!(with("https://releases.example", None).is_ok());
    assert!(with("https://releases.example", Some("releases.example")).is_ok());
    assert!(with("https://other.example", None).is_err());
    assert_eq!(
        with("https://other.example", Some("releases.example")),
        Err(Denied::Wrong("Host and the request's target differ.".into()))
    );
    assert!(with("https://releases.example", Some("other.example")).is_err());
    assert!(with("", None).is_err());
}

#[test]
fn the_body_is_always_signed() {
    let create = |hash: Option<&str>| {
        let mut asked = request("POST", RELEASES, CREATE);
        asked.headers_mut().insert("host", "releases.example".parse().unwrap());
        let mut names = vec!["content-type"];
        if let Some(hash) = hash {
            asked.headers_mut().insert("x-sdk-content-sha256", hash.parse().unwrap());
            names.push("x-sdk-content-sha256");
        }
        SIGNER.sign(&mut asked, DATE, &names);
        refusal_or_status(asked)
    };
    assert_eq!(create(None), "201");
    let hash = "b6a9bc18de62cc6e02cb25dff05af6f3b2bd60ee6f1fb0f6eb2ee2ab36c1ea3a";
    assert!(create(Some(hash)).contains("not the hash of the body"), "another body's hash");
    assert!(create(Some("UNSIGNED-PAYLOAD")).contains("UNSIGNED-PAYLOAD is not accepted"));
    let right = base16ct::lower::encode_string(&<sha2::Sha256 as sha2::Digest>::digest(CREATE));
    assert_eq!(create(Some(&right)), "201");
}

fn refusal_or_status(asked: Request<String>) -> String {
    let (status, body) = told(&service(), asked);
    if status < 300 { status.to_string() } else { body }
}

#[test]
fn keys_open_their_own_meshes_and_empty_secrets_open_none() {
    let narrow = Caller::of_meshes(["mesh-2".parse().unwrap()]);
    let aksk = AkSk::new(|| NOW).key(SIGNER.access, SIGNER.secret, narrow).key("empty", "", Caller::of_every_mesh());
    let service = ReleaseService::new(Memory::default(), aksk);
    assert!(refusal(&service, signed_delete()).starts_with("403 Forbidden."));
    for secret in ["", "nobody"] {
        let mut asked = signed_delete();
        Signer { access: "empty", secret }.sign(&mut asked, DATE, &[]);
        assert!(refusal(&service, asked).starts_with("401 "));
    }
}

/// Whatever of the crate holds a secret, as `{:?}` and `{:#?}` show it.
#[test]
fn debug_shows_no_secret() {
    let tokens = Tokens::new([("a-token", Caller::of_every_mesh())]);
    let service = ReleaseService::new(Memory::default(), (tokens.clone(), aksk()));
    assert_eq!(format!("{:?}", aksk()), "AkSk(1)");
    assert_eq!(format!("{tokens:?}"), "Tokens(1)");
    assert_eq!(format!("{SIGNER:?}"), r#"Signer { access: "QTWAOYTTINDUT2QVKYUC", .. }"#);
    let used = aksk();
    assert!(check(&used, signed_delete()).is_ok());
    let signature = signed_delete().headers()["authorization"].to_str().unwrap().rsplit('=').next().unwrap().to_owned();
    for shown in
        [format!("{service:?} {tokens:?} {SIGNER:?} {used:?}"), format!("{service:#?} {tokens:#?} {SIGNER:#?}")]
    {
        for secret in [SIGNER.secret, "a-token", &*signature] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn either_kind_of_credentials() {
    let tokens = Tokens::new([("a-token", Caller::of_every_mesh())]);
    let service = ReleaseService::new(Memory::default(), (tokens, aksk()));
    let with_token = |mut asked: Request<String>, token: &str| {
        asked.headers_mut().insert("x-auth-token", token.parse().unwrap());
        asked
    };
    let plain = || request("DELETE", &format!("{RELEASES}/r1?action=end"), "");
    assert_eq!(told(&service, signed_delete()).0, 404);
    assert_eq!(told(&service, with_token(plain(), "a-token")).0, 404);
    // Wrong credentials are wrong, whatever else there is.
    assert!(refusal(&service, with_token(signed_delete(), "wrong")).starts_with("401 "));
    assert_eq!(
        refusal(&service, plain()),
        "401 Authenticate error. The request has no credentials: set X-Auth-Token to a token, \
         or sign it with an access key (SDK-HMAC-SHA256)."
    );
}

#[test]
fn the_spelling_of_an_escape_does_not_matter() {
    // Signed as `r~1` and `a b`; sent with these escaped in other ways.
    for target in
        ["/releases/r~1/x%20y?k=a%20b&c=", "/releases/r%7E1/x%20y?c&k=a%20%62", "/releases/%72~1/x%20y/?&k=a%20b&c"]
    {
        let mut asked = Request::get("/releases/r~1/x%20y?c=&k=a%20b").body(String::new()).unwrap();
        asked.headers_mut().insert("host", "releases.example".parse().unwrap());
        SIGNER.sign(&mut asked, DATE, &[]);
        *asked.uri_mut() = target.parse().unwrap();
        assert!(check(&aksk(), asked).is_ok(), "{target}");
    }
}

#[test]
fn what_is_not_an_escape_is_not_taken_for_one() {
    // A percent sign was signed; sent is the same text, where it is the start of a bad escape.
    for (signed, sent) in [("%25zz", "%zz"), ("%25ff", "%ff"), ("%25ff", "%FF"), ("%25", "%")] {
        for (before, after) in [("/releases/", "?k=v"), ("/releases?k=", ""), ("/releases?", "=v")] {
            let mut asked = Request::get(format!("{before}{signed}{after}")).body(String::new()).unwrap();
            asked.headers_mut().insert("host", "releases.example".parse().unwrap());
            SIGNER.sign(&mut asked, DATE, &[]);
            assert!(check(&aksk(), asked.clone()).is_ok(), "{before}{signed}{after}");
            *asked.uri_mut() = format!("{before}{sent}{after}").parse().unwrap();
            assert!(check(&aksk(), asked).is_err(), "{before}{sent}{after}");
        }
    }
}

/// What the parser refuses is refused with its own words: the signature is right.
#[test]
fn a_path_that_is_no_id_is_signed_as_it_reads_and_refused_as_a_path() {
    let refused = |signed: &str, sent: &str| {
        let mut asked = request("GET", &format!("/v2/meshes/mesh-1/namespaces/shop/releases/{signed}"), "");
        asked.headers_mut().insert("host", "releases.example".parse().unwrap());
        SIGNER.sign(&mut asked, DATE, &[]);
        *asked.uri_mut() = format!("/v2/meshes/mesh-1/namespaces/shop/releases/{sent}").parse().unwrap();
        refusal(&service(), asked)
    };
    for sent in ["a%2Fb", "a%2fb"] {
        let said = refused("a/b", sent);
        assert!(said.starts_with("400 ") && said.contains("has a slash"), "{said}");
    }
    let said = refused("%zz", "%zz");
    assert!(said.starts_with("400 ") && said.contains("not followed by two hexadecimal digits"), "{said}");
    assert!(refused("a/b", "a%2Fc").starts_with("401 "));
}

#[test]
fn a_signed_header_has_no_bytes_that_are_not_ascii() {
    // Two bytes that are no UTF-8 would look the same, and a space of Unicode would be trimmed.
    for value in [&b"a\xfe"[..], b"a\xff", b"\xc2\xa0a", "a\u{2003}".as_bytes()] {
        let mut asked = signed_delete();
        asked.headers_mut().insert("x-more", HeaderValue::from_bytes(value).unwrap());
        SIGNER.sign(&mut asked, DATE, &["x-more"]);
        assert_eq!(
            check(&aksk(), asked),
            Err(Denied::Wrong("A header in SignedHeaders has characters that are not ASCII: encode them.".into()))
        );
    }
    let mut asked = signed_delete();
    asked.headers_mut().insert("x-more", HeaderValue::from_static("\t a \t"));
    SIGNER.sign(&mut asked, DATE, &["x-more"]);
    assert!(check(&aksk(), asked).is_ok());
}

#[test]
fn reserved_characters_are_signed_escaped() {
    let mut asked = Request::get("/a%2Bb%3A/?k=%2F%2B&k=%24").body(String::new()).unwrap();
    asked.headers_mut().insert("host", "releases.example".parse().unwrap());
    // `path()` of the signer has the slash at the end already.
    SIGNER.sign(&mut asked, DATE, &[]);
    assert!(check(&aksk(), asked.clone()).is_err(), "the path that was signed ends in two slashes");
    *asked.uri_mut() = "/a%2Bb%3A?k=%24&k=%2F%2B".parse().unwrap();
    SIGNER.sign(&mut asked, DATE, &[]);
    *asked.uri_mut() = "/a+b:?k=/+&k=$".parse().unwrap();
    assert!(check(&aksk(), asked).is_ok());
}

/// What of a signed request can be changed byte by byte.
#[derive(Clone, Copy, Debug)]
enum Part {
    Method,
    Path,
    Query,
    Host,
    ContentType,
    More,
    Date,
    SignedHeaders,
    Signature,
    Access,
    Body,
}

impl Part {
    const ALL: [Self; 11] = [
        Self::Method,
        Self::Path,
        Self::Query,
        Self::Host,
        Self::ContentType,
        Self::More,
        Self::Date,
        Self::SignedHeaders,
        Self::Signature,
        Self::Access,
        Self::Body,
    ];
}

fn changed(asked: &mut Request<String>, part: Part, at: usize, to: u8) -> Option<()> {
    let change_bytes = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let at = at % bytes.len();
        (bytes[at] != to).then(|| bytes[at] = to)?;
        Some(bytes)
    };
    let change = |text: &str| String::from_utf8(change_bytes(text.as_bytes())?).ok();
    let header = |asked: &mut Request<String>, name: &'static str| {
        let value = change_bytes(asked.headers()[name].as_bytes())?;
        asked.headers_mut().insert(name, HeaderValue::from_bytes(&value).ok()?);
        Some(())
    };
    // Of `Access=…, SignedHeaders=…, Signature=…`, the value after this name.
    let parameter = |asked: &mut Request<String>, name: &str| {
        let value = asked.headers()["authorization"].to_str().unwrap().to_owned();
        let (start, rest) = value.split_once(name).unwrap();
        let end = rest.find(',').unwrap_or(rest.len());
        let (old, rest) = rest.split_at(end);
        let new = change_bytes(old.as_bytes())?;
        let value = [start.as_bytes(), name.as_bytes(), &new, rest.as_bytes()].concat();
        asked.headers_mut().insert("authorization", HeaderValue::from_bytes(&value).ok()?);
        Some(())
    };
    match part {
        Part::Method => *asked.method_mut() = change(asked.method().as_str())?.parse().ok()?,
        Part::Path => {
            let path = change(asked.uri().path())?;
            // A fragment or a query is another thing to change.
            (path.starts_with('/') && !path.contains(['#', '?'])).then_some(())?;
            *asked.uri_mut() = format!("{path}?{}", asked.uri().query()?).parse().ok()?;
        }
        Part::Query => {
            let query = change(asked.uri().query()?)?;
            (!query.contains('#')).then_some(())?;
            *asked.uri_mut() = format!("{}?{query}", asked.uri().path()).parse().ok()?;
        }
        Part::Host => header(asked, "host")?,
        Part::ContentType => header(asked, "content-type")?,
        Part::More => header(asked, "x-more")?,
        Part::Date => header(asked, "x-sdk-date")?,
        Part::SignedHeaders => parameter(asked, "SignedHeaders=")?,
        Part::Signature => parameter(asked, "Signature=")?,
        Part::Access => parameter(asked, "Access=")?,
        Part::Body => *asked.body_mut() = change(asked.body())?,
    }
    Some(())
}

proptest! {
    #[test]
    fn any_changed_byte_of_what_was_signed_keeps_out(
        at in 0..1000_usize,
        to in any::<u8>(),
    ) {
        let mut signed = request("POST", "/v2/meshes/mesh-1/x?action=end&b=c", CREATE);
        signed.headers_mut().insert("host", "releases.example".parse().unwrap());
        signed.headers_mut().insert("x-more", HeaderValue::from_static("some more of it"));
        SIGNER.sign(&mut signed, DATE, &["content-type", "x-more"]);
        prop_assert!(check(&aksk(), signed.clone()).is_ok());
        for part in Part::ALL {
            // Not every byte can be there; the next one that can is taken.
            let asked = (0..4).find_map(|more| {
                (0..=255).find_map(|next| {
                    let mut asked = signed.clone();
                    changed(&mut asked, part, at + more, to.wrapping_add(next)).map(|()| asked)
                })
            });
            let asked = asked.unwrap();
            prop_assert!(check(&aksk(), asked.clone()).is_err(), "{:?} {:?}", part, asked);
        }
    }

    #[test]
    fn what_the_independent_signer_signs_is_let_in(
        secret in "[ -~]{1,100}",
        path in "(/[A-Za-z0-9._~-]{1,9}){1,5}",
        query in "([a-z]{1,4}=[A-Za-z0-9._~-]{0,4}&){0,4}[a-z]{1,4}=[0-9]",
        body in ".{0,200}",
        value in "[!-~]([ -~]{0,20}[!-~])?",
    ) {
        let aksk = AkSk::new(|| NOW).key("a", secret.clone(), Caller::of_every_mesh());
        let asked = Request::put(format!("{path}?{query}")).header("host", "a.example:8443").header("x-more", value);
        let mut asked = asked.body(body).unwrap();
        Signer { access: "a", secret: &secret }.sign(&mut asked, DATE, &["x-more"]);
        prop_assert!(check(&aksk, asked).is_ok());
    }
}
