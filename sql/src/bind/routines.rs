//! Functions in language SQL: a call becomes the function's query, in which parameters are the call's arguments.
//!
//! The parameters stand as the columns of an item named like the function, one level of query further out than the
//! body. So columns of the body come first and `function.parameter` works, as PostgreSQL resolves them.
//!
//! Source: `src/backend/executor/functions.c`, `src/backend/optimizer/util/clauses.c` (`inline_function`).

use std::sync::Arc;

use super::aggregates::each_column;
use super::position::At;
use super::scope::{NamespaceItem, ScopeColumn};
use super::walk::each_part;
use super::{BindContext, Binder, Typed};
use crate::bound::{
    Call, Expr, ExprKind, FromItem, OutputColumn, Query, QueryBody, SubqueryExpr, SubqueryKind, TypeMod,
};
use crate::catalog::Procedure;
use crate::oid::{languages, types};
use crate::{Oid, Result, SqlError, Value, error, parse};

/// What a call's arguments allow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Arguments {
    /// They can stand wherever a parameter stands.
    Plain,
    /// They must be evaluated once: a call in them is volatile, or costs as much as a subquery.
    Once,
    /// They only mean something where they are written: aggregates, window functions, sets.
    Bound,
}

impl Binder<'_> {
    /// The function of a call that stands for a query.
    pub(super) fn sql_routine(&self, function: Oid) -> Option<Arc<Procedure>> {
        let row = self.catalog().function(function)?;
        (row.prolang == languages::SQL && row.oid >= crate::oid::FIRST_NORMAL).then_some(row)
    }

    /// A call of a function that returns one value, as a subquery; nothing for other functions.
    pub(super) fn scalar_routine(&mut self, call: &Call, result: Oid, at: At) -> Result<Option<Typed>> {
        let Some(row) = self.sql_routine(call.function) else { return Ok(None) };
        if !self.becomes_query(&row)
            || row.proretset
            || matches!(result, types::RECORD | types::VOID)
            || self.is_composite(result)
        {
            return Ok(None);
        }
        let ty = TypeMod::plain(result);
        let kind = match self.arguments_of(&call.arguments) {
            Arguments::Plain => scalar(self.routine_query(&row, &call.arguments, &[ty], true)?),
            Arguments::Once => self.routine_over_arguments(&row, &call.arguments, ty)?,
            Arguments::Bound => return Ok(None),
        };
        let kind = if row.proisstrict { null_for_null(kind, &call.arguments, ty) } else { kind };
        Ok(Some(self.with_type_collation(Typed::new(kind, ty, at))))
    }

    /// Whether the body is one query that may run as a part of the caller's: others are run by themselves.
    fn becomes_query(&self, row: &Procedure) -> bool {
        let text = body_text(row);
        !row.prosecdef
            && !self.routines.contains(&row.oid)
            && parse::parse_query(text.trim().trim_end_matches(';')).is_ok()
    }

    /// The query that a call in FROM stands for, giving `columns`; nothing for other calls.
    pub(super) fn table_routine(&mut self, call: &Expr, columns: &[OutputColumn]) -> Result<Option<Query>> {
        let (ExprKind::Call(call) | ExprKind::SetReturning(call)) = &call.kind else { return Ok(None) };
        let Some(row) = self.sql_routine(call.function) else { return Ok(None) };
        if !self.becomes_query(&row)
            || row.prorettype == types::VOID
            || self.arguments_of(&call.arguments) != Arguments::Plain
        {
            return Ok(None);
        }
        let targets: Vec<TypeMod> = columns.iter().map(|column| column.ty).collect();
        let query = self.routine_query(&row, &call.arguments, &targets, !row.proretset)?;
        if !row.proisstrict || call.arguments.is_empty() {
            return Ok(Some(query));
        }
        let present = call.arguments.iter().map(|argument| null_test(argument, true)).collect();
        let filter = Typed::boolean(ExprKind::And(present), At::NOWHERE).expr;
        Ok(Some(self.around(query, Some(filter))))
    }

    /// `SELECT (body) FROM (SELECT arguments)`: each argument is evaluated once.
    fn routine_over_arguments(
        &mut self,
        row: &Procedure,
        arguments: &[Expr],
        ty: TypeMod,
    ) -> Result<ExprKind> {
        let columns: Vec<OutputColumn> = arguments
            .iter()
            .map(|argument| OutputColumn {
                name: String::new(),
                ty: argument.ty,
                collation: argument.collation,
                origin: None,
            })
            .collect();
        let select = self.select_of(None, arguments.to_vec(), &columns);
        let values = plain_query(QueryBody::Select(Box::new(select)), columns.clone());
        let range = self.new_range();
        let places: Vec<Expr> = columns
            .iter()
            .enumerate()
            .map(|(column, output)| Expr {
                kind: ExprKind::Column { range, column },
                ty: output.ty,
                collation: output.collation,
            })
            .collect();
        let body = scalar(self.routine_query(row, &places, &[ty], true)?);
        let value = Expr { kind: body, ty, collation: Oid::INVALID };
        let from = FromItem::Subquery { range, query: Box::new(values), lateral: false };
        let output =
            vec![OutputColumn { name: row.proname.clone(), ty, collation: Oid::INVALID, origin: None }];
        let select = self.select_of(Some(from), vec![value], &output);
        Ok(scalar(plain_query(QueryBody::Select(Box::new(select)), output)))
    }

    /// The body of a function over these arguments, converted to these types; with `single`, its first row.
    fn routine_query(
        &mut self,
        row: &Procedure,
        arguments: &[Expr],
        targets: &[TypeMod],
        single: bool,
    ) -> Result<Query> {
        let name = &row.proname;
        let text = body_text(row);
        let tree = parse::parse_query(text.trim().trim_end_matches(';')).map_err(|_| {
            SqlError::unsupported(format!("the SQL function {name}, which is more than one query,"))
        })?;
        self.inlined.push(row.oid);
        let context = BindContext { text: &text, parameters: &[], ..*self.context };
        let mut inner = Binder::new(&context);
        (inner.counters, inner.depth) = (self.counters, self.depth);
        inner.routines = self.routines.clone();
        inner.routines.push(row.oid);
        inner.enter_routine(row, arguments);
        let result = inner.deeper(|binder| {
            let query = binder.query(&tree, true)?;
            check_result(binder, row, &query, targets)?;
            binder.convert_columns(query, targets, &[])
        });
        self.counters = inner.counters;
        self.record_shapes.extend(std::mem::take(&mut inner.record_shapes));
        self.views.append(&mut inner.views);
        self.inlined.append(&mut inner.inlined);
        let mut query = result.map_err(|mut error| {
            error.0.position = None;
            error
        })?;
        if single {
            if query.limit.is_some() || query.offset.is_some() {
                query = self.around(query, None);
            }
            query.limit = Some(Expr {
                kind: ExprKind::Constant(Value::Integer(1)),
                ty: TypeMod::plain(types::INT8),
                collation: Oid::INVALID,
            });
        }
        Ok(query)
    }

    /// Makes the parameters visible as columns of an outer level.
    pub(super) fn enter_routine(&mut self, row: &Procedure, arguments: &[Expr]) {
        self.push_scope();
        for argument in arguments {
            let levels = &mut self.range_levels;
            each_column(argument, &mut |range, _| {
                levels.insert(range, 0);
            });
        }
        let names = parameter_names(row);
        let columns = arguments
            .iter()
            .enumerate()
            .map(|(index, argument)| ScopeColumn {
                name: names.get(index).cloned().unwrap_or_default(),
                expr: argument.clone(),
                dropped: names.get(index).is_none_or(String::is_empty),
            })
            .collect();
        self.scope().items.push(NamespaceItem {
            name: row.proname.clone(),
            relation: None,
            range: None,
            columns,
            row_type: types::RECORD,
            scalar: false,
            system: None,
            relation_visible: true,
            columns_visible: true,
            lateral_only: false,
            lateral_ok: true,
        });
        self.arguments = arguments.to_vec();
    }

    /// `SELECT columns FROM (query) WHERE filter`.
    fn around(&mut self, query: Query, filter: Option<Expr>) -> Query {
        let range = self.new_range();
        let columns = query.columns.clone();
        let values = columns
            .iter()
            .enumerate()
            .map(|(column, output)| Expr {
                kind: ExprKind::Column { range, column },
                ty: output.ty,
                collation: output.collation,
            })
            .collect();
        let from = FromItem::Subquery { range, query: Box::new(query), lateral: false };
        let mut select = self.select_of(Some(from), values, &columns);
        select.filter = filter;
        plain_query(QueryBody::Select(Box::new(select)), columns)
    }

    fn arguments_of(&self, arguments: &[Expr]) -> Arguments {
        let mut found = Arguments::Plain;
        for argument in arguments {
            self.look_at(argument, &mut found);
        }
        found
    }

    fn look_at(&self, expr: &Expr, found: &mut Arguments) {
        match &expr.kind {
            ExprKind::Aggregate(_)
            | ExprKind::Window(_)
            | ExprKind::SetReturning(_)
            | ExprKind::Placeholder => {
                *found = Arguments::Bound;
            }
            ExprKind::Subquery(_) if *found == Arguments::Plain => *found = Arguments::Once,
            ExprKind::Call(call)
                if *found == Arguments::Plain
                    && self.catalog().function(call.function).is_none_or(|row| row.provolatile == 'v') =>
            {
                *found = Arguments::Once;
            }
            _ => {}
        }
        if !matches!(expr.kind, ExprKind::Subquery(_)) {
            each_part(expr, &mut |part| self.look_at(part, found));
        }
    }
}

/// The body as a query string.
pub(super) fn body_text(row: &Procedure) -> String {
    match &row.prosqlbody {
        Some(body) => {
            body.strip_prefix("RETURN ").map_or_else(|| body.clone(), |expr| format!("SELECT {expr}"))
        }
        None => row.prosrc.clone(),
    }
}

/// The body must give what the function returns.
fn check_result(binder: &Binder<'_>, row: &Procedure, query: &Query, targets: &[TypeMod]) -> Result<()> {
    if query.columns.len() == targets.len() {
        return Ok(());
    }
    let mismatch = error!(
        INVALID_FUNCTION_DEFINITION,
        "return type mismatch in function declared to return {}",
        binder.format_type(row.prorettype)
    );
    Err(match targets.len() {
        1 => mismatch.detail("Final statement must return exactly one column."),
        _ if query.columns.len() > targets.len() => {
            mismatch.detail("Final statement returns too many columns.")
        }
        _ => mismatch.detail("Final statement returns too few columns."),
    })
}

/// The names of the parameters that a call gives, in order.
fn parameter_names(row: &Procedure) -> Vec<String> {
    let Some(names) = &row.proargnames else { return Vec::new() };
    let is_input = |index: &usize| {
        row.proargmodes.as_ref().is_none_or(|modes| matches!(modes.get(*index), Some('i' | 'b' | 'v')))
    };
    (0..names.len()).filter(is_input).map(|index| names[index].clone()).collect()
}

fn scalar(query: Query) -> ExprKind {
    ExprKind::Subquery(Box::new(SubqueryExpr { kind: SubqueryKind::Scalar, query }))
}

fn plain_query(body: QueryBody, columns: Vec<OutputColumn>) -> Query {
    Query {
        ctes: Vec::new(),
        body,
        order_by: Vec::new(),
        limit: None,
        offset: None,
        with_ties: false,
        locks: Vec::new(),
        columns,
    }
}

fn null_test(argument: &Expr, negated: bool) -> Expr {
    let kind = ExprKind::IsNull { operand: Box::new(argument.clone()), negated };
    Typed::boolean(kind, At::NOWHERE).expr
}

/// `CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE value END`.
fn null_for_null(value: ExprKind, arguments: &[Expr], ty: TypeMod) -> ExprKind {
    if arguments.is_empty() {
        return value;
    }
    let missing = arguments.iter().map(|argument| null_test(argument, false)).collect();
    let missing = Typed::boolean(ExprKind::Or(missing), At::NOWHERE).expr;
    let expr = |kind| Expr { kind, ty, collation: Oid::INVALID };
    ExprKind::Case {
        operand: None,
        arms: vec![(missing, expr(ExprKind::Constant(Value::Null)))],
        otherwise: Some(Box::new(expr(value))),
    }
}
