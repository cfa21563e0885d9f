//! `publish`: one message to all members.

use std::io::Read;

use clap::Args;
use discovery_proto::discovery::v1;

use super::super::Failure;
use super::link::Asked;
use crate::config::DECISION_LIMIT;
use crate::exit;
use crate::terminal::{self, Stop};

/// Longest message that a node may be configured to take.
const INPUT_BYTES_MAX: usize = 512 * 1024;

/// Publish a message to all members and wait until it is decided.
///
/// Give --key to make a retry safe: with the same key a message is delivered once.
#[derive(Debug, Args)]
pub(in crate::cli) struct PublishArgs {
    /// What it is about
    topic: String,

    /// What it says; without it, standard input is read to its end
    message: Option<String>,

    /// What no other message has; with it a retry through any node is safe
    #[arg(long, value_name = "KEY", default_value = "")]
    key: String,

    #[command(flatten)]
    asked: Asked,
}

pub(in crate::cli) async fn run(args: &PublishArgs, stop: &mut Stop) -> Result<u8, Failure> {
    let payload = match &args.message {
        Some(text) => text.clone().into_bytes(),
        None => read_input(std::io::stdin().lock())?,
    };
    let published = async {
        let mut node = args.asked.connect().await?;
        let mut request = tonic::Request::new(v1::PublishRequest {
            topic: args.topic.clone(),
            payload,
            idempotency_key: args.key.clone(),
        });
        request.set_timeout(DECISION_LIMIT);
        Ok::<_, Failure>(node.publish(request).await?.into_inner())
    };
    let answer = tokio::select! {
        answer = published => answer?,
        code = stop.asked() => return Ok(code),
    };
    let cursor = answer.cursor.unwrap_or_default();
    let topology = cursor.topology.unwrap_or_default();
    let repeated = match (answer.was_repeated, answer.repetition_unknown) {
        (true, _) => " (it was published before)",
        (false, true) => " (whether it was published before is not known)",
        (false, false) => "",
    };
    terminal::say(&format!(
        "decided: epoch {} version {} position {}{repeated}\n",
        topology.epoch, topology.version, cursor.position
    ))?;
    Ok(exit::DONE)
}

/// Standard input, whole; what no node takes is not cut to what one would.
fn read_input(input: impl Read) -> Result<Vec<u8>, Failure> {
    let mut payload = Vec::new();
    let limit = u64::try_from(INPUT_BYTES_MAX).unwrap_or(u64::MAX);
    // One more, which tells what is too long from what is just as long as it may be.
    let read = input.take(limit + 1).read_to_end(&mut payload);
    read.map_err(|source| Failure::System {
        what: "standard input cannot be read",
        source,
    })?;
    if payload.len() > INPUT_BYTES_MAX {
        let what =
            format!("standard input has more than {INPUT_BYTES_MAX} bytes, which no node takes");
        return Err(Failure::Usage(what));
    }
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_that_is_too_long_is_refused_and_never_cut() {
        let long = std::io::repeat(b'x');
        let just = u64::try_from(INPUT_BYTES_MAX).unwrap();
        let whole = read_input(long.take(just)).unwrap();
        assert_eq!(whole.len(), INPUT_BYTES_MAX);
        let error = read_input(std::io::repeat(b'x')).unwrap_err();
        assert!(error.to_string().contains("524288"), "{error}");
    }
}
