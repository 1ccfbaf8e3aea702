//! Operators: from a symbol and operands to the call of a function.
//!
//! Source: `src/backend/parser/parse_oper.c`.

use std::sync::Arc;

use sqlparser::ast::{BinaryOperator, UnaryOperator};

use super::candidates::Candidate;
use super::coerce::Context;
use super::position::{self, At};
use super::{Binder, Typed};
use crate::bound::{Call, Expr, ExprKind, TypeMod};
use crate::catalog::Operator;
use crate::oid::types;
use crate::{Oid, Result, SqlError, error};

/// An operator as written: its symbol, and its schema when it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OperatorName {
    pub(super) schema: Option<String>,
    pub(super) symbol: String,
}

impl OperatorName {
    pub(super) fn plain(symbol: &str) -> Self {
        Self { schema: None, symbol: symbol.to_owned() }
    }

    fn written(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.symbol),
            None => self.symbol.clone(),
        }
    }
}

/// The operator's symbol in the catalog.
pub(super) fn binary_name(operator: &BinaryOperator) -> OperatorName {
    match operator {
        BinaryOperator::NotEq => OperatorName::plain("<>"),
        BinaryOperator::PGBitwiseXor => OperatorName::plain("#"),
        BinaryOperator::PGCustomBinaryOperator(parts) => OperatorName {
            schema: (parts.len() > 1).then(|| parts[parts.len() - 2].clone()),
            symbol: normalize(parts.last().map_or("", String::as_str)),
        },
        BinaryOperator::Custom(symbol) => OperatorName::plain(&normalize(symbol)),
        other => OperatorName::plain(&other.to_string()),
    }
}

fn normalize(symbol: &str) -> String {
    if symbol == "!=" { "<>".to_owned() } else { symbol.to_owned() }
}

/// The operator's symbol in the catalog.
pub(super) fn unary_name(operator: UnaryOperator) -> OperatorName {
    OperatorName::plain(&match operator {
        UnaryOperator::Plus => "+".to_owned(),
        UnaryOperator::Minus => "-".to_owned(),
        UnaryOperator::BitwiseNot => "~".to_owned(),
        other => other.to_string(),
    })
}

impl Binder<'_> {
    /// Binds an operator applied to one or two operands.
    ///
    /// # Errors
    /// `42883` when there is no such operator, `42725` when several fit equally.
    pub(super) fn operate(
        &mut self,
        name: &OperatorName,
        left: Option<Typed>,
        right: Typed,
    ) -> Result<Typed> {
        let (at, right_at) = (left.as_ref().map_or(right.at.prefixed(), |left| left.at), right.at);
        let left_at = left.as_ref().map(|left| left.at);
        let operator = self.find_operator(
            name,
            left.as_ref().map(Typed::type_oid),
            right.type_oid(),
            left_at,
            right_at,
        )?;
        let operands: Vec<Typed> = left.into_iter().chain([right]).collect();
        self.operator_call(&operator, operands, at)
    }

    /// The call of a found operator.
    pub(super) fn operator_call(
        &mut self,
        operator: &Operator,
        operands: Vec<Typed>,
        at: At,
    ) -> Result<Typed> {
        let actual: Vec<Oid> = operands.iter().map(Typed::type_oid).collect();
        let mut declared = match operator.oprkind {
            'l' => vec![operator.oprright],
            _ => vec![operator.oprleft, operator.oprright],
        };
        let result = self
            .resolve_polymorphic(&actual, &mut declared, operator.oprresult)
            .map_err(|error| error.at(self.position(at)))?;
        let operands = self.convert_arguments(operands, &declared)?;
        let derived = self.derive(&operands)?;
        let call = Call {
            function: operator.oprcode,
            arguments: operands.into_iter().map(|operand| operand.expr).collect(),
            collation: derived.collation,
            position: None,
        };
        let typed = Typed::new(ExprKind::Call(call), TypeMod::plain(result), at);
        Ok(self.collate_result(typed, derived))
    }

    /// Converts arguments to the declared types.
    pub(super) fn convert_arguments(
        &mut self,
        arguments: Vec<Typed>,
        declared: &[Oid],
    ) -> Result<Vec<Typed>> {
        arguments
            .into_iter()
            .zip(declared)
            .map(|(argument, target)| {
                if argument.type_oid() == *target {
                    return Ok(argument);
                }
                self.coerce(argument, TypeMod::plain(*target), Context::Implicit)
            })
            .collect()
    }

    /// Binds a comparison and gives its call.
    pub(super) fn comparison(&mut self, symbol: &str, left: Typed, right: Typed) -> Result<Call> {
        let typed = self.operate(&OperatorName::plain(symbol), Some(left), right)?;
        match typed.expr {
            Expr { kind: ExprKind::Call(call), .. } => Ok(call),
            _ => Err(SqlError::internal("an operator is a call")),
        }
    }

    /// The operator that these operands choose.
    pub(super) fn find_operator(
        &self,
        name: &OperatorName,
        left: Option<Oid>,
        right: Oid,
        left_at: Option<At>,
        right_at: At,
    ) -> Result<Arc<Operator>> {
        let place = || position::of_operator(self.context.text, &name.symbol, left_at, right_at);
        let operators = self.visible_operators(name, if left.is_some() { 'b' } else { 'l' })?;
        if let Some(exact) = self.exact_operator(&operators, left, right) {
            return Ok(exact);
        }
        let arguments: Vec<Oid> = left.into_iter().chain([right]).collect();
        let candidates = operators.iter().map(|(path, row)| candidate(row, *path)).collect();
        let mut matching = self.matching_candidates(&arguments, candidates);
        let found = match matching.len() {
            0 => None,
            1 => matching.pop(),
            _ => match self.best_candidate(&arguments, matching) {
                Some(best) => Some(best),
                None => {
                    return Err(error!(
                        AMBIGUOUS_FUNCTION,
                        "operator is not unique: {}",
                        self.operator_signature(name, left, right)
                    )
                    .hint("Could not choose a best candidate operator. You might need to add explicit type casts.")
                    .at(place()));
                }
            },
        };
        let row = found.and_then(|candidate| self.catalog().operator(candidate.oid)).ok_or_else(|| {
            let hint = if left.is_some() {
                "No operator matches the given name and argument types. You might need to add explicit type casts."
            } else {
                "No operator matches the given name and argument type. You might need to add an explicit type cast."
            };
            error!(
                UNDEFINED_FUNCTION,
                "operator does not exist: {}",
                self.operator_signature(name, left, right)
            )
            .hint(hint)
            .at(place())
        })?;
        if !row.oprcode.is_valid() {
            return Err(error!(
                UNDEFINED_FUNCTION,
                "operator is only a shell: {}",
                self.operator_signature(name, left, right)
            )
            .at(place()));
        }
        Ok(row)
    }

    fn operator_signature(&self, name: &OperatorName, left: Option<Oid>, right: Oid) -> String {
        let symbol = name.written();
        match left {
            Some(left) => format!("{} {symbol} {}", self.format_type(left), self.format_type(right)),
            None => format!("{symbol} {}", self.format_type(right)),
        }
    }

    /// The operators of a name that the search path (or the named schema) shows, each signature once.
    fn visible_operators(&self, name: &OperatorName, kind: char) -> Result<Vec<(usize, Arc<Operator>)>> {
        let named = match &name.schema {
            Some(schema) => Some(self.namespace(schema, At::NOWHERE)?),
            None => None,
        };
        let mut visible: Vec<(usize, Arc<Operator>)> = Vec::new();
        for row in self.catalog().operators_named(&name.symbol).iter() {
            if row.oprkind != kind {
                continue;
            }
            let path = match named {
                Some(namespace) => (namespace == row.oprnamespace).then_some(0),
                None => self.context.search_path.iter().position(|oid| *oid == row.oprnamespace),
            };
            let Some(path) = path else { continue };
            let same = visible
                .iter_mut()
                .find(|(_, other)| other.oprleft == row.oprleft && other.oprright == row.oprright);
            match same {
                Some(other) if path < other.0 => *other = (path, Arc::clone(row)),
                Some(_) => {}
                None => visible.push((path, Arc::clone(row))),
            }
        }
        Ok(visible)
    }

    fn exact_operator(
        &self,
        operators: &[(usize, Arc<Operator>)],
        left: Option<Oid>,
        right: Oid,
    ) -> Option<Arc<Operator>> {
        let find = |left: Oid, right: Oid| {
            operators
                .iter()
                .find(|(_, row)| row.oprleft == left && row.oprright == right && row.oprcode.is_valid())
                .map(|(_, row)| Arc::clone(row))
        };
        let Some(left) = left else { return find(Oid::INVALID, right) };
        let (left, right, guessed) = match (left, right) {
            (types::UNKNOWN, right) => (right, right, true),
            (left, types::UNKNOWN) => (left, left, true),
            (left, right) => (left, right, false),
        };
        find(left, right).or_else(|| {
            let base = self.base_type(left).oid;
            if guessed && base != left { find(base, base) } else { None }
        })
    }
}

fn candidate(row: &Operator, path_position: usize) -> Candidate {
    let parameters = if row.oprkind == 'l' { vec![row.oprright] } else { vec![row.oprleft, row.oprright] };
    Candidate {
        oid: row.oid,
        parameters,
        path_position,
        variadic_count: 0,
        default_count: 0,
        positions: None,
    }
}
