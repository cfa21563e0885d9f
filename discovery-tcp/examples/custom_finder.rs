//! A finder of one's own: addresses out of a text that is read again and again, as a small site
//! without a platform may keep them. It cannot vouch for listing every process, so it is not
//! authoritative and the cluster forms by a majority of configured names.
//! `cargo run -p discovery-tcp --example custom_finder`
#![allow(clippy::print_stdout, reason = "an example prints what it sees")]

use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use discovery_core::finders::feed;
use discovery_core::{
    Discovery, Finder, FinderCause, FinderError, NodeName, Provenance, Seed, SeedSet, SeedWatch,
    Standing,
};
use discovery_tcp::{Formation, TcpDiscovery};
use tokio::time::{Instant, sleep};

/// How often the text is read.
const READ_PAUSE: Duration = Duration::from_millis(200);

/// Finds seeds in a file of one address a line.
#[derive(Debug)]
struct LinesFinder {
    path: PathBuf,
}

impl LinesFinder {
    fn read(path: &PathBuf) -> Result<SeedSet, FinderError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let detail = format!("{}: {error}", path.display());
            FinderError::new(FinderCause::NotFound, detail).with_source(error)
        })?;
        let seeds: Result<Vec<Seed>, _> = text
            .lines()
            .map(|line| line.parse::<SocketAddr>().map(Seed::at))
            .collect();
        let malformed = |error| FinderError::new(FinderCause::Malformed, format!("{error}"));
        Ok(SeedSet::new(seeds.map_err(malformed)?))
    }
}

impl Finder for LinesFinder {
    fn provenance(&self) -> Provenance {
        Provenance::new(format!("the lines of {}", self.path.display()))
    }

    fn authoritative(&self) -> bool {
        false
    }

    fn watch(&self) -> Box<dyn SeedWatch> {
        // The feed keeps the contract: whole sets, the last good one, unknown that is not empty.
        let (feed, watch) = feed(self.provenance(), self.authoritative());
        let path = self.path.clone();
        let task = tokio::spawn(async move {
            loop {
                match Self::read(&path) {
                    Ok(seeds) => feed.known(seeds, Instant::now()),
                    Err(error) => feed.unknown(error),
                }
                sleep(READ_PAUSE).await;
            }
        });
        Box::new(watch.driven_by(&task))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let names = ["ring-0", "ring-1", "ring-2"];
    let configured: Result<Vec<_>, _> = names.into_iter().map(NodeName::new).collect();
    let formation = Formation::Majority(configured?);
    let path = std::env::temp_dir().join(format!("seeds-{}", std::process::id()));

    let mut lines = Vec::new();
    let mut nodes = Vec::new();
    for name in names {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        lines.push(listener.local_addr()?.to_string());
        let finder = LinesFinder { path: path.clone() };
        let node = TcpDiscovery::builder()
            .name(name)
            .listener(listener)
            .formation(formation.clone())
            .finder(Arc::new(finder));
        nodes.push(node.start().await?);
    }
    // Until now every finder has said that there is no such file; nobody took that for an empty one.
    std::fs::write(&path, lines.join("\n"))?;

    for node in &nodes {
        let is_formed = |standing: &Standing| standing.topology().is_some_and(|t| t.len() == 3);
        let mut standings = node.standings();
        let standing = standings.wait_for(is_formed).await?;
        let version = standing.topology().map(discovery_core::Topology::version);
        println!("{} is a member, {version:?}", node.local_node().name());
    }
    std::fs::remove_file(&path)?;
    Ok(())
}
