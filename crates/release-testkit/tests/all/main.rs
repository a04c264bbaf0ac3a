//! The laws, the model and the generators of the test kit.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy lets tests unwrap, but not the functions that tests share"
)]

mod explore;
mod generate;
mod laws;
mod lives;
mod mesh;
mod model;
mod names;
mod round_trips;
mod seeds;
mod stored;
