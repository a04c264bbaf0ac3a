//! A [`Mesh`](release_engine::Mesh) of Envoys: serves them their routes over xDS (ADS) and knows which of them runs which.
//!
//! - [`services`]: the file that says which services there are
//! - [`service`]: what a service wants served
//! - [`envoy`]: the same in Envoy's words
//! - [`hook`]: what stops the workloads of a version that was retired

pub mod envoy;
pub mod hook;
pub mod service;
pub mod services;
