//! The body of a request, with a time limit.

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use release_http::{Problem, ProblemKind};
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// A body that fails when it is not there as a whole within a time.
pub(super) struct TimedBody {
    body: Incoming,
    limit: Duration,
    /// Runs as soon as there is something to wait for.
    time: Option<Pin<Box<Sleep>>>,
}

impl TimedBody {
    pub(super) fn new(body: Incoming, limit: Duration) -> Self {
        Self { body, limit, time: None }
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let limit = this.limit;
        ready!(this.time.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(context));
        let detail = format!("The body was not complete within {limit:?}, which is the limit: send it faster.");
        Poll::Ready(Some(Err(Problem::new(ProblemKind::Invalid, detail).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
