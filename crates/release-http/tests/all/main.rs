//! The adapter from the outside: requests in, responses out, without a socket.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails should stop")]

mod aksk;
mod errors;
mod openapi;
mod parsing;
mod properties;
mod service;
mod support;
mod tokens;
mod transcripts;
