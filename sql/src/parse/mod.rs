//! Text to syntax trees. Queries and data-modifying statements become trees of sqlparser's types, all other statements
//! our own [`Utility`] trees. Lexer and grammar are ours, a recursive descent after PostgreSQL's `gram.y`: sqlparser's own
//! parser tries alternatives one after another and so loses the place of an error, groups some operators differently,
//! and accepts what PostgreSQL refuses. Errors have PostgreSQL's wording and position.

pub(crate) mod errors;
mod expression;
mod keywords;
mod literals;
mod locking;
mod manipulation;
mod parser;
mod query;
mod shape;
mod tokens;
mod type_name;
mod utility;

use std::sync::Arc;

/// The types of syntax trees: what the rest of the crate passes on without looking inside.
pub use sqlparser::ast;

pub use literals::with_parameters;
pub use locking::{lock_strength, locked_table};
pub use manipulation::{conflict_expressions, conflict_predicate, overriding_system};
pub use shape::{Literal, LiteralClass, shape};
pub use utility::*;

use crate::Result;
use parser::Parser;

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

/// Parses a query string; no statements when there is nothing but blanks and comments.
///
/// # Errors
/// `42601` syntax error at or near …, with its position in characters; `54001` when nested too deep.
pub fn parse(text: &str) -> Result<Vec<ParsedStatement>> {
    let mut parser = Parser::new(text);
    let mut statements = Vec::new();
    loop {
        while parser.accept_symbol(";") {}
        if parser.at_end() {
            return Ok(statements);
        }
        parser.begin_statement();
        let start = parser.index();
        let node = parser.statement()?;
        if !parser.at_end() {
            return parser.fail();
        }
        statements.push(ParsedStatement {
            text: parser.text_since(start).into(),
            offset: parser.base(),
            node,
        });
    }
}

/// Parses one expression, as stored in the catalog for defaults and checks.
///
/// # Errors
/// As [`parse`].
pub fn parse_expression(text: &str) -> Result<ast::Expr> {
    whole(text, Parser::expression)
}

/// Parses one query, as stored in the catalog for views.
///
/// # Errors
/// As [`parse`].
pub fn parse_query(text: &str) -> Result<ast::Query> {
    whole(text, Parser::query).map(|query| *query)
}

/// Parses a type name, as `'…'::regtype` reads it.
///
/// # Errors
/// As [`parse`].
pub fn parse_type(text: &str) -> Result<ast::DataType> {
    whole(text, Parser::data_type)
}

/// The names of relations, WITH queries among them, that a query mentions anywhere.
pub fn relation_names(query: &ast::Query) -> Vec<Name> {
    let mut names = Vec::new();
    let _ = ast::visit_relations(query, |relation: &ast::ObjectName| {
        let mut parts: Vec<String> =
            relation.0.iter().filter_map(|part| part.as_ident().map(|ident| ident.value.clone())).collect();
        let name = parts.pop().unwrap_or_default();
        names.push(Name { database: None, schema: parts.pop(), name, position: 0 });
        std::ops::ControlFlow::<()>::Continue(())
    });
    names
}

/// Parses a text that is one production and nothing else.
fn whole<'a, T>(text: &'a str, production: impl FnOnce(&mut Parser<'a>) -> Result<T>) -> Result<T> {
    let mut parser = Parser::new(text);
    let tree = production(&mut parser)?;
    match parser.token().kind {
        tokens::Kind::End => Ok(tree),
        _ => parser.fail(),
    }
}

/// The character position (from 1) of a place in a statement's text: our trees count characters as columns of line 1.
pub fn position(_text: &str, place: sqlparser::tokenizer::Location) -> Option<usize> {
    usize::try_from(place.column).ok().filter(|&column| place.line > 0 && column > 0)
}

#[cfg(test)]
mod tests;

/// The column's name, when an expression is nothing but one.
pub fn plain_column(expression: &Expression) -> Option<String> {
    match &expression.expr {
        ast::Expr::Identifier(name) => Some(name.value.clone()),
        _ => None,
    }
}

impl ParsedStatement {
    /// The command tag that PostgreSQL answers, without counts (`INSERT`, `SELECT`, `CREATE TABLE`).
    pub fn tag(&self) -> &'static str {
        match &self.node {
            Node::Sql(tree) => crate::session::command_word(tree).trim_end_matches(" 0"),
            Node::Utility(utility) => utility.tag(),
        }
    }

    /// Whether it gives rows: queries, and commands like SHOW.
    pub fn returns_rows(&self) -> bool {
        match &self.node {
            Node::Sql(tree) => returns_rows(tree),
            Node::Utility(utility) => match &**utility {
                Utility::Show(_) | Utility::Explain(_) | Utility::Execute(_) => true,
                Utility::Fetch(fetch) => !fetch.is_move,
                _ => false,
            },
        }
    }

    /// Whether it begins, ends or divides a transaction.
    pub fn is_transaction_control(&self) -> bool {
        let Node::Utility(utility) = &self.node else { return false };
        matches!(
            **utility,
            Utility::Begin { .. }
                | Utility::Commit { .. }
                | Utility::Rollback { .. }
                | Utility::Savepoint(_)
                | Utility::ReleaseSavepoint(_)
                | Utility::RollbackToSavepoint(_)
                | Utility::PrepareTransaction(_)
                | Utility::CommitPrepared(_)
                | Utility::RollbackPrepared(_)
        )
    }

    /// Whether it is accepted in a transaction that has failed.
    pub(crate) fn ends_failed_transaction(&self) -> bool {
        let Node::Utility(utility) = &self.node else { return false };
        matches!(
            **utility,
            Utility::Commit { .. }
                | Utility::Rollback { .. }
                | Utility::RollbackToSavepoint(_)
                | Utility::PrepareTransaction(_)
        )
    }

    /// Whether it is COPY from or to the client.
    pub fn copies_with_client(&self) -> bool {
        let Node::Utility(utility) = &self.node else { return false };
        matches!(&**utility, Utility::Copy(copy) if copy.target == CopyTarget::Client)
    }
}

fn returns_rows(tree: &ast::Statement) -> bool {
    match tree {
        ast::Statement::Query(query) => match &*query.body {
            ast::SetExpr::Insert(inner)
            | ast::SetExpr::Update(inner)
            | ast::SetExpr::Delete(inner)
            | ast::SetExpr::Merge(inner) => returns_rows(inner),
            _ => true,
        },
        ast::Statement::Insert(insert) => insert.returning.is_some(),
        ast::Statement::Update(update) => update.returning.is_some(),
        ast::Statement::Delete(delete) => delete.returning.is_some(),
        _ => false,
    }
}
