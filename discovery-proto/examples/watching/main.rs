//! Watches one node with many gRPC streams while it publishes through one, and prints one line of
//! JSON: gaps, deliveries, latencies and what the node's process used. `cargo xtask bench node` runs
//! it against nodes that are processes and makes a table of it.
//!
//! | module | what it holds |
//! |---|---|
//! | `arguments` | what to measure |
//! | `streams` | the watchers, and what each was told when |
//! | `gauges` | memory and processor time of the node, as the kernel counts them |
#![allow(
    clippy::print_stdout,
    reason = "its result is a line on standard output"
)]

mod arguments;
mod gauges;
mod streams;

use std::error::Error;
use std::time::Duration;

use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::discovery_client::DiscoveryClient;
use serde_json::{Value, json};
use tokio::time::{Instant, interval, timeout};
use tonic::transport::Channel;

use arguments::Arguments;
use gauges::Gauges;
use streams::{Streams, connect};

/// How many events may be under way to the slowest watcher: half of what a node keeps.
const WINDOW: usize = 500;

/// How often the publisher looks for the slowest, in events.
const LOOK_EVERY: usize = 100;

/// Longest time for all of it.
const ALL_LIMIT: Duration = Duration::from_mins(30);

/// When each event was published and answered, in microseconds of the run.
#[derive(Default)]
struct Published {
    asked: Vec<u64>,
    answered: Vec<u64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let report = timeout(ALL_LIMIT, measure(&arguments)).await??;
    println!("{report}");
    Ok(())
}

async fn measure(arguments: &Arguments) -> Result<Value, Box<dyn Error>> {
    let start = Instant::now();
    let mut publisher = connect(&arguments.publish).await?;
    let before = Gauges::read(arguments.pid);
    let mut streams = Streams::open(arguments, start).await?;
    let watching = Gauges::read(arguments.pid);
    let began = Instant::now();
    let published = publish(&mut publisher, &mut streams, arguments, start).await?;
    streams.all_at(arguments.events).await?;
    let took = began.elapsed();
    let after = Gauges::read(arguments.pid);
    let told = streams.end().await?;
    let deliveries = told.iter().map(|told| told.seen.len()).sum::<usize>();
    let gaps = told.iter().map(|told| told.gaps).sum::<usize>();
    let busy = after.processor.saturating_sub(watching.processor);
    Ok(json!({
        "watchers": arguments.watchers,
        "events": arguments.events,
        "deliveries": deliveries,
        "gaps": gaps,
        "took_ms": took.as_millis(),
        "node_processor_ms": busy.as_millis(),
        "before_kib": before.resident_kib,
        "watching_kib": watching.resident_kib,
        "after_kib": after.resident_kib,
        "answer_us": spread(published.asked.iter().zip(&published.answered)),
        "watcher_us": over(&told, &published.asked),
        "after_answer_us": over(&told, &published.answered),
    }))
}

/// Publishes all events, at a pace or as fast as the slowest watcher lets it.
async fn publish(
    client: &mut DiscoveryClient<Channel>,
    streams: &mut Streams,
    arguments: &Arguments,
    start: Instant,
) -> Result<Published, Box<dyn Error>> {
    let mut published = Published::default();
    let mut pace = arguments.pace().map(interval);
    for number in 0..arguments.events {
        if number % LOOK_EVERY == 0 {
            streams.all_at(number.saturating_sub(WINDOW)).await?;
        }
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        let mut payload = number.to_string().into_bytes();
        payload.resize(arguments.bytes.max(payload.len()), b' ');
        let request = v1::PublishRequest {
            topic: "bench".to_owned(),
            payload,
            idempotency_key: String::new(),
        };
        published.asked.push(micros(start));
        client.publish(request).await?;
        published.answered.push(micros(start));
    }
    Ok(published)
}

/// Microseconds of the run until now.
fn micros(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// From these moments to every watcher.
fn over(told: &[streams::Told], from: &[u64]) -> Value {
    spread(told.iter().flat_map(|told| from.iter().zip(&told.seen)))
}

/// Median, 99th percentile and worst of what passed between pairs of moments; below 0 where the
/// second came first.
fn spread<'a>(pairs: impl Iterator<Item = (&'a u64, &'a u64)>) -> Value {
    let signed = |(from, to): (&u64, &u64)| to.cast_signed() - from.cast_signed();
    let mut passed: Vec<i64> = pairs.map(signed).collect();
    passed.sort_unstable();
    let at = |share: usize| passed.get(passed.len().saturating_sub(1) * share / 100);
    json!({"p50": at(50), "p99": at(99), "worst": at(100)})
}
