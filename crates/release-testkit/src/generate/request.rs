//! Requests that the rules of a routing nearly match, or do.

use arbitrary::{Result, Unstructured};
use regex_syntax::hir::{Class, Hir, HirKind};
use release_core::{Condition, Matcher, Pattern, Request, Routing, RoutingKind, Rule, UserAgent};

/// A request that, more often than not, matches a rule of `routing`, among others that are beside the point.
pub fn request_for(u: &mut Unstructured<'_>, routing: &Routing) -> Result<Request> {
    let mut request: Request = u.arbitrary()?;
    if let RoutingKind::Content(rules) = routing.kind() {
        let rule: &Rule = u.choose(rules)?;
        for condition in rule.conditions() {
            // Now and then, one condition is left to chance.
            if u.ratio(7, 8)? {
                fulfil(u, &mut request, condition)?;
            }
        }
    }
    Ok(request)
}

fn fulfil(u: &mut Unstructured<'_>, request: &mut Request, condition: &Condition) -> Result<()> {
    match condition {
        Condition::Header { name, value } => {
            let value = value_of(u, value)?;
            request.headers.push((name.to_string(), value));
        }
        Condition::Cookie { name, value } => {
            let value = value_of(u, value)?;
            let cookies = match u.int_in_range(0..=5)? {
                0 => format!("{name}={value}"),
                1 => format!("a=b; {name}={value}"),
                2 => format!("{name}={value} ;c"),
                3 => format!("{name}=;{name}={value}\t;"),
                4 => format!("x{name}={value}; {name}x={value}"),
                _ => format!("a={name}={value};\t {name}={value}  ; {name}"),
            };
            request.headers.push(("Cookie".into(), cookies));
        }
        Condition::Query { name, value } => {
            let value = value_of(u, value)?;
            request.query = match u.int_in_range(0..=4)? {
                0 => format!("{name}={value}&{}", request.query),
                1 => format!("{}&{name}={value}", request.query),
                2 => format!("&{name}={value}&{name}=2&"),
                3 => format!("{name}&{name}={value}"),
                _ => format!("{name}={value}"),
            };
        }
        Condition::OperatingSystem(system) => add_user_agent(u, request, system.user_agent())?,
        Condition::Browser(browser) => add_user_agent(u, request, browser.user_agent())?,
    }
    Ok(())
}

fn add_user_agent(u: &mut Unstructured<'_>, request: &mut Request, agent: UserAgent) -> Result<()> {
    let mut value = format!("Agent/1.0 ({}", u.choose(agent.any_of)?);
    if u.ratio(1, 4)? && !agent.none_of.is_empty() {
        value += u.choose(agent.none_of)?;
    }
    // Two conditions on the user agent are about the same header.
    let is_agent = |name: &str| name.eq_ignore_ascii_case("user-agent");
    match request.headers.iter_mut().find(|(name, _)| is_agent(name)) {
        Some((_, given)) => *given += &value,
        None => request.headers.push(("User-Agent".into(), value)),
    }
    Ok(())
}

fn value_of(u: &mut Unstructured<'_>, matcher: &Matcher) -> Result<String> {
    match matcher {
        Matcher::Exact(literal) => Ok(literal.to_string()),
        Matcher::Regex(pattern) => value_for(u, pattern),
    }
}

/// A value that may well match `pattern`, of characters that a header can hold.
pub fn value_for(u: &mut Unstructured<'_>, pattern: &Pattern) -> Result<String> {
    let mut bytes = Vec::new();
    let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
    if let Ok(hir) = parser.parse(pattern.as_str()) {
        walk(u, &hir, &mut bytes)?;
    }
    let printable = |byte: &u8| if byte.is_ascii_control() && *byte != b'\t' { 'y' } else { char::from(*byte) };
    let value: String = bytes.iter().map(printable).collect();
    Ok(match u.int_in_range(0..=11)? {
        0 => value + "x",
        1 => format!("a{value}"),
        2 => value + "\u{e4}",
        3 => value + ";",
        _ => value,
    })
}

fn walk(u: &mut Unstructured<'_>, hir: &Hir, value: &mut Vec<u8>) -> Result<()> {
    match hir.kind() {
        HirKind::Literal(literal) => value.extend(&*literal.0),
        HirKind::Class(Class::Bytes(class)) => {
            if !class.ranges().is_empty() {
                let range = u.choose(class.ranges())?;
                value.push(u.int_in_range(range.start()..=range.end())?);
            }
        }
        // Parsed as bytes, a pattern has no classes of characters.
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(Class::Unicode(_)) => {}
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX).min(repetition.min.saturating_add(2));
            for _ in 0..u.int_in_range(repetition.min..=most)? {
                walk(u, &repetition.sub, value)?;
            }
        }
        HirKind::Capture(capture) => walk(u, &capture.sub, value)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| walk(u, part, value))?,
        HirKind::Alternation(parts) => {
            let part = u.choose(parts)?;
            walk(u, part, value)?;
        }
    }
    Ok(())
}
