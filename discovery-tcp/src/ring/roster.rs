//! What follows from a topology alone: who stands at which place, who votes, who observes whom, and
//! the tree that proposals travel down. Derived once for each topology; everybody derives the same.

use discovery_core::{Member, NodeId, NodeInfo, Topology};

use super::order_set::OrderSet;

/// Most observers of one member (CUT-1).
pub(crate) const OBSERVERS_MAX: usize = 8;

/// How far behind a member its observers stand, nearest first. They spread, so that members that
/// joined together, and so may die together, do not observe each other alone.
const OFFSETS: [usize; OBSERVERS_MAX] = [1, 2, 5, 11, 23, 47, 95, 191];

/// The members of one topology by place: the eldest stands at 0, the newest last.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    topology: Topology,
    places: Vec<(NodeId, usize)>,
    voters: OrderSet,
    offsets: Vec<usize>,
}

impl Roster {
    /// Derives it; costs as much as sorting the ids.
    pub(crate) fn new(topology: &Topology) -> Self {
        let members = topology.members();
        let mut places: Vec<(NodeId, usize)> = members
            .iter()
            .enumerate()
            .map(|(place, member)| (member.id(), place))
            .collect();
        places.sort_unstable();
        let votes = |(place, member): (usize, &Member)| member.votes().then_some(place);
        Self {
            topology: topology.clone(),
            places,
            voters: OrderSet::of(members.len(), members.iter().enumerate().filter_map(votes)),
            offsets: offsets(members.len()),
        }
    }

    /// How many members there are; never none.
    pub(crate) fn members(&self) -> usize {
        self.places.len()
    }

    /// The empty set of its members.
    pub(crate) fn nobody(&self) -> OrderSet {
        OrderSet::new(self.members())
    }

    /// Where the member of this id stands.
    pub(crate) fn index_of(&self, id: NodeId) -> Option<usize> {
        let at = self.places.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.places.get(at).map(|(_, place)| *place)
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

    /// Who observes the member at a place: distinct, never itself (CUT-1); none beyond the last.
    pub(crate) fn observers(&self, place: usize) -> impl Iterator<Item = usize> + '_ {
        let members = self.members();
        self.offsets_of(place)
            .map(move |offset| (place + offset) % members)
    }

    /// Whom the member at a place observes: distinct, never itself (CUT-1); none beyond the last.
    pub(crate) fn subjects(&self, place: usize) -> impl Iterator<Item = usize> + '_ {
        let members = self.members();
        self.offsets_of(place)
            .map(move |offset| (place + members - offset) % members)
    }

    fn offsets_of(&self, place: usize) -> impl Iterator<Item = usize> + '_ {
        let there = place < self.members();
        self.offsets.iter().copied().filter(move |_| there)
    }

    /// To whom `me` passes on what `root` proposes (SPREAD-1). Those in `skip` have no children and
    /// are nobody's: the root serves them itself if they are to know. The root is never skipped.
    pub(crate) fn children(
        &self,
        root: usize,
        me: usize,
        skip: &OrderSet,
        fan_out: usize,
    ) -> Vec<usize> {
        let fan_out = fan_out.max(1);
        let Some(at) = self.tree(root, skip).position(|place| place == me) else {
            return Vec::new();
        };
        self.tree(root, skip)
            .skip(at.saturating_mul(fan_out).saturating_add(1))
            .take(fan_out)
            .collect()
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
        if me == root || root.max(me) >= self.members() {
            return None;
        }
        match self.tree(root, skip).position(|place| place == me) {
            Some(at) => self
                .tree(root, skip)
                .nth(at.saturating_sub(1) / fan_out.max(1)),
            None => Some(root),
        }
    }

    /// The tree level by level: the root, then everybody after it in order and round to it again.
    fn tree<'a>(&self, root: usize, skip: &'a OrderSet) -> impl Iterator<Item = usize> + use<'a> {
        let members = self.members();
        let eldest_on = if root < members { 0..root } else { 0..0 };
        (root..members)
            .chain(eldest_on)
            .filter(move |place| *place == root || !skip.contains(*place))
    }
}

/// The fixed offsets as far as the ring goes, then the smallest unused ones.
fn offsets(members: usize) -> Vec<usize> {
    let most = members.saturating_sub(1);
    let mut offsets: Vec<usize> = OFFSETS.into_iter().filter(|o| *o <= most).collect();
    for offset in 1..=most {
        if offsets.len() == most.min(OBSERVERS_MAX) {
            break;
        }
        if !offsets.contains(&offset) {
            offsets.push(offset);
        }
    }
    offsets
}

#[cfg(test)]
#[path = "roster_tests.rs"]
mod tests;
