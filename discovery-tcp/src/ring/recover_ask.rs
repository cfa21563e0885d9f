//! Answering a survivor that asks (RECOVER-1, RECOVER-2): stepping back for it, promising its term,
//! or telling it what it does not know.

use std::time::Duration;

use discovery_core::ResourceVersion;

use super::catch_up::leads_on;
use super::decide::step_down;
use super::input::LinkId;
use super::member::Membership;
use super::observation::Observation;
use super::planted::Bug;
use super::timers::Timer;
use super::{Life, Ring};
use crate::message::{Message, RecoverAnswer, RecoverAsk, RecoverVerdict};

/// How long a survivor that knows itself better keeps refusing others without success.
const PATIENCE: Duration = Duration::from_secs(3);

impl Ring {
    /// A survivor asks this node (RECOVER-1).
    pub(super) fn on_recover_ask(&mut self, link: LinkId, ask: &RecoverAsk) {
        let verdict = self.judge_survivor(ask);
        let bound = match &verdict {
            RecoverVerdict::Granted => true,
            RecoverVerdict::Promised { .. } => !self.fx.bug(Bug::PromisersUnfiltered),
            _ => false,
        };
        if bound {
            self.void_round();
        }
        if bound && ask.forced.is_none() {
            self.hear_only_from_now(link);
        }
        let answer = RecoverAnswer {
            round: ask.round,
            node: self.me.id(),
            verdict,
        };
        self.fx.send(link, Message::RecoverAnswer(answer));
    }

    fn judge_survivor(&mut self, ask: &RecoverAsk) -> RecoverVerdict {
        let now = self.fx.now;
        let refused = |newer, promised| RecoverVerdict::Refused { newer, promised };
        let Life::Member(m) = &mut self.life else {
            return match self.answer_listing(ask) {
                Ok(()) => RecoverVerdict::Granted,
                Err(newer) => refused(newer, None),
            };
        };
        let ours = m.log.id();
        if ours.cluster_id != ask.topology.cluster_id {
            return RecoverVerdict::OtherCluster { topology: ours };
        }
        if ours > ask.topology || ours == ask.topology && m.log.decided() > ask.decided {
            return m.known_beyond(ask);
        }
        if ours < ask.topology {
            return match self.answer_listing(ask) {
                Ok(()) => {
                    self.abandon_recovery();
                    RecoverVerdict::Granted
                }
                Err(newer) => refused(newer, None),
            };
        }
        let ticking = !m.lost_coordinator(now, &self.config) && m.coordinator().is_some();
        if ticking {
            return RecoverVerdict::QuorumHere { tick: m.tick };
        }
        let mine = m
            .log
            .topology()
            .member(self.me.id())
            .map(|member| member.order);
        let better = mine.is_some_and(|mine| (ask.decided, mine) < (m.log.decided(), ask.order));
        if better && m.survivor.is_asking() {
            let since = *m.survivor.refusing_since.get_or_insert(now);
            if now.since(since) < PATIENCE {
                return refused(None, None);
            }
        }
        if ask.term <= m.log.promised() {
            m.takeover.heard = m.takeover.heard.max(Some(ask.term));
            return refused(None, Some(m.log.promised()));
        }
        if let Err(newer) = self.answer_listing(ask) {
            return refused(newer, None);
        }
        let Life::Member(m) = &mut self.life else {
            return refused(None, None);
        };
        let term = ask.term;
        m.log.promise(term);
        self.fx.observe(|| Observation::Promised { term });
        step_down(m);
        m.takeover.promised_at = Some(now);
        let tail = m.log.tail_after(ask.decided);
        self.abandon_recovery();
        RecoverVerdict::Promised { tail }
    }

    fn answer_listing(&mut self, ask: &RecoverAsk) -> Result<(), Option<ResourceVersion>> {
        let Some(version) = ask.resource_version else {
            // A forced recovery asks no listing and binds nobody but members.
            return if self.is_member() { Ok(()) } else { Err(None) };
        };
        self.filter.answer(version).map_err(Some)
    }

    /// Somebody else recovers: the own round is void.
    fn abandon_recovery(&mut self) {
        let again = self.fx.jitter(PATIENCE);
        self.command_failed("somebody else recovers");
        let Life::Member(m) = &mut self.life else {
            return;
        };
        if m.survivor.is_asking() {
            m.survivor.over();
        }
        if !m.quorum {
            self.fx.after(Timer::Recovery, again);
        }
    }
}

impl Membership {
    /// What this member knows beyond a survivor; that there is more, if that cannot be told step by
    /// step from where the survivor stands.
    fn known_beyond(&self, ask: &RecoverAsk) -> RecoverVerdict {
        let news = self.log.decided_after(ask.decided);
        match news.filter(|news| leads_on(ask.topology, news)) {
            Some(decided) => RecoverVerdict::Newer { decided },
            None => RecoverVerdict::NewerTopology {
                topology: self.log.id(),
            },
        }
    }
}
