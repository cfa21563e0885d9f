//! What the sockets of a node that ends see: the order in which it closes them, and the bound.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use discovery_core::{BoxFuture, Discovery};
use discovery_tcp::{LinkSecurity, SecuredLink, TcpDiscovery};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::stage::{LIMIT, Stage, agreed};

/// Plain links whose ends are witnessed, and that may turn deaf.
#[derive(Clone, Debug)]
struct Witnessed {
    listens_at: SocketAddr,
    is_ending: Arc<AtomicBool>,
    is_deaf: Arc<AtomicBool>,
    /// How many are open.
    open: watch::Sender<usize>,
    /// For each link that ended at the end: whether the node still listened then.
    listened: Arc<Mutex<Vec<bool>>>,
}

impl Witnessed {
    fn new(listens_at: SocketAddr) -> Self {
        Self {
            listens_at,
            is_ending: Arc::default(),
            is_deaf: Arc::default(),
            open: watch::Sender::new(0),
            listened: Arc::default(),
        }
    }

    fn listened(&self) -> Vec<bool> {
        self.listened.lock().unwrap().clone()
    }

    fn link(&self, socket: TcpStream) -> BoxFuture<'_, io::Result<SecuredLink>> {
        let witness = self.clone();
        self.open.send_modify(|open| *open += 1);
        let link = WitnessedLink { witness, socket };
        Box::pin(async { Ok(SecuredLink::new(link)) })
    }
}

impl LinkSecurity for Witnessed {
    fn name(&self) -> &'static str {
        "witnessed"
    }

    fn dial(&self, socket: TcpStream, _: SocketAddr) -> BoxFuture<'_, io::Result<SecuredLink>> {
        self.link(socket)
    }

    fn accept(&self, socket: TcpStream, _: SocketAddr) -> BoxFuture<'_, io::Result<SecuredLink>> {
        self.link(socket)
    }
}

struct WitnessedLink {
    witness: Witnessed,
    socket: TcpStream,
}

impl Drop for WitnessedLink {
    fn drop(&mut self) {
        self.witness.open.send_modify(|open| *open -= 1);
        if self.witness.is_ending.load(Ordering::Acquire) {
            // The kernel answers for whoever listens.
            let listens = std::net::TcpStream::connect(self.witness.listens_at).is_ok();
            self.witness.listened.lock().unwrap().push(listens);
        }
    }
}

impl AsyncRead for WitnessedLink {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.witness.is_deaf.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        Pin::new(&mut self.socket).poll_read(cx, into)
    }
}

impl AsyncWrite for WitnessedLink {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

struct Witness {
    node: TcpDiscovery,
    links: Witnessed,
}

/// Three members with a link to each other, the coordinator first.
async fn three(stage: &Stage) -> [Witness; 3] {
    let mut started = Vec::new();
    for name in ["ring-0", "ring-1", "ring-2"] {
        let listener = stage.listed(name);
        let links = Witnessed::new(listener.local_addr().unwrap());
        let settings = stage.settings(name).listener(listener);
        let settings = settings.security(Arc::new(links.clone()));
        let node = settings.start().await.unwrap();
        started.push(Witness { node, links });
    }
    let nodes: Vec<_> = started.iter().map(|it| it.node.clone()).collect();
    let topology = agreed(&nodes, 3).await;
    // Links wait for a topology that stays (CUT-2).
    for member in &started {
        let mut open = member.links.open.subscribe();
        let linked = timeout(LIMIT, open.wait_for(|open| *open >= 2)).await;
        linked.expect("it is linked in time").unwrap();
    }
    started.sort_by_key(|it| topology.member(it.node.local_node().id()).unwrap().order);
    let Ok(three) = started.try_into() else {
        panic!("three were started");
    };
    three
}

/// Waits for the end of a node, and fails unless everything is closed, each link before the
/// listener.
async fn closes_in_order(witness: &Witness) {
    witness.node.shutdown().await;
    let listened = witness.links.listened();
    assert!(listened.len() >= 2, "{listened:?}");
    assert!(listened.iter().all(|listened| *listened), "{listened:?}");
    TcpListener::bind(witness.links.listens_at).unwrap();
}

// Clauses: LEAVE-5
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_ends_closes_every_link_before_its_listener() {
    for leaves in [true, false] {
        let [ending, _second, _third] = three(&Stage::new()).await;
        ending.links.is_ending.store(true, Ordering::Release);
        if leaves {
            timeout(LIMIT, ending.node.leave()).await.unwrap().unwrap();
        }
        closes_in_order(&ending).await;
    }
}

// Clauses: LEAVE-5
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_reads_nothing_holds_the_end_of_a_node_up_for_a_moment_only() {
    let stage = Stage::new();
    let [_coordinator, leaver, deaf] = three(&stage).await;
    let silent = TcpStream::connect(leaver.links.listens_at).await.unwrap();
    deaf.links.is_deaf.store(true, Ordering::Release);
    leaver.links.is_ending.store(true, Ordering::Release);

    timeout(LIMIT, leaver.node.leave()).await.unwrap().unwrap();

    // It returns in time by itself; what counts is that nothing is open then.
    closes_in_order(&leaver).await;
    drop(silent);
}
