//! Formation by census with crashes and restarts in place: `FORM-3` to `FORM-9`, `ANSWER-2`,
//! `ANSWER-3`, `JOIN-2`; promises `P4` and `P9`.
//!
//! Up to three pods, each listed at some moment, each with up to two processes, one after the
//! other; the third pod may be one that never founds. A listing, a contact, an ask with its grant
//! and each reading of a pod's status are steps of their own. An invitation to a cluster stays
//! deliverable for ever, also when its sender is dead.
//!
//! Left out: rank (anybody may grant anybody, so more can happen than with it), deletion and
//! vanishing entries (K2), waves and refusals, decisions after the founding: whoever is a member
//! may invite whoever is listed. A grant is given and received in one step; that it may be late is
//! covered by the founder's waiting. At most two clusters: a second founding ends a scope's
//! interest, whatever comes of it.
//!
//! This file holds the state and what is fixed in a scope; `steps.rs` the steps; `tests.rs` the
//! rules held against each other.

mod steps;
#[cfg(test)]
mod tests;

use crate::explorer::Model;

pub(crate) const PODS: usize = 3;
pub(crate) const CLUSTERS: usize = 2;

/// A set of pods, one bit each.
type Pods = u8;

/// Every pod there can be.
const ALL: Pods = 0b111;

/// What the status of a pod says of our container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Status {
    is_running: bool,
    restarts: usize,
    /// The number of the newest run that has ended; 0 for none.
    ended: usize,
}

/// What came of dialling an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Contact {
    #[default]
    None,
    /// A newcomer answered, by this run of the pod.
    Newcomer(usize),
    /// Refused, and the status said that the container does not run.
    Refused(Status),
}

/// Who was asked: for each pod the run, 0 for none.
type Asked = [usize; PODS];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    contacts: [Contact; PODS],
    /// Resource versions of the first listing and of the newest ask that was answered.
    first_listing: Option<usize>,
    answered: usize,
    census: Option<Pods>,
    version: usize,
    granted: Pods,
    exempt: Pods,
    /// Whether a second listing followed the last reading that exempted somebody.
    is_relisted: bool,
    /// Resource version of the newest ask that was answered, and who was asked with it.
    kept: usize,
    asked: Asked,
    /// Invitations that lie on its links: for each cluster and pod the run that sent one.
    invitations: [[usize; PODS]; CLUSTERS],
    cluster: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Pod {
    is_listed: bool,
    /// What is true of the container, and what its status says.
    container: Status,
    status: Status,
    /// The number of the present or last run; 0 before the first.
    run: usize,
    process: Process,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pods: [Pod; PODS],
    version: usize,
    /// The epochs of the clusters, in the order of their founding.
    epochs: [Option<usize>; CLUSTERS],
}

#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "the fields are printed in schedules")]
pub(crate) enum Step {
    Appear { pod: usize },
    Start { pod: usize },
    End { pod: usize },
    Report { pod: usize },
    Write,
    Contact { by: usize, pod: usize },
    List { by: usize },
    Grant { to: usize, by: usize },
    Exempt { to: usize, pod: usize },
    ListAgain { by: usize },
    Found { by: usize },
    Invite { by: usize, pod: usize },
    Join { pod: usize, cluster: usize },
}

/// What whoever answered takes of an epoch below the resource version it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Everything.
    None,
    /// What comes from somebody on the list of the newest ask.
    NewestList,
    /// What was said after the newest answer.
    SaidAfter,
}

/// The rules that can be taken away, one by one; `RULES` has all of them.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one rule, on or off")]
pub(crate) struct Rules {
    /// Every entry is contacted before the listing, and the same node id grants after it.
    contact_first: bool,
    /// Grants count for the listing they were asked with, not for a later one.
    grants_of_listing: bool,
    /// Granting drops the granter's own census and grants.
    grant_voids: bool,
    /// An exemption needs the same newest ended run in both readings.
    same_run: bool,
    /// A round with an exemption lists once more.
    list_again: bool,
    /// What is still taken after an answer.
    filter: Filter,
    /// With an exemption nobody is asked before the second listing.
    ask_last: bool,
    /// The epoch exceeds the resource version of every ask that was answered.
    strict: bool,
    /// Only who is listed is invited.
    listed_joiner: bool,
}

pub(crate) const RULES: Rules = Rules {
    contact_first: true,
    grants_of_listing: true,
    grant_voids: true,
    same_run: true,
    list_again: true,
    filter: Filter::SaidAfter,
    ask_last: true,
    strict: true,
    listed_joiner: true,
};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Formation {
    rules: Rules,
    pods: usize,
    /// Who may list and found; the others wait to be invited.
    founders: Pods,
    /// Listed from the start.
    listed: Pods,
    /// Running from the start.
    running: Pods,
    /// How many runs each pod may have, and how many of them may end.
    runs: [usize; PODS],
    ends: [usize; PODS],
    /// Whom each dials, and who is ever invited; `ALL`, or fewer to keep a scope small.
    dials: [Pods; PODS],
    invited: Pods,
    /// Who may be exempt: the others always have a status that says they run.
    exemptable: Pods,
    /// Whether a status may lag behind its container.
    may_lag: bool,
    /// How far the resource version may rise.
    version_max: usize,
}

fn holds(pods: Pods, pod: usize) -> bool {
    pods & (1 << pod) != 0
}

impl State {
    fn listing(&self) -> Pods {
        let listed = |set, (index, pod): (usize, &Pod)| set | (u8::from(pod.is_listed) << index);
        self.pods.iter().enumerate().fold(0, listed)
    }
}

impl Pod {
    /// The running process, as long as it is a newcomer.
    fn is_newcomer(&self) -> bool {
        self.container.is_running && self.process.cluster.is_none()
    }

    fn member_of(&self) -> Option<usize> {
        self.process.cluster.filter(|_| self.container.is_running)
    }
}

impl Model for Formation {
    type State = State;
    type Step = Step;

    fn initial(&self) -> State {
        let mut state = State {
            version: 1,
            ..State::default()
        };
        for index in 0..self.pods {
            let pod = &mut state.pods[index];
            pod.is_listed = holds(self.listed, index);
            pod.container.is_running = holds(self.running, index);
            pod.run = usize::from(pod.container.is_running);
            pod.status = pod.container;
        }
        state
    }

    fn steps(&self, state: &State, into: &mut Vec<(Step, State)>) {
        self.write(state, into);
        for pod in 0..self.pods {
            self.appear(state, pod, into);
            self.start_or_end(state, pod, into);
            self.report(state, pod, into);
            self.join(state, pod, into);
            for by in 0..self.pods {
                self.invite(state, by, pod, into);
                if by != pod && holds(self.founders, by) && state.pods[by].is_newcomer() {
                    self.contact(state, by, pod, into);
                    self.grant(state, by, pod, into);
                    self.exempt(state, by, pod, into);
                }
            }
            if holds(self.founders, pod) && state.pods[pod].is_newcomer() {
                self.list(state, pod, into);
                self.list_again(state, pod, into);
                self.found(state, pod, into);
            }
        }
    }

    fn fault(&self, state: &State) -> Option<&'static str> {
        let mut members = state.pods.iter().filter_map(Pod::member_of);
        let first = members.next();
        if members.any(|it| Some(it) != first) {
            return Some("two clusters");
        }
        match state.epochs {
            [Some(first), Some(second)] if second <= first => Some("an epoch does not rise"),
            _ => None,
        }
    }
}
