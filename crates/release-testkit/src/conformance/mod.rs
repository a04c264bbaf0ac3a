//! What every store and every mesh must do, whoever wrote it: suites to run in the tests of an adapter.
//!
//! A suite returns `Err` with what it saw and, where it drew at random, the seed. Run them all:
//!
//! - [`store`]: [`model`](store::model) and [`races`](store::races) for every store; [`crashes`](store::crashes) and
//!   [`failures`](store::failures) for one that claims to survive.
//! - [`mesh`]: [`steps`](mesh::steps), [`nobody`](mesh::nobody), [`restarts`](mesh::restarts) and
//!   [`stale_steps`](mesh::stale_steps).

pub mod mesh;
pub mod store;

/// What a suite found.
pub type Verdict = Result<(), String>;

/// `Ok` where it holds.
fn ensure(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(what()) }
}
