//! A node whose finder fails: it keeps its membership, and says what the finder says.

use discovery_core::{Discovery as _, FinderCause, FinderError, Standing};
use discovery_proto::discovery::v1;
use tokio::time::timeout;

use crate::stage::{LIMIT, Running, Stage, is_member_of};

/// What a node says of its finder once it says so.
async fn finder(node: &Running, state: &str) -> v1::FinderStatus {
    let mut client = node.client().await;
    let told = async {
        loop {
            let status = client.get_status(v1::GetStatusRequest {}).await.unwrap();
            let finder = status.into_inner().finder;
            if let Some(finder) = finder.filter(|finder| finder.state == state) {
                return finder;
            }
        }
    };
    timeout(LIMIT, told).await.unwrap()
}

/// That it is a member of so many which decides and is ready.
async fn serves(node: &Running, members: usize) {
    node.stands(|standing| is_member_of(standing, members))
        .await;
    let ready = async { while !node.is_ready().await {} };
    timeout(LIMIT, ready).await.unwrap();
    let published = node.discovery.publish("t".parse().unwrap(), vec![7].into());
    timeout(LIMIT, published).await.unwrap().unwrap();
}

#[tokio::test]
async fn nodes_whose_finder_fails_stay_members_decide_and_say_what_it_says() {
    let stage = Stage::new();
    let mut nodes = stage.cluster(3).await;
    for node in &nodes {
        serves(node, 3).await;
    }
    let formed = nodes[0].discovery.topology().unwrap().id();

    let what = "endpointslices is forbidden";
    let error = FinderError::new(FinderCause::Forbidden, what).with_remedy("bind the Role");
    stage.fail(error);

    for node in &nodes {
        let told = finder(node, "unknown").await;
        assert_eq!(
            (told.cause.as_str(), told.detail.as_str()),
            ("forbidden", what)
        );
        assert_eq!(told.remedy, "bind the Role");
        assert_eq!(told.seeds.len(), 3, "the last good set stays");
        assert!(told.age.is_some());
        serves(node, 3).await;
    }
    // It takes longer than the silence limit, so that whoever forgot a member would have by then.
    nodes.pop().unwrap().kill().await;
    for node in &nodes {
        serves(node, 2).await;
        let topology = node.discovery.topology().unwrap().id();
        assert_eq!(
            (topology.cluster_id, topology.epoch),
            (formed.cluster_id, formed.epoch),
            "the same cluster went on"
        );
        assert_eq!(
            topology.version.get(),
            formed.version.get() + 1,
            "one removal and nothing else"
        );
        assert_eq!(finder(node, "unknown").await.cause, "forbidden");
    }

    stage.unlist("ring-2");

    assert_eq!(finder(&nodes[0], "known").await.cause, "");
    nodes.push(stage.start("ring-3").await);
    for node in &nodes {
        serves(node, 3).await;
    }
}

#[tokio::test]
async fn a_newcomer_whose_finder_fails_is_not_ready_and_says_what_it_waits_for() {
    let stage = Stage::new();
    let entered = stage.config("ring-0");
    let error = FinderError::new(FinderCause::Unreachable, "nobody answers at 10.96.0.1");
    stage.fail(error);

    let node = stage.run(entered).await;

    assert_eq!(finder(&node, "unknown").await.cause, "unreachable");
    let says = |standing: &Standing| match standing {
        Standing::NotYetMember { waiting_for } => waiting_for.contains("10.96.0.1"),
        _ => false,
    };
    node.stands(says).await;
    assert!(!node.is_ready().await);
}
