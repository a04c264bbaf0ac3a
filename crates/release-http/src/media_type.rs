//! The `Content-Type` header, which the contract makes mandatory on a delete. Ours: on everything but a GET.

use http::{HeaderMap, Method, header::CONTENT_TYPE};

const ALLOWED: &str = "set it to application/json or application/json;charset=utf-8.";

/// Accepts `application/json`, with the parameter `charset=utf-8` or none, in any case and with spaces where HTTP allows
/// them (RFC 9110, 8.3.1). None will do for a GET.
pub(crate) fn check(method: &Method, headers: &HeaderMap) -> Result<(), String> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    match (values.next(), values.next()) {
        (Some(value), None) if is_json(value.as_bytes()) => Ok(()),
        (Some(_), None) => Err(format!("The header Content-Type has a value that is not supported: {ALLOWED}")),
        (Some(_), Some(_)) => Err("The header Content-Type is given more than once: give it exactly once.".into()),
        (None, _) if *method == Method::GET => Ok(()),
        (None, _) => Err(format!("The header Content-Type is missing: {ALLOWED}")),
    }
}

fn is_json(value: &[u8]) -> bool {
    // Nearly every client writes it like this.
    if value == b"application/json" {
        return true;
    }
    let Ok(value) = std::str::from_utf8(value) else { return false };
    let mut parts = value.split(';').map(|part| part.trim_matches([' ', '\t']));
    let json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let mut charsets = 0;
    // RFC 9110 lets a list of parameters have empty members.
    let known = parts.filter(|part| !part.is_empty()).all(|part| {
        charsets += 1;
        is_utf8(part)
    });
    json && known && charsets <= 1
}

fn is_utf8(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    name.eq_ignore_ascii_case("charset") && value.eq_ignore_ascii_case("utf-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_http_allows_is_allowed() {
        for value in [
            "application/json",
            "Application/JSON",
            " application/json ",
            "application/json;charset=utf-8",
            "application/json ; Charset=UTF-8",
            "application/json;\tcharset=\"utf-8\"",
            "application/json;",
            "application/json; ;charset=utf-8;",
        ] {
            assert!(is_json(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for value in [
            "",
            ";charset=utf-8",
            "text/plain",
            "application/jsonx",
            "application/json charset=utf-8",
            "application/json;charset",
            "application/json;charset=utf8",
            "application/json;charset=latin-1",
            "application/json;charset =utf-8",
            "application/json;charset=\"utf-8",
            "application/json;version=1",
            "application/json;charset=utf-8;charset=utf-8",
            "application/json, application/json",
        ] {
            assert!(!is_json(value.as_bytes()), "{value}");
        }
        assert!(!is_json(b"application/json\xff"));
    }
}
