//! COPY, with its options in parentheses and in the older spelling.

use super::{Definition, DefinitionValue, Expression, InnerStatement, Name, Utility};
use crate::Result;
use crate::parse::parser::Parser;
use crate::parse::tokens::Kind;

/// COPY source FROM or TO target.
#[derive(Clone, Debug)]
pub struct Copy {
    pub source: CopySource,
    /// FROM (true) or TO (false).
    pub is_from: bool,
    pub target: CopyTarget,
    /// As written, the older spellings under their new names.
    pub options: Vec<Definition>,
    pub filter: Option<Expression>,
}

/// What is copied.
#[derive(Clone, Debug)]
pub enum CopySource {
    /// No columns means all.
    Table {
        table: Name,
        columns: Vec<String>,
    },
    Query(InnerStatement),
}

/// Where from or to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyTarget {
    /// STDIN or STDOUT: the client.
    Client,
    File(String),
    Program(String),
}

impl Parser<'_> {
    pub(super) fn copy_statement(&mut self) -> Result<Utility> {
        self.expect("copy")?;
        let binary = self.place();
        let mut options = Vec::new();
        if self.at("binary") {
            self.advance();
            options.push(option("format", Some(DefinitionValue::Text("binary".to_owned())), binary));
        }
        let source = if self.accept_symbol("(") {
            if !self.at_sql_statement() {
                return self.fail();
            }
            let statement = self.inner_statement()?;
            self.expect_symbol(")")?;
            CopySource::Query(statement)
        } else {
            CopySource::Table { table: self.name()?, columns: self.optional_column_list()? }
        };
        let is_query = matches!(source, CopySource::Query(_));
        let is_from = !is_query && self.accept("from");
        if !is_from {
            self.expect("to")?;
        }
        let target = self.copy_target()?;
        if self.at("delimiters") || self.at_words(&["using", "delimiters"]) {
            let position = self.place();
            self.accept("using");
            self.advance();
            options.push(option("delimiter", Some(DefinitionValue::Text(self.string()?)), position));
        }
        self.accept("with");
        if self.at_symbol("(") {
            options.extend(self.utility_options()?);
        } else {
            while !self.at_end() && !self.at("where") {
                let more = self.old_copy_option()?;
                options.push(more);
            }
        }
        let position = self.position();
        let filter = if self.accept("where") { Some(self.expression_text()?) } else { None };
        if filter.is_some() && !is_from {
            return Err(crate::error!(SYNTAX_ERROR, "WHERE clause not allowed with COPY TO").at(position));
        }
        Ok(Utility::Copy(Copy { source, is_from, target, options, filter }))
    }

    fn copy_target(&mut self) -> Result<CopyTarget> {
        match self.word() {
            Some("stdin" | "stdout") => {
                self.advance();
                Ok(CopyTarget::Client)
            }
            Some("program") => {
                self.advance();
                Ok(CopyTarget::Program(self.string()?))
            }
            _ => Ok(CopyTarget::File(self.string()?)),
        }
    }

    /// One option of the spelling without parentheses.
    fn old_copy_option(&mut self) -> Result<Definition> {
        let position = self.place();
        let text = |value: &str| Some(DefinitionValue::Text(value.to_owned()));
        let word = self.word().unwrap_or_default().to_owned();
        match word.as_str() {
            "binary" | "csv" => {
                self.advance();
                Ok(option("format", text(&word), position))
            }
            "freeze" | "header" => {
                self.advance();
                Ok(option(&word, None, position))
            }
            "delimiter" | "null" | "quote" | "escape" => {
                self.advance();
                self.accept("as");
                Ok(option(&word, text(&self.string()?), position))
            }
            "encoding" => {
                self.advance();
                Ok(option("encoding", text(&self.string()?), position))
            }
            "force" => self.force_option(position),
            _ => self.fail(),
        }
    }

    fn force_option(&mut self, position: usize) -> Result<Definition> {
        self.expect("force")?;
        let name = if self.accept("quote") {
            "force_quote"
        } else if self.accept_words(&["not", "null"]) {
            "force_not_null"
        } else {
            self.expect("null")?;
            "force_null"
        };
        if name == "force_quote" && matches!(&self.token().kind, Kind::Operator(star) if star == "*") {
            self.advance();
            return Ok(option(name, Some(DefinitionValue::Star), position));
        }
        let columns = self.list(Self::simple_name)?;
        Ok(option(name, Some(DefinitionValue::List(columns)), position))
    }
}

fn option(name: &str, value: Option<DefinitionValue>, position: usize) -> Definition {
    Definition { namespace: None, name: name.to_owned(), value, position }
}
