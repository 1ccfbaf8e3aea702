//! INSERT, UPDATE, DELETE and MERGE, as sqlparser's statements.
//!
//! What the tree has no place for goes where only other dialects have something, and is read back by the functions at
//! the foot of this file:
//!
//! * a subscript in an assigned column, `a[1]` or `a[1:2]`, is a name part `ObjectNamePart::Function` called `[]` or
//!   `[:]` with the subscripts for arguments (`Wildcard` where a bound is left out);
//! * ON CONFLICT's expressions and predicate and OVERRIDING are `Insert::settings`;
//! * `WHERE CURRENT OF c` is `Expr::Prefixed { prefix: "current of", value: c }`;
//! * MERGE's INSERT DEFAULT VALUES is a VALUES of no rows.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    Assignment, AssignmentTarget, ConflictTarget, Delete, DoUpdate, Expr, FromTable, FunctionArg,
    FunctionArgExpr, Ident, Insert, Merge, MergeAction, MergeClause, MergeClauseKind, MergeInsertExpr,
    MergeInsertKind, MergeUpdateExpr, MergeUpdateKind, ObjectName, ObjectNamePart, ObjectNamePartFunction,
    OnConflict, OnConflictAction, OnInsert, Query, SelectItem, SetExpr, Setting, Statement, Subscript,
    TableAlias, TableAliasWithoutColumns, TableFactor, TableObject, TableWithJoins, Update,
    UpdateTableFromKind, Values,
};

use super::parser::Parser;
use super::query::{query_of, table_factor};
use crate::Result;

const CONFLICT_EXPRESSIONS: &str = "conflict_expressions";
const CONFLICT_PREDICATE: &str = "conflict_predicate";
const OVERRIDING: &str = "overriding";

impl Parser<'_> {
    /// Whether a query or data-modifying statement begins here.
    pub(super) fn at_sql_statement(&self) -> bool {
        self.at_any(&["select", "values", "with", "insert", "update", "delete", "merge", "table"])
            || self.at_symbol("(")
    }

    /// A query or data-modifying statement.
    pub(super) fn sql_statement(&mut self) -> Result<Statement> {
        let with = self.with_clause()?;
        let with_is_absent = with.is_none();
        let query = self.data_statement_after(with)?;
        if with_is_absent {
            return Ok(match *query.body {
                SetExpr::Insert(statement)
                | SetExpr::Update(statement)
                | SetExpr::Delete(statement)
                | SetExpr::Merge(statement) => statement,
                _ => Statement::Query(query),
            });
        }
        Ok(Statement::Query(query))
    }

    /// The same as the body of a CTE.
    pub(super) fn data_statement(&mut self) -> Result<Box<Query>> {
        let with = self.with_clause()?;
        self.data_statement_after(with)
    }

    fn data_statement_after(&mut self, with: Option<sqlparser::ast::With>) -> Result<Box<Query>> {
        if !self.at_any(&["insert", "update", "delete", "merge"]) {
            return self.query_after_with(with);
        }
        let body = self.modification()?;
        Ok(query_of(with, body))
    }

    fn modification(&mut self) -> Result<Box<SetExpr>> {
        Ok(Box::new(match self.word() {
            Some("insert") => SetExpr::Insert(self.insert()?),
            Some("update") => SetExpr::Update(self.update()?),
            Some("delete") => SetExpr::Delete(self.delete()?),
            _ => SetExpr::Merge(self.merge()?),
        }))
    }

    fn insert(&mut self) -> Result<Statement> {
        self.expect_words(&["insert", "into"])?;
        let mut insert = empty_insert(self.object_name()?);
        if self.accept("as") {
            insert.table_alias = Some(TableAliasWithoutColumns { explicit: true, alias: self.identifier()? });
        }
        if self.at_symbol("(") && !self.starts_query(self.index()) {
            insert.columns = self.parenthesized(Self::target_column)?;
        }
        let mut settings = Vec::new();
        if self.accept("overriding") {
            let kind = if self.at("user") { self.label()? } else { self.unreserved_word()? };
            if !matches!(kind.value.as_str(), "user" | "system") {
                return self.fail();
            }
            self.expect("value")?;
            settings.push(setting(OVERRIDING, Expr::Identifier(kind)));
        }
        if !self.accept_words(&["default", "values"]) {
            insert.source = Some(self.query()?);
        }
        if self.accept_words(&["on", "conflict"]) {
            insert.on = Some(OnInsert::OnConflict(self.on_conflict(&mut settings)?));
        }
        insert.returning = self.returning()?;
        insert.settings = if settings.is_empty() { None } else { Some(settings) };
        Ok(Statement::Insert(insert))
    }

    fn on_conflict(&mut self, settings: &mut Vec<Setting>) -> Result<OnConflict> {
        let conflict_target = if self.accept_words(&["on", "constraint"]) {
            Some(ConflictTarget::OnConstraint(self.identifier()?.into()))
        } else if self.at_symbol("(") {
            let elements = self.parenthesized(Self::conflict_element)?;
            let columns: Option<Vec<Ident>> = elements
                .iter()
                .map(|element| match element {
                    Expr::Identifier(column) => Some(column.clone()),
                    _ => None,
                })
                .collect();
            if columns.is_none() {
                settings.push(setting(CONFLICT_EXPRESSIONS, Expr::Tuple(elements)));
            }
            if self.accept("where") {
                settings.push(setting(CONFLICT_PREDICATE, self.expression()?));
            }
            Some(ConflictTarget::Columns(columns.unwrap_or_default()))
        } else {
            None
        };
        self.expect("do")?;
        let action = if self.accept("nothing") {
            OnConflictAction::DoNothing
        } else {
            self.expect_words(&["update", "set"])?;
            let assignments = self.list(Self::assignment)?;
            let selection = if self.accept("where") { Some(self.expression()?) } else { None };
            OnConflictAction::DoUpdate(DoUpdate { assignments, selection })
        };
        Ok(OnConflict { conflict_target, action })
    }

    /// A column or expression to infer an index by; collation and operator class make no difference here.
    fn conflict_element(&mut self) -> Result<Expr> {
        let element = if self.at_symbol("(") {
            self.advance();
            let inner = self.expression()?;
            self.expect_symbol(")")?;
            Expr::Nested(Box::new(inner))
        } else if self.at_identifier() && !self.symbol_ahead(1, "(") && !self.symbol_ahead(1, ".") {
            Expr::Identifier(self.identifier()?)
        } else {
            let name = self.function_name()?;
            self.function_call(name)?
        };
        if self.accept("collate") {
            self.object_name()?;
        }
        if self.at_identifier() {
            self.object_name()?;
        }
        Ok(element)
    }

    /// `set_target`: a column with fields and subscripts.
    fn target_column(&mut self) -> Result<ObjectName> {
        let mut parts = vec![ObjectNamePart::Identifier(self.identifier()?)];
        loop {
            if self.accept_symbol(".") {
                parts.push(ObjectNamePart::Identifier(self.label()?));
            } else if self.at_symbol("[") {
                let span = self.here();
                let (name, args) = match self.subscript()? {
                    Subscript::Index { index } => ("[]", vec![FunctionArgExpr::Expr(index)]),
                    Subscript::Slice { lower_bound, upper_bound, .. } => {
                        let bound = |bound: Option<Expr>| {
                            bound.map_or(FunctionArgExpr::Wildcard, FunctionArgExpr::Expr)
                        };
                        ("[:]", vec![bound(lower_bound), bound(upper_bound)])
                    }
                };
                let args = args.into_iter().map(FunctionArg::Unnamed).collect();
                parts.push(ObjectNamePart::Function(ObjectNamePartFunction {
                    name: Ident::with_span(span, name),
                    args,
                }));
            } else {
                return Ok(ObjectName(parts));
            }
        }
    }

    fn assignment(&mut self) -> Result<Assignment> {
        let target = if self.at_symbol("(") {
            AssignmentTarget::Tuple(self.parenthesized(Self::target_column)?)
        } else {
            AssignmentTarget::ColumnName(self.target_column()?)
        };
        self.expect_operator("=")?;
        Ok(Assignment { target, value: self.expression()? })
    }

    fn returning(&mut self) -> Result<Option<Vec<SelectItem>>> {
        if self.accept("returning") { Ok(Some(self.list(Self::target)?)) } else { Ok(None) }
    }

    /// `[ONLY] table [*] [[AS] alias]`; the word SET is no alias without AS.
    fn modified_table(&mut self) -> Result<TableFactor> {
        let only = self.accept("only");
        let parenthesized = only && self.accept_symbol("(");
        let name = self.object_name()?;
        if parenthesized {
            self.expect_symbol(")")?;
        } else if !only {
            self.accept_operator("*");
        }
        let explicit = self.accept("as");
        let alias = if explicit || self.at_identifier() && !self.at("set") {
            Some(TableAlias { explicit, name: self.identifier()?, columns: Vec::new(), at: None })
        } else {
            None
        };
        Ok(table_factor(name, alias))
    }

    fn where_or_current_of(&mut self) -> Result<Option<Expr>> {
        if !self.accept("where") {
            return Ok(None);
        }
        if self.at_words(&["current", "of"]) {
            let prefix = Ident::with_span(self.here(), "current of");
            self.expect_words(&["current", "of"])?;
            let value = Box::new(Expr::Identifier(self.identifier()?));
            return Ok(Some(Expr::Prefixed { prefix, value }));
        }
        Ok(Some(self.expression()?))
    }

    fn update(&mut self) -> Result<Statement> {
        self.expect("update")?;
        let table = TableWithJoins { relation: self.modified_table()?, joins: Vec::new() };
        self.expect("set")?;
        let assignments = self.list(Self::assignment)?;
        let from = if self.accept("from") {
            Some(UpdateTableFromKind::AfterSet(self.table_references()?))
        } else {
            None
        };
        let selection = self.where_or_current_of()?;
        let returning = self.returning()?;
        Ok(Statement::Update(Update {
            update_token: AttachedToken::empty(),
            optimizer_hints: Vec::new(),
            table,
            assignments,
            from,
            selection,
            returning,
            output: None,
            or: None,
            order_by: Vec::new(),
            limit: None,
        }))
    }

    fn delete(&mut self) -> Result<Statement> {
        self.expect_words(&["delete", "from"])?;
        let table = TableWithJoins { relation: self.modified_table()?, joins: Vec::new() };
        let using = if self.accept("using") { Some(self.table_references()?) } else { None };
        let selection = self.where_or_current_of()?;
        let returning = self.returning()?;
        Ok(Statement::Delete(Delete {
            delete_token: AttachedToken::empty(),
            optimizer_hints: Vec::new(),
            tables: Vec::new(),
            from: FromTable::WithFromKeyword(vec![table]),
            using,
            selection,
            returning,
            output: None,
            order_by: Vec::new(),
            limit: None,
        }))
    }

    fn merge(&mut self) -> Result<Statement> {
        self.expect_words(&["merge", "into"])?;
        let table = self.modified_table()?;
        self.expect("using")?;
        let mut sources = self.single_table_reference()?;
        let source = if sources.joins.is_empty() {
            sources.relation
        } else {
            let joins = std::mem::take(&mut sources.joins);
            let table_with_joins = Box::new(TableWithJoins { relation: sources.relation, joins });
            TableFactor::NestedJoin { table_with_joins, alias: None }
        };
        self.expect("on")?;
        let on = Box::new(self.expression()?);
        let mut clauses = Vec::new();
        while self.at("when") {
            clauses.push(self.merge_clause()?);
        }
        if clauses.is_empty() {
            return self.fail();
        }
        Ok(Statement::Merge(Merge {
            merge_token: AttachedToken::empty(),
            optimizer_hints: Vec::new(),
            into: true,
            table,
            source,
            on,
            clauses,
            output: None,
        }))
    }

    fn single_table_reference(&mut self) -> Result<TableWithJoins> {
        let mut list = self.table_references()?;
        match (list.pop(), list.is_empty()) {
            (Some(one), true) => Ok(one),
            _ => self.fail(),
        }
    }

    fn merge_clause(&mut self) -> Result<MergeClause> {
        self.expect("when")?;
        let clause_kind =
            if self.accept("not") { MergeClauseKind::NotMatched } else { MergeClauseKind::Matched };
        self.expect("matched")?;
        let predicate = if self.accept("and") { Some(self.expression()?) } else { None };
        self.expect("then")?;
        let matched = clause_kind == MergeClauseKind::Matched;
        let action = match self.word() {
            Some("do") => {
                self.expect_words(&["do", "nothing"])?;
                MergeAction::DoNothing {
                    do_token: AttachedToken::empty(),
                    nothing_token: AttachedToken::empty(),
                }
            }
            Some("delete") if matched => {
                self.advance();
                MergeAction::Delete { delete_token: AttachedToken::empty() }
            }
            Some("update") if matched => {
                self.expect_words(&["update", "set"])?;
                MergeAction::Update(MergeUpdateExpr {
                    update_token: AttachedToken::empty(),
                    kind: MergeUpdateKind::Set(self.list(Self::assignment)?),
                    update_predicate: None,
                    delete_predicate: None,
                })
            }
            Some("insert") if !matched => MergeAction::Insert(self.merge_insert()?),
            _ => return self.fail(),
        };
        Ok(MergeClause { when_token: AttachedToken::empty(), clause_kind, predicate, action })
    }

    fn merge_insert(&mut self) -> Result<MergeInsertExpr> {
        self.expect("insert")?;
        let columns = if self.at_symbol("(") { self.parenthesized(Self::target_column)? } else { Vec::new() };
        if self.at("overriding") {
            return self.unsupported("OVERRIDING in MERGE");
        }
        let values = if self.accept_words(&["default", "values"]) {
            Values { explicit_row: false, value_keyword: false, rows: Vec::new() }
        } else {
            let values = self.values()?;
            if values.rows.len() != 1 {
                return self.fail();
            }
            values
        };
        Ok(MergeInsertExpr {
            insert_token: AttachedToken::empty(),
            columns,
            kind_token: AttachedToken::empty(),
            kind: MergeInsertKind::Values(values),
            insert_predicate: None,
        })
    }
}

fn setting(key: &str, value: Expr) -> Setting {
    Setting { key: Ident::new(key), value }
}

fn find_setting<'a>(insert: &'a Insert, key: &str) -> Option<&'a Expr> {
    insert.settings.as_ref()?.iter().find(|setting| setting.key.value == key).map(|setting| &setting.value)
}

/// ON CONFLICT's elements when not all of them are plain columns; the target's columns are empty then.
pub fn conflict_expressions(insert: &Insert) -> Option<&[Expr]> {
    match find_setting(insert, CONFLICT_EXPRESSIONS) {
        Some(Expr::Tuple(elements)) => Some(elements),
        _ => None,
    }
}

/// The WHERE of ON CONFLICT's target.
pub fn conflict_predicate(insert: &Insert) -> Option<&Expr> {
    find_setting(insert, CONFLICT_PREDICATE)
}

/// `OVERRIDING SYSTEM VALUE` (true) or `OVERRIDING USER VALUE` (false).
pub fn overriding_system(insert: &Insert) -> Option<bool> {
    match find_setting(insert, OVERRIDING) {
        Some(Expr::Identifier(kind)) => Some(kind.value == "system"),
        _ => None,
    }
}

fn empty_insert(name: ObjectName) -> Insert {
    Insert {
        insert_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        or: None,
        ignore: false,
        into: true,
        table: TableObject::TableName(name),
        table_alias: None,
        columns: Vec::new(),
        overwrite: false,
        source: None,
        assignments: Vec::new(),
        partitioned: None,
        after_columns: Vec::new(),
        has_table_keyword: false,
        on: None,
        returning: None,
        output: None,
        replace_into: false,
        priority: None,
        insert_alias: None,
        settings: None,
        format_clause: None,
        multi_table_insert_type: None,
        multi_table_into_clauses: Vec::new(),
        multi_table_when_clauses: Vec::new(),
        multi_table_else_clause: None,
    }
}
