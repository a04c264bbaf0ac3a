//! The client on the command line: the real binary against the real binary, over a real socket.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of tests may panic as the tests do"
)]

mod answers;
mod exit_codes;
mod help;
mod programs;
mod readme;
mod terminal;
mod transcript;
