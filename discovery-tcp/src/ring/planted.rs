//! Faults planted on purpose, to prove that the checkers can fail. Without the feature `sim` none
//! can be planted and every question is answered *no* at compile time.

/// One rule that the code breaks while it is planted; the comment names the clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
#[allow(missing_docs, reason = "one line each, beside the name")]
pub enum Bug {
    // deciding
    /// majority = n/2 (not n/2+1) when the proposer counts acceptances — DECIDE-5
    QuorumOffByOne,
    /// same when a candidate counts promises — TAKE
    PromiseQuorumOffByOne,
    /// goes on proposing while a topology change is undecided — DECIDE-4
    ProposesBehindChange,
    /// after a re-proposed change is decided, leads on in the new topology, same term — TAKE
    NoNewPromises,
    /// a proposer that installs (is told) a topology it did not decide goes on leading — DECIDE-1
    LeadsOnOverInstall,
    /// acceptor: first message of a term: takes only the first re-proposed entry, drops the rest of
    /// its tail — DECIDE-2
    TailDroppedAtFirst,
    /// acceptor: keeps old entries beyond the re-proposed tail, under the new term — DECIDE-2
    TailKept,
    /// neither install nor learning a decided entry raises promised — DECIDE-7
    InstallKeepsPromise,
    /// delivers own tail up to watermark.position whatever its term — DECIDE-6
    WatermarkWithoutTerm,
    /// answers Promise without storing promised — TAKE
    PromiseForgotten,
    /// accepts a proposal whose term < promised — DECIDE-3
    StaleTermAccepted,
    /// candidate's term = (counter + 1, `NodeOrder::FIRST`) whoever it is — DECIDE-1
    SharedTerms,
    /// installing a change keeps `tail_term` (DECIDE-8 missing) — DECIDE-8
    TailTermKept,
    /// appends a later proposal of the same term without the one before — DECIDE-2
    GapAccepted,
    /// acceptances counted up per message, not as a set — T1
    CountsByNumber,
    /// proposer counts itself without holding the entry in its acceptor — DECIDE-4
    OwnAcceptanceMissing,
    /// candidate re-proposes its own tail, ignores those of promisers — TAKE
    OwnTailOnly,
    /// candidate picks the longest tail, whatever its term — TAKE
    LongestTail,
    /// promises although the asker's decided position is below mine (no Newer/decided) — TAKE
    PromisesToLaggard,
    /// own acceptance decides at n = 4, 5 too — DECIDE-5
    OwnAcceptanceAlways,
    /// accepts proposals made for another topology than the installed one — DECIDE-3
    TopologyNotNamed,
    // publishing
    /// coordinator takes a re-sent sequence again (no de-duplication) — P6
    RepeatsPublication,
    /// Published(Ok) when the coordinator has taken it, not when decided — P6
    ReportedEarly,
    /// member behind the history gets a snapshot (Installed) instead of being removed — SNAP
    LagSkippedBySnapshot,
    /// a learner learns on behind its own admission, and begins there — JOIN-5
    LearnsPastAdmission,
    // forming and joining
    /// grant counts though the node id is not the one contacted before the listing — FORM-5
    SuccessorsGrantCounts,
    /// granting another binds to nothing: own census, grants, links and listing stay good — FORM-4
    GrantKept,
    /// entries of the listing not contacted before are contacted after, round goes on — FORM-3
    ContactAfterListing,
    /// a Listing of an older round is taken for this one's — FORM-3
    StaleListingBelieved,
    /// own entry recognised by address instead of pod uid — FORM-3
    SelfByAddress,
    /// listing at a version equal to the first own/asked one is taken — FORM-5
    EqualResourceVersion,
    /// a refused dial alone exempts — FORM-5
    ExemptByRefusal,
    /// no listing after the last look at the exempt — FORM-8
    ExemptByOneListing,
    /// who hears of somebody better comes back to its round: listing, grants and number — FORM-4 (C47)
    RoundKept,
    /// admits who was never listed — JOIN
    JoinerNotListed,
    /// no limit on unconfirmed members — JOIN
    AllAtOnce,
    /// a removed node keeps its node id and joins again with it; CD admits it — P5
    RemovedIdReadmitted,
    // watching
    /// each repetition of an alert counts as another observer's — CUT
    AlertCountedTwice,
    /// observers inside the cut count as accusers, denominator unchanged — CUT (W1)
    CutCountsDoubters,
    /// silence never leads to an alert — CUT
    SilenceNotAccused,
    /// one alert removes — CUT
    OneAccuserSuffices,
    // taking over, catching up
    /// tick counts up although no majority acknowledged — TAKE (B1)
    TickWithoutMajority,
    /// missing members are not served, watermarks in heartbeats do not lead to Fetch — T2
    RepairSkipped,
    // recovery
    /// epoch = old epoch + 1, not that of the listing — R7
    EpochNotRaised,
    /// answer filter binds granters only — ANSWER (A3)
    PromisersUnfiltered,
    /// recovery ignores accepted leftovers — RECOVER-4
    LeftoversDropped,
    /// asks only members of its own topology, not every listed process — RECOVER-1 (R1)
    RecoversByOwnTopology,
    /// recovery decides with a majority of promisers, not all — RECOVER-4
    MajorityOfPromisers,
    /// another node id at the address counts as dead whatever its pod uid — R5
    ProofByOtherPod,
    /// members that do not answer count as dead — RECOVER-3
    ProvenBySilence,
    /// a recoverer hears the dead, and leads on over what it learns — RECOVER-6
    DeadAreHeard,
    /// what a split decided is learned by who did not go with it — RECOVER-8
    SplitLearned,
}

impl Bug {
    /// Every bug that can be planted.
    pub const ALL: [Self; 52] = [
        Self::QuorumOffByOne,
        Self::PromiseQuorumOffByOne,
        Self::ProposesBehindChange,
        Self::NoNewPromises,
        Self::LeadsOnOverInstall,
        Self::TailDroppedAtFirst,
        Self::TailKept,
        Self::InstallKeepsPromise,
        Self::WatermarkWithoutTerm,
        Self::PromiseForgotten,
        Self::StaleTermAccepted,
        Self::SharedTerms,
        Self::TailTermKept,
        Self::GapAccepted,
        Self::CountsByNumber,
        Self::OwnAcceptanceMissing,
        Self::OwnTailOnly,
        Self::LongestTail,
        Self::PromisesToLaggard,
        Self::OwnAcceptanceAlways,
        Self::TopologyNotNamed,
        Self::RepeatsPublication,
        Self::ReportedEarly,
        Self::LagSkippedBySnapshot,
        Self::LearnsPastAdmission,
        Self::SuccessorsGrantCounts,
        Self::GrantKept,
        Self::ContactAfterListing,
        Self::StaleListingBelieved,
        Self::SelfByAddress,
        Self::EqualResourceVersion,
        Self::ExemptByRefusal,
        Self::ExemptByOneListing,
        Self::RoundKept,
        Self::JoinerNotListed,
        Self::AllAtOnce,
        Self::RemovedIdReadmitted,
        Self::AlertCountedTwice,
        Self::CutCountsDoubters,
        Self::SilenceNotAccused,
        Self::OneAccuserSuffices,
        Self::TickWithoutMajority,
        Self::RepairSkipped,
        Self::EpochNotRaised,
        Self::PromisersUnfiltered,
        Self::LeftoversDropped,
        Self::RecoversByOwnTopology,
        Self::MajorityOfPromisers,
        Self::ProofByOtherPod,
        Self::ProvenBySilence,
        Self::DeadAreHeard,
        Self::SplitLearned,
    ];
}

/// What a simulation has planted in one ring.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Planted {
    #[cfg(feature = "sim")]
    bug: Option<Bug>,
    /// It asks for the check of the state by itself.
    #[cfg(feature = "sim")]
    pub(super) is_checked_outside: bool,
}

impl Planted {
    #[cfg(feature = "sim")]
    pub(super) fn plant(&mut self, bug: Bug) {
        self.bug = Some(bug);
    }

    #[cfg(feature = "sim")]
    pub(super) fn has(self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    #[cfg(not(feature = "sim"))]
    #[expect(
        clippy::unused_self,
        reason = "the same call with and without the feature"
    )]
    pub(super) const fn has(self, _bug: Bug) -> bool {
        false
    }
}
