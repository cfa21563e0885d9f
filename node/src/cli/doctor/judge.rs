//! What answers mean: ok, a loss, or a failure, and what to do. Pure; asking is `kubernetes.rs`'s.

use discovery_core::{Census, FinderCause, FinderError, Finding, SeedReport, SeedSet};
use discovery_k8s::{AccessReport, ApiError, KubeFinderConfig, PortChoice, ServiceFacts};

use super::check::Checks;

/// The manifest lines that let a pod know its uid.
const POD_UID_LINES: &str = "let the pod know its uid, in the container's env:\n\
    - name: POD_UID\n  valueFrom: {fieldRef: {fieldPath: metadata.uid}}";

/// The API server did not answer at all.
pub(super) fn no_answer(error: &ApiError, checks: &mut Checks) {
    let (check, remedy) = match error.cause() {
        FinderCause::Configuration => ("credentials", "mend what is named, or reach it otherwise"),
        FinderCause::Unauthorised => (
            "credentials",
            "check that the service account exists and that its token is mounted and current",
        ),
        FinderCause::Tls => (
            "API server",
            "give the CA that signed the API server's certificate; there is no insecure switch",
        ),
        FinderCause::Timeout | FinderCause::Unreachable => (
            "API server",
            "check its address, and that no NetworkPolicy or firewall stands between; \
             --request-deadline is how long we wait",
        ),
        // FinderCause grows in its own crate; what is left is the server's own trouble.
        _ => (
            "API server",
            "look at the API server's own log; asking again does no harm",
        ),
    };
    checks.fail(check, error.to_string(), remedy);
}

/// Which permissions are granted.
pub(super) fn access(report: &AccessReport, checks: &mut Checks) {
    let (missing, lines) = (report.missing(), report.missing_role_lines());
    let Some(lines) = lines else {
        checks.ok(
            "permissions",
            format!("all {} are granted", report.rules.len()),
        );
        return;
    };
    let words = missing
        .iter()
        .map(|rule| format!("{rule} ({})", rule.without_it()));
    let found = format!("missing: {}", words.collect::<Vec<_>>().join("; "));
    let remedy =
        format!("add to the rules of the Role (the whole: discovery-node rbac print):\n{lines}");
    if report.suffices_to_find() {
        checks.warn("permissions", found, &remedy);
    } else {
        checks.fail("permissions", found, &remedy);
    }
}

/// Whether the Service exists and is set up as a cluster needs it.
pub(super) fn service(
    answer: Result<ServiceFacts, ApiError>,
    config: &KubeFinderConfig,
    checks: &mut Checks,
) {
    let facts = match answer {
        Ok(facts) => facts,
        Err(error) if error.cause() == FinderCause::Forbidden => {
            let remedy = "grant get services, as told above; until then the Service is not checked";
            checks.warn("Service", "it may not be read", remedy);
            return;
        }
        Err(error) => {
            let (service, namespace) = (&config.service, &config.namespace);
            let remedy =
                format!("create Service {service} in namespace {namespace}, or correct the names");
            checks.fail("Service", error.to_string(), &remedy);
            return;
        }
    };
    if !facts.publish_not_ready_addresses {
        let found = "publishNotReadyAddresses is not true: pods on a Node that the controller \
                     does not know are not listed, so a census may miss living processes";
        checks.fail(
            "Service",
            found,
            "set in its spec:\npublishNotReadyAddresses: true",
        );
    } else if facts.is_headless {
        checks.ok(
            "Service",
            "headless, and publishes addresses of pods that are not ready",
        );
    } else {
        let found = "it has a virtual address, which the finder does not need and a pod's dial \
                     must never take";
        checks.warn(
            "Service",
            found,
            "give it one of its own, with in its spec:\nclusterIP: None",
        );
    }
    ports(&facts, config, checks);
    selector(&facts, checks);
}

fn ports(facts: &ServiceFacts, config: &KubeFinderConfig, checks: &mut Checks) {
    let named: Vec<String> = facts
        .ports
        .iter()
        .map(|(name, number)| format!("'{name}' {number}"))
        .collect();
    let list = match named.as_slice() {
        [] => "none".to_owned(),
        named => named.join(", "),
    };
    match &config.port {
        PortChoice::Number(number) => {
            checks.ok(
                "ports",
                format!("{number} is used, whatever the Service names ({list})"),
            );
        }
        PortChoice::Named(wanted) if facts.ports.iter().any(|(name, _)| name == wanted) => {
            checks.ok("ports", format!("the Service names '{wanted}' ({list})"));
        }
        PortChoice::Named(wanted) => {
            let found = format!("no port of the Service is named '{wanted}'; it has {list}");
            let remedy = format!("name one '{wanted}' in the Service, or choose by --port");
            checks.fail("ports", found, &remedy);
        }
    }
}

fn selector(facts: &ServiceFacts, checks: &mut Checks) {
    if facts.selector.is_empty() {
        let found = "it selects no pods, so its EndpointSlices are whatever somebody writes";
        checks.warn(
            "selector",
            found,
            "select the application's pods, unless that is meant",
        );
        return;
    }
    let labels = facts
        .selector
        .iter()
        .map(|(key, value)| format!("{key}={value}"));
    checks.ok("selector", labels.collect::<Vec<_>>().join(", "));
}

/// What a watch says first.
pub(super) fn seeds(report: &SeedReport, checks: &mut Checks) {
    match &report.finding {
        Finding::Known(seeds) => checks.ok("seeds", seed_words(seeds)),
        Finding::KnownEmpty => {
            let remedy = "start the application's pods; if they run, compare their labels with \
                          the selector";
            checks.warn("seeds", "the source was asked and lists nobody", remedy);
        }
        Finding::Unknown(error) => checks.fail_by("seeds", error),
    }
    for gap in &report.gaps {
        let remedy = gap
            .remedy()
            .unwrap_or("correct or remove it; the others still count");
        checks.warn("seeds", format!("without one part: {gap}"), remedy);
    }
}

fn seed_words(seeds: &SeedSet) -> String {
    let of_family = |is_v4: bool| {
        let has = |seed: &&discovery_core::Seed| {
            seed.addresses()
                .iter()
                .any(|address| address.is_ipv4() == is_v4)
        };
        seeds.iter().filter(has).count()
    };
    format!(
        "{} known, {} with an IPv4 and {} with an IPv6 address",
        seeds.len(),
        of_family(true),
        of_family(false)
    )
}

/// Whether a census can be made.
pub(super) fn census(census: &Result<Census, FinderError>, checks: &mut Checks) {
    match census {
        Ok(census) => {
            let (count, version) = (census.entries.len(), &census.resource_version);
            let found = format!("lists {count} processes at resource version {version}");
            checks.ok("census", found);
        }
        Err(error) => checks.fail_by("census", error),
    }
}

/// Whether the pod that asks is one of those listed.
pub(super) fn this_pod(census: &Census, uid: Option<&str>, is_in_a_pod: bool, checks: &mut Checks) {
    match uid {
        Some(uid) => {
            let is_me = |entry: &discovery_core::Seed| {
                entry
                    .pod_uid
                    .as_ref()
                    .is_some_and(|own| own.as_str() == uid)
            };
            if census.entries.iter().any(is_me) {
                checks.ok("this pod", format!("is listed (uid {uid})"));
            } else {
                let remedy = "compare this pod's labels with the Service's selector; a pod that \
                              has just started may not be listed yet";
                checks.fail("this pod", format!("is not listed (uid {uid})"), remedy);
            }
        }
        None if is_in_a_pod => {
            let found = "POD_UID is not set, so it cannot be told whether we are listed";
            checks.warn("this pod", found, POD_UID_LINES);
        }
        None => {}
    }
}
