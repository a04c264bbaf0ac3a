//! A server for webhooks.

use super::raw::Wire;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A server that hands on what is posted to it, and answers 200 when that has been dealt with.
#[derive(Debug)]
pub struct Webhook {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Webhook {
    /// Starts one on a free port. `handle` gets the body of each call; it is dropped when the caller goes away.
    pub async fn start<F: Future<Output = ()> + Send + 'static>(
        handle: impl Fn(Vec<u8>) -> F + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        Ok(Self { address, server: tokio::spawn(serve(listener, Arc::new(handle))) })
    }

    /// Where to post to.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve<F: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    handle: Arc<impl Fn(Vec<u8>) -> F + Send + Sync + 'static>,
) {
    // Aborted together with this task.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let handle = Arc::clone(&handle);
        connections.spawn(async move { answer(stream, &*handle).await });
        while connections.try_join_next().is_some() {}
    }
}

/// One call for each connection.
async fn answer<F: Future<Output = ()>>(stream: TcpStream, handle: &impl Fn(Vec<u8>) -> F) -> io::Result<()> {
    let mut wire = Wire::new(stream);
    let request = wire.receive().await?;
    tokio::select! {
        () = handle(request.body) => {}
        () = wire.gone() => return Ok(()),
    }
    wire.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await
}
