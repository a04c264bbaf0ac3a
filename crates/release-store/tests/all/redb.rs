use crate::disk::SimulatedDisk;
use release_core::{Command, ReleaseKey, ReleaseSpec, ReleaseTask, Witnesses};
use release_engine::{Record, Store, Timestamp};
use release_store::{OpenError, RedbStore};
use release_testkit::conformance::store::{self, Disk};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use tempfile::tempdir;

/// A new record with that id, about a service of that name.
pub(crate) fn record(id: &str) -> Record {
    let task = ReleaseTask::new(ReleaseSpec {
        key: ReleaseKey::parse("mesh-1", "shop", id).unwrap(),
        service: id.parse().unwrap(),
        original: "v1".parse().unwrap(),
        grayscale: "v2".parse().unwrap(),
    });
    let metadata = serde_json::json!({ "name": "my-release" });
    Record { task: task.unwrap(), metadata, created: Timestamp::from_millis(1), closed: None }
}

#[tokio::test]
async fn it_is_like_the_model() {
    for seed in 0..20 {
        let disk = SimulatedDisk::default();
        store::model(&disk.open().unwrap(), 2, 150, seed).await.unwrap();
    }
}

#[tokio::test]
async fn it_is_like_the_model_on_a_real_file() {
    let directory = tempdir().unwrap();
    for seed in 0..3 {
        let store = RedbStore::open_keeping(directory.path().join(seed.to_string()), 2).unwrap();
        store::model(&store, 2, 150, seed).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_in_races() {
    let directory = tempdir().unwrap();
    store::races(Arc::new(RedbStore::open(directory.path().join("releases")).unwrap())).await.unwrap();
}

#[tokio::test]
async fn what_it_answered_survives_a_power_cut_at_any_access() {
    for seed in 0..2 {
        let accesses = store::crashes(SimulatedDisk::default, seed).await.unwrap();
        assert!(accesses > 200, "runs of only {accesses} accesses show little");
    }
}

#[tokio::test]
async fn it_works_again_when_the_disk_does() {
    for seed in 0..2 {
        let accesses = store::failures(SimulatedDisk::default, seed).await.unwrap();
        assert!(accesses > 200, "runs of only {accesses} accesses show little");
    }
}

#[tokio::test]
async fn what_it_answered_is_there_after_opening_the_file_again() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("releases");
    let revision = RedbStore::open(&path).unwrap().create(record("a")).await.unwrap();
    let store = RedbStore::open(&path).unwrap();
    let mut changed = record("a");
    let _ = changed.task.command(Command::CANCEL).unwrap();
    let next = store.replace(changed.clone(), revision).await.unwrap();
    drop(store);
    let found = RedbStore::open(&path).unwrap().load(changed.task.key()).await.unwrap().unwrap();
    assert_eq!((&found.record, found.revision), (&changed, next));
    let left: Vec<_> = directory.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["releases"], "nothing else is left behind");
}

/// A volume that is not mounted looks like a clean start.
#[test]
fn an_empty_store_that_is_made_is_in_the_log() {
    let directory = tempdir().unwrap();
    let (path, log) = (directory.path().join("releases"), directory.path().join("log"));
    let written = std::fs::File::create(&log).unwrap();
    let subscriber = tracing_subscriber::fmt().with_writer(Mutex::new(written)).with_ansi(false).finish();
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..2 {
            drop(RedbStore::open(&path).unwrap());
        }
    });
    let said = std::fs::read_to_string(&log).unwrap();
    let expected = format!("there was no store here: an empty one was made path={}\n", path.display());
    assert!(said.ends_with(&expected) && said.lines().count() == 1, "{said}");
}

/// Somebody has lowered the number: no write has to pay for all of it.
#[tokio::test]
async fn a_store_that_is_to_keep_fewer_gets_there_little_by_little() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("releases");
    let many = RedbStore::open_keeping(&path, 10).unwrap();
    for number in 0..7 {
        let mut closed = record(&format!("closed-{number}"));
        let _ = closed.task.command(Command::CANCEL).unwrap();
        while let Some(step) = closed.task.next_step() {
            let _ = closed.task.report(step.succeeded(Witnesses::one("envoy-1"), "idle")).unwrap();
        }
        many.create(closed).await.unwrap();
    }
    drop(many);
    let few = RedbStore::open_keeping(&path, 2).unwrap();
    let mut left = Vec::new();
    for number in 0..4 {
        few.create(record(&format!("id-{number}"))).await.unwrap();
        let all = few.list(&"mesh-1".parse().unwrap()).await.unwrap();
        left.push(all.iter().filter(|stored| stored.record.task.phase().is_closed()).count());
    }
    assert_eq!(left, [5, 3, 2, 2]);
}

/// Copies of the file of a store that is not closed and does not write just then: what `kill -9` leaves of an idle one.
#[tokio::test]
async fn a_copy_of_the_file_between_two_writes_is_a_store() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("releases");
    let store = RedbStore::open(&path).unwrap();
    for number in 0..20 {
        store.create(record(&format!("id-{number}"))).await.unwrap();
        let copy = directory.path().join(format!("copy-{number}"));
        std::fs::copy(&path, &copy).unwrap();
        let found = RedbStore::open(&copy).unwrap().unclosed().await.unwrap();
        assert_eq!(found.len(), number + 1);
    }
}

#[tokio::test]
async fn those_who_write_at_the_same_time_share_a_sync() {
    let disk = SimulatedDisk::default();
    let store = disk.open().unwrap();
    let before = disk.syncs();
    let mut callers: Vec<_> = (0..64).map(|number| Box::pin(store.create(record(&format!("id-{number}"))))).collect();
    let paused = disk.pause();
    for caller in &mut callers {
        assert!(caller.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    drop(paused);
    for caller in callers {
        caller.await.unwrap();
    }
    // The writer may have begun one transaction before the other callers came. One takes two syncs, and some more when the
    // file has to grow; 64 would take 128 at least.
    assert!(disk.syncs() - before <= 10, "64 writes took {} syncs", disk.syncs() - before);
}

#[test]
fn a_second_store_on_the_same_file_is_refused() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("releases");
    let _first = RedbStore::open(&path).unwrap();
    let error = RedbStore::open(&path).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }));
    let expected =
        format!("{} is in use by another process: a store's file is for one process at a time", path.display());
    assert_eq!(error.to_string(), expected);
}

/// Not a test of its own: what the one below starts as another process.
#[test]
fn the_other_process() {
    if let Some(path) = std::env::var_os(OTHER_PROCESS) {
        println!("it says: {}", RedbStore::open(path).map(drop).unwrap_err());
    }
}

const OTHER_PROCESS: &str = "RELEASE_STORE_TEST_FILE";

#[tokio::test]
async fn a_second_process_is_refused_and_the_first_goes_on() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("releases");
    let first = RedbStore::open(&path).unwrap();
    first.create(record("a")).await.unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let other = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "redb::the_other_process", "--nocapture"])
        .env(OTHER_PROCESS, &path)
        .output()
        .unwrap();
    let said = String::from_utf8(other.stdout).unwrap();
    let expected = format!(
        "it says: {} is in use by another process: a store's file is for one process at a time",
        path.display()
    );
    assert!(said.contains(&expected), "{said}");
    assert!(std::fs::read(&path).unwrap() == bytes, "overwritten");
    first.create(record("b")).await.unwrap();
    assert_eq!(first.unclosed().await.unwrap().len(), 2);
}

#[test]
fn many_who_make_the_same_file_at_once_end_up_with_one() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("releases");
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || RedbStore::open(path).map(drop))
        })
        .collect();
    let answers: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(answers.iter().any(Result::is_ok), "{answers:?}");
    for answer in answers {
        assert!(matches!(answer, Ok(()) | Err(OpenError::InUse { .. })), "{answer:?}");
    }
    assert!(RedbStore::open(&path).is_ok());
}
