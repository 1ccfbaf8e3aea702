//! Comparisons: rows, BETWEEN, IN lists, IS tests, ANY and ALL of arrays.
//!
//! Source: `src/backend/parser/parse_expr.c` (`transformAExprIn`, `make_row_comparison_op`, …), `parse_oper.c`
//! (`make_scalar_array_op`).

use sqlparser::ast::{self, Expr as Tree};

use super::coerce::Context;
use super::expressions::is_row;
use super::operators::{OperatorName, binary_name};
use super::position::{self, At};
use super::{Binder, Typed};
use crate::bound::{Expr, ExprKind, RowComparison, TypeMod};
use crate::oid::types;
use crate::{Oid, Result, error};

impl Binder<'_> {
    /// Binds the forms that compare or test.
    pub(super) fn comparison_tree(&mut self, tree: &Tree) -> Result<Typed> {
        match tree {
            Tree::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            Tree::Between { expr, negated, low, high } => self.between(expr, low, high, *negated),
            Tree::AnyOp { left, compare_op, right, .. } => self.quantified(left, compare_op, right, true),
            Tree::AllOp { left, compare_op, right } => self.quantified(left, compare_op, right, false),
            Tree::IsNull(operand) => self.null_test(operand, false),
            Tree::IsNotNull(operand) => self.null_test(operand, true),
            Tree::IsTrue(operand) => self.truth_test(operand, Some(true), false),
            Tree::IsNotTrue(operand) => self.truth_test(operand, Some(true), true),
            Tree::IsFalse(operand) => self.truth_test(operand, Some(false), false),
            Tree::IsNotFalse(operand) => self.truth_test(operand, Some(false), true),
            Tree::IsUnknown(operand) => self.truth_test(operand, None, false),
            Tree::IsNotUnknown(operand) => self.truth_test(operand, None, true),
            Tree::IsDistinctFrom(left, right) => self.distinct_test(left, right, false),
            Tree::IsNotDistinctFrom(left, right) => self.distinct_test(left, right, true),
            _ => Err(super::expressions::foreign_syntax(tree)),
        }
    }

    fn null_test(&mut self, operand: &Tree, negated: bool) -> Result<Typed> {
        let operand = self.expr(operand)?;
        let at = operand.at;
        Ok(Typed::boolean(ExprKind::IsNull { operand: Box::new(operand.expr), negated }, at))
    }

    fn truth_test(&mut self, operand: &Tree, expected: Option<bool>, negated: bool) -> Result<Typed> {
        let word = match expected {
            Some(true) => "TRUE",
            Some(false) => "FALSE",
            None => "UNKNOWN",
        };
        let construct = format!("IS {}{word}", if negated { "NOT " } else { "" });
        let operand = self.condition(operand, &construct)?;
        let at = operand.at;
        Ok(Typed::boolean(ExprKind::IsTruth { operand: Box::new(operand.expr), expected, negated }, at))
    }

    /// `a IS [NOT] DISTINCT FROM b`; rows column by column.
    fn distinct_test(&mut self, left: &Tree, right: &Tree, negated: bool) -> Result<Typed> {
        for (operand, other) in [(left, right), (right, left)] {
            if is_null_literal(operand) {
                let operand = self.expr(other)?;
                let at = operand.at;
                let kind = ExprKind::IsNull { operand: Box::new(operand.expr), negated: !negated };
                return Ok(Typed::boolean(kind, at));
            }
        }
        if is_row(left) && is_row(right) {
            let (left, right) = (self.row_fields(left)?, self.row_fields(right)?);
            let at = left.first().map_or(At::NOWHERE, |field| field.at);
            self.same_length(&left, &right, at)?;
            let mut tests = Vec::new();
            for (left, right) in left.into_iter().zip(right) {
                tests.push(self.distinct_of(left, right, negated)?.expr);
            }
            let kind = if negated { ExprKind::And(tests) } else { ExprKind::Or(tests) };
            return Ok(Typed::boolean(kind, at));
        }
        let left = self.expr(left)?;
        let right = self.expr(right)?;
        self.distinct_of(left, right, negated)
    }

    fn distinct_of(&mut self, left: Typed, right: Typed, negated: bool) -> Result<Typed> {
        let at = left.at;
        let equality = self.comparison("=", left, right)?;
        Ok(Typed::boolean(ExprKind::IsDistinct { equality, negated }, at))
    }

    /// `a BETWEEN b AND c` is `a >= b AND a <= c`.
    fn between(&mut self, operand: &Tree, low: &Tree, high: &Tree, negated: bool) -> Result<Typed> {
        let (lower, upper) = if negated { ("<", ">") } else { (">=", "<=") };
        if is_row(operand) {
            let first = self.row_comparison(&OperatorName::plain(lower), operand, low)?;
            let second = self.row_comparison(&OperatorName::plain(upper), operand, high)?;
            let at = first.at;
            return Ok(both(first, second, negated, at));
        }
        let value = self.expr(operand)?;
        let low = self.expr(low)?;
        let first = self.operate(&OperatorName::plain(lower), Some(value), low)?;
        // The operand is bound again, as PostgreSQL does: an untyped one may get another type.
        let value = self.expr(operand)?;
        let high = self.expr(high)?;
        let at = value.at;
        let second = self.operate(&OperatorName::plain(upper), Some(value), high)?;
        Ok(both(first, second, negated, at))
    }

    /// `a IN (b, c, …)`: `= ANY (ARRAY[…])` when all can be of one type, else a chain of comparisons.
    fn in_list(&mut self, operand: &Tree, list: &[Tree], negated: bool) -> Result<Typed> {
        let name = OperatorName::plain(if negated { "<>" } else { "=" });
        let mut constants = Vec::new();
        let mut others = Vec::new();
        let mut operand_value = None;
        if is_row(operand) || list.iter().any(is_row) {
            let mut tests = Vec::new();
            for item in list {
                tests.push(self.row_comparison(&name, operand, item)?);
            }
            return Ok(chain(tests, negated));
        }
        let value = operand_value.get_or_insert(self.expr(operand)?).clone();
        for item in list {
            let item = self.expr(item)?;
            if contains_column(&item.expr) { others.push(item) } else { constants.push(item) }
        }
        let mut tests = Vec::new();
        if constants.len() > 1 {
            match self.in_array(&name, &value, &constants, negated)? {
                Some(test) => tests.push(test),
                None => others.splice(0..0, constants).for_each(drop),
            }
        } else {
            others.splice(0..0, constants).for_each(drop);
        }
        for item in others {
            let test = self.operate(&name, Some(value.clone()), item)?;
            tests.push(self.coerce_to_boolean(test, "IN")?);
        }
        Ok(chain(tests, negated))
    }

    fn in_array(
        &mut self,
        name: &OperatorName,
        value: &Typed,
        constants: &[Typed],
        negated: bool,
    ) -> Result<Option<Typed>> {
        let oids: Vec<Oid> = [value].into_iter().chain(constants).map(Typed::type_oid).collect();
        let Ok(common) = self.select_common(&oids) else { return Ok(None) };
        let fits = |oid: &Oid| self.can_coerce_one(*oid, common, Context::Implicit);
        if common == types::RECORD || !oids.iter().all(fits) {
            return Ok(None);
        }
        let Some(array) = self.array_type(common) else { return Ok(None) };
        let at = value.at;
        let mut elements = Vec::with_capacity(constants.len());
        for constant in constants {
            elements.push(self.coerce_to_common(constant.clone(), common, "IN")?);
        }
        let derived = self.derive(&elements)?;
        let nested = false;
        let elements = elements.into_iter().map(|element| element.expr).collect();
        let array = Typed::new(ExprKind::Array { elements, nested }, TypeMod::plain(array), at);
        let array = self.collate_result(array, derived);
        self.array_comparison(name, value.clone(), array, !negated).map(Some)
    }

    /// `a op ANY|ALL (array or subquery)`.
    fn quantified(
        &mut self,
        left: &Tree,
        op: &ast::BinaryOperator,
        right: &Tree,
        any: bool,
    ) -> Result<Typed> {
        let name = binary_name(op);
        if let Tree::Subquery(query) = right {
            return self.compare_subquery(left, &name, query, any, false);
        }
        let left = self.expr(left)?;
        let right = self.expr(right)?;
        self.array_comparison(&name, left, right, any)
    }

    /// `scalar op ANY|ALL (array)`.
    fn array_comparison(
        &mut self,
        name: &OperatorName,
        scalar: Typed,
        array: Typed,
        any: bool,
    ) -> Result<Typed> {
        let (at, array_at) = (scalar.at, array.at);
        let place = || position::of_operator(self.context.text, &name.symbol, Some(at), array_at);
        let array_type = array.type_oid();
        let element = if array_type == types::UNKNOWN {
            types::UNKNOWN
        } else {
            self.base_element_type(array_type).ok_or_else(|| {
                error!(WRONG_OBJECT_TYPE, "op ANY/ALL (array) requires array on right side").at(place())
            })?
        };
        let operator = self.find_operator(name, Some(scalar.type_oid()), element, Some(at), array_at)?;
        let actual = [scalar.type_oid(), element];
        let mut declared = [operator.oprleft, operator.oprright];
        let result = self.resolve_polymorphic(&actual, &mut declared, operator.oprresult)?;
        if result != types::BOOL {
            return Err(error!(WRONG_OBJECT_TYPE, "op ANY/ALL (array) requires operator to yield boolean")
                .at(place()));
        }
        let array_target =
            if super::coerce::is_polymorphic(declared[1]) { array_type } else { self.array_of(declared[1])? };
        let scalar = self.coerce(scalar, TypeMod::plain(declared[0]), Context::Implicit)?;
        let array = self.coerce(array, TypeMod::plain(array_target), Context::Implicit)?;
        self.derive([&scalar, &array])?;
        let kind = ExprKind::ArrayCompare {
            function: operator.oprcode,
            any,
            scalar: Box::new(scalar.expr),
            array: Box::new(array.expr),
        };
        Ok(Typed::boolean(kind, at))
    }

    /// The fields of a row constructor.
    pub(super) fn row_fields(&mut self, tree: &Tree) -> Result<Vec<Typed>> {
        match tree {
            Tree::Tuple(items) => items.iter().map(|item| self.expr(item)).collect(),
            Tree::Function(ast::Function { args: ast::FunctionArguments::List(list), .. })
                if is_row(tree) =>
            {
                Ok(self.arguments(&list.args)?.values)
            }
            other => {
                let typed = self.expr(other)?;
                match typed.expr.kind {
                    ExprKind::Row(fields) => Ok(fields
                        .into_iter()
                        .map(|field| self.with_expr_collation(field, typed.at))
                        .collect()),
                    _ => Ok(vec![typed]),
                }
            }
        }
    }

    fn same_length(&self, left: &[Typed], right: &[Typed], at: At) -> Result<()> {
        if left.len() == right.len() {
            return Ok(());
        }
        let place = right.first().map_or(at, |field| field.at);
        Err(error!(SYNTAX_ERROR, "unequal number of entries in row expressions").at(position::of_operator(
            self.context.text,
            "=",
            Some(at),
            place,
        )
        .or_else(|| self.position(at))))
    }

    /// `(a, b) op (c, d)`.
    pub(super) fn row_comparison(&mut self, name: &OperatorName, left: &Tree, right: &Tree) -> Result<Typed> {
        if is_row(left)
            && let Tree::Subquery(query) = right
        {
            return self.compare_row_subquery(left, name, query);
        }
        if !(is_row(left) && is_row(right)) {
            let left = self.expr(left)?;
            let right = self.expr(right)?;
            return self.operate(name, Some(left), right);
        }
        let left = self.row_fields(left)?;
        let right = self.row_fields(right)?;
        self.compare_rows(name, left, right)
    }

    /// Compares rows column by column.
    pub(super) fn compare_rows(
        &mut self,
        name: &OperatorName,
        left: Vec<Typed>,
        right: Vec<Typed>,
    ) -> Result<Typed> {
        let at = left.first().map_or(At::NOWHERE, |field| field.at);
        self.same_length(&left, &right, at)?;
        if left.is_empty() {
            return Err(error!(FEATURE_NOT_SUPPORTED, "cannot compare rows of zero length"));
        }
        let comparison = match name.symbol.as_str() {
            "<" => RowComparison::Less,
            "<=" => RowComparison::LessOrEqual,
            ">" => RowComparison::Greater,
            ">=" => RowComparison::GreaterOrEqual,
            _ => {
                let mut tests = Vec::new();
                for (left, right) in left.into_iter().zip(right) {
                    let (place, right_at) = (left.at, right.at);
                    let test = self.operate(name, Some(left), right)?;
                    if test.type_oid() != types::BOOL {
                        return Err(error!(
                            DATATYPE_MISMATCH,
                            "row comparison operator must yield type boolean, not type {}",
                            self.format_type(test.type_oid())
                        )
                        .at(position::of_operator(
                            self.context.text,
                            &name.symbol,
                            Some(place),
                            right_at,
                        )));
                    }
                    tests.push(test);
                }
                if name.symbol != "=" && name.symbol != "<>" && tests.len() > 1 {
                    return Err(error!(
                        FEATURE_NOT_SUPPORTED,
                        "could not determine interpretation of row comparison operator {}", name.symbol
                    )
                    .hint("Row comparison operators must be associated with btree operator families.")
                    .at(self.position(at)));
                }
                return Ok(chain(tests, name.symbol == "="));
            }
        };
        if left.len() == 1 {
            let pair = left.into_iter().zip(right).next().expect("one column");
            return self.operate(name, Some(pair.0), pair.1);
        }
        self.ordered_rows(comparison, left, right, at)
    }

    fn ordered_rows(
        &mut self,
        comparison: RowComparison,
        left: Vec<Typed>,
        right: Vec<Typed>,
        at: At,
    ) -> Result<Typed> {
        let symbol = match comparison {
            RowComparison::Less | RowComparison::LessOrEqual => "<",
            RowComparison::Greater | RowComparison::GreaterOrEqual => ">",
        };
        let (mut lefts, mut rights, mut operators) = (Vec::new(), Vec::new(), Vec::new());
        for (left, right) in left.into_iter().zip(right) {
            let order = self.comparison(symbol, left, right)?;
            let mut operands = order.arguments.into_iter();
            let (Some(left), Some(right)) = (operands.next(), operands.next()) else { continue };
            let typed = |binder: &Self, expr: &Expr| binder.with_expr_collation(expr.clone(), at);
            let (first, second) = (typed(self, &left), typed(self, &right));
            let equal = self.comparison("=", first, second)?;
            operators.push((equal.function, order.function));
            lefts.push(left);
            rights.push(right);
        }
        Ok(Typed::boolean(ExprKind::RowCompare { comparison, left: lefts, right: rights, operators }, at))
    }

    /// `NULLIF(a, b)`.
    pub(super) fn null_if(&mut self, left: Typed, right: Typed, at: At) -> Result<Typed> {
        let original = left.clone();
        let typed = self.operate(&OperatorName::plain("="), Some(left), right)?;
        let Expr { kind: ExprKind::Call(call), ty, .. } = typed.expr else {
            return Err(crate::SqlError::internal("an operator is a call"));
        };
        if ty.oid != types::BOOL {
            return Err(error!(DATATYPE_MISMATCH, "NULLIF requires = operator to yield boolean")
                .at(self.position(at)));
        }
        let ty = call.arguments.first().map_or(original.expr.ty, |first| first.ty);
        let derived = self.derive([&original])?;
        Ok(self.collate_result(Typed::new(ExprKind::NullIf(call), ty, at), derived))
    }
}

fn both(first: Typed, second: Typed, negated: bool, at: At) -> Typed {
    let tests = vec![first.expr, second.expr];
    Typed::boolean(if negated { ExprKind::Or(tests) } else { ExprKind::And(tests) }, at)
}

/// Tests joined by AND or OR; one alone stands as it is.
fn chain(mut tests: Vec<Typed>, all: bool) -> Typed {
    if tests.len() == 1 {
        return tests.remove(0);
    }
    let at = tests.first().map_or(At::NOWHERE, |test| test.at);
    let tests = tests.into_iter().map(|test| test.expr).collect();
    Typed::boolean(if all { ExprKind::And(tests) } else { ExprKind::Or(tests) }, at)
}

fn contains_column(expr: &Expr) -> bool {
    let mut found = false;
    super::aggregates::each_column(expr, &mut |_, _| found = true);
    found
}

fn is_null_literal(tree: &Tree) -> bool {
    matches!(tree, Tree::Value(ast::ValueWithSpan { value: ast::Value::Null, .. }))
}
