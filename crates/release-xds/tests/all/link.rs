//! The way from an Envoy to its control plane, which can be cut.

use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub(crate) struct Link {
    pub(crate) address: SocketAddr,
    state: watch::Sender<State>,
    relay: JoinHandle<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    Cut,
    /// After so many more writes, nothing reaches the node any more; what it says still goes through.
    DeafAfter(u32),
}

impl Link {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (state, seen) = watch::channel(State::Whole);
        Self { address: listener.local_addr().unwrap(), state, relay: tokio::spawn(relay(listener, target, seen)) }
    }

    /// Ends all connections, and takes none until it is mended.
    pub(crate) fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// After one more message, the node hears nothing any more, and does not get through anew.
    pub(crate) fn deafen_after_the_next_message(&self) {
        self.state.send_replace(State::DeafAfter(1));
    }

    pub(crate) fn mend(&self) {
        self.state.send_replace(State::Whole);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.relay.abort();
    }
}

async fn relay(listener: TcpListener, target: SocketAddr, mut state: watch::Receiver<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                if *state.borrow() == State::Whole {
                    connections.spawn(carry(stream, target, state.clone()));
                }
            }
            Ok(()) = state.changed() => {
                if *state.borrow_and_update() == State::Cut {
                    connections.abort_all();
                }
            }
        }
    }
}

/// What HTTP/2 says on its own, about windows and settings, is no longer than this, and a message of xDS is.
const OWN_FRAMES: usize = 100;

async fn carry(node: TcpStream, target: SocketAddr, mut state: watch::Receiver<State>) -> io::Result<()> {
    let plane = TcpStream::connect(target).await?;
    node.set_nodelay(true)?;
    plane.set_nodelay(true)?;
    let ((mut from_node, mut to_node), (mut from_plane, mut to_plane)) = (node.into_split(), plane.into_split());
    // Ends with this one.
    let mut said = JoinSet::new();
    said.spawn(async move { copy(&mut from_node, &mut to_plane).await });
    let mut heard = 0;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = tokio::select! {
            read = from_plane.read(&mut buffer) => read?,
            _ = said.join_next() => return Ok(()),
        };
        if read == 0 {
            return Ok(());
        }
        if state.has_changed().unwrap_or(false) {
            state.mark_unchanged();
            heard = 0;
        }
        let deaf = matches!(*state.borrow(), State::DeafAfter(most) if heard >= most);
        heard += u32::from(read > OWN_FRAMES);
        if !deaf {
            to_node.write_all(buffer.get(..read).unwrap_or_default()).await?;
        }
    }
}
