//! Text to syntax trees. Queries and data-modifying statements are sqlparser's trees, made under our own dialect, which
//! has PostgreSQL's operator precedence; all other statements are our own [`Utility`] trees, made by our own small
//! parser on sqlparser's tokens. Errors have PostgreSQL's wording and position.

use std::sync::Arc;

use sqlparser::ast;

use crate::Result;

/// One statement of a query string.
#[derive(Clone, Debug)]
pub struct ParsedStatement {
    /// Its own text, without surrounding blanks, comments and semicolon.
    pub text: Arc<str>,
    /// Where the text begins in the query string, in characters from 0.
    pub offset: usize,
    /// What it says.
    pub node: Node,
}

/// What a statement says.
#[derive(Clone, Debug)]
pub enum Node {
    /// SELECT, VALUES, TABLE, INSERT, UPDATE, DELETE, MERGE: what the binder takes.
    Sql(Box<ast::Statement>),
    /// Everything else: what `commands` takes.
    Utility(Box<Utility>),
}

/// A statement that does not go through the planner.
#[derive(Clone, Debug)]
pub enum Utility {}

/// Parses a query string; no statements when there is nothing but blanks and comments.
///
/// # Errors
/// `42601` syntax error at or near …, with its position in characters; `54001` when nested too deep.
pub fn parse(_text: &str) -> Result<Vec<ParsedStatement>> {
    unimplemented!()
}

/// Parses one expression, as stored in the catalog for defaults and checks.
///
/// # Errors
/// As [`parse`].
pub fn parse_expression(_text: &str) -> Result<ast::Expr> {
    unimplemented!()
}

/// Parses one query, as stored in the catalog for views.
///
/// # Errors
/// As [`parse`].
pub fn parse_query(_text: &str) -> Result<ast::Query> {
    unimplemented!()
}

/// Parses a type name, as `'…'::regtype` reads it.
///
/// # Errors
/// As [`parse`].
pub fn parse_type(_text: &str) -> Result<ast::DataType> {
    unimplemented!()
}

/// The character position (from 1) of a place in a statement's text.
pub fn position(_text: &str, _place: sqlparser::tokenizer::Location) -> Option<usize> {
    unimplemented!()
}
