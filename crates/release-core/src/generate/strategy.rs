//! The same values for proptest.

use super::task::{MOVES, Move, drive};
use crate::law::Input;
use crate::{
    Action, Browser, Change, Command, Condition, CookieName, Failure, Generation, HeaderName, Literal, Matcher, MeshId,
    Mode, Namespace, Note, NumberedRouting, OperatingSystem, Owners, Pattern, Percent, Phase, Plan, PlannedStep, Proof,
    QueryName, ReleaseId, ReleaseKey, ReleaseName, ReleaseSpec, ReleaseTask, Report, Request, Routing, Rule, Service,
    Stage, Step, StepKind, StoredTask, Version, VersionLabel, Witnesses,
};
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
    let read = |bytes: alloc::vec::Vec<u8>| T::arbitrary(&mut Unstructured::new(&bytes)).ok();
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
    Action Browser Change Command Condition CookieName Failure Generation HeaderName Input Literal Matcher MeshId Mode
    Namespace Note NumberedRouting OperatingSystem Owners Pattern Percent Phase Plan PlannedStep Proof QueryName ReleaseId
    ReleaseKey ReleaseName ReleaseSpec Report Request Routing Rule Service Stage Step StepKind Version VersionLabel
    Witnesses
}

/// Shrinks move by move.
impl Arbitrary for ReleaseTask {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        let moves = vec(from_bytes::<Move>(), 0..=MOVES);
        (any::<ReleaseSpec>(), moves).prop_filter_map("not a task", |(spec, moves)| drive(spec, moves).ok()).boxed()
    }
}

impl Arbitrary for StoredTask {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        any::<ReleaseTask>().prop_map(Self::from).boxed()
    }
}
