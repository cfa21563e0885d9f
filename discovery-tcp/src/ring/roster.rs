//! What follows from a topology alone: who stands at which place, who votes, who observes whom, and
//! the tree that proposals travel down. Derived once for each topology; everybody derives the same.

use std::collections::VecDeque;

use discovery_core::{Member, NodeId, NodeInfo, Topology};

use super::order_set::OrderSet;

/// Most observers of one member (CUT-1).
pub(crate) const OBSERVERS_MAX: usize = 8;

/// How far from a member its observers stand on the circle of node ids, both ways: whom it observes,
/// observes it, so that one link and its heartbeats serve both. The first four that a circle has
/// room for count. They were searched for: whichever minority of up to 18 members dies, one cut takes
/// all of it.
const DISTANCES: [usize; 8] = [1, 5, 23, 95, 11, 2, 7, 3];

/// The members of one topology by place: the eldest stands at 0, the newest last. Who observes whom
/// follows from their ids, which are drawn at random: members that joined together, and so may die
/// together, stand anywhere.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    topology: Topology,
    /// The circle: all ids, sorted, the place of each, and for each place where it stands in them.
    ids: Vec<NodeId>,
    places: Vec<u32>,
    stands: Vec<u32>,
    voters: OrderSet,
    offsets: Vec<usize>,
}

impl Roster {
    /// Derives it; costs as much as sorting the ids.
    pub(crate) fn new(topology: &Topology) -> Self {
        let members = topology.members();
        let mut circle: Vec<(NodeId, u32)> = (0..)
            .zip(members)
            .map(|(place, it)| (it.id(), place))
            .collect();
        circle.sort_unstable();
        let (ids, places): (Vec<NodeId>, Vec<u32>) = circle.into_iter().unzip();
        let mut stands = vec![0; places.len()];
        for (at, place) in (0..).zip(&places) {
            stands[*place as usize] = at;
        }
        let votes = |(place, member): (usize, &Member)| member.votes().then_some(place);
        Self {
            topology: topology.clone(),
            ids,
            places,
            stands,
            voters: OrderSet::of(members.len(), members.iter().enumerate().filter_map(votes)),
            offsets: offsets(members.len()),
        }
    }

    /// How many members there are; never none.
    pub(crate) fn members(&self) -> usize {
        self.ids.len()
    }

    /// The empty set of its members.
    pub(crate) fn nobody(&self) -> OrderSet {
        OrderSet::new(self.members())
    }

    /// Where the member of this id stands.
    pub(crate) fn index_of(&self, id: NodeId) -> Option<usize> {
        let at = self.ids.binary_search(&id).ok()?;
        self.places.get(at).map(|place| *place as usize)
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

    /// How many observers each member has, and how many subjects: `min(members - 1, 8)`.
    pub(crate) fn observers_each(&self) -> usize {
        self.offsets.len()
    }

    /// Who observes the member at a place, and whom it observes: distinct, never itself (CUT-1);
    /// none beyond the last.
    pub(crate) fn observers(&self, place: usize) -> impl Iterator<Item = usize> + '_ {
        let stands = self.stands.get(place).map(|at| *at as usize);
        stands.into_iter().flat_map(move |at| {
            let other = move |offset| (at + offset) % self.members();
            self.offsets
                .iter()
                .map(move |offset| self.places[other(*offset)] as usize)
        })
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
        let kept = self.ids.iter().filter(is_kept).count();
        kept * 4 >= (self.members() - 1) * 3
    }
}

/// The first four distances that the circle has room for, or else the smallest, each both ways.
fn offsets(members: usize) -> Vec<usize> {
    let mut distances: Vec<usize> = DISTANCES
        .into_iter()
        .filter(|it| 2 * it < members)
        .collect();
    for distance in 1..=members / 2 {
        if !distances.contains(&distance) {
            distances.push(distance);
        }
    }
    distances.truncate(OBSERVERS_MAX / 2);
    let both_ways = distances.into_iter().flat_map(|it| [it, members - it]);
    let mut offsets: Vec<usize> = both_ways.collect();
    // Right across the circle both ways lead to one member.
    offsets.sort_unstable();
    offsets.dedup();
    offsets
}

#[cfg(test)]
#[path = "roster_tests.rs"]
mod tests;
