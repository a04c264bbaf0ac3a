//! The server over real sockets: in this process where a mesh or a store must misbehave, as the real binary where not.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of tests may panic as the tests do"
)]

mod access;
mod client;
mod envoys;
mod foreign;
mod in_process;
mod limits;
mod operations;
mod process;
mod races;
mod refusals;
mod starts;
mod stops;
mod times;
mod trouble;
