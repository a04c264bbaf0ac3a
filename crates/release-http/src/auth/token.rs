//! Authentication with a token in `X-Auth-Token`.

use super::{Authenticate, Caller, Denied, TOKEN_CHALLENGE};
use http::HeaderValue;
use http::request::Parts;
use std::fmt;
use std::future::{Future, ready};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// The tokens that let a caller in, each with the meshes that its caller may touch.
///
/// Every token is compared, in a time that does not depend on where they differ. (How long a token is can be measured,
/// as can how many there are; neither is a secret.) `Debug` shows none.
///
/// ```
/// use release_http::{Caller, Tokens};
///
/// let tokens = Tokens::new([
///     ("a-token-for-the-console", Caller::of_every_mesh()),
///     ("a-token-for-the-pipeline", Caller::of_meshes(["mesh-1".parse()?]).named("pipeline")),
/// ]);
/// assert_eq!(format!("{tokens:?}"), "Tokens(2)");
/// # Ok::<(), release_core::ParseError>(())
/// ```
#[derive(Clone)]
pub struct Tokens(Vec<(Box<[u8]>, Caller)>);

impl Tokens {
    /// These tokens. An empty one lets nobody in, so it is left out.
    pub fn new<T: Into<String>>(tokens: impl IntoIterator<Item = (T, Caller)>) -> Self {
        let tokens = tokens.into_iter().map(|(token, caller)| (token.into().into_bytes().into_boxed_slice(), caller));
        Self(tokens.filter(|(token, _)| !token.is_empty()).collect())
    }

    fn check(&self, head: &Parts) -> Result<Caller, Denied> {
        let mut given = head.headers.get_all("x-auth-token").iter();
        let given = match (given.next(), given.next()) {
            (None, _) => return Err(Denied::Missing("set X-Auth-Token to a token".into())),
            (Some(given), None) => given,
            (Some(_), Some(_)) => {
                return Err(Denied::Wrong("X-Auth-Token is given more than once: give it exactly once.".into()));
            }
        };
        // All are compared, whichever is the right one.
        let mut found = u32::MAX;
        for (index, (token, _)) in (0..).zip(&self.0) {
            let same: Choice = token.ct_eq(given.as_bytes());
            found.conditional_assign(&index, same);
        }
        let caller = usize::try_from(found).ok().and_then(|found| self.0.get(found));
        let wrong = || Denied::Wrong("The token in X-Auth-Token is not valid: get a new one.".into());
        caller.map(|(_, caller)| caller.clone()).ok_or_else(wrong)
    }
}

impl Authenticate for Tokens {
    fn authenticate(&self, head: &Parts, _: &[u8]) -> impl Future<Output = Result<Caller, Denied>> + Send {
        ready(self.check(head))
    }

    fn challenges(&self) -> Vec<HeaderValue> {
        vec![TOKEN_CHALLENGE]
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}
