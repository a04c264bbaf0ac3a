//! For tests and benchmarks: nodes that speak xDS without being an Envoy. Behind the feature `testkit`.

mod node;

pub use node::{Manner, SimulatedNode};
