//! What follows from a topology alone: who stands at which place, who votes, who observes whom (by
//! `graph.rs`), and the tree that proposals travel down. Derived once for each topology; everybody
//! derives the same.

use std::collections::VecDeque;

use discovery_core::{Member, NodeId, NodeInfo, Topology};

use super::graph::ObserverGraph;
use super::order_set::OrderSet;

/// The members of one topology by place: the eldest stands at 0, the newest last.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    topology: Topology,
    graph: ObserverGraph,
    voters: OrderSet,
}

impl Roster {
    /// Derives it; costs as much as sorting the ids.
    pub(crate) fn new(topology: &Topology) -> Self {
        let members = topology.members();
        let votes = |(place, member): (usize, &Member)| member.votes().then_some(place);
        Self {
            topology: topology.clone(),
            graph: ObserverGraph::new(members.iter().map(Member::id)),
            voters: OrderSet::of(members.len(), members.iter().enumerate().filter_map(votes)),
        }
    }

    /// How many members there are; never none.
    pub(crate) fn members(&self) -> usize {
        self.graph.members()
    }

    /// The empty set of its members.
    pub(crate) fn nobody(&self) -> OrderSet {
        OrderSet::new(self.members())
    }

    /// Where the member of this id stands.
    pub(crate) fn index_of(&self, id: NodeId) -> Option<usize> {
        self.graph.index_of(id)
    }

    /// The member at a place.
    pub(crate) fn member(&self, place: usize) -> Option<&Member> {
        self.topology.members().get(place)
    }

    /// The id of the member at a place.
    pub(crate) fn node(&self, place: usize) -> Option<NodeId> {
        self.member(place).map(Member::id)
    }

    /// What the member at a place says of itself.
    pub(crate) fn info(&self, place: usize) -> Option<&NodeInfo> {
        self.member(place).map(|member| &member.info)
    }

    /// The members whose acceptance counts.
    pub(crate) fn voters(&self) -> &OrderSet {
        &self.voters
    }

    /// How many acceptances decide (DECIDE-5).
    pub(crate) fn majority(&self) -> usize {
        self.voters.len() / 2 + 1
    }

    /// Who observes the member at a place, and whom it observes: distinct, never itself (CUT-1);
    /// none beyond the last.
    pub(crate) fn observers(&self, place: usize) -> impl Iterator<Item = usize> + use<> {
        let observers = self.node(place).map(|id| self.graph.observers(id));
        observers.into_iter().flatten()
    }

    /// Derives everybody's observers, for whoever is to look at many.
    pub(crate) fn prepare(&self) {
        self.graph.prepare();
    }

    /// To whom `me` passes on what `root` proposes (SPREAD-1). Those in `skip` have no children and
    /// are nobody's: the root serves them itself if they are to know, and theirs are those of the
    /// next above them, so that nobody else's parent changes. The root is never skipped.
    pub(crate) fn children(
        &self,
        root: usize,
        me: usize,
        skip: &OrderSet,
        fan_out: usize,
    ) -> Vec<usize> {
        let members = self.members();
        let is_left_out = me != root && skip.contains(me);
        if root.max(me) >= members || is_left_out {
            return Vec::new();
        }
        let mut children = Vec::new();
        let mut above = VecDeque::from([(me + members - root) % members]);
        while let Some(at) = above.pop_front() {
            let first = at.saturating_mul(fan_out.max(1)).saturating_add(1);
            for at in (first..members).take(fan_out.max(1)) {
                let place = (root + at) % members;
                if skip.contains(place) {
                    above.push_back(at);
                } else {
                    children.push(place);
                }
            }
        }
        children
    }

    /// From whom `me` gets what `root` proposes, and to whom it hands acceptances; none for the
    /// root itself. The root for whoever is in `skip`.
    pub(crate) fn parent(
        &self,
        root: usize,
        me: usize,
        skip: &OrderSet,
        fan_out: usize,
    ) -> Option<usize> {
        let members = self.members();
        if me == root || root.max(me) >= members {
            return None;
        }
        if skip.contains(me) {
            return Some(root);
        }
        let mut at = (me + members - root) % members;
        loop {
            at = (at - 1) / fan_out.max(1);
            let place = (root + at) % members;
            if at == 0 || !skip.contains(place) {
                return Some(place);
            }
        }
    }

    /// Whether most members get what `root` proposes from whom they had it in an earlier topology.
    pub(crate) fn keeps_tree_of(&self, before: &Self, root: NodeId, fan_out: usize) -> bool {
        let parent_in = |roster: &Self, id: NodeId| {
            let (root, place) = (roster.index_of(root)?, roster.index_of(id)?);
            roster.node(roster.parent(root, place, &roster.nobody(), fan_out)?)
        };
        let is_kept = |id: &&NodeId| {
            let parent = parent_in(self, **id);
            parent.is_some() && parent == parent_in(before, **id)
        };
        let kept = self.graph.ids().iter().filter(is_kept).count();
        kept * 4 >= (self.members() - 1) * 3
    }
}

#[cfg(test)]
#[path = "roster_tests.rs"]
pub(crate) mod tests;
