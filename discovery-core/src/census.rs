//! Facts that cross into the protocol: one consistent listing, and what the platform says of a pod.
//! They are facts, never verdicts; what they prove is decided in `proof.rs`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::finder::{FinderError, Provenance};
use crate::identity::{NodeName, PodUid, ProcessIdentity};
use crate::seed::Seed;
use crate::time::UnixSeconds;

/// The version of the platform's store at which a listing was read: one counter of one store.
///
/// Two of them compare as whole numbers, which Kubernetes promises for its own objects.
///
/// ```
/// use discovery_core::ResourceVersion;
///
/// let (early, late): (ResourceVersion, ResourceVersion) =
///     ("99".parse().unwrap(), "100".parse().unwrap());
/// assert!(early < late);
/// assert!("0".parse::<ResourceVersion>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceVersion(u64);

/// The text is not a positive whole number, so it cannot be compared; a retry does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("resource version '{value}' is not a positive whole number of 64 bits")]
pub struct ResourceVersionError {
    value: String,
}

impl ResourceVersion {
    /// The version of this number; zero, which stands for "any", has none.
    pub const fn new(number: u64) -> Option<Self> {
        if number == 0 {
            None
        } else {
            Some(Self(number))
        }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl FromStr for ResourceVersion {
    type Err = ResourceVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        text.parse()
            .ok()
            .filter(|_| canonical)
            .and_then(Self::new)
            .ok_or_else(|| ResourceVersionError {
                value: text.chars().take(64).collect(),
            })
    }
}

impl fmt::Display for ResourceVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// One consistent listing of every process: all address families, ready or not, on its way out or
/// not. Only an authoritative finder makes one, and only by a listing of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Census {
    /// Every listed process once, with every address it is listed under, sorted by identity.
    pub entries: Vec<Seed>,
    /// The store's version at which all of it was true together.
    pub resource_version: ResourceVersion,
    /// Who made it.
    pub provenance: Provenance,
}

impl Census {
    /// Puts a census together, sorted by identity.
    pub fn new(
        mut entries: Vec<Seed>,
        resource_version: ResourceVersion,
        provenance: Provenance,
    ) -> Self {
        entries.sort_by_cached_key(Seed::identity);
        Self {
            entries,
            resource_version,
            provenance,
        }
    }

    /// Whether it lists this process; a census that does not hold one's own uid is void (FORM-3).
    pub fn lists(&self, identity: &ProcessIdentity) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.identity() == *identity)
    }
}

/// Names one pod object: uid and name together, since the API is asked by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PodRef {
    /// The uid that must be met.
    pub uid: PodUid,
    /// The name to ask for.
    pub name: NodeName,
}

impl fmt::Display for PodRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pod {} (uid {})", self.name, self.uid)
    }
}

/// One ended run of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Termination {
    /// When it had started.
    pub started_at: UnixSeconds,
    /// When it had ended.
    pub finished_at: UnixSeconds,
    /// Its exit code.
    pub exit_code: i32,
}

/// What the kubelet last reported of our container.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum ContainerState {
    /// It runs, since then.
    Running {
        /// When this run started.
        started_at: UnixSeconds,
    },
    /// It does not run and has not ended: being pulled, created, or held back between restarts.
    Waiting {
        /// The kubelet's word for why, such as `CrashLoopBackOff`.
        reason: Arc<str>,
    },
    /// It has ended and is not started again so far.
    Terminated(Termination),
    /// The pod's status says nothing of it, or something that names no state.
    Unreported,
}

/// What one read of a pod object said, field by field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PodReading {
    /// The object that was read.
    pub pod: PodRef,
    /// Our container now.
    pub container: ContainerState,
    /// Our container's run before that (`lastState.terminated`).
    pub last_termination: Option<Termination>,
    /// How often our container was restarted.
    pub restart_count: u32,
    /// Whether the status reports every container of the pod, sidecars included, as ended.
    pub all_containers_terminated: bool,
    /// Whether the status reports containers, sidecars included, and every one of them as ready.
    pub all_containers_ready: bool,
    /// The pod's own `Ready` condition, if it has one.
    pub ready: Option<bool>,
    /// The reason of a `DisruptionTarget` condition that is true, if there is one.
    pub disruption: Option<Arc<str>>,
    /// Whether its deletion was asked for; it may live on for as long as its kubelet is silent.
    pub deletion_requested: bool,
}

impl PodReading {
    /// A reading of a container in this state, all else absent; the fields are public.
    pub fn new(pod: PodRef, container: ContainerState) -> Self {
        Self {
            pod,
            container,
            last_termination: None,
            restart_count: 0,
            all_containers_terminated: false,
            all_containers_ready: false,
            ready: None,
            disruption: None,
            deletion_requested: false,
        }
    }
}

/// The last reading of an object that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LastSeen {
    /// What it said.
    pub reading: PodReading,
    /// How long before the object was found gone that reading was asked for.
    pub ago: Duration,
}

/// What the platform says of one pod when asked. A lie of the platform is a lie in these facts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum PodFact {
    /// The object of that uid exists and says this.
    Present(PodReading),
    /// No object of that uid exists: the name is free or another uid has it.
    ///
    /// The API says the same of a living pod that is asked for under a wrong name, so this is no
    /// proof without a last reading under that name.
    Gone {
        /// The pod that was asked for.
        asked: PodRef,
        /// The uid that has the name now, if any.
        replaced_by: Option<PodUid>,
        /// What the finder read of the object last, if it ever did.
        last_seen: Option<Box<LastSeen>>,
    },
    /// The platform could not be asked.
    Unknown(FinderError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_canonical_number_is_no_resource_version() {
        for text in [
            "",
            "0",
            "007",
            "+5",
            "-5",
            "5a",
            " 5",
            "18446744073709551616",
        ] {
            assert!(text.parse::<ResourceVersion>().is_err(), "{text:?}");
        }
        assert_eq!(
            "18446744073709551615".parse(),
            Ok(ResourceVersion(u64::MAX))
        );
    }

    #[test]
    fn resource_versions_compare_as_numbers() {
        let parse = |text: &str| text.parse::<ResourceVersion>().unwrap();
        assert!(parse("9") < parse("10"));
    }
}
