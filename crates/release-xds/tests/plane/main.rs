//! The control plane as an engine and its nodes see it, over real connections.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

mod control;
mod declare;
mod fixture;
mod load;
mod mesh;
mod nodes;
