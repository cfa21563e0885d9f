//! The table of every setting: its key in the file, its flag, its environment name and its words.
//! Flags, help, environment names and the example file are all made from it; what the values mean
//! is decided in `plan.rs` and `node.rs`. The lines about running a node are in `node_settings.rs`.

use super::node_settings::NODE_SETTINGS;

/// How a setting is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One value.
    Text,
    /// Several: an array in the file, elsewhere commas between them, or a flag given again.
    List,
    /// True or false; a flag without a value means true.
    Switch,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its place in the file, with dots between tables.
    pub key: &'static str,
    /// Its flag, without the dashes.
    pub flag: &'static str,
    /// How it is written.
    pub form: Form,
    /// What stands for its value in help.
    pub value_name: &'static str,
    /// One sentence about it.
    pub about: &'static str,
    /// What holds where nobody sets it, in words.
    pub default: &'static str,
    /// A value as it stands in the example file, in TOML; the default where there is one.
    pub example: &'static str,
    /// All values there are, where they are counted.
    pub choices: &'static [&'static str],
    /// The least and the most of a number; from 1 on where nothing else is said.
    pub range: (u64, u64),
}

impl Setting {
    /// Its name in the environment: `DISCOVERY_` and the flag in capitals.
    pub fn env(&self) -> String {
        let name = self.flag.replace('-', "_").to_ascii_uppercase();
        format!("{ENV_PREFIX}{name}")
    }

    /// Its name without the tables it stands in, as faults of a finder name it.
    pub fn field(&self) -> &'static str {
        self.key.rsplit('.').next().unwrap_or(self.key)
    }

    /// The table it stands in.
    pub fn table(&self) -> &'static str {
        self.key.rsplit_once('.').map_or("", |(table, _)| table)
    }

    /// What holds where nobody sets it, as a value; none where that depends on something.
    pub fn plain_default(&self) -> Option<&'static str> {
        let is_value = self.example.trim_matches('"') == self.default;
        (is_value && !self.default.is_empty()).then_some(self.default)
    }

    /// One that has these values and no other.
    pub(super) const fn one_of(self, choices: &'static [&'static str]) -> Self {
        Self { choices, ..self }
    }

    /// A number between these, both included.
    pub(super) const fn within(self, least: u64, most: u64) -> Self {
        let range = (least, most);
        Self { range, ..self }
    }

    /// Whether it is about finding; the others are about running a node.
    pub fn is_of_a_finder(&self) -> bool {
        self.key.starts_with("finder.")
    }

    /// The setting of this key.
    pub fn of_key(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }
}

/// What every environment name of ours begins with.
pub(super) const ENV_PREFIX: &str = "DISCOVERY_";

/// Which finders to use; see `plan.rs`.
pub(super) const KINDS: &str = "finder.kinds";
/// How several finders make one.
pub(super) const COMBINE: &str = "finder.combine";
/// The port to knock at.
pub(super) const PORT: &str = "finder.port";
/// The address families to use.
pub(super) const FAMILIES: &str = "finder.families";

pub(super) const fn setting(
    key: &'static str,
    flag: &'static str,
    value_name: &'static str,
    about: &'static str,
    default: &'static str,
    example: &'static str,
) -> Setting {
    Setting {
        key,
        flag,
        form: Form::Text,
        value_name,
        about,
        default,
        example,
        choices: &[],
        range: (1, u64::MAX),
    }
}

pub(super) const fn list(setting: Setting) -> Setting {
    Setting {
        form: Form::List,
        ..setting
    }
}

pub(super) const fn switch(
    key: &'static str,
    flag: &'static str,
    about: &'static str,
    default: &'static str,
) -> Setting {
    Setting {
        form: Form::Switch,
        ..setting(key, flag, "true|false", about, default, default)
    }
}

/// Every setting, in the order of the help and of the example file.
pub const SETTINGS: &[Setting] = &{
    let mut all = [FINDER_SETTINGS[0]; FINDER_SETTINGS.len() + NODE_SETTINGS.len()];
    let mut place = 0;
    while place < all.len() {
        all[place] = if place < FINDER_SETTINGS.len() {
            FINDER_SETTINGS[place]
        } else {
            NODE_SETTINGS[place - FINDER_SETTINGS.len()]
        };
        place += 1;
    }
    all
};

/// The settings of finders: all that a command needs that only looks.
const FINDER_SETTINGS: &[Setting] = &[
    list(setting(
        KINDS,
        "finder",
        "KIND",
        "Which finders to use: kubernetes, dns, static, file; several are combined",
        "those whose settings are given; in a pod, kubernetes",
        r#"["kubernetes"]"#,
    ))
    .one_of(&["kubernetes", "dns", "static", "file"]),
    setting(
        COMBINE,
        "combine",
        "HOW",
        "How several finders make one: union of all, or the first that knows",
        "union",
        r#""union""#,
    )
    .one_of(&["union", "first"]),
    setting(
        PORT,
        "port",
        "NAME|NUMBER",
        "The port to knock at: a port's name (kubernetes: resolved in each slice; dns: SRV \
         records) or a number (dns: A and AAAA records; static, file: for entries without a port)",
        "ring",
        r#""ring""#,
    ),
    setting(
        FAMILIES,
        "families",
        "WHICH",
        "Address families of kubernetes and dns: v4, v6, prefer-v4, prefer-v6 or both",
        "both",
        r#""both""#,
    )
    .one_of(&["v4", "v6", "prefer-v4", "prefer-v6", "both"]),
    list(setting(
        "finder.kubernetes.service",
        "service",
        "[NAMESPACE/]NAME",
        "The headless Service whose EndpointSlices list the processes; several are combined",
        "",
        r#"["ring"]"#,
    )),
    setting(
        "finder.kubernetes.namespace",
        "namespace",
        "NAME",
        "The namespace of Services given without one",
        "in a pod its own: POD_NAMESPACE, else the mounted namespace file",
        r#""default""#,
    ),
    switch(
        "finder.kubernetes.include_not_ready",
        "include-not-ready",
        "Whether processes that are not ready are seeds: readiness depends on having joined",
        "true",
    ),
    switch(
        "finder.kubernetes.include_terminating",
        "include-terminating",
        "Whether processes on their way out are seeds: they may be the last who can admit",
        "true",
    ),
    setting(
        "finder.kubernetes.container",
        "container",
        "NAME",
        "The container that runs the protocol, for pod facts",
        "the pod's only one",
        r#""app""#,
    ),
    switch(
        "finder.kubernetes.remember_pods",
        "remember-pods",
        "Whether audits also list pods, so that a pod that is gone has a last reading",
        "true",
    ),
    setting(
        "finder.kubernetes.watch_timeout",
        "watch-timeout",
        "TIME",
        "How long one watch request lasts before it is renewed, 1s to 290s",
        "60s",
        r#""60s""#,
    ),
    setting(
        "finder.kubernetes.audit_interval",
        "audit-interval",
        "TIME",
        "How often the watch is audited by a listing, 1s to 1h",
        "60s",
        r#""60s""#,
    ),
    setting(
        "finder.kubernetes.request_deadline",
        "request-deadline",
        "TIME",
        "How long one request may take, 1ms to 2m",
        "10s",
        r#""10s""#,
    ),
    setting(
        "finder.kubernetes.kubeconfig",
        "kubeconfig",
        "FILE",
        "Reach the API server as this kubeconfig says",
        "in a pod its service account, elsewhere $KUBECONFIG or ~/.kube/config",
        r#""/etc/discovery/kubeconfig""#,
    ),
    setting(
        "finder.kubernetes.context",
        "context",
        "NAME",
        "The context of the kubeconfig",
        "its current one",
        r#""staging""#,
    ),
    setting(
        "finder.kubernetes.api_url",
        "api-url",
        "URL",
        "Reach the API server at this address instead: https, or http to loopback",
        "",
        r#""https://10.96.0.1:443""#,
    ),
    setting(
        "finder.kubernetes.token_file",
        "token-file",
        "FILE",
        "The bearer token for --api-url; read again while running",
        "",
        r#""/etc/discovery/token""#,
    ),
    setting(
        "finder.kubernetes.ca_file",
        "ca-file",
        "FILE",
        "The CAs to trust at --api-url, in PEM form; read again while running",
        "",
        r#""/etc/discovery/ca.pem""#,
    ),
    setting(
        "finder.dns.name",
        "dns-name",
        "NAME",
        "The full name of the headless Service to ask DNS for",
        "",
        r#""ring.default.svc.cluster.local""#,
    ),
    list(setting(
        "finder.dns.name_servers",
        "name-server",
        "ADDRESS:PORT",
        "The name servers to ask",
        "those of /etc/resolv.conf",
        r#"["10.96.0.10:53"]"#,
    )),
    list(setting(
        "finder.static.seeds",
        "seed",
        "HOST[:PORT[..PORT]]",
        "A seed: names are looked up again and again, IPv6 stands in brackets",
        "",
        r#"["ring-0.example.org:47500", "[fd00::7]:47500..47502"]"#,
    )),
    setting(
        "finder.file.path",
        "seed-file",
        "FILE",
        "A file with one seed a line; watched, so that seeds come and go with its lines",
        "",
        r#""/etc/discovery/seeds""#,
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_flags_and_environment_names_are_each_used_once() {
        let keys: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.key).collect();
        let flags: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.flag).collect();
        let envs: BTreeSet<_> = SETTINGS.iter().map(Setting::env).collect();
        assert_eq!(keys.len(), SETTINGS.len());
        assert_eq!(flags.len(), SETTINGS.len());
        assert_eq!(envs.len(), SETTINGS.len());
    }
}
