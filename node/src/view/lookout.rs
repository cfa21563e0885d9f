//! The task that looks at a node: it follows what is decided, asks for the status a few times a
//! second, and publishes what it saw. What is seen is drawn in `drawing.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{
    Delivery, Discovery, Finder, Finding, NodeId, SeedReport, SeedWatch, Standing, Subscription,
    Topology, TopologyId, UnixMillis,
};
use discovery_tcp::TcpDiscovery;
use discovery_tcp::ring::Status;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};

use super::drawing::{Surroundings, draw, last_topology, strangers, topology_sight};
use super::happening::What;
use super::knocking::{Knock, knock_at};
use super::overheard::Heard;
use super::sight::{Sight, TopologySight};
use super::tallies::accusation_kind;
use super::wording::{decided, finder_says, snapshot, stands};
use super::{ANSWER_LIMIT, Look};

/// Time between two looks while nothing is decided.
const PACE: Duration = Duration::from_millis(200);

/// How soon after a decision the next look is; more that is decided meanwhile is seen by the same.
const SOON: Duration = Duration::from_millis(10);

/// Time between two rounds of knocking at seeds that are no members.
const KNOCKING_PACE: Duration = Duration::from_secs(2);

/// By how much a confirmation must be newer to be seen as a new one.
const CONFIRMED_STEP: i64 = 1500;

/// Starts the task.
pub(super) fn start(
    discovery: TcpDiscovery,
    looks: watch::Sender<Look>,
    heard: Heard,
    finder: Option<Arc<dyn Finder>>,
) -> AbortHandle {
    let lookout = Lookout {
        deliveries: discovery.subscribe(None),
        discovery,
        looks,
        look: Look::default(),
        heard,
        finder,
        watch: None,
        report: None,
        confirmed_at: None,
        topology: None,
        drawn: None,
        accused: BTreeMap::new(),
        knocks: BTreeMap::new(),
        knocking: None,
        knocked_at: None,
    };
    tokio::spawn(lookout.run()).abort_handle()
}

#[derive(Debug)]
struct Lookout {
    discovery: TcpDiscovery,
    deliveries: Box<dyn Subscription>,
    looks: watch::Sender<Look>,
    look: Look,
    heard: Heard,
    finder: Option<Arc<dyn Finder>>,
    /// A watch of its own, only while somebody looks.
    watch: Option<Box<dyn SeedWatch>>,
    report: Option<SeedReport>,
    confirmed_at: Option<i64>,
    /// The topology told last, which names those whom the next change removes.
    topology: Option<Topology>,
    /// The topology drawn last, beside what was listed then.
    drawn: Option<(TopologyId, Arc<TopologySight>)>,
    /// Every accusation seen last, by subject and observer.
    accused: BTreeMap<(NodeId, NodeId), Suspicion>,
    knocks: BTreeMap<SocketAddr, Knock>,
    knocking: Option<JoinHandle<BTreeMap<SocketAddr, Knock>>>,
    knocked_at: Option<Instant>,
}

/// One accusation, with the names of that time.
#[derive(Debug, PartialEq, Eq)]
struct Suspicion {
    kind: &'static str,
    subject: String,
    observer: String,
}

impl Suspicion {
    fn risen(&self) -> What {
        What::Accused {
            subject: self.subject.clone(),
            observer: self.observer.clone(),
            kind: self.kind.to_owned(),
        }
    }

    fn fallen(&self, are_members: bool) -> What {
        What::Cleared {
            subject: self.subject.clone(),
            observer: self.observer.clone(),
            are_members,
        }
    }
}

impl Lookout {
    async fn run(mut self) {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                delivery = self.deliveries.next() => {
                    let Some(delivery) = delivery else {
                        // It has stopped; what is known last stays.
                        return self.unanswered(wall());
                    };
                    self.take(delivery, &mut pace);
                }
                _ = pace.tick() => {
                    if !self.look().await {
                        return;
                    }
                }
            }
        }
    }

    /// Takes in what was decided, and looks soon.
    fn take(&mut self, delivery: Delivery, pace: &mut Interval) {
        let what = match delivery {
            Delivery::Snapshot { topology, cause } => {
                let what = snapshot(&topology, cause);
                self.topology = Some(topology);
                what
            }
            Delivery::Changed(event) => {
                self.look.tallies.changed(&event, UnixMillis(wall()));
                let what = decided(&event, self.topology.as_ref());
                self.topology = Some(event.topology);
                what
            }
            Delivery::Standing(standing) => {
                match standing {
                    Standing::WithoutQuorum { .. } => self.look.tallies.quorum_losses += 1,
                    Standing::Removed { .. } => self.look.tallies.own_removals += 1,
                    _ => {}
                }
                stands(&standing)
            }
            // Messages are for those who subscribe to them.
            _ => return,
        };
        self.look.happenings.add(wall(), what);
        pace.reset_after(SOON);
    }

    /// Looks once; whether the node still runs.
    async fn look(&mut self) -> bool {
        let asked_at = wall();
        let answer = timeout(ANSWER_LIMIT, self.discovery.status()).await;
        let Ok(Ok(status)) = answer else {
            self.unanswered(asked_at);
            // One that does not turn may turn again; one that has ended does not.
            return answer.is_err();
        };
        self.look.unanswered_since = None;
        self.hear();
        self.knock(&status);
        self.compare_suspicions(&status);
        let topology = last_topology(&status).map(|topology| self.draw_topology(topology));
        let sight = draw(
            &status,
            &Surroundings {
                topology,
                report: self.report.as_ref(),
                confirmed_at: self.confirmed_at,
                happenings: &self.look.happenings,
                knocks: &self.knocks,
                now: wall(),
            },
        );
        self.publish(sight);
        true
    }

    /// The members are many and change seldom: they are drawn when they do, or the listing does.
    fn draw_topology(&mut self, topology: &Topology) -> Arc<TopologySight> {
        match &self.drawn {
            Some((id, drawn)) if *id == topology.id() => Arc::clone(drawn),
            _ => {
                let drawn = Arc::new(topology_sight(topology, self.report.as_ref()));
                self.drawn = Some((topology.id(), Arc::clone(&drawn)));
                drawn
            }
        }
    }

    /// Takes in what the finder says; watches it closely only while somebody looks.
    fn hear(&mut self) {
        let is_watched = self.looks.receiver_count() > 0;
        self.watch = match (self.watch.take(), &self.finder) {
            (None, Some(finder)) if is_watched => Some(finder.watch()),
            (watch, _) => watch.filter(|_| is_watched),
        };
        let overheard = self.heard.latest(Instant::now());
        let report = match self.watch.as_ref().map(|watch| watch.latest()) {
            Some(report) if report.last_good.is_some() => Some(report),
            _ => overheard,
        };
        let Some(report) = report else {
            return;
        };
        let confirmed_at = report.last_good.as_ref().map(|good| {
            let age = i64::try_from(good.age.as_millis()).unwrap_or(i64::MAX);
            wall().saturating_sub(age)
        });
        let is_newer = match (self.confirmed_at, confirmed_at) {
            (Some(before), Some(now)) => (now - before).abs() > CONFIRMED_STEP,
            (before, now) => before.is_some() != now.is_some(),
        };
        if is_newer {
            self.confirmed_at = confirmed_at;
        }
        let says_the_same = self
            .report
            .as_ref()
            .is_some_and(|before| before.says_the_same_as(&report));
        if !says_the_same {
            if let Finding::Unknown(error) = &report.finding {
                let troubles = &mut self.look.tallies.finder_troubles;
                *troubles.entry(error.cause().as_str()).or_default() += 1;
            }
            self.look.happenings.add(wall(), finder_says(&report));
            self.drawn = None;
        }
        self.report = Some(report);
    }

    /// Knocks at seeds that are no members, now and then, while somebody looks.
    fn knock(&mut self, status: &Status) {
        if let Some(knocking) = self.knocking.take_if(|knocking| knocking.is_finished()) {
            // A finished task answers at once; one that failed has found nothing out.
            use futures_util::FutureExt;
            if let Some(Ok(knocks)) = knocking.now_or_never() {
                self.knocks = knocks;
            }
        }
        let now = Instant::now();
        let is_time = self
            .knocked_at
            .is_none_or(|at| now.saturating_duration_since(at) >= KNOCKING_PACE);
        let Some(report) = &self.report else {
            return;
        };
        if !is_time || self.knocking.is_some() || self.looks.receiver_count() == 0 {
            return;
        }
        let own: BTreeSet<SocketAddr> = status.node.addresses().iter().copied().collect();
        let strangers = strangers(status, report);
        let addresses: Vec<SocketAddr> = strangers
            .iter()
            .map(discovery_core::Seed::address)
            .filter(|address| !own.contains(address))
            .collect();
        self.knocks.retain(|address, _| addresses.contains(address));
        self.knocked_at = Some(now);
        if !addresses.is_empty() {
            self.knocking = Some(tokio::spawn(knock_at(addresses)));
        }
    }

    /// Tells which accusations rose and fell since the last look.
    fn compare_suspicions(&mut self, status: &Status) {
        let topology = last_topology(status);
        let name = |id| {
            let known = [topology, self.topology.as_ref()];
            let mut members = known.into_iter().flatten();
            members
                .find_map(|topology| topology.member(id))
                .map_or_else(|| format!("node {id}"), |member| member.name().to_string())
        };
        let accused: BTreeMap<_, _> = status
            .suspicions
            .iter()
            .map(|one| {
                let suspicion = Suspicion {
                    kind: accusation_kind(one.kind),
                    subject: name(one.subject),
                    observer: name(one.observer),
                };
                ((one.subject, one.observer), suspicion)
            })
            .collect();
        let at = wall();
        for (who, suspicion) in &accused {
            if self.accused.get(who) == Some(suspicion) {
                continue;
            }
            let seen = &mut self.look.tallies.accusations;
            *seen.entry(suspicion.kind).or_default() += 1;
            self.look.happenings.add(at, suspicion.risen());
        }
        // Whether both are still there to speak of.
        let is_member = |id| topology.is_some_and(|topology| topology.member(id).is_some());
        for (who, suspicion) in &self.accused {
            if accused.contains_key(who) {
                continue;
            }
            let are_members = is_member(who.0) && is_member(who.1);
            self.look.tallies.cleared += u64::from(are_members);
            self.look.happenings.add(at, suspicion.fallen(are_members));
        }
        self.accused = accused;
    }

    /// Publishes what was seen, if it is anything new.
    fn publish(&mut self, mut sight: Sight) {
        if let Some(before) = &self.look.sight
            && before.without_quorum_since.is_some()
            && sight.without_quorum_since.is_some()
        {
            // Counted back from now, it would waver.
            sight.without_quorum_since = before.without_quorum_since;
        }
        if self.look.sight.as_deref() != Some(&sight) {
            self.look.sight = Some(Arc::new(sight));
        }
        self.tell();
    }

    /// The ring does not turn, or has ended: what was seen is not how things are.
    fn unanswered(&mut self, asked_at: i64) {
        self.look.unanswered_since.get_or_insert(asked_at);
        self.tell();
    }

    /// Tells whoever watches, if there is anything new.
    fn tell(&self) {
        let look = &self.look;
        let happened = look.happenings.next_number();
        self.looks.send_if_modified(|published| {
            let is_same = match (&published.sight, &look.sight) {
                (Some(before), Some(now)) => Arc::ptr_eq(before, now),
                (before, now) => before.is_none() && now.is_none(),
            };
            let answers_as_before = published.unanswered_since == look.unanswered_since;
            if is_same && answers_as_before && published.happenings.next_number() == happened {
                return false;
            }
            *published = look.clone();
            true
        });
    }
}

fn wall() -> i64 {
    Timestamp::now().as_millisecond()
}
