//! `X-Request-Id`: the caller's where it is well formed, else a new one.

use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// The header's name.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Finds the id of a request, or makes one that does not repeat: a random number for each source, then a count.
///
/// [`ReleaseService`](crate::ReleaseService) has its own. Who wants the id in a log, around the service, asks first and
/// sets `X-Request-Id` of the request to what comes out: the service then takes it over.
///
/// ```
/// use http::HeaderMap;
/// use release_http::RequestIds;
///
/// let ids = RequestIds::new();
/// let mut headers = HeaderMap::new();
/// let id = ids.of(&headers);
/// headers.insert("x-request-id", id.clone());
/// assert_eq!(ids.of(&headers), id);
/// ```
#[derive(Debug)]
pub struct RequestIds {
    source: u64,
    count: AtomicU64,
}

impl RequestIds {
    /// A source of its own.
    pub fn new() -> Self {
        // The standard library's hasher is keyed from the system's randomness.
        Self { source: RandomState::new().hash_one("release-http"), count: AtomicU64::new(0) }
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

    /// The same, and takes the caller's out of the headers: a clone may allocate.
    pub(crate) fn take(&self, headers: &mut HeaderMap) -> HeaderValue {
        match headers.entry(X_REQUEST_ID) {
            Entry::Occupied(mut given) if is_usable(given.iter()) => given.insert(HeaderValue::from_static("")),
            _ => self.next(),
        }
    }

    fn next(&self) -> HeaderValue {
        let id = format!("{:016x}{:016x}", self.source, self.count.fetch_add(1, Ordering::Relaxed));
        HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("unknown"))
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
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
    fn it_is_taken_out_of_the_headers() {
        let ids = RequestIds::new();
        for given in [&["3f2a"][..], &["a b"], &["a", "b"], &[]] {
            let mut headers = headers(given);
            let taken = ids.take(&mut headers);
            assert_eq!(taken == "3f2a", given == ["3f2a"]);
            let left = headers.get(X_REQUEST_ID).and_then(|id| id.to_str().ok());
            assert_eq!(left == given.first().copied(), taken != "3f2a");
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
