//! P8(ii): who is gone for its observers for three silence limits, while a quorum stands and
//! nothing else happens, is removed.

use std::time::Duration;

use discovery_core::Topology;

use super::super::network::Passage;
use super::super::process::Process;
use super::super::seen;
use super::chronicle::{Chronicle, Recorded};
use super::{Fact, Invariant, View};
use crate::Moment;
use crate::config::{Quorum, RingConfig};
use crate::message::PhaseKind;
use crate::ring::Notice;

#[derive(Debug)]
pub(super) struct Removal {
    silence_limit: Duration,
    /// What the promise allows, and the longest waits that the configuration adds to it.
    bound: Duration,
    is_promised: bool,
    /// Since when nothing has happened to the world.
    calm_since: Moment,
    next_look: Moment,
}

impl Removal {
    pub(super) fn new(config: &RingConfig) -> Self {
        let waits = config.doubt_wait_silence + config.repair_pause + Duration::from_secs(1);
        Self {
            silence_limit: config.silence_limit,
            bound: config.silence_limit * 3 + waits,
            is_promised: config.quorum == Quorum::Majority,
            calm_since: Moment::START,
            next_look: Moment::START,
        }
    }

    fn judge(&self, recorded: &Recorded, view: &View<'_>) -> Result<(), String> {
        let topology = &recorded.topology;
        let mut here: Vec<&Process> = Vec::new();
        let mut gone: Vec<String> = Vec::new();
        for member in topology.members() {
            let process = view.processes.iter().rev().find(|process| {
                let ring = process.live_ring();
                ring.is_some_and(|ring| seen::node(ring).id() == member.id())
            });
            match process {
                Some(process) if is_cut_off(process, topology, view) => {
                    gone.push(process.label().to_owned());
                }
                Some(process) => here.push(process),
                None => gone.push(member.info.to_string()),
            }
        }
        let voters = topology.voters().count();
        let is_calm = here.iter().all(|process| {
            let ring = process.live_ring();
            !process.is_disturbed()
                && ring
                    .and_then(seen::topology)
                    .is_some_and(|it| it.id() == topology.id())
                && here
                    .iter()
                    .all(|other| view.network.passage(process.pod, other.pod).is_none())
        });
        let is_calm = is_calm && !view.network.is_disturbed();
        // Who leaves stands for no term (TAKE-2).
        let stays = |process: &&Process| {
            let ring = process.live_ring();
            ring.is_some_and(|ring| seen::phase(ring) != PhaseKind::Leaving)
        };
        let somebody_stays = here.iter().any(stays);
        if gone.is_empty() || here.len() * 2 <= voters || !is_calm || !somebody_stays {
            return Ok(());
        }
        Err(format!(
            "{} still in {} although gone for {:?}",
            gone.join(", "),
            topology.id(),
            view.now.since(self.calm_since)
        ))
    }
}

/// Whether fewer than half of its observers exchange heartbeats with this member: between it and
/// more than half of them nothing passes, in one direction at least.
fn is_cut_off(process: &Process, topology: &Topology, view: &View<'_>) -> bool {
    if !view.network.is_cut_anywhere() {
        return false;
    }
    let Some(id) = process.live_ring().map(|ring| seen::node(ring).id()) else {
        return false;
    };
    let silent = |from, to| view.network.passage(from, to) == Some(Passage::Silent);
    let observers = seen::observers_of(topology, id);
    let cut = view.processes.iter().filter(|other| {
        let observes = |ring| observers.contains(&seen::node(ring).id());
        other.live_ring().is_some_and(observes)
            && (silent(process.pod, other.pod) || silent(other.pod, process.pod))
    });
    cut.count() * 2 > observers.len()
}

impl Invariant for Removal {
    fn promise(&self) -> &'static str {
        "P8(ii)"
    }

    fn on(
        &mut self,
        fact: &Fact<'_>,
        chronicle: &Chronicle,
        view: &View<'_>,
    ) -> Result<(), String> {
        if chronicle.news.is_some() {
            self.calm_since = view.now;
        }
        match fact {
            Fact::Over | Fact::Disturbed | Fact::Notice(_, Notice::Identity(_)) => {
                self.calm_since = view.now;
                Ok(())
            }
            Fact::Handled if self.is_promised && view.now >= self.next_look => {
                self.next_look = view.now + self.silence_limit / 4;
                match chronicle.newest() {
                    Some(newest) if view.now.since(self.calm_since) > self.bound => {
                        self.judge(newest, view)
                    }
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}
