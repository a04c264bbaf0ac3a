//! Text that comes from outside: shortened and escaped before it reaches a message, a log or a stored task.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

/// The longest [`Note`], in characters.
const NOTE_CHARS: usize = 512;

/// The longest part of a refused value that an error repeats, in characters.
const EXCERPT_CHARS: usize = 64;

/// A value that could not be parsed: which parameter it was given for, the value, and what is allowed there.
///
/// The value is shortened to 64 characters and control characters are escaped, so the message is safe to print and to
/// send back.
///
/// ```
/// use release_core::Namespace;
///
/// let error = "Shop\n".parse::<Namespace>().unwrap_err();
/// assert_eq!(error.parameter(), "namespace");
/// assert!(error.to_string().starts_with(r#"namespace "Shop\n" is not valid: "#));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{parameter} \"{value}\" is not valid: {allowed}")]
pub struct ParseError {
    parameter: &'static str,
    value: String,
    allowed: &'static str,
}

impl ParseError {
    pub(crate) fn new(parameter: &'static str, value: &str, allowed: &'static str) -> Self {
        Self { parameter, value: excerpt(value, EXCERPT_CHARS), allowed }
    }

    /// The parameter that was given: `mesh_id`, `namespace`, `action`, ...
    pub fn parameter(&self) -> &'static str {
        self.parameter
    }

    /// The value, shortened and escaped.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What is allowed instead, in words.
    pub fn allowed(&self) -> &'static str {
        self.allowed
    }
}

/// A short text from the outside world: why a step failed, who confirmed a routing, how a version was drained.
///
/// At most 512 characters are kept and control characters are escaped; nothing is refused, because a report must not be
/// lost over its wording. The same text stays the same when it is read back.
///
/// ```
/// use release_core::Note;
///
/// assert_eq!(Note::new("no route\tto host").as_str(), r"no route\tto host");
/// assert!(Note::new(&"x".repeat(10_000)).as_str().ends_with('…'));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(from = "String", into = "String"))]
pub struct Note(Arc<str>);

impl Note {
    /// Keeps the beginning of `text`, with control characters escaped.
    pub fn new(text: &str) -> Self {
        Self(excerpt(text, NOTE_CHARS).into())
    }

    /// The text as it is kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Note {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Note {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<Note> for String {
    fn from(note: Note) -> Self {
        note.as_str().into()
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// At most `limit` characters of `text`, the last one a `…` where something was cut, with what could confuse a terminal
/// or a log escaped. What it returns it would return unchanged.
fn excerpt(text: &str, limit: usize) -> String {
    // Escaping never shortens: more than `limit` characters need not be looked at.
    let mut printed: String = text.chars().take(limit + 1).flat_map(escape).collect();
    if printed.chars().nth(limit).is_none() {
        return printed;
    }
    printed = printed.chars().take(limit - 1).collect();
    printed.push('…');
    printed
}

fn escape(char: char) -> impl Iterator<Item = char> {
    let escaped = is_unsafe(char).then(|| char.escape_default());
    let plain = escaped.is_none().then_some(char);
    escaped.into_iter().flatten().chain(plain)
}

/// Control characters, and the invisible ones that reorder or hide text.
fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_keeps_short_text_and_cuts_long_text() {
        assert_eq!(excerpt("plain – text", 64), "plain – text");
        assert_eq!(excerpt("abcd", 4), "abcd");
        assert_eq!(excerpt("abcde", 4), "abc…");
        assert_eq!(excerpt("ab\n", 4), "ab\\n");
        assert_eq!(excerpt("ab\ncd", 4), "ab\\…");
        assert_eq!(excerpt("a\u{202e}b", 64), "a\\u{202e}b");
    }

    proptest::proptest! {
        #[test]
        fn an_excerpt_is_stable_bounded_and_printable(text in ".{0,80}", limit in 1_usize..70) {
            let short = excerpt(&text, limit);
            proptest::prop_assert!(short.chars().count() <= limit);
            proptest::prop_assert!(!short.chars().any(is_unsafe));
            proptest::prop_assert_eq!(excerpt(&short, limit), short);
        }
    }
}
