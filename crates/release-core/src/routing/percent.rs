//! A whole percentage.

use crate::ParseError;
use alloc::string::ToString;
use core::fmt;

/// A whole percentage, 0 to 100.
///
/// ```
/// use release_core::Percent;
///
/// assert_eq!(Percent::new(30)?.rest().get(), 70);
/// assert!(Percent::new(101).is_err());
/// # Ok::<(), release_core::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "u64", into = "u64"))]
pub struct Percent(u8);

impl Percent {
    /// 0 %.
    pub const ZERO: Self = Self(0);
    /// 100 %.
    pub const HUNDRED: Self = Self(100);

    /// Checks the range.
    pub fn new(value: u64) -> Result<Self, ParseError> {
        match u8::try_from(value) {
            Ok(value) if value <= 100 => Ok(Self(value)),
            _ => Err(ParseError::new("percent", &value.to_string(), "a whole number from 0 to 100")),
        }
    }

    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }

    /// What is missing to 100 %.
    #[must_use]
    pub fn rest(self) -> Self {
        Self(100 - self.0)
    }
}

impl TryFrom<u64> for Percent {
    type Error = ParseError;

    fn try_from(value: u64) -> Result<Self, ParseError> {
        Self::new(value)
    }
}

impl From<Percent> for u64 {
    fn from(percent: Percent) -> Self {
        percent.0.into()
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}
