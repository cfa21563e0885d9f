//! What to measure, from the command line.

use std::time::Duration;

/// What to measure.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// The node that is published through.
    pub(crate) publish: String,
    /// The node that is watched.
    pub(crate) watch: String,
    /// The process of the watched node.
    pub(crate) pid: u32,
    pub(crate) watchers: usize,
    pub(crate) connections: usize,
    pub(crate) events: usize,
    /// Bytes of an event.
    pub(crate) bytes: usize,
    /// Events a second; 0 for as many as go.
    pub(crate) rate: u32,
}

impl Arguments {
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            publish: String::new(),
            watch: String::new(),
            pid: 0,
            watchers: 1,
            connections: 1,
            events: 1,
            bytes: 256,
            rate: 0,
        };
        let mut words = words;
        while let Some(flag) = words.next() {
            let value = words.next().ok_or(format!("{flag} needs a value"))?;
            let all = &mut arguments;
            match flag.as_str() {
                "--publish" => all.publish = value,
                "--watch" => all.watch = value,
                "--pid" => all.pid = number(&flag, &value)?,
                "--watchers" => all.watchers = number(&flag, &value)?,
                "--connections" => all.connections = number(&flag, &value)?,
                "--events" => all.events = number(&flag, &value)?,
                "--bytes" => all.bytes = number(&flag, &value)?,
                "--rate" => all.rate = number(&flag, &value)?,
                other => return Err(format!("{other} is unknown")),
            }
        }
        if arguments.publish.is_empty() || arguments.watch.is_empty() || arguments.connections == 0
        {
            return Err("needs --publish HOST:PORT, --watch HOST:PORT and a connection".to_owned());
        }
        Ok(arguments)
    }

    /// The time from one event to the next, if there is a rate.
    pub(crate) fn pace(&self) -> Option<Duration> {
        (self.rate > 0).then(|| Duration::from_secs(1) / self.rate)
    }
}

fn number<T: std::str::FromStr>(flag: &str, value: &str) -> Result<T, String> {
    let parsed = value.parse();
    parsed.map_err(|_| format!("{flag} takes a number, not '{value}'"))
}
