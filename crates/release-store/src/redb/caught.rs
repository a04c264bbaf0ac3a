//! A panic of the database is an error of it: threads that others wait for have to go on.

use super::tables::ReadError;
use release_engine::StoreError;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does something with the database, which is to be opened anew if it panics.
///
/// Not every panic ends here: the tables of a write panic once more when they are dropped after one in which redb held its
/// own lock, and two at a time end the process. It begins again with what is on disk.
pub(super) fn caught<T, E: From<Panic>>(what: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(what)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        Err(Panic(format!("the database panicked: {}", text.unwrap_or("for no reason that it gave"))).into())
    })
}

/// What it said.
pub(super) struct Panic(String);

impl From<Panic> for StoreError {
    fn from(Panic(message): Panic) -> Self {
        Self::Failed(message)
    }
}

impl From<Panic> for ReadError {
    fn from(panic: Panic) -> Self {
        Self::File(panic.into())
    }
}
