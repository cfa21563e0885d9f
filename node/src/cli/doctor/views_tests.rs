//! Views that agree, and views that do not.

use super::super::check::Verdict;
use super::*;

fn view(version: u64, hash: &str) -> View {
    let id = v1::TopologyRef {
        cluster_id: "c".to_owned(),
        epoch: 5,
        version,
    };
    let topology = v1::Topology {
        id: Some(id),
        content_hash: hash.to_owned(),
        ..v1::Topology::default()
    };
    let status = v1::GetStatusResponse {
        node: Some(named("own")),
        topology: Some(topology),
        now: Some(prost_types::Timestamp {
            seconds: 100,
            nanos: 0,
        }),
        ..v1::GetStatusResponse::default()
    };
    View {
        status,
        took: Duration::ZERO,
        answered_at: 100_000,
    }
}

fn named(name: &str) -> v1::Node {
    v1::Node {
        id: format!("id-{name}"),
        name: name.to_owned(),
        ..v1::Node::default()
    }
}

fn verdict(judge: impl FnOnce(&mut Checks)) -> (Verdict, String) {
    let mut checks = Checks::of("cluster");
    judge(&mut checks);
    let check = checks.list.remove(0);
    (check.verdict, check.found)
}

#[test]
fn the_same_topology_with_other_content_is_worse_than_another_topology() {
    let (left, same, later, torn) = (view(3, "x"), view(3, "x"), view(4, "y"), view(3, "z"));
    let judged =
        |other: &View| verdict(|checks| agreement(&[("a", &left), ("b", other)], &[], checks)).0;
    assert_eq!(judged(&same), Verdict::Ok);
    assert_eq!(judged(&later), Verdict::Warn);
    assert_eq!(judged(&torn), Verdict::Fail);
}

#[test]
fn members_that_could_not_be_asked_do_not_agree() {
    let own = view(3, "x");
    let (judged, found) = verdict(|checks| agreement(&[("a", &own)], &["b", "c"], checks));
    assert_eq!(judged, Verdict::Warn);
    let expected = "1 of 3 nodes were asked and see the same; could not be asked: b, c";
    assert_eq!(found, expected);
    let later = view(4, "y");
    let (_, found) = verdict(|checks| agreement(&[("a", &own), ("b", &later)], &["c"], checks));
    assert!(found.ends_with("; could not be asked: c"), "{found}");
}

#[test]
fn only_an_observer_is_said_to_hear_a_node() {
    let peer = Peer {
        node: named("b"),
        ring: Dial::Answers(Duration::ZERO),
        view: Ok(view(3, "x")),
    };
    let told = |observers: &[&str]| {
        let mut own = view(3, "x");
        own.status.observers = observers.iter().map(ToString::to_string).collect();
        verdict(|checks| peers(&own, std::slice::from_ref(&peer), checks))
    };
    let (judged, found) = told(&["id-b"]);
    assert_eq!(judged, Verdict::Ok);
    assert!(found.ends_with("and it hears this node"), "{found}");
    let (judged, found) = told(&["id-c"]);
    assert_eq!(judged, Verdict::Unknown);
    assert!(found.contains("does not observe this node"), "{found}");
    let (judged, found) = told(&[]);
    assert_eq!(judged, Verdict::Unknown);
    assert!(found.contains("says nothing against this node"), "{found}");
}

#[test]
fn a_choice_that_differs_is_told_and_one_that_is_not_told_is_not_another() {
    let chosen = |quorum: &str, seconds| {
        let mut view = view(3, "x");
        view.status.shared_settings = Some(v1::SharedSettings {
            quorum: quorum.to_owned(),
            silence_limit: Some(prost_types::Duration { seconds, nanos: 0 }),
            ..v1::SharedSettings::default()
        });
        view
    };
    let (all, none, old) = (chosen("majority", 2), chosen("none", 3), view(3, "x"));
    let judged = |other: &View| verdict(|checks| settings(&[("a", &all), ("b", other)], checks));
    let (verdict, found) = judged(&none);
    assert_eq!(verdict, Verdict::Fail);
    let expected = "--quorum is majority at a, none at b; --silence-limit is 2s at a, 3s at b";
    assert_eq!(found, expected);
    assert_eq!(judged(&old).0, Verdict::Ok);
}

#[test]
fn what_the_finder_of_a_node_says_is_judged() {
    let judged = |state: &str| {
        let mut own = view(3, "x");
        own.status.finder = Some(v1::FinderStatus {
            state: state.to_owned(),
            ..v1::FinderStatus::default()
        });
        verdict(|checks| finder(&own, checks)).0
    };
    assert_eq!(judged("known"), Verdict::Ok);
    assert_eq!(judged("empty"), Verdict::Warn);
    assert_eq!(judged("unknown"), Verdict::Fail);
    assert_eq!(
        verdict(|checks| finder(&view(3, "x"), checks)).0,
        Verdict::Ok
    );
}

#[test]
fn a_newcomer_that_is_refused_is_told_what_ends_that() {
    let mut own = view(3, "x");
    own.status.standing = Some(v1::Standing {
        kind: v1::StandingKind::NotYetMember.into(),
        ..v1::Standing::default()
    });
    own.status.refused = Some(v1::Refusal {
        kind: v1::RefusalKind::Settings.into(),
        detail: "b refuses other shared settings".to_owned(),
        ..v1::Refusal::default()
    });
    let mut checks = Checks::of("cluster");
    node(&own, &mut checks);
    let check = &checks.list[0];
    assert_eq!(check.verdict, Verdict::Fail);
    let expected = "not a member, and refused: b refuses other shared settings";
    assert_eq!(check.found, expected);
    let remedy = check.remedy.as_deref().unwrap_or_default();
    assert!(remedy.contains("--shared-settings"), "{remedy}");
}

#[test]
fn a_peer_that_accuses_this_node_does_not_hear_it() {
    let own = view(3, "x");
    let mut theirs = view(3, "x");
    let peer = |view: &View| Peer {
        node: named("b"),
        ring: Dial::Answers(Duration::ZERO),
        view: Ok(view.clone()),
    };
    let judged = |one: Peer| verdict(|checks| peers(&own, &[one], checks)).0;
    assert_eq!(judged(peer(&theirs)), Verdict::Unknown);
    theirs.status.suspicions.push(v1::Suspicion {
        subject: "id-own".to_owned(),
        accusations: vec![v1::Accusation {
            observer: "id-b".to_owned(),
            ..v1::Accusation::default()
        }],
        ..v1::Suspicion::default()
    });
    assert_eq!(judged(peer(&theirs)), Verdict::Fail);
    let mut lost = peer(&theirs);
    lost.ring = Dial::Fails("refused".to_owned());
    assert_eq!(judged(lost), Verdict::Fail);
}

#[test]
fn settings_and_clocks_that_differ_are_told_with_who_has_them() {
    let (left, mut right) = (view(3, "x"), view(3, "x"));
    right.status.settings_digest = 7;
    right.status.now = Some(prost_types::Timestamp {
        seconds: 90,
        nanos: 0,
    });
    let both = [("a", &left), ("b", &right)];
    let (judged, found) = verdict(|checks| settings(&both, checks));
    assert_eq!(judged, Verdict::Fail);
    assert!(found.contains("7 at b"), "{found}");
    let (judged, found) = verdict(|checks| clocks(&both, checks));
    assert_eq!(
        (judged, found.as_str()),
        (Verdict::Warn, "at most 10000 ms from ours (b)")
    );
}
