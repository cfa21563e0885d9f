//! What is told of a pod that is listed and refused: by the pod itself, and by who refuses it.

use discovery_proto::discovery::v1;
use tokio::time::timeout;

use crate::stage::{LIMIT, Running, Stage};

/// What a node says of itself once this holds.
async fn status(
    node: &Running,
    holds: impl Fn(&v1::GetStatusResponse) -> bool,
) -> v1::GetStatusResponse {
    let mut client = node.client().await;
    let told = async {
        loop {
            let answer = client.get_status(v1::GetStatusRequest {}).await.unwrap();
            let status = answer.into_inner();
            if holds(&status) {
                return status;
            }
        }
    };
    timeout(LIMIT, told).await.unwrap()
}

/// Why the page of a node says that who is listed under this name is no member, once it says so.
async fn why_not(node: &Running, name: &str, says: &str) -> String {
    let told = async {
        loop {
            let sight = node.sight().await;
            let seeds = sight["finder"]["seeds"].as_array().cloned();
            let mut seeds = seeds.unwrap_or_default().into_iter();
            let seed = seeds.find(|seed| seed["name"] == name).unwrap_or_default();
            let why = seed["why_not"].as_str().unwrap_or_default();
            if why.contains(says) {
                return why.to_owned();
            }
        }
    };
    let why = timeout(LIMIT, told).await;
    why.unwrap_or_else(|_| panic!("the page does not say '{says}'"))
}

#[tokio::test]
async fn a_pod_refused_for_its_settings_is_told_on_both_sides_with_both_digests() {
    let stage = Stage::new();
    let member = stage.cluster(1).await.remove(0);
    let (mut config, listeners) = stage.config("other");
    config.ring.settings = 7;
    let other = stage.run((config, listeners)).await;

    let told = status(&other, |status| status.refused.is_some()).await;
    let refused = told.refused.unwrap();
    assert_eq!(refused.kind(), v1::RefusalKind::Settings);
    assert_eq!((refused.settings_here, refused.settings_there), (7, 0));
    assert_eq!(refused.node.unwrap().name, "ring-0");

    let told = status(&member, |status| !status.turned_away.is_empty()).await;
    let turned = &told.turned_away[0];
    assert_eq!(turned.kind(), v1::RefusalKind::Settings);
    assert_eq!((turned.settings_here, turned.settings_there), (0, 7));
    assert_eq!(turned.node.as_ref().unwrap().name, "other");
    assert_eq!(told.refused, None);

    let digests = "their digest is 0000000000000007 there, 0000000000000000 here";
    let why = why_not(&member, "other", digests).await;
    assert!(why.contains("turned away: "), "{why}");
    assert!(!why.contains("something listens there"), "{why}");
    let sight = other.sight().await;
    let says = sight["refused"].as_str().unwrap_or_default();
    assert!(
        says.starts_with("ring-0 refuses other shared settings"),
        "{says}"
    );
}

#[tokio::test]
async fn a_pod_of_another_cluster_name_is_told_by_the_page_that_lists_it() {
    let stage = Stage::new();
    let member = stage.cluster(1).await.remove(0);
    let (mut config, listeners) = stage.config("other");
    config.ring.cluster_name = "elsewhere".into();
    let _other = stage.run((config, listeners)).await;

    let told = status(&member, |status| !status.turned_away.is_empty()).await;
    let kind = told.turned_away[0].kind();
    assert_eq!(kind, v1::RefusalKind::ClusterName);
    why_not(&member, "other", "it belongs to cluster 'elsewhere'").await;
}

#[tokio::test]
async fn a_pod_for_which_there_is_no_room_is_told_so_where_it_asked() {
    let stage = Stage::new();
    let member = {
        let (mut config, listeners) = stage.config("ring-0");
        config.ring.members_max = 1;
        stage.run((config, listeners)).await
    };
    status(&member, |status| status.has_quorum).await;
    let other = stage.start("other").await;

    let told = status(&other, |status| status.refused.is_some()).await;
    assert_eq!(told.refused.unwrap().kind(), v1::RefusalKind::Full);
    why_not(&member, "other", "there is no room for one more member").await;
}
