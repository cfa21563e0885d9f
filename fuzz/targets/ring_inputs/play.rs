//! What happens to the nodes, choice by choice.

use std::sync::Arc;
use std::time::Duration;

use discovery_core::{
    Census, ContainerState, FinderCause, FinderError, Finding, LastGood, PodFact, PodReading,
    PodRef, Provenance, ResourceVersion, Seed, SeedReport, SeedSet, Termination, Topic,
    UnixSeconds,
};
use discovery_tcp::message::Message;
use discovery_tcp::ring::{DialFailure, Input, LinkId};
use discovery_tcp::wire::{decode, encode};
use discovery_tcp::{Formation, Merge, Quorum, RingConfig};

use crate::choices::Choices;
use crate::world::{World, name};

/// A play ends after so many things told to rings: what needs more is found by shorter ones as well.
const TOLD_MAX: usize = 3000;

/// Most steps of one stretch of undisturbed play.
const STEPS_MAX: usize = 120;

#[derive(Debug)]
pub(crate) struct Play<'a> {
    choices: Choices<'a>,
    world: World,
    /// The version of the store, for listings.
    version: u64,
}

impl<'a> Play<'a> {
    pub(crate) fn new(mut choices: Choices<'a>) -> Self {
        let mut config = RingConfig::default();
        let nodes = 1 + choices.byte() % 5;
        config.formation = match choices.byte() % 4 {
            0 | 1 => Formation::Census,
            2 => Formation::Majority((0..nodes).map(name).collect()),
            _ => Formation::Single,
        };
        if choices.byte() % 4 == 3 {
            config.quorum = Quorum::None;
        }
        if choices.yes() {
            config.merge = Merge::Auto;
        }
        if choices.byte() % 4 == 3 {
            // Small limits are hit.
            config.history_max = 2;
            config.in_flight_max = 2;
            config.publish_queue_max = 2;
            config.links_max = 8;
            config.fan_out = 2;
        }
        Self {
            choices,
            world: World::new(config, nodes),
            version: 100,
        }
    }

    pub(crate) fn run(mut self) {
        for at in 0..self.world.nodes.len() {
            self.tell_seeds(at, false);
        }
        while !self.choices.is_over() && self.world.told < TOLD_MAX {
            self.step();
        }
    }

    fn step(&mut self) {
        match self.choices.byte() % 20 {
            0..3 => self.undisturbed(),
            3 => self.world.go_on(),
            4 => self.time_jumps(),
            5 => self.deliver(),
            6 => self.damage(),
            7 | 8 => self.say_again(),
            9 => self.break_link(),
            10 => self.answer_dial(),
            11 => self.answer_listing(),
            12 => self.answer_question(),
            13 => self.reports(),
            14 => self.publish(),
            15 => self.operator(),
            16 => self.restart(),
            17 => self.stranger(),
            18 => self.undecodable(),
            _ => self.impossible(),
        }
    }

    fn node(&mut self) -> usize {
        self.choices.below(self.world.nodes.len()).unwrap_or(0)
    }

    fn link(&mut self) -> Option<(usize, LinkId)> {
        let links = self.world.links();
        Some(links[self.choices.below(links.len())?])
    }

    /// The world does what it is asked, at once, and time goes on.
    fn undisturbed(&mut self) {
        let stretch = usize::from(self.choices.byte() % 16) + 1;
        for _ in 0..stretch {
            for _ in 0..STEPS_MAX {
                if self.world.told >= TOLD_MAX || !self.serve() {
                    break;
                }
            }
            self.world.go_on();
        }
    }

    /// Answers whatever is asked first; whether anything was.
    fn serve(&mut self) -> bool {
        for at in 0..self.world.nodes.len() {
            let node = &mut self.world.nodes[at];
            if !node.dials.is_empty() {
                self.world.open(at);
                return true;
            }
            if let Some(round) = node.rounds.pop_front() {
                let listed = self.world.listed();
                self.tell_listing(at, round, listed, false);
                return true;
            }
            if let Some((question, pod)) = node.questions.pop_front() {
                let fact = PodFact::Gone {
                    asked: pod,
                    replaced_by: None,
                    last_seen: None,
                };
                self.world.tell(at, Input::PodFact { question, fact });
                return true;
            }
        }
        let waiting = self.world.waiting();
        for (at, link) in &waiting {
            self.world.deliver(*at, *link);
        }
        !waiting.is_empty()
    }

    fn time_jumps(&mut self) {
        let millis = 1 << (self.choices.byte() % 17);
        self.world.now = self.world.now + Duration::from_millis(millis);
        if self.choices.yes() {
            self.world.call_due();
        }
    }

    fn deliver(&mut self) {
        let waiting = self.world.waiting();
        if let Some(place) = self.choices.below(waiting.len()) {
            let (at, link) = waiting[place];
            self.world.deliver(at, link);
        }
    }

    /// A message that was sent comes changed over any link.
    fn damage(&mut self) {
        let (Some(message), Some((at, link))) = (self.heard(), self.link()) else {
            return;
        };
        let mut payload = encode(&message);
        for _ in 0..=self.choices.byte() % 4 {
            let place = usize::from(u16::from_le_bytes([
                self.choices.byte(),
                self.choices.byte(),
            ]));
            let Some(place) = place.checked_rem(payload.len()) else {
                break;
            };
            match self.choices.byte() % 4 {
                0 | 1 => payload[place] = self.choices.byte(),
                2 => payload.insert(place, self.choices.byte()),
                _ => drop(payload.remove(place)),
            }
        }
        match decode(&payload) {
            Ok(message) => self.world.tell(at, Input::Received { link, message }),
            Err(_) => self.undecodable_on(at, link),
        }
    }

    /// A message that was sent by anybody to anybody comes over any link.
    fn say_again(&mut self) {
        if let (Some(message), Some((at, link))) = (self.heard(), self.link()) {
            let message = Message::clone(&message);
            self.world.tell(at, Input::Received { link, message });
        }
    }

    fn heard(&mut self) -> Option<Arc<Message>> {
        let place = self.choices.below(self.world.heard.len())?;
        Some(Arc::clone(&self.world.heard[place]))
    }

    fn break_link(&mut self) {
        let both = self.choices.yes();
        if let Some((at, link)) = self.link() {
            self.world.cut(at, link, both);
        }
    }

    fn answer_dial(&mut self) {
        let at = self.node();
        let failure = match self.choices.byte() % 5 {
            0 => DialFailure::Refused,
            1 => DialFailure::TimedOut,
            2 => DialFailure::Unreachable,
            3 => DialFailure::NotTried,
            _ => return self.world.open(at),
        };
        if let Some((link, _)) = self.world.nodes[at].dials.pop_front() {
            self.world.tell(at, Input::LinkFailed { link, failure });
        }
    }

    fn answer_listing(&mut self) {
        let at = self.node();
        let Some(round) = self.world.nodes[at].rounds.pop_front() else {
            return;
        };
        let mask = self.choices.byte();
        let stale = self.choices.yes();
        if mask == 0 {
            let result = Err(FinderError::new(FinderCause::Timeout, "no answer"));
            self.world.tell(at, Input::Listing { round, result });
        } else {
            let listed = masked(self.world.listed(), mask);
            self.tell_listing(at, round, listed, stale);
        }
    }

    fn tell_listing(&mut self, at: usize, round: u64, listed: Vec<Seed>, stale: bool) {
        self.version += u64::from(!stale);
        let version = ResourceVersion::new(self.version).expect("above zero");
        let result = Ok(Census::new(listed, version, Provenance::new("fuzz")));
        self.world.tell(at, Input::Listing { round, result });
    }

    fn answer_question(&mut self) {
        let at = self.node();
        let Some((question, pod)) = self.world.nodes[at].questions.pop_front() else {
            return;
        };
        let fact = self.fact(pod);
        self.world.tell(at, Input::PodFact { question, fact });
    }

    fn fact(&mut self, pod: PodRef) -> PodFact {
        let seconds = |offset: u8| UnixSeconds(1_795_305_598 + i64::from(offset % 8));
        match self.choices.byte() % 4 {
            0 => PodFact::Unknown(FinderError::new(FinderCause::Timeout, "no answer")),
            1 => PodFact::Gone {
                asked: pod,
                replaced_by: None,
                last_seen: None,
            },
            2 => {
                let started_at = seconds(self.choices.byte());
                PodFact::Present(PodReading::new(pod, ContainerState::Running { started_at }))
            }
            _ => {
                let ended = Termination {
                    started_at: seconds(self.choices.byte()),
                    finished_at: seconds(self.choices.byte()),
                    exit_code: 1,
                };
                PodFact::Present(PodReading::new(pod, ContainerState::Terminated(ended)))
            }
        }
    }

    fn reports(&mut self) {
        let (at, unknown) = (self.node(), self.choices.yes());
        self.tell_seeds(at, unknown);
    }

    fn tell_seeds(&mut self, at: usize, unknown: bool) {
        let mask = if unknown {
            self.choices.byte()
        } else {
            u8::MAX
        };
        let seeds = SeedSet::new(masked(self.world.listed(), mask));
        let finding = if unknown {
            Finding::Unknown(FinderError::new(FinderCause::Timeout, "no answer"))
        } else {
            Finding::from_seeds(seeds.clone())
        };
        let last_good = Some(LastGood {
            seeds,
            age: Duration::ZERO,
        });
        let report = SeedReport::new(finding, last_good, Provenance::new("fuzz"), true);
        self.world.tell(at, Input::Seeds(report));
    }

    fn publish(&mut self) {
        let at = self.node();
        for request in 0..=u64::from(self.choices.byte() % 4) {
            let input = Input::Publish {
                request,
                topic: Topic::new("t").expect("a topic"),
                payload: Arc::from(*b"payload"),
            };
            self.world.tell(at, input);
        }
    }

    fn operator(&mut self) {
        let at = self.node();
        let input = match self.choices.byte() % 4 {
            0 => Input::Leave,
            1 => Input::ForceRecovery,
            _ => {
                let whom = self.node();
                Input::Remove {
                    node: self.world.nodes[whom].ring.node().id(),
                    reason: "because".to_owned(),
                }
            }
        };
        self.world.tell(at, input);
    }

    fn restart(&mut self) {
        let at = self.node();
        self.world.restart(at);
        self.tell_seeds(at, false);
    }

    fn stranger(&mut self) {
        let at = self.node();
        self.world.open_stranger(at);
    }

    fn undecodable(&mut self) {
        if let Some((at, link)) = self.link() {
            self.undecodable_on(at, link);
        }
    }

    fn undecodable_on(&mut self, at: usize, link: LinkId) {
        self.world.tell(at, Input::Undecodable { link });
    }

    /// Any payload, over any link.
    fn impossible(&mut self) {
        let length = usize::from(self.choices.byte());
        let payload = self.choices.bytes(length);
        if let (Ok(message), Some((at, link))) = (decode(payload), self.link()) {
            self.world.tell(at, Input::Received { link, message });
        }
    }
}

/// Those whose bit is set.
fn masked(seeds: Vec<Seed>, mask: u8) -> Vec<Seed> {
    let seeds = seeds.into_iter().enumerate();
    seeds
        .filter(|(at, _)| mask >> (at % 8) & 1 == 1)
        .map(|(_, seed)| seed)
        .collect()
}
