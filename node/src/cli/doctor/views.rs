//! What the views of a cluster's members mean: whether they reach each other, agree, and share what
//! they must. Pure; asking is `cluster.rs`'s.

use std::collections::BTreeMap;
use std::time::Duration;

use discovery_proto::discovery::v1;

use super::check::Checks;
use crate::wrap::columns;

/// By how much clocks may differ before it is told: times in evidence are by the observer's clock.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(1);

/// How a node sees things.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) status: v1::GetStatusResponse,
    /// How long it took to answer.
    pub(super) took: Duration,
    /// When the answer came, by our clock, milliseconds since 1970.
    pub(super) answered_at: i64,
}

/// What came of dialling.
#[derive(Clone, Debug)]
pub(super) enum Dial {
    Answers(Duration),
    Fails(String),
}

/// Another member.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) node: v1::Node,
    /// Its ring's port, dialled from here.
    pub(super) ring: Dial,
    /// How it sees things, or why it does not say.
    pub(super) view: Result<View, String>,
}

/// How the node that was asked stands.
pub(super) fn node(own: &View, checks: &mut Checks) {
    let standing = own.status.standing.clone().unwrap_or_default();
    let members = own
        .status
        .topology
        .as_ref()
        .map_or(0, |one| one.members.len());
    match standing.kind() {
        v1::StandingKind::Member => {
            checks.ok(
                "node",
                format!("a member of {members}, a majority is heard"),
            );
        }
        v1::StandingKind::NotYetMember => checks.fail(
            "node",
            format!("not a member yet; it waits for {}", standing.waiting_for),
            "see who is awaited above: it must run, be listed and be reachable, or be gone",
        ),
        v1::StandingKind::WithoutQuorum => checks.fail(
            "node",
            format!("without quorum: no majority of its {members} members is heard"),
            "see below who cannot be reached; it goes on by itself when a majority is back",
        ),
        v1::StandingKind::Removed => checks.warn(
            "node",
            "removed by the others; it joins again by itself",
            "discovery-node status says why it was removed",
        ),
        v1::StandingKind::Left | v1::StandingKind::Unspecified => {
            checks.warn("node", "it is about to end", "");
        }
    }
}

/// Whether every other member is reached from here, and hears this node.
pub(super) fn peers(own: &View, peers: &[Peer], checks: &mut Checks) {
    let own_id = own.status.node.as_ref().map_or("", |node| node.id.as_str());
    for peer in peers {
        let name = &peer.node.name;
        let to = match &peer.ring {
            Dial::Answers(took) => format!("its ring port answers in {took:.1?}"),
            Dial::Fails(why) => {
                let found = format!("{name}: from here its ring port does not answer: {why}");
                let remedy = "let no NetworkPolicy or firewall stand between members, both ways";
                checks.fail("peer", found, remedy);
                continue;
            }
        };
        match &peer.view {
            Err(why) => checks.warn(
                "peer",
                format!("{name}: {to}; its API does not answer: {why}"),
                "whether it hears this node cannot be told; let its gRPC port be reached too",
            ),
            Ok(view) if accuses(view, &peer.node.id, own_id) => checks.fail(
                "peer",
                format!("{name}: {to}, but it does not hear this node"),
                "what it sends comes in and what is sent to it is lost: look for a rule that \
                 holds one direction only",
            ),
            Ok(_) => checks.ok("peer", format!("{name}: {to}, and it hears this node")),
        }
    }
}

/// Whether a member itself accuses this subject.
fn accuses(view: &View, observer: &str, subject: &str) -> bool {
    let of_subject = |one: &&v1::Suspicion| one.subject == subject;
    let suspicions = view.status.suspicions.iter().filter(of_subject);
    suspicions
        .flat_map(|one| &one.accusations)
        .any(|one| one.observer == observer)
}

/// Whether clocks agree, as well as can be told from here.
pub(super) fn clocks(views: &[(&str, &View)], checks: &mut Checks) {
    let mut worst: Option<(&str, i64)> = None;
    for (name, view) in views {
        let Some(now) = view.status.now.as_ref() else {
            continue;
        };
        let theirs = now.seconds * 1000 + i64::from(now.nanos) / 1_000_000;
        let way_back = i64::try_from(view.took.as_millis() / 2).unwrap_or(0);
        let apart = (view.answered_at - way_back - theirs).abs();
        if worst.is_none_or(|(_, most)| apart > most) {
            worst = Some((*name, apart));
        }
    }
    let Some((name, apart)) = worst else { return };
    let found = format!("at most {apart} ms from ours ({name})");
    if u128::from(apart.unsigned_abs()) > CLOCK_TOLERANCE.as_millis() {
        let remedy = "let the clocks be synchronised: times in evidence are misleading else; what \
                      is decided does not depend on them";
        checks.warn("clock", found, remedy);
    } else {
        checks.ok("clock", found);
    }
}

/// Whether what must be the same is the same.
pub(super) fn settings(views: &[(&str, &View)], checks: &mut Checks) {
    let by = |of: fn(&v1::GetStatusResponse) -> String| {
        let mut values: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (name, view) in views {
            values.entry(of(&view.status)).or_default().push(name);
        }
        values
    };
    let words = |values: &BTreeMap<String, Vec<&str>>| {
        let words = values
            .iter()
            .map(|(value, names)| format!("{value} at {}", names.join(", ")));
        words.collect::<Vec<_>>().join("; ")
    };
    let names = by(|status| status.cluster_name.clone());
    let digests = by(|status| status.settings_digest.to_string());
    let programs = by(|status| status.program_version.clone());
    if names.len() > 1 || digests.len() > 1 {
        let found = format!(
            "cluster {}; shared settings {}",
            words(&names),
            words(&digests)
        );
        checks.fail(
            "settings",
            found,
            "give all nodes the same --cluster and --shared-settings",
        );
    } else if programs.len() > 1 {
        let found = format!("several versions run: {}", words(&programs));
        checks.warn(
            "settings",
            found,
            "finish the roll-out; neighbouring releases get on",
        );
    } else {
        checks.ok("settings", format!("the same at {} nodes", views.len()));
    }
}

/// Whether all see the same topology.
pub(super) fn agreement(views: &[(&str, &View)], checks: &mut Checks) {
    let mut seen: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut hashes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, view) in views {
        let (id, hash) = topology_words(&view.status);
        seen.entry(id.clone()).or_default().push(name);
        let known = hashes.entry(id).or_default();
        if !known.contains(&hash) {
            known.push(hash);
        }
    }
    let torn = hashes.iter().find(|(_, hashes)| hashes.len() > 1);
    if let Some((id, hashes)) = torn {
        let found = format!("{id} is told with different content: {}", hashes.join(", "));
        let remedy = "this must never be; keep the logs and the output of 'admin dump' of all \
                      nodes, and report it";
        checks.fail("agreement", found, remedy);
    } else if seen.len() > 1 {
        let words = seen
            .iter()
            .map(|(id, names)| format!("{id} at {}", names.join(", ")));
        let found = words.collect::<Vec<_>>().join("; ");
        let remedy = "ask again: a change takes a moment to reach all; one that stays behind is \
                      cut off, see the peers above";
        checks.warn("agreement", found, remedy);
    } else {
        checks.ok(
            "agreement",
            format!("{} nodes see the same topology", views.len()),
        );
    }
}

/// A topology's name and hash in words.
fn topology_words(status: &v1::GetStatusResponse) -> (String, String) {
    let Some(topology) = &status.topology else {
        return ("no topology".to_owned(), "-".to_owned());
    };
    let id = topology.id.clone().unwrap_or_default();
    let words = format!(
        "{} epoch {} version {}",
        id.cluster_id, id.epoch, id.version
    );
    (words, topology.content_hash.clone())
}

/// The views side by side, those that could not be had included.
pub(super) fn diff(own: (&str, &View), peers: &[Peer]) -> String {
    let titles = [
        "NODE", "STANDING", "CLUSTER", "EPOCH", "VERSION", "HASH", "MEMBERS",
    ];
    let mut rows = vec![
        titles.map(ToOwned::to_owned).to_vec(),
        diff_row(own.0, own.1),
    ];
    for peer in peers {
        rows.push(match &peer.view {
            Ok(view) => diff_row(&peer.node.name, view),
            Err(why) => vec![peer.node.name.clone(), format!("? {why}")],
        });
    }
    columns(&rows, 0)
}

fn diff_row(name: &str, view: &View) -> Vec<String> {
    let standing = view.status.standing.clone().unwrap_or_default();
    let kind = standing.kind().as_str_name();
    let standing = kind
        .strip_prefix("STANDING_KIND_")
        .unwrap_or(kind)
        .to_lowercase();
    let topology = view.status.topology.clone().unwrap_or_default();
    let id = topology.id.unwrap_or_default();
    vec![
        name.to_owned(),
        standing,
        id.cluster_id,
        id.epoch.to_string(),
        id.version.to_string(),
        topology.content_hash,
        topology.members.len().to_string(),
    ]
}

#[cfg(test)]
#[path = "views_tests.rs"]
mod tests;
