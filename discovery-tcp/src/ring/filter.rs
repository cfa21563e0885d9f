//! What an answer binds one to (ANSWER): who answered a census hears nothing any more that was said
//! to it before. It closes every other link; words on links opened since were said since.

use discovery_core::{NodeInfo, ResourceVersion};

use super::Ring;
use super::greeting::TEND_AFTER_CLOSING;
use super::input::LinkId;
use super::links::Link;
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
        self.hear_no_more(|link, _| link != asker);
    }

    /// What these said, and whoever answers where they were dialled, must not be heard either by who
    /// asked: it has answered itself (ANSWER-1).
    pub(super) fn hear_no_more_of(&mut self, gone: &[NodeInfo]) {
        self.hear_no_more(|_, link| {
            gone.iter()
                .any(|node| match (link.other_end(), link.dialled) {
                    (Some(end), _) => end.node.id() == node.id(),
                    (None, Some(to)) => node.addresses().contains(&to),
                    (None, None) => false,
                })
        });
    }

    fn hear_no_more(&mut self, of: impl Fn(LinkId, &Link) -> bool) {
        let links = self.fx.links.iter().filter(|(id, link)| of(*id, link));
        let links: Vec<LinkId> = links.map(|(id, _)| id).collect();
        for link in links {
            let Some(entry) = self.fx.links.get(link).cloned() else {
                continue;
            };
            self.fx.close(link, CloseReason::Idle);
            self.link_dropped(&entry, TEND_AFTER_CLOSING);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use discovery_core::{NodeId, NodeOrder, UnixMillis};

    use super::*;
    use crate::config::{Formation, RingConfig};
    use crate::message::{
        DialBack, Introduction, Message, PhaseKind, RecoverAnswer, RecoverAsk, RecoverVerdict,
    };
    use crate::moment::Moment;
    use crate::ring::{Input, Life, Output, Start, WIRE};

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

    const COORDINATOR: LinkId = LinkId(1);

    fn node(id: u128, address: &str) -> NodeInfo {
        let name = format!("node-{id}").parse().unwrap();
        NodeInfo::new(
            NodeId::from_u128(id),
            name,
            [address.parse().unwrap()],
            UnixMillis(1),
        )
        .unwrap()
    }

    fn said_on(ring: &mut Ring, on: LinkId) -> Vec<Arc<Message>> {
        let outputs = std::iter::from_fn(|| ring.poll_output());
        let said = outputs.filter_map(|output| match output {
            Output::Send { link, message } if link == on => Some(message),
            _ => None,
        });
        said.collect()
    }

    fn receive(ring: &mut Ring, message: Message) {
        let link = COORDINATOR;
        ring.handle(Moment::START, Input::Received { link, message });
    }

    /// A member that dials somebody on the coordinator's behalf.
    fn dialling(other: &NodeInfo) -> Ring {
        let config = RingConfig {
            formation: Formation::Single,
            ..RingConfig::default()
        };
        let start = Start {
            node: node(0, "10.0.0.1:1"),
            wall: UnixMillis(1),
            seed: [7; 32],
            authoritative: true,
        };
        let mut ring = Ring::new(config.clone(), start);
        ring.handle(Moment::START, Input::Deadline);
        let from = other.addresses()[0];
        let link = COORDINATOR;
        ring.handle(Moment::START, Input::LinkAccepted { link, from });
        receive(
            &mut ring,
            Message::Hello(Introduction {
                wire: WIRE,
                cluster_name: config.cluster_name,
                settings: config.settings,
                node: other.clone(),
                phase: PhaseKind::Newcomer,
                rank: None,
                best: None,
                member: None,
                topology: None,
                quorum: false,
            }),
        );
        let ask = DialBack {
            request: 5,
            node: NodeId::from_u128(9),
            addresses: vec!["10.0.0.9:1".parse().unwrap()],
        };
        receive(&mut ring, Message::DialBack(ask));
        ring
    }

    // Clauses: ANSWER-4, CUT-6
    #[test]
    fn a_dial_that_an_answer_ends_says_nothing_of_who_was_dialled() {
        let other = node(2, "10.0.0.2:1");
        let mut ring = dialling(&other);
        assert!(ring.is_member());
        let Life::Member(m) = &ring.life else {
            return;
        };
        let mut topology = m.log.id();
        topology.version = topology.version.successor().unwrap();
        let ask = RecoverAsk {
            round: 3,
            resource_version: Some(listed(9)),
            topology,
            decided: m.log.decided(),
            order: NodeOrder::FIRST,
            term: m.log.promised(),
            forced: None,
        };
        said_on(&mut ring, COORDINATOR);
        receive(&mut ring, Message::RecoverAsk(ask));

        let said = said_on(&mut ring, COORDINATOR);
        assert!(
            matches!(
                said.iter().map(Arc::as_ref).collect::<Vec<_>>()[..],
                [Message::RecoverAnswer(RecoverAnswer {
                    verdict: RecoverVerdict::Granted,
                    ..
                })]
            ),
            "{said:?}"
        );
    }
}
