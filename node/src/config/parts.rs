//! The settings of each kind of finder, read as that finder's own configuration and checked by it.

use std::net::SocketAddr;
use std::path::PathBuf;

use discovery_core::finders::{
    FileFinder, FileFinderConfig, SeedListError, StaticFinder, StaticFinderConfig,
    StaticFinderError,
};
use discovery_k8s::{
    ApiAccess, ApiEndpoint, DnsConfig, FamilyPolicy, KubeFinderConfig, PortChoice,
};

use super::Surroundings;
use super::fault::Origin;
use super::plan::Part;
use super::platform::{POD_NAMESPACE, in_manifest};
use super::settings::FAMILIES;
use super::values::{Reader, not_empty, parsed, switch, time};

const KUBERNETES: &str = "finder.kubernetes";
/// The Services to ask for.
pub(super) const SERVICE: &str = "finder.kubernetes.service";
/// The namespace of Services given without one.
pub(super) const NAMESPACE: &str = "finder.kubernetes.namespace";
const KUBECONFIG: &str = "finder.kubernetes.kubeconfig";
const CONTEXT: &str = "finder.kubernetes.context";
const API_URL: &str = "finder.kubernetes.api_url";
const TOKEN_FILE: &str = "finder.kubernetes.token_file";
const CA_FILE: &str = "finder.kubernetes.ca_file";
const DNS: &str = "finder.dns";
const DNS_NAME: &str = "finder.dns.name";
const NAME_SERVERS: &str = "finder.dns.name_servers";
const PATH: &str = "finder.file.path";
const SEEDS: &str = "finder.static.seeds";

/// Where a pod finds the name of its namespace.
pub(super) const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// One finder for each Service.
pub(super) fn kubernetes_parts(
    reader: &mut Reader<'_>,
    port: Option<&PortChoice>,
    surroundings: &Surroundings,
) -> Vec<Part> {
    let template = kube_template(reader, port);
    let access = access(reader, surroundings);
    let services = reader.texts(SERVICE);
    if services.is_empty() {
        let remedy = "name the headless Service: --service NAME";
        reader.fault(SERVICE, None, remedy);
    }
    let mut parts = Vec::new();
    for text in services {
        let (service, namespace, namespace_from) = place(&text, reader, surroundings);
        if namespace.is_none() {
            let lines = in_manifest(surroundings, POD_NAMESPACE);
            let remedy = "give --namespace NAME, or POD_NAMESPACE from the downward API";
            reader.fault(NAMESPACE, None, &format!("{remedy}{lines}"));
        }
        let mut config = template.clone();
        // A stand-in that is never used, so that the rest is checked all the same.
        config.namespace = namespace.unwrap_or_else(|| "default".to_owned());
        config.service = service;
        if let Err(error) = config.check() {
            for fault in &error.faults {
                reader.finder_fault(KUBERNETES, fault);
            }
        }
        parts.push(Part::Kubernetes {
            config: Box::new(config),
            access: access.clone(),
            namespace_from,
        });
    }
    parts
}

/// The Service's name, its namespace, and where that was found.
fn place(
    text: &str,
    reader: &Reader<'_>,
    surroundings: &Surroundings,
) -> (String, Option<String>, Origin) {
    if let Some((namespace, name)) = text.split_once('/') {
        let namespace = Some(namespace.to_owned());
        return (name.to_owned(), namespace, reader.origin(SERVICE));
    }
    let (namespace, from) = namespace(reader, surroundings);
    (text.to_owned(), namespace, from)
}

/// Everything but the Service.
fn kube_template(reader: &mut Reader<'_>, port: Option<&PortChoice>) -> KubeFinderConfig {
    let key = |field: &str| format!("{KUBERNETES}.{field}");
    let mut config = KubeFinderConfig::new("", "");
    if let Some(port) = port {
        config.port = port.clone();
    }
    if let Some(families) = reader.one(FAMILIES, parsed::<FamilyPolicy>) {
        config.families = families;
    }
    let switches = [
        ("include_not_ready", &mut config.include_not_ready),
        ("include_terminating", &mut config.include_terminating),
        ("remember_pods", &mut config.remember_pods),
    ];
    for (field, to) in switches {
        if let Some(value) = reader.one(&key(field), switch) {
            *to = value;
        }
    }
    let times = [
        ("watch_timeout", &mut config.watch_timeout),
        ("audit_interval", &mut config.audit_interval),
        ("request_deadline", &mut config.request_deadline),
    ];
    for (field, to) in times {
        if let Some(value) = reader.one(&key(field), time) {
            *to = value;
        }
    }
    config.container = reader.text(&key("container"));
    config
}

/// The namespace of Services given without one, and where it was found.
fn namespace(reader: &Reader<'_>, surroundings: &Surroundings) -> (Option<String>, Origin) {
    if let Some(given) = reader.text(NAMESPACE) {
        return (Some(given), reader.origin(NAMESPACE));
    }
    if let Some(name) = surroundings.env.get(POD_NAMESPACE) {
        return (Some(name.clone()), Origin::Platform(POD_NAMESPACE));
    }
    let mounted = surroundings.mounted_namespace.clone();
    (mounted, Origin::Mounted(NAMESPACE_FILE))
}

fn access(reader: &mut Reader<'_>, surroundings: &Surroundings) -> ApiAccess {
    let path = reader.one(KUBECONFIG, not_empty).map(PathBuf::from);
    let context = reader.one(CONTEXT, not_empty);
    let url = reader.one(API_URL, url);
    let files = [TOKEN_FILE, CA_FILE];
    if reader.layers.get(API_URL).is_none() {
        for key in files {
            if let Some(value) = reader.text(key) {
                let remedy = "it is for --api-url only; give that too, or drop this";
                reader.fault(key, Some(&value), remedy);
            }
        }
    }
    for key in [KUBECONFIG, CONTEXT] {
        if let Some(value) = reader
            .text(key)
            .filter(|_| reader.layers.get(API_URL).is_some())
        {
            let remedy = "it contradicts --api-url; give one way to reach the API server";
            reader.fault(key, Some(&value), remedy);
        }
    }
    let Some(url) = url else {
        return if path.is_some() || context.is_some() || !surroundings.is_in_a_pod() {
            ApiAccess::Kubeconfig { path, context }
        } else {
            ApiAccess::InCluster
        };
    };
    let mut endpoint = ApiEndpoint::new(url);
    let [token, ca] = files.map(|key| reader.one(key, not_empty).map(PathBuf::from));
    endpoint.token_file = token;
    endpoint.ca_file = ca;
    ApiAccess::Endpoint(endpoint)
}

/// What the client will take; it checks host and scheme itself, before anything is sent.
fn url(text: &str) -> Result<String, String> {
    let secured = text.starts_with("https://") || text.starts_with("http://");
    if !secured {
        return Err("give https://host:port, or http://host:port to loopback".to_owned());
    }
    if text.contains('@') {
        return Err("credentials do not belong in it; give --token-file".to_owned());
    }
    Ok(text.to_owned())
}

/// The finder that asks DNS.
pub(super) fn dns_part(reader: &mut Reader<'_>, port: Option<&PortChoice>) -> Option<Part> {
    let mut config = DnsConfig::named(reader.text(DNS_NAME).unwrap_or_default());
    if let Some(port) = port {
        config.port = port.clone();
    }
    if let Some(families) = reader.one(FAMILIES, parsed::<FamilyPolicy>) {
        config.families = families;
    }
    for text in reader.texts(NAME_SERVERS) {
        match parsed::<SocketAddr>(&text) {
            Ok(server) => config.name_servers.push(server),
            Err(remedy) => reader.fault(NAME_SERVERS, Some(&text), &remedy),
        }
    }
    if let Err(error) = config.check() {
        for fault in &error.faults {
            reader.finder_fault(DNS, fault);
        }
        return None;
    }
    Some(Part::Dns(config))
}

/// The finder of a list.
pub(super) fn static_part(reader: &mut Reader<'_>, port: Option<&PortChoice>) -> Option<Part> {
    let config = StaticFinderConfig {
        seeds: reader.texts(SEEDS),
        default_port: default_port(port),
        ..StaticFinderConfig::default()
    };
    match StaticFinder::new(&config) {
        Ok(_) => return Some(Part::Static(config)),
        Err(StaticFinderError::Seeds(SeedListError::Entries(faults))) => {
            for fault in faults {
                reader.fault(SEEDS, None, &fault.to_string());
            }
        }
        Err(error) => reader.fault(SEEDS, None, &error.to_string()),
    }
    None
}

/// The finder of a file; whether it can be read is found when it is.
pub(super) fn file_part(reader: &mut Reader<'_>, port: Option<&PortChoice>) -> Option<Part> {
    let config = FileFinderConfig {
        path: PathBuf::from(reader.text(PATH).unwrap_or_default()),
        default_port: default_port(port),
        ..FileFinderConfig::default()
    };
    match FileFinder::new(config.clone()) {
        Ok(_) => Some(Part::File(config)),
        Err(error) => {
            reader.fault(PATH, None, &error.to_string());
            None
        }
    }
}

/// The port of entries that name none.
fn default_port(port: Option<&PortChoice>) -> Option<u16> {
    match port {
        Some(PortChoice::Number(number)) => Some(*number),
        Some(PortChoice::Named(_)) | None => None,
    }
}
