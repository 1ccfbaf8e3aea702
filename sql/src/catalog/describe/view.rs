//! Views: `pg_get_viewdef`.

use super::{Describe, pretty};
use crate::Oid;

impl Describe<'_> {
    /// The query of a view, with a semicolon; nothing when the relation is no view.
    pub fn view(&self, relation: Oid, pretty_form: bool) -> Option<String> {
        let definition = self.catalog.view_definition(relation)?;
        let definition = definition.trim_end().trim_end_matches(';');
        let text = if pretty_form { pretty(definition) } else { definition.to_owned() };
        Some(format!("{text};"))
    }
}
