//! What a person should review: the transition table, every message, transcripts.
#![expect(clippy::unwrap_used, reason = "a test that can't set its stage has to fail")]

mod messages;
mod owner;
mod releases;
mod stage;
mod table;
mod transcripts;
mod values;
