//! A node that loses its majority says so everywhere, and refuses what it cannot do.

use discovery_core::{Discovery as _, Standing};
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::watch_topology_response::Kind;
use tokio::time::timeout;

use crate::apart::Apart;
use crate::stage::{LIMIT, Running, Stage, is_member_of, next, reason, version};

/// The coordinator, and a member that it may remove.
async fn lead_and_another(nodes: &[Running]) -> (&Running, &Running) {
    let coordinator = nodes[0].discovery.status().await.unwrap().coordinator;
    let coordinator = coordinator.unwrap().id();
    let is_lead = |node: &&Running| node.discovery.local_node().id() == coordinator;
    let lead = nodes.iter().find(is_lead).unwrap();
    (lead, nodes.iter().find(|node| !is_lead(node)).unwrap())
}

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
    let (lead, target) = lead_and_another(&nodes).await;
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

/// Whether every service that needs a member is refused by health, and the process still lives.
async fn only_lives(node: &Running) -> bool {
    let mut said = Vec::new();
    for service in ["", "readiness", "discovery.v1.Discovery", "liveness"] {
        said.push(node.serves(service).await);
    }
    said == [false, false, false, true]
}

/// The removals that a node has seen, once there is one.
async fn removals(node: &Running) -> Vec<v1::SeenRemoval> {
    let mut client = node.client().await;
    let known = async {
        loop {
            let status = client.get_status(v1::GetStatusRequest {}).await;
            let removals = status.unwrap().into_inner().recent_removals;
            if !removals.is_empty() {
                return removals;
            }
        }
    };
    timeout(LIMIT, known).await.unwrap()
}

#[tokio::test]
async fn a_node_that_is_removed_and_may_not_come_back_says_so_everywhere() {
    let stage = Stage::new();
    let nodes = stage.cluster(3).await;
    let (lead, target) = lead_and_another(&nodes).await;
    let id = target.discovery.local_node().id();
    let name = target.discovery.local_node().name().to_string();
    let mut client = target.client().await;
    let request = v1::WatchTopologyRequest { from: None };
    let mut answers = client.watch_topology(request).await.unwrap().into_inner();
    let latest = target.discovery.topology().unwrap().id();
    let mut told = None;
    while told != Some(latest.version.get()) {
        told = match next(&mut answers).await.kind.unwrap() {
            Kind::Snapshot(snapshot) => Some(version(snapshot.topology.unwrap().id.as_ref())),
            Kind::Change(change) => Some(version(change.id.as_ref())),
            Kind::Standing(_) => None,
        };
    }
    // Whose pod is not listed is not admitted: it stays out.
    stage.unlist(&name);

    lead.discovery.remove(id, "a test").await.unwrap();

    // Its stream tells the removal itself, with the evidence, and at once what that makes of it.
    let mut first = next(&mut answers).await.kind.unwrap();
    if let Kind::Change(change) = &first {
        let removed = change.removed[0].member.as_ref().unwrap();
        assert_eq!(removed.node.as_ref().unwrap().id, id.to_string());
        first = next(&mut answers).await.kind.unwrap();
    }
    let Kind::Standing(standing) = first else {
        panic!("the standing is told before anything else, not {first:?}");
    };
    assert_eq!(standing.kind(), v1::StandingKind::Removed);
    let unready = async { while !only_lives(target).await {} };
    timeout(LIMIT, unready).await.unwrap();
    let (code, why) = target.get("/readyz").await;
    assert_eq!(code, 503);
    assert!(why.contains("removed from the cluster after"), "{why}");
    let (_, metrics) = target.get("/metrics").await;
    let stands = "discovery_standing{standing=\"removed\"} 1";
    assert!(metrics.contains(stands), "{metrics}");
    let sight = async {
        while target.sight().await["standing"] != "removed" {}
        target.sight().await
    };
    let sight = timeout(LIMIT, sight).await.unwrap();
    assert_eq!(sight["standing"], "removed", "{sight}");
    let told = client.get_topology(v1::GetTopologyRequest {}).await;
    let told = told.unwrap().into_inner().standing.unwrap();
    assert_eq!(told.kind(), v1::StandingKind::Removed);
    let request = v1::PublishRequest {
        topic: "t".to_owned(),
        ..v1::PublishRequest::default()
    };
    let refused = client.publish(request).await.unwrap_err();
    assert_eq!(reason(&refused), "NOT_A_MEMBER");
    let removals = removals(lead).await;
    assert_eq!(removals.len(), 1, "{removals:?}");
    let removal = removals[0].removal.clone().unwrap();
    assert_eq!(removal.member.unwrap().node.unwrap().name, name);
    let evidence = removal.evidence.unwrap();
    assert_eq!(evidence.kind(), v1::EvidenceKind::Operator);
    assert!(evidence.summary.contains("a test"), "{evidence:?}");
    assert!(removals[0].topology.is_some() && removals[0].at.is_some());
}

#[tokio::test]
async fn a_suspicion_is_told_with_who_accuses_of_what_since_when() {
    let stage = Stage::new();
    let far = Apart::start(&stage, stage.config("ring-1"));
    let near = stage.start("ring-0").await;
    near.stands(|standing| is_member_of(standing, 2)).await;
    let mut client = near.client().await;

    // One of two decides nothing: it can only suspect.
    let held = far.hold().await;

    let suspected = async {
        loop {
            let status = client.get_status(v1::GetStatusRequest {}).await;
            let suspicions = status.unwrap().into_inner().suspicions;
            if let [suspicion] = &suspicions[..] {
                return suspicion.clone();
            }
        }
    };
    let suspicion = timeout(LIMIT, suspected).await.unwrap();
    assert_eq!(suspicion.subject_name, "ring-1");
    let [accusation] = &suspicion.accusations[..] else {
        panic!("{suspicion:?}");
    };
    assert_eq!(accusation.observer_name, "ring-0");
    assert_eq!(accusation.kind(), v1::AccusationKind::Silence);
    assert!(accusation.since.is_some());
    drop(held);
    let acquitted = async {
        loop {
            let status = client.get_status(v1::GetStatusRequest {}).await;
            if status.unwrap().into_inner().suspicions.is_empty() {
                return;
            }
        }
    };
    timeout(LIMIT, acquitted).await.unwrap();
}
