//! JSON bodies in. Every message names the field.

use release_core::Note;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The whole body as one JSON value. Unknown fields, repeated fields and wrong types are errors of the types that are
/// read; `is_free` says of a path, like `content[0]`, whether there may be an array or a null.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8], is_free: fn(&str) -> bool) -> Result<T, String> {
    if body.trim_ascii().is_empty() {
        return Err("The body is empty: send JSON.".into());
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| message(error.path().to_string().trim_end_matches(['.', '?']), error.inner()))?;
    json.end().map_err(|error| message("", &error))?;
    // Serde would read an array as the fields of an object, in their order, and a null as a field that is not there.
    let shape: Value = serde_json::from_slice(body).map_err(|error| message("", &error))?;
    match stray(&shape, String::new(), is_free) {
        None => Ok(value),
        Some((path, what)) => Err(message(&path, &what)),
    }
}

/// The path of an array or of a null where none may be.
fn stray(value: &Value, path: String, is_free: fn(&str) -> bool) -> Option<(String, &'static str)> {
    match value {
        Value::Array(_) if !is_free(&path) => Some((path, "invalid type: array, expected an object")),
        Value::Null if !is_free(&path) => Some((path, "invalid type: null, leave the field out instead")),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| stray(item, format!("{path}[{index}]"), is_free))
        }
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let dot = if path.is_empty() { "" } else { "." };
            stray(value, format!("{path}{dot}{name}"), is_free)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Nothing, or an empty object: clients that must set `Content-Type: application/json` like to send `{}`.
pub(crate) fn none(body: &[u8]) -> Result<(), String> {
    let mut rest = body.trim_ascii();
    if let Some(object) = rest.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")) {
        rest = object.trim_ascii();
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
        for body in ["{", "}", "{{}}", "{}{}", "[]", "null", "\"\"", "{\"action\":\"cancel\"}", "\u{b}", "\0"] {
            assert!(none(body.as_bytes()).is_err(), "{body:?}");
        }
    }
}
