//! Which collation an expression has: explicit beats implicit, two different implicit ones conflict.
//!
//! Source: `src/backend/parser/parse_collate.c`.

use sqlparser::ast;

use super::position::At;
use super::{Binder, Typed};
use crate::oid::collations;
use crate::types::names::Shown;
use crate::{Oid, Result, error};

/// Where a collation comes from, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    /// The expression has none.
    None,
    /// From a column or a type.
    Implicit,
    /// Two implicit ones that differ.
    Conflict,
    /// From a COLLATE clause.
    Explicit,
}

/// The collation that several operands give together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Derived {
    pub(super) collation: Oid,
    pub(super) strength: Strength,
}

impl Binder<'_> {
    /// The collation that operands give together.
    ///
    /// # Errors
    /// `42P21` when two explicit ones differ.
    pub(super) fn derive<'t>(&self, operands: impl IntoIterator<Item = &'t Typed>) -> Result<Derived> {
        let mut derived = Derived { collation: Oid::INVALID, strength: Strength::None };
        for operand in operands {
            self.merge_collation(&mut derived, operand)?;
        }
        Ok(derived)
    }

    fn merge_collation(&self, derived: &mut Derived, operand: &Typed) -> Result<()> {
        let collation = operand.expr.collation;
        if operand.strength > derived.strength {
            *derived = Derived { collation, strength: operand.strength };
        } else if operand.strength == derived.strength && collation != derived.collation {
            match operand.strength {
                Strength::None | Strength::Conflict => {}
                Strength::Implicit if derived.collation == collations::DEFAULT => {
                    derived.collation = collation
                }
                Strength::Implicit if collation == collations::DEFAULT => {}
                Strength::Implicit => {
                    *derived = Derived { collation: Oid::INVALID, strength: Strength::Conflict };
                }
                Strength::Explicit => {
                    return Err(error!(
                        COLLATION_MISMATCH,
                        "collation mismatch between explicit collations \"{}\" and \"{}\"",
                        self.collation_name(derived.collation),
                        self.collation_name(collation)
                    )
                    .at(self.position(operand.at)));
                }
            }
        }
        Ok(())
    }

    /// Settles the collation of a result made from operands with this derived one.
    pub(super) fn collate_result(&self, mut result: Typed, derived: Derived) -> Typed {
        let own = self.type_collation(result.expr.ty.oid);
        if !own.is_valid() {
            result.expr.collation = Oid::INVALID;
            result.strength = Strength::None;
        } else if derived.strength > Strength::None {
            result.expr.collation = derived.collation;
            result.strength = derived.strength;
        } else {
            result.expr.collation = own;
            result.strength = Strength::Implicit;
        }
        result
    }

    /// An expression that brings its type's own collation: a constant, a parameter.
    pub(super) fn with_type_collation(&self, mut typed: Typed) -> Typed {
        let own = self.type_collation(typed.expr.ty.oid);
        typed.expr.collation = own;
        typed.strength = if own.is_valid() { Strength::Implicit } else { Strength::None };
        typed
    }

    pub(super) fn type_collation(&self, ty: Oid) -> Oid {
        self.catalog().type_(ty).map_or(Oid::INVALID, |row| row.typcollation)
    }

    fn collation_name(&self, oid: Oid) -> String {
        self.catalog().collation(oid).map_or_else(|| oid.to_string(), |row| row.collname.clone())
    }

    /// Binds `expr COLLATE name`.
    pub(super) fn collate(&mut self, operand: &ast::Expr, name: &ast::ObjectName) -> Result<Typed> {
        let mut operand = self.expr(operand)?;
        let at = At::new(super::scope::name_location(name));
        if operand.is_unknown() {
            operand = self.unknown_to_text(operand)?;
        }
        if !self.type_collation(operand.type_oid()).is_valid() {
            return Err(error!(
                DATATYPE_MISMATCH,
                "collations are not supported by type {}",
                self.format_type(operand.type_oid())
            )
            .at(super::position::of_word_before(self.context.text, "COLLATE", at)));
        }
        operand.expr.collation = self.resolve_collation(name)?;
        operand.strength = Strength::Explicit;
        Ok(operand)
    }

    /// The collation of this name.
    ///
    /// # Errors
    /// `42704` when there is none.
    pub(super) fn resolve_collation(&self, name: &ast::ObjectName) -> Result<Oid> {
        let parts = super::scope::name_parts(name);
        let found = match parts.as_slice() {
            [single] => self
                .context
                .search_path
                .iter()
                .find_map(|namespace| self.catalog().collation_named(*namespace, single)),
            [schema, single] | [_, schema, single] => {
                let at = At::new(super::scope::name_location(name));
                self.refuse_other_database(&parts, Shown::Bare, at)?;
                let namespace = self.namespace(schema, At::NOWHERE)?;
                self.catalog().collation_named(namespace, single)
            }
            _ => None,
        };
        found.map(|row| row.oid).ok_or_else(|| {
            error!(UNDEFINED_OBJECT, "collation \"{}\" for encoding \"UTF8\" does not exist", parts.join("."))
                .at(self.position_of(super::scope::name_location(name)))
        })
    }
}
