//! JSON bodies in. Every message names the field.

use release_core::Note;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt;

/// What is at a place in a document, where that is not a value or an object with fields.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Whatever is there is ignored.
    Ignored,
    /// An array.
    Array,
    /// An object with exactly one field: which one it is says what kind of thing this is.
    Choice,
    /// A value or an object.
    Other,
}

/// The whole body as one JSON value. Unknown fields and wrong types are errors of the types that are read; `place` says
/// of a path, like `content[0]`, what is there.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8], place: fn(&str) -> Place) -> Result<T, String> {
    if is_blank(body) {
        return Err("The body is empty: send JSON.".into());
    }
    // First, because serde would read an array as the fields of an object, in their order, and a null as a field that is
    // not there; and says of an object with a field too many only where it is.
    let shape: Shape = serde_json::from_slice(body).map_err(|error| message("", &error))?;
    if let Some((path, what)) = shape.misfit(String::new(), place) {
        return Err(message(&path, &what));
    }
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(body))
        .map_err(|error| message(error.path().to_string().trim_end_matches(['.', '?']), error.inner()))
}

/// A JSON value without its texts and numbers, but with every field, the repeated ones as well.
enum Shape {
    Null,
    Value,
    Array(Vec<Shape>),
    Object(Vec<(String, Shape)>),
}

impl Shape {
    /// The first path with something that can't be there, and what that is.
    fn misfit(&self, path: String, place: fn(&str) -> Place) -> Option<(String, String)> {
        let misfit = |path: String, what: &str| Some((path, what.to_owned()));
        match (place(&path), self) {
            (Place::Ignored, _) => None,
            (_, Self::Null) => misfit(path, "invalid type: null, expected a value; an optional field can be left out"),
            (Place::Array, Self::Array(items)) => {
                let mut items = items.iter().enumerate();
                items.find_map(|(index, item)| item.misfit(format!("{path}[{index}]"), place))
            }
            (Place::Array, _) => misfit(path, "invalid type: expected an array"),
            (_, Self::Array(_)) => misfit(path, "invalid type: array, expected an object"),
            (Place::Choice, Self::Value) => misfit(path, "invalid type: expected an object with one field"),
            (here, Self::Object(fields)) => {
                let within = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                let mut names = BTreeSet::new();
                if let Some((name, _)) = fields.iter().find(|(name, _)| !names.insert(name)) {
                    return Some((within(name), format!("duplicate field `{name}`")));
                }
                match (here, fields.as_slice()) {
                    (Place::Choice, []) => return misfit(path, "an object without a field, expected exactly one"),
                    (Place::Choice, [(first, _), (second, _), ..]) => {
                        return Some((within(second), format!("a field besides `{first}`, expected exactly one")));
                    }
                    _ => {}
                }
                fields.iter().find_map(|(name, value)| value.misfit(within(name), place))
            }
            (_, Self::Value) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Value)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Value)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Value)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Value)
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::Value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Shape, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Shape::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Shape, A::Error> {
        let mut object = Vec::new();
        while let Some(field) = fields.next_entry()? {
            object.push(field);
        }
        Ok(Shape::Object(object))
    }
}

/// Nothing but what JSON calls white space.
fn is_blank(body: &[u8]) -> bool {
    trim(body).is_empty()
}

/// Without the white space around it, as JSON has it: a form feed is none.
fn trim(mut body: &[u8]) -> &[u8] {
    const BLANKS: &[u8] = b" \t\r\n";
    while let [first, rest @ ..] = body
        && BLANKS.contains(first)
    {
        body = rest;
    }
    while let [rest @ .., last] = body
        && BLANKS.contains(last)
    {
        body = rest;
    }
    body
}

/// Nothing, or an empty object: clients that must set `Content-Type: application/json` like to send `{}`.
pub(crate) fn none(body: &[u8]) -> Result<(), String> {
    let mut rest = trim(body);
    if let Some(object) = rest.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")) {
        rest = trim(object);
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err("This operation takes no body: send none, or an empty JSON object.".into())
    }
}

fn message(path: &str, error: &impl ToString) -> String {
    let place = if path.is_empty() { String::new() } else { format!(", field {}", Note::new(path)) };
    format!("The body is not valid{place}: {}.", Note::new(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_nothing_or_an_empty_object() {
        for body in ["", " ", "{}", " {\n} "] {
            assert_eq!(none(body.as_bytes()), Ok(()), "{body:?}");
        }
        for body in [
            "{",
            "}",
            "{{}}",
            "{}{}",
            "[]",
            "null",
            "\"\"",
            "{\"action\":\"cancel\"}",
            "\u{b}",
            "\u{c}",
            "{\u{c}}",
            "\0",
        ] {
            assert!(none(body.as_bytes()).is_err(), "{body:?}");
        }
    }
}
