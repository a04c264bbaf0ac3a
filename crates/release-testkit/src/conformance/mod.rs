//! What every store and every mesh must do, whoever wrote it: suites to run in the tests of an adapter.
//!
//! A suite returns `Err` with what it saw and, where it drew at random, the seed. Run them all:
//!
//! - [`store`]: [`model`](store::model) and [`races`](store::races) for every store; [`crashes`](store::crashes) and
//!   [`failures`](store::failures) for one that claims to survive.
//! - [`mesh`]: [`steps`](mesh::steps), [`nobody`](mesh::nobody), [`restarts`](mesh::restarts) and
//!   [`stale_steps`](mesh::stale_steps).
//!
//! They run on tokio, with its clock. For a store (`empty` makes one that keeps two closed records):
//!
//! ```
//! use release_engine::Store;
//! use release_testkit::conformance::{Verdict, store};
//! use std::sync::Arc;
//!
//! async fn conforms<S: Store>(empty: impl Fn() -> S) -> Verdict {
//!     for seed in 0..10 {
//!         store::model(&empty(), 2, 200, seed).await?;
//!     }
//!     store::races(Arc::new(empty())).await
//! }
//! ```
//!
//! For a mesh, here the simulated one:
//!
//! ```
//! use release_core::{Action, ParseError, ReleaseKey, ReleaseSpec};
//! use release_testkit::SimulatedMesh;
//! use release_testkit::conformance::{Verdict, mesh};
//! use std::time::Duration;
//!
//! fn release(id: &str) -> Result<ReleaseSpec, ParseError> {
//!     let key = ReleaseKey::parse("mesh-1", "shop", id)?;
//!     Ok(ReleaseSpec { service: key.id.as_str().parse()?, key, original: "v1".parse()?, grayscale: "v2".parse()? })
//! }
//!
//! async fn conforms(action: Action) -> Verdict {
//!     let [a, b, closed, newer] = ["a", "b", "c", "d"].map(|id| release(id).unwrap());
//!     // How long a step may take. Of a real mesh: time for its slowest push and its drain.
//!     let limit = Duration::from_secs(1);
//!
//!     // What is routed where, and not by the word of the adapter: ask the proxies.
//!     let adapter = SimulatedMesh::new(3);
//!     let served = async || adapter.release(&a.key).map(|mesh| mesh.proxies().to_vec());
//!     mesh::steps(&adapter, action, &a, limit, served).await?;
//!
//!     // A mesh without a proxy.
//!     mesh::nobody(&SimulatedMesh::new(0), &a, limit).await?;
//!
//!     // A new adapter for each start, on the proxies that are there.
//!     mesh::restarts(async || adapter.clone(), action, &b, limit).await?;
//!
//!     // Another release of the service of `closed`, which brings back the version that lost there. Do its workloads run,
//!     // and do they get the service's requests? The simulated mesh has none.
//!     let (original, grayscale) = (closed.label(action.survivor()).clone(), closed.label(action.loser()).clone());
//!     let newer = ReleaseSpec { service: closed.service.clone(), original, grayscale, ..newer };
//!     mesh::stale_steps(&adapter, action, &closed, &newer, limit, async || Ok(())).await
//! }
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
//! # for action in [Action::Cancel, Action::End] {
//! #     runtime.block_on(conforms(action)).unwrap();
//! # }
//! ```

pub mod mesh;
pub mod store;

/// What a suite found.
pub type Verdict = Result<(), String>;

/// `Ok` where it holds.
fn ensure(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(what()) }
}
