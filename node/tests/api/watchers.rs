//! A thousand watchers of one node: nobody sees a gap, memory is bounded, and figures are printed.
//! A release build delivers ten thousand events to each; a debug build fewer, for time's sake.

use std::time::Duration;

use discovery_core::Discovery as _;
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::discovery_client::DiscoveryClient;
use discovery_proto::discovery::v1::subscribe_response::Kind;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tonic::transport::Channel;

use crate::stage::{LIMIT, Stage};

const WATCHERS: usize = 1_000;
const CONNECTIONS: usize = 10;
const EVENTS: usize = if cfg!(debug_assertions) { 100 } else { 10_000 };

/// How many events may be under way to the slowest watcher: fewer than the node keeps.
const WINDOW: usize = 500;

/// Most memory that watchers and events may take together.
const MEMORY_MAX_KIB: u64 = 400 * 1024;

/// Longest time for all of it.
const ALL_LIMIT: Duration = Duration::from_mins(10);

/// Reads every event, checks that none is missing, and tells how far it is.
async fn read(
    mut client: DiscoveryClient<Channel>,
    start: Instant,
    progress: watch::Sender<usize>,
) -> Vec<u64> {
    let request = v1::SubscribeRequest::default();
    let mut answers = client.subscribe(request).await.unwrap().into_inner();
    let (mut latencies, mut seen) = (Vec::with_capacity(EVENTS), 0);
    progress.send_replace(1);
    while seen < EVENTS {
        match answers.message().await.unwrap().unwrap().kind.unwrap() {
            Kind::Message(message) => {
                let text = std::str::from_utf8(&message.payload).unwrap();
                let (number, at) = text.split_once(' ').unwrap();
                assert_eq!(number.parse::<usize>().unwrap(), seen, "a gap");
                let took = start.elapsed().as_micros() - at.parse::<u128>().unwrap();
                latencies.push(u64::try_from(took).unwrap());
                seen += 1;
                progress.send_replace(1 + seen);
            }
            Kind::Checkpoint(_) => {}
            Kind::Gap(gap) => panic!("{gap:?}"),
        }
    }
    latencies
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_watchers_see_no_gap_and_cost_bounded_memory() {
    let nodes = Stage::new().cluster(1).await;
    let mut channels = Vec::new();
    for _ in 0..CONNECTIONS {
        channels.push(nodes[0].client().await);
    }
    let (start, before) = (Instant::now(), resident_kib());
    let (mut tasks, mut readers) = (JoinSet::new(), Vec::new());
    for number in 0..WATCHERS {
        let progress = watch::Sender::new(0);
        readers.push(progress.subscribe());
        let client = channels[number % CONNECTIONS].clone();
        tasks.spawn(read(client, start, progress));
    }
    all_at(&mut readers, 1).await;
    let (watching, idle) = (start.elapsed(), resident_kib());
    let discovery = nodes[0].discovery.clone();
    for number in 0..EVENTS {
        all_at(&mut readers, (1 + number).saturating_sub(WINDOW)).await;
        let text = format!("{number} {}", start.elapsed().as_micros());
        let topic = "t".parse().unwrap();
        let published = discovery.publish(topic, text.into_bytes().into());
        timeout(LIMIT, published).await.unwrap().unwrap();
    }
    all_at(&mut readers, 1 + EVENTS).await;
    let (took, after) = (start.elapsed().saturating_sub(watching), resident_kib());
    let mut latencies: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
    latencies.sort_unstable();
    let at = |share: usize| latencies[(latencies.len() - 1) * share / 100];
    println!(
        "{WATCHERS} watchers, {EVENTS} events: all in {took:.1?}, {} a second; from publishing \
         to a watcher p50 {} us, p99 {} us; watchers {} KiB, with events {} KiB",
        latencies.len() * 1000 / usize::try_from(took.as_millis()).unwrap().max(1),
        at(50),
        at(99),
        idle.saturating_sub(before),
        after.saturating_sub(before),
    );
    assert!(after.saturating_sub(before) < MEMORY_MAX_KIB);
}
