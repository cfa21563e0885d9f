//! Who is listed and no member, and what that means.

use std::time::Duration;

use super::super::check::Verdict;
use super::*;

fn view(name: &str, at: &str, kind: v1::StandingKind) -> View {
    let node = v1::Node {
        name: name.to_owned(),
        addresses: vec![format!("{at}:47500")],
        grpc_addresses: vec![format!("{at}:47510")],
        ..v1::Node::default()
    };
    let standing = v1::Standing {
        kind: kind.into(),
        waiting_for: "somebody".to_owned(),
        ..v1::Standing::default()
    };
    let status = v1::GetStatusResponse {
        node: Some(node),
        standing: Some(standing),
        cluster_name: "ring".to_owned(),
        ..v1::GetStatusResponse::default()
    };
    View {
        status,
        took: Duration::ZERO,
        answered_at: 0,
    }
}

fn member() -> View {
    view("a", "10.0.0.1", v1::StandingKind::Member)
}

fn newcomer() -> View {
    view("b", "10.0.0.2", v1::StandingKind::NotYetMember)
}

fn seed(name: &str, at: &str) -> v1::Seed {
    v1::Seed {
        name: name.to_owned(),
        addresses: vec![format!("{at}:47500")],
        ..v1::Seed::default()
    }
}

/// What is said of a listed process that answers with this view.
fn told(own: &View, theirs: &View) -> (Verdict, String, String) {
    let one = Listed {
        seed: seed("b", "10.0.0.2"),
        ring: Dial::Answers(Duration::ZERO),
        view: Ok(theirs.clone()),
    };
    judged(own, one)
}

fn judged(own: &View, one: Listed) -> (Verdict, String, String) {
    let mut checks = Checks::of("cluster");
    listed(&[("a", own)], &[one], 0, &mut checks);
    let check = checks.list.remove(0);
    (check.verdict, check.found, check.remedy.unwrap_or_default())
}

#[test]
fn members_and_the_node_itself_are_no_strangers_and_more_than_the_limit_are_counted() {
    let mut own = member();
    let a_member = v1::Seed {
        member: "id-c".to_owned(),
        ..seed("c", "10.0.0.3")
    };
    let many = (0..LISTED_MAX + 2).map(|number| seed("x", &format!("10.1.0.{number}")));
    own.status.finder = Some(v1::FinderStatus {
        seeds: [seed("a", "10.0.0.1"), a_member]
            .into_iter()
            .chain(many)
            .collect(),
        ..v1::FinderStatus::default()
    });
    let (strangers, beyond) = strangers(&own);
    assert_eq!((strangers.len(), beyond), (LISTED_MAX, 2));
    assert!(strangers.iter().all(|seed| seed.name == "x"));
    let mut checks = Checks::of("cluster");
    listed(&[("a", &own)], &[], beyond, &mut checks);
    assert_eq!(checks.list[0].verdict, Verdict::Unknown);
}

#[test]
fn a_pod_is_known_by_its_uid_where_both_say_it() {
    let (mut view, mut seed) = (newcomer(), seed("b", "10.0.0.2"));
    assert!(is_of(&view, &seed));
    seed.pod_uid = "uid-b".to_owned();
    assert!(is_of(&view, &seed));
    if let Some(node) = &mut view.status.node {
        node.pod_uid = "uid-of-another".to_owned();
    }
    assert!(!is_of(&view, &seed));
}

#[test]
fn the_api_is_asked_at_the_port_that_the_cluster_has_or_nowhere() {
    let seed = seed("b", "10.0.0.2");
    assert_eq!(api_of(&member(), &seed), ["10.0.0.2:47510"]);
    let mut mute = member();
    if let Some(node) = &mut mute.status.node {
        node.grpc_addresses.clear();
    }
    assert!(api_of(&mute, &seed).is_empty());
}

#[test]
fn other_settings_fail_and_the_side_that_is_no_member_is_to_be_changed() {
    let (member, mut newcomer) = (member(), newcomer());
    newcomer.status.settings_digest = 7;
    let (verdict, found, remedy) = told(&member, &newcomer);
    assert_eq!(verdict, Verdict::Fail);
    let digests = "their digest is 0000000000000007 there, 0000000000000000 here";
    assert!(found.contains(digests), "{found}");
    assert_eq!(
        remedy,
        "change --shared-settings at b, as the members have it"
    );
    let (_, _, remedy) = told(&newcomer, &member);
    assert!(remedy.contains("at this node, as b has it"), "{remedy}");
    newcomer.status.cluster_name = "other".to_owned();
    let (_, found, _) = told(&member, &newcomer);
    assert!(found.contains("it belongs to cluster 'other'"), "{found}");
}

#[test]
fn two_clusters_of_one_name_are_told_apart() {
    let of = |cluster: &str| {
        let mut view = member();
        view.status.topology = Some(v1::Topology {
            id: Some(v1::TopologyRef {
                cluster_id: cluster.to_owned(),
                ..v1::TopologyRef::default()
            }),
            ..v1::Topology::default()
        });
        view
    };
    assert_eq!(told(&of("x"), &of("x")).0, Verdict::Ok);
    let (verdict, found, _) = told(&of("x"), &of("y"));
    assert_eq!(verdict, Verdict::Fail);
    assert!(found.contains("another cluster of this name: y"), "{found}");
}

#[test]
fn who_is_not_reached_fails_unless_it_is_on_its_way_out() {
    let lost = Listed {
        seed: seed("b", "10.0.0.2"),
        ring: Dial::Fails("refused".to_owned()),
        view: Err("no answer".to_owned()),
    };
    assert_eq!(judged(&newcomer(), lost.clone()).0, Verdict::Fail);
    let mut leaving = lost.clone();
    leaving.seed.terminating = Some(true);
    assert_eq!(judged(&newcomer(), leaving).0, Verdict::Ok);
    let mute = Listed {
        ring: Dial::Answers(Duration::ZERO),
        ..lost
    };
    assert_eq!(judged(&newcomer(), mute).0, Verdict::Warn);
}

#[test]
fn what_a_member_turns_away_is_told_with_why_though_nobody_there_answers() {
    let own = member();
    let mut another = member();
    another.status.turned_away = vec![v1::Refusal {
        node: newcomer().status.node,
        kind: v1::RefusalKind::WireVersion.into(),
        detail: "it speaks another one".to_owned(),
        ..v1::Refusal::default()
    }];
    let one = Listed {
        seed: seed("b", "10.0.0.2"),
        ring: Dial::Answers(Duration::ZERO),
        view: Err("no answer".to_owned()),
    };
    let mut checks = Checks::of("cluster");
    listed(&[("a", &own), ("c", &another)], &[one], 0, &mut checks);
    let check = checks.list.remove(0);
    assert_eq!(check.verdict, Verdict::Fail);
    let expected = "; c turns it away: it speaks another one";
    assert!(check.found.ends_with(expected), "{}", check.found);
}

#[test]
fn who_waits_says_for_what_and_that_is_a_loss_only_beside_a_member() {
    let (verdict, found, _) = told(&member(), &newcomer());
    assert_eq!(verdict, Verdict::Warn);
    assert!(found.ends_with("waits for somebody"), "{found}");
    assert_eq!(told(&newcomer(), &newcomer()).0, Verdict::Ok);
    assert_eq!(told(&newcomer(), &member()).0, Verdict::Ok);
}
