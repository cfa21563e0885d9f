//! A node that loses its majority says so everywhere, and refuses what it cannot do.

use discovery_core::Standing;
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::watch_topology_response::Kind;
use tokio::time::timeout;

use crate::stage::{LIMIT, Stage, next, reason};

#[tokio::test]
async fn a_node_without_quorum_says_so_in_streams_status_and_health_and_publishes_nothing() {
    let mut nodes = Stage::new().cluster(3).await;
    let survivor = nodes.swap_remove(0);
    let mut client = survivor.client().await;
    let request = v1::WatchTopologyRequest { from: None };
    let mut answers = client.watch_topology(request).await.unwrap().into_inner();
    for node in nodes {
        node.kill().await;
    }
    survivor
        .stands(|standing| matches!(standing, Standing::WithoutQuorum { .. }))
        .await;
    let told = async {
        loop {
            if let Some(Kind::Standing(standing)) = next(&mut answers).await.kind
                && standing.kind() == v1::StandingKind::WithoutQuorum
            {
                return standing;
            }
        }
    };
    let standing = timeout(LIMIT, told).await.unwrap();
    assert!(standing.topology.is_some(), "the stale topology is named");
    let request = v1::PublishRequest {
        topic: "t".to_owned(),
        ..v1::PublishRequest::default()
    };
    let refused = client.publish(request).await.unwrap_err();
    assert_eq!(reason(&refused), "NO_QUORUM");
    let status = client
        .get_status(v1::GetStatusRequest {})
        .await
        .unwrap()
        .into_inner();
    assert!(!status.has_quorum);
    assert!(status.standing.unwrap().without_quorum_for.is_some());
    let unready = async { while survivor.is_ready().await {} };
    timeout(LIMIT, unready).await.unwrap();
}
