//! Rules about the content of a request.

use super::{Pattern, Request, sorted_set};
use crate::ParseError;
use crate::identity::name;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// Conditions that must all hold for a request to go to the grayscale version: at least one, sorted, without
/// repetition.
///
/// As JSON: an array of conditions, each one of
///
/// ```json
/// [
///   {"header":  {"name": "x-group", "value": {"exact": "beta"}}},
///   {"cookie":  {"name": "user", "value": {"regex": "[0-9]+7"}}},
///   {"query":   {"name": "preview", "value": {"exact": "1"}}},
///   {"operatingSystem": "ios"},
///   {"browser": "chrome"}
/// ]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "Vec<Condition>", into = "Vec<Condition>")
)]
pub struct Rule(Arc<[Condition]>);

impl Rule {
    /// All of `conditions`: 1 to 32. None is refused: such a rule would match every request, which is what
    /// `Routing::exclusive` is for.
    pub fn new(conditions: impl IntoIterator<Item = Condition>) -> Result<Self, ParseError> {
        let conditions = sorted_set(conditions, "rule", "at most 32 conditions")?;
        if conditions.is_empty() {
            return Err(ParseError::new("rule", "", "at least one condition"));
        }
        Ok(Self(conditions.into()))
    }

    /// The conditions.
    pub fn conditions(&self) -> &[Condition] {
        &self.0
    }

    /// Whether all conditions hold for `request`.
    pub fn matches(&self, request: &Request) -> bool {
        self.0.iter().all(|condition| condition.matches(request))
    }
}

impl TryFrom<Vec<Condition>> for Rule {
    type Error = ParseError;

    fn try_from(conditions: Vec<Condition>) -> Result<Self, ParseError> {
        Self::new(conditions)
    }
}

impl From<Rule> for Vec<Condition> {
    fn from(rule: Rule) -> Self {
        rule.0.to_vec()
    }
}

/// One condition on a request. What is absent never matches. Source: contract.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "camelCase", deny_unknown_fields)
)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Condition {
    /// A header; of several with that name, any, as Envoy 1.40 has it. Of some well-known headers that must not be repeated
    /// (`user-agent`, `authorization`), a proxy may have folded several into one by then, with a comma between the values.
    Header {
        /// Its name, without case.
        name: HeaderName,
        /// What its value must be.
        value: Matcher,
    },
    /// A cookie; of several with that name, any.
    Cookie {
        /// Its name, with case.
        name: CookieName,
        /// What its value must be.
        value: Matcher,
    },
    /// A query parameter, not percent-decoded; of several with that name, the first.
    Query {
        /// Its name, with case.
        name: QueryName,
        /// What its value must be.
        value: Matcher,
    },
    /// The operating system that the `User-Agent` names.
    OperatingSystem(OperatingSystem),
    /// The browser that the `User-Agent` names.
    Browser(Browser),
}

impl Condition {
    /// Whether the condition holds for `request`.
    pub fn matches(&self, request: &Request) -> bool {
        match self {
            Self::Header { name, value } => request.header(name.as_str()).any(|given| value.matches(given)),
            Self::Cookie { name, value } => request.cookies(name.as_str()).any(|given| value.matches(given)),
            Self::Query { name, value } => request.query_value(name.as_str()).is_some_and(|given| value.matches(given)),
            Self::OperatingSystem(system) => system.user_agent().matches(request),
            Self::Browser(browser) => browser.user_agent().matches(request),
        }
    }
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Matcher {
    /// The same, with case.
    Exact(Literal),
    /// Matched by the regular expression as a whole.
    Regex(Pattern),
}

impl Matcher {
    /// Whether `value` is as it must be.
    pub fn matches(&self, value: &str) -> bool {
        match self {
            Self::Exact(literal) => literal.as_str() == value,
            Self::Regex(pattern) => pattern.matches(value),
        }
    }
}

/// An operating system. Source: contract; how it is told from the `User-Agent` is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum OperatingSystem {
    /// iOS and iPadOS. Safari on an iPad says that it is a Macintosh, unless it is asked for the mobile site: it counts as
    /// macOS then, and nothing else in the header tells.
    Ios,
    /// Android.
    Android,
    /// Windows.
    Windows,
    /// macOS, and what calls itself so: see [`Ios`](Self::Ios).
    MacOs,
}

impl OperatingSystem {
    /// How it is told from the `User-Agent`.
    pub fn user_agent(self) -> UserAgent {
        match self {
            Self::Ios => UserAgent { any_of: &["iPhone", "iPad", "iPod"], none_of: &["Windows Phone"] },
            Self::Android => UserAgent { any_of: &["Android"], none_of: &["Windows Phone"] },
            Self::Windows => UserAgent { any_of: &["Windows"], none_of: &[] },
            Self::MacOs => UserAgent { any_of: &["Macintosh"], none_of: &[] },
        }
    }
}

/// A browser. Source: contract; how it is told from the `User-Agent` is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "camelCase"))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Browser {
    /// Chrome itself, not the browsers that call themselves Chrome as well (Edge, Opera, Samsung Internet, Yandex,
    /// and Vivaldi where it gives its name). One that nothing tells from Chrome counts as Chrome.
    Chrome,
    /// Internet Explorer.
    InternetExplorer,
}

impl Browser {
    /// How it is told from the `User-Agent`.
    pub fn user_agent(self) -> UserAgent {
        match self {
            Self::Chrome => UserAgent {
                any_of: &["Chrome/", "CriOS/"],
                none_of: &["Edg", "OPR/", "SamsungBrowser/", "YaBrowser/", "Vivaldi/"],
            },
            Self::InternetExplorer => UserAgent { any_of: &["MSIE ", "Trident/"], none_of: &[] },
        }
    }
}

/// What the `User-Agent` header must contain, with case: data that adapters translate for their data plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserAgent {
    /// At least one of these.
    pub any_of: &'static [&'static str],
    /// And none of these.
    pub none_of: &'static [&'static str],
}

impl UserAgent {
    fn matches(self, request: &Request) -> bool {
        let agents = request.header("user-agent");
        let contain = |part: &&str| agents.clone().any(|agent| agent.contains(*part));
        self.any_of.iter().any(contain) && !self.none_of.iter().any(contain)
    }
}

name! {
    /// A header's name, kept in lower case.
    HeaderName, "header",
    "1 to 128 letters, digits or any of !#$%&'*+-.^_`|~",
    is_token, str::to_ascii_lowercase
}

name! {
    /// A cookie's name.
    CookieName, "cookie",
    "1 to 128 letters, digits or any of !#$%&'*+-.^_`|~",
    is_token
}

name! {
    /// A query parameter's name, as it is sent: no percent-decoding takes place.
    QueryName, "query",
    "1 to 128 printable ASCII characters other than space, '&', '=' and '#'",
    |value| (1..=128).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'&' | b'=' | b'#'))
}

name! {
    /// A value to be compared with as it is.
    Literal, "value",
    "1 to 512 printable ASCII characters, the first and last one not a space",
    |value| (1..=512).contains(&value.len())
        && value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && !value.starts_with(' ')
        && !value.ends_with(' ')
}

fn is_token(value: &str) -> bool {
    (1..=128).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
