//! Callers by name, for the log: who cancelled this release?

use super::exchange;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use release_http::{AkSk, Authenticate, Caller, Denied, Tokens};
use std::fmt;
use std::iter;
use std::sync::Arc;

/// Tokens that let a caller in, each with the name of its caller, which the log shows, and the meshes that it may touch.
/// `Debug` shows no token.
///
/// ```
/// use release_http::Caller;
/// use release_server::serve::NamedTokens;
///
/// let tokens = NamedTokens::new([("pipeline", "a-token-for-the-pipeline", Caller::of_every_mesh())]);
/// assert_eq!(format!("{tokens:?}"), r#"NamedTokens(["pipeline"])"#);
/// ```
pub struct NamedTokens(Vec<(Arc<str>, Tokens)>);

impl NamedTokens {
    /// Names, tokens, and what each of them may touch.
    pub fn new<N: Into<Arc<str>>, T: Into<String>>(tokens: impl IntoIterator<Item = (N, T, Caller)>) -> Self {
        Self(tokens.into_iter().map(|(name, token, caller)| (name.into(), Tokens::new([(token, caller)]))).collect())
    }
}

impl fmt::Debug for NamedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|(name, _)| &**name).collect();
        f.debug_tuple("NamedTokens").field(&names).finish()
    }
}

impl Authenticate for NamedTokens {
    async fn authenticate(&self, head: &Parts, body: &[u8]) -> Result<Caller, Denied> {
        let mut outcome = Err(Denied::Missing("set X-Auth-Token to a token".into()));
        // All are asked, whichever is the right one: how long that takes tells nothing.
        for (name, token) in &self.0 {
            let answer = token.authenticate(head, body).await;
            if answer.is_ok() {
                exchange::is_of(Arc::clone(name));
            }
            if outcome.is_err() {
                outcome = answer;
            }
        }
        outcome
    }

    fn challenges(&self) -> Vec<HeaderValue> {
        Tokens::new(iter::empty::<(String, Caller)>()).challenges()
    }
}

/// Notes the access key of a request whose signature is right: it is the name of the caller, and no secret.
pub(super) fn note_access_key(headers: &HeaderMap) {
    if let Some(access) = AkSk::access_key(headers) {
        exchange::is_of(access.into());
    }
}
