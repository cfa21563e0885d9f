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
        v1::StandingKind::NotYetMember if own.status.refused.is_some() => {
            let refused = own.status.refused.clone().unwrap_or_default();
            let found = format!("not a member, and refused: {}", refused.detail);
            checks.fail("node", found, mend(refused.kind()));
        }
        v1::StandingKind::NotYetMember => checks.fail(
            "node",
            format!("not a member yet; it waits for {}", standing.waiting_for),
            "see below who is listed: each must run and be reachable, or be gone from the list",
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
        v1::StandingKind::Failed => checks.fail(
            "node",
            "a mistake in the protocol has ended it",
            "its log says what went wrong; report it, and let a new process take its place",
        ),
        v1::StandingKind::Left | v1::StandingKind::Unspecified => {
            checks.warn("node", "it is about to end", "");
        }
    }
}

/// What ends a refusal.
pub(super) fn mend(kind: v1::RefusalKind) -> &'static str {
    match kind {
        v1::RefusalKind::Settings => {
            "give all nodes the same --shared-settings, the members' where there are members"
        }
        v1::RefusalKind::WireVersion => "run releases that have a wire version in common",
        v1::RefusalKind::ClusterName => {
            "give both the same --cluster, or list only the nodes of one cluster"
        }
        v1::RefusalKind::Full => {
            "remove members that are not needed, or raise --members-max or --frame-bytes on all \
             nodes"
        }
        v1::RefusalKind::Unspecified => "what differs has to be mended first",
    }
}

/// What the finder of the node that was asked says.
pub(super) fn finder(own: &View, checks: &mut Checks) {
    let Some(finder) = &own.status.finder else {
        checks.ok("finder", "the node has none, or has not asked it yet");
        return;
    };
    let whose = &finder.provenance;
    match finder.state.as_str() {
        "known" => {
            let count = finder.seeds.len();
            checks.ok("finder", format!("{whose}: {count} seeds are known"));
        }
        "empty" => {
            let remedy = "start the others, or correct where the node looks for them";
            checks.warn("finder", format!("{whose}: nobody is listed"), remedy);
        }
        _ => {
            let found = format!("{whose}: {}", finder.detail);
            checks.fail("finder", found, &finder.remedy);
        }
    }
}

/// Whether every other member is reached from here, and what is known of its hearing this node.
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
            Ok(_) => match hears(own, &peer.node.id) {
                Ok(words) => checks.ok("peer", format!("{name}: {to}, {words}")),
                Err(why) => checks.unknown("peer", format!("{name}: {to}, {why}")),
            },
        }
    }
}

/// What is known of a member that does not accuse the node that was asked; or why nothing is.
fn hears(own: &View, id: &str) -> Result<&'static str, &'static str> {
    let observers = &own.status.observers;
    if observers.iter().any(|observer| observer == id) {
        Ok("and it hears this node")
    } else if observers.is_empty() {
        Err("and it says nothing against this node; who observes it is not told")
    } else {
        Err("and it does not observe this node, so it cannot tell whether it hears it")
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

/// What should be the same at all nodes: how to set it, and what a node says of it.
type Shared = (&'static str, fn(&v1::GetStatusResponse) -> Option<String>);

/// Everything that should be the same.
const SHARED: &[Shared] = &[
    ("--cluster", |status| Some(status.cluster_name.clone())),
    ("--shared-settings", |status| {
        Some(format!("{:016x}", status.settings_digest))
    }),
    ("--formation", |status| {
        Some(status.shared_settings.as_ref()?.formation.clone())
    }),
    ("--recovery", |status| {
        Some(status.shared_settings.as_ref()?.recovery.clone())
    }),
    ("--quorum", |status| {
        Some(status.shared_settings.as_ref()?.quorum.clone())
    }),
    ("--proof", |status| {
        Some(status.shared_settings.as_ref()?.proof.clone())
    }),
    ("--merge", |status| {
        Some(status.shared_settings.as_ref()?.merge.clone())
    }),
    ("--silence-limit", |status| {
        let limit = status.shared_settings.as_ref()?.silence_limit?;
        let limit = Duration::try_from(limit).ok()?;
        Some(format!("{limit:?}"))
    }),
    ("--frame-bytes", |status| {
        let bytes = status.shared_settings.as_ref()?.frame_bytes_max;
        (bytes > 0).then(|| bytes.to_string())
    }),
];

/// Whether what should be the same is the same.
pub(super) fn settings(views: &[(&str, &View)], checks: &mut Checks) {
    let mut differ = Vec::new();
    for (flag, of) in SHARED {
        let values = values(views, *of);
        if values.len() > 1 {
            differ.push(format!("{flag} is {}", words(&values)));
        }
    }
    let programs = values(views, |status| Some(status.program_version.clone()));
    if !differ.is_empty() {
        let remedy = "give all nodes the same; while a roll-out changes it, finish that first";
        checks.fail("settings", differ.join("; "), remedy);
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

/// Each value with those who have it; who does not tell is left out.
fn values<'a>(
    views: &[(&'a str, &View)],
    of: fn(&v1::GetStatusResponse) -> Option<String>,
) -> BTreeMap<String, Vec<&'a str>> {
    let mut values: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, view) in views {
        if let Some(value) = of(&view.status) {
            values.entry(value).or_default().push(name);
        }
    }
    values
}

fn words(values: &BTreeMap<String, Vec<&str>>) -> String {
    let words = values
        .iter()
        .map(|(value, names)| format!("{value} at {}", names.join(", ")));
    words.collect::<Vec<_>>().join(", ")
}

/// Whether all see the same topology; of those who could not be asked that is not known.
pub(super) fn agreement(views: &[(&str, &View)], unasked: &[&str], checks: &mut Checks) {
    let not_asked = match unasked {
        [] => String::new(),
        names => format!("; could not be asked: {}", names.join(", ")),
    };
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
        let hashes = hashes.join(", ");
        let found = format!("{id} is told with different content: {hashes}{not_asked}");
        let remedy = "this must never be; keep the logs and the output of 'admin dump' of all \
                      nodes, and report it";
        checks.fail("agreement", found, remedy);
    } else if seen.len() > 1 {
        let found = format!("{}{not_asked}", words(&seen));
        let remedy = "ask again: a change takes a moment to reach all; one that stays behind is \
                      cut off, see the peers above";
        checks.warn("agreement", found, remedy);
    } else if !unasked.is_empty() {
        let (asked, all) = (views.len(), views.len() + unasked.len());
        let found = format!("{asked} of {all} nodes were asked and see the same{not_asked}");
        let remedy = "let their gRPC ports be reached from here: what they see is not known";
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
