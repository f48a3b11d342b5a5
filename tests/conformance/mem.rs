//! `mem:`, a store that exists only here: its secrets are in the variable `MEM`, as
//! `SCOPE/NAME=HEX` with blanks between.

use std::sync::Arc;

use doorkey::core::option::{InFile, Opt, value};
use doorkey::model::error::StoreError;
use doorkey::model::name::{Name, Scope};
use doorkey::model::secret::Secret;
use doorkey::stores::{
    Answer, Context, Depth, Here, Kind, Location, NOTHING, Opened, Store, StoreOption, Use, search,
};

const DENY: Opt = value("deny", "SCOPE", "The scope that fails");
const OPTIONS: &[StoreOption] = &[StoreOption::new(DENY, InFile::Always)];

/// Its row of the table.
pub const KIND: Kind = Kind {
    schemes: &["mem"],
    options: OPTIONS,
    splits: true,
    variables: &[(Use::Secret, &["MEM"])],
    open,
    ..NOTHING
};

struct Mem(Arc<Context>);

fn open(place: &str, context: &Arc<Context>) -> Opened {
    match place {
        "" => Ok(Box::new(Mem(Arc::clone(context)))),
        _ => Err(StoreError::absent("there is no such store").hint("mem: has no place")),
    }
}

#[rustfmt::skip] // A call to a line, as it is shown in the documentation.
impl Store for Mem {
    fn label(&self) -> &str {
        &self.0.label
    }

    fn locate(&self, scope: &Scope, name: &Name) -> Result<Location, StoreError> {
        Ok(Location { path: scope.to_string(), key: Some(name.to_string()), version: None })
    }

    fn fetch(&self, questions: &[Vec<Location>], _: Depth) -> Result<Vec<Answer>, StoreError> {
        let all = self.0.credential("MEM").map_or(&[][..], Secret::expose);
        let look = |Location { path, key, .. }: &Location| {
            if self.0.said("deny") == Some(path) {
                return Err(StoreError::denied(format!("no right to {path}")).hint("say another ?deny"));
            }
            let before = format!("{path}/{}=", key.as_deref().unwrap_or_default());
            let mut entries = all.split(|&byte| byte == b' ');
            let digits = entries.find_map(|entry| entry.strip_prefix(before.as_bytes()));
            let byte = |two: &[u8]| u8::from_str_radix(str::from_utf8(two).ok()?, 16).ok();
            let value = digits.and_then(|digits| digits.chunks(2).map(byte).collect());
            Ok(Here::value(value.map(Secret::new)))
        };
        Ok(questions.iter().map(|question| search(question, look)).collect())
    }
}
