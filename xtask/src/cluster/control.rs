//! The words between a cluster's owner and its supervisor, and how the owner says them.
//!
//! One connection to a Unix socket carries one request line and its answer.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, bail};

use super::constants::{CONTROL_BYTES_MAX, CONTROL_TIME_MAX};
use super::part::Part;

/// What the supervisor can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Start(Part),
    Stop(Part),
    /// Which parts run and how the others ended.
    Status,
    /// Outlive the process that started the cluster.
    Detach,
    /// End everything.
    Shutdown,
}

/// How a part of the cluster stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PartPhase {
    NotStarted,
    Running,
    /// It was asked to end and did.
    Stopped,
    /// It ended by itself; what is known of how.
    Ended(String),
}

/// Asks the supervisor that listens at `socket`.
pub(crate) fn ask(socket: &Path, request: Request) -> anyhow::Result<String> {
    let mut stream = UnixStream::connect(socket)
        .with_context(|| format!("nothing answers at {}", socket.display()))?;
    stream.set_read_timeout(Some(CONTROL_TIME_MAX))?;
    stream.set_write_timeout(Some(CONTROL_TIME_MAX))?;
    stream.write_all(format!("{}\n", request.words()).as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.take(CONTROL_BYTES_MAX).read_to_string(&mut answer)?;
    match answer.split_once('\n') {
        Some(("ok", rest)) => Ok(rest.to_owned()),
        Some(("failed", why)) => bail!("{} failed: {}", request.words(), why.trim()),
        Some(_) | None => bail!("{} got a cut answer: {answer:?}", request.words()),
    }
}

/// The phase of every part.
pub(crate) fn phases(socket: &Path) -> anyhow::Result<Vec<(Part, PartPhase)>> {
    ask(socket, Request::Status)?
        .lines()
        .map(parse_phase)
        .collect()
}

impl Request {
    pub(crate) fn words(self) -> String {
        match self {
            Self::Start(part) => format!("start {part}"),
            Self::Stop(part) => format!("stop {part}"),
            Self::Status => "status".to_owned(),
            Self::Detach => "detach".to_owned(),
            Self::Shutdown => "shutdown".to_owned(),
        }
    }
}

impl FromStr for Request {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> anyhow::Result<Self> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        Ok(match words.as_slice() {
            ["start", part] => Self::Start(part.parse()?),
            ["stop", part] => Self::Stop(part.parse()?),
            ["status"] => Self::Status,
            ["detach"] => Self::Detach,
            ["shutdown"] => Self::Shutdown,
            _ => bail!("no request reads {line:?}"),
        })
    }
}

/// One line of the answer to [`Request::Status`].
pub(crate) fn phase_line(part: Part, phase: &PartPhase) -> String {
    match phase {
        PartPhase::NotStarted => format!("{part} not-started"),
        PartPhase::Running => format!("{part} running"),
        PartPhase::Stopped => format!("{part} stopped"),
        PartPhase::Ended(how) => format!("{part} ended {how}"),
    }
}

fn parse_phase(line: &str) -> anyhow::Result<(Part, PartPhase)> {
    let (part, phase) = line.split_once(' ').unwrap_or((line, ""));
    let phase = match phase.split_once(' ').unwrap_or((phase, "")) {
        ("not-started", "") => PartPhase::NotStarted,
        ("running", "") => PartPhase::Running,
        ("stopped", "") => PartPhase::Stopped,
        ("ended", how) => PartPhase::Ended(how.to_owned()),
        _ => bail!("no phase reads {line:?}"),
    };
    Ok((part.parse()?, phase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_understood_as_it_was_said() {
        let mut requests = vec![Request::Status, Request::Detach, Request::Shutdown];
        requests.extend(Part::ALL.map(Request::Start));
        requests.extend(Part::ALL.map(Request::Stop));

        for request in requests {
            assert_eq!(request.words().parse::<Request>().unwrap(), request);
        }
    }

    #[test]
    fn an_unknown_part_is_named_in_the_refusal() {
        let refused = "stop kube-dns".parse::<Request>();

        assert!(refused.unwrap_err().to_string().contains("kube-dns"));
    }

    #[test]
    fn every_phase_is_understood_as_it_was_said() {
        let phases = [
            PartPhase::NotStarted,
            PartPhase::Running,
            PartPhase::Stopped,
            PartPhase::Ended("exit status 1".to_owned()),
        ];

        for phase in phases {
            let line = phase_line(Part::Kubelet, &phase);
            assert_eq!(parse_phase(&line).unwrap(), (Part::Kubelet, phase));
        }
    }
}
