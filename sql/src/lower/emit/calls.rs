//! Calls of functions, aggregates and window functions as SQLite text.

use std::fmt::Write;

use super::Emitter;
use crate::bound::*;
use crate::catalog::{Catalog, Procedure};
use crate::functions::{Body, CallTypes};
use crate::lower::host::{self, HostFunction, Resolved};
use crate::{Oid, Result, SqlError, Value};

/// The engine's `=`, as the function table spells it.
const EQUALITIES: [&str; 2] = ["{0} = {1}", "{0} = {1} COLLATE pgkey"];
/// The engine's `<>`.
const INEQUALITIES: [&str; 2] = ["{0} <> {1}", "{0} <> {1} COLLATE pgkey"];

/// Whether a function is SQLite's `=` itself.
pub(in crate::lower) fn is_plain_equality(catalog: &Catalog, function: Oid) -> bool {
    native_template(catalog, function).is_some_and(|text| EQUALITIES.contains(&text))
}

fn native_template(catalog: &Catalog, function: Oid) -> Option<&'static str> {
    let procedure = catalog.function(function)?;
    match host::body(catalog, &procedure)? {
        Body::Native(text) => Some(text.trim().trim_start_matches('(').trim_end_matches(')')),
        _ => None,
    }
}

impl Emitter<'_> {
    fn call_types(function: Oid, arguments: &[Expr], result: Oid, collation: Oid) -> CallTypes {
        CallTypes { function, arguments: arguments.iter().map(|a| a.ty.oid).collect(), result, collation }
    }

    /// Writes the call of a scalar function.
    pub(super) fn call(&mut self, call: &Call, result: Oid) -> Result<()> {
        let types = Self::call_types(call.function, &call.arguments, result, call.collation);
        match host::resolve(self.catalog, types)? {
            Resolved::Native(text) => self.native(text, &call.arguments),
            Resolved::Scalar { function, waits } => {
                self.needs.waits |= waits;
                let procedure = host::procedure(self.catalog, call.function)?;
                self.note_writes(&procedure);
                self.needs.effects |= host::has_effect(&procedure);
                let name = self.need(HostFunction::Scalar(function));
                self.push(&name);
                self.arguments(&call.arguments)
            }
            Resolved::NativeWindow(name) => {
                self.push(name);
                self.arguments(&call.arguments)
            }
            Resolved::Aggregate(_) | Resolved::Rows => {
                Err(SqlError::internal("an aggregate or set-returning function called as a scalar one"))
            }
        }
    }

    /// What a function with a body in SQL asks of its statement: one snapshot for both; if it may change tables, the right
    /// to write, and not to be started twice.
    pub(super) fn note_writes(&mut self, procedure: &Procedure) {
        self.needs.nested |= host::runs_statements(procedure);
        if host::may_write(procedure) {
            self.needs.may_write = true;
            self.needs.waits = true;
        }
    }

    fn arguments(&mut self, arguments: &[Expr]) -> Result<()> {
        self.push("(");
        self.list(arguments, ", ", |e, argument| e.expression(argument))?;
        self.push(")");
        Ok(())
    }

    /// Writes a template; the arguments take their places with their collations.
    fn native(&mut self, template: &str, arguments: &[Expr]) -> Result<()> {
        self.push("(");
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            self.push(&rest[..open]);
            let close = rest[open..].find('}').ok_or_else(|| SqlError::internal("a broken template"))? + open;
            let index: usize =
                rest[open + 1..close].parse().map_err(|_| SqlError::internal("a broken template"))?;
            let argument =
                arguments.get(index).ok_or_else(|| SqlError::internal("a template with too many places"))?;
            self.collated(argument)?;
            rest = &rest[close + 1..];
        }
        self.push(rest);
        self.push(")");
        Ok(())
    }

    /// Whether a function is SQLite's `=` itself, so that IN, IS and row values of the engine can be used for it.
    pub(super) fn is_plain_equality(&self, function: Oid) -> bool {
        is_plain_equality(self.catalog, function)
    }

    /// Whether a function is SQLite's `<>` itself.
    pub(super) fn is_plain_inequality(&self, function: Oid) -> bool {
        native_template(self.catalog, function).is_some_and(|text| INEQUALITIES.contains(&text))
    }

    /// Writes the call of an aggregate.
    pub(super) fn aggregate(&mut self, call: &AggregateCall, result: Oid) -> Result<()> {
        // The sort keys of WITHIN GROUP are arguments of the state: the direct ones stand before them.
        let ordered_set = !call.direct.is_empty()
            || self.catalog.aggregate(call.function).is_some_and(|a| a.aggkind != 'n');
        let mut arguments = call.direct.clone();
        arguments.extend(call.arguments.iter().cloned());
        if ordered_set && call.arguments.is_empty() {
            arguments.extend(call.order_by.iter().map(|key| key.expr.clone()));
        }
        let types = Self::call_types(call.function, &arguments, result, call.collation);
        let mut constants = Vec::new();
        if call.distinct && arguments.len() > 1 {
            for argument in arguments.drain(1..) {
                let ExprKind::Constant(value) = argument.kind else {
                    return Err(SqlError::unsupported("DISTINCT in an aggregate of several columns"));
                };
                constants.push(value);
            }
        }
        let native = self.aggregate_name(types, constants)?;
        self.push("(");
        if call.distinct {
            self.push("DISTINCT ");
        }
        match arguments.as_slice() {
            [] if native.is_some() => self.push("*"),
            arguments => self.list(arguments, ", ", |e, argument| {
                if native.is_some() || call.distinct { e.collated(argument) } else { e.expression(argument) }
            })?,
        }
        self.aggregate_order(call, &arguments)?;
        self.push(")");
        self.filter(call.filter.as_ref())
    }

    /// Writes an aggregate's name; the name when it is the engine's own.
    fn aggregate_name(&mut self, types: CallTypes, constants: Vec<Value>) -> Result<Option<&'static str>> {
        match host::resolve(self.catalog, types)? {
            Resolved::NativeWindow(name) => {
                self.push(name);
                Ok(Some(name))
            }
            Resolved::Aggregate(mut function) => {
                if !constants.is_empty() {
                    function = host::with_constants(&function, constants);
                }
                let name = self.need(HostFunction::Aggregate(function));
                self.push(&name);
                Ok(None)
            }
            _ => Err(SqlError::internal("a scalar function called as an aggregate")),
        }
    }

    /// ORDER BY inside a call. DISTINCT sorts too, as it does in PostgreSQL.
    fn aggregate_order(&mut self, call: &AggregateCall, arguments: &[Expr]) -> Result<()> {
        if !call.order_by.is_empty() {
            self.push(" ORDER BY ");
            return self.list(&call.order_by, ", ", |e, key| e.order_key(key));
        }
        match arguments {
            [first, ..] if call.distinct => {
                self.push(" ORDER BY ");
                self.collated(first)?;
                self.push(" ASC NULLS LAST");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn order_key(&mut self, key: &OrderBy) -> Result<()> {
        self.collated(&key.expr)?;
        self.push(direction(key.descending, key.nulls_first));
        Ok(())
    }

    fn filter(&mut self, filter: Option<&Expr>) -> Result<()> {
        if let Some(filter) = filter {
            self.push(" FILTER (WHERE ");
            self.expression(filter)?;
            self.push(")");
        }
        Ok(())
    }

    /// Writes the call of a window function with its window.
    pub(super) fn window_call(&mut self, call: &WindowCall, result: Oid) -> Result<()> {
        let types = Self::call_types(call.function, &call.arguments, result, call.collation);
        let native = self.aggregate_name(types, Vec::new())?;
        self.push("(");
        if native == Some("count") && call.arguments.is_empty() {
            self.push("*");
        }
        self.list(
            &call.arguments,
            ", ",
            |e, a| if native.is_some() { e.collated(a) } else { e.expression(a) },
        )?;
        self.push(")");
        self.filter(call.filter.as_ref())?;
        let window = self.windows.last().and_then(|w| w.get(call.window)).cloned();
        let window = window.ok_or_else(|| SqlError::internal("an unknown window"))?;
        self.push(" OVER (");
        self.window(&window)?;
        self.push(")");
        Ok(())
    }

    fn window(&mut self, window: &Window) -> Result<()> {
        if !window.partition_by.is_empty() {
            self.push("PARTITION BY ");
            self.list(&window.partition_by, ", ", |e, key| e.collated(key))?;
            self.push(" ");
        }
        if !window.order_by.is_empty() {
            self.push("ORDER BY ");
            self.list(&window.order_by, ", ", |e, key| e.order_key(key))?;
            self.push(" ");
        }
        let Some(frame) = &window.frame else { return Ok(()) };
        let offset = |b: &FrameBound| matches!(b, FrameBound::Preceding(_) | FrameBound::Following(_));
        if frame.unit == FrameUnit::Range && (offset(&frame.start) || offset(&frame.end)) {
            let key = window.order_by.first().map(|key| key.expr.ty.oid);
            let bounds = [&frame.start, &frame.end].into_iter().filter_map(|bound| match bound {
                FrameBound::Preceding(offset) | FrameBound::Following(offset) => Some(offset.ty.oid),
                _ => None,
            });
            if key.into_iter().chain(bounds).any(|ty| self.is_keyed(ty)) {
                return Err(SqlError::unsupported("RANGE with an offset over this type"));
            }
        }
        self.push(match frame.unit {
            FrameUnit::Rows => "ROWS",
            FrameUnit::Range => "RANGE",
            FrameUnit::Groups => "GROUPS",
        });
        self.push(" BETWEEN ");
        self.frame_bound(&frame.start)?;
        self.push(" AND ");
        self.frame_bound(&frame.end)?;
        self.push(match frame.exclude {
            FrameExclude::NoOthers => "",
            FrameExclude::CurrentRow => " EXCLUDE CURRENT ROW",
            FrameExclude::Group => " EXCLUDE GROUP",
            FrameExclude::Ties => " EXCLUDE TIES",
        });
        Ok(())
    }

    fn frame_bound(&mut self, bound: &FrameBound) -> Result<()> {
        let (offset, word) = match bound {
            FrameBound::UnboundedPreceding => (None, "UNBOUNDED PRECEDING"),
            FrameBound::CurrentRow => (None, "CURRENT ROW"),
            FrameBound::UnboundedFollowing => (None, "UNBOUNDED FOLLOWING"),
            FrameBound::Preceding(offset) => (Some(offset), " PRECEDING"),
            FrameBound::Following(offset) => (Some(offset), " FOLLOWING"),
        };
        if let Some(offset) = offset {
            self.expression(offset)?;
        }
        let _ = write!(self.out, "{word}");
        Ok(())
    }
}

/// ` DESC NULLS LAST` and its kin.
pub(super) fn direction(descending: bool, nulls_first: bool) -> &'static str {
    match (descending, nulls_first) {
        (false, false) => " ASC NULLS LAST",
        (false, true) => " ASC NULLS FIRST",
        (true, false) => " DESC NULLS LAST",
        (true, true) => " DESC NULLS FIRST",
    }
}
