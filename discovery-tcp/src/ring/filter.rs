//! The answer filter (ANSWER): who answered a census takes older epochs only from whom it asked.

use std::collections::BTreeSet;

use discovery_core::{Epoch, NodeId, ResourceVersion, Topology, TopologyId};

use super::Ring;
use super::planted::Bug;

/// The newest ask that was answered: its listing, and everybody who was asked in it.
#[derive(Debug, Default)]
pub(super) struct AnswerFilter {
    answered: Option<(ResourceVersion, BTreeSet<NodeId>)>,
}

impl AnswerFilter {
    /// Answers an ask of this listing; refused with the newer one if one was answered before.
    pub(super) fn answer(
        &mut self,
        version: ResourceVersion,
        asked: BTreeSet<NodeId>,
    ) -> Result<(), ResourceVersion> {
        match &mut self.answered {
            Some((newest, _)) if version < *newest => return Err(*newest),
            Some((newest, list)) if version == *newest => {
                list.retain(|id| asked.contains(id));
            }
            answered => *answered = Some((version, asked)),
        }
        Ok(())
    }

    /// Whether what this node says of that topology may be taken.
    pub(super) fn admits(&self, from: NodeId, topology: TopologyId) -> bool {
        match &self.answered {
            None => true,
            Some((version, list)) => {
                topology.epoch >= Epoch::from(*version) || list.contains(&from)
            }
        }
    }

    /// A topology was taken: whom it names may be heard.
    pub(super) fn admit(&mut self, topology: &Topology) {
        if let Some((_, list)) = &mut self.answered {
            list.extend(topology.members().iter().map(|member| member.id()));
        }
    }

    /// The newest listing answered: an own one must be newer (FORM-5).
    pub(super) fn answered(&self) -> Option<ResourceVersion> {
        self.answered.as_ref().map(|(version, _)| *version)
    }
}

impl Ring {
    /// Whether this node may be heard about that topology (ANSWER).
    pub(super) fn may_hear(&self, from: NodeId, topology: TopologyId) -> bool {
        self.filter.admits(from, topology)
            || self.is_member() && self.fx.bug(Bug::PromisersUnfiltered)
    }
}
