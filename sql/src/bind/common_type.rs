//! The one type for several expressions: UNION, CASE, COALESCE, ARRAY, VALUES, GREATEST, IN.
//!
//! Source: `src/backend/parser/parse_coerce.c` (`select_common_type`).

use super::coerce::Context;
use super::{Binder, Typed};
use crate::bound::TypeMod;
use crate::oid::types;
use crate::{Oid, Result, error};

impl Binder<'_> {
    /// The common type of expressions.
    ///
    /// # Errors
    /// `42804` when types of different categories meet.
    pub(super) fn common_type(&self, inputs: &[&Typed], construct: &str) -> Result<Oid> {
        let oids: Vec<Oid> = inputs.iter().map(|input| input.type_oid()).collect();
        self.select_common(&oids).map_err(|(left, right, index)| {
            error!(
                DATATYPE_MISMATCH,
                "{construct} types {} and {} cannot be matched",
                self.format_type(left),
                self.format_type(right)
            )
            .at(self.position(inputs[index].at))
        })
    }

    /// The common type of types; which two do not match, and the place of the second, when there is none.
    pub(super) fn select_common(&self, oids: &[Oid]) -> Result<Oid, (Oid, Oid, usize)> {
        let Some(first) = oids.first().copied() else { return Ok(types::TEXT) };
        if first != types::UNKNOWN && oids.iter().all(|oid| *oid == first) {
            return Ok(first);
        }
        let mut chosen = self.base_type(first).oid;
        for (index, oid) in oids.iter().enumerate().skip(1) {
            // As it is for most literals of a long list, without a look into the catalog.
            if *oid == types::UNKNOWN || *oid == chosen {
                continue;
            }
            let next = self.base_type(*oid).oid;
            if next == types::UNKNOWN || next == chosen {
                continue;
            }
            if chosen == types::UNKNOWN {
                chosen = next;
            } else if self.category(next) != self.category(chosen) {
                return Err((chosen, next, index));
            } else if !self.is_preferred(chosen)
                && self.can_coerce_one(chosen, next, Context::Implicit)
                && !self.can_coerce_one(next, chosen, Context::Implicit)
            {
                chosen = next;
            }
        }
        Ok(if chosen == types::UNKNOWN { types::TEXT } else { chosen })
    }

    /// Converts to the common type.
    ///
    /// # Errors
    /// `42846` when there is no implicit conversion.
    pub(super) fn coerce_to_common(&mut self, input: Typed, target: Oid, construct: &str) -> Result<Typed> {
        let (source, at) = (input.type_oid(), input.at);
        if source == target {
            return Ok(input);
        }
        if !self.can_coerce_one(source, target, Context::Implicit) {
            return Err(error!(
                CANNOT_COERCE,
                "{construct} could not convert type {} to {}",
                self.format_type(source),
                self.format_type(target)
            )
            .at(self.position(at)));
        }
        self.coerce(input, TypeMod::plain(target), Context::Implicit)
    }

    /// Converts all to their common type.
    pub(super) fn unify(&mut self, inputs: Vec<Typed>, construct: &str) -> Result<(Vec<Typed>, TypeMod)> {
        let common = self.common_type(&inputs.iter().collect::<Vec<_>>(), construct)?;
        let inputs: Vec<Typed> = inputs
            .into_iter()
            .map(|input| self.coerce_to_common(input, common, construct))
            .collect::<Result<_>>()?;
        let modifier = common_modifier(inputs.iter().map(|input| input.expr.ty));
        Ok((inputs, TypeMod { oid: common, modifier }))
    }
}

/// The modifier that all have, else none.
pub(super) fn common_modifier(mut tys: impl Iterator<Item = TypeMod>) -> i32 {
    let Some(first) = tys.next() else { return -1 };
    if tys.all(|ty| ty == first) { first.modifier } else { -1 }
}
