//! `$1`, `$2`, … and the types found for them: declared by the client, or given by the first context that needs one.
//!
//! Source: `src/backend/parser/parse_param.c`.

use super::position::At;
use super::{Binder, Typed};
use crate::bound::{ExprKind, TypeMod};
use crate::oid::types;
use crate::{Oid, Result, error};

/// The highest number a parameter may have: the protocol counts them in 16 bits.
const PARAMETERS_MAX: usize = 65535;

/// The parameters met so far.
#[derive(Default)]
pub(super) struct Parameters {
    /// Their types; `UNKNOWN` while nothing has settled one, zero while not mentioned.
    types: Vec<Oid>,
    /// References that no context has given a type yet: number and place.
    open: Vec<(usize, At)>,
}

impl Parameters {
    pub(super) fn new(declared: &[Oid]) -> Self {
        let types =
            declared.iter().map(|oid| if *oid == types::UNKNOWN { Oid::INVALID } else { *oid }).collect();
        Self { types, open: Vec::new() }
    }

    /// The types of all parameters.
    ///
    /// # Errors
    /// `42P08` for a reference that kept no type while others have one, `42P18` when nothing tells the type.
    pub(super) fn finish(&self, binder: &Binder<'_>) -> Result<Vec<Oid>> {
        for (number, at) in &self.open {
            let settled = self.types.get(number - 1).copied().unwrap_or_default();
            if settled.is_valid() && settled != types::UNKNOWN {
                return Err(error!(
                    AMBIGUOUS_PARAMETER,
                    "could not determine data type of parameter ${number}"
                )
                .at(binder.position(*at)));
            }
        }
        for (index, oid) in self.types.iter().enumerate() {
            if !oid.is_valid() || *oid == types::UNKNOWN {
                let number = index + 1;
                return Err(error!(
                    INDETERMINATE_DATATYPE,
                    "could not determine data type of parameter ${number}"
                ));
            }
        }
        Ok(self.types.clone())
    }
}

impl Binder<'_> {
    /// Binds `$n`.
    pub(super) fn parameter(&mut self, text: &str, at: At) -> Result<Typed> {
        let number = text.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
        let Some(number) = number.filter(|number| (1..=PARAMETERS_MAX).contains(number)) else {
            return Err(error!(UNDEFINED_PARAMETER, "there is no parameter {text}").at(self.position(at)));
        };
        if !self.routines.is_empty() {
            let Some(argument) = self.arguments.get(number - 1).cloned() else {
                return Err(error!(UNDEFINED_PARAMETER, "there is no parameter {text}").at(self.position(at)));
            };
            return Ok(self.with_expr_collation(argument, at));
        }
        let known = &mut self.parameters.types;
        if known.len() < number {
            known.resize(number, Oid::INVALID);
        }
        if !known[number - 1].is_valid() {
            known[number - 1] = types::UNKNOWN;
        }
        let ty = known[number - 1];
        if ty == types::UNKNOWN {
            self.parameters.open.push((number, at));
        }
        Ok(self.with_type_collation(Typed::new(ExprKind::Parameter(number), TypeMod::plain(ty), at)))
    }

    /// Gives an untyped parameter the type that its context wants.
    ///
    /// # Errors
    /// `42P08` when another context has given it another type.
    pub(super) fn type_parameter(
        &mut self,
        mut parameter: Typed,
        number: usize,
        target: Oid,
    ) -> Result<Typed> {
        let settled = self.parameters.types[number - 1];
        if settled == types::UNKNOWN {
            self.parameters.types[number - 1] = target;
        } else if settled != target {
            return Err(error!(AMBIGUOUS_PARAMETER, "inconsistent types deduced for parameter ${number}")
                .detail(format!("{} versus {}", self.format_type(settled), self.format_type(target)))
                .at(self.position(parameter.at)));
        }
        self.parameters.open.retain(|open| *open != (number, parameter.at));
        parameter.expr.ty = TypeMod::plain(target);
        Ok(self.with_type_collation(parameter))
    }
}
