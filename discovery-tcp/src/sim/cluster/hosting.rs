//! What a driver does, in virtual time: tells a ring what happens to it, does what it asks for,
//! calls it at its deadline, and is late where its process is paused or slow.

use std::sync::Arc;

use super::{Cluster, Fate, INBOX_MAX, Passing, Told};
use crate::message::Message;
use crate::ring::{Input, LinkId, Notice, Output};
use crate::sim::invariants::{Fact, Violation};
use crate::sim::network::Ending;
use crate::sim::process::{Body, Over, ProcessId};
use crate::sim::schedule::{Event, Question};
use crate::sim::{seen, trace};

impl Cluster {
    /// Tells a process, or leaves it in its inbox while it is paused or busy.
    pub(super) fn tell(&mut self, id: ProcessId, input: Input) {
        let now = self.now();
        let process = &mut self.processes[id.0 as usize];
        if !process.is_alive() {
            return;
        }
        if process.paused == 0 && process.inbox.is_empty() && now >= process.busy_until {
            self.handle(id, input);
            return;
        }
        if process.inbox.len() >= INBOX_MAX {
            if let Input::Received { link, .. } = input
                && let Some((connection, _)) = process.links.get(&link).copied()
            {
                use crate::sim::network::Side;
                let told = [Side::Dialler, Side::Acceptor];
                self.network.break_up(&mut self.schedule, connection, &told);
            }
            return;
        }
        let is_first = process.inbox.is_empty();
        process.inbox.push_back(input);
        if is_first && process.paused == 0 {
            let at = process.busy_until;
            self.schedule.at(at, Event::Free(id));
        }
    }

    /// A busy process takes its next input.
    pub(super) fn free(&mut self, id: ProcessId) {
        let now = self.now();
        let process = &mut self.processes[id.0 as usize];
        if !process.is_alive() || process.paused > 0 || now < process.busy_until {
            return;
        }
        let Some(input) = process.inbox.pop_front() else {
            return;
        };
        self.handle(id, input);
        let process = &self.processes[id.0 as usize];
        if !process.inbox.is_empty() {
            let at = process.busy_until;
            self.schedule.at(at, Event::Free(id));
        }
    }

    /// A moment has come at which a process wanted to be called.
    pub(super) fn wake(&mut self, id: ProcessId) {
        let now = self.now();
        let process = &mut self.processes[id.0 as usize];
        if process.wake.is_none_or(|wake| wake > now) || !process.is_alive() {
            return;
        }
        process.wake = None;
        if process.paused > 0 {
            return;
        }
        let Some(due) = process.live_ring().and_then(seen::next_deadline) else {
            return;
        };
        if process.global(due) > now {
            self.rearm(id);
        } else {
            self.watch_progress();
            self.tell(id, Input::Deadline);
        }
    }

    /// Sees to it that a process is called at its deadline.
    pub(super) fn rearm(&mut self, id: ProcessId) {
        let process = &mut self.processes[id.0 as usize];
        let Some(due) = process.live_ring().and_then(seen::next_deadline) else {
            return;
        };
        let due = process.global(due);
        if process.wake.is_none_or(|wake| due < wake) {
            process.wake = Some(due);
            self.schedule.at(due, Event::Wake(id));
        }
    }

    fn handle(&mut self, id: ProcessId, input: Input) {
        let now = self.now();
        let process = &mut self.processes[id.0 as usize];
        let label = Arc::clone(&process.label);
        self.trace.line(now, &label, || trace::of_input(&input));
        let local = process.local(now);
        process.busy_until = now + process.pace;
        self.take_signs_of_life(id, &input);
        let mut outputs = std::mem::take(&mut self.scratch);
        match &mut self.processes[id.0 as usize].body {
            Body::Ring(ring) => {
                ring.handle(local, input);
                while let Some(output) = ring.poll_output() {
                    outputs.push(output);
                }
            }
            Body::Script(script) => outputs.extend(script.handle(local, input)),
        }
        self.scratch = self.after_handling(id, outputs);
    }

    /// Looks at what a ring did, does what it asks for, and arms its deadline.
    pub(super) fn after_handling(
        &mut self,
        id: ProcessId,
        mut outputs: Vec<Output>,
    ) -> Vec<Output> {
        self.look_at(id);
        for output in outputs.drain(..) {
            self.perform(id, output);
        }
        self.check(&Fact::Handled);
        self.rearm(id);
        outputs
    }

    fn look_at(&mut self, id: ProcessId) {
        if !self.is_checked || !self.asks_the_core {
            return;
        }
        let ring = self.processes[id.0 as usize].ring();
        if let Some(Err(what)) = ring.map(seen::check) {
            let label = Arc::clone(&self.processes[id.0 as usize].label);
            self.violated(Violation::new("check", format!("{label}: {what}")));
        }
    }

    fn perform(&mut self, id: ProcessId, output: Output) {
        let now = self.now();
        let process = &mut self.processes[id.0 as usize];
        if !process.is_alive() || self.violation.is_some() {
            return;
        }
        let label = Arc::clone(&process.label);
        self.trace.line(now, &label, || trace::of_output(&output));
        match output {
            Output::OpenLink { link, to } => {
                let (pod, timeout) = (process.pod, self.config.dial_timeout);
                let who = (id, pod, link);
                let dialled = if process.is_out_of_sockets {
                    self.network.dial_in_vain(&mut self.schedule, who, to)
                } else {
                    self.network.dial(&mut self.schedule, who, to, timeout)
                };
                let way = (dialled, super::Side::Dialler);
                self.processes[id.0 as usize].links.insert(link, way);
                self.coverage.dials += 1;
            }
            Output::CloseLink { link, .. } => {
                if let Some(way) = process.links.remove(&link) {
                    self.network.close(&mut self.schedule, way);
                }
            }
            Output::Send { link, message } => self.send(id, link, message),
            Output::WatchSeeds(wanted) => {
                process.finder.wants_watch = wanted;
                if wanted {
                    self.seeds_due(id);
                }
            }
            Output::AskListing { round } => {
                self.coverage.listings += 1;
                self.ask_store(id, Question::Listing(round));
            }
            Output::AskPod { question, pod } => {
                self.ask_store(id, Question::Pod(question, Box::new(pod)));
            }
            Output::Emit(notice) => self.noticed(id, &notice),
            Output::Observed(observation) => {
                self.coverage.observed(&observation);
                self.check(&Fact::Observed(id, &observation));
            }
        }
    }

    fn ask_store(&mut self, id: ProcessId, question: Question) {
        let there = self.chance.span(self.platform.climate.api_delay);
        self.schedule.after(there, Event::StoreRead(id, question));
    }

    /// The finder of a process tells soon what it sees.
    pub(super) fn seeds_due(&mut self, id: ProcessId) {
        let lag = self.chance.span(self.platform.climate.watch_lag);
        let finder = &mut self.processes[id.0 as usize].finder;
        if finder.wants_watch && !finder.is_due {
            finder.is_due = true;
            self.schedule.after(lag, Event::SeedsDue(id));
        }
    }

    fn send(&mut self, id: ProcessId, link: LinkId, message: Arc<Message>) {
        let Some(way) = self.processes[id.0 as usize].links.get(&link).copied() else {
            return;
        };
        if let Some(mut interceptor) = self.interceptor.take() {
            let (to, _) = self.network.other_end(way.0, way.1);
            let fate = interceptor(&Passing {
                now: self.now(),
                from: &self.processes[id.0 as usize],
                to: &self.processes[to.0 as usize],
                message: &message,
            });
            self.interceptor = Some(interceptor);
            match fate {
                Fate::Pass => {}
                Fate::Lose => {
                    self.trace
                        .note(self.schedule.now(), || "    lost".to_owned());
                    return;
                }
                Fate::Late(longer) => self.network.linger(self.schedule.now(), way, longer),
            }
        }
        self.network.send(&mut self.schedule, way, message);
    }

    fn noticed(&mut self, id: ProcessId, notice: &Notice) {
        self.coverage.noticed(notice);
        self.check(&Fact::Notice(id, notice));
        if self.trace.is_on() {
            self.told.push(Told {
                at: self.schedule.now(),
                process: id,
                notice: notice.clone(),
            });
        }
        if matches!(notice, Notice::Left(_)) {
            self.processes[id.0 as usize].has_left = true;
            self.end_process(id, Over::Stopped, Ending::Closed);
        }
    }

    /// A sign of life counts when it is taken in, not when it arrives.
    fn take_signs_of_life(&mut self, by: ProcessId, input: &Input) {
        if let Input::Received { link, message } = input
            && matches!(message, Message::Heartbeat(_))
            && let Some((connection, side)) = self.processes[by.0 as usize].links.get(link)
        {
            let (from, _) = self.network.other_end(*connection, *side);
            self.check(&Fact::Heard { by, from });
        }
    }
}
