//! The canaries of a launch from a server, and the search for them.

use support::Run;
use support::search::found;

/// Of a document's member that is asked for, of one that is not, and of an object's.
pub const ASKED: &str = "4sked/7@xV2kQ9pLm3z";
pub const UNASKED: &str = "un4sked/3@Kd82mQxW4z";
pub const INNER: &str = "1nner/5@Jf07Lc3VbE2";
/// What we log in with, and what that gives.
pub const TOKEN: &str = "t0ken-Cg18Bo7Kt0Xr2";
pub const PASSWORD: &str = "passw0rd/9@Pn35Ru8Ys";
pub const GIVEN: &str = "g1ven-Ow71Di0Ax9Ze4";
/// In the user part of an address, and of a proxy's.
pub const ADDRESS: &str = "4ddressEe26Ua5Hj8Qp";
pub const PROXY: &str = "pr0xySv53Nl2FqMi4Wt";
/// In a client's key, in a JWT, in a secret id, on standard input, after a question mark.
pub const KEY: &str = "k3y/Tz94Xk6Mw81Rb0";
pub const JWT: &str = "eyJhbGciOiJub25lIn0.jwTLo2Vd93Gs.x";
pub const SECRET_ID: &str = "s3cretId-Yh65Fn1Ck7";
pub const STDIN: &str = "std1n/Bv39Zu2Jg4Lq6";
pub const TEXT: &str = "t3xt/Rm70Hs8Pd5Ea1";

pub const CANARIES: [&str; 13] = [
    ASKED, UNASKED, INNER, TOKEN, PASSWORD, GIVEN, ADDRESS, PROXY, KEY, JWT, SECRET_ID, STDIN, TEXT,
];

/// Runs it as text and as JSON, and searches what it prints.
#[track_caller]
pub fn says_nothing(what: &str, run: impl Fn() -> Run, fails: bool, more: &[&str]) {
    let searched: Vec<&str> = CANARIES.iter().chain(more).copied().collect();
    for format in ["text", "json"] {
        let run = run()
            .env("DOORKEY_LOG_LEVEL", "trace")
            .env("DOORKEY_LOG_FORMAT", format)
            .env("DOORKEY_TIMEOUT", if fails { "700ms" } else { "20s" });
        let ended = run.end();
        let text = [&ended.output.stdout[..], &ended.output.stderr].concat();
        let shown = String::from_utf8_lossy(&text).into_owned();
        assert_eq!(found(&text, &searched), [""; 0], "{what}: {shown}");
        assert_eq!(ended.code() != 0, fails, "{what}: {shown}");
        assert!(!shown.contains("internal error"), "{what}: {shown}");
    }
}

/// A launch with every kind of reference.
pub fn referring(run: Run) -> Run {
    run.env("A", "secret:asked")
        .env("B", "secret:object#inner|base64")
        .env("C", format!("x${{secret:none?{TEXT}}}"))
        .env("D", format!("secret:none?{TEXT}"))
}
