//! A store that fails when told.

use release_core::{MeshId, ReleaseKey};
use release_engine::{CreateError, Record, ReplaceError, Revision, Store, StoreError, Stored};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Another store that fails when told. Clones are the same store.
///
/// ```
/// use release_testkit::{FlakyStore, Mood};
/// # struct Mine;
///
/// let store = FlakyStore::new(Mine);
/// store.be(Mood::Full);
/// // ... and later:
/// store.be(Mood::Works);
/// ```
#[derive(Debug)]
pub struct FlakyStore<S> {
    store: Arc<S>,
    mood: Arc<Mutex<Mood>>,
}

/// What a [`FlakyStore`] does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// What the store behind it does.
    #[default]
    Works,
    /// Reads work, writes don't: the disk is full.
    Full,
    /// Nothing works.
    Down,
    /// Writes happen, and the answer is lost.
    Mute,
    /// Writes happen, and the answer takes a second, by tokio's clock.
    Slow,
    /// Nothing happens, and no answer comes.
    Hangs,
}

impl<S> FlakyStore<S> {
    /// Does what `store` does, for now.
    pub fn new(store: S) -> Self {
        Self { store: Arc::new(store), mood: Arc::default() }
    }

    /// Behaves in this way from now on.
    pub fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    async fn fails_if(&self, moods: &[Mood]) -> Result<(), StoreError> {
        if self.mood() == Mood::Hangs {
            std::future::pending::<()>().await;
        }
        if moods.contains(&self.mood()) { Err(StoreError::Failed("out of order".into())) } else { Ok(()) }
    }

    /// After a write, before its answer.
    async fn written(&self) -> Result<(), StoreError> {
        if self.mood() == Mood::Slow {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        self.fails_if(&[Mood::Mute]).await
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Clone for FlakyStore<S> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), mood: Arc::clone(&self.mood) }
    }
}

impl<S: Store> Store for FlakyStore<S> {
    async fn create(&self, record: Record) -> Result<Revision, CreateError> {
        self.fails_if(&[Mood::Full, Mood::Down]).await?;
        let answer = self.store.create(record).await;
        self.written().await?;
        answer
    }

    async fn load(&self, key: &ReleaseKey) -> Result<Option<Stored>, StoreError> {
        self.fails_if(&[Mood::Down]).await?;
        self.store.load(key).await
    }

    async fn replace(&self, record: Record, expected: Revision) -> Result<Revision, ReplaceError> {
        self.fails_if(&[Mood::Full, Mood::Down]).await?;
        let answer = self.store.replace(record, expected).await;
        self.written().await?;
        answer
    }

    async fn remove(&self, key: &ReleaseKey, expected: Revision) -> Result<(), ReplaceError> {
        self.fails_if(&[Mood::Full, Mood::Down]).await?;
        self.store.remove(key, expected).await
    }

    async fn list(&self, mesh: &MeshId) -> Result<Vec<Stored>, StoreError> {
        self.fails_if(&[Mood::Down]).await?;
        self.store.list(mesh).await
    }

    async fn unclosed(&self) -> Result<Vec<ReleaseKey>, StoreError> {
        self.fails_if(&[Mood::Down]).await?;
        self.store.unclosed().await
    }
}
