//! Random operations on a store.

use fastrand::Rng;
use release_core::{Command, MeshId, ReleaseKey, ReleaseSpec, ReleaseTask, Step, Witnesses};
use release_engine::{Record, Timestamp};

/// Names of a world that is so small that everything meets: some are the beginning of others, as those of the meshes are,
/// and sort differently when they are joined by a separator.
const NAMESPACES: [&str; 2] = ["shop", "shop-2"];
const IDS: [&str; 3] = ["a", "a.b", "b"];
const SERVICES: [&str; 2] = ["cart", "cart-2"];

/// What a caller does, as far as others are concerned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    /// The meshes that it knows.
    meshes: &'static [&'static str],
    /// Whether there are others, in other meshes: then it closes no task and does not read what they write, too. Which closed
    /// tasks are kept, and which are unclosed, depends on all.
    others: bool,
}

impl Scope {
    pub(super) const ALONE: Self = Self { meshes: &["mesh-1", "mesh-10"], others: false };
    /// Callers that are not in each other's way.
    pub(super) const APART: [Self; 4] =
        [Self::among(&["mesh-1"]), Self::among(&["mesh-10"]), Self::among(&["mesh"]), Self::among(&["mesh-2"])];

    const fn among(meshes: &'static [&'static str]) -> Self {
        Self { meshes, others: true }
    }
}

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
    /// The next step towards a cancel succeeds, but not the last one, if nothing is to be closed.
    TowardsCancel { closes: bool },
    /// Only the metadata changes.
    Metadata(u32),
}

impl Operation {
    pub(super) fn random(rng: &mut Rng, scope: Scope) -> Self {
        let key = key(rng, scope.meshes);
        let newest = rng.u8(..) < 200;
        match rng.u8(0..20) {
            0..4 => Self::Create(Box::new(record(key, rng.choice(SERVICES).unwrap_or("cart"), rng.u32(..)))),
            4..13 => Self::Change { key, newest, how: How::TowardsCancel { closes: !scope.others } },
            13..15 => Self::Change { key, newest, how: How::Metadata(rng.u32(..)) },
            15 => Self::Remove { key, newest },
            16..=17 => Self::Load(key),
            19 if !scope.others => Self::Unclosed,
            _ => Self::List(key.mesh),
        }
    }
}

impl How {
    pub(super) fn change(self, record: &mut Record) {
        match self {
            Self::Metadata(number) => record.metadata = number.into(),
            Self::TowardsCancel { closes } => {
                let task = &mut record.task;
                if !task.phase().is_closing() {
                    let _ = task.command(Command::CANCEL);
                } else if let Some(step) = task.next_step()
                    && (closes || !matches!(step, Step::Retire { .. }))
                {
                    let _ = task.report(step.succeeded(Witnesses::one("envoy-1"), "idle"));
                }
                if task.phase().is_closed() {
                    record.closed = record.closed.or(Some(Timestamp::from_millis(2)));
                }
            }
        }
    }
}

fn key(rng: &mut Rng, meshes: &[&'static str]) -> ReleaseKey {
    let mut one_of = |names: &[&'static str]| rng.choice(names).copied().unwrap_or_default();
    let (mesh, namespace, id) = (one_of(meshes), one_of(&NAMESPACES), one_of(&IDS));
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
