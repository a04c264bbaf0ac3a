//! A store that fails when told.

use release_core::{MeshId, ReleaseKey};
use release_engine::{CreateError, Record, ReplaceError, Revision, Store, StoreError, Stored};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

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
    mood: watch::Sender<Mood>,
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
    /// Nothing happens, and no answer comes until it is to behave in another way: then what hangs fails.
    Hangs,
    /// Reads work. Writes have no answer until it is to behave in another way, and happen then.
    Late,
    /// No record can be read: they are [damaged](StoreError::Damaged). The rest works.
    Damaged,
}

impl<S> FlakyStore<S> {
    /// Does what `store` does, for now.
    pub fn new(store: S) -> Self {
        Self { store: Arc::new(store), mood: watch::Sender::default() }
    }

    /// Behaves in this way from now on.
    pub fn be(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    async fn fails_if(&self, moods: &[Mood]) -> Result<(), StoreError> {
        if self.mood() == Mood::Hangs {
            self.another_than(Mood::Hangs).await;
            return Err(StoreError::Failed("out of order".into()));
        }
        if moods.contains(&self.mood()) { Err(StoreError::Failed("out of order".into())) } else { Ok(()) }
    }

    /// Before a write.
    async fn writing(&self) -> Result<(), StoreError> {
        self.fails_if(&[Mood::Full, Mood::Down]).await?;
        self.another_than(Mood::Late).await;
        Ok(())
    }

    /// After a write, before its answer.
    async fn written(&self) -> Result<(), StoreError> {
        if self.mood() == Mood::Slow {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        self.fails_if(&[Mood::Mute]).await
    }

    fn mood(&self) -> Mood {
        *self.mood.borrow()
    }

    async fn another_than(&self, mood: Mood) {
        // It fails when the store is gone: there is nobody then to wait.
        let _ = self.mood.subscribe().wait_for(|now| *now != mood).await;
    }
}

impl<S> Clone for FlakyStore<S> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), mood: self.mood.clone() }
    }
}

impl<S: Store> Store for FlakyStore<S> {
    async fn create(&self, record: Record) -> Result<Revision, CreateError> {
        self.writing().await?;
        let answer = self.store.create(record).await;
        self.written().await?;
        answer
    }

    async fn load(&self, key: &ReleaseKey) -> Result<Option<Arc<Stored>>, StoreError> {
        self.fails_if(&[Mood::Down]).await?;
        if self.mood() == Mood::Damaged {
            return Err(StoreError::Damaged { key: key.to_string(), reason: "not a record".into() });
        }
        self.store.load(key).await
    }

    async fn replace(&self, record: Record, expected: Revision) -> Result<Revision, ReplaceError> {
        self.writing().await?;
        let answer = self.store.replace(record, expected).await;
        self.written().await?;
        answer
    }

    async fn remove(&self, key: &ReleaseKey, expected: Revision) -> Result<(), ReplaceError> {
        self.writing().await?;
        let answer = self.store.remove(key, expected).await;
        self.written().await?;
        answer
    }

    async fn list(&self, mesh: &MeshId) -> Result<Vec<Arc<Stored>>, StoreError> {
        self.fails_if(&[Mood::Down]).await?;
        let found = self.store.list(mesh).await?;
        match found.first() {
            Some(first) if self.mood() == Mood::Damaged => {
                let key = first.record.task.key().to_string();
                Err(StoreError::Damaged { key, reason: "not a record".into() })
            }
            _ => Ok(found),
        }
    }

    async fn unclosed(&self) -> Result<Vec<ReleaseKey>, StoreError> {
        self.fails_if(&[Mood::Down]).await?;
        self.store.unclosed().await
    }
}
