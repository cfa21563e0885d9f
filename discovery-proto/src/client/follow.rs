//! From node to node: one is followed until it goes, loses its quorum or tells what does not fit,
//! then the next one. What the readers see of it is kept here too.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::{Instant, sleep};

use super::address::{Address, Source, members};
use super::config::TopologyClientConfig;
use super::link::{Link, Told};
use super::table::Table;
use super::update::{Followed, LinkEnd, Update};
use crate::discovery::v1;

/// Who was followed for so long was worth it: looking for the next one begins without a pause.
const SETTLED: Duration = Duration::from_secs(1);

/// Shortest pause, whatever is configured.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// What readers see.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    updates: broadcast::Sender<Update>,
}

/// What is known now.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) topology: Option<Arc<v1::Topology>>,
    pub(super) followed: Followed,
    /// Where nodes may be as long as no member is known that serves.
    pub(super) sources: Vec<Address>,
}

impl Shared {
    pub(super) fn new(sources: Vec<Address>, updates_max: usize) -> Self {
        let followed = Followed::Nobody {
            why: LinkEnd::NoAddress,
        };
        Self {
            state: Mutex::new(State {
                topology: None,
                followed,
                sources,
            }),
            updates: broadcast::Sender::new(updates_max),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change of it is one assignment: there is nothing that can be half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known now.
    pub(super) fn state(&self) -> State {
        self.lock().clone()
    }

    /// What is known now, and what comes after exactly that.
    pub(super) fn subscribe(&self) -> (State, broadcast::Receiver<Update>) {
        let state = self.lock();
        (state.clone(), self.updates.subscribe())
    }

    /// Keeps what an update says, and tells it to all readers.
    pub(super) fn tell(&self, update: Update) {
        let mut state = self.lock();
        match &update {
            Update::Changed { topology, .. } | Update::Snapshot { topology, .. } => {
                state.topology = Some(Arc::clone(topology));
            }
            Update::Followed(followed) => state.followed = followed.clone(),
        }
        // Nobody may be reading.
        let _ = self.updates.send(update);
    }

    /// Tells through whom the topology is followed, if that is news.
    fn tell_followed(&self, followed: Followed) {
        if self.state().followed != followed {
            self.tell(Update::Followed(followed));
        }
    }

    fn tell_sources(&self, sources: Vec<Address>) {
        let mut state = self.lock();
        if state.sources != sources {
            state.sources = sources;
            // Wakes who balances over them.
            let _ = self.updates.send(Update::Followed(state.followed.clone()));
        }
    }
}

/// Follows the topology for as long as it is polled.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) source: Source,
    pub(super) config: TopologyClientConfig,
    pub(super) shared: Arc<Shared>,
}

/// Whose turn it is.
#[derive(Debug)]
struct Turn {
    /// Where the round begins.
    start: usize,
    /// How many were tried in vain in this round.
    tried: usize,
    /// The pause after this round.
    pause: Duration,
}

impl Follower {
    pub(super) async fn run(mut self) {
        let mut table = Table::default();
        let first_pause = self.config.pause.max(PAUSE_MIN);
        let mut turn = Turn {
            start: somewhere(),
            tried: 0,
            pause: first_pause,
        };
        let mut why = LinkEnd::NoAddress;
        loop {
            let sources = self.source.addresses();
            self.shared.tell_sources(sources.clone());
            let round = round(table.topology().as_deref(), sources, turn.start);
            let Some(address) = round.get(turn.tried) else {
                self.shared
                    .tell_followed(Followed::Nobody { why: why.clone() });
                self.rest(turn.pause).await;
                turn.pause = turn.pause.saturating_mul(2).min(self.config.pause_max);
                turn.pause = turn.pause.max(first_pause);
                (turn.start, turn.tried) = (turn.start.wrapping_add(1), 0);
                continue;
            };
            let settled;
            (why, settled) = follow(address, &mut table, &self.config, &self.shared).await;
            if settled {
                (turn.start, turn.tried) = (turn.start.wrapping_add(1), 0);
                turn.pause = first_pause;
            } else {
                turn.tried += 1;
            }
        }
    }

    /// Waits for this long, or until the source has other addresses.
    async fn rest(&mut self, pause: Duration) {
        tokio::select! {
            () = sleep(pause) => {}
            () = self.source.changed() => {}
        }
    }
}

/// Follows the node there for as long as it is one to follow: why it is not any more, and
/// whether it was for a while.
async fn follow(
    address: &Address,
    table: &mut Table,
    config: &TopologyClientConfig,
    shared: &Shared,
) -> (LinkEnd, bool) {
    let mut link = match Link::open(address, table.from(), config).await {
        Ok(link) => link,
        Err(why) => return (why, false),
    };
    let since = Instant::now();
    let followed = address.to_string();
    shared.tell_followed(Followed::Node { address: followed });
    let why = loop {
        let taken = match link.next().await {
            Ok(Told::Snapshot(snapshot)) => table.take_snapshot(snapshot),
            Ok(Told::Change(change)) => table.take_change(change),
            Err(why) => break why,
        };
        match taken {
            Ok(Some(update)) => shared.tell(update),
            Ok(None) => {}
            Err(unfit) => {
                table.doubt();
                break link.unfit(&unfit);
            }
        }
    };
    shared.tell_followed(Followed::Nobody { why: why.clone() });
    (why, since.elapsed() >= SETTLED)
}

/// A number that differs from client to client, so that not all of them begin at one node.
fn somewhere() -> usize {
    let number = RandomState::new().hash_one(0_u8);
    usize::try_from(number % 65_536).unwrap_or(0)
}

/// Whom to try, one after another: the members, then who else may be a node.
fn round(topology: Option<&v1::Topology>, sources: Vec<Address>, start: usize) -> Vec<Address> {
    let known = topology.map(members).unwrap_or_default();
    let mut round: Vec<Address> = known.into_values().collect();
    let mut others = sources;
    others.retain(|it| !round.contains(it));
    for part in [&mut round, &mut others] {
        let count = part.len().max(1);
        part.rotate_left(start % count);
    }
    round.append(&mut others);
    round
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<Address> {
        texts.iter().map(|it| Address::new(it).unwrap()).collect()
    }

    fn topology(served: &[&str]) -> v1::Topology {
        let members = served.iter().zip(1..).map(|(address, order)| v1::Member {
            order,
            node: Some(v1::Node {
                id: format!("{order:032x}"),
                grpc_addresses: vec![(*address).to_owned()],
                ..v1::Node::default()
            }),
            ..v1::Member::default()
        });
        v1::Topology {
            members: members.collect(),
            ..v1::Topology::default()
        }
    }

    #[test]
    fn members_are_tried_before_who_was_given_and_nobody_twice() {
        let topology = topology(&["m1:1", "m2:1"]);
        let given = addresses(&["g1:1", "m2:1"]);
        let tried = round(Some(&topology), given.clone(), 0);
        assert_eq!(tried, addresses(&["m1:1", "m2:1", "g1:1"]));
        let tried = round(Some(&topology), given, 1);
        assert_eq!(tried, addresses(&["m2:1", "m1:1", "g1:1"]));
    }

    #[test]
    fn nobody_is_tried_if_nobody_is_known() {
        assert_eq!(round(None, Vec::new(), 7), []);
    }
}
