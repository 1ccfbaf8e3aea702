//! Literals of a syntax tree as parameters.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Statement, UnaryOperator, Value, VisitMut, VisitorMut};

use super::shape::Literal;

/// The tree of a statement with literals of its text in the place of parameters, numbered from 1 in the order of
/// `literals`; and which of them the tree has as plain expressions. What it has otherwise (in a type's modifier, behind
/// a type's name, as an interval) it keeps. `offset` is where the statement begins in `text`, in characters.
pub fn with_parameters(
    tree: &Statement,
    text: &str,
    offset: usize,
    literals: &[Literal],
) -> (Statement, Vec<bool>) {
    let mut tree = tree.clone();
    let places = literals.iter().map(|literal| (literal.position(text) - offset, literal.signed));
    let mut replacer = Replacer { places: places.collect(), found: vec![false; literals.len()] };
    let ControlFlow::Continue(()) = tree.visit(&mut replacer);
    (tree, replacer.found)
}

struct Replacer {
    /// Column of the token, and whether a sign belongs to it.
    places: Vec<(usize, bool)>,
    found: Vec<bool>,
}

impl Replacer {
    /// The number of the literal that stands here.
    fn find(&self, expr: &Expr, signed: bool) -> Option<usize> {
        let Expr::Value(value) = expr else { return None };
        if !matches!(value.value, Value::Number(..) | Value::SingleQuotedString(_)) {
            return None;
        }
        let column = usize::try_from(value.span.start.column).ok().filter(|_| value.span.start.line > 0)?;
        self.places.iter().position(|place| *place == (column, signed))
    }
}

impl VisitorMut for Replacer {
    type Break = std::convert::Infallible;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        let (operand, signed) = match &*expr {
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => (&**expr, true),
            other => (other, false),
        };
        if let Some(index) = self.find(operand, signed)
            && let Expr::Value(value) = operand
        {
            let mut value = value.clone();
            value.value = Value::Placeholder(format!("${}", index + 1));
            *expr = Expr::Value(value);
            self.found[index] = true;
        }
        ControlFlow::Continue(())
    }
}
