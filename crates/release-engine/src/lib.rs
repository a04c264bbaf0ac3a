//! Drives release tasks to their end.
//!
//! `release-core` decides what is to be done next; this crate does it: it keeps tasks in a [`Store`], has a [`Mesh`]
//! perform their steps, tries again what fails, takes everything up again after a restart, and lets callers wait for the
//! end of a takeover.
//!
//! - [`Engine`] is the whole interface for whoever wants releases managed.
//! - [`Store`] and [`Mesh`] are what it needs of the outside world. `release-store` has stores, `release-xds` a mesh;
//!   `release-testkit` has conformance suites for both and a simulated mesh.
//!
//! Three rules carry everything:
//!
//! 1. **A task is stored before its step is performed**, and stored only if nobody else has changed it since it was
//!    loaded. So a crash at any moment loses nothing that was accepted, and two processes may drive the same task.
//! 2. **A step is dropped as soon as it is no longer the one to take**: a cancel never waits for an end that hangs. So it is
//!    within one process; another one learns of the cancel when its step ends, and is kept from harm by the generation.
//! 3. **The engine never gives up**: a step that fails is tried again for ever, with growing pauses, and why it failed
//!    can be read in the task.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! use release_core::{Action, Mode, ReleaseKey, ReleaseSpec};
//! use release_engine::{Engine, Settings};
//! use release_store::MemoryStore;
//! use release_testkit::SimulatedMesh;
//! use std::time::Duration;
//!
//! let engine = Engine::start(MemoryStore::new(), SimulatedMesh::new(2), Settings::default()).await?;
//! let key = ReleaseKey::parse("mesh-1", "shop", "3f2a")?;
//! let (service, original, grayscale) = ("cart".parse()?, "v1".parse()?, "v2".parse()?);
//! engine.create(ReleaseSpec { key: key.clone(), service, original, grayscale }, "my release".into()).await?;
//! let closed = engine.delete(&key, Action::Cancel, Mode::Perform).await?;
//! assert!(closed.record.task.phase().is_closed());
//! engine.shutdown(Duration::from_secs(5)).await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backoff;
mod bounded;
mod doubts;
mod driver;
mod engine;
mod error;
mod event;
mod inner;
mod ledger;
mod mesh;
mod record;
mod registry;
mod settings;
mod store;

pub use engine::Engine;
pub use error::EngineError;
pub use event::{Cause, Event, Observer};
pub use mesh::Mesh;
pub use record::{Record, Revision, Stored, Timestamp};
pub use settings::Settings;
pub use store::{CreateError, ReplaceError, Store, StoreError};
