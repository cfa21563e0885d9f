//! Watching (CUT, TIME): whom this member watches; silence and lost links are judged. Heartbeats
//! are in `heartbeat.rs`, what is said against a subject in `accuse.rs`, links in `tend.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use discovery_core::{AccusationKind, NodeId, NodeInfo, UnixMillis};

use super::heartbeat::Pulse;
use super::input::DialFailure;
use super::links::Purpose;
use super::planted::Bug;
use super::takeover::backoff;
use super::timers::Timer;
use super::{Life, Ring};
use crate::message::CloseReason;
use crate::moment::Moment;

/// First and longest pause between redials of an accused subject.
pub(super) const REDIAL: (Duration, Duration) =
    (Duration::from_millis(200), Duration::from_secs(1));

/// Everything a member knows of those it watches and those that watch it.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) subjects: BTreeMap<NodeId, Subject>,
    pub(super) pulses: BTreeMap<NodeId, Pulse>,
    /// The first topology whose links were not looked after yet was installed then.
    pub(super) untended_since: Option<Moment>,
    /// No link is opened for the topology in force before.
    pub(super) tends_at: Moment,
    /// How many members the newest topology had.
    pub(super) members: usize,
}

/// One member that this node watches.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) heard_at: Moment,
    /// Not judged for silence again before.
    pub(super) judged_at: Moment,
    pub(super) echo: u64,
    pub(super) echo_at: Moment,
    /// A heartbeat of it has come in.
    pub(super) has_beaten: bool,
    /// Dialled anew for being silent; not again before it is heard.
    pub(super) dialled_anew: bool,
    pub(super) tries: u32,
    pub(super) state: SubjectState,
}

/// What this node holds of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SubjectState {
    /// Nothing against it.
    Well,
    /// Its last link is lost; it is dialled again.
    Redialling,
    /// Accused of this, since then.
    Accused(AccusationKind, UnixMillis),
}

impl Ring {
    /// A new topology: who is watched now. New subjects have until their limit to be heard.
    pub(super) fn watch_members(&mut self) {
        let now = self.fx.now;
        let limit = self.config.silence_limit;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        self.fx.links.share_with(&m.roster);
        let subjects: Vec<NodeId> = m
            .roster
            .observers(m.place)
            .filter_map(|place| m.roster.node(place))
            .collect();
        m.put_off_links(now, self.config.settle, limit);
        let tends_at = m.watch.tends_at;
        let mut old = std::mem::take(&mut m.watch.subjects);
        for id in subjects {
            let subject = old.remove(&id).unwrap_or_else(|| Subject::new(tends_at));
            m.watch.subjects.insert(id, subject);
        }
        self.fx.timers.set_by(Timer::Silence, now + limit);
        self.fx.timers.set_by(Timer::Tend, tends_at);
        for id in old.keys() {
            self.fx.timers.clear(Timer::Subject(*id));
        }
        let topology = m.log.topology();
        m.watch
            .pulses
            .retain(|id, _| topology.member(*id).is_some());
        self.say(false);
    }

    /// Every quarter of the silence limit: heartbeats, and whatever is looked at as often.
    pub(super) fn beat(&mut self) {
        self.fx.after(Timer::Beat, self.config.silence_limit / 4);
        self.send_heartbeats();
        self.dial_the_silent();
        let limit = self.config.silence_limit;
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        m.alerts.retain(|_, said| now.since(said.heard_at) <= limit);
        let tick_due = m
            .lead
            .as_ref()
            .is_some_and(|lead| now.since(lead.ticked_at) + limit / 8 >= limit / 2);
        if tick_due {
            self.tick();
        }
        self.say(true);
        self.judge_quorum();
        self.consider_takeover();
        self.resend_publications();
        self.coordinate();
        self.note_contested();
        self.fx.within(Timer::Tend, Duration::ZERO);
    }

    /// A subject that is silent for half the limit is dialled anew: the link may be dead on its side
    /// while it lives.
    fn dial_the_silent(&mut self) {
        let now = self.fx.now;
        let half = self.config.silence_limit / 2;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let mut silent = Vec::new();
        for (id, subject) in &mut m.watch.subjects {
            let well = subject.state == SubjectState::Well && !subject.dialled_anew;
            if well && now.since(subject.heard_at) >= half && self.fx.links.is_linked(*id) {
                subject.dialled_anew = true;
                silent.push(*id);
            }
        }
        for id in silent {
            let Life::Member(m) = &self.life else {
                return;
            };
            let to = m
                .topology()
                .member(id)
                .map(|member| member.info.addresses()[0]);
            if let Some(to) = to {
                self.fx.dial(to, Purpose::Member(id));
            }
        }
    }

    /// Something came from this node: it lives.
    pub(super) fn heard(&mut self, from: NodeId) {
        let now = self.fx.now;
        let limit = self.config.silence_limit;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(subject) = m.watch.subjects.get_mut(&from) else {
            return;
        };
        subject.heard_at = now;
        subject.dialled_anew = false;
        let well = match subject.state {
            SubjectState::Well => return,
            SubjectState::Redialling => true,
            SubjectState::Accused(..) => now.since(subject.echo_at) <= limit * 2,
        };
        if well {
            let accused = matches!(subject.state, SubjectState::Accused(..));
            subject.state = SubjectState::Well;
            subject.tries = 0;
            self.fx.timers.clear(Timer::Subject(from));
            self.fx.timers.set_by(Timer::Silence, now + limit);
            if accused {
                self.fx.counters.withdrawals += 1;
                self.say(false);
            }
        }
    }

    /// A link to a member is open: what it was accused of for want of one is forgotten.
    pub(super) fn watch_linked(&mut self, node: NodeId) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        m.out_of_reach.remove(&node);
        if let Some(subject) = m.watch.subjects.get_mut(&node) {
            subject.echo_at = now;
            self.heard(node);
        }
    }

    /// The last link to a subject is lost: it is dialled at once (CUT).
    pub(super) fn watch_unlinked(&mut self, node: NodeId) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(subject) = m.watch.subjects.get_mut(&node) else {
            return;
        };
        if subject.state != SubjectState::Well {
            return;
        }
        subject.state = SubjectState::Redialling;
        subject.tries = 1;
        self.redial(node);
    }

    fn redial(&mut self, node: NodeId) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(info) = m.topology().member(node).map(|member| member.info.clone()) else {
            return;
        };
        let subject = m.watch.subjects.get(&node);
        let tries = subject.map_or(0, |subject| subject.tries);
        let redials = subject.is_some_and(|it| it.state == SubjectState::Redialling);
        self.fx
            .ensure_link(&info, tries.saturating_sub(1) as usize / 2);
        let links = &self.fx.links;
        if links.is_linked(node) || links.is_dialling_member(node) {
            return;
        }
        if !links.is_dialling(node, info.addresses()) {
            self.watch_not_dialled(node);
        } else if redials {
            // Its address is dialled for something else. That may have begun before the link was
            // lost, and proves nothing; it is looked at again (C39).
            let pause = self.config.redial_pause;
            self.fx.within(Timer::Subject(node), pause);
        }
    }

    /// A dial of a member failed: the second one in a row makes an accusation (CUT).
    pub(super) fn watch_refused(&mut self, node: NodeId, failure: DialFailure) {
        let kind = match failure {
            DialFailure::Refused => AccusationKind::Refused,
            DialFailure::TimedOut | DialFailure::Unreachable => AccusationKind::Closed,
            DialFailure::NotTried => return self.watch_not_dialled(node),
        };
        let pause = self.config.redial_pause;
        self.count_as_out_of_reach(node);
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(subject) = m.watch.subjects.get_mut(&node) else {
            return;
        };
        subject.tries = subject.tries.saturating_add(1);
        match subject.state {
            SubjectState::Redialling if subject.tries <= 2 => {
                self.fx.after(Timer::Subject(node), pause);
            }
            SubjectState::Redialling => self.accuse(node, kind),
            // Slow, or gone: whoever was never heard is accused of silence, if of anything.
            SubjectState::Well if !subject.has_beaten && failure == DialFailure::TimedOut => {}
            // It was never linked, or both sides dropped the link: this dial is the first sign.
            SubjectState::Well if !self.fx.links.is_linked(node) => {
                subject.state = SubjectState::Redialling;
                subject.tries = 1;
                self.redial(node);
            }
            SubjectState::Well => {}
            SubjectState::Accused(..) => {
                let pause = backoff(REDIAL, subject.tries);
                let pause = self.fx.jitter(pause);
                self.fx.within(Timer::Subject(node), pause);
            }
        }
    }

    /// This node had no means to dial a member: that is nobody's fault but its own (CUT-6). Until it
    /// can, it has nothing to say of a subject that it has no link to.
    fn watch_not_dialled(&mut self, node: NodeId) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(subject) = m.watch.subjects.get_mut(&node) else {
            return;
        };
        if subject.state == SubjectState::Well {
            if self.fx.links.is_linked(node) {
                return;
            }
            subject.state = SubjectState::Redialling;
            subject.tries = 1;
        }
        let pause = self.fx.jitter(REDIAL.0);
        self.fx.after(Timer::Subject(node), pause);
    }

    /// Another process answers where a member should: that is no member (CUT: replaced).
    pub(super) fn watch_replaced(&mut self, node: NodeId, by: &NodeInfo) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(member) = m.topology().member(node).map(|member| member.info.clone()) else {
            return;
        };
        if !m.watch.subjects.contains_key(&node) {
            return;
        }
        if member.pod_uid().is_some() && member.pod_uid() == by.pod_uid() {
            self.accuse(node, AccusationKind::Replaced);
        } else {
            self.watch_refused(node, DialFailure::Refused);
        }
    }

    /// Looks after every subject that nothing speaks against: whoever was silent, or deaf, for the
    /// limit is judged.
    pub(super) fn judge_silence(&mut self) {
        let now = self.fx.now;
        let limit = self.config.silence_limit;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let due = |subject: &Subject| {
            let silent_at = subject.heard_at + limit;
            silent_at.min(subject.judged_at.max(subject.echo_at + deaf_after(limit)))
        };
        let mut judged = Vec::new();
        for (id, subject) in &mut m.watch.subjects {
            if subject.state == SubjectState::Well && due(subject) <= now {
                subject.judged_at = now + limit / 8;
                judged.push(*id);
            }
        }
        for id in judged {
            self.judge_subject(id);
        }
        let Life::Member(m) = &self.life else {
            return;
        };
        let well = |subject: &&Subject| subject.state == SubjectState::Well;
        if let Some(next) = m.watch.subjects.values().filter(well).map(due).min() {
            self.fx
                .timers
                .set_by(Timer::Silence, next.max(now + limit / 64));
        }
    }

    fn judge_subject(&mut self, node: NodeId) {
        let now = self.fx.now;
        let limit = self.config.silence_limit;
        let Life::Member(m) = &self.life else {
            return;
        };
        let Some(subject) = m.watch.subjects.get(&node) else {
            return;
        };
        let silent = now.since(subject.heard_at) >= limit;
        let unheard = now.since(subject.echo_at);
        if silent || unheard >= limit * 2 && self.fx.links.is_linked(node) {
            if !self.fx.bug(Bug::SilenceNotAccused) {
                self.accuse(node, AccusationKind::Silence);
            }
            return;
        }
        let speaks = now.since(subject.heard_at) < limit / 2;
        if speaks && unheard >= deaf_after(limit) {
            // It shows no sign of hearing this node: what is sent to it may go nowhere.
            self.drop_links_to(node);
        }
        if !self.fx.links.is_linked(node) {
            self.redial(node);
        }
    }

    /// The moment to dial a subject again.
    pub(super) fn dial_subject_again(&mut self, node: NodeId) {
        let now = self.fx.now;
        let limit = self.config.silence_limit;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(subject) = m.watch.subjects.get_mut(&node) else {
            return;
        };
        if let SubjectState::Accused(..) = subject.state {
            let silent = now.since(subject.heard_at) >= limit;
            subject.tries = subject.tries.saturating_add(1);
            let pause = backoff(REDIAL, subject.tries);
            let often = subject.tries % 4 == 1;
            let pause = self.fx.jitter(pause);
            self.fx.after(Timer::Subject(node), pause);
            if silent && often {
                // A link that carries nothing may be dead on one side only.
                self.drop_links_to(node);
            }
        }
        self.redial(node);
    }

    fn drop_links_to(&mut self, node: NodeId) {
        while let Some(link) = self.fx.links.to(node) {
            self.fx.close(link, CloseReason::Replaced);
        }
    }

    /// The local loop was this late: nobody is blamed for what was not heard meanwhile (CUT).
    pub(super) fn forgive(&mut self, late: Duration) {
        self.fx.counters.late += 1;
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let later = |at: Moment| (at + late).min(now);
        for subject in m.watch.subjects.values_mut() {
            subject.heard_at = later(subject.heard_at);
            subject.echo_at = later(subject.echo_at);
        }
        m.tick_at = later(m.tick_at);
        for said in m.alerts.values_mut() {
            said.heard_at = later(said.heard_at);
        }
    }
}

/// How long a subject may show no sign of hearing this node until it is dialled anew: as long as
/// six heartbeats take.
fn deaf_after(limit: Duration) -> Duration {
    limit * 3 / 2
}

impl Subject {
    fn new(now: Moment) -> Self {
        Self {
            heard_at: now,
            judged_at: now,
            echo: 0,
            echo_at: now,
            has_beaten: false,
            dialled_anew: false,
            tries: 0,
            state: SubjectState::Well,
        }
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
pub(crate) mod tests;
