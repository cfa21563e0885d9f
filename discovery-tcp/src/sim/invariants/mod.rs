//! The promises, one small checker each, fed with everything that shows and with what rings tell of
//! themselves. They know what really happens; rings do not.
//!
//! | promise | clauses | file |
//! |---|---|---|
//! | P1 agreement | DECIDE, TAKE, RECOVER | `agreement` |
//! | P2 order | DECIDE, SNAP | `order` |
//! | P3 quorum | DECIDE-5, RECOVER-4 | `quorum` |
//! | P4 no silence | FORM, JOIN, ANSWER | `formation` |
//! | P5 incarnation | JOIN, STAND | `incarnation` |
//! | P6 exactly once | DECIDE, SNAP | `exactly_once` (at most once), `completeness` (once) |
//! | P8 stability | CUT | `stability` (what must not be removed), `removal` (what must) |
//! | P9 fencing | FORM-5, RECOVER-4 | `fencing` |
//!
//! P7 is judged once all faults are lifted, in `liveness`. `chronicle` keeps what several of them
//! need: which topologies there were, and who accepted what.

mod agreement;
mod chronicle;
mod completeness;
mod exactly_once;
mod fencing;
mod formation;
mod incarnation;
mod order;
mod quorum;
mod removal;
mod stability;

use std::fmt;
use std::sync::Arc;

use chronicle::Chronicle;

use super::network::Network;
use super::platform::Platform;
use super::process::{Process, ProcessId};
use super::seen::Observation;
use crate::Moment;
use crate::config::RingConfig;
use crate::ring::Notice;

/// One thing that happened.
#[derive(Debug)]
pub(crate) enum Fact<'a> {
    /// An application was told.
    Notice(ProcessId, &'a Notice),
    /// A ring tells of itself.
    Observed(ProcessId, &'a Observation),
    /// An application publishes.
    Publishes(ProcessId, u64, Arc<[u8]>),
    /// A sign of life was taken in.
    Heard { by: ProcessId, from: ProcessId },
    /// A link between two was lost, or could not be opened.
    Estranged { by: ProcessId, of: ProcessId },
    /// A ring took an input.
    Handled,
    /// A process is over.
    Over,
    /// A fault was done or lifted.
    Disturbed,
}

/// What a checker may look at.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) now: Moment,
    pub(crate) processes: &'a [Process],
    pub(crate) platform: &'a Platform,
    pub(crate) network: &'a Network,
}

impl View<'_> {
    fn process(&self, id: ProcessId) -> &Process {
        &self.processes[id.0 as usize]
    }
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    promise: &'static str,
    what: String,
}

impl Violation {
    pub(crate) fn new(promise: &'static str, what: String) -> Self {
        Self { promise, what }
    }

    /// Which: `P1` to `P9`, `check` for the core's own, `progress` for a ring that never rests.
    pub fn promise(&self) -> &'static str {
        self.promise
    }

    /// What happened.
    pub fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BROKEN {}: {}", self.promise, self.what)
    }
}

/// One promise.
trait Invariant: fmt::Debug {
    /// Its short name.
    fn promise(&self) -> &'static str;

    /// Judges one fact. The chronicle holds it already.
    fn on(&mut self, fact: &Fact<'_>, chronicle: &Chronicle, view: &View<'_>)
    -> Result<(), String>;
}

/// All checkers of a run.
#[derive(Debug)]
pub(crate) struct Checkers {
    chronicle: Chronicle,
    all: Vec<Box<dyn Invariant>>,
}

impl Checkers {
    pub(crate) fn new(config: &RingConfig, clocks_agree: bool) -> Self {
        Self {
            // Without a quorum both sides of a partition go on, as if an operator had forced them.
            chronicle: Chronicle::new(config.quorum == crate::Quorum::None),
            all: vec![
                Box::new(agreement::Agreement),
                Box::new(fencing::Fencing::new(config, clocks_agree)),
                Box::new(order::Order::default()),
                Box::new(quorum::Quorum::new(config)),
                Box::new(formation::FormsOnce::new(config)),
                Box::new(incarnation::Incarnation),
                Box::new(exactly_once::ExactlyOnce::default()),
                Box::new(completeness::Completeness::default()),
                Box::new(stability::Stability::new(config)),
                Box::new(removal::Removal::new(config)),
            ],
        }
    }

    /// From now on another cluster may stand beside the first, on an operator's word.
    pub(crate) fn recovery_is_forced(&mut self) {
        self.chronicle.is_forced = true;
    }

    /// Publications without an answer.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = (ProcessId, u64)> {
        self.chronicle.waiting.iter().copied()
    }

    /// Shows a fact to every checker; the first that objects is heard.
    pub(crate) fn on(&mut self, fact: &Fact<'_>, view: &View<'_>) -> Result<(), Violation> {
        self.chronicle.on(fact);
        for checker in &mut self.all {
            if let Err(what) = checker.on(fact, &self.chronicle, view) {
                return Err(Violation::new(checker.promise(), what));
            }
        }
        Ok(())
    }
}
