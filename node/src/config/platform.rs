//! What the platform tells a pod of itself: names of the downward API, the settings they stand for,
//! and the lines of a manifest that ask for them.

use super::Surroundings;
use super::fault::Origin;
use super::layers::Layers;
use super::node_settings::{ADVERTISE, HOST_NODE, NAME, POD_UID};

/// The variable with the pod's name.
pub(super) const POD_NAME: &str = "POD_NAME";
/// The variable with the pod's namespace.
pub(super) const POD_NAMESPACE: &str = "POD_NAMESPACE";
/// The variable with the pod's uid.
pub(super) const UID: &str = "POD_UID";
/// The variable with the pod's addresses.
pub(super) const POD_IPS: &str = "POD_IPS";
/// The variable with the name of the pod's machine.
pub(super) const NODE_NAME: &str = "NODE_NAME";

/// Where the downward API has what.
const FIELDS: [(&str, &str); 5] = [
    (POD_NAME, "metadata.name"),
    (POD_NAMESPACE, "metadata.namespace"),
    (UID, "metadata.uid"),
    (POD_IPS, "status.podIPs"),
    (NODE_NAME, "spec.nodeName"),
];

/// Which setting is told by which variables, the best first.
const SETTINGS: [(&str, &[&str]); 4] = [
    (NAME, &[POD_NAME, "HOSTNAME"]),
    (POD_UID, &[UID]),
    (ADVERTISE, &[POD_IPS, "POD_IP"]),
    (HOST_NODE, &[NODE_NAME]),
];

/// Puts what the platform tells below everything that somebody gives.
pub(super) fn add(layers: &mut Layers, surroundings: &Surroundings) {
    for (key, variables) in SETTINGS {
        let told = variables.iter().find_map(|variable| {
            let value = surroundings.env.get(*variable)?;
            (!value.is_empty()).then_some((*variable, value))
        });
        if let Some((variable, value)) = told {
            layers.add_platform(key, value, variable);
        }
    }
}

/// The line of a container's env that asks for this variable.
fn line(variable: &str) -> String {
    let mut fields = FIELDS.iter();
    let path = fields
        .find(|(name, _)| *name == variable)
        .map_or("", |(_, path)| *path);
    format!("- {{name: {variable}, valueFrom: {{fieldRef: {{fieldPath: {path}}}}}}}")
}

/// How a remedy ends where a pod lacks this variable; nothing elsewhere.
pub(super) fn in_manifest(surroundings: &Surroundings, variable: &str) -> String {
    let line = surroundings.is_in_a_pod().then(|| line(variable));
    line.map(|line| format!(":\n{line}")).unwrap_or_default()
}

/// The lines for what a pod runs without and should not: its name is guessed, its machine unknown.
pub(super) fn lines_to_add(layers: &Layers, surroundings: &Surroundings) -> Vec<String> {
    if !surroundings.is_in_a_pod() {
        return Vec::new();
    }
    let is_guessed = layers
        .get(NAME)
        .is_some_and(|given| given.origin == Origin::Platform("HOSTNAME"));
    let name = is_guessed.then_some(POD_NAME);
    let machine = layers.get(HOST_NODE).is_none().then_some(NODE_NAME);
    name.into_iter().chain(machine).map(line).collect()
}
