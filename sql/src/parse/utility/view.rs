//! CREATE SCHEMA, views, CREATE TABLE AS and SELECT INTO.

use std::sync::Arc;

use sqlparser::ast;

use super::{
    Definition, Execute, InnerStatement, Name, OnCommit, Persistence, QueryText, RoleSpecification, Utility,
};
use crate::Result;
use crate::parse::Node;
use crate::parse::parser::Parser;

/// CREATE SCHEMA, with the statements that it contains.
#[derive(Clone, Debug)]
pub struct CreateSchema {
    /// Absent: the owner's name.
    pub name: Option<String>,
    pub if_not_exists: bool,
    pub owner: Option<RoleSpecification>,
    pub elements: Vec<InnerStatement>,
    pub position: usize,
}

/// CREATE VIEW. RECURSIVE is written out: the query is `SELECT columns FROM name`, under WITH RECURSIVE.
#[derive(Clone, Debug)]
pub struct CreateView {
    pub name: Name,
    pub or_replace: bool,
    pub persistence: Persistence,
    pub columns: Vec<String>,
    pub options: Vec<Definition>,
    pub query: QueryText,
    /// `local` or `cascaded`.
    pub check_option: Option<&'static str>,
}

/// CREATE TABLE AS, CREATE MATERIALIZED VIEW and SELECT INTO.
#[derive(Clone, Debug)]
pub struct CreateTableAs {
    pub name: Name,
    pub materialized_view: bool,
    /// SELECT INTO, whose tag differs.
    pub select_into: bool,
    pub persistence: Persistence,
    pub if_not_exists: bool,
    pub columns: Vec<String>,
    pub access_method: Option<String>,
    pub options: Vec<Definition>,
    pub on_commit: Option<OnCommit>,
    pub tablespace: Option<String>,
    pub source: CreateTableAsSource,
    pub with_data: bool,
}

impl CreateTableAs {
    /// The tag when the table exists or stays empty; with rows it is `SELECT n`.
    pub(super) fn tag(&self) -> &'static str {
        match (self.materialized_view, self.select_into) {
            (true, _) => "CREATE MATERIALIZED VIEW",
            (_, true) => "SELECT INTO",
            _ => "CREATE TABLE AS",
        }
    }
}

/// Where the rows of CREATE TABLE AS come from.
#[derive(Clone, Debug)]
pub enum CreateTableAsSource {
    Query(QueryText),
    Execute(Execute),
}

/// REFRESH MATERIALIZED VIEW.
#[derive(Clone, Debug)]
pub struct RefreshMaterializedView {
    pub name: Name,
    pub concurrently: bool,
    pub with_data: bool,
}

/// Takes the INTO clause out of a query's first SELECT.
pub(super) fn take_select_into(query: &mut ast::Query) -> Option<ast::SelectInto> {
    let mut body = query.body.as_mut();
    loop {
        match body {
            ast::SetExpr::Select(select) => return select.into.take(),
            ast::SetExpr::SetOperation { left, .. } => body = left.as_mut(),
            _ => return None,
        }
    }
}

/// The statement that SELECT INTO stands for.
pub(super) fn select_into(into: ast::SelectInto, query: QueryText) -> CreateTableAs {
    let persistence = match (into.temporary, into.unlogged) {
        (true, _) => Persistence::Temporary,
        (_, true) => Persistence::Unlogged,
        _ => Persistence::Permanent,
    };
    let mut parts = match into.targets.into_iter().next() {
        Some(ast::Expr::CompoundIdentifier(parts)) => parts,
        _ => Vec::new(),
    };
    let position = parts.first().map_or(0, |part| usize::try_from(part.span.start.column).unwrap_or(0));
    let name = parts.pop().map(|part| part.value).unwrap_or_default();
    let schema = parts.pop().map(|part| part.value);
    let database = parts.pop().map(|part| part.value);
    CreateTableAs {
        name: Name { database, schema, name, position },
        materialized_view: false,
        select_into: true,
        persistence,
        if_not_exists: false,
        columns: Vec::new(),
        access_method: None,
        options: Vec::new(),
        on_commit: None,
        tablespace: None,
        source: CreateTableAsSource::Query(query),
        with_data: true,
    }
}

impl Parser<'_> {
    /// CREATE [TEMP] TABLE, VIEW or SEQUENCE, after CREATE [OR REPLACE].
    pub(super) fn create_relation(&mut self, or_replace: bool) -> Result<Utility> {
        let persistence = self.persistence();
        match self.word() {
            Some("table") if !or_replace => {
                self.advance();
                if self.is_create_table_as() {
                    return self.create_table_as(persistence, false);
                }
                self.create_table(persistence)
            }
            Some("sequence") if !or_replace => {
                self.advance();
                self.create_sequence(persistence)
            }
            Some("view" | "recursive") if persistence != Persistence::Unlogged => {
                self.create_view(or_replace, persistence)
            }
            _ => self.fail(),
        }
    }

    /// After the word TABLE: whether a query makes the columns.
    fn is_create_table_as(&mut self) -> bool {
        let start = self.index();
        let found = self.skip_to_as().unwrap_or(false);
        self.seek(start);
        found
    }

    fn skip_to_as(&mut self) -> Result<bool> {
        self.if_not_exists();
        self.name()?;
        if self.at_symbol("(") {
            let opening = self.index();
            if self.optional_column_list().is_ok() {
                // Columns without types: only a query can follow.
                return Ok(true);
            }
            self.seek(opening);
            match self.partner(self.index()) {
                Some(partner) => self.seek(partner + 1),
                None => return Ok(false),
            }
        }
        if self.accept("using") {
            self.simple_name()?;
        }
        self.storage_options()?;
        self.on_commit()?;
        if self.accept("tablespace") {
            self.simple_name()?;
        }
        Ok(self.at("as"))
    }

    fn create_table_as(&mut self, persistence: Persistence, materialized_view: bool) -> Result<Utility> {
        let if_not_exists = self.if_not_exists();
        let name = self.name()?;
        let columns = self.optional_column_list()?;
        let access_method = if self.accept("using") { Some(self.simple_name()?) } else { None };
        let options = self.storage_options()?;
        let on_commit = if materialized_view { None } else { self.on_commit()? };
        let tablespace = if self.accept("tablespace") { Some(self.simple_name()?) } else { None };
        self.expect("as")?;
        let source = if self.at("execute") && !materialized_view {
            CreateTableAsSource::Execute(self.execute_statement()?)
        } else {
            CreateTableAsSource::Query(self.query_text()?)
        };
        let with_data = self.with_data()?;
        Ok(Utility::CreateTableAs(CreateTableAs {
            name,
            materialized_view,
            select_into: false,
            persistence,
            if_not_exists,
            columns,
            access_method,
            options,
            on_commit,
            tablespace,
            source,
            with_data,
        }))
    }

    fn with_data(&mut self) -> Result<bool> {
        if self.accept_words(&["with", "no", "data"]) {
            return Ok(false);
        }
        self.accept_words(&["with", "data"]);
        Ok(true)
    }

    pub(super) fn create_materialized_view(&mut self) -> Result<Utility> {
        self.expect_words(&["materialized", "view"])?;
        self.create_table_as(Persistence::Permanent, true)
    }

    pub(super) fn refresh_statement(&mut self) -> Result<Utility> {
        self.expect_words(&["refresh", "materialized", "view"])?;
        let concurrently = self.accept("concurrently");
        let name = self.name()?;
        let with_data = self.with_data()?;
        Ok(Utility::RefreshMaterializedView(RefreshMaterializedView { name, concurrently, with_data }))
    }

    fn create_view(&mut self, or_replace: bool, persistence: Persistence) -> Result<Utility> {
        let recursive = self.accept("recursive");
        self.expect("view")?;
        let name = self.name()?;
        let columns = if recursive { self.column_list()? } else { self.optional_column_list()? };
        let options = self.storage_options()?;
        self.expect("as")?;
        let mut query = self.query_text()?;
        if recursive {
            query = recursive_view(&name, &columns, &query)?;
        }
        let mut check_option = None;
        if self.accept("with") {
            check_option = Some("cascaded");
            if self.accept("local") {
                check_option = Some("local");
            } else {
                self.accept("cascaded");
            }
            self.expect_words(&["check", "option"])?;
        }
        Ok(Utility::CreateView(CreateView {
            name,
            or_replace,
            persistence,
            columns,
            options,
            query,
            check_option,
        }))
    }

    pub(super) fn create_schema(&mut self) -> Result<Utility> {
        self.expect("schema")?;
        let if_not_exists = self.if_not_exists();
        let position = self.place();
        let mut name = None;
        let mut owner = None;
        if !self.at("authorization") {
            name = Some(self.simple_name()?);
        }
        if name.is_none() || self.at("authorization") {
            self.expect("authorization")?;
            owner = Some(self.role_specification()?);
        }
        let mut elements = Vec::new();
        while self.at("create") || self.at("grant") {
            let (start, place, index) = (self.index(), self.place(), self.position());
            let utility =
                if self.at("grant") { self.grant_statement(true)? } else { self.create_statement()? };
            let allowed = matches!(
                utility,
                Utility::CreateTable(_)
                    | Utility::CreateIndex(_)
                    | Utility::CreateView(_)
                    | Utility::CreateSequence(_)
                    | Utility::Grant(_)
            ) || matches!(utility, Utility::Unsupported("CREATE TRIGGER"));
            if !allowed {
                self.seek(start);
                return self.fail();
            }
            if if_not_exists {
                let message = "CREATE SCHEMA IF NOT EXISTS cannot include schema elements";
                return Err(crate::error!(FEATURE_NOT_SUPPORTED, "{message}").at(index));
            }
            let text: Arc<str> = self.text_since(start).into();
            elements.push(InnerStatement {
                node: Box::new(Node::Utility(Box::new(utility))),
                text,
                position: place,
            });
        }
        Ok(Utility::CreateSchema(CreateSchema { name, if_not_exists, owner, elements, position }))
    }
}

/// `WITH RECURSIVE name (columns) AS (query) SELECT columns FROM name`, by PostgreSQL's own definition.
fn recursive_view(name: &Name, columns: &[String], query: &QueryText) -> Result<QueryText> {
    let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let view = quote(&name.name);
    let columns: Vec<String> = columns.iter().map(|column| quote(column)).collect();
    let columns = columns.join(", ");
    let text = format!("WITH RECURSIVE {view} ({columns}) AS ({}) SELECT {columns} FROM {view}", query.text);
    Ok(QueryText { query: Box::new(crate::parse::parse_query(&text)?), text, position: query.position })
}
