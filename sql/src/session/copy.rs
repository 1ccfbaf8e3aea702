//! COPY.

use super::{CommandTag, Destination, Session};
use crate::parse::{Copy, ParsedStatement};
use crate::{Result, SqlError};

impl Session {
    /// COPY.
    pub(super) async fn copy(
        &mut self,
        _command: &Copy,
        _statement: &ParsedStatement,
        _destination: &mut dyn Destination,
    ) -> Result<CommandTag> {
        Err(SqlError::unsupported("COPY"))
    }
}
