//! The laws, each stated once.
//!
//! [`check_task`] looks at one state, [`check_change`] at one change, [`check_future`] at what a state leads to, and
//! [`check_input`] does all of that for one more input. Debug builds run the first two on every command and report, and
//! decoding a stored task runs the first; the property tests, fuzzers and the exhaustive exploration of `release-testkit`
//! run them all.
//!
//! ```
//! use release_core::law::Law;
//!
//! for law in Law::ALL {
//!     println!("{}. {}", law.number(), law.text());
//! }
//! ```

mod change;
mod future;
mod input;
mod task;
#[cfg(all(test, feature = "serde"))]
mod tests;

pub use change::{check_asked, check_change};
pub use future::{check_commuting, check_future, check_stored, check_takeover};
pub use input::{Input, Outcome, check_input};
pub use task::check_task;

pub(crate) use input::guard;

use core::fmt;

macro_rules! laws {
    ($($name:ident: $text:expr,)*) => {
        /// A law of release tasks. Source: design; the last two are ours.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
        pub enum Law {
            $(#[doc = $text] $name,)*
        }

        impl Law {
            /// All laws, in the order of their numbers.
            pub const ALL: [Self; [$($text),*].len()] = [$(Self::$name),*];

            /// Its text.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

laws! {
    Total: "Every request has exactly one owner; weights sum to 100.",
    Cancel: "In closed (cancel) the original owns every request, wanted and confirmed.",
    End: "In closed (end) the grayscale owns every request, wanted and confirmed.",
    RetireOnlyUnreachable:
        "No retire step and no retired version while the confirmed routing, or any routing applied after it, can give it \
         a request.",
    RetiredStaysOut: "After the retire step no routing ever names the loser.",
    OneSurvives: "The survivor is never retired; exactly one version survives.",
    Forward:
        "Phases only move forward, reopen (to where closing began) and cancel-over-end (to the first stage of closing) \
         apart; generations only grow, by one for each new routing.",
    RepeatIsNothing: "Repeating a command or a report is a no-op.",
    ErrChangesNothing: "Err changes nothing.",
    Commute: "Cancel and end commute up to the point of no return.",
    ClosesInFour:
        "From every phase, a delete whose steps succeed closes within 4 reports, by the steps that its preview names.",
    Survives: "A task survives serialisation at every point with the same next step.",
    ShareNeverFalls: "From the moment closing starts routing, the share that is wanted for the survivor never falls.",
    ReadyFirst: "Until the grayscale version was reported ready, no routing gives it a request.",
    NoStageSkipped:
        "No stage is skipped: a delete leads to the first stage of closing, and otherwise a phase is left only for the \
         next one, when its step has succeeded.",
}

impl Law {
    /// Its number.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The error that says it is broken.
    pub(crate) fn broken(self, how: &'static str) -> Broken {
        Broken { law: self, how }
    }

    /// `Ok` where it holds.
    pub(crate) fn holds(self, holds: bool, how: &'static str) -> Result<(), Broken> {
        if holds { Ok(()) } else { Err(self.broken(how)) }
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}", self.number(), self.text())
    }
}

/// A law is broken: a bug of this library, or a stored task that was tampered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("law {} is broken: {how}. It says: {}", law.number(), law.text())]
pub struct Broken {
    pub(crate) law: Law,
    pub(crate) how: &'static str,
}

impl Broken {
    /// Which law.
    pub fn law(&self) -> Law {
        self.law
    }

    /// What was seen that it forbids.
    pub fn how(&self) -> &'static str {
        self.how
    }
}
