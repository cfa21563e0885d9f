//! The handle by which a test watches a fault strike and lifts it.

use std::sync::Arc;

use super::ScriptError;
use super::state::{PATIENCE, Shared};

/// A fault in force; dropping the guard lifts it.
#[derive(Debug)]
#[must_use = "dropping the guard lifts the fault"]
pub struct FaultGuard {
    shared: Arc<Shared>,
    id: u64,
}

impl FaultGuard {
    pub(super) fn new(shared: Arc<Shared>, id: u64) -> Self {
        Self { shared, id }
    }

    /// How often the fault has struck.
    pub fn met(&self) -> u32 {
        self.shared.look().faults.met(self.id)
    }

    /// Waits until the fault has struck so often.
    ///
    /// # Errors
    ///
    /// [`ScriptError::Impatient`] after [`PATIENCE`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn met_times(&self, times: u32) -> Result<(), ScriptError> {
        let what = format!("a fault to strike {times} times");
        self.shared
            .until(&what, PATIENCE, |state| {
                (state.faults.met(self.id) >= times).then_some(())
            })
            .await
    }

    /// Lifts the fault, as dropping does.
    pub fn lift(self) {}
}

impl Drop for FaultGuard {
    fn drop(&mut self) {
        self.shared.change(|state| state.faults.lift(self.id));
    }
}
