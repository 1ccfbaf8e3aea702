//! EXPLAIN, LOCK, VACUUM, ANALYZE, REINDEX, CLUSTER, CHECKPOINT, LOAD, DO and TRUNCATE.

use super::{Definition, DefinitionValue, InnerStatement, Name, Utility};
use crate::Result;
use crate::parse::parser::Parser;
use crate::parse::tokens::Kind;

/// EXPLAIN (options) statement. ANALYZE and VERBOSE without parentheses are options without values.
#[derive(Clone, Debug)]
pub struct Explain {
    pub options: Vec<Definition>,
    pub statement: InnerStatement,
}

/// LOCK TABLE.
#[derive(Clone, Debug)]
pub struct LockTable {
    pub tables: Vec<Name>,
    /// In lower case, `access exclusive` where none is given.
    pub mode: &'static str,
    pub nowait: bool,
}

/// A table of VACUUM or ANALYZE, with columns.
#[derive(Clone, Debug)]
pub struct VacuumTable {
    pub table: Name,
    pub columns: Vec<String>,
}

/// REINDEX.
#[derive(Clone, Debug)]
pub struct Reindex {
    pub options: Vec<Definition>,
    /// `index`, `table`, `schema`, `system` or `database`.
    pub target: &'static str,
    pub concurrently: bool,
    pub name: Name,
}

const LOCK_MODES: &[&[&str]] = &[
    &["access", "share"],
    &["row", "share"],
    &["row", "exclusive"],
    &["share", "update", "exclusive"],
    &["share", "row", "exclusive"],
    &["share"],
    &["exclusive"],
    &["access", "exclusive"],
];
const LOCK_MODE_NAMES: &[&str] = &[
    "access share",
    "row share",
    "row exclusive",
    "share update exclusive",
    "share row exclusive",
    "share",
    "exclusive",
    "access exclusive",
];

impl Parser<'_> {
    pub(super) fn explain_statement(&mut self) -> Result<Utility> {
        self.expect("explain")?;
        let mut options = Vec::new();
        if self.at_symbol("(") && !self.starts_query(self.index()) {
            options = self.utility_options()?;
        } else {
            for word in ["analyze", "verbose"] {
                let position = self.place();
                if self.accept(word) || word == "analyze" && self.accept("analyse") {
                    options.push(Definition {
                        namespace: None,
                        name: word.to_owned(),
                        value: None,
                        position,
                    });
                }
            }
        }
        let explainable =
            self.at_sql_statement() || self.at_any(&["declare", "execute", "create", "refresh"]);
        if !explainable {
            return self.fail();
        }
        Ok(Utility::Explain(Explain { options, statement: self.inner_statement()? }))
    }

    pub(super) fn lock_statement(&mut self) -> Result<Utility> {
        self.expect("lock")?;
        self.accept("table");
        let tables = self.list(Self::table_with_only)?;
        let mut mode = "access exclusive";
        if self.accept("in") {
            let Some(found) = LOCK_MODES.iter().position(|words| self.accept_words(words)) else {
                return self.fail();
            };
            mode = LOCK_MODE_NAMES[found];
            self.expect("mode")?;
        }
        let nowait = self.accept("nowait");
        Ok(Utility::Lock(LockTable { tables, mode, nowait }))
    }

    /// `[ONLY] table [*]`.
    pub(super) fn table_with_only(&mut self) -> Result<Name> {
        if self.accept("only") {
            let parenthesized = self.accept_symbol("(");
            let name = self.name()?;
            if parenthesized {
                self.expect_symbol(")")?;
            }
            return Ok(name);
        }
        let name = self.name()?;
        self.accept_operator("*");
        Ok(name)
    }

    pub(super) fn maintenance_statement(&mut self) -> Result<Utility> {
        let word = self.label()?.value;
        match word.as_str() {
            "checkpoint" => Ok(Utility::Checkpoint),
            "load" => Ok(Utility::Load(self.string()?)),
            "vacuum" => self
                .vacuum(&["full", "freeze", "verbose", "analyze"])
                .map(|(options, tables)| Utility::Vacuum { options, tables }),
            "analyze" | "analyse" => {
                self.vacuum(&["verbose"]).map(|(options, tables)| Utility::Analyze { options, tables })
            }
            "reindex" => self.reindex(),
            _ => self.cluster(),
        }
    }

    fn vacuum(&mut self, words: &[&str]) -> Result<(Vec<Definition>, Vec<VacuumTable>)> {
        let mut options = Vec::new();
        if self.at_symbol("(") {
            options = self.utility_options()?;
        } else {
            for &word in words {
                let position = self.place();
                if self.accept(word) || word == "analyze" && self.accept("analyse") {
                    options.push(Definition {
                        namespace: None,
                        name: word.to_owned(),
                        value: None,
                        position,
                    });
                }
            }
        }
        let tables = if self.at_end() {
            Vec::new()
        } else {
            self.list(|parser| {
                Ok(VacuumTable { table: parser.name()?, columns: parser.optional_column_list()? })
            })?
        };
        Ok((options, tables))
    }

    fn reindex(&mut self) -> Result<Utility> {
        let options = if self.at_symbol("(") { self.utility_options()? } else { Vec::new() };
        let targets = ["index", "table", "schema", "system", "database"];
        let Some(target) = targets.into_iter().find(|target| self.accept(target)) else { return self.fail() };
        let concurrently = self.accept("concurrently");
        Ok(Utility::Reindex(Reindex { options, target, concurrently, name: self.name()? }))
    }

    fn cluster(&mut self) -> Result<Utility> {
        let mut verbose = self.accept("verbose");
        if self.at_symbol("(") {
            let options = self.utility_options()?;
            verbose = options.iter().any(|option| {
                option.name == "verbose"
                    && !matches!(&option.value, Some(DefinitionValue::Word(word)) if word == "false" || word == "off")
            });
        }
        if self.at_end() {
            return Ok(Utility::Cluster { verbose, table: None, index: None });
        }
        let table = self.name()?;
        let mut index = if self.accept("using") { Some(self.simple_name()?) } else { None };
        if self.accept("on") {
            index = Some(table.name);
            return Ok(Utility::Cluster { verbose, table: Some(self.name()?), index });
        }
        Ok(Utility::Cluster { verbose, table: Some(table), index })
    }

    pub(super) fn do_statement(&mut self) -> Result<Utility> {
        self.expect("do")?;
        let (mut language, mut code) = (None, None);
        while !self.at_end() {
            if self.accept("language") {
                language = Some(match &self.token().kind {
                    Kind::Text(_) => self.string()?,
                    _ => self.unreserved_word()?.value,
                });
            } else {
                code = Some(self.string()?);
            }
        }
        match code {
            Some(code) => Ok(Utility::Do { language, code }),
            None if language.is_none() => self.fail(),
            None => Err(crate::error!(SYNTAX_ERROR, "no inline code specified")),
        }
    }

    pub(super) fn truncate_statement(&mut self) -> Result<Utility> {
        self.expect("truncate")?;
        self.accept("table");
        let tables = self.list(Self::table_with_only)?;
        let restart_identity = self.accept_words(&["restart", "identity"]);
        if !restart_identity {
            self.accept_words(&["continue", "identity"]);
        }
        Ok(Utility::Truncate { tables, restart_identity, cascade: self.cascade() })
    }
}
