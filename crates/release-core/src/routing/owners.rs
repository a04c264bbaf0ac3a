//! A set of versions.

use crate::Version;

/// Which of the two versions a request can reach: at least one.
///
/// ```
/// use release_core::{Owners, Version};
///
/// let owners = Owners::Only(Version::Original);
/// assert_eq!(owners.sole(), Some(Version::Original));
/// assert_eq!(owners.and(Owners::Only(Version::Grayscale)), Owners::Both);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Owners {
    /// One version alone.
    Only(Version),
    /// Either.
    Both,
}

impl Owners {
    /// The versions of both sets.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Both }
    }

    /// Whether `version` is in the set.
    pub fn contains(self, version: Version) -> bool {
        match self {
            Self::Only(owner) => owner == version,
            Self::Both => true,
        }
    }

    /// The version that is alone in the set.
    pub fn sole(self) -> Option<Version> {
        match self {
            Self::Only(owner) => Some(owner),
            Self::Both => None,
        }
    }
}
