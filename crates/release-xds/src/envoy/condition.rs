//! Conditions on requests as matchers of Envoy.

use super::expression::{self, Expression};
use super::{Unsupported, header};
use envoy_types::pb::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::query_parameter_matcher::QueryParameterMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::{HeaderMatcher, QueryParameterMatcher};
use envoy_types::pb::envoy::r#type::matcher::v3::regex_matcher::{EngineType, GoogleRe2};
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::{RegexMatcher, StringMatcher};
use envoy_types::pb::google::protobuf::UInt32Value;
use release_core::{Condition, Matcher, Rule, UserAgent};

/// What a request must be like: all of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Matchers {
    pub(super) headers: Vec<HeaderMatcher>,
    pub(super) query_parameters: Vec<QueryParameterMatcher>,
}

/// The requests that match `rule`, or `None` if none can.
pub(super) fn matchers(rule: &Rule) -> Result<Option<Matchers>, Unsupported> {
    let mut matchers = Matchers::default();
    let mut possible = true;
    for condition in rule.conditions() {
        possible &= add(&mut matchers, condition)?;
    }
    Ok(possible.then_some(matchers))
}

/// Adds a condition; `false` if no request can fulfil it.
fn add(matchers: &mut Matchers, condition: &Condition) -> Result<bool, Unsupported> {
    match condition {
        Condition::Header { name, value } => {
            let name = header::matched_as(name).ok_or_else(|| Unsupported::Header(name.clone()))?;
            Ok(push(&mut matchers.headers, string(value).map(|pattern| header(name, pattern))))
        }
        Condition::Cookie { name, value } => {
            let cookies = match value {
                Matcher::Exact(literal) => expression::of_cookie(name, literal),
                Matcher::Regex(pattern) => expression::of_cookie_like(name, pattern)
                    .map_err(|why| Unsupported::Expression(pattern.clone(), why.to_string()))?,
            };
            Ok(push(&mut matchers.headers, cookies.map(|cookies| header("cookie", regex(cookies)))))
        }
        Condition::Query { name, value } => Ok(push(
            &mut matchers.query_parameters,
            string(value).map(|pattern| query_parameter(name.as_str(), pattern)),
        )),
        Condition::OperatingSystem(system) => Ok(add_user_agent(matchers, system.user_agent())),
        Condition::Browser(browser) => Ok(add_user_agent(matchers, browser.user_agent())),
    }
}

fn add_user_agent(matchers: &mut Matchers, agent: UserAgent) -> bool {
    let named = match agent.any_of {
        [one] => MatchPattern::Contains((*one).to_owned()),
        several => regex(expression::containing(several)),
    };
    matchers.headers.push(header("user-agent", named));
    matchers.headers.extend(agent.none_of.iter().map(|part| HeaderMatcher {
        invert_match: true,
        ..header("user-agent", MatchPattern::Contains((*part).to_owned()))
    }));
    true
}

fn push<T>(list: &mut Vec<T>, item: Option<T>) -> bool {
    let possible = item.is_some();
    list.extend(item);
    possible
}

/// `None` if no value can match.
fn string(matcher: &Matcher) -> Option<MatchPattern> {
    match matcher {
        Matcher::Exact(literal) => Some(MatchPattern::Exact(literal.to_string())),
        Matcher::Regex(pattern) => expression::of_value(pattern).map(regex),
    }
}

/// The size up to which Envoy surely compiles an expression without being told that it may be larger.
const SURE_SIZE: usize = 50;

#[expect(deprecated, reason = "without it, Envoy refuses expressions of more than 100 instructions")]
fn regex(expression: Expression) -> MatchPattern {
    let larger = GoogleRe2 { max_program_size: Some(UInt32Value { value: 1 << 20 }) };
    MatchPattern::SafeRegex(RegexMatcher {
        regex: expression.text,
        // Only where it is needed: each one makes Envoy log a warning.
        engine_type: (expression.size > SURE_SIZE).then_some(EngineType::GoogleRe2(larger)),
    })
}

fn header(name: &str, pattern: MatchPattern) -> HeaderMatcher {
    HeaderMatcher {
        name: name.to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(string_matcher(pattern))),
        ..HeaderMatcher::default()
    }
}

fn query_parameter(name: &str, pattern: MatchPattern) -> QueryParameterMatcher {
    let string = string_matcher(pattern);
    QueryParameterMatcher {
        name: name.to_owned(),
        query_parameter_match_specifier: Some(QueryParameterMatchSpecifier::StringMatch(string)),
    }
}

fn string_matcher(pattern: MatchPattern) -> StringMatcher {
    StringMatcher { match_pattern: Some(pattern), ..StringMatcher::default() }
}
