//! What became of every request, and what was done meanwhile.

use anyhow::{Result, ensure};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The versions, in the order in which they come.
pub(crate) const VERSIONS: [&str; 3] = ["v1", "v2", "v3"];

/// All of it, while it goes on.
#[derive(Default)]
pub(crate) struct Recorder {
    /// The first request.
    start: OnceLock<Instant>,
    record: Mutex<Record>,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) requests: Vec<Served>,
    pub(crate) events: Vec<Event>,
    /// The versions that were retired, and when that was known.
    pub(crate) retired: Vec<(usize, Duration)>,
}

/// A request, and who answered it. Times are counted from the start.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) sent: Duration,
    /// The version, or what went wrong.
    pub(crate) by: Result<usize, String>,
}

/// Something that was done.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: Duration,
    pub(crate) what: String,
}

impl Recorder {
    /// The time since this was asked for first.
    pub(crate) fn now(&self) -> Duration {
        self.start.get_or_init(Instant::now).elapsed()
    }

    pub(crate) fn served(&self, sent: Duration, by: Result<String, String>) {
        let known = |label: String| {
            VERSIONS.iter().position(|version| *version == label).ok_or_else(|| format!("answered by {label:?}"))
        };
        self.lock().requests.push(Served { sent, by: by.and_then(known) });
    }

    /// Notes what is done now.
    pub(crate) fn event(&self, what: impl Into<String>) -> Duration {
        let at = self.now();
        self.lock().events.push(Event { at, what: what.into() });
        at
    }

    /// Notes that a version was retired, and what tells so.
    pub(crate) fn retired(&self, version: usize, what: impl Into<String>) {
        let at = self.event(what);
        self.lock().retired.push((version, at));
    }

    pub(crate) fn record(&self) -> Record {
        let mut record = self.lock().clone();
        record.requests.sort_by_key(|served| served.sent);
        record
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    pub(crate) fn end(&self) -> Duration {
        self.requests.last().map_or(Duration::ZERO, |served| served.sent)
    }

    /// How many requests each version answered, of those that were sent from one time to another.
    pub(crate) fn counts(&self, from: Duration, until: Duration) -> [usize; 3] {
        let mut counts = [0; 3];
        for served in self.requests.iter().filter(|served| (from..until).contains(&served.sent)) {
            if let Some(count) = served.by.as_ref().ok().and_then(|version| counts.get_mut(*version)) {
                *count += 1;
            }
        }
        counts
    }

    /// The same as shares of 1, in slices of equal length; nothing where nothing was answered.
    pub(crate) fn shares(&self, slices: u32) -> Vec<Option<[f64; 3]>> {
        let slice = self.end() / slices;
        let share = |counts: [usize; 3]| {
            let all = counts.iter().sum::<usize>();
            let part = |count| {
                f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / f64::from(u32::try_from(all).unwrap_or(u32::MAX))
            };
            (all > 0).then(|| counts.map(part))
        };
        (0..slices).map(|number| share(self.counts(slice * number, slice * (number + 1)))).collect()
    }

    /// No request may have failed.
    pub(crate) fn check_no_failure(&self) -> Result<()> {
        let failures: Vec<_> = self.requests.iter().filter_map(|served| served.by.as_ref().err()).collect();
        ensure!(
            failures.is_empty(),
            "{} requests failed, the first one: {}",
            failures.len(),
            failures.first().map_or("", |f| f)
        );
        Ok(())
    }

    /// No request may have reached a version after it was retired.
    pub(crate) fn check_gone(&self) -> Result<()> {
        for &(version, since) in &self.retired {
            let late = self.requests.iter().filter(|served| served.sent >= since && served.by == Ok(version)).count();
            ensure!(late == 0, "{late} requests reached {} after it was retired", VERSIONS.get(version).unwrap_or(&""));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Record {
        /// v2 gets a fifth of v1's requests and then all; then v3 gets a half of them, and none again.
        pub(crate) fn example() -> Self {
            let by = |tenth: usize| match (tenth, tenth % 10) {
                (..100, _) | (100..200, 0..8) => 0,
                (300..400, 0..5) => 2,
                _ => 1,
            };
            let at = |tenth: usize| Duration::from_millis(u64::try_from(tenth).unwrap() * 10);
            let requests = (0..500).map(|tenth| Served { sent: at(tenth), by: Ok(by(tenth)) }).collect();
            let event = |tenth, what: &str| Event { at: at(tenth), what: what.into() };
            let events = [event(100, "v2 has 20 %"), event(200, "v1 <is> gone"), event(201, "that was it")].into();
            Self { requests, events, retired: Vec::new() }
        }
    }

    #[test]
    fn requests_are_counted_by_when_they_were_sent() {
        let (from, until) = (Duration::from_secs(1), Duration::from_secs(2));
        assert_eq!(Record::example().counts(from, until), [80, 20, 0]);
    }

    #[test]
    fn a_failure_and_a_late_request_are_told() {
        let mut record = Record::example();
        record.check_no_failure().unwrap();
        record.retired = [(0, Duration::from_secs(2)), (2, Duration::from_secs(4))].into();
        record.check_gone().unwrap();
        record.requests.push(Served { sent: Duration::from_millis(4500), by: Ok(0) });
        assert_eq!(record.check_gone().unwrap_err().to_string(), "1 requests reached v1 after it was retired");
        record.requests.push(Served { sent: Duration::ZERO, by: Err("503".into()) });
        assert!(record.check_no_failure().unwrap_err().to_string().contains("503"));
    }
}
