//! One stream of one node: opened, read, and why it is not read any more. Which node comes next is
//! in `follow.rs`.

use std::error::Error;

use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::address::Address;
use super::config::TopologyClientConfig;
use super::update::LinkEnd;
use crate::discovery::v1;
use crate::discovery::v1::discovery_client::DiscoveryClient;
use crate::discovery::v1::watch_topology_response::Kind;

/// Largest answer that is read, in bytes: the contract's limit.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What the followed node tells.
#[derive(Debug)]
pub(super) enum Told {
    Snapshot(v1::Snapshot),
    Change(v1::TopologyChange),
}

/// The stream of a member that hears a majority.
#[derive(Debug)]
pub(super) struct Link {
    address: Address,
    answers: Streaming<v1::WatchTopologyResponse>,
}

impl Link {
    /// Has the node there tell what happened since this topology, if it is one to follow.
    pub(super) async fn open(
        address: &Address,
        from: Option<v1::TopologyRef>,
        config: &TopologyClientConfig,
    ) -> Result<Self, LinkEnd> {
        let channel = dial(address, config).await?;
        let mut node = DiscoveryClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
        let request = v1::WatchTopologyRequest { from };
        let opened = async {
            let asked = node.watch_topology(request).await;
            let answers = asked.map_err(|status| ended(address, &status))?;
            let mut link = Self {
                address: address.clone(),
                answers: answers.into_inner(),
            };
            match link.answer().await? {
                Kind::Standing(standing) => link.check(&standing).map(|()| link),
                Kind::Snapshot(_) | Kind::Change(_) => {
                    Err(link.unfit(&"its standing did not come first"))
                }
            }
        };
        let limit = config.answer_limit;
        timeout(limit, opened).await.unwrap_or_else(|_| {
            let address = address.to_string();
            Err(LinkEnd::NoAnswer { address, limit })
        })
    }

    /// Waits for the next thing that it tells, without a limit: keepalive finds out if it is gone.
    pub(super) async fn next(&mut self) -> Result<Told, LinkEnd> {
        loop {
            match self.answer().await? {
                Kind::Snapshot(snapshot) => return Ok(Told::Snapshot(snapshot)),
                Kind::Change(change) => return Ok(Told::Change(change)),
                Kind::Standing(standing) => self.check(&standing)?,
            }
        }
    }

    /// That it told something that does not fit.
    pub(super) fn unfit(&self, why: &impl ToString) -> LinkEnd {
        let (address, why) = (self.address.to_string(), why.to_string());
        LinkEnd::Unfit { address, why }
    }

    /// The next answer; what was added to the contract later is skipped.
    async fn answer(&mut self) -> Result<Kind, LinkEnd> {
        loop {
            match self.answers.message().await {
                Ok(Some(answer)) => {
                    if let Some(kind) = answer.kind {
                        return Ok(kind);
                    }
                }
                Ok(None) => {
                    let status = Status::unavailable("the stream ended without a word");
                    return Err(ended(&self.address, &status));
                }
                Err(status) => return Err(ended(&self.address, &status)),
            }
        }
    }

    /// Whether it is one to follow.
    fn check(&self, standing: &v1::Standing) -> Result<(), LinkEnd> {
        match standing.kind() {
            v1::StandingKind::Member => Ok(()),
            kind @ (v1::StandingKind::Unspecified
            | v1::StandingKind::NotYetMember
            | v1::StandingKind::WithoutQuorum
            | v1::StandingKind::Removed
            | v1::StandingKind::Left
            | v1::StandingKind::Failed) => Err(LinkEnd::Standing {
                address: self.address.to_string(),
                standing: kind.as_str_name(),
            }),
        }
    }
}

async fn dial(address: &Address, config: &TopologyClientConfig) -> Result<Channel, LinkEnd> {
    let unreachable = |why: String| LinkEnd::Unreachable {
        address: address.to_string(),
        why,
    };
    let endpoint = address.endpoint(config);
    let endpoint = endpoint.ok_or_else(|| unreachable("it is no address".to_owned()))?;
    match timeout(config.connect_limit, endpoint.connect()).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(unreachable(words(&error))),
        Err(_) => Err(unreachable(format!(
            "not within {:?}",
            config.connect_limit
        ))),
    }
}

/// An error with what is behind it, the deepest last.
fn words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    words
}

fn ended(address: &Address, status: &Status) -> LinkEnd {
    LinkEnd::Ended {
        address: address.to_string(),
        code: status.code(),
        why: status.message().to_owned(),
    }
}
