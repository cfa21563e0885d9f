//! The table of links: who is at the other end, and what each was opened for.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;

use discovery_core::{NodeId, NodeInfo, ProcessIdentity};

use super::input::LinkId;
use super::roster::Roster;
use crate::message::{Introduction, PhaseKind, Rank};
use crate::moment::Moment;

/// What a link was opened for: who wants to hear what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Somebody else opened it.
    Accepted,
    /// A listed process is contacted.
    Contact(ProcessIdentity),
    /// A member is needed.
    Member(NodeId),
    /// A better candidate, a member heard of, or a seed worth probing.
    Hint,
    /// A joiner or a suspect is dialled on behalf of the coordinator.
    DialBack(u64),
}

/// How far a link has come.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Asked for.
    Dialling,
    /// Open; the greeting has not come.
    Greeting,
    /// Both sides know each other.
    Open(Box<OtherEnd>),
}

/// Who is at the other end, as last told.
#[derive(Clone, Debug)]
pub(super) struct OtherEnd {
    pub(super) node: NodeInfo,
    pub(super) phase: PhaseKind,
    /// The rank of the best candidate that it knows of, itself or who it was told of, and whether it
    /// was told of a member; nothing of a member, for most links stay as long as those.
    pub(super) knows: Option<Box<Rank>>,
    pub(super) told_member: bool,
}

/// One link.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) dialled: Option<SocketAddr>,
    pub(super) purpose: Purpose,
    pub(super) stage: Stage,
    /// When something that needed it last used it.
    pub(super) used_at: Moment,
    /// When something last came over it.
    pub(super) heard_at: Moment,
}

impl Link {
    pub(super) fn other_end(&self) -> Option<&OtherEnd> {
        match &self.stage {
            Stage::Open(end) => Some(end),
            Stage::Dialling | Stage::Greeting => None,
        }
    }
}

/// All links of the ring.
#[derive(Debug, Default)]
pub(super) struct Links {
    table: BTreeMap<LinkId, Link>,
    by_node: BTreeMap<NodeId, Vec<LinkId>>,
    opening: Opening,
    next: u64,
}

/// What is dialled or not greeted yet, counted: each of hundreds of joiners asks whether it is
/// being dialled.
#[derive(Debug, Default)]
struct Opening {
    to: BTreeMap<SocketAddr, usize>,
    members: BTreeMap<NodeId, usize>,
}

impl Opening {
    fn begun(&mut self, link: &Link) {
        if let Some(to) = link.dialled {
            *self.to.entry(to).or_default() += 1;
        }
        if let Purpose::Member(node) = link.purpose {
            *self.members.entry(node).or_default() += 1;
        }
    }

    fn ended(&mut self, link: &Link) {
        if let Some(to) = link.dialled {
            count_down(&mut self.to, to);
        }
        if let Purpose::Member(node) = link.purpose {
            count_down(&mut self.members, node);
        }
    }
}

/// The description that the topology holds, if it is equal to this one: each that comes over the
/// wire takes memory of its own.
fn shared(node: &NodeInfo, topology: &Roster) -> NodeInfo {
    let place = topology.index_of(node.id());
    let known = place.and_then(|place| topology.info(place));
    known.filter(|known| *known == node).unwrap_or(node).clone()
}

fn count_down<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) {
    if let Entry::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}

impl Links {
    /// Draws the next even number.
    pub(super) fn draw(&mut self) -> LinkId {
        self.next += 2;
        LinkId(self.next)
    }

    pub(super) fn insert(&mut self, id: LinkId, link: Link) {
        if link.other_end().is_none() {
            self.opening.begun(&link);
        }
        self.table.insert(id, link);
    }

    pub(super) fn get(&self, id: LinkId) -> Option<&Link> {
        self.table.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.table.get_mut(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.table.iter().map(|(id, link)| (*id, link))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (LinkId, &mut Link)> {
        self.table.iter_mut().map(|(id, link)| (*id, link))
    }

    /// Marks a link as open to this node.
    pub(super) fn open(&mut self, id: LinkId, intro: &Introduction, topology: Option<&Roster>) {
        let Some(link) = self.table.get_mut(&id) else {
            return;
        };
        if link.other_end().is_none() {
            self.opening.ended(link);
        }
        link.stage = Stage::Open(Box::new(OtherEnd {
            node: topology.map_or_else(|| intro.node.clone(), |it| shared(&intro.node, it)),
            phase: intro.phase,
            knows: intro.rank.map(Box::new),
            told_member: false,
        }));
        self.by_node.entry(intro.node.id()).or_default().push(id);
    }

    /// Lets links hold the descriptions that a new topology holds, in place of their own, and forget
    /// what only newcomers are told.
    pub(super) fn share_with(&mut self, topology: &Roster) {
        for link in self.table.values_mut() {
            if let Stage::Open(end) = &mut link.stage {
                end.node = shared(&end.node, topology);
                if topology.index_of(end.node.id()).is_some() {
                    end.knows = None;
                    end.phase = match end.phase {
                        PhaseKind::Newcomer => PhaseKind::Member,
                        phase @ (PhaseKind::Member | PhaseKind::Leaving) => phase,
                    };
                }
            }
        }
    }

    pub(super) fn remove(&mut self, id: LinkId) -> Option<Link> {
        let link = self.table.remove(&id)?;
        let Some(end) = link.other_end() else {
            self.opening.ended(&link);
            return Some(link);
        };
        if let Some(links) = self.by_node.get_mut(&end.node.id()) {
            links.retain(|other| *other != id);
            if links.is_empty() {
                self.by_node.remove(&end.node.id());
            }
        }
        Some(link)
    }

    /// The open link to a node over which something came last: another may be dead on one side.
    pub(super) fn to(&self, node: NodeId) -> Option<LinkId> {
        let links = self.by_node.get(&node)?;
        if let [only] = links.as_slice() {
            return Some(*only);
        }
        let heard_at = |id: &&LinkId| self.table.get(id).map(|link| link.heard_at);
        links.iter().max_by_key(heard_at).copied()
    }

    /// Whether an open link to this node was dialled from here, at one of these addresses.
    pub(super) fn has_dialled(&self, node: NodeId, addresses: &[SocketAddr]) -> bool {
        let links = self.by_node.get(&node).into_iter().flatten();
        links
            .filter_map(|id| self.table.get(id))
            .any(|link| link.dialled.is_some_and(|to| addresses.contains(&to)))
    }

    pub(super) fn is_linked(&self, node: NodeId) -> bool {
        self.by_node.contains_key(&node)
    }

    /// Whether a link to this member, or to this address, is being opened.
    pub(super) fn is_dialling(&self, node: NodeId, to: &[SocketAddr]) -> bool {
        self.is_dialling_member(node) || to.iter().any(|to| self.opening.to.contains_key(to))
    }

    /// Whether a link to this member is being opened for its own sake.
    pub(super) fn is_dialling_member(&self, node: NodeId) -> bool {
        self.opening.members.contains_key(&node)
    }

    /// How many links to members are being opened.
    pub(super) fn dialling_members(&self) -> usize {
        self.opening.members.values().sum()
    }

    /// Who is at the other end of an open link.
    pub(super) fn node_at(&self, id: LinkId) -> Option<&NodeInfo> {
        self.table.get(&id)?.other_end().map(|end| &end.node)
    }
}
