//! Writes an expression down for RE2, and guesses what it costs.

use regex_syntax::hir::{Class, ClassBytes, Hir, HirKind, Look, Repetition};
use std::fmt::{self, Display, Formatter, Write as _};

/// A whole expression.
pub(super) struct Alone<'a>(pub(super) &'a Hir);

impl Display for Alone<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.kind() {
            // Envoy refuses an expression of no characters.
            HirKind::Empty => f.write_str("(?:)"),
            HirKind::Literal(literal) => Literal(&literal.0).fmt(f),
            HirKind::Class(class) => bytes(class).fmt(f),
            HirKind::Look(look) => look_text(*look).fmt(f),
            HirKind::Repetition(repetition) => {
                Grouped(&repetition.sub).fmt(f)?;
                times(f, repetition)
            }
            HirKind::Capture(capture) => Alone(&capture.sub).fmt(f),
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| Part(part).fmt(f)),
            HirKind::Alternation(parts) => parts.iter().enumerate().try_for_each(|(at, part)| {
                f.write_str(if at == 0 { "" } else { "|" })?;
                Alone(part).fmt(f)
            }),
        }
    }
}

/// One of several that follow each other.
struct Part<'a>(&'a Hir);

impl Display for Part<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.kind() {
            HirKind::Alternation(_) | HirKind::Capture(_) => Grouped(self.0).fmt(f),
            _ => Alone(self.0).fmt(f),
        }
    }
}

/// What an operator can follow.
struct Grouped<'a>(&'a Hir);

impl Display for Grouped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.kind() {
            HirKind::Class(_) => Alone(self.0).fmt(f),
            HirKind::Literal(literal) if literal.0.len() == 1 => Alone(self.0).fmt(f),
            _ => write!(f, "(?:{})", Alone(self.0)),
        }
    }
}

/// These characters, as they are.
pub(super) struct Literal<'a>(pub(super) &'a [u8]);

impl Display for Literal<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| character(f, *byte, br"\.+*?()|[]{}^$"))
    }
}

fn character(f: &mut Formatter<'_>, byte: u8, special: &[u8]) -> fmt::Result {
    match byte {
        b'\t' => f.write_str(r"\t"),
        b'\n' => f.write_str(r"\n"),
        b' '..=b'~' => {
            if special.contains(&byte) {
                f.write_char('\\')?;
            }
            f.write_char(char::from(byte))
        }
        _ => write!(f, r"\x{byte:02x}"),
    }
}

/// A set of bytes, in brackets.
struct Set(ClassBytes);

impl Display for Set {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut ranges = self.0.clone();
        match self.0.ranges() {
            // Never, also where characters are read as UTF-8.
            [] => return f.write_str(r"[^\x00-\x{10FFFF}]"),
            [all] if all.len() == 256 => return f.write_str(r"\C"),
            [one] if one.len() == 1 => return Literal(&[one.start()]).fmt(f),
            _ => {}
        }
        f.write_char('[')?;
        if self.0.ranges().iter().any(|range| range.end() == u8::MAX) {
            f.write_char('^')?;
            ranges.negate();
        }
        for range in ranges.iter() {
            character(f, range.start(), br"\]^-[")?;
            if range.len() > 2 {
                f.write_char('-')?;
            }
            if range.len() > 1 {
                character(f, range.end(), br"\]^-[")?;
            }
        }
        f.write_char(']')
    }
}

fn bytes(class: &Class) -> Set {
    Set(match class {
        Class::Bytes(class) => class.clone(),
        // Parsed as bytes, a pattern has none of these.
        Class::Unicode(class) => class.to_byte_class().unwrap_or_else(ClassBytes::empty),
    })
}

/// Values hold no line feeds: a line of one is all of it.
fn look_text(look: Look) -> &'static str {
    match look {
        Look::Start | Look::StartLF => r"\A",
        Look::End | Look::EndLF => r"\z",
        Look::WordAscii => r"\b",
        Look::WordAsciiNegate => r"\B",
        // No pattern has any of the others.
        _ => r"[^\x00-\x{10FFFF}]",
    }
}

fn times(f: &mut Formatter<'_>, repetition: &Repetition) -> fmt::Result {
    match (repetition.min, repetition.max) {
        (0, None) => f.write_char('*'),
        (1, None) => f.write_char('+'),
        (0, Some(1)) => f.write_char('?'),
        (min, None) => write!(f, "{{{min},}}"),
        (min, Some(max)) if min == max => write!(f, "{{{min}}}"),
        (min, Some(max)) => write!(f, "{{{min},{max}}}"),
    }
}

/// Roughly the instructions that RE2 makes of it.
pub(super) fn size(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(class) => 2 * bytes(class).0.ranges().len(),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            usize::try_from(times).unwrap_or(usize::MAX).saturating_mul(size(&repetition.sub) + 1)
        }
        HirKind::Capture(capture) => size(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().fold(0, |sum, part| sum.saturating_add(size(part) + 1))
        }
    }
}
