//! The configuration as a snapshot keeps it.

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
    let mut record = Map::new();
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
        let mut table = &mut record;
        if !key.section().is_empty() {
            for part in key.section().split('.') {
                let next = table.entry(part).or_insert_with(|| json!({}));
                match next.as_object_mut() {
                    Some(object) => table = object,
                    None => return Json::Null,
                }
            }
        }
        table.insert(key.name().to_owned(), show(given));
    }
    Json::Object(record)
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
