//! A seed gives the whole of a run: how many nodes, what they are configured with, what the world
//! is like, which kinds of faults there are, and when. Each kind is on or off for a whole run, so
//! that some runs meet one kind alone and others all at once.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use discovery_core::{NodeName, ProofRule};

use super::aftermath::lose_minority;
use super::chance::Chance;
use super::cluster::{Cluster, World};
use super::coverage::Coverage;
use super::faults::{FaultKind, Plan, pod_names};
use super::invariants::Violation;
use super::liveness::{self, Ended};
use super::network::Weather;
use super::platform::Climate;
use super::seen::Bug;
use super::trace::Trace;
use crate::config::{Formation, Merge, Quorum, Recovery, RingConfig};

/// What a seed makes of a run.
#[derive(Clone, Debug)]
pub struct Swarm {
    /// The seed.
    pub seed: u64,
    /// How many rings are started at first.
    pub nodes: usize,
    /// The world.
    pub world: World,
    /// Which kinds of faults there are.
    pub faults: Vec<FaultKind>,
    /// How long faults are done.
    pub span: Duration,
    /// Least and longest time between two.
    pub pause: (Duration, Duration),
    /// Longest time that one lasts.
    pub lasts: Duration,
    /// Whether all rings start at once.
    pub starts_at_once: bool,
    chance: Chance,
}

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The promise that was broken, if one was.
    pub violation: Option<Violation>,
    /// What was seen of the protocol.
    pub coverage: Coverage,
    /// What happened, if it was traced.
    pub trace: Trace,
}

/// Runs one seed.
pub fn run(seed: u64, is_traced: bool) -> Report {
    run_with(seed, is_traced, None)
}

/// Runs one seed with a mistake planted in every ring.
pub fn run_with(seed: u64, is_traced: bool, bug: Option<Bug>) -> Report {
    let mut swarm = Swarm::of_seed(seed);
    swarm.world.is_traced = is_traced;
    swarm.world.bug = bug;
    swarm.run()
}

/// One in so many runs that came together goes on and loses a minority for good.
const AFTERMATH: u64 = 3;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Swarm {
    /// Everything that follows from a seed.
    pub fn of_seed(seed: u64) -> Self {
        let mut chance = Chance::of_seed(seed);
        let nodes = nodes(&mut chance);
        Self::of(seed, nodes, chance)
    }

    /// The same for so many nodes as only few seeds have: those that stand in rings (CUT-1).
    pub fn of_many(seed: u64) -> Self {
        let mut chance = Chance::of_seed(seed);
        let nodes = many_nodes(&mut chance);
        Self::of(seed, nodes, chance)
    }

    fn of(seed: u64, nodes: usize, mut chance: Chance) -> Self {
        let mut world = World::of_seed(chance.bits());
        world.config = config(&mut chance, nodes);
        world.weather = weather(&mut chance);
        world.climate = climate(&mut chance, &world.config);
        let mut faults = faults(&mut chance);
        // The two together make a container that runs look refused and not running (FORM-8).
        if !world.climate.status_lag.is_zero() {
            faults.retain(|kind| *kind != FaultKind::Refuse);
        }
        // Of a list of names that is halved nobody can found.
        if matches!(world.config.formation, Formation::Majority(_)) {
            faults.retain(|kind| *kind != FaultKind::ScaleDown);
        }
        let limit = world.config.silence_limit;
        Self {
            seed,
            nodes,
            world,
            faults,
            // Processes start and pods are listed in seconds; the rest of it goes by the limit.
            span: chance.span((ms(4_000) + limit * 4, ms(8_000) + limit * 14)),
            pause: (ms(1), limit * 3),
            lasts: limit * 6,
            starts_at_once: chance.percent(60),
            chance,
        }
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Report {
        let mut cluster = Cluster::new(self.world.clone());
        // A panic is a broken promise like any other, and its trace as precious.
        let played = catch_unwind(AssertUnwindSafe(|| self.play(&mut cluster)));
        let ended = played.unwrap_or_else(|panic| Err(Violation::new("panic", said(&*panic))));
        let mut coverage = cluster.coverage();
        coverage.runs = 1;
        coverage.stuck += u64::from(ended == Ok(Ended::Stuck));
        Report {
            seed: self.seed,
            violation: ended.err(),
            coverage,
            trace: cluster.into_trace(),
        }
    }

    fn play(&mut self, cluster: &mut Cluster) -> Result<Ended, Violation> {
        let rings = pod_names(self.nodes);
        let chance = self.chance.branch();
        let mut plan = Plan::new(self.faults.clone(), rings.clone(), self.lasts, chance);
        for pod in &rings {
            cluster.start(pod);
            if !self.starts_at_once {
                let pause = self.chance.span((Duration::ZERO, ms(2_000)));
                cluster.run_for(pause);
            }
        }
        // Half of the runs begin with a cluster, the others with what disturbs its making.
        if self.chance.once_in(2) {
            let limit = liveness::bound(cluster);
            cluster.run_until_agreed(limit);
        }
        let end = cluster.now() + self.span;
        while cluster.now() < end && cluster.violation().is_none() {
            let pause = self.chance.span(self.pause);
            plan.run_for(cluster, pause);
            plan.act(cluster);
        }
        if let Some(violation) = cluster.violation() {
            return Err(violation.clone());
        }
        plan.end_all(cluster);
        let ended = liveness::settle(cluster)?;
        // A stream of its own: what a seed did before this was asked for, it still does.
        let mut chance = Chance::of_seed(!self.seed);
        if ended == Ended::Together && chance.once_in(AFTERMATH) {
            lose_minority(cluster, &mut chance)?;
        }
        Ok(ended)
    }
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without a word").to_owned()
}

fn nodes(chance: &mut Chance) -> usize {
    let nodes = match chance.below(100) {
        0..5 => 1,
        5..15 => 2,
        15..40 => 3,
        40..52 => 4,
        52..75 => 5,
        75..95 => chance.number(6, 9),
        95..99 => chance.number(10, 25),
        _ => return many_nodes(chance),
    };
    usize::try_from(nodes).unwrap_or(3)
}

fn many_nodes(chance: &mut Chance) -> usize {
    usize::try_from(chance.number(33, 48)).unwrap_or(33)
}

fn config(chance: &mut Chance, nodes: usize) -> RingConfig {
    let mut config = RingConfig::default();
    let limit = ms(chance.one_of([400, 1_000, 1_000, 2_000]));
    config.silence_limit = limit;
    config.redial_pause = chance.span((ms(1), ms(25)));
    config.doubt_wait_silence = chance.span((ms(1), ms(200)));
    config.doubt_wait_closed = chance.span((ms(1), ms(25)));
    config.settle = chance.one_of([ms(0), ms(50), ms(200), ms(1_000)]);
    config.fan_out = chance.one_of([2, 2, 3, 4, 16]);
    config.repair_pause = chance.span((ms(2), ms(50)));
    config.recovery_after = chance.span((ms(100), ms(2_000)));
    config.recovery_pause = (
        ms(chance.number(100, 1_000)),
        ms(chance.number(1_000, 5_000)),
    );
    config.rejoin_pause = (ms(chance.number(50, 500)), ms(chance.number(500, 5_000)));
    config.probe_interval = chance.span((ms(500), ms(10_000)));
    config.audit_interval = chance.span((ms(2_000), ms(60_000)));
    config.history_max = chance.one_of([8, 64, 1_024]);
    config.in_flight_max = chance.one_of([1, 2, 16, 256]);
    config.publish_queue_max = chance.one_of([2, 64, 1_024]);
    config.merge = chance.one_of([Merge::Never, Merge::Auto]);
    config.proof = match chance.below(100) {
        0..60 => ProofRule::Object,
        60..75 => ProofRule::Kubelet,
        75..90 => ProofRule::AnyObject,
        90..95 => ProofRule::Address,
        _ => ProofRule::Off,
    };
    if chance.once_in(25) {
        config.recovery = Recovery::Manual;
    }
    if chance.once_in(40) {
        config.quorum = Quorum::None;
    }
    match chance.below(100) {
        0..8 => by_majority(&mut config, nodes),
        8..10 if nodes == 1 => config.formation = Formation::Single,
        _ => {}
    }
    config
}

/// A static list of names: no census, no platform that knows pods.
fn by_majority(config: &mut RingConfig, nodes: usize) {
    let names = pod_names(nodes).into_iter();
    let names = names.filter_map(|name| NodeName::new(name).ok());
    config.formation = Formation::Majority(names.collect());
    config.recovery = Recovery::Manual;
    config.proof = ProofRule::Address;
}

fn weather(chance: &mut Chance) -> Weather {
    let micros = Duration::from_micros;
    let latency = chance.one_of([
        (micros(100), micros(400)),
        (micros(100), micros(400)),
        (ms(1), ms(10)),
        (micros(50), ms(60)),
    ]);
    let timeout = chance.span((ms(1_000), ms(10_000)));
    Weather {
        latency,
        user_timeout: chance.once_in(2).then_some(timeout),
        resets_percent: chance.one_of([0, 50, 100]),
    }
}

fn climate(chance: &mut Chance, config: &RingConfig) -> Climate {
    let upto = |chance: &mut Chance, most: u64| {
        let most = ms(chance.number(2, most));
        (ms(1), most)
    };
    Climate {
        api_delay: upto(chance, 100),
        listing_lag: upto(chance, 2_000),
        start_lag: upto(chance, 2_000),
        watch_lag: upto(chance, 1_000),
        removal_lag: upto(chance, 1_000),
        write_interval: chance.span((ms(200), ms(10_000))),
        status_lag: chance.one_of([Duration::ZERO, ms(300), ms(1_500)]),
        clock_skew_ms: chance.one_of([0, 50, 5_000]),
        reuses_addresses: chance.once_in(3),
        authoritative: !matches!(config.formation, Formation::Majority(_)),
    }
}

/// Kinds that make promises void for the whole run, and so are rare.
const RARE: [FaultKind; 2] = [FaultKind::ForceRecovery, FaultKind::Remove];

fn faults(chance: &mut Chance) -> Vec<FaultKind> {
    let share = chance.one_of([10, 30, 60]);
    let mut faults: Vec<FaultKind> = FaultKind::ALL
        .into_iter()
        .filter(|kind| {
            let percent = if RARE.contains(kind) { 3 } else { share };
            chance.percent(percent)
        })
        .collect();
    if chance.percent(70) && !faults.contains(&FaultKind::Publish) {
        faults.push(FaultKind::Publish);
    }
    faults
}
