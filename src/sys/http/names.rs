//! Resolves the names of servers.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::oneshot;

/// Resolves names by the C library, which may hang. A thread of its own does that, which nobody
/// waits for. If a limit of processes allows none, this thread does.
pub(super) struct NameLookup {
    /// The host that is resolved in place of any name, if any.
    pub(super) always: Option<String>,
    /// The place of the address that is tried first, modulo their number.
    pub(super) turn: usize,
}

impl Resolve for NameLookup {
    fn resolve(&self, name: Name) -> Resolving {
        let (always, turn) = (self.always.clone(), self.turn);
        let host = always.unwrap_or_else(|| name.as_str().to_owned());
        Box::pin(async move {
            let (sender, receiver) = oneshot::channel();
            let theirs = host.clone();
            // Whoever asked may have given up.
            let ask = move || drop(sender.send(addresses(&theirs)));
            let found = match thread::Builder::new().spawn(ask) {
                Ok(_) => receiver.await?,
                Err(_) => addresses(&host),
            };
            let mut found = found?;
            let first = turn.checked_rem(found.len()).unwrap_or_default();
            found.rotate_left(first);
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn addresses(host: &str) -> io::Result<Vec<SocketAddr>> {
    Ok((host, 0).to_socket_addrs()?.collect())
}
