//! Founding by a majority of configured names: `FORM-10`, `FORM-11`, promise `P4`.
//!
//! Three names decide one value, the founder, in up to three terms; promises and acceptances live
//! in memory and die with the process. Messages are never lost and arrive in any order: an answer
//! once given is history, also when its process has gone. A founder that learns of its value founds
//! and from then on answers as a member.
//!
//! Left out: joining (who would join cannot found), contact (nobody needs to hear of a member),
//! time, epochs. Bounds: three names, three terms, two attempts, two restarts.

use crate::explorer::Model;

const NAMES: usize = 3;
/// Terms 1 to 3; 0 means none.
const TERMS: usize = 4;

/// What an acceptor accepted last, with its term.
type Accepted = Option<(usize, Id)>;

/// A node id: a name and the number of its process.
type Id = (usize, usize);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Process {
    run: usize,
    attempt: usize,
    promised: usize,
    accepted: Accepted,
    /// Whether it ever promised; nothing asks for it but the choice of who restarts.
    is_involved: bool,
    has_founded: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Term {
    /// Who asks in it.
    candidate: Option<Id>,
    /// Which names answered that they are newcomers, before a later attempt is opened.
    answered: [bool; NAMES],
    is_asked: bool,
    promised: [bool; NAMES],
    /// Accepted by some of those that promised, under the highest term of all.
    taken_over: Accepted,
    proposal: Option<Id>,
    accepted: [bool; NAMES],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct State {
    names: [Process; NAMES],
    terms: [Term; TERMS],
    restarts: usize,
}

#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "the fields are printed in schedules")]
pub(crate) enum Step {
    Answer { term: usize, name: usize },
    Ask { term: usize },
    Promise { term: usize, name: usize },
    Propose { term: usize, founder: Id },
    Accept { term: usize, name: usize },
    Found { term: usize, founder: Id },
    Restart { name: usize },
}

/// Who may restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restarts {
    /// Anybody who has not founded.
    Anybody,
    /// Who has neither promised nor accepted.
    Uninvolved,
    /// The founder that was decided, before it founded.
    Founder,
}

/// When a second attempt may be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    /// Never.
    Never,
    /// A majority answered as newcomers.
    Majority,
    /// All names answered as newcomers, none under the founder's node id.
    All,
    /// The same, and an answer ends the earlier attempt for who gave it.
    AllBound,
}

#[derive(Clone, Copy, Debug)]
struct Majority {
    restarts: Restarts,
    restarts_max: usize,
    opening: Opening,
}

type Next = Vec<(Step, State)>;

impl Majority {
    /// Term 3 is the second attempt's, if there may be one.
    fn attempt(&self, term: usize) -> usize {
        usize::from(term == 3 && self.opening != Opening::Never)
    }

    /// The founder decided in the first attempt.
    fn first_founder(&self, state: &State) -> Option<Id> {
        (1..TERMS)
            .filter(|term| self.attempt(*term) == 0)
            .map(|term| state.terms[term])
            .filter(|term| is_majority(term.accepted))
            .find_map(|term| term.proposal)
    }

    fn answer(&self, state: &State, term: usize, into: &mut Next) {
        let Some(gone) = self.first_founder(state) else {
            return;
        };
        if self.attempt(term) == 0 || state.terms[term].is_asked {
            return;
        }
        for (name, process) in state.names.iter().enumerate() {
            let is_again = state.terms[term].answered[name];
            if is_again || process.has_founded || (name, process.run) == gone {
                continue;
            }
            let mut next = *state;
            next.terms[term].answered[name] = true;
            if self.opening == Opening::AllBound {
                next.names[name] = in_second_attempt(process);
            }
            into.push((Step::Answer { term, name }, next));
        }
    }

    fn ask(&self, state: &State, term: usize, into: &mut Next) {
        let name = term - 1;
        let process = &state.names[name];
        let answers = state.terms[term].answered;
        let may_open = self.attempt(term) == 0
            || match self.opening {
                Opening::Never => false,
                Opening::Majority => is_majority(answers),
                Opening::All | Opening::AllBound => answers == [true; NAMES],
            };
        let is_late = process.attempt > self.attempt(term) || process.promised >= term;
        if state.terms[term].is_asked || process.has_founded || is_late || !may_open {
            return;
        }
        let mut next = *state;
        let asked = &mut next.terms[term];
        asked.is_asked = true;
        asked.candidate = Some((name, process.run));
        asked.answered = [false; NAMES];
        into.push((Step::Ask { term }, next));
    }

    /// Promises and acceptances; one that is told of a later attempt forgets the earlier one.
    fn hear(&self, state: &State, term: usize, name: usize, into: &mut Next) {
        let mut process = state.names[name];
        let sent = &state.terms[term];
        if !sent.is_asked || process.has_founded || process.attempt > self.attempt(term) {
            return;
        }
        if process.attempt < self.attempt(term) {
            process = in_second_attempt(&process);
        }
        if term > process.promised && sent.proposal.is_none() {
            let mut next = *state;
            let promised = &mut next.terms[term];
            promised.promised[name] = true;
            promised.taken_over = promised.taken_over.max(process.accepted);
            next.names[name] = process;
            next.names[name].promised = term;
            next.names[name].is_involved = true;
            into.push((Step::Promise { term, name }, next));
        }
        let is_new = process.accepted.is_none_or(|it| it.0 < term);
        if let Some(founder) = sent.proposal.filter(|_| term >= process.promised && is_new) {
            let mut next = *state;
            next.terms[term].accepted[name] = true;
            next.names[name] = process;
            next.names[name].promised = term;
            next.names[name].is_involved = true;
            next.names[name].accepted = Some((term, founder));
            into.push((Step::Accept { term, name }, next));
        }
    }

    fn propose(state: &State, term: usize, into: &mut Next) {
        let asked = &state.terms[term];
        let is_there = |it: &Id| state.names[it.0].run == it.1 && !state.names[it.0].has_founded;
        let Some(candidate) = asked.candidate.filter(is_there) else {
            return;
        };
        if asked.proposal.is_some() || !is_majority(asked.promised) {
            return;
        }
        let founder = asked.taken_over.map_or(candidate, |it| it.1);
        let mut next = *state;
        next.terms[term].proposal = Some(founder);
        next.terms[term].promised = [false; NAMES];
        next.terms[term].taken_over = None;
        into.push((Step::Propose { term, founder }, next));
    }

    fn found(&self, state: &State, term: usize, into: &mut Next) {
        let sent = &state.terms[term];
        let Some(founder) = sent.proposal.filter(|_| is_majority(sent.accepted)) else {
            return;
        };
        let process = &state.names[founder.0];
        let is_there = process.run == founder.1 && process.attempt <= self.attempt(term);
        if is_there && !process.has_founded {
            let mut next = *state;
            next.names[founder.0].has_founded = true;
            into.push((Step::Found { term, founder }, next));
        }
    }

    fn restart(&self, state: &State, name: usize, into: &mut Next) {
        let process = &state.names[name];
        let may_restart = match self.restarts {
            Restarts::Anybody => true,
            Restarts::Uninvolved => !process.is_involved,
            Restarts::Founder => self.first_founder(state) == Some((name, process.run)),
        };
        if may_restart && !process.has_founded && state.restarts < self.restarts_max {
            let mut next = *state;
            next.restarts += 1;
            next.names[name] = Process {
                run: process.run + 1,
                ..Process::default()
            };
            into.push((Step::Restart { name }, next));
        }
    }
}

fn is_majority(names: [bool; NAMES]) -> bool {
    names.iter().filter(|it| **it).count() >= 2
}

fn in_second_attempt(process: &Process) -> Process {
    Process {
        run: process.run,
        attempt: 1,
        is_involved: process.is_involved,
        has_founded: process.has_founded,
        ..Process::default()
    }
}

impl Model for Majority {
    type State = State;
    type Step = Step;

    fn initial(&self) -> State {
        State::default()
    }

    fn steps(&self, state: &State, into: &mut Next) {
        for term in 1..TERMS {
            self.answer(state, term, into);
            self.ask(state, term, into);
            Self::propose(state, term, into);
            self.found(state, term, into);
            for name in 0..NAMES {
                self.hear(state, term, name, into);
            }
        }
        for name in 0..NAMES {
            self.restart(state, name, into);
        }
    }

    fn fault(&self, state: &State) -> Option<&'static str> {
        let founders = state.names.iter().filter(|it| it.has_founded).count();
        (founders > 1).then_some(TWO)
    }
}

const TWO: &str = "two clusters";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{assert_breaks, assert_holds, scopes};

    fn founding(restarts: Restarts, restarts_max: usize, opening: Opening) -> Majority {
        Majority {
            restarts,
            restarts_max,
            opening,
        }
    }

    /// P4, FORM-10
    #[test]
    fn without_a_restart_a_majority_founds_once() {
        let scope = founding(Restarts::Anybody, 0, Opening::Never);
        assert_holds("FORM-10, no restart", &scope);
    }

    /// P4, FORM-10: the documented limit of `majority`. One name of three is enough; a majority of
    /// those that promised need not restart.
    #[test]
    fn one_restart_of_three_can_found_twice() {
        let large = || [founding(Restarts::Anybody, 1, Opening::Never)];
        // The second attempt's term is cut off to keep the scope small.
        let small = [founding(Restarts::Anybody, 1, Opening::All)];
        for scope in scopes(small, large) {
            assert_breaks("FORM-10, one restart", TWO, &scope);
        }
    }

    /// P4, FORM-10
    #[test]
    fn restarts_of_those_who_took_no_part_are_safe() {
        let large = || [founding(Restarts::Uninvolved, 2, Opening::Never)];
        let small = [founding(Restarts::Uninvolved, 1, Opening::AllBound)];
        for scope in scopes(small, large) {
            assert_holds("FORM-10, uninvolved restarts", &scope);
        }
    }

    /// P4, FORM-11
    #[test]
    fn a_second_attempt_by_a_majority_passes_over_a_founder_that_lives() {
        let scope = founding(Restarts::Anybody, 0, Opening::Majority);
        assert_breaks("FORM-11, opened by a majority", TWO, &scope);
        let scope = founding(Restarts::Anybody, 0, Opening::All);
        assert_holds("FORM-11, opened by all", &scope);
    }

    /// P4, FORM-11
    #[test]
    fn an_answer_that_does_not_end_the_earlier_attempt_founds_twice() {
        let scope = founding(Restarts::Founder, 1, Opening::All);
        assert_breaks("FORM-11, answers bind nobody", TWO, &scope);
        let large = || [founding(Restarts::Founder, 2, Opening::AllBound)];
        for scope in scopes([founding(Restarts::Founder, 1, Opening::AllBound)], large) {
            assert_holds("FORM-11, an answer ends the earlier attempt", &scope);
        }
    }
}
