//! Pauses between failures.

use crate::Settings;
use std::time::Duration;
use tokio::time::Instant;

/// Growing pauses with jitter, so that tasks which failed together don't try again together.
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { first: settings.first_pause, longest: settings.longest_pause, next: settings.first_pause }
    }

    /// The next pause: between half and all of what it has grown to.
    pub(crate) fn pause(&mut self) -> Duration {
        let full = self.next.min(self.longest);
        self.next = full.saturating_mul(2);
        full.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// Starts anew, after a success.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

/// The moment that long after another; one that never comes, if there is none.
pub(crate) fn after(moment: Instant, pause: Duration) -> Instant {
    const YEARS: Duration = Duration::from_hours(30 * 365 * 24);
    moment.checked_add(pause).unwrap_or_else(|| moment + YEARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_start_anew() {
        let mut backoff = Backoff::new(&Settings::default());
        for full in [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000] {
            let (pause, full) = (backoff.pause(), Duration::from_millis(full));
            assert!(full / 2 <= pause && pause <= full, "{pause:?} for {full:?}");
        }
        backoff.reset();
        assert!(backoff.pause() <= Duration::from_millis(100));
    }

    /// By accident, 256 pauses leave out one of the quarters once in 10³¹ times.
    #[test]
    fn pauses_of_the_same_length_differ_over_all_of_their_range() {
        let mut backoff = Backoff::new(&Settings::default());
        let mut quarters = [0; 4];
        for _ in 0..256 {
            backoff.reset();
            let beyond_half = backoff.pause().as_micros() - 50_000;
            quarters[usize::try_from(beyond_half / 12_501).unwrap()] += 1;
        }
        assert!(quarters.iter().all(|pauses| *pauses > 0), "{quarters:?}");
    }
}
