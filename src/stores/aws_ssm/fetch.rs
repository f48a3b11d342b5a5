//! Fetching parameters: ten names a call, all calls at the same time.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::{ParameterStore, by_names};
use crate::core::json;
use crate::model::error::StoreError;
use crate::model::named::ShownPath;
use crate::model::secret::Secret;
use crate::stores::aws::{self, Ask, Aws};
use crate::stores::document::Document;
use crate::sys::http;

/// The number of names in one call.
const TOGETHER: usize = 10;

/// A parameter's value.
pub struct Parameter(pub Document);

/// The result of reading a name; `None` if the parameter does not exist.
type ParameterRead = Result<Option<Parameter>, StoreError>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ParametersAnswer<'a> {
    #[serde(borrow)]
    parameters: Vec<OneParameter<'a>>,
    #[serde(borrow, default)]
    invalid_parameters: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    next_token: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OneParameter<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(default)]
    last_modified_date: Option<f64>,
}

impl OneParameter<'_> {
    fn parameter(&self) -> Option<Parameter> {
        let since = self.last_modified_date.map(Duration::try_from_secs_f64);
        let written = since.and_then(Result::ok);
        let written = written.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
        let content = json::text(self.value)?;
        Some(Parameter(Document::new(Secret::new(content), written)))
    }
}

fn no_parameter(name: &str) -> StoreError {
    StoreError::unusable(ShownPath(name), "the answer is no parameter")
}

/// True if a name must be asked for alone. The answer gives another name to a parameter with a
/// version or an ARN. Names that lead to another service also go one a call.
fn is_alone(name: &str) -> bool {
    name.contains(':') || name.starts_with("/aws/")
}

impl ParameterStore {
    /// Fetches parameters that were not fetched yet, each once.
    ///
    /// # Errors
    /// The fault that keeps all parameters from being read.
    pub fn fetch_names(&self, mut names: Vec<String>) -> Result<(), StoreError> {
        names.sort_unstable();
        names.dedup();
        names.retain(|name| !self.known().contains_key(name));
        if names.is_empty() {
            return Ok(());
        }
        let (alone, together): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| is_alone(name));
        let calls: Vec<_> = together
            .chunks(TOGETHER)
            .map(<[_]>::to_vec)
            .chain(alone.into_iter().map(|name| vec![name]))
            .collect();
        let questions = self.questions(&calls)?;
        let count = calls.iter().map(Vec::len).sum();
        let ask = || self.take_all(calls, &questions);
        let read = self.remote.timed((count, "parameters"), ask)?;
        self.known().extend(read);
        Ok(())
    }

    /// Reads the parameters of calls, singly where a call of several is refused.
    fn take_all(
        &self,
        calls: Vec<Vec<String>>,
        questions: &[Ask],
    ) -> Result<Vec<(String, ParameterRead)>, StoreError> {
        let answers = Aws::round(&self.remote, questions)?;
        let (mut read, mut singly) = (Vec::new(), Vec::new());
        for (call, answer) in calls.into_iter().zip(answers) {
            let answer = answer?;
            // OneParameter that is denied, or none of AWS' names, has all of them refused.
            match answer.status >= 400 && call.len() > 1 {
                true => {
                    let error = refused(&answer, &call[0]);
                    if error.is_of_all() {
                        return Err(error);
                    }
                    singly.extend(call.into_iter().map(|name| vec![name]));
                }
                false => read.extend(take(&answer, call)?),
            }
        }
        if !singly.is_empty() {
            let answers = Aws::round(&self.remote, &self.questions(&singly)?)?;
            for (call, answer) in singly.into_iter().zip(answers) {
                read.extend(take(&answer?, call)?);
            }
        }
        Ok(read)
    }

    fn questions(&self, calls: &[Vec<String>]) -> Result<Vec<Ask>, StoreError> {
        let question = |call: &Vec<String>| {
            let first = call.first().map(String::as_str).unwrap_or_default();
            self.ask_in(first, "GetParameters", by_names(call))
        };
        calls.iter().map(question).collect()
    }

    /// Lists the names below paths, or the reason why they can't be listed. Parameters directly
    /// below a path are then known with their values.
    ///
    /// # Errors
    /// The fault that keeps all paths from being listed.
    pub fn list(
        &self,
        paths: &[String],
        deep: bool,
    ) -> Result<Vec<Result<Vec<String>, StoreError>>, StoreError> {
        let mut listed: Vec<Result<Vec<String>, StoreError>> =
            paths.iter().map(|_| Ok(vec![])).collect();
        // The token from which each listing goes on.
        let mut next: BTreeMap<usize, Option<String>> =
            (0..paths.len()).map(|at| (at, None)).collect();
        while !next.is_empty() {
            let mut questions = Vec::with_capacity(next.len());
            for (&at, token) in &next {
                let mut body = json!({
                    "Path": paths[at], "Recursive": deep, "WithDecryption": !deep,
                    "MaxResults": TOGETHER,
                });
                if let Some(token) = token {
                    body["NextToken"] = token.as_str().into();
                }
                questions.push(self.ask_in("", "GetParametersByPath", body)?);
            }
            let answers = Aws::round(&self.remote, &questions)?;
            let places: Vec<_> = next.keys().copied().collect();
            next.clear();
            for (at, answer) in places.into_iter().zip(answers) {
                let answer = answer?;
                if answer.status >= 400 {
                    let right = "ssm:GetParametersByPath";
                    let trouble = aws::trouble(&answer, &paths[at], right);
                    if trouble.is_of_all() {
                        return Err(trouble);
                    }
                    listed[at] = Err(trouble);
                    continue;
                }
                let said: ParametersAnswer<'_> = serde_json::from_slice(answer.body.expose())
                    .map_err(|_| no_parameter(&paths[at]))?;
                for one in &said.parameters {
                    if !deep {
                        self.known()
                            .insert(one.name.to_string(), Ok(one.parameter()));
                    }
                    if let Ok(listed) = &mut listed[at] {
                        listed.push(one.name.to_string());
                    }
                }
                if let Some(token) = said.next_token.filter(|token| !token.is_empty()) {
                    next.insert(at, Some(token.into_owned()));
                }
            }
        }
        Ok(listed)
    }
}

fn refused(answer: &http::Answer, name: &str) -> StoreError {
    aws::trouble(answer, name, "ssm:GetParameters")
}

/// Reads the results for the names of a call from its answer.
///
/// # Errors
/// The fault that concerns all names: the identity is not admitted.
fn take(
    answer: &http::Answer,
    call: Vec<String>,
) -> Result<Vec<(String, ParameterRead)>, StoreError> {
    let is_single = call.len() == 1;
    if answer.status >= 400 {
        let read = |name: String| {
            let read = match aws::code(answer) {
                Some("ParameterNotFound" | "ParameterVersionNotFound") => Ok(None),
                _ => match refused(answer, &name) {
                    error if error.is_of_all() => return Err(error),
                    error => Err(error),
                },
            };
            Ok((name, read))
        };
        return call.into_iter().map(read).collect();
    }
    let said: ParametersAnswer<'_> =
        serde_json::from_slice(answer.body.expose()).map_err(|_| no_parameter(&call[0]))?;
    let read = |name: String| {
        let mut all = said.parameters.iter();
        let found = match is_single {
            true => all.next(),
            false => all.find(|one| one.name == *name),
        };
        let read = match found {
            Some(one) => one.parameter().map(Some).ok_or_else(|| no_parameter(&name)),
            None if said.invalid_parameters.iter().any(|one| *one == *name) => Ok(None),
            None => Err(no_parameter(&name)),
        };
        (name, read)
    };
    Ok(call.into_iter().map(read).collect())
}
