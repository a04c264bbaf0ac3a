//! Percent-decoding, once and strictly.

use percent_encoding::percent_decode_str;
use release_core::ParseError;
use std::borrow::Cow;

/// Why a part of the path or of the query can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadEncoding {
    #[error("has a '%' that is not followed by two hexadecimal digits: write a plain '%' as %25")]
    Escape,
    #[error("is not UTF-8 once it is percent-decoded")]
    NotUtf8,
    #[error("has a control character once it is percent-decoded")]
    Control,
    #[error("has a slash once it is percent-decoded: ids have no slash")]
    Slash,
}

/// One part of the path or of the query, decoded. Nothing is decoded twice: `%2541` gives `%41`.
pub(crate) fn decode(part: &str) -> Result<Cow<'_, str>, BadEncoding> {
    // Nearly every part is plain.
    if part.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%') {
        return Ok(Cow::Borrowed(part));
    }
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' && !(is_hex(rest.next()) && is_hex(rest.next())) {
            return Err(BadEncoding::Escape);
        }
    }
    let decoded = percent_decode_str(part).decode_utf8().map_err(|_| BadEncoding::NotUtf8)?;
    if decoded.chars().any(char::is_control) { Err(BadEncoding::Control) } else { Ok(decoded) }
}

/// An identifier in the path: decoded, without a slash, and checked by its own type.
pub(crate) fn identifier<T>(parameter: &str, segment: &str) -> Result<T, String>
where
    T: for<'a> TryFrom<&'a str, Error = ParseError>,
{
    // Nearly every identifier is sent as it is; since none has a '%', what is valid now would be the same once decoded.
    if let Ok(identifier) = T::try_from(segment) {
        return Ok(identifier);
    }
    let decoded =
        decode(segment).and_then(without_slash).map_err(|why| format!("The path parameter {parameter} {why}."))?;
    T::try_from(decoded.as_ref()).map_err(|error| sentence(&error))
}

/// What was not escaped is a segment, which has none.
fn without_slash(decoded: Cow<'_, str>) -> Result<Cow<'_, str>, BadEncoding> {
    match decoded {
        Cow::Owned(text) if text.contains('/') => Err(BadEncoding::Slash),
        decoded => Ok(decoded),
    }
}

/// The core's word on a parameter as a sentence.
pub(crate) fn sentence(error: &ParseError) -> String {
    format!("The parameter {error}.")
}

fn is_hex(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_hexdigit())
}
