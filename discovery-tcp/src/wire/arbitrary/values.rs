//! Ids, numbers, nodes, topologies, evidence and changes.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use discovery_core::{
    Accusation, AccusationKind, Attributes, ClusterId, Epoch, Evidence, GoneCounts, HostNode,
    Member, NodeId, NodeInfo, NodeName, NodeOrder, PodUid, ProofOfDeath, ResourceVersion, Role,
    RunEnded, Term, Topic, Topology, TopologyChange, TopologyId, TopologyParts, TopologyVersion,
    UnixMillis, UnixSeconds, WireVersion, Zone,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use crate::message::{Position, Tick, Watermark};

/// A number, small more often than not, as numbers are.
pub(super) fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..300u64, any::<u64>()]
}

fn positive() -> impl Strategy<Value = u64> {
    number().prop_map(|number| number.max(1))
}

pub(super) fn node_id() -> impl Strategy<Value = NodeId> {
    any::<u128>().prop_map(NodeId::from_u128)
}

pub(super) fn cluster_id() -> impl Strategy<Value = ClusterId> {
    any::<u128>().prop_map(ClusterId::from_u128)
}

pub(super) fn epoch() -> impl Strategy<Value = Epoch> {
    number().prop_map(Epoch)
}

pub(super) fn order() -> impl Strategy<Value = NodeOrder> {
    positive().prop_map(|number| NodeOrder::new(number).unwrap())
}

fn version() -> impl Strategy<Value = TopologyVersion> {
    positive().prop_map(|number| TopologyVersion::new(number).unwrap())
}

pub(super) fn resource_version() -> impl Strategy<Value = ResourceVersion> {
    positive().prop_map(|number| ResourceVersion::new(number).unwrap())
}

pub(super) fn position() -> impl Strategy<Value = Position> {
    number().prop_map(Position)
}

pub(super) fn millis() -> impl Strategy<Value = UnixMillis> {
    any::<i64>().prop_map(UnixMillis)
}

pub(super) fn term() -> impl Strategy<Value = Term> {
    (number(), order()).prop_map(|(counter, order)| Term { counter, order })
}

pub(super) fn topology_id() -> impl Strategy<Value = TopologyId> {
    (cluster_id(), epoch(), version()).prop_map(|(cluster_id, epoch, version)| TopologyId {
        cluster_id,
        epoch,
        version,
    })
}

pub(super) fn watermark() -> impl Strategy<Value = Watermark> {
    (term(), position()).prop_map(|(term, position)| Watermark { term, position })
}

pub(super) fn tick() -> impl Strategy<Value = Tick> {
    (term(), number()).prop_map(|(term, count)| Tick { term, count })
}

pub(super) fn name() -> impl Strategy<Value = NodeName> {
    "[a-z0-9.-]{1,40}".prop_map(|text| NodeName::new(text).unwrap())
}

fn pod_uid() -> impl Strategy<Value = PodUid> {
    "[a-f0-9-]{1,36}".prop_map(|text| PodUid::new(text).unwrap())
}

pub(super) fn topic() -> impl Strategy<Value = Topic> {
    "[a-zé/]{1,30}".prop_map(|text| Topic::new(text).unwrap())
}

pub(super) fn text() -> impl Strategy<Value = String> {
    ".{0,60}"
}

pub(super) fn address() -> impl Strategy<Value = SocketAddr> {
    (any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from)
}

pub(super) fn addresses() -> impl Strategy<Value = Vec<SocketAddr>> {
    vec(address(), 0..=8)
}

fn dialable() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        (any::<u16>(), 1..=u16::MAX).prop_map(|(host, port)| {
            let [high, low] = host.to_be_bytes();
            SocketAddr::from(([10, 88, high, low], port))
        }),
        (any::<u16>(), 1..=u16::MAX)
            .prop_map(|(host, port)| SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 1, host], port))),
    ]
}

pub(super) fn node() -> impl Strategy<Value = NodeInfo> {
    let described = (node_id(), name(), vec(dialable(), 1..=8), millis());
    let place = (
        option::of(pod_uid()),
        option::of("[a-z0-9-]{1,20}"),
        option::of("[a-z0-9-]{1,20}"),
    );
    let attributes = btree_map("[a-z/]{1,12}", ".{0,20}", 0..5);
    let role = prop_oneof![Just(Role::Member), Just(Role::Follower)];
    (described, place, role, attributes, any::<u16>()).prop_map(
        |((id, name, addresses, started_at), (uid, zone, host), role, attributes, wire)| {
            let mut node = NodeInfo::new(id, name, addresses, started_at)
                .unwrap()
                .with_role(role)
                .with_attributes(Attributes::new(attributes).unwrap())
                .with_wire_version(WireVersion(wire));
            if let Some(uid) = uid {
                node = node.with_pod_uid(uid);
            }
            if let Some(zone) = zone {
                node = node.with_zone(Zone::new(zone).unwrap());
            }
            if let Some(host) = host {
                node = node.with_host_node(HostNode::new(host).unwrap());
            }
            node
        },
    )
}

pub(in crate::wire) fn topology() -> impl Strategy<Value = Topology> {
    let members = vec((node(), 1..100u64), 1..6);
    (topology_id(), term(), members, 0..9u64).prop_map(|(id, term, nodes, ahead)| {
        let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
        let mut last = 0;
        let mut members = Vec::new();
        for (at, (node, step)) in nodes.into_iter().enumerate() {
            if !ids.insert(node.id()) || !names.insert(node.name().clone()) {
                continue;
            }
            last += step;
            members.push(Member {
                order: NodeOrder::new(last).unwrap(),
                joined_at: TopologyVersion::FIRST,
                // The eldest votes, so that somebody does.
                info: if at == 0 {
                    node.with_role(Role::Member)
                } else {
                    node
                },
            });
        }
        Topology::from_parts(TopologyParts {
            cluster_id: id.cluster_id,
            epoch: id.epoch,
            version: id.version,
            term,
            next_order: NodeOrder::new(last + 1 + ahead).unwrap(),
            members,
        })
        .unwrap()
    })
}

pub(super) fn accusation_kind() -> impl Strategy<Value = AccusationKind> {
    prop_oneof![
        Just(AccusationKind::Replaced),
        Just(AccusationKind::Refused),
        Just(AccusationKind::Closed),
        Just(AccusationKind::Silence),
    ]
}

fn accusation() -> impl Strategy<Value = Accusation> {
    (node_id(), accusation_kind(), millis()).prop_map(|(observer, kind, at)| Accusation {
        observer,
        kind,
        at,
    })
}

fn seconds() -> impl Strategy<Value = UnixSeconds> {
    any::<i64>().prop_map(UnixSeconds)
}

fn proof() -> impl Strategy<Value = ProofOfDeath> {
    let ended = prop_oneof![
        Just(RunEnded::NotRunning),
        any::<(u32, u32)>().prop_map(|(from, to)| RunEnded::Restarted { from, to }),
    ];
    let counts = prop_oneof![
        Just(GoneCounts::Unmarked),
        Just(GoneCounts::AllTerminated),
        Just(GoneCounts::AnyObject),
    ];
    prop_oneof![
        (address(), option::of(pod_uid()), node_id()).prop_map(|(address, pod_uid, successor)| {
            ProofOfDeath::Replaced {
                address,
                pod_uid,
                successor,
            }
        }),
        (pod_uid(), seconds(), seconds(), ended).prop_map(
            |(pod_uid, started_at, finished_at, because)| ProofOfDeath::Terminated {
                pod_uid,
                started_at,
                finished_at,
                because,
            }
        ),
        (pod_uid(), option::of(pod_uid()), counts).prop_map(|(pod_uid, replaced_by, because)| {
            ProofOfDeath::Gone {
                pod_uid,
                replaced_by,
                because,
            }
        }),
    ]
}

fn evidence() -> impl Strategy<Value = Evidence> {
    prop_oneof![
        vec(accusation(), 0..5).prop_map(Evidence::Accused),
        millis().prop_map(|admitted_at| Evidence::NeverConfirmed { admitted_at }),
        number().prop_map(|versions_behind| Evidence::Lag { versions_behind }),
        proof().prop_map(Evidence::Dead),
        text().prop_map(|reason| Evidence::Operator { reason }),
        Just(Evidence::AbsentFromRecovery),
    ]
}

pub(super) fn change() -> impl Strategy<Value = TopologyChange> {
    (
        topology_id(),
        option::of(epoch()),
        option::of(cluster_id()),
        term(),
        vec((order(), node()), 0..4),
        vec(node_id(), 0..4),
        vec((node_id(), evidence()), 0..4),
    )
        .prop_map(
            |(base, epoch, cluster, term, joins, leaves, failures)| TopologyChange {
                base,
                epoch,
                cluster,
                term,
                joins,
                leaves,
                failures,
            },
        )
}
