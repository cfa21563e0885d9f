//! The configuration of a node: file, then environment, then flags; all faults told together.
//! This file reads the configuration file, and nothing else in this folder does I/O.

mod api;
mod example;
mod fault;
mod layers;
mod node;
mod node_settings;
mod parts;
mod plan;
mod platform;
mod ring;
mod schema;
mod services;
mod settings;
mod values;

use std::collections::BTreeMap;
use std::path::Path;

use discovery_tcp::Formation;

pub use api::{ApiLimits, CALL_LIMIT, DECISION_LIMIT};
pub use example::example_file;
pub use fault::{ConfigFaults, Fault, Origin};
pub use node::{AdminListen, GRPC_PORT, HTTP_PORT, LogFormat, NodeConfig, RING_PORT, admin_socket};
pub use plan::{FinderPlan, Part};
pub use schema::schema;
pub use services::ServiceLimits;
pub use settings::{Form, SETTINGS, Setting};

pub(crate) use ring::shared_settings;
pub(crate) use values::positive_time;

use layers::Layers;
use values::Reader;

/// Largest configuration file, in bytes.
pub const CONFIG_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What the process finds around it; an argument, so that tests can give another.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The environment, as far as it is text.
    pub env: BTreeMap<String, String>,
    /// What the namespace file of a pod says, if there is one.
    pub mounted_namespace: Option<String>,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_this_process() -> Self {
        let env = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            Some((name, value.to_string_lossy().into_owned()))
        });
        let mounted = std::fs::read_to_string(parts::NAMESPACE_FILE).ok();
        Self {
            env: env.collect(),
            mounted_namespace: mounted.map(|name| name.trim().to_owned()),
        }
    }

    /// Whether the process runs in a pod, as every kubelet lets it know.
    pub fn is_in_a_pod(&self) -> bool {
        self.env.contains_key("KUBERNETES_SERVICE_HOST")
    }
}

/// Reads file, environment and flags as a plan for the finder.
///
/// # Errors
///
/// Every fault at once, each with the place its value came from. Nothing was started.
pub fn finder_plan(
    file: Option<&Path>,
    surroundings: &Surroundings,
    flags: &BTreeMap<&'static str, Vec<String>>,
) -> Result<FinderPlan, ConfigFaults> {
    let (layers, mut faults) = read_layers(file, surroundings, flags);
    let plan = plan::plan(&layers, surroundings, &mut faults);
    plan.ok_or(ConfigFaults { faults })
}

/// What a node is to be run with.
#[derive(Clone, Debug)]
pub struct NodePlan {
    /// Its finder; none if it is to found a cluster alone and nobody said whom to ask.
    pub finder: Option<FinderPlan>,
    /// Everything else.
    pub node: NodeConfig,
    /// Every setting that somebody gave, the platform included: its key, its values and where they
    /// came from.
    pub given: Vec<(&'static str, Vec<String>, Origin)>,
    /// Lines for the manifest of the pod, which runs without what they ask for but should not.
    pub lines_to_add: Vec<String>,
}

impl NodePlan {
    /// What a setting that nobody gave has come to, where that depends on others, and on which.
    pub fn derived(&self, key: &str) -> Option<(String, String)> {
        let parts = self.finder.iter().flat_map(|plan| &plan.parts);
        let mut services = parts.filter_map(|part| match part {
            Part::Kubernetes {
                config,
                namespace_from,
                ..
            } => Some((config, namespace_from)),
            Part::Dns(_) | Part::Static(_) | Part::File(_) => None,
        });
        let ring = shared_settings(&self.node.ring);
        let because = match self.node.ring.formation {
            Formation::Census => "default: the finder lists every process",
            _ => "default",
        };
        let node = &self.node;
        let listens = |address: Option<std::net::SocketAddr>| {
            let place = address.map_or_else(|| "off".to_owned(), |address| address.to_string());
            Some((place, "default".to_owned()))
        };
        match (key, services.next()) {
            (settings::KINDS, _) => {
                let finders = self.finder.iter().flat_map(|plan| &plan.parts);
                let mut kinds: Vec<_> = finders.map(Part::kind).collect();
                kinds.dedup();
                let because = "those whose settings are given";
                (!kinds.is_empty()).then(|| (kinds.join(", "), because.to_owned()))
            }
            (node_settings::ADVERTISE, _) => {
                let own = (node.ring_listen.to_string(), "where it listens".to_owned());
                node.advertise.is_empty().then_some(own)
            }
            (node_settings::RING_LISTEN, _) => listens(Some(node.ring_listen)),
            (node_settings::GRPC_LISTEN, _) => listens(node.grpc_listen),
            (node_settings::HTTP_LISTEN, _) => listens(node.http_listen),
            (node_settings::ADMIN_LISTEN, _) => {
                Some((node.admin_listen.to_string(), "default".to_owned()))
            }
            (parts::NAMESPACE, Some((config, from))) => {
                Some((config.namespace.clone(), from.to_string()))
            }
            (node_settings::CLUSTER, Some((_, _))) => {
                let name = self.node.ring.cluster_name.to_string();
                Some((name, "namespace and Service".to_owned()))
            }
            (node_settings::CLUSTER, None) => {
                let name = self.node.ring.cluster_name.to_string();
                Some((name, "default".to_owned()))
            }
            (node_settings::FORMATION, _) => Some((ring.formation, because.to_owned())),
            (node_settings::RECOVERY, _) => Some((ring.recovery, because.to_owned())),
            _ => None,
        }
    }
}

/// Reads file, environment and flags as everything that a node is run with.
///
/// # Errors
///
/// Every fault at once, each with the place its value came from. Nothing was started.
pub fn node_plan(
    file: Option<&Path>,
    surroundings: &Surroundings,
    flags: &BTreeMap<&'static str, Vec<String>>,
) -> Result<NodePlan, ConfigFaults> {
    let (layers, mut faults) = read_layers(file, surroundings, flags);
    let needs_finder = surroundings.is_in_a_pod()
        || layers.iter().any(|(key, _)| key.starts_with("finder."))
        || layers
            .get(node_settings::FORMATION)
            .is_none_or(|given| given.values != ["single"]);
    let finder = needs_finder
        .then(|| plan::plan(&layers, surroundings, &mut faults))
        .flatten();
    let mut reader = Reader {
        layers: &layers,
        faults: &mut faults,
    };
    let node = node::node_config(&mut reader, surroundings, finder.as_ref());
    let lines_to_add = platform::lines_to_add(&layers, surroundings);
    let given = layers
        .iter()
        .map(|(key, given)| (key, given.values.clone(), given.origin.clone()))
        .collect();
    match node {
        Some(node) if faults.is_empty() => Ok(NodePlan {
            finder,
            node,
            given,
            lines_to_add,
        }),
        _ => Err(ConfigFaults { faults }),
    }
}

fn read_layers(
    file: Option<&Path>,
    surroundings: &Surroundings,
    flags: &BTreeMap<&'static str, Vec<String>>,
) -> (Layers, Vec<Fault>) {
    let (mut layers, mut faults) = (Layers::default(), Vec::new());
    platform::add(&mut layers, surroundings);
    if let Some(path) = file {
        let shown = path.display().to_string();
        match read_file(path) {
            Ok(text) => layers.add_file(&shown, &text, &mut faults),
            Err(remedy) => {
                faults.push(Fault::new(
                    "config",
                    Some(&shown),
                    Origin::Flag("config"),
                    remedy,
                ));
            }
        }
    }
    layers.add_env(&surroundings.env, &mut faults);
    layers.add_flags(flags);
    (layers, faults)
}

fn read_file(path: &Path) -> Result<String, String> {
    let wrong = |error: std::io::Error| format!("the file cannot be read: {error}");
    let length = std::fs::metadata(path).map_err(wrong)?.len();
    if length > CONFIG_FILE_BYTES_MAX {
        return Err(format!(
            "it has {length} bytes; the limit is {CONFIG_FILE_BYTES_MAX}"
        ));
    }
    std::fs::read_to_string(path).map_err(wrong)
}
