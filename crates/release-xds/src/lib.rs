//! A [`Mesh`](release_engine::Mesh) of Envoys: serves them their routes over xDS (ADS) and knows which of them runs which.
//!
//! - [`EnvoyMesh`]: started from a [`Config`], driven by an engine
//! - [`services`]: the file that says which services there are
//! - [`control`]: what decides, without I/O and without a clock
//! - [`service`]: what a service wants served
//! - [`envoy`]: the same in Envoy's words
//! - [`hook`]: what stops the workloads of a version that was retired

pub mod control;
pub mod envoy;
pub mod hook;
mod mesh;
mod server;
pub mod service;
pub mod services;
#[cfg(feature = "testkit")]
pub mod testkit;

pub use mesh::{Config, EnvoyMesh, NodeReport, StartError};
