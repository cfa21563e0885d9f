//! Suite `finder`: whatever happens to the pods, the API and the permissions, every finder ends
//! with what the API holds, or says why it cannot know and keeps what it knew.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::listing::{Listing, Processes};
use super::observer::Observer;
use super::sighting::Sighting;
use super::stage::{NAMESPACE, SERVICE, SETTLE_MAX, Stage};
use super::steps::Steps;
use crate::cluster::deadline::Deadline;

/// How long the API server stays away.
const OUTAGE: Duration = Duration::from_secs(30);
/// Slices made by hand, half of them of each family, and endpoints in each.
const HAND_SLICES: usize = 12;
const HAND_ENDPOINTS: usize = 100;

/// Runs every step; each leaves the application with three pods.
pub(super) fn run(stage: &Stage<'_>, steps: &mut Steps) -> anyhow::Result<()> {
    let mut observer = steps.prepare("deploy", || {
        stage.deploy_finders()?;
        stage.observe(SERVICE)
    })?;
    steps.step("3 pods start in parallel", || {
        stage.wait_ready(3)?;
        agree(stage, &mut observer)
    });
    for (from, to) in [(3, 8), (8, 2), (2, 0), (0, 3)] {
        steps.step(&format!("scale {from} to {to}"), || {
            let replicas = format!("--replicas={to}");
            stage.kubectl(&["scale", "statefulset", "ring", &replicas])?;
            stage.wait_ready(to)?;
            agree(stage, &mut observer)
        });
    }
    steps.step("rolling restart", || {
        stage.kubectl(&["rollout", "restart", "statefulset/ring"])?;
        stage.kubectl(&["rollout", "status", "statefulset/ring", "--timeout=150s"])?;
        agree(stage, &mut observer)
    });
    steps.step("pod deleted with grace 0", || {
        stage.kubectl(&["delete", "pod", "ring-1", "--grace-period=0", "--force"])?;
        stage.wait_ready(3)?;
        agree(stage, &mut observer)
    });
    steps.step("readiness false, true, false", || {
        readiness(stage, &mut observer)
    });
    steps.step("Service port renamed and back", || {
        port_renamed(stage, &mut observer)
    });
    steps.step("Role removed and given back", || {
        role_removed(stage, &mut observer)
    });
    steps.step("API server away for 30 s", || {
        api_away(stage, &mut observer)
    });
    steps.step("12 slices by hand, v4 and v6", || by_hand(stage));
    Ok(())
}

/// Waits until the slices are quiet; then every pod and the observer must hold just what they do.
fn agree(stage: &Stage<'_>, observer: &mut Observer) -> anyhow::Result<String> {
    let deadline = Deadline::after(SETTLE_MAX);
    loop {
        let listing = stage.quiet_listing(SERVICE)?;
        let disagreeing = disagreeing(stage, observer, &listing.processes)?;
        let is_still_so = stage.listing(SERVICE)?.versions == listing.versions;
        match (disagreeing, is_still_so) {
            (None, true) => {
                let count = listing.processes.len();
                return Ok(format!(
                    "{count} seeds in {} slices",
                    listing.versions.len()
                ));
            }
            (Some(who), true) => bail!("{who}; the API holds {:?}", listing.processes),
            (_, false) if deadline.is_over() => bail!("the slices never stay as they are"),
            (_, false) => {}
        }
    }
}

/// Who does not hold exactly these, and what instead.
fn disagreeing(
    stage: &Stage<'_>,
    observer: &mut Observer,
    processes: &Processes,
) -> anyhow::Result<Option<String>> {
    let wanted = if processes.is_empty() {
        "empty"
    } else {
        "known"
    };
    let agrees = |sighting: &Sighting| sighting.state == wanted && sighting.processes == *processes;
    let mut all = all_sightings(stage, observer)?;
    let running = stage.pods()?;
    let silent = running
        .keys()
        .find(|pod| pod.starts_with("ring-") && !all.contains_key(*pod));
    if let Some(pod) = silent {
        return Ok(Some(format!("{pod} has said nothing")));
    }
    all.retain(|_, sighting| !agrees(sighting));
    Ok(all
        .first_key_value()
        .map(|(who, sighting)| format!("{who} holds {sighting:?}")))
}

/// The newest word of every pod, and of the observer.
fn all_sightings(
    stage: &Stage<'_>,
    observer: &mut Observer,
) -> anyhow::Result<BTreeMap<String, Sighting>> {
    let mut all = stage.sightings()?;
    let observed = observer
        .sighting()?
        .context("the observer has said nothing")?;
    all.insert("the observer".to_owned(), observed);
    Ok(all)
}

/// Waits until everybody is unknown for this cause and still holds these.
fn all_unknown(
    stage: &Stage<'_>,
    observer: &mut Observer,
    cause: &str,
    kept: &Processes,
    is_observer_too: bool,
) -> anyhow::Result<()> {
    let deadline = Deadline::after(SETTLE_MAX);
    loop {
        let mut all = all_sightings(stage, observer)?;
        if !is_observer_too {
            all.remove("the observer");
        }
        let is_so = |it: &Sighting| it.state == "unknown" && it.cause.as_deref() == Some(cause);
        let other = all.iter().find(|(_, sighting)| !is_so(sighting));
        match other {
            None => {
                let lost = all.iter().find(|(_, sighting)| sighting.processes != *kept);
                ensure!(lost.is_none(), "the last good set was not kept: {lost:?}");
                return Ok(());
            }
            Some(other) if !deadline.pause() => bail!("not unknown ({cause}): {other:?}"),
            Some(_) => {}
        }
    }
}

/// A pod of its own whose readiness is a condition that we set, since no probe can be told what to
/// say.
fn readiness(stage: &Stage<'_>, observer: &mut Observer) -> anyhow::Result<String> {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "gated", "labels": {
            "app.kubernetes.io/name": "discovery-node", "app.kubernetes.io/instance": "ring"}},
        "spec": {
            "serviceAccountName": "ring",
            "readinessGates": [{"conditionType": "e2e.test/gate"}],
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "node", "image": "localhost/discovery-node:dev",
                "imagePullPolicy": "IfNotPresent",
                "args": ["seeds", "--watch", "--namespace", NAMESPACE, "--service", SERVICE],
                "ports": [{"name": "ring", "containerPort": 47500}],
            }],
        },
    });
    stage.apply("gated", &pod)?;
    let uid = stage.kubectl(&["get", "pod", "gated", "-o", "jsonpath={.metadata.uid}"])?;
    let mut seen = Vec::new();
    for (status, is_serving) in [("False", false), ("True", true), ("False", false)] {
        let patch =
            json!({"status": {"conditions": [{"type": "e2e.test/gate", "status": status}]}});
        let patch = patch.to_string();
        stage.kubectl(&[
            "patch",
            "pod",
            "gated",
            "--subresource=status",
            "-p",
            &patch,
        ])?;
        wait_for(stage, |listing| {
            let ours = listing
                .processes
                .iter()
                .find(|process| process.identity == uid);
            ours.is_some_and(|process| process.is_serving == is_serving)
        })?;
        seen.push(agree(stage, observer)?);
    }
    stage.kubectl(&["delete", "pod", "gated"])?;
    agree(stage, observer)?;
    seen.pop().context("nothing was seen")
}

/// Waits until the API holds what is wanted.
fn wait_for(stage: &Stage<'_>, is_so: impl Fn(&Listing) -> bool) -> anyhow::Result<()> {
    let deadline = Deadline::after(SETTLE_MAX);
    loop {
        let listing = stage.listing(SERVICE)?;
        if is_so(&listing) {
            return Ok(());
        }
        if !deadline.pause() {
            bail!("the API still holds {:?}", listing.processes);
        }
    }
}

fn port_renamed(stage: &Stage<'_>, observer: &mut Observer) -> anyhow::Result<String> {
    let kept = stage.quiet_listing(SERVICE)?.processes;
    let rename = |name: &str| {
        let patch = json!([{"op": "replace", "path": "/spec/ports/0/name", "value": name}]);
        let patch = patch.to_string();
        stage.kubectl(&["patch", "service", SERVICE, "--type=json", "-p", &patch])
    };
    rename("renamed")?;
    all_unknown(stage, observer, "no_port", &kept, true)?;
    rename("ring")?;
    agree(stage, observer)
}

fn role_removed(stage: &Stage<'_>, observer: &mut Observer) -> anyhow::Result<String> {
    let kept = stage.quiet_listing(SERVICE)?.processes;
    stage.kubectl(&["delete", "rolebinding", "ring-discovery"])?;
    // The observer asks as an administrator.
    all_unknown(stage, observer, "forbidden", &kept, false)?;
    stage.deploy_finders()?;
    let deadline = Deadline::after(SETTLE_MAX);
    while stage
        .sightings()?
        .values()
        .any(|sighting| sighting.state != "known")
    {
        ensure!(
            deadline.pause(),
            "still unknown long after the Role is back"
        );
    }
    agree(stage, observer)
}

fn api_away(stage: &Stage<'_>, observer: &mut Observer) -> anyhow::Result<String> {
    let kept = stage.quiet_listing(SERVICE)?.processes;
    let spoken: BTreeMap<String, usize> = stage
        .pods()?
        .into_keys()
        .map(|pod| Ok((pod.clone(), stage.history(&pod)?.len())))
        .collect::<anyhow::Result<_>>()?;
    stage.target.stop_apiserver()?;
    let outage = Deadline::after(OUTAGE);
    while outage.pause() {}
    let during = observer
        .sighting()?
        .context("the observer has said nothing")?;
    stage.target.start_apiserver()?;
    ensure!(
        during.state == "unknown" && during.processes == kept,
        "during the outage the observer held {during:?}"
    );
    let back = Deadline::after(SETTLE_MAX);
    while all_sightings(stage, observer)?
        .values()
        .any(|sighting| sighting.state != "known")
    {
        ensure!(
            back.pause(),
            "still unknown long after the API server is back"
        );
    }
    let known_after = back.elapsed().as_secs();
    let seen = agree(stage, observer)?;
    for (pod, spoken) in spoken {
        let history = stage.history(&pod)?;
        let since = history.get(spoken..).unwrap_or_default();
        let unknown = since.iter().find(|sighting| sighting.state == "unknown");
        let unknown = unknown.with_context(|| format!("{pod} did not notice the outage"))?;
        ensure!(
            unknown.processes == kept,
            "{pod} lost its last good set: {unknown:?}"
        );
        ensure!(
            since.iter().all(|it| it.state != "empty"),
            "{pod} took silence for emptiness"
        );
    }
    Ok(format!("{seen}, known {known_after} s after it was back"))
}

/// A Service without selector, its slices written by us, watched by an observer of its own.
fn by_hand(stage: &Stage<'_>) -> anyhow::Result<String> {
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "by-hand"},
        "spec": {"clusterIP": "None", "ports": [{"name": "ring", "port": 47500}]},
    });
    stage.apply("by-hand", &service)?;
    let mut observer = stage.observe("by-hand")?;
    wait_state(&mut observer, "empty", |_| true)?;
    let all: Vec<Value> = (0..HAND_SLICES)
        .map(|at| hand_slice(at, HAND_ENDPOINTS))
        .collect();
    stage.apply("slices", &list(&all))?;
    let listing = stage.quiet_listing("by-hand")?;
    wait_state(&mut observer, "known", |sighting| {
        sighting.processes == listing.processes
    })?;
    let count = listing.processes.len();
    ensure!(
        count == HAND_SLICES * HAND_ENDPOINTS,
        "the API holds {count} processes"
    );

    let shrunk: Vec<Value> = (0..HAND_SLICES).map(|at| hand_slice(at, 0)).collect();
    stage.apply("slices", &list(&shrunk))?;
    wait_state(&mut observer, "empty", |_| true)?;
    stage.kubectl(&[
        "delete",
        "endpointslices",
        "-l",
        "kubernetes.io/service-name=by-hand",
    ])?;
    stage.kubectl(&["delete", "service", "by-hand"])?;
    wait_state(&mut observer, "unknown", |it| {
        it.cause.as_deref() == Some("not_found")
    })?;
    Ok(format!(
        "{count} seeds in {} slices",
        listing.versions.len()
    ))
}

fn wait_state(
    observer: &mut Observer,
    state: &str,
    is_so: impl Fn(&Sighting) -> bool,
) -> anyhow::Result<()> {
    let deadline = Deadline::after(SETTLE_MAX);
    loop {
        let sighting = observer.sighting()?;
        if sighting
            .as_ref()
            .is_some_and(|it| it.state == state && is_so(it))
        {
            return Ok(());
        }
        if !deadline.pause() {
            let said = sighting.map(|it| (it.state, it.cause, it.processes.len()));
            bail!("not {state} as wanted but {said:?}");
        }
    }
}

fn list(items: &[Value]) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

/// One slice; even ones hold IPv4, odd ones IPv6.
fn hand_slice(at: usize, endpoints: usize) -> Value {
    let is_v4 = at.is_multiple_of(2);
    let address = |endpoint: usize| {
        if is_v4 {
            format!("10.90.{at}.{}", endpoint + 1)
        } else {
            format!("fd00:90::{at:x}:{:x}", endpoint + 1)
        }
    };
    let endpoints: Vec<Value> = (0..endpoints)
        .map(|endpoint| json!({"addresses": [address(endpoint)]}))
        .collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": format!("by-hand-{at}"), "labels": {
            "kubernetes.io/service-name": "by-hand",
            "endpointslice.kubernetes.io/managed-by": "e2e.test"}},
        "addressType": if is_v4 { "IPv4" } else { "IPv6" },
        "ports": [{"name": "ring", "port": 47500, "protocol": "TCP"}],
        "endpoints": endpoints,
    })
}
