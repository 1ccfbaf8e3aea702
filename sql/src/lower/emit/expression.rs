//! Expressions as SQLite text. Truth values are 1, 0 and NULL.

use std::fmt::Write;

use super::{Emitter, Shape, quoted};
use crate::bound::*;
use crate::lower::host;
use crate::lower::{Binding, composite, host::HostFunction};
use crate::oid::types;
use crate::{Oid, Result, SqlError, Value, interrupt};

/// Attribute numbers of system columns.
const TABLE_OID: i16 = -6;
const CTID: i16 = -1;
const XMIN: i16 = -2;

/// What `xmin` shows for every row: rows have no versions here, so all belong to PostgreSQL's "frozen" transaction.
const FROZEN_TRANSACTION: &str = "2";

impl Emitter<'_> {
    /// Writes an expression; what it writes binds as tightly as a name.
    pub(in crate::lower) fn expression(&mut self, expr: &Expr) -> Result<()> {
        interrupt::check()?;
        match &expr.kind {
            ExprKind::Constant(value) => {
                literal(value, &mut self.out);
                Ok(())
            }
            ExprKind::Parameter(number) => self.parameter(*number, expr),
            ExprKind::Column { range, column } => self.column(*range, *column, expr),
            ExprKind::WholeRow(range) => self.whole_row(*range, expr),
            ExprKind::SystemColumn { range, attnum } => self.system_column(*range, *attnum, expr),
            ExprKind::Call(call) => self.call(call, expr.ty.oid),
            ExprKind::ConvertViaText(inner) => self.convert_via_text(inner, expr.ty),
            ExprKind::Relabel(inner) => self.expression(inner),
            ExprKind::ToDomain(inner) => self.to_domain(inner, expr.ty.oid),
            ExprKind::ConvertArray { array, element } => self.convert_array(array, element, expr),
            ExprKind::Placeholder => {
                let text = self.placeholders.last().cloned();
                self.push(&text.ok_or_else(|| SqlError::internal("a placeholder without a value"))?);
                Ok(())
            }
            ExprKind::And(list) => self.connected(list, " AND "),
            ExprKind::Or(list) => self.connected(list, " OR "),
            ExprKind::Not(inner) => self.around("(NOT ", inner, ")"),
            ExprKind::IsNull { operand, negated } => self.is_null(operand, *negated),
            ExprKind::IsTruth { operand, expected, negated } => self.is_truth(operand, *expected, *negated),
            ExprKind::IsDistinct { equality, negated } => self.is_distinct(equality, *negated),
            ExprKind::Case { operand, arms, otherwise } => {
                self.case(operand.as_deref(), arms, otherwise.as_deref())
            }
            ExprKind::Coalesce(list) => self.coalesce(list),
            ExprKind::NullIf(call) => self.null_if(call),
            ExprKind::Extreme { greatest, operands, .. } => self.extreme(*greatest, operands, expr.ty.oid),
            ExprKind::Array { elements, nested } => self.array(elements, *nested, expr),
            ExprKind::Row(fields) => self.row(fields, expr),
            ExprKind::RowCompare { comparison, left, right, operators } => {
                self.row_compare(*comparison, left, right, operators)
            }
            ExprKind::Subscript { base, subscripts } => self.subscript(base, subscripts, expr),
            ExprKind::AssignSubscript { base, subscripts, value } => {
                self.assign_subscript(base, subscripts, value, expr)
            }
            ExprKind::AssignField { base, field, value } => self.assign_field(base, *field, value, expr),
            ExprKind::Field { base, field } => self.field(base, *field, expr),
            ExprKind::ArrayCompare { function, any, scalar, array } => {
                self.array_compare(*function, *any, scalar, array)
            }
            ExprKind::Subquery(subquery) => self.subquery(subquery, expr),
            ExprKind::Aggregate(call) => self.aggregate(call, expr.ty.oid),
            ExprKind::Window(call) => self.window_call(call, expr.ty.oid),
            ExprKind::SqlValue(value) => {
                self.binding(Binding::SqlValue(*value));
                Ok(())
            }
            ExprKind::SetReturning(_) => Err(SqlError::unsupported("a set-returning function in this place")),
            ExprKind::Grouping(_) => Err(SqlError::unsupported("GROUPING outside GROUP BY")),
            ExprKind::Default => Err(SqlError::internal("DEFAULT that the binder has not resolved")),
            ExprKind::Excluded(column) => {
                self.binding(Binding::Excluded(*column));
                Ok(())
            }
        }
    }

    /// Writes an expression that is compared, ordered or grouped, with its collation.
    pub(super) fn collated(&mut self, expr: &Expr) -> Result<()> {
        self.expression(expr)?;
        let collate = self.collate(expr.ty.oid);
        self.push(collate);
        Ok(())
    }

    fn around(&mut self, before: &str, expr: &Expr, after: &str) -> Result<()> {
        self.push(before);
        self.expression(expr)?;
        self.push(after);
        Ok(())
    }

    fn connected(&mut self, list: &[Expr], word: &str) -> Result<()> {
        self.push("(");
        self.list(list, word, |e, item| e.expression(item))?;
        self.push(")");
        Ok(())
    }

    fn coalesce(&mut self, list: &[Expr]) -> Result<()> {
        if let [only] = list {
            return self.expression(only);
        }
        self.push("coalesce(");
        self.list(list, ", ", |e, item| e.expression(item))?;
        self.push(")");
        Ok(())
    }

    fn parameter(&mut self, number: usize, expr: &Expr) -> Result<()> {
        if self.outer.is_some() {
            return self.outer_value(expr);
        }
        self.binding(Binding::Parameter(number));
        Ok(())
    }

    /// Writes a place to which the executor gives a value. Equal values share a place.
    pub(in crate::lower) fn binding(&mut self, binding: Binding) {
        let bindings = &mut self.needs.bindings;
        let place = match bindings.iter().position(|known| *known == binding) {
            Some(place) => place,
            None => {
                bindings.push(binding);
                bindings.len() - 1
            }
        };
        let _ = write!(self.out, "?{}", place + 1);
    }

    /// In the text of a LATERAL query: a place for a value from outside.
    pub(super) fn outer_value(&mut self, expr: &Expr) -> Result<()> {
        let outer =
            self.outer.as_mut().ok_or_else(|| SqlError::internal("column of an unknown FROM item"))?;
        let place = match outer.iter().position(|known| known == expr) {
            Some(place) => place,
            None => {
                outer.push(expr.clone());
                outer.len() - 1
            }
        };
        let _ = write!(self.out, "?{}", place + 1);
        Ok(())
    }

    fn column(&mut self, range: RangeId, column: usize, expr: &Expr) -> Result<()> {
        if let Some(text) = self.renamed(range, column) {
            self.push(&text);
            return Ok(());
        }
        let Some(shape) = self.shapes.get(&range) else {
            return self.outer_value(expr);
        };
        let name = column_name(shape, column)?;
        let _ = write!(self.out, "\"r{}\".{name}", range.0);
        Ok(())
    }

    /// The whole row of a range as a composite; NULL for the missing side of an outer join.
    fn whole_row(&mut self, range: RangeId, expr: &Expr) -> Result<()> {
        let Some(shape) = self.shapes.get(&range).cloned() else { return self.outer_value(expr) };
        let width = match &shape {
            Shape::Table { columns, .. } => columns.len(),
            Shape::Host { columns, .. } => columns.len(),
            Shape::Positional(width) => *width,
        };
        // A row whose values are given one by one has no value for a column that its table has lost.
        let given = self.renamed.keys().any(|(renamed, _)| *renamed == range);
        let dropped = |column: &usize| match &shape {
            Shape::Table { columns, .. } => columns[*column].is_none(),
            Shape::Host { .. } => false,
            Shape::Positional(_) => given && !self.renamed.contains_key(&(range, *column)),
        };
        let columns: Vec<usize> = (0..width).filter(|column| !dropped(column)).collect();
        let texts: Vec<String> = columns
            .into_iter()
            .map(|column| match self.renamed(range, column) {
                Some(text) => text,
                None => column_name(&shape, column)
                    .map_or_else(|_| "NULL".to_owned(), |name| format!("\"r{}\".{name}", range.0)),
            })
            .collect();
        let function = match (&shape, self.records.get(&range)) {
            (Shape::Positional(_), Some(columns)) => {
                let (names, types) = columns.iter().cloned().unzip();
                composite::make_named_row(types, names)
            }
            _ => composite::make_row(expr.ty.oid, self.row_types(&shape, expr)),
        };
        let name = self.need(HostFunction::Scalar(function));
        if let Shape::Table { rowid, .. } = shape
            && self.renamed.is_empty()
        {
            let _ = write!(
                self.out,
                "CASE WHEN \"r{0}\".\"{rowid}\" IS NOT NULL THEN {name}({1}) END",
                range.0,
                texts.join(", ")
            );
        } else {
            let _ = write!(self.out, "{name}({})", texts.join(", "));
        }
        Ok(())
    }

    /// The types of a row's columns, when the catalog knows them.
    fn row_types(&self, shape: &Shape, expr: &Expr) -> Vec<Oid> {
        let relation = match shape {
            Shape::Table { relation, .. } | Shape::Host { relation, .. } => *relation,
            Shape::Positional(_) => match self.catalog.type_(expr.ty.oid) {
                Some(ty) if ty.typrelid.is_valid() => ty.typrelid,
                _ => return Vec::new(),
            },
        };
        self.live_types(relation)
    }

    /// The types of the columns that a relation still has.
    pub(super) fn live_types(&self, relation: Oid) -> Vec<Oid> {
        let attributes = self.catalog.attributes(relation);
        attributes.iter().filter(|a| !a.attisdropped).map(|a| a.atttypid).collect()
    }

    /// The positions of the dropped fields of a composite type: its values have nothing there.
    pub(super) fn dropped_fields(&self, ty: Oid) -> Vec<usize> {
        let relation = self.catalog.type_(ty).map_or(Oid::INVALID, |row| row.typrelid);
        let attributes = self.catalog.attributes(relation);
        attributes.iter().enumerate().filter(|(_, a)| a.attisdropped).map(|(position, _)| position).collect()
    }

    /// The position of a field among those that values of a composite type have.
    pub(super) fn live_field(&self, ty: Oid, field: usize) -> usize {
        field - self.dropped_fields(ty).iter().filter(|dropped| **dropped < field).count()
    }

    fn system_column(&mut self, range: RangeId, attnum: i16, expr: &Expr) -> Result<()> {
        let Some(shape) = self.shapes.get(&range).cloned() else { return self.outer_value(expr) };
        match (attnum, &shape) {
            (TABLE_OID, Shape::Table { relation, .. } | Shape::Host { relation, .. }) => {
                let _ = write!(self.out, "{relation}");
            }
            (CTID, Shape::Table { rowid, .. }) => {
                let _ = write!(self.out, "\"r{}\".\"{rowid}\"", range.0);
            }
            (XMIN, Shape::Table { .. }) => self.push(FROZEN_TRANSACTION),
            (_, Shape::Table { .. }) => self.push("0"),
            _ => return Err(SqlError::unsupported("a system column of something that is no table")),
        }
        Ok(())
    }

    fn convert_via_text(&mut self, inner: &Expr, target: TypeMod) -> Result<()> {
        let name = self.need(HostFunction::Scalar(host::convert_via_text(inner.ty.oid, target)));
        self.push(&name);
        self.around("(", inner, ")")
    }

    fn is_null(&mut self, operand: &Expr, negated: bool) -> Result<()> {
        if let ExprKind::Row(fields) = &operand.kind {
            self.push("(");
            self.list(fields, " AND ", |e, field| e.is_null(field, negated))?;
            self.push(if fields.is_empty() { "1)" } else { ")" });
            return Ok(());
        }
        if self.is_composite(operand.ty.oid) {
            let name = self.need(HostFunction::Scalar(super::super::composite::row_is_null(negated)));
            self.push(&name);
            return self.around("(", operand, ")");
        }
        self.around("(", operand, if negated { " IS NOT NULL)" } else { " IS NULL)" })
    }

    fn is_composite(&self, ty: Oid) -> bool {
        ty == types::RECORD || self.catalog.type_(ty).is_some_and(|t| t.typtype == 'c')
    }

    fn is_truth(&mut self, operand: &Expr, expected: Option<bool>, negated: bool) -> Result<()> {
        let word = match expected {
            Some(true) => "1)",
            Some(false) => "0)",
            None => "NULL)",
        };
        self.around("(", operand, if negated { " IS NOT " } else { " IS " })?;
        self.push(word);
        Ok(())
    }

    fn is_distinct(&mut self, equality: &Call, negated: bool) -> Result<()> {
        let [left, right] = equality.arguments.as_slice() else {
            return Err(SqlError::internal("IS DISTINCT FROM without two operands"));
        };
        if self.is_plain_equality(equality.function) {
            self.push("(");
            self.collated(left)?;
            self.push(if negated { " IS " } else { " IS NOT " });
            self.collated(right)?;
        } else {
            let (a, b) = (self.captured(|e| e.expression(left))?, self.captured(|e| e.expression(right))?);
            let equal = self.captured(|e| e.call(equality, types::BOOL))?;
            let _ = write!(
                self.out,
                "({}CASE WHEN {a} IS NULL THEN {b} IS NULL WHEN {b} IS NULL THEN 0 ELSE {equal} END",
                if negated { "" } else { "NOT " }
            );
        }
        self.push(")");
        Ok(())
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        arms: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Result<()> {
        if let Some(operand) = operand {
            let text = self.captured(|e| e.expression(operand))?;
            self.placeholders.push(text);
        }
        self.push("CASE");
        for (condition, result) in arms {
            self.around(" WHEN ", condition, "")?;
            self.around(" THEN ", result, "")?;
        }
        if let Some(otherwise) = otherwise {
            self.around(" ELSE ", otherwise, "")?;
        }
        self.push(" END");
        if operand.is_some() {
            self.placeholders.pop();
        }
        Ok(())
    }

    fn null_if(&mut self, call: &Call) -> Result<()> {
        self.push("CASE WHEN ");
        self.call(call, types::BOOL)?;
        self.push(" THEN NULL ELSE ");
        let first = call.arguments.first().ok_or_else(|| SqlError::internal("NULLIF without operands"))?;
        self.around("", first, " END")
    }

    /// GREATEST and LEAST ignore NULLs, as the engine's aggregates do and its functions do not.
    fn extreme(&mut self, greatest: bool, operands: &[Expr], ty: Oid) -> Result<()> {
        let collate = self.collate(ty);
        let _ = write!(self.out, "(SELECT {}(v{collate}) FROM (", if greatest { "max" } else { "min" });
        self.list(operands, " UNION ALL ", |e, operand| e.around("SELECT ", operand, " AS v"))?;
        self.push("))");
        Ok(())
    }

    /// Columns before the last decide only when they are equal.
    fn row_compare(
        &mut self,
        comparison: RowComparison,
        left: &[Expr],
        right: &[Expr],
        operators: &[(Oid, Oid)],
    ) -> Result<()> {
        let when_equal = matches!(comparison, RowComparison::LessOrEqual | RowComparison::GreaterOrEqual);
        for ((l, r), (equal, order)) in left.iter().zip(right).zip(operators) {
            let call = |function| Call {
                function,
                arguments: vec![l.clone(), r.clone()],
                collation: l.collation,
                position: None,
            };
            self.push("CASE ");
            self.call(&call(*equal), types::BOOL)?;
            self.push(" WHEN 0 THEN ");
            self.call(&call(*order), types::BOOL)?;
            self.push(" WHEN 1 THEN ");
        }
        self.push(if when_equal { "1" } else { "0" });
        left.iter().for_each(|_| self.push(" END"));
        Ok(())
    }
}

/// How a range's column is called, quoted.
fn column_name(shape: &Shape, column: usize) -> Result<String> {
    let missing = || SqlError::internal("column number out of range");
    match shape {
        Shape::Table { columns, .. } => {
            columns.get(column).and_then(|c| c.as_ref()).map(|c| quoted(c)).ok_or_else(missing)
        }
        Shape::Host { columns, .. } => columns.get(column).map(|c| quoted(c)).ok_or_else(missing),
        Shape::Positional(_) => Ok(format!("\"c{column}\"")),
    }
}

/// Writes a constant as SQLite reads it.
pub(in crate::lower) fn literal(value: &Value, out: &mut String) {
    let _ = match value {
        Value::Null => write!(out, "NULL"),
        // The smallest integer has no literal: its digits alone are too large.
        Value::Integer(i64::MIN) => write!(out, "(-9223372036854775807 - 1)"),
        Value::Integer(i) if *i < 0 => write!(out, "({i})"),
        Value::Integer(i) => write!(out, "{i}"),
        Value::Real(r) if r.is_infinite() => write!(out, "({}9e999)", if *r < 0.0 { "-" } else { "" }),
        Value::Real(r) => write!(out, "({r:e})"),
        Value::Text(text) => write!(out, "'{}'", text.replace('\'', "''")),
        Value::Blob(bytes) => {
            out.push_str("x'");
            for byte in bytes {
                let _ = write!(out, "{byte:02x}");
            }
            write!(out, "'")
        }
    };
}
