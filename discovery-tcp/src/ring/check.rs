//! What must hold of the whole state after every input; and what the simulator asks besides.

use discovery_core::NodeId;

use super::member::{Lead, Membership};
use super::newcomer::Newcomer;
use super::round::{Round, RoundStage};
use super::takeover::Candidacy;
use super::{Life, Ring};
use crate::config::RingConfig;
use crate::message::Decision;

impl Ring {
    /// Whether the state is one that can be; what is wrong with it if not.
    ///
    /// # Errors
    ///
    /// With the first thing that cannot be: a fault of this crate, never of a peer.
    pub fn check(&self) -> Result<(), String> {
        match &self.life {
            Life::Newcomer(newcomer) => {
                newcomer.check()?;
                newcomer.round.check(self.me.id())?;
            }
            Life::Member(m) => {
                m.check(self.me.id(), &self.config)?;
                if let Some(round) = &m.survivor.round {
                    round.check(self.me.id())?;
                }
            }
            Life::Over => {}
        }
        Ok(())
    }

    /// Stops the program at the input that led to a state which cannot be; not in the simulator,
    /// which asks by itself, and says which seed it was.
    #[cfg(any(feature = "sim", debug_assertions))]
    pub(super) fn assert_sound(&self) {
        #[cfg(feature = "sim")]
        if self.fx.planted.is_checked_outside {
            return;
        }
        debug_assert_eq!(self.check(), Ok(()), "the state of the ring cannot be");
    }
}

impl Newcomer {
    fn check(&self) -> Result<(), String> {
        if self.join.is_under_way() && !matches!(self.round.stage, RoundStage::Contacting) {
            return Err("a census goes on while it joins".to_owned());
        }
        Ok(())
    }
}

impl Round {
    /// What FORM-3 and FORM-4 take for granted.
    fn check(&self, me: NodeId) -> Result<(), String> {
        let follows_listing = matches!(
            self.stage,
            RoundStage::Looking(_) | RoundStage::Relisting { .. } | RoundStage::Asking(_)
        );
        if follows_listing && self.version.is_none() {
            return Err("a round is beyond its listing without one".to_owned());
        }
        for contact in self.contacts.iter() {
            if contact.met() == Some(me) {
                return Err("it met itself".to_owned());
            }
            if contact.answered && !follows_listing {
                return Err("an answer is kept from an earlier round".to_owned());
            }
        }
        Ok(())
    }
}

impl Membership {
    fn check(&self, me: NodeId, config: &RingConfig) -> Result<(), String> {
        self.log.check()?;
        if self.roster.node(self.place) != Some(me) {
            return Err("the own place is somebody else's".to_owned());
        }
        if self.roster.members() != self.log.topology().len() {
            return Err("the roster is of another topology".to_owned());
        }
        if let Some(lead) = &self.lead {
            leads_soundly(self, lead)?;
        }
        if let Some(candidacy) = &self.takeover.candidacy {
            stands_soundly(self, candidacy)?;
        }
        self.watches_members()?;
        self.publishes_in_order(config)
    }

    fn watches_members(&self) -> Result<(), String> {
        let is_member = |id: &NodeId| self.log.topology().member(*id).is_some();
        if !self.watch.subjects.keys().all(is_member) {
            return Err("somebody is watched who is no member".to_owned());
        }
        if !self.alerts.keys().all(is_member) {
            return Err("somebody's word counts who is no member".to_owned());
        }
        if self.quorum != self.quorum_lost_at.is_none() {
            return Err("the quorum is lost and not lost".to_owned());
        }
        Ok(())
    }

    fn publishes_in_order(&self, config: &RingConfig) -> Result<(), String> {
        let pending = &self.publishing.pending;
        if pending.len() > config.publish_queue_max {
            return Err("more messages wait than may".to_owned());
        }
        let sequences = pending.iter().map(|message| message.sequence);
        let last = pending.back().map_or(0, |message| message.sequence);
        if !sequences.is_sorted_by(|one, next| one < next) || last > self.publishing.last {
            return Err("own messages are not in order".to_owned());
        }
        Ok(())
    }
}

fn leads_soundly(m: &Membership, lead: &Lead) -> Result<(), String> {
    if lead.accepted.len() != m.roster.members() {
        return Err("acceptances are counted of another topology".to_owned());
    }
    let recovers = lead.recovery.is_some();
    if m.log.promised() == lead.term && m.log.tail_term() != Some(lead.term) && !recovers {
        return Err("a coordinator holds a tail that is not of its term".to_owned());
    }
    if m.takeover.candidacy.is_some() {
        return Err("coordinator and candidate at once".to_owned());
    }
    admits_few(m, lead)?;
    #[cfg(feature = "sim")]
    sim::proposes_leftovers(m, lead)?;
    Ok(())
}

fn stands_soundly(m: &Membership, candidacy: &Candidacy) -> Result<(), String> {
    if candidacy.topology != m.id() {
        return Err("a candidacy outlived its topology".to_owned());
    }
    let is_member = |id: &NodeId| m.roster.index_of(*id).is_some();
    if !candidacy.promises.keys().all(is_member) {
        return Err("somebody promised who is no member".to_owned());
    }
    Ok(())
}

/// Whether a change of one's own admits no more than leave the confirmed in the majority (JOIN-7).
fn admits_few(m: &Membership, lead: &Lead) -> Result<(), String> {
    let Some(Decision::Change(change)) = m.log.tail().back().map(|last| &**last) else {
        return Ok(());
    };
    if change.term != lead.term || change.joins.is_empty() {
        return Ok(());
    }
    let goes = |id| change.leaves.contains(id) || change.failures.iter().any(|(it, _)| it == id);
    let confirmed = lead.confirmed.iter().filter(|id| !goes(id)).count();
    let unconfirmed = lead.unconfirmed.keys().filter(|id| !goes(id)).count();
    let unconfirmed = unconfirmed + change.joins.len();
    if unconfirmed > confirmed.saturating_sub(1).max(1) {
        return Err(format!(
            "{confirmed} confirmed members admit, so that {unconfirmed} are not"
        ));
    }
    Ok(())
}

#[cfg(feature = "sim")]
mod sim {
    use std::sync::Arc;

    use discovery_core::Term;

    use super::super::member::{Lead, Membership};
    use super::super::planted::Bug;
    use super::super::takeover::highest;
    use super::super::{Life, Ring};
    use crate::message::{Decision, Position};

    /// Whether a recovery proposes again the messages of the tail that a candidate would take over
    /// (RECOVER-6).
    pub(super) fn proposes_leftovers(m: &Membership, lead: &Lead) -> Result<(), String> {
        let (Some(promisers), Some(own)) = (&lead.recovery, m.log.replaced()) else {
            return Ok(());
        };
        if m.log.tail_term() != Some(lead.term) {
            return Ok(());
        }
        let promised = m.survivor.promises.iter();
        let promised = promised.filter(|(id, _)| promisers.contains(id));
        let tails = promised.map(|(_, tail)| tail);
        let tail = highest(m.log.decided(), own.clone(), tails, false);
        let messages = tail.entries.iter();
        let messages = messages.filter(|entry| matches!(***entry, Decision::Message(_)));
        if messages
            .map(Arc::as_ptr)
            .eq(lead.leftovers.iter().map(Arc::as_ptr))
        {
            return Ok(());
        }
        Err("a recovery drops messages that its promisers had accepted".to_owned())
    }

    impl Ring {
        /// Leaves it to the caller to ask [`check`](Self::check) after each input.
        pub(crate) fn check_outside(&mut self) {
            self.fx.planted.is_checked_outside = true;
        }

        /// Breaks one rule from now on.
        pub fn plant(&mut self, bug: Bug) {
            self.fx.planted.plant(bug);
        }

        /// Whether it keeps from another founding for members beyond the names that found.
        pub(crate) fn knows_other_names(&self) -> bool {
            self.knows_other_names
        }

        /// Up to where decisions are known here; 0 for a newcomer.
        pub fn decided(&self) -> Position {
            match &self.life {
                Life::Member(m) => m.log.decided(),
                Life::Newcomer(_) | Life::Over => Position(0),
            }
        }

        /// The highest term promised here.
        pub fn promised(&self) -> Option<Term> {
            match &self.life {
                Life::Member(m) => Some(m.log.promised()),
                Life::Newcomer(_) | Life::Over => None,
            }
        }

        /// The term under which it may propose now.
        pub fn coordinates(&self) -> Option<Term> {
            match &self.life {
                Life::Member(m) => m.lead.as_ref().map(|lead| lead.term),
                Life::Newcomer(_) | Life::Over => None,
            }
        }

        /// Whether it is a member that hears a majority.
        pub fn has_quorum(&self) -> bool {
            match &self.life {
                Life::Member(m) => m.quorum,
                Life::Newcomer(_) | Life::Over => false,
            }
        }

        /// One line about what it waits for.
        pub fn waits_for(&self) -> String {
            let status = self.status();
            let waiting = status.waiting_for.unwrap_or_default();
            format!("{} {:?}: {waiting}", self.me.name(), status.phase)
        }
    }
}
