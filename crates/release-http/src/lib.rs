//! The release API over HTTP: requests in, core commands out; core errors in, documented answers out.
//!
//! A thin adapter. It parses a request into a [`Call`], asks the [`Api`] that the embedder implements, and turns the
//! answer into a response. It has no runtime, no server and no traffic rule of its own.
//!
//! - [`ReleaseService`] is a tower `Service` that mounts in axum, in hyper, and next to gRPC in tonic's router (the examples
//!   show each); [`ReleaseService::answer`] is the same as a plain function.
//! - For whoever wants less, its two halves are plain functions, too: [`Call::parse`] understands a request, and
//!   [`Answer::into_response`] and [`Problem::into_response`] write every answer. `X-Request-Id` is between the two:
//!   [`RequestIds`].
//! - [`Authenticate`] says who is calling: [`Tokens`], [`AkSk`], a pair of both, or [`Unauthenticated`].
//! - [`OPENAPI`] is the OpenAPI 3.1 document of all of it.
//!
//! # The operations
//!
//! | [`Operation`] | request | answer |
//! |---|---|---|
//! | `Delete` | `DELETE /v2/meshes/{mesh_id}/namespaces/{namespace}/releases/{release_id}?action=cancel\|end` | 200, empty |
//! | `Get` | `GET …/releases/{release_id}` | 200, the Release |
//! | `Update` | `PUT …/releases/{release_id}`, `{"spec": {"imageVersion": …}}` | 200, the Release |
//! | `Create` | `POST /v2/meshes/{mesh_id}/namespaces/{namespace}/releases`, a Release | 201, the Release, its path in `Location` |
//! | `List` | `GET /v2/meshes/{mesh_id}/releases` | 200, a `ReleaseList` |
//! | `SetPolicy`, ours | `PUT …/releases/{release_id}/policy`, a policy | 200, the Release |
//! | `Reopen`, ours | `POST …/releases/{release_id}/reopen` | 200, the Release |
//! | `Preview`, ours | `GET …/releases/{release_id}/plan?action=cancel\|end` | 200, a `ReleasePlan` |
//!
//! # What is checked, in this order
//!
//! 1. The path (404) and the method (405, with `Allow`). Fixed segments are compared as they are written.
//! 2. The length of the body (413): here because a signature covers the body.
//! 3. The credentials (401; 500 if they can't be checked now).
//! 4. The mesh id (400), and whether the caller may touch that mesh (403).
//! 5. `Content-Type` (400): mandatory on a DELETE, PUT and POST, also without a body; `application/json` with
//!    `charset=utf-8` or without. A GET needs none (ours: the contract asks for it on a DELETE), but no other one will do.
//! 6. The other ids (400). Path segments are percent-decoded once and strictly: bad escapes, control characters and
//!    slashes are refused.
//! 7. The query (400): `action` exactly once where there is one. **Every other query parameter is refused**, by name.
//! 8. The body (400): unknown fields, repeated fields and wrong types are refused, by name. Operations that take no body,
//!    deletes among them, accept an empty one and `{}`, which clients send that can't set a content type without a body.
//! 9. What the core says (400, 404, and 409 for a create).
//!
//! # What a delete answers
//!
//! | answer | when | what then |
//! |---|---|---|
//! | 200, empty | the task is closed: the survivor has all traffic, the loser is gone | nothing |
//! | 400 | the request is not as the contract says, or does not fit the phase of the task | as the message says |
//! | 400 | it was recorded, and then **somebody reopened the release** | talk to them; ask again to close it after all |
//! | 404 | there is no such task, or it was closed before: the message says how, and when if the embedder knows | nothing |
//! | 500 | it was recorded and is **not finished yet**: the message says how far it is | repeat it to wait again |
//! | 500 | the server is going down and nothing was changed, or a store or a mesh failed | repeat it |
//!
//! Reopened is a 400 because clients repeat what got a 500 by themselves: one of them would overrule the operator who
//! reopened the release. 409 would say it well, but is not among the documented answers of a delete.
//!
//! # Every answer
//!
//! Is not to be kept by a cache (`Cache-Control: no-store`), and carries `X-Request-Id`: the caller's, if there is one of 1 to 64 letters, digits, `-`, `_` or `.`, else a new one. An
//! error has `errorCode` and `errorMsg`, in one of two generations of [`Codes`]. No message repeats a header's value, the
//! value of a query parameter that is not known, or any credential.

mod api;
mod auth;
mod json;
mod media_type;
mod openapi;
mod parse;
mod percent;
mod problem;
#[cfg(feature = "testkit")]
pub mod properties;
mod query;
mod request_id;
mod resource;
mod respond;
mod route;
mod service;
#[cfg(feature = "testkit")]
pub mod testkit;

pub use api::{Api, Failure};
#[cfg(feature = "aksk")]
pub use auth::AkSk;
pub use auth::{Authenticate, Caller, Denied, Tokens, Unauthenticated};
pub use openapi::OPENAPI;
pub use parse::Call;
pub use problem::{Codes, Problem, ProblemKind, Published};
pub use request_id::RequestIds;
pub use resource::{ClusterId, DeploymentName, Details, ImageVersion, NewRelease, Release};
pub use respond::{Answer, Body};
pub use route::Operation;
pub use service::ReleaseService;
