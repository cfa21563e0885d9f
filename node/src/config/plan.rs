//! What the settings mean: which finders to make, with which configuration. Every fault of every
//! setting is gathered; nothing is made and nobody is asked here. Values are read in `values.rs`,
//! the settings of each kind of finder in `parts.rs`.

use discovery_core::finders::{Combination, FileFinderConfig, StaticFinderConfig};
use discovery_k8s::{ApiAccess, DnsConfig, KubeFinderConfig, PortChoice};

use super::Surroundings;
use super::fault::{Fault, Origin};
use super::layers::Layers;
use super::parts::{dns_part, file_part, kubernetes_parts, static_part};
use super::settings::{COMBINE, FAMILIES, KINDS, PORT};
use super::values::{Reader, parsed};

/// One finder to be made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Part {
    /// The EndpointSlices of one Service.
    Kubernetes {
        /// What to look for.
        config: Box<KubeFinderConfig>,
        /// How to reach the API server.
        access: ApiAccess,
        /// Where the namespace was found.
        namespace_from: Origin,
    },
    /// The addresses that DNS has for a headless Service.
    Dns(DnsConfig),
    /// A list of hosts.
    Static(StaticFinderConfig),
    /// A file that lists hosts.
    File(FileFinderConfig),
}

impl Part {
    /// The kind of finder, as settings name it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Kubernetes { .. } => Kind::Kubernetes,
            Self::Dns(_) => Kind::Dns,
            Self::Static(_) => Kind::Static,
            Self::File(_) => Kind::File,
        }
        .name()
    }
}

/// The finders to be made, at least one.
#[derive(Clone, Debug)]
pub struct FinderPlan {
    /// The finders in the order in which they were named.
    pub parts: Vec<Part>,
    /// How several of them make one.
    pub combine: Combination,
}

/// The kinds of finder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Kubernetes,
    Dns,
    Static,
    File,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Kubernetes, Self::Dns, Self::Static, Self::File];

    fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Dns => "dns",
            Self::Static => "static",
            Self::File => "file",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether a key stands in the table of this kind's settings.
    fn owns(self, key: &str) -> bool {
        let inner = key.strip_prefix("finder.");
        inner
            .and_then(|key| key.split_once('.'))
            .is_some_and(|(table, _)| table == self.name())
    }

    /// Whether it asks for a named port and for address families.
    fn is_of_a_service(self) -> bool {
        match self {
            Self::Kubernetes | Self::Dns => true,
            Self::Static | Self::File => false,
        }
    }
}

/// Reads the layers as a plan; faults are added to those that reading the layers has met.
pub(super) fn plan(
    layers: &Layers,
    surroundings: &Surroundings,
    faults: &mut Vec<Fault>,
) -> Option<FinderPlan> {
    let mut reader = Reader { layers, faults };
    let kinds = kinds(&mut reader, surroundings);
    let combine = reader
        .one(COMBINE, combination)
        .unwrap_or(Combination::Union);
    let port = reader.one(PORT, parsed::<PortChoice>);
    if !kinds.is_empty() {
        reject_what_no_finder_uses(&mut reader, &kinds, port.as_ref());
    }
    let mut parts = Vec::new();
    for kind in kinds {
        match kind {
            Kind::Kubernetes => {
                parts.extend(kubernetes_parts(&mut reader, port.as_ref(), surroundings));
            }
            Kind::Dns => parts.extend(dns_part(&mut reader, port.as_ref())),
            Kind::Static => parts.extend(static_part(&mut reader, port.as_ref())),
            Kind::File => parts.extend(file_part(&mut reader, port.as_ref())),
        }
    }
    let mut told: Vec<Fault> = Vec::new();
    for fault in faults.drain(..) {
        // Several Services share most settings, and one mistake is told once.
        if !told.contains(&fault) {
            told.push(fault);
        }
    }
    *faults = told;
    faults.is_empty().then_some(FinderPlan { parts, combine })
}

fn combination(text: &str) -> Result<Combination, String> {
    match text {
        "union" => Ok(Combination::Union),
        "first" => Ok(Combination::FirstThatKnows),
        _ => Err("give union or first".to_owned()),
    }
}

/// The kinds that were named, else those whose settings were given, else, in a pod, kubernetes.
fn kinds(reader: &mut Reader<'_>, surroundings: &Surroundings) -> Vec<Kind> {
    let names: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
    let names = names.join(", ");
    if let Some(given) = reader.layers.get(KINDS) {
        let mut kinds = Vec::new();
        for name in &given.values {
            match Kind::of_name(name) {
                Some(kind) if kinds.contains(&kind) => {}
                Some(kind) => kinds.push(kind),
                None => reader.fault(KINDS, Some(name), &format!("give one of {names}")),
            }
        }
        if given.values.is_empty() {
            reader.fault(KINDS, None, &format!("name at least one of {names}"));
        }
        return kinds;
    }
    let is_set = |kind: &Kind| reader.layers.iter().any(|(key, _)| kind.owns(key));
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(is_set).collect();
    if kinds.is_empty() && surroundings.is_in_a_pod() {
        return vec![Kind::Kubernetes];
    }
    if kinds.is_empty() {
        let remedy = "say whom to ask: --service NAME, --dns-name NAME, --seed HOST:PORT or \
                      --seed-file FILE";
        reader.fault(KINDS, None, remedy);
    }
    kinds
}

/// A setting that no chosen finder reads is a mistake, unless it lies in a layer below the choice:
/// `--finder static` over a file that sets up kubernetes is meant.
fn reject_what_no_finder_uses(reader: &mut Reader<'_>, kinds: &[Kind], port: Option<&PortChoice>) {
    let chosen_in = reader
        .layers
        .get(KINDS)
        .map_or(0, |given| given.origin.layer());
    let layers = reader.layers;
    for (key, given) in layers.iter() {
        let owner = Kind::ALL.into_iter().find(|kind| kind.owns(key));
        let unused = owner.filter(|kind| !kinds.contains(kind));
        if let Some(kind) = unused.filter(|_| given.origin.layer() >= chosen_in) {
            let remedy = format!(
                "the finder {} that it belongs to is not chosen; choose it too, or drop this",
                kind.name()
            );
            reader.fault(key, given.values.first().map(String::as_str), &remedy);
        }
    }
    if kinds.iter().any(|kind| kind.is_of_a_service()) {
        return;
    }
    if let Some(PortChoice::Named(name)) = port {
        let remedy = "only kubernetes and dns know ports by name; give a number";
        reader.fault(PORT, Some(name), remedy);
    }
    if let Some(given) = layers.get(FAMILIES) {
        let remedy = "only kubernetes and dns choose between families; drop it";
        reader.fault(FAMILIES, given.values.first().map(String::as_str), remedy);
    }
}
