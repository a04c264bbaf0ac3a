//! What is signed: the request in its canonical form.

use super::wrong;
use crate::auth::Denied;
use crate::percent;
use hmac::{Hmac, KeyInit, Mac};
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use time::{Date, Month, Time, UtcDateTime};

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A slash of the path that was escaped is signed as a slash. Source: contract. The parser refuses it.
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// What may be around the value of a header and is no part of it (RFC 9110, 5.5).
const BLANKS: [char; 2] = [' ', '\t'];

const DATE_RULE: &str = "X-Sdk-Date must be given exactly once, as YYYYMMDDTHHMMSSZ in UTC.";

/// The six parts, joined by newlines.
pub(super) fn request(head: &Parts, signed_headers: &[&str], body: &[u8]) -> Result<String, Denied> {
    let mut text = format!("{}\n", head.method);
    push_path(&mut text, head.uri.path());
    text.push('\n');
    push_query(&mut text, head.uri.query());
    text.push('\n');
    for name in signed_headers {
        let value = if *name == "host" { host(&head.headers, &head.uri)? } else { header(&head.headers, name)? };
        text.extend([name, ":", value, "\n"]);
    }
    text.push('\n');
    text.push_str(&signed_headers.join(";"));
    text.push('\n');
    text.push_str(&body_hash(&head.headers, body)?);
    Ok(text)
}

/// Whether `signature` is the one of that canonical request, in constant time.
pub(super) fn verify(secret: &[u8], date: &str, request: &str, signature: &[u8; 32]) -> bool {
    // A MAC takes keys of any length; were that not so, nobody would be let in.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
    mac.update(b"SDK-HMAC-SHA256\n");
    mac.update(date.as_bytes());
    mac.update(b"\n");
    mac.update(hex_sha256(request.as_bytes()).as_bytes());
    mac.verify_slice(signature).is_ok()
}

/// `X-Sdk-Date` as it was signed, and in seconds since 1970.
pub(super) fn date(headers: &HeaderMap) -> Result<(&str, u64), Denied> {
    let mut given = headers.get_all("x-sdk-date").iter();
    let text = match (given.next(), given.next()) {
        (Some(value), None) => value.to_str().map_err(|_| wrong(DATE_RULE))?.trim_matches(BLANKS),
        _ => return Err(wrong(DATE_RULE)),
    };
    let seconds = seconds(text).ok_or_else(|| wrong(DATE_RULE))?;
    Ok((text, seconds))
}

fn seconds(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    if date.len() != 8 || time.len() != 6 || !date.bytes().chain(time.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |text: &str, from: usize, to: usize| text.get(from..to)?.parse::<u8>().ok();
    let month = Month::try_from(number(date, 4, 6)?).ok()?;
    let date = Date::from_calendar_date(date.get(..4)?.parse().ok()?, month, number(date, 6, 8)?).ok()?;
    let time = Time::from_hms(number(time, 0, 2)?, number(time, 2, 4)?, number(time, 4, 6)?).ok()?;
    u64::try_from(UtcDateTime::new(date, time).unix_timestamp()).ok()
}

/// Every segment decoded once and encoded again, so that the spelling of an escape does not matter; with a `/` at the end.
fn push_path(text: &mut String, path: &str) {
    let segments: Vec<String> = path.split('/').map(|segment| recoded(segment, RESERVED_IN_PATH)).collect();
    text.push_str(&segments.join("/"));
    if !text.ends_with('/') {
        text.push('/');
    }
}

/// Encoded in the same way, sorted by name and then by value, with `=` even for an empty value.
fn push_query(text: &mut String, query: Option<&str>) {
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (recoded(name, RESERVED), recoded(value, RESERVED)))
        .collect();
    pairs.sort();
    for (index, (name, value)) in pairs.iter().enumerate() {
        text.extend([if index == 0 { "" } else { "&" }, name, "=", value]);
    }
}

/// What can't be decoded stays as it is, which is no encoding of anything else; the parser refuses it later.
fn recoded(part: &str, reserved: &'static AsciiSet) -> String {
    match percent::decode(part) {
        Ok(decoded) => utf8_percent_encode(&decoded, reserved).to_string(),
        Err(_) => part.to_owned(),
    }
}

/// The one value of a signed header: of two, one would not be covered. Only ASCII, since bytes that are no text have no
/// canonical form.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Denied> {
    let mut given = headers.get_all(name).iter();
    match (given.next(), given.next()) {
        (Some(value), None) => value
            .to_str()
            .map(|value| value.trim_matches(BLANKS))
            .map_err(|_| wrong("A header in SignedHeaders has characters that are not ASCII: encode them.")),
        _ => Err(wrong("Each header in SignedHeaders must be given exactly once.")),
    }
}

/// HTTP/2 has the host in the request's target; where both are given they must agree.
fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Result<&'a str, Denied> {
    match (headers.contains_key(HOST), uri.authority()) {
        (false, Some(authority)) => Ok(authority.as_str()),
        (true, Some(authority)) => {
            let host = header(headers, "host")?;
            if host == authority.as_str() { Ok(host) } else { Err(wrong("Host and the request's target differ.")) }
        }
        (_, None) => header(headers, "host"),
    }
}

fn body_hash(headers: &HeaderMap, body: &[u8]) -> Result<String, Denied> {
    let hash = hex_sha256(body);
    let mut given = headers.get_all("x-sdk-content-sha256").iter();
    if given.all(|given| given.as_bytes() == hash.as_bytes()) {
        return Ok(hash);
    }
    Err(wrong("X-Sdk-Content-Sha256 is not the hash of the body: sign the body; UNSIGNED-PAYLOAD is not accepted."))
}

fn hex_sha256(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(bytes))
}
