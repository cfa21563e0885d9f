//! One member of the demo on a thread of its own, as if that were its process: it can be killed
//! and it can be paused.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use discovery_core::{Attributes, NodeName, PodUid, ProofRule, Zone};
use discovery_tcp::Formation;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::gates::{Gates, Number};
use super::list::DemoList;
use crate::app::{App, Listeners, RunningApp};
use crate::config::{AdminListen, NodeConfig};
use crate::view::NodeView;

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
    /// Where its API is.
    pub(super) grpc: SocketAddr,
}

/// The sockets of a member, bound before it is listed.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) ring: TcpListener,
    pub(super) http: TcpListener,
    pub(super) grpc: TcpListener,
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
                    let live = Box::pin(live(&of, sockets, list, &gates, started));
                    tokio::select! {
                        () = live => {}
                        _ = stopped => {}
                    }
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

/// Runs a node, and tells how that began, until the future is dropped.
async fn live(
    settings: &Settings,
    sockets: Sockets,
    list: DemoList,
    gates: &Gates,
    started: oneshot::Sender<io::Result<NodeView>>,
) {
    match spawn(settings, sockets, list, gates).await {
        Ok(app) => {
            // Whoever started it may have gone; then it is about to be stopped.
            let _ = started.send(Ok(app.view().clone()));
            // Left by a call of its API, it stays as what has left until it is stopped.
            let _ = app.run(std::future::pending::<()>).await;
        }
        Err(error) => {
            let _ = started.send(Err(error));
        }
    }
    std::future::pending::<()>().await;
}

async fn spawn(
    settings: &Settings,
    sockets: Sockets,
    list: DemoList,
    gates: &Gates,
) -> io::Result<RunningApp> {
    let page = [("page", format!("http://{}/", settings.http))];
    let mut config = NodeConfig::on_loopback(settings.name.clone());
    config.pod_uid = Some(settings.uid.clone());
    config.zone = Zone::new(settings.zone).ok();
    config.attributes = Attributes::new(page).map_err(io::Error::other)?;
    config.admin_listen = AdminListen::Off;
    config.ring.cluster_name = Arc::from(CLUSTER_NAME);
    config.ring.formation = Formation::Census;
    config.ring.proof = ProofRule::Address;
    App::build(config, Some(Arc::new(list)))
        .with_listeners(Listeners {
            ring: Some(sockets.ring),
            grpc: Some(sockets.grpc),
            http: Some(sockets.http),
        })
        .with_security(Arc::new(gates.gate_of(settings.number)))
        .spawn()
        .await
        .map_err(io::Error::other)
}
