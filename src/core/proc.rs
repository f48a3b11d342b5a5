//! Reads the texts of a process in /proc (`man 5 proc`).

use std::ffi::CStr;
use std::ops::Range;

use super::passwd::Account;

/// A process as its `stat` file shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stat {
    /// Name; may hold any bytes.
    pub name: Vec<u8>,
    /// True for a zombie.
    pub has_ended: bool,
    /// PID of the parent; 0 if the parent is in another namespace.
    pub parent: i32,
    /// True until the process has executed a program of its own.
    pub is_fork: bool,
    /// Start time, in clock ticks since boot.
    pub started: u64,
    /// False in the middle of an `execve`: the environment may not be there yet. The kernel sets
    /// the start of the code after the environment.
    pub is_program: bool,
    /// Addresses of its arguments as at its start; zeros for a reader without permission.
    pub arguments: Range<u64>,
    /// Addresses of its environment as at its start.
    pub environment: Range<u64>,
}

/// From the kernel's `linux/sched.h`.
const PF_FORKNOEXEC: u64 = 0x40;

/// Reads a `stat`: `NUMBER (NAME) STATE PARENT …`.
pub fn stat(text: &[u8]) -> Option<Stat> {
    let open = text.iter().position(|&byte| byte == b'(')? + 1;
    let close = text.iter().rposition(|&byte| byte == b')')?;
    let rest = str::from_utf8(&text[close + 1..]).ok()?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // The manual counts them from 1, and the state is the third.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        name: text.get(open..close)?.to_vec(),
        has_ended: ["Z", "X", "x"].contains(fields.first()?),
        parent: field(4)?.try_into().ok()?,
        is_fork: field(9)? & PF_FORKNOEXEC != 0,
        started: field(22)?,
        is_program: field(26)? != 0,
        arguments: field(48)?..field(49)?,
        environment: field(50)?..field(51)?,
    })
}

/// Finds the user at the other end of a connection on this machine, in a table such as
/// `/proc/net/tcp`. `own` and `other` are the addresses of that end as the table shows them. Also
/// says if the end has an inode; one that is closed has none, and shows user 0.
pub fn socket_user(table: &str, own: &str, other: &str) -> Option<(u32, bool)> {
    let mut rows = table.lines().map(|row| row.split_whitespace());
    rows.find_map(|mut fields| {
        let is_it = fields.nth(1)? == own && fields.next()? == other;
        let user = fields.nth(4)?.parse().ok()?;
        let inode = fields.nth(1)?;
        is_it.then_some((user, inode != "0"))
    })
}

/// Reads a thread's `stat`: true if the thread is runnable, or in a wait of the kernel's that no
/// signal ends; and the number of its process's threads. A thread without a share of its processor
/// is runnable.
pub fn activity(text: &[u8]) -> Option<(bool, usize)> {
    let close = text.iter().rposition(|&byte| byte == b')')?;
    let rest = str::from_utf8(&text[close + 1..]).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    // The third field, and the twentieth.
    let state = fields.next()?;
    let threads = fields.nth(16)?.parse().ok()?;
    Some((["R", "D"].contains(&state), threads))
}

impl Stat {
    /// PID of the workload, which a supervisor has in its name: `doorkey:PID`.
    pub fn workload(&self) -> Option<i32> {
        let number = self.name.strip_prefix(b"doorkey:")?;
        str::from_utf8(number).ok()?.parse().ok()
    }

    /// True for an init above a workload.
    pub fn is_init(&self) -> bool {
        let inits: [&[u8]; 9] = [
            b"tini",
            b"tini-static",
            b"docker-init",
            b"podman-init",
            b"dumb-init",
            b"catatonit",
            b"s6-svscan",
            b"systemd",
            b"init",
        ];
        inits.contains(&self.name.as_slice())
    }

    /// True if `cmdline` shows exactly its arguments. A process that writes over their end makes
    /// the kernel show more, into the environment behind them.
    pub fn has_arguments(&self, cmdline: &[u8]) -> bool {
        let length = self.arguments.end.saturating_sub(self.arguments.start);
        cmdline.len() as u64 == length && cmdline.last().is_none_or(|&byte| byte == 0)
    }
}

/// Reads a process's account from its `status`.
pub fn account(status: &[u8]) -> Option<Account> {
    let numbers = |name: &[u8]| {
        let mut lines = status.split(|&byte| byte == b'\n');
        let line = lines.find_map(|line| line.strip_prefix(name))?;
        let words = str::from_utf8(line).ok()?.split_whitespace();
        words
            .map(|word| word.parse().ok())
            .collect::<Option<Vec<u32>>>()
    };
    // Real, effective, saved, and the one for files.
    let effective = |name| numbers(name)?.get(1).copied();
    let mut groups = numbers(b"Groups:")?;
    groups.sort_unstable();
    Some(Account {
        uid: effective(b"Uid:")?,
        gid: effective(b"Gid:")?,
        groups,
        name: vec![],
        home: None,
    })
}

/// Splits an environment block into its `NAME=value` entries, in order. Returns `None` if the
/// process has changed the block: it has empty entries or a part of a title in it.
pub fn entries(block: &[u8]) -> Option<Vec<&CStr>> {
    let entry = |bytes| {
        let entry = CStr::from_bytes_with_nul(bytes).ok()?;
        entry.to_bytes().contains(&b'=').then_some(entry)
    };
    block
        .split_inclusive(|&byte| byte == 0)
        .map(entry)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{account, activity, entries, stat};

    const STAT: &str = "S 1 7 7 0 -1 4194368 5 0 0 0 0 0 0 0 20 0 1 0 4321 0 0 0 \
        1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 100 120 120 200 0\n";

    #[test]
    fn users_of_sockets() {
        const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 100 1 0 100 0 0 10 0
   1: 0100007F:A000 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1001        0 101 1 0 20 4 30 10 -1
   2: 0100007F:1F90 0100007F:A000 01 00000000:00000000 00:00000000 00000000  1000        0 102 1 0 20 4 30 10 -1
   3: 0100007F:A001 0100007F:1F90 06 00000000:00000000 03:00001700 00000000     0        0 0 3 0
   4: broken
";
        let user = |own| super::socket_user(TABLE, own, "0100007F:1F90");
        assert_eq!(user("0100007F:A000"), Some((1001, true)));
        assert_eq!(user("0100007F:A001"), Some((0, false)));
        assert_eq!(user("0100007F:A002"), None);
        assert_eq!(super::socket_user("", "", ""), None);
    }

    #[test]
    fn a_stat_is_read() {
        let read = |name: &str| stat(format!("9 ({name}) {STAT}").as_bytes());
        let found = read("a) S 2 (b\n").unwrap();
        assert_eq!(found.name, b"a) S 2 (b\n");
        assert_eq!((found.parent, found.started), (1, 4321));
        assert!(found.is_fork && !found.has_ended && found.is_program);
        let amid = STAT.replace("0 1 1 0", "0 0 0 0");
        assert!(!stat(format!("9 (a) {amid}").as_bytes()).unwrap().is_program);
        assert_eq!((found.arguments, found.environment), (100..120, 120..200));
        for (name, workload, is_init) in [
            ("doorkey:7", Some(7), false),
            ("doorkey:", None, false),
            ("doorkey:x", None, false),
            ("doorkey", None, false),
            ("tini", None, true),
            ("tinier", None, false),
        ] {
            let found = read(name).unwrap();
            assert_eq!(
                (found.workload(), found.is_init()),
                (workload, is_init),
                "{name}"
            );
        }
        for text in ["", "9 (a", "9 )a( S 1", "9 (a) S 1 2", "9 (a) S x"] {
            assert_eq!(stat(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_activity_of_a_thread_is_read() {
        for (state, is_busy) in [("R", true), ("D", true), ("S", false), ("T", false)] {
            let text = format!("9 (a) R) {state}{}", &STAT[1..]);
            assert_eq!(activity(text.as_bytes()), Some((is_busy, 1)));
        }
        assert_eq!(activity(b"9 (a) R 1 2"), None);
    }

    #[test]
    fn arguments_are_whole_or_not() {
        let found = stat(format!("9 (a) {STAT}").as_bytes()).unwrap();
        for (cmdline, whole) in [
            (&b"a\0bbbbbbbbbbbbbbbbb\0"[..], true),
            (b"title\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", true),
            (b"a long title over all of it\0", false),
            (b"a title of that size", false),
            (b"", false),
        ] {
            assert_eq!(found.has_arguments(cmdline), whole, "{cmdline:?}");
        }
    }

    #[test]
    fn an_account_is_read() {
        let found = account(b"Name:\tx\nUid:\t0\t1000\t2\t3\nGid:\t4\t5\t6\t7\nGroups:\t9 8 \n");
        let found = found.unwrap();
        assert_eq!((found.uid, found.gid, found.groups), (1000, 5, vec![8, 9]));
        let alone = account(b"Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\nGroups:\t\n").unwrap();
        assert!(alone.groups.is_empty());
        assert_eq!(account(b"Uid:\t1\t1\t1\t1\nGroups:\t\n"), None);
    }

    #[test]
    fn a_block_is_whole_or_none() {
        assert_eq!(entries(b""), Some(vec![]));
        assert_eq!(
            entries(b"A=\0B=\xff\n=\0=C=\0"),
            Some(vec![c"A=", c"B=\xff\n=", c"=C="])
        );
        for block in [
            &b"A=1"[..],
            b"\0",
            b"A=1\0\0B=2\0",
            b"itle\0B=2\0",
            b"A=1\0B",
        ] {
            assert_eq!(entries(block), None, "{block:?}");
        }
    }
}
