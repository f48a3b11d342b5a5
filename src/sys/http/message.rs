//! Requests, answers, and what an answer means.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};

use crate::model::secret::Secret;

/// The content type of JSON.
pub const JSON: &str = "application/json";

/// The content type of a JSON merge patch (RFC 7396), which changes a part.
pub const MERGE_PATCH: &str = "application/merge-patch+json";

/// The content type of a form's fields.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// A header's name and its value.
pub type Header = (&'static str, Arc<Secret>);

/// One request.
#[derive(Default)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path after the server's address: percent-encoded, with the query.
    pub path: String,
    /// The headers of this request, on top of those that each gets.
    pub headers: Vec<Header>,
    /// The body: its content type, and its bytes.
    pub body: Option<(&'static str, Secret)>,
    /// True if it must not be done twice. It is tried again only if it surely was not done.
    pub once: bool,
}

impl Request {
    /// A request without a body, which may be done twice.
    pub fn new(method: Method, path: String) -> Self {
        Request {
            method,
            path,
            headers: Vec::new(),
            body: None,
            once: false,
        }
    }
}

/// A server's answer.
pub struct Answer {
    /// The status, which is no redirect.
    pub status: u16,
    /// The body.
    pub body: Secret,
    pub(super) headers: HeaderMap,
}

impl Answer {
    /// Returns a header's value, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// True if its content type is JSON.
    pub fn is_json(&self) -> bool {
        let kind = self.header(CONTENT_TYPE.as_str());
        kind.is_some_and(|kind| kind.contains("json"))
    }

    /// Returns the server's time, from its `Date`.
    pub fn date(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.header(DATE.as_str())?).ok()
    }

    /// Returns the pause that the server asks for: `Retry-After` in seconds, or as a date (RFC
    /// 9110, 10.2.3).
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let text = self.header(RETRY_AFTER.as_str())?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let when = httpdate::parse_http_date(text).ok()?;
        when.duration_since(SystemTime::now()).ok()
    }
}

/// The meaning of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The answer counts, whatever it says.
    Counts,
    /// The answer may be another one at the next try.
    Passing {
        /// The reason, on top of its status, if that is known.
        why: Option<&'static str>,
        /// True if nothing was done, so that even a request that must not be done twice is tried
        /// again.
        undone: bool,
    },
}

impl Verdict {
    /// Judges by the status alone: a quota (429) and faults in between or inside (5xx) pass. Of
    /// these, 429 and 503 say that nothing was done (RFC 6585, 4; RFC 9110, 15.6.4).
    pub fn of_status(answer: &Answer) -> Self {
        match answer.status {
            status @ (429 | 500 | 502..=504) => Verdict::Passing {
                why: None,
                undone: matches!(status, 429 | 503),
            },
            _ => Verdict::Counts,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    use super::{Answer, Verdict};
    use crate::model::secret::Secret;

    fn answer(status: u16, headers: &[(&'static str, &'static str)]) -> Answer {
        let header = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        Answer {
            status,
            body: Secret::new(vec![]),
            headers: headers.iter().map(header).collect::<HeaderMap>(),
        }
    }

    #[test]
    fn what_a_status_means() {
        for (status, undone) in [
            (200, None),
            (400, None),
            (403, None),
            (412, None),
            (429, Some(true)),
            (473, None),
            (500, Some(false)),
            (501, None),
            (502, Some(false)),
            (503, Some(true)),
            (504, Some(false)),
        ] {
            let passing = undone.map(|undone| Verdict::Passing { why: None, undone });
            let verdict = Verdict::of_status(&answer(status, &[]));
            assert_eq!(verdict, passing.unwrap_or(Verdict::Counts), "{status}");
        }
    }

    #[test]
    fn what_headers_say() {
        let said = answer(
            200,
            &[
                ("content-type", "application/problem+json"),
                ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
                ("x-own", "yes"),
            ],
        );
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!((said.date(), said.is_json()), (Some(date), true));
        assert_eq!(
            (said.header("X-Own"), said.header("x-other")),
            (Some("yes"), None)
        );
        let silent = answer(200, &[("content-type", "text/html"), ("date", "now")]);
        assert_eq!((silent.date(), silent.is_json()), (None, false));
    }
}
