//! Turns entries into seeds by looking names up, each within a deadline and few at a time.
//! When to do so again is left to the finders.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::entry::{Host, SeedEntry};
use crate::finder::{BoxFuture, FinderCause, FinderError};
use crate::seed::{Seed, SeedSet};

/// Most names that are looked up at the same moment by one finder.
const LOOKUPS_MAX: usize = 16;

type LookUp = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync;

/// Looks names up; tests give one that answers from a table.
#[derive(Clone)]
pub(super) struct Resolver {
    look_up: Arc<LookUp>,
    /// Longest wait for one name.
    limit: Duration,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Resolver {
    /// Asks the operating system, as every other program on the machine does.
    pub(super) fn system(limit: Duration) -> Self {
        Self::by(limit, |name| {
            Box::pin(async move {
                let addresses = tokio::net::lookup_host((name, 0)).await?;
                Ok(addresses.map(|address| address.ip()).collect())
            })
        })
    }

    pub(super) fn by<F>(limit: Duration, look_up: F) -> Self
    where
        F: Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync + 'static,
    {
        let look_up = Arc::new(look_up);
        Self { look_up, limit }
    }

    /// All seeds of the entries, and one gap for each name that gave none.
    pub(super) async fn resolve(&self, entries: &[SeedEntry]) -> (SeedSet, Vec<FinderError>) {
        let mut seeds = Vec::new();
        let mut gaps = Vec::new();
        let mut lookups = JoinSet::new();
        for entry in entries {
            match &entry.host {
                Host::Address(address) => seeds.extend(on_ports(*address, entry.ports)),
                Host::Name(name) => {
                    if lookups.len() >= LOOKUPS_MAX {
                        collect(lookups.join_next().await, &mut seeds, &mut gaps);
                    }
                    let (resolver, name, ports) = (self.clone(), name.clone(), entry.ports);
                    lookups.spawn(async move { resolver.resolve_name(&name, ports).await });
                }
            }
        }
        while let Some(found) = lookups.join_next().await {
            collect(Some(found), &mut seeds, &mut gaps);
        }
        // Lookups end in any order; reports must not differ by that.
        gaps.sort_by(|a, b| a.detail().cmp(b.detail()));
        (SeedSet::new(seeds), gaps)
    }

    async fn resolve_name(&self, name: &str, ports: (u16, u16)) -> Result<Vec<Seed>, FinderError> {
        match timeout(self.limit, (self.look_up)(name.to_owned())).await {
            Err(_) => Err(FinderError::new(
                FinderCause::Timeout,
                format!("looking up '{name}': no answer within {:?}", self.limit),
            )
            .with_remedy("check that the name server answers")),
            Ok(Err(error)) => Err(FinderError::new(
                FinderCause::Failed,
                format!("looking up '{name}': {error}"),
            )
            .with_remedy("check how the name is spelt and that the name server knows it")
            .with_source(error)),
            Ok(Ok(addresses)) if addresses.is_empty() => Err(FinderError::new(
                FinderCause::NotFound,
                format!("looking up '{name}': the name has no address"),
            )),
            Ok(Ok(addresses)) => Ok(addresses
                .into_iter()
                .flat_map(|address| on_ports(address, ports))
                .collect()),
        }
    }
}

type Joined = Result<Result<Vec<Seed>, FinderError>, tokio::task::JoinError>;

fn collect(joined: Option<Joined>, seeds: &mut Vec<Seed>, gaps: &mut Vec<FinderError>) {
    match joined {
        Some(Ok(Ok(found))) => seeds.extend(found),
        Some(Ok(Err(gap))) => gaps.push(gap),
        Some(Err(error)) => {
            let detail = "looking up a name: the lookup was cut off";
            gaps.push(FinderError::new(FinderCause::Failed, detail).with_source(error));
        }
        None => {}
    }
}

fn on_ports(address: IpAddr, (first, last): (u16, u16)) -> impl Iterator<Item = Seed> {
    (first..=last).map(move |port| Seed::at(SocketAddr::new(address, port)))
}
