//! Time, as it is told.

use std::ops::Add;
use std::time::Duration;

/// A moment: how long after a start that whoever drives a [`Control`](super::Control) chose, by a clock that only goes
/// forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Duration);

impl Moment {
    /// That long after the start.
    pub const fn new(since_start: Duration) -> Self {
        Self(since_start)
    }

    /// How long after the start.
    pub const fn since_start(self) -> Duration {
        self.0
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}
