//! Who is calling, and which meshes that caller may touch.

#[cfg(feature = "aksk")]
mod aksk;
mod token;

#[cfg(feature = "aksk")]
pub use aksk::AkSk;
pub use token::Tokens;

use http::HeaderValue;
use http::request::Parts;
use release_core::MeshId;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::future::{Future, ready};
use std::sync::Arc;

/// Checks the credentials of a request.
///
/// Two of them make a pair that takes either kind of credentials: `(tokens, aksk)`.
pub trait Authenticate: Send + Sync {
    /// Who is calling.
    ///
    /// `body` is the whole body, already under the limit: a signature covers it.
    fn authenticate(&self, head: &Parts, body: &[u8]) -> impl Future<Output = Result<Caller, Denied>> + Send;

    /// What a 401 offers in `WWW-Authenticate`: one challenge for each kind of credentials, such as `Basic realm="mesh"`.
    /// None stands for both that the API knows: a token and a signature.
    fn challenges(&self) -> Vec<HeaderValue> {
        Vec::new()
    }
}

/// That a token goes into `X-Auth-Token` has no registered name.
pub(crate) const TOKEN_CHALLENGE: HeaderValue = HeaderValue::from_static("X-Auth-Token");
pub(crate) const SIGNATURE_CHALLENGE: HeaderValue = HeaderValue::from_static("SDK-HMAC-SHA256");

/// A caller whose credentials are right: the meshes it may touch, and what a log may call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    meshes: Option<Arc<BTreeSet<MeshId>>>,
    name: Option<Arc<str>>,
}

impl Caller {
    /// May touch every mesh.
    pub fn of_every_mesh() -> Self {
        Self { meshes: None, name: None }
    }

    /// May touch these meshes.
    ///
    /// ```
    /// use release_http::Caller;
    ///
    /// let caller = Caller::of_meshes(["mesh-1".parse()?]);
    /// assert!(caller.may_touch(&"mesh-1".parse()?));
    /// assert!(!caller.may_touch(&"mesh-2".parse()?));
    /// # Ok::<(), release_core::ParseError>(())
    /// ```
    pub fn of_meshes(meshes: impl IntoIterator<Item = MeshId>) -> Self {
        Self { meshes: Some(Arc::new(meshes.into_iter().collect())), name: None }
    }

    /// The same one, by name: it is for the log of whoever embeds this, no answer has it.
    ///
    /// ```
    /// use release_http::Caller;
    ///
    /// assert_eq!(Caller::of_every_mesh().name(), None);
    /// assert_eq!(Caller::of_every_mesh().named("pipeline").name(), Some("pipeline"));
    /// ```
    #[must_use]
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Its name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether the caller may touch `mesh`: 403 if not.
    pub fn may_touch(&self, mesh: &MeshId) -> bool {
        self.meshes.as_ref().is_none_or(|meshes| meshes.contains(mesh))
    }

    /// Whether the caller may touch every mesh, also those that nobody knows yet.
    pub fn may_touch_every_mesh(&self) -> bool {
        self.meshes.is_none()
    }
}

/// Why a caller is not let in. The texts reach the caller, so they hold nothing secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// There are no credentials of this kind; what would be one: 401.
    Missing(Cow<'static, str>),
    /// There are, and they are wrong; a sentence that says why and what to do: 401.
    Wrong(Cow<'static, str>),
    /// They are right, and whoever has them may not use the API; a sentence that says why and what to do: 403. That one mesh
    /// is not the caller's is for [`Caller`] to say.
    Forbidden(Cow<'static, str>),
    /// Whether they are right can't be found out now: 500, which clients repeat. A service of identities that fails makes
    /// no credentials wrong. Why is for the embedder's log.
    Unavailable,
}

/// Lets everybody touch everything: for tests, and where something in front has checked the caller already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unauthenticated;

impl Authenticate for Unauthenticated {
    fn authenticate(&self, _: &Parts, _: &[u8]) -> impl Future<Output = Result<Caller, Denied>> + Send {
        ready(Ok(Caller::of_every_mesh()))
    }
}

/// The same one, for several.
impl<T: Authenticate> Authenticate for Arc<T> {
    fn authenticate(&self, head: &Parts, body: &[u8]) -> impl Future<Output = Result<Caller, Denied>> + Send {
        T::authenticate(self, head, body)
    }

    fn challenges(&self) -> Vec<HeaderValue> {
        T::challenges(self)
    }
}

/// Either kind of credentials. The second is asked only when there are none of the first kind: wrong ones are wrong.
impl<A: Authenticate, B: Authenticate> Authenticate for (A, B) {
    async fn authenticate(&self, head: &Parts, body: &[u8]) -> Result<Caller, Denied> {
        match self.0.authenticate(head, body).await {
            Err(Denied::Missing(first)) => match self.1.authenticate(head, body).await {
                Err(Denied::Missing(second)) => Err(Denied::Missing(format!("{first}, or {second}").into())),
                other => other,
            },
            other => other,
        }
    }

    fn challenges(&self) -> Vec<HeaderValue> {
        [self.0.challenges(), self.1.challenges()].concat()
    }
}
