//! The calls of `discovery.v1.Admin`.

use std::time::Duration;

use discovery_core::{Discovery as _, Member, NodeId, Standing, Topology};
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::admin_server::Admin;
use discovery_tcp::OperatorError;
use discovery_tcp::ring::Status as RingStatus;
use tonic::{Request, Response, Status};

use super::refusals::Refusal;
use super::{Api, leave_words, within};
use crate::terminal;

/// Longest reason of a removal, in bytes.
const REASON_BYTES_MAX: usize = 256;

/// Longest pause of a drain.
pub(super) const PAUSE_MAX: Duration = Duration::from_mins(5);

#[tonic::async_trait]
impl Admin for Api {
    async fn drain(
        &self,
        request: Request<v1::DrainRequest>,
    ) -> Result<Response<v1::DrainResponse>, Status> {
        let pause = request.into_inner().pause.unwrap_or_default();
        let pause = Duration::try_from(pause).ok();
        let pause = pause.filter(|pause| *pause <= PAUSE_MAX);
        let pause = pause.ok_or_else(|| Refusal::Invalid {
            field: "pause",
            what: format!("give a time of at most {PAUSE_MAX:?}"),
        })?;
        let left = async { Ok(self.control.end(pause).await) };
        let (decided, detail) = leave_words(within(pause + self.limits.decision, left).await?);
        Ok(Response::new(v1::DrainResponse { decided, detail }))
    }

    async fn remove_member(
        &self,
        request: Request<v1::RemoveMemberRequest>,
    ) -> Result<Response<v1::RemoveMemberResponse>, Status> {
        let answer = within(self.limits.decision, self.remove(request.into_inner())).await?;
        Ok(Response::new(answer))
    }

    async fn force_recovery(
        &self,
        request: Request<v1::ForceRecoveryRequest>,
    ) -> Result<Response<v1::ForceRecoveryResponse>, Status> {
        let confirmed = request.into_inner().confirm_epoch;
        let answer = within(self.limits.call, self.recover(confirmed)).await?;
        Ok(Response::new(answer))
    }

    async fn set_log_filter(
        &self,
        request: Request<v1::SetLogFilterRequest>,
    ) -> Result<Response<v1::SetLogFilterResponse>, Status> {
        let filter = request.into_inner().filter;
        let previous = terminal::change_logs(&filter).map_err(|what| Refusal::Invalid {
            field: "filter",
            what,
        })?;
        Ok(Response::new(v1::SetLogFilterResponse { previous }))
    }

    async fn dump_state(
        &self,
        _: Request<v1::DumpStateRequest>,
    ) -> Result<Response<v1::DumpStateResponse>, Status> {
        let text = within(self.limits.call, self.dump()).await?;
        Ok(Response::new(v1::DumpStateResponse { text }))
    }
}

impl Api {
    /// Removes a member and waits until it is one no more.
    async fn remove(
        &self,
        request: v1::RemoveMemberRequest,
    ) -> Result<v1::RemoveMemberResponse, Status> {
        let bytes = request.reason.len();
        if !(1..=REASON_BYTES_MAX).contains(&bytes) {
            let what = format!("has {bytes} bytes; give it 1 to {REASON_BYTES_MAX}");
            let field = "reason";
            return Err(Refusal::Invalid { field, what }.into());
        }
        let mut standings = self.discovery.standings();
        let topology = self.discovery.topology().ok_or(Refusal::NotAMember)?;
        let member = found(&topology, &request.member).ok_or_else(|| Refusal::NotFound {
            member: request.member.clone(),
        })?;
        let removed = member.id();
        if let Err(error) = self.discovery.remove(removed, request.reason).await {
            return Err(self.refused(error).await);
        }
        let is_gone = |standing: &Standing| {
            let topology = standing.topology();
            topology.is_none_or(|topology| topology.member(removed).is_none())
        };
        // Its caller limits the wait.
        let standing = standings.wait_for(is_gone).await;
        let standing = standing.map_err(|_| Refusal::ShuttingDown)?;
        Ok(v1::RemoveMemberResponse {
            removed: removed.to_string(),
            topology: standing.topology().map(|topology| topology.id().into()),
        })
    }

    /// Why an operator's command was refused, and who coordinates.
    async fn refused(&self, error: OperatorError) -> Status {
        let status = self.discovery.status().await.ok();
        let coordinator = status.and_then(|status| status.coordinator);
        match error {
            OperatorError::Refused { why } => Refusal::Refused {
                why,
                coordinator: coordinator.map(|node| node.name().to_string()),
            },
            // Stopped, or what may yet be added.
            _ => Refusal::ShuttingDown,
        }
        .into()
    }

    /// Says what a forced recovery gives up and, if its epoch is confirmed, starts it.
    async fn recover(&self, confirmed: Option<u64>) -> Result<v1::ForceRecoveryResponse, Status> {
        let status = self.discovery.status().await;
        let status = status.map_err(|_| Refusal::ShuttingDown)?;
        let topology = status.topology.clone().ok_or(Refusal::NotAMember)?;
        let gives_up = gives_up(&status, &topology);
        let started = confirmed.is_some();
        if let Some(epoch) = confirmed {
            if epoch != topology.epoch().0 {
                let (what, now) = (format!("epoch {epoch}"), topology.epoch().to_string());
                return Err(Refusal::Stale { what, now }.into());
            }
            if let Err(error) = self.discovery.force_recovery().await {
                return Err(self.refused(error).await);
            }
        }
        Ok(v1::ForceRecoveryResponse {
            started,
            from: Some(topology.id().into()),
            gives_up,
        })
    }

    async fn dump(&self) -> Result<String, Status> {
        let over = |_| Refusal::ShuttingDown;
        let status = self.discovery.status().await.map_err(over)?;
        let counters = self.discovery.ring_counters().await.map_err(over)?;
        let driver = self.discovery.counters();
        Ok(format!("{status:#?}\n{counters:#?}\n{driver:#?}\n"))
    }
}

/// The member of this id or name.
fn found<'a>(topology: &'a Topology, text: &str) -> Option<&'a Member> {
    let by_id = text.parse::<NodeId>().ok();
    let by_id = by_id.and_then(|id| topology.member(id));
    by_id.or_else(|| topology.named(&text.parse().ok()?))
}

/// What a forced recovery gives up, one line each.
fn gives_up(status: &RingStatus, topology: &Topology) -> Vec<String> {
    let mut lines = vec![
        format!(
            "the cluster {}: a new cluster id is drawn",
            topology.cluster_id()
        ),
        "changes and messages that are known only to members that do not answer".to_owned(),
        "one cluster: if members that do not answer still run, there are two; end them first"
            .to_owned(),
    ];
    let mut accused: Vec<_> = status.suspicions.iter().map(|one| one.subject).collect();
    accused.sort();
    accused.dedup();
    let names = accused
        .iter()
        .filter_map(|id| Some(topology.member(*id)?.name().to_string()));
    let names: Vec<String> = names.collect();
    if !names.is_empty() {
        lines.push(format!("members accused now: {}", names.join(", ")));
    }
    if status.quorum {
        lines.push("a quorum, which is there: nothing has to be recovered".to_owned());
    }
    lines
}
