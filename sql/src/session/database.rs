//! CREATE, ALTER and DROP DATABASE. They are the session's since they make and remove files around a transaction.
//!
//! Source: `src/backend/commands/dbcommands.c`.

use super::{CommandTag, Session};
use crate::parse::Utility;
use crate::{Result, SqlError};

impl Session {
    /// Runs one of them.
    pub(super) async fn run_database_command(&mut self, utility: &Utility) -> Result<CommandTag> {
        Err(SqlError::unsupported(utility.tag()))
    }
}
