//! Everything that can go wrong, one fault at a time, each with its end; and the end of all of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::api::{ApiFaults, WatchFault};
use super::chance::Chance;
use super::cluster::Cluster;
use super::network::{Passage, Side};
use crate::Moment;

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// A process dies; its container starts again.
    Crash,
    /// Several processes die at once.
    MassCrash,
    /// A container dies again and again.
    CrashLoop,
    /// A machine is lost without a word; its pod is force-deleted later, or terminates on and on.
    LoseMachine,
    /// A pod is asked to go, and made anew.
    Delete,
    /// All pods are asked to go, one after the other.
    Roll,
    /// A pod object is removed at once, its process dead.
    ForceDelete,
    /// A pod on its way out hangs until its grace is over.
    HangOnDelete,
    /// A process is held for a while.
    Pause,
    /// A process takes long over everything.
    Slow,
    /// Nothing passes between two pods.
    CutPair,
    /// Nothing passes from one pod to another.
    CutOneWay,
    /// The pods fall into two sides.
    Partition,
    /// Nothing passes to or from a pod.
    Isolate,
    /// Nothing passes to a pod; what it sends does.
    Deafen,
    /// Dials between some pods are refused on the way.
    Refuse,
    /// Connections break; both sides are told.
    BreakLinks,
    /// Connections break; one side is told.
    HalfOpen,
    /// A way takes longer.
    Detour,
    /// An application leaves; its container starts again.
    Leave,
    /// Applications publish, many at a time.
    Publish,
    /// More pods are started.
    ScaleUp,
    /// A pod is asked to go for good.
    ScaleDown,
    /// The API server does not answer.
    ApiDown,
    /// The API server fails now and then, or answers late.
    ApiFlaky,
    /// Watches are silent, behind, partial, empty or in trouble.
    Watch,
    /// A pod of the Service hangs.
    HungPod,
    /// A pod of the Service closes every connection.
    ClosingPod,
    /// A pod of the Service never gets its container.
    HeldBack,
    /// A pod of another cluster is in the Service.
    ForeignPod,
    /// An operator forces a recovery.
    ForceRecovery,
    /// An operator removes a member.
    Remove,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 32] = [
        Self::Crash,
        Self::MassCrash,
        Self::CrashLoop,
        Self::LoseMachine,
        Self::Delete,
        Self::Roll,
        Self::ForceDelete,
        Self::HangOnDelete,
        Self::Pause,
        Self::Slow,
        Self::CutPair,
        Self::CutOneWay,
        Self::Partition,
        Self::Isolate,
        Self::Deafen,
        Self::Refuse,
        Self::BreakLinks,
        Self::HalfOpen,
        Self::Detour,
        Self::Leave,
        Self::Publish,
        Self::ScaleUp,
        Self::ScaleDown,
        Self::ApiDown,
        Self::ApiFlaky,
        Self::Watch,
        Self::HungPod,
        Self::ClosingPod,
        Self::HeldBack,
        Self::ForeignPod,
        Self::ForceRecovery,
        Self::Remove,
    ];
}

/// How late a flaky API server answers at most: not at all, late for an ask, late for its round.
const LATE: [Duration; 4] = [
    Duration::ZERO,
    Duration::ZERO,
    Duration::from_secs(3),
    Duration::from_secs(15),
];

/// What ends a fault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Undo {
    OpenWays,
    NormalPace(String),
    Api,
    Watch(String),
    ForceDelete(String),
    StartContainer(String),
    CrashAgain(String, u32),
    Delete(String),
}

/// Most rings that are wanted at once; `ScaleUp` stops there.
const PODS_MAX: usize = 30;

/// The faults of one run, and what is still to be undone.
#[derive(Debug)]
pub struct Plan {
    kinds: Vec<FaultKind>,
    /// Longest time that a fault lasts.
    lasts: Duration,
    chance: Chance,
    undo: BinaryHeap<Reverse<(Moment, u64, Undo)>>,
    undos: u64,
    /// Pods that are to run in the end.
    rings: Vec<String>,
    strangers: Vec<String>,
    made: usize,
    payloads: u64,
}

impl Plan {
    /// Faults of these kinds, over pods of these names, each lasting at most so long.
    pub fn new(kinds: Vec<FaultKind>, rings: Vec<String>, lasts: Duration, chance: Chance) -> Self {
        Self {
            kinds,
            lasts,
            chance,
            undo: BinaryHeap::new(),
            undos: 0,
            made: rings.len(),
            rings,
            strangers: Vec::new(),
            payloads: 0,
        }
    }

    /// Lets time pass, ending faults whose time has come.
    pub fn run_for(&mut self, cluster: &mut Cluster, span: Duration) {
        let limit = cluster.now() + span;
        while let Some(Reverse((at, _, _))) = self.undo.peek()
            && *at <= limit
        {
            let at = *at;
            cluster.run_for(at.since(cluster.now()));
            if let Some(Reverse((_, _, undo))) = self.undo.pop() {
                self.undo_one(cluster, undo);
            }
        }
        cluster.run_for(limit.since(cluster.now()));
    }

    fn later(&mut self, cluster: &Cluster, undo: Undo) {
        let lasts = self.chance.span((self.lasts / 50, self.lasts));
        self.undos += 1;
        let at = cluster.now() + lasts;
        self.undo.push(Reverse((at, self.undos, undo)));
    }

    fn undo_one(&mut self, cluster: &mut Cluster, undo: Undo) {
        match undo {
            Undo::OpenWays => cluster.open_all_ways(),
            Undo::NormalPace(pod) => cluster.slow(&pod, Duration::ZERO),
            Undo::Api => cluster.api(ApiFaults::default()),
            Undo::Watch(pod) => cluster.watch(&pod, WatchFault::None),
            Undo::ForceDelete(pod) => cluster.force_delete(&pod),
            Undo::StartContainer(pod) => cluster.hold_container_back(&pod, false),
            Undo::CrashAgain(pod, times) => {
                cluster.crash(&pod);
                if times > 0 {
                    self.later(cluster, Undo::CrashAgain(pod, times - 1));
                }
            }
            Undo::Delete(pod) => cluster.delete(&pod),
        }
    }

    fn ring(&mut self) -> String {
        self.chance.pick(&self.rings).cloned().unwrap_or_default()
    }

    /// Any number of the rings' pods, from one to all.
    fn some_rings(&mut self) -> Vec<String> {
        let mut rings = self.rings.clone();
        self.chance.shuffle(&mut rings);
        let keep = 1 + self.chance.place(rings.len().max(1));
        rings.truncate(keep);
        rings
    }

    /// At most half of the rings' pods, at least one.
    fn rings_of_a_side(&mut self) -> Vec<String> {
        let mut rings = self.rings.clone();
        self.chance.shuffle(&mut rings);
        let keep = 1 + self.chance.place(rings.len().max(2) / 2);
        rings.truncate(keep);
        rings
    }

    fn others(&self, side: &[String]) -> Vec<String> {
        let is_other = |pod: &&String| !side.contains(pod);
        self.rings.iter().filter(is_other).cloned().collect()
    }

    /// Does one fault.
    pub fn act(&mut self, cluster: &mut Cluster) {
        let Some(kind) = self.chance.pick(&self.kinds).copied() else {
            return;
        };
        if !matches!(kind, FaultKind::Publish) {
            cluster.count_fault();
        }
        match kind {
            FaultKind::Crash
            | FaultKind::MassCrash
            | FaultKind::CrashLoop
            | FaultKind::LoseMachine
            | FaultKind::Delete
            | FaultKind::Roll
            | FaultKind::ForceDelete
            | FaultKind::HangOnDelete
            | FaultKind::Leave
            | FaultKind::ScaleUp
            | FaultKind::ScaleDown => self.act_on_lives(cluster, kind),
            FaultKind::Pause
            | FaultKind::Slow
            | FaultKind::CutPair
            | FaultKind::CutOneWay
            | FaultKind::Partition
            | FaultKind::Isolate
            | FaultKind::Deafen
            | FaultKind::Refuse
            | FaultKind::BreakLinks
            | FaultKind::HalfOpen
            | FaultKind::Detour => self.act_on_ways(cluster, kind),
            FaultKind::ApiDown
            | FaultKind::ApiFlaky
            | FaultKind::Watch
            | FaultKind::HungPod
            | FaultKind::ClosingPod
            | FaultKind::HeldBack
            | FaultKind::ForeignPod => self.act_on_platform(cluster, kind),
            FaultKind::Publish => self.publish(cluster),
            FaultKind::ForceRecovery => {
                let pod = self.ring();
                cluster.force_recovery(&pod);
            }
            FaultKind::Remove => {
                let (at, whom) = (self.ring(), self.ring());
                if let Some(node) = cluster.node_of(&whom) {
                    cluster.remove(&at, node);
                }
            }
        }
    }

    fn act_on_lives(&mut self, cluster: &mut Cluster, kind: FaultKind) {
        let pod = self.ring();
        match kind {
            FaultKind::MassCrash => {
                for pod in self.some_rings() {
                    cluster.crash(&pod);
                }
            }
            FaultKind::CrashLoop if self.chance.once_in(2) => {
                cluster.hold_container_back(&pod, true);
                cluster.crash(&pod);
                self.later(cluster, Undo::StartContainer(pod));
            }
            FaultKind::CrashLoop => self.undo_one(cluster, Undo::CrashAgain(pod, 4)),
            FaultKind::LoseMachine => {
                cluster.lose_machine(&pod);
                if self.chance.once_in(4) {
                    cluster.disrupt(&pod, "DeletionByTaintManager");
                }
                if self.chance.once_in(4) {
                    // It terminates for as long as the faults last.
                    cluster.delete(&pod);
                } else {
                    self.later(cluster, Undo::ForceDelete(pod));
                }
            }
            FaultKind::Delete => cluster.delete(&pod),
            FaultKind::Roll => {
                for pod in self.rings.clone() {
                    self.later(cluster, Undo::Delete(pod));
                }
            }
            FaultKind::ForceDelete => cluster.force_delete(&pod),
            FaultKind::HangOnDelete => {
                cluster.pause_for(&pod, self.lasts);
                cluster.delete(&pod);
            }
            FaultKind::Leave => cluster.leave(&pod),
            FaultKind::ScaleUp => {
                let more = 1 + self.chance.place(4);
                for _ in 0..more {
                    if self.rings.len() < PODS_MAX {
                        let pod = format!("p-{}", self.made);
                        self.made += 1;
                        cluster.start(&pod);
                        self.rings.push(pod);
                    }
                }
            }
            FaultKind::ScaleDown if self.rings.len() > 1 => {
                self.rings.retain(|other| *other != pod);
                cluster.unwant(&pod);
                cluster.delete(&pod);
            }
            _ => cluster.crash(&pod),
        }
    }

    fn act_on_ways(&mut self, cluster: &mut Cluster, kind: FaultKind) {
        let (one, other) = (self.ring(), self.ring());
        let side = self.rings_of_a_side();
        let others = self.others(&side);
        let pairs = side
            .iter()
            .flat_map(|one| others.iter().map(move |other| (one, other)));
        match kind {
            FaultKind::Pause => {
                let span = self.chance.span((self.lasts / 50, self.lasts));
                cluster.pause_for(&one, span);
                return;
            }
            FaultKind::Slow => {
                let pace = Duration::from_micros(self.chance.number(100, 50_000));
                cluster.slow(&one, pace);
                self.later(cluster, Undo::NormalPace(one));
                return;
            }
            FaultKind::BreakLinks | FaultKind::HalfOpen => {
                self.break_links(cluster, kind == FaultKind::HalfOpen);
                return;
            }
            FaultKind::CutPair => cluster.partition(&[&[one.as_str()], &[other.as_str()]]),
            FaultKind::CutOneWay => cluster.cut(&one, &other),
            FaultKind::Partition => pairs.for_each(|(one, other)| {
                cluster.cut(one, other);
                cluster.cut(other, one);
            }),
            FaultKind::Isolate => cluster.isolate(&one),
            FaultKind::Deafen => {
                for other in self.others(std::slice::from_ref(&one)) {
                    cluster.cut(&other, &one);
                }
            }
            FaultKind::Refuse => pairs.for_each(|(one, other)| {
                cluster.way(one, other, Some(Passage::Refusing));
            }),
            _ => {
                let longer = Duration::from_millis(self.chance.number(1, 2_000));
                cluster.detour(&one, &other, longer);
            }
        }
        self.later(cluster, Undo::OpenWays);
    }

    fn break_links(&mut self, cluster: &mut Cluster, is_half_open: bool) {
        let mut connections = cluster.open_connections();
        self.chance.shuffle(&mut connections);
        let some = 1 + self.chance.place(connections.len().min(8));
        for connection in connections.into_iter().take(some) {
            let told = self.chance.one_of([Side::Dialler, Side::Acceptor]);
            let told = [told, told.other()];
            let told = if is_half_open { &told[..1] } else { &told[..] };
            cluster.break_connection(connection, told);
        }
    }

    fn act_on_platform(&mut self, cluster: &mut Cluster, kind: FaultKind) {
        match kind {
            FaultKind::ApiDown | FaultKind::ApiFlaky => {
                let is_down = kind == FaultKind::ApiDown;
                cluster.api(ApiFaults {
                    is_down,
                    listing_fails_percent: if is_down { 0 } else { self.chance.below(80) },
                    pod_fails_percent: if is_down { 0 } else { self.chance.below(80) },
                    late: self.chance.one_of(LATE),
                });
                self.later(cluster, Undo::Api);
            }
            FaultKind::Watch => {
                let pod = self.ring();
                let mask = self.chance.bits();
                let behind = 1 + self.chance.place(8);
                let fault = self.chance.one_of([
                    WatchFault::Silent,
                    WatchFault::Unknown,
                    WatchFault::Empty,
                    WatchFault::Behind(behind),
                    WatchFault::Partial(mask),
                ]);
                cluster.watch(&pod, fault);
                self.later(cluster, Undo::Watch(pod));
            }
            _ => self.add_stranger(cluster, kind),
        }
    }

    fn add_stranger(&mut self, cluster: &mut Cluster, kind: FaultKind) {
        let pod = format!("x-{}", self.strangers.len());
        if cluster.pod_of(&pod).is_some() {
            return;
        }
        match kind {
            FaultKind::HungPod => cluster.start_hung(&pod),
            FaultKind::ClosingPod => cluster.start_closing(&pod),
            FaultKind::HeldBack => {
                let id = cluster.start_hung(&pod);
                cluster.hold_container_back(&pod, true);
                id
            }
            _ => cluster.start_foreign(&pod),
        };
        self.strangers.push(pod.clone());
        self.later(cluster, Undo::ForceDelete(pod));
    }

    fn publish(&mut self, cluster: &mut Cluster) {
        let bursts = self.chance.one_of([1, 1, 2, 5, 40]);
        for _ in 0..bursts {
            let pod = self.ring();
            self.payloads += 1;
            let mut payload = self.payloads.to_be_bytes().to_vec();
            payload.resize(8 + self.chance.place(64), 0);
            cluster.publish(&pod, &payload);
        }
    }

    /// Ends every fault: all ways are open, every wanted pod is there and runs, nobody else is.
    pub fn end_all(&mut self, cluster: &mut Cluster) {
        self.undo.clear();
        cluster.intercept_nothing();
        cluster.open_all_ways();
        cluster.api(ApiFaults::default());
        for pod in std::mem::take(&mut self.strangers) {
            cluster.unwant(&pod);
            cluster.force_delete(&pod);
        }
        cluster.mend_pods();
        for pod in self.rings.clone() {
            cluster.resume_whatever(&pod);
            cluster.slow(&pod, Duration::ZERO);
            cluster.watch(&pod, WatchFault::None);
            cluster.hold_container_back(&pod, false);
        }
    }

    /// The pods whose rings are to be one cluster in the end.
    pub fn rings(&self) -> &[String] {
        &self.rings
    }
}

/// Names of the first pods of a run.
pub(crate) fn pod_names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("p-{number}")).collect()
}
