//! A member in a process of its own that is stopped (SIGSTOP) and goes on later.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use discovery_core::{AccusationKind, Discovery, Evidence, Standing};
use discovery_tcp::TcpDiscovery;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::stage::{LIMIT, Stage, agreed, next_change, stands};

/// Tells the test that it runs in the child, and where its seed listens.
const SEED: &str = "DISCOVERY_LOOPBACK_SEED";

const TEST: &str =
    "paused::a_stopped_process_is_removed_for_silence_and_joins_again_as_another_run";
const CHILD: &str = "ring-child";

/// A process that ends with the test, whatever becomes of it.
struct Member(Child);

impl Member {
    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.0.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn stage() -> Stage {
    let mut stage = Stage::new();
    stage.config.silence_limit = Duration::from_millis(500);
    stage
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_process_is_removed_for_silence_and_joins_again_as_another_run() {
    if let Ok(seed) = std::env::var(SEED) {
        return be_a_member(&seed).await;
    }
    let stage = stage();
    let nodes = stage.start_all(3).await;
    agreed(&nodes, 3).await;
    let seed = nodes[0].local_node().addresses()[0];
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([TEST, "--exact", "--nocapture"])
        .env(SEED, seed.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let address = address_of(&mut child);
    let child = Member(child);
    stage.list(CHILD, address.parse().unwrap());
    let topology = agreed(&nodes, 4).await;
    let name = CHILD.parse().unwrap();
    let first_run = topology.named(&name).unwrap().id();

    let mut deliveries = nodes[0].subscribe(Some(topology.id()));
    child.signal(Signal::SIGSTOP);
    let event = next_change(&mut *deliveries).await;
    let (removed, evidence) = &event.failed[0];
    assert_eq!(removed.id(), first_run);
    match evidence {
        Evidence::Accused(accusations) => assert!(
            accusations
                .iter()
                .any(|accusation| accusation.kind == AccusationKind::Silence),
            "{evidence}"
        ),
        other => panic!("{other}"),
    }

    child.signal(Signal::SIGCONT);
    let topology = agreed(&nodes, 4).await;
    let second_run = topology.named(&name).unwrap();
    assert_ne!(second_run.id(), first_run);
}

/// Reads where the child listens from what it prints.
fn address_of(child: &mut Child) -> String {
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let mut lines = stdout.lines().map(Result::unwrap);
    let address = lines.find_map(|line| {
        let (_, address) = line.split_once("listening at ")?;
        Some(address.to_owned())
    });
    address.unwrap()
}

/// What the child does: joins by a static seed, and ends with its standard input.
async fn be_a_member(seed: &str) {
    let stage = stage();
    stage
        .listing
        .enter([discovery_core::Seed::at(seed.parse().unwrap())]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let settings = stage.settings(CHILD).listener(listener);
    let node: TcpDiscovery = settings.start().await.unwrap();
    println!("listening at {address}");
    std::io::stdout().flush().unwrap();
    stands(&node, |standing| {
        matches!(standing, Standing::Member { .. })
    })
    .await;
    let parent = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::time::timeout(2 * LIMIT, parent)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
