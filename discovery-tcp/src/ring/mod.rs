//! The ring: the protocol as a passive state machine. One input door, one output queue, one
//! deadline query; no clock, no sockets, no failure.
//!
//! | modules | what they hold |
//! |---|---|
//! | `input`, `output`, `counters` | everything the world can tell a ring, and the ring the world |
//! | `effects`, `timers`, `links` | its hands: outputs, one table of timers, one of links |
//! | `greeting`, `hearsay` | the first exchange on a link; who is better |
//! | `newcomer`, `census`, `defer` | before there is a cluster (FORM) |
//! | `round`, `contacts`, `contact` | one round of a census: whom it contacts, lists and asks |
//! | `founding`, `found`, `reopen` | founding by majority (FORM) |
//! | `join` | the newcomer's side of joining (JOIN) |
//! | `join_verdict`, `admission`, `dial_back` | the coordinator's, and whom it asks to dial |
//! | `log`, `history`, `decide`, `install` | acceptor; what is decided takes effect (DECIDE) |
//! | `gather`, `catch_up` | acceptances go up; whoever is behind fetches |
//! | `lead`, `spread`, `count` | the coordinator: proposes, to whom, counts (DECIDE, SPREAD) |
//! | `publish` | messages of the members, in the order of decisions |
//! | `change`, `removal`, `probers` | what goes into a change: who is removed, who looks |
//! | `takeover` | a higher term (TAKE) |
//! | `recover`, `missing`, `forced`, `epoch` | a survivor asks; who is dead; the new epoch |
//! | `recover_ask`, `filter`, `floor` | how survivors are answered, and what binds (ANSWER) |
//! | `watch`, `heartbeat`, `accuse`, `tend` | watching and accusing (CUT, TIME); the links of it |
//! | `cut`, `roster`, `order_set` | who is cut; who watches whom, and the tree |
//! | `member`, `standing` | what a member is; losing the quorum, leaving, removal (STAND, LEAVE) |
//! | `status`, `waiting`, `lasting`, `turned_away` | for people |
//! | `check`, `observation`, `planted` | for the simulator and its checkers |

mod accuse;
mod admission;
mod catch_up;
mod census;
mod change;
mod check;
mod contact;
mod contacts;
mod count;
mod counters;
mod cut;
mod decide;
mod defer;
mod dial_back;
mod effects;
mod epoch;
mod filter;
mod floor;
mod forced;
mod found;
mod founding;
mod gather;
mod graph;
mod greeting;
mod hearsay;
mod heartbeat;
mod history;
mod input;
mod install;
mod join;
mod join_verdict;
mod lasting;
mod lead;
mod links;
mod log;
mod member;
mod missing;
mod newcomer;
mod observation;
mod order_set;
mod output;
mod planted;
mod probers;
mod promise;
mod publish;
mod recover;
mod recover_ask;
mod removal;
mod reopen;
mod room;
mod roster;
mod round;
mod spread;
mod standing;
mod status;
mod succession;
mod takeover;
mod tend;
mod timers;
mod turned_away;
mod waiting;
mod watch;
pub(crate) mod weight;

#[cfg(test)]
mod values_tests;

use std::collections::BTreeSet;

use discovery_core::{ClusterId, NodeId, NodeInfo, SeedReport, Standing, UnixMillis};

pub use counters::RingCounters;
pub use input::{DialFailure, Input, LinkId};
pub use lasting::{LastingCause, LastingRefusal};
pub use observation::{Decider, Observation};
pub use output::{Notice, Output};
pub use planted::Bug;
pub use status::{Status, Suspicion, observers, observers_of};
pub use turned_away::{TURNED_AWAY_MAX, TurnedAway, TurnedAwayCause};

use crate::config::RingConfig;
use crate::message::{Message, WireRange};
use crate::moment::Moment;
use dial_back::Errands;
use effects::Effects;
use filter::AnswerFilter;
use floor::Floor;
use found::Founding;
use hearsay::Hearsay;
use links::Purpose;
use member::Membership;
use newcomer::Newcomer;
use round::Round;
use timers::Timer;
use turned_away::TurnedAways;

/// The wire versions that this build speaks.
pub const WIRE: WireRange = WireRange { min: 1, max: 1 };

/// The round number of listings that serve no round but the look at one's own entry.
pub(crate) const AUDIT_ROUND: u64 = u64::MAX;

/// What a ring starts with, besides its configuration.
#[derive(Clone, Debug)]
pub struct Start {
    /// The local node; its node id is replaced by one drawn from the seed.
    pub node: NodeInfo,
    /// The wall time at [`Moment::START`].
    pub wall: UnixMillis,
    /// Where all chance comes from.
    pub seed: [u8; 32],
    /// Whether the finder can feed a census.
    pub authoritative: bool,
}

/// Where the node is in its life.
#[derive(Debug)]
enum Life {
    Newcomer(Box<Newcomer>),
    Member(Box<Membership>),
    Over,
}

impl Life {
    /// The census round under way: a newcomer's, or a survivor's.
    fn round_mut(&mut self) -> Option<&mut Round> {
        match self {
            Self::Newcomer(newcomer) => Some(&mut newcomer.round),
            Self::Member(m) => m.survivor.round.as_mut(),
            Self::Over => None,
        }
    }
}

/// One node's part in the protocol.
#[derive(Debug)]
pub struct Ring {
    config: RingConfig,
    /// What it speaks: what this build does, unless a simulation has it be another build.
    wire: WireRange,
    me: NodeInfo,
    authoritative: bool,
    fx: Effects,
    finder: Option<SeedReport>,
    /// How many reports the finder has given.
    reports: u64,
    filter: AnswerFilter,
    floor: Floor,
    hearsay: Hearsay,
    errands: Errands,
    life: Life,
    standing: Standing,
    met: BTreeSet<ClusterId>,
    rejoins: u32,
    /// Its part in founding by majority, kept through every node id of this process.
    founding: Option<Founding>,
    founding_retry_at: Moment,
    /// Its last cluster had members that bear none of the names that found.
    knows_other_names: bool,
    watching_seeds: bool,
    /// Only for people.
    turned_away: TurnedAways,
}

impl Ring {
    /// A newcomer that has done nothing yet; its first outputs are there at once.
    ///
    /// Whether the configuration makes sense is for [`RingConfig::faults`] to say; with one that
    /// does not the ring may stand still, but keeps its promises.
    pub fn new(config: RingConfig, start: Start) -> Self {
        let mut fx = Effects::new(start.seed, start.wall, config.links_max);
        let me = start.node.with_id(NodeId::from_u128(fx.draw_u128()));
        fx.emit(Notice::Identity(me.clone()));
        fx.output(Output::WatchSeeds(true));
        fx.timers.set(Timer::Round, Moment::START);
        let newcomer = Newcomer::new(Moment::START, &mut fx);
        Self {
            config,
            wire: WIRE,
            me,
            authoritative: start.authoritative,
            fx,
            finder: None,
            reports: 0,
            filter: AnswerFilter::default(),
            floor: Floor::default(),
            hearsay: Hearsay::default(),
            errands: Errands::default(),
            life: Life::Newcomer(Box::new(newcomer)),
            standing: Standing::NotYetMember {
                waiting_for: "the finder".into(),
            },
            met: BTreeSet::new(),
            rejoins: 0,
            founding: None,
            founding_retry_at: Moment::START,
            knows_other_names: false,
            watching_seeds: true,
            turned_away: TurnedAways::default(),
        }
    }

    /// Has it say that it speaks these wire versions, as another build would.
    #[cfg(feature = "sim")]
    pub(crate) fn speak(&mut self, wire: WireRange) {
        self.wire = wire;
    }

    /// Takes one input. `now` never goes back.
    pub fn handle(&mut self, now: Moment, input: Input) {
        let due = self.next_deadline();
        self.fx.now = self.fx.now.max(now);
        if let Some(due) = due {
            let late = self.fx.now.since(due);
            if late > self.config.silence_limit / 8 {
                self.forgive(late);
            }
        }
        self.take(input);
        self.run_timers();
        #[cfg(any(feature = "sim", debug_assertions))]
        self.assert_sound();
    }

    /// The next thing to be done, if any.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.fx.poll()
    }

    /// When [`Input::Deadline`] is due, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.fx.timers.next()
    }

    /// The local node in its present run.
    pub fn node(&self) -> &NodeInfo {
        &self.me
    }

    /// What was counted since the ring was made.
    pub fn counters(&self) -> &RingCounters {
        &self.fx.counters
    }

    fn is_member(&self) -> bool {
        matches!(self.life, Life::Member(_))
    }

    fn take(&mut self, input: Input) {
        if matches!(self.life, Life::Over) {
            self.refuse_when_over(input);
            return;
        }
        match input {
            Input::Deadline => {}
            Input::LinkAccepted { link, .. } => self.link_accepted(link),
            Input::LinkOpened { link } => self.link_opened(link),
            Input::LinkFailed { link, failure } => self.link_failed(link, failure),
            Input::LinkClosed { link } => self.link_closed(link),
            Input::Received { link, message } => self.received(link, message),
            Input::Undecodable { link } => {
                self.lose_link(link, crate::message::CloseReason::Undecodable);
            }
            Input::Seeds(report) => {
                self.finder = Some(report);
                self.reports += 1;
                self.look_after_round();
            }
            Input::Listing { round, result } => self.on_listing(round, result),
            Input::PodFact { question, fact } => self.on_pod_fact(question, &fact),
            Input::Publish {
                request,
                topic,
                payload,
            } => self.publish(request, topic, payload),
            Input::Leave => self.leave(),
            Input::Remove { node, reason } => self.remove(node, reason),
            Input::ForceRecovery => self.force(true),
        }
    }

    /// After the end only refusals are left.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "it ends here like any other input"
    )]
    fn refuse_when_over(&mut self, input: Input) {
        match input {
            Input::Publish { request, .. } => {
                let result = Err(discovery_core::PublishError::NotAMember);
                self.fx.emit(Notice::Published { request, result });
            }
            Input::LinkAccepted { link, .. } => {
                let reason = crate::message::CloseReason::Over;
                self.fx.output(Output::CloseLink { link, reason });
            }
            Input::Remove { .. } | Input::ForceRecovery => {
                self.fx.emit(Notice::Refused {
                    why: "the node has left".to_owned(),
                });
            }
            Input::Leave => {
                let result = Err(discovery_core::LeaveError::NotAMember);
                self.fx.emit(Notice::Left(result));
            }
            Input::Deadline
            | Input::LinkOpened { .. }
            | Input::LinkFailed { .. }
            | Input::LinkClosed { .. }
            | Input::Received { .. }
            | Input::Undecodable { .. }
            | Input::Seeds(_)
            | Input::Listing { .. }
            | Input::PodFact { .. } => {}
        }
    }

    fn run_timers(&mut self) {
        // Each timer at most once a call: what sets itself to "now" runs with the next one.
        let mut budget = 256;
        while budget > 0
            && let Some(timer) = self.fx.timers.take_due(self.fx.now)
        {
            budget -= 1;
            self.run_timer(timer);
        }
    }

    fn run_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Greeting(link) => {
                self.lose_link(link, crate::message::CloseReason::NoGreeting);
            }
            Timer::Rumour => self.tell_rumours(),
            Timer::Round => self.look_after_round(),
            Timer::Join => self.pursue_join(),
            Timer::Subject(node) => self.dial_subject_again(node),
            Timer::Silence => self.judge_silence(),
            Timer::Admission => {
                self.look_after_joiners();
                self.coordinate();
            }
            Timer::Doubt => self.coordinate(),
            Timer::Repair => self.repair(),
            Timer::Gather => self.send_up(),
            Timer::Beat => {
                self.beat();
                self.go_on_leaving();
            }
            Timer::Tend => self.tend(),
            Timer::Takeover => self.retry_takeover(),
            Timer::Recovery => self.recover(),
            Timer::Probe => self.probe_seeds(),
            Timer::Audit => self.audit(),
            Timer::Leave => self.left(Err(discovery_core::LeaveError::NotDecided)),
        }
    }

    fn received(&mut self, link: LinkId, message: Message) {
        self.fx.counters.messages_received += 1;
        let Some(entry) = self.fx.links.get_mut(link) else {
            return;
        };
        let from = entry.other_end().map(|end| end.node.id());
        entry.heard_at = self.fx.now;
        // Signs of life need no link of their own.
        if !matches!(message, Message::Heartbeat(_)) {
            entry.used_at = self.fx.now;
        }
        match (from, message) {
            (None, Message::Hello(intro)) => self.on_hello(link, &intro),
            (None, Message::HelloAnswer(intro)) => self.on_hello_answer(link, &intro),
            (None, Message::Refusal(refusal)) => self.on_refusal(link, &refusal),
            (None, _) => self.lose_link(link, crate::message::CloseReason::NoGreeting),
            (Some(from), message) => {
                self.heard(from);
                self.on_message(link, from, message);
            }
        }
    }

    fn on_message(&mut self, link: LinkId, from: NodeId, message: Message) {
        match message {
            Message::Hello(_) | Message::HelloAnswer(_) | Message::Refusal(_) => {
                self.nonsense(link);
            }
            Message::Rumour(rumour) => self.on_rumour(from, &rumour),
            Message::Defer(defer) => self.on_defer(link, from, &defer),
            Message::Granted(granted) => self.on_granted(from, granted),
            Message::Wait(wait) => self.on_wait(&wait),
            Message::IsMember(is_member) => self.take_rumour(None, Some(&is_member.member)),
            Message::Found(found) => self.on_found(from, found),
            Message::RecoverAsk(ask) => self.on_recover_ask(link, &ask),
            Message::RecoverAnswer(answer) => self.on_recover_answer(link, from, answer),
            Message::Join(join) => self.on_join(from, &join),
            Message::JoinAnswer(answer) => self.on_join_answer(from, answer),
            Message::DialBack(ask) => self.on_dial_back(from, &ask),
            Message::DialBackResult(result) => self.on_dial_back_result(from, result),
            Message::Snapshot(snapshot) => self.on_snapshot(from, &snapshot),
            Message::SnapshotAck(ack) => self.on_snapshot_ack(from, ack),
            Message::Propose(propose) => self.on_propose(link, from, &propose),
            Message::Accepted(accepted) => self.on_accepted(link, &accepted),
            Message::Superseded(superseded) => self.on_superseded(superseded),
            Message::Fetch(fetch) => self.on_fetch(from, fetch),
            Message::Decided(decided) => self.on_decided(link, from, &decided),
            Message::PromiseAsk(ask) => self.on_promise_ask(link, from, &ask),
            Message::Promise(promise) => self.on_promise(from, promise),
            Message::PromiseRefused(refused) => self.on_promise_refused(refused),
            Message::Leave(leave) if leave.node == from => self.on_leave(from),
            Message::Leave(_) => self.nonsense(link),
            Message::Publish(publish) => self.on_publish(link, from, &publish),
            Message::PublishRefused(refused) => self.on_publish_refused(refused),
            Message::Heartbeat(heartbeat) => self.on_heartbeat(from, heartbeat),
            Message::Alert(alert) => self.on_alert(from, alert),
            Message::Goodbye(goodbye) => self.on_goodbye(link, goodbye.reason),
        }
    }

    /// Seeds that are not members are probed by those who keep a watch (MEET).
    fn probe_seeds(&mut self) {
        let pause = self.fx.jitter(self.config.probe_interval);
        self.fx.after(Timer::Probe, pause);
        let Life::Member(m) = &self.life else {
            return;
        };
        if !self.watching_seeds {
            return;
        }
        let Some(report) = &self.finder else {
            return;
        };
        let known = |seed: &discovery_core::Seed| {
            m.topology()
                .members()
                .iter()
                .any(|member| match &seed.pod_uid {
                    Some(uid) => member.info.pod_uid() == Some(uid),
                    None => member.info.addresses().contains(&seed.address()),
                })
        };
        let strangers: Vec<_> = report
            .seeds()
            .iter()
            .filter(|seed| !known(seed) && !contact::is_self(seed, &self.me))
            .map(discovery_core::Seed::address)
            .take(64)
            .collect();
        for to in strangers {
            let open = self
                .fx
                .links
                .iter()
                .any(|(_, link)| link.dialled == Some(to));
            if !open {
                self.fx.dial(to, Purpose::Hint);
            }
        }
    }

    /// Who keeps no watch lists now and then; members without it would never see their own entry go.
    fn audit(&mut self) {
        let pause = self.fx.jitter(self.config.audit_interval);
        self.fx.after(Timer::Audit, pause);
        if self.authoritative && self.is_member() {
            self.fx.output(Output::AskListing { round: AUDIT_ROUND });
        }
    }

    /// The coordinator and its two deputies keep a watch of the finder, the others list now and
    /// then (F14). Without a quorum everybody watches.
    fn watch_seeds_as_needed(&mut self) {
        let Life::Member(m) = &self.life else {
            return;
        };
        let watch = m.place < 3 || m.lead.is_some() || !m.quorum;
        if watch != self.watching_seeds {
            self.watching_seeds = watch;
            self.fx.output(Output::WatchSeeds(watch));
        }
        if !self.fx.timers.is_set(Timer::Audit) {
            let pause = self.fx.jitter(self.config.audit_interval);
            self.fx.after(Timer::Audit, pause);
        }
    }
}
