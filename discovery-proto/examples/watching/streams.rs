//! The watchers of one node: each reads a stream of its own and notes when it was told what.

use std::error::Error;
use std::time::Duration;

use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::discovery_client::DiscoveryClient;
use discovery_proto::discovery::v1::subscribe_response::Kind;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tonic::Streaming;
use tonic::transport::Channel;

use super::arguments::Arguments;
use super::micros;

/// Longest wait for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// What one watcher was told.
#[derive(Default)]
pub(crate) struct Told {
    /// When it was told of each event, in microseconds of the run.
    pub(crate) seen: Vec<u64>,
    /// Events that came where another one was expected: what was missing and not told.
    pub(crate) gaps: usize,
}

/// All watchers, and how far each of them is.
pub(crate) struct Streams {
    tasks: JoinSet<Result<Told, tonic::Status>>,
    progress: Vec<watch::Receiver<usize>>,
}

/// A client of the node there.
pub(crate) async fn connect(node: &str) -> Result<DiscoveryClient<Channel>, Box<dyn Error>> {
    let connected = DiscoveryClient::connect(format!("http://{node}"));
    Ok(timeout(CONNECT_LIMIT, connected).await??)
}

impl Streams {
    /// Opens all streams, and waits until each was told where it begins.
    pub(crate) async fn open(
        arguments: &Arguments,
        start: Instant,
    ) -> Result<Self, Box<dyn Error>> {
        let mut clients = Vec::new();
        for _ in 0..arguments.connections {
            clients.push(connect(&arguments.watch).await?);
        }
        let (mut tasks, mut progress) = (JoinSet::new(), Vec::new());
        for number in 0..arguments.watchers {
            let mut client = clients[number % clients.len()].clone();
            let request = v1::SubscribeRequest::default();
            let mut answers = client.subscribe(request).await?.into_inner();
            // The first response says where it begins.
            answers.message().await?;
            let at = watch::Sender::new(0);
            progress.push(at.subscribe());
            tasks.spawn(read(answers, arguments.events, start, at));
        }
        Ok(Self { tasks, progress })
    }

    /// Waits until every watcher has been told so many events.
    pub(crate) async fn all_at(&mut self, wanted: usize) -> Result<(), Box<dyn Error>> {
        for progress in &mut self.progress {
            progress.wait_for(|seen| *seen >= wanted).await?;
        }
        Ok(())
    }

    /// What each was told.
    pub(crate) async fn end(mut self) -> Result<Vec<Told>, Box<dyn Error>> {
        let mut all = Vec::new();
        while let Some(told) = self.tasks.join_next().await {
            all.push(told??);
        }
        Ok(all)
    }
}

/// Reads up to the last event.
async fn read(
    mut answers: Streaming<v1::SubscribeResponse>,
    events: usize,
    start: Instant,
    progress: watch::Sender<usize>,
) -> Result<Told, tonic::Status> {
    let mut told = Told {
        seen: Vec::with_capacity(events),
        gaps: 0,
    };
    while told.seen.len() < events {
        let Some(answer) = answers.message().await? else {
            return Err(tonic::Status::aborted("the stream has ended"));
        };
        match answer.kind {
            Some(Kind::Message(message)) => {
                let number = number_of(&message).unwrap_or(usize::MAX);
                told.gaps += usize::from(number != told.seen.len());
                told.seen.push(micros(start));
                progress.send_replace(told.seen.len());
            }
            Some(Kind::Gap(gap)) => {
                return Err(tonic::Status::data_loss(format!("a gap: {gap:?}")));
            }
            Some(Kind::Checkpoint(_)) | None => {}
        }
    }
    Ok(told)
}

fn number_of(message: &v1::PublishedMessage) -> Option<usize> {
    std::str::from_utf8(&message.payload)
        .ok()?
        .trim()
        .parse()
        .ok()
}
