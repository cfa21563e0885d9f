//! What the predecessor's tests pin down, in simulated time; those that pin "starts alone" are
//! inverted. The table is in `docs/conformance.md`.
//!
//! | module | what it holds |
//! |---|---|
//! | `joining` | forming and joining |
//! | `failing` | leaving, failing, losing the quorum |
//! | `delivering` | published messages |
//! | `returning` | suspended, cut off, shut down in numbers, and back |

mod delivering;
mod failing;
mod joining;
mod returning;

use discovery_tcp::ring::Notice;
use discovery_tcp::sim::Cluster;

use crate::stage::{MS, pod, wait, world};

fn started_at_once(count: usize, seed: u64) -> Cluster {
    let mut own = world(None);
    own.seed = seed;
    let mut cluster = Cluster::new(own);
    cluster.restart_containers(false, (MS, MS));
    for number in 0..count {
        cluster.start(&pod(number));
    }
    cluster
}

fn together(cluster: &mut Cluster) {
    wait(cluster, "one cluster of all", |it| it.agreed().is_some());
}

fn joined(cluster: &Cluster, at: &str) -> Vec<String> {
    let events = cluster.told_at(at).filter_map(|told| match &told.notice {
        Notice::Changed(event) => Some(&event.joined),
        _ => None,
    });
    let joined = events.flatten();
    joined.map(|member| member.name().to_string()).collect()
}

fn messages(cluster: &Cluster, at: &str) -> Vec<Vec<u8>> {
    let told = cluster.told_at(at);
    told.filter_map(|told| match &told.notice {
        Notice::Message(message) => Some(message.payload.to_vec()),
        _ => None,
    })
    .collect()
}
