//! Lowering: from [`crate::bound`] tree to SQLite text, by an ordered list of small pure passes and one emitter.

use std::sync::Arc;

use crate::Result;
use crate::bound::{BoundStatement, OutputColumn};
use crate::catalog::Catalog;

/// A statement made ready for SQLite.
pub struct Plan {
    /// The visible columns; empty when no rows are returned.
    pub columns: Vec<OutputColumn>,
    /// Whether a function in it may wait, so that it must leave the reactor thread.
    pub waits: bool,
}

/// Lowers a bound statement.
///
/// # Errors
/// `0A000` naming the construct that cannot be lowered.
pub fn plan(_statement: &BoundStatement, _catalog: &Arc<Catalog>) -> Result<Plan> {
    unimplemented!()
}
