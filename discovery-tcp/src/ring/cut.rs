//! Whom the accusations remove: CUT-3 as a pure function of the observers and their alerts.
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
    /// Who goes, and on whose word: more than half of its observers outside of this cut; nobody's
    /// if there are none such and probers could not reach it.
    pub(crate) remove: Vec<(usize, Vec<usize>)>,
    /// Who stays although several accuse it, and the strongest of what it is accused of: worth
    /// waiting a moment for the others (CUT-4).
    pub(crate) in_doubt: Vec<(usize, AccusationKind)>,
    /// Who stays although all its observers go, so that nobody is left to speak of it (CUT-8).
    pub(crate) needs_probers: Vec<usize>,
}

/// How many accusers remove a member that so many healthy observers watch: H.
pub(crate) fn accusers_needed(healthy: usize) -> usize {
    healthy / 2 + 1
}

/// How many accusers put a member in doubt in a cluster of so many: L. One flaky link shall not delay
/// every cut, but of two members one is all there is.
pub(crate) fn accusers_in_doubt(members: usize) -> usize {
    if members > 2 { 2 } else { 1 }
}

/// Judges all alerts together (CUT-3). Only explicit words of a subject's own observers count;
/// `unreachable` are those whom probers could not dial, which counts where no observer is left
/// (CUT-8).
///
/// The verdict holds in its own light: each removed member is accused by more than half of its
/// observers *outside of the cut*. Growing a cut can take that away again from who entered, if its
/// accusers are cut too; such a member is barred, the last to enter first, and the cut grown anew
/// without it. Two halves that accuse each other are all barred, and so all in doubt. Where nobody
/// can be the first to enter, a minority that none of the others hears enters as one.
pub(crate) fn judge(roster: &Roster, alerts: &Alerts, unreachable: &OrderSet) -> CutVerdict {
    if alerts.is_empty() && unreachable.is_empty() {
        return CutVerdict::default();
    }
    roster.prepare();
    let case = Case::new(roster, alerts, unreachable);
    verdict(roster, alerts, &case.consistent_cut())
}

/// Whether these accusers alone would have their subject removed, for whoever does not see it
/// itself (TAKE).
pub(crate) fn verifies(roster: &Roster, subject: usize, accusers: &Accusers) -> bool {
    // Most are accused by nobody, and whoever asks for one may ask for all.
    if accusers.is_empty() {
        return false;
    }
    let observers: Vec<usize> = roster.observers(subject).collect();
    let accusing = observers.iter().filter(|it| accusers.contains_key(it));
    accusing.count() >= accusers_needed(observers.len())
}

/// What counts against whom.
struct Case<'a> {
    roster: &'a Roster,
    unreachable: &'a OrderSet,
    accused: BTreeMap<usize, OrderSet>,
}

impl<'a> Case<'a> {
    fn new(roster: &'a Roster, alerts: &Alerts, unreachable: &'a OrderSet) -> Self {
        let by_observers = |(subject, accusers): (&usize, &Accusers)| {
            let said = |observer: &usize| accusers.contains_key(observer);
            let accusers = roster.observers(*subject).filter(said);
            (*subject, OrderSet::of(roster.members(), accusers))
        };
        Self {
            roster,
            unreachable,
            accused: alerts.iter().map(by_observers).collect(),
        }
    }

    /// The cut in which everybody is rightly.
    fn consistent_cut(&self) -> OrderSet {
        let mut barred = self.roster.nobody();
        loop {
            let (cut, rounds) = self.grown(&barred);
            let wrongly = |place: &usize| !self.condemned(*place, &cut);
            let wrong = |round: &OrderSet| self.set(round.iter().filter(wrongly));
            match rounds
                .iter()
                .rev()
                .map(wrong)
                .find(|wrong| !wrong.is_empty())
            {
                Some(wrong) => barred.union(&wrong),
                None => return cut,
            };
        }
    }

    /// Whom the observers outside of the cut so far condemn, round by round and all at once: no
    /// order of looking at them matters.
    fn grown(&self, barred: &OrderSet) -> (OrderSet, Vec<OrderSet>) {
        let mut cut = self.roster.nobody();
        let mut rounds = Vec::new();
        loop {
            let enters = |place: &usize| {
                !barred.contains(*place) && !cut.contains(*place) && self.condemned(*place, &cut)
            };
            let suspects = self.accused.keys().copied().chain(self.unreachable.iter());
            let mut entering = self.set(suspects.filter(enters));
            if entering.is_empty() {
                entering = self.unheard_together(&cut, barred);
            }
            if !cut.union(&entering) {
                return (cut, rounds);
            }
            rounds.push(entering);
        }
    }

    /// Members that observe each other and are lost together may have so many of their observers
    /// among themselves that none of them can be the first. A minority enters together that none of
    /// the others hears: whoever else observes one of them accuses it.
    fn unheard_together(&self, cut: &OrderSet, barred: &OrderSet) -> OrderSet {
        let mut together = self.suspects_of(cut, barred);
        loop {
            let mut whole = cut.clone();
            whole.union(&together);
            let words = |place: usize| self.words_against(place, &whole);
            let unheard = |place: &usize| {
                let (healthy, accusing) = words(*place);
                healthy == accusing
            };
            let stay = self.set(together.iter().filter(unheard));
            if stay == together {
                let entering = self.set(stay.iter().filter(|place| words(*place).1 > 0));
                let is_minority = (cut.len() + entering.len()) * 2 < self.roster.members();
                return if is_minority {
                    entering
                } else {
                    self.roster.nobody()
                };
            }
            together = stay;
        }
    }

    /// Who is accused by anybody outside of the cut, and who is observed by nobody else than those.
    fn suspects_of(&self, cut: &OrderSet, barred: &OrderSet) -> OrderSet {
        let is_out = |place: &usize| !barred.contains(*place) && !cut.contains(*place);
        let is_accused = |place: &usize| self.words_against(*place, cut).1 > 0;
        let accused = self.accused.keys().copied();
        let accused = self.set(accused.filter(is_out).filter(is_accused));
        let mut suspects = accused.clone();
        let is_surrounded = |place: &usize| {
            let mut observers = self.roster.observers(*place);
            observers.all(|observer| accused.contains(observer) || cut.contains(observer))
        };
        let beside = accused.iter().flat_map(|it| self.roster.observers(it));
        suspects.union(&self.set(beside.filter(is_out).filter(is_surrounded)));
        suspects
    }

    fn set(&self, places: impl Iterator<Item = usize>) -> OrderSet {
        OrderSet::of(self.roster.members(), places)
    }

    /// How many observers outside of the cut the subject has, and how many of those accuse it.
    fn words_against(&self, subject: usize, cut: &OrderSet) -> (usize, usize) {
        let accusers = self.accused.get(&subject);
        let (mut healthy, mut accusing) = (0, 0);
        for observer in self.roster.observers(subject) {
            if !cut.contains(observer) {
                healthy += 1;
                accusing += usize::from(accusers.is_some_and(|by| by.contains(observer)));
            }
        }
        (healthy, accusing)
    }

    fn condemned(&self, subject: usize, cut: &OrderSet) -> bool {
        let (healthy, accusing) = self.words_against(subject, cut);
        match healthy {
            // Who stands alone is watched by nobody, and needs no prober.
            0 => !cut.is_empty() && self.unreachable.contains(subject),
            _ => accusing >= accusers_needed(healthy),
        }
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
    for subject in cut.iter() {
        let accusers = alerts
            .get(&subject)
            .map(|by| healthy_accusers(subject, by).into_keys().collect());
        verdict.remove.push((subject, accusers.unwrap_or_default()));
    }
    for (subject, accusers) in alerts.iter().filter(|(s, _)| !cut.contains(**s)) {
        let accusers = healthy_accusers(*subject, accusers);
        if accusers.len() >= accusers_in_doubt(roster.members())
            && let Some(strongest) = accusers.values().min()
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
    let subjects = cut.iter().flat_map(|observer| roster.observers(observer));
    OrderSet::of(roster.members(), subjects.filter(alone))
}

#[cfg(test)]
#[path = "cut_tests.rs"]
mod tests;
