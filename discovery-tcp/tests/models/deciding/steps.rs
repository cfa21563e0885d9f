//! What nodes do in the model of deciding, one function for each kind of step.

use super::{
    Deciding, Entry, MESSAGE, NODES, Nodes, Promise, Role, Run, State, Step, holds, is_majority,
};

type Next = Vec<(Step, State)>;

impl Deciding {
    /// `TAKE`: a member asks for promises under a term above its own promise.
    pub(super) fn ask(&self, state: &State, term: usize, into: &mut Next) {
        let Some(candidate) = self.candidates[term] else {
            return;
        };
        let (version, members) = self.topology_of(state, candidate);
        let node = &state.nodes[candidate];
        if state.terms[term].is_asked || !holds(members, candidate) || term <= node.promised {
            return;
        }
        let mut next = *state;
        next.nodes[candidate].promised = term;
        next.nodes[candidate].role = Role::Candidate(term);
        let asked = &mut next.terms[term];
        asked.is_asked = true;
        asked.version = version;
        asked.asked_at = node.decided;
        into.push((Step::Ask { term }, next));
    }

    /// `TAKE`: a member of the candidate's version promises, with its tail.
    pub(super) fn promises(&self, state: &State, term: usize, node: usize, into: &mut Next) {
        let (asked, it) = (&state.terms[term], &state.nodes[node]);
        let (version, members) = self.topology_of(state, node);
        let is_ahead = it.decided > asked.asked_at;
        if !asked.is_asked
            || term <= it.promised
            || !holds(members, node)
            || version != asked.version
            || (is_ahead && self.rules.promise_behind)
        {
            return;
        }
        let mut next = *state;
        Self::promise(&mut next.nodes[node], term);
        if !asked.is_led {
            next.terms[term].promises[node] = Some(Promise {
                decided: it.decided,
                tail_term: it.tail_term,
                tail: it.tail,
            });
        }
        into.push((Step::Promise { term, node }, next));
    }

    /// `TAKE`: with a majority, the tail of the highest (tail term, end) is proposed again.
    pub(super) fn lead(&self, state: &State, term: usize, into: &mut Next) {
        let Some(candidate) = self.candidates[term] else {
            return;
        };
        if state.nodes[candidate].role != Role::Candidate(term) {
            return;
        }
        let promises = &state.terms[term].promises;
        let promised = (0..NODES)
            .filter(|node| promises[*node].is_some())
            .fold(1 << candidate, |set, node| set | 1 << node);
        // In the version asked for; the same as the candidate's unless `step_down` is off.
        let asked = state.terms[term].version;
        let versions = (0..=state.nodes[candidate].decided).map(|it| self.topology(state, it));
        let members = versions.filter(|it| it.0 == asked).fold(0, |_, it| it.1);
        for with in 1..=promised {
            let is_part = with & !promised == 0 && holds(with, candidate);
            if is_part && is_majority(with, members) {
                into.push((
                    Step::Lead { term, with },
                    self.led(state, term, candidate, with),
                ));
            }
        }
    }

    fn led(&self, state: &State, term: usize, candidate: usize, with: Nodes) -> State {
        let mut next = *state;
        let own = state.nodes[candidate];
        let own_promise = Promise {
            decided: own.decided,
            tail_term: own.tail_term,
            tail: own.tail,
        };
        let best = (0..NODES)
            .filter(|node| holds(with, *node) && *node != candidate)
            .filter_map(|node| state.terms[term].promises[node])
            .chain([own_promise])
            .max_by_key(|it| (it.tail_term, it.decided + it.tail.length))
            .unwrap_or(own_promise);
        // Only a promise of somebody ahead, which `promise_behind` forbids, leaves a gap here.
        let mut run = Run::default();
        let behind = own.decided.saturating_sub(best.decided);
        best.tail
            .slice()
            .iter()
            .skip(behind)
            .for_each(|it| run.push(*it));
        let version = self.topology_of(state, candidate).0;
        let led = &mut next.terms[term];
        led.is_led = true;
        led.promises = [None; NODES];
        led.start = own.decided;
        led.fresh_from = own.decided + run.length;
        led.run = run;
        led.version = version;
        led.version_last = version;
        led.named[..run.length].fill(version);
        if !self.rules.watermark_counted {
            led.watermark = own.decided;
        }
        let node = &mut next.nodes[candidate];
        node.role = Role::Coordinator(term);
        node.tail_term = term;
        if self.rules.whole_tail {
            node.tail = run;
        } else {
            node.tail = Run::default();
            run.slice()
                .iter()
                .take(1)
                .for_each(|it| node.tail.push(*it));
        }
        led.accepted[candidate] = node.tail_end();
        next
    }

    /// `DECIDE-4`: the coordinator proposes at the next position and accepts it itself.
    pub(super) fn propose(&self, state: &State, term: usize, into: &mut Next) {
        let Some(coordinator) = self.candidates[term] else {
            return;
        };
        let (it, led) = (&state.nodes[coordinator], &state.terms[term]);
        let (version, members) = self.topology_of(state, coordinator);
        let position = led.end();
        let Some(change) = self.fresh[term].get(position - led.fresh_from) else {
            return;
        };
        let is_behind_change = it.tail.slice().iter().any(|entry| entry.change != MESSAGE);
        if it.role != Role::Coordinator(term)
            || !holds(members, coordinator)
            || position >= self.places
            || position != it.tail_end()
            || is_behind_change
        {
            return;
        }
        let entry = Entry {
            term,
            change: *change,
        };
        let mut next = *state;
        let led = &mut next.terms[term];
        led.named[led.run.length] = version;
        led.run.push(entry);
        led.accepted[coordinator] = led.end();
        let node = &mut next.nodes[coordinator];
        node.tail_term = term;
        node.tail.push(entry);
        into.push((
            Step::Propose {
                term,
                change: *change,
            },
            next,
        ));
    }

    /// `DECIDE-2`: the first message of a term replaces the tail, by nothing if need be.
    pub(super) fn accept_tail(&self, state: &State, term: usize, node: usize, into: &mut Next) {
        let (led, it) = (&state.terms[term], &state.nodes[node]);
        let (version, members) = self.topology_of(state, node);
        let Some(coordinator) = self.candidates[term] else {
            return;
        };
        if !led.is_led
            || coordinator == node
            || it.tail_term == term
            || term < it.promised
            || !holds(members, node)
            || !(led.version..=led.version_last).contains(&version)
            || (it.decided < led.start && self.rules.knows_before_start)
        {
            return;
        }
        let mut tail = Run::default();
        // Whoever lacks what is before `start` takes nothing and keeps nothing.
        let until = if it.decided < led.start {
            0
        } else {
            led.fresh_from
        };
        for position in it.decided..until {
            let is_proposed = position < led.accepted[coordinator];
            if self.rules.whole_tail || (position == it.decided && is_proposed) {
                tail.push(led.at(position));
            }
        }
        let mut next = *state;
        let taken = &mut next.nodes[node];
        Self::promise(taken, term);
        taken.tail_term = term;
        taken.tail = tail;
        let end = taken.tail_end();
        let accepted = &mut next.terms[term].accepted[node];
        *accepted = end.max(*accepted);
        self.decide_accepted(&mut next, node, members);
        into.push((Step::AcceptTail { term, node }, next));
    }

    /// `DECIDE-2`, `DECIDE-3`: later proposals of the term are appended without gaps.
    pub(super) fn accept(&self, state: &State, term: usize, node: usize, into: &mut Next) {
        let (led, it) = (&state.terms[term], &state.nodes[node]);
        let (version, members) = self.topology_of(state, node);
        let position = it.tail_end();
        let Some(coordinator) = self.candidates[term] else {
            return;
        };
        // A coordinator that takes the whole tail has nothing left to accept here.
        let is_proposed = node == coordinator || position < led.accepted[coordinator];
        if !led.is_led
            || !is_proposed
            || it.tail_term != term
            || term < it.promised
            || !holds(members, node)
            || !(led.start..led.end()).contains(&position)
            || led.named[position - led.start] != version
        {
            return;
        }
        let mut next = *state;
        let taken = &mut next.nodes[node];
        Self::promise(taken, term);
        taken.tail.push(led.at(position));
        next.terms[term].accepted[node] = position + 1;
        self.decide_accepted(&mut next, node, members);
        into.push((Step::Accept { term, node }, next));
    }

    /// `DECIDE-5`: a proposal implies the coordinator's acceptance; with three that is a majority.
    fn decide_accepted(&self, state: &mut State, node: usize, members: Nodes) {
        if !self.rules.own_acceptance_decides || members.count_ones() > 3 {
            return;
        }
        while state.nodes[node].tail.length > 0 && !state.is_split {
            let entry = state.nodes[node].tail.entries[0];
            self.decide(state, node, entry, false);
        }
    }

    /// `DECIDE-5`: the coordinator counts a majority of the acceptors of the next position.
    pub(super) fn count(&self, state: &State, term: usize, into: &mut Next) {
        let Some(coordinator) = self.candidates[term] else {
            return;
        };
        let (it, led) = (&state.nodes[coordinator], &state.terms[term]);
        let (version, members) = self.topology_of(state, coordinator);
        let position = it.decided;
        if it.role != Role::Coordinator(term)
            || !(led.start..led.end()).contains(&position)
            || led.named[position - led.start] != version
        {
            return;
        }
        let accepted = (0..NODES).filter(|node| led.accepted[*node] > position);
        if !is_majority(accepted.fold(0, |set, node| set | 1 << node), members) {
            return;
        }
        let mut next = *state;
        next.terms[term].watermark = position + 1;
        let is_own = position >= led.fresh_from;
        self.decide(&mut next, coordinator, led.at(position), is_own);
        into.push((Step::Count { term }, next));
    }

    /// `DECIDE-6`: an acceptor delivers its own tail up to a watermark of the tail's term.
    pub(super) fn deliver(&self, state: &State, term: usize, node: usize, into: &mut Next) {
        let it = &state.nodes[node];
        let is_own_term = it.tail_term == term || !self.rules.watermark_term;
        if state.terms[term].watermark <= it.decided || it.tail.length == 0 || !is_own_term {
            return;
        }
        let mut next = *state;
        self.decide(&mut next, node, it.tail.entries[0], false);
        into.push((Step::Deliver { term, node }, next));
    }

    /// `DECIDE-7`: the next decided entry, from whoever has it, a change with its term.
    pub(super) fn learn(&self, state: &State, node: usize, into: &mut Next) {
        let position = state.nodes[node].decided;
        if position < state.log.length {
            let mut next = *state;
            self.decide(&mut next, node, state.log.entries[position], false);
            Self::accept_learned(&mut next, node);
            into.push((Step::Learn { node }, next));
        }
    }

    /// An acceptor says how far it accepted under its tail's term; what it has decided counts.
    fn accept_learned(state: &mut State, node: usize) {
        let it = &state.nodes[node];
        let (term, end) = (it.tail_term, it.tail_end());
        if term != 0 && term >= it.promised {
            let accepted = &mut state.terms[term].accepted[node];
            *accepted = end.max(*accepted);
        }
    }
}
