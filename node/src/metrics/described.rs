//! Every metric: its name, kind, labels and what it says. Stable: one may be added, none changes.

/// Of what kind a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number that goes up and down.
    Gauge,
    /// A number that only grows, from the start of the process.
    Counter,
    /// How often a value was in each of several ranges.
    Histogram,
}

impl Kind {
    /// `gauge`, `counter` or `histogram`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// The labels of each of its values.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

const fn gauge(name: &'static str, help: &'static str) -> Described {
    labelled_gauge(name, &[], help)
}

const fn labelled_gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Described {
    Described {
        name,
        kind: Kind::Gauge,
        labels,
        help,
    }
}

const fn counter(name: &'static str, help: &'static str) -> Described {
    labelled_counter(name, &[], help)
}

const fn labelled_counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Described {
    Described {
        name,
        kind: Kind::Counter,
        labels,
        help,
    }
}

/// All of them, in the order in which they are told.
pub const METRICS: &[Described] = &[
    labelled_gauge(
        "discovery_build_info",
        &["version"],
        "Always 1; the version of the program",
    ),
    gauge(
        "discovery_up",
        "Whether the protocol's loop answered within its limit",
    ),
    gauge(
        "discovery_ready",
        "Whether the node may be given work, as /readyz tells it",
    ),
    labelled_gauge(
        "discovery_phase",
        &["phase"],
        "1 for the phase that the node is in, else 0",
    ),
    labelled_gauge(
        "discovery_standing",
        &["standing"],
        "1 for where the node stands, else 0",
    ),
    gauge(
        "discovery_quorum",
        "Whether a majority of the topology in force is heard",
    ),
    gauge(
        "discovery_without_quorum_seconds",
        "For how long the quorum is lost; 0 while it is not",
    ),
    gauge("discovery_coordinator", "Whether this node coordinates"),
    gauge("discovery_topology_epoch", "Epoch of the topology in force"),
    gauge(
        "discovery_topology_version",
        "Version of the topology in force",
    ),
    gauge(
        "discovery_topology_hash",
        "Upper 52 bits of the content hash of the topology in force, which a double holds exactly",
    ),
    labelled_gauge(
        "discovery_members",
        &["zone"],
        "Members of the topology in force",
    ),
    gauge(
        "discovery_decided_position",
        "Up to where decisions are known here",
    ),
    labelled_gauge(
        "discovery_suspicions",
        &["kind"],
        "Accusations in force, as far as known here",
    ),
    gauge("discovery_links", "Links that are open or being opened"),
    labelled_gauge(
        "discovery_finder_state",
        &["state"],
        "1 for what the finder knows, else 0",
    ),
    gauge(
        "discovery_finder_seeds",
        "Seeds that the finder listed last",
    ),
    gauge(
        "discovery_finder_gaps",
        "Parts of the source that could not be asked",
    ),
    gauge(
        "discovery_finder_authoritative",
        "Whether the finder can feed a census",
    ),
    gauge(
        "discovery_finder_confirmed_age_seconds",
        "Time since the finder's source last confirmed its list to this node",
    ),
    gauge(
        "discovery_strangers",
        "Seeds that are listed and are no members",
    ),
    gauge(
        "discovery_members_unlisted",
        "Members that the finder does not list",
    ),
    labelled_counter(
        "discovery_changes_total",
        &["change"],
        "Members that joined or left",
    ),
    labelled_counter(
        "discovery_removals_total",
        &["evidence"],
        "Members that were removed, by the kind of evidence",
    ),
    Described {
        name: "discovery_removal_seconds",
        kind: Kind::Histogram,
        labels: &[],
        help: "Time from the first accusation to the removal; compares clocks of two machines",
    },
    labelled_counter(
        "discovery_suspicions_seen_total",
        &["kind"],
        "Accusations that were seen here, several times a second",
    ),
    counter(
        "discovery_suspicions_cleared_total",
        "Accusations that ended while the accused was a member",
    ),
    counter(
        "discovery_quorum_losses_total",
        "Times when the quorum was lost",
    ),
    counter(
        "discovery_own_removals_total",
        "Times when this node was removed",
    ),
    labelled_counter(
        "discovery_finder_troubles_total",
        &["cause"],
        "Times when the finder began not to know, by cause",
    ),
    counter("discovery_installs_total", "Topologies installed"),
    counter(
        "discovery_decisions_total",
        "Positions decided and delivered",
    ),
    counter(
        "discovery_candidacies_total",
        "Terms in which this node asked for promises",
    ),
    counter(
        "discovery_terms_led_total",
        "Terms that this node coordinated",
    ),
    counter(
        "discovery_rounds_total",
        "Census rounds started, of formation and of recovery",
    ),
    counter(
        "discovery_recoveries_total",
        "Recoveries by which this node opened an epoch",
    ),
    counter(
        "discovery_accusations_total",
        "Subjects that this node has accused",
    ),
    counter(
        "discovery_withdrawals_total",
        "Accusations that this node has withdrawn",
    ),
    counter(
        "discovery_late_total",
        "Times when the loop was late by more than an eighth of the silence limit",
    ),
    counter(
        "discovery_nonsense_total",
        "Messages that could not be, by this node's knowledge",
    ),
    counter("discovery_messages_sent_total", "Messages handed to links"),
    counter("discovery_messages_received_total", "Messages that came in"),
    counter(
        "discovery_messages_unknown_total",
        "Messages of a kind that this build does not know",
    ),
    counter(
        "discovery_messages_oversized_total",
        "Messages too large for a frame; not sent",
    ),
    counter("discovery_bytes_sent_total", "Bytes written to links"),
    counter("discovery_bytes_received_total", "Bytes read from links"),
    counter("discovery_frames_sent_total", "Frames handed to links"),
    counter(
        "discovery_frames_received_total",
        "Frames that came in whole",
    ),
    counter(
        "discovery_links_dialled_total",
        "Links that the ring asked for",
    ),
    counter(
        "discovery_dials_failed_total",
        "Of these, links that did not open",
    ),
    counter("discovery_links_accepted_total", "Links that others opened"),
    counter(
        "discovery_links_turned_away_total",
        "Links of others turned away: too many",
    ),
    counter(
        "discovery_links_without_greeting_total",
        "Links that others opened and ended before their first message",
    ),
    counter(
        "discovery_links_undecodable_total",
        "Links that brought bytes which are no message",
    ),
    counter(
        "discovery_links_overflowed_total",
        "Links closed because too much waited on them",
    ),
    counter(
        "discovery_accepts_failed_total",
        "Times when no link could be accepted",
    ),
    labelled_counter(
        "discovery_links_closed_total",
        &["reason"],
        "Links closed by this side",
    ),
    labelled_counter(
        "discovery_greetings_refused_total",
        &["reason"],
        "Greetings refused",
    ),
    counter(
        "discovery_clusters_met_total",
        "Other clusters of the same name that were met",
    ),
    counter(
        "discovery_unlisted_total",
        "Times when a fresh listing did not hold the local pod",
    ),
    counter(
        "discovery_contested_total",
        "Times when a member was accused for long and not removed",
    ),
    counter(
        "discovery_subscribers_overflowed_total",
        "Parts of this very process that read the protocol's deliveries too slowly",
    ),
    gauge("discovery_api_streams", "Streams of the API that are open"),
    labelled_gauge(
        "discovery_api_connections",
        &["listener"],
        "Connections of users that are open",
    ),
    labelled_counter(
        "discovery_api_refused_total",
        &["reason"],
        "Calls and connections of users that were refused",
    ),
    labelled_counter(
        "discovery_api_gaps_total",
        &["cause"],
        "Times when a reader of a stream was told that it may have missed something",
    ),
];
