//! A machine where names are never resolved: a network of its own with nothing but loopback, and
//! a DNS server there that hears everything and says nothing.

use std::fs;
use std::net::UdpSocket;
use std::process::Command;
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use support::Place;

/// Does something, and what it starts is on that machine. Gives its result, and how often the
/// DNS server was asked.
pub fn machine<T: Send>(act: impl FnOnce() -> T + Send) -> (T, usize) {
    let place = Place::new();
    let file = place.write("resolv.conf", "nameserver 127.0.0.1\n");
    // The namespaces are this thread's alone, and its children's.
    thread::scope(|scope| {
        let machine = scope.spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("root");
            let none = None::<&str>;
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(none, "/", none, private, none).unwrap();
            mount(
                Some(&file),
                "/etc/resolv.conf",
                none,
                MsFlags::MS_BIND,
                none,
            )
            .unwrap();
            let up = Command::new("ip")
                .args(["link", "set", "lo", "up"])
                .status();
            assert!(up.expect("ip is needed (iproute2)").success());
            assert_eq!(
                fs::read("/etc/resolv.conf").unwrap(),
                b"nameserver 127.0.0.1\n"
            );
            let server = UdpSocket::bind("127.0.0.1:53").unwrap();
            let result = act();
            server.set_nonblocking(true).unwrap();
            let mut asked = 0;
            while server.recv(&mut [0; 512]).is_ok() {
                asked += 1;
            }
            (result, asked)
        });
        machine.join().expect("the machine works")
    })
}
