//! What the engine needs of a store.

use crate::{Record, Revision, Stored};
use release_core::{Error, MeshId, ReleaseKey};
use std::future::Future;
use std::sync::Arc;

/// Where tasks are kept. `release-testkit` has a conformance suite that every store should pass.
///
/// **Contract.**
///
/// - What a method changed before it answered `Ok` is durable: it is still there after the process was killed or the
///   power was cut, as far as the store claims to survive that at all.
/// - A write that answers [`StoreError`] may or may not have happened: the engine loads again. After its answer it does not
///   happen any more.
/// - Each call ends some time. Nobody waits longer for it than [`Settings::store_limit`](crate::Settings::store_limit); a
///   write that takes longer may still happen, so the engine goes on with it, carries out what it stored, and begins no
///   other one of that record before it has ended. A read that takes longer is dropped.
/// - Each call is one atomic step, whoever else uses the same store. A future that is dropped may still take effect.
/// - At most one record per service of a mesh's namespace has an unclosed task.
/// - Each revision is greater than all that the store has given before, whichever record they were of.
/// - Records of closed tasks are kept for a while: a store has a number that it documents, keeps that many, the newest ones
///   by their revision, and drops an older one for each that is more. It never drops a record whose task is not closed.
/// - [`list`](Self::list) may leave out a record that can't be read, if it says so in the log.
///
/// Implement it with `async fn`; the futures must be `Send`.
pub trait Store: Send + Sync + 'static {
    /// Adds a record, if there is none of that key and no unclosed task of that service.
    fn create(&self, record: Record) -> impl Future<Output = Result<Revision, CreateError>> + Send;

    /// The record of that key. Shared, as the engine does with it: a store that has it in memory copies nothing.
    fn load(&self, key: &ReleaseKey) -> impl Future<Output = Result<Option<Arc<Stored>>, StoreError>> + Send;

    /// Puts `record` in the place of the one with that key, if that one still has the revision `expected`.
    ///
    /// The task is about the same release as before, and a task that is closed stays so: the store may rely on it.
    fn replace(
        &self,
        record: Record,
        expected: Revision,
    ) -> impl Future<Output = Result<Revision, ReplaceError>> + Send;

    /// Removes the record of that key, if it still has the revision `expected`.
    fn remove(&self, key: &ReleaseKey, expected: Revision) -> impl Future<Output = Result<(), ReplaceError>> + Send;

    /// All records of a mesh, closed ones too, by namespace and id.
    fn list(&self, mesh: &MeshId) -> impl Future<Output = Result<Vec<Arc<Stored>>, StoreError>> + Send;

    /// The keys of all records whose task is not closed, in any order.
    fn unclosed(&self) -> impl Future<Output = Result<Vec<ReleaseKey>, StoreError>> + Send;
}

/// Why a record was not added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// [`Error::ReleaseExists`] or [`Error::ServiceBusy`].
    #[error(transparent)]
    Refused(#[from] Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a record was not replaced or removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplaceError {
    /// Somebody else changed or removed it before: load it again.
    #[error("the record was changed by somebody else")]
    Lost,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A store did not do its part. The text is for the log of whoever runs it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It could not be reached, is full, failed, ... A later try may succeed.
    #[error("the store failed: {0}")]
    Failed(String),
    /// A record can't be read. No later try will succeed.
    #[error("the stored record {key} can't be read: {reason}")]
    Damaged {
        /// Which record.
        key: String,
        /// Why it can't be read.
        reason: String,
    },
}
