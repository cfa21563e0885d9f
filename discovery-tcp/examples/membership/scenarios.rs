//! The measurements of one run, in order, and the line of JSON they make.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{Discovery, Topic, Topology};
use discovery_tcp::{DriverCounters, TcpDiscovery};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use crate::arguments::Arguments;
use crate::fleet::{Fleet, name};
use crate::gauges::{Gauges, header_bytes, resident_kib};
use crate::witness::Witness;

/// Longest wait for anything; a run that needs longer has failed.
const LIMIT: Duration = Duration::from_mins(1);

/// How long a cluster that has formed is left alone before it counts as idle.
const SETTLE: Duration = Duration::from_secs(3);

/// How long messages are published as fast as they are decided.
const PUBLISHING: Duration = Duration::from_secs(3);

/// Members that publish then, and messages that each has under way.
const PUBLISHERS: (usize, usize) = (4, 32);

/// Messages that are published one after the other.
const TURNS: usize = 500;

/// Bytes of a published message.
const PAYLOAD_BYTES: usize = 64;

struct Run<'a> {
    arguments: &'a Arguments,
    witness: Witness,
    fleet: Fleet,
    report: Map<String, Value>,
}

/// Makes every measurement that was asked for.
pub(crate) async fn run(arguments: &Arguments) -> Result<Value, Box<dyn Error>> {
    let empty_kib = resident_kib();
    let before = Gauges::read();
    let witness = Witness::default();
    let (fleet, start) = Fleet::start(arguments, &witness).await?;
    let mut run = Run {
        arguments,
        witness,
        fleet,
        report: Map::new(),
    };
    run.formation(start, before).await?;
    for step in &arguments.steps {
        match step.as_str() {
            "idle" => run.idle(empty_kib).await,
            "publish" => run.publish().await?,
            "kill" => run.end("kill", 1, Fleet::kill).await?,
            "kill-coordinator" => run.end_coordinator().await?,
            "kill-tenth" => run.end("kill_tenth", run.tenth(), Fleet::kill).await?,
            "freeze" => run.end("freeze", 1, Fleet::sever).await?,
            "freeze-tenth" => run.end("freeze_tenth", run.tenth(), Fleet::sever).await?,
            other => return Err(format!("{other} is no measurement").into()),
        }
    }
    let (memberships, under_one_version) = run.witness.memberships();
    run.tell("memberships", json!(memberships));
    run.tell("memberships_under_one_version", json!(under_one_version));
    run.tell("false_removals", json!(run.witness.false_removals()));
    Ok(Value::Object(run.report))
}

impl Run<'_> {
    fn tell(&mut self, what: &str, value: Value) {
        self.report.insert(what.to_owned(), value);
    }

    /// A tenth of those that live, at least one.
    fn tenth(&self) -> usize {
        (self.fleet.living().len() / 10).max(1)
    }

    async fn formation(&mut self, start: Instant, before: Gauges) -> Result<(), Box<dyn Error>> {
        let nodes = self.arguments.nodes;
        let everybody = move |topology: &Topology| topology.len() == nodes;
        let living = self.fleet.living();
        let formed = self
            .witness
            .until("formation", living, everybody, LIMIT)
            .await?;
        let busy = Gauges::read().since(before).processor;
        let version = self.version()?;
        let (dials, dials_max) = self.fleet.count(|node| node.counters().links_dialled);
        self.tell("nodes", json!(nodes));
        self.tell("formed_ms", millis(formed - start));
        self.tell("formed_cpu_ms", millis(busy));
        self.tell("formed_versions", json!(version));
        self.tell("dials_per_node", json!(per(dials, nodes)));
        self.tell("dials_max", json!(dials_max));
        Ok(())
    }

    async fn idle(&mut self, empty_kib: u64) {
        sleep(SETTLE).await;
        let nodes = self.fleet.living().len();
        let kib = resident_kib().saturating_sub(empty_kib);
        self.tell("kib_per_member", json!(per(kib, nodes)));
        let counted = |fleet: &Fleet| {
            let sum = |of: fn(&DriverCounters) -> u64| fleet.count(|node| of(&node.counters())).0;
            [
                sum(|counters| counters.bytes_sent),
                sum(|counters| counters.frames_sent),
                sum(|counters| counters.links_dialled),
            ]
        };
        let (before, gauges) = (counted(&self.fleet), Gauges::read());
        let start = Instant::now();
        sleep(self.arguments.idle).await;
        let gauges = Gauges::read().since(gauges);
        let seconds = start.elapsed().as_secs_f64();
        let after = counted(&self.fleet);
        let [bytes, frames, dials] = [0, 1, 2].map(|what| after[what] - before[what]);
        let bytes = bytes + header_bytes(gauges.segments);
        let each = |sum: f64| json!(sum / seconds / number(nodes));
        let busy = gauges.processor.as_secs_f64();
        self.tell("idle_cpu_percent", each(busy * 100.0));
        self.tell("idle_bytes_per_second", each(count(bytes)));
        self.tell("idle_segments_per_second", each(count(gauges.segments)));
        self.tell("idle_frames_per_second", each(count(frames)));
        self.tell("idle_dials_per_second", each(count(dials)));
    }

    async fn publish(&mut self) -> Result<(), Box<dyn Error>> {
        let living = self.fleet.living();
        let topic: Topic = "bench".parse()?;
        let end = Instant::now() + PUBLISHING;
        let mut publishing = Vec::new();
        for turn in 0..PUBLISHERS.0 * PUBLISHERS.1 {
            let node = living[(self.arguments.choice + turn) % PUBLISHERS.0.min(living.len())];
            let Some(node) = self.fleet.handle(node).cloned() else {
                continue;
            };
            publishing.push(tokio::spawn(publish_until(node, topic.clone(), end)));
        }
        let mut decided = 0;
        for published in publishing {
            decided += published.await??;
        }
        self.tell(
            "messages_per_second",
            json!(number(decided) / PUBLISHING.as_secs_f64()),
        );

        let node = living[living.len() / 2];
        let node = self.fleet.handle(node).ok_or("it lives")?;
        let mut turns = Vec::with_capacity(TURNS);
        for _ in 0..TURNS {
            let start = Instant::now();
            node.publish(topic.clone(), payload()).await?;
            turns.push(start.elapsed());
        }
        turns.sort_unstable();
        self.tell("publish_p50_us", micros(turns[TURNS / 2]));
        self.tell("publish_p99_us", micros(turns[TURNS * 99 / 100]));
        Ok(())
    }

    /// Ends so many in one way, the coordinator not among them.
    async fn end(
        &mut self,
        what: &'static str,
        how_many: usize,
        way: impl Fn(&mut Fleet, &[usize]) -> Instant,
    ) -> Result<(), Box<dyn Error>> {
        let mut candidates = self.fleet.living();
        let coordinator = self.coordinator()?;
        candidates.retain(|node| *node != coordinator);
        let first = self.arguments.choice * 7 % candidates.len();
        candidates.rotate_left(first);
        candidates.truncate(how_many);
        self.end_these(what, &candidates, way).await
    }

    async fn end_coordinator(&mut self) -> Result<(), Box<dyn Error>> {
        let coordinator = self.coordinator()?;
        self.end_these("kill_coordinator", &[coordinator], Fleet::kill)
            .await
    }

    async fn end_these(
        &mut self,
        what: &'static str,
        victims: &[usize],
        way: impl Fn(&mut Fleet, &[usize]) -> Instant,
    ) -> Result<(), Box<dyn Error>> {
        let before = self.version()?;
        let start = way(&mut self.fleet, victims);
        let names: BTreeSet<String> = victims.iter().map(|node| name(*node)).collect();
        let is_rid = move |topology: &Topology| {
            let mut members = topology.members().iter();
            !members.any(|member| names.contains(member.name().as_str()))
        };
        let living = self.fleet.living();
        let known = self.witness.until(what, living, is_rid, LIMIT).await?;
        let versions = self.version()? - before;
        self.tell(&format!("{what}_ms"), millis(known - start));
        self.tell(&format!("{what}_versions"), json!(versions));
        Ok(())
    }

    /// The number of the eldest member, who coordinates unless it was just replaced.
    fn coordinator(&self) -> Result<usize, Box<dyn Error>> {
        let living = self.fleet.living();
        let topology = self
            .witness
            .latest(living[0])
            .ok_or("there is a topology")?;
        let eldest = topology.eldest().name().to_string();
        let number = eldest.trim_start_matches("ring-").parse()?;
        Ok(number)
    }

    fn version(&self) -> Result<u64, Box<dyn Error>> {
        let living = self.fleet.living();
        let versions: Option<Vec<u64>> = living
            .iter()
            .map(|node| Some(self.witness.latest(*node)?.version().get()))
            .collect();
        let highest = versions.and_then(|versions| versions.into_iter().max());
        Ok(highest.ok_or("a node has no topology")?)
    }
}

/// Publishes one message after the other; how many were decided.
async fn publish_until(
    node: TcpDiscovery,
    topic: Topic,
    end: Instant,
) -> Result<usize, discovery_core::PublishError> {
    let mut decided = 0;
    while Instant::now() < end {
        node.publish(topic.clone(), payload()).await?;
        decided += 1;
    }
    Ok(decided)
}

fn payload() -> Arc<[u8]> {
    Arc::from([7; PAYLOAD_BYTES])
}

fn millis(span: Duration) -> Value {
    json!(span.as_secs_f64() * 1000.0)
}

fn micros(span: Duration) -> Value {
    json!(span.as_secs_f64() * 1_000_000.0)
}

fn per(sum: u64, nodes: usize) -> f64 {
    count(sum) / number(nodes)
}

fn number(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

fn count(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
