//! A recovery that is forced (RECOVER-8, RECOVER-9): by an operator's word, or because no quorum is
//! asked for, those that answer go on as a cluster of their own.

use std::time::Duration;

use discovery_core::{ClusterId, Epoch, Evidence, NodeId, ResourceVersion};

use super::decide::step_down;
use super::observation::Observation;
use super::output::{Notice, Output};
use super::recover::LOOK;
use super::timers::Timer;
use super::{Life, Ring};
use crate::message::{Message, RecoverAsk};
use crate::moment::Moment;

/// How long a forced recovery waits for those that can answer.
pub(super) const FORCED_WAIT: Duration = Duration::from_secs(2);

/// A forced recovery under way: first the listing, then the promises.
#[derive(Debug)]
pub(super) struct Forced {
    cluster: ClusterId,
    /// When it began, or asked for promises.
    since: Moment,
    has_asked: bool,
    listing: ForcedListing,
}

/// The listing that its epoch is to be above all others by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ForcedListing {
    Awaited,
    /// There is no finder that lists, or it failed.
    None,
    Of(ResourceVersion),
}

impl Forced {
    pub(super) fn has_asked(&self) -> bool {
        self.has_asked
    }

    pub(super) fn take_listing(&mut self, version: Option<ResourceVersion>) {
        self.listing = version.map_or(ForcedListing::None, ForcedListing::Of);
    }
}

impl Ring {
    /// An operator's word, or `quorum = none`: a cluster of its own with those that answer.
    pub(super) fn force(&mut self, commanded: bool) {
        let now = self.fx.now;
        let lists = self.lists_epochs();
        let Life::Member(m) = &mut self.life else {
            self.refuse("not a member");
            return;
        };
        if m.quorum {
            self.refuse("there is a quorum; nothing has to be recovered");
            return;
        }
        if m.opens_epoch() {
            step_down(m);
        }
        m.survivor.over();
        m.survivor.number = self.fx.next_round();
        m.survivor.commanded = commanded;
        let listing = if lists {
            let round = m.survivor.number;
            self.fx.output(Output::AskListing { round });
            ForcedListing::Awaited
        } else {
            ForcedListing::None
        };
        m.survivor.forced = Some(Forced {
            cluster: ClusterId::from_u128(self.fx.draw_u128()),
            since: now,
            has_asked: false,
            listing,
        });
        self.look_after_recovery();
    }

    /// Asks every linked member of the topology for a promise.
    fn ask_to_split_off(&mut self) {
        let now = self.fx.now;
        let me = self.me.id();
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let order = m.log.topology().member(me).map(|member| member.order);
        let Some((order, term)) = order.and_then(|it| Some((it, m.term_above(it)?))) else {
            return;
        };
        let Some(forced) = &mut m.survivor.forced else {
            return;
        };
        (forced.since, forced.has_asked) = (now, true);
        let cluster = forced.cluster;
        // It may have stood meanwhile, and been elected by a majority that it does not hear any more.
        step_down(m);
        m.log.promise(term);
        self.fx.observe(|| Observation::Promised { term });
        m.survivor.term = Some(term);
        let ask = RecoverAsk {
            round: m.survivor.number,
            resource_version: None,
            topology: m.log.id(),
            decided: m.log.decided(),
            order,
            term,
            forced: Some(cluster),
        };
        let linked = |id: &NodeId| self.fx.links.is_linked(*id);
        let others = m.others().map(|(_, node)| node.id());
        for id in others.filter(linked).collect::<Vec<_>>() {
            self.fx.send_to(id, Message::RecoverAsk(ask.clone()));
        }
        self.fx.after(Timer::Recovery, FORCED_WAIT);
    }

    /// Whoever commanded what is under way now hears that it came to nothing.
    pub(super) fn command_failed(&mut self, why: &str) {
        if let Life::Member(m) = &mut self.life
            && std::mem::take(&mut m.survivor.commanded)
        {
            self.refuse(&format!(
                "the forced recovery failed, and may be repeated: {why}"
            ));
        }
    }

    fn refuse(&mut self, why: &str) {
        self.fx.emit(Notice::Refused {
            why: why.to_owned(),
        });
    }

    /// Goes on once the listing has come, and again once everybody linked has promised; or when the
    /// wait for either is over.
    pub(super) fn look_after_forced(&mut self) {
        let now = self.fx.now;
        let Life::Member(m) = &self.life else {
            return;
        };
        let Some(forced) = &m.survivor.forced else {
            return;
        };
        let is_new = m.lead.as_ref().is_some_and(|lead| lead.tick == 1);
        if is_new && !m.opens_epoch() && !m.lost_coordinator(now, &self.config) {
            // Elected a moment ago: the majority that promised may still accept.
            self.fail_recovery("a quorum goes on");
            return;
        }
        let is_listed = forced.listing != ForcedListing::Awaited;
        if !forced.has_asked && (is_listed || now.since(forced.since) >= FORCED_WAIT) {
            self.ask_to_split_off();
        }
        self.conclude_forced();
    }

    fn conclude_forced(&mut self) {
        let now = self.fx.now;
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let (Some(forced), Some(term)) = (&m.survivor.forced, m.survivor.term) else {
            self.fx.within(Timer::Recovery, LOOK);
            return;
        };
        let (cluster, listing) = (forced.cluster, forced.listing);
        let waits = now.since(forced.since) < FORCED_WAIT;
        let promised = |id: &NodeId| m.survivor.promises.contains_key(id);
        let linked = |id: &NodeId| self.fx.links.is_linked(*id);
        let others: Vec<NodeId> = m.others().map(|(_, node)| node.id()).collect();
        let all = others.iter().all(|id| promised(id) || !linked(id));
        if waits && !all {
            self.fx.within(Timer::Recovery, LOOK);
            return;
        }
        if m.log.promised() != term {
            self.fail_recovery("a higher term was promised meanwhile");
            return;
        }
        let gone = others
            .into_iter()
            .filter(|id| !promised(id))
            .map(|id| (id, Evidence::AbsentFromRecovery))
            .collect();
        // Above every epoch known; the clock only where no listing could ever be compared (P9).
        let next = Epoch(self.floor.epoch.0.saturating_add(1));
        let epoch = match listing {
            ForcedListing::Of(version) => next.max(Epoch::from(version)),
            ForcedListing::Awaited | ForcedListing::None if self.lists_epochs() => next,
            ForcedListing::Awaited | ForcedListing::None => self.clock_epoch(),
        };
        self.open_epoch(term, gone, epoch, Some(cluster));
    }
}
