//! The engine on a memory store and the simulated mesh, by tokio's paused clock.
#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests may panic as the tests do")]

mod closing;
mod fixture;
mod late;
mod many;
mod mesh;
mod panics;
mod restart;
mod store_trouble;
mod trouble;
