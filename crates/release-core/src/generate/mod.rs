//! Any value of every public type, for property tests and fuzzers.
//!
//! What values there are is said once, by `arbitrary::Arbitrary`: derived where the parts of a type go with each other in
//! any way, written out here where they don't. Every value that comes out is a valid one, and every [`ReleaseTask`] is one
//! that commands and reports lead to from a new one. [`RoutingKind`](crate::RoutingKind) alone has none, since it borrows:
//! it is the view of any [`Routing`](crate::Routing).
//!
//! `any::<T>()` of proptest (feature `proptest`) draws the bytes that `Arbitrary` reads, and shrinks them: fewer bytes and
//! smaller ones make simpler values, and none at all the simplest.
//!
//! [`ReleaseTask`]: crate::ReleaseTask

mod error;
mod names;
mod pattern;
mod request;
mod routing;
#[cfg(feature = "proptest")]
mod strategy;
mod task;

#[cfg(feature = "proptest")]
pub use strategy::from_bytes;

use alloc::vec::Vec;
use arbitrary::{Arbitrary, Result, Unstructured};
use core::ops::RangeInclusive;

/// What was put together by the rules of its type: never an `Err` in truth.
fn valid<T, E>(made: core::result::Result<T, E>) -> Result<T> {
    made.map_err(|_| arbitrary::Error::IncorrectFormat)
}

/// A list with a length in that range; the shortest when there are no bytes left.
fn list<'a, T: Arbitrary<'a>>(u: &mut Unstructured<'a>, lengths: RangeInclusive<usize>) -> Result<Vec<T>> {
    let length = u.int_in_range(lengths)?;
    (0..length).map(|_| u.arbitrary()).collect()
}
