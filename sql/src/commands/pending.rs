//! Commands that are still to come: refused by name.

use super::CommandContext;
use crate::catalog::{Attribute, Class};
use crate::parse::{DropObjects, SequenceOption};
use crate::{Result, SqlError};

impl CommandContext<'_> {
    pub(super) fn drop_roles(&mut self, _statement: &DropObjects) -> Result<()> {
        Err(SqlError::unsupported("DROP ROLE"))
    }

    pub(super) fn create_owned_sequence(
        &mut self,
        _class: &Class,
        _column: &Attribute,
        _options: &[SequenceOption],
        _internal: bool,
    ) -> Result<String> {
        Err(SqlError::unsupported("a serial column"))
    }
}
