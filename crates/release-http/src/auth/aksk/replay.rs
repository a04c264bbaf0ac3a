//! A signature is good once.

use super::{SKEW, wrong};
use crate::auth::Denied;
use std::collections::BTreeSet;

/// The signatures of one access key whose date is still good, by date. In this process only: a restart forgets them.
#[derive(Default)]
pub(super) struct Seen {
    signatures: BTreeSet<(u64, [u8; 32])>,
    /// The latest date of a signature that was forgotten: what is not later may have been used. So a clock that goes back
    /// brings no forgotten signature back to life, and one that was far ahead for a moment locks nobody out for long.
    forgotten: Option<u64>,
}

impl Seen {
    /// Lets a signature through once. Whoever is refused here had a right signature and learns nothing new.
    ///
    /// The date is part of what was signed, so the same signature comes with the same date.
    pub(super) fn admit(&mut self, date: u64, signature: [u8; 32], now: u64, capacity: usize) -> Result<(), Denied> {
        let oldest = now.saturating_sub(SKEW);
        while self.signatures.first().is_some_and(|(date, _)| *date < oldest) {
            let date = self.signatures.pop_first().map(|(date, _)| date);
            self.forgotten = self.forgotten.max(date);
        }
        if self.forgotten.is_some_and(|forgotten| date <= forgotten) {
            return Err(wrong("X-Sdk-Date is of a time whose signatures are used up: sign again, with a later one."));
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
        assert!(seen.admit(NOW, [3; 32], NOW, 9).is_err());
        assert_eq!(seen.admit(NOW + 1, [3; 32], NOW, 9), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_back_and_forth_makes_room_and_forgets_nothing() {
        let mut seen = Seen::default();
        for day in 0..9 {
            let now = NOW + day * 24 * 60 * 60;
            assert_eq!(seen.admit(now, [1; 32], now, 1), Ok(()));
            assert!(seen.admit(now, [1; 32], now - 60, 1).is_err());
        }
        assert_eq!(seen.signatures.len(), 1);
    }

    #[test]
    fn a_full_memory_refuses() {
        let mut seen = Seen::default();
        assert_eq!(seen.admit(NOW, [1; 32], NOW, 2), Ok(()));
        assert_eq!(seen.admit(NOW, [2; 32], NOW, 2), Ok(()));
        assert!(seen.admit(NOW, [3; 32], NOW, 2).is_err());
    }
}
