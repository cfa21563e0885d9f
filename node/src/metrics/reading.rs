//! The values of all metrics at one moment. Which there are is in `described.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use discovery_core::{Finding, SeedReport, Standing};
use discovery_tcp::DriverCounters;
use discovery_tcp::message::PhaseKind;
use discovery_tcp::ring::{RingCounters, Status};
use tokio::time::{Instant, timeout};

use crate::view::readiness::Readiness;
use crate::view::sight::Sight;
use crate::view::traffic::{Counts, LISTENERS};
use crate::view::{
    ACCUSATIONS, ANSWER_LIMIT, Look, NodeView, Tallies, accusation_kind, phase_name,
};

/// The labels of one value.
pub(super) type Labels = Vec<(&'static str, String)>;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Gauge(f64),
    Whole(i64),
    Count(u64),
    Buckets {
        sum: f64,
        /// Upper bounds and how many were within each and above the one before.
        buckets: Vec<(f64, u64)>,
    },
}

/// The values of all metrics.
#[derive(Debug, Default)]
pub(super) struct Reading(BTreeMap<&'static str, Vec<(Labels, Value)>>);

impl Reading {
    /// Asks a node for everything.
    pub(super) async fn take(view: &NodeView) -> Self {
        let status = view.status().await;
        let asked = timeout(ANSWER_LIMIT, view.discovery().ring_counters()).await;
        let counters = asked.ok().and_then(Result::ok);
        let report = view.heard().latest(Instant::now());
        Self::of(&Sources {
            status: status.as_ref(),
            counters: counters.as_ref(),
            driver: view.counters(),
            report: report.as_ref(),
            look: &view.look(),
            traffic: view.traffic().counts(),
            is_draining: view.is_draining(),
        })
    }

    /// The values of one metric.
    pub(super) fn samples_of(&self, name: &str) -> impl Iterator<Item = &(Labels, Value)> {
        self.0.get(name).into_iter().flatten()
    }

    /// The names of the metrics that have a value.
    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.keys().copied()
    }

    pub(super) fn of(sources: &Sources<'_>) -> Self {
        let mut reading = Self::default();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        reading.add(
            "discovery_build_info",
            vec![("version", version)],
            Value::Whole(1),
        );
        reading.flag("discovery_up", sources.status.is_some());
        if let Some(status) = sources.status {
            reading.status(status, sources.is_draining);
        }
        if let Some(report) = sources.report {
            reading.finder(report);
        }
        if let Some(sight) = &sources.look.sight {
            reading.compared(sight);
        }
        reading.tallies(&sources.look.tallies);
        reading.driver(&sources.driver);
        reading.traffic(&sources.traffic);
        if let Some(counters) = sources.counters {
            reading.ring(counters);
        }
        reading
    }

    fn add(&mut self, name: &'static str, labels: Labels, value: Value) {
        self.0.entry(name).or_default().push((labels, value));
    }

    fn gauge(&mut self, name: &'static str, value: f64) {
        self.add(name, Vec::new(), Value::Gauge(value));
    }

    fn whole(&mut self, name: &'static str, value: u64) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        self.add(name, Vec::new(), Value::Whole(value));
    }

    fn flag(&mut self, name: &'static str, is_so: bool) {
        self.add(name, Vec::new(), Value::Whole(i64::from(is_so)));
    }

    fn count(&mut self, name: &'static str, value: u64) {
        self.add(name, Vec::new(), Value::Count(value));
    }

    /// One value for each name there is; 1 for the one that holds.
    fn one_of(&mut self, name: &'static str, label: &'static str, all: &[&str], holds: &str) {
        for one in all {
            let labels = vec![(label, (*one).to_owned())];
            self.add(name, labels, Value::Whole(i64::from(*one == holds)));
        }
    }

    fn status(&mut self, status: &Status, is_draining: bool) {
        let readiness = Readiness::of(status, is_draining);
        self.flag("discovery_ready", readiness.is_ready());
        self.one_of(
            "discovery_phase",
            "phase",
            &PHASES,
            phase_name(status.phase),
        );
        let standing = status.standing.as_str();
        self.one_of("discovery_standing", "standing", &Standing::NAMES, standing);
        self.flag("discovery_quorum", status.quorum);
        let lost_for = status.without_quorum_for.unwrap_or(Duration::ZERO);
        self.gauge("discovery_without_quorum_seconds", lost_for.as_secs_f64());
        let coordinator = status
            .coordinator
            .as_ref()
            .map(discovery_core::NodeInfo::id);
        let coordinates = coordinator == Some(status.node.id());
        self.flag("discovery_coordinator", coordinates);
        self.whole("discovery_decided_position", status.decided);
        self.whole(
            "discovery_links",
            u64::try_from(status.links).unwrap_or(u64::MAX),
        );
        for kind in ACCUSATIONS {
            let suspicions = status.suspicions.iter();
            let held = suspicions.filter(|one| accusation_kind(one.kind) == kind);
            let held = i64::try_from(held.count()).unwrap_or(i64::MAX);
            let labels = vec![("kind", kind.to_owned())];
            self.add("discovery_suspicions", labels, Value::Whole(held));
        }
        let topology = match &status.standing {
            Standing::Removed { .. } => None,
            _ => status.topology.as_ref(),
        };
        let Some(topology) = topology else {
            return;
        };
        self.whole("discovery_topology_epoch", topology.epoch().0);
        self.whole("discovery_topology_version", topology.version().get());
        self.whole("discovery_topology_hash", topology.content_hash() >> 12);
        let mut zones: BTreeMap<String, i64> = BTreeMap::new();
        for member in topology.members() {
            let zone = member.info.zone().map(ToString::to_string);
            *zones.entry(zone.unwrap_or_default()).or_default() += 1;
        }
        for (zone, members) in zones {
            self.add(
                "discovery_members",
                vec![("zone", zone)],
                Value::Whole(members),
            );
        }
    }

    fn finder(&mut self, report: &SeedReport) {
        let state = report.finding.state();
        self.one_of("discovery_finder_state", "state", &FINDINGS, state);
        let seeds = u64::try_from(report.seeds().len()).unwrap_or(u64::MAX);
        self.whole("discovery_finder_seeds", seeds);
        let gaps = u64::try_from(report.gaps.len()).unwrap_or(u64::MAX);
        self.whole("discovery_finder_gaps", gaps);
        self.flag("discovery_finder_authoritative", report.authoritative);
        if let Some(good) = &report.last_good {
            let age = good.age.as_secs_f64();
            self.gauge("discovery_finder_confirmed_age_seconds", age);
        }
        if let Finding::Unknown(error) = &report.finding {
            tracing::trace!(%error, "read while the finder does not know");
        }
    }

    /// What only finder and topology together tell.
    fn compared(&mut self, sight: &Sight) {
        let seeds = &sight.finder.seeds;
        let strangers = seeds.iter().filter(|seed| seed.member.is_none()).count();
        self.whole(
            "discovery_strangers",
            u64::try_from(strangers).unwrap_or(u64::MAX),
        );
        if let Some(topology) = &sight.topology {
            let members = topology.members.iter();
            let unlisted = members
                .filter(|member| member.is_listed == Some(false))
                .count();
            let unlisted = u64::try_from(unlisted).unwrap_or(u64::MAX);
            self.whole("discovery_members_unlisted", unlisted);
        }
    }

    fn tallies(&mut self, tallies: &Tallies) {
        for (name, label, counts) in [
            ("discovery_changes_total", "change", &tallies.came_and_went),
            ("discovery_removals_total", "evidence", &tallies.removals),
            (
                "discovery_suspicions_seen_total",
                "kind",
                &tallies.accusations,
            ),
            (
                "discovery_finder_troubles_total",
                "cause",
                &tallies.finder_troubles,
            ),
        ] {
            self.by_label(name, label, counts);
        }
        self.count("discovery_suspicions_cleared_total", tallies.cleared);
        self.count("discovery_quorum_losses_total", tallies.quorum_losses);
        self.count("discovery_own_removals_total", tallies.own_removals);
        let (sum, buckets) = tallies.removal_times();
        let times = Value::Buckets { sum, buckets };
        self.add("discovery_removal_seconds", Vec::new(), times);
    }

    fn traffic(&mut self, of: &Counts) {
        self.whole("discovery_api_streams", of.streams);
        for listener in LISTENERS {
            let open = of.connections.get(listener).copied().unwrap_or_default();
            let open = i64::try_from(open).unwrap_or(i64::MAX);
            let labels = vec![("listener", listener.to_owned())];
            self.add("discovery_api_connections", labels, Value::Whole(open));
        }
        self.by_label("discovery_api_refused_total", "reason", &of.refused);
        self.by_label("discovery_api_gaps_total", "cause", &of.gaps);
    }

    fn by_label(
        &mut self,
        name: &'static str,
        label: &'static str,
        counts: &BTreeMap<&'static str, u64>,
    ) {
        for (one, count) in counts {
            let labels = vec![(label, (*one).to_owned())];
            self.add(name, labels, Value::Count(*count));
        }
    }

    fn driver(&mut self, of: &DriverCounters) {
        for (name, value) in [
            ("discovery_messages_unknown_total", of.messages_unknown),
            ("discovery_messages_oversized_total", of.messages_oversized),
            ("discovery_bytes_sent_total", of.bytes_sent),
            ("discovery_bytes_received_total", of.bytes_received),
            ("discovery_frames_sent_total", of.frames_sent),
            ("discovery_frames_received_total", of.frames_received),
            ("discovery_links_dialled_total", of.links_dialled),
            ("discovery_dials_failed_total", of.dials_failed),
            ("discovery_links_accepted_total", of.links_accepted),
            ("discovery_links_turned_away_total", of.links_turned_away),
            (
                "discovery_links_without_greeting_total",
                of.links_without_greeting,
            ),
            ("discovery_links_undecodable_total", of.links_undecodable),
            ("discovery_links_overflowed_total", of.links_overflowed),
            ("discovery_accepts_failed_total", of.accepts_failed),
            ("discovery_clusters_met_total", of.clusters_met),
            ("discovery_unlisted_total", of.unlisted),
            ("discovery_contested_total", of.contested),
            (
                "discovery_subscribers_overflowed_total",
                of.subscribers_overflowed,
            ),
        ] {
            self.count(name, value);
        }
    }

    fn ring(&mut self, of: &RingCounters) {
        for (name, value) in [
            ("discovery_installs_total", of.installs),
            ("discovery_decisions_total", of.decided),
            ("discovery_candidacies_total", of.candidacies),
            ("discovery_terms_led_total", of.terms_led),
            ("discovery_rounds_total", of.rounds),
            ("discovery_recoveries_total", of.recoveries),
            ("discovery_accusations_total", of.accusations),
            ("discovery_withdrawals_total", of.withdrawals),
            ("discovery_late_total", of.late),
            ("discovery_nonsense_total", of.nonsense),
            ("discovery_messages_sent_total", of.messages_sent),
            ("discovery_messages_received_total", of.messages_received),
        ] {
            self.count(name, value);
        }
        for (name, counts) in [
            ("discovery_links_closed_total", &of.links_closed),
            ("discovery_greetings_refused_total", &of.greetings_refused),
        ] {
            self.by_label(name, "reason", counts);
        }
    }
}

/// What the values are read from.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    pub(super) status: Option<&'a Status>,
    pub(super) counters: Option<&'a RingCounters>,
    pub(super) driver: DriverCounters,
    pub(super) report: Option<&'a SeedReport>,
    pub(super) look: &'a Look,
    pub(super) traffic: Counts,
    pub(super) is_draining: bool,
}

pub(super) const PHASES: [&str; 3] = [
    phase_name(PhaseKind::Newcomer),
    phase_name(PhaseKind::Member),
    phase_name(PhaseKind::Leaving),
];

pub(super) const FINDINGS: [&str; 3] = ["known", "empty", "unknown"];
