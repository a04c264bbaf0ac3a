//! For examples, tests and benchmarks: an API in memory, the client's side of a signature, and routing alone.

mod memory;
mod signer;

pub use memory::Memory;
pub use signer::Signer;

use crate::Operation;
use crate::route::Route;
use http::Method;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// What a router does, and no more: which operation a method and a path name, and the ids of the mesh, the namespace and the
/// release as they stand in the path, unchecked; empty where the path has none.
pub fn route<'a>(method: &Method, path: &'a str) -> Option<(Operation, [&'a str; 3])> {
    let Route { operation, mesh, namespace, release } = Route::find(method, path).ok()?;
    Some((operation, [mesh, namespace, release]))
}

/// Runs a future that needs no runtime, as those of [`Memory`] do, to its end.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
        std::thread::yield_now();
    }
}
