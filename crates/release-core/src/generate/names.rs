//! Names: half of them familiar ones, so that names meet, the other half any that is allowed.

use super::valid;
use crate::{
    CookieName, HeaderName, Literal, MeshId, Namespace, Note, QueryName, ReleaseId, ReleaseName, Service, VersionLabel,
    Witnesses,
};
use alloc::string::String;
use arbitrary::{Arbitrary, Result, Unstructured};
use core::ops::RangeInclusive;

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const LABEL_END: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
const LABEL: &str = "abcdefghijklmnopqrstuvwxyz0123456789-";
const ID_END: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const ID: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
const TOKEN: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";
const QUERY: &str = "abcXYZ019!\"$%'()*+,-./:;<>?@[\\]^_`{|}~";
const VALUE_END: &str = "abcXYZ019!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
const VALUE: &str = "abcXYZ019 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// Each name: its length, the characters it may begin with, contain and end in, and the familiar ones.
macro_rules! names {
    ($($name:ident: $lengths:expr, $first:ident $inner:ident $last:ident, $familiar:expr;)*) => {$(
        impl<'a> Arbitrary<'a> for $name {
            fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
                if u.arbitrary::<bool>()? {
                    valid(Self::try_from(word(u, $lengths, [$first, $inner, $last])?.as_str()))
                } else {
                    valid(Self::try_from(*u.choose(&$familiar)?))
                }
            }
        }
    )*};
}

names! {
    MeshId: 1..=64, ID_END ID ID, ["mesh-1", "mesh-2"];
    Namespace: 1..=63, LABEL_END LABEL LABEL_END, ["shop", "pay"];
    ReleaseId: 1..=64, ID_END ID ID, ["3f2a", "77aa", "r3"];
    ReleaseName: 4..=64, LOWER LABEL LABEL_END, ["canary", "spring-sale"];
    Service: 1..=63, LABEL_END LABEL LABEL_END, ["cart", "search"];
    VersionLabel: 1..=63, ID_END ID ID_END, ["v1", "v2", "v3"];
    HeaderName: 1..=128, TOKEN TOKEN TOKEN, ["x-group", "user-agent", "cookie"];
    CookieName: 1..=128, TOKEN TOKEN TOKEN, ["user", "group"];
    QueryName: 1..=128, QUERY QUERY QUERY, ["preview", "q"];
    Literal: 1..=512, VALUE_END VALUE VALUE_END, ["beta", "1"];
}

/// Mostly short, sometimes as long as is allowed.
fn word(u: &mut Unstructured<'_>, lengths: RangeInclusive<usize>, [first, inner, last]: [&str; 3]) -> Result<String> {
    let short = *lengths.start()..=lengths.start() + 7;
    let lengths = if u.ratio(7, 8)? { short } else { lengths };
    let length = u.int_in_range(lengths)?;
    let mut word = String::new();
    for at in 0..length {
        let alphabet = match at {
            0 => first,
            at if at + 1 == length => last,
            _ => inner,
        };
        word.push(char::from(*u.choose(alphabet.as_bytes())?));
    }
    Ok(word)
}

impl<'a> Arbitrary<'a> for Note {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=7)? {
            0..=5 => Self::new(u.choose(&["envoy-1", "envoy-2", "no route to host", "idle for 15 s"])?),
            6 => Self::new(&super::list::<char>(u, 0..=16)?.into_iter().collect::<String>()),
            _ => Self::new(&String::from(u.arbitrary::<char>()?).repeat(600)),
        })
    }
}

impl<'a> Arbitrary<'a> for Witnesses {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        valid(Self::new(super::list(u, 1..=3)?).ok_or(()))
    }
}
