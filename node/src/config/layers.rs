//! Puts the layers on top of each other: file, environment, flags. Text in, text with its origin
//! out; what a value means is decided in `plan.rs`, and reading the file is `mod.rs`'s.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Origin};
use super::settings::{ENV_PREFIX, Form, SETTINGS, Setting};

/// Environment names that begin like settings and are none: they belong to the command itself.
const OTHER_ENV: [&str; 4] = [
    "DISCOVERY_CONFIG",
    "DISCOVERY_LOG",
    "DISCOVERY_NODE",
    "DISCOVERY_ADMIN",
];

/// What a variable holds that the kubelet sets for a Service of a name like ours.
const SERVICE_LINKS: [&str; 3] = ["tcp://", "udp://", "sctp://"];

/// Ends of the other names that the kubelet sets for a Service of a name like ours.
const SERVICE_LINK_ENDS: [&str; 6] = ["_SERVICE_HOST", "_PORT", "_TCP", "_UDP", "_PROTO", "_ADDR"];

/// One setting as somebody gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    /// The values, in order; exactly one unless the setting is a list.
    pub(super) values: Vec<String>,
    pub(super) origin: Origin,
}

/// Every setting that somebody gave, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layers(BTreeMap<&'static str, Given>);

impl Layers {
    pub(super) fn get(&self, key: &str) -> Option<&Given> {
        self.0.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &Given)> {
        self.0.iter().map(|(key, given)| (*key, given))
    }

    /// Puts a value on top of what was there.
    fn put(&mut self, setting: &Setting, values: Vec<String>, origin: Origin) {
        self.0.insert(setting.key, Given { values, origin });
    }

    /// Adds what the platform tells in this variable.
    pub(super) fn add_platform(&mut self, key: &str, value: &str, variable: &'static str) {
        if let Some(setting) = Setting::of_key(key) {
            self.put(setting, in_env(setting, value), Origin::Platform(variable));
        }
    }

    /// Adds the file: one value for each key, with its line; unknown keys are faults.
    pub(super) fn add_file(&mut self, path: &str, text: &str, faults: &mut Vec<Fault>) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let reader = FileReader { path, text };
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            let remedy = format!("the file is not TOML: {}", error.message());
            faults.push(Fault::new("file", None, reader.origin(at), remedy));
        }
        reader.walk("", table.get_ref(), self, faults);
    }

    /// Adds the environment; names that begin like ours and are none are faults.
    pub(super) fn add_env(&mut self, env: &BTreeMap<String, String>, faults: &mut Vec<Fault>) {
        let ours = env.iter().filter(|(name, _)| name.starts_with(ENV_PREFIX));
        for (name, value) in ours {
            let origin = Origin::Env(name.clone());
            // A Service named `discovery` must not break every pod of its namespace.
            if SERVICE_LINKS.iter().any(|link| value.starts_with(link)) {
                continue;
            }
            match SETTINGS.iter().find(|setting| setting.env() == *name) {
                Some(setting) => self.put(setting, in_env(setting, value), origin),
                None if OTHER_ENV.contains(&name.as_str()) || is_service_link(name) => {}
                None => {
                    let remedy = unknown(name, SETTINGS.iter().map(Setting::env));
                    faults.push(Fault::new(name, Some(value), origin, remedy));
                }
            }
        }
    }

    /// Adds the flags, which the command line has checked to be ours.
    pub(super) fn add_flags(&mut self, flags: &BTreeMap<&'static str, Vec<String>>) {
        for (key, values) in flags {
            if let Some(setting) = Setting::of_key(key) {
                self.put(setting, values.clone(), Origin::Flag(setting.flag));
            }
        }
    }
}

/// The values of a setting as a variable has them.
fn in_env(setting: &Setting, value: &str) -> Vec<String> {
    match setting.form {
        Form::List => value.split(',').map(|one| one.trim().to_owned()).collect(),
        Form::Text | Form::Switch => vec![value.trim().to_owned()],
    }
}

fn is_service_link(name: &str) -> bool {
    name.contains("_SERVICE_PORT") || SERVICE_LINK_ENDS.iter().any(|end| name.ends_with(end))
}

struct FileReader<'a> {
    path: &'a str,
    text: &'a str,
}

impl FileReader<'_> {
    fn origin(&self, at: usize) -> Origin {
        let before = self.text.bytes().take(at);
        let line = 1 + before.filter(|byte| *byte == b'\n').count();
        let path = self.path.to_owned();
        Origin::File { path, line }
    }

    fn walk(&self, table: &str, found: &DeTable<'_>, to: &mut Layers, faults: &mut Vec<Fault>) {
        for (name, value) in found {
            let key = if table.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{table}.{}", name.get_ref())
            };
            let origin = self.origin(name.span().start);
            if let Some(setting) = Setting::of_key(&key) {
                match texts(setting, value) {
                    Ok(values) => to.put(setting, values, origin),
                    Err(remedy) => faults.push(Fault::new(key, None, origin, remedy)),
                }
                continue;
            }
            let is_table = SETTINGS.iter().any(|setting| {
                setting
                    .key
                    .strip_prefix(&key)
                    .is_some_and(|rest| rest.starts_with('.'))
            });
            match (value.get_ref(), is_table) {
                (DeValue::Table(inner), true) => self.walk(&key, inner, to, faults),
                (_, true) => {
                    let remedy = format!("this is a table; write [{key}]");
                    faults.push(Fault::new(key, None, origin, remedy));
                }
                (_, false) => {
                    let names = SETTINGS.iter().map(|setting| setting.key.to_owned());
                    let remedy = unknown(&key, names);
                    faults.push(Fault::new(key, None, origin, remedy));
                }
            }
        }
    }
}

/// The values as text, or what to write instead.
fn texts(setting: &Setting, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, String> {
    let wrong = || match setting.form {
        Form::Text => format!("write one value, such as {}", setting.example),
        Form::Switch => "write true or false".to_owned(),
        Form::List => format!("write a list, such as {}", setting.example),
    };
    match value.get_ref() {
        DeValue::Array(items) if setting.form == Form::List => {
            let texts = items.iter().map(|item| text(item.get_ref()));
            texts.collect::<Option<Vec<_>>>().ok_or_else(wrong)
        }
        value => text(value).map(|text| vec![text]).ok_or_else(wrong),
    }
}

fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => None,
    }
}

/// Says that nothing has this name, and which name is nearest.
fn unknown(name: &str, names: impl Iterator<Item = String>) -> String {
    let near = names.min_by_key(|known| distance(name, known));
    match near {
        Some(near) if distance(name, &near) <= NEAR_MAX => {
            format!("there is no such setting; did you mean '{near}'?")
        }
        Some(_) | None => "there is no such setting; remove it".to_owned(),
    }
}

/// Most differences between a name and the one that was probably meant.
const NEAR_MAX: usize = 3;

/// How many letters must be changed, added or taken away (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let change = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter().map(|(name, value)| (*name, *value));
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn flags_beat_the_environment_and_the_environment_beats_the_file() {
        let (mut layers, mut faults) = (Layers::default(), Vec::new());
        let file = "[finder]\nport = 1\nfamilies = \"v4\"\ncombine = \"union\"\n";
        layers.add_file("f.toml", file, &mut faults);
        layers.add_env(
            &env(&[("DISCOVERY_PORT", "2"), ("DISCOVERY_FAMILIES", "v6")]),
            &mut faults,
        );
        layers.add_flags(&BTreeMap::from([("finder.port", vec!["3".to_owned()])]));
        assert_eq!(faults, []);
        let got = |key| {
            let given = layers.get(key).unwrap();
            format!("{} {}", given.values.join(","), given.origin)
        };
        assert_eq!(got("finder.port"), "3 --port");
        assert_eq!(got("finder.families"), "v6 DISCOVERY_FAMILIES");
        assert_eq!(got("finder.combine"), "union f.toml:4");
    }

    #[test]
    fn unknown_names_are_faults_with_the_place_and_the_nearest_name() {
        let (mut layers, mut faults) = (Layers::default(), Vec::new());
        let file = "[finder]\nkind = \"dns\"\n[rings]\nx = 1\n[finder.kubernetes]\nservice = 1.5\n";
        layers.add_file("f.toml", file, &mut faults);
        layers.add_env(&env(&[("DISCOVERY_SERVISE", "ring")]), &mut faults);
        let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let expected = [
            "finder.kind (f.toml:2): there is no such setting; did you mean 'finder.kinds'?",
            "finder.kubernetes.service (f.toml:6): write a list, such as [\"ring\"]",
            "rings (f.toml:3): there is no such setting; remove it",
            "DISCOVERY_SERVISE = 'ring' (DISCOVERY_SERVISE): there is no such setting; \
             did you mean 'DISCOVERY_SERVICE'?",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn a_file_that_is_not_toml_is_a_fault_with_its_line() {
        let (mut layers, mut faults) = (Layers::default(), Vec::new());
        layers.add_file("f.toml", "[finder]\nport = \n", &mut faults);
        assert!(
            faults[0]
                .to_string()
                .starts_with("file (f.toml:2): the file is not TOML")
        );
    }

    #[test]
    fn what_the_kubelet_sets_for_a_service_of_our_name_is_not_ours() {
        let (mut layers, mut faults) = (Layers::default(), Vec::new());
        let links = env(&[
            ("DISCOVERY_PORT", "tcp://10.96.3.4:47510"),
            ("DISCOVERY_PORT_47510_TCP", "tcp://10.96.3.4:47510"),
            ("DISCOVERY_PORT_47510_TCP_ADDR", "10.96.3.4"),
            ("DISCOVERY_PORT_47510_TCP_PORT", "47510"),
            ("DISCOVERY_PORT_47510_TCP_PROTO", "tcp"),
            ("DISCOVERY_SERVICE_HOST", "10.96.3.4"),
            ("DISCOVERY_SERVICE_PORT", "47510"),
            ("DISCOVERY_SERVICE_PORT_GRPC", "47510"),
        ]);
        layers.add_env(&links, &mut faults);
        assert_eq!((layers, faults), (Layers::default(), Vec::new()));
    }
}
