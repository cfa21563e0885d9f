//! One thread with one runtime for each core: nodes share a thread as processes share a core, and no
//! task moves between them.

use std::io;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The threads that nodes live on.
pub(crate) struct Hosts(Vec<Host>);

struct Host {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Hosts {
    /// One thread for each core.
    pub(crate) fn start() -> io::Result<Self> {
        let cores = std::thread::available_parallelism()?.get();
        (0..cores)
            .map(|_| Host::start())
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Where the node of this number lives.
    pub(crate) fn of(&self, node: usize) -> &Handle {
        &self.0[node % self.0.len()].handle
    }
}

impl Host {
    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            // Runs until it is told to stop, or whoever could tell it is gone.
            let _ = runtime.block_on(stopped);
        });
        Ok(Self {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}
