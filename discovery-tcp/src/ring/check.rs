//! What must hold of the whole state after every input; and what the simulator asks besides.

use super::member::{Lead, Membership};
use super::{Life, Ring};
use crate::message::Decision;

impl Ring {
    /// Whether the state is one that can be; what is wrong with it if not.
    ///
    /// # Errors
    ///
    /// With the first thing that cannot be: a fault of this crate, never of a peer.
    pub fn check(&self) -> Result<(), String> {
        let Life::Member(m) = &self.life else {
            return Ok(());
        };
        m.log.check()?;
        if m.roster.node(m.place) != Some(self.me.id()) {
            return Err("the own place is somebody else's".to_owned());
        }
        if m.roster.members() != m.log.topology().len() {
            return Err("the roster is of another topology".to_owned());
        }
        if let Some(lead) = &m.lead {
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
        }
        for subject in m.watch.subjects.keys() {
            if m.log.topology().member(*subject).is_none() {
                return Err("somebody is watched who is no member".to_owned());
            }
        }
        Ok(())
    }

    #[cfg(any(feature = "sim", debug_assertions))]
    pub(super) fn assert_sound(&self) {
        if cfg!(feature = "sim") {
            // The simulator asks by itself, and says which seed it was.
            return;
        }
        debug_assert_eq!(self.check(), Ok(()), "the state of the ring cannot be");
    }
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
        /// Breaks one rule from now on.
        pub fn plant(&mut self, bug: Bug) {
            self.fx.planted.plant(bug);
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
