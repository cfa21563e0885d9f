//! What a check says: where, how grave, and what to do about it.

use std::fmt;

/// How grave a remark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// Fails the command.
    Fault,
    /// Is shown.
    Warning,
}

/// One thing that a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remark {
    pub(super) place: String,
    pub(super) weight: Weight,
    pub(super) what: String,
}

impl Remark {
    pub(super) fn fault(place: impl fmt::Display, what: impl Into<String>) -> Self {
        Self {
            place: place.to_string(),
            weight: Weight::Fault,
            what: what.into(),
        }
    }

    pub(super) fn warning(place: impl fmt::Display, what: impl Into<String>) -> Self {
        Self {
            weight: Weight::Warning,
            ..Self::fault(place, what)
        }
    }
}
