//! When a member is dead beyond doubt (RECOVER-3): verdicts over the facts of `census.rs`, and of
//! who answered at its address. How facts are gathered, and what a death is good for, is elsewhere.
//!
//! Never a proof: an object on its way out, what the Node's conditions say, a refused connection,
//! silence, a name alone. They have no place in the facts that are judged here. That the listener
//! is not shared with another process (`SO_REUSEPORT`) cannot be seen from outside; it is
//! assumption K3. That our container's status is read, not a sidecar's, is the finder's duty.

mod gone;

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use crate::census::{ContainerState, PodFact, PodReading, Termination};
use crate::doubt::{Doubt, NotProven};
use crate::identity::{NodeId, PodUid};
use crate::node::NodeInfo;
use crate::time::{UnixMillis, UnixSeconds};

pub use gone::LAST_SEEN_AGE_MAX;
use gone::gone;

/// What an operator lets count as a proof of death (setting `proof`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum ProofRule {
    /// A successor in the pod, an ended container, and a pod object that is gone, if it was seen
    /// within [`LAST_SEEN_AGE_MAX`] before and then bore no mark that a lost machine leaves.
    ///
    /// Pod garbage collection marks an object and deletes it within milliseconds, so that hardly
    /// any reading ever shows its mark: such a deletion then counts, as a force deletion does, as
    /// the operator's word that the process has ended (K2). Who cannot give it sets `kubelet`.
    #[default]
    Object,
    /// As `Object`, but a pod object that is gone counts only if it was last seen with all its
    /// containers ended.
    Kubelet,
    /// As `Object`, whatever the object looked like last and however long ago that was: force
    /// deletion is the operator's word. It must have been seen once all the same.
    AnyObject,
    /// A successor at the address, and nothing else: for networks without address translation and
    /// virtual addresses.
    Address,
    /// Nothing.
    Off,
}

impl fmt::Display for ProofRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Object => "object",
            Self::Kubelet => "kubelet",
            Self::AnyObject => "any-object",
            Self::Address => "address",
            Self::Off => "off",
        })
    }
}

/// When a question was sent whose answer is a fact about a member.
///
/// The asker keeps it by its own monotonic order of events; clocks play no part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asked {
    /// Before the member was admitted: the answer may speak of the process before it.
    BeforeAdmission,
    /// While it was a member and not lost.
    WhileMember,
    /// After it was lost. Only such an answer can prove its death.
    AfterLoss,
}

/// A fact, and when the question for it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timed<T> {
    /// The fact.
    pub fact: T,
    /// When its question was sent.
    pub asked: Asked,
}

/// Who answered when an address was dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answerer {
    /// The address.
    pub dialled: SocketAddr,
    /// The pod uid it named.
    pub pod_uid: Option<PodUid>,
    /// The node id it named.
    pub node_id: NodeId,
}

/// Everything that is known and may bear on one member's death.
#[derive(Clone, Copy, Debug)]
pub struct DeathFacts<'a> {
    /// Who answered at its addresses: of each address the newest answer and no older one.
    ///
    /// An older one may name a process that has since made way for the member itself.
    pub answers: &'a [Timed<Answerer>],
    /// The newest read of its pod.
    pub pod: Option<&'a Timed<PodFact>>,
    /// An earlier read that found its container running.
    pub earlier: Option<&'a Timed<PodReading>>,
}

/// Why a member is dead beyond doubt, with the fields that it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ProofOfDeath {
    /// (i) Its address answers with another node id.
    Replaced {
        /// The address, one of the member's.
        address: SocketAddr,
        /// The pod uid that both have; none under the rule `address`.
        pod_uid: Option<PodUid>,
        /// Who answers there now.
        successor: NodeId,
    },
    /// (ii) The run of its container that it belonged to has ended.
    Terminated {
        /// Its pod.
        pod_uid: PodUid,
        /// When that run started, at or before the member.
        started_at: UnixSeconds,
        /// When that run ended, after the member started.
        finished_at: UnixSeconds,
        /// Why the ended run is the member's.
        because: RunEnded,
    },
    /// (iii) Its pod's object is gone.
    Gone {
        /// Its pod.
        pod_uid: PodUid,
        /// The uid that has the name now, if any.
        replaced_by: Option<PodUid>,
        /// What let it count.
        because: GoneCounts,
    },
}

/// Why an ended run of a container is surely not followed by the one that the member belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RunEnded {
    /// The container does not run.
    NotRunning,
    /// It was restarted since it was seen running while the member was one.
    Restarted {
        /// The restart count then.
        from: u32,
        /// The restart count now.
        to: u32,
    },
}

/// What let an object that is gone count as a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum GoneCounts {
    /// It was last seen without the marks of a lost machine (rule `object`).
    Unmarked,
    /// It was last seen with all containers ended (rule `kubelet`).
    AllTerminated,
    /// The operator lets every such object count (rule `any-object`).
    AnyObject,
}

/// Judges whether a member is dead beyond doubt, under this rule, by these facts (RECOVER-3).
///
/// Only the newest answer of each address and the newest read of the pod belong into the facts.
///
/// An object that is gone proves nothing unless it was seen before, under the name that was asked
/// for, which is stricter than the clause and holds under `any-object` too: the API denies a pod
/// of a wrong name or of another namespace in the same words, and a mark on an object that nobody
/// saw is a mark missed.
///
/// # Errors
///
/// With every doubt, if no proof holds.
pub fn prove_death(
    rule: ProofRule,
    member: &NodeInfo,
    facts: DeathFacts<'_>,
) -> Result<ProofOfDeath, NotProven> {
    if let Some(address) = still_answers(member, facts.answers) {
        let doubts = vec![Doubt::StillAnswers { address }];
        return Err(NotProven { doubts });
    }
    let tried = match rule {
        ProofRule::Off => vec![Err(Doubt::RuleOff)],
        ProofRule::Address => vec![replaced(member, None, facts.answers)],
        ProofRule::Object | ProofRule::Kubelet | ProofRule::AnyObject => match member.pod_uid() {
            None => vec![Err(Doubt::NoPodUid)],
            Some(uid) => vec![
                replaced(member, Some(uid), facts.answers),
                terminated(member, uid, facts),
                gone(rule, uid, facts.pod),
            ],
        },
    };
    let mut doubts = Vec::new();
    for verdict in tried {
        match verdict {
            Ok(proof) => return Ok(proof),
            Err(doubt) if doubts.contains(&doubt) => {}
            Err(doubt) => doubts.push(doubt),
        }
    }
    Err(NotProven { doubts })
}

/// Where the member itself answered after its loss; then whatever else is said is wrong.
fn still_answers(member: &NodeInfo, answers: &[Timed<Answerer>]) -> Option<SocketAddr> {
    answers
        .iter()
        .find(|answer| answer.asked == Asked::AfterLoss && answer.fact.node_id == member.id())
        .map(|answer| canonical(answer.fact.dialled))
}

/// Proof (i): a successor at the address, in the same pod if one is asked for (K3).
fn replaced(
    member: &NodeInfo,
    pod_uid: Option<&PodUid>,
    answers: &[Timed<Answerer>],
) -> Result<ProofOfDeath, Doubt> {
    let mut doubt = Doubt::NoAnswer;
    for Timed { fact, asked } in answers {
        if fact.node_id == member.id() {
            continue;
        }
        let address = canonical(fact.dialled);
        if !member.addresses().contains(&address) {
            doubt = Doubt::OtherAddress { address };
        } else if *asked != Asked::AfterLoss {
            doubt = Doubt::AskedTooEarly {
                what: "its address",
            };
        } else if pod_uid.is_some() && pod_uid != fact.pod_uid.as_ref() {
            let pod_uid = fact.pod_uid.clone();
            doubt = Doubt::OtherPod { address, pod_uid };
        } else {
            return Ok(ProofOfDeath::Replaced {
                address,
                pod_uid: pod_uid.cloned(),
                successor: fact.node_id,
            });
        }
    }
    Err(doubt)
}

/// An address as members carry theirs: an IPv4 address is never written as an IPv6 one.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(ip) => SocketAddrV6::new(ip, address.port(), 0, 0).into(),
    }
}

/// Proof (ii): the container's run that held the member's start has ended, and no other can be it.
fn terminated(
    member: &NodeInfo,
    uid: &PodUid,
    facts: DeathFacts<'_>,
) -> Result<ProofOfDeath, Doubt> {
    let reading = match read_after_loss(facts.pod)? {
        PodFact::Present(reading) => of_pod(uid, reading)?,
        PodFact::Gone { .. } => return Err(Doubt::NoEndedRun),
        PodFact::Unknown(error) => {
            return Err(Doubt::PodUnknown {
                cause: error.cause(),
            });
        }
    };
    let now = match &reading.container {
        ContainerState::Terminated(run) => Some(run),
        ContainerState::Running { .. }
        | ContainerState::Waiting { .. }
        | ContainerState::Unreported => None,
    };
    let mut doubt = Doubt::NoEndedRun;
    for run in now.into_iter().chain(&reading.last_termination) {
        if !surely_holds(run, member.started_at()) {
            doubt = Doubt::OtherRun {
                run_started_at: run.started_at,
                run_finished_at: run.finished_at,
                member_started_at: member.started_at(),
            };
            continue;
        }
        let because = run_ended(member, reading, facts.earlier)?;
        return Ok(ProofOfDeath::Terminated {
            pod_uid: uid.clone(),
            started_at: run.started_at,
            finished_at: run.finished_at,
            because,
        });
    }
    Err(doubt)
}

/// Whether the member started within this run. The API's seconds are cut to whole ones and taken as
/// `x.000`, so that a start in the second of the end proves nothing.
fn surely_holds(run: &Termination, start: UnixMillis) -> bool {
    UnixMillis::from(run.started_at) <= start && start < UnixMillis::from(run.finished_at)
}

/// Why no run that goes on can be the member's, even if the host's clock stepped back between two
/// runs (K4, counter-example A7).
fn run_ended(
    member: &NodeInfo,
    reading: &PodReading,
    earlier: Option<&Timed<PodReading>>,
) -> Result<RunEnded, Doubt> {
    match &reading.container {
        ContainerState::Waiting { .. } | ContainerState::Terminated(_) => {
            return Ok(RunEnded::NotRunning);
        }
        ContainerState::Running { .. } | ContainerState::Unreported => {}
    }
    let earlier = earlier.ok_or(Doubt::MayStillRun)?;
    let read_as_member = match earlier.asked {
        Asked::BeforeAdmission => false,
        Asked::WhileMember | Asked::AfterLoss => true,
    };
    let was_running = match &earlier.fact.container {
        ContainerState::Running { started_at } => {
            UnixMillis::from(*started_at) <= member.started_at()
        }
        ContainerState::Waiting { .. }
        | ContainerState::Terminated(_)
        | ContainerState::Unreported => false,
    };
    let (from, to) = (earlier.fact.restart_count, reading.restart_count);
    if read_as_member && was_running && earlier.fact.pod == reading.pod && to > from {
        Ok(RunEnded::Restarted { from, to })
    } else {
        Err(Doubt::MayStillRun)
    }
}

fn read_after_loss(pod: Option<&Timed<PodFact>>) -> Result<&PodFact, Doubt> {
    let pod = pod.ok_or(Doubt::PodNotRead)?;
    match pod.asked {
        Asked::AfterLoss => Ok(&pod.fact),
        Asked::BeforeAdmission | Asked::WhileMember => {
            Err(Doubt::AskedTooEarly { what: "its pod" })
        }
    }
}

fn of_pod<'a>(uid: &PodUid, reading: &'a PodReading) -> Result<&'a PodReading, Doubt> {
    if reading.pod.uid == *uid {
        Ok(reading)
    } else {
        let pod_uid = reading.pod.uid.clone();
        Err(Doubt::ReadOtherPod { pod_uid })
    }
}

impl fmt::Display for ProofOfDeath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replaced {
                address,
                pod_uid,
                successor,
            } => {
                write!(f, "{address} answers as node {successor}")?;
                match pod_uid {
                    Some(uid) => write!(f, " of the same pod {uid}"),
                    None => f.write_str(", and the address alone counts"),
                }
            }
            Self::Terminated {
                pod_uid,
                started_at,
                finished_at,
                because,
            } => {
                write!(
                    f,
                    "the container of pod {pod_uid} ended its run of {started_at} to {finished_at}"
                )?;
                match because {
                    RunEnded::NotRunning => f.write_str(" and does not run"),
                    RunEnded::Restarted { from, to } => {
                        write!(f, "; its restart count went from {from} to {to}")
                    }
                }
            }
            Self::Gone {
                pod_uid,
                replaced_by,
                because,
            } => {
                write!(f, "the object of pod {pod_uid} is gone")?;
                if let Some(uid) = replaced_by {
                    write!(f, ", its name taken by {uid}")?;
                }
                f.write_str(match because {
                    GoneCounts::Unmarked => "; it bore no mark of a lost machine",
                    GoneCounts::AllTerminated => "; all its containers had ended",
                    GoneCounts::AnyObject => {
                        "; the rule 'any-object' takes that as the operator's word"
                    }
                })
            }
        }
    }
}

#[cfg(test)]
#[path = "proof_properties.rs"]
mod properties;

#[cfg(test)]
#[path = "proof_tests/mod.rs"]
mod tests;
