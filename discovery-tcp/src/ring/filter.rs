//! What an answer binds one to (ANSWER): who answered a census hears nothing any more that was said
//! to it before. It closes every other link; words on links opened since were said since.

use discovery_core::ResourceVersion;

use super::Ring;
use super::input::LinkId;
use crate::message::CloseReason;

/// The newest ask that was answered, by its listing.
#[derive(Debug, Default)]
pub(super) struct AnswerFilter {
    answered: Option<ResourceVersion>,
}

impl AnswerFilter {
    /// Answers an ask of this listing; refused with the newer one if one was answered before.
    pub(super) fn answer(&mut self, version: ResourceVersion) -> Result<(), ResourceVersion> {
        match self.answered {
            Some(newest) if version < newest => Err(newest),
            _ => {
                self.answered = Some(version);
                Ok(())
            }
        }
    }

    /// The newest listing answered: an own one must be newer (FORM-9).
    pub(super) fn answered(&self) -> Option<ResourceVersion> {
        self.answered
    }
}

impl Ring {
    /// What the dead said before this answer must not be heard after it. Whoever lives says again
    /// what counts, and is asked by the same round; so nothing is lost.
    pub(super) fn hear_only_from_now(&mut self, asker: LinkId) {
        let others: Vec<LinkId> = self
            .fx
            .links
            .iter()
            .map(|(id, _)| id)
            .filter(|id| *id != asker)
            .collect();
        for link in others {
            let Some(entry) = self.fx.links.get(link).cloned() else {
                continue;
            };
            self.fx.close(link, CloseReason::Idle);
            self.link_dropped(&entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(version: u64) -> ResourceVersion {
        ResourceVersion::new(version).unwrap()
    }

    // Clauses: ANSWER-2
    #[test]
    fn an_ask_older_than_one_answered_is_refused_with_the_newer() {
        let mut filter = AnswerFilter::default();
        let (older, newer) = (listed(7), listed(9));

        assert_eq!(filter.answer(newer), Ok(()));
        assert_eq!(filter.answer(older), Err(newer));
        assert_eq!(filter.answered(), Some(newer));
        assert_eq!(filter.answer(newer), Ok(()));
    }
}
