//! The user at the other end of a connection on this machine.

use std::fs;
use std::io;
use std::net::SocketAddr;

use crate::core::proc::socket_user;
use crate::sys::process;

/// Reads the kernel's table of connections.
///
/// # Errors
/// The system's error.
pub fn table(address: SocketAddr) -> io::Result<String> {
    fs::read_to_string(match address {
        SocketAddr::V4(_) => "/proc/self/net/tcp",
        SocketAddr::V6(_) => "/proc/self/net/tcp6",
    })
}

/// True if the other end is a socket of the user that this process runs as, or of root. Any user of
/// this machine can connect.
pub fn is_ours(own: SocketAddr, other: SocketAddr) -> bool {
    let table = table(own).unwrap_or_default();
    match socket_user(&table, &shown(other), &shown(own)) {
        // A closed socket has no inode, and shows user 0.
        Some((user, has_inode)) => has_inode && [0, process::user()].contains(&user),
        None => false,
    }
}

/// Formats an address as the table has it: each four bytes as one number of this machine.
fn shown(address: SocketAddr) -> String {
    let octets = match address {
        SocketAddr::V4(address) => address.ip().octets().to_vec(),
        SocketAddr::V6(address) => address.ip().octets().to_vec(),
    };
    let words = octets.chunks(4).map(|word| {
        let word = word.try_into().map_or(0, u32::from_ne_bytes);
        format!("{word:08X}")
    });
    format!("{}:{:04X}", words.collect::<String>(), address.port())
}
