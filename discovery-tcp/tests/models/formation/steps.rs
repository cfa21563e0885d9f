//! What pods, their machines and their processes do in the model of formation, one function for
//! each kind of step.

use super::{Asked, CLUSTERS, Contact, Filter, Formation, PODS, Process, State, Step, holds};

type Next = Vec<(Step, State)>;

impl Formation {
    /// Somebody else writes to the API.
    pub(super) fn write(&self, state: &State, into: &mut Next) {
        if state.version < self.version_max {
            let mut next = *state;
            next.version += 1;
            into.push((Step::Write, next));
        }
    }

    pub(super) fn appear(&self, state: &State, pod: usize, into: &mut Next) {
        if !state.pods[pod].is_listed && state.version < self.version_max {
            let mut next = *state;
            next.version += 1;
            next.pods[pod].is_listed = true;
            into.push((Step::Appear { pod }, next));
        }
    }

    /// A container starts for the first time or again, or its run ends.
    pub(super) fn start_or_end(&self, state: &State, pod: usize, into: &mut Next) {
        let it = &state.pods[pod];
        let mut next = *state;
        let changed = &mut next.pods[pod];
        let step = if it.container.is_running {
            if it.container.ended >= self.ends[pod] {
                return;
            }
            changed.container.is_running = false;
            changed.container.ended = it.run;
            changed.process = Process::default();
            Step::End { pod }
        } else if it.run >= self.runs[pod] {
            return;
        } else {
            changed.container.is_running = true;
            changed.container.restarts = it.run;
            changed.run += 1;
            Step::Start { pod }
        };
        if !self.may_lag {
            changed.status = changed.container;
        }
        into.push((step, next));
    }

    pub(super) fn report(&self, state: &State, pod: usize, into: &mut Next) {
        if self.may_lag && state.pods[pod].status != state.pods[pod].container {
            let mut next = *state;
            next.pods[pod].status = next.pods[pod].container;
            into.push((Step::Report { pod }, next));
        }
    }

    /// `FORM-1`, `FORM-3`: another answer than before ends the round.
    pub(super) fn contact(&self, state: &State, by: usize, pod: usize, into: &mut Next) {
        let it = &state.pods[pod];
        let may_be_exempt = holds(self.exemptable, pod) && !it.status.is_running;
        let contact = if it.is_newcomer() {
            Contact::Newcomer(it.run)
        } else if !it.container.is_running && may_be_exempt {
            Contact::Refused(it.status)
        } else {
            return;
        };
        let is_known = state.pods[by].process.contacts[pod] == contact;
        let is_dialled = holds(self.dials[by], pod) && self.rules.contact_first;
        if !it.is_listed || is_known || !is_dialled {
            return;
        }
        let mut next = *state;
        let process = &mut next.pods[by].process;
        process.contacts[pod] = contact;
        void(process);
        into.push((Step::Contact { by, pod }, next));
    }

    /// `FORM-3`, `FORM-9`: grants are kept as long as the listing names the same.
    pub(super) fn list(&self, state: &State, by: usize, into: &mut Next) {
        let listing = state.listing();
        let mut next = *state;
        let process = &mut next.pods[by].process;
        process.first_listing = process.first_listing.or(Some(state.version));
        let is_known = (0..PODS)
            .filter(|pod| holds(listing, *pod) && *pod != by)
            .all(|pod| process.contacts[pod] != Contact::None || !self.rules.contact_first);
        if holds(listing, by) && is_known {
            let is_later = process.version != state.version && self.rules.grants_of_listing;
            if process.census != Some(listing) || is_later {
                void(process);
            }
            process.census = Some(listing);
            process.version = state.version;
        } else {
            void(process);
        }
        if next != *state {
            into.push((Step::List { by }, next));
        }
    }

    /// `FORM-4`, `ANSWER-2`: an ask and its answer.
    pub(super) fn grant(&self, state: &State, to: usize, by: usize, into: &mut Next) {
        let (asker, asked) = (&state.pods[to], &state.pods[by]);
        let Some(census) = asker.process.census else {
            return;
        };
        let is_same = asker.process.contacts[by] == Contact::Newcomer(asked.run);
        let version = asker.process.version;
        let is_refused = asked.process.kept > version && self.rules.filter != Filter::None;
        let refused = (0..PODS)
            .filter(|pod| holds(census, *pod))
            .any(|pod| matches!(asker.process.contacts[pod], Contact::Refused(_)));
        let is_early = refused && !asker.process.is_relisted && self.rules.ask_last;
        if !holds(census, by)
            || !asked.is_newcomer()
            || (!is_same && self.rules.contact_first)
            || is_refused
            || is_early
        {
            return;
        }
        let ask = ask(state, to);
        let mut next = *state;
        let epochs = state.epochs;
        self.answer(&mut next.pods[to].process, epochs, version, ask);
        next.pods[to].process.granted |= 1 << by;
        let process = &mut next.pods[by].process;
        self.answer(process, epochs, version, ask);
        process.answered = process.answered.max(version);
        if self.rules.grant_voids {
            void(process);
        }
        if next != *state {
            into.push((Step::Grant { to, by }, next));
        }
    }

    /// `ANSWER-2`, `ANSWER-3`: what was said before it is taken no more.
    fn answer(
        &self,
        process: &mut Process,
        epochs: [Option<usize>; CLUSTERS],
        version: usize,
        asked: Asked,
    ) {
        if process.kept == version {
            for (kept, asked) in process.asked.iter_mut().zip(asked) {
                *kept = if *kept == asked { asked } else { 0 };
            }
        } else {
            process.asked = asked;
        }
        process.kept = process.kept.max(version);
        if self.rules.filter == Filter::SaidAfter {
            let said = process.invitations.iter_mut().zip(epochs);
            for (said, _) in said.filter(|(_, epoch)| epoch.is_some_and(|it| it < version)) {
                *said = [0; PODS];
            }
        }
    }

    /// `FORM-7`: the reading after the listing.
    pub(super) fn exempt(&self, state: &State, to: usize, pod: usize, into: &mut Next) {
        let process = &state.pods[to].process;
        let it = &state.pods[pod];
        let Contact::Refused(before) = process.contacts[pod] else {
            return;
        };
        let is_same_run = before.ended == it.status.ended || !self.rules.same_run;
        let is_listed = process.census.is_some_and(|census| holds(census, pod));
        if it.container.is_running
            || it.status.is_running
            || before.restarts != it.status.restarts
            || !is_same_run
            || !is_listed
            || holds(process.exempt, pod)
        {
            return;
        }
        let mut next = *state;
        next.pods[to].process.exempt |= 1 << pod;
        next.pods[to].process.is_relisted = false;
        into.push((Step::Exempt { to, pod }, next));
    }

    /// `FORM-8`
    pub(super) fn list_again(&self, state: &State, by: usize, into: &mut Next) {
        let process = &state.pods[by].process;
        let Some(census) = process.census else {
            return;
        };
        if process.exempt == 0 || process.is_relisted || !self.rules.list_again {
            return;
        }
        let mut next = *state;
        if state.listing() & !census == 0 {
            next.pods[by].process.is_relisted = true;
        } else {
            void(&mut next.pods[by].process);
        }
        into.push((Step::ListAgain { by }, next));
    }

    /// `FORM-5`, `FORM-9`
    pub(super) fn found(&self, state: &State, by: usize, into: &mut Next) {
        let process = &state.pods[by].process;
        let Some(census) = process.census else {
            return;
        };
        let is_answered = census & !(process.granted | process.exempt | 1 << by) == 0;
        let is_closed = process.exempt == 0 || process.is_relisted || !self.rules.list_again;
        let is_new = process
            .first_listing
            .is_some_and(|first| process.version > first)
            && (process.version > process.answered || !self.rules.strict);
        let Some(cluster) = state.epochs.iter().position(Option::is_none) else {
            return;
        };
        if is_answered && is_closed && is_new {
            let mut next = *state;
            next.epochs[cluster] = Some(process.version);
            next.pods[by].process = member(process, cluster);
            into.push((Step::Found { by }, next));
        }
    }

    /// `JOIN-2`: a member says to a newcomer that it is one too.
    pub(super) fn invite(&self, state: &State, by: usize, pod: usize, into: &mut Next) {
        let (sender, joiner) = (&state.pods[by], &state.pods[pod]);
        let Some(cluster) = sender.member_of() else {
            return;
        };
        let is_again = joiner.process.invitations[cluster][by] == sender.run;
        let is_listed = joiner.is_listed || !self.rules.listed_joiner;
        if joiner.is_newcomer() && is_listed && !is_again && holds(self.invited, pod) {
            let mut next = *state;
            next.pods[pod].process.invitations[cluster][by] = sender.run;
            into.push((Step::Invite { by, pod }, next));
        }
    }

    /// `ANSWER-3`: what was invited joins, unless its filter forbids.
    pub(super) fn join(&self, state: &State, pod: usize, into: &mut Next) {
        let process = &state.pods[pod].process;
        if !state.pods[pod].is_newcomer() {
            return;
        }
        for (cluster, senders) in process.invitations.iter().enumerate() {
            let Some(epoch) = state.epochs[cluster] else {
                continue;
            };
            let may_take = |(sender, run): (usize, &usize)| {
                let is_listed = process.kept <= epoch || process.asked[sender] == *run;
                *run != 0 && (self.rules.filter != Filter::NewestList || is_listed)
            };
            if senders.iter().enumerate().any(may_take) {
                let mut next = *state;
                next.pods[pod].process = member(process, cluster);
                into.push((Step::Join { pod, cluster }, next));
            }
        }
    }
}

/// The round is over; contacts stay.
fn void(process: &mut Process) {
    process.census = None;
    process.version = 0;
    process.granted = 0;
    process.exempt = 0;
    process.is_relisted = false;
}

/// Of a member only its cluster matters here.
fn member(_: &Process, cluster: usize) -> Process {
    Process {
        cluster: Some(cluster),
        ..Process::default()
    }
}

/// `ANSWER-1`: the node ids of everybody asked, and of the asker.
fn ask(state: &State, by: usize) -> Asked {
    let mut asked = [0; PODS];
    let process = &state.pods[by].process;
    for (run, contact) in asked.iter_mut().zip(process.contacts) {
        if let Contact::Newcomer(newcomer) = contact {
            *run = newcomer;
        }
    }
    asked[by] = state.pods[by].run;
    asked
}
