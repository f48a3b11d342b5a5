//! The gate of the console: judges a request by its head, before anything of its body is read.
//!
//! Every page that the user has open can send requests to a port of this machine, and every process
//! of this machine can. A browser says which page asks, in `Host`, `Origin` and `Sec-Fetch-Site`,
//! and no page can change that. The token and the session keep out the rest.

/// The name of the header with the link's token.
pub const TOKEN: &str = "doorkey-token";

/// The name of the header with the session's secret.
pub const SESSION: &str = "doorkey-session";

/// The time in which the link must be used, in seconds.
pub const LINK_LASTS: u64 = 120;

/// The number of wrong tokens that ends the console.
pub const MOST_WRONG: u32 = 5;

/// The largest body, in bytes. It is one value.
pub const LARGEST_BODY: usize = 64 * 1024;

/// The largest body that is a file, in bytes.
pub const LARGEST_FILE: usize = 256 * 1024;

/// The matter of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The page.
    Page,
    /// The page's style.
    Style,
    /// The page's script.
    Script,
    /// A session for the token.
    Session,
    /// Facts about the store, and the changes so far.
    State,
    /// The secrets in a scope.
    Scope,
    /// The names in the scopes of a project and a cluster.
    Overview,
    /// The scopes that have a name.
    Holders,
    /// The recipients.
    Readers,
    /// A value to store.
    Write,
    /// A secret to remove.
    Delete,
    /// A dotenv file to look at.
    Plan,
    /// A dotenv file to store.
    Import,
    /// A spec to check.
    Check,
    /// The end of the console.
    End,
}

/// A path with its method, and the largest body.
const ROUTES: [(&str, &str, Route, usize); 15] = [
    ("GET", "/", Route::Page, 0),
    ("GET", "/style.css", Route::Style, 0),
    ("GET", "/script.js", Route::Script, 0),
    ("POST", "/api/session", Route::Session, 0),
    ("GET", "/api/state", Route::State, 0),
    ("GET", "/api/scope", Route::Scope, 0),
    ("GET", "/api/overview", Route::Overview, 0),
    ("GET", "/api/holders", Route::Holders, 0),
    ("GET", "/api/readers", Route::Readers, 0),
    ("POST", "/api/write", Route::Write, LARGEST_BODY),
    ("POST", "/api/delete", Route::Delete, 0),
    ("POST", "/api/plan", Route::Plan, LARGEST_FILE),
    // The choice comes before the file, and is no longer than that.
    ("POST", "/api/import", Route::Import, 2 * LARGEST_FILE),
    ("POST", "/api/check", Route::Check, LARGEST_FILE),
    ("POST", "/api/end", Route::End, 0),
];

impl Route {
    /// True for the page and its files, which hold nothing of the store.
    pub fn is_file(self) -> bool {
        matches!(self, Route::Page | Route::Style | Route::Script)
    }
}

/// The parts of a request's head that are judged. A header that is given twice is the empty text.
#[derive(Clone, Copy, Default)]
pub struct Head<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, without the query.
    pub path: &'a str,
    /// `Host`.
    pub host: Option<&'a [u8]>,
    /// `Origin`.
    pub origin: Option<&'a [u8]>,
    /// `Sec-Fetch-Site`.
    pub site: Option<&'a [u8]>,
    /// `Sec-Fetch-Mode`.
    pub mode: Option<&'a [u8]>,
    /// `Sec-Fetch-Dest`.
    pub dest: Option<&'a [u8]>,
    /// The length of the body in bytes, where the head says it.
    pub length: Option<u64>,
    /// The header [`TOKEN`].
    pub token: Option<&'a [u8]>,
    /// The header [`SESSION`].
    pub session: Option<&'a [u8]>,
}

/// A refusal: the status of HTTP, and the reason.
pub type Refusal = (u16, &'static str);

/// The state of one console.
pub struct Gate {
    host: String,
    token: String,
    session: Option<String>,
    wrong: u32,
}

impl Gate {
    /// Sets up the gate of a console at `host`, as `ADDRESS:PORT`, with the token of its link.
    pub fn new(host: String, token: String) -> Self {
        Gate {
            host,
            token,
            session: None,
            wrong: 0,
        }
    }

    /// Judges a request. Returns its matter, and the largest body that it may have. `age` is the
    /// link's, in seconds.
    ///
    /// # Errors
    /// The refusal. A wrong token counts only if all else is right.
    pub fn judge(&mut self, head: &Head<'_>, age: u64) -> Result<(Route, usize), Refusal> {
        if head.host != Some(self.host.as_bytes()) {
            return Err((421, "this is another host"));
        }
        let origin = format!("http://{}", self.host);
        if head.origin.is_some_and(|from| from != origin.as_bytes()) {
            return Err((403, "another page asks"));
        }
        let of_path = |route: &&(&str, &str, Route, usize)| route.1 == head.path;
        let found = ROUTES.iter().find(of_path);
        let is_file =
            found.is_some_and(|(method, _, route, _)| route.is_file() && *method == head.method);
        // The link itself is followed from the terminal, or from a file of another site.
        let is_top = head.mode == Some(b"navigate") && head.dest == Some(b"document");
        if head.site != Some(b"same-origin") && !(is_file && is_top) {
            return Err((403, "another page asks, or no browser"));
        }
        let (method, _, route, largest) = *found.ok_or((404, "there is no such page"))?;
        if method != head.method {
            return Err((405, "that can't be done here"));
        }
        if head.length.is_some_and(|length| length > largest as u64) {
            return Err((413, TOO_LARGE));
        }
        match route {
            Route::Page | Route::Style | Route::Script => {}
            Route::Session => self.judge_token(head.token.unwrap_or_default(), age)?,
            _ => {
                let own = self.session.as_deref().unwrap_or_default().as_bytes();
                if own.is_empty() || !is_equal(head.session.unwrap_or_default(), own) {
                    return Err((401, "this session is over, or another's"));
                }
            }
        }
        Ok((route, largest))
    }

    fn judge_token(&mut self, token: &[u8], age: u64) -> Result<(), Refusal> {
        if !is_equal(token, self.token.as_bytes()) {
            self.wrong += 1;
            return Err((403, "the token is wrong"));
        }
        match (&self.session, age) {
            (Some(_), _) => Err((409, "the link was used already; start another console")),
            (None, LINK_LASTS..) => Err((410, "the link is too old; start another console")),
            (None, _) => Ok(()),
        }
    }

    /// Begins the session, with its secret. There is only one.
    pub fn begin(&mut self, secret: String) {
        self.session = Some(secret);
    }

    /// True if the session has begun.
    pub fn has_begun(&self) -> bool {
        self.session.is_some()
    }

    /// True if so many tokens were wrong that somebody is guessing.
    pub fn is_attacked(&self) -> bool {
        self.wrong >= MOST_WRONG
    }
}

/// The reason for refusing a body that breaks off, or takes too long.
pub const UNREAD: &str = "the request did not come whole within ten seconds";

/// The reason for refusing a large body.
pub const TOO_LARGE: &str = "that is too large: a value is at most 64 KiB, a file 256 KiB";

/// True if both are equal. The time that it takes tells nothing of the first difference.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differences == 0
}

#[cfg(test)]
mod tests;
