//! The configuration as a snapshot keeps it.

use super::schema::Key;
use super::value::{Kind, Raw, Value};
use super::values::{Given, Values};
use super::{schema, units};
use serde_json::{Map, Value as Json, json};

/// A JSON object with the file's tables, from which a new machine can write its file again.
///
/// It holds no secret: keys and tokens are no settings, an endpoint has no credentials, and
/// `[notify]`, whose addresses are often secrets themselves, is left out. What is meant for one
/// run alone is left out too.
pub(super) fn of(values: &Values) -> Json {
    let mut record = json!({});
    for (id, given) in values.iter() {
        let Some(key) = schema::find(id) else {
            continue;
        };
        let is_override =
            given.is_from_flag() && matches!(id, "sync.max_delete" | "sync.max_change");
        let is_private = key.kind == Kind::Hidden || key.section() == "notify";
        if key.scope == schema::Scope::OneRun || is_private || is_override {
            continue;
        }
        match place_of(key, &mut record) {
            Some(table) => _ = table.insert(key.name().to_owned(), show(given)),
            None => return Json::Null,
        }
    }
    record
}

/// The table of a record that a key belongs into, made where it is missing.
pub(super) fn place_of<'r>(key: &Key, record: &'r mut Json) -> Option<&'r mut Map<String, Json>> {
    let mut table = record.as_object_mut()?;
    for part in key.section().split('.').filter(|part| !part.is_empty()) {
        let next = table.entry(part).or_insert_with(|| json!({}));
        table = next.as_object_mut()?;
    }
    Some(table)
}

fn show(given: &Given) -> Json {
    match (&given.value, &given.raw) {
        (Value::Endpoint(endpoint), _) => json!(endpoint.text),
        (Value::Target(target), _) => json!(target.to_string()),
        (Value::Path(path), _) => json!(path.to_string_lossy()),
        (Value::Switch(value), _) => json!(value),
        (Value::Patterns(patterns), _) => json!(patterns),
        (Value::Duration(duration), _) => json!(units::show_duration(*duration)),
        (_, Raw::Text(text)) => json!(text),
        (Value::Number(number), _) => json!(number),
        (Value::Text(text), _) => json!(text),
        (Value::Limit(_), Raw::Integer(number)) => json!(number),
        (Value::Limit(_), _) => Json::Null,
    }
}
