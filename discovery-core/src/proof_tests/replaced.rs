//! Proof (i), a successor at the address, and its look-alikes: R5 (a) and (b), F6, reused
//! addresses.

use super::*;

#[test]
fn another_node_id_at_the_address_in_the_same_pod_is_a_proof() {
    for rule in [ProofRule::Object, ProofRule::Kubelet, ProofRule::AnyObject] {
        assert_eq!(
            by_answer(rule, &member(), successor()),
            Ok(ProofOfDeath::Replaced {
                address: "10.0.0.1:47500".parse().unwrap(),
                pod_uid: Some(uid("u")),
                successor: id(2),
            })
        );
    }
    let other_family = answer("[fd00::1]:47500", Some("u"), 2);
    assert!(matches!(
        by_answer(ProofRule::Object, &member(), other_family),
        Ok(ProofOfDeath::Replaced { .. })
    ));
}

#[test]
fn an_ipv4_address_dialled_as_an_ipv6_one_is_the_members() {
    let mapped = answer("[::ffff:10.0.0.1]:47500", Some("u"), 2);
    assert_eq!(
        by_answer(ProofRule::Object, &member(), mapped),
        Ok(ProofOfDeath::Replaced {
            address: "10.0.0.1:47500".parse().unwrap(),
            pod_uid: Some(uid("u")),
            successor: id(2),
        })
    );
}

#[test]
fn under_the_rule_address_the_address_alone_is_enough() {
    for (member, pod_uid) in [(member(), Some("v")), (member(), None), (nowhere(), None)] {
        assert_eq!(
            by_answer(
                ProofRule::Address,
                &member,
                answer("10.0.0.1:47500", pod_uid, 2)
            ),
            Ok(ProofOfDeath::Replaced {
                address: "10.0.0.1:47500".parse().unwrap(),
                pod_uid: None,
                successor: id(2),
            })
        );
    }
}

#[test]
fn another_pod_at_a_reused_address_is_no_proof() {
    // R5 (a): same address, another uid, whatever its name.
    let (address, pod_uid) = ("10.0.0.1:47500".parse().unwrap(), Some(uid("v")));
    doubts(
        by_answer(
            ProofRule::Object,
            &member(),
            answer("10.0.0.1:47500", Some("v"), 2),
        ),
        &Doubt::OtherPod { address, pod_uid },
    );
    doubts(
        by_answer(
            ProofRule::Object,
            &member(),
            answer("10.0.0.1:47500", None, 2),
        ),
        &Doubt::OtherPod {
            address,
            pod_uid: None,
        },
    );
}

#[test]
fn a_process_recognised_by_its_address_is_never_proven_dead_by_the_pod_rules() {
    // F6: without a uid the same address is another process as likely as not.
    for rule in [ProofRule::Object, ProofRule::Kubelet, ProofRule::AnyObject] {
        doubts(by_answer(rule, &nowhere(), successor()), &Doubt::NoPodUid);
    }
}

#[test]
fn another_port_or_address_of_the_same_pod_is_no_proof() {
    for dialled in ["10.0.0.1:47501", "10.0.0.2:47500"] {
        for rule in RULES {
            let verdict = by_answer(rule, &member(), answer(dialled, Some("u"), 2));
            assert!(matches!(verdict, Err(NotProven { .. })), "{rule} {dialled}");
        }
    }
}

#[test]
fn an_answer_from_before_the_loss_is_no_proof() {
    // It may be the process before the member.
    for asked in [Asked::BeforeAdmission, Asked::WhileMember] {
        let early = Timed {
            asked,
            ..successor()
        };
        doubts(
            by_answer(ProofRule::Object, &member(), early.clone()),
            &Doubt::AskedTooEarly {
                what: "its address",
            },
        );
        doubts(
            by_answer(ProofRule::Address, &member(), early),
            &Doubt::AskedTooEarly {
                what: "its address",
            },
        );
    }
}

#[test]
fn the_members_own_answer_outweighs_everything_else() {
    // R5 (b) is K3's: who shares the listener cannot be seen. Who still answers can.
    let still = answer("[fd00::1]:47500", Some("u"), 1);
    let address = still.fact.dialled;
    for rule in RULES {
        let answers = [successor(), still.clone()];
        let facts = DeathFacts {
            answers: &answers,
            pod: Some(&present(ended())),
            earlier: None,
        };
        doubts(
            prove_death(rule, &member(), facts),
            &Doubt::StillAnswers { address },
        );
    }
}

#[test]
fn the_members_own_answer_from_before_the_loss_is_no_hindrance() {
    let before = Timed {
        asked: Asked::WhileMember,
        ..answer("10.0.0.1:47500", Some("u"), 1)
    };
    let answers = [before, successor()];
    let facts = DeathFacts {
        answers: &answers,
        pod: None,
        earlier: None,
    };
    assert!(matches!(
        prove_death(ProofRule::Object, &member(), facts),
        Ok(ProofOfDeath::Replaced { .. })
    ));
}
