//! P7: once all faults are lifted, every running ring is a member of one topology within a bound,
//! stays so, and every publication has its answer.

use std::collections::BTreeSet;
use std::time::Duration;

use discovery_core::{ProofRule, Topology};

use super::cluster::Cluster;
use super::invariants::Violation;
use super::process::Process;
use super::seen;
use crate::config::{Formation, Quorum, Recovery, RingConfig};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All are one cluster.
    Together,
    /// A majority is lost and the configuration lets nothing prove it: people must act.
    Stuck,
}

/// Time that a healed world has to come together.
pub(crate) fn bound(cluster: &Cluster) -> Duration {
    let config = cluster.config();
    let write = cluster.platform().climate.write_interval;
    let pauses = config.rejoin_pause.1 + config.recovery_pause.1 + config.round_pause.1;
    config.silence_limit * 10 + pauses * 3 + config.recovery_after + write * 3 + MARGIN
}

/// Typed refusals are repeated after 30 s, and the grace of a pod is as long.
const MARGIN: Duration = Duration::from_secs(75);

/// What rightly waits for people is believed to after this part of the time.
const HOPED_FOR: u32 = 4;

/// How often is looked.
const LOOK: Duration = Duration::from_millis(50);

/// Runs a healed world until it has come together and stays so; says how it ended.
///
/// What faults leave behind, such as links that one side believes in, may cost another version.
///
/// # Errors
///
/// If it does not, although it should; or another promise was broken on the way.
pub fn settle(cluster: &mut Cluster) -> Result<Ended, Violation> {
    let limit = cluster.now() + bound(cluster);
    let mut hopeless = cluster.now() + bound(cluster) / HOPED_FOR;
    loop {
        while cluster.agreed().is_none() && cluster.now() < limit {
            cluster.run_for(LOOK);
            sound(cluster)?;
            if cluster.now() >= hopeless {
                hopeless = limit;
                if may_be_stuck(cluster) {
                    return Ok(Ended::Stuck);
                }
            }
        }
        let Some(agreed) = cluster.agreed().map(Topology::id) else {
            return not_together(cluster);
        };
        cluster.run_for(cluster.config().silence_limit * 4);
        sound(cluster)?;
        if cluster.agreed().map(Topology::id) == Some(agreed) {
            // What waits to be decided may be much, and the way long.
            while !cluster.unanswered().is_empty() && cluster.now() < limit {
                cluster.run_for(LOOK);
                sound(cluster)?;
            }
            unanswered(cluster)?;
            cluster.run_for(cluster.config().silence_limit * 2);
            return all_delivered(cluster).map(|()| Ended::Together);
        }
        if cluster.now() >= limit {
            return broken(format!(
                "{agreed} is not the last although nothing happens any more: {}",
                cluster.standings().join("; ")
            ));
        }
    }
}

fn sound(cluster: &Cluster) -> Result<(), Violation> {
    cluster.violation().cloned().map_or(Ok(()), Err)
}

fn broken<T>(what: String) -> Result<T, Violation> {
    Err(Violation::new("P7", what))
}

fn unanswered(cluster: &Cluster) -> Result<(), Violation> {
    let waiting = cluster.unanswered();
    if waiting.is_empty() {
        return Ok(());
    }
    broken(format!(
        "no answer to the publications {}",
        waiting.join(", ")
    ))
}

/// What was decided has reached every member, messages behind the last change too (P6).
fn all_delivered(cluster: &Cluster) -> Result<(), Violation> {
    let rings = cluster.living().filter_map(Process::live_ring);
    let positions: BTreeSet<_> = rings.map(seen::decided).collect();
    if positions.len() <= 1 || cluster.agreed().is_none() {
        return Ok(());
    }
    let standings = cluster.standings().join("; ");
    Err(Violation::new(
        "P6",
        format!("members stand at different positions with nothing under way: {standings}"),
    ))
}

fn not_together(cluster: &Cluster) -> Result<Ended, Violation> {
    if may_be_stuck(cluster) {
        return Ok(Ended::Stuck);
    }
    broken(format!(
        "not one cluster {:?} after all faults were lifted: {}",
        bound(cluster),
        cluster.standings().join("; ")
    ))
}

/// Whether people must act, because no rule lets the rings go on by themselves.
fn may_be_stuck(cluster: &Cluster) -> bool {
    let config = cluster.config();
    let is_several = cluster.is_recovery_forced()
        || config.quorum == Quorum::None
        || config.formation == Formation::Single
        || (matches!(config.formation, Formation::Majority(_)) && cluster.clusters() > 1);
    is_several
        || waits_for_other_names(cluster)
        || newest(cluster).is_some_and(|it| lacks_proof(cluster, config, it))
}

/// Whether nobody is a member any more, and one of the names that would found another time waits for
/// members beyond them, who may live on (FORM-11).
fn waits_for_other_names(cluster: &Cluster) -> bool {
    let mut rings = cluster.living().filter_map(Process::live_ring);
    matches!(cluster.config().formation, Formation::Majority(_))
        && cluster.clusters() == 0
        && rings.any(seen::knows_other_names)
}

/// The newest topology that anybody alive is a member of.
fn newest(cluster: &Cluster) -> Option<&Topology> {
    let rings = cluster.living().filter_map(Process::live_ring);
    rings
        .filter_map(seen::topology)
        .max_by_key(|topology| (topology.epoch(), topology.version()))
}

/// Whether a majority of this topology is gone, and of somebody gone no death can be proven.
fn lacks_proof(cluster: &Cluster, config: &RingConfig, topology: &Topology) -> bool {
    let lives = |id| {
        let mut rings = cluster.living().filter_map(Process::live_ring);
        rings.any(|ring| seen::node(ring).id() == id && seen::topology(ring).is_some())
    };
    let (living, gone): (Vec<_>, Vec<_>) = topology.voters().partition(|voter| lives(voter.id()));
    if living.len() * 2 > topology.voters().count() {
        return false;
    }
    let recovers = match config.recovery {
        Recovery::Census => config.proof != ProofRule::Off,
        Recovery::Manual => false,
    };
    !recovers
        || gone
            .iter()
            .any(|member| !cluster.is_death_provable(config.proof, &member.info))
}
