//! What a member without quorum waits for, in words for people: whom it misses, and what would help.

use discovery_core::ProofRule;

use super::round::NAMED_MAX;
use super::{Life, Ring};
use crate::config::{Quorum, Recovery};

impl Ring {
    /// Whom it misses and what it does about that; none for who hears a majority.
    pub(super) fn survivor_waits_for(&self) -> Option<String> {
        let Life::Member(m) = &self.life else {
            return None;
        };
        if m.quorum && !m.opens_epoch() {
            return None;
        }
        let step = self.survivors_step();
        let missing = self.missing();
        Some(if missing.is_empty() {
            step
        } else {
            format!("{missing}; {step}")
        })
    }

    /// The members that it is not linked to and that are not proven dead, by name.
    fn missing(&self) -> String {
        let Life::Member(m) = &self.life else {
            return String::new();
        };
        let missing = |(_, node): &(usize, &discovery_core::NodeInfo)| {
            !self.fx.links.is_linked(node.id()) && self.proof_against(node).is_none()
        };
        let names: Vec<&str> = m
            .others()
            .filter(missing)
            .map(|(_, node)| node.name().as_str())
            .collect();
        let named = names[..names.len().min(NAMED_MAX)].join(", ");
        match names.len().saturating_sub(NAMED_MAX) {
            0 => named,
            more => format!("{named} and {more} more"),
        }
    }

    fn survivors_step(&self) -> String {
        let Life::Member(m) = &self.life else {
            return String::new();
        };
        let survivor = &m.survivor;
        if m.opens_epoch() {
            return "all that promised to accept the recovery".to_owned();
        }
        if survivor.forced.is_some() {
            return "those that answer, to recover with them".to_owned();
        }
        if let Some(trouble) = &survivor.trouble {
            return trouble.clone();
        }
        let round = survivor.round.as_ref().map(|round| round.waits_for(false));
        if let Some(round) = round.filter(|text| !text.is_empty()) {
            return round;
        }
        match (self.config.quorum, self.config.recovery) {
            (Quorum::None, _) => "recovery_after to pass".to_owned(),
            (Quorum::Majority, Recovery::Manual) => operator("recovery is manual"),
            (Quorum::Majority, Recovery::Census) if !self.lists_epochs() => {
                operator("no census without a finder that lists all and formation by census")
            }
            (Quorum::Majority, Recovery::Census) if self.config.proof == ProofRule::Off => {
                operator("no proof of a death counts")
            }
            (Quorum::Majority, Recovery::Census) => {
                "a majority, or all others to answer or be proven dead".to_owned()
            }
        }
    }
}

fn operator(why: &str) -> String {
    format!("a majority, or an operator to force a recovery ({why})")
}
