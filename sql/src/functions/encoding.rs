//! To come.

use super::Function;

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = &[];
