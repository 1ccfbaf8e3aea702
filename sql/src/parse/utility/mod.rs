//! Utility statements: everything that does not go through the planner, as trees of our own and the recursive-descent
//! parser that makes them. One file per family; here are the enum, the parts which families share, and the dispatch on
//! the first words.
//!
//! Places in these trees are character positions, from 1, in the statement's text. Names are folded and truncated.
//! Expressions and queries keep their text beside their tree, for the catalog stores texts.
#![allow(missing_docs, reason = "fields carry the words of PostgreSQL's grammar, which documents them")]

mod alter;
mod copy;
mod cursor;
mod database;
mod extension;
mod function;
mod maintenance;
mod object;
mod privilege;
mod role;
mod sequence;
mod setting;
mod table;
mod transaction;
mod types;
mod view;

use std::sync::Arc;

use sqlparser::ast;

pub use alter::{AlterColumn, AlterTable, AlterTableAction};
pub use copy::{Copy, CopySource, CopyTarget};
pub use cursor::{DeclareCursor, Execute, Fetch, FetchDirection, Prepare};
pub use database::{AlterDatabase, AlterDatabaseAction, CreateDatabase};
pub use extension::{AlterExtension, AlterExtensionAction, CreateExtension};
pub use function::{
    CallStatement, CreateFunction, FunctionBody, FunctionOption, FunctionReturns, Parameter, ParameterMode,
    Volatility,
};
pub use maintenance::{Explain, LockTable, Reindex, VacuumTable};
pub use object::{AlterObject, CommentOn, DropObjects, ObjectAction, ObjectKind, ObjectReference};
pub use privilege::{AlterDefaultPrivileges, Grant, GrantRole, GrantTarget, Privilege};
pub use role::{AlterRole, AlterRoleSetting, CreateRole, RoleKind, RoleOption, RoleSpecification};
pub use sequence::{AlterSequence, CreateSequence, SequenceOption};
pub use setting::{Discard, SetScope, SetValue, SetVariable, SettingChange};
pub use table::{
    ColumnConstraint, ColumnConstraintKind, ColumnDefinition, ConstraintTiming, CreateIndex, CreateTable,
    ForeignKey, IndexElement, LikeClause, OnCommit, PartitionBy, Persistence, TableConstraint,
    TableConstraintKind, TableElement,
};
pub use transaction::{IsolationLevel, TransactionMode};
pub use types::{
    AlterDomain, AlterDomainAction, AlterType, AlterTypeAction, CreateDomain, CreateType, CreateTypeKind,
};
pub use view::{CreateSchema, CreateTableAs, CreateTableAsSource, CreateView, RefreshMaterializedView};

use super::Node;
use super::parser::Parser;
use super::tokens::Kind;
use crate::Result;

/// A name, perhaps qualified: `schema.name` or `database.schema.name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub database: Option<String>,
    pub schema: Option<String>,
    pub name: String,
    /// Of its first character, in the statement, from 1.
    pub position: usize,
}

impl Name {
    /// Its parts as they were written.
    pub fn parts(&self) -> Vec<&str> {
        [self.database.as_deref(), self.schema.as_deref(), Some(&self.name)].into_iter().flatten().collect()
    }
}

/// An expression and its text.
#[derive(Clone, Debug)]
pub struct Expression {
    pub expr: ast::Expr,
    pub text: String,
    pub position: usize,
}

/// A query and its text.
#[derive(Clone, Debug)]
pub struct QueryText {
    pub query: Box<ast::Query>,
    pub text: String,
    pub position: usize,
}

/// A type and its text; `set_of` where a function returns SETOF it.
#[derive(Clone, Debug)]
pub struct TypeName {
    pub data_type: ast::DataType,
    pub set_of: bool,
    pub text: String,
    pub position: usize,
}

/// A statement inside another, as of PREPARE or EXPLAIN. Places in its tree count from the outer statement's start.
#[derive(Clone, Debug)]
pub struct InnerStatement {
    pub node: Box<Node>,
    pub text: Arc<str>,
    /// Of its first character, in the outer statement, from 1.
    pub position: usize,
}

/// One `name = value` or `name value` of an option list.
#[derive(Clone, Debug)]
pub struct Definition {
    /// What stands before a dot, as in `toast.autovacuum_enabled`.
    pub namespace: Option<String>,
    pub name: String,
    /// Absent when only the name is given.
    pub value: Option<DefinitionValue>,
    pub position: usize,
}

/// An option's value, as it is spelled.
#[derive(Clone, Debug)]
pub enum DefinitionValue {
    /// A word, name or type.
    Word(String),
    /// A string literal.
    Text(String),
    /// A number with its sign.
    Number(String),
    /// `*`
    Star,
    /// A list in parentheses, of words or strings.
    List(Vec<String>),
}

impl DefinitionValue {
    /// The value's text, of a list its items with commas.
    pub fn text(&self) -> String {
        match self {
            Self::Word(text) | Self::Text(text) | Self::Number(text) => text.clone(),
            Self::Star => "*".to_owned(),
            Self::List(items) => items.join(", "),
        }
    }
}

/// A statement that does not go through the planner.
#[derive(Clone, Debug)]
pub enum Utility {
    /// BEGIN (`start` false) or START TRANSACTION (true).
    Begin {
        start: bool,
        modes: Vec<TransactionMode>,
    },
    Commit {
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    Savepoint(String),
    ReleaseSavepoint(String),
    RollbackToSavepoint(String),
    PrepareTransaction(String),
    CommitPrepared(String),
    RollbackPrepared(String),
    /// SET TRANSACTION (`session` false) or SET SESSION CHARACTERISTICS AS TRANSACTION (true).
    SetTransaction {
        session: bool,
        modes: Vec<TransactionMode>,
    },
    SetTransactionSnapshot(String),
    Set(SetVariable),
    /// `None` means ALL.
    Reset(Option<String>),
    /// `None` means ALL.
    Show(Option<String>),
    /// `names` absent means ALL.
    SetConstraints {
        names: Option<Vec<Name>>,
        deferred: bool,
    },
    Discard(Discard),
    Prepare(Prepare),
    Execute(Execute),
    /// `None` means ALL.
    Deallocate(Option<String>),
    DeclareCursor(DeclareCursor),
    Fetch(Fetch),
    /// `None` means ALL.
    Close(Option<String>),
    Listen(String),
    /// `None` means `*`.
    Unlisten(Option<String>),
    Notify {
        channel: String,
        payload: Option<String>,
    },
    Lock(LockTable),
    Explain(Explain),
    Copy(Copy),
    Checkpoint,
    Vacuum {
        options: Vec<Definition>,
        tables: Vec<VacuumTable>,
    },
    Analyze {
        options: Vec<Definition>,
        tables: Vec<VacuumTable>,
    },
    Reindex(Reindex),
    Cluster {
        verbose: bool,
        table: Option<Name>,
        index: Option<String>,
    },
    Load(String),
    /// `language` absent means `plpgsql`.
    Do {
        language: Option<String>,
        code: String,
    },
    Call(CallStatement),
    CreateDatabase(CreateDatabase),
    AlterDatabase(AlterDatabase),
    DropDatabase {
        name: String,
        if_exists: bool,
        force: bool,
        position: usize,
    },
    CreateRole(CreateRole),
    AlterRole(AlterRole),
    AlterRoleSetting(AlterRoleSetting),
    Grant(Grant),
    GrantRole(GrantRole),
    AlterDefaultPrivileges(AlterDefaultPrivileges),
    ReassignOwned {
        roles: Vec<RoleSpecification>,
        new_owner: RoleSpecification,
    },
    DropOwned {
        roles: Vec<RoleSpecification>,
        cascade: bool,
    },
    CreateSchema(CreateSchema),
    CreateTable(Box<CreateTable>),
    /// CREATE TABLE AS and SELECT INTO.
    CreateTableAs(CreateTableAs),
    AlterTable(AlterTable),
    CreateIndex(Box<CreateIndex>),
    Drop(DropObjects),
    Truncate {
        tables: Vec<Name>,
        restart_identity: bool,
        cascade: bool,
    },
    CreateView(CreateView),
    RefreshMaterializedView(RefreshMaterializedView),
    CreateSequence(CreateSequence),
    AlterSequence(AlterSequence),
    CreateType(CreateType),
    AlterType(AlterType),
    CreateDomain(CreateDomain),
    AlterDomain(AlterDomain),
    CreateFunction(Box<CreateFunction>),
    CreateExtension(CreateExtension),
    AlterExtension(AlterExtension),
    Comment(CommentOn),
    AlterObject(AlterObject),
    AlterSystem(SettingChange),
    /// Known to PostgreSQL and not to us; the words which name the command, in upper case.
    Unsupported(&'static str),
}

impl Utility {
    /// The command tag that PostgreSQL answers, without counts.
    pub fn tag(&self) -> &'static str {
        match self {
            Self::Begin { start: false, .. } => "BEGIN",
            Self::Begin { start: true, .. } => "START TRANSACTION",
            Self::Commit { .. } => "COMMIT",
            Self::Rollback { .. } | Self::RollbackToSavepoint(_) => "ROLLBACK",
            Self::Savepoint(_) => "SAVEPOINT",
            Self::ReleaseSavepoint(_) => "RELEASE",
            Self::PrepareTransaction(_) => "PREPARE TRANSACTION",
            Self::CommitPrepared(_) => "COMMIT PREPARED",
            Self::RollbackPrepared(_) => "ROLLBACK PREPARED",
            Self::SetTransaction { .. } | Self::SetTransactionSnapshot(_) | Self::Set(_) => "SET",
            Self::Reset(_) => "RESET",
            Self::Show(_) => "SHOW",
            Self::SetConstraints { .. } => "SET CONSTRAINTS",
            Self::Discard(discard) => discard.tag(),
            Self::Prepare(_) => "PREPARE",
            Self::Execute(_) => "EXECUTE",
            Self::Deallocate(None) => "DEALLOCATE ALL",
            Self::Deallocate(Some(_)) => "DEALLOCATE",
            Self::DeclareCursor(_) => "DECLARE CURSOR",
            Self::Fetch(fetch) => {
                if fetch.is_move {
                    "MOVE"
                } else {
                    "FETCH"
                }
            }
            Self::Close(None) => "CLOSE CURSOR ALL",
            Self::Close(Some(_)) => "CLOSE CURSOR",
            Self::Listen(_) => "LISTEN",
            Self::Unlisten(_) => "UNLISTEN",
            Self::Notify { .. } => "NOTIFY",
            Self::Lock(_) => "LOCK TABLE",
            Self::Explain(_) => "EXPLAIN",
            Self::Copy(_) => "COPY",
            Self::Checkpoint => "CHECKPOINT",
            Self::Vacuum { .. } => "VACUUM",
            Self::Analyze { .. } => "ANALYZE",
            Self::Reindex(_) => "REINDEX",
            Self::Cluster { .. } => "CLUSTER",
            Self::Load(_) => "LOAD",
            Self::Do { .. } => "DO",
            Self::Call(_) => "CALL",
            _ => self.definition_tag(),
        }
    }

    /// The tags of CREATE, ALTER, DROP and their like.
    fn definition_tag(&self) -> &'static str {
        match self {
            Self::CreateDatabase(_) => "CREATE DATABASE",
            Self::AlterDatabase(_) => "ALTER DATABASE",
            Self::DropDatabase { .. } => "DROP DATABASE",
            Self::CreateRole(_) => "CREATE ROLE",
            Self::AlterRole(_) | Self::AlterRoleSetting(_) => "ALTER ROLE",
            Self::Grant(grant) => {
                if grant.is_grant {
                    "GRANT"
                } else {
                    "REVOKE"
                }
            }
            Self::GrantRole(grant) => {
                if grant.is_grant {
                    "GRANT ROLE"
                } else {
                    "REVOKE ROLE"
                }
            }
            Self::AlterDefaultPrivileges(_) => "ALTER DEFAULT PRIVILEGES",
            Self::ReassignOwned { .. } => "REASSIGN OWNED",
            Self::DropOwned { .. } => "DROP OWNED",
            Self::CreateSchema(_) => "CREATE SCHEMA",
            Self::CreateTable(_) => "CREATE TABLE",
            Self::CreateTableAs(statement) => statement.tag(),
            Self::AlterTable(statement) => statement.kind.alter_tag(),
            Self::CreateIndex(_) => "CREATE INDEX",
            Self::Drop(statement) => statement.kind.drop_tag(),
            Self::Truncate { .. } => "TRUNCATE TABLE",
            Self::CreateView(_) => "CREATE VIEW",
            Self::RefreshMaterializedView(_) => "REFRESH MATERIALIZED VIEW",
            Self::CreateSequence(_) => "CREATE SEQUENCE",
            Self::AlterSequence(_) => "ALTER SEQUENCE",
            Self::CreateType(_) => "CREATE TYPE",
            Self::AlterType(_) => "ALTER TYPE",
            Self::CreateDomain(_) => "CREATE DOMAIN",
            Self::AlterDomain(_) => "ALTER DOMAIN",
            Self::CreateFunction(statement) => {
                if statement.is_procedure {
                    "CREATE PROCEDURE"
                } else {
                    "CREATE FUNCTION"
                }
            }
            Self::CreateExtension(_) => "CREATE EXTENSION",
            Self::AlterExtension(_) => "ALTER EXTENSION",
            Self::Comment(_) => "COMMENT",
            Self::AlterObject(statement) => statement.object.kind.alter_tag(),
            Self::AlterSystem(_) => "ALTER SYSTEM",
            Self::Unsupported(command) => command,
            _ => unreachable!("all other statements have their tag from Utility::tag"),
        }
    }
}

impl Parser<'_> {
    /// Any statement.
    pub(in crate::parse) fn statement(&mut self) -> Result<Node> {
        if !self.at_sql_statement() {
            return Ok(Node::Utility(Box::new(self.utility()?)));
        }
        let start = self.index();
        let place = self.place();
        let mut statement = self.sql_statement()?;
        if let ast::Statement::Query(query) = &mut statement
            && let Some(into) = view::take_select_into(query)
        {
            let text = self.text_since(start).to_owned();
            let ast::Statement::Query(query) = statement else { return self.fail() };
            let query = QueryText { query, text, position: place };
            return Ok(Node::Utility(Box::new(Utility::CreateTableAs(view::select_into(into, query)))));
        }
        Ok(Node::Sql(Box::new(statement)))
    }

    fn utility(&mut self) -> Result<Utility> {
        match self.word().unwrap_or_default() {
            "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" => {
                self.transaction_statement()
            }
            "set" => self.set_statement(),
            "reset" => self.reset_statement(),
            "show" => self.show_statement(),
            "discard" => self.discard_statement(),
            "prepare" => self.prepare_statement(),
            "execute" => Ok(Utility::Execute(self.execute_statement()?)),
            "deallocate" => self.deallocate_statement(),
            "declare" => self.declare_statement(),
            "fetch" | "move" => self.fetch_statement(),
            "close" => self.close_statement(),
            "listen" | "unlisten" | "notify" => self.notification_statement(),
            "lock" => self.lock_statement(),
            "explain" => self.explain_statement(),
            "copy" => self.copy_statement(),
            "checkpoint" | "vacuum" | "analyze" | "analyse" | "reindex" | "cluster" | "load" => {
                self.maintenance_statement()
            }
            "do" => self.do_statement(),
            "call" => self.call_statement(),
            "create" => self.create_statement(),
            "alter" => self.alter_statement(),
            "drop" => self.drop_statement(),
            "truncate" => self.truncate_statement(),
            "comment" => self.comment_statement(),
            "grant" => self.grant_statement(true),
            "revoke" => self.grant_statement(false),
            "reassign" => self.reassign_owned(),
            "refresh" => self.refresh_statement(),
            "security" if self.word_ahead(1) == Some("label") => Ok(self.unknown_command("SECURITY LABEL")),
            "import" if self.at_words(&["import", "foreign", "schema"]) => {
                Ok(self.unknown_command("IMPORT FOREIGN SCHEMA"))
            }
            _ => self.fail(),
        }
    }

    fn create_statement(&mut self) -> Result<Utility> {
        self.expect("create")?;
        let or_replace = self.accept_words(&["or", "replace"]);
        let start = self.index();
        let word = self.word().unwrap_or_default().to_owned();
        if or_replace {
            return match word.as_str() {
                "function" | "procedure" => self.create_function(true),
                "aggregate" => Ok(self.unknown_command("CREATE AGGREGATE")),
                "rule" => Ok(self.unknown_command("CREATE RULE")),
                "trigger" | "constraint" => Ok(self.unknown_command("CREATE TRIGGER")),
                "language" | "trusted" | "procedural" => Ok(self.unknown_command("CREATE LANGUAGE")),
                "transform" => Ok(self.unknown_command("CREATE TRANSFORM")),
                "temp" | "temporary" | "view" | "recursive" | "local" | "global" => {
                    self.create_relation(true)
                }
                _ => self.fail(),
            };
        }
        match word.as_str() {
            "table" | "temp" | "temporary" | "unlogged" | "local" | "global" | "view" | "sequence"
            | "recursive" => self.create_relation(false),
            "materialized" => self.create_materialized_view(),
            "unique" | "index" => self.create_index(),
            "schema" => self.create_schema(),
            "database" => self.create_database(),
            "role" | "user" | "group" if self.word_ahead(1) != Some("mapping") => self.create_role(),
            "type" => self.create_type(),
            "domain" => self.create_domain(),
            "function" | "procedure" => self.create_function(false),
            "extension" => self.create_extension(),
            _ => {
                self.seek(start);
                self.unsupported_create()
            }
        }
    }

    fn unsupported_create(&mut self) -> Result<Utility> {
        const COMMANDS: &[(&[&str], &str)] = &[
            (&["access", "method"], "CREATE ACCESS METHOD"),
            (&["aggregate"], "CREATE AGGREGATE"),
            (&["cast"], "CREATE CAST"),
            (&["collation"], "CREATE COLLATION"),
            (&["conversion"], "CREATE CONVERSION"),
            (&["default", "conversion"], "CREATE CONVERSION"),
            (&["event", "trigger"], "CREATE EVENT TRIGGER"),
            (&["foreign", "data", "wrapper"], "CREATE FOREIGN DATA WRAPPER"),
            (&["foreign", "table"], "CREATE FOREIGN TABLE"),
            (&["language"], "CREATE LANGUAGE"),
            (&["trusted"], "CREATE LANGUAGE"),
            (&["procedural"], "CREATE LANGUAGE"),
            (&["operator", "class"], "CREATE OPERATOR CLASS"),
            (&["operator", "family"], "CREATE OPERATOR FAMILY"),
            (&["operator"], "CREATE OPERATOR"),
            (&["policy"], "CREATE POLICY"),
            (&["publication"], "CREATE PUBLICATION"),
            (&["rule"], "CREATE RULE"),
            (&["server"], "CREATE SERVER"),
            (&["statistics"], "CREATE STATISTICS"),
            (&["subscription"], "CREATE SUBSCRIPTION"),
            (&["tablespace"], "CREATE TABLESPACE"),
            (&["text", "search", "configuration"], "CREATE TEXT SEARCH CONFIGURATION"),
            (&["text", "search", "dictionary"], "CREATE TEXT SEARCH DICTIONARY"),
            (&["text", "search", "parser"], "CREATE TEXT SEARCH PARSER"),
            (&["text", "search", "template"], "CREATE TEXT SEARCH TEMPLATE"),
            (&["transform"], "CREATE TRANSFORM"),
            (&["trigger"], "CREATE TRIGGER"),
            (&["constraint", "trigger"], "CREATE TRIGGER"),
            (&["user", "mapping"], "CREATE USER MAPPING"),
        ];
        match COMMANDS.iter().find(|(words, _)| self.at_words(words)) {
            Some((_, command)) => Ok(self.unknown_command(command)),
            None => self.fail(),
        }
    }

    /// Skips the rest of a statement which is refused by name later.
    fn unknown_command(&mut self, command: &'static str) -> Utility {
        while !self.at_end() {
            match self.partner(self.index()) {
                Some(partner) if self.at_symbol("(") => self.seek(partner),
                _ => self.advance(),
            }
        }
        Utility::Unsupported(command)
    }

    // Parts that families share.

    fn name(&mut self) -> Result<Name> {
        let position = self.place();
        let first = self.identifier()?.value;
        let mut parts = vec![first];
        while self.accept_symbol(".") {
            parts.push(self.label()?.value);
        }
        self.name_of(parts, position)
    }

    fn name_of(&self, mut parts: Vec<String>, position: usize) -> Result<Name> {
        if parts.len() > 3 {
            return Err(crate::error!(
                SYNTAX_ERROR,
                "improper qualified name (too many dotted names): {}",
                parts.join(".")
            )
            .at(position + self.base()));
        }
        let name = parts.pop().unwrap_or_default();
        let schema = parts.pop();
        Ok(Name { database: parts.pop(), schema, name, position })
    }

    /// A function's name, which may be a word that no table may have.
    fn routine_name(&mut self) -> Result<Name> {
        let position = self.place();
        let name = self.function_name()?;
        let parts =
            name.0.iter().filter_map(|part| part.as_ident().map(|ident| ident.value.clone())).collect();
        self.name_of(parts, position)
    }

    /// `COLLATE any_name` and the like: the name after a word.
    fn name_after(&mut self, word: &str) -> Result<Option<Name>> {
        if self.accept(word) { Ok(Some(self.name()?)) } else { Ok(None) }
    }

    fn simple_name(&mut self) -> Result<String> {
        Ok(self.identifier()?.value)
    }

    fn column_list(&mut self) -> Result<Vec<String>> {
        self.parenthesized(Self::simple_name)
    }

    fn optional_column_list(&mut self) -> Result<Vec<String>> {
        if self.at_symbol("(") { self.column_list() } else { Ok(Vec::new()) }
    }

    fn if_exists(&mut self) -> bool {
        self.accept_words(&["if", "exists"])
    }

    fn if_not_exists(&mut self) -> bool {
        self.accept_words(&["if", "not", "exists"])
    }

    /// CASCADE (true), RESTRICT or nothing.
    fn cascade(&mut self) -> bool {
        if self.accept("cascade") {
            return true;
        }
        self.accept("restrict");
        false
    }

    fn expression_text(&mut self) -> Result<Expression> {
        let (start, position) = (self.index(), self.place());
        let expr = self.expression()?;
        Ok(Expression { expr, text: self.text_since(start).to_owned(), position })
    }

    fn restricted_expression_text(&mut self) -> Result<Expression> {
        let (start, position) = (self.index(), self.place());
        let expr = self.restricted_expression()?;
        Ok(Expression { expr, text: self.text_since(start).to_owned(), position })
    }

    fn expression_in_parentheses(&mut self) -> Result<Expression> {
        self.expect_symbol("(")?;
        let expression = self.expression_text()?;
        self.expect_symbol(")")?;
        Ok(expression)
    }

    fn query_text(&mut self) -> Result<QueryText> {
        let (start, position) = (self.index(), self.place());
        let query = self.query()?;
        Ok(QueryText { query, text: self.text_since(start).to_owned(), position })
    }

    fn type_name(&mut self) -> Result<TypeName> {
        let set_of = self.accept("setof");
        let (start, position) = (self.index(), self.place());
        let data_type = self.data_type()?;
        Ok(TypeName { data_type, set_of, text: self.text_since(start).to_owned(), position })
    }

    fn inner_statement(&mut self) -> Result<InnerStatement> {
        let (start, position) = (self.index(), self.place());
        let node = Box::new(self.statement()?);
        Ok(InnerStatement { node, text: self.text_since(start).into(), position })
    }

    /// A number with its sign, as text.
    fn signed_number(&mut self) -> Result<String> {
        let negative = self.accept_operator("-");
        if !negative {
            self.accept_operator("+");
        }
        let (Kind::Integer(text) | Kind::Decimal(text)) = &self.token().kind else { return self.fail() };
        let text = if negative { format!("-{text}") } else { text.clone() };
        self.advance();
        Ok(text)
    }

    /// `NumericOnly` as a 64-bit number.
    fn signed_integer(&mut self) -> Result<i64> {
        let position = self.position();
        let text = self.signed_number()?;
        text.parse().map_err(|_| {
            crate::error!(NUMERIC_VALUE_OUT_OF_RANGE, "value \"{text}\" is out of range for type bigint")
                .at(position)
        })
    }

    /// `WITH (name = value, …)` and the like.
    fn definitions(&mut self) -> Result<Vec<Definition>> {
        self.parenthesized(Self::definition)
    }

    fn definition(&mut self) -> Result<Definition> {
        let position = self.place();
        let mut name = self.label()?.value;
        let mut namespace = None;
        if self.accept_symbol(".") {
            namespace = Some(std::mem::replace(&mut name, self.label()?.value));
        }
        let value = if self.accept_operator("=") { Some(self.definition_value()?) } else { None };
        Ok(Definition { namespace, name, value, position })
    }

    /// `(name value, …)`, as COPY, EXPLAIN and VACUUM have it.
    fn utility_options(&mut self) -> Result<Vec<Definition>> {
        self.parenthesized(|parser| {
            let position = parser.place();
            let name = parser.label()?.value;
            let ends = parser.at_symbol(",") || parser.at_symbol(")");
            let value = if ends { None } else { Some(parser.definition_value()?) };
            Ok(Definition { namespace: None, name, value, position })
        })
    }

    fn definition_value(&mut self) -> Result<DefinitionValue> {
        if self.accept_operator("*") {
            return Ok(DefinitionValue::Star);
        }
        if self.at_symbol("(") {
            return Ok(DefinitionValue::List(self.parenthesized(|parser| match &parser.token().kind {
                Kind::Text(_) => parser.string(),
                _ => Ok(parser.label()?.value),
            })?));
        }
        match &self.token().kind {
            Kind::Text(text) => {
                let text = text.clone();
                self.advance();
                Ok(DefinitionValue::Text(text))
            }
            Kind::Integer(_) | Kind::Decimal(_) => Ok(DefinitionValue::Number(self.signed_number()?)),
            Kind::Operator(sign) if matches!(sign.as_str(), "-" | "+") => {
                Ok(DefinitionValue::Number(self.signed_number()?))
            }
            Kind::Operator(operator) => {
                let operator = operator.clone();
                self.advance();
                Ok(DefinitionValue::Word(operator))
            }
            _ => {
                let start = self.index();
                if self.type_name().is_err() {
                    self.seek(start);
                    return Ok(DefinitionValue::Word(self.label()?.value));
                }
                let folded = match &self.token_at(start).kind {
                    Kind::Word(word, ..) | Kind::Quoted(word) if self.index() == start + 1 => word.clone(),
                    _ => self.text_since(start).to_owned(),
                };
                Ok(DefinitionValue::Word(folded))
            }
        }
    }
}
