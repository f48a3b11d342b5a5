//! The questions and changes that the page asks for, on a store that is opened for each of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use serde_json::{Map, Value, json};

use super::query::Query;
use super::{Console, held};
use crate::core::gate::Route;
use crate::core::scope::Scopes;
use crate::engine::assemble;
use crate::engine::check::{self, Row};
use crate::engine::fetch::{self, Located};
use crate::engine::fill;
use crate::engine::imported;
use crate::engine::managed::{self, Listed, Managed};
use crate::engine::manifests::Manifests;
use crate::engine::open_stores::Stores;
use crate::engine::sources::Sources;
use crate::engine::specs::Outside;
use crate::model::error::{Error, StoreError};
use crate::model::escape::Shown;
use crate::model::name::{Name, Scope};
use crate::model::named::Named;
use crate::model::secret::Secret;
use crate::stores::{self, Access, Answer, Depth, How, Member};

/// The reason why nothing is answered, and the field of the page that is at fault, or none.
pub struct Fault {
    /// The error.
    pub error: Error,
    /// The field's name; empty if it is none.
    pub field: &'static str,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault { error, field: "" }
    }
}

impl Fault {
    /// The status of HTTP: 422 for what the person can put right, 502 for the store's.
    pub fn status(&self) -> u16 {
        match &self.error {
            Error::Store { .. } if self.field.is_empty() => 502,
            _ => 422,
        }
    }
}

/// Tells which field an error is about.
fn of(field: &'static str) -> impl Fn(Error) -> Fault {
    move |error| Fault { error, field }
}

/// Tells that an error is about the name if it exists already, or does not exist.
fn of_name(error: Error) -> Fault {
    let is_of_name = |trouble: &StoreError| trouble.is_no_secret() || trouble.is_taken();
    let field = match &error {
        Error::Store { trouble, .. } if is_of_name(trouble) => "name",
        _ => "",
    };
    Fault { error, field }
}

impl Console {
    /// Answers a request.
    pub(super) fn operate(
        &self,
        route: Route,
        query: &Query,
        body: Secret,
    ) -> Result<Value, Fault> {
        match route {
            Route::Scope => self.scope(query),
            Route::Overview => self.overview(query),
            Route::Holders => self.holders(query),
            Route::Readers => self.readers(),
            Route::Write => self.write(query, body),
            Route::Delete => self.delete(query),
            Route::Plan => self.plan(query, &body),
            Route::Import => self.import(query, &body),
            Route::Check => self.check(query, body),
            _ => self.state(),
        }
    }

    fn access(&self) -> Arc<Access> {
        let deadline = Instant::now() + self.settings.timeout;
        Arc::new(self.settings.access.renewed(deadline))
    }

    fn open(&self) -> Result<Managed, Error> {
        let store = stores::open(&self.settings.location, &self.access())?;
        Ok(Managed { store })
    }

    /// Adds a change to the list of the session.
    fn did(&self, sentence: String) -> Value {
        let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        held(&self.done).push(json!({"at": time, "what": sentence}));
        json!({"done": sentence})
    }

    fn state(&self) -> Result<Value, Fault> {
        let target = self.open()?;
        let scopes = &self.settings.scopes;
        let id = |id: &Option<Name>| id.as_ref().map(Name::as_str).unwrap_or_default().to_owned();
        Ok(json!({
            "store": target.store.label(),
            "writes": target.store.writer().is_some(),
            "readers": target.store.recipients().is_some(),
            "scopes": shown(&target.scopes()?),
            "project": id(&scopes.project),
            "cluster": id(&scopes.cluster),
            "done": &*held(&self.done),
        }))
    }

    fn scope(&self, query: &Query) -> Result<Value, Fault> {
        let scope = scope(query)?;
        let listed = self.open()?.list(&scope)?;
        let row = |one: &Listed| -> Map<String, Value> {
            let fields = ["name", "size", "created", "modified"].iter();
            let fields = fields.map(|field| ((*field).to_owned(), one.json(field)));
            let trouble = one.trouble.as_ref().map(StoreError::to_string);
            fields
                .chain([("trouble".to_owned(), json!(trouble))])
                .collect()
        };
        Ok(json!({"rows": listed.iter().map(row).collect::<Vec<_>>()}))
    }

    /// Lists the names in force, and for each the scopes that have it, the one that wins first.
    fn overview(&self, query: &Query) -> Result<Value, Fault> {
        let target = self.open()?;
        let scopes = in_force(query)?.in_force();
        let found = target.store.names(&scopes);
        let found = found.map_err(|trouble| target.error(None, trouble))?;
        let mut names = BTreeSet::new();
        let mut lists = Vec::new();
        for (scope, list) in scopes.iter().zip(found) {
            let fail = |trouble| target.error(Some(scope.to_string()), trouble);
            let list: BTreeSet<Name> = list.map_err(fail)?.into_iter().collect();
            names.extend(list.iter().cloned());
            lists.push(list);
        }
        let row = |name: &Name| {
            let has = lists
                .iter()
                .enumerate()
                .filter(|(_, list)| list.contains(name));
            json!({"name": name.as_str(), "in": has.map(|(at, _)| at).collect::<Vec<_>>()})
        };
        let rows: Vec<_> = names.iter().map(row).collect();
        Ok(json!({"scopes": shown(&scopes), "rows": rows}))
    }

    /// Lists every scope that has a name.
    fn holders(&self, query: &Query) -> Result<Value, Fault> {
        let (target, name) = (self.open()?, name(query)?);
        let mut scopes = target.scopes()?;
        let fail = |trouble| target.secret_error(&Scope::Team, &name, trouble);
        let locations = scopes.iter().map(|scope| target.store.locate(scope, &name));
        let locations = locations.map(|one| one.map(|one| vec![one]));
        let locations = locations.collect::<Result<Vec<_>, _>>().map_err(fail)?;
        let answers = target.store.fetch(&locations, Depth::Names).map_err(fail)?;
        let mut has = answers.iter().map(|one| matches!(one, Answer::Found(..)));
        scopes.retain(|_| has.next() == Some(true));
        Ok(json!({"scopes": shown(&scopes)}))
    }

    /// Lists who can read the store, and each scope that has a list of its own.
    fn readers(&self) -> Result<Value, Fault> {
        let target = self.open()?;
        let none = || target.error(None, stores::no_lists());
        let lists = target.store.recipients().ok_or_else(none)?;
        let of_store = lists.list(None);
        let of_store = of_store.map_err(|trouble| target.error(None, trouble))?;
        let people = |list: &[Member]| -> Vec<String> {
            let named = |one: &Member| match &one.name {
                Some(name) => format!("{name}: {}", one.recipient),
                None => one.recipient.clone(),
            };
            list.iter().map(named).collect()
        };
        let mut all = vec![json!({"scope": null, "recipients": people(&of_store)})];
        // A scope's own list may be the same as the store's.
        let keys: Vec<String> = of_store.iter().map(|one| one.recipient.clone()).collect();
        let naming = lists.naming(&keys, false);
        let naming = naming.map_err(|trouble| target.error(None, trouble))?;
        let is_own = |scope: &Scope| naming.iter().any(|(one, _)| one.as_ref() == Some(scope));
        for scope in target.scopes()? {
            let fail = |trouble| target.error(Some(scope.to_string()), trouble);
            let list = lists.list(Some(&scope)).map_err(fail)?;
            if list != of_store || is_own(&scope) {
                all.push(json!({"scope": scope.to_string(), "recipients": people(&list)}));
            }
        }
        Ok(json!({"lists": all}))
    }

    fn write(&self, query: &Query, mut value: Secret) -> Result<Value, Fault> {
        let (scope, name) = (scope(query)?, name(query)?);
        let how = match query.get("how") {
            "create" => How::Create,
            _ => How::Update,
        };
        let target = self.open()?;
        target.judge_name(&scope, &name, how).map_err(of("name"))?;
        if query.get("raw") != "1" && value.expose().ends_with(b"\n") {
            value = Secret::new(value.expose()[..value.len() - 1].to_vec());
        }
        managed::judge_value(&value).map_err(of("value"))?;
        let done = target.write(&scope, &name, value, how).map_err(of_name)?;
        Ok(self.did(done.log()))
    }

    fn delete(&self, query: &Query) -> Result<Value, Fault> {
        let (scope, name) = (scope(query)?, name(query)?);
        let done = self.open()?.delete(&scope, &name).map_err(of_name)?;
        Ok(self.did(done.log()))
    }

    /// Shows the names that a dotenv file would change.
    fn plan(&self, query: &Query, text: &Secret) -> Result<Value, Fault> {
        let scope = scope(query)?;
        let (values, empty) = assignments(text.expose())?;
        let existing = self.open()?.existing(&scope, &values)?;
        let row = |(name, _): &(Name, Secret)| {
            let change = match existing.contains(name) {
                true => "overwrite",
                false => "create",
            };
            json!({"name": name.as_str(), "change": change})
        };
        let skipped = |name: &Name| json!({"name": name.as_str(), "change": "skipped"});
        let shown = |name: &&Name| imported::is_shown(name.as_str().as_bytes());
        let skipped = empty.iter().filter(shown).map(skipped);
        let rows: Vec<_> = values.iter().map(row).chain(skipped).collect();
        Ok(json!({"items": rows}))
    }

    /// Stores the chosen names of a dotenv file, if no name has come or gone since the person saw
    /// the list. The first line of the body is the choice, which may be long.
    fn import(&self, query: &Query, body: &Secret) -> Result<Value, Fault> {
        let scope = scope(query)?;
        let mut parts = body.expose().splitn(2, |&byte| byte == b'\n');
        let choice = parts.next().unwrap_or_default();
        let choice: Value = serde_json::from_slice(choice).unwrap_or_default();
        let chosen = |change: &str| -> BTreeSet<&str> {
            let names = choice[change].as_array().into_iter().flatten();
            names.filter_map(Value::as_str).collect()
        };
        let (create, overwrite) = (chosen("create"), chosen("overwrite"));
        let (mut values, _) = assignments(parts.next().unwrap_or_default())?;
        values.retain(|(name, _)| {
            create.contains(name.as_str()) || overwrite.contains(name.as_str())
        });
        let target = self.open()?;
        let existing = target.existing(&scope, &values)?;
        let mut names = values.iter().map(|(name, _)| name);
        let is_changed =
            |name: &&Name| existing.contains(*name) != overwrite.contains(name.as_str());
        if let Some(name) = names.find(is_changed) {
            let what = format!("{name} in {scope} was changed meanwhile; import the file again");
            return Err(of("text")(Error::Usage(what)));
        }
        if values.is_empty() {
            let what = "there is nothing to store".to_owned();
            return Err(of("text")(Error::Usage(what)));
        }
        target.import(&scope, &values)?;
        Ok(self.did(target.log_import(&scope, values.len(), existing.len())))
    }

    /// Checks the names in a spec, as `doorkey check --names` does.
    fn check(&self, query: &Query, text: Secret) -> Result<Value, Fault> {
        let location = Some(self.settings.location.as_str());
        let sources = Sources {
            clear: true,
            store: location.map(str::to_owned),
            lacks_platform: true,
            ..Sources::default()
        };
        let scopes = in_force(query)?;
        let mut assembled = assemble::assemble(&[], &sources);
        let path = query.get("path");
        let manifests = Manifests {
            specs: vec![],
            path: (!path.is_empty()).then(|| path.to_owned()),
            strict: false,
            literal: vec![],
            outside: Outside {
                known: &|_| None,
                interpolate: false,
                schemes: &stores::schemes(&[]),
                distrust: None,
            },
        };
        let name = Named::from("the text");
        let gathered = manifests.gather_text(&name, text.expose(), &mut assembled);
        let words = std::mem::take(&mut assembled.words);
        let scoped = assembled.has_scoped();
        let mut access = self
            .settings
            .access
            .renewed(Instant::now() + self.settings.timeout);
        access.scopes = scopes.in_force();
        let access = Arc::new(access);
        let stores = Stores::open(location, scoped, &words, &access, &mut assembled.errors);
        let mut fetched = fetch::fetch(Located {
            assembled,
            stores,
            scopes,
            all: false,
            depth: Depth::Names,
            cache: None,
            names: None,
        });
        let shadows = fetched.answers.shadows();
        let mut filling = fill::fill(&fetched);
        let (rows, mut errors) =
            check::check_manifests(&gathered, &fetched, &mut filling, &shadows);
        let entries = filling.finish();
        fetched.errors.append(&mut errors);
        let faults = fetched.complete(entries).err();
        let faults = faults.map(|error| error.lines()).unwrap_or_default();
        let lines: Vec<_> = rows.iter().map(line).collect();
        Ok(json!({"rows": lines, "faults": faults}))
    }
}

/// Makes a row of the table.
fn line(row: &Row) -> Value {
    json!({
        "variable": Shown(&row.variable).to_string(),
        "reference": row.reference,
        "scope": row.scope.as_ref().map(Scope::to_string),
        "shadows": shown(&row.shadows),
        "status": row.status,
    })
}

fn assignments(text: &[u8]) -> Result<imported::Imported, Fault> {
    imported::assignments(text, &Named::from("the text")).map_err(of("text"))
}

fn shown(scopes: &[Scope]) -> Vec<String> {
    scopes.iter().map(Scope::to_string).collect()
}

/// Reads the scope that a request is about.
fn scope(query: &Query) -> Result<Scope, Fault> {
    let rule =
        "an id is letters, digits, '_', '.' and '-', the first a letter, digit or '_', at most 253";
    Scope::parse(query.get("scope")).ok_or_else(|| of("scope")(Error::Usage(rule.to_owned())))
}

/// Reads the name that a request is about.
fn name(query: &Query) -> Result<Name, Fault> {
    let name = Name::new(query.get("name").as_bytes());
    name.ok_or_else(|| of("name")(Error::Usage(managed::NAME_RULE.to_owned())))
}

/// Reads the project and the cluster that are chosen.
fn in_force(query: &Query) -> Result<Scopes, Fault> {
    let id = |level: &'static str| match query.get(level) {
        "" => Ok(None),
        id => match Name::new(id.as_bytes()) {
            Some(id) => Ok(Some(id)),
            None => Err(of(level)(Error::Usage(managed::NAME_RULE.to_owned()))),
        },
    };
    Ok(Scopes {
        project: id("project")?,
        cluster: id("cluster")?,
    })
}
