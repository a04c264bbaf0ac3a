//! A [`Mesh`](release_engine::Mesh) of Envoys: serves them their routes over xDS (ADS) and knows which of them runs which.
//!
//! - [`service`]: what a service wants served
//! - [`envoy`]: the same in Envoy's words

pub mod envoy;
pub mod service;
