//! The values of a cookie that an expression matches, as an expression for the middle of a `Cookie` header.
//!
//! Standing in a header, a value is all that lies between `=` and the next `;`, without the blanks before that. So the
//! expression must not match a `;`, must not end in a blank, and its `^` and `$` mean the ends of the value, not of the header.
//! RE2 can't intersect or look around, so this is worked out here. `\b` and `\B` stay as they are: on both sides of a value is
//! the end of the header or something that is no word character.

use super::{RepeatedAnchor, is_never};
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, HirKind, Look, LookSet, Repetition};

/// Matches the values that `hir` does.
pub(super) fn for_cookie(hir: &Hir) -> Result<Hir, RepeatedAnchor> {
    refuse_repeated_anchors(hir)?;
    Ok(either([empty(hir, Place { start: true, end: true }), ending(hir, true)]))
}

/// Where in a value something stands.
#[derive(Clone, Copy)]
struct Place {
    start: bool,
    end: bool,
}

/// The matches of `hir` that are not empty and reach to the end of the value; `start`: from its start.
fn ending(hir: &Hir, start: bool) -> Hir {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Hir::fail(),
        HirKind::Literal(literal) => match literal.0.last() {
            Some(b' ' | b'\t') => Hir::fail(),
            _ => before(hir, start),
        },
        HirKind::Class(class) => without(class, b"; \t"),
        HirKind::Capture(capture) => ending(&capture.sub, start),
        HirKind::Alternation(parts) => either(parts.iter().map(|part| ending(part, start))),
        HirKind::Concat(parts) => ending_row(parts, start),
        HirKind::Repetition(repetition) => ending_repetition(repetition, start),
    }
}

/// The same for several in a row.
fn ending_row(parts: &[Hir], start: bool) -> Hir {
    let Some((first, rest)) = parts.split_first() else { return Hir::fail() };
    if rest.is_empty() {
        return ending(first, start);
    }
    let rest_is_empty = row(rest.iter().map(|part| empty(part, Place { start: false, end: true })));
    let mut ways =
        vec![row([ending(first, start), rest_is_empty]), row([before(first, start), ending_row(rest, false)])];
    if start && rest.iter().any(has_start) {
        ways.push(row([empty(first, Place { start: true, end: false }), ending_row(rest, true)]));
    }
    either(ways)
}

/// The same for a repetition; one of something with an anchor happens at most once.
fn ending_repetition(repetition: &Repetition, start: bool) -> Hir {
    let (min, max, sub) = (repetition.min, repetition.max, &*repetition.sub);
    if max == Some(0) {
        return Hir::fail();
    }
    let last = ending(sub, start && max == Some(1));
    let less = |by| max.map(|max| max.saturating_sub(by));
    let all_taken = row([repeat(repetition, min.saturating_sub(1), less(1)), last.clone()]);
    if min < 2 {
        return all_taken;
    }
    // Of those that there must be, some may be empty: before the last one, where `repeat` has them, or after it.
    let empties = empty(sub, Place { start: false, end: true });
    either([all_taken, row([repeat(repetition, 0, less(2)), last, empties])])
}

/// All matches of `hir` that something not empty follows; `start`: those from the start of the value.
fn before(hir: &Hir, start: bool) -> Hir {
    match hir.kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => {
            if literal.0.contains(&b';') {
                Hir::fail()
            } else {
                hir.clone()
            }
        }
        HirKind::Class(class) => without(class, b";"),
        HirKind::Look(_) => empty(hir, Place { start, end: false }),
        HirKind::Capture(capture) => before(&capture.sub, start),
        HirKind::Alternation(parts) => either(parts.iter().map(|part| before(part, start))),
        HirKind::Repetition(repetition) if repetition.max == Some(1) && repetition.min == 0 => {
            either([before(&repetition.sub, start), Hir::empty()])
        }
        HirKind::Repetition(repetition) => repeat(repetition, repetition.min, repetition.max),
        HirKind::Concat(parts) => before_row(parts, start),
    }
}

/// The same for several in a row.
fn before_row(parts: &[Hir], start: bool) -> Hir {
    let Some((first, rest)) = parts.split_first() else { return Hir::empty() };
    let here = row([before(first, start), before_row(rest, false)]);
    if start && rest.iter().any(has_start) {
        either([here, row([empty(first, Place { start: true, end: false }), before_row(rest, true)])])
    } else {
        here
    }
}

/// `repetition`, of which something follows, that often.
fn repeat(repetition: &Repetition, min: u32, max: Option<u32>) -> Hir {
    let sub = before(&repetition.sub, false);
    if max == Some(0) || (is_never(&sub) && min == 0) {
        return Hir::empty();
    }
    Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(sub) })
}

/// The empty match of `hir` at that place: what must be seen around it, or never.
fn empty(hir: &Hir, place: Place) -> Hir {
    let when = |yes| if yes { Hir::empty() } else { Hir::fail() };
    match hir.kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(_) | HirKind::Class(_) => Hir::fail(),
        HirKind::Look(Look::Start | Look::StartLF) => when(place.start),
        HirKind::Look(Look::End | Look::EndLF) => when(place.end),
        HirKind::Look(_) => hir.clone(),
        HirKind::Capture(capture) => empty(&capture.sub, place),
        HirKind::Alternation(parts) => either(parts.iter().map(|part| empty(part, place))),
        HirKind::Concat(parts) => row(parts.iter().map(|part| empty(part, place))),
        HirKind::Repetition(repetition) if repetition.min == 0 => Hir::empty(),
        HirKind::Repetition(repetition) => empty(&repetition.sub, place),
    }
}

fn refuse_repeated_anchors(hir: &Hir) -> Result<(), RepeatedAnchor> {
    if let HirKind::Repetition(repetition) = hir.kind() {
        let anchored = has_start(&repetition.sub) || has(&repetition.sub, &[Look::End, Look::EndLF]);
        if anchored && (repetition.min != 0 || repetition.max != Some(1)) {
            return Err(RepeatedAnchor);
        }
    }
    hir.kind().subs().iter().try_for_each(refuse_repeated_anchors)
}

fn has_start(hir: &Hir) -> bool {
    has(hir, &[Look::Start, Look::StartLF])
}

fn has(hir: &Hir, looks: &[Look]) -> bool {
    let set: LookSet = hir.properties().look_set();
    looks.iter().any(|look| set.contains(*look))
}

/// One after the other: never, if one of them is never.
fn row(parts: impl IntoIterator<Item = Hir>) -> Hir {
    let parts: Vec<_> = parts.into_iter().collect();
    if parts.iter().any(is_never) { Hir::fail() } else { Hir::concat(parts) }
}

/// Any of these that can be.
fn either(parts: impl IntoIterator<Item = Hir>) -> Hir {
    Hir::alternation(parts.into_iter().filter(|part| !is_never(part)).collect())
}

fn without(class: &Class, bytes: &[u8]) -> Hir {
    let taken = ClassBytes::new(bytes.iter().map(|byte| ClassBytesRange::new(*byte, *byte)));
    let mut left = match class {
        Class::Bytes(class) => class.clone(),
        // Parsed as bytes, a pattern has none of these.
        Class::Unicode(class) => class.to_byte_class().unwrap_or_else(ClassBytes::empty),
    };
    left.difference(&taken);
    Hir::class(Class::Bytes(left))
}
