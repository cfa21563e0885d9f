//! One member of the demo on a thread of its own, as if that were its process: it can be killed
//! and it can be paused.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use discovery_core::{Attributes, NodeName, PodUid, ProofRule};
use discovery_tcp::{Formation, RingConfig, TcpDiscovery};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::gates::{Gates, Number};
use super::list::DemoList;
use crate::http;
use crate::view::{NodeView, Overheard};

/// The name that all members of the demo share.
const CLUSTER_NAME: &str = "demo";

/// What a member is started with.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) number: Number,
    pub(super) name: NodeName,
    pub(super) zone: &'static str,
    /// The same for every node that runs in this place, as a pod's is.
    pub(super) uid: PodUid,
    /// Where it listens.
    pub(super) ring: SocketAddr,
    /// Where its page is.
    pub(super) http: SocketAddr,
}

/// The sockets of a member, bound before it is listed.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) ring: TcpListener,
    pub(super) http: TcpListener,
}

/// A member that runs, or is paused.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) view: NodeView,
    handle: Handle,
    /// Dropping it ends the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Dropping it lets the thread go on.
    pause: Option<SyncSender<()>>,
}

impl Running {
    /// Starts a member on its sockets.
    pub(super) async fn start(
        settings: &Settings,
        sockets: Sockets,
        list: &DemoList,
        gates: &Gates,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let (list, gates) = (list.clone(), gates.clone());
        let of = settings.clone();
        let (started, is_started) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name(settings.name.to_string())
            .spawn(move || {
                runtime.block_on(async {
                    let member = launch(&of, sockets, list, &gates).await;
                    // Whoever started it may have gone; then the thread ends at once.
                    let _ = started.send(member);
                    let _ = stopped.await;
                });
            })?;
        let view = is_started
            .await
            .map_err(|_| io::Error::other("its thread has ended"))??;
        Ok(Self {
            view,
            handle,
            stop: Some(stop),
            thread: Some(thread),
            pause: None,
        })
    }

    /// Stops its thread where it is, until it is resumed; its sockets stay open, as those of a
    /// process that is stopped.
    pub(super) fn pause(&mut self) {
        let (pause, resumed) = sync_channel::<()>(0);
        self.pause = Some(pause);
        self.handle.spawn(async move {
            // Blocks the one thread that everything of this member runs on, on purpose.
            let _ = resumed.recv();
        });
    }

    /// Lets it go on.
    pub(super) fn resume(&mut self) {
        self.pause = None;
    }

    pub(super) fn is_paused(&self) -> bool {
        self.pause.is_some()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.pause.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

/// Starts node and page on the runtime that this is called in.
async fn launch(
    settings: &Settings,
    sockets: Sockets,
    list: DemoList,
    gates: &Gates,
) -> io::Result<NodeView> {
    sockets.http.set_nonblocking(true)?;
    let page = tokio::net::TcpListener::from_std(sockets.http)?;
    let page_at = [("page", format!("http://{}/", settings.http))];
    let finder = Overheard::new(Arc::new(list));
    let node = TcpDiscovery::builder()
        .name(settings.name.as_str())
        .zone(settings.zone)
        .cluster_name(CLUSTER_NAME)
        .attributes(Attributes::new(page_at).map_err(io::Error::other)?)
        .pod_uid(settings.uid.as_str())
        .listener(sockets.ring)
        .finder(Arc::new(finder.clone()))
        .config(config())
        .security(Arc::new(gates.gate_of(settings.number)))
        .start()
        .await
        .map_err(io::Error::other)?;
    let view = NodeView::start(node, Some(&finder));
    // It ends with the runtime.
    tokio::spawn(http::serve(page, view.clone(), CancellationToken::new()));
    Ok(view)
}

fn config() -> RingConfig {
    let mut config = RingConfig::default();
    config.formation = Formation::Census;
    config.proof = ProofRule::Address;
    config
}
