//! Polymorphic types: whether actual arguments fit `anyelement` and its kin, and what they stand for in one call.
//!
//! Source: `src/backend/parser/parse_coerce.c` (`check_generic_type_consistency`, `enforce_generic_type_consistency`).

use super::Binder;
use super::coerce::{Context, is_polymorphic};
use crate::oid::types;
use crate::{Oid, Result, SqlError, error};

/// What the polymorphic types of one call have been found to be.
#[derive(Default)]
struct Meaning {
    element: Option<Oid>,
    array: Option<Oid>,
    range: Option<Oid>,
    multirange: Option<Oid>,
    compatible: Vec<Oid>,
    compatible_range: Option<Oid>,
    compatible_multirange: Option<Oid>,
    common: Option<Oid>,
    must_not_be_array: bool,
    must_be_enum: bool,
    common_must_not_be_array: bool,
}

/// Sets a meaning, or says whether it agrees with the one there is.
fn agree(slot: &mut Option<Oid>, oid: Oid) -> bool {
    *slot.get_or_insert(oid) == oid
}

impl Binder<'_> {
    pub(super) fn range_subtype(&self, oid: Oid) -> Option<Oid> {
        self.catalog().range(oid).filter(|range| range.rngtypid == oid).map(|range| range.rngsubtype)
    }

    pub(super) fn multirange_range(&self, oid: Oid) -> Option<Oid> {
        self.catalog().range(oid).filter(|range| range.rngmultitypid == oid).map(|range| range.rngtypid)
    }

    /// Whether the actual types give the polymorphic declared ones one meaning.
    pub(super) fn polymorphic_consistent(&self, actual: &[Oid], declared: &[Oid]) -> bool {
        self.meaning(actual, declared).is_some()
    }

    fn meaning(&self, actual: &[Oid], declared: &[Oid]) -> Option<Meaning> {
        let mut meaning = Meaning::default();
        for (actual, declared) in actual.iter().copied().zip(declared.iter().copied()) {
            if is_polymorphic(declared) && !self.learn(&mut meaning, actual, declared) {
                return None;
            }
        }
        self.relate(&mut meaning).then_some(meaning)
    }

    fn learn(&self, meaning: &mut Meaning, actual: Oid, declared: Oid) -> bool {
        match declared {
            types::ANYNONARRAY => meaning.must_not_be_array = true,
            types::ANYENUM => meaning.must_be_enum = true,
            types::ANYCOMPATIBLENONARRAY => meaning.common_must_not_be_array = true,
            _ => {}
        }
        if actual == types::UNKNOWN {
            return true;
        }
        let base = self.base_type(actual).oid;
        match declared {
            types::ANYELEMENT | types::ANYNONARRAY | types::ANYENUM => agree(&mut meaning.element, actual),
            types::ANYARRAY => agree(&mut meaning.array, base),
            types::ANYRANGE => agree(&mut meaning.range, base),
            types::ANYMULTIRANGE => agree(&mut meaning.multirange, base),
            types::ANYCOMPATIBLE | types::ANYCOMPATIBLENONARRAY => {
                meaning.compatible.push(actual);
                true
            }
            types::ANYCOMPATIBLEARRAY => self.element_type(base).is_some_and(|element| {
                meaning.compatible.push(element);
                true
            }),
            types::ANYCOMPATIBLERANGE => {
                agree(&mut meaning.compatible_range, base) && self.range_subtype(base).is_some()
            }
            _ => agree(&mut meaning.compatible_multirange, base) && self.multirange_range(base).is_some(),
        }
    }

    /// Derives each meaning from the others, and checks that they agree.
    fn relate(&self, meaning: &mut Meaning) -> bool {
        if let Some(array) = meaning.array
            && array != types::ANYARRAY
        {
            match self.element_type(array) {
                Some(element) if agree(&mut meaning.element, element) => {}
                _ => return false,
            }
        }
        if let Some(multirange) = meaning.multirange {
            match self.multirange_range(multirange) {
                Some(range) if agree(&mut meaning.range, range) => {}
                _ => return false,
            }
        }
        if let Some(range) = meaning.range {
            match self.range_subtype(range) {
                Some(subtype) if agree(&mut meaning.element, subtype) => {}
                _ => return false,
            }
        }
        if let Some(element) = meaning.element {
            if meaning.must_not_be_array && self.base_element_type(element).is_some() {
                return false;
            }
            if meaning.must_be_enum && !self.is_enum(element) {
                return false;
            }
        }
        self.relate_compatible(meaning)
    }

    fn relate_compatible(&self, meaning: &mut Meaning) -> bool {
        if let Some(multirange) = meaning.compatible_multirange {
            match self.multirange_range(multirange) {
                Some(range) if agree(&mut meaning.compatible_range, range) => {}
                _ => return false,
            }
        }
        let subtype = meaning.compatible_range.and_then(|range| self.range_subtype(range));
        meaning.compatible.extend(subtype);
        if meaning.compatible.is_empty() {
            return true;
        }
        let Ok(common) = self.select_common(&meaning.compatible) else { return false };
        if !meaning.compatible.iter().all(|oid| self.can_coerce_one(*oid, common, Context::Implicit)) {
            return false;
        }
        if meaning.common_must_not_be_array && self.base_element_type(common).is_some() {
            return false;
        }
        meaning.common = Some(common);
        subtype.is_none_or(|subtype| subtype == common)
    }

    /// Replaces polymorphic declared types by what they stand for in this call, and gives the result's type.
    ///
    /// # Errors
    /// `42804` when an untyped argument leaves it open.
    pub(super) fn resolve_polymorphic(
        &self,
        actual: &[Oid],
        declared: &mut [Oid],
        result: Oid,
    ) -> Result<Oid> {
        if !is_polymorphic(result) && !declared.iter().any(|oid| is_polymorphic(*oid)) {
            return Ok(result);
        }
        let meaning = self.meaning(actual, declared).ok_or_else(|| {
            error!(DATATYPE_MISMATCH, "arguments declared \"anyelement\" are not all alike")
        })?;
        for oid in declared.iter_mut() {
            if is_polymorphic(*oid) {
                *oid = self.stands_for(&meaning, *oid)?;
            }
        }
        if is_polymorphic(result) { self.stands_for(&meaning, result) } else { Ok(result) }
    }

    fn stands_for(&self, meaning: &Meaning, oid: Oid) -> Result<Oid> {
        let open = || {
            SqlError::new(
                crate::SqlState::DATATYPE_MISMATCH,
                "could not determine polymorphic type because input has type unknown",
            )
        };
        let common = || meaning.common.unwrap_or(types::TEXT);
        match oid {
            types::ANYELEMENT | types::ANYNONARRAY | types::ANYENUM => match (meaning.element, meaning.array)
            {
                (Some(element), _) => Ok(element),
                (None, Some(types::ANYARRAY)) => Ok(types::ANYELEMENT),
                _ => Err(open()),
            },
            types::ANYARRAY => match (meaning.array, meaning.element) {
                (Some(array), _) => Ok(array),
                (None, Some(element)) => self.array_of(element),
                _ => Err(open()),
            },
            types::ANYRANGE => meaning.range.ok_or_else(open),
            types::ANYMULTIRANGE => match (meaning.multirange, meaning.range) {
                (Some(multirange), _) => Ok(multirange),
                (None, Some(range)) => {
                    self.catalog().range(range).map(|row| row.rngmultitypid).ok_or_else(open)
                }
                _ => Err(open()),
            },
            types::ANYCOMPATIBLE | types::ANYCOMPATIBLENONARRAY => Ok(common()),
            types::ANYCOMPATIBLEARRAY => self.array_of(common()),
            types::ANYCOMPATIBLERANGE => meaning.compatible_range.ok_or_else(open),
            _ => meaning.compatible_multirange.ok_or_else(open),
        }
    }

    pub(super) fn array_of(&self, element: Oid) -> Result<Oid> {
        self.array_type(element).ok_or_else(|| {
            error!(UNDEFINED_OBJECT, "could not find array type for data type {}", self.format_type(element))
        })
    }
}
