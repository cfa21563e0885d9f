//! The ring: the protocol as a passive state machine. One input door, one output queue, one
//! deadline query; no clock, no sockets, no failure.

mod input;
mod output;

pub use input::{DialFailure, Input, LinkId};
pub use output::{Notice, Output};

use std::collections::VecDeque;

use discovery_core::{NodeInfo, UnixMillis};

use crate::config::RingConfig;
use crate::moment::Moment;

/// What a ring starts with, besides its configuration.
#[derive(Clone, Debug)]
pub struct Start {
    /// The local node; its node id is replaced by one drawn from the seed.
    pub node: NodeInfo,
    /// The wall time at [`Moment::START`].
    pub wall: UnixMillis,
    /// Where all chance comes from.
    pub seed: [u8; 32],
    /// Whether the finder can feed a census.
    pub authoritative: bool,
}

/// One node's part in the protocol.
#[derive(Debug)]
pub struct Ring {
    outputs: VecDeque<Output>,
}

impl Ring {
    /// A newcomer that has done nothing yet; its first outputs are there at once.
    pub fn new(_config: RingConfig, _start: Start) -> Self {
        Self {
            outputs: VecDeque::new(),
        }
    }

    /// Takes one input. `now` never goes back.
    pub fn handle(&mut self, _now: Moment, _input: Input) {}

    /// The next thing to be done, if any.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Deadline`] is due, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Moment> {
        None
    }
}
