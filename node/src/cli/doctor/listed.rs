//! What is found out of processes that the finder lists and that are no members: whether they are
//! reached, and why they are none. Pure; asking is `cluster.rs`'s.

use std::net::SocketAddr;

use discovery_proto::discovery::v1;

use super::check::Checks;
use super::views::{self, Dial, View};

/// Most of them that are looked at; of the others only their number is told.
pub(super) const LISTED_MAX: usize = 16;

/// A process that is listed and, as far as the node that was asked knows, no member.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) seed: v1::Seed,
    /// Its ring's port, dialled from here.
    pub(super) ring: Dial,
    /// How it sees things, or why it does not say.
    pub(super) view: Result<View, String>,
}

impl Listed {
    /// Its name by the finder or its own word, else where it is.
    pub(super) fn name(&self) -> &str {
        let view = self.view.as_ref().ok();
        let own = view.and_then(|view| Some(view.status.node.as_ref()?.name.as_str()));
        let place = self.seed.addresses.first().map(String::as_str);
        let mut names = [Some(self.seed.name.as_str()), own, place].into_iter();
        let name = names.find_map(|name| name.filter(|name| !name.is_empty()));
        name.unwrap_or("?")
    }
}

/// Who is listed and no member, the node that was asked left out; and how many more there are.
pub(super) fn strangers(own: &View) -> (Vec<v1::Seed>, usize) {
    let seeds = own.status.finder.iter().flat_map(|finder| &finder.seeds);
    let mut strangers: Vec<v1::Seed> = seeds
        .filter(|seed| seed.member.is_empty() && !is_of(own, seed))
        .cloned()
        .collect();
    let beyond = strangers.len().saturating_sub(LISTED_MAX);
    strangers.truncate(LISTED_MAX);
    (strangers, beyond)
}

/// Whether a view is that of this listed process: by pod where both say it, else by address.
pub(super) fn is_of(view: &View, seed: &v1::Seed) -> bool {
    let node = view.status.node.as_ref();
    node.is_some_and(|node| is_at(node, seed))
}

fn is_at(node: &v1::Node, seed: &v1::Seed) -> bool {
    if seed.pod_uid.is_empty() || node.pod_uid.is_empty() {
        let mut addresses = seed.addresses.iter();
        addresses.any(|address| node.addresses.contains(address))
    } else {
        seed.pod_uid == node.pod_uid
    }
}

/// Where the API of a listed process should be: at its addresses, at the port that the node that
/// was asked has, else the first member that says; nowhere if nobody says.
pub(super) fn api_of(own: &View, seed: &v1::Seed) -> Vec<String> {
    let topology = own.status.topology.iter();
    let members = topology.flat_map(|topology| &topology.members);
    let nodes = own.status.node.iter();
    let nodes = nodes.chain(members.filter_map(|member| member.node.as_ref()));
    let addresses = |texts: &[String]| -> Vec<SocketAddr> {
        texts.iter().filter_map(|text| text.parse().ok()).collect()
    };
    let mut ports = nodes.flat_map(|node| addresses(&node.grpc_addresses));
    let Some(port) = ports.next().map(|address| address.port()) else {
        return Vec::new();
    };
    let at_port = |address: SocketAddr| SocketAddr::new(address.ip(), port).to_string();
    let seeds = addresses(&seed.addresses).into_iter();
    seeds.map(at_port).collect()
}

/// What is known of everybody who is listed and no member; `views` are those of all who were asked,
/// that of the node that doctor stands beside first.
pub(super) fn listed(views: &[(&str, &View)], all: &[Listed], beyond: usize, checks: &mut Checks) {
    let Some((_, own)) = views.first() else {
        return;
    };
    for one in all {
        judge(own, one, refusal(views, &one.seed), checks);
    }
    if beyond > 0 {
        let found = format!("{beyond} more are no members; at most {LISTED_MAX} are looked at");
        checks.unknown("listed", found);
    }
}

/// Who turned this process away lately, and why.
fn refusal<'a>(
    views: &[(&'a str, &'a View)],
    seed: &v1::Seed,
) -> Option<(&'a str, &'a v1::Refusal)> {
    views.iter().find_map(|(name, view)| {
        let mut refusals = view.status.turned_away.iter().rev();
        let node = |it: &&v1::Refusal| it.node.as_ref().is_some_and(|node| is_at(node, seed));
        Some((*name, refusals.find(node)?))
    })
}

fn judge(own: &View, one: &Listed, refusal: Option<(&str, &v1::Refusal)>, checks: &mut Checks) {
    let name = one.name();
    let to = match (&one.ring, one.seed.terminating) {
        (Dial::Answers(took), _) => format!("its ring port answers in {took:.1?}"),
        (Dial::Fails(why), Some(true)) => {
            let found = format!("{name} is on its way out, its ring port does not answer: {why}");
            return checks.ok("listed", found);
        }
        (Dial::Fails(why), _) => {
            let found = format!("{name}: from here its ring port does not answer: {why}");
            let remedy = "let it run, with no NetworkPolicy or firewall between, both ways; or let \
                          it be listed no more";
            return checks.fail("listed", found, remedy);
        }
    };
    let head = format!("{name}: {to}");
    let differs = one
        .view
        .as_ref()
        .ok()
        .and_then(|view| differs(own, view, name));
    if let Some((what, remedy)) = differs {
        return checks.fail("listed", format!("{head}; {what}"), &remedy);
    }
    match (&one.view, refusal) {
        (_, Some((by, refusal))) => {
            let found = format!("{head}; {by} turns it away: {}", refusal.detail);
            checks.fail("listed", found, views::mend(refusal.kind()));
        }
        (Ok(view), None) => stands(own, view, &head, checks),
        (Err(why), None) => checks.warn(
            "listed",
            format!("{head}; it is no member, and why is not known: {why}"),
            "let its gRPC port be reached too, or run doctor beside it",
        ),
    }
}

fn is_in_force(view: &View) -> bool {
    let standing = view.status.standing.as_ref();
    standing.is_some_and(|standing| standing.kind() == v1::StandingKind::Member)
}

/// What keeps the two apart until somebody mends it, and on which side.
fn differs(own: &View, theirs: &View, name: &str) -> Option<(String, String)> {
    let side = match (is_in_force(own), is_in_force(theirs)) {
        (true, false) => format!("at {name}, as the members have it"),
        (false, true) => format!("at this node, as {name} has it, which is a member"),
        _ => "at one of the two".to_owned(),
    };
    let (here, there) = (&own.status, &theirs.status);
    if here.cluster_name != there.cluster_name {
        let (ours, theirs) = (&here.cluster_name, &there.cluster_name);
        let what = format!("it belongs to cluster '{theirs}', this node to '{ours}'");
        let remedy = format!("change --cluster {side}; or list only the nodes of one cluster");
        return Some((what, remedy));
    }
    if here.settings_digest != there.settings_digest {
        let (ours, theirs) = (here.settings_digest, there.settings_digest);
        let what = format!(
            "its shared settings are others: their digest is {theirs:016x} there, {ours:016x} here"
        );
        return Some((what, format!("change --shared-settings {side}")));
    }
    let (ours, theirs) = (cluster_id(own)?, cluster_id(theirs)?);
    (ours != theirs).then(|| {
        let what = format!("it is in another cluster of this name: {theirs}, this node in {ours}");
        let remedy = "two clusters stay two: end the nodes of the one that is not wanted, and \
                      start them again; they join the other";
        (what, remedy.to_owned())
    })
}

fn cluster_id(view: &View) -> Option<&str> {
    let id = view.status.topology.as_ref()?.id.as_ref()?;
    Some(&id.cluster_id)
}

/// How somebody stands whom nothing keeps apart; `head` says who, and that it is reached.
fn stands(own: &View, theirs: &View, head: &str, checks: &mut Checks) {
    let standing = theirs.status.standing.clone().unwrap_or_default();
    let topology = theirs.status.topology.as_ref();
    let count = topology.map_or(0, |topology| topology.members.len());
    match standing.kind() {
        v1::StandingKind::Member => {
            checks.ok("listed", format!("{head}; it is one of {count} members"));
        }
        v1::StandingKind::NotYetMember => {
            let waits = &standing.waiting_for;
            let found = format!("{head}; it is not a member yet and waits for {waits}");
            if is_in_force(own) {
                let remedy = "ask again: it takes a moment; one that goes on waiting is hindered \
                              by what it waits for";
                checks.warn("listed", found, remedy);
            } else {
                checks.ok("listed", found);
            }
        }
        v1::StandingKind::WithoutQuorum => {
            let found = format!("{head}; it hears no majority of its {count} members");
            let remedy = "it goes on by itself when a majority is back: run doctor beside it";
            checks.warn("listed", found, remedy);
        }
        v1::StandingKind::Removed => {
            let found = format!("{head}; it was removed by the others and joins again by itself");
            checks.warn("listed", found, "discovery-node status says there why");
        }
        v1::StandingKind::Failed => checks.fail(
            "listed",
            format!("{head}; a mistake in the protocol has ended it"),
            "its log says what went wrong; report it, and let a new process take its place",
        ),
        v1::StandingKind::Left | v1::StandingKind::Unspecified => {
            checks.ok("listed", format!("{head}; it is about to end"));
        }
    }
}

#[cfg(test)]
#[path = "listed_tests.rs"]
mod tests;
