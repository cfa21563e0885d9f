//! Visits every state that a model can reach, breadth first, so that the first fault found has the
//! shortest schedule. It knows nothing of any protocol.
//!
//! States are remembered by a 64-bit fingerprint. Two states with one fingerprint would hide what
//! lies behind the second; at the largest model here (some ten million states) the odds of a single
//! such pair are below one in a hundred thousand.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

/// A protocol in small.
pub(crate) trait Model {
    type State: Clone + Hash;
    /// What leads from one state to the next, as a schedule prints it.
    type Step: Copy + Debug;

    fn initial(&self) -> Self::State;

    /// Every step that may be taken in a state, with where it leads.
    fn steps(&self, state: &Self::State, into: &mut Vec<(Self::Step, Self::State)>);

    /// The promise that a state breaks, if any. Nothing is looked for behind such a state.
    fn fault(&self, state: &Self::State) -> Option<&'static str>;
}

/// What a search saw.
#[derive(Debug)]
pub(crate) struct Outcome<S> {
    pub(crate) states: usize,
    /// Whether every reachable state was visited; always false once a fault was found.
    pub(crate) is_complete: bool,
    pub(crate) fault: Option<Fault<S>>,
}

/// A broken promise and one of the shortest schedules that break it.
#[derive(Debug)]
pub(crate) struct Fault<S> {
    pub(crate) promise: &'static str,
    pub(crate) schedule: Vec<S>,
}

/// Searches until a fault, the end, or `states_max` states.
pub(crate) fn explore<M: Model>(model: &M, states_max: usize) -> Outcome<M::Step> {
    let mut visited = Visited::default();
    let mut queue = VecDeque::new();
    let mut next = Vec::new();
    let initial = model.initial();
    visited.add(fingerprint(&initial), 0);
    queue.push_back((0, initial));
    while let Some((index, state)) = queue.pop_front() {
        if let Some(promise) = model.fault(&state) {
            let schedule = schedule(model, &visited.path_to(index));
            return Outcome {
                states: visited.prints.len(),
                is_complete: false,
                fault: Some(Fault { promise, schedule }),
            };
        }
        if visited.prints.len() > states_max {
            break;
        }
        model.steps(&state, &mut next);
        for (_, state) in next.drain(..) {
            if let Some(new) = visited.add(fingerprint(&state), index) {
                queue.push_back((new, state));
            }
        }
    }
    Outcome {
        states: visited.prints.len(),
        is_complete: visited.prints.len() <= states_max,
        fault: None,
    }
}

fn fingerprint(state: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

/// A fingerprint is its own hash.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, print: u64) {
        self.0 = print;
    }
}

#[expect(
    clippy::disallowed_types,
    reason = "asked only whether it holds a fingerprint, never iterated"
)]
type Prints = std::collections::HashSet<u64, BuildHasherDefault<Same>>;

/// The states seen so far, each with the one it was first reached from.
#[derive(Default)]
struct Visited {
    seen: Prints,
    prints: Vec<u64>,
    parents: Vec<usize>,
}

impl Visited {
    /// The number of a state that was not seen before.
    fn add(&mut self, print: u64, parent: usize) -> Option<usize> {
        self.seen.insert(print).then(|| {
            self.prints.push(print);
            self.parents.push(parent);
            self.prints.len() - 1
        })
    }

    /// The fingerprints from the first state, which is left out, to this one.
    fn path_to(&self, mut index: usize) -> Vec<u64> {
        let mut path = Vec::new();
        while index != 0 {
            path.push(self.prints[index]);
            index = self.parents[index];
        }
        path.reverse();
        path
    }
}

/// The steps that lead along a path of fingerprints.
fn schedule<M: Model>(model: &M, path: &[u64]) -> Vec<M::Step> {
    let mut state = model.initial();
    let mut next = Vec::new();
    let mut schedule = Vec::new();
    for print in path {
        next.clear();
        model.steps(&state, &mut next);
        let found = next
            .drain(..)
            .find(|(_, state)| fingerprint(state) == *print);
        let (step, after) = found.expect("a step led here when the path was first walked");
        schedule.push(step);
        state = after;
    }
    schedule
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two counters up to a limit; their sum must never be three.
    struct Counters(u8, bool);

    impl Model for Counters {
        type State = (u8, u8);
        type Step = &'static str;

        fn initial(&self) -> (u8, u8) {
            (0, 0)
        }

        fn steps(&self, &(left, right): &(u8, u8), into: &mut Vec<(&'static str, (u8, u8))>) {
            if left < self.0 {
                into.push(("left", (left + 1, right)));
            }
            if right < self.0 {
                into.push(("right", (left, right + 1)));
            }
        }

        fn fault(&self, &(left, right): &(u8, u8)) -> Option<&'static str> {
            (self.1 && left + right == 3).then_some("sum")
        }
    }

    #[test]
    fn every_state_is_visited_once() {
        let outcome = explore(&Counters(3, false), 100);
        assert_eq!((outcome.states, outcome.is_complete), (16, true));
    }

    #[test]
    fn a_fault_comes_with_its_shortest_schedule() {
        let fault = explore(&Counters(3, true), 100).fault.unwrap();
        assert_eq!((fault.promise, fault.schedule.len()), ("sum", 3));
    }

    #[test]
    fn a_search_that_was_cut_short_says_so() {
        assert!(!explore(&Counters(3, false), 10).is_complete);
    }
}
