//! Whom the accusations remove: the rule CUT as a pure function of the observers and their alerts.
//! How long to wait for those in doubt, and what probers find, is left to the caller.

use std::collections::BTreeMap;

use discovery_core::AccusationKind;

use super::order_set::OrderSet;
use super::roster::Roster;

/// Who accuses one subject, and of what, by place.
pub(crate) type Accusers = BTreeMap<usize, AccusationKind>;

/// Everybody's standing accusations: subject, observer, kind, by place in the topology in force.
pub(crate) type Alerts = BTreeMap<usize, Accusers>;

/// What the accusations come to; everything by place, the eldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CutVerdict {
    /// Who goes, and on whose word: more than half of its observers outside of this cut.
    pub(crate) remove: Vec<(usize, Vec<usize>)>,
    /// Who stays although several accuse it, and the strongest of what it is accused of: worth
    /// waiting a moment for the others.
    pub(crate) in_doubt: Vec<(usize, AccusationKind)>,
    /// Who stays although all its observers go, so that nobody is left to speak of it.
    pub(crate) needs_probers: Vec<usize>,
}

/// How many accusers remove a member that so many healthy observers watch: H.
pub(crate) fn accusers_needed(healthy: usize) -> usize {
    healthy / 2 + 1
}

/// How many accusers put a member in doubt where each has so many observers: L. One flaky link in a
/// small cluster shall not delay every cut.
pub(crate) fn accusers_in_doubt(observers: usize) -> usize {
    observers.min(2)
}

/// Judges all alerts together. Only explicit words of a subject's own observers count.
///
/// The verdict holds in its own light: each removed member is accused by more than half of its
/// observers *outside of the cut*. Growing a cut can take that away again from who entered, if its
/// accusers are cut too; such a member is held back, the last to enter first, and the cut grown
/// anew without it. Two halves that accuse each other are all held back, and so all in doubt.
pub(crate) fn judge(roster: &Roster, alerts: &Alerts) -> CutVerdict {
    verdict(roster, alerts, &Case::new(roster, alerts).consistent_cut())
}

/// Whether these accusers alone would have their subject removed, for whoever does not see it
/// itself (TAKE).
pub(crate) fn verifies(roster: &Roster, subject: usize, accusers: &Accusers) -> bool {
    let heard = |observer: &usize| accusers.contains_key(observer);
    let accused = roster.observers(subject).filter(heard).count();
    roster.observers(subject).count() > 0 && accused >= accusers_needed(roster.observers_each())
}

/// The accusations that count, by subject.
struct Case<'a> {
    roster: &'a Roster,
    accused: BTreeMap<usize, OrderSet>,
}

impl<'a> Case<'a> {
    fn new(roster: &'a Roster, alerts: &Alerts) -> Self {
        let by_observers = |(subject, accusers): (&usize, &Accusers)| {
            let said = |observer: &usize| accusers.contains_key(observer);
            let accusers = roster.observers(*subject).filter(said);
            (*subject, OrderSet::of(roster.members(), accusers))
        };
        let accused = alerts.iter().map(by_observers).collect();
        Self { roster, accused }
    }

    /// The cut in which everybody is rightly.
    fn consistent_cut(&self) -> OrderSet {
        let mut held_back = self.roster.nobody();
        loop {
            let (cut, rounds) = self.grown(&held_back);
            let wrongly = |place: &usize| !self.condemned(*place, &cut);
            let wrong = |round: &OrderSet| self.set(round.iter().filter(wrongly));
            match rounds
                .iter()
                .rev()
                .map(wrong)
                .find(|wrong| !wrong.is_empty())
            {
                Some(wrong) => held_back.union(&wrong),
                None => return cut,
            };
        }
    }

    /// Whom the observers outside of the cut so far condemn, round by round and all at once: no
    /// order of looking at them matters.
    fn grown(&self, held_back: &OrderSet) -> (OrderSet, Vec<OrderSet>) {
        let mut cut = self.roster.nobody();
        let mut rounds = Vec::new();
        loop {
            let enters = |place: &usize| {
                !held_back.contains(*place) && !cut.contains(*place) && self.condemned(*place, &cut)
            };
            let entering = self.set(self.accused.keys().copied().filter(enters));
            if !cut.union(&entering) {
                return (cut, rounds);
            }
            rounds.push(entering);
        }
    }

    fn set(&self, places: impl Iterator<Item = usize>) -> OrderSet {
        OrderSet::of(self.roster.members(), places)
    }

    fn condemned(&self, subject: usize, cut: &OrderSet) -> bool {
        let Some(accusers) = self.accused.get(&subject) else {
            return false;
        };
        let (mut healthy, mut accusing) = (0, 0);
        for observer in self.roster.observers(subject) {
            if !cut.contains(observer) {
                healthy += 1;
                accusing += usize::from(accusers.contains(observer));
            }
        }
        healthy > 0 && accusing >= accusers_needed(healthy)
    }
}

fn verdict(roster: &Roster, alerts: &Alerts, cut: &OrderSet) -> CutVerdict {
    let healthy_accusers = |subject: usize, accusers: &Accusers| -> Accusers {
        roster
            .observers(subject)
            .filter(|observer| !cut.contains(*observer))
            .filter_map(|observer| Some((observer, *accusers.get(&observer)?)))
            .collect()
    };
    let mut verdict = CutVerdict {
        needs_probers: unwatched(roster, cut).iter().collect(),
        ..CutVerdict::default()
    };
    for (subject, accusers) in alerts {
        let accusers = healthy_accusers(*subject, accusers);
        let strongest = accusers.values().min();
        if cut.contains(*subject) {
            verdict
                .remove
                .push((*subject, accusers.keys().copied().collect()));
        } else if accusers.len() >= accusers_in_doubt(roster.observers_each())
            && let Some(strongest) = strongest
        {
            verdict.in_doubt.push((*subject, *strongest));
        }
    }
    verdict
}

/// Who stays while all its observers go.
fn unwatched(roster: &Roster, cut: &OrderSet) -> OrderSet {
    let alone = |subject: &usize| {
        !cut.contains(*subject)
            && roster
                .observers(*subject)
                .all(|observer| cut.contains(observer))
    };
    let subjects = cut.iter().flat_map(|observer| roster.subjects(observer));
    OrderSet::of(roster.members(), subjects.filter(alone))
}

#[cfg(test)]
#[path = "cut_tests.rs"]
mod tests;
