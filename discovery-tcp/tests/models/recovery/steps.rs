//! What members do in the model of recovery, one function for each kind of step.

use super::{
    ALL, Entry, Kind, MESSAGE, NODES, Nodes, PLACES, Promise, Recovery, Role, Run, State, Step,
    holds, is_majority,
};

type Next = Vec<(Step, State)>;

impl Recovery {
    pub(super) fn write_or_die(&self, state: &State, into: &mut Next) {
        if state.version < self.version_max {
            let mut next = *state;
            next.version += 1;
            into.push((Step::Write, next));
        }
        for node in 0..NODES {
            let may_die = holds(self.may_die, node) && state.deaths < self.deaths_max;
            if may_die && !state.nodes[node].is_gone {
                let mut next = *state;
                next.deaths += 1;
                next.nodes[node].is_gone = true;
                next.nodes[node].role = Role::Acceptor;
                into.push((Step::Die { node }, next));
            }
        }
    }

    /// `TAKE-2`, `RECOVER-1`, `RECOVER-5`: a recovery lists first, and answers itself.
    pub(super) fn ask(
        &self,
        state: &State,
        term: usize,
        candidate: usize,
        kind: Kind,
        into: &mut Next,
    ) {
        let node = &state.nodes[candidate];
        if state.terms[term].is_asked || !node.is_member(candidate) || term <= node.promised {
            return;
        }
        let topology = node.topology();
        let mut next = *state;
        let it = &mut next.nodes[candidate];
        it.promise(term);
        it.role = Role::Candidate(term);
        let asked = &mut next.terms[term];
        asked.is_asked = true;
        asked.topology = topology;
        asked.asked_at = node.decided.length;
        if kind == Kind::Recover {
            let is_answered = node.kept >= state.version;
            if state.version <= topology.epoch || (is_answered && self.rules.strict) {
                return;
            }
            asked.version = state.version;
            asked.listed = !state.gone() & ALL;
            it.answer(state.version, state.gone());
        }
        let version = asked.version;
        into.push((Step::Ask { term, version }, next));
    }

    /// `RECOVER-2`, `TAKE-3`: who is no member there grants, a member promises.
    pub(super) fn answers(&self, state: &State, term: usize, node: usize, into: &mut Next) {
        let (asked, it) = (&state.terms[term], &state.nodes[node]);
        let version = asked.version;
        let is_refused = version > 0 && it.kept > version;
        if !asked.is_asked || it.is_gone || is_refused {
            return;
        }
        let mut next = *state;
        if version > 0 && self.rules.promisers_filter {
            next.nodes[node].answer(version, state.gone());
        }
        if !holds(asked.topology.members, node) {
            let is_stale = it.topology().version < asked.topology.version;
            if version > 0 && is_stale && !holds(asked.granted, node) {
                next.nodes[node].answer(version, state.gone());
                next.terms[term].granted |= 1 << node;
                into.push((Step::Grant { term, node }, next));
            }
            return;
        }
        let is_behind = it.decided.length <= asked.asked_at;
        if term <= it.promised || it.topology() != asked.topology || !is_behind {
            return;
        }
        next.nodes[node].promise(term);
        if !asked.is_led {
            next.terms[term].promises[node] = Some(Promise {
                decided: it.decided.length,
                tail_term: it.tail_term,
                tail: it.tail,
            });
        }
        into.push((Step::Promise { term, node }, next));
    }

    /// `TAKE-5`, `RECOVER-4`, `RECOVER-6`
    pub(super) fn lead(
        &self,
        state: &State,
        term: usize,
        candidate: usize,
        kind: Kind,
        into: &mut Next,
    ) {
        let asked = &state.terms[term];
        if state.nodes[candidate].role != Role::Candidate(term) {
            return;
        }
        let members = asked.topology.members;
        let promised = (0..NODES).filter(|node| asked.promises[*node].is_some());
        let with = promised.fold(1 << candidate, |set, node| set | 1 << node);
        let is_complete = match kind {
            Kind::TakeOver => is_majority(with, members),
            Kind::Recover => {
                let dead = state.gone();
                let excused = if self.rules.answer_overrides {
                    0
                } else {
                    self.falsely_dead
                };
                let silent = asked.listed & !with & !asked.granted & !excused;
                let is_answered = silent == 0 || (!self.rules.listed_answer && silent & !dead == 0);
                members & !with & !dead & !excused == 0 && is_answered
            }
        };
        if is_complete {
            into.push((
                Step::Lead { term, with },
                self.led(state, term, candidate, kind, with),
            ));
        }
    }

    fn led(&self, state: &State, term: usize, candidate: usize, kind: Kind, with: Nodes) -> State {
        let own = state.nodes[candidate];
        let own_promise = Promise {
            decided: own.decided.length,
            tail_term: own.tail_term,
            tail: own.tail,
        };
        let promises = state.terms[term].promises.iter().flatten();
        let best = promises
            .chain([&own_promise])
            .max_by_key(|it| (it.tail_term, it.decided + it.tail.length))
            .unwrap_or(&own_promise);
        let mut next = *state;
        let led = &mut next.terms[term];
        let mut run = Run::default();
        if kind == Kind::Recover {
            led.quorum = with;
        }
        if kind == Kind::TakeOver || !self.rules.epoch_first {
            let behind = own.decided.length.saturating_sub(best.decided);
            let tail = best.tail.slice().iter().skip(behind);
            tail.for_each(|it| run.push(*it));
        } else if self.rules.epoch_whole {
            led.opening(term).into_iter().for_each(|it| run.push(it));
        }
        led.is_led = true;
        led.promises = [None; NODES];
        led.granted = 0;
        led.start = own.decided.length;
        led.fresh_from = led.start + run.length;
        led.run = run;
        led.named[..run.length].fill(own.topology());
        led.accepted[candidate] = led.fresh_from;
        let node = &mut next.nodes[candidate];
        node.role = Role::Coordinator(term);
        node.tail_term = term;
        node.tail = run;
        next
    }

    /// `DECIDE-4`, `RECOVER-6`: the first proposal of a recovery opens its epoch.
    pub(super) fn propose(&self, state: &State, term: usize, coordinator: usize, into: &mut Next) {
        let (it, led) = (&state.nodes[coordinator], &state.terms[term]);
        let topology = it.topology();
        let position = led.end();
        let is_behind_change = it.tail.slice().iter().any(|entry| entry.change != MESSAGE);
        let is_next = position == it.tail_end() && position < PLACES;
        if it.role != Role::Coordinator(term) || is_behind_change || !is_next {
            return;
        }
        let opening = led.opening(term);
        let is_open = opening.is_none_or(|it| led.run.slice().contains(&it));
        let fresh = &led.run.entries[led.fresh_from - led.start..];
        let own = fresh.iter().filter(|it| it.term == term && it.epoch == 0);
        let change = self.fresh[term].get(own.count());
        let entry = match (opening, change) {
            (Some(opening), _) if !is_open => opening,
            (_, Some(change)) => Entry {
                term,
                change: *change,
                epoch: 0,
            },
            (_, None) => return,
        };
        let mut next = *state;
        let led = &mut next.terms[term];
        led.named[led.run.length] = topology;
        led.run.push(entry);
        led.accepted[coordinator] = led.end();
        let node = &mut next.nodes[coordinator];
        node.tail_term = term;
        node.tail.push(entry);
        let change = entry.change;
        into.push((Step::Propose { term, change }, next));
    }

    fn may_accept(&self, state: &State, term: usize, node: usize) -> bool {
        let (led, it) = (&state.terms[term], &state.nodes[node]);
        let sender = self.candidates[term].map_or(node, |it| it.0);
        led.is_led
            && term >= it.promised
            && it.is_member(node)
            && it.takes(it.topology().epoch, sender)
    }

    /// `DECIDE-2`: the first message of a term replaces the tail, by nothing if need be.
    pub(super) fn accept_tail(&self, state: &State, term: usize, node: usize, into: &mut Next) {
        let (led, it) = (&state.terms[term], &state.nodes[node]);
        let decided = it.decided.length;
        let topology = it.topology();
        let is_named = topology == led.topology || led.named.contains(&topology);
        // `RECOVER-6`: who knows more than the recoverer does not accept.
        let is_ahead = topology == led.topology && decided > led.start;
        if !self.may_accept(state, term, node)
            || it.tail_term == term
            || !is_named
            || decided < led.start
            || (is_ahead && led.opening(term).is_some())
        {
            return;
        }
        let mut next = *state;
        let taken = &mut next.nodes[node];
        taken.promise(term);
        taken.tail_term = term;
        taken.tail = Run::default();
        for position in decided..led.fresh_from {
            taken.tail.push(led.at(position));
        }
        let end = taken.tail_end();
        let accepted = &mut next.terms[term].accepted[node];
        *accepted = end.max(*accepted);
        self.decide_accepted(&mut next, node, term);
        into.push((Step::AcceptTail { term, node }, next));
    }

    /// `DECIDE-2`, `DECIDE-3`: later proposals of the term are appended without gaps.
    pub(super) fn accept(&self, state: &State, term: usize, node: usize, into: &mut Next) {
        let (led, it) = (&state.terms[term], &state.nodes[node]);
        let position = it.tail_end();
        if !self.may_accept(state, term, node)
            || it.tail_term != term
            || !(led.start..led.end()).contains(&position)
            || led.named[position - led.start] != it.topology()
        {
            return;
        }
        let mut next = *state;
        let taken = &mut next.nodes[node];
        taken.promise(term);
        taken.tail.push(led.at(position));
        next.terms[term].accepted[node] = position + 1;
        self.decide_accepted(&mut next, node, term);
        into.push((Step::Accept { term, node }, next));
    }

    /// `DECIDE-5`: not what a recovery proposes in its old topology.
    fn decide_accepted(&self, state: &mut State, node: usize, term: usize) {
        let is_recovery = |state: &State| {
            let led = &state.terms[term];
            led.quorum != 0 && led.topology == state.nodes[node].topology()
        };
        while self.rules.own_acceptance_decides
            && state.nodes[node].tail.length > 0
            && !is_recovery(state)
        {
            let entry = state.nodes[node].tail.entries[0];
            state.decide(node, entry, false);
        }
    }

    /// `DECIDE-5`, `RECOVER-6`: a majority, or all who promised.
    pub(super) fn count(state: &State, term: usize, coordinator: usize, into: &mut Next) {
        let (it, led) = (&state.nodes[coordinator], &state.terms[term]);
        let topology = it.topology();
        let position = it.decided.length;
        if it.role != Role::Coordinator(term)
            || !(led.start..led.end()).contains(&position)
            || led.named[position - led.start] != topology
        {
            return;
        }
        let accepted = (0..NODES).filter(|node| led.accepted[*node] > position);
        let accepted: Nodes = accepted.fold(0, |set, node| set | 1 << node);
        let is_decided = if led.quorum != 0 && topology == led.topology {
            led.quorum & !accepted == 0
        } else {
            is_majority(accepted, topology.members)
        };
        if is_decided {
            let mut next = *state;
            next.terms[term].watermark = position + 1;
            let entry = led.at(position);
            let is_own = position >= led.fresh_from || led.opening(term) == Some(entry);
            next.decide(coordinator, entry, is_own);
            into.push((Step::Count { term }, next));
        }
    }

    /// `DECIDE-6`
    pub(super) fn deliver(&self, state: &State, term: usize, node: usize, into: &mut Next) {
        let (it, led) = (&state.nodes[node], &state.terms[term]);
        let sender = self.candidates[term].map_or(node, |it| it.0);
        if !it.is_gone
            && it.tail_term == term
            && it.tail.length > 0
            && led.watermark > it.decided.length
            && it.takes(it.topology().epoch, sender)
        {
            let mut next = *state;
            next.decide(node, it.tail.entries[0], false);
            into.push((Step::Deliver { term, node }, next));
        }
    }

    /// `SNAP-4`, `ANSWER-3`: the next decided entry, also from the dead, if it may be taken.
    pub(super) fn learn(state: &State, node: usize, into: &mut Next) {
        let it = &state.nodes[node];
        if it.is_gone {
            return;
        }
        for (from, known) in state.nodes.iter().enumerate() {
            let position = it.decided.length;
            if known.decided.length <= position || !known.decided.begins_with(&it.decided) {
                continue;
            }
            let entry = known.decided.entries[position];
            if it.takes(it.topology().epoch.max(entry.epoch), from) {
                let mut next = *state;
                next.decide(node, entry, false);
                into.push((Step::Learn { node, from }, next));
            }
        }
    }
}
