//! The opponents of `release-core`: the same chart, by hand and in three state machine crates.
//!
//! All keep the same data and give the same answers (`agree` compares them, input by input, before anything is measured).
//! None of them checks laws, encodes, or previews.

pub(crate) mod agree;
pub(crate) mod bare;
pub(crate) mod data;
pub(crate) mod rust_fsm;
pub(crate) mod smlang;
pub(crate) mod statig;
