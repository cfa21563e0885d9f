//! What an operator chooses about a ring, its defaults, and what must hold between them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{MEMBERS_MAX, NodeName, ProofRule};

use crate::wire::FRAME_BYTES_MAX;

/// How a cluster comes into being when nobody is a member yet (FORM).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Formation {
    /// Every listed process must answer or be seen not to run. Needs an authoritative finder.
    Census,
    /// A majority of these names decides once. For static lists.
    Majority(Vec<NodeName>),
    /// The node founds at once. For demos and tests.
    Single,
}

impl fmt::Display for Formation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Census => "census",
            Self::Majority(_) => "majority",
            Self::Single => "single",
        })
    }
}

/// What is done when the quorum is lost for good (RECOVER).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recovery {
    /// A census and proofs of death. Needs an authoritative finder, and formation by census: an epoch
    /// by the clock is above all listings. Without these it is as `Manual`.
    #[default]
    Census,
    /// Nothing until an operator forces it.
    Manual,
}

/// Who may decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quorum {
    /// A majority of the topology in force.
    #[default]
    Majority,
    /// Whoever is left: both sides of a partition go on, each as a cluster of its own.
    None,
}

/// What happens when another cluster of the same name is met (MEET).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Merge {
    /// Nothing but an event.
    #[default]
    Never,
    /// A side without quorum whose recovery is impossible joins the other.
    Auto,
}

/// Everything a ring can be told. All durations are minima: they stretch by the lateness of the
/// local loop.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RingConfig {
    /// The name that all nodes of a cluster share; default `default`.
    pub cluster_name: Arc<str>,
    /// Default `census`.
    pub formation: Formation,
    /// Default `census`.
    pub recovery: Recovery,
    /// What proves a death; default `object`.
    pub proof: ProofRule,
    /// Default `majority`.
    pub quorum: Quorum,
    /// Default `never`.
    pub merge: Merge,
    /// A digest of settings of the application that all members must share; default 0.
    pub settings: u64,
    /// Silence of a subject after which it is accused; default 2 s. Lower finds frozen nodes sooner
    /// and costs traffic in proportion.
    pub silence_limit: Duration,
    /// Limit of one dial; default 500 ms.
    pub dial_timeout: Duration,
    /// Limit of a greeting; default 1 s.
    pub hello_timeout: Duration,
    /// Pause before the second redial of a lost subject; default 25 ms.
    pub redial_pause: Duration,
    /// A cut waits for subjects in doubt for silence until nothing more was said for so long, but
    /// never longer than this or an eighth of the silence limit; default 200 ms.
    pub doubt_wait_silence: Duration,
    /// The same for subjects in doubt for refused or closed links; default 25 ms.
    pub doubt_wait_closed: Duration,
    /// How long a leave may take to be decided; default 5 s.
    pub leave_limit: Duration,
    /// How long a topology must be unchanged before the tree is used; half of it before the links
    /// that watching asks for are opened. Default 200 ms.
    pub settle: Duration,
    /// Children of a node of the dissemination tree; default 16.
    pub fan_out: usize,
    /// Least time before members missing from a proposal's acceptances are served directly;
    /// default 20 ms.
    pub repair_pause: Duration,
    /// Quorum loss after which recovery starts; default 2 s.
    pub recovery_after: Duration,
    /// First and longest pause between rounds of formation; default 100 ms and 1 s.
    pub round_pause: (Duration, Duration),
    /// First and longest pause between recoveries; default 1 s and 10 s.
    pub recovery_pause: (Duration, Duration),
    /// First and longest pause before joining again after a removal; default 500 ms and 30 s.
    pub rejoin_pause: (Duration, Duration),
    /// Time between probes of seeds that are not members; default 10 s.
    pub probe_interval: Duration,
    /// Time between listings of a member that keeps no watch; default 5 min.
    pub audit_interval: Duration,
    /// Most messages of the local node that wait to be decided; default 1,024.
    pub publish_queue_max: usize,
    /// Most bytes of a published message; default 64 KiB.
    pub payload_bytes_max: usize,
    /// Most decided entries kept for those who lag; default 1,024.
    pub history_max: usize,
    /// Most bytes of decided entries kept, [`frame_bytes_max`](Self::frame_bytes_max) or more: a mass
    /// start decides as many bytes of joins as a snapshot holds, and who lags behind them is to be
    /// caught up, not removed. Default 1 MiB.
    pub history_bytes_max: usize,
    /// Most links; default 4,096. In a mass start everybody talks to the coordinator: with more
    /// members than links, they come in several steps.
    pub links_max: usize,
    /// Most members of a topology, 1 to [`MEMBERS_MAX`]; default 1,024. The coordinator refuses one
    /// more. It costs every member memory in proportion.
    pub members_max: usize,
    /// Longest frame in bytes, 1 MiB to 16 MiB; default 1 MiB. A snapshot of all members is one, so
    /// that the coordinator refuses a joiner whose attributes and addresses have no room in seven
    /// eighths of it: about 1,900 ordinary pods fit the default, and 169 that use up every limit.
    /// Give all nodes the same, before any of them needs it.
    pub frame_bytes_max: usize,
    /// Most entries proposed and not decided; default 256.
    pub in_flight_max: usize,
    /// Most bytes proposed and not decided; default 512 KiB, so that a tail fits one frame.
    pub in_flight_bytes_max: usize,
}

/// Most that the longest frame may be set to.
const FRAME_BYTES_LIMIT: usize = 16 * FRAME_BYTES_MAX;

/// One thing that is wrong with a configuration; a retry with the same one fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {what}")]
pub struct RingConfigError {
    /// The field.
    pub field: &'static str,
    /// What is wrong, and what to do.
    pub what: String,
}

impl Default for RingConfig {
    fn default() -> Self {
        Self {
            cluster_name: Arc::from("default"),
            formation: Formation::Census,
            recovery: Recovery::Census,
            proof: ProofRule::Object,
            quorum: Quorum::Majority,
            merge: Merge::Never,
            settings: 0,
            silence_limit: Duration::from_secs(2),
            dial_timeout: Duration::from_millis(500),
            hello_timeout: Duration::from_secs(1),
            redial_pause: Duration::from_millis(25),
            doubt_wait_silence: Duration::from_millis(200),
            doubt_wait_closed: Duration::from_millis(25),
            leave_limit: Duration::from_secs(5),
            settle: Duration::from_millis(200),
            fan_out: 16,
            repair_pause: Duration::from_millis(20),
            recovery_after: Duration::from_secs(2),
            round_pause: (Duration::from_millis(100), Duration::from_secs(1)),
            recovery_pause: (Duration::from_secs(1), Duration::from_secs(10)),
            rejoin_pause: (Duration::from_millis(500), Duration::from_secs(30)),
            probe_interval: Duration::from_secs(10),
            audit_interval: Duration::from_mins(5),
            publish_queue_max: 1024,
            payload_bytes_max: 64 * 1024,
            history_max: 1024,
            history_bytes_max: 1024 * 1024,
            links_max: 4096,
            members_max: 1024,
            frame_bytes_max: FRAME_BYTES_MAX,
            in_flight_max: 256,
            in_flight_bytes_max: 512 * 1024,
        }
    }
}

impl RingConfig {
    /// Most bytes of a snapshot's members: the rest of its frame is for what else it says.
    pub(crate) fn snapshot_bytes_max(&self) -> usize {
        self.frame_bytes_max / 8 * 7
    }

    /// Everything that is wrong, all at once; empty if nothing is.
    pub fn faults(&self) -> Vec<RingConfigError> {
        let mut faults = Vec::new();
        let mut fault = |field, what: String| faults.push(RingConfigError { field, what });
        if self.cluster_name.is_empty() || self.cluster_name.len() > 253 {
            let bytes = self.cluster_name.len();
            fault(
                "cluster_name",
                format!("has {bytes} bytes; give it 1 to 253"),
            );
        }
        if let Formation::Majority(names) = &self.formation {
            let mut sorted = names.clone();
            sorted.sort();
            sorted.dedup();
            if names.len() > self.members_max {
                let (names, members) = (names.len(), self.members_max);
                fault(
                    "formation",
                    format!("{names} names; members_max allows {members}"),
                );
            }
            if names.is_empty() || sorted.len() < names.len() {
                fault(
                    "formation",
                    "majority needs at least one name, each once".to_owned(),
                );
            }
        }
        if self.silence_limit < Duration::from_millis(100) {
            let limit = self.silence_limit;
            fault(
                "silence_limit",
                format!("{limit:?} is too short; the least is 100ms"),
            );
        }
        if self.redial_pause * 4 > self.silence_limit {
            fault(
                "redial_pause",
                "must be at most a quarter of silence_limit".to_owned(),
            );
        }
        if !(2..=1024).contains(&self.fan_out) {
            fault(
                "fan_out",
                format!("{} is outside of 2 to 1024", self.fan_out),
            );
        }
        for (field, pauses) in [
            ("round_pause", self.round_pause),
            ("recovery_pause", self.recovery_pause),
            ("rejoin_pause", self.rejoin_pause),
        ] {
            if pauses.0.is_zero() || pauses.0 > pauses.1 {
                fault(
                    field,
                    "the first pause must be above zero and not above the last".to_owned(),
                );
            }
        }
        self.check_limits(&mut fault);
        faults
    }

    /// What is wrong with how much there may be of everything.
    fn check_limits(&self, mut fault: impl FnMut(&'static str, String)) {
        for (field, value) in [
            ("publish_queue_max", self.publish_queue_max),
            ("history_max", self.history_max),
            ("in_flight_max", self.in_flight_max),
            ("links_max", self.links_max),
        ] {
            if value == 0 {
                fault(field, "must be at least 1".to_owned());
            }
        }
        if !(1..=MEMBERS_MAX).contains(&self.members_max) {
            let members = self.members_max;
            fault(
                "members_max",
                format!("{members} is outside of 1 to {MEMBERS_MAX}"),
            );
        }
        let (least, most) = (FRAME_BYTES_MAX, FRAME_BYTES_LIMIT);
        if !(least..=most).contains(&self.frame_bytes_max) {
            let bytes = self.frame_bytes_max;
            fault(
                "frame_bytes_max",
                format!("{bytes} is outside of {least} to {most}"),
            );
        }
        if self.history_bytes_max < self.frame_bytes_max {
            fault(
                "history_bytes_max",
                format!(
                    "{} is less than frame_bytes_max; give it {} or more",
                    self.history_bytes_max, self.frame_bytes_max
                ),
            );
        }
        if self.in_flight_bytes_max > self.frame_bytes_max / 2 {
            fault(
                "in_flight_bytes_max",
                "must not exceed half of frame_bytes_max: a tail is one frame".to_owned(),
            );
        }
        if self.payload_bytes_max > self.in_flight_bytes_max {
            fault(
                "payload_bytes_max",
                format!(
                    "{} is more than in_flight_bytes_max; give it {} or less",
                    self.payload_bytes_max, self.in_flight_bytes_max
                ),
            );
        }
    }
}
