//! `vault:` against real servers, and against servers of our own that go wrong.

mod cache;
mod costs;
mod direct;
mod faults;
mod fleet;
mod harness;
mod init;
mod leases;
mod lending;
mod load;
mod logins;
mod memory;
mod memory_fetch;
mod peers;
mod places;
mod proxy;
mod read;
mod redirects;
mod scarce;
mod secrecy;
mod secrecy_faults;
mod server;
mod silent;
mod tls;
mod watch;
mod write;
