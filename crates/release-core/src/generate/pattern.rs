//! Regular expressions, put together from what [`Pattern`] accepts.

use super::valid;
use crate::Pattern;
use alloc::format;
use alloc::string::String;
use arbitrary::{Arbitrary, Result, Unstructured};

impl<'a> Arbitrary<'a> for Pattern {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        valid(expression(u, 3)?.parse())
    }
}

/// `depth` bounds the length (a level doubles it at the most) and the nesting of repetitions (1000 in all are allowed).
fn expression(u: &mut Unstructured<'_>, depth: u8) -> Result<String> {
    let kind = if depth == 0 { u.int_in_range(0..=1)? } else { u.int_in_range(0..=6)? };
    let inner = |u: &mut Unstructured<'_>| expression(u, depth - 1);
    Ok(match kind {
        0 => String::from(*u.choose(&["beta", "1", "a", "x y", r"\.", r"\+", r"\n", "-", "_"])?),
        1 => String::from(*u.choose(&[".", "[0-9]", "[^a-c_]", r"\d", r"\W", "[[:alpha:]-]", r"[\s\]]"])?),
        2 => format!("{}{}", inner(u)?, inner(u)?),
        3 => format!("({}|{})", inner(u)?, inner(u)?),
        4 => format!("(?:{}){}", inner(u)?, u.choose(&["*", "+", "?", "*?", "{3}", "{2,}", "{0,9}"])?),
        5 => format!("{}{}{}", u.choose(&["^", r"\A", r"\b", ""])?, inner(u)?, u.choose(&["$", r"\z", r"\B", ""])?),
        _ => format!("{}{})", u.choose(&["(?i:", "(?s:", "(?m-i:", "(?U:"])?, inner(u)?),
    })
}
