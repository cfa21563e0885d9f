//! Asks a running node, all members that it knows and who else its finder lists what `doctor` wants
//! to know of a cluster. What the answers mean is judged in `views.rs` and `listed.rs`.

use std::net::SocketAddr;
use std::time::Duration;

use discovery_proto::discovery::v1;
use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::super::ask::{NodeAddress, connect_to};
use super::listed::{Listed, api_of, is_of};
use super::views::{Dial, Peer, View};
use crate::terminal;

/// Longest wait for one answer of one member.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// The node there as it sees itself, or why it cannot be asked.
pub(super) async fn ask(node: &NodeAddress) -> Result<View, String> {
    view(node).await
}

/// Every other member that the node knows: whether it can be dialled, and how it sees things.
pub(super) async fn ask_peers(own: &View) -> Vec<Peer> {
    let own_id = own.status.node.as_ref().map(|node| node.id.clone());
    let members = own
        .status
        .topology
        .iter()
        .flat_map(|topology| &topology.members);
    let nodes = members.filter_map(|member| member.node.clone());
    let others = nodes.filter(|node| Some(&node.id) != own_id.as_ref());
    join_all(others.map(peer)).await
}

async fn peer(node: v1::Node) -> Peer {
    let ring = dial(&node.addresses).await;
    let mut view = Err("it does not say where its API is".to_owned());
    for address in &node.grpc_addresses {
        view = self::view(&NodeAddress::Tcp(address.clone())).await;
        if view.is_ok() {
            break;
        }
    }
    Peer { node, ring, view }
}

/// What is listed and no member: whether it can be dialled, and how it sees things.
pub(super) async fn ask_listed(own: &View, seeds: &[v1::Seed]) -> Vec<Listed> {
    join_all(seeds.iter().map(|seed| stranger(own, seed))).await
}

async fn stranger(own: &View, seed: &v1::Seed) -> Listed {
    let (ring, view) = tokio::join!(dial(&seed.addresses), view_of(own, seed));
    Listed {
        seed: seed.clone(),
        ring,
        view,
    }
}

/// How a listed process sees things, if its API is where the nodes of this cluster have theirs.
async fn view_of(own: &View, seed: &v1::Seed) -> Result<View, String> {
    let mut last =
        "which port its API has is not known here, since no node says its own".to_owned();
    for address in api_of(own, seed) {
        match view(&NodeAddress::Tcp(address.clone())).await {
            Ok(view) if is_of(&view, seed) => return Ok(view),
            Ok(_) => last = format!("at {address} the API of another node answers"),
            Err(why) => last = format!("its API does not answer at {address}: {why}"),
        }
    }
    Err(last)
}

async fn view(node: &NodeAddress) -> Result<View, String> {
    let asked = async {
        let mut client = connect_to(node).await.map_err(|error| error.to_string())?;
        let asked = Instant::now();
        let answer = client.get_status(v1::GetStatusRequest {}).await;
        let status = answer
            .map_err(|status| status.message().to_owned())?
            .into_inner();
        Ok(View {
            status,
            took: asked.elapsed(),
            answered_at: terminal::now().as_millisecond(),
        })
    };
    timeout(ANSWER_LIMIT, asked)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {ANSWER_LIMIT:?}")))
}

/// Dials the addresses of a ring, best first.
async fn dial(addresses: &[String]) -> Dial {
    let mut last = "it has no address".to_owned();
    for text in addresses {
        let Ok(address) = text.parse::<SocketAddr>() else {
            last = format!("{text} is no address");
            continue;
        };
        let asked = Instant::now();
        match timeout(ANSWER_LIMIT, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Dial::Answers(asked.elapsed()),
            Ok(Err(error)) => last = format!("{address}: {error}"),
            Err(_) => last = format!("{address}: no answer within {ANSWER_LIMIT:?}"),
        }
    }
    Dial::Fails(last)
}
