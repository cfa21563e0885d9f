//! Where a newcomer dials whom it was sent to.

use discovery_core::{ClusterId, Epoch, TopologyVersion};

use super::*;

// Clauses: JOIN-1
#[test]
fn a_target_is_dialled_at_each_of_its_addresses_before_it_is_given_up() {
    let addresses: Vec<SocketAddr> = ["[fd00::1]:1", "10.0.0.1:1"]
        .map(|text| text.parse().unwrap())
        .to_vec();
    let mut joining = Joining::default();
    joining.aim_at(MemberHint {
        node: NodeId::from_u128(1),
        addresses: addresses.clone(),
        topology: TopologyId {
            cluster_id: ClusterId::from_u128(1),
            epoch: Epoch(1),
            version: TopologyVersion::FIRST,
        },
    });
    for address in &addresses {
        assert_eq!(joining.next_address(), Some(*address));
        joining.unreachable.insert(*address);
    }
    assert_eq!(joining.next_address(), None);
}
