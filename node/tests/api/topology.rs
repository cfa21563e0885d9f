//! `GetTopology`, `WatchTopology`, `GetStatus` and health.

use discovery_core::Discovery as _;
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::watch_topology_response::Kind;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::stage::{LIMIT, Running, Stage, is_member_of, next, version};

/// Reads a watch until this version; what it was told in between must follow one by one.
async fn until(answers: &mut tonic::Streaming<v1::WatchTopologyResponse>, wanted: u64) {
    let mut at = None;
    while at != Some(wanted) {
        match next(answers).await.kind.unwrap() {
            Kind::Snapshot(snapshot) => {
                at = Some(version(snapshot.topology.unwrap().id.as_ref()));
            }
            Kind::Change(change) => {
                assert_eq!(at, Some(version(change.previous.as_ref())));
                at = Some(version(change.id.as_ref()));
            }
            Kind::Standing(_) => {}
        }
    }
}

#[tokio::test]
async fn all_nodes_tell_the_same_topology_and_where_each_of_them_serves() {
    let nodes = Stage::new().cluster(3).await;
    let mut told = Vec::new();
    for node in &nodes {
        let mut client = node.client().await;
        let answer = client.get_topology(v1::GetTopologyRequest {}).await;
        let answer = answer.unwrap().into_inner();
        assert_eq!(answer.standing.unwrap().kind(), v1::StandingKind::Member);
        assert_eq!(answer.node.unwrap().grpc_addresses, [node.grpc.to_string()]);
        told.push(answer.topology.unwrap());
    }
    assert_eq!(told[0].members.len(), 3);
    assert_eq!((&told[1], &told[2]), (&told[0], &told[0]));
}

#[tokio::test]
async fn a_watch_is_told_every_change_and_goes_on_at_another_node() {
    let stage = Stage::new();
    let mut nodes = stage.cluster(2).await;
    let mut answers = watch(&nodes[0], None).await;
    let Kind::Standing(first) = next(&mut answers).await.kind.unwrap() else {
        panic!("the standing comes first");
    };
    assert_eq!(first.kind(), v1::StandingKind::Member);
    until(&mut answers, 2).await;
    let at = nodes[0].discovery.topology().unwrap().id();
    nodes.push(stage.start("ring-2").await);
    until_change(&mut answers, "ring-2").await;
    let mut answers = watch(&nodes[1], Some(at.into())).await;
    assert!(matches!(
        next(&mut answers).await.kind,
        Some(Kind::Standing(_))
    ));
    let Some(Kind::Change(change)) = next(&mut answers).await.kind else {
        panic!("what happened since is told, without a snapshot");
    };
    assert_eq!(version(change.previous.as_ref()), 2);
}

async fn watch(
    node: &Running,
    from: Option<v1::TopologyRef>,
) -> tonic::Streaming<v1::WatchTopologyResponse> {
    let request = v1::WatchTopologyRequest { from };
    node.client()
        .await
        .watch_topology(request)
        .await
        .unwrap()
        .into_inner()
}

/// Reads a watch until this node has joined.
async fn until_change(answers: &mut tonic::Streaming<v1::WatchTopologyResponse>, name: &str) {
    loop {
        let Some(Kind::Change(change)) = next(answers).await.kind else {
            continue;
        };
        let mut joined = change
            .joined
            .iter()
            .filter_map(|member| member.node.as_ref());
        if joined.any(|node| node.name == name) {
            return;
        }
    }
}

#[tokio::test]
async fn the_status_names_coordinator_quorum_and_what_the_finder_lists() {
    let nodes = Stage::new().cluster(3).await;
    let mut client = nodes[2].client().await;
    let answer = client.get_status(v1::GetStatusRequest {}).await;
    let status = answer.unwrap().into_inner();
    assert_eq!(status.phase(), v1::Phase::Member);
    assert!(status.has_quorum);
    assert_eq!(status.topology.as_ref().unwrap().members.len(), 3);
    let members = &status.topology.as_ref().unwrap().members;
    let mut ids = members
        .iter()
        .map(|member| &member.node.as_ref().unwrap().id);
    assert!(ids.any(|id| *id == status.coordinator));
    let finder = status.finder.unwrap();
    assert!(finder.authoritative);
}

#[tokio::test]
async fn health_says_serving_once_the_node_is_a_member_and_not_before() {
    let stage = Stage::new();
    // Listed and never started: the census waits for it.
    let (_, absent) = stage.config("absent");
    let node = stage.start("ring-0").await;
    let channel = Endpoint::from_shared(format!("http://{}", node.grpc));
    let channel = channel.unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    let mut check = async |service: &str| {
        let service = service.to_owned();
        let answer = health.check(HealthCheckRequest { service }).await.unwrap();
        answer.into_inner().status()
    };
    for service in ["", "readiness", "discovery.v1.Discovery"] {
        assert_eq!(check(service).await, ServingStatus::NotServing, "{service}");
    }
    drop(absent);
    stage.unlist("absent");
    node.stands(|standing| is_member_of(standing, 1)).await;
    let serving = async {
        while check("").await != ServingStatus::Serving {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, serving).await.unwrap();
    assert_eq!(check("liveness").await, ServingStatus::Serving);
}
