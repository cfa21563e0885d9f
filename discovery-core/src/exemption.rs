//! When a listed process need not answer a formation or a recovery (FORM-5): nobody runs there.
//! A verdict over facts; asking for them, before and after the listing, is the protocol's business.

use std::fmt;

use crate::census::{ContainerState, PodFact, PodReading, Termination};
use crate::finder::FinderCause;
use crate::identity::{PodUid, ProcessIdentity};

/// What became of dialling a listed process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DialOutcome {
    /// It took the connection.
    Answered,
    /// It refused the connection.
    Refused,
    /// Neither, within the dial's limit.
    Silent,
}

/// What was seen of one listed process, on one side of the listing.
#[derive(Clone, Copy, Debug)]
pub struct ListedSight<'a> {
    /// What became of dialling it.
    pub dial: DialOutcome,
    /// What its pod's object said.
    pub pod: &'a PodFact,
}

/// Which side of the listing a sight is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Before it was asked for.
    Before,
    /// After it was answered.
    After,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Before => "before",
            Self::After => "after",
        })
    }
}

/// A listed process that need not answer, and the fields that this rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Exemption {
    /// Its pod.
    pub pod_uid: PodUid,
    /// The restart count, the same before and after the listing.
    pub restart_count: u32,
}

impl fmt::Display for Exemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "pod {} refused connections and its container did not run, before and after the \
             listing, at restart count {}",
            self.pod_uid, self.restart_count
        )
    }
}

/// Why a listed process must answer. A later look may exempt it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotExempt {
    /// It is known by its address alone.
    #[error("{identity} names no pod; only a pod can be seen not to run")]
    NoPod {
        /// Who it is.
        identity: ProcessIdentity,
    },
    /// Its connection was not refused.
    #[error("it did not refuse the connection {side} the listing")]
    NotRefused {
        /// On which side.
        side: Side,
    },
    /// Its pod could not be read.
    #[error("its pod could not be read {side} the listing: {cause}")]
    PodUnknown {
        /// On which side.
        side: Side,
        /// Why not.
        cause: FinderCause,
    },
    /// Its pod's object is gone, which says nothing of the process.
    #[error("its pod object is gone {side} the listing; the process may go on without it")]
    PodGone {
        /// On which side.
        side: Side,
    },
    /// What was read is another pod.
    #[error("what was read {side} the listing is pod {pod_uid}, another one")]
    OtherPod {
        /// On which side.
        side: Side,
        /// The uid that was read.
        pod_uid: PodUid,
    },
    /// Its container runs, or is not reported.
    #[error("its container runs, or is not reported, {side} the listing")]
    MayRun {
        /// On which side.
        side: Side,
    },
    /// It ran in between.
    #[error(
        "its container ran between the two looks: restart count {before} and then {after}, or a \
         run that ended in between"
    )]
    RanBetween {
        /// The restart count before.
        before: u32,
        /// The restart count after.
        after: u32,
    },
}

/// Judges whether a listed process is exempt: refused and not running, before and after the
/// listing, without a run in between.
///
/// Beyond the equal restart count of FORM-5 the newest ended run must be the same in both reads: a
/// container's *first* run comes and goes at restart count 0, and who ran may have founded a
/// cluster and admitted others.
///
/// # Errors
///
/// With the first thing that does not hold. A refused connection alone never exempts: a network
/// policy refuses everywhere.
pub fn may_be_exempt(
    identity: &ProcessIdentity,
    before: ListedSight<'_>,
    after: ListedSight<'_>,
) -> Result<Exemption, NotExempt> {
    let Some(uid) = identity.pod_uid() else {
        let identity = identity.clone();
        return Err(NotExempt::NoPod { identity });
    };
    let earlier = not_running(uid, before, Side::Before)?;
    let later = not_running(uid, after, Side::After)?;
    let (before, after) = (earlier.restart_count, later.restart_count);
    if before != after || newest_end(earlier) != newest_end(later) {
        return Err(NotExempt::RanBetween { before, after });
    }
    Ok(Exemption {
        pod_uid: uid.clone(),
        restart_count: after,
    })
}

fn not_running<'a>(
    uid: &PodUid,
    sight: ListedSight<'a>,
    side: Side,
) -> Result<&'a PodReading, NotExempt> {
    match sight.dial {
        DialOutcome::Refused => {}
        DialOutcome::Answered | DialOutcome::Silent => return Err(NotExempt::NotRefused { side }),
    }
    let reading = match sight.pod {
        PodFact::Present(reading) => reading,
        PodFact::Gone { .. } => return Err(NotExempt::PodGone { side }),
        PodFact::Unknown(error) => {
            let cause = error.cause();
            return Err(NotExempt::PodUnknown { side, cause });
        }
    };
    if reading.pod.uid != *uid {
        let pod_uid = reading.pod.uid.clone();
        return Err(NotExempt::OtherPod { side, pod_uid });
    }
    match &reading.container {
        ContainerState::Waiting { .. } | ContainerState::Terminated(_) => Ok(reading),
        ContainerState::Running { .. } | ContainerState::Unreported => {
            Err(NotExempt::MayRun { side })
        }
    }
}

/// The newest run of the container that has ended, whether it is still shown as its state or, once
/// the container waits to be started again, as its last one.
fn newest_end(reading: &PodReading) -> Option<Termination> {
    match &reading.container {
        ContainerState::Terminated(run) => Some(*run),
        ContainerState::Waiting { .. }
        | ContainerState::Running { .. }
        | ContainerState::Unreported => reading.last_termination,
    }
}

#[cfg(test)]
#[path = "exemption_tests.rs"]
mod tests;
