//! Expressions: one arm for each form of the syntax tree.
//!
//! Source: `src/backend/parser/parse_expr.c`.

use sqlparser::ast::{self, BinaryOperator, Expr as Tree, UnaryOperator, Value as Literal};

use super::coerce::Context;
use super::collations::Strength;
use super::common_type::common_modifier;
use super::functions::LATERAL_HINT;
use super::operators::{OperatorName, binary_name, unary_name};
use super::position::At;
use super::{Binder, Typed};
use crate::bound::{ExprKind, TypeMod};
use crate::oid::types;
use crate::{Result, SqlError, Value, error};

/// A binary operator waiting for its left operand.
struct PendingOperator<'t> {
    name: OperatorName,
    right: &'t Tree,
}

impl Binder<'_> {
    /// Binds an expression.
    pub(super) fn expr(&mut self, tree: &Tree) -> Result<Typed> {
        self.deeper(|binder| binder.expr_inner(tree))
    }

    fn expr_inner(&mut self, tree: &Tree) -> Result<Typed> {
        match tree {
            Tree::Identifier(ident) if super::query::is_default(tree) => {
                let at = self.position(super::scope::at_ident(ident));
                Err(error!(SYNTAX_ERROR, "DEFAULT is not allowed in this context").at(at))
            }
            Tree::Identifier(ident) => self.unqualified(ident),
            Tree::CompoundIdentifier(idents) => self.qualified(idents),
            Tree::Value(literal) => self.literal(literal),
            Tree::Nested(inner) => self.expr(inner),
            Tree::BinaryOp { left, op, right } => self.binary(tree, left, op, right),
            Tree::UnaryOp { op, expr } => self.unary(*op, expr),
            Tree::Cast { kind, expr, data_type, .. } => {
                let target = self.data_type(data_type)?;
                self.cast_tree(expr, target, kind)
            }
            Tree::TypedString(typed) => {
                let target = self.data_type(&typed.data_type)?;
                let input = self.literal(&typed.value)?;
                let at = input.at;
                self.cast(input, target, at)
            }
            Tree::Interval(interval) => self.interval_literal(interval),
            Tree::Function(function) => self.function(function),
            Tree::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            Tree::Array(array) => self.array(array, None),
            Tree::Tuple(items) => self.row(items),
            Tree::CompoundFieldAccess { root, access_chain } => self.indirection(root, access_chain),
            Tree::Subquery(query) => self.scalar_subquery(query),
            Tree::Exists { subquery, negated } => self.exists(subquery, *negated),
            Tree::InSubquery { expr, subquery, negated } => self.in_subquery(expr, subquery, *negated),
            Tree::Collate { expr, collation } => self.collate(expr, collation),
            Tree::Wildcard(_) | Tree::QualifiedWildcard(..) => {
                Err(error!(SYNTAX_ERROR, "row expansion via \"*\" is not supported here"))
            }
            Tree::InList { .. }
            | Tree::Between { .. }
            | Tree::AnyOp { .. }
            | Tree::AllOp { .. }
            | Tree::IsNull(_)
            | Tree::IsNotNull(_)
            | Tree::IsTrue(_)
            | Tree::IsNotTrue(_)
            | Tree::IsFalse(_)
            | Tree::IsNotFalse(_)
            | Tree::IsUnknown(_)
            | Tree::IsNotUnknown(_)
            | Tree::IsDistinctFrom(..)
            | Tree::IsNotDistinctFrom(..) => self.comparison_tree(tree),
            _ => self.special(tree),
        }
    }

    /// Binds left-leaning chains of operators without recursion.
    fn binary(&mut self, tree: &Tree, left: &Tree, op: &BinaryOperator, right: &Tree) -> Result<Typed> {
        match op {
            BinaryOperator::And | BinaryOperator::Or => return self.logic(tree, op),
            BinaryOperator::Overlaps => return self.overlaps(left, right),
            BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
                if is_row(left) || is_row(right) =>
            {
                return self.row_comparison(&binary_name(op), left, right);
            }
            _ => {}
        }
        let mut pending = vec![PendingOperator { name: binary_name(op), right }];
        let mut first = left;
        while let Tree::BinaryOp { left, op, right } = first {
            if matches!(op, BinaryOperator::And | BinaryOperator::Or | BinaryOperator::Overlaps)
                || is_row(left)
                || is_row(right)
            {
                break;
            }
            pending.push(PendingOperator { name: binary_name(op), right });
            first = left;
        }
        let mut result = self.expr(first)?;
        while let Some(next) = pending.pop() {
            let right = self.expr(next.right)?;
            result = self.operate(&next.name, Some(result), right)?;
        }
        Ok(result)
    }

    /// `a AND b AND …`, flattened.
    fn logic(&mut self, tree: &Tree, op: &BinaryOperator) -> Result<Typed> {
        let word = if *op == BinaryOperator::And { "AND" } else { "OR" };
        let mut stack = vec![tree];
        let mut operands = Vec::new();
        let mut at = None;
        while let Some(next) = stack.pop() {
            match next {
                Tree::BinaryOp { left, op: inner, right } if inner == op => {
                    stack.push(right);
                    stack.push(left);
                }
                _ => {
                    let operand = self.expr(next)?;
                    at.get_or_insert(operand.at);
                    operands.push(self.coerce_to_boolean(operand, word)?.expr);
                }
            }
        }
        let kind = if *op == BinaryOperator::And { ExprKind::And(operands) } else { ExprKind::Or(operands) };
        Ok(Typed::boolean(kind, at.unwrap_or(At::NOWHERE)))
    }

    fn unary(&mut self, op: UnaryOperator, operand: &Tree) -> Result<Typed> {
        if op == UnaryOperator::Not {
            let operand = self.expr(operand)?;
            let at = operand.at.prefixed();
            let operand = self.coerce_to_boolean(operand, "NOT")?;
            return Ok(Typed::boolean(ExprKind::Not(Box::new(operand.expr)), at));
        }
        // The sign of a number is a part of it, so that the smallest integers can be written.
        if op == UnaryOperator::Minus
            && let Tree::Value(ast::ValueWithSpan { value: Literal::Number(digits, _), span }) = operand
        {
            return self.number(&format!("-{digits}"), At::new(span.start).prefixed());
        }
        let operand = self.expr(operand)?;
        self.operate(&unary_name(op), None, operand)
    }

    /// A cast; ARRAY and ROW constructors learn their element types from it.
    fn cast_tree(&mut self, tree: &Tree, target: TypeMod, kind: &ast::CastKind) -> Result<Typed> {
        let input = match tree {
            Tree::Array(array) if self.base_element_type(target.oid).is_some() => {
                self.array(array, Some(target))?
            }
            _ => self.expr(tree)?,
        };
        let (source, at) = (input.type_oid(), input.at);
        self.coerce_to_target(input, target, Context::Explicit)?.ok_or_else(|| {
            let mut error = self.cannot_cast(source, target.oid, at);
            let place = match kind {
                ast::CastKind::DoubleColon => super::position::of_cast(self.context.text, at, casts_in(tree)),
                _ => super::position::of_word_before(self.context.text, "CAST", at),
            };
            error.0.position = place.or(error.0.position);
            error
        })
    }

    fn interval_literal(&mut self, interval: &ast::Interval) -> Result<Typed> {
        let mut arguments = Vec::new();
        if let Some(mask) = interval_fields(interval) {
            arguments.push(mask);
        }
        if let Some(precision) = interval.fractional_seconds_precision {
            if arguments.is_empty() {
                arguments.push(0x7FFF);
            }
            arguments.push(i32::try_from(precision).unwrap_or(i32::MAX));
        }
        let modifier = if arguments.is_empty() {
            -1
        } else {
            crate::types::modifier_from_arguments(types::INTERVAL, &arguments)?
        };
        let input = self.expr(&interval.value)?;
        let at = input.at;
        self.cast(input, TypeMod { oid: types::INTERVAL, modifier }, at)
    }

    /// `CASE`, both forms.
    fn case(
        &mut self,
        operand: Option<&Tree>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&Tree>,
    ) -> Result<Typed> {
        let sets = self.scope_ref().sets_bound;
        let mut value = operand.map(|operand| self.expr(operand)).transpose()?;
        if let Some(untyped) = value.take_if(|value| value.is_unknown()) {
            value = Some(self.unknown_to_text(untyped)?);
        }
        let mut tests = Vec::new();
        let mut results = Vec::new();
        for arm in conditions {
            let test = match &value {
                Some(value) => {
                    let placeholder = Typed {
                        expr: crate::bound::Expr { kind: ExprKind::Placeholder, ..value.expr.clone() },
                        at: value.at,
                        strength: value.strength,
                    };
                    let right = self.expr(&arm.condition)?;
                    self.operate(&OperatorName::plain("="), Some(placeholder), right)?
                }
                None => self.expr(&arm.condition)?,
            };
            tests.push(self.coerce_to_boolean(test, "CASE/WHEN")?.expr);
            results.push(self.expr(&arm.result)?);
        }
        let at = value.as_ref().map_or(results[0].at, |value| value.at);
        // PostgreSQL lets the ELSE result decide first.
        let has_else = otherwise.is_some();
        if let Some(otherwise) = otherwise {
            let otherwise = self.expr(otherwise)?;
            results.insert(0, otherwise);
        } else {
            results.insert(0, self.constant(Value::Null, TypeMod::plain(types::UNKNOWN), At::NOWHERE));
        }
        self.refuse_sets_since(sets, "CASE", at)?;
        let (mut results, mut ty) = self.unify(results, "CASE")?;
        let derived = self.derive(&results)?;
        let otherwise = results.remove(0);
        if !has_else {
            ty.modifier = common_modifier(results.iter().map(|result| result.expr.ty));
        }
        let kind = ExprKind::Case {
            operand: value.map(|value| Box::new(value.expr)),
            arms: tests.into_iter().zip(results.into_iter().map(|result| result.expr)).collect(),
            otherwise: has_else.then(|| Box::new(otherwise.expr)),
        };
        Ok(self.collate_result(Typed::new(kind, ty, at), derived))
    }

    /// Refuses set-returning functions that have been bound since the count was `before`.
    pub(super) fn refuse_sets_since(&self, before: usize, construct: &str, at: At) -> Result<()> {
        if self.scope_ref().sets_bound == before {
            return Ok(());
        }
        Err(error!(FEATURE_NOT_SUPPORTED, "set-returning functions are not allowed in {construct}")
            .hint(LATERAL_HINT)
            .at(self.position(self.scope_ref().last_set.or(at))))
    }

    /// `ARRAY[…]`, with the type of a cast around it when there is one.
    pub(super) fn array(&mut self, array: &ast::Array, target: Option<TypeMod>) -> Result<Typed> {
        let target_base = target.map(|target| self.base_type(target.oid).oid);
        let target_element = target_base.and_then(|base| self.element_type(base));
        let mut nested = false;
        let mut elements = Vec::with_capacity(array.elem.len());
        for element in &array.elem {
            let inner_array = match element {
                Tree::Array(inner) => Some(inner),
                _ => None,
            };
            let typed = match inner_array {
                Some(inner) => {
                    nested = true;
                    self.deeper(|binder| binder.array(inner, target))?
                }
                None => self.expr(element)?,
            };
            nested |= self.base_element_type(typed.type_oid()).is_some()
                && !matches!(typed.type_oid(), types::INT2VECTOR | types::OIDVECTOR);
            elements.push(typed);
        }
        let at = elements.first().map_or(At::NOWHERE, |element| element.at);
        let (array_type, element_type) = match (target_base, target_element) {
            (Some(base), Some(element)) => (base, if nested { base } else { element }),
            _ => {
                if elements.is_empty() {
                    return Err(error!(INDETERMINATE_DATATYPE, "cannot determine type of empty array")
                        .hint("Explicitly cast to the desired type, for example ARRAY[]::integer[].")
                        .at(super::position::of_word_before(self.context.text, "ARRAY", At::NOWHERE)));
                }
                let common = self.common_type(&elements.iter().collect::<Vec<_>>(), "ARRAY")?;
                if nested && self.base_element_type(common).is_some() {
                    (common, common)
                } else {
                    (self.array_of(common)?, common)
                }
            }
        };
        let elements: Vec<Typed> = elements
            .into_iter()
            .map(|element| self.array_element(element, element_type, target.is_some()))
            .collect::<Result<_>>()?;
        let derived = self.derive(&elements)?;
        let elements = elements.into_iter().map(|element| element.expr).collect();
        let typed = Typed::new(ExprKind::Array { elements, nested }, TypeMod::plain(array_type), at);
        Ok(self.collate_result(typed, derived))
    }

    fn array_element(&mut self, element: Typed, target: crate::Oid, cast: bool) -> Result<Typed> {
        if !cast {
            return self.coerce_to_common(element, target, "ARRAY");
        }
        let (source, at) = (element.type_oid(), element.at);
        self.coerce_to_target(element, TypeMod::plain(target), Context::Explicit)?
            .ok_or_else(|| self.cannot_cast(source, target, at))
    }

    /// `(a, b, …)` or `ROW(a, b, …)`.
    pub(super) fn row(&mut self, items: &[Tree]) -> Result<Typed> {
        let mut fields = Vec::with_capacity(items.len());
        for item in items {
            fields.push(self.expr(item)?);
        }
        self.row_of(fields)
    }

    pub(super) fn row_of(&mut self, fields: Vec<Typed>) -> Result<Typed> {
        let at = fields.first().map_or(At::NOWHERE, |field| field.at);
        let mut exprs = Vec::with_capacity(fields.len());
        for field in fields {
            // A row gives a parameter no type: without another use it has none (42P18).
            let untyped = field.is_unknown() && matches!(field.expr.kind, ExprKind::Parameter(_));
            exprs.push(if untyped { field.expr } else { self.unknown_to_text(field)?.expr });
        }
        Ok(Typed::new(ExprKind::Row(exprs), TypeMod::plain(types::RECORD), at))
    }

    /// `COALESCE`, `GREATEST`, `LEAST` and their kin: operands of one type.
    pub(super) fn unified(&mut self, arguments: Vec<Typed>, construct: &str) -> Result<(Vec<Typed>, Typed)> {
        let at = arguments.first().map_or(At::NOWHERE, |argument| argument.at);
        let (arguments, ty) = self.unify(arguments, construct)?;
        let derived = self.derive(&arguments)?;
        let shell = self.collate_result(Typed::new(ExprKind::Default, ty, at), derived);
        Ok((arguments, shell))
    }

    /// Binds a condition.
    pub(super) fn condition(&mut self, tree: &Tree, construct: &str) -> Result<Typed> {
        let typed = self.expr(tree)?;
        self.coerce_to_boolean(typed, construct)
    }
}

/// Whether a tree is a row of several values.
pub(super) fn is_row(tree: &Tree) -> bool {
    match tree {
        Tree::Tuple(_) => true,
        Tree::Function(function) => is_row_function(function),
        _ => false,
    }
}

/// How many `::` casts an operand of one contains at its left edge.
fn casts_in(tree: &Tree) -> usize {
    match tree {
        Tree::Cast { kind: ast::CastKind::DoubleColon, expr, .. } => 1 + casts_in(expr),
        _ => 0,
    }
}

fn is_row_function(function: &ast::Function) -> bool {
    matches!(function.name.0.as_slice(), [ast::ObjectNamePart::Identifier(ident)]
        if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("row"))
}

fn interval_fields(interval: &ast::Interval) -> Option<i32> {
    use ast::{DateTimeField as F, IntervalFields as I};
    let fields = match (interval.leading_field.as_ref()?, interval.last_field.as_ref()) {
        (F::Year | F::Years, None) => I::Year,
        (F::Month | F::Months, None) => I::Month,
        (F::Day | F::Days, None) => I::Day,
        (F::Hour | F::Hours, None) => I::Hour,
        (F::Minute | F::Minutes, None) => I::Minute,
        (F::Second | F::Seconds, None) => I::Second,
        (F::Year, Some(F::Month)) => I::YearToMonth,
        (F::Day, Some(F::Hour)) => I::DayToHour,
        (F::Day, Some(F::Minute)) => I::DayToMinute,
        (F::Day, Some(F::Second)) => I::DayToSecond,
        (F::Hour, Some(F::Minute)) => I::HourToMinute,
        (F::Hour, Some(F::Second)) => I::HourToSecond,
        (F::Minute, Some(F::Second)) => I::MinuteToSecond,
        _ => return None,
    };
    Some(super::type_names::interval_mask(&fields))
}

/// A typed expression that has a collation of its own.
pub(super) fn implicit(mut typed: Typed, collation: crate::Oid) -> Typed {
    typed.expr.collation = collation;
    typed.strength = if collation.is_valid() { Strength::Implicit } else { Strength::None };
    typed
}

/// `0A000` for forms of the syntax tree that PostgreSQL's grammar does not have.
pub(super) fn foreign_syntax(tree: &Tree) -> SqlError {
    let text = tree.to_string();
    let shown: String = text.chars().take(60).collect();
    SqlError::unsupported(format!("the expression {shown}"))
}
