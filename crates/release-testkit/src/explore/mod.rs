//! Exhaustive exploration: every state that a [`World`] can get into.
//!
//! [`explore`] goes through them breadth first. In every state it checks every law, that no request is lost, and that the
//! task is closed by a run in which everything works from then on. What it finds is the shortest way there.
//!
//! The number of commands, crashes and repetitions is *not* bounded, and yet there is an end to it, because states that
//! can't be told apart are one:
//!
//! - Of generations only the order counts, so they are numbered anew in every state.
//! - A report stays under way once it was sent. "Lost" is that it is not delivered, "repeated" that it is delivered twice,
//!   "late" and "reordered" that others are delivered first. The same goes for steps that were asked for.
//! - A report of an older generation can never change anything again: this is tried, and the report is dropped. So is a step
//!   of an older generation, unless the mesh would still apply its routing; of those, as many are kept as
//!   [`late_routings`](crate::mesh::Limits::late_routings) says. This and the number of proxies are the only bounds.
//! - A survivor stops being ready only while its takeover has not asked yet. Earlier, that makes no difference until then;
//!   later, no takeover can know it.
//! - Which requests are in flight is not counted, only whether there can be any: see [`Proxy`](crate::mesh::Proxy).

mod cache;
mod figures;
mod search;
mod situation;

pub use figures::Figures;
pub use search::explore;
pub use situation::Situation;

#[cfg(doc)]
use crate::mesh::World;
