//! What needs a real Envoy: `cargo xtask envoy` installs it.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy lets tests unwrap, but not the functions that tests share"
)]

mod bare;
mod by_the_book;
mod crash;
mod differential;
mod link;
mod plane;
mod retirement;
mod rig;
mod stalled;
mod static_envoy;
mod takeover;
mod trouble;
