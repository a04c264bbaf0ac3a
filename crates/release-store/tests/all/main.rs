//! The stores against the conformance suite, and what is redb's own.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests may panic as the tests do")]

mod damage;
mod disk;
mod memory;
mod redb;
mod suite;
mod trouble;
mod watched;
