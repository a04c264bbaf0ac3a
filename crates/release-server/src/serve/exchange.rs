//! A request while it is answered, as the log sees it.

use http::request::Parts;
use http::{HeaderValue, StatusCode};
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
    /// The release that it is about.
    release: OnceLock<Arc<ReleaseKey>>,
    /// Whose credentials it has.
    caller: OnceLock<Caller>,
    /// Made for the first line: most requests have none, and a span costs as much as looking for a release does.
    span: OnceLock<Span>,
}

impl Exchange {
    pub(super) fn begin(id: HeaderValue, peer: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            id,
            peer,
            began: Instant::now(),
            release: OnceLock::new(),
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
    pub(super) fn answered(&self, head: &Parts, status: StatusCode) {
        macro_rules! line {
            ($level:ident) => {
                // What is not logged is not worked out.
                if tracing::enabled!(tracing::Level::$level) {
                    self.note_path(head);
                    self.span().in_scope(|| {
                        tracing::event!(
                            tracing::Level::$level,
                            method = %head.method,
                            path = Note::new(head.uri.path()).as_str(),
                            status = status.as_u16(),
                            ms = self.began.elapsed().as_millis(),
                            "answered"
                        );
                    });
                }
            };
        }
        let changed = status.is_success() && !head.method.is_safe();
        if status.is_server_error() {
            line!(WARN);
        } else if changed || [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status) {
            line!(INFO);
        } else {
            line!(DEBUG);
        }
    }

    /// What was refused before it was understood is about the release that its path names.
    fn note_path(&self, head: &Parts) {
        if self.release.get().is_none()
            && let Some(key) = Call::release_of(&head.method, head.uri.path())
        {
            let _ = self.release.set(Arc::new(key));
        }
    }

    fn span(&self) -> &Span {
        self.span.get_or_init(|| {
            // Not less important than any line in it: else that one would be without its request.
            tracing::error_span!(
                "request",
                id = self.id.to_str().unwrap_or_default(),
                peer = %self.peer,
                caller = self.caller.get().and_then(Caller::name),
                release = self.release.get().map(field::display),
            )
        })
    }
}

/// The request that is answered here is about this release: from now on, its lines say so.
pub(super) fn note_release(key: ReleaseKey) -> Arc<ReleaseKey> {
    let key = Arc::new(key);
    // Outside of a request there is nothing to note.
    let _ = CURRENT.try_with(|exchange| exchange.release.set(Arc::clone(&key)));
    key
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
