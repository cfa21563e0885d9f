//! Nodes, the links between them, and what has been sent and not come yet.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use discovery_core::{NodeId, NodeInfo, NodeName, PodRef, PodUid, Seed, UnixMillis};
use discovery_tcp::message::Message;
use discovery_tcp::ring::{Input, LinkId, Output, Ring, Start};
use discovery_tcp::{Moment, RingConfig};

/// Most outputs that one input may lead to; a ring that asks for more is in a loop.
const OUTPUTS_MAX: usize = 100_000;

/// Set where one input is replayed: each ring's inputs and outputs are printed then.
const SHOW: &str = "DISCOVERY_FUZZ_SHOW";

/// Most messages remembered to be said again.
const HEARD_MAX: usize = 64;

/// What comes over a link, in order.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Message(Arc<Message>),
    End,
}

/// Who is at the other end of a link.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Far {
    Node(usize, LinkId),
    Stranger,
}

/// A ring and what it has asked for.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) ring: Ring,
    pub(crate) address: SocketAddr,
    pub(crate) links: BTreeMap<LinkId, Far>,
    /// What is on its way to it.
    pub(crate) coming: BTreeMap<LinkId, VecDeque<Item>>,
    pub(crate) dials: VecDeque<(LinkId, SocketAddr)>,
    pub(crate) rounds: VecDeque<u64>,
    pub(crate) questions: VecDeque<(u64, PodRef)>,
    runs: u8,
    accepted: u64,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Moment,
    pub(crate) nodes: Vec<Node>,
    /// Messages sent lately, by anybody.
    pub(crate) heard: VecDeque<Arc<Message>>,
    /// How often any ring was told something.
    pub(crate) told: usize,
    config: RingConfig,
    shows: bool,
}

impl World {
    pub(crate) fn new(config: RingConfig, nodes: u8) -> Self {
        let mut world = Self {
            now: Moment::START,
            nodes: (0..nodes).map(|at| node(&config, at, 0)).collect(),
            heard: VecDeque::new(),
            told: 0,
            config,
            shows: std::env::var_os(SHOW).is_some(),
        };
        for at in 0..world.nodes.len() {
            world.drain(at);
        }
        world
    }

    /// Tells a ring and takes what it asks for.
    pub(crate) fn tell(&mut self, at: usize, input: Input) {
        self.told += 1;
        if self.shows {
            eprintln!("{} ring-{at} <- {input:?}", self.now);
        }
        self.nodes[at].ring.handle(self.now, input);
        self.drain(at);
    }

    fn drain(&mut self, at: usize) {
        let mut outputs = 0;
        while let Some(output) = self.nodes[at].ring.poll_output() {
            outputs += 1;
            assert!(outputs < OUTPUTS_MAX, "a ring asks without end");
            if self.shows {
                eprintln!("{} ring-{at} -> {output:?}", self.now);
            }
            self.take(at, output);
        }
    }

    fn take(&mut self, at: usize, output: Output) {
        match output {
            Output::OpenLink { link, to } => {
                assert_eq!(link.0 % 2, 0, "a ring draws even numbers");
                self.nodes[at].dials.push_back((link, to));
            }
            Output::CloseLink { link, .. } => {
                let node = &mut self.nodes[at];
                node.dials.retain(|(dialled, _)| *dialled != link);
                node.coming.remove(&link);
                if let Some(Far::Node(other, far)) = node.links.remove(&link) {
                    self.push(other, far, Item::End);
                }
            }
            Output::Send { link, message } => {
                let far = self.nodes[at].links.get(&link);
                let far = *far.expect("a ring sends on links that are open");
                self.heard.push_back(Arc::clone(&message));
                if self.heard.len() > HEARD_MAX {
                    self.heard.pop_front();
                }
                if let Far::Node(other, far) = far {
                    self.push(other, far, Item::Message(message));
                }
            }
            Output::AskListing { round } => self.nodes[at].rounds.push_back(round),
            Output::AskPod { question, pod } => self.nodes[at].questions.push_back((question, pod)),
            Output::WatchSeeds(_) | Output::Emit(_) => {}
            other => panic!("this target does not know {other:?}"),
        }
    }

    fn push(&mut self, at: usize, link: LinkId, item: Item) {
        if let Some(queue) = self.nodes[at].coming.get_mut(&link) {
            queue.push_back(item);
        }
    }

    /// Answers the oldest dial of a node.
    pub(crate) fn open(&mut self, at: usize) {
        let Some((link, to)) = self.nodes[at].dials.pop_front() else {
            return;
        };
        let Some(other) = self.nodes.iter().position(|node| node.address == to) else {
            let failure = discovery_tcp::ring::DialFailure::Refused;
            self.tell(at, Input::LinkFailed { link, failure });
            return;
        };
        let far = self.nodes[other].draw_link();
        self.nodes[at].enter(link, Far::Node(other, far));
        self.nodes[other].enter(far, Far::Node(at, link));
        let from = self.nodes[at].address;
        self.tell(other, Input::LinkAccepted { link: far, from });
        // The other end may have closed it at once; that is on its way then.
        self.tell(at, Input::LinkOpened { link });
    }

    /// Somebody unknown opens a link.
    pub(crate) fn open_stranger(&mut self, at: usize) {
        let link = self.nodes[at].draw_link();
        self.nodes[at].enter(link, Far::Stranger);
        let from = SocketAddr::from(([10, 99, 0, 1], 40_000));
        self.tell(at, Input::LinkAccepted { link, from });
    }

    /// What is next on a link comes.
    pub(crate) fn deliver(&mut self, at: usize, link: LinkId) {
        let queue = self.nodes[at].coming.get_mut(&link);
        match queue.and_then(VecDeque::pop_front) {
            Some(Item::Message(message)) => {
                let message = Message::clone(&message);
                self.tell(at, Input::Received { link, message });
            }
            Some(Item::End) => {
                self.nodes[at].leave(link);
                self.tell(at, Input::LinkClosed { link });
            }
            None => {}
        }
    }

    /// A link breaks, for both ends at once or for one of them.
    pub(crate) fn cut(&mut self, at: usize, link: LinkId, both: bool) {
        let Some(far) = self.nodes[at].leave(link) else {
            return;
        };
        self.tell(at, Input::LinkClosed { link });
        if let (Far::Node(other, far), true) = (far, both)
            && self.nodes[other].leave(far).is_some()
        {
            self.tell(other, Input::LinkClosed { link: far });
        }
    }

    /// The process ends, and another of the same name starts at its address.
    pub(crate) fn restart(&mut self, at: usize) {
        let links = std::mem::take(&mut self.nodes[at].links);
        let runs = self.nodes[at].runs.wrapping_add(1);
        let number = u8::try_from(at).expect("few nodes");
        self.nodes[at] = node(&self.config, number, runs);
        for far in links.into_values() {
            if let Far::Node(other, far) = far {
                self.push(other, far, Item::End);
            }
        }
        self.drain(at);
    }

    /// Links that have something coming, of all nodes.
    pub(crate) fn waiting(&self) -> Vec<(usize, LinkId)> {
        let nodes = self.nodes.iter().enumerate();
        nodes
            .flat_map(|(at, node)| {
                let queues = node.coming.iter();
                queues
                    .filter(|(_, queue)| !queue.is_empty())
                    .map(move |(link, _)| (at, *link))
            })
            .collect()
    }

    /// All open links, of all nodes.
    pub(crate) fn links(&self) -> Vec<(usize, LinkId)> {
        let nodes = self.nodes.iter().enumerate();
        nodes
            .flat_map(|(at, node)| node.links.keys().map(move |link| (at, *link)))
            .collect()
    }

    /// Moves on to the next moment at which a ring wants to be called, and calls those due.
    pub(crate) fn go_on(&mut self) {
        let deadlines = self
            .nodes
            .iter()
            .filter_map(|node| node.ring.next_deadline());
        if let Some(next) = deadlines.min() {
            self.now = self.now.max(next);
        }
        self.call_due();
    }

    pub(crate) fn call_due(&mut self) {
        for at in 0..self.nodes.len() {
            let due = self.nodes[at].ring.next_deadline();
            if due.is_some_and(|due| due <= self.now) {
                self.tell(at, Input::Deadline);
            }
        }
    }

    /// Each node as a listing has it.
    pub(crate) fn listed(&self) -> Vec<Seed> {
        self.nodes.iter().map(Node::seed).collect()
    }
}

impl Node {
    fn draw_link(&mut self) -> LinkId {
        self.accepted += 1;
        LinkId(2 * self.accepted + 1)
    }

    fn enter(&mut self, link: LinkId, far: Far) {
        self.links.insert(link, far);
        self.coming.insert(link, VecDeque::new());
    }

    fn leave(&mut self, link: LinkId) -> Option<Far> {
        self.coming.remove(&link);
        self.links.remove(&link)
    }

    fn seed(&self) -> Seed {
        let info = self.ring.node();
        let mut seed = Seed::at(self.address);
        seed.name = Some(info.name().clone());
        seed.pod_uid = info.pod_uid().cloned();
        seed
    }
}

pub(crate) fn name(at: u8) -> NodeName {
    NodeName::new(format!("ring-{at}")).expect("a name")
}

/// A node at its start; the run makes its id, not its pod.
fn node(config: &RingConfig, at: u8, run: u8) -> Node {
    let address = SocketAddr::from(([10, 88, 0, at + 1], 47_500));
    let started_at = UnixMillis(1_795_305_600_000 + i64::from(run) * 1000 + i64::from(at));
    let info = NodeInfo::new(NodeId::from_u128(0), name(at), [address], started_at);
    let uid = PodUid::new(format!("uid-{at}")).expect("a uid");
    let mut seed = [0; 32];
    (seed[0], seed[1]) = (at, run);
    let start = Start {
        node: info.expect("a node").with_pod_uid(uid),
        wall: UnixMillis(1_795_305_700_000),
        seed,
        authoritative: true,
    };
    Node {
        ring: Ring::new(config.clone(), start),
        address,
        links: BTreeMap::new(),
        coming: BTreeMap::new(),
        dials: VecDeque::new(),
        rounds: VecDeque::new(),
        questions: VecDeque::new(),
        runs: run,
        accepted: 0,
    }
}
