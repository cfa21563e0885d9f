//! The commands for operators: drain, remove, recover, and what else the admin service does.

use std::fmt::Write as _;

use std::time::Duration;

use clap::{Args, Subcommand};
use discovery_proto::convert::duration;
use discovery_proto::discovery::v1;

use super::super::Failure;
use super::link::AskedAdmin;
use crate::config::{DECISION_LIMIT, Surroundings, positive_time};
use crate::exit;
use crate::terminal;

/// Take the node out of service as SIGTERM does: not ready, leave decided, process ended.
#[derive(Debug, Args)]
pub(in crate::cli) struct DrainArgs {
    /// How long streams go on after the node says that it is not ready
    #[arg(long, value_name = "TIME", value_parser = positive_time)]
    pause: Option<Duration>,

    #[command(flatten)]
    asked: AskedAdmin,
}

/// Remove a member, whatever its observers say; it joins again by itself if it lives.
///
/// Only the coordinator does that: run it there (`discovery-node status` names it).
#[derive(Debug, Args)]
pub(in crate::cli) struct RemoveArgs {
    /// The member: its name or node id
    member: String,

    /// Why, for people; every member sees it
    #[arg(long, value_name = "WORDS")]
    reason: String,

    #[command(flatten)]
    asked: AskedAdmin,
}

/// Open a new cluster with the members that answer, when the quorum is lost for good.
///
/// Without --confirm-epoch nothing is done; it says what would be given up.
#[derive(Debug, Args)]
pub(in crate::cli) struct RecoverArgs {
    /// The epoch in force, as `status` shows it: do it
    #[arg(long, value_name = "EPOCH")]
    confirm_epoch: Option<u64>,

    #[command(flatten)]
    asked: AskedAdmin,
}

/// What else operators may ask of a running node.
#[derive(Debug, Args)]
pub(in crate::cli) struct AdminArgs {
    #[command(subcommand)]
    command: AdminCommand,

    #[command(flatten)]
    asked: AskedAdmin,
}

#[derive(Debug, Subcommand)]
enum AdminCommand {
    /// Log by another filter until the process ends
    Log {
        /// A level such as info, or a filter as --log takes it
        filter: String,
    },
    /// Print the state of the core, for reports of faults
    Dump,
}

pub(in crate::cli) async fn drain(args: &DrainArgs, around: &Surroundings) -> Result<u8, Failure> {
    let mut node = args.asked.connect(around).await?;
    let pause = args.pause.unwrap_or_default();
    let mut request = tonic::Request::new(v1::DrainRequest {
        pause: Some(duration(pause)),
    });
    request.set_timeout(pause + DECISION_LIMIT);
    let answer = node.drain(request).await?.into_inner();
    let words = if answer.decided {
        "the leave is decided; the node ends\n".to_owned()
    } else {
        format!("the node ends; {}\n", answer.detail)
    };
    terminal::say(&words)?;
    Ok(exit::DONE)
}

pub(in crate::cli) async fn remove(
    args: &RemoveArgs,
    around: &Surroundings,
) -> Result<u8, Failure> {
    let mut node = args.asked.connect(around).await?;
    let mut request = tonic::Request::new(v1::RemoveMemberRequest {
        member: args.member.clone(),
        reason: args.reason.clone(),
    });
    request.set_timeout(DECISION_LIMIT);
    let answer = node.remove_member(request).await?.into_inner();
    let topology = answer.topology.unwrap_or_default();
    terminal::say(&format!(
        "removed {}: epoch {} version {}\n",
        answer.removed, topology.epoch, topology.version
    ))?;
    Ok(exit::DONE)
}

pub(in crate::cli) async fn recover(
    args: &RecoverArgs,
    around: &Surroundings,
) -> Result<u8, Failure> {
    let mut node = args.asked.connect(around).await?;
    let request = v1::ForceRecoveryRequest {
        confirm_epoch: args.confirm_epoch,
    };
    let answer = node.force_recovery(request).await?.into_inner();
    let from = answer.from.unwrap_or_default();
    let mut text = format!(
        "from epoch {} version {} of cluster {}; given up:\n",
        from.epoch, from.version, from.cluster_id
    );
    for line in &answer.gives_up {
        let _ = writeln!(text, "  - {line}");
    }
    let end = if answer.started {
        "started; its end shows as a new cluster id (discovery-node topology --watch)\n".to_owned()
    } else {
        format!(
            "nothing was done; to do it: --confirm-epoch {}\n",
            from.epoch
        )
    };
    text.push_str(&end);
    terminal::say(&text)?;
    Ok(exit::DONE)
}

pub(in crate::cli) async fn admin(args: &AdminArgs, around: &Surroundings) -> Result<u8, Failure> {
    let mut node = args.asked.connect(around).await?;
    let text = match &args.command {
        AdminCommand::Log { filter } => {
            let request = v1::SetLogFilterRequest {
                filter: filter.clone(),
            };
            let answer = node.set_log_filter(request).await?.into_inner();
            format!("it was: {}\n", answer.previous)
        }
        AdminCommand::Dump => {
            node.dump_state(v1::DumpStateRequest {})
                .await?
                .into_inner()
                .text
        }
    };
    terminal::say(&text)?;
    Ok(exit::DONE)
}
