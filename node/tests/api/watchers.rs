//! A thousand watchers of one node, of messages and of the topology: nobody who reads sees a gap,
//! one who stalls is told of his, memory is bounded, and figures are printed. A release build
//! delivers more events than a debug build; `cargo xtask bench node` measures real processes.

use std::time::Duration;

use discovery_core::Discovery as _;
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::discovery_client::DiscoveryClient;
use discovery_proto::discovery::v1::{subscribe_response, watch_topology_response};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};

use crate::stage::{LIMIT, Running, Stage, is_member_of, next, version};

/// Those who follow messages, and those who follow the topology.
const SUBSCRIBERS: usize = 500;
const TOPOLOGY_WATCHERS: usize = 500;

const CONNECTIONS: usize = 10;

/// More than the node keeps, so that whoever stalls must miss some.
const EVENTS: usize = if cfg!(debug_assertions) {
    1_500
} else {
    10_000
};

/// Bytes of an event.
const EVENT_BYTES: usize = 256;

/// How often a node comes and goes meanwhile, and what that makes of changes.
const VISITS: usize = 10;
const CHANGES: usize = 2 * VISITS;

/// How many events may be under way to the slowest watcher that reads: fewer than the node keeps.
const WINDOW: usize = 500;

/// Bytes that may be under way to the watcher that stalls, besides one filled buffer of the node.
const STALLED_WINDOW: u32 = 1_024;

/// Most memory that watchers and events may take together.
const MEMORY_MAX_KIB: u64 = 400 * 1024;

/// Silence that the ring bears: nobody is found dead because the machine is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest time for all of it.
const ALL_LIMIT: Duration = Duration::from_mins(10);

async fn subscribe(client: &mut DiscoveryClient<Channel>) -> Streaming<v1::SubscribeResponse> {
    let request = v1::SubscribeRequest::default();
    client.subscribe(request).await.unwrap().into_inner()
}

fn text_of(message: &v1::PublishedMessage) -> (usize, u128) {
    let text = std::str::from_utf8(&message.payload).unwrap();
    let mut words = text.split_whitespace();
    let number = words.next().unwrap().parse().unwrap();
    (number, words.next().unwrap().parse().unwrap())
}

/// Reads every event, checks that none is missing, and tells how far it is.
async fn read_messages(
    mut client: DiscoveryClient<Channel>,
    start: Instant,
    progress: watch::Sender<usize>,
) -> Vec<u64> {
    use subscribe_response::Kind;
    let mut answers = subscribe(&mut client).await;
    let (mut latencies, mut seen) = (Vec::with_capacity(EVENTS), 0);
    while seen < EVENTS {
        match answers.message().await.unwrap().unwrap().kind.unwrap() {
            Kind::Message(message) => {
                let (number, at) = text_of(&message);
                assert_eq!(number, seen, "a gap");
                let took = start.elapsed().as_micros() - at;
                latencies.push(u64::try_from(took).unwrap());
                seen += 1;
                progress.send_replace(1 + seen);
            }
            Kind::Checkpoint(_) => {
                progress.send_replace(1 + seen);
            }
            Kind::Gap(gap) => panic!("{gap:?}"),
        }
    }
    latencies
}

/// Reads every change, checks that none is missing, and tells how far it is.
async fn read_changes(mut client: DiscoveryClient<Channel>, progress: watch::Sender<usize>) {
    use watch_topology_response::Kind;
    let request = v1::WatchTopologyRequest { from: None };
    let mut answers = client.watch_topology(request).await.unwrap().into_inner();
    let (mut at, mut seen) = (None, 0);
    while seen < CHANGES {
        match answers.message().await.unwrap().unwrap().kind.unwrap() {
            Kind::Snapshot(snapshot) => {
                assert_eq!(at, None, "a second snapshot is a gap");
                at = Some(version(snapshot.topology.unwrap().id.as_ref()));
                progress.send_replace(1);
            }
            Kind::Change(change) => {
                assert_eq!(at, Some(version(change.previous.as_ref())), "a gap");
                at = Some(version(change.id.as_ref()));
                seen += 1;
                progress.send_replace(1 + seen);
            }
            Kind::Standing(standing) => {
                assert_eq!(standing.kind(), v1::StandingKind::Member);
            }
        }
    }
}

/// A stream that nobody reads, on a connection that takes little.
async fn stalled(node: &Running) -> Streaming<v1::SubscribeResponse> {
    let endpoint = Endpoint::from_shared(format!("http://{}", node.grpc)).unwrap();
    let endpoint = endpoint.initial_stream_window_size(STALLED_WINDOW);
    let channel = timeout(LIMIT, endpoint.connect()).await.unwrap().unwrap();
    subscribe(&mut DiscoveryClient::new(channel)).await
}

/// Reads what waited for it: the first events, one gap that says why, and then the last ones.
async fn reads_on(mut answers: Streaming<v1::SubscribeResponse>) -> usize {
    use subscribe_response::Kind;
    let (mut wanted, mut missed, mut told) = (0, None, 0);
    while wanted < EVENTS {
        match next(&mut answers).await.kind.unwrap() {
            Kind::Message(message) => {
                let (number, _) = text_of(&message);
                if missed.is_none() && told == 1 {
                    missed = Some(number - wanted);
                    wanted = number;
                }
                assert_eq!(number, wanted, "what is missing is not told");
                wanted += 1;
            }
            Kind::Gap(gap) => {
                assert_eq!(gap.cause(), v1::SnapshotCause::Behind);
                assert!(gap.resumed.is_some(), "{gap:?}");
                told += 1;
            }
            Kind::Checkpoint(_) => {}
        }
    }
    assert_eq!(told, 1, "one gap is told once");
    missed.unwrap()
}

/// The memory of this process.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

/// Waits until every watcher has come this far.
async fn all_at(readers: &mut [watch::Receiver<usize>], wanted: usize) {
    for reader in readers {
        let reached = timeout(ALL_LIMIT, reader.wait_for(|seen| *seen >= wanted));
        reached.await.unwrap().unwrap();
    }
}

async fn start_patient(stage: &Stage, name: &str) -> Running {
    let (mut config, listeners) = stage.config(name);
    config.ring.silence_limit = PATIENCE;
    stage.run((config, listeners)).await
}

/// A node comes, and goes in order.
async fn visit(stage: &Stage, host: &Running, number: usize) {
    let name = format!("visitor-{number}");
    let visitor = start_patient(stage, &name).await;
    host.stands(|standing| is_member_of(standing, 2)).await;
    visitor.stands(|standing| is_member_of(standing, 2)).await;
    let left = timeout(LIMIT, visitor.control.end(Duration::ZERO));
    left.await.unwrap().unwrap();
    visitor.ended().await;
    stage.unlist(&name);
    host.stands(|standing| is_member_of(standing, 1)).await;
}

/// All watchers, and how far each of them is.
struct Watchers {
    latencies: JoinSet<Vec<u64>>,
    of_topology: JoinSet<()>,
    messages: Vec<watch::Receiver<usize>>,
    changes: Vec<watch::Receiver<usize>>,
}

impl Watchers {
    async fn start(node: &Running, start: Instant) -> Self {
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            channels.push(node.client().await);
        }
        let mut all = Self {
            latencies: JoinSet::new(),
            of_topology: JoinSet::new(),
            messages: Vec::new(),
            changes: Vec::new(),
        };
        for number in 0..SUBSCRIBERS + TOPOLOGY_WATCHERS {
            let client = channels[number % CONNECTIONS].clone();
            let progress = watch::Sender::new(0);
            if number < SUBSCRIBERS {
                all.messages.push(progress.subscribe());
                all.latencies.spawn(read_messages(client, start, progress));
            } else {
                all.changes.push(progress.subscribe());
                all.of_topology.spawn(read_changes(client, progress));
            }
        }
        all_at(&mut all.messages, 1).await;
        all_at(&mut all.changes, 1).await;
        all
    }

    /// Publishes all events; a node comes and goes now and then.
    async fn events(&mut self, stage: &Stage, node: &Running, start: Instant) {
        for number in 0..EVENTS {
            if number % (WINDOW / 2) == 0 {
                let behind = (1 + number).saturating_sub(WINDOW / 2);
                all_at(&mut self.messages, behind).await;
            }
            if number % (EVENTS / VISITS) == 0 {
                visit(stage, node, number).await;
            }
            let text = format!("{number} {}", start.elapsed().as_micros());
            let payload = format!("{text:EVENT_BYTES$}").into_bytes();
            let published = node.discovery.publish("t".parse().unwrap(), payload.into());
            timeout(LIMIT, published).await.unwrap().unwrap();
        }
        all_at(&mut self.messages, 1 + EVENTS).await;
        all_at(&mut self.changes, 1 + CHANGES).await;
    }

    /// What each delivery took; fails if a watcher did.
    async fn end(self) -> Vec<u64> {
        self.of_topology.join_all().await;
        let mut latencies: Vec<u64> = self.latencies.join_all().await.concat();
        latencies.sort_unstable();
        latencies
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_watchers_see_no_gap_and_one_who_stalls_is_told_of_his() {
    let stage = Stage::new();
    let node = start_patient(&stage, "host").await;
    node.stands(|standing| is_member_of(standing, 1)).await;
    let (start, before) = (Instant::now(), resident_kib());
    let mut watchers = Watchers::start(&node, start).await;
    let stalls = stalled(&node).await;
    let (watching, idle) = (start.elapsed(), resident_kib());

    watchers.events(&stage, &node, start).await;

    let (took, after) = (start.elapsed().saturating_sub(watching), resident_kib());
    let latencies = watchers.end().await;
    let missed = reads_on(stalls).await;
    let at = |share: usize| latencies[(latencies.len() - 1) * share / 100];
    println!(
        "{SUBSCRIBERS} subscribers, {EVENTS} events, {TOPOLOGY_WATCHERS} watchers of {CHANGES} \
         changes: all in {took:.1?}, {} a second; from publishing to a watcher p50 {} us, p99 {} \
         us; watchers {} KiB, with events {} KiB; who stalled missed {missed}",
        latencies.len() * 1000 / usize::try_from(took.as_millis()).unwrap().max(1),
        at(50),
        at(99),
        idle.saturating_sub(before),
        after.saturating_sub(before),
    );
    assert!(missed > 0);
    assert!(after.saturating_sub(before) < MEMORY_MAX_KIB);
}
