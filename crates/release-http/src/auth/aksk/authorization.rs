//! The `Authorization` header.

use super::wrong;
use crate::auth::Denied;
use http::HeaderMap;
use http::header::AUTHORIZATION;

const ALGORITHM: &str = "SDK-HMAC-SHA256";

/// What the header says, in a form that can be worked with.
pub(super) struct Authorization<'a> {
    pub(super) access: &'a str,
    /// Lower case, sorted, without repetition, with `host` and `x-sdk-date`.
    pub(super) signed_headers: Vec<&'a str>,
    pub(super) signature: [u8; 32],
}

impl<'a> Authorization<'a> {
    pub(super) fn of(headers: &'a HeaderMap) -> Result<Self, Denied> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let value = match (given.next(), given.next()) {
            (None, _) => return Err(missing()),
            (Some(value), None) => value.to_str().map_err(|_| malformed())?,
            (Some(_), Some(_)) => {
                return Err(wrong("Authorization is given more than once: give it exactly once."));
            }
        };
        // Another scheme is not a wrong signature but none at all.
        let parameters = value.strip_prefix(ALGORITHM).and_then(|rest| rest.strip_prefix(' ')).ok_or_else(missing)?;
        Self::parse(parameters).ok_or_else(malformed)?.checked()
    }

    /// `Access=…, SignedHeaders=…, Signature=…`, in this order.
    fn parse(parameters: &'a str) -> Option<Self> {
        let mut parameters = parameters.split(',').map(|parameter| parameter.trim_matches(' '));
        let access = parameters.next()?.strip_prefix("Access=")?;
        let signed_headers = parameters.next()?.strip_prefix("SignedHeaders=")?;
        let hex = parameters.next()?.strip_prefix("Signature=")?;
        let mut signature = [0; 32];
        let length = base16ct::lower::decode(hex, &mut signature).ok()?.len();
        let complete = !access.is_empty() && length == signature.len() && parameters.next().is_none();
        complete.then(|| Self { access, signed_headers: signed_headers.split(';').collect(), signature })
    }

    fn checked(self) -> Result<Self, Denied> {
        let names = &self.signed_headers;
        if !names.is_sorted_by(|a, b| a < b) || names.iter().any(|name| !is_signable(name)) {
            return Err(wrong("SignedHeaders must be lower-case names without '_', sorted, each once, joined by ';'."));
        }
        if ["host", "x-sdk-date"].iter().any(|name| !names.contains(name)) {
            return Err(wrong("SignedHeaders must cover host and x-sdk-date: sign them as well."));
        }
        Ok(self)
    }
}

/// A lower-case header name without `_`, which proxies drop or rewrite.
fn is_signable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn missing() -> Denied {
    Denied::Missing("sign it with an access key (SDK-HMAC-SHA256)".into())
}

fn malformed() -> Denied {
    wrong(
        "Authorization is not of the form SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=… with a signature of \
         64 lower-case hexadecimal digits.",
    )
}
