//! For tests, benchmarks and fuzzers: nodes that speak xDS without being an Envoy. Behind the feature `testkit`.

mod node;
mod world;

pub use node::{Manner, SimulatedNode};
pub use world::{Answer, Edit, Motion, Noticed, Saving, Script, Seen, Situation, Wanted, control, scripts};
