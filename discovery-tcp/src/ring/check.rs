//! What must hold of the whole state after every input; and what the simulator asks besides.

use super::{Life, Ring};

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

#[cfg(feature = "sim")]
mod sim {
    use discovery_core::Term;

    use super::super::planted::Bug;
    use super::super::{Life, Ring};
    use crate::message::Position;

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
