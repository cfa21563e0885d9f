//! `run`: the node, until it is asked to end.

use clap::Args;
use tokio::sync::Mutex;

use super::config::advice;
use super::{Failure, NodeFlags};
use crate::app::{App, End};
use crate::compose::compose;
use crate::config::{LogFormat, NodePlan, Surroundings};
use crate::exit;
use crate::terminal::{self, Stop};

/// Run a node: find the others, join them, answer the API, leave in order.
///
/// In a pod it needs nothing but the Service's name and the downward API: the pod's name,
/// namespace, uid and IPs, its node's name; what is missing is told as lines of a manifest. SIGTERM
/// or SIGINT ends it in order, a second one at once.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    node: NodeFlags,
}

impl RunArgs {
    pub(super) fn plan(&self, surroundings: &Surroundings) -> Result<NodePlan, Failure> {
        Ok(self.node.plan(surroundings)?)
    }
}

/// Whether a plan wants its log as JSON.
pub(super) fn logs_json(plan: &NodePlan) -> bool {
    plan.node.log_format == LogFormat::Json
}

pub(super) async fn run(plan: NodePlan, stop: &mut Stop) -> Result<u8, Failure> {
    if let Some(advice) = advice(&plan) {
        tracing::warn!("{advice}");
    }
    let composed = plan.finder.as_ref().map(compose).transpose()?;
    let finder = composed.map(|composed| composed.finder);
    let (name, cluster) = (plan.node.name.clone(), plan.node.ring.cluster_name.clone());
    let formation = plan.node.ring.formation.to_string();
    let app = App::build(plan.node, finder).spawn().await?;
    if let Some(address) = app.admin_address().filter(|one| !one.ip().is_loopback()) {
        tracing::warn!(
            %address,
            "operators are served at an address that others may reach: whoever does can end this \
             node, remove members and force a recovery; set admin.listen to a path or to loopback"
        );
    }
    let words = |address: Option<std::net::SocketAddr>| {
        address.map_or_else(|| "off".to_owned(), |address| address.to_string())
    };
    let (grpc, http) = (words(app.grpc_address()), words(app.http_address()));
    let admin = app.admin_path().map(|path| path.display().to_string());
    let admin = admin.unwrap_or_else(|| words(app.admin_address()));
    tracing::info!(%name, %cluster, formation, grpc, http, admin, "the node runs");
    tracing::warn!(
        "links and the API are not secured: everybody who reaches the ports can read and publish, \
         and can pose as a node; let a NetworkPolicy fence them"
    );
    let stop = Mutex::new(stop);
    let code = Mutex::new(exit::TERMINATED);
    let end = app
        .run(|| async {
            *code.lock().await = stop.lock().await.asked().await;
        })
        .await;
    let asked = *code.lock().await;
    let (code, words) = verdict(end, asked);
    if let Some(words) = words {
        terminal::complain(&format!("discovery-node: {words}\n"));
    }
    Ok(code)
}

/// The exit code of a node that ended so, and what its operator is told; `asked` is the code of who
/// is told twice to stop.
fn verdict(end: End, asked: u8) -> (u8, Option<String>) {
    match end {
        End::Left => (exit::DONE, None),
        End::NotDecided => {
            let words = "the leave was not decided in time; the others will find the node gone";
            (exit::DONE, Some(words.to_owned()))
        }
        End::AtOnce => (asked, None),
        End::Refused(why) => {
            let words = format!("this node is refused for good: {why}");
            (exit::REFUSED, Some(words))
        }
        End::ByItself => {
            let words = "the protocol has stopped; see the log";
            (exit::STOPPED, Some(words.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_restarts_it_can_tell_a_node_that_stopped_by_itself() {
        let (code, words) = verdict(End::ByItself, exit::TERMINATED);
        assert_eq!(code, 70);
        assert!(words.is_some_and(|words| words.contains("see the log")));
        assert_eq!(verdict(End::Left, exit::TERMINATED), (0, None));
        assert_eq!(verdict(End::AtOnce, exit::TERMINATED), (143, None));
    }
}
