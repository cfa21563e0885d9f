//! Who observes whom (CUT-1): a pure function of the ids in a topology. Whom a member observes
//! observes it, so that one link and its heartbeats serve both.

use std::sync::OnceLock;

use discovery_core::NodeId;

/// Most observers of one member.
pub(crate) const OBSERVERS_MAX: usize = 8;

/// In how many orders the members of a larger cluster stand; a member observes its two neighbours in
/// each. So a change gives new observers to the neighbours of those that come or go alone.
const RINGS: usize = OBSERVERS_MAX / 2;

/// What ids are multiplied with for each ring: odd, so that no two ids become one, and drawn once.
const FACTORS: [u128; RINGS] = [
    0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835,
    0xda94_2042_e4dd_58b5_94d0_49bb_1331_11eb,
    0xbf58_476d_1ce4_e5b9_c2b2_ae3d_27d4_eb4f,
    0x1656_67b1_9e37_79f9_d6e8_feb8_6659_fd93,
];

/// How many members stand on one circle at most, where each has as many observers as there can be.
/// Whoever comes or goes there shifts others, which is little among few.
const CIRCLE_MAX: usize = 32;

/// How far from a member its observers stand on that circle, both ways. The first four that it has
/// room for count. They were searched for: whichever minority of up to 18 members dies, one cut takes
/// all of it.
const DISTANCES: [usize; 6] = [1, 5, 11, 2, 7, 3];

/// The members of one topology, and who observes whom among them.
#[derive(Clone, Debug)]
pub(crate) struct ObserverGraph {
    /// All ids, sorted, and the place of each.
    ids: Vec<NodeId>,
    places: Vec<u32>,
    /// How far on a member's observers stand on the circle; none where there are rings.
    offsets: Vec<usize>,
    /// Everybody's, once somebody judges many.
    table: OnceLock<Vec<Neighbours>>,
}

/// A few different places.
#[derive(Clone, Copy, Debug, Default)]
struct Neighbours {
    places: [u32; OBSERVERS_MAX],
    count: usize,
}

impl Neighbours {
    fn insert(&mut self, place: u32) {
        if !self.places[..self.count].contains(&place)
            && let Some(free) = self.places.get_mut(self.count)
        {
            *free = place;
            self.count += 1;
        }
    }
}

impl ObserverGraph {
    /// The members of these ids, the eldest first; costs as much as sorting them.
    pub(crate) fn new(members: impl Iterator<Item = NodeId>) -> Self {
        let mut circle: Vec<(NodeId, u32)> = members.zip(0..).collect();
        circle.sort_unstable();
        let (ids, places): (Vec<NodeId>, Vec<u32>) = circle.into_iter().unzip();
        Self {
            offsets: offsets(ids.len()),
            ids,
            places,
            table: OnceLock::new(),
        }
    }

    /// How many members there are.
    pub(crate) fn members(&self) -> usize {
        self.ids.len()
    }

    /// All ids, sorted.
    pub(crate) fn ids(&self) -> &[NodeId] {
        &self.ids
    }

    /// The place of the member of this id.
    pub(crate) fn index_of(&self, id: NodeId) -> Option<usize> {
        let at = self.ids.binary_search(&id).ok()?;
        self.places.get(at).map(|place| *place as usize)
    }

    /// The places of whom the member of this id observes, and who observes it: distinct, never its
    /// own.
    pub(crate) fn observers(&self, id: NodeId) -> impl Iterator<Item = usize> + use<> {
        let neighbours = match (self.ids.binary_search(&id), self.table.get()) {
            (Ok(at), Some(table)) => table[self.places[at] as usize],
            (Ok(at), None) if self.members() <= CIRCLE_MAX => self.on_circle(at),
            (Ok(_), None) => self.in_rings(id),
            (Err(_), _) => Neighbours::default(),
        };
        let places = neighbours.places.into_iter().take(neighbours.count);
        places.map(|place| place as usize)
    }

    /// Derives everybody's observers at once: that is for whoever looks at many. To look through all
    /// members for the neighbours of one is faster than to sort them.
    pub(crate) fn prepare(&self) {
        if self.members() > CIRCLE_MAX {
            self.table.get_or_init(|| self.all_rings());
        }
    }

    fn on_circle(&self, at: usize) -> Neighbours {
        let mut neighbours = Neighbours::default();
        for offset in &self.offsets {
            neighbours.insert(self.places[(at + offset) % self.members()]);
        }
        neighbours
    }

    fn in_rings(&self, id: NodeId) -> Neighbours {
        let mut neighbours = Neighbours::default();
        for factor in FACTORS {
            let own = stand(id, factor);
            let (mut next, mut last) = ((u128::MAX, 0), (0, 0));
            for (other, place) in self.ids.iter().zip(&self.places) {
                if *other != id {
                    let ahead = (stand(*other, factor).wrapping_sub(own), *place);
                    next = next.min(ahead);
                    last = last.max(ahead);
                }
            }
            neighbours.insert(next.1);
            neighbours.insert(last.1);
        }
        neighbours
    }

    fn all_rings(&self) -> Vec<Neighbours> {
        let members = self.members();
        let mut table = vec![Neighbours::default(); members];
        for factor in FACTORS {
            let stands = self.ids.iter().map(|id| stand(*id, factor));
            let mut ring: Vec<(u128, u32)> = stands.zip(self.places.iter().copied()).collect();
            ring.sort_unstable();
            for (at, (_, place)) in ring.iter().enumerate() {
                let neighbours = &mut table[*place as usize];
                neighbours.insert(ring[(at + 1) % members].1);
                neighbours.insert(ring[(at + members - 1) % members].1);
            }
        }
        table
    }
}

/// Where a node stands in a ring. All bits of the id count, whichever of them differ.
fn stand(id: NodeId, factor: u128) -> u128 {
    let bits = id.as_u128();
    (bits ^ bits >> 64).wrapping_mul(factor)
}

/// The first four distances that the circle has room for, or else the smallest, each both ways.
fn offsets(members: usize) -> Vec<usize> {
    if members > CIRCLE_MAX {
        return Vec::new();
    }
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
#[path = "graph_tests.rs"]
mod tests;
