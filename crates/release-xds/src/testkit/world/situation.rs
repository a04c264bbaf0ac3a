//! What was seen to happen.

use std::collections::BTreeMap;

/// How often what was seen: a property that never gets anywhere shows nothing.
pub type Seen = BTreeMap<Situation, u32>;

/// Something that [`control`](super::control) is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Situation {
    /// A routing was confirmed.
    Confirmed,
    /// A takeover waited for a process that was cut off.
    CutOff,
    /// A process came back with routes of before.
    Back,
    /// A process that was cut off did not count, because its fence had run out.
    Fenced,
    /// A version that lost was drained.
    Drained,
    /// A version that lost was retired.
    Retired,
    /// The cluster of a version that lost was gone, and the release over.
    Over,
    /// A retirement was refused: something may have reached the version again, although the routing was confirmed.
    Kept,
    /// A response was refused.
    Refused,
    /// A request answered a response that was not the newest.
    Stale,
    /// Two processes had one name, and could be told apart.
    Twins,
    /// The description of a service was changed while a release of it was open.
    Declared,
    /// A description was refused.
    Undeclared,
    /// The control plane was started again while a release was open.
    Restarted,
    /// The control plane was started again without what it had not saved.
    Lost,
    /// An older generation was refused.
    Older,
}

impl Situation {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Confirmed,
        Self::CutOff,
        Self::Back,
        Self::Fenced,
        Self::Drained,
        Self::Retired,
        Self::Over,
        Self::Kept,
        Self::Refused,
        Self::Stale,
        Self::Twins,
        Self::Declared,
        Self::Undeclared,
        Self::Restarted,
        Self::Lost,
        Self::Older,
    ];
}
