//! The end of a driver, whatever ended it: every link first, then the listener (K3), within a bound.
//! Asking links to end is left to `task.rs`; one that nobody holds any more ends by itself.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use discovery_core::{NodeName, Standing};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;

use super::links::Links;
use super::listener::Listening;
use super::subscribers::Subscribers;

/// How long links may take to end once they were ordered to end at once.
const DROP_LIMIT: Duration = Duration::from_secs(1);

/// What outlives the protocol's task.
pub(super) struct Ending {
    pub(super) node: NodeName,
    pub(super) links: Arc<Links>,
    pub(super) listening: Listening,
    pub(super) subscribers: Arc<Subscribers>,
}

impl Ending {
    /// Waits for the protocol's task to end, by itself or by a mistake in it, and closes what is
    /// left. The wait has no limit: the task runs for as long as the node does.
    pub(super) async fn follow(self, protocol: JoinHandle<()>) {
        if let Err(error) = protocol.await {
            let (node, why) = (&self.node, words(error));
            tracing::error!(%node, why, "a mistake in the protocol has ended the node");
            self.subscribers.end(Standing::Failed);
        }
        self.links.welcome_no_more();
        let listener = self.listening.stop().await;
        // With what was welcomed at the very last.
        self.links.inbox.close();
        let _ = timeout(DROP_LIMIT, self.links.all_ended()).await;
        drop(listener);
        tracing::debug!(node = %self.node, "stopped");
    }
}

/// What a task that panicked said.
fn words(error: JoinError) -> String {
    let Ok(said) = error.try_into_panic() else {
        return "its task was cancelled".to_owned();
    };
    let said: &(dyn Any + Send) = &*said;
    match (said.downcast_ref::<&str>(), said.downcast_ref::<String>()) {
        (Some(words), _) => (*words).to_owned(),
        (None, Some(words)) => words.clone(),
        (None, None) => "it did not say what".to_owned(),
    }
}

#[cfg(test)]
#[path = "ending_tests.rs"]
mod tests;
