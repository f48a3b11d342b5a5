//! Lets the first request of a round connect before the others start. They find its connection, and
//! share it if the server speaks HTTP/2. Each would make its own otherwise: three handshakes where
//! one is enough.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

use tokio::sync::Notify;
use tokio::task::yield_now;
use tower::{Layer, Service};

/// The number of times that waiting requests let others go first. A few steps of another task lie
/// between a connection and its place in the pool.
const TURNS: usize = 8;

/// A gate that opens as soon as the first connection has been made, or could not be.
#[derive(Default)]
pub struct Gate {
    is_open: AtomicBool,
    opened: Notify,
}

impl Gate {
    /// Waits until the gate is open.
    pub async fn pass(&self) {
        let opened = self.opened.notified();
        if !self.is_open() {
            opened.await;
            for _ in 0..TURNS {
                yield_now().await;
            }
        }
    }

    /// True if the gate is open.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Relaxed)
    }

    /// Opens the gate, for good.
    pub fn open(&self) {
        self.is_open.store(true, Relaxed);
        self.opened.notify_waiters();
    }
}

/// A layer that has a connector open the gate.
#[derive(Clone)]
pub struct Opening(pub Arc<Gate>);

impl<S> Layer<S> for Opening {
    type Service = Opener<S>;

    fn layer(&self, inner: S) -> Opener<S> {
        let gate = Arc::clone(&self.0);
        Opener { inner, gate }
    }
}

/// A connector that opens the gate.
#[derive(Clone)]
pub struct Opener<S> {
    inner: S,
    gate: Arc<Gate>,
}

impl<S: Service<R>, R> Service<R> for Opener<S>
where
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let connecting = self.inner.call(target);
        let gate = Arc::clone(&self.gate);
        Box::pin(async move {
            let connected = connecting.await;
            gate.open();
            connected
        })
    }
}
