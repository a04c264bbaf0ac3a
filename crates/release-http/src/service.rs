//! A request in, a response out.

use crate::auth::Authenticate;
use crate::request_id::{RequestIds, X_REQUEST_ID};
use crate::respond::{Answer, Body};
use crate::{Api, Call, Codes, Problem, ProblemKind, parse};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::iter;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The API as a service: requests in, documented answers out.
///
/// It is a [`tower_service::Service`] that never fails, so it mounts in any router that takes one; without tower,
/// [`answer`](Self::answer) is all there is. Cloning is cheap and shares everything.
///
/// ```
/// use release_http::{ReleaseService, Unauthenticated, testkit::Memory};
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
///
/// let service = ReleaseService::new(Memory::default(), Unauthenticated);
/// let request = http::Request::delete("/v2/meshes/mesh-1/namespaces/shop/releases/3f2a?action=cancel")
///     .header("content-type", "application/json")
///     .body(String::new())?;
/// let response = service.answer(request).await;
/// assert_eq!(response.status(), 404);
/// assert!(response.headers().contains_key("x-request-id"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ReleaseService<A, U> {
    shared: Arc<Shared<A, U>>,
    codes: Codes,
    body_limit: usize,
}

struct Shared<A, U> {
    api: A,
    authenticate: U,
    request_ids: RequestIds,
}

impl<A: Api, U: Authenticate> ReleaseService<A, U> {
    /// Serves `api` to the callers that `authenticate` lets in, with the newer error codes and a body limit of 64 KiB.
    pub fn new(api: A, authenticate: U) -> Self {
        let request_ids = RequestIds::new();
        Self { shared: Arc::new(Shared { api, authenticate, request_ids }), codes: Codes::Newer, body_limit: 64 * 1024 }
    }

    /// Which generation of error codes to use.
    #[must_use]
    pub fn codes(mut self, codes: Codes) -> Self {
        self.codes = codes;
        self
    }

    /// The longest body that is read, in bytes: 413 beyond.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Answers a request. Every answer is one that the OpenAPI document lists.
    ///
    /// A body that fails is a 400 that says that it ended too early. Whoever wraps it and knows better fails with a [`Problem`], of
    /// the kind [`Invalid`](ProblemKind::Invalid) or [`TooLarge`](ProblemKind::TooLarge), which is answered instead.
    pub fn answer<B>(&self, request: Request<B>) -> impl Future<Output = Response<Body>> + Send
    where
        B: http_body::Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let id = self.shared.request_ids.of(request.headers());
        // Before the future, which would else hold the request once more.
        let (mut head, body) = request.into_parts();
        async move { self.answer_as(id, &mut head, body).await }
    }

    /// Answers the request of that head and body, under an id that [`RequestIds`](crate::RequestIds) gave: for whoever has it
    /// in a log, too. The headers are used up.
    #[expect(clippy::manual_async_fn, reason = "an async fn holds its arguments twice")]
    pub fn answer_as<B>(
        &self,
        id: HeaderValue,
        head: &mut Parts,
        body: B,
    ) -> impl Future<Output = Response<Body>> + Send
    where
        B: http_body::Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        async move {
            let outcome = match self.understood(head, body).await {
                // Large: what is refused has no room for it.
                Ok(call) => Box::pin(self.carried_out(call)).await,
                Err(problem) => Err(problem),
            };
            let headers = answer_headers(head, id);
            match outcome {
                Ok(answer) => answer.written(self.codes, headers),
                Err(problem) => problem.written(self.codes, headers),
            }
        }
    }

    /// What is asked for, by a caller who may. The order of the checks is what the crate's documentation promises.
    #[expect(clippy::manual_async_fn, reason = "an async fn holds its arguments twice")]
    fn understood<B>(&self, head: &Parts, body: B) -> impl Future<Output = Result<Call, Problem>> + Send
    where
        B: http_body::Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        async move {
            let route = parse::route(&head.method, head.uri.path())?;
            let body = collect(body, self.body_limit).await?;
            let caller = self.shared.authenticate.authenticate(head, &body).await;
            let caller = caller.map_err(|denied| Problem::of_denied(&self.shared.authenticate, denied))?;
            let mesh = parse::mesh(&route)?;
            if !caller.may_touch(&mesh) {
                let detail = format!("The caller may not touch the mesh {mesh}: use credentials for it.");
                return Err(Problem::new(ProblemKind::Forbidden, detail));
            }
            parse::call(&route, mesh, head, &body)
        }
    }

    async fn carried_out(&self, call: Call) -> Result<Answer, Problem> {
        let (api, operation) = (&self.shared.api, call.operation());
        let outcome = match call {
            Call::Delete(key, action) => api.delete(key, action).await.map(|()| Answer::Done),
            Call::Get(key) => api.get(key).await.map(Answer::Release),
            Call::Update(key, image) => api.update(key, image).await.map(Answer::Release),
            // Rare and the largest.
            Call::Create(release) => Box::pin(api.create(*release)).await.map(Answer::Created),
            Call::List(mesh) => api.list(mesh).await.map(Answer::List),
            Call::SetPolicy(key, routing) => api.set_policy(key, routing).await.map(Answer::Release),
            Call::Reopen(key) => api.reopen(key).await.map(Answer::Release),
            Call::Preview(key, action) => api.preview(key, action).await.map(Answer::Plan),
        };
        outcome.map_err(|failure| Problem::of_failure(operation, failure))
    }
}

/// The first headers of an answer, in the table that held the request's: so they take no memory of their own.
fn answer_headers(request: &mut Parts, id: HeaderValue) -> HeaderMap {
    let mut headers = std::mem::take(&mut request.headers);
    headers.clear();
    headers.insert(X_REQUEST_ID, id);
    headers
}

/// The whole body, unless it is, or says it is, over the limit.
async fn collect<B>(body: B, limit: usize) -> Result<Bytes, Problem>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let too_large = || {
        Problem::new(ProblemKind::TooLarge, format!("The body is longer than the limit of {limit} bytes: send less."))
    };
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > limit.try_into().unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    match Box::pin(Limited::new(body, limit).collect()).await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => Err(if let Some(problem) = find::<Problem>(&*error) {
            problem.clone()
        } else if find::<LengthLimitError>(&*error).is_some() {
            // A limit of somebody around this service; how long it is, is not known here.
            Problem::new(ProblemKind::TooLarge, "The body is longer than the limit: send less.")
        } else {
            Problem::invalid("The body ended before it was complete: send the request again.")
        }),
    }
}

/// The error, or the first that it wraps, if it is of that type.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

impl<A, U, B> tower_service::Service<Request<B>> for ReleaseService<A, U>
where
    A: Api + 'static,
    U: Authenticate + 'static,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        let id = service.shared.request_ids.of(request.headers());
        // Before the future, which would else hold the request once more.
        let (mut head, body) = request.into_parts();
        Box::pin(async move { Ok(service.answer_as(id, &mut head, body).await) })
    }
}

impl<A, U> Clone for ReleaseService<A, U> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), codes: self.codes, body_limit: self.body_limit }
    }
}

impl<A, U: fmt::Debug> fmt::Debug for ReleaseService<A, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReleaseService")
            .field("authenticate", &self.shared.authenticate)
            .field("codes", &self.codes)
            .field("body_limit", &self.body_limit)
            .finish_non_exhaustive()
    }
}
