//! For examples, tests and benchmarks: an API in memory, and the client's side of a signature.

mod memory;
mod signer;

pub use memory::Memory;
pub use signer::Signer;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

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
