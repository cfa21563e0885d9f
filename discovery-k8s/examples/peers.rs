//! Shows the peers of Service `ring` in namespace `default` as they come and go:
//! `cargo run -p discovery-k8s --example peers`.
#![allow(clippy::print_stdout, reason = "an example prints what it sees")]

use discovery_core::Finder;
use discovery_k8s::{ApiAccess, KubeFinder, KubeFinderConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = KubeFinderConfig::new("default", "ring");
    let mut watch = KubeFinder::new(config, ApiAccess::detect())?.watch();
    loop {
        let report = watch.changed().await;
        println!("{}: {} peers", report.finding.state(), report.seeds().len());
        report.seeds().iter().for_each(|seed| println!("  {seed}"));
    }
}
