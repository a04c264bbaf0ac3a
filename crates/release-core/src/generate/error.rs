//! Errors: each as it comes out of what refuses something.

use super::valid;
use crate::law::Broken;
use crate::{
    Action, Browser, Condition, CookieName, HeaderName, Literal, MAX_RULES, MeshId, Namespace, OperatingSystem,
    ParseError, Pattern, Percent, QueryName, ReleaseId, ReleaseName, Routing, Rule, Service, StoredError, UserAgent,
    VersionLabel,
};
use alloc::format;
use alloc::string::String;
use arbitrary::{Arbitrary, Result, Unstructured};

/// What a parser says to a value that none of them allows.
impl<'a> Arbitrary<'a> for ParseError {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let value = format!("{}\n", u.arbitrary::<String>()?);
        let refused = match u.int_in_range(0..=14)? {
            0 => value.parse::<Action>().err(),
            1 => value.parse::<MeshId>().err(),
            2 => value.parse::<Namespace>().err(),
            3 => value.parse::<ReleaseId>().err(),
            4 => value.parse::<Service>().err(),
            5 => value.parse::<VersionLabel>().err(),
            6 => value.parse::<HeaderName>().err(),
            7 => value.parse::<CookieName>().err(),
            8 => value.parse::<QueryName>().err(),
            9 => value.parse::<Literal>().err(),
            10 => value.parse::<ReleaseName>().err(),
            11 => value.parse::<Pattern>().err(),
            12 => Rule::new([]).err(),
            13 => {
                let system = Rule::new([Condition::OperatingSystem(u.arbitrary()?)]);
                Routing::content(core::iter::repeat_n(valid(system)?, MAX_RULES + 1)).err()
            }
            _ => Percent::new(u.int_in_range(101..=u64::MAX)?).err(),
        };
        valid(refused.ok_or(()))
    }
}

impl<'a> Arbitrary<'a> for Broken {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self { law: u.arbitrary()?, how: u.choose(&["a request has no owner", "a generation shrank"])? })
    }
}

impl<'a> Arbitrary<'a> for StoredError {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let key = u.arbitrary()?;
        Ok(if u.arbitrary()? {
            Self::Contradiction { key, what: "a failure, but no step is due" }
        } else {
            Self::Law { key, broken: u.arbitrary()? }
        })
    }
}

/// How one of the known systems and browsers is told.
impl<'a> Arbitrary<'a> for UserAgent {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(if u.arbitrary()? {
            u.arbitrary::<OperatingSystem>()?.user_agent()
        } else {
            u.arbitrary::<Browser>()?.user_agent()
        })
    }
}
