//! What needs a real Envoy: `cargo xtask envoy` installs it.
#![expect(clippy::unwrap_used, reason = "clippy lets tests unwrap, but not the functions that tests share")]

mod differential;
mod static_envoy;
