//! Measures the finder on a real API server, beside a finder that polls every second.
//!
//! `cargo run --release -p discovery-k8s --example figures NAMESPACE KUBECONFIG` makes two Services
//! and a slice in a namespace that exists, writes to the slice, and prints how long each finder
//! took to know, what folding costs, and how many requests an idle finder sends. It takes about
//! three and a half minutes. `cargo xtask e2e --suite figures` runs it on a cluster of its own.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that measures reads the clock and prints what it saw"
)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use discovery_core::{Finder, SeedSet};
use discovery_k8s::{ApiAccess, KubeFinder, KubeFinderConfig, Slice, SliceStore};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::sync::watch;

type Failure = Box<dyn Error + Send + Sync>;

/// Writes whose way to both finders is timed.
const WRITES: u32 = 120;
/// How often the baseline asks.
const POLL: Duration = Duration::from_secs(1);
/// How long the idle finder is watched doing nothing.
const IDLE: Duration = Duration::from_mins(3);
/// Folds that are timed.
const FOLDS: usize = 2000;
/// Longest wait for one finder to learn of one write.
const LEARN_MAX: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let namespace = args.next().ok_or("give a namespace and a kubeconfig")?;
    let kubeconfig = PathBuf::from(args.next().ok_or("give a kubeconfig as well")?);

    println!("fold of 10 slices with 100 endpoints each, {FOLDS} times (one call):");
    let (read, fold) = time_folds()?;
    print_row("  reading the objects and folding them", read);
    print_row("  folding alone", fold);

    let idle = tokio::spawn(idle_requests(namespace.clone(), kubeconfig.clone()));
    let (sent, acknowledged, polled) = time_writes(&namespace, &kubeconfig).await?;
    println!("from an address in a slice to the seed set, {WRITES} writes:");
    print_row("  finder, since the write was sent", sent);
    print_row("  finder, since the write was acknowledged", acknowledged);
    print_row("  polling every 1 s, since the write was sent", polled);
    let (requests, finder) = idle.await??;
    println!("an idle finder sends {requests:.0} requests an hour ({finder})");
    Ok(())
}

fn print_row(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |thousandths: usize| {
        let index = (times.len() * thousandths).div_ceil(1000).max(1) - 1;
        times.get(index).copied().unwrap_or_default().as_secs_f64() * 1000.0
    };
    println!(
        "{what:<46} p50 {:>9.3} ms   p99 {:>9.3} ms   max {:>9.3} ms",
        at(500),
        at(990),
        at(1000)
    );
}

/// The slice number `at` with these first octets, as the API writes it.
fn slice(name: &str, service: &str, addresses: &[String]) -> Result<EndpointSlice, Failure> {
    let endpoints: Vec<_> = addresses
        .iter()
        .map(|address| {
            serde_json::json!({
                "addresses": [address], "nodeName": "node1", "zone": "zone-a",
                "conditions": {"ready": true, "serving": true, "terminating": false},
                "targetRef": {"kind": "Pod", "name": format!("pod-{address}"), "uid": address},
            })
        })
        .collect();
    Ok(serde_json::from_value(serde_json::json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "ports": [{"name": "ring", "port": 47500, "protocol": "TCP"}],
        "endpoints": endpoints,
    }))?)
}

fn time_folds() -> Result<(Vec<Duration>, Vec<Duration>), Failure> {
    let config = KubeFinderConfig::new("default", "ring");
    let mut objects = Vec::new();
    for at in 0..10 {
        let addresses: Vec<String> = (0..100).map(|it| format!("10.1.{at}.{it}")).collect();
        let mut object = slice(&format!("ring-{at}"), "ring", &addresses)?;
        object.metadata.resource_version = Some(format!("{}", 100 + at));
        objects.push(object);
    }
    let (mut read, mut fold) = (Vec::new(), Vec::new());
    for _ in 0..FOLDS {
        let start = Instant::now();
        let slices = objects
            .iter()
            .map(Slice::read)
            .collect::<Result<Vec<_>, _>>()?;
        let store = SliceStore::new(slices);
        let folded_from = Instant::now();
        let seeds = store.seeds(&config)?;
        fold.push(folded_from.elapsed());
        read.push(start.elapsed());
        if seeds.len() != 1000 {
            return Err(format!("{} seeds instead of 1000", seeds.len()).into());
        }
    }
    Ok((read, fold))
}

async fn client(kubeconfig: &Path) -> Result<kube::Client, Failure> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    Ok(kube::Client::try_from(config)?)
}

fn finder(namespace: &str, service: &str, kubeconfig: &Path) -> Result<KubeFinder, Failure> {
    let config = KubeFinderConfig::new(namespace, service);
    let access = ApiAccess::Kubeconfig {
        path: Some(kubeconfig.to_owned()),
        context: None,
    };
    Ok(KubeFinder::new(config, access)?)
}

async fn make_service(client: &kube::Client, namespace: &str, name: &str) -> Result<(), Failure> {
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    let service = serde_json::json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"clusterIP": "None", "ports": [{"name": "ring", "port": 47500}]},
    });
    let params = PatchParams::apply("figures").force();
    services
        .patch(name, &params, &Patch::Apply(&service))
        .await?;
    Ok(())
}

/// Where a task notes what it knows and since when.
type Known = watch::Receiver<(SeedSet, Instant)>;

/// The finder under test.
fn follow(finder: &KubeFinder) -> Known {
    let mut watch = finder.watch();
    let (sender, receiver) = watch::channel((SeedSet::empty(), Instant::now()));
    tokio::spawn(async move {
        loop {
            let report = watch.changed().await;
            if sender.send((report.seeds(), Instant::now())).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The baseline, written for this measurement only: what a finder that polls does at its best.
fn poll(slices: Api<EndpointSlice>, config: KubeFinderConfig) -> Known {
    let (sender, receiver) = watch::channel((SeedSet::empty(), Instant::now()));
    tokio::spawn(async move {
        let params =
            ListParams::default().labels(&format!("kubernetes.io/service-name={}", config.service));
        let mut ticks = tokio::time::interval(POLL);
        while !sender.is_closed() {
            ticks.tick().await;
            let Ok(list) = slices.list(&params).await else {
                continue;
            };
            let read: Result<Vec<_>, _> = list.items.iter().map(Slice::read).collect();
            let seeds = read
                .ok()
                .and_then(|read| SliceStore::new(read).seeds(&config).ok());
            if let Some(seeds) = seeds {
                sender.send_replace((seeds, Instant::now()));
            }
        }
    });
    receiver
}

/// Waits until the address is known, and says since when.
async fn learned(known: &mut Known, address: &str) -> Result<Instant, Failure> {
    let is_known = |(seeds, _): &(SeedSet, Instant)| {
        seeds
            .iter()
            .any(|seed| seed.address().ip().to_string() == address)
    };
    let learned = tokio::time::timeout(LEARN_MAX, known.wait_for(is_known)).await;
    Ok(learned
        .map_err(|_| format!("{address} was not learned within {LEARN_MAX:?}"))??
        .1)
}

/// Times since the write was sent, since it was acknowledged, and of the baseline.
type Times = (Vec<Duration>, Vec<Duration>, Vec<Duration>);

async fn time_writes(namespace: &str, kubeconfig: &Path) -> Result<Times, Failure> {
    let writer = client(kubeconfig).await?;
    make_service(&writer, namespace, "figures").await?;
    let slices: Api<EndpointSlice> = Api::namespaced(writer, namespace);
    let finder = finder(namespace, "figures", kubeconfig)?;
    let mut watched = follow(&finder);
    let baseline = Api::namespaced(client(kubeconfig).await?, namespace);
    let mut polled = poll(baseline, KubeFinderConfig::new(namespace, "figures"));

    let (mut since_sent, mut since_acknowledged, mut by_polling) = <Times>::default();
    for at in 0..WRITES {
        // The writes must not keep step with the polls.
        tokio::time::sleep(Duration::from_millis(u64::from(at * 37 % 500))).await;
        let address = format!("10.91.{}.{}", at / 250, at % 250 + 1);
        let object = slice("figures-1", "figures", std::slice::from_ref(&address))?;
        let params = PatchParams::apply("figures").force();
        let sent = Instant::now();
        slices
            .patch("figures-1", &params, &Patch::Apply(&object))
            .await?;
        let acknowledged = Instant::now();
        let known = learned(&mut watched, &address).await?;
        since_sent.push(known.saturating_duration_since(sent));
        since_acknowledged.push(known.saturating_duration_since(acknowledged));
        by_polling.push(
            learned(&mut polled, &address)
                .await?
                .saturating_duration_since(sent),
        );
    }
    Ok((since_sent, since_acknowledged, by_polling))
}

/// Requests an hour of a finder to which nothing happens, and its counters in words.
async fn idle_requests(namespace: String, kubeconfig: PathBuf) -> Result<(f64, String), Failure> {
    make_service(&client(&kubeconfig).await?, &namespace, "idle").await?;
    let finder = finder(&namespace, "idle", &kubeconfig)?;
    let mut watch = finder.watch();
    watch.changed().await;
    let before = finder.stats();
    tokio::time::sleep(IDLE).await;
    let after = finder.stats();
    drop(watch);
    let requests = after.requests - before.requests;
    let words = format!(
        "in {IDLE:?}: {requests} requests, {} watches renewed, {} audits, {} errors",
        after.watch_restarts - before.watch_restarts,
        after.audits - before.audits,
        after.errors.values().sum::<u64>(),
    );
    #[expect(
        clippy::cast_precision_loss,
        reason = "a few hundred requests are exact in an f64"
    )]
    let hourly = requests as f64 * 3600.0 / IDLE.as_secs_f64();
    Ok((hourly, words))
}
