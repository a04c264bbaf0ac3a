//! What is stored of a task.

use release_core::ReleaseTask;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What is stored of a task.
///
/// As JSON: `{"task":{"v1":{..}},"metadata":{..},"created":1767225600000,"closed":null}`. Decoding a task checks the laws.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The task.
    pub task: ReleaseTask,
    /// What the embedder wants to find again; the engine does not look at it.
    pub metadata: serde_json::Value,
    /// When the task was created.
    pub created: Timestamp,
    /// When the task was closed, if it is.
    pub closed: Option<Timestamp>,
}

/// A record as it was found in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The record.
    pub record: Record,
    /// Its revision.
    pub revision: Revision,
}

/// Which version of a record: a store gives each version a greater one than the version before, also when the record was
/// removed in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(u64);

impl Revision {
    /// The revision with that number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A moment, in milliseconds since 1970 (UTC).
///
/// ```
/// use release_engine::Timestamp;
///
/// assert_eq!(Timestamp::from_millis(1_767_225_600_250).to_string(), "2026-01-01T00:00:00.25Z");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// That many milliseconds after the beginning of 1970.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The milliseconds since the beginning of 1970.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This moment, by the system's clock.
    pub fn now() -> Self {
        SystemTime::now().into()
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// As RFC 3339 says; a moment after the year 9999, which it does not know, as the number of milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = i128::from(self.0) * 1_000_000;
        let time = time::OffsetDateTime::from_unix_timestamp_nanos(nanos).ok();
        match time.and_then(|time| time.format(&time::format_description::well_known::Rfc3339).ok()) {
            Some(time) => f.write_str(&time),
            None => write!(f, "{} ms after 1970", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_that_rfc_3339_does_not_know_is_a_number() {
        let last = 253_402_300_799_999;
        assert_eq!(Timestamp::from_millis(last).to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::from_millis(last + 1).to_string(), "253402300800000 ms after 1970");
        assert_eq!(Timestamp::from_millis(u64::MAX).to_string(), "18446744073709551615 ms after 1970");
    }
}
