//! Routings and their parts.

use super::{list, valid};
use crate::{Percent, Routing, Rule};
use arbitrary::{Arbitrary, Result, Unstructured};

impl<'a> Arbitrary<'a> for Percent {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        valid(Self::new(u.int_in_range(0..=100)?))
    }
}

impl<'a> Arbitrary<'a> for Rule {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        valid(Self::new(list(u, 1..=3)?))
    }
}

impl<'a> Arbitrary<'a> for Routing {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=2)? {
            0 => Self::exclusive(u.arbitrary()?),
            1 => Self::weighted(u.arbitrary()?),
            _ => valid(Self::content(list(u, 0..=3)?))?,
        })
    }
}
