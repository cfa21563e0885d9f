//! Storms: few members that publish all the time, while in each short spell some ways between them
//! lose everything, and members fall, come back and are made. Nothing but the log is under attack,
//! so that a seed of it meets more takeovers than a hundred of the swarm.

use std::time::Duration;

use discovery_tcp::ring::Bug;
use discovery_tcp::sim::{Chance, Cluster, Fate};

use crate::stage::{MS, members_of, pod, world};

/// How long the ways stay as they are.
const SPELL: Duration = Duration::from_millis(300);

/// How many spells there are.
const SPELLS: u64 = 60;

/// Plays the storm of this seed.
pub(crate) fn storm(bug: Option<Bug>, seed: u64) -> Cluster {
    let mut chance = Chance::of_seed(seed);
    let mut own = world(bug);
    own.seed = seed;
    own.is_traced = false;
    own.config.silence_limit = 400 * MS;
    own.config.settle = Duration::ZERO;
    own.config.doubt_wait_silence = 20 * MS;
    let count = chance.place(3) + 3;
    let mut cluster = members_of(own, count);
    cluster.restart_containers(true, (50 * MS, 300 * MS));
    let mut made = count;
    for spell in 0..SPELLS {
        let bits = chance.bits();
        let lossy = if spell % 4 == 3 { 0 } else { chance.below(60) };
        cluster.intercept(move |passing| {
            let hash = |text: &str| {
                text.bytes().fold(bits, |sum, byte| {
                    (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
                })
            };
            let way = hash(&format!("{}>{}", passing.from.label(), passing.to.label()));
            if (way >> 32) % 100 < lossy {
                Fate::Lose
            } else {
                Fate::Pass
            }
        });
        let end = cluster.now() + SPELL;
        while cluster.now() < end && cluster.violation().is_none() {
            let number = chance.place(made);
            cluster.publish(&pod(number), &chance.bits().to_be_bytes());
            let pause = chance.span((MS, 15 * MS));
            cluster.run_for(pause);
        }
        match chance.below(10) {
            0 | 1 => {
                let number = chance.place(made);
                cluster.crash(&pod(number));
            }
            2 if made < 7 => {
                cluster.start(&pod(made));
                made += 1;
            }
            _ => {}
        }
    }
    cluster
}

// Clauses: DECIDE-2, DECIDE-6, TAKE-3, TAKE-4
#[test]
fn storms_keep_every_promise() {
    for seed in 0..6 {
        crate::stage::sound(&storm(None, seed));
    }
}
