//! One round: which questions make a whole listing, in which order, and what to make of a family
//! or a port without records. Sending a question and all waiting limits are left to the caller.
//!
//! A set is whole or it is not reported: a question that fails fails the round, unless its answer
//! could not have changed the set.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::{join, join_all};
use hickory_resolver::proto::rr::Name;

use super::answer::{Answer, Glue, Item, Kind, Question, printable};
use super::error::DnsError;
use super::seeds::{Listing, Target, addresses, from_addresses, from_targets};
use crate::config::FamilyPolicy;

/// Most questions for the addresses of targets that are open at once.
const TARGET_QUESTIONS_MAX: usize = 16;

/// Whoever answers one question: the name servers, or a script in tests.
pub(super) trait Ask {
    fn ask(&self, question: Question) -> impl Future<Output = Result<Answer, DnsError>> + Send;
}

/// Where a Service is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Address records; every process listens on this port.
    Addresses { name: Name, port: u16 },
    /// SRV records at `service`; `name` is the Service's own name.
    Services { service: Name, name: Name },
}

impl Place {
    /// The name whose records are asked for first, as people write it.
    pub(super) fn asked(&self) -> String {
        match self {
            Self::Addresses { name, .. } => printable(name),
            Self::Services { service, .. } => printable(service),
        }
    }
}

/// Asks for one whole listing.
pub(super) async fn round(
    asker: &(impl Ask + Sync),
    place: &Place,
    families: FamilyPolicy,
) -> Result<Listing, DnsError> {
    match place {
        Place::Addresses { name, port } => list_addresses(asker, name, *port, families).await,
        Place::Services { service, name } => list_services(asker, service, name, families).await,
    }
}

async fn list_addresses(
    asker: &(impl Ask + Sync),
    name: &Name,
    port: u16,
    families: FamilyPolicy,
) -> Result<Listing, DnsError> {
    let (first, second) = match families {
        FamilyPolicy::V4 | FamilyPolicy::PreferV4 => (Kind::A, Kind::Aaaa),
        FamilyPolicy::V6 | FamilyPolicy::PreferV6 => (Kind::Aaaa, Kind::A),
        FamilyPolicy::Both => {
            let answers = ask_both(asker, name).await?;
            return from_addresses(name, port, &answers);
        }
    };
    let answer = asker.ask(Question::new(first, name)).await?;
    if !answer.items().is_empty() {
        return from_addresses(name, port, &[answer]);
    }
    // The other family is asked even where its addresses are not wanted: only together do the
    // two tell a Service without processes from one that listens elsewhere.
    let other = asker.ask(Question::new(second, name)).await?;
    let unwanted = match families {
        FamilyPolicy::V4 | FamilyPolicy::V6 => !other.items().is_empty(),
        FamilyPolicy::PreferV4 | FamilyPolicy::PreferV6 | FamilyPolicy::Both => false,
    };
    if unwanted {
        let name = printable(name);
        return Err(DnsError::OtherFamilyOnly { name, families });
    }
    from_addresses(name, port, &[answer, other])
}

async fn ask_both(asker: &(impl Ask + Sync), name: &Name) -> Result<[Answer; 2], DnsError> {
    let a = asker.ask(Question::new(Kind::A, name));
    let aaaa = asker.ask(Question::new(Kind::Aaaa, name));
    // Both are waited for, so that the same trouble is always reported in the same words.
    let (a, aaaa) = join(a, aaaa).await;
    Ok([a?, aaaa?])
}

async fn list_services(
    asker: &(impl Ask + Sync),
    service: &Name,
    name: &Name,
    families: FamilyPolicy,
) -> Result<Listing, DnsError> {
    match asker.ask(Question::new(Kind::Srv, service)).await? {
        Answer::Found { items, glue, ttl } => {
            let (targets, ttl) = resolve_targets(asker, &items, &glue, families, ttl).await?;
            from_targets(service, families, &targets, ttl)
        }
        Answer::NoData { .. } | Answer::NoName { .. } => {
            // SRV records exist per port, so their absence says nothing yet about the Service.
            let answers = ask_both(asker, name).await?;
            if !addresses(&answers).is_empty() {
                let (name, service) = (printable(name), printable(service));
                return Err(DnsError::NoSuchPort { name, service });
            }
            from_addresses(name, 0, &answers)
        }
    }
}

/// Addresses of one target so far, and how long they hold.
type Resolved = (Vec<IpAddr>, Duration);

/// Takes the addresses that came along, and asks for those of targets that came without. A target
/// that came with one family is not asked for the other: it can be dialled, and asking would cost
/// a question per pod and round wherever pods have one family.
async fn resolve_targets(
    asker: &(impl Ask + Sync),
    items: &[Item],
    glue: &[Glue],
    families: FamilyPolicy,
    srv_ttl: Duration,
) -> Result<(Vec<Target>, Duration), DnsError> {
    let services: Vec<(&Name, u16)> = items
        .iter()
        .filter_map(|item| match item {
            Item::Service { target, port } => Some((target, *port)),
            Item::Address(_) => None,
        })
        .collect();
    let mut resolved: BTreeMap<&Name, Resolved> = BTreeMap::new();
    for (target, _) in &services {
        resolved.insert(target, (Vec::new(), srv_ttl));
    }
    for glue in glue.iter().filter(|glue| accepts(families, glue.address)) {
        if let Some((addresses, ttl)) = resolved.get_mut(&glue.name) {
            addresses.push(glue.address);
            *ttl = (*ttl).min(glue.ttl);
        }
    }
    let bare: Vec<&Name> = resolved
        .iter()
        .filter(|(_, (addresses, _))| addresses.is_empty())
        .map(|(target, _)| *target)
        .collect();
    for some in bare.chunks(TARGET_QUESTIONS_MAX) {
        let answers = some
            .iter()
            .map(|target| ask_target(asker, target, families));
        for (target, found) in some.iter().zip(join_all(answers).await) {
            let (addresses, ttl) = found?;
            resolved.insert(target, (addresses, ttl.min(srv_ttl)));
        }
    }
    let ttl = resolved.values().map(|(_, ttl)| *ttl).min();
    let targets = services.into_iter().map(|(name, port)| Target {
        name: name.clone(),
        port,
        addresses: resolved
            .get(name)
            .map_or_else(Vec::new, |(all, _)| all.clone()),
    });
    Ok((targets.collect(), ttl.unwrap_or(srv_ttl)))
}

fn accepts(families: FamilyPolicy, address: IpAddr) -> bool {
    match families {
        FamilyPolicy::V4 => address.is_ipv4(),
        FamilyPolicy::V6 => address.is_ipv6(),
        FamilyPolicy::PreferV4 | FamilyPolicy::PreferV6 | FamilyPolicy::Both => true,
    }
}

/// A target without addresses, or gone since it was listed, is not a failure: it is no seed.
async fn ask_target(
    asker: &(impl Ask + Sync),
    target: &Name,
    families: FamilyPolicy,
) -> Result<Resolved, DnsError> {
    let answers = match families {
        FamilyPolicy::V4 => vec![asker.ask(Question::new(Kind::A, target)).await?],
        FamilyPolicy::V6 => vec![asker.ask(Question::new(Kind::Aaaa, target)).await?],
        FamilyPolicy::PreferV4 | FamilyPolicy::PreferV6 | FamilyPolicy::Both => {
            ask_both(asker, target).await?.to_vec()
        }
    };
    let ttl = answers.iter().filter_map(Answer::ttl).min();
    let found = addresses(&answers).into_iter().collect();
    Ok((found, ttl.unwrap_or(Duration::MAX)))
}

#[cfg(test)]
#[path = "round_tests.rs"]
mod tests;
