//! From a request to a call: what the path, the query, the headers and the body say, checked.

use crate::resource::{read_new_release, read_policy, read_update};
use crate::route::{NoRoute, Route};
use crate::{ImageVersion, NewRelease, Operation, Problem, ProblemKind, json, media_type, percent, query};
use http::Method;
use http::request::Parts;
use release_core::{Action, MeshId, Namespace, ReleaseKey, Routing};

/// A request that has been understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// [`Operation::Delete`].
    Delete(ReleaseKey, Action),
    /// [`Operation::Get`].
    Get(ReleaseKey),
    /// [`Operation::Update`].
    Update(ReleaseKey, ImageVersion),
    /// [`Operation::Create`].
    Create(Box<NewRelease>),
    /// [`Operation::List`].
    List(MeshId),
    /// [`Operation::SetPolicy`].
    SetPolicy(ReleaseKey, Routing),
    /// [`Operation::Reopen`].
    Reopen(ReleaseKey),
    /// [`Operation::Preview`].
    Preview(ReleaseKey, Action),
}

impl Call {
    /// Understands a request without answering it: for whoever needs neither the authentication nor the
    /// [`Api`](crate::Api). The other half are [`Answer::into_response`](crate::Answer::into_response) and
    /// [`Problem::into_response`]; neither half sets `X-Request-Id`.
    ///
    /// ```
    /// use release_core::Action;
    /// use release_http::Call;
    ///
    /// let (head, ()) = http::Request::delete("/v2/meshes/mesh-1/namespaces/shop/releases/3f2a?action=end")
    ///     .header("content-type", "application/json")
    ///     .body(())?
    ///     .into_parts();
    /// let call = Call::parse(&head, b"")?;
    /// assert!(matches!(call, Call::Delete(key, Action::End) if key.id.as_str() == "3f2a"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parse(head: &Parts, body: &[u8]) -> Result<Self, Problem> {
        let route = route(&head.method, head.uri.path())?;
        let mesh = mesh(&route)?;
        call(&route, mesh, head, body)
    }

    /// The release that the path of a request names: for a log, which wants it also where a request is refused before it is
    /// understood. `None` if there is none (yet) or the API has no such path.
    ///
    /// ```
    /// use http::Method;
    /// use release_http::Call;
    ///
    /// let key = Call::release_of(&Method::DELETE, "/v2/meshes/mesh-1/namespaces/shop/releases/3f2a");
    /// assert_eq!(key.map(|key| key.to_string()).as_deref(), Some("mesh-1/shop/3f2a"));
    /// assert_eq!(Call::release_of(&Method::GET, "/v2/meshes/mesh-1/releases"), None);
    /// ```
    pub fn release_of(method: &Method, path: &str) -> Option<ReleaseKey> {
        let route = Route::find(method, path).ok()?;
        key(&route, mesh(&route).ok()?).ok()
    }

    /// Which operation it calls.
    pub fn operation(&self) -> Operation {
        match self {
            Self::Delete(..) => Operation::Delete,
            Self::Get(_) => Operation::Get,
            Self::Update(..) => Operation::Update,
            Self::Create(_) => Operation::Create,
            Self::List(_) => Operation::List,
            Self::SetPolicy(..) => Operation::SetPolicy,
            Self::Reopen(_) => Operation::Reopen,
            Self::Preview(..) => Operation::Preview,
        }
    }
}

/// 404 and 405.
pub(crate) fn route<'a>(method: &Method, path: &'a str) -> Result<Route<'a>, Problem> {
    Route::find(method, path).map_err(|no_route| match no_route {
        NoRoute::UnknownPath => Problem::new(ProblemKind::NotFound, "There is no such path: check it against the API."),
        NoRoute::WrongMethod { allow } => {
            let detail = format!("The path does not take this method: use {allow}.");
            Problem::new(ProblemKind::MethodNotAllowed(allow), detail)
        }
    })
}

/// The mesh alone, because who may touch it is checked before the rest is looked at.
pub(crate) fn mesh(route: &Route<'_>) -> Result<MeshId, Problem> {
    percent::identifier("mesh_id", route.mesh).map_err(Problem::invalid)
}

/// The rest: content type, path, query, body, in this order.
pub(crate) fn call(route: &Route<'_>, mesh: MeshId, head: &Parts, body: &[u8]) -> Result<Call, Problem> {
    media_type::check(&head.method, &head.headers)
        .and_then(|()| understood(route, mesh, head.uri.query(), body))
        .map_err(Problem::invalid)
}

fn understood(route: &Route<'_>, mesh: MeshId, query: Option<&str>, body: &[u8]) -> Result<Call, String> {
    Ok(match route.operation {
        Operation::Delete => {
            let call = Call::Delete(key(route, mesh)?, query::action(query)?);
            json::none(body)?;
            call
        }
        Operation::Preview => {
            let call = Call::Preview(key(route, mesh)?, query::action(query)?);
            json::none(body)?;
            call
        }
        Operation::Get => {
            let call = Call::Get(key(route, mesh)?);
            query::none(query)?;
            json::none(body)?;
            call
        }
        Operation::Reopen => {
            let call = Call::Reopen(key(route, mesh)?);
            query::none(query)?;
            json::none(body)?;
            call
        }
        Operation::List => {
            query::none(query)?;
            json::none(body)?;
            Call::List(mesh)
        }
        Operation::Update => {
            let key = key(route, mesh)?;
            query::none(query)?;
            let image = read_update(body, &key)?;
            Call::Update(key, image)
        }
        Operation::SetPolicy => {
            let key = key(route, mesh)?;
            query::none(query)?;
            Call::SetPolicy(key, read_policy(body)?)
        }
        Operation::Create => {
            let namespace = namespace(route)?;
            query::none(query)?;
            Call::Create(Box::new(read_new_release(body, mesh, namespace)?))
        }
    })
}

fn namespace(route: &Route<'_>) -> Result<Namespace, String> {
    percent::identifier("namespace", route.namespace)
}

fn key(route: &Route<'_>, mesh: MeshId) -> Result<ReleaseKey, String> {
    Ok(ReleaseKey { mesh, namespace: namespace(route)?, id: percent::identifier("release_id", route.release)? })
}
