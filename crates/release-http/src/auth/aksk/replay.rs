//! A signature is good once.

use super::{SKEW, wrong};
use crate::auth::Denied;
use std::collections::BTreeSet;

/// The signatures of one access key whose date is still good, by date.
#[derive(Debug, Default)]
pub(super) struct Seen {
    signatures: BTreeSet<(u64, [u8; 32])>,
    /// The latest time there was: a clock that goes back does not bring forgotten signatures back to life.
    latest: u64,
}

impl Seen {
    /// Lets a signature through once. Whoever is refused here had a right signature and learns nothing new.
    ///
    /// The date is part of what was signed, so the same signature comes with the same date.
    pub(super) fn admit(&mut self, date: u64, signature: [u8; 32], now: u64, capacity: usize) -> Result<(), Denied> {
        self.latest = self.latest.max(now);
        let oldest = self.latest.saturating_sub(SKEW);
        if date < oldest {
            return Err(wrong("X-Sdk-Date is more than 15 minutes off: check the clock and sign again."));
        }
        while self.signatures.first().is_some_and(|(date, _)| *date < oldest) {
            self.signatures.pop_first();
        }
        if self.signatures.contains(&(date, signature)) {
            return Err(wrong(
                "The signature was used already: sign again, with a later X-Sdk-Date or another header that differs.",
            ));
        }
        if self.signatures.len() >= capacity {
            return Err(wrong("The access key signed more requests than can be remembered: wait some minutes."));
        }
        self.signatures.insert((date, signature));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn a_signature_is_good_once_and_another_one_is_another() {
        let mut seen = Seen::default();
        assert_eq!(seen.admit(NOW, [1; 32], NOW, 9), Ok(()));
        assert!(seen.admit(NOW, [1; 32], NOW, 9).is_err());
        assert_eq!(seen.admit(NOW, [2; 32], NOW, 9), Ok(()));
        assert_eq!(seen.admit(NOW + 1, [1; 32], NOW, 9), Ok(()));
    }

    #[test]
    fn it_is_remembered_for_as_long_as_its_date_is_good_and_no_longer() {
        let mut seen = Seen::default();
        let date = NOW + SKEW;
        assert_eq!(seen.admit(date, [1; 32], NOW, 1), Ok(()));
        // Full until the one before is forgotten, which is when its date is no longer good.
        let last = date + SKEW;
        assert!(seen.admit(date, [1; 32], last, 1).is_err());
        assert!(seen.admit(last, [2; 32], last, 1).is_err());
        assert_eq!(seen.admit(last + 1, [2; 32], last + 1, 1), Ok(()));
        assert_eq!(seen.signatures.len(), 1);
    }

    #[test]
    fn a_clock_that_goes_back_forgets_nothing() {
        let mut seen = Seen::default();
        assert_eq!(seen.admit(NOW, [1; 32], NOW, 9), Ok(()));
        assert_eq!(seen.admit(NOW + SKEW + 1, [2; 32], NOW + SKEW + 1, 9), Ok(()));
        assert!(seen.admit(NOW, [1; 32], NOW, 9).is_err());
    }

    #[test]
    fn a_full_memory_refuses() {
        let mut seen = Seen::default();
        assert_eq!(seen.admit(NOW, [1; 32], NOW, 2), Ok(()));
        assert_eq!(seen.admit(NOW, [2; 32], NOW, 2), Ok(()));
        assert!(seen.admit(NOW, [3; 32], NOW, 2).is_err());
    }
}
