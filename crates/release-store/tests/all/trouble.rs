//! A disk that hangs, and a database that panics.

use crate::redb::record;
use crate::watched::{Event, LIMIT, Watch};
use release_engine::Store;
use release_store::{OpenError, RedbStore};
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::task::{Context, Poll, Waker};
use tempfile::{TempDir, tempdir};
use tokio::time::timeout;

/// A file with one record, "a", which is what a folder has to be kept for.
async fn file() -> (TempDir, Arc<Watch>, Receiver<Event>) {
    let directory = tempdir().unwrap();
    let path: PathBuf = directory.path().join("releases");
    RedbStore::open(&path).unwrap().create(record("a")).await.unwrap();
    let (watch, events) = Watch::new(path);
    (directory, watch, events)
}

/// A store on the file. What was seen until it was open does not count.
fn open(watch: &Arc<Watch>, events: &Receiver<Event>) -> RedbStore {
    let store = watch.store().unwrap();
    events.try_iter().for_each(drop);
    store
}

fn awaits(events: &Receiver<Event>, event: Event) {
    while events.recv_timeout(LIMIT).unwrap() != event {}
}

fn once<T>(future: &mut Pin<Box<impl Future<Output = T>>>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn a_disk_that_hangs_does_not_hold_up_who_drops_the_store_and_keeps_the_file_until_it_answers() {
    let (_directory, watch, events) = file().await;
    let store = open(&watch, &events);
    let hangs = watch.hang();
    assert!(once(&mut Box::pin(store.create(record("b")))).is_pending());
    let (dropped, was_dropped) = channel();
    std::thread::spawn(move || {
        drop(store);
        dropped.send(())
    });
    was_dropped.recv_timeout(LIMIT).unwrap();
    let other = RedbStore::open(watch.path()).map(drop);
    assert!(matches!(other, Err(OpenError::InUse { .. })), "{other:?}");
    drop(hangs);
    awaits(&events, Event::Closed);
    let store = RedbStore::open(watch.path()).unwrap();
    assert_eq!(store.unclosed().await.unwrap().len(), 2, "what was asked for before is written");
}

#[tokio::test]
async fn who_drops_a_store_may_open_it_again_at_once() {
    let (_directory, watch, _events) = file().await;
    for number in 0..20 {
        let store = watch.store().unwrap();
        assert!(once(&mut Box::pin(store.create(record(&format!("id-{number}"))))).is_pending());
        // Who still reads is not in the way.
        let mesh = "mesh-1".parse().unwrap();
        let _ = once(&mut Box::pin(store.list(&mesh)));
    }
    assert_eq!(watch.store().unwrap().unclosed().await.unwrap().len(), 21);
}

/// Else the threads of the runtime would all wait for the file.
#[tokio::test]
async fn who_reads_while_the_file_is_opened_anew_does_not_block_a_thread() {
    let (_directory, watch, events) = file().await;
    let store = Arc::new(open(&watch, &events));
    let opening = watch.hang_when_opened();
    watch.panic_after([0]);
    let write = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.create(record("b")).await }
    });
    // The runtime of this test has this one thread.
    while !matches!(events.try_recv(), Ok(Event::Opens)) {
        tokio::task::yield_now().await;
    }
    let (sent, received) = channel();
    let polls = std::thread::spawn({
        let store = Arc::clone(&store);
        move || {
            let key = record("a").task.key().clone();
            let mut load = Box::pin(store.load(&key));
            sent.send(once(&mut load).is_pending()).unwrap();
        }
    });
    assert!(received.recv_timeout(LIMIT).unwrap(), "it waits for the file, but not like that");
    polls.join().unwrap();
    drop(opening);
    assert!(timeout(LIMIT, write).await.unwrap().unwrap().is_err());
    assert!(store.load(record("a").task.key()).await.unwrap().is_some());
}

#[tokio::test]
async fn many_who_could_not_read_have_the_file_opened_once() {
    let (_directory, watch, events) = file().await;
    let store = open(&watch, &events);
    // A write fails, and then the opening as well: there is no database.
    watch.panic_after([0]);
    let opening = watch.hang_when_opened();
    let mut write = Box::pin(store.create(record("b")));
    assert!(once(&mut write).is_pending());
    awaits(&events, Event::Opens);
    watch.panic_after([0]);
    drop(opening);
    write.await.unwrap_err();
    let opening = watch.hang_when_opened();
    let key = record("a").task.key().clone();
    let mut reads: Vec<_> = (0..64).map(|_| Box::pin(store.load(&key))).collect();
    for read in &mut reads {
        assert!(once(read).is_pending());
    }
    awaits(&events, Event::Opens);
    drop(opening);
    for read in reads {
        assert!(timeout(LIMIT, read).await.unwrap().unwrap().is_some());
    }
    let again = events.try_iter().filter(|event| *event == Event::Opens).count();
    assert_eq!(again, 1, "once on trial, and once in earnest");
}

/// At any access, also to open the file anew after another panic.
#[tokio::test]
async fn after_a_panic_of_the_database_it_works_again() {
    for earlier in [None, Some(0)] {
        for accesses in 0.. {
            let (_directory, watch, _events) = file().await;
            let store = watch.store().unwrap();
            watch.panic_after(earlier.into_iter().chain([accesses]));
            let answer = timeout(LIMIT, store.create(record("b"))).await.unwrap();
            if watch.calm_down() > 0 {
                assert!(answer.is_ok() || earlier.is_some(), "{answer:?}");
                assert!(accesses > 5, "{accesses} accesses show little");
                break;
            }
            timeout(LIMIT, store.create(record("c"))).await.unwrap().unwrap();
            let found = store.list(&"mesh-1".parse().unwrap()).await.unwrap();
            let found: Vec<_> = found.iter().map(|stored| stored.record.task.key().id.as_str()).collect();
            assert!(found.contains(&"a") && found.contains(&"c"), "after {accesses} accesses: {found:?}");
            assert!(answer.is_err() || found.contains(&"b"), "after {accesses} accesses: {found:?}");
        }
    }
}

/// At any access, also to open the file anew after another panic.
#[tokio::test]
async fn a_panic_of_the_database_does_not_get_to_who_reads() {
    let directory = tempdir().unwrap();
    let (original, path) = (directory.path().join("original"), directory.path().join("copy"));
    let store = RedbStore::open(&original).unwrap();
    // So many that they don't fit one page, which would stay in memory.
    let mut creates: Vec<_> = (0..64).map(|number| Box::pin(store.create(record(&format!("id-{number}"))))).collect();
    for create in &mut creates {
        assert!(once(create).is_pending());
    }
    for create in creates {
        create.await.unwrap();
    }
    drop(store);
    let key = record("id-32").task.key().clone();
    for earlier in [None, Some(0)] {
        for accesses in 0.. {
            std::fs::copy(&original, &path).unwrap();
            let (watch, _events) = Watch::new(path.clone());
            let store = watch.store_without_cache().unwrap();
            watch.panic_after(earlier.into_iter().chain([accesses]));
            let found = timeout(LIMIT, store.load(&key)).await.unwrap();
            if watch.calm_down() > 0 {
                assert!(found.unwrap().is_some());
                assert!(accesses > earlier.map_or(0, |_| 5), "{accesses} accesses show little");
                break;
            }
            assert!(found.is_ok() || earlier.is_some(), "after {accesses} accesses: {found:?}");
            assert!(timeout(LIMIT, store.load(&key)).await.unwrap().unwrap().is_some());
            timeout(LIMIT, store.create(record("b"))).await.unwrap().unwrap();
        }
    }
}
