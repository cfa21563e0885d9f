//! A node that loses its majority says so everywhere, and refuses what it cannot do.

use discovery_core::{Discovery as _, Standing};
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::watch_topology_response::Kind;
use tokio::time::timeout;

use crate::stage::{LIMIT, Running, Stage, is_member_of, next, reason};

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
    let (code, why) = survivor.get("/readyz").await;
    assert_eq!(code, 503);
    assert!(why.contains("without quorum"), "{why}");
    let (_, metrics) = survivor.get("/metrics").await;
    assert!(metrics.contains("\ndiscovery_quorum 0\n"), "{metrics}");
    let stands = "discovery_standing{standing=\"without_quorum\"} 1";
    assert!(metrics.contains(stands), "{metrics}");
}

#[tokio::test]
async fn a_removed_node_says_so_in_its_stream_before_it_is_a_member_again() {
    let nodes = Stage::new().cluster(3).await;
    let coordinator = nodes[0].discovery.status().await.unwrap().coordinator;
    let coordinator = coordinator.unwrap().id();
    let is_lead = |node: &&Running| node.discovery.local_node().id() == coordinator;
    let lead = nodes.iter().find(is_lead).unwrap();
    let target = nodes.iter().find(|node| !is_lead(node)).unwrap();
    let id = target.discovery.local_node().id();
    let mut client = target.client().await;
    let request = v1::WatchTopologyRequest { from: None };
    let mut answers = client.watch_topology(request).await.unwrap().into_inner();

    lead.discovery.remove(id, "a test").await.unwrap();

    let mut said = Vec::new();
    while said.last() != Some(&v1::StandingKind::Member) || said.len() < 3 {
        if let Some(Kind::Standing(standing)) = next(&mut answers).await.kind {
            said.push(standing.kind());
        }
    }
    assert_eq!(
        said[..2],
        [v1::StandingKind::Member, v1::StandingKind::Removed]
    );
    assert_ne!(target.discovery.local_node().id(), id, "it is another node");
    target.stands(|standing| is_member_of(standing, 3)).await;
    let (_, metrics) = target.get("/metrics").await;
    let removals = "\ndiscovery_own_removals_total 1\n";
    assert!(metrics.contains(removals), "{metrics}");
}
