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
    let one = one(setting);
    let mut form = match setting.form {
        Form::Text | Form::Switch => one,
        // A list of one may stand without brackets.
        Form::List => json!({ "anyOf": [one, { "type": "array", "items": one }] }),
    };
    form["description"] = json!(format!("{}.", setting.about));
    if let Some(default) = setting.plain_default() {
        form["default"] = typed(setting, default);
    } else if !setting.default.is_empty() {
        form["x-default"] = json!(setting.default);
    }
    form["x-flag"] = json!(format!("--{}", setting.flag));
    form["x-env"] = json!(setting.env());
    form
}

/// The form of one value.
fn one(setting: &Setting) -> Value {
    if !setting.choices.is_empty() {
        return json!({ "type": "string", "enum": setting.choices });
    }
    if setting.form == Form::Switch {
        return json!({ "type": "boolean" });
    }
    if is_number(setting) {
        let (least, most) = setting.range;
        let mut form = json!({ "type": "integer", "minimum": least });
        if most < u64::MAX {
            form["maximum"] = json!(most);
        }
        return form;
    }
    match pattern(setting.value_name) {
        Some(pattern) => json!({ "type": "string", "pattern": pattern }),
        None if setting.value_name == "NAME|NUMBER" => json!({ "type": ["string", "integer"] }),
        None => json!({ "type": "string" }),
    }
}

/// What a text has to look like, by what stands for it in help. It lets pass whatever can be used,
/// and some that cannot: what a value means is not decided here.
fn pattern(value_name: &str) -> Option<&'static str> {
    Some(match value_name {
        "TIME" => r"^\+?(P.+|[0-9]+(\.[0-9]+)?\s*[A-Za-zµμ].*)$",
        "IP:PORT" | "ADDRESS:PORT" => r"^[^:\s]+:[0-9]{1,5}$|^\[[^\]]+\]:[0-9]{1,5}$",
        "IP:PORT|off" => r"^off$|^[^:\s]+:[0-9]{1,5}$|^\[[^\]]+\]:[0-9]{1,5}$",
        "PATH|IP:PORT|off" => r"^off$|/|^[^:\s]+:[0-9]{1,5}$|^\[[^\]]+\]:[0-9]{1,5}$",
        "IP[:PORT]" => r"^[0-9A-Fa-f.:%\[\]]+$",
        "KEY=VALUE" => "^[^=]+=",
        "URL" => "^https?://",
        _ => return None,
    })
}

fn is_number(setting: &Setting) -> bool {
    ["COUNT", "BYTES"].contains(&setting.value_name)
}

fn typed(setting: &Setting, value: &str) -> Value {
    let is_typed = is_number(setting) || setting.form == Form::Switch;
    let read = is_typed.then(|| serde_json::from_str(value).ok());
    read.flatten().unwrap_or_else(|| json!(value))
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
            assert!(at["description"].is_string(), "{}", setting.key);
        }
    }

    /// What a schema finds wrong with a value, as far as ours go.
    fn fault(schema: &Value, value: &Value) -> Option<String> {
        if let Some(forms) = schema["anyOf"].as_array() {
            let mut faults = forms.iter().map(|form| fault(form, value));
            return faults
                .all(|fault| fault.is_some())
                .then(|| format!("{value}"));
        }
        let types = match &schema["type"] {
            Value::Array(types) => types.clone(),
            one => vec![one.clone()],
        };
        let own = match value {
            Value::Object(_) => "object",
            Value::Array(_) => "array",
            Value::String(_) => "string",
            Value::Bool(_) => "boolean",
            _ => "integer",
        };
        let is_within = |number: u64| {
            let (least, most) = (schema["minimum"].as_u64(), schema["maximum"].as_u64());
            least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most)
        };
        let matches = |text: &str| {
            let pattern = schema["pattern"].as_str().unwrap_or("");
            regex::Regex::new(pattern).unwrap().is_match(text)
        };
        let choices = schema["enum"].as_array();
        let is_valid = types.contains(&json!(own))
            && choices.is_none_or(|choices| choices.contains(value))
            && value.as_u64().is_none_or(is_within)
            && value.as_str().is_none_or(matches);
        if !is_valid {
            return Some(format!("{value} against {schema}"));
        }
        let inner = match value {
            Value::Object(fields) => fields.iter().find_map(|(key, value)| {
                let inner = schema["properties"].get(key);
                inner.map_or_else(|| Some(key.clone()), |inner| fault(inner, value))
            }),
            Value::Array(items) => items.iter().find_map(|item| fault(&schema["items"], item)),
            _ => None,
        };
        inner.map(|inner| format!("in {own}: {inner}"))
    }

    fn found(text: &str) -> Option<String> {
        fault(&schema(), &toml::from_str::<Value>(text).unwrap())
    }

    #[test]
    fn the_example_is_valid() {
        let text = crate::config::example_file();
        let is_setting = |line: &&str| !line.starts_with("# ");
        let lines = text.lines().filter(is_setting);
        let lines = lines.map(|line| line.trim_start_matches('#'));
        assert_eq!(found(&lines.collect::<Vec<_>>().join("\n")), None);
    }

    #[test]
    fn what_can_be_used_is_valid_and_mistakes_of_every_type_are_not() {
        for text in [
            "[finder]\nkinds = \"static\"\nport = 47500",
            "[finder.kubernetes]\nservice = [\"ring\", \"other/ring\"]\nwatch_timeout = \"1m 30s\"",
            "[ring]\nlisten = \"[::]:47500\"\nproof = \"any-object\"\nleave_limit = \"1.5s\"",
            "[grpc]\nlisten = \"off\"",
            "[admin]\nlisten = \"127.0.0.1:0\"",
            "[node]\nadvertise = [\"fd00::7\", \"[fd00::7]:1\", \"10.0.0.1\"]",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
        for text in [
            "[finder]\nkinds = [\"kubernets\"]",
            "[finder.kubernetes]\nremember_pods = \"true\"",
            "[finder.kubernetes]\nwatch_timeout = 60",
            "[ring]\nproof = \"any_object\"",
            "[ring]\nsilence_limit = \"2\"",
            "[ring]\nsilence_limit = \"-2s\"",
            "[ring]\nmembers_max = 8193",
            "[ring]\nhistory_max = 0",
            "[ring]\nlisten = \"47500\"",
            "[ring]\nlisten = \"off\"",
            "[ring]\nunheard_of = 1",
            "[node]\nattributes = [\"build\"]",
        ] {
            assert!(found(text).is_some(), "{text}");
        }
    }
}
