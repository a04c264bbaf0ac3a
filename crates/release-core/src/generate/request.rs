//! Requests that the conditions of [rules](crate::Rule) often look at.

use super::list;
use crate::{CookieName, HeaderName, Literal, QueryName, Request};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use arbitrary::{Arbitrary, Result, Unstructured};

impl<'a> Arbitrary<'a> for Request {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut headers = Vec::new();
        for _ in 0..u.int_in_range(0..=3)? {
            headers.push(header(u)?);
        }
        let pairs: Vec<(QueryName, Literal)> = list(u, 0..=2)?;
        let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Ok(Self { headers, query: pairs.join("&"), draw: u.arbitrary()? })
    }
}

fn header(u: &mut Unstructured<'_>) -> Result<(String, String)> {
    Ok(match u.int_in_range(0..=2)? {
        0 => (u.arbitrary::<HeaderName>()?.to_string(), u.arbitrary::<Literal>()?.to_string()),
        1 => ("Cookie".into(), format!("{}={}", u.arbitrary::<CookieName>()?, u.arbitrary::<Literal>()?)),
        _ => ("User-Agent".into(), (*u.choose(&USER_AGENTS)?).into()),
    })
}

const USER_AGENTS: [&str; 6] = [
    "curl/8.9.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 CriOS/126.0 Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko",
];
