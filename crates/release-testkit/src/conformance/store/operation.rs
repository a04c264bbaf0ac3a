//! Random operations on a store.

use fastrand::Rng;
use release_core::{Command, MeshId, ReleaseKey, ReleaseSpec, ReleaseTask, Witnesses};
use release_engine::{Record, Timestamp};

/// Names of a world that is so small that everything meets: some are the beginning of others, and sort differently when
/// they are joined by a separator.
const MESHES: [&str; 2] = ["mesh-1", "mesh-10"];
const NAMESPACES: [&str; 2] = ["shop", "shop-2"];
const IDS: [&str; 3] = ["a", "a.b", "b"];
const SERVICES: [&str; 2] = ["cart", "cart-2"];

/// Something to do with a store.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// Create this record.
    Create(Box<Record>),
    /// Change the record of that key, by its newest revision or by an older one.
    Change { key: ReleaseKey, newest: bool, how: How },
    /// Remove the record of that key, by its newest revision or by an older one.
    Remove { key: ReleaseKey, newest: bool },
    /// Read the record of that key.
    Load(ReleaseKey),
    /// Read the records of that mesh.
    List(MeshId),
    /// Read the keys of the unclosed records.
    Unclosed,
}

/// How a record changes.
#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    /// The next step towards a cancel succeeds.
    TowardsCancel,
    /// Only the metadata changes.
    Metadata(u32),
}

impl Operation {
    pub(super) fn random(rng: &mut Rng) -> Self {
        let key = key(rng);
        let newest = rng.u8(..) < 200;
        match rng.u8(0..20) {
            0..4 => Self::Create(Box::new(record(key, rng.choice(SERVICES).unwrap_or("cart"), rng.u32(..)))),
            4..13 => Self::Change { key, newest, how: How::TowardsCancel },
            13..15 => Self::Change { key, newest, how: How::Metadata(rng.u32(..)) },
            15 => Self::Remove { key, newest },
            16..18 => Self::Load(key),
            18 => Self::List(key.mesh),
            _ => Self::Unclosed,
        }
    }
}

impl How {
    pub(super) fn change(self, record: &mut Record) {
        match self {
            Self::Metadata(number) => record.metadata = number.into(),
            Self::TowardsCancel => {
                let task = &mut record.task;
                if !task.phase().is_closing() {
                    let _ = task.command(Command::CANCEL);
                } else if let Some(step) = task.next_step() {
                    let _ = task.report(step.succeeded(Witnesses::one("envoy-1"), "idle"));
                }
                if task.phase().is_closed() {
                    record.closed = record.closed.or(Some(Timestamp::from_millis(2)));
                }
            }
        }
    }
}

fn key(rng: &mut Rng) -> ReleaseKey {
    let mut one_of = |names: &[&'static str]| rng.choice(names).copied().unwrap_or_default();
    let (mesh, namespace, id) = (one_of(&MESHES), one_of(&NAMESPACES), one_of(&IDS));
    named(mesh, namespace, id)
}

#[expect(clippy::expect_used, reason = "constants, and valid")]
pub(super) fn named(mesh: &str, namespace: &str, id: &str) -> ReleaseKey {
    ReleaseKey::parse(mesh, namespace, id).expect("valid names")
}

/// A new record about that service.
#[expect(clippy::expect_used, reason = "constants, and valid")]
pub(super) fn record(key: ReleaseKey, service: &str, metadata: u32) -> Record {
    let spec = ReleaseSpec {
        key,
        service: service.parse().expect("a valid name"),
        original: "v1".parse().expect("a valid label"),
        grayscale: "v2".parse().expect("a valid label"),
    };
    let task = ReleaseTask::new(spec).expect("two versions");
    Record { task, metadata: metadata.into(), created: Timestamp::from_millis(1), closed: None }
}
