//! A node whose protocol has a thread of its own, so that it can hang while the page is served.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use discovery_core::Finder;
use discovery_core::finders::{StaticFinder, StaticFinderConfig};
use discovery_node::config::ServiceLimits;
use discovery_node::http;
use discovery_node::view::{NodeView, Overheard};
use discovery_tcp::{Formation, TcpDiscovery, TcpDiscoveryBuilder};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// A cluster of one, and what holds its protocol up.
pub(crate) struct Stuck {
    page: String,
    holds: mpsc::Sender<Receiver<()>>,
}

impl Stuck {
    /// Starts it; nothing hangs yet.
    pub(crate) async fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let seeds = vec![listener.local_addr().unwrap().to_string()];
        let config = StaticFinderConfig {
            seeds,
            ..StaticFinderConfig::default()
        };
        let finder = Arc::new(StaticFinder::new(&config).unwrap()) as Arc<dyn Finder>;
        let finder = Overheard::new(finder);
        let settings = TcpDiscovery::builder()
            .name("ring-0")
            .listener(listener)
            .finder(Arc::new(finder.clone()))
            .formation(Formation::Single);
        let (holds, held) = mpsc::channel(1);
        let view = NodeView::start(elsewhere(settings, held).await, Some(&finder));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let page = format!("http://{}/", listener.local_addr().unwrap());
        let (limits, stop) = (ServiceLimits::default(), CancellationToken::new());
        tokio::spawn(http::serve(listener, limits, view, stop));
        Self { page, holds }
    }

    /// Where its page is.
    pub(crate) fn page(&self) -> &str {
        &self.page
    }

    /// Has the protocol hang until what comes back is dropped.
    pub(crate) async fn hang(&self) -> SyncSender<()> {
        let (hold, held) = sync_channel(0);
        self.holds.send(held).await.unwrap();
        hold
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
    ring.await.unwrap()
}
