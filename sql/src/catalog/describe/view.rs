//! Views and their rules: `pg_get_viewdef`, `pg_get_ruledef`.

use super::{Describe, pretty};
use crate::Oid;
use crate::catalog::Rewrite;
use crate::types::names::quote_identifier;

impl Describe<'_> {
    /// The query of a view, with a semicolon; nothing when the relation is no view.
    pub fn view(&self, relation: Oid, pretty_form: bool) -> Option<String> {
        let definition = self.catalog.view_definition(relation)?;
        let definition = definition.trim_end().trim_end_matches(';');
        let text = if pretty_form { pretty(definition) } else { definition.to_owned() };
        Some(format!("{text};"))
    }

    /// The command that makes a view's rule; nothing when there is none of this OID.
    pub fn rule(&self, oid: Oid, pretty_form: bool) -> Option<String> {
        let row = self.catalog.get::<Rewrite>(oid)?;
        let class = self.catalog.class(row.ev_class)?;
        let view =
            if pretty_form { self.relation_name(class.oid)? } else { self.qualified_relation_name(&class) };
        let name = quote_identifier(&row.rulename);
        let query = self.view(class.oid, pretty_form)?;
        Some(format!("CREATE RULE {name} AS\n    ON SELECT TO {view} DO INSTEAD {query}"))
    }
}
