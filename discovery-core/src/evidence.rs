//! Why a member was removed, as it is decided and printed. When evidence suffices is decided by the
//! protocol and, for a death, in `proof.rs`.

use std::fmt;

use crate::identity::NodeId;
use crate::proof::ProofOfDeath;
use crate::time::UnixMillis;
use crate::topology::Topology;

/// What an observer holds against its subject, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum AccusationKind {
    /// Its address answers with another node id under the same pod uid.
    Replaced,
    /// Its address refused a connection, and again when dialled anew.
    Refused,
    /// It closed its link, and did not answer when dialled anew.
    Closed,
    /// Nothing was heard of it for a silence limit.
    Silence,
}

impl fmt::Display for AccusationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Replaced => "replaced",
            Self::Refused => "refused",
            Self::Closed => "closed",
            Self::Silence => "silence",
        })
    }
}

/// One observer's word against a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Accusation {
    /// Who accuses.
    pub observer: NodeId,
    /// Of what.
    pub kind: AccusationKind,
    /// Since when, by the observer's clock.
    pub at: UnixMillis,
}

/// Why a member was removed.
///
/// It prints as *who accused, of what, when*; [`in_words_of`](Self::in_words_of) prints names in
/// place of ids.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Evidence {
    /// More than half of its observers outside the cut accused it (CUT).
    Accused(Vec<Accusation>),
    /// It was admitted and never acknowledged a decision (JOIN).
    NeverConfirmed {
        /// When it was admitted, by the coordinator's clock.
        admitted_at: UnixMillis,
    },
    /// It acknowledged decisions too slowly for the history to be kept (SNAP).
    Lag {
        /// How many versions it was behind.
        versions_behind: u64,
    },
    /// Its process is dead beyond doubt (RECOVER-3).
    Dead(ProofOfDeath),
    /// An operator removed it, and said why.
    Operator {
        /// The operator's words.
        reason: String,
    },
    /// It did not take part in a recovery that went on without it.
    AbsentFromRecovery,
}

impl Evidence {
    /// As it prints, with observers named as this topology names them.
    pub fn in_words_of<'a>(&'a self, topology: &'a Topology) -> impl fmt::Display + 'a {
        InWords {
            evidence: self,
            topology: Some(topology),
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        InWords {
            evidence: self,
            topology: None,
        }
        .fmt(f)
    }
}

struct InWords<'a> {
    evidence: &'a Evidence,
    topology: Option<&'a Topology>,
}

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.evidence {
            Evidence::Accused(accusations) => self.accused(f, accusations),
            Evidence::NeverConfirmed { admitted_at } => {
                write!(f, "never confirmed since it was admitted at {admitted_at}")
            }
            Evidence::Lag { versions_behind } => {
                write!(f, "lagged {versions_behind} versions behind")
            }
            Evidence::Dead(proof) => write!(f, "dead: {proof}"),
            Evidence::Operator { reason } => write!(f, "removed by an operator: {reason}"),
            Evidence::AbsentFromRecovery => f.write_str("did not take part in the recovery"),
        }
    }
}

impl InWords<'_> {
    fn accused(&self, f: &mut fmt::Formatter<'_>, accusations: &[Accusation]) -> fmt::Result {
        f.write_str("accused by ")?;
        for (place, accusation) in accusations.iter().enumerate() {
            if place > 0 {
                f.write_str(", ")?;
            }
            match self
                .topology
                .and_then(|topology| topology.member(accusation.observer))
            {
                Some(observer) => write!(f, "{}", observer.name())?,
                None => write!(f, "{}", accusation.observer)?,
            }
            write!(f, " ({} at {})", accusation.kind, accusation.at)?;
        }
        if accusations.is_empty() {
            f.write_str("nobody")?;
        }
        Ok(())
    }
}
