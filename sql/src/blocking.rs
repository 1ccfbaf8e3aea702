//! Waiting on a thread that may block: bodies that wait run outside the reactor threads.

use crate::{Result, SqlError};

/// Runs a future to its end on this thread.
///
/// # Errors
/// `XX000` when the system gives no timer to wait with.
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output> {
    if let Ok(handle) = tokio::runtime::Handle::try_current() {
        return Ok(handle.block_on(future));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| SqlError::internal(format!("could not wait: {error}")))?;
    Ok(runtime.block_on(future))
}
