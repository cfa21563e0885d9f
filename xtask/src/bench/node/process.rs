//! A node as a process on loopback: started, asked by HTTP, and ended when it is dropped.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::cargo::CargoCall;
use crate::cluster::deadline::Deadline;

/// Longest wait for a node's line that says where it listens.
const LISTENS_LIMIT: Duration = Duration::from_secs(30);

/// Longest time of one question, and the pause between two.
const ASK_LIMIT: Duration = Duration::from_secs(5);
const ASK_PAUSE: Duration = Duration::from_millis(1);

/// How many names found; more would only make founding slower.
const FOUNDERS: usize = 3;

/// The line by which a node says where it listens.
const RUNS: &str = "the node runs";

/// The built node.
#[derive(Debug)]
pub(super) struct NodeProgram(PathBuf);

impl NodeProgram {
    pub(super) fn build(root: &Path) -> anyhow::Result<Self> {
        let call = "build --release --locked --package discovery-node --bin discovery-node";
        built(root, call, "discovery-node").map(Self)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

/// Builds a program and says where it is.
pub(super) fn built(root: &Path, call: &str, name: &str) -> anyhow::Result<PathBuf> {
    let call = format!("{call} --message-format=json-render-diagnostics");
    let messages = CargoCall::new(&call).capture(root)?;
    let path = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    path.with_context(|| format!("cargo has built no program called {name}"))
}

/// How a node's cluster comes into being.
#[derive(Debug)]
pub(super) enum Founding {
    /// It founds at once.
    Alone,
    /// The first names found, by majority; these are the ring's addresses of all, in the order of
    /// their names.
    Majority(Vec<SocketAddr>),
}

impl Founding {
    fn arguments(&self, name: &str) -> anyhow::Result<Vec<String>> {
        let Self::Majority(addresses) = self else {
            return Ok(vec![
                "--formation=single".to_owned(),
                "--ring-listen=127.0.0.1:0".to_owned(),
            ]);
        };
        let number = name.rsplit('-').next().and_then(|word| word.parse().ok());
        let own = number.and_then(|number: usize| addresses.get(number));
        let own = own.with_context(|| format!("{name} has no address"))?;
        let mut arguments = vec![
            "--formation=majority".to_owned(),
            format!("--ring-listen={own}"),
        ];
        for number in 0..FOUNDERS.min(addresses.len()) {
            arguments.push(format!("--founding-name=ring-{number}"));
        }
        arguments.extend(addresses.iter().map(|seed| format!("--seed={seed}")));
        Ok(arguments)
    }
}

/// So many addresses of loopback, each held until its node is about to start: the nodes' other
/// listeners, at ports that the kernel chooses, must not get it.
#[derive(Debug)]
pub(super) struct RingAddresses {
    pub(super) founding: Founding,
    held: VecDeque<TcpListener>,
    freed: usize,
}

impl RingAddresses {
    pub(super) fn hold(count: usize) -> anyhow::Result<Self> {
        let held: VecDeque<TcpListener> = (0..count)
            .map(|_| TcpListener::bind("127.0.0.1:0"))
            .collect::<Result<_, _>>()
            .context("loopback has no free port")?;
        let addresses = held.iter().map(TcpListener::local_addr);
        let addresses = addresses.collect::<Result<_, _>>();
        let founding = Founding::Majority(addresses.context("a port has no number")?);
        Ok(Self {
            founding,
            held,
            freed: 0,
        })
    }

    /// Lets go of the next address that is held still, and names the node that listens there.
    pub(super) fn free_one(&mut self) -> Option<String> {
        self.held.pop_front()?;
        self.freed += 1;
        Some(format!("ring-{}", self.freed - 1))
    }
}

/// A node that runs; dropping it ends it.
#[derive(Debug)]
pub(super) struct Node {
    child: Child,
    pub(super) grpc: SocketAddr,
    http: SocketAddr,
}

impl Node {
    /// Starts it and waits until it listens.
    pub(super) fn start(
        program: &NodeProgram,
        name: &str,
        founding: &Founding,
    ) -> anyhow::Result<Self> {
        let mut child = Command::new(program.path())
            .arg("run")
            .args(founding.arguments(name)?)
            .args([
                "--node-name",
                name,
                "--advertise=127.0.0.1",
                "--log-format=json",
            ])
            .args([
                "--grpc-listen=127.0.0.1:0",
                "--http-listen=127.0.0.1:0",
                "--admin-listen=off",
            ])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("the node cannot be started")?;
        let said = listens(child.stderr.take());
        let addresses = said
            .recv_timeout(LISTENS_LIMIT)
            .context("the node does not say where it listens");
        match addresses.and_then(|line| addresses_of(&line)) {
            Ok((grpc, http)) => Ok(Self { child, grpc, http }),
            Err(error) => {
                end(&mut child);
                Err(error)
            }
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the first 200 of its readiness.
    pub(super) fn until_ready(&self, deadline: &Deadline) -> anyhow::Result<()> {
        self.until(deadline, "/readyz", |answer| {
            answer.starts_with("HTTP/1.1 200 ")
        })
    }

    /// Waits until it is a member of a topology of so many.
    pub(super) fn until_member_of(&self, count: usize, deadline: &Deadline) -> anyhow::Result<()> {
        self.until(deadline, "/metrics", |answer| members(answer) == count)
    }

    fn until(
        &self,
        deadline: &Deadline,
        path: &str,
        holds: impl Fn(&str) -> bool,
    ) -> anyhow::Result<()> {
        loop {
            let answer = self.get(path)?;
            if holds(&answer) {
                return Ok(());
            }
            if !deadline.pause_for(ASK_PAUSE) {
                bail!("the node at {} has not come so far: {answer}", self.http);
            }
        }
    }

    fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut link = TcpStream::connect_timeout(&self.http, ASK_LIMIT)?;
        link.set_read_timeout(Some(ASK_LIMIT))?;
        write!(
            link,
            "GET {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        link.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    // One that has ended already needs no end.
    let _ = child.kill();
    let _ = child.wait();
}

/// Tells the line by which a node says where it listens, and reads on for its sake: a full pipe
/// would hold it up.
fn listens(log: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (tell, told) = sync_channel(1);
    thread::spawn(move || {
        let lines = log.into_iter().flat_map(|log| BufReader::new(log).lines());
        for line in lines.map_while(Result::ok) {
            if line.contains(RUNS) {
                // Nobody waits for a second one.
                let _ = tell.try_send(line);
            }
        }
    });
    told
}

/// Where gRPC and HTTP are served, from the line that says so.
fn addresses_of(line: &str) -> anyhow::Result<(SocketAddr, SocketAddr)> {
    let line: Value = serde_json::from_str(line).context("the log is not JSON")?;
    let address = |name: &str| {
        let text = line["fields"][name].as_str().or(line[name].as_str());
        let text = text.with_context(|| format!("the log names no {name}: {line}"))?;
        text.parse()
            .with_context(|| format!("'{text}' is no address"))
    };
    Ok((address("grpc")?, address("http")?))
}

/// Members over all zones, from the metrics.
fn members(metrics: &str) -> usize {
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with("discovery_members{"));
    let number = |line: &str| line.rsplit(' ').next()?.parse::<usize>().ok();
    lines.filter_map(number).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_counted_over_all_zones() {
        let metrics = "discovery_members{zone=\"a\"} 2\ndiscovery_members{zone=\"\"} 1\n\
                       discovery_members_unlisted 7\n";
        assert_eq!(members(metrics), 3);
    }

    #[test]
    fn a_node_listens_at_its_own_address_and_seeds_from_all() {
        let mut ring = RingAddresses::hold(4).unwrap();
        let own = ring.held[3].local_addr().unwrap();
        let names: Vec<String> = std::iter::from_fn(|| ring.free_one()).collect();
        let name = &names[3];
        assert_eq!((names.len(), name.as_str()), (4, "ring-3"));
        let arguments = ring.founding.arguments(name).unwrap();
        assert!(arguments.contains(&format!("--ring-listen={own}")));
        let count = |flag| {
            arguments
                .iter()
                .filter(|word| word.starts_with(flag))
                .count()
        };
        assert_eq!((count("--seed="), count("--founding-name=")), (4, FOUNDERS));
    }

    #[test]
    fn the_log_says_where_a_node_listens() {
        let line =
            r#"{"fields":{"message":"the node runs","grpc":"127.0.0.1:5","http":"127.0.0.1:6"}}"#;
        let (grpc, http) = addresses_of(line).unwrap();
        assert_eq!((grpc.port(), http.port()), (5, 6));
        addresses_of("{}").unwrap_err();
    }
}
