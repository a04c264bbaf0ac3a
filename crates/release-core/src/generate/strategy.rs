//! The same values for proptest.

use super::task::{MOVES, Move, TASKS, drive, together};
use crate::law::{Broken, Input, Law, Outcome};
use crate::{
    Action, Browser, Change, Command, Condition, CookieName, Error, ErrorKind, Failure, Generation, HeaderName,
    Literal, Matcher, MeshId, Mode, Namespace, Note, NumberedRouting, OperatingSystem, Owners, ParseError, Pattern,
    Percent, Phase, Plan, PlannedStep, Proof, QueryName, ReleaseId, ReleaseKey, ReleaseName, ReleaseSpec, ReleaseTask,
    Releases, Report, Request, Routing, Rule, Service, Stage, Step, StepKind, StoredError, StoredTask,
    UnexpectedReport, UserAgent, Version, VersionLabel, Witnesses,
};
use alloc::vec::Vec;
use arbitrary::Unstructured;
use core::fmt::Debug;
use proptest::arbitrary::{Arbitrary, any};
use proptest::collection::vec;
use proptest::strategy::{BoxedStrategy, Strategy};

/// The most bytes that make one value; it ends in its simplest parts where they don't suffice.
const BYTES: usize = 192;

/// The values of a type that fuzzers know how to make from bytes, as a strategy for proptest.
///
/// For types of your own that contain types of this crate: `any::<T>()` is this for those.
///
/// ```
/// use proptest::strategy::{Strategy, ValueTree};
/// use proptest::test_runner::TestRunner;
/// use release_core::{Command, MeshId, generate};
///
/// let strategy = generate::from_bytes::<(MeshId, Command)>();
/// let (mesh, _command) = strategy.new_tree(&mut TestRunner::deterministic()).unwrap().current();
/// assert!(mesh.as_str().len() <= 64);
/// ```
pub fn from_bytes<T: for<'a> arbitrary::Arbitrary<'a> + Debug + 'static>() -> BoxedStrategy<T> {
    let read = |bytes: Vec<u8>| T::arbitrary(&mut Unstructured::new(&bytes)).ok();
    vec(any::<u8>(), 0..=BYTES).prop_filter_map("not a value", read).boxed()
}

macro_rules! from_bytes {
    ($($name:ident)*) => {$(
        impl Arbitrary for $name {
            type Parameters = ();
            type Strategy = BoxedStrategy<Self>;

            fn arbitrary_with((): ()) -> Self::Strategy {
                from_bytes()
            }
        }
    )*};
}

from_bytes! {
    Action Broken Browser Change Command Condition CookieName Error ErrorKind Failure Generation HeaderName Input Law
    Literal Matcher MeshId Mode Namespace Note NumberedRouting OperatingSystem Outcome Owners ParseError Pattern Percent
    Phase Plan PlannedStep Proof QueryName ReleaseId ReleaseKey ReleaseName ReleaseSpec Report Request Routing
    Rule Service Stage Step StepKind StoredError UnexpectedReport UserAgent Version VersionLabel Witnesses
}

/// How a task comes to be what it is: shrinks move by move.
fn life() -> impl Strategy<Value = (ReleaseSpec, Vec<Move>)> {
    (any::<ReleaseSpec>(), vec(from_bytes::<Move>(), 0..=MOVES))
}

impl Arbitrary for ReleaseTask {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        life().prop_filter_map("not a task", |(spec, moves)| drive(spec, moves).ok()).boxed()
    }
}

/// Shrinks task by task, and each by its life.
impl Arbitrary for Releases {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        vec(life(), 0..=TASKS).prop_map(together).boxed()
    }
}

impl Arbitrary for StoredTask {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        any::<ReleaseTask>().prop_map(Self::from).boxed()
    }
}
