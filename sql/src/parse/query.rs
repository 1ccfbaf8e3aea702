//! SELECT, VALUES, TABLE and their clauses, as sqlparser's `Query`.
//!
//! Where PostgreSQL knows more than the tree: `TABLE t` is `SELECT * FROM t`; FOR NO KEY UPDATE is FOR UPDATE and FOR KEY
//! SHARE is FOR SHARE (stricter, never weaker); a locking clause of several tables is several clauses; ONLY is dropped,
//! for tables have no children here; a function's column list without an alias takes the function's name for alias.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    Cte, CteAsMaterialized, Distinct, Expr, Fetch, FunctionArguments, GroupByExpr, Ident, Join,
    JoinConstraint, JoinOperator, LimitClause, NamedWindowDefinition, NamedWindowExpr, ObjectName,
    ObjectNamePart, Offset, OffsetRows, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, OrderBySort,
    Parens, Query, Select, SelectFlavor, SelectInto, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    SetOperator, SetQuantifier, TableAlias, TableAliasColumnDef, TableFactor, TableFunctionArgs,
    TableWithJoins, Values, WildcardAdditionalOptions, WindowFrame, WindowFrameBound, WindowFrameUnits,
    WindowSpec, With,
};
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use super::errors;
use super::expression::OperatorName;
use super::parser::{CHAIN_MAX, Parser};
use super::tokens::Kind;
use crate::{Result, SqlError, SqlState, error};

/// How tight UNION and EXCEPT bind.
const UNION: u8 = 10;
/// How tight INTERSECT binds.
const INTERSECT: u8 = 20;

impl Parser<'_> {
    /// Whether the parenthesis at `index` holds a query rather than an expression or a joined table.
    pub(super) fn starts_query(&self, index: usize) -> bool {
        let mut inner = index + 1;
        while matches!(self.token_at(inner).kind, Kind::Symbol("(")) {
            inner += 1;
        }
        let begins = match &self.token_at(inner).kind {
            Kind::Word(word, ..) => match word.as_str() {
                "select" | "with" | "table" => true,
                "values" => matches!(self.token_at(inner + 1).kind, Kind::Symbol("(")),
                _ => false,
            },
            _ => false,
        };
        // Each parenthesis between must close before something that only follows a query.
        begins
            && (index + 1..inner).all(|opening| {
                let Some(close) = self.partner(opening) else { return true };
                match &self.token_at(close + 1).kind {
                    Kind::Symbol(")") | Kind::End => true,
                    Kind::Word(word, ..) => matches!(
                        word.as_str(),
                        "union" | "intersect" | "except" | "order" | "limit" | "offset" | "fetch" | "for"
                    ),
                    _ => false,
                }
            })
    }

    /// `select_with_parens`.
    pub(super) fn parenthesized_query(&mut self) -> Result<Box<Query>> {
        self.expect_symbol("(")?;
        let query = self.query()?;
        self.expect_symbol(")")?;
        Ok(query)
    }

    /// `SelectStmt`, with its WITH clause.
    pub(super) fn query(&mut self) -> Result<Box<Query>> {
        self.nested(|parser| {
            let with = parser.with_clause()?;
            parser.query_after_with(with)
        })
    }

    pub(super) fn query_after_with(&mut self, with: Option<With>) -> Result<Box<Query>> {
        let body = self.set_expression(0)?;
        let mut query = query_of(with, body);
        if self.accept_words(&["order", "by"]) {
            let items = self.list(Self::order_by_item)?;
            query.order_by = Some(OrderBy { kind: OrderByKind::Expressions(items), interpolate: None });
        }
        loop {
            match self.word() {
                Some("limit" | "offset" | "fetch") => self.limit(&mut query)?,
                Some("for") => self.locking(&mut query)?,
                _ => return Ok(query),
            }
        }
    }

    /// `WITH [RECURSIVE] …`, if it is there.
    pub(super) fn with_clause(&mut self) -> Result<Option<With>> {
        if !self.accept("with") {
            return Ok(None);
        }
        let recursive = self.accept("recursive");
        let cte_tables = self.list(Self::common_table_expression)?;
        Ok(Some(With { with_token: AttachedToken::empty(), recursive, cte_tables }))
    }

    fn common_table_expression(&mut self) -> Result<Cte> {
        let name = self.identifier()?;
        let columns = if self.at_symbol("(") {
            self.parenthesized(|parser| {
                Ok(TableAliasColumnDef { name: parser.identifier()?, data_type: None })
            })?
        } else {
            Vec::new()
        };
        self.expect("as")?;
        let materialized = if self.accept("materialized") {
            Some(CteAsMaterialized::Materialized)
        } else if self.accept_words(&["not", "materialized"]) {
            Some(CteAsMaterialized::NotMaterialized)
        } else {
            None
        };
        self.expect_symbol("(")?;
        let query = self.nested(Self::data_statement)?;
        self.expect_symbol(")")?;
        if self.at("search") || self.at("cycle") {
            let clause = if self.at("search") { "SEARCH clause" } else { "CYCLE clause" };
            return self.unsupported(clause);
        }
        let alias = TableAlias { explicit: false, name, columns, at: None };
        Ok(Cte { alias, query, from: None, materialized, closing_paren_token: AttachedToken::empty() })
    }

    // Set operations.

    fn set_expression(&mut self, level: u8) -> Result<Box<SetExpr>> {
        let mut left = self.set_operand()?;
        let mut length = 0;
        loop {
            let (op, next) = match self.word() {
                Some("union") => (SetOperator::Union, UNION),
                Some("except") => (SetOperator::Except, UNION),
                Some("intersect") => (SetOperator::Intersect, INTERSECT),
                _ => return Ok(left),
            };
            if next <= level {
                return Ok(left);
            }
            length += 1;
            if length > CHAIN_MAX {
                return Err(errors::too_deep());
            }
            self.advance();
            let set_quantifier = if self.accept("all") {
                SetQuantifier::All
            } else if self.accept("distinct") {
                SetQuantifier::Distinct
            } else {
                SetQuantifier::None
            };
            let right = self.set_expression(next)?;
            left = set_operation(left, op, set_quantifier, right);
        }
    }

    /// A `SetExpr` is kilobytes large: everything on the way of a nested query passes it boxed.
    fn set_operand(&mut self) -> Result<Box<SetExpr>> {
        match self.word() {
            Some("select") => self.select().map(select_body),
            Some("values") => self.values().map(values_body),
            Some("table") => self.table_command(),
            _ if self.at_symbol("(") => self.parenthesized_query().map(query_body),
            _ => self.fail(),
        }
    }

    pub(super) fn values(&mut self) -> Result<Values> {
        self.expect("values")?;
        let rows = self.list(|parser| {
            let content = parser.parenthesized(Self::expression)?;
            Ok(Parens {
                opening_token: AttachedToken::empty(),
                content,
                closing_token: AttachedToken::empty(),
            })
        })?;
        Ok(Values { explicit_row: false, value_keyword: false, rows })
    }

    fn table_command(&mut self) -> Result<Box<SetExpr>> {
        self.expect("table")?;
        let mut select = empty_select();
        let wildcard = wildcard_options(self.here());
        let only = self.accept("only");
        let parenthesized = only && self.accept_symbol("(");
        let name = self.object_name()?;
        if parenthesized {
            self.expect_symbol(")")?;
        } else if !only {
            self.accept_operator("*");
        }
        select.projection = vec![SelectItem::Wildcard(wildcard)];
        select.from = vec![TableWithJoins { relation: table_factor(name, None), joins: Vec::new() }];
        Ok(select_body(select))
    }

    // SELECT.

    fn select(&mut self) -> Result<Box<Select>> {
        self.expect("select")?;
        let mut select = empty_select();
        if self.accept("distinct") {
            select.distinct = Some(if self.accept("on") {
                Distinct::On(self.parenthesized(Self::expression)?)
            } else {
                Distinct::Distinct
            });
        } else {
            self.accept("all");
        }
        if select.distinct.is_some() || !self.at_empty_target_list() {
            select.projection = self.list(Self::target)?;
        }
        if self.accept("into") {
            select.into = Some(self.select_into()?);
        }
        if self.accept("from") {
            select.from = self.table_references()?;
        }
        if self.accept("where") {
            select.selection = Some(self.expression()?);
        }
        if self.accept_words(&["group", "by"]) {
            select.group_by = self.group_by()?;
        }
        if self.accept("having") {
            select.having = Some(self.expression()?);
        }
        if self.accept("window") {
            select.window_before_qualify = true;
            select.named_window = self.list(|parser| {
                let name = parser.identifier()?;
                parser.expect("as")?;
                let specification = parser.window_specification()?;
                Ok(NamedWindowDefinition(name, NamedWindowExpr::WindowSpec(specification)))
            })?;
        }
        Ok(select)
    }

    fn at_empty_target_list(&self) -> bool {
        self.at_end()
            || self.at_symbol(")")
            || self.at_any(&[
                "from",
                "into",
                "where",
                "group",
                "having",
                "window",
                "union",
                "intersect",
                "except",
                "order",
                "limit",
                "offset",
                "fetch",
                "for",
            ])
    }

    /// One item of a target list or RETURNING.
    pub(super) fn target(&mut self) -> Result<SelectItem> {
        let span = self.here();
        if self.accept_operator("*") {
            return Ok(SelectItem::Wildcard(wildcard_options(span)));
        }
        let expr = self.expression()?;
        if self.at_symbol(".") && !matches!(expr, Expr::Tuple(_) | Expr::Function(_) | Expr::Value(_)) {
            self.advance();
            let span = self.here();
            self.expect_operator("*")?;
            let mut options = wildcard_options(span);
            // PostgreSQL takes a label here and has no use for it.
            if self.accept("as") || self.at_bare_label() {
                options.opt_alias = Some(self.label()?);
            }
            let kind = match expr {
                Expr::Identifier(ident) => SelectItemQualifiedWildcardKind::ObjectName(ident.into()),
                Expr::CompoundIdentifier(parts) => SelectItemQualifiedWildcardKind::ObjectName(parts.into()),
                other => SelectItemQualifiedWildcardKind::Expr(other),
            };
            return Ok(SelectItem::QualifiedWildcard(kind, options));
        }
        if self.accept("as") {
            return Ok(SelectItem::ExprWithAlias { expr, alias: self.label()? });
        }
        if self.at_bare_label() {
            return Ok(SelectItem::ExprWithAlias { expr, alias: self.label()? });
        }
        Ok(SelectItem::UnnamedExpr(expr))
    }

    fn select_into(&mut self) -> Result<SelectInto> {
        let temporary = self.accept("temporary") || self.accept("temp");
        let unlogged = !temporary && self.accept("unlogged");
        let table = self.accept("table");
        let name = self.object_name()?;
        let parts = name.0.into_iter().filter_map(|part| part.as_ident().cloned()).collect();
        Ok(SelectInto { temporary, unlogged, table, targets: vec![Expr::CompoundIdentifier(parts)] })
    }

    fn group_by(&mut self) -> Result<GroupByExpr> {
        if self.at("distinct") {
            return self.unsupported("GROUP BY DISTINCT");
        }
        self.accept("all");
        Ok(GroupByExpr::Expressions(self.list(Self::group_item)?, Vec::new()))
    }

    fn group_item(&mut self) -> Result<Expr> {
        if self.at_symbol("(") && self.symbol_ahead(1, ")") {
            self.advance();
            self.advance();
            return Ok(Expr::Tuple(Vec::new()));
        }
        if self.at("rollup") && self.symbol_ahead(1, "(") {
            self.advance();
            return Ok(Expr::Rollup(self.grouping_lists()?));
        }
        if self.at("cube") && self.symbol_ahead(1, "(") {
            self.advance();
            return Ok(Expr::Cube(self.grouping_lists()?));
        }
        if self.accept_words(&["grouping", "sets"]) {
            let items = self.nested(|parser| parser.parenthesized(Self::group_item))?;
            return Ok(Expr::GroupingSets(items.into_iter().map(ungroup).collect()));
        }
        self.expression()
    }

    fn grouping_lists(&mut self) -> Result<Vec<Vec<Expr>>> {
        Ok(self.parenthesized(Self::expression)?.into_iter().map(ungroup).collect())
    }

    // Windows.

    pub(super) fn window_specification(&mut self) -> Result<WindowSpec> {
        self.expect_symbol("(")?;
        let is_clause = self.at_any(&["partition", "range", "rows", "groups"]);
        let window_name = if self.at_identifier() && !is_clause { Some(self.identifier()?) } else { None };
        let partition_by =
            if self.accept_words(&["partition", "by"]) { self.expression_list()? } else { Vec::new() };
        let order_by =
            if self.accept_words(&["order", "by"]) { self.list(Self::order_by_item)? } else { Vec::new() };
        let window_frame = self.window_frame()?;
        self.expect_symbol(")")?;
        Ok(WindowSpec { window_name, partition_by, order_by, window_frame })
    }

    fn window_frame(&mut self) -> Result<Option<WindowFrame>> {
        let units = match self.word() {
            Some("rows") => WindowFrameUnits::Rows,
            Some("range") => WindowFrameUnits::Range,
            Some("groups") => WindowFrameUnits::Groups,
            _ => return Ok(None),
        };
        self.advance();
        let (start_bound, end_bound) = if self.accept("between") {
            let start = self.frame_bound()?;
            self.expect("and")?;
            (start, Some(self.frame_bound()?))
        } else {
            (self.frame_bound()?, None)
        };
        if self.at("exclude") && !self.accept_words(&["exclude", "no", "others"]) {
            return self.unsupported("EXCLUDE in a window frame");
        }
        Ok(Some(WindowFrame { units, start_bound, end_bound }))
    }

    fn frame_bound(&mut self) -> Result<WindowFrameBound> {
        if self.accept_words(&["current", "row"]) {
            return Ok(WindowFrameBound::CurrentRow);
        }
        let distance = if self.accept("unbounded") { None } else { Some(Box::new(self.expression()?)) };
        if self.accept("preceding") {
            return Ok(WindowFrameBound::Preceding(distance));
        }
        self.expect("following")?;
        Ok(WindowFrameBound::Following(distance))
    }

    // ORDER BY, LIMIT, locking.

    pub(super) fn order_by_item(&mut self) -> Result<OrderByExpr> {
        let expr = self.expression()?;
        let sort = if self.accept("asc") {
            Some(OrderBySort::Asc)
        } else if self.accept("desc") {
            Some(OrderBySort::Desc)
        } else if self.accept("using") {
            let span = self.here();
            let parts = match self.operator()? {
                OperatorName::Plain(operator) => vec![operator],
                OperatorName::Qualified(parts) => parts,
            };
            let parts =
                parts.into_iter().map(|part| ObjectNamePart::Identifier(Ident::with_span(span, part)));
            Some(OrderBySort::Using(ObjectName(parts.collect())))
        } else {
            None
        };
        let nulls_first = self.nulls_order()?;
        Ok(OrderByExpr { expr, options: OrderByOptions { sort, nulls_first }, with_fill: None })
    }

    pub(super) fn nulls_order(&mut self) -> Result<Option<bool>> {
        if !self.at("nulls") || !matches!(self.word_ahead(1), Some("first" | "last")) {
            return Ok(None);
        }
        self.advance();
        if self.accept("first") {
            return Ok(Some(true));
        }
        self.expect("last")?;
        Ok(Some(false))
    }

    fn limit(&mut self, query: &mut Query) -> Result<()> {
        let position = self.position();
        let (mut limit, mut offset) = match query.limit_clause.take() {
            Some(LimitClause::LimitOffset { limit, offset, .. }) => (limit, offset),
            _ => (None, None),
        };
        match self.word() {
            Some("limit") => {
                if limit.is_some() || query.fetch.is_some() {
                    return self.fail();
                }
                self.advance();
                limit = if self.accept("all") { None } else { Some(self.expression()?) };
                if self.at_symbol(",") {
                    return Err(SqlError::new(SqlState::SYNTAX_ERROR, "LIMIT #,# syntax is not supported")
                        .hint("Use separate LIMIT and OFFSET clauses.")
                        .at(position));
                }
            }
            Some("offset") => {
                if offset.is_some() {
                    return self.fail();
                }
                self.advance();
                let value = self.expression()?;
                let rows = match self.word() {
                    Some("row") => OffsetRows::Row,
                    Some("rows") => OffsetRows::Rows,
                    _ => OffsetRows::None,
                };
                if !matches!(rows, OffsetRows::None) {
                    self.advance();
                }
                offset = Some(Offset { value, rows });
            }
            _ => {
                if limit.is_some() || query.fetch.is_some() {
                    return self.fail();
                }
                let fetch = self.fetch_first()?;
                if fetch.with_ties && query.order_by.is_none() {
                    return Err(error!(
                        SYNTAX_ERROR,
                        "WITH TIES cannot be specified without ORDER BY clause"
                    ));
                }
                query.fetch = Some(fetch);
            }
        }
        if limit.is_some() || offset.is_some() {
            query.limit_clause = Some(LimitClause::LimitOffset { limit, offset, limit_by: Vec::new() });
        }
        Ok(())
    }

    fn fetch_first(&mut self) -> Result<Fetch> {
        self.expect("fetch")?;
        if !self.accept("first") {
            self.expect("next")?;
        }
        let quantity = if self.at_any(&["row", "rows"]) { None } else { Some(self.restricted_expression()?) };
        if !self.accept("row") {
            self.expect("rows")?;
        }
        let with_ties = self.accept_words(&["with", "ties"]);
        if !with_ties {
            self.expect("only")?;
        }
        Ok(Fetch { with_ties, percent: false, quantity })
    }

    // FROM.

    pub(super) fn table_references(&mut self) -> Result<Vec<TableWithJoins>> {
        self.list(Self::table_reference)
    }

    fn table_reference(&mut self) -> Result<TableWithJoins> {
        self.nested(|parser| {
            let relation = parser.table_primary()?;
            let mut joins = Vec::new();
            while parser.at_join() {
                joins.push(parser.join()?);
                if joins.len() > CHAIN_MAX {
                    return Err(errors::too_deep());
                }
            }
            Ok(TableWithJoins { relation, joins })
        })
    }

    fn at_join(&self) -> bool {
        self.at_any(&["join", "inner", "left", "right", "full", "cross", "natural"])
    }

    fn join(&mut self) -> Result<Join> {
        if self.accept("cross") {
            self.expect("join")?;
            let relation = self.table_primary()?;
            return Ok(Join {
                relation,
                global: false,
                join_operator: JoinOperator::CrossJoin(JoinConstraint::None),
            });
        }
        let natural = self.accept("natural");
        let side = self.word().unwrap_or_default().to_owned();
        if side != "join" {
            if !matches!(side.as_str(), "inner" | "left" | "right" | "full") {
                return self.fail();
            }
            self.advance();
            if side != "inner" {
                self.accept("outer");
            }
        }
        self.expect("join")?;
        let mut relation = self.table_primary()?;
        let constraint = if natural {
            JoinConstraint::Natural
        } else {
            // `a JOIN b JOIN c ON … ON …`: the inner join comes first.
            while self.at_join() {
                let join = self.nested(Self::join)?;
                let table_with_joins = Box::new(TableWithJoins { relation, joins: vec![join] });
                relation = TableFactor::NestedJoin { table_with_joins, alias: None };
            }
            self.join_constraint()?
        };
        let join_operator = match side.as_str() {
            "inner" => JoinOperator::Inner(constraint),
            "left" => JoinOperator::LeftOuter(constraint),
            "right" => JoinOperator::RightOuter(constraint),
            "full" => JoinOperator::FullOuter(constraint),
            _ => JoinOperator::Join(constraint),
        };
        Ok(Join { relation, global: false, join_operator })
    }

    fn join_constraint(&mut self) -> Result<JoinConstraint> {
        if self.accept("on") {
            return Ok(JoinConstraint::On(self.expression()?));
        }
        self.expect("using")?;
        let columns = self.parenthesized(|parser| Ok(ObjectName::from(parser.identifier()?)))?;
        if self.at("as") {
            return self.unsupported("an alias for JOIN USING");
        }
        Ok(JoinConstraint::Using(columns))
    }

    fn table_primary(&mut self) -> Result<TableFactor> {
        let lateral = self.accept("lateral");
        if self.at_symbol("(") {
            if self.starts_query(self.index()) {
                return self.derived_table(lateral);
            }
            if lateral {
                return self.fail();
            }
            return self.nested_join();
        }
        if self.at("rows") && self.word_ahead(1) == Some("from") && self.symbol_ahead(2, "(") {
            return self.rows_from(lateral);
        }
        let only = self.accept("only");
        let parenthesized = only && self.accept_symbol("(");
        let start = self.index();
        let calls_special = self.symbol_ahead(1, "(") && !self.at_identifier();
        if !only && (calls_special || self.at_function_call()) {
            return self.table_function(lateral);
        }
        self.seek(start);
        if lateral {
            return self.fail();
        }
        let name = self.object_name()?;
        if parenthesized {
            self.expect_symbol(")")?;
        } else if !only {
            self.accept_operator("*");
        }
        let alias = self.table_alias(false)?;
        if self.at("tablesample") {
            return self.unsupported("TABLESAMPLE");
        }
        Ok(table_factor(name, alias))
    }

    fn at_function_call(&self) -> bool {
        let mut ahead = 0;
        loop {
            if !matches!(self.peek(ahead).kind, Kind::Word(..) | Kind::Quoted(_)) {
                return false;
            }
            if !self.symbol_ahead(ahead + 1, ".") {
                return self.symbol_ahead(ahead + 1, "(");
            }
            ahead += 2;
        }
    }

    fn derived_table(&mut self, lateral: bool) -> Result<TableFactor> {
        let position = self.position();
        let subquery = self.parenthesized_query()?;
        let alias = self.table_alias(false)?;
        if alias.is_none() {
            let (what, example) = match *subquery.body {
                SetExpr::Values(_) => ("VALUES", "VALUES"),
                _ => ("subquery", "SELECT"),
            };
            return Err(error!(SYNTAX_ERROR, "{what} in FROM must have an alias")
                .hint(format!("For example, FROM ({example} ...) [AS] foo."))
                .at(position));
        }
        Ok(TableFactor::Derived { lateral, subquery, alias, sample: None })
    }

    fn nested_join(&mut self) -> Result<TableFactor> {
        self.expect_symbol("(")?;
        let inner = self.table_reference()?;
        if inner.joins.is_empty() && !matches!(inner.relation, TableFactor::NestedJoin { .. }) {
            return self.fail();
        }
        self.expect_symbol(")")?;
        let alias = self.table_alias(false)?;
        Ok(TableFactor::NestedJoin { table_with_joins: Box::new(inner), alias })
    }

    fn table_function(&mut self, lateral: bool) -> Result<TableFactor> {
        let (name, args) = self.table_function_call()?;
        let with_ordinality = self.accept_words(&["with", "ordinality"]);
        let mut alias = self.table_alias(true)?;
        if let (Some(alias), Some(part)) = (&mut alias, name.0.last())
            && alias.name.value.is_empty()
        {
            alias.name = part.as_ident().cloned().unwrap_or_else(|| Ident::new(""));
        }
        if lateral {
            return Ok(TableFactor::Function { lateral, name, args, with_ordinality, alias });
        }
        if let [ObjectNamePart::Identifier(word)] = name.0.as_slice() {
            let plain = args.iter().map(positional).collect::<Option<Vec<_>>>();
            if let (true, Some(array_exprs)) = (word.value == "unnest" && word.quote_style.is_none(), plain) {
                return Ok(TableFactor::UNNEST {
                    alias,
                    array_exprs,
                    with_offset: false,
                    with_offset_alias: None,
                    with_ordinality,
                });
            }
        }
        let mut factor = table_factor(name, alias);
        if let TableFactor::Table { args: place, with_ordinality: ordinality, .. } = &mut factor {
            *place = Some(TableFunctionArgs { args, settings: None });
            *ordinality = with_ordinality;
        }
        Ok(factor)
    }

    fn table_function_call(&mut self) -> Result<(ObjectName, Vec<sqlparser::ast::FunctionArg>)> {
        let position = self.position();
        let plain = self.at_identifier()
            || matches!(&self.token().kind, Kind::Quoted(_))
            || self.symbol_ahead(1, ".");
        let call = if plain {
            let name = self.function_name()?;
            self.function_call(name)?
        } else {
            self.expression()?
        };
        match call {
            Expr::Function(function) => match function.args {
                FunctionArguments::List(list)
                    if list.clauses.is_empty()
                        && list.duplicate_treatment.is_none()
                        && function.over.is_none()
                        && function.filter.is_none() =>
                {
                    Ok((function.name, list.args))
                }
                _ => Err(SqlError::unsupported("this function call in FROM").at(position)),
            },
            _ => Err(SqlError::unsupported("this expression in FROM").at(position)),
        }
    }

    /// `ROWS FROM (f(…), g(…))`: a function named `rows from` of the calls; a single call is just that call.
    fn rows_from(&mut self, lateral: bool) -> Result<TableFactor> {
        let span = self.here();
        self.expect_words(&["rows", "from"])?;
        let mut calls = self.parenthesized(|parser| {
            let name = parser.function_name()?;
            let call = parser.function_call(name)?;
            if parser.at("as") {
                parser.unsupported("a column definition list in ROWS FROM")
            } else {
                Ok(call)
            }
        })?;
        let with_ordinality = self.accept_words(&["with", "ordinality"]);
        let alias = self.table_alias(true)?;
        if calls.len() == 1 {
            if let Some(Expr::Function(function)) = calls.pop()
                && let FunctionArguments::List(list) = function.args
            {
                return Ok(TableFactor::Function {
                    lateral,
                    name: function.name,
                    args: list.args,
                    with_ordinality,
                    alias,
                });
            }
            return self.fail();
        }
        let args = calls
            .into_iter()
            .map(|call| sqlparser::ast::FunctionArg::Unnamed(sqlparser::ast::FunctionArgExpr::Expr(call)))
            .collect();
        let name = ObjectName::from(vec![Ident::with_span(span, "rows from")]);
        Ok(TableFactor::Function { lateral, name, args, with_ordinality, alias })
    }

    /// `[AS] alias [(columns)]`; of a function also `AS (columns with types)`, whose alias is empty here.
    pub(super) fn table_alias(&mut self, of_function: bool) -> Result<Option<TableAlias>> {
        let explicit = self.accept("as");
        if explicit && of_function && self.at_symbol("(") {
            let columns = self.alias_columns(true)?;
            return Ok(Some(TableAlias { explicit, name: Ident::new(""), columns, at: None }));
        }
        if !explicit && !self.at_identifier() {
            return Ok(None);
        }
        let name = self.identifier()?;
        let columns = if self.at_symbol("(") { self.alias_columns(of_function)? } else { Vec::new() };
        Ok(Some(TableAlias { explicit, name, columns, at: None }))
    }

    fn alias_columns(&mut self, typed: bool) -> Result<Vec<TableAliasColumnDef>> {
        self.parenthesized(|parser| {
            let name = parser.identifier()?;
            let ends = parser.at_symbol(",") || parser.at_symbol(")");
            let data_type = if ends || !typed { None } else { Some(parser.data_type()?) };
            if data_type.is_some() && parser.accept("collate") {
                parser.object_name()?;
            }
            Ok(TableAliasColumnDef { name, data_type })
        })
    }
}

fn positional(argument: &sqlparser::ast::FunctionArg) -> Option<Expr> {
    match argument {
        sqlparser::ast::FunctionArg::Unnamed(sqlparser::ast::FunctionArgExpr::Expr(expression)) => {
            Some(expression.clone())
        }
        _ => None,
    }
}

/// The expressions of one grouping set: a row in parentheses is several.
fn ungroup(item: Expr) -> Vec<Expr> {
    match item {
        Expr::Tuple(items) => items,
        Expr::Nested(item) => vec![*item],
        item => vec![item],
    }
}

fn wildcard_options(span: Span) -> WildcardAdditionalOptions {
    WildcardAdditionalOptions {
        wildcard_token: AttachedToken(TokenWithSpan::new(Token::Mul, span)),
        ..WildcardAdditionalOptions::default()
    }
}

/// A plain table in FROM.
pub(super) fn table_factor(name: ObjectName, alias: Option<TableAlias>) -> TableFactor {
    TableFactor::Table {
        name,
        alias,
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}

fn select_body(select: Box<Select>) -> Box<SetExpr> {
    Box::new(SetExpr::Select(select))
}

fn values_body(values: Values) -> Box<SetExpr> {
    Box::new(SetExpr::Values(values))
}

fn query_body(query: Box<Query>) -> Box<SetExpr> {
    Box::new(SetExpr::Query(query))
}

fn set_operation(
    left: Box<SetExpr>,
    op: SetOperator,
    set_quantifier: SetQuantifier,
    right: Box<SetExpr>,
) -> Box<SetExpr> {
    Box::new(SetExpr::SetOperation { left, op, set_quantifier, right })
}

/// A query of just a body.
pub(super) fn query_of(with: Option<With>, body: Box<SetExpr>) -> Box<Query> {
    Box::new(Query {
        with,
        body,
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    })
}

fn empty_select() -> Box<Select> {
    Box::new(Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: Vec::new(),
        exclude: None,
        into: None,
        from: Vec::new(),
        lateral_views: Vec::new(),
        prewhere: None,
        selection: None,
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    })
}
