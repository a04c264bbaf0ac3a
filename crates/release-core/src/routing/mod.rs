//! Which version serves which request.

mod condition;
mod owners;
mod pattern;
mod percent;
mod request;

pub use condition::{
    Browser, Condition, CookieName, HeaderName, Literal, Matcher, OperatingSystem, QueryName, Rule, UserAgent,
};
pub use owners::Owners;
pub use pattern::Pattern;
pub use percent::Percent;
pub use request::Request;

use crate::{ParseError, Version};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// The most rules a content policy has, and the most conditions a rule has. Ours: a bound on what one task costs.
pub const MAX_RULES: usize = 32;

/// Which version serves which request, in normal form: routings are equal if, and only if, they are written the same way.
///
/// `weighted(0)` and `weighted(100)` *are* the exclusive routings, a content policy without rules *is* exclusive to the
/// original, and rules and conditions are kept sorted and without repetition. Beyond that no meaning is compared: two
/// regular expressions that match the same values, or a rule that another one includes, make different routings.
///
/// ```
/// use release_core::{Percent, Routing, Version};
///
/// assert_eq!(Routing::weighted(Percent::new(0)?), Routing::exclusive(Version::Original));
/// assert_eq!(Routing::weighted(Percent::new(20)?).sole_owner(), None);
/// assert_eq!(Routing::exclusive(Version::Grayscale).sole_owner(), Some(Version::Grayscale));
/// # Ok::<(), release_core::ParseError>(())
/// ```
///
/// As JSON: `{"exclusive":"original"}`, `{"weighted":{"grayscale":20}}` or `{"content":[RULE, ...]}`; see [`Rule`].
/// Decoding normalises, and refuses what the constructors refuse.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "policy::Policy", into = "policy::Policy")
)]
pub struct Routing(Form);

/// What a [`Routing`] is: the view that adapters translate for their data plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutingKind<'a> {
    /// One version serves every request; there is no other rule.
    Exclusive(Version),
    /// The grayscale version serves this share (1 to 99) of the requests, drawn at random, and the original the rest.
    Weighted(Percent),
    /// The grayscale version serves the requests that match any of these rules (at least one), the original the rest.
    Content(&'a [Rule]),
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    Exclusive(Version),
    /// Neither 0 nor 100.
    Weighted(Percent),
    /// Not empty, sorted, without repetition.
    Content(Arc<[Rule]>),
}

impl Routing {
    /// `version` serves every request.
    pub fn exclusive(version: Version) -> Self {
        Self(Form::Exclusive(version))
    }

    /// The grayscale version serves `grayscale` percent of the requests, the original the rest. Source: contract.
    pub fn weighted(grayscale: Percent) -> Self {
        match grayscale {
            Percent::ZERO => Self::exclusive(Version::Original),
            Percent::HUNDRED => Self::exclusive(Version::Grayscale),
            share => Self(Form::Weighted(share)),
        }
    }

    /// The grayscale version serves the requests that match any of `rules`, the original the rest. Source: contract.
    ///
    /// More than [`MAX_RULES`] rules are refused.
    pub fn content(rules: impl IntoIterator<Item = Rule>) -> Result<Self, ParseError> {
        let rules = sorted_set(rules, "content", "at most 32 rules")?;
        if rules.is_empty() { Ok(Self::exclusive(Version::Original)) } else { Ok(Self(Form::Content(rules.into()))) }
    }

    /// What this routing is.
    pub fn kind(&self) -> RoutingKind<'_> {
        match &self.0 {
            Form::Exclusive(version) => RoutingKind::Exclusive(*version),
            Form::Weighted(share) => RoutingKind::Weighted(*share),
            Form::Content(rules) => RoutingKind::Content(rules),
        }
    }

    /// The version that serves every request, if one does.
    pub fn sole_owner(&self) -> Option<Version> {
        self.owners().sole()
    }

    /// The versions that a request can reach under this routing.
    pub fn owners(&self) -> Owners {
        match self.0 {
            Form::Exclusive(version) => Owners::Only(version),
            Form::Weighted(_) | Form::Content(_) => Owners::Both,
        }
    }

    /// The percentages of the original and of the grayscale version, which sum to 100; `None` under a content policy,
    /// whose shares depend on the requests.
    pub fn weights(&self) -> Option<(Percent, Percent)> {
        let grayscale = match self.0 {
            Form::Exclusive(Version::Original) => Percent::ZERO,
            Form::Exclusive(Version::Grayscale) => Percent::HUNDRED,
            Form::Weighted(share) => share,
            Form::Content(_) => return None,
        };
        Some((grayscale.rest(), grayscale))
    }

    /// The version that serves `request`: the definition that data planes are compared with.
    ///
    /// ```
    /// use release_core::{Condition, Matcher, Request, Routing, Rule, Version};
    ///
    /// let beta = Condition::Header { name: "x-group".parse()?, value: Matcher::Exact("beta".parse()?) };
    /// let routing = Routing::content([Rule::new([beta])?])?;
    /// let mut request = Request::default();
    /// assert_eq!(routing.owner(&request), Version::Original);
    /// request.headers.push(("X-Group".into(), "beta".into()));
    /// assert_eq!(routing.owner(&request), Version::Grayscale);
    /// # Ok::<(), release_core::ParseError>(())
    /// ```
    pub fn owner(&self, request: &Request) -> Version {
        let grayscale = match &self.0 {
            Form::Exclusive(version) => return *version,
            Form::Weighted(share) => request.draw % 100 < share.get(),
            Form::Content(rules) => rules.iter().any(|rule| rule.matches(request)),
        };
        if grayscale { Version::Grayscale } else { Version::Original }
    }
}

/// For people: `all to original`, `20 % to grayscale`, `2 rules to grayscale`.
impl fmt::Display for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Exclusive(version) => write!(f, "all to {version}"),
            Form::Weighted(share) => write!(f, "{share} to grayscale"),
            Form::Content(rules) if rules.len() == 1 => f.write_str("1 rule to grayscale"),
            Form::Content(rules) => write!(f, "{} rules to grayscale", rules.len()),
        }
    }
}

impl fmt::Debug for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.kind(), f)
    }
}

/// Sorts, drops repetitions and refuses more than [`MAX_RULES`] items.
fn sorted_set<T: Ord>(
    items: impl IntoIterator<Item = T>,
    parameter: &'static str,
    allowed: &'static str,
) -> Result<Vec<T>, ParseError> {
    let mut items: Vec<T> = items.into_iter().take(MAX_RULES + 1).collect();
    if items.len() > MAX_RULES {
        return Err(ParseError::new(parameter, "33 or more", allowed));
    }
    items.sort();
    items.dedup();
    Ok(items)
}

/// The written form.
#[cfg(feature = "serde")]
mod policy {
    use super::{Form, ParseError, Percent, Routing, Rule, Version};
    use alloc::vec::Vec;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub(super) enum Policy {
        Exclusive(Version),
        Weighted(Weighted),
        Content(Vec<Rule>),
    }

    /// A struct of its own because only that can deny unknown fields.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields, expecting = "an object")]
    pub(super) struct Weighted {
        grayscale: Percent,
    }

    impl TryFrom<Policy> for Routing {
        type Error = ParseError;

        fn try_from(policy: Policy) -> Result<Self, ParseError> {
            match policy {
                Policy::Exclusive(version) => Ok(Self::exclusive(version)),
                Policy::Weighted(Weighted { grayscale }) => Ok(Self::weighted(grayscale)),
                Policy::Content(rules) => Self::content(rules),
            }
        }
    }

    impl From<Routing> for Policy {
        fn from(routing: Routing) -> Self {
            match routing.0 {
                Form::Exclusive(version) => Self::Exclusive(version),
                Form::Weighted(grayscale) => Self::Weighted(Weighted { grayscale }),
                Form::Content(rules) => Self::Content(rules.to_vec()),
            }
        }
    }
}
