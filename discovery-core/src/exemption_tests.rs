//! Who is exempt, and every look-alike that is not (FORM-5, counter-examples F3, F6, F8).

use super::*;
use crate::census::PodRef;
use crate::finder::FinderError;
use crate::identity::NodeName;
use crate::samples::uid;
use crate::time::UnixSeconds;

fn identity() -> ProcessIdentity {
    ProcessIdentity::Pod(uid("u"))
}

fn reading(container: ContainerState, restart_count: u32) -> PodReading {
    let name = NodeName::new("ring-0").unwrap();
    let mut reading = PodReading::new(
        PodRef {
            uid: uid("u"),
            name,
        },
        container,
    );
    reading.restart_count = restart_count;
    reading
}

fn run(started_at: i64) -> Termination {
    Termination {
        started_at: UnixSeconds(started_at),
        finished_at: UnixSeconds(started_at + 1),
        exit_code: 1,
    }
}

fn waiting(restart_count: u32, last: Option<Termination>) -> PodFact {
    let container = ContainerState::Waiting {
        reason: "CrashLoopBackOff".into(),
    };
    let mut reading = reading(container, restart_count);
    reading.last_termination = last;
    PodFact::Present(reading)
}

fn ended(restart_count: u32, run: Termination) -> PodFact {
    PodFact::Present(reading(ContainerState::Terminated(run), restart_count))
}

fn running() -> PodFact {
    PodFact::Present(reading(
        ContainerState::Running {
            started_at: UnixSeconds(1),
        },
        0,
    ))
}

fn refused(pod: &PodFact) -> ListedSight<'_> {
    ListedSight {
        dial: DialOutcome::Refused,
        pod,
    }
}

fn judge(before: &PodFact, after: &PodFact) -> Result<Exemption, NotExempt> {
    may_be_exempt(&identity(), refused(before), refused(after))
}

#[test]
fn refused_and_not_running_before_and_after_is_exempt() {
    // F8: a crash loop, an image that cannot be pulled.
    for (before, after, restart_count) in [
        (waiting(3, Some(run(10))), waiting(3, Some(run(10))), 3),
        (ended(3, run(10)), waiting(3, Some(run(10))), 3),
        (waiting(0, None), waiting(0, None), 0),
    ] {
        let pod_uid = uid("u");
        assert_eq!(
            judge(&before, &after),
            Ok(Exemption {
                pod_uid,
                restart_count
            })
        );
    }
}

#[test]
fn an_address_alone_is_never_exempt() {
    // F6.
    let identity = ProcessIdentity::Address("10.0.0.1:47500".parse().unwrap());
    let pod = waiting(3, None);
    assert_eq!(
        may_be_exempt(&identity, refused(&pod), refused(&pod)),
        Err(NotExempt::NoPod {
            identity: identity.clone()
        })
    );
}

#[test]
fn a_refused_connection_alone_exempts_nobody() {
    // F8: a network policy that refuses everywhere would let every pod found alone.
    let (pod, stopped) = (running(), waiting(0, None));
    assert_eq!(
        judge(&pod, &pod),
        Err(NotExempt::MayRun { side: Side::Before })
    );
    assert_eq!(
        judge(&stopped, &pod),
        Err(NotExempt::MayRun { side: Side::After })
    );
    let silent = PodFact::Present(reading(ContainerState::Unreported, 0));
    assert_eq!(
        judge(&silent, &silent),
        Err(NotExempt::MayRun { side: Side::Before })
    );
}

#[test]
fn who_answers_or_stays_silent_is_not_exempt() {
    let pod = waiting(3, None);
    for dial in [DialOutcome::Answered, DialOutcome::Silent] {
        let other = ListedSight { dial, pod: &pod };
        assert_eq!(
            may_be_exempt(&identity(), other, refused(&pod)),
            Err(NotExempt::NotRefused { side: Side::Before })
        );
        assert_eq!(
            may_be_exempt(&identity(), refused(&pod), other),
            Err(NotExempt::NotRefused { side: Side::After })
        );
    }
}

#[test]
fn a_restart_in_between_is_seen_by_its_count() {
    // F3: who ran between contact and answer may have founded and admitted others.
    assert_eq!(
        judge(&waiting(3, Some(run(10))), &waiting(4, Some(run(20)))),
        Err(NotExempt::RanBetween {
            before: 3,
            after: 4
        })
    );
}

#[test]
fn a_first_run_in_between_is_seen_though_the_count_stays() {
    // The image arrives, the container runs for the first time and ends: still restart count 0.
    for after in [ended(0, run(10)), waiting(0, Some(run(10)))] {
        assert_eq!(
            judge(&waiting(0, None), &after),
            Err(NotExempt::RanBetween {
                before: 0,
                after: 0
            })
        );
    }
}

#[test]
fn a_pod_that_is_gone_unknown_or_another_is_not_exempt() {
    let pod = waiting(3, None);
    let gone = PodFact::Gone {
        asked: PodRef {
            uid: uid("u"),
            name: NodeName::new("ring-0").unwrap(),
        },
        replaced_by: None,
        last_seen: None,
    };
    assert_eq!(
        judge(&pod, &gone),
        Err(NotExempt::PodGone { side: Side::After })
    );
    let cause = FinderCause::Timeout;
    let unknown = PodFact::Unknown(FinderError::new(cause, "get pod: no answer"));
    assert_eq!(
        judge(&unknown, &pod),
        Err(NotExempt::PodUnknown {
            side: Side::Before,
            cause
        })
    );
    let mut other = reading(ContainerState::Terminated(run(10)), 3);
    other.pod.uid = uid("v");
    let (other, side) = (PodFact::Present(other), Side::Before);
    assert_eq!(
        judge(&other, &other),
        Err(NotExempt::OtherPod {
            side,
            pod_uid: uid("v")
        })
    );
}
