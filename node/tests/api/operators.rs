//! The service for operators, on a listener of its own.

use std::os::unix::fs::PermissionsExt as _;

use discovery_core::{Discovery as _, Standing};
use discovery_node::app::End;
use discovery_node::config::AdminListen;
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::admin_client::AdminClient;
use discovery_proto::discovery::v1::discovery_client::DiscoveryClient;
use discovery_proto::discovery::v1::watch_topology_response::Kind;
use discovery_tcp::Recovery;
use tokio::time::timeout;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use crate::stage::{LIMIT, Running, Stage, is_member_of, next, reason};

/// So many nodes with a Unix socket each, in a folder that goes with the test.
async fn cluster(count: usize) -> (Vec<Running>, tempfile::TempDir) {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().unwrap());
    let nodes = start(&stage, &folder, count, Recovery::Census).await;
    (nodes, folder)
}

async fn start(
    stage: &Stage,
    folder: &tempfile::TempDir,
    count: usize,
    recovery: Recovery,
) -> Vec<Running> {
    let mut nodes = Vec::new();
    for number in 0..count {
        let (mut config, listeners) = stage.config(&format!("ring-{number}"));
        config.ring.recovery = recovery;
        config.admin_listen = AdminListen::Unix {
            path: folder.path().join(format!("{number}.sock")),
            is_chosen: true,
        };
        nodes.push(stage.run((config, listeners)).await);
    }
    for node in &nodes {
        node.stands(|standing| is_member_of(standing, count)).await;
    }
    nodes
}

async fn admin(node: &Running) -> AdminClient<Channel> {
    AdminClient::new(socket(node).await)
}

/// A connection to the socket of a node.
async fn socket(node: &Running) -> Channel {
    let path = node.admin.as_ref().unwrap();
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "only its owner may open it");
    let endpoint = Endpoint::from_shared(format!("unix://{}", path.display())).unwrap();
    endpoint.connect().await.unwrap()
}

fn removal(member: &str) -> v1::RemoveMemberRequest {
    v1::RemoveMemberRequest {
        member: member.to_owned(),
        reason: "a test".to_owned(),
    }
}

#[tokio::test]
async fn the_coordinator_removes_a_member_and_others_name_the_coordinator() {
    let (nodes, _folder) = cluster(3).await;
    let status = nodes[0].discovery.status().await.unwrap();
    let coordinator = status.coordinator.unwrap().name().to_string();
    let number = |name: &str| name.trim_start_matches("ring-").parse::<usize>().unwrap();
    let (leads, other) = (number(&coordinator), (number(&coordinator) + 1) % 3);
    let target = format!("ring-{}", (leads + 2) % 3);
    let refused = admin(&nodes[other])
        .await
        .remove_member(removal(&target))
        .await;
    let status = refused.unwrap_err();
    assert_eq!(reason(&status), "REFUSED");
    let details = tonic_types::StatusExt::get_error_details(&status);
    assert_eq!(
        details.error_info().unwrap().metadata["coordinator"],
        coordinator
    );
    let unknown = admin(&nodes[leads])
        .await
        .remove_member(removal("nobody"))
        .await;
    assert_eq!(reason(&unknown.unwrap_err()), "NOT_FOUND");
    let removed = admin(&nodes[leads])
        .await
        .remove_member(removal(&target))
        .await;
    assert!(removed.unwrap().into_inner().topology.unwrap().version > 3);
    // It lives, so it joins again.
    nodes[leads]
        .stands(|standing| is_member_of(standing, 3))
        .await;
}

#[tokio::test]
async fn a_forced_recovery_is_told_before_it_is_done_and_asks_for_the_epoch() {
    let (nodes, _folder) = cluster(1).await;
    let mut admin = admin(&nodes[0]).await;
    let ask = |confirm_epoch| v1::ForceRecoveryRequest { confirm_epoch };
    let told = admin.force_recovery(ask(None)).await.unwrap().into_inner();
    assert!(!told.started && !told.gives_up.is_empty());
    let stale = admin.force_recovery(ask(Some(1))).await.unwrap_err();
    assert_eq!(
        (stale.code(), reason(&stale).as_str()),
        (Code::FailedPrecondition, "STALE")
    );
}

#[tokio::test]
async fn a_forced_recovery_with_its_epoch_opens_a_new_cluster_of_who_is_left() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().unwrap());
    let mut nodes = start(&stage, &folder, 3, Recovery::Manual).await;
    let survivor = nodes.remove(0);
    let mut client = survivor.client().await;
    let request = v1::WatchTopologyRequest { from: None };
    let mut answers = client.watch_topology(request).await.unwrap().into_inner();
    let before = survivor.discovery.topology().unwrap().id();
    for node in nodes {
        node.kill().await;
    }
    survivor
        .stands(|standing| matches!(standing, Standing::WithoutQuorum { .. }))
        .await;
    let mut admin = admin(&survivor).await;
    let ask = |confirm_epoch| v1::ForceRecoveryRequest { confirm_epoch };
    let told = admin.force_recovery(ask(None)).await.unwrap().into_inner();
    assert!(!told.started);
    let gives_up = told.gives_up.join("\n");
    assert!(
        gives_up.contains("ring-1") && gives_up.contains("ring-2"),
        "{gives_up}"
    );
    let epoch = told.from.unwrap().epoch;
    assert_eq!(epoch, before.epoch.0);

    let done = admin
        .force_recovery(ask(Some(epoch)))
        .await
        .unwrap()
        .into_inner();

    assert!(done.started, "{done:?}");
    survivor.stands(|standing| is_member_of(standing, 1)).await;
    let after = survivor.discovery.topology().unwrap().id();
    assert!(after.epoch > before.epoch, "{before} {after}");
    assert_ne!(after.cluster_id, before.cluster_id);
    let told = async {
        loop {
            let id = match next(&mut answers).await.kind.unwrap() {
                Kind::Snapshot(snapshot) => snapshot.topology.unwrap().id,
                Kind::Change(change) => change.id,
                Kind::Standing(_) => None,
            };
            if id.is_some_and(|id| id.epoch == after.epoch.0) {
                return;
            }
        }
    };
    timeout(LIMIT, told).await.unwrap();
    let ready = async { while !survivor.is_ready().await {} };
    timeout(LIMIT, ready).await.unwrap();
    let published = survivor
        .discovery
        .publish("t".parse().unwrap(), b"on"[..].into());
    timeout(LIMIT, published).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_drained_node_leaves_and_its_socket_is_gone() {
    let (mut nodes, _folder) = cluster(2).await;
    let drained = nodes.pop().unwrap();
    let path = drained.admin.clone().unwrap();
    let answer = admin(&drained)
        .await
        .drain(v1::DrainRequest { pause: None })
        .await;
    assert!(answer.unwrap().into_inner().decided);
    assert_eq!(drained.ended().await, End::Left);
    assert!(!path.exists());
    let dump = admin(&nodes[0])
        .await
        .dump_state(v1::DumpStateRequest {})
        .await;
    assert!(dump.unwrap().into_inner().text.contains("ring-0"));
}

#[tokio::test]
async fn whoever_may_open_the_socket_may_have_the_node_leave() {
    let (mut nodes, _folder) = cluster(2).await;
    let leaver = nodes.pop().unwrap();
    let mut client = DiscoveryClient::new(socket(&leaver).await);
    let left = client.leave(v1::LeaveRequest {}).await;
    assert!(left.unwrap().into_inner().decided);
    assert_eq!(leaver.ended().await, End::Left);
}
