//! Constants: numbers get the smallest type that holds them, strings stay `unknown` until a context types them.
//!
//! Source: `src/backend/parser/parse_node.c` (`make_const`).

use sqlparser::ast::{self, Value as Literal};

use super::position::At;
use super::{Binder, Typed};
use crate::bound::{ExprKind, TypeMod};
use crate::oid::types;
use crate::{Result, SqlError, Value};

impl Binder<'_> {
    /// Binds a literal or a parameter.
    pub(super) fn literal(&mut self, literal: &ast::ValueWithSpan) -> Result<Typed> {
        let at = At::new(literal.span.start);
        if let Literal::NationalStringLiteral(text) = &literal.value {
            return self.typed_text(TypeMod::plain(types::BPCHAR), text, at);
        }
        if let Some(text) = string_value(&literal.value) {
            return Ok(self.untyped(text, at));
        }
        match &literal.value {
            Literal::Number(text, _) => self.number(text, at),
            Literal::Boolean(value) => {
                Ok(self.constant(Value::Integer(i64::from(*value)), TypeMod::plain(types::BOOL), at))
            }
            Literal::Null => Ok(self.constant(Value::Null, TypeMod::plain(types::UNKNOWN), at)),
            Literal::Placeholder(name) => self.parameter(name, at),
            Literal::SingleQuotedByteStringLiteral(bits) => {
                self.typed_text(TypeMod::plain(types::BIT), bits, at)
            }
            Literal::HexStringLiteral(digits) => {
                self.typed_text(TypeMod::plain(types::BIT), &format!("x{digits}"), at)
            }
            other => Err(SqlError::unsupported(format!("the literal {other}")).at(self.position(at))),
        }
    }

    /// A number: int4, int8 or numeric.
    pub(super) fn number(&mut self, text: &str, at: At) -> Result<Typed> {
        if let Ok(small) = text.parse::<i32>() {
            return Ok(self.constant(Value::Integer(i64::from(small)), TypeMod::plain(types::INT4), at));
        }
        if let Ok(large) = text.parse::<i64>() {
            return Ok(self.constant(Value::Integer(large), TypeMod::plain(types::INT8), at));
        }
        self.typed_text(TypeMod::plain(types::NUMERIC), text, at)
    }

    /// A string without a type.
    pub(super) fn untyped(&self, text: &str, at: At) -> Typed {
        Typed::new(ExprKind::Constant(Value::Text(text.to_owned())), TypeMod::plain(types::UNKNOWN), at)
    }

    /// A constant of a type.
    pub(super) fn constant(&self, value: Value, ty: TypeMod, at: At) -> Typed {
        self.with_type_collation(Typed::new(ExprKind::Constant(value), ty, at))
    }

    /// A constant read from a type's text form.
    pub(super) fn typed_text(&self, ty: TypeMod, text: &str, at: At) -> Result<Typed> {
        let value = crate::types::input(ty, text, &self.context.type_context())
            .map_err(|error| error.at(self.position(at)))?;
        Ok(self.constant(value, ty, at))
    }
}

/// The text of a string literal of any spelling.
pub(super) fn string_value(literal: &Literal) -> Option<&str> {
    match literal {
        Literal::SingleQuotedString(text)
        | Literal::EscapedStringLiteral(text)
        | Literal::UnicodeStringLiteral(text)
        | Literal::NationalStringLiteral(text) => Some(text),
        Literal::DollarQuotedString(quoted) => Some(&quoted.value),
        _ => None,
    }
}
