//! The caller's token. It never shows up in a message or in a list of processes.

use super::failure::{Exit, Failure};
use http::HeaderValue;
use std::env::VarError;
use std::path::Path;

/// The variable that holds the token itself.
const VARIABLE: &str = "RELEASE_TOKEN";

/// The token of the file, or else of the environment, if there is one.
pub(super) fn token(file: Option<&Path>) -> Result<Option<HeaderValue>, Failure> {
    let (place, text) = match file {
        Some(path) => {
            let place = format!("--token-file {}", path.display());
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::new(Exit::Usage, format!("{place} can't be read: {error}")))?;
            (place, text)
        }
        None => match std::env::var(VARIABLE) {
            Ok(text) => (VARIABLE.to_owned(), text),
            Err(VarError::NotPresent) => return Ok(None),
            Err(VarError::NotUnicode(_)) => return Err(none(VARIABLE)),
        },
    };
    parse(&text).map(Some).ok_or_else(|| none(&place))
}

fn none(place: &str) -> Failure {
    Failure::new(Exit::Usage, format!("{place} holds no token: it must be one line of visible ASCII characters"))
}

fn parse(text: &str) -> Option<HeaderValue> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_token_is_one_word_and_the_end_of_the_line_is_none_of_it() {
        assert_eq!(parse("s3cret\n").unwrap(), "s3cret");
        for text in ["", "\n", "two words", "two\nlines", "ümlaut"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        assert!(!format!("{:?}", parse("s3cret")).contains("s3cret"));
    }
}
