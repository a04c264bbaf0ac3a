//! Regular expressions that mean the same here and in every data plane.

use crate::ParseError;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;
use regex_syntax::ast::{self, Ast};

const ALLOWED: &str = "a regular expression of 1 to 512 printable ASCII characters in the syntax that RE2 and Rust's regex \
                       share: no look-around, back-references, class set operations, Unicode classes or flag x; \
                       repetition up to 1000, and with repetitions written out at most 4000 characters and classes";

/// A regular expression that has to match the whole value.
///
/// Only what RE2 (Envoy, Istio) and Rust's `regex` read alike is accepted, with ASCII classes, so that
/// [`Routing::owner`](crate::Routing::owner) and a data plane agree. Whatever is not is refused here, when it is parsed,
/// and not by a proxy later. How large it may be is counted here too, so that no other version of a regular expression
/// engine decides whether a stored task can be read: at most 4000 characters, classes and assertions, each as often as the
/// repetitions around it say at the most.
///
/// ```
/// use release_core::Pattern;
///
/// let pattern: Pattern = "beta-[0-9]+".parse()?;
/// assert!(pattern.matches("beta-7") && !pattern.matches("my-beta-7"));
/// assert!("(".parse::<Pattern>().is_err());
/// # Ok::<(), release_core::ParseError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct Pattern(Arc<str>);

impl Pattern {
    /// The expression as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole of `value` matches.
    ///
    /// Compiles the expression each time: a task keeps only its text, and deciding single requests is for tests and
    /// comparisons.
    pub fn matches(&self, value: &str) -> bool {
        compile(&self.0).is_ok_and(|regex| regex.is_match(value.as_bytes()))
    }
}

impl FromStr for Pattern {
    type Err = ParseError;

    fn from_str(value: &str) -> Result<Self, ParseError> {
        let refused = || ParseError::new("regex", value, ALLOWED);
        if !(1..=512).contains(&value.len()) || !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(refused());
        }
        let ast = ast::parse::Parser::new().parse(value).map_err(|_| refused())?;
        ast::visit(&ast, Portable::default()).map_err(|NotPortable| refused())?;
        compile(value).map_err(|_| refused())?;
        Ok(Self(value.into()))
    }
}

impl TryFrom<String> for Pattern {
    type Error = ParseError;

    fn try_from(value: String) -> Result<Self, ParseError> {
        value.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.as_str().into()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Bytes and no Unicode: classes are ASCII, as in RE2. The limit, in bytes, is far above what [`MOST_PARTS`] lets through.
fn compile(pattern: &str) -> Result<regex::bytes::Regex, Box<regex::Error>> {
    let whole = format!(r"\A(?:{pattern})\z");
    regex::bytes::RegexBuilder::new(&whole).unicode(false).size_limit(1 << 26).build().map_err(Box::new)
}

/// Walks an expression and stops at what RE2 would refuse or read in another way.
#[derive(Default)]
struct Portable {
    /// The upper bounds of the repetitions around the current place: RE2 bounds their product.
    around: alloc::vec::Vec<u32>,
    /// How many parts there are so far, with repetitions written out.
    parts: u32,
}

impl Portable {
    /// How often the current place is repeated.
    fn repeats(&self) -> u32 {
        self.around.iter().fold(1, |product: u32, most| product.saturating_mul(*most))
    }

    fn count(&mut self) -> Result<(), NotPortable> {
        self.parts = self.parts.saturating_add(self.repeats());
        if self.parts > MOST_PARTS { Err(NotPortable) } else { Ok(()) }
    }
}

struct NotPortable;

/// RE2's bound on nested repetition.
const MOST_REPEATS: u32 = 1000;

/// The most characters, classes and assertions of an expression in which repetitions are written out. Ours: what an engine
/// makes of that many fits its own limits many times over.
const MOST_PARTS: u32 = 4000;

impl ast::Visitor for Portable {
    type Output = ();
    type Err = NotPortable;

    fn finish(self) -> Result<(), NotPortable> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), NotPortable> {
        if !matches!(ast, Ast::Repetition(_) | Ast::Group(_) | Ast::Alternation(_) | Ast::Concat(_)) {
            self.count()?;
        }
        match ast {
            Ast::Repetition(repetition) => {
                // `a**` and `^*` are read differently or not at all.
                if matches!(*repetition.ast, Ast::Repetition(_) | Ast::Assertion(_) | Ast::Empty(_) | Ast::Flags(_)) {
                    return Err(NotPortable);
                }
                self.around.push(most(&repetition.op.kind));
                if self.repeats() > MOST_REPEATS { Err(NotPortable) } else { Ok(()) }
            }
            Ast::ClassUnicode(_) => Err(NotPortable),
            Ast::Literal(literal) => portable_literal(literal),
            Ast::Assertion(assertion) => match assertion.kind {
                ast::AssertionKind::StartLine
                | ast::AssertionKind::EndLine
                | ast::AssertionKind::StartText
                | ast::AssertionKind::EndText
                | ast::AssertionKind::WordBoundary
                | ast::AssertionKind::NotWordBoundary => Ok(()),
                _ => Err(NotPortable),
            },
            Ast::Flags(flags) => portable_flags(&flags.flags),
            Ast::Group(group) => match &group.kind {
                ast::GroupKind::CaptureIndex(_) => Ok(()),
                ast::GroupKind::CaptureName { .. } => Err(NotPortable),
                ast::GroupKind::NonCapturing(flags) => portable_flags(flags),
            },
            Ast::Empty(_)
            | Ast::Dot(_)
            | Ast::ClassPerl(_)
            | Ast::ClassBracketed(_)
            | Ast::Alternation(_)
            | Ast::Concat(_) => Ok(()),
        }
    }

    fn visit_post(&mut self, ast: &Ast) -> Result<(), NotPortable> {
        if matches!(ast, Ast::Repetition(_)) {
            self.around.pop();
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> Result<(), NotPortable> {
        match item {
            ast::ClassSetItem::Unicode(_) | ast::ClassSetItem::Bracketed(_) => Err(NotPortable),
            ast::ClassSetItem::Literal(literal) => portable_literal(literal),
            ast::ClassSetItem::Range(range) => {
                portable_literal(&range.start)?;
                portable_literal(&range.end)
            }
            ast::ClassSetItem::Empty(_)
            | ast::ClassSetItem::Ascii(_)
            | ast::ClassSetItem::Perl(_)
            | ast::ClassSetItem::Union(_) => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, _: &ast::ClassSetBinaryOp) -> Result<(), NotPortable> {
        Err(NotPortable)
    }
}

/// How often a repetition repeats at the most; an open end counts like its lower bound, as in RE2.
fn most(kind: &ast::RepetitionKind) -> u32 {
    match kind {
        ast::RepetitionKind::ZeroOrOne | ast::RepetitionKind::ZeroOrMore | ast::RepetitionKind::OneOrMore => 1,
        ast::RepetitionKind::Range(
            ast::RepetitionRange::Exactly(n) | ast::RepetitionRange::AtLeast(n) | ast::RepetitionRange::Bounded(_, n),
        ) => (*n).max(1),
    }
}

/// Plain characters, escaped spaces and punctuation, and `\n`-like escapes; not `\x`, `\u` and octal.
fn portable_literal(literal: &ast::Literal) -> Result<(), NotPortable> {
    match literal.kind {
        ast::LiteralKind::Verbatim
        | ast::LiteralKind::Meta
        | ast::LiteralKind::Superfluous
        | ast::LiteralKind::Special(_) => Ok(()),
        _ => Err(NotPortable),
    }
}

/// Flags `i`, `m`, `s` and `U`.
fn portable_flags(flags: &ast::Flags) -> Result<(), NotPortable> {
    let portable = flags.items.iter().all(|item| match item.kind {
        ast::FlagsItemKind::Negation => true,
        ast::FlagsItemKind::Flag(flag) => matches!(
            flag,
            ast::Flag::CaseInsensitive | ast::Flag::MultiLine | ast::Flag::DotMatchesNewLine | ast::Flag::SwapGreed
        ),
    });
    if portable { Ok(()) } else { Err(NotPortable) }
}
