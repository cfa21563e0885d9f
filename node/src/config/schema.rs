//! The JSON schema of the configuration file, written from the table of settings.

use serde_json::{Map, Value, json};

use super::settings::{Form, SETTINGS, Setting};

/// The JSON schema of the configuration file: tables, keys, forms, words; unknown keys are refused.
pub fn schema() -> Value {
    let mut root = table("");
    root.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    root.insert("title".to_owned(), json!("discovery-node configuration"));
    Value::Object(root)
}

/// The table of this name, the root if it has none, with those inside it.
fn table(name: &str) -> Map<String, Value> {
    let mut properties = Map::new();
    for setting in SETTINGS {
        let inside = match name {
            "" => Some(setting.key),
            name => setting
                .key
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('.')),
        };
        let Some(inside) = inside else { continue };
        let property = match inside.split_once('.') {
            None => property(setting),
            Some((inner, _)) if name.is_empty() => Value::Object(table(inner)),
            Some((inner, _)) => Value::Object(table(&format!("{name}.{inner}"))),
        };
        let key = inside.split('.').next().unwrap_or(inside);
        properties.insert(key.to_owned(), property);
    }
    Map::from_iter([
        ("type".to_owned(), json!("object")),
        ("additionalProperties".to_owned(), json!(false)),
        ("properties".to_owned(), Value::Object(properties)),
    ])
}

fn property(setting: &Setting) -> Value {
    let plain = json!({ "type": ["string", "integer", "boolean"] });
    let mut form = match setting.form {
        Form::Text => plain,
        Form::Switch => json!({ "type": "boolean" }),
        Form::List => json!({ "type": "array", "items": plain }),
    };
    form["description"] = json!(format!("{}.", setting.about));
    if !setting.default.is_empty() {
        form["x-default"] = json!(setting.default);
    }
    form["x-flag"] = json!(format!("--{}", setting.flag));
    form["x-env"] = json!(setting.env());
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_stands_in_its_table_and_nothing_else_may() {
        let schema = schema();
        for setting in SETTINGS {
            let mut at = &schema;
            for name in setting.key.split('.') {
                assert_eq!(at["additionalProperties"], json!(false), "{}", setting.key);
                at = &at["properties"][name];
            }
            assert!(
                at["type"].is_string() || at["type"].is_array(),
                "{}",
                setting.key
            );
        }
    }
}
