//! The query: `action`, exactly once, for the operations that have it; nothing else, ever.

use crate::percent::{decode, sentence};
use release_core::Action;
use std::str::FromStr;

/// The one parameter there is.
pub(crate) fn action(query: Option<&str>) -> Result<Action, String> {
    // Nearly every client writes it like this.
    let plain = query.and_then(|query| query.strip_prefix("action=")).map(Action::from_str);
    if let Some(Ok(action)) = plain {
        return Ok(action);
    }
    let mut action = None;
    for pair in pairs(query) {
        let (name, value) = pair?;
        if name != "action" {
            return Err(unknown(&name, "This operation has one query parameter, action."));
        }
        if action.is_some() {
            return Err("The query parameter action is given more than once: give it exactly once.".into());
        }
        action = Some(Action::from_str(&value).map_err(|error| sentence(&error))?);
    }
    action.ok_or_else(|| "The query parameter action is missing: add action=cancel or action=end.".into())
}

/// For the operations that have no parameter.
pub(crate) fn none(query: Option<&str>) -> Result<(), String> {
    match pairs(query).next() {
        None => Ok(()),
        Some(pair) => Err(unknown(&pair?.0, "This operation has no query parameters.")),
    }
}

/// Names and values, percent-decoded once. A plus sign is a plus sign.
fn pairs(query: Option<&str>) -> impl Iterator<Item = Result<(Text<'_>, Text<'_>), String>> {
    let query = query.unwrap_or_default();
    let pairs = (!query.is_empty()).then(|| query.split('&'));
    pairs.into_iter().flatten().map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name).map_err(|why| format!("The name of a query parameter {why}."))?;
        let value = decode(value).map_err(|why| format!("The query parameter {} {why}.", printed(&name)))?;
        Ok((name, value))
    })
}

type Text<'a> = std::borrow::Cow<'a, str>;

fn unknown(name: &str, known: &str) -> String {
    format!("The query parameter {} is not known. {known}", printed(name))
}

/// A name that the caller chose, safe to print. Its value is never repeated: it may be a secret in the wrong place.
fn printed(name: &str) -> String {
    format!("\"{}\"", release_core::Note::new(name).as_str().chars().take(64).collect::<String>())
}
