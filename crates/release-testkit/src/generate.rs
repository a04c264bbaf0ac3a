//! Generators with few names, so that they meet.
//!
//! Any value of any public type is `any::<T>()` of proptest and `T::arbitrary(..)` of `arbitrary`: `release-core` has both,
//! and see [`release_core::generate`]. What is here is for lists of operations, where two tasks must often be about the
//! same service and a command must often find its task; and for requests, which must often match a rule.

mod request;

pub use request::{request_for, value_for};

use arbitrary::{Result, Unstructured};
use release_core::{MeshId, ReleaseKey, ReleaseSpec};

/// One of four keys, mostly the first.
pub fn key(u: &mut Unstructured<'_>) -> Result<ReleaseKey> {
    let [mesh, namespace, id] = match u.int_in_range(0..=15)? {
        0..=11 => ["m1", "shop", "a"],
        12..=13 => ["m1", "shop", "b"],
        14 => ["m1", "pay", "a"],
        _ => ["m2", "shop", "a"],
    };
    valid(ReleaseKey::parse(mesh, namespace, id))
}

/// One of two meshes.
pub fn mesh(u: &mut Unstructured<'_>) -> Result<MeshId> {
    valid(MeshId::try_from(*u.choose(&["m1", "m2"])?))
}

/// A release of one of two services, rarely of two versions that are the same one.
pub fn spec(u: &mut Unstructured<'_>) -> Result<ReleaseSpec> {
    Ok(ReleaseSpec {
        key: key(u)?,
        service: valid((*u.choose(&["cart", "cart", "search"])?).parse())?,
        original: valid((*u.choose(&["v1", "v1", "v1", "v2"])?).parse())?,
        grayscale: valid((*u.choose(&["v2", "v3"])?).parse())?,
    })
}

fn valid<T, E>(parsed: core::result::Result<T, E>) -> Result<T> {
    parsed.map_err(|_| arbitrary::Error::IncorrectFormat)
}
