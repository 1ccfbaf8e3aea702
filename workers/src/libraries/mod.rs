//! The libraries that come with Postilion.

mod background_worker;
mod count_relations;
mod worker_spi;

use std::sync::Arc;

use crate::Library;

/// All of them.
pub(crate) fn all() -> [Arc<dyn Library>; 3] {
    [
        Arc::new(background_worker::BackgroundWorker),
        Arc::new(count_relations::CountRelations),
        Arc::new(worker_spi::WorkerSpi),
    ]
}
