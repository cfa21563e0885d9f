//! What happened, one line each, for a person: the moment, who, and what in a few words.

use std::collections::VecDeque;
use std::fmt::{self, Write};

use discovery_core::TopologyId;

use crate::Moment;
use crate::message::{Decision, Message};
use crate::ring::{Input, Notice, Output};

/// Most lines that are kept; the oldest go first.
const LINES_MAX: usize = 2_000_000;

/// The lines of a run.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    is_on: bool,
    lines: VecDeque<String>,
}

impl Trace {
    pub(crate) fn new(is_on: bool) -> Self {
        Self {
            is_on,
            lines: VecDeque::new(),
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Something that a process did or that was told to it.
    pub(crate) fn line(&mut self, now: Moment, who: &str, what: impl FnOnce() -> String) {
        if self.is_on {
            self.push(format!("{now} {who:>8} {}", what()));
        }
    }

    /// Something that happened to the world.
    pub(crate) fn note(&mut self, now: Moment, what: impl FnOnce() -> String) {
        if self.is_on {
            self.push(format!("{now} ------- {}", what()));
        }
    }

    fn push(&mut self, line: String) {
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// The last lines.
    pub fn last(&self, lines: usize) -> impl Iterator<Item = &str> {
        let first = self.lines.len().saturating_sub(lines);
        self.lines.range(first..).map(String::as_str)
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

pub(crate) fn of_input(input: &Input) -> String {
    match input {
        Input::Deadline => "<- deadline".to_owned(),
        Input::LinkAccepted { link, from } => format!("<- {link} accepted from {from}"),
        Input::LinkOpened { link } => format!("<- {link} opened"),
        Input::LinkFailed { link, failure } => format!("<- {link} failed: {failure:?}"),
        Input::LinkClosed { link } => format!("<- {link} closed"),
        Input::Received { link, message } => format!("<- {link} {}", of_message(message)),
        Input::Undecodable { link } => format!("<- {link} undecodable"),
        Input::Seeds(report) => {
            let (state, seeds) = (report.finding.state(), report.seeds().len());
            format!("<- seeds {state}, {seeds} worth dialling")
        }
        Input::Listing { round, result } => match result {
            Ok(census) => {
                let entries = census.entries.iter().map(ToString::to_string);
                let entries: Vec<String> = entries.collect();
                let version = census.resource_version;
                format!("<- listing {round} at {version}: {}", entries.join(", "))
            }
            Err(error) => format!("<- listing {round} failed: {error}"),
        },
        Input::PodFact { question, fact } => format!("<- pod {question}: {fact:?}"),
        Input::Publish { request, .. } => format!("<- publish request {request}"),
        Input::Leave => "<- leave".to_owned(),
        Input::Remove { node, .. } => format!("<- remove {}", short(*node)),
        Input::ForceRecovery => "<- force recovery".to_owned(),
    }
}

pub(crate) fn of_output(output: &Output) -> String {
    match output {
        Output::OpenLink { link, to } => format!("-> {link} to {to}"),
        Output::CloseLink { link, reason } => format!("-> {link} close: {reason}"),
        Output::Send { link, message } => format!("-> {link} {}", of_message(message)),
        Output::WatchSeeds(wanted) => format!("-> watch seeds: {wanted}"),
        Output::AskListing { round } => format!("-> ask for listing {round}"),
        Output::AskPod { question, pod } => format!("-> ask {question} for {pod}"),
        Output::Emit(notice) => format!("!! {}", of_notice(notice)),
        Output::Observed(observation) => format!("  · {observation:?}"),
    }
}

fn of_notice(notice: &Notice) -> String {
    match notice {
        Notice::Identity(node) => format!("is {} now", short(node.id())),
        Notice::Standing(standing) => format!("standing {standing:?}"),
        Notice::Installed {
            topology,
            cause,
            position,
        } => {
            let (id, term) = (of_topology(topology.id()), topology.term());
            let members = members(topology);
            format!("installed {id} term {term} at {position} ({cause:?}): {members}")
        }
        Notice::Changed(event) => {
            let (before, id) = (
                of_topology(event.previous),
                of_topology(event.topology.id()),
            );
            let mut text = format!(
                "changed {before} to {id} term {}: {}",
                event.topology.term(),
                members(&event.topology)
            );
            for (member, why) in &event.failed {
                let _ = write!(text, "; {} failed: {why}", member.name());
            }
            for member in &event.left {
                let _ = write!(text, "; {} left", member.name());
            }
            text
        }
        Notice::Message(message) => {
            let topology = of_topology(message.topology);
            format!("message at {topology} {}", message.position)
        }
        Notice::Published { request, result } => format!("request {request}: {result:?}"),
        Notice::Left(result) => format!("left: {result:?}"),
        Notice::MetOtherCluster { ours, theirs } => {
            format!("met {} from {}", of_topology(*theirs), of_topology(*ours))
        }
        Notice::NotListed => "not listed".to_owned(),
        Notice::Contested(node) => format!("{} is contested", node.name()),
        Notice::Refused { why } => format!("refused: {why}"),
    }
}

fn members(topology: &discovery_core::Topology) -> String {
    let members = topology.members().iter();
    let names: Vec<String> = members
        .map(|member| format!("{}#{}={}", member.name(), member.order, short(member.id())))
        .collect();
    names.join(" ")
}

/// The last digits of a node id: enough to tell the few of a run apart.
fn short(node: discovery_core::NodeId) -> String {
    format!("{:04x}", node.as_u128() & 0xffff)
}

fn of_topology(id: TopologyId) -> String {
    let cluster = id.cluster_id.as_u128() & 0xff;
    format!("c{cluster:02x}e{}v{}", id.epoch, id.version)
}

fn of_decision(decision: &Decision) -> String {
    match decision {
        Decision::Change(change) => {
            let joins = change
                .joins
                .iter()
                .map(|(_, node)| format!("+{}", node.name()));
            let leaves = change
                .leaves
                .iter()
                .map(|node| format!("-{}", short(*node)));
            let failures = change.failures.iter();
            let failures = failures.map(|(node, _)| format!("!{}", short(*node)));
            let parts: Vec<String> = joins.chain(leaves).chain(failures).collect();
            match change.epoch {
                Some(epoch) => format!("[{} epoch {epoch}]", parts.join(" ")),
                None => format!("[{}]", parts.join(" ")),
            }
        }
        Decision::Message(message) => {
            format!("m({} {})", short(message.publisher), message.sequence)
        }
    }
}

/// A message in a few words.
pub(crate) fn of_message(message: &Message) -> String {
    let kind = message.kind();
    match message {
        Message::Propose(it) => {
            let entries: Vec<String> = it.entries.iter().map(|it| of_decision(it)).collect();
            format!(
                "{kind} {} t{} start {} re-proposed to {} first {} {} decided {} tick {}{}{}",
                of_topology(it.topology),
                it.term,
                it.start,
                it.reproposed_to,
                it.first,
                entries.join(" "),
                it.decided,
                it.tick,
                if it.relay { " relay" } else { "" },
                if it.recovery { " recovery" } else { "" },
            )
        }
        Message::Heartbeat(it) => format!(
            "{kind} {} echo {} {} w(t{} {}) tick(t{} {})",
            it.sequence,
            it.echo,
            of_topology(it.topology),
            it.watermark.term,
            it.watermark.position,
            it.tick.term,
            it.tick.count
        ),
        Message::Hello(it) | Message::HelloAnswer(it) => format!(
            "{kind} {} {} {:?} {}",
            it.node.name(),
            short(it.node.id()),
            it.phase,
            it.topology.map(of_topology).unwrap_or_default()
        ),
        Message::Alert(it) => {
            let accused = it.accusations.iter();
            let accused: Vec<String> = accused
                .map(|(node, kind, _)| format!("{} {kind}", short(*node)))
                .collect();
            format!("{kind} {} {}", of_topology(it.topology), accused.join(", "))
        }
        Message::Decided(it) => {
            let entries: Vec<String> = it
                .entries
                .iter()
                .map(|entry| format!("t{} {}", entry.term, of_decision(&entry.decision)))
                .collect();
            let (first, decided) = (it.first, it.decided);
            let topology = of_topology(it.topology);
            format!(
                "{kind} {topology} first {first} {} decided {decided}",
                entries.join(" ")
            )
        }
        other => shortened(&format!("{other:?}")),
    }
}

/// Cuts the long zeros out of ids that debug formatting prints whole.
fn shortened(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    let mut digits = 0;
    let chars: Vec<char> = text.chars().collect();
    for (place, c) in chars.iter().enumerate() {
        let ahead = chars[place..]
            .iter()
            .take_while(|c| c.is_ascii_hexdigit())
            .count();
        digits = if c.is_ascii_hexdigit() { digits + 1 } else { 0 };
        // Of 32 digits in a row the last four tell enough.
        if digits + ahead > 24 && ahead > 4 {
            continue;
        }
        short.push(*c);
    }
    short
}
