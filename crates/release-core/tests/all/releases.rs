//! The collection: what it keeps, lists and forgets.

use crate::stage::{spec, succeed};
use release_core::{Action, Change, Command, Error, ErrorKind, ReleaseKey, ReleaseSpec, ReleaseTask, Releases};

#[test]
fn a_mesh_lists_its_own_tasks() {
    let mut releases = Releases::new();
    for (mesh, id) in [("mesh-1", "a"), ("mesh-2", "b"), ("mesh-1", "c")] {
        releases.create(spec_of(mesh, id, id)).unwrap();
    }
    let ids = |mesh: &str| -> Vec<String> {
        releases.list(&mesh.parse().unwrap()).map(|task| task.key().id.to_string()).collect()
    };
    assert_eq!((ids("mesh-1"), ids("mesh-2"), ids("mesh-3")), (vec!["a".into(), "c".into()], vec!["b".into()], vec![]));
}

#[test]
fn a_service_is_free_again_when_its_task_is_closed() {
    let mut releases = Releases::new();
    let (first, second) = (spec_of("mesh-1", "a", "cart"), spec_of("mesh-1", "b", "cart"));
    releases.create(first.clone()).unwrap();
    assert!(matches!(releases.create(second.clone()), Err(Error::ServiceBusy { by, .. }) if *by == first.key));
    assert_eq!(releases.remove(&first.key), None, "an unclosed task was forgotten");
    close(&mut releases, &first.key);
    releases.create(second.clone()).unwrap();
    // Forgetting the older task leaves the service to the newer one.
    assert!(releases.remove(&first.key).is_some());
    assert_eq!(releases.get(&first.key).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(matches!(releases.create(first.clone()), Err(Error::ServiceBusy { by, .. }) if *by == second.key));
}

#[test]
fn what_is_forgotten_leaves_nothing_behind() {
    let mut releases = Releases::new();
    let spec = spec_of("mesh-1", "a", "cart");
    releases.create(spec.clone()).unwrap();
    close(&mut releases, &spec.key);
    let task: ReleaseTask = releases.remove(&spec.key).unwrap();
    assert_eq!(task.phase().action(), Some(Action::Cancel));
    assert_eq!(releases, Releases::new());
    assert_eq!(releases.remove(&spec.key), None);
    let report = release_core::Step::EnsureReady {
        generation: task.wanted().generation,
        version: release_core::Version::Original,
    };
    assert_eq!(releases.report(&spec.key, report.failed("late")), Ok(Change::Unchanged));
}

/// What was created and closed in another order, or was forgotten since, makes no difference.
#[test]
fn equality_is_by_content() {
    let mut releases = Releases::new();
    let (first, second) = (spec_of("mesh-1", "a", "cart"), spec_of("mesh-1", "b", "cart"));
    let mut only_first = Releases::new();
    for releases in [&mut releases, &mut only_first] {
        releases.create(first.clone()).unwrap();
        close(releases, &first.key);
    }
    releases.create(second.clone()).unwrap();
    close(&mut releases, &second.key);
    assert_ne!(releases, only_first);
    assert!(releases.remove(&second.key).is_some());
    assert_eq!(releases, only_first);
}

#[test]
fn stored_tasks_are_inserted_as_new_ones_are_created() {
    let (a, b, c) = (spec_of("mesh-1", "a", "cart"), spec_of("mesh-1", "b", "cart"), spec_of("mesh-2", "c", "cart"));
    let mut releases = Releases::new();
    releases.create(a.clone()).unwrap();
    close(&mut releases, &a.key);
    releases.create(b.clone()).unwrap();
    releases.create(c).unwrap();
    let tasks: Vec<ReleaseTask> = releases.iter().cloned().collect();
    let ids: Vec<&str> = tasks.iter().map(|task| task.key().id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"]);

    let mut restored = Releases::new();
    for task in tasks.iter().rev() {
        assert_eq!(restored.insert(task.clone()), Ok(task));
        let key = Box::new(task.key().clone());
        assert_eq!(restored.insert(task.clone()), Err(Error::ReleaseExists(key)));
    }
    assert_eq!(restored, releases, "a closed task comes beside the unclosed one of its service");
    let another = ReleaseTask::new(spec_of("mesh-1", "d", "cart")).unwrap();
    let busy = Error::ServiceBusy { service: b.service, by: Box::new(b.key.clone()) };
    assert_eq!(restored.insert(another.clone()), Err(busy));
    assert_eq!(restored, releases);
    close(&mut restored, &b.key);
    assert_eq!(restored.insert(another.clone()), Ok(&another), "the service of an inserted task is never free again");
}

fn close(releases: &mut Releases, key: &ReleaseKey) {
    let _ = releases.command(key, Command::CANCEL).unwrap();
    let mut task = releases.get(key).unwrap().clone();
    while task.next_step().is_some() {
        let step = succeed(&mut task);
        let _ = releases.report(key, step.succeeded(release_core::Witnesses::one("envoy-1"), "idle for 15 s")).unwrap();
    }
    assert_eq!(releases.get(key), Ok(&task));
}

fn spec_of(mesh: &str, id: &str, service: &str) -> ReleaseSpec {
    ReleaseSpec { key: ReleaseKey::parse(mesh, "shop", id).unwrap(), service: service.parse().unwrap(), ..spec() }
}
