//! `doorkey secret get` and `list`: show facts about secrets.

use std::process::ExitCode;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::options::Options;
use super::output::{print, print_json};
use super::own_flags;
use super::store_and_scope::{ScopeTarget, name};
use super::table::{NOTHING, table};
use crate::engine::managed::{FIELDS, Listed};
use crate::model::error::{Error, StoreError};
use crate::model::log;
use crate::stores::{Depth, Member};
use crate::sys::terminal;

impl Listed {
    /// Returns a field for people.
    fn text(&self, field: &str) -> String {
        let record = self.record.as_ref();
        let json = match field {
            "recipients" => json!(record.and_then(Listed::recipients(Member::shown))),
            field => self.json(field),
        };
        match json {
            Value::Null => NOTHING.to_owned(),
            Value::String(text) => text,
            Value::Array(items) => items
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(","),
            other => other.to_string(),
        }
    }

    /// Returns the text for `--after` with which a list goes on after this row.
    fn cursor(&self) -> String {
        format!("{}/{}", self.scope, self.name)
    }
}

/// Shows the facts about one secret, and its value with `--reveal`.
///
/// # Errors
/// A usage error, or the reason why the secret can't be read.
pub fn get(options: &mut Options) -> Result<ExitCode, Error> {
    let name = name(options)?;
    let target = ScopeTarget::open(options, options.flag(&own_flags::REVEAL))?;
    let scope = target.scope(options)?;
    let fail = |trouble| target.secret_error(&scope, &name, trouble);
    let record = target.store.record(&scope, &name).map_err(fail)?;
    let record = record.ok_or_else(|| fail(StoreError::no_secret()))?;
    let item = Listed {
        scope: scope.clone(),
        name: name.clone(),
        record: Some(record),
        trouble: None,
    };
    let mut shown: serde_json::Map<String, Value> = FIELDS
        .iter()
        .map(|field| ((*field).to_owned(), item.json(field)))
        .collect();
    if options.flag(&own_flags::REVEAL) {
        let found = target.find(&scope, &name, Depth::Values);
        let found = found.map_err(|trouble| target.error(None, trouble))?;
        let value = found.map_err(fail)?.and_then(|found| found.value);
        let value = value.ok_or_else(|| fail(StoreError::no_secret()))?;
        if !options.flag(&own_flags::JSON) {
            let end: &[u8] = if terminal::is_shown() { b"\n" } else { b"" };
            return print(&[value.expose(), end].concat());
        }
        match str::from_utf8(value.expose()) {
            Ok(text) => shown.insert("value".to_owned(), json!(text)),
            Err(_) => shown.insert(
                "valueBase64".to_owned(),
                json!(BASE64_STANDARD.encode(value.expose())),
            ),
        };
    }
    if options.flag(&own_flags::JSON) {
        return print_json(&Value::Object(shown));
    }
    let lines = FIELDS
        .iter()
        .map(|field| format!("{:11} {}\n", format!("{field}:"), item.text(field)));
    print(lines.collect::<String>().as_bytes())
}

/// Lists secrets, without values.
///
/// # Errors
/// A usage error, or the reason why a scope can't be listed.
pub fn list(options: &mut Options) -> Result<ExitCode, Error> {
    let fields = fields(options)?;
    let order = match options.text(&own_flags::ORDER_BY)?.unwrap_or("name") {
        "name" => "name",
        "created" => "created",
        "modified" => "modified",
        _ => return Err(options.usage(&own_flags::ORDER_BY, "must be name, created or modified")),
    };
    let limit = match options.text(&own_flags::LIMIT)? {
        None => usize::MAX,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| *limit > 0)
            .ok_or_else(|| options.usage(&own_flags::LIMIT, "must be a number above zero"))?,
    };
    let target = ScopeTarget::open(options, false)?;
    let scopes = match options.flag(&own_flags::ALL_SCOPES) {
        true => target.scopes()?,
        false => vec![target.scope(options)?],
    };
    let mut items = Vec::new();
    for scope in scopes {
        for item in target.list(&scope)? {
            if let (name, Some(trouble)) = (&item.name, &item.trouble) {
                log::warning!(
                    Fault, reference = name, scope = &scope, kind = trouble.kind();
                    "{name} in {scope}: {trouble}"
                );
            }
            items.push(item);
        }
    }
    let descending = options.flag(&own_flags::DESC) && !options.is_given(&own_flags::ASC);
    sort(&mut items, order, descending);
    let start = match options.text(&own_flags::AFTER)? {
        None => 0,
        Some(after) => {
            let is_it = |item: &Listed| {
                item.cursor() == after
                    || (!options.flag(&own_flags::ALL_SCOPES) && item.name.as_str() == after)
            };
            let at = items.iter().position(is_it);
            at.ok_or_else(|| options.usage(&own_flags::AFTER, "is not in this list (any more)"))?
                + 1
        }
    };
    let page = &items[start..items.len().min(start.saturating_add(limit))];
    let has_more = start + page.len() < items.len();
    let next = page.last().filter(|_| has_more).map(Listed::cursor);
    if options.flag(&own_flags::JSON) {
        let row = |item: &Listed| -> serde_json::Map<String, Value> {
            fields
                .iter()
                .map(|field| ((*field).to_owned(), item.json(field)))
                .collect()
        };
        let rows: Vec<_> = page.iter().map(row).collect();
        return print_json(&json!({"items": rows, "hasMore": has_more, "nextPage": next}));
    }
    let head: Vec<_> = fields.iter().map(|field| field.to_uppercase()).collect();
    let head: Vec<_> = head.iter().map(String::as_str).collect();
    let rows: Vec<Vec<String>> = page
        .iter()
        .map(|item| fields.iter().map(|field| item.text(field)).collect())
        .collect();
    let printed = print(&table(&head, &rows, options.is_colourful()));
    if let Some(next) = next {
        log::info!("there are more: go on with --after {next}");
    }
    printed
}

fn fields(options: &Options) -> Result<Vec<&'static str>, Error> {
    let Some(text) = options.text(&own_flags::FIELDS)? else {
        return Ok(FIELDS[..5].to_vec());
    };
    let known = |field: &str| FIELDS.iter().find(|known| **known == field.trim()).copied();
    let fields: Option<Vec<_>> = text.split(',').map(known).collect();
    fields.ok_or_else(|| {
        options.usage(
            &own_flags::FIELDS,
            &format!("must be some of {}", FIELDS.join(",")),
        )
    })
}

/// Sorts by a field; equal rows by name and scope.
fn sort(items: &mut [Listed], order: &str, descending: bool) {
    let time = |item: &Listed| {
        let record = item.record.as_ref()?;
        if order == "created" {
            record.created
        } else {
            record.modified
        }
    };
    items.sort_by(|one, other| {
        let by_name = (&one.name, &one.scope).cmp(&(&other.name, &other.scope));
        if order == "name" {
            by_name
        } else {
            time(one).cmp(&time(other)).then(by_name)
        }
    });
    if descending {
        items.reverse();
    }
}
