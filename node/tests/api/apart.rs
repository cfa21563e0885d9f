//! A node on a thread of its own, which can be held still as if its process were stopped: its
//! sockets stay open, and nothing is answered.

use std::sync::mpsc;
use std::thread;

use discovery_node::app::Listeners;
use discovery_node::config::NodeConfig;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::stage::{LIMIT, Stage};

/// Ends its node when it is dropped.
pub(crate) struct Apart(tokio::sync::mpsc::Sender<Hold>);

struct Hold {
    held: oneshot::Sender<()>,
    until: mpsc::Receiver<()>,
}

/// Keeps a node still until it is dropped.
pub(crate) struct Held {
    _until: mpsc::SyncSender<()>,
}

impl Apart {
    /// Starts a node of this configuration.
    pub(crate) fn start(stage: &Stage, config: (NodeConfig, Listeners)) -> Self {
        let (holds, mut asked) = tokio::sync::mpsc::channel::<Hold>(1);
        let stage = stage.clone();
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let node = stage.run(config).await;
                while let Some(hold) = asked.recv().await {
                    hold.held.send(()).unwrap();
                    // Blocks the only thread that drives the node; fails once it is let go.
                    hold.until.recv().unwrap_err();
                }
                node.kill().await;
            });
        });
        Self(holds)
    }

    /// Holds the node still from now on.
    pub(crate) async fn hold(&self) -> Held {
        let (until, let_go) = mpsc::sync_channel(0);
        let (held, is_held) = oneshot::channel();
        let hold = Hold {
            held,
            until: let_go,
        };
        self.0.send(hold).await.unwrap();
        timeout(LIMIT, is_held).await.unwrap().unwrap();
        Held { _until: until }
    }
}
