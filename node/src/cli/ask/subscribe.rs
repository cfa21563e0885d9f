//! `subscribe`: the messages of a topic, in the order of decision.

use std::pin::pin;

use clap::Args;
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::subscribe_response::Kind;
use serde_json::{Value, json};

use super::super::Failure;
use super::forms;
use super::link::Asked;
use crate::exit;
use crate::terminal::{self, Stop};

/// Show published messages, in the order of decision, until SIGTERM or SIGINT.
#[derive(Debug, Args)]
pub(in crate::cli) struct SubscribeArgs {
    /// The topic; all without it
    topic: Option<String>,

    /// Begin behind this place: CLUSTER-ID/EPOCH/VERSION/POSITION
    #[arg(long, value_name = "PLACE", value_parser = place)]
    from: Option<v1::Cursor>,

    /// One JSON object a line; a message that is no text is written as numbers
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    asked: Asked,
}

pub(in crate::cli) async fn run(args: &SubscribeArgs, stop: &mut Stop) -> Result<u8, Failure> {
    let request = v1::SubscribeRequest {
        topic: args.topic.clone().unwrap_or_default(),
        from: args.from.clone(),
    };
    let connected = async {
        let mut node = args.asked.connect().await?;
        Ok::<_, Failure>(node.subscribe(request).await?.into_inner())
    };
    let mut answers = tokio::select! {
        answers = connected => answers?,
        code = stop.asked() => return Ok(code),
    };
    let mut unread = pin!(terminal::reader_gone());
    loop {
        // No limit: messages are followed until either side ends.
        let answer = tokio::select! {
            answer = answers.message() => answer?,
            _ = stop.asked() => return Ok(exit::DONE),
            () = &mut unread => return Ok(exit::DONE),
        };
        let Some(answer) = answer else {
            return Ok(exit::DONE);
        };
        let Some(kind) = answer.kind else { continue };
        let text = if args.json {
            format!("{}\n", value(&kind))
        } else {
            line(&kind)
        };
        terminal::say(&text)?;
    }
}

fn place(text: &str) -> Result<v1::Cursor, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|_| format!("'{text}' is no number"))
    };
    match parts.as_slice() {
        [cluster_id, epoch, version, position] => Ok(v1::Cursor {
            topology: Some(v1::TopologyRef {
                cluster_id: (*cluster_id).to_owned(),
                epoch: number(epoch)?,
                version: number(version)?,
            }),
            position: number(position)?,
        }),
        _ => Err("give CLUSTER-ID/EPOCH/VERSION/POSITION".to_owned()),
    }
}

fn words(cursor: Option<&v1::Cursor>) -> String {
    let cursor = cursor.cloned().unwrap_or_default();
    let topology = cursor.topology.unwrap_or_default();
    format!(
        "{}/{}/{}/{}",
        topology.cluster_id, topology.epoch, topology.version, cursor.position
    )
}

/// One line for people; checkpoints say nothing new to them.
fn line(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => {
            let text = String::from_utf8_lossy(&message.payload);
            let position = message.cursor.as_ref().map_or(0, |cursor| cursor.position);
            format!("{position}  {}  {text}\n", message.topic)
        }
        Kind::Checkpoint(_) => String::new(),
        Kind::Gap(gap) => {
            let cause = forms::lower(gap.cause().as_str_name(), "SNAPSHOT_CAUSE_");
            let to = words(gap.resumed.as_ref());
            format!(
                "GAP ({}): messages up to {to} may be missing\n",
                cause.replace('_', " ")
            )
        }
    }
}

fn value(kind: &Kind) -> Value {
    match kind {
        Kind::Message(message) => {
            let payload = match std::str::from_utf8(&message.payload) {
                Ok(text) => json!(text),
                Err(_) => json!(message.payload),
            };
            json!({
                "event": "message",
                "topic": message.topic,
                "payload": payload,
                "publisher": message.publisher,
                "idempotency_key": message.idempotency_key,
                "place": words(message.cursor.as_ref()),
            })
        }
        Kind::Checkpoint(checkpoint) => {
            json!({ "event": "checkpoint", "place": words(checkpoint.cursor.as_ref()) })
        }
        Kind::Gap(gap) => json!({
            "event": "gap",
            "cause": forms::lower(gap.cause().as_str_name(), "SNAPSHOT_CAUSE_"),
            "place": words(gap.resumed.as_ref()),
        }),
    }
}
