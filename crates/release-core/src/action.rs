//! The two versions of a release, and the two ways to finish it.

use crate::ParseError;
use core::fmt;
use core::str::FromStr;

/// One of the two versions of a release.
///
/// ```
/// use release_core::Version;
///
/// assert_eq!(Version::Original.other(), Version::Grayscale);
/// assert_eq!(Version::Grayscale.to_string(), "grayscale");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Version {
    /// The version that served before the release.
    Original,
    /// The new version, the one under release.
    Grayscale,
}

impl Version {
    /// The opposite version.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Original => Self::Grayscale,
            Self::Grayscale => Self::Original,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Original => "original",
            Self::Grayscale => "grayscale",
        })
    }
}

/// How a release is finished. Source: seed.
///
/// ```
/// use release_core::{Action, Version};
///
/// let action: Action = "cancel".parse()?;
/// assert_eq!((action.survivor(), action.loser()), (Version::Original, Version::Grayscale));
/// assert!("Cancel".parse::<Action>().is_err());
/// # Ok::<(), release_core::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Action {
    /// The original version takes over all traffic and the grayscale version is retired.
    Cancel,
    /// The grayscale version takes over all traffic and the original version is retired.
    End,
}

impl Action {
    /// The version that has all traffic afterwards.
    pub fn survivor(self) -> Version {
        match self {
            Self::Cancel => Version::Original,
            Self::End => Version::Grayscale,
        }
    }

    /// The version that is retired.
    pub fn loser(self) -> Version {
        self.survivor().other()
    }
}

impl FromStr for Action {
    type Err = ParseError;

    /// Exactly `cancel` or `end`. Source: contract (ours).
    fn from_str(value: &str) -> Result<Self, ParseError> {
        match value {
            "cancel" => Ok(Self::Cancel),
            "end" => Ok(Self::End),
            _ => Err(ParseError::new("action", value, "exactly 'cancel' or 'end', in lower case")),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancel => "cancel",
            Self::End => "end",
        })
    }
}

/// Who brings the takeover about. Source: contract ("perform" is ours, "require" the documented precondition).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Mode {
    /// A cancel or an end performs the takeover itself.
    #[default]
    Perform,
    /// A cancel or an end is refused unless no request can reach the version that would be retired.
    Require,
}
