//! The binder: from syntax tree to [`crate::bound`] tree. Names are resolved and every expression typed by PostgreSQL's
//! own rules; after it, nothing looks a name up.

use std::sync::Arc;

use sqlparser::ast;

use crate::bound::BoundStatement;
use crate::catalog::Catalog;
use crate::types::{FormatSettings, TypeContext};
use crate::{Oid, Result};

/// What binding depends on besides the statement.
pub struct BindContext<'a> {
    /// The catalog.
    pub catalog: &'a Arc<Catalog>,
    /// `search_path` as schema OIDs in order, implicit `pg_catalog` included.
    pub search_path: &'a [Oid],
    /// For the text forms of literals.
    pub format: &'a FormatSettings,
    /// The statement's text, for positions.
    pub text: &'a str,
    /// The types that the client declared for parameters; zero or missing: to be found out.
    pub parameters: &'a [Oid],
}

impl BindContext<'_> {
    /// What reading literals may look at.
    pub fn type_context(&self) -> TypeContext<'_> {
        TypeContext { catalog: self.catalog, format: self.format, search_path: self.search_path }
    }
}

/// Binds a query or data-modifying statement.
///
/// # Errors
/// Those of PostgreSQL's parse analysis, with positions.
pub fn bind(_statement: &ast::Statement, _context: &BindContext<'_>) -> Result<BoundStatement> {
    unimplemented!()
}
