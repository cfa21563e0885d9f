//! One process: its body (a ring, or a script that plays one), what waits to be told to it, and
//! what its host knows of it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::api::FinderView;
use super::network::{ConnectionId, Side};
use super::platform::PodId;
use crate::Moment;
use crate::ring::{Input, LinkId, Output, Ring};

/// One process of a run; a container that starts again is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessId(pub(crate) u32);

/// What plays a process that is no ring: something that hangs, talks nonsense, or a test's own.
pub trait Script: fmt::Debug {
    /// What is to be done when the process starts.
    fn start(&mut self) -> Vec<Output> {
        Vec::new()
    }

    /// Takes one input and says what is to be done. `now` counts from the start of the process.
    fn handle(&mut self, now: Moment, input: Input) -> Vec<Output>;
}

/// A process that accepts whatever comes and never answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hung;

impl Script for Hung {
    fn handle(&mut self, _now: Moment, _input: Input) -> Vec<Output> {
        Vec::new()
    }
}

/// A process that closes every link at once, as a port of something else does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Closing;

impl Script for Closing {
    fn handle(&mut self, _now: Moment, input: Input) -> Vec<Output> {
        match input {
            Input::LinkAccepted { link, .. } => vec![Output::CloseLink {
                link,
                reason: crate::message::CloseReason::NoGreeting,
            }],
            _ => Vec::new(),
        }
    }
}

#[derive(Debug)]
pub(crate) enum Body {
    Ring(Box<Ring>),
    Script(Box<dyn Script>),
}

/// Why a process is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// It was killed, or crashed.
    Killed,
    /// Its machine was lost with it.
    MachineLost,
    /// It left and stopped by itself.
    Stopped,
}

/// One process, running or over.
#[derive(Debug)]
pub struct Process {
    pub(crate) id: ProcessId,
    pub(crate) pod: PodId,
    pub(crate) label: Arc<str>,
    pub(crate) cluster_name: Arc<str>,
    pub(crate) started: Moment,
    pub(crate) body: Body,
    pub(crate) over: Option<Over>,
    pub(crate) paused: u32,
    /// It can open no socket.
    pub(crate) is_out_of_sockets: bool,
    /// How long it takes over each input.
    pub(crate) pace: Duration,
    pub(crate) busy_until: Moment,
    pub(crate) inbox: VecDeque<Input>,
    pub(crate) links: BTreeMap<LinkId, (ConnectionId, Side)>,
    pub(crate) next_link: u64,
    pub(crate) wake: Option<Moment>,
    pub(crate) finder: FinderView,
    pub(crate) has_left: bool,
    pub(crate) next_request: u64,
    /// When the last pause ended; until then it was not itself.
    pub(crate) disturbed: Moment,
}

impl Process {
    pub(crate) fn new(
        (id, pod): (ProcessId, PodId),
        (label, cluster_name): (Arc<str>, Arc<str>),
        started: Moment,
        body: Body,
    ) -> Self {
        Self {
            id,
            pod,
            label,
            cluster_name,
            started,
            body,
            over: None,
            paused: 0,
            is_out_of_sockets: false,
            pace: Duration::ZERO,
            busy_until: started,
            inbox: VecDeque::new(),
            links: BTreeMap::new(),
            next_link: 1,
            wake: None,
            finder: FinderView::default(),
            has_left: false,
            next_request: 0,
            disturbed: started,
        }
    }

    /// Which process of the run this is.
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// The pod it runs in.
    pub fn pod(&self) -> PodId {
        self.pod
    }

    /// Its name for people: the pod's name and which run of it this is.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// When it started.
    pub fn started(&self) -> Moment {
        self.started
    }

    /// Whether it has not ended.
    pub fn is_alive(&self) -> bool {
        self.over.is_none()
    }

    /// Why it is over, if it is.
    pub fn over(&self) -> Option<Over> {
        self.over
    }

    /// Whether it is held, its inputs queueing up.
    pub fn is_paused(&self) -> bool {
        self.paused > 0
    }

    /// Whether it is paused or slow.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.paused > 0 || !self.pace.is_zero()
    }

    /// Its ring, unless a script plays it; it may be looked at after its end.
    pub fn ring(&self) -> Option<&Ring> {
        match &self.body {
            Body::Ring(ring) => Some(ring),
            Body::Script(_) => None,
        }
    }

    /// Its ring, if the process runs.
    pub fn live_ring(&self) -> Option<&Ring> {
        self.ring().filter(|_| self.is_alive())
    }

    /// A moment of the run as the process counts it.
    pub(crate) fn local(&self, now: Moment) -> Moment {
        Moment::from_nanos(now.as_nanos().saturating_sub(self.started.as_nanos()))
    }

    /// A moment as the process counts it, in the run.
    pub(crate) fn global(&self, local: Moment) -> Moment {
        Moment::from_nanos(local.as_nanos().saturating_add(self.started.as_nanos()))
    }

    pub(crate) fn draw_link(&mut self) -> LinkId {
        let link = LinkId(self.next_link);
        self.next_link += 2;
        link
    }
}
