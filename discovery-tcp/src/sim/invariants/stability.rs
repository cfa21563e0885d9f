//! P8(i): who exchanged signs of life with a majority of its observers outside the cut, over the
//! whole interval that counts, is not removed for what observers say.

use std::collections::BTreeMap;
use std::time::Duration;

use discovery_core::{Accusation, Evidence, NodeId};

use super::super::process::ProcessId;
use super::super::seen;
use super::chronicle::Chronicle;
use super::{Fact, Invariant, View};
use crate::Moment;
use crate::config::RingConfig;

/// What one process heard of another: since when without a gap, and when last.
#[derive(Clone, Copy, Debug)]
struct Contact {
    since: Moment,
    last: Moment,
}

#[derive(Debug)]
pub(super) struct Stability {
    silence_limit: Duration,
    contacts: BTreeMap<(ProcessId, ProcessId), Contact>,
}

impl Stability {
    pub(super) fn new(config: &RingConfig) -> Self {
        Self {
            silence_limit: config.silence_limit,
            contacts: BTreeMap::new(),
        }
    }

    /// A gap that is surely no silence; what lies between this and the limit is not judged.
    fn gap(&self) -> Duration {
        self.silence_limit / 4 * 3
    }

    fn heard(&mut self, by: ProcessId, from: ProcessId, now: Moment) {
        let gap = self.gap();
        let new = Contact {
            since: now,
            last: now,
        };
        let contact = self.contacts.entry((by, from)).or_insert(new);
        if now.since(contact.last) > gap {
            contact.since = now;
        }
        contact.last = now;
    }

    fn estranged(&mut self, one: ProcessId, other: ProcessId, now: Moment) {
        for pair in [(one, other), (other, one)] {
            if let Some(contact) = self.contacts.get_mut(&pair) {
                contact.since = now;
            }
        }
    }

    /// Whether both heard each other from `start` until now, and were themselves all the time.
    fn exchanged(&self, pair: (ProcessId, ProcessId), start: Moment, view: &View<'_>) -> bool {
        let (one, other) = pair;
        let is_heard = |pair| {
            self.contacts.get(&pair).is_some_and(|contact: &Contact| {
                contact.since <= start && view.now.since(contact.last) <= self.gap()
            })
        };
        let was_itself = |id| {
            let process = view.process(id);
            process.is_alive() && !process.is_disturbed() && process.disturbed <= start
        };
        is_heard((one, other)) && is_heard((other, one)) && was_itself(one) && was_itself(other)
    }

    fn judge(
        &self,
        subject: NodeId,
        accusations: &[Accusation],
        chronicle: &Chronicle,
        view: &View<'_>,
    ) -> Result<(), String> {
        let Some(news) = chronicle.news() else {
            return Ok(());
        };
        let Some(before) = news.previous.and_then(|previous| chronicle.get(&previous)) else {
            return Ok(());
        };
        let is_in_cut = |id: &NodeId| news.failed.iter().any(|(failed, _)| failed == id);
        let Some(member) = running(subject, chronicle, view) else {
            return Ok(());
        };
        let starts = accusations.iter().filter_map(|accusation| {
            let observer = chronicle.who.get(&accusation.observer)?;
            let pod = view.process(*observer).pod;
            Some(view.platform.true_moment(pod, accusation.at))
        });
        let Some(first) = starts.min() else {
            return Ok(());
        };
        let start = first.as_nanos();
        let limit = u64::try_from(self.silence_limit.as_nanos()).unwrap_or(u64::MAX);
        let start = Moment::from_nanos(start.saturating_sub(limit));
        let observers = seen::observers_of(&before.topology, subject);
        let outside: Vec<NodeId> = observers.into_iter().filter(|id| !is_in_cut(id)).collect();
        let exchanged = outside
            .iter()
            .filter_map(|id| running(*id, chronicle, view))
            .filter(|observer| self.exchanged((*observer, member), start, view))
            .count();
        if exchanged * 2 <= outside.len() {
            return Ok(());
        }
        let label = view.process(member).label();
        Err(format!(
            "{label} is removed from {}, although {exchanged} of its {} observers outside the cut \
             exchanged heartbeats with it since {start}",
            before.topology.id(),
            outside.len()
        ))
    }
}

/// The process that runs under this node id now.
fn running(node: NodeId, chronicle: &Chronicle, view: &View<'_>) -> Option<ProcessId> {
    let id = *chronicle.who.get(&node)?;
    let ring = view.process(id).live_ring()?;
    (seen::node(ring).id() == node).then_some(id)
}

impl Invariant for Stability {
    fn promise(&self) -> &'static str {
        "P8(i)"
    }

    fn on(
        &mut self,
        fact: &Fact<'_>,
        chronicle: &Chronicle,
        view: &View<'_>,
    ) -> Result<(), String> {
        match fact {
            Fact::Heard { by, from } => self.heard(*by, *from, view.now),
            Fact::Estranged { by, of } => self.estranged(*by, *of, view.now),
            Fact::Notice(..) => {
                let failed = chronicle.news().map(|news| news.failed.as_slice());
                for (node, evidence) in failed.unwrap_or_default() {
                    if let Evidence::Accused(accusations) = evidence {
                        self.judge(*node, accusations, chronicle, view)?;
                    }
                }
            }
            Fact::Observed(..)
            | Fact::Publishes(..)
            | Fact::Handled
            | Fact::Over
            | Fact::Disturbed => {}
        }
        Ok(())
    }
}
