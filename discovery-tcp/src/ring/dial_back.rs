//! Dialling on the coordinator's behalf (JOIN, CUT-8): a member is asked whether it reaches a
//! joiner, or a subject that nobody healthy watches, and says what it found.

use std::collections::BTreeMap;

use discovery_core::NodeId;

use super::links::{Link, Purpose};
use super::{Life, Ring};
use crate::message::{DialBack, DialBackResult, Message};

/// Most dials on behalf of others at a time; further ones push out the oldest.
const ERRANDS_MAX: usize = 256;

/// Dials on behalf of the coordinator, by this node's own numbers.
#[derive(Debug, Default)]
pub(super) struct Errands {
    last: u64,
    open: BTreeMap<u64, Errand>,
}

/// Who asked for a dial, under which number, and whom it must meet.
#[derive(Clone, Copy, Debug)]
struct Errand {
    asker: NodeId,
    request: u64,
    node: NodeId,
}

impl Errands {
    fn take(&mut self, errand: Errand) -> u64 {
        self.last += 1;
        self.open.insert(self.last, errand);
        while self.open.len() > ERRANDS_MAX {
            self.open.pop_first();
        }
        self.last
    }

    fn done(&mut self, number: u64) -> Option<Errand> {
        self.open.remove(&number)
    }
}

impl Ring {
    /// The coordinator asks for a dial; a link that was dialled before is as good.
    pub(super) fn on_dial_back(&mut self, from: NodeId, ask: &DialBack) {
        match &self.life {
            Life::Member(_) => {}
            Life::Newcomer(_) | Life::Over => return,
        }
        let dialled = |link: &Link| {
            link.dialled.is_some_and(|to| ask.addresses.contains(&to))
                && link
                    .other_end()
                    .is_some_and(|end| end.node.id() == ask.node)
        };
        let errand = Errand {
            asker: from,
            request: ask.request,
            node: ask.node,
        };
        if self.fx.links.iter().any(|(_, link)| dialled(link)) {
            self.report(errand, true);
            return;
        }
        let Some(to) = ask.addresses.first() else {
            return;
        };
        let number = self.errands.take(errand);
        if self.fx.dial(*to, Purpose::DialBack(number)).is_none() {
            self.dial_back_not_tried(number);
        }
    }

    /// This node has no means to dial: it says nothing, for it knows nothing (CUT-6). The asker
    /// does not wait for it for ever.
    pub(super) fn dial_back_not_tried(&mut self, number: u64) {
        self.errands.done(number);
    }

    /// A dial on the coordinator's behalf has ended: with this node at the other end, or nobody.
    pub(super) fn dial_back_done(&mut self, number: u64, met: Option<NodeId>) {
        if let Some(errand) = self.errands.done(number) {
            self.report(errand, met == Some(errand.node));
        }
    }

    fn report(&mut self, errand: Errand, reached: bool) {
        let result = DialBackResult {
            request: errand.request,
            reached,
        };
        self.fx
            .send_to(errand.asker, Message::DialBackResult(result));
    }

    /// What a member found is of a joiner, or else of a subject in doubt.
    pub(super) fn on_dial_back_result(&mut self, from: NodeId, result: DialBackResult) {
        let Life::Member(m) = &mut self.life else {
            return;
        };
        let Some(lead) = &mut m.lead else {
            return;
        };
        match lead.admission.dialled_back(from, result) {
            Some(joiner) if result.reached => self.look_after_joiner(joiner),
            Some(joiner) => self.joiner_unreachable(joiner, from),
            None => self.probe_result(from, result),
        }
    }
}
