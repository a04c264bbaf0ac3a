//! The test kit of `release-core`, for its own tests and for yours.
//!
//! - [`generate`]: generators with few names; any value of any type is `any::<T>()`, see [`release_core::generate`]
//! - [`model`] and [`harness`]: a naive reference model, and any list of operations run on it and on the real thing
//! - [`mesh`]: a simulated mesh of proxies that are late, refuse, come and go
//! - [`explore`]: every state that a task and a small mesh can reach
//! - [`properties`]: what must hold for every input, as functions that tests and fuzz targets call
//! - `SimulatedMesh` (feature `simulated`): the simulated mesh behind the port of `release-engine`; `FlakyStore`: a store
//!   that fails when told
//! - `envoy` (feature `envoy`): a real Envoy as a child process, servers behind it, and load through it
//! - `conformance` (feature `conformance`): what every store and every mesh of `release-engine` must do

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "envoy")]
pub mod envoy;
pub mod explore;
#[cfg(feature = "simulated")]
mod flaky;
pub mod generate;
pub mod harness;
pub mod mesh;
pub mod model;
pub mod properties;
#[cfg(feature = "simulated")]
mod simulated;

#[cfg(feature = "simulated")]
pub use flaky::{FlakyStore, Mood};
#[cfg(feature = "simulated")]
pub use simulated::{Behaviour, SimulatedMesh};
