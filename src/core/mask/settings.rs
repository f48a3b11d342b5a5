//! Secrets in a text of one or more lines: settings, URLs, `user:password`, credentials of HTTP.

use percent_encoding::percent_decode;

/// Takes a part: its name, its text, and whether it may have parts of its own.
type Give<'a> = &'a mut dyn FnMut(&str, &[u8], bool);

/// Ends of names whose values are secret.
const SECRET: [&str; 15] = [
    "password",
    "passwd",
    "pwd",
    "pass",
    "passphrase",
    "secret",
    "token",
    "key",
    "key-data",
    "sig",
    "signature",
    "auth",
    "credential",
    "credentials",
    "session",
];

/// Words before a credential of HTTP.
const SCHEMES: [&str; 3] = ["bearer", "basic", "token"];

/// Shortest piece of a URL's path, in bytes, that may be a secret: that of a web hook.
const SHORTEST_PIECE: usize = 20;

/// Most words that are looked through for a credential.
const WORDS: usize = 1000;

/// Ends of a value without quotes in a list of settings, and others that some lists have.
const ENDS: [&str; 2] = [";&", ";&,#<>\"'`)]}"];

/// Gives the secrets of a text.
pub(super) fn settings(text: &str, give: Give<'_>) {
    urls(text, give);
    if !text.contains('\n') || !assignments(text, give) {
        named(text, give);
    }
    if !text.contains("://") {
        pairs(text, give);
    }
    credentials(text, give);
}

pub(super) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(is_of_name)
}

fn is_of_name(one: char) -> bool {
    one.is_ascii_alphanumeric() || "_-.".contains(one)
}

fn is_space(one: char) -> bool {
    one == ' ' || one == '\t'
}

/// Gives a text as it is, and without percent signs.
fn both(name: &str, text: &str, goes_on: bool, give: Give<'_>) {
    give(name, text.as_bytes(), goes_on);
    let decoded: Vec<u8> = percent_decode(text.as_bytes()).collect();
    if decoded != text.as_bytes() {
        give(name, &decoded, goes_on);
    }
}

/// Gives the passwords of URLs. Without a user, the long pieces of the path.
fn urls(text: &str, give: Give<'_>) {
    for (at, sign) in text.match_indices("://") {
        let rest = &text[at + sign.len()..];
        let ends = |one: char| one.is_whitespace() || "/?#".contains(one);
        let (host, path) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        if let Some((user, _)) = host.rsplit_once('@') {
            match user.split_once(':') {
                Some((_, password)) if !password.is_empty() => {
                    both("password", password, false, give)
                }
                // A token in the place of a user.
                Some((token, _)) => both("user", token, false, give),
                None => both("user", user, false, give),
            }
            continue;
        }
        let ends = |one: char| one.is_whitespace() || "?#\"'<>".contains(one);
        let path = &path[..path.find(ends).unwrap_or(path.len())];
        let pieces = path
            .split('/')
            .filter(|piece| piece.len() >= SHORTEST_PIECE);
        pieces.for_each(|piece| both("path", piece, false, give));
    }
}

/// Gives the values of lines `NAME=value`, where no other lines are there but comments and the
/// names of sections. False if others are.
fn assignments(text: &str, give: Give<'_>) -> bool {
    let (mut all, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(rest.find('\n').unwrap_or(rest.len()));
        let is_section = line.starts_with('[') && line.trim_end().ends_with(']');
        if line.starts_with(['#', ';']) || is_section {
            rest = behind.trim_start();
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            return false;
        };
        let name = name.strip_prefix("export ").unwrap_or(name).trim();
        if !is_name(name) {
            return false;
        }
        let from = rest[line.len() - value.len()..].trim_start_matches(is_space);
        let inside = quoted(from).filter(|(_, behind)| {
            let behind = behind.lines().next().unwrap_or_default().trim();
            behind.is_empty() || behind.starts_with('#')
        });
        rest = match inside {
            Some((inside, behind)) => {
                all.push((name, inside));
                &behind[behind.find('\n').unwrap_or(behind.len())..]
            }
            None => {
                let value = value.trim();
                all.push((name, value));
                all.extend(
                    value
                        .split_once(" #")
                        .map(|(value, _)| (name, value.trim())),
                );
                behind
            }
        }
        .trim_start();
    }
    for (name, value) in all {
        unescaped(value, &mut |value| give(name, value.as_bytes(), true));
    }
    true
}

/// Gives the values of settings whose names are those of secrets, wherever they are: `name=value`,
/// `name: value`, `<name>value<`.
fn named(text: &str, give: Give<'_>) {
    let mut from = 0;
    while let Some(found) = text[from..].find(['=', ':', '>']) {
        let at = from + found;
        from = at + 1;
        let before = text[..at].trim_end_matches(is_space);
        let before = before.strip_suffix(['"', '\'']).unwrap_or(before);
        let name = &before[before.trim_end_matches(is_of_name).len()..];
        let lower = name.to_ascii_lowercase();
        let is_of_url = ["://", ":@"]
            .iter()
            .any(|sign| text[at..].starts_with(sign));
        if is_of_url || !is_name(name) || !SECRET.iter().any(|end| lower.ends_with(end)) {
            continue;
        }
        let value = text[from..].trim_start_matches(|one| is_space(one) || "=:>".contains(one));
        if let Some((inside, behind)) = quoted(value) {
            from = text.len() - behind.len();
            unescaped(inside, &mut |inside| both(name, inside, true, give));
            continue;
        }
        let line = value.lines().next().unwrap_or_default();
        let mut known = Vec::new();
        for ends in ENDS {
            let ends = |one: char| one.is_whitespace() || ends.contains(one);
            known.push(&line[..line.find(ends).unwrap_or(line.len())]);
        }
        from = text.len() - value.len() + known[0].len();
        // The only setting of its line may have any bytes.
        let front = before[..before.len() - name.len()].rsplit('\n').next();
        if front.is_some_and(|front| {
            front
                .chars()
                .all(|one| is_space(one) || "-\"'".contains(one))
        }) {
            known.push(line.trim_end());
        }
        known.sort_unstable();
        known.dedup();
        let known = known.into_iter().filter(|one| !one.is_empty());
        known.for_each(|one| both(name, one, true, give));
    }
}

/// Gives the passwords of lines `user:password`, where no other lines are there.
fn pairs(text: &str, give: Give<'_>) {
    let pair = |line| {
        let (user, rest) = str::split_once(line, ':')?;
        let is_pair =
            is_name(&user.replace(['@', '+'], "_")) && !rest.contains(char::is_whitespace);
        is_pair.then_some(rest)
    };
    let pairs: Option<Vec<&str>> = text.lines().map(pair).collect();
    for rest in pairs.unwrap_or_default() {
        let password = rest.rsplit_once('@').map_or(rest, |(password, _)| password);
        both("password", password, false, give);
        // A line of `.pgpass`.
        if let [_, _, _, password] = rest.split(':').collect::<Vec<_>>()[..] {
            both("password", password, false, give);
        }
    }
}

/// Gives the credential of `Authorization: Bearer …`, and the passwords of `.netrc`.
fn credentials(text: &str, give: Give<'_>) {
    let words: Vec<&str> = text.split_whitespace().take(WORDS).collect();
    let is_netrc = words.first() == Some(&"machine");
    for two in words.windows(2) {
        let before = two[0].to_ascii_lowercase();
        let is_scheme = words.len() <= 3 && SCHEMES.contains(&&*before);
        if is_scheme || is_netrc && before == "password" {
            both(&before, two[1], true, give);
        }
    }
}

/// Splits a text behind what is between quotes, or braces, at its beginning.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let open = text.chars().next()?;
    let close = match open {
        '"' | '\'' => open,
        '{' => '}',
        _ => return None,
    };
    let mut all = text.char_indices().skip(1).peekable();
    while let Some((at, one)) = all.next() {
        let is_doubled = one == close && all.peek().is_some_and(|(_, next)| *next == close);
        if is_doubled || one == '\\' && open != '{' {
            all.next();
        } else if one == close {
            return Some((&text[1..at], &text[at + 1..]));
        }
    }
    None
}

/// Gives what was between quotes as it is, and without its escapes.
fn unescaped(inside: &str, give: &mut dyn FnMut(&str)) {
    give(inside);
    let mut text = String::with_capacity(inside.len());
    let mut all = inside.chars();
    while let Some(one) = all.next() {
        text.push(match one {
            '\\' => match all.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(other) => other,
                None => one,
            },
            _ => one,
        });
    }
    let others = ["\"\"", "''", "}}"].map(|two| inside.replace(two, &two[1..]));
    let mut known = vec![inside];
    for other in [&text].into_iter().chain(&others) {
        if !known.contains(&other.as_str()) {
            known.push(other);
            give(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn has(value: &str, expected: &[(&str, &str)]) {
        let mut found = Vec::new();
        settings(value, &mut |name, part, _| {
            found.push((name.to_owned(), String::from_utf8(part.to_vec()).unwrap()));
        });
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, part)| ((*name).to_owned(), (*part).to_owned()))
            .collect();
        assert_eq!(found, expected, "{value}");
    }

    #[test]
    fn urls_and_pairs() {
        has("https://token@host/path", &[("user", "token")]);
        has("https://token:@host/path", &[("user", "token")]);
        has("redis://:pw@host:6379", &[("password", "pw")]);
        has("https://host:8080/a@b", &[]);
        has(
            "amqp://a:one@h,amqp://a:two@i",
            &[("password", "one"), ("password", "two")],
        );
        has("a: [x, \"redis://:pw@host\"]\nb:", &[("password", "pw")]);
        let hook = "https://host/services/T0000000/B00/0123456789abcdefghij?x=y";
        has(hook, &[("path", "0123456789abcdefghij")]);
        has("admin:a:b", &[("password", "a:b")]);
        has("app:p@ss@tcp(db:3306)/name", &[("password", "p@ss")]);
        has("a text: with spaces", &[]);
        has(
            "h:1:d:u:pw",
            &[("password", "1:d:u:pw"), ("password", "pw")],
        );
        has(
            "a:one\nb:two\n",
            &[("password", "one"), ("password", "two")],
        );
    }

    #[test]
    fn lists_of_settings() {
        let password = [("password", "p w")];
        has("host=db user=app password='p w' sslmode=require", &password);
        has("host = db password = pw", &[("password", "pw")]);
        has(
            "password='it\\'s'",
            &[("password", "it\\'s"), ("password", "it's")],
        );
        has(
            "Server=tcp:host,1433;User ID=app;Password=pw=x;",
            &[("Password", "pw=x")],
        );
        has(
            "AccountName=a;AccountKey=abc==;EndpointSuffix=x",
            &[("AccountKey", "abc==")],
        );
        has("UID=a;PWD={p;w};", &[("PWD", "p;w")]);
        has(
            "UID=a;Password=\"p\"\"w\";",
            &[("Password", "p\"\"w"), ("Password", "p\"w")],
        );
        has(
            "h,password=pw=,ssl=True",
            &[("password", "pw="), ("password", "pw=,ssl=True")],
        );
        has(
            "x?a=b&sig=c%2Fd#e",
            &[
                ("sig", "c%2Fd"),
                ("sig", "c/d"),
                ("sig", "c%2Fd#e"),
                ("sig", "c/d#e"),
            ],
        );
        has("X-Api-Key: pw", &[("X-Api-Key", "pw")]);
        has("'password' => 'pw'", &[("password", "pw")]);
    }

    #[test]
    fn files_of_settings() {
        has(
            "A=one\n# two\nexport B=\"t w o\"\n",
            &[("A", "one"), ("B", "t w o")],
        );
        has("A=one\nnothing\n", &[]);
        has(
            "[a]\nb = one\n; two\n[c]\nd = 'three' # four\n",
            &[("b", "one"), ("d", "three")],
        );
        has(
            "A=one # two\nB=\n",
            &[("A", "one # two"), ("A", "one"), ("B", "")],
        );
        has(
            "A=\"one\ntwo\"\nB=three\n",
            &[("A", "one\ntwo"), ("B", "three")],
        );
        has(
            "A=\"one\\ntwo\"\nB=x\n",
            &[("A", "one\\ntwo"), ("A", "one\ntwo"), ("B", "x")],
        );
        has(
            "a:\n  user: b\n  password: c d;e\n  list: [1]\n",
            &[("password", "c"), ("password", "c d;e")],
        );
        has(
            "- token: \"a b\"\n  key-data: c\n",
            &[("token", "a b"), ("key-data", "c")],
        );
        has("//host/:_authToken=pw", &[("_authToken", "pw")]);
        has("[client]\nquick\npassword=pw\n", &[("password", "pw")]);
        has(
            "<a><password>pw</password></a>",
            &[("password", "pw"), ("password", "pw</password></a>")],
        );
        has(
            "machine h\n  login u\n  password pw\n",
            &[("password", "pw")],
        );
    }

    #[test]
    fn credentials_of_http() {
        has("Bearer pw", &[("bearer", "pw")]);
        has("Authorization: Basic YTpi", &[("basic", "YTpi")]);
        has("a token of our esteem", &[]);
    }
}
