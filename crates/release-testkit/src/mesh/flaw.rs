//! Ways in which a mesh adapter can be wrong.

/// A mistake that a simulated control plane makes on purpose, to show that the simulation and the exploration find it.
///
/// Each is what a real adapter could do, and each loses traffic in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flaw {
    /// Confirms a routing when all *connected* proxies have it; a proxy that is cut off goes on routing to the loser.
    ConfirmsWithoutTheCutOff,
    /// Confirms a routing as soon as it was sent to all proxies.
    ConfirmsWhatWasSent,
    /// Takes a refusal for an acknowledgement: both are answers.
    TakesRefusalForConsent,
    /// Applies an older routing over a newer one.
    HasNoFence,
    /// Forgets in a crash which generation it had applied, and so applies an older one after it.
    ForgetsTheFence,
    /// Says that a version is drained without waiting for the requests in flight.
    DrainsAtOnce,
    /// Deletes a version when asked to drain it.
    RetiresWhenDraining,
    /// Says that a version is ready when its pods were merely started.
    CallsStartedReady,
    /// Says that a version is ready because it was once found ready.
    RemembersReadiness,
    /// Gives a proxy that joins late the routing that the task found in the beginning, and takes it for up to date.
    JoinsWithTheFirstRouting,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::ConfirmsWithoutTheCutOff,
        Self::ConfirmsWhatWasSent,
        Self::TakesRefusalForConsent,
        Self::HasNoFence,
        Self::ForgetsTheFence,
        Self::DrainsAtOnce,
        Self::RetiresWhenDraining,
        Self::CallsStartedReady,
        Self::RemembersReadiness,
        Self::JoinsWithTheFirstRouting,
    ];
}
