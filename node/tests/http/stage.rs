//! What the tests stand on: a node with its HTTP side, and a client that is no more than a socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use discovery_core::Finder;
use discovery_core::finders::{StaticFinder, StaticFinderConfig};
use discovery_node::config::ServiceLimits;
use discovery_node::http;
use discovery_node::view::{NodeView, Overheard};
use discovery_tcp::{Formation, TcpDiscovery, TcpDiscoveryBuilder};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes, on a busy machine too.
const LIMIT: Duration = Duration::from_mins(1);

/// Bounds a wait.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("in time")
}

/// A node and its HTTP side.
pub(crate) struct Stage {
    pub(crate) view: NodeView,
    pub(crate) stop: CancellationToken,
    pub(crate) serving: JoinHandle<()>,
    address: SocketAddr,
}

/// What holds a thread up.
pub(crate) struct Holds(mpsc::Sender<Receiver<()>>);

impl Holds {
    /// Holds it up until what comes back is dropped.
    pub(crate) async fn hold(&self) -> SyncSender<()> {
        let (hold, held) = sync_channel(0);
        within(self.0.send(held)).await.unwrap();
        hold
    }
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) body: String,
    headers: Vec<(String, String)>,
}

impl Answer {
    /// The value of a header, empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut headers = self.headers.iter();
        headers
            .find(|(of, _)| of == name)
            .map_or("", |(_, value)| value)
    }
}

/// One server-sent event.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) id: String,
    pub(crate) data: String,
}

/// A stream of server-sent events.
pub(crate) struct Live(BufReader<TcpStream>);

impl Stage {
    /// A member of a cluster of one.
    pub(crate) async fn alone() -> Self {
        let stage = Self::start(Formation::Single, None).await;
        stage.seen().await;
        stage
    }

    /// A member of a cluster of one whose protocol has a thread of its own, and what holds that up.
    pub(crate) async fn alone_elsewhere() -> (Self, Holds) {
        let (holds, held) = mpsc::channel(1);
        let stage = Self::start(Formation::Single, Some(held)).await;
        stage.seen().await;
        (stage, Holds(holds))
    }

    /// Waits until it is seen as a member that has heard its finder.
    async fn seen(&self) {
        let mut looks = self.view.looks();
        let seen = looks.wait_for(|look| {
            let sight = look.sight.as_ref();
            sight.is_some_and(|sight| sight.quorum && !sight.finder.seeds.is_empty())
        });
        within(seen).await.unwrap();
    }

    /// A newcomer that waits for two others that do not exist.
    pub(crate) async fn one_of_three() -> Self {
        let names = ["ring-0", "ring-1", "ring-2"].map(|name| name.parse().unwrap());
        Self::start(Formation::Majority(names.to_vec()), None).await
    }

    async fn start(formation: Formation, held: Option<mpsc::Receiver<Receiver<()>>>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let finder = StaticFinder::new(&StaticFinderConfig {
            seeds: vec![listener.local_addr().unwrap().to_string()],
            ..StaticFinderConfig::default()
        });
        let finder = Overheard::new(Arc::new(finder.unwrap()) as Arc<dyn Finder>);
        let settings = TcpDiscovery::builder()
            .name("ring-0")
            .listener(listener)
            .finder(Arc::new(finder.clone()))
            .formation(formation);
        let ring = match held {
            None => settings.start().await.unwrap(),
            Some(held) => elsewhere(settings, held).await,
        };
        let view = NodeView::start(ring, Some(&finder));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(http::serve(
            listener,
            ServiceLimits::default(),
            view.clone(),
            stop.clone(),
        ));
        Self {
            view,
            stop,
            serving,
            address,
        }
    }

    /// Asks for a path and reads the answer to its end.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        within(async {
            let mut socket = self.ask(path, "Connection: close\r\n").await;
            let mut text = String::new();
            socket.read_to_string(&mut text).await.unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let mut lines = head.lines();
            let code = lines.next().unwrap().split(' ').nth(1).unwrap();
            let headers = lines.map(|line| {
                let (name, value) = line.split_once(": ").unwrap();
                (name.to_lowercase(), value.to_owned())
            });
            Answer {
                code: code.parse().unwrap(),
                headers: headers.collect(),
                body: body.to_owned(),
            }
        })
        .await
    }

    /// Follows what a page is told, after the event of this id.
    pub(crate) async fn follow(&self, after: Option<&str>) -> Live {
        let after = after.map(|id| format!("Last-Event-ID: {id}\r\n"));
        let socket = self
            .ask("/live", after.as_deref().unwrap_or_default())
            .await;
        Live(BufReader::new(socket))
    }

    async fn ask(&self, path: &str, headers: &str) -> TcpStream {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n",
            self.address
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        socket
    }
}

/// Starts a ring on a thread of its own, which stands still for as long as it is held.
async fn elsewhere(
    settings: TcpDiscoveryBuilder,
    mut holds: mpsc::Receiver<Receiver<()>>,
) -> TcpDiscovery {
    let (started, ring) = oneshot::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            // Nobody waits for it if the test has failed.
            let _ = started.send(settings.start().await.unwrap());
            while let Some(held) = holds.recv().await {
                // Nothing is ever sent: it comes back once the hold is dropped.
                let _ = held.recv();
            }
        });
    });
    within(ring).await.unwrap()
}

impl Live {
    /// The next telling for which this holds.
    pub(crate) async fn telling(&mut self, holds: impl Fn(&Value) -> bool) -> Value {
        loop {
            let telling: Value = serde_json::from_str(&self.next().await.data).unwrap();
            if holds(&telling) {
                return telling;
            }
        }
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Told {
        within(async {
            let mut told = Told::default();
            loop {
                let mut line = String::new();
                assert!(
                    self.0.read_line(&mut line).await.unwrap() > 0,
                    "the stream ended"
                );
                match line.trim_end().split_once(": ") {
                    Some(("id", id)) => id.clone_into(&mut told.id),
                    Some(("data", data)) => data.clone_into(&mut told.data),
                    _ if line.trim_end().is_empty() && !told.data.is_empty() => return told,
                    _ => {}
                }
            }
        })
        .await
    }
}
