//! Subqueries used as expressions, and what else becomes one: comparisons with arrays.

use std::fmt::Write;

use super::{Emitter, Shape};
use crate::bound::*;
use crate::functions::{Body, CallTypes};
use crate::lower::composite;
use crate::lower::host::{self, HostFunction, RowsCall};
use crate::oid::types;
use crate::{Oid, Result, SqlError};

/// `pg_proc.oid` of `unnest(anyarray)`.
const UNNEST: Oid = Oid(2331);

impl Emitter<'_> {
    pub(super) fn subquery(&mut self, subquery: &SubqueryExpr, expr: &Expr) -> Result<()> {
        match &subquery.kind {
            SubqueryKind::Exists => {
                self.push("EXISTS (");
                self.query(&subquery.query)?;
                self.push(")");
                Ok(())
            }
            SubqueryKind::Scalar => self.scalar_subquery(&subquery.query),
            SubqueryKind::Array => self.array_subquery(&subquery.query, expr.ty.oid),
            SubqueryKind::Compare { any, left, test, range } => {
                self.compare_subquery(*any, left, test, *range, &subquery.query)
            }
        }
    }

    /// `(SELECT x FROM t)` → `(SELECT single_row("c0") FROM (SELECT x AS "c0" FROM t))`
    fn scalar_subquery(&mut self, query: &Query) -> Result<()> {
        if gives_one_row(query) {
            self.push("(");
            self.visible_query(query)?;
            self.push(")");
            return Ok(());
        }
        let name = self.need(HostFunction::Aggregate(host::single_row()));
        let _ = write!(self.out, "(SELECT {name}(\"c0\") FROM (");
        self.query(query)?;
        self.push("))");
        Ok(())
    }

    /// `ARRAY(SELECT x …)`.
    fn array_subquery(&mut self, query: &Query, array: Oid) -> Result<()> {
        let element = query.columns.first().map_or(types::TEXT, |c| c.ty.oid);
        let name = self.need(HostFunction::Aggregate(composite::collect_array(array, element)));
        let _ = write!(self.out, "(SELECT {name}(\"c0\") FROM (");
        self.query(query)?;
        self.push("))");
        Ok(())
    }

    /// `x IN (SELECT …)` where `=` is the engine's; else the test of each row, folded as SQL's ANY and ALL ask.
    fn compare_subquery(
        &mut self,
        any: bool,
        left: &[Expr],
        test: &Expr,
        range: RangeId,
        query: &Query,
    ) -> Result<()> {
        if let Some(negated) = self.membership(any, left, test, range) {
            self.push("(");
            if left.len() > 1 {
                self.push("(");
            }
            self.list(left, ", ", |e, item| e.collated(item))?;
            if left.len() > 1 {
                self.push(")");
            }
            self.push(if negated { " NOT IN (" } else { " IN (" });
            self.visible_query(query)?;
            self.push("))");
            return Ok(());
        }
        self.declare_positional(range, query.columns.len());
        let text = self.captured(|e| e.visible_query(query))?;
        let test = self.captured(|e| e.expression(test))?;
        self.fold_tests(any, &test, &format!("({text}) AS \"r{}\"", range.0));
        Ok(())
    }

    /// Folds the truth values of `test` over the rows of `source`: ANY and ALL with their NULLs.
    fn fold_tests(&mut self, any: bool, test: &str, source: &str) {
        let (fold, decisive, otherwise) = if any { ("max", 1, 0) } else { ("min", 0, 1) };
        let _ = write!(
            self.out,
            "(SELECT CASE WHEN {fold}(v) = {decisive} THEN {decisive} \
             WHEN count(*) = count(v) THEN {otherwise} END FROM (SELECT {test} AS v FROM {source}))"
        );
    }

    /// Whether a comparison is `IN` (`false`) or `NOT IN` (`true`) with the engine's own equality.
    fn membership(&self, any: bool, left: &[Expr], test: &Expr, range: RangeId) -> Option<bool> {
        let tests: &[Expr] = match &test.kind {
            ExprKind::And(list) if any => list,
            _ => std::slice::from_ref(test),
        };
        if tests.len() != left.len() {
            return None;
        }
        let plain = |function| {
            if any { self.is_plain_equality(function) } else { self.is_plain_inequality(function) }
        };
        for (index, (test, left)) in tests.iter().zip(left).enumerate() {
            let ExprKind::Call(call) = &test.kind else { return None };
            let [first, second] = call.arguments.as_slice() else { return None };
            let is_column =
                matches!(second.kind, ExprKind::Column { range: r, column } if r == range && column == index);
            if first != left || !is_column || !plain(call.function) {
                return None;
            }
        }
        Some(!any)
    }

    /// `x = ANY (ARRAY[a, b])` → `x IN (a, b)`; other operators and arrays: the test of each element.
    pub(super) fn array_compare(
        &mut self,
        function: Oid,
        any: bool,
        scalar: &Expr,
        array: &Expr,
    ) -> Result<()> {
        let plain = if any { self.is_plain_equality(function) } else { self.is_plain_inequality(function) };
        if plain && let ExprKind::Array { elements, nested: false } = &array.kind {
            self.push("(");
            self.collated(scalar)?;
            self.push(if any { " IN (" } else { " NOT IN (" });
            self.list(elements, ", ", |e, element| e.expression(element))?;
            self.push("))");
            return Ok(());
        }
        let element = self.element_type(array.ty.oid, scalar.ty.oid);
        let unnest = self.unnest(array.ty.oid, element)?;
        let array_text = self.captured(|e| e.expression(array))?;
        let _ = write!(self.out, "CASE WHEN {array_text} IS NOT NULL THEN ");
        if plain {
            self.push("(");
            self.collated(scalar)?;
            let word = if any { "IN" } else { "NOT IN" };
            let _ = write!(self.out, " {word} (SELECT \"c0\" FROM {unnest}({array_text})))");
        } else {
            self.array_tests(function, any, scalar, element, &format!("{unnest}({array_text})"))?;
        }
        self.push(" END");
        Ok(())
    }

    fn array_tests(
        &mut self,
        function: Oid,
        any: bool,
        scalar: &Expr,
        element: Oid,
        source: &str,
    ) -> Result<()> {
        // The element is a column that no range table entry has: it goes by a placeholder.
        self.placeholders.push("\"element\".\"c0\"".to_owned());
        let call = Call {
            function,
            arguments: vec![
                scalar.clone(),
                Expr {
                    kind: ExprKind::Placeholder,
                    ty: TypeMod::plain(element),
                    collation: scalar.collation,
                },
            ],
            collation: scalar.collation,
            position: None,
        };
        let test = self.captured(|e| e.call(&call, types::BOOL));
        self.placeholders.pop();
        self.fold_tests(any, &test?, &format!("{source} AS \"element\""));
        Ok(())
    }

    /// The element type of an array type; `otherwise` for pseudo-types.
    pub(super) fn element_type(&self, array: Oid, otherwise: Oid) -> Oid {
        match self.catalog.type_(array) {
            Some(ty) if ty.typelem.is_valid() => ty.typelem,
            _ => otherwise,
        }
    }

    /// The quoted name of a table function that gives an array's elements.
    pub(super) fn unnest(&mut self, array: Oid, element: Oid) -> Result<String> {
        let procedure = host::procedure(self.catalog, UNNEST)?;
        let Some(Body::Rows(body)) = host::body(self.catalog, &procedure) else {
            return Err(SqlError::unsupported("function unnest(anyarray)"));
        };
        let types =
            CallTypes { function: UNNEST, arguments: vec![array], result: element, collation: Oid::INVALID };
        let call = RowsCall { body: Some(body), types, strict: true, arguments: 1, columns: 1, packed: None };
        let name = format!("array_elements#{array}").into();
        Ok(self.need(HostFunction::Table(host::rows_table(name, vec![call], false))))
    }

    /// `a::text[]` with a conversion of each element.
    pub(super) fn convert_array(&mut self, array: &Expr, element: &Expr, expr: &Expr) -> Result<()> {
        let source_element = self.element_type(array.ty.oid, types::TEXT);
        let unnest = self.unnest(array.ty.oid, source_element)?;
        let text = self.captured(|e| e.expression(array))?;
        self.placeholders.push("\"element\".\"c0\"".to_owned());
        let converted = self.captured(|e| e.expression(element));
        self.placeholders.pop();
        let collect =
            self.need(HostFunction::Aggregate(composite::collect_array(expr.ty.oid, element.ty.oid)));
        // Unnesting forgets dimensions and lower bounds.
        let shape = self.need(HostFunction::Scalar(composite::shape_array(expr.ty.oid, element.ty.oid)));
        let _ = write!(
            self.out,
            "CASE WHEN {text} IS NOT NULL THEN \
             {shape}((SELECT {collect}({}) FROM {unnest}({text}) AS \"element\"), {text}) END",
            converted?
        );
        Ok(())
    }

    pub(super) fn array(&mut self, elements: &[Expr], nested: bool, expr: &Expr) -> Result<()> {
        let element = self.element_type(expr.ty.oid, types::TEXT);
        let name = self.need(HostFunction::Scalar(composite::make_array(expr.ty.oid, element, nested)));
        self.push(&name);
        self.push("(");
        self.list(elements, ", ", |e, item| e.expression(item))?;
        self.push(")");
        Ok(())
    }

    pub(super) fn row(&mut self, fields: &[Expr], expr: &Expr) -> Result<()> {
        let dropped = self.dropped_fields(expr.ty.oid);
        let fields: Vec<&Expr> =
            fields.iter().enumerate().filter(|(place, _)| !dropped.contains(place)).map(|(_, f)| f).collect();
        let types = fields.iter().map(|f| f.ty.oid).collect();
        let name = self.need(HostFunction::Scalar(composite::make_row(expr.ty.oid, types)));
        self.push(&name);
        self.push("(");
        self.list(&fields, ", ", |e, item| e.expression(item))?;
        self.push(")");
        Ok(())
    }

    pub(super) fn field(&mut self, base: &Expr, field: usize, expr: &Expr) -> Result<()> {
        // The field of a whole row is that column; no composite is made.
        if let ExprKind::WholeRow(range) = base.kind
            && self.shapes.contains_key(&range)
            && !matches!(self.shapes[&range], Shape::Positional(_))
        {
            let column = Expr { kind: ExprKind::Column { range, column: field }, ..expr.clone() };
            return self.expression(&column);
        }
        let field = self.live_field(base.ty.oid, field);
        let name = self.need(HostFunction::Scalar(composite::row_field(base.ty.oid, field, expr.ty.oid)));
        self.push(&name);
        self.push("(");
        self.expression(base)?;
        self.push(")");
        Ok(())
    }

    /// Subscripts: every one as a pair of arguments, lower and upper; an index has no lower.
    pub(super) fn subscript(&mut self, base: &Expr, subscripts: &[Subscript], expr: &Expr) -> Result<()> {
        let slice = subscripts.iter().any(|s| matches!(s, Subscript::Slice(..)));
        let function = composite::subscript(base.ty.oid, expr.ty.oid, slice);
        let name = self.need(HostFunction::Scalar(function));
        self.push(&name);
        self.push("(");
        self.expression(base)?;
        for subscript in subscripts {
            match subscript {
                Subscript::Index(index) if slice => {
                    self.push(", 1, ");
                    self.expression(index)?;
                }
                Subscript::Index(index) => {
                    self.push(", ");
                    self.expression(index)?;
                }
                Subscript::Slice(lower, upper) => {
                    for bound in [lower, upper] {
                        self.push(", ");
                        match bound {
                            // An absent bound is told from NULL by its type: it is text.
                            None => self.push("'*'"),
                            Some(bound) => self.expression(bound)?,
                        }
                    }
                }
            }
        }
        self.push(")");
        Ok(())
    }

    /// `SET a[1] = value`.
    pub(super) fn assign_subscript(
        &mut self,
        base: &Expr,
        subscripts: &[Subscript],
        value: &Expr,
        expr: &Expr,
    ) -> Result<()> {
        let mut arguments = vec![base, value];
        for subscript in subscripts {
            match subscript {
                Subscript::Index(index) => arguments.push(index),
                Subscript::Slice(..) => return Err(SqlError::unsupported("assignment to an array slice")),
            }
        }
        let function = composite::assign_subscript(expr.ty.oid, self.element_type(expr.ty.oid, types::TEXT));
        self.call_host(function, &arguments)
    }

    /// `SET c.f = value`.
    pub(super) fn assign_field(
        &mut self,
        base: &Expr,
        field: usize,
        value: &Expr,
        expr: &Expr,
    ) -> Result<()> {
        let relation = self.catalog.type_(expr.ty.oid).map_or(Oid::INVALID, |t| t.typrelid);
        let field = self.live_field(expr.ty.oid, field);
        let function = composite::assign_field(expr.ty.oid, field, self.live_types(relation));
        self.call_host(function, &[base, value])
    }

    fn call_host(&mut self, function: storage::ScalarFunction, arguments: &[&Expr]) -> Result<()> {
        let name = self.need(HostFunction::Scalar(function));
        self.push(&name);
        self.push("(");
        self.list(arguments, ", ", |e, argument| e.expression(argument))?;
        self.push(")");
        Ok(())
    }

    /// A conversion to a domain: the value, checked.
    pub(super) fn to_domain(&mut self, inner: &Expr, domain: Oid) -> Result<()> {
        let checks = self.stored.domain_checks(self.catalog, domain)?;
        if checks.constraints.is_empty() && !checks.not_null {
            return self.expression(inner);
        }
        let value = self.captured(|e| e.expression(inner))?;
        self.placeholders.push(value.clone());
        let mut texts = Vec::new();
        let mut names = Vec::new();
        for (name, check) in &checks.constraints {
            texts.push(self.captured(|e| e.expression(check))?);
            names.push(name.clone());
        }
        self.placeholders.pop();
        let function = composite::check_domain(domain, checks.name, checks.not_null, names);
        let name = self.need(HostFunction::Scalar(function));
        let _ = write!(self.out, "{name}({value}");
        for text in texts {
            let _ = write!(self.out, ", {text}");
        }
        self.push(")");
        Ok(())
    }
}

/// Whether a query can give no more than one row: an aggregate without groups, a constant row.
fn gives_one_row(query: &Query) -> bool {
    match &query.body {
        QueryBody::Select(select) => {
            (select.group_by.grouped && select.group_by.keys.is_empty() && select.group_by.sets.len() <= 1)
                || select.from.is_none()
        }
        QueryBody::Values(rows) => rows.len() == 1,
        QueryBody::SetOperation { .. } => false,
    }
}
