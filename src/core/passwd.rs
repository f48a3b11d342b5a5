//! Users and groups of an image's own `/etc/passwd` and `/etc/group`. Most images have no other
//! source of names, and none is asked.

use thiserror::Error;

/// User, group and further groups of a process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Further groups, sorted.
    pub groups: Vec<u32>,
    /// Name of the user's entry; without one, the number.
    pub name: Vec<u8>,
    /// Home folder, if the user has an entry.
    pub home: Option<Vec<u8>>,
}

impl Account {
    /// Owner of its files: uid and gid.
    pub fn owner(&self) -> (u32, u32) {
        (self.uid, self.gid)
    }
}

/// Part of the account that is unknown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Unknown {
    /// There is no such user.
    #[error("names a user that is not in /etc/passwd; a number needs no entry")]
    User,
    /// There is no such group.
    #[error("names a group that is not in /etc/group; a number needs no entry")]
    Group,
}

/// Id that the kernel's calls take as "leave unchanged".
const NOBODY: u32 = u32::MAX;

/// Finds `USER` or `USER:GROUP`, each a name or a number, in the texts of both files. A name that
/// is all digits is a number.
///
/// Without a GROUP the account has the group of the user's entry, and all groups that list the user.
/// A user without an entry has the group of the same number.
///
/// # Errors
/// The part that is unknown.
pub fn find(wanted: &[u8], passwd: &[u8], group: &[u8]) -> Result<Account, Unknown> {
    let mut parts = wanted.splitn(2, |&byte| byte == b':');
    let user = parts.next().unwrap_or_default();
    let named_group = parts.next();

    let number = number(user);
    let entry = fields(passwd).find(|fields| match number {
        Some(uid) => fields.get(2).and_then(|field| self::number(field)) == Some(uid),
        None => fields[0] == user && !user.is_empty(),
    });
    let of_entry = |at: usize| entry.as_ref()?.get(at).copied();
    let uid = number
        .or_else(|| self::number(of_entry(2)?))
        .ok_or(Unknown::User)?;
    let home = of_entry(5).filter(|home| home.starts_with(b"/"));
    let mut account = Account {
        name: of_entry(0).map_or_else(|| uid.to_string().into_bytes(), <[u8]>::to_vec),
        uid,
        gid: uid,
        groups: vec![],
        home: home.map(<[u8]>::to_vec),
    };
    if let Some(name) = named_group {
        let listed = || {
            let entry = fields(group).find(|fields| fields[0] == name && !name.is_empty())?;
            self::number(entry.get(2)?)
        };
        account.gid = self::number(name).or_else(listed).ok_or(Unknown::Group)?;
        return Ok(account);
    }
    if let Some(gid) = of_entry(3).and_then(self::number) {
        account.gid = gid;
    }
    // Entries without members have an empty text in their place.
    if let Some(name) = of_entry(0).filter(|name| !name.is_empty()) {
        let is_member = |fields: &Vec<&[u8]>| {
            let members = fields.get(3).copied().unwrap_or_default();
            members
                .split(|&byte| byte == b',')
                .any(|member| member == name)
        };
        let gids = fields(group).filter(is_member);
        let gids = gids.filter_map(|fields| self::number(fields.get(2)?));
        account.groups = gids.collect();
        account.groups.retain(|&gid| gid != account.gid);
        account.groups.sort_unstable();
        account.groups.dedup();
    }
    Ok(account)
}

/// True if the user is alone in the group: it is the group of the user's entry, of no other entry,
/// and lists no other member. A user without an entry owns the group of the same number. Group 0
/// is root's own, although system accounts may have it too.
pub fn is_own_group(user: u32, group: u32, passwd: &[u8], groups: &[u8]) -> bool {
    if user == 0 && group == 0 {
        return true;
    }
    let is_at = |fields: &[&[u8]], at: usize, wanted: u32| {
        fields.get(at).and_then(|field| number(field)) == Some(wanted)
    };
    let entries: Vec<_> = fields(passwd).collect();
    let own: Vec<_> = entries.iter().filter(|one| is_at(one, 2, user)).collect();
    let is_of = match own.first() {
        Some(entry) => is_at(entry, 3, group),
        None => user == group,
    };
    let is_another = |one: &&Vec<&[u8]>| is_at(one, 3, group) && !is_at(one, 2, user);
    let is_shared = entries.iter().any(|one| is_another(&one));
    let is_user = |member: &[u8]| member.is_empty() || own.iter().any(|one| one[0] == member);
    let mut listing = fields(groups).filter(|one| is_at(one, 2, group));
    let lists_another = listing.any(|one| {
        let members = one.get(3).copied().unwrap_or_default();
        !members.split(|&byte| byte == b',').all(is_user)
    });
    is_of && !is_shared && !lists_another
}

/// Splits a file into lines and each line into fields.
fn fields(text: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    text.split(|&byte| byte == b'\n')
        .map(|line| line.split(|&byte| byte == b':').collect())
}

fn number(text: &[u8]) -> Option<u32> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = str::from_utf8(text).ok()?.parse().ok()?;
    (number != NOBODY).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::{Unknown, find, is_own_group};

    const PASSWD: &[u8] =
        b"root:x:0:0:root:/root:/bin/sh\n# comment\n\nweb:x:1000:1001:,,,:/srv/web:/bin/sh\n\
        odd:x:7\nbad:x:none:3::/:\n:x:8:9::/:\nnobody:x:65534:65534::/nonexistent:/bin/false";
    const GROUP: &[u8] = b"root:x:0:\nweb:x:1001:\nlog:x:40:web,other\naudio:x:29:other,web\n\
        own:x:1001:web\nodd:x\nshort:x:5:webb";

    #[test]
    fn users_and_groups() {
        type Expected<'a> = (u32, u32, &'a [u32], Option<&'a [u8]>);
        let web: Option<&[u8]> = Some(b"/srv/web");
        let table: &[(&str, Result<Expected<'_>, Unknown>)] = &[
            ("web", Ok((1000, 1001, &[29, 40], web))),
            ("1000", Ok((1000, 1001, &[29, 40], web))),
            ("web:log", Ok((1000, 40, &[], web))),
            ("web:0", Ok((1000, 0, &[], web))),
            ("1000:audio", Ok((1000, 29, &[], web))),
            ("0", Ok((0, 0, &[], Some(b"/root")))),
            ("12345", Ok((12345, 12345, &[], None))),
            ("12345:6", Ok((12345, 6, &[], None))),
            ("odd", Ok((7, 7, &[], None))),
            ("8", Ok((8, 9, &[], Some(b"/")))),
            ("65534", Ok((65534, 65534, &[], Some(b"/nonexistent")))),
            ("bad", Err(Unknown::User)),
            ("none", Err(Unknown::User)),
            ("", Err(Unknown::User)),
            (":0", Err(Unknown::User)),
            ("4294967295", Err(Unknown::User)),
            ("4294967296", Err(Unknown::User)),
            ("-1", Err(Unknown::User)),
            ("web:", Err(Unknown::Group)),
            ("web:none", Err(Unknown::Group)),
            ("web:log:x", Err(Unknown::Group)),
            ("web:4294967295", Err(Unknown::Group)),
        ];
        for (wanted, expected) in table {
            let found = find(wanted.as_bytes(), PASSWD, GROUP);
            let found = found.as_ref().map(|account| {
                let home = account.home.as_deref();
                (account.uid, account.gid, &account.groups[..], home)
            });
            assert_eq!(found, expected.as_ref().copied(), "{wanted}");
        }
        let own = |user, group| is_own_group(user, group, PASSWD, GROUP);
        assert!(own(0, 0) && own(1000, 1001) && own(12345, 12345) && own(65534, 65534));
        assert!(!own(1000, 1000) && !own(1000, 29) && !own(0, 1001) && !own(12345, 6));
        // A member more, and another user's own group.
        assert!(!is_own_group(1000, 1001, PASSWD, b"web:x:1001:web,other"));
        let two = [PASSWD, b"\ntwo:x:2:1001::/:"].concat();
        assert!(!is_own_group(1000, 1001, &two, GROUP));
        assert!(find(b"web", b"", b"").is_err());
        assert_eq!(find(b"5", b"", b"").unwrap().gid, 5);
    }
}
