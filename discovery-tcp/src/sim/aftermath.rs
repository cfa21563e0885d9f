//! P7 to its letter: after a run has come together, a minority dies and nobody replaces it; the
//! rest is one topology without it within ten silence limits. Its pods terminate for ever, as those
//! of a machine that is gone do, and whoever starts beside them is admitted all the same.

use std::time::Duration;

use super::chance::Chance;
use super::cluster::Cluster;
use super::invariants::Violation;
use super::liveness;
use super::process::Process;
use super::seen;

/// How long the rest may take, in silence limits (P7).
const LIMITS: u32 = 10;
/// How often is looked.
const LOOK: Duration = Duration::from_millis(20);

/// Who starts beside the lost.
const LATE: &str = "late";

/// Loses the machines of a minority at once, of the eldest or of any, and of the pods the platform
/// still tells; says how long the rest took to be one topology again. Then some of these pods are
/// asked to go, which they never do, and another pod starts.
///
/// # Errors
///
/// If the rest took longer than ten silence limits, or the other pod longer than a healed world
/// may; or another promise was broken on the way.
pub fn lose_minority(cluster: &mut Cluster, chance: &mut Chance) -> Result<Duration, Violation> {
    let mut pods = pods_by_age(cluster);
    let most = pods.len().saturating_sub(1) / 2;
    if most == 0 {
        return Ok(Duration::ZERO);
    }
    let lost = 1 + chance.place(most);
    if chance.once_in(2) {
        chance.shuffle(&mut pods);
    }
    let before = cluster.now();
    for pod in &pods[..lost] {
        cluster.unwant(pod);
        cluster.lose_machine(pod);
    }
    let lost = &pods[..lost];
    let names = lost.join(", ");
    let limit = cluster.config().silence_limit * LIMITS;
    come_together(cluster, limit, &format!("{names} were lost"))?;
    let took = cluster.now().since(before);
    for pod in lost.iter().filter(|_| chance.once_in(2)) {
        cluster.delete(pod);
    }
    cluster.start(LATE);
    let limit = liveness::bound(cluster);
    come_together(cluster, limit, &format!("{LATE} started beside {names}"))?;
    Ok(took)
}

fn come_together(cluster: &mut Cluster, within: Duration, since: &str) -> Result<(), Violation> {
    let limit = cluster.now() + within;
    while cluster.agreed().is_none() {
        if let Some(violation) = cluster.violation() {
            return Err(violation.clone());
        }
        if cluster.now() >= limit {
            let standings = cluster.standings().join("; ");
            let what = format!("not one topology {within:?} after {since}: {standings}");
            return Err(Violation::new("P7", what));
        }
        cluster.run_for(LOOK);
    }
    Ok(())
}

/// The members' pods, the eldest member first.
fn pods_by_age(cluster: &Cluster) -> Vec<String> {
    let Some(topology) = cluster.agreed() else {
        return Vec::new();
    };
    let members = topology.members().iter();
    let lives = |name: &String| {
        let mut rings = cluster.living().filter_map(Process::live_ring);
        rings.any(|ring| seen::node(ring).name().as_str() == name)
    };
    members
        .map(|member| member.name().to_string())
        .filter(lives)
        .collect()
}
