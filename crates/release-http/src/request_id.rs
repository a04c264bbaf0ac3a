//! `X-Request-Id`: the caller's where it is well formed, else a new one.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// The header's name.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Finds the id of a request, or makes one that does not repeat: a random number for each source, then a count.
///
/// [`ReleaseService`](crate::ReleaseService) has its own. Who wants the id in a log, around the service, asks one of their
/// own, and gives what comes out to [`answer_as`](crate::ReleaseService::answer_as).
///
/// ```
/// use http::HeaderMap;
/// use release_http::RequestIds;
///
/// let ids = RequestIds::new();
/// let mut headers = HeaderMap::new();
/// assert_eq!(ids.of(&headers).len(), 32);
/// headers.insert("x-request-id", "3f2a".parse()?);
/// assert_eq!(ids.of(&headers), "3f2a");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RequestIds {
    /// What all new ones begin with.
    source: [u8; 16],
    count: AtomicU64,
}

impl RequestIds {
    /// A source of its own.
    pub fn new() -> Self {
        // The standard library's hasher is keyed from the system's randomness.
        let source = RandomState::new().hash_one("release-http");
        Self { source: hexadecimal(source), count: AtomicU64::new(0) }
    }

    /// The id for the answer: the caller's if there is exactly one and it has 1 to 64 ASCII letters, digits, `-`, `_` or
    /// `.`; else a new one.
    pub fn of(&self, headers: &HeaderMap) -> HeaderValue {
        let given = headers.get_all(X_REQUEST_ID);
        match given.iter().next() {
            Some(id) if is_usable(given.iter()) => id.clone(),
            _ => self.next(),
        }
    }

    fn next(&self) -> HeaderValue {
        let id = Id([self.source, hexadecimal(self.count.fetch_add(1, Ordering::Relaxed))]);
        // So its clone, for a log, takes no memory of its own.
        HeaderValue::from_maybe_shared(Bytes::from_owner(id)).unwrap_or(HeaderValue::from_static("unknown"))
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

/// A new id.
struct Id([[u8; 16]; 2]);

impl AsRef<[u8]> for Id {
    fn as_ref(&self) -> &[u8] {
        self.0.as_flattened()
    }
}

/// As `{:016x}`, which takes a tenth of the time that a short answer takes.
fn hexadecimal(mut number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    for digit in digits.iter_mut().rev() {
        let value = (number & 15) as u8;
        *digit = if value < 10 { b'0' + value } else { b'a' + (value - 10) };
        number >>= 4;
    }
    digits
}

/// Whether it is one, and well formed.
fn is_usable<'a>(mut given: impl Iterator<Item = &'a HeaderValue>) -> bool {
    given.next().is_some_and(|id| is_well_formed(id.as_bytes())) && given.next().is_none()
}

fn is_well_formed(id: &[u8]) -> bool {
    (1..=64).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(ids: &[&str]) -> HeaderMap {
        ids.iter().map(|id| (X_REQUEST_ID, HeaderValue::from_str(id).unwrap())).collect()
    }

    #[test]
    fn a_well_formed_id_is_taken_over() {
        let ids = RequestIds::new();
        for id in ["a", "3f2a-Ab_c.9", &"x".repeat(64)] {
            assert_eq!(ids.of(&headers(&[id])), id);
        }
    }

    #[test]
    fn a_number_is_written_with_all_its_digits() {
        for number in [0, 9, 10, 15, 16, 0x0123_4567_89ab_cdef, u64::MAX] {
            assert_eq!(hexadecimal(number), format!("{number:016x}").as_bytes());
        }
    }

    #[test]
    fn any_other_gives_a_new_one_each_time() {
        let ids = RequestIds::new();
        let mut seen = std::collections::HashSet::new();
        for given in [&[][..], &[""], &["a b"], &["a,b"], &[&"x".repeat(65)], &["a", "b"], &["a", "a"]] {
            let id = ids.of(&headers(given));
            assert!(is_well_formed(id.as_bytes()) && id.len() == 32, "{id:?}");
            assert!(seen.insert(id), "repeated");
        }
        let other = RequestIds::new().of(&headers(&[]));
        assert!(!seen.contains(&other), "two sources gave the same id");
    }
}
