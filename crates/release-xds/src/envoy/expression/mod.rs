//! Regular expressions as Envoy's engine (RE2) reads them.
//!
//! Envoy 1.40 matches bytes, and a whole value, as [`Pattern::matches`] does. A pattern is parsed as release-core parses it
//! and written anew in the few constructs that every version of RE2 reads alike, flags and classes spelt out.

mod print;
#[cfg(test)]
mod tests;
mod value;

use regex_syntax::hir::{Hir, HirKind};
use release_core::{CookieName, Literal, Pattern};
use std::fmt;

/// An expression that Envoy can be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expression {
    pub(super) text: String,
    /// Roughly how many instructions RE2 compiles it to; Envoy refuses more than 100 unless it is told otherwise.
    pub(super) size: usize,
}

/// A pattern that Envoy can't be told: in the value of a cookie, a repetition of something with an anchor in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RepeatedAnchor;

/// What matches the values that `pattern` does, or `None` where no value does.
pub(super) fn of_value(pattern: &Pattern) -> Option<Expression> {
    expression(&parse(pattern))
}

/// What matches the values that contain any of `parts`.
pub(super) fn containing(parts: &[&str]) -> Expression {
    let any: Vec<_> = parts.iter().map(|part| print::Literal(part.as_bytes()).to_string()).collect();
    let any = any.join("|");
    Expression { size: any.len() + 8, text: format!(r"\C*(?:{any})\C*") }
}

/// What matches the `Cookie` headers with a cookie of that name and exactly that value, or `None` where none can have it.
pub(super) fn of_cookie(name: &CookieName, value: &Literal) -> Option<Expression> {
    cookie(name, &value::for_cookie(&Hir::literal(value.as_str().as_bytes())).ok()?)
}

/// What matches the `Cookie` headers with a cookie of that name and such a value, or `None` where no header does.
pub(super) fn of_cookie_like(name: &CookieName, pattern: &Pattern) -> Result<Option<Expression>, RepeatedAnchor> {
    Ok(cookie(name, &value::for_cookie(&parse(pattern))?))
}

fn cookie(name: &CookieName, value: &Hir) -> Option<Expression> {
    let Expression { text, size } = expression(value)?;
    let name = print::Literal(name.as_str().as_bytes());
    // Blanks around a cookie don't count. A value ends in none, so what follows it is unambiguous.
    let text = format!(r"(?:\C*;)?[ \t]*{name}=(?:{text})[ \t]*(?:;\C*)?");
    Some(Expression { size: size + name.0.len() + 24, text })
}

fn expression(hir: &Hir) -> Option<Expression> {
    let text = print::Alone(hir).to_string();
    (!is_never(hir)).then(|| Expression { size: print::size(hir), text })
}

/// As release-core compiles it: bytes, ASCII classes.
fn parse(pattern: &Pattern) -> Hir {
    let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
    // What is a pattern parses: it was compiled once.
    parser.parse(pattern.as_str()).unwrap_or_else(|_| Hir::fail())
}

/// Whether it matches nothing at all.
fn is_never(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Look(_) => false,
        HirKind::Class(class) => class.minimum_len().is_none(),
        HirKind::Capture(capture) => is_never(&capture.sub),
        HirKind::Repetition(repetition) => repetition.min > 0 && is_never(&repetition.sub),
        HirKind::Concat(parts) => parts.iter().any(is_never),
        HirKind::Alternation(parts) => parts.iter().all(is_never),
    }
}

impl fmt::Display for RepeatedAnchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("^ and $ can't be repeated in the regular expression of a cookie")
    }
}
