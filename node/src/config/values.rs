//! Reads one setting at a time as a typed value, and gathers what is wrong on the way.

use std::str::FromStr;
use std::time::Duration;

use discovery_k8s::ConfigFault;
use jiff::SignedDuration;

use super::fault::{Fault, Origin};
use super::layers::Layers;
use super::settings::Setting;

/// The layers, and the faults met while reading them.
pub(super) struct Reader<'a> {
    pub(super) layers: &'a Layers,
    pub(super) faults: &'a mut Vec<Fault>,
}

impl Reader<'_> {
    /// The value of a setting that is no list, if it was given and can be read.
    pub(super) fn one<T>(
        &mut self,
        key: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(key)?;
        read(&text)
            .map_err(|remedy| self.fault(key, Some(&text), &remedy))
            .ok()
    }

    /// The text of a setting that is no list.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.layers.get(key)?.values.first().cloned()
    }

    /// The values of a list, none if it was not given.
    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        self.layers
            .get(key)
            .map(|given| given.values.clone())
            .unwrap_or_default()
    }

    /// Where a setting came from.
    pub(super) fn origin(&self, key: &str) -> Origin {
        self.layers
            .get(key)
            .map_or(Origin::Default, |given| given.origin.clone())
    }

    /// Notes that a setting cannot be used.
    pub(super) fn fault(&mut self, key: &str, value: Option<&str>, remedy: &str) {
        let origin = self.origin(key);
        self.faults.push(Fault::new(key, value, origin, remedy));
    }

    /// Notes a fault that a finder found in its own configuration, under the setting's key.
    pub(super) fn finder_fault(&mut self, table: &str, fault: &ConfigFault) {
        let keys = [
            format!("{table}.{}", fault.field),
            format!("finder.{}", fault.field),
        ];
        let known = keys.iter().find(|key| Setting::of_key(key).is_some());
        let key = known.unwrap_or(&keys[0]).clone();
        self.fault(&key, Some(&fault.value), &fault.remedy);
    }
}

/// Reads a value whose type knows how.
pub(super) fn parsed<T>(text: &str) -> Result<T, String>
where
    T: FromStr<Err: Remedy>,
{
    text.parse::<T>().map_err(|error| error.remedy())
}

/// What to give instead of a value that cannot be read.
pub(super) trait Remedy {
    fn remedy(&self) -> String;
}

impl Remedy for ConfigFault {
    fn remedy(&self) -> String {
        self.remedy.clone()
    }
}

impl Remedy for std::net::AddrParseError {
    fn remedy(&self) -> String {
        "give an address and port, such as 10.96.0.10:53".to_owned()
    }
}

/// Reads a switch.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "give true or false".to_owned())
}

/// Reads a time with its unit.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let read = text.parse::<SignedDuration>().ok();
    let time = read.and_then(|time| Duration::try_from(time).ok());
    time.ok_or_else(|| "give a time with its unit, such as 60s, 500ms or 2m".to_owned())
}

/// Reads a time of more than zero, for flags that are no settings.
pub(crate) fn positive_time(text: &str) -> Result<Duration, String> {
    let time = time(text)?;
    if time.is_zero() {
        return Err("give a time of more than zero".to_owned());
    }
    Ok(time)
}

/// Reads a value that must not be empty.
pub(super) fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("it is empty; give a value, or leave it out".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_needs_a_unit_and_is_not_negative() {
        assert_eq!(time("60s"), Ok(Duration::from_mins(1)));
        assert_eq!(time("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
        for text in ["", "60", "-1s", "soon", "1 fortnight"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
