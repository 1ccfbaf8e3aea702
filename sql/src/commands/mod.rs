//! Commands: the statements that do not go through the planner and change what exists. (Those that steer the session
//! itself, such as BEGIN, SET or FETCH, are in [`crate::session`].)
//!
//! A command is given a [`CommandContext`] and runs where it may take its time, never on a reactor thread. What it
//! changes of the catalog goes through [`CommandContext::catalog`]; the session writes the changed rows to the file when
//! the command is done, in the same transaction, and makes them everybody's when that commits.

mod context;

pub use context::{AtEnd, CommandContext, StatementResult};

use crate::parse::Utility;
use crate::session::CommandTag;
use crate::{Result, SqlError};

/// Runs a command.
///
/// # Errors
/// PostgreSQL's; `0A000` for a command that is known and not supported.
pub fn run(_context: &mut CommandContext, utility: &Utility) -> Result<CommandTag> {
    Err(SqlError::unsupported(utility.tag()))
}
