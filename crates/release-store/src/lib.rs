//! Where release tasks are kept: stores for `release-engine`.
//!
//! - [`MemoryStore`] for tests, and for those who can afford to forget.
//! - [`RedbStore`] (feature `redb`, on by default) keeps everything in one file and survives `kill -9` and power cuts.
//!
//! Both keep the newest [`KEEP_CLOSED`] closed tasks, or as many as they are told, and drop older ones.

mod memory;
#[cfg(feature = "redb")]
mod redb;

pub use memory::MemoryStore;
#[cfg(feature = "redb")]
pub use redb::{OpenError, RedbStore};

/// How many closed tasks a store keeps, unless it is told otherwise: the newest ones.
pub const KEEP_CLOSED: usize = 10_000;
