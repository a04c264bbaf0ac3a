//! What an Envoy says about a configuration that it refuses, fit to be shown.

/// The longest reason, in characters.
const CHARS: usize = 240;

/// The beginning of a reason, in one line, without what could be a value of the configuration: of what stands in quotes only
/// the names that `known` knows are kept, and all that follows a brace is cut off, because there Envoy prints the
/// configuration itself.
pub(super) fn reason(text: &str, known: impl Fn(&str) -> bool) -> String {
    let end = text.find(['{', '}', '\n', '\r']).unwrap_or(text.len());
    let (text, cut) = text.split_at(end);
    let said = whole(text, known);
    let mut short: String = said.chars().take(CHARS).collect();
    if short.len() < said.len() || !cut.is_empty() {
        short.push('…');
    }
    if short.is_empty() { "it gave no reason".to_owned() } else { short }
}

/// All of a reason, in one line, without what stands in quotes, but for the names that `known` knows, and without what looks
/// like a key: for the log of those who look for the cause.
pub(super) fn whole(text: &str, known: impl Fn(&str) -> bool) -> String {
    let mut said = String::new();
    let mut rest = text;
    while let Some(open) = rest.find(['"', '\'']) {
        let (before, quoted) = rest.split_at(open);
        said.push_str(before);
        let quote = if quoted.starts_with('"') { '"' } else { '\'' };
        let inside = quoted.get(1..).unwrap_or_default();
        let (value, after) = match closing(inside, quote).and_then(|end| inside.split_at_checked(end)) {
            Some((value, after)) => (Some(value), after.get(1..).unwrap_or_default()),
            // An apostrophe, or a value that was cut off: either way nothing of it is kept.
            None => (None, ""),
        };
        let kept = value.filter(|value| known(value)).unwrap_or("…");
        said.push(quote);
        said.push_str(kept);
        said.push(quote);
        rest = after;
    }
    said.push_str(rest);
    let words: Vec<&str> = said.split_whitespace().map(|word| if opaque(word) { "…" } else { word }).collect();
    words.join(" ")
}

/// Where what stands in quotes ends: a quote in it has a backslash before it.
fn closing(inside: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    inside.char_indices().find_map(|(at, char)| {
        let ends = char == quote && !escaped;
        escaped = char == '\\' && !escaped;
        ends.then_some(at)
    })
}

/// Whether a word looks like a key rather than like a word: long, without the slashes and dots that names have.
fn opaque(word: &str) -> bool {
    word.len() >= 24 && word.chars().all(|char| char.is_ascii_alphanumeric() || "+=-_".contains(char)) && {
        word.chars().any(|char| char.is_ascii_digit())
    }
}

#[cfg(test)]
mod tests {
    use super::{reason, whole};

    #[test]
    fn keeps_known_names_and_nothing_else_that_is_quoted() {
        let known = |name: &str| name == "mesh-1/shop/cart/v2";
        let say = |text: &str| reason(text, known);
        assert_eq!(say("route: unknown cluster 'mesh-1/shop/cart/v2'"), "route: unknown cluster 'mesh-1/shop/cart/v2'");
        assert_eq!(say(r#"bad value "s3cret" at exact"#), r#"bad value "…" at exact"#);
        assert_eq!(say("Proto constraint failed {name: s3cret}"), "Proto constraint failed…");
        assert_eq!(say("first\nsecond s3cret"), "first…");
        assert_eq!(say("an open \"s3cret"), "an open \"…\"");
        assert_eq!(say("token AAAABBBBCCCCDDDDEEEEFFFF0123"), "token …");
        assert_eq!(say(""), "it gave no reason");
        assert_eq!(say(&"word ".repeat(100)).chars().count(), 241);
    }
    #[test]
    fn says_all_but_values_to_those_who_look_for_the_cause() {
        let known = |name: &str| name == "mesh-1/shop/cart/v2";
        let text = "bad routes {name: \"mesh-1/shop/cart/v2\"\n value: \"s3\\\"cret\\\\\" exact: \"s3cret\"}\n(why)";
        let said = "bad routes {name: \"mesh-1/shop/cart/v2\" value: \"…\" exact: \"…\"} (why)";
        assert_eq!(whole(text, known), said);
        assert_eq!(reason("quoted 'it\\'s s3cret' end", known), "quoted '…' end");
    }
}
