//! Files that are not, or not any more, what this version wrote.

use crate::disk::SimulatedDisk;
use crate::redb::record;
use redb::{Database, TableDefinition};
use release_engine::{ReplaceError, Revision, Store, StoreError, Stored};
use release_store::{OpenError, RedbStore};
use release_testkit::conformance::store::Disk;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Waker};
use tempfile::tempdir;

/// A file with ten records. `closed` is whether its store was closed, or killed.
async fn file(path: &Path, closed: bool) -> Vec<Arc<Stored>> {
    let directory = tempdir().unwrap();
    let original = directory.path().join("releases");
    let store = RedbStore::open(&original).unwrap();
    for number in 0..10 {
        store.create(record(&format!("id-{number}"))).await.unwrap();
    }
    let records = store.list(&"mesh-1".parse().unwrap()).await.unwrap();
    if closed {
        drop(store);
    }
    fs::copy(&original, path).unwrap();
    records
}

/// Whatever byte is damaged: the store has every record, or it is refused and the file is left as it is.
#[tokio::test]
async fn a_damaged_file_is_refused_and_left_as_it_is() {
    let directory = tempdir().unwrap();
    let (intact, damaged) = (directory.path().join("intact"), directory.path().join("damaged"));
    let mut refused = 0;
    for closed in [true, false] {
        let originals = file(&intact, closed).await;
        let bytes = fs::read(&intact).unwrap();
        let mut rng = fastrand::Rng::with_seed(7);
        // Every byte of the header, and bytes of the pages that are not empty.
        let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        let drawn: Vec<usize> = (0..100).map(|_| used[rng.usize(0..used.len())]).collect();
        let places = (0..320).chain(drawn);
        for at in places {
            let mut other = bytes.clone();
            other[at] ^= 1 << rng.u8(0..8);
            fs::write(&damaged, &other).unwrap();
            if let Ok(store) = RedbStore::open(&damaged) {
                let found = store.list(&"mesh-1".parse().unwrap()).await.unwrap();
                assert!(found == originals, "damage to byte {at} (closed: {closed}) is not noticed: {found:?}");
                assert_eq!(store.unclosed().await.unwrap().len(), 10, "damage to byte {at} (closed: {closed})");
            } else {
                refused += 1;
                assert!(fs::read(&damaged).unwrap() == other, "byte {at} (closed: {closed}): overwritten");
            }
        }
    }
    assert!(refused > 100, "only {refused} damaged files were refused");
}

#[tokio::test]
async fn a_truncated_file_is_refused_and_left_as_it_is() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("releases");
    for closed in [true, false] {
        file(&path, closed).await;
        let bytes = fs::read(&path).unwrap();
        for length in [0, 1, 100, 320, 4096, bytes.len() / 2, bytes.len() - 1] {
            fs::write(&path, &bytes[..length]).unwrap();
            let error = RedbStore::open(&path).map(drop).unwrap_err();
            assert!(matches!(error, OpenError::Damaged { .. }), "{length} bytes: {error}");
            assert_eq!(error.to_string().contains("it is empty"), length == 0, "{length} bytes: {error}");
            assert_eq!(fs::read(&path).unwrap(), &bytes[..length], "{length} bytes");
        }
    }
}

#[test]
fn a_file_of_something_else_is_refused_and_left_as_it_is() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("releases");
    let text = "not a database\n".repeat(1000);
    fs::write(&path, &text).unwrap();
    let error = RedbStore::open(&path).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);

    let other = directory.path().join("other");
    let database = Database::create(&other).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(TableDefinition::<u64, u64>::new("theirs")).unwrap().insert(1, 2).unwrap();
    txn.commit().unwrap();
    drop(database);
    let error = RedbStore::open(&other).map(drop).unwrap_err();
    assert!(error.to_string().contains("it does not say which format it has"), "{error}");
}

#[test]
fn a_newer_or_older_format_is_refused_and_left_as_it_is() {
    const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
    let directory = tempdir().unwrap();
    let path = directory.path().join("releases");
    drop(RedbStore::open(&path).unwrap());
    for (version, run) in [(2, "a newer"), (0, "an older")] {
        let database = Database::open(&path).unwrap();
        let txn = database.begin_write().unwrap();
        txn.open_table(META).unwrap().insert("format", version).unwrap();
        txn.commit().unwrap();
        drop(database);
        let bytes = fs::read(&path).unwrap();
        let error = RedbStore::open(&path).map(drop).unwrap_err();
        let expected = format!(
            "{} has format {version}, and this version reads format 1: run {run} version of the program; the file was left \
             as it is",
            path.display()
        );
        assert_eq!(error.to_string(), expected);
        assert!(fs::read(&path).unwrap() == bytes, "format {version}: overwritten");
    }
}

/// The database says in its header which format of its own it has.
#[tokio::test]
async fn a_file_of_an_older_redb_is_refused_and_left_as_it_is() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("releases");
    file(&path, true).await;
    let mut bytes = fs::read(&path).unwrap();
    // The first byte of each of the two commit slots.
    for slot in [64, 192] {
        assert_eq!(bytes[slot], 3);
        bytes[slot] = 2;
    }
    fs::write(&path, &bytes).unwrap();
    let error = RedbStore::open(&path).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::OldDatabase { found: 2, .. }), "{error}");
    assert!(fs::read(&path).unwrap() == bytes);
}

/// Two records, one of which is none, although the file is intact.
async fn with_a_damaged_record() -> (SimulatedDisk, RedbStore) {
    const RELEASES: TableDefinition<(&str, &str, &str), (u64, &[u8])> = TableDefinition::new("releases");
    let disk = SimulatedDisk::default();
    let store = disk.open().unwrap();
    for id in ["damaged", "intact"] {
        store.create(record(id)).await.unwrap();
    }
    drop(store);
    let database = Database::builder().create_with_backend(disk.clone()).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(RELEASES).unwrap().insert(("mesh-1", "shop", "damaged"), (1, b"{".as_slice())).unwrap();
    txn.commit().unwrap();
    drop(database);
    let store = disk.open().unwrap();
    (disk, store)
}

#[tokio::test]
async fn one_damaged_record_does_not_hide_the_others() {
    let (_disk, store) = with_a_damaged_record().await;
    let found = store.list(&"mesh-1".parse().unwrap()).await.unwrap();
    assert_eq!(found.iter().map(|stored| &stored.record).collect::<Vec<_>>(), [&record("intact")]);
    let error = store.load(record("damaged").task.key()).await.unwrap_err();
    let expected =
        "the stored record mesh-1/shop/damaged can't be read: EOF while parsing an object at line 1 column 1";
    assert_eq!(error.to_string(), expected);
}

/// Those who share its transaction have nothing to do with it.
#[tokio::test]
async fn who_removes_a_damaged_record_is_the_only_one_who_is_told() {
    let (disk, store) = with_a_damaged_record().await;
    let damaged = record("damaged").task.key().clone();
    let mut removal = Box::pin(store.remove(&damaged, Revision::new(1)));
    let mut others: Vec<_> = (0..8).map(|number| Box::pin(store.create(record(&format!("id-{number}"))))).collect();
    let paused = disk.pause();
    let mut context = Context::from_waker(Waker::noop());
    // The writer begins a transaction with the first, and the next one has all the others.
    let (first, rest) = others.split_at_mut(1);
    assert!(first[0].as_mut().poll(&mut context).is_pending());
    assert!(removal.as_mut().poll(&mut context).is_pending());
    for other in rest {
        assert!(other.as_mut().poll(&mut context).is_pending());
    }
    drop(paused);
    for other in others {
        other.await.unwrap();
    }
    let error = removal.await.unwrap_err();
    assert!(matches!(&error, ReplaceError::Store(StoreError::Damaged { .. })), "{error}");
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let error = RedbStore::open("/nowhere/releases").map(drop).unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("/nowhere/releases can't be opened: No such file or directory"), "{message}");
}
