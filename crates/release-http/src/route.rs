//! Which operation a method and a path name. The identifiers stay as the caller wrote them.

use http::Method;

/// The operations of the API. Deleting is what the project exists for; the rest is needed so that tasks exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// `DELETE …/releases/{release_id}?action=cancel|end`: cancels or ends a task.
    Delete,
    /// `GET …/releases/{release_id}`: one task.
    Get,
    /// `PUT …/releases/{release_id}`: updates the image version.
    Update,
    /// `POST …/namespaces/{namespace}/releases`: creates a task.
    Create,
    /// `GET /v2/meshes/{mesh_id}/releases`: all tasks of a mesh.
    List,
    /// `PUT …/releases/{release_id}/policy`: who serves which request. Ours.
    SetPolicy,
    /// `POST …/releases/{release_id}/reopen`: back to running, while nothing has been retired. Ours.
    Reopen,
    /// `GET …/releases/{release_id}/plan?action=cancel|end`: what a delete would do. Ours.
    Preview,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 8] =
        [Self::Delete, Self::Get, Self::Update, Self::Create, Self::List, Self::SetPolicy, Self::Reopen, Self::Preview];

    /// The path, with the names of its parameters in braces.
    pub fn path(self) -> &'static str {
        match self {
            Self::List => "/v2/meshes/{mesh_id}/releases",
            Self::Create => "/v2/meshes/{mesh_id}/namespaces/{namespace}/releases",
            Self::Delete | Self::Get | Self::Update => {
                "/v2/meshes/{mesh_id}/namespaces/{namespace}/releases/{release_id}"
            }
            Self::SetPolicy => "/v2/meshes/{mesh_id}/namespaces/{namespace}/releases/{release_id}/policy",
            Self::Reopen => "/v2/meshes/{mesh_id}/namespaces/{namespace}/releases/{release_id}/reopen",
            Self::Preview => "/v2/meshes/{mesh_id}/namespaces/{namespace}/releases/{release_id}/plan",
        }
    }

    /// The method.
    pub fn method(self) -> Method {
        match self {
            Self::Delete => Method::DELETE,
            Self::Get | Self::List | Self::Preview => Method::GET,
            Self::Update | Self::SetPolicy => Method::PUT,
            Self::Create | Self::Reopen => Method::POST,
        }
    }
}

/// An operation and the identifiers in its path, still percent-encoded and unchecked; empty where the path has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route<'a> {
    pub(crate) operation: Operation,
    pub(crate) mesh: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) release: &'a str,
}

/// Why a request names no operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoute {
    /// No such path.
    UnknownPath,
    /// The path is known; it takes the methods in this list only.
    WrongMethod { allow: &'static str },
}

impl<'a> Route<'a> {
    /// Finds the operation.
    ///
    /// The fixed segments are compared as they are: whoever escapes a letter of `meshes` names another path. A trailing
    /// slash makes another path, too.
    pub(crate) fn find(method: &Method, path: &'a str) -> Result<Self, NoRoute> {
        let (mesh, rest) = segment(after(path, "/v2/meshes/")?);
        if rest == "/releases" {
            let operation = operation_on_mesh(method)?;
            return Ok(Self { operation, mesh, namespace: "", release: "" });
        }
        let (namespace, rest) = segment(after(rest, "/namespaces/")?);
        if rest == "/releases" {
            let operation = operation_on_namespace(method)?;
            return Ok(Self { operation, mesh, namespace, release: "" });
        }
        let (release, rest) = segment(after(rest, "/releases/")?);
        let operation = operation_on_release(method, rest)?;
        Ok(Self { operation, mesh, namespace, release })
    }
}

/// What follows a fixed part of a path.
fn after<'a>(path: &'a str, fixed: &str) -> Result<&'a str, NoRoute> {
    path.strip_prefix(fixed).ok_or(NoRoute::UnknownPath)
}

/// The first segment, and the rest from the slash on.
fn segment(path: &str) -> (&str, &str) {
    path.split_at(path.bytes().position(|byte| byte == b'/').unwrap_or(path.len()))
}

fn operation_on_mesh(method: &Method) -> Result<Operation, NoRoute> {
    match *method {
        Method::GET => Ok(Operation::List),
        _ => Err(NoRoute::WrongMethod { allow: "GET" }),
    }
}

fn operation_on_namespace(method: &Method) -> Result<Operation, NoRoute> {
    match *method {
        Method::POST => Ok(Operation::Create),
        _ => Err(NoRoute::WrongMethod { allow: "POST" }),
    }
}

/// `rest`: what follows the release's id.
fn operation_on_release(method: &Method, rest: &str) -> Result<Operation, NoRoute> {
    match (rest, method) {
        ("", &Method::DELETE) => Ok(Operation::Delete),
        ("", &Method::GET) => Ok(Operation::Get),
        ("", &Method::PUT) => Ok(Operation::Update),
        ("", _) => Err(NoRoute::WrongMethod { allow: "DELETE, GET, PUT" }),
        ("/policy", &Method::PUT) => Ok(Operation::SetPolicy),
        ("/policy", _) => Err(NoRoute::WrongMethod { allow: "PUT" }),
        ("/reopen", &Method::POST) => Ok(Operation::Reopen),
        ("/reopen", _) => Err(NoRoute::WrongMethod { allow: "POST" }),
        ("/plan", &Method::GET) => Ok(Operation::Preview),
        ("/plan", _) => Err(NoRoute::WrongMethod { allow: "GET" }),
        _ => Err(NoRoute::UnknownPath),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_found_at_its_own_path_and_method() {
        for operation in Operation::ALL {
            let route = Route::find(&operation.method(), operation.path()).unwrap();
            assert_eq!(route.operation, operation);
            assert_eq!(route.mesh, "{mesh_id}");
            #[cfg(feature = "testkit")]
            assert_eq!(
                crate::testkit::route(&operation.method(), operation.path()),
                Some((operation, [route.mesh, route.namespace, route.release]))
            );
        }
    }

    #[test]
    fn the_list_of_allowed_methods_is_the_list_of_operations_at_that_path() {
        for operation in Operation::ALL {
            let mut expected: Vec<String> = Operation::ALL
                .into_iter()
                .filter(|other| other.path() == operation.path())
                .map(|other| other.method().to_string())
                .collect();
            expected.sort();
            let allow = expected.join(", ");
            for method in [Method::OPTIONS, Method::HEAD, Method::PATCH, Method::from_bytes(b"delete").unwrap()] {
                let NoRoute::WrongMethod { allow: listed } = Route::find(&method, operation.path()).unwrap_err() else {
                    panic!("{method} {}: the path is known", operation.path());
                };
                assert_eq!(listed, allow);
            }
        }
    }

    #[test]
    fn other_paths_are_unknown() {
        for path in [
            "",
            "/",
            "*",
            "/v2",
            "/v1/meshes/m/releases",
            "/v2/meshes/m/releases/",
            "/v2/meshes/m/releases/r",
            "/v2/mesh%65s/m/releases",
            "v2/meshes/m/releases",
            "//v2/meshes/m/releases",
            "/v2/meshes/m/namespaces/n",
            "/v2/meshes/m/namespaces/n/releases/r/",
            "/v2/meshes/m/namespaces/n/releases/r/plans",
            "/v2/meshes/m/namespaces/n/releases/r/plan/x",
        ] {
            assert_eq!(Route::find(&Method::GET, path), Err(NoRoute::UnknownPath), "{path}");
        }
    }

    #[test]
    fn an_empty_identifier_is_found_and_refused_later_by_name() {
        let route = Route::find(&Method::DELETE, "/v2/meshes//namespaces//releases/").unwrap();
        let expected = Route { operation: Operation::Delete, mesh: "", namespace: "", release: "" };
        assert_eq!(route, expected);
    }
}
