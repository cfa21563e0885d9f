//! The service for operators, on a listener of its own.

use std::os::unix::fs::PermissionsExt as _;

use discovery_node::app::End;
use discovery_node::config::AdminListen;
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::admin_client::AdminClient;
use discovery_proto::discovery::v1::discovery_client::DiscoveryClient;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use crate::stage::{Running, Stage, is_member_of, reason};

/// So many nodes with a Unix socket each, in a folder that goes with the test.
async fn cluster(count: usize) -> (Vec<Running>, tempfile::TempDir) {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().unwrap());
    let mut nodes = Vec::new();
    for number in 0..count {
        let (mut config, listeners) = stage.config(&format!("ring-{number}"));
        config.admin_listen = AdminListen::Unix {
            path: folder.path().join(format!("{number}.sock")),
            is_chosen: true,
        };
        nodes.push(stage.run((config, listeners)).await);
    }
    for node in &nodes {
        node.stands(|standing| is_member_of(standing, count)).await;
    }
    (nodes, folder)
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
