//! CREATE TABLE and CREATE INDEX: columns, constraints and their parts.

use super::{Definition, Expression, Name, SequenceOption, TypeName, Utility};
use crate::Result;
use crate::parse::parser::Parser;

/// How long a relation lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    Permanent,
    Temporary,
    Unlogged,
}

/// What ON COMMIT does with a temporary table's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCommit {
    PreserveRows,
    DeleteRows,
    Drop,
}

/// CREATE TABLE.
#[derive(Clone, Debug)]
pub struct CreateTable {
    pub name: Name,
    pub persistence: Persistence,
    pub if_not_exists: bool,
    pub elements: Vec<TableElement>,
    pub of_type: Option<Name>,
    /// The parent and the text of the bound.
    pub partition_of: Option<(Name, String)>,
    pub inherits: Vec<Name>,
    pub partition_by: Option<PartitionBy>,
    pub access_method: Option<String>,
    pub options: Vec<Definition>,
    pub on_commit: Option<OnCommit>,
    pub tablespace: Option<String>,
}

/// PARTITION BY strategy (elements).
#[derive(Clone, Debug)]
pub struct PartitionBy {
    pub strategy: String,
    pub elements: Vec<IndexElement>,
}

/// One element of a table's definition.
#[derive(Clone, Debug)]
pub enum TableElement {
    Column(ColumnDefinition),
    Constraint(TableConstraint),
    Like(LikeClause),
}

/// LIKE table with INCLUDING (true) and EXCLUDING (false) options in order; `all` is one of them.
#[derive(Clone, Debug)]
pub struct LikeClause {
    pub table: Name,
    pub options: Vec<(String, bool)>,
}

/// A column. The type is absent in tables OF a type and in partitions.
#[derive(Clone, Debug)]
pub struct ColumnDefinition {
    pub name: String,
    pub position: usize,
    pub data_type: Option<TypeName>,
    pub collation: Option<Name>,
    pub compression: Option<String>,
    pub constraints: Vec<ColumnConstraint>,
}

/// When a constraint is checked. Absent: not said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConstraintTiming {
    pub deferrable: Option<bool>,
    pub initially_deferred: Option<bool>,
    pub not_valid: bool,
    pub no_inherit: bool,
}

/// A constraint of a column.
#[derive(Clone, Debug)]
pub struct ColumnConstraint {
    pub name: Option<String>,
    pub kind: ColumnConstraintKind,
    pub timing: ConstraintTiming,
    pub position: usize,
}

/// What a column's constraint says.
#[derive(Clone, Debug)]
pub enum ColumnConstraintKind {
    NotNull,
    Null,
    Default(Expression),
    /// GENERATED ALWAYS AS (…) STORED.
    Generated(Expression),
    /// GENERATED { ALWAYS | BY DEFAULT } AS IDENTITY.
    Identity {
        always: bool,
        options: Vec<SequenceOption>,
    },
    Check(Expression),
    Unique {
        nulls_not_distinct: bool,
        options: Vec<Definition>,
        tablespace: Option<String>,
    },
    PrimaryKey {
        options: Vec<Definition>,
        tablespace: Option<String>,
    },
    References(ForeignKey),
}

/// REFERENCES table (columns). Actions and match are their words in lower case, `no action` and `simple` when absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    pub table: Name,
    pub columns: Vec<String>,
    pub match_kind: &'static str,
    pub on_delete: &'static str,
    /// The columns of `SET NULL (…)` and `SET DEFAULT (…)`.
    pub on_delete_columns: Vec<String>,
    pub on_update: &'static str,
}

/// A constraint of a table.
#[derive(Clone, Debug)]
pub struct TableConstraint {
    pub name: Option<String>,
    pub kind: TableConstraintKind,
    pub timing: ConstraintTiming,
    pub position: usize,
}

/// What a table's constraint says.
#[derive(Clone, Debug)]
pub enum TableConstraintKind {
    Check(Expression),
    Unique {
        columns: Vec<String>,
        include: Vec<String>,
        nulls_not_distinct: bool,
        /// USING INDEX, in ALTER TABLE; no columns then.
        using_index: Option<String>,
        options: Vec<Definition>,
        tablespace: Option<String>,
    },
    PrimaryKey {
        columns: Vec<String>,
        include: Vec<String>,
        using_index: Option<String>,
        options: Vec<Definition>,
        tablespace: Option<String>,
    },
    ForeignKey {
        columns: Vec<String>,
        reference: ForeignKey,
    },
    /// Elements with their operators.
    Exclude {
        method: Option<String>,
        elements: Vec<(IndexElement, Vec<String>)>,
        predicate: Option<Expression>,
    },
}

/// CREATE INDEX.
#[derive(Clone, Debug)]
pub struct CreateIndex {
    pub unique: bool,
    pub concurrently: bool,
    pub if_not_exists: bool,
    pub name: Option<String>,
    pub name_position: usize,
    pub table: Name,
    pub method: Option<String>,
    pub elements: Vec<IndexElement>,
    pub include: Vec<IndexElement>,
    pub nulls_not_distinct: bool,
    pub options: Vec<Definition>,
    pub tablespace: Option<String>,
    pub predicate: Option<Expression>,
}

/// A column or expression of an index.
#[derive(Clone, Debug)]
pub struct IndexElement {
    /// A plain column is `ast::Expr::Identifier`.
    pub expression: Expression,
    pub collation: Option<Name>,
    pub operator_class: Option<Name>,
    pub operator_class_options: Vec<Definition>,
    /// `Some(true)` is DESC.
    pub descending: Option<bool>,
    pub nulls_first: Option<bool>,
}

impl Parser<'_> {
    /// TEMP, UNLOGGED and the words around them.
    pub(super) fn persistence(&mut self) -> Persistence {
        if !self.accept("local") {
            self.accept("global");
        }
        if self.accept("temp") || self.accept("temporary") {
            Persistence::Temporary
        } else if self.accept("unlogged") {
            Persistence::Unlogged
        } else {
            Persistence::Permanent
        }
    }

    /// After the word TABLE, when it is not CREATE TABLE AS.
    pub(super) fn create_table(&mut self, persistence: Persistence) -> Result<Utility> {
        let if_not_exists = self.if_not_exists();
        let name = self.name()?;
        let mut table = CreateTable {
            name,
            persistence,
            if_not_exists,
            elements: Vec::new(),
            of_type: None,
            partition_of: None,
            inherits: Vec::new(),
            partition_by: None,
            access_method: None,
            options: Vec::new(),
            on_commit: None,
            tablespace: None,
        };
        if self.accept("of") {
            table.of_type = Some(self.name()?);
            table.elements = self.typed_table_elements()?;
        } else if self.accept_words(&["partition", "of"]) {
            let parent = self.name()?;
            table.elements = self.typed_table_elements()?;
            table.partition_of = Some((parent, self.partition_bound()?));
        } else {
            self.expect_symbol("(")?;
            if !self.at_symbol(")") {
                table.elements = self.list(Self::table_element)?;
            }
            self.expect_symbol(")")?;
            if self.accept("inherits") {
                table.inherits = self.parenthesized(Self::name)?;
            }
        }
        if self.accept_words(&["partition", "by"]) {
            let strategy = self.simple_name()?;
            table.partition_by =
                Some(PartitionBy { strategy, elements: self.parenthesized(Self::index_element)? });
        }
        table.access_method = if self.accept("using") { Some(self.simple_name()?) } else { None };
        table.options = self.storage_options()?;
        table.on_commit = self.on_commit()?;
        table.tablespace = if self.accept("tablespace") { Some(self.simple_name()?) } else { None };
        Ok(Utility::CreateTable(Box::new(table)))
    }

    fn typed_table_elements(&mut self) -> Result<Vec<TableElement>> {
        if self.at_symbol("(") { self.parenthesized(Self::typed_table_element) } else { Ok(Vec::new()) }
    }

    fn typed_table_element(&mut self) -> Result<TableElement> {
        if self.at_table_constraint() {
            return Ok(TableElement::Constraint(self.table_constraint()?));
        }
        let position = self.place();
        let name = self.simple_name()?;
        self.accept_words(&["with", "options"]);
        let (collation, constraints) = self.column_constraints()?;
        let column =
            ColumnDefinition { name, position, data_type: None, collation, compression: None, constraints };
        Ok(TableElement::Column(column))
    }

    /// FOR VALUES … or DEFAULT, as text.
    pub(super) fn partition_bound(&mut self) -> Result<String> {
        let start = self.index();
        if !self.accept("default") {
            self.expect_words(&["for", "values"])?;
            if self.accept("in") {
                self.parenthesized(Self::expression)?;
            } else if self.accept("with") {
                self.parenthesized(|parser| {
                    parser.simple_name()?;
                    parser.unsigned()
                })?;
            } else {
                self.expect("from")?;
                self.parenthesized(Self::expression)?;
                self.expect("to")?;
                self.parenthesized(Self::expression)?;
            }
        }
        Ok(self.text_since(start).to_owned())
    }

    pub(super) fn storage_options(&mut self) -> Result<Vec<Definition>> {
        if self.at("with") && self.symbol_ahead(1, "(") {
            self.advance();
            return self.definitions();
        }
        if self.accept("without") {
            self.expect("oids")?;
        }
        Ok(Vec::new())
    }

    pub(super) fn on_commit(&mut self) -> Result<Option<OnCommit>> {
        if !self.accept_words(&["on", "commit"]) {
            return Ok(None);
        }
        if self.accept("drop") {
            return Ok(Some(OnCommit::Drop));
        }
        if self.accept("delete") {
            self.expect("rows")?;
            return Ok(Some(OnCommit::DeleteRows));
        }
        self.expect_words(&["preserve", "rows"])?;
        Ok(Some(OnCommit::PreserveRows))
    }

    fn at_table_constraint(&self) -> bool {
        self.at_any(&["constraint", "check", "unique", "primary", "foreign"])
            || self.at("exclude") && (self.symbol_ahead(1, "(") || self.word_ahead(1) == Some("using"))
    }

    fn table_element(&mut self) -> Result<TableElement> {
        if self.accept("like") {
            let table = self.name()?;
            let mut options = Vec::new();
            while self.at("including") || self.at("excluding") {
                let including = self.label()?.value == "including";
                options.push((self.label()?.value, including));
            }
            return Ok(TableElement::Like(LikeClause { table, options }));
        }
        if self.at_table_constraint() {
            return Ok(TableElement::Constraint(self.table_constraint()?));
        }
        Ok(TableElement::Column(self.column_definition()?))
    }

    pub(super) fn column_definition(&mut self) -> Result<ColumnDefinition> {
        let position = self.place();
        let name = self.simple_name()?;
        let data_type = Some(self.type_name()?);
        let compression = if self.accept("compression") { Some(self.label()?.value) } else { None };
        let (collation, constraints) = self.column_constraints()?;
        Ok(ColumnDefinition { name, position, data_type, collation, compression, constraints })
    }

    /// `ColQualList`, with the COLLATE that may stand among them.
    pub(super) fn column_constraints(&mut self) -> Result<(Option<Name>, Vec<ColumnConstraint>)> {
        let (mut collation, mut constraints) = (None, Vec::<ColumnConstraint>::new());
        loop {
            if self.accept("collate") {
                collation = Some(self.name()?);
                continue;
            }
            if self.at("not") && !matches!(self.word_ahead(1), Some("null" | "deferrable")) {
                self.advance();
                return self.fail();
            }
            let before = self.index();
            let timing = self.timing()?;
            if self.index() > before {
                match constraints.last_mut() {
                    Some(constraint) => constraint.timing = timing,
                    None => {
                        self.seek(before);
                        return self.fail();
                    }
                }
                continue;
            }
            let position = self.place();
            let name = if self.accept("constraint") { Some(self.simple_name()?) } else { None };
            match self.column_constraint_kind()? {
                Some(kind) => {
                    let timing =
                        ConstraintTiming { no_inherit: self.no_inherit(&kind), ..Default::default() };
                    constraints.push(ColumnConstraint { name, kind, timing, position });
                }
                None if name.is_some() => return self.fail(),
                None => return Ok((collation, constraints)),
            }
        }
    }

    fn no_inherit(&mut self, kind: &ColumnConstraintKind) -> bool {
        matches!(kind, ColumnConstraintKind::Check(_)) && self.accept_words(&["no", "inherit"])
    }

    fn column_constraint_kind(&mut self) -> Result<Option<ColumnConstraintKind>> {
        let kind = match self.word() {
            Some("not") if self.word_ahead(1) == Some("null") => {
                self.advance();
                self.advance();
                ColumnConstraintKind::NotNull
            }
            Some("null") => {
                self.advance();
                ColumnConstraintKind::Null
            }
            Some("default") => {
                self.advance();
                ColumnConstraintKind::Default(self.restricted_expression_text()?)
            }
            Some("check") => {
                self.advance();
                ColumnConstraintKind::Check(self.expression_in_parentheses()?)
            }
            Some("unique") => {
                self.advance();
                let nulls_not_distinct = self.nulls_not_distinct()?;
                let options = self.storage_options()?;
                ColumnConstraintKind::Unique {
                    nulls_not_distinct,
                    options,
                    tablespace: self.index_tablespace()?,
                }
            }
            Some("primary") => {
                self.expect_words(&["primary", "key"])?;
                let options = self.storage_options()?;
                ColumnConstraintKind::PrimaryKey { options, tablespace: self.index_tablespace()? }
            }
            Some("references") => ColumnConstraintKind::References(self.references()?),
            Some("generated") => self.generated()?,
            _ => return Ok(None),
        };
        Ok(Some(kind))
    }

    fn nulls_not_distinct(&mut self) -> Result<bool> {
        if !self.accept("nulls") {
            return Ok(false);
        }
        let negated = self.accept("not");
        self.expect("distinct")?;
        Ok(negated)
    }

    fn index_tablespace(&mut self) -> Result<Option<String>> {
        if self.accept_words(&["using", "index", "tablespace"]) {
            Ok(Some(self.simple_name()?))
        } else {
            Ok(None)
        }
    }

    fn generated(&mut self) -> Result<ColumnConstraintKind> {
        self.expect("generated")?;
        let position = self.position();
        let always = self.accept("always");
        if !always {
            self.expect_words(&["by", "default"])?;
        }
        self.expect("as")?;
        if self.accept("identity") {
            return Ok(ColumnConstraintKind::Identity {
                always,
                options: self.parenthesized_sequence_options()?,
            });
        }
        if !always {
            let error = "for a generated column, GENERATED ALWAYS must be specified";
            return Err(crate::error!(SYNTAX_ERROR, "{error}").at(position));
        }
        let expression = self.expression_in_parentheses()?;
        self.expect("stored")?;
        Ok(ColumnConstraintKind::Generated(expression))
    }

    pub(super) fn parenthesized_sequence_options(&mut self) -> Result<Vec<SequenceOption>> {
        if !self.accept_symbol("(") {
            return Ok(Vec::new());
        }
        let options = self.sequence_options()?;
        self.expect_symbol(")")?;
        Ok(options)
    }

    fn references(&mut self) -> Result<ForeignKey> {
        self.expect("references")?;
        let table = self.name()?;
        let columns = self.optional_column_list()?;
        let mut key = ForeignKey {
            table,
            columns,
            match_kind: "simple",
            on_delete: "no action",
            on_delete_columns: Vec::new(),
            on_update: "no action",
        };
        if self.accept("match") {
            key.match_kind = match self.word() {
                Some("full") => "full",
                Some("partial") => return self.unsupported("MATCH PARTIAL"),
                Some("simple") => "simple",
                _ => return self.fail(),
            };
            self.advance();
        }
        while self.accept("on") {
            if self.accept("delete") {
                key.on_delete = self.referential_action()?;
                if key.on_delete.starts_with("set") && self.at_symbol("(") {
                    key.on_delete_columns = self.column_list()?;
                }
            } else {
                self.expect("update")?;
                key.on_update = self.referential_action()?;
            }
        }
        Ok(key)
    }

    fn referential_action(&mut self) -> Result<&'static str> {
        const ACTIONS: &[(&[&str], &str)] = &[
            (&["no", "action"], "no action"),
            (&["restrict"], "restrict"),
            (&["cascade"], "cascade"),
            (&["set", "null"], "set null"),
            (&["set", "default"], "set default"),
        ];
        match ACTIONS.iter().find(|(words, _)| self.accept_words(words)) {
            Some((_, action)) => Ok(action),
            None => self.fail(),
        }
    }

    /// `[NOT] DEFERRABLE`, `INITIALLY …`, `NOT VALID`, in any order.
    pub(super) fn timing(&mut self) -> Result<ConstraintTiming> {
        let mut timing = ConstraintTiming::default();
        loop {
            let position = self.position();
            if self.accept("deferrable") {
                timing.deferrable = Some(true);
            } else if self.accept_words(&["not", "deferrable"]) {
                timing.deferrable = Some(false);
            } else if self.accept_words(&["initially", "deferred"]) {
                timing.initially_deferred = Some(true);
            } else if self.accept_words(&["initially", "immediate"]) {
                timing.initially_deferred = Some(false);
            } else if self.accept_words(&["not", "valid"]) {
                timing.not_valid = true;
            } else if self.accept_words(&["no", "inherit"]) {
                timing.no_inherit = true;
            } else {
                return Ok(timing);
            }
            if timing.deferrable == Some(false) && timing.initially_deferred == Some(true) {
                let message = "constraint declared INITIALLY DEFERRED must be DEFERRABLE";
                return Err(crate::error!(SYNTAX_ERROR, "{message}").at(position));
            }
        }
    }

    pub(super) fn table_constraint(&mut self) -> Result<TableConstraint> {
        let position = self.place();
        let name = if self.accept("constraint") { Some(self.simple_name()?) } else { None };
        let kind = match self.word() {
            Some("check") => {
                self.advance();
                TableConstraintKind::Check(self.expression_in_parentheses()?)
            }
            Some("unique") => self.unique_constraint()?,
            Some("primary") => self.primary_key()?,
            Some("foreign") => {
                self.expect_words(&["foreign", "key"])?;
                let columns = self.column_list()?;
                TableConstraintKind::ForeignKey { columns, reference: self.references()? }
            }
            Some("exclude") => self.exclusion()?,
            _ => return self.fail(),
        };
        let timing = self.timing()?;
        Ok(TableConstraint { name, kind, timing, position })
    }

    fn unique_constraint(&mut self) -> Result<TableConstraintKind> {
        self.expect("unique")?;
        let nulls_not_distinct = self.nulls_not_distinct()?;
        let using_index = self.using_index()?;
        let columns = if using_index.is_some() { Vec::new() } else { self.column_list()? };
        let include = if self.accept("include") { self.column_list()? } else { Vec::new() };
        let options = self.storage_options()?;
        let tablespace = self.index_tablespace()?;
        Ok(TableConstraintKind::Unique {
            columns,
            include,
            nulls_not_distinct,
            using_index,
            options,
            tablespace,
        })
    }

    fn primary_key(&mut self) -> Result<TableConstraintKind> {
        self.expect_words(&["primary", "key"])?;
        let using_index = self.using_index()?;
        let columns = if using_index.is_some() { Vec::new() } else { self.column_list()? };
        let include = if self.accept("include") { self.column_list()? } else { Vec::new() };
        let options = self.storage_options()?;
        let tablespace = self.index_tablespace()?;
        Ok(TableConstraintKind::PrimaryKey { columns, include, using_index, options, tablespace })
    }

    fn using_index(&mut self) -> Result<Option<String>> {
        if self.at_words(&["using", "index"]) && self.word_ahead(2) != Some("tablespace") {
            self.advance();
            self.advance();
            return Ok(Some(self.simple_name()?));
        }
        Ok(None)
    }

    fn exclusion(&mut self) -> Result<TableConstraintKind> {
        self.expect("exclude")?;
        let method = if self.accept("using") { Some(self.simple_name()?) } else { None };
        let elements = self.parenthesized(|parser| {
            let element = parser.index_element()?;
            parser.expect("with")?;
            let operator = if parser.at("operator") {
                match parser.operator()? {
                    crate::parse::expression::OperatorName::Plain(operator) => vec![operator],
                    crate::parse::expression::OperatorName::Qualified(parts) => parts,
                }
            } else {
                parser.any_operator()?
            };
            Ok((element, operator))
        })?;
        self.storage_options()?;
        let predicate = if self.accept("where") { Some(self.expression_in_parentheses()?) } else { None };
        Ok(TableConstraintKind::Exclude { method, elements, predicate })
    }

    // Indexes.

    pub(super) fn create_index(&mut self) -> Result<Utility> {
        let unique = self.accept("unique");
        self.expect("index")?;
        let concurrently = self.accept("concurrently");
        let if_not_exists = self.if_not_exists();
        let name_position = self.place();
        let name = if !if_not_exists && self.at("on") { None } else { Some(self.simple_name()?) };
        self.expect("on")?;
        let table = self.table_with_only()?;
        let method = if self.accept("using") { Some(self.simple_name()?) } else { None };
        let elements = self.parenthesized(Self::index_element)?;
        let include =
            if self.accept("include") { self.parenthesized(Self::index_element)? } else { Vec::new() };
        let nulls_not_distinct = self.nulls_not_distinct()?;
        let options = self.storage_options()?;
        let tablespace = if self.accept("tablespace") { Some(self.simple_name()?) } else { None };
        let predicate = if self.accept("where") { Some(self.expression_text()?) } else { None };
        Ok(Utility::CreateIndex(Box::new(CreateIndex {
            unique,
            concurrently,
            if_not_exists,
            name,
            name_position,
            table,
            method,
            elements,
            include,
            nulls_not_distinct,
            options,
            tablespace,
            predicate,
        })))
    }

    pub(super) fn index_element(&mut self) -> Result<IndexElement> {
        let (start, position) = (self.index(), self.place());
        let expr = if self.accept_symbol("(") {
            let inner = self.expression()?;
            self.expect_symbol(")")?;
            sqlparser::ast::Expr::Nested(Box::new(inner))
        } else if self.at_identifier() && !self.symbol_ahead(1, "(") && !self.symbol_ahead(1, ".") {
            sqlparser::ast::Expr::Identifier(self.identifier()?)
        } else {
            self.index_function()?
        };
        let expression = Expression { expr, text: self.text_since(start).to_owned(), position };
        let collation = self.name_after("collate")?;
        let (mut operator_class, mut operator_class_options) = (None, Vec::new());
        if self.at_identifier() && !self.at_any(&["asc", "desc", "nulls"]) {
            operator_class = Some(self.name()?);
            if self.at_symbol("(") {
                operator_class_options = self.definitions()?;
            }
        }
        let descending = if self.accept("asc") {
            Some(false)
        } else if self.accept("desc") {
            Some(true)
        } else {
            None
        };
        let nulls_first = self.nulls_order()?;
        Ok(IndexElement {
            expression,
            collation,
            operator_class,
            operator_class_options,
            descending,
            nulls_first,
        })
    }

    /// A function call, or one of the functions with a syntax of their own.
    fn index_function(&mut self) -> Result<sqlparser::ast::Expr> {
        let special = matches!(
            &self.token().kind,
            crate::parse::tokens::Kind::Word(_, crate::parse::keywords::Category::ColumnName, _)
        );
        if special {
            return self.restricted_expression();
        }
        let name = self.function_name()?;
        self.function_call(name)
    }
}
