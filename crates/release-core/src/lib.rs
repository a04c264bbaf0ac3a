//! Grayscale (canary) release tasks as a pure state machine.
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "proptest", feature = "arbitrary"))]
extern crate std;

mod action;
mod error;
#[cfg(feature = "arbitrary")]
pub mod generate;
mod identity;
pub mod law;
mod phase;
mod releases;
mod routing;
mod step;
mod task;
mod text;

pub use action::{Action, Mode, Version};
pub use error::{Error, ErrorKind};
pub use identity::{MeshId, Namespace, ReleaseId, ReleaseKey, ReleaseName, Service, VersionLabel};
pub use phase::{Phase, Stage};
pub use releases::Releases;
pub use routing::{
    Browser, Condition, CookieName, HeaderName, Literal, MAX_RULES, Matcher, OperatingSystem, Owners, Pattern, Percent,
    QueryName, Request, Routing, RoutingKind, Rule, UserAgent,
};
pub use step::{Generation, NumberedRouting, Report, Step, StepKind, UnexpectedReport, Witnesses};
pub use task::{Change, Command, Failure, Plan, PlannedStep, Proof, ReleaseSpec, ReleaseTask, StoredError, StoredTask};
pub use text::{Note, ParseError};
