//! A request while it is answered, as the log sees it.

use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Uri};
use release_core::{Note, ReleaseKey};
use release_http::{Call, Caller};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tracing::{Span, field};

tokio::task_local! {
    static CURRENT: Arc<Exchange>;
}

/// A request while it is answered: what its lines have in common.
pub(super) struct Exchange {
    id: HeaderValue,
    peer: SocketAddr,
    began: Instant,
    method: Method,
    uri: Uri,
    /// The release that it creates, whose name is in no path.
    created: OnceLock<ReleaseKey>,
    /// Whose credentials it has.
    caller: OnceLock<Caller>,
    /// Made for the first line: most requests have none, and a span costs as much as looking for a release does.
    span: OnceLock<Span>,
}

impl Exchange {
    pub(super) fn begin(id: HeaderValue, peer: SocketAddr, head: &Parts) -> Arc<Self> {
        Arc::new(Self {
            id,
            peer,
            began: Instant::now(),
            method: head.method.clone(),
            uri: head.uri.clone(),
            created: OnceLock::new(),
            caller: OnceLock::new(),
            span: OnceLock::new(),
        })
    }

    /// What `answer` logs with [`within`] belongs to this request.
    pub(super) fn scope<F: Future>(self: Arc<Self>, answer: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, answer)
    }

    /// Writes the line about its answer. What went wrong is a warning. What was changed, and who was kept out, is for the one
    /// on call; what was only read, or refused and so changed nothing, is for the curious. No header, no query and no body is
    /// in it: those hold credentials.
    pub(super) fn answered(&self, status: StatusCode) {
        macro_rules! line {
            ($level:ident) => {
                // What is not logged is not worked out.
                if tracing::enabled!(tracing::Level::$level) {
                    self.span().in_scope(|| {
                        tracing::event!(
                            tracing::Level::$level,
                            method = %self.method,
                            path = Note::new(self.uri.path()).as_str(),
                            status = status.as_u16(),
                            ms = self.began.elapsed().as_millis(),
                            "answered"
                        );
                    });
                }
            };
        }
        let changed = status.is_success() && !self.method.is_safe();
        if status.is_server_error() {
            line!(WARN);
        } else if changed || [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status) {
            line!(INFO);
        } else {
            line!(DEBUG);
        }
    }

    fn span(&self) -> &Span {
        self.span.get_or_init(|| {
            // From the path: a request that is refused before it is understood is about that release, too.
            let release = self.created.get().cloned().or_else(|| Call::release_of(&self.method, self.uri.path()));
            // Not less important than any line in it: else that one would be without its request.
            tracing::error_span!(
                "request",
                id = self.id.to_str().unwrap_or_default(),
                peer = %self.peer,
                caller = self.caller.get().and_then(Caller::name),
                release = release.map(field::display),
            )
        })
    }
}

/// The request that is answered here creates this release: from now on, its lines say so.
pub(super) fn note_created(key: &ReleaseKey) {
    // Outside of a request there is nothing to note.
    let _ = CURRENT.try_with(|exchange| exchange.created.set(key.clone()));
}

/// The credentials of the request that is answered here are this caller's: from now on, its lines have the name.
pub(super) fn note_caller(caller: &Caller) {
    let _ = CURRENT.try_with(|exchange| exchange.caller.set(caller.clone()));
}

/// What the lines of the request that is answered here are logged in.
pub(super) fn span() -> Span {
    CURRENT.try_with(|exchange| exchange.span().clone()).unwrap_or_else(|_| Span::current())
}

/// Does something whose lines belong to the request that is answered here.
pub(super) fn within<T>(what: impl FnOnce() -> T) -> T {
    span().in_scope(what)
}
