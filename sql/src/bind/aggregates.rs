//! Aggregates and window functions: where they may stand, to which query they belong, what their clauses mean.
//!
//! Source: `src/backend/parser/parse_agg.c`.

use std::sync::Arc;

use sqlparser::ast;

use super::candidates::Candidate;
use super::functions::{Arguments, Found, LATERAL_HINT};
use super::position::At;
use super::scope::{Clause, ident_name, name_parts};
use super::walk::each_part;
use super::{Binder, Typed};
use crate::bound::{
    AggregateCall, Expr, ExprKind, Frame, FrameBound, FrameExclude, FrameUnit, OrderBy, RangeId, TypeMod,
    Window, WindowCall,
};
use crate::catalog::Procedure;
use crate::oid::types;
use crate::{Result, SqlError, error};

/// Calls `visit` with each column that an expression names, subqueries included; whole rows as column `usize::MAX`.
pub(super) fn each_column(expr: &Expr, visit: &mut dyn FnMut(RangeId, usize)) {
    match &expr.kind {
        ExprKind::Column { range, column } => visit(*range, *column),
        ExprKind::WholeRow(range) => visit(*range, usize::MAX),
        ExprKind::SystemColumn { range, .. } => visit(*range, usize::MAX),
        _ => {}
    }
    each_part(expr, &mut |part| each_column(part, visit));
}

/// What contains what.
fn contains(expr: &Expr, test: &dyn Fn(&Expr) -> bool) -> bool {
    if test(expr) {
        return true;
    }
    let mut found = false;
    each_part(expr, &mut |part| found = found || contains(part, test));
    found
}

pub(super) fn contains_set(expr: &Expr) -> bool {
    contains(expr, &|part| matches!(part.kind, ExprKind::SetReturning(_)))
}

pub(super) fn contains_window(expr: &Expr) -> bool {
    contains(expr, &|part| matches!(part.kind, ExprKind::Window(_)))
}

/// The clauses of an aggregate call.
struct Clauses {
    order_by: Vec<OrderBy>,
    filter: Option<Typed>,
    distinct: bool,
    star: bool,
    within_group: usize,
}

impl Binder<'_> {
    /// Whether a function of this name may be an aggregate or window function.
    pub(super) fn needs_aggregate_scope(&self, name: &ast::ObjectName) -> bool {
        let parts = name_parts(name);
        let last = parts.last().map_or("", String::as_str);
        self.catalog().functions_named(last).iter().any(|row| matches!(row.prokind, 'a' | 'w'))
    }

    /// Binds a call of a function that may be an aggregate or a window function.
    pub(super) fn aggregate_or_window(
        &mut self,
        function: &ast::Function,
        list: &ast::FunctionArgumentList,
        at: At,
    ) -> Result<Typed> {
        let name = name_parts(&function.name);
        self.scope().aggregate_depth += 1;
        let bound = self.aggregate_arguments(function, list);
        self.scope().aggregate_depth -= 1;
        let (arguments, clauses) = bound?;
        match self.find_function(&name, &arguments, at)? {
            Found::Function(row, candidate) if row.prokind == 'a' => {
                self.aggregate(function, row, &candidate, arguments, clauses, at)
            }
            Found::Function(row, candidate) if row.prokind == 'w' => {
                self.window_function(function, row, &candidate, arguments, clauses, at)
            }
            Found::Function(..) | Found::Cast(_) if function.over.is_some() => Err(error!(
                WRONG_OBJECT_TYPE,
                "OVER specified, but {} is not a window function nor an aggregate function",
                name.join(".")
            )
            .at(self.position(at))),
            Found::Function(..) | Found::Cast(_) => self.call_named(&name, arguments, at),
            Found::Ambiguous => Err(self.ambiguous_function(&name, &arguments, at)),
            Found::Nothing if clauses.order_by.len() > 1 && clauses.within_group == 0 => {
                Err(self.missing_function(&name, &arguments, at).hint(
                    "No aggregate function matches the given name and argument types. Perhaps you misplaced ORDER BY; ORDER BY must appear after all regular arguments of the aggregate.",
                ))
            }
            Found::Nothing => Err(self.missing_function(&name, &arguments, at)),
        }
    }

    fn aggregate_arguments(
        &mut self,
        function: &ast::Function,
        list: &ast::FunctionArgumentList,
    ) -> Result<(Arguments, Clauses)> {
        let star =
            matches!(list.args.as_slice(), [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard)]);
        let mut arguments = self.arguments(&list.args)?;
        let mut order_by = Vec::new();
        for clause in &list.clauses {
            match clause {
                ast::FunctionArgumentClause::OrderBy(keys) => {
                    for key in keys {
                        let typed = self.expr(&key.expr)?;
                        order_by.push(self.order_key(typed, &key.options)?);
                    }
                }
                _ => return Err(SqlError::unsupported("this clause of a function call")),
            }
        }
        for key in &function.within_group {
            let typed = self.expr(&key.expr)?;
            arguments.values.push(typed.clone());
            let typed = self.unknown_or_same(typed)?;
            order_by.push(self.order_key(typed, &key.options)?);
        }
        let filter = match &function.filter {
            Some(tree) => Some(self.in_clause(Clause::Filter, |binder| binder.condition(tree, "FILTER"))?),
            None => None,
        };
        let distinct = list.duplicate_treatment == Some(ast::DuplicateTreatment::Distinct);
        Ok((
            arguments,
            Clauses { order_by, filter, distinct, star, within_group: function.within_group.len() },
        ))
    }

    fn unknown_or_same(&mut self, typed: Typed) -> Result<Typed> {
        if typed.is_unknown() && matches!(typed.expr.kind, ExprKind::Constant(_)) {
            return self.unknown_to_text(typed);
        }
        Ok(typed)
    }

    /// One key of an ORDER BY inside an expression.
    pub(super) fn order_key(&mut self, typed: Typed, options: &ast::OrderByOptions) -> Result<OrderBy> {
        let typed = self.unknown_to_text(typed)?;
        let (descending, nulls_first) = self.sort_direction(options, typed.type_oid(), typed.at)?;
        Ok(OrderBy { expr: typed.expr, descending, nulls_first })
    }

    fn aggregate(
        &mut self,
        function: &ast::Function,
        row: Arc<Procedure>,
        candidate: &Candidate,
        arguments: Arguments,
        clauses: Clauses,
        at: At,
    ) -> Result<Typed> {
        let kind = self.catalog().aggregate(row.oid);
        let ordered_set = kind.as_ref().is_some_and(|kind| kind.aggkind != 'n');
        let name = &row.proname;
        let place = self.position(at);
        let refuse = |message: String| Err(error!(WRONG_OBJECT_TYPE, "{message}").at(place));
        if arguments.values.is_empty() && !clauses.star && !ordered_set {
            return refuse(format!("{name}(*) must be used to call a parameterless aggregate function"));
        }
        if ordered_set && clauses.within_group == 0 {
            return refuse(format!("WITHIN GROUP is required for ordered-set aggregate {name}"));
        }
        if ordered_set && function.over.is_some() {
            return Err(error!(
                FEATURE_NOT_SUPPORTED,
                "OVER is not supported for ordered-set aggregate {name}"
            )
            .at(place));
        }
        if !ordered_set && clauses.within_group > 0 {
            return refuse(format!("{name} is not an ordered-set aggregate, so it cannot have WITHIN GROUP"));
        }
        let mut arguments = arguments;
        if kind.as_ref().is_some_and(|kind| kind.aggkind == 'h') {
            self.unify_hypothetical(&mut arguments, clauses.within_group)?;
        }
        let resolved = self.resolve_arguments(row, candidate, arguments, at)?;
        if resolved.arguments.iter().any(|argument| contains_set(&argument.expr)) {
            let what = if function.over.is_some() { "window function" } else { "aggregate function" };
            return Err(error!(
                FEATURE_NOT_SUPPORTED,
                "{what} calls cannot contain set-returning function calls"
            )
            .hint(LATERAL_HINT)
            .at(place));
        }
        let mut values = resolved.arguments;
        let derived = self.derive(&values)?;
        let result = TypeMod::plain(resolved.result);
        if let Some(over) = &function.over {
            return self.window_call(resolved.row.oid, values, result, over, clauses, at);
        }
        let filter = clauses.filter;
        let (direct, order_by) =
            self.split_ordered(&mut values, clauses.order_by, clauses.within_group, ordered_set);
        if clauses.distinct {
            self.check_distinct(&values, &order_by, at)?;
        }
        let level = self.aggregate_level(&values, &order_by, filter.as_ref());
        let select = self.place_aggregate(level, at)?;
        let aggregated = values.iter().map(|value| &value.expr).chain(order_by.iter().map(|key| &key.expr));
        for part in aggregated.chain(filter.iter().map(|filter| &filter.expr)) {
            if contains(
                part,
                &|part| matches!(&part.kind, ExprKind::Aggregate(inner) if inner.level == select),
            ) {
                return Err(error!(GROUPING_ERROR, "aggregate function calls cannot be nested").at(place));
            }
            if contains_window(part) {
                return Err(error!(
                    GROUPING_ERROR,
                    "aggregate function calls cannot contain window function calls"
                )
                .at(place));
            }
        }
        let call = AggregateCall {
            function: resolved.row.oid,
            arguments: values.into_iter().map(|value| value.expr).collect(),
            direct,
            distinct: clauses.distinct,
            order_by,
            filter: filter.map(|filter| filter.expr),
            collation: derived.collation,
            level: select,
        };
        let typed = Typed::new(ExprKind::Aggregate(Box::new(call)), result, at);
        Ok(self.collate_result(typed, derived))
    }

    /// The hypothetical row's values get the types of the keys they are compared with.
    fn unify_hypothetical(&mut self, arguments: &mut Arguments, keys: usize) -> Result<()> {
        let direct = arguments.values.len() - keys;
        if direct != keys {
            return Ok(());
        }
        for index in 0..keys {
            let pair = vec![arguments.values[direct + index].clone(), arguments.values[index].clone()];
            let (pair, _) = self.unify(pair, "WITHIN GROUP")?;
            for (slot, value) in [direct + index, index].into_iter().zip(pair) {
                arguments.values[slot] = value;
            }
        }
        Ok(())
    }

    /// Splits an ordered-set aggregate's arguments into direct ones and those that are ordered.
    fn split_ordered(
        &self,
        values: &mut Vec<Typed>,
        order_by: Vec<OrderBy>,
        keys: usize,
        ordered_set: bool,
    ) -> (Vec<Expr>, Vec<OrderBy>) {
        if !ordered_set {
            return (Vec::new(), order_by);
        }
        let ordered = values.split_off(values.len().saturating_sub(keys));
        let direct = std::mem::replace(values, ordered).into_iter().map(|value| value.expr).collect();
        let order_by = values
            .iter()
            .zip(order_by)
            .map(|(value, key)| OrderBy { expr: value.expr.clone(), ..key })
            .collect();
        (direct, order_by)
    }

    fn check_distinct(&mut self, values: &[Typed], order_by: &[OrderBy], at: At) -> Result<()> {
        if values.is_empty() {
            return Err(
                error!(INVALID_FUNCTION_DEFINITION, "DISTINCT is not supported here").at(self.position(at))
            );
        }
        for key in order_by {
            if !values.iter().any(|value| value.expr == key.expr) {
                let mut place = None;
                if let ExprKind::Column { range, column } = key.expr.kind {
                    place = self
                        .scope_ref()
                        .references
                        .iter()
                        .rev()
                        .find(|reference| reference.range == range && reference.column == column)
                        .map(|reference| reference.at);
                }
                return Err(error!(
                    INVALID_COLUMN_REFERENCE,
                    "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list"
                )
                .at(self.position(place.unwrap_or(at))));
            }
        }
        for value in values {
            self.require_equality(value.type_oid(), value.at)?;
        }
        Ok(())
    }

    /// The level of query to which an aggregate belongs: the innermost whose columns it uses.
    fn aggregate_level(&self, values: &[Typed], order_by: &[OrderBy], filter: Option<&Typed>) -> usize {
        let current = self.scopes.len() - 1;
        let mut level = None;
        let mut note = |found: usize| {
            if found <= current {
                level = level.max(Some(found));
            }
        };
        let parts = values.iter().map(|value| &value.expr).chain(order_by.iter().map(|key| &key.expr));
        for part in parts.chain(filter.iter().map(|filter| &filter.expr)) {
            each_column(part, &mut |range, _| {
                if let Some(found) = self.range_levels.get(&range) {
                    note(*found);
                }
            });
        }
        level.unwrap_or(current)
    }

    /// Checks that an aggregate may stand where it does, and notes that its query is grouped.
    fn place_aggregate(&mut self, level: usize, at: At) -> Result<crate::bound::SelectId> {
        let clause = self.scopes[level].clause;
        if let Some(where_not) = aggregate_refusal(clause) {
            return Err(error!(GROUPING_ERROR, "aggregate functions are not allowed in {where_not}")
                .at(self.position(at)));
        }
        self.scopes[level].has_aggregates = true;
        Ok(self.scopes[level].select)
    }

    /// `GROUPING(a, b)`.
    pub(super) fn grouping_call(&mut self, list: &ast::FunctionArgumentList, at: At) -> Result<Typed> {
        let arguments = self.arguments(&list.args)?.values;
        if arguments.len() >= 32 {
            return Err(error!(TOO_MANY_ARGUMENTS, "GROUPING must have fewer than 32 arguments")
                .at(self.position(at)));
        }
        let clause = self.scope_ref().clause;
        if let Some(where_not) = aggregate_refusal(clause) {
            return Err(error!(GROUPING_ERROR, "grouping operations are not allowed in {where_not}")
                .at(self.position(at)));
        }
        let scope = self.scope();
        scope.has_aggregates = true;
        scope.groupings.push(arguments);
        // The keys are not known yet: the number of the call stands in until they are.
        let number = scope.groupings.len() - 1;
        Ok(Typed::new(ExprKind::Grouping(vec![number]), TypeMod::plain(types::INT4), at))
    }

    fn window_function(
        &mut self,
        function: &ast::Function,
        row: Arc<Procedure>,
        candidate: &Candidate,
        arguments: Arguments,
        clauses: Clauses,
        at: At,
    ) -> Result<Typed> {
        let place = self.position(at);
        let name = name_parts(&function.name).join(".");
        let Some(over) = &function.over else {
            return Err(error!(WRONG_OBJECT_TYPE, "window function {name} requires an OVER clause").at(place));
        };
        if clauses.within_group > 0 {
            return Err(
                error!(WRONG_OBJECT_TYPE, "window function {name} cannot have WITHIN GROUP").at(place)
            );
        }
        if clauses.filter.is_some() {
            return Err(error!(
                FEATURE_NOT_SUPPORTED,
                "FILTER is not implemented for non-aggregate window functions"
            )
            .at(place));
        }
        let resolved = self.resolve_arguments(row, candidate, arguments, at)?;
        let result = TypeMod::plain(resolved.result);
        self.window_call(resolved.row.oid, resolved.arguments, result, over, clauses, at)
    }

    fn window_call(
        &mut self,
        function: crate::Oid,
        values: Vec<Typed>,
        result: TypeMod,
        over: &ast::WindowType,
        clauses: Clauses,
        at: At,
    ) -> Result<Typed> {
        let place = self.position(at);
        if clauses.distinct {
            return Err(
                error!(FEATURE_NOT_SUPPORTED, "DISTINCT is not implemented for window functions").at(place)
            );
        }
        if !clauses.order_by.is_empty() {
            return Err(error!(
                FEATURE_NOT_SUPPORTED,
                "aggregate ORDER BY is not implemented for window functions"
            )
            .at(place));
        }
        if values.iter().any(|value| contains_window(&value.expr)) {
            return Err(error!(WINDOWING_ERROR, "window function calls cannot be nested").at(place));
        }
        if let Some(where_not) = window_refusal(self.scope_ref().clause) {
            return Err(error!(WINDOWING_ERROR, "window functions are not allowed in {where_not}").at(place));
        }
        let derived = self.derive(&values)?;
        let window = self.over(over)?;
        self.scope().has_windows = true;
        let call = WindowCall {
            function,
            arguments: values.into_iter().map(|value| value.expr).collect(),
            filter: clauses.filter.map(|filter| filter.expr),
            window,
            collation: derived.collation,
        };
        Ok(self.collate_result(Typed::new(ExprKind::Window(Box::new(call)), result, at), derived))
    }

    /// The window that OVER names or describes.
    fn over(&mut self, over: &ast::WindowType) -> Result<usize> {
        match over {
            ast::WindowType::NamedWindow(ident) => self.named_window(ident),
            ast::WindowType::WindowSpec(spec) => {
                let window = self.window(spec)?;
                Ok(self.add_window(window))
            }
        }
    }

    fn add_window(&mut self, window: Window) -> usize {
        let windows = &mut self.scope().windows;
        windows.iter().position(|other| *other == window).unwrap_or_else(|| {
            windows.push(window);
            windows.len() - 1
        })
    }

    fn named_window(&mut self, ident: &ast::Ident) -> Result<usize> {
        let name = ident_name(ident);
        self.scope_ref()
            .window_names
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, index)| *index)
            .ok_or_else(|| {
                error!(UNDEFINED_OBJECT, "window \"{name}\" does not exist")
                    .at(self.position_of(ident.span.start))
            })
    }

    /// Binds the WINDOW clause, before the expressions that use it.
    pub(super) fn window_clause(&mut self, definitions: &[ast::NamedWindowDefinition]) -> Result<()> {
        for ast::NamedWindowDefinition(ident, definition) in definitions {
            let name = ident_name(ident);
            if self.scope_ref().window_names.iter().any(|(other, _)| *other == name) {
                return Err(error!(WINDOWING_ERROR, "window \"{name}\" is already defined")
                    .at(self.position_of(ident.span.start)));
            }
            let index = match definition {
                ast::NamedWindowExpr::NamedWindow(other) => self.named_window(other)?,
                ast::NamedWindowExpr::WindowSpec(spec) => {
                    let window = self.window(spec)?;
                    self.add_window(window)
                }
            };
            self.scope().window_names.push((name, index));
        }
        Ok(())
    }

    fn window(&mut self, spec: &ast::WindowSpec) -> Result<Window> {
        let base = match &spec.window_name {
            Some(ident) => {
                let index = self.named_window(ident)?;
                let base = self.scope_ref().windows[index].clone();
                self.check_base_window(spec, &base, ident)?;
                Some(base)
            }
            None => None,
        };
        let mut partition_by = Vec::new();
        for tree in &spec.partition_by {
            let key = self.in_clause(Clause::WindowPartition, |binder| binder.window_key(tree))?;
            self.require_equality(key.type_oid(), key.at)?;
            partition_by.push(key.expr);
        }
        let mut order_by = Vec::new();
        for key in &spec.order_by {
            let typed = self.in_clause(Clause::WindowOrder, |binder| binder.window_key(&key.expr))?;
            order_by.push(self.order_key(typed, &key.options)?);
        }
        if let Some(base) = base {
            partition_by = base.partition_by;
            if order_by.is_empty() {
                order_by = base.order_by;
            }
        }
        let frame = match &spec.window_frame {
            Some(frame) => Some(self.frame(frame, &order_by)?),
            None => None,
        };
        Ok(Window { partition_by, order_by, frame })
    }

    fn window_key(&mut self, tree: &ast::Expr) -> Result<Typed> {
        let typed = self.expr(tree)?;
        self.unknown_to_text(typed)
    }

    fn check_base_window(&self, spec: &ast::WindowSpec, base: &Window, ident: &ast::Ident) -> Result<()> {
        let name = ident_name(ident);
        let what = if !spec.partition_by.is_empty() {
            format!("cannot override PARTITION BY clause of window \"{name}\"")
        } else if !spec.order_by.is_empty() && !base.order_by.is_empty() {
            format!("cannot override ORDER BY clause of window \"{name}\"")
        } else if base.frame.is_some() {
            format!("cannot copy window \"{name}\" because it has a frame clause")
        } else {
            return Ok(());
        };
        Err(error!(WINDOWING_ERROR, "{what}").at(self.position_of(ident.span.start)))
    }

    fn frame(&mut self, frame: &ast::WindowFrame, order_by: &[OrderBy]) -> Result<Frame> {
        let unit = match frame.units {
            ast::WindowFrameUnits::Rows => FrameUnit::Rows,
            ast::WindowFrameUnits::Range => FrameUnit::Range,
            ast::WindowFrameUnits::Groups => FrameUnit::Groups,
        };
        if unit == FrameUnit::Groups && order_by.is_empty() {
            return Err(error!(WINDOWING_ERROR, "GROUPS mode requires an ORDER BY clause"));
        }
        let start = self.frame_bound(&frame.start_bound, true, unit, order_by)?;
        let end = match &frame.end_bound {
            Some(bound) => self.frame_bound(bound, false, unit, order_by)?,
            None => FrameBound::CurrentRow,
        };
        let rank = |bound: &FrameBound| match bound {
            FrameBound::UnboundedPreceding => 0,
            FrameBound::Preceding(_) => 1,
            FrameBound::CurrentRow => 2,
            FrameBound::Following(_) => 3,
            FrameBound::UnboundedFollowing => 4,
        };
        let wrong = match (&start, &end) {
            (FrameBound::UnboundedFollowing, _) => Some("frame start cannot be UNBOUNDED FOLLOWING"),
            (_, FrameBound::UnboundedPreceding) => Some("frame end cannot be UNBOUNDED PRECEDING"),
            (FrameBound::CurrentRow, FrameBound::Preceding(_)) => {
                Some("frame starting from current row cannot have preceding rows")
            }
            (FrameBound::Following(_), end) if rank(end) < 3 => {
                Some("frame starting from following row cannot have preceding rows")
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            return Err(error!(WINDOWING_ERROR, "{wrong}"));
        }
        Ok(Frame { unit, start, end, exclude: FrameExclude::NoOthers })
    }

    fn frame_bound(
        &mut self,
        bound: &ast::WindowFrameBound,
        is_start: bool,
        unit: FrameUnit,
        order_by: &[OrderBy],
    ) -> Result<FrameBound> {
        let _ = is_start;
        Ok(match bound {
            ast::WindowFrameBound::CurrentRow => FrameBound::CurrentRow,
            ast::WindowFrameBound::Preceding(None) => FrameBound::UnboundedPreceding,
            ast::WindowFrameBound::Following(None) => FrameBound::UnboundedFollowing,
            ast::WindowFrameBound::Preceding(Some(offset)) => {
                FrameBound::Preceding(Box::new(self.frame_offset(offset, unit, order_by)?))
            }
            ast::WindowFrameBound::Following(Some(offset)) => {
                FrameBound::Following(Box::new(self.frame_offset(offset, unit, order_by)?))
            }
        })
    }

    fn frame_offset(&mut self, tree: &ast::Expr, unit: FrameUnit, order_by: &[OrderBy]) -> Result<Expr> {
        let offset = self.in_clause(Clause::WindowFrame, |binder| binder.expr(tree))?;
        let at = offset.at;
        let word = match unit {
            FrameUnit::Rows => "ROWS",
            FrameUnit::Groups => "GROUPS",
            FrameUnit::Range => "RANGE",
        };
        let level = self.scopes.len() - 1;
        let mut own_column = false;
        each_column(&offset.expr, &mut |range, _| {
            own_column |= self.range_levels.get(&range) == Some(&level)
        });
        if own_column {
            return Err(error!(INVALID_COLUMN_REFERENCE, "argument of {word} must not contain variables")
                .at(self.position(at)));
        }
        if unit != FrameUnit::Range {
            return Ok(self.coerce_to_specific(offset, types::INT8, word)?.expr);
        }
        let [key] = order_by else {
            return Err(error!(
                WINDOWING_ERROR,
                "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column"
            )
            .at(self.position(at)));
        };
        self.range_offset(offset, key.expr.ty.oid)
    }

    /// The offset of a RANGE frame has a type that can be added to the key's.
    fn range_offset(&mut self, offset: Typed, key: crate::Oid) -> Result<Expr> {
        let at = offset.at;
        let key = self.base_type(key).oid;
        let source = offset.type_oid();
        let accepted: &[crate::Oid] = match key {
            types::INT2 => &[types::INT2, types::INT4, types::INT8],
            types::INT4 => &[types::INT4, types::INT2, types::INT8],
            types::INT8 => &[types::INT8],
            types::FLOAT4 | types::FLOAT8 => &[types::FLOAT8],
            types::NUMERIC => &[types::NUMERIC],
            types::DATE
            | types::TIMESTAMP
            | types::TIMESTAMPTZ
            | types::TIME
            | types::TIMETZ
            | types::INTERVAL => &[types::INTERVAL],
            _ => {
                return Err(error!(
                    FEATURE_NOT_SUPPORTED,
                    "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {}",
                    self.format_type(key)
                )
                .at(self.position(at)));
            }
        };
        if accepted.contains(&source) {
            return Ok(offset.expr);
        }
        for target in accepted {
            if self.can_coerce_one(source, *target, super::coerce::Context::Implicit) {
                return Ok(self
                    .coerce(offset, TypeMod::plain(*target), super::coerce::Context::Implicit)?
                    .expr);
            }
        }
        Err(error!(
            FEATURE_NOT_SUPPORTED,
            "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {} and offset type {}",
            self.format_type(key),
            self.format_type(source)
        )
        .hint("Cast the offset value to an appropriate type.")
        .at(self.position(at)))
    }
}

/// The clause's name, where aggregates are not allowed in it.
fn aggregate_refusal(clause: Clause) -> Option<&'static str> {
    match clause {
        Clause::Other
        | Clause::Having
        | Clause::WindowPartition
        | Clause::WindowOrder
        | Clause::SelectTarget
        | Clause::OrderBy
        | Clause::DistinctOn => None,
        Clause::JoinOn => Some("JOIN conditions"),
        Clause::FromSubselect => Some("FROM clause of their own query level"),
        Clause::FromFunction => Some("functions in FROM"),
        Clause::WindowFrame => Some("window frame clauses"),
        Clause::MergeWhen => Some("MERGE WHEN conditions"),
        other => Some(other.name()),
    }
}

/// The clause's name, where window functions are not allowed in it.
fn window_refusal(clause: Clause) -> Option<&'static str> {
    match clause {
        Clause::Other | Clause::SelectTarget | Clause::OrderBy | Clause::DistinctOn => None,
        Clause::JoinOn => Some("JOIN conditions"),
        Clause::FromFunction => Some("functions in FROM"),
        Clause::WindowPartition | Clause::WindowOrder | Clause::WindowFrame => Some("window definitions"),
        Clause::MergeWhen => Some("MERGE WHEN conditions"),
        other => Some(other.name()),
    }
}
