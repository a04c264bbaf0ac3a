//! A real Envoy as a child process, servers behind it, and load through it: for tests and benchmarks.
//!
//! `cargo xtask envoy` installs the program; `RELEASE_ENVOY` may name another one. Where there is none, starting fails: a
//! test without its Envoy is no test. Everything listens on 127.0.0.1, and ends with what started it.

mod bootstrap;
mod load;
mod process;
mod raw;
mod upstream;
mod webhook;

pub use bootstrap::{Bootstrap, Source};
pub use load::{Load, Outcome, Protocol, Running};
pub use process::EnvoyProcess;
pub use raw::{RawClient, RawResponse};
pub use upstream::{Upstream, VERSION_HEADER};
pub use webhook::Webhook;
