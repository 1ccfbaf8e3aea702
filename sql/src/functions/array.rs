//! Functions of arrays. Elements are in storage form, so equality of elements is equality of their nested keys.
//!
//! Source: `src/backend/utils/adt/arrayfuncs.c`, `array_userfuncs.c`, `varlena.c`.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::interrupt::{self, Things};
use crate::types::array::{Array, DIMENSIONS_MAX, Dimension, ELEMENTS_MAX, too_large, too_many_dimensions};
use crate::types::{StorageForm, key, storage_form, to_text};
use crate::{Oid, Result, SqlError, Value, ValueRef, error};

use super::arguments::{column, int4, integer, real, rows, scalar, text};
use super::{Function, FunctionCall};

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    scalar("array_append", |call, v| append(call, v[0], v[1])),
    scalar("array_prepend", |call, v| prepend(call, v[0], v[1])),
    scalar("array_cat", |call, v| concatenate(call, v[0], v[1])),
    scalar("array_ndims", |_, v| {
        let count = Array::from_value(v[0])?.dimensions.len() as i64;
        Ok((count > 0).then_some(count).into())
    }),
    scalar("array_dims", |_, v| {
        let dimensions = Array::from_value(v[0])?.dimensions;
        let shown = dimensions.iter().map(|d| format!("[{}:{}]", d.lower, d.upper())).collect::<String>();
        Ok((!shown.is_empty()).then_some(shown).into())
    }),
    scalar("array_lower", |_, v| Ok(dimension(v)?.map(|d| i64::from(d.lower)).into())),
    scalar("array_upper", |_, v| Ok(dimension(v)?.map(|d| i64::from(d.upper())).into())),
    scalar("array_length", |_, v| Ok(dimension(v)?.map(|d| i64::from(d.length)).into())),
    scalar("array_cardinality", |_, v| Ok(Value::Integer(Array::from_value(v[0])?.elements.len() as i64))),
    scalar("array_position", |call, v| position(call, v, None)),
    scalar("array_position_start", |call, v| position(call, v, Some(v[2]))),
    scalar("array_positions", positions),
    scalar("array_remove", |call, v| replace(call, v[0], v[1], None)),
    scalar("array_replace", |call, v| replace(call, v[0], v[1], Some(v[2]))),
    scalar("array_to_text", |call, v| join(call, v[0], text(v[1])?, None)),
    scalar("array_to_text_null", |call, v| {
        if v[0].is_null() || v[1].is_null() {
            return Ok(Value::Null);
        }
        let null = if v[2].is_null() { None } else { Some(text(v[2])?) };
        join(call, v[0], text(v[1])?, null)
    }),
    scalar("arraycontains", |call, v| contains(call, v[0], v[1])),
    scalar("arraycontained", |call, v| contains(call, v[1], v[0])),
    scalar("arrayoverlap", overlap),
    scalar("array_fill", |call, v| fill(call, v[0], v[1], ValueRef::Null)),
    scalar("array_fill_with_lower_bounds", |call, v| {
        if v[2].is_null() {
            return Err(error!(NULL_VALUE_NOT_ALLOWED, "dimension array or low bound array cannot be null"));
        }
        fill(call, v[0], v[1], v[2])
    }),
    scalar("trim_array", trim),
    rows("array_unnest", |_, v| Ok(column(Array::from_value(v[0])?.elements.into_iter()))),
    scalar("width_bucket_array", width_bucket),
];

/// The form of the elements of an argument that is an array.
fn form(call: &FunctionCall<'_>, argument: usize) -> StorageForm {
    element_form(call, call.types.arguments[argument])
}

fn element_form(call: &FunctionCall<'_>, array: Oid) -> StorageForm {
    let catalog = &call.context.catalog;
    match crate::types::element_type(catalog, array) {
        Some(element) => storage_form(catalog, element),
        None => StorageForm::Text,
    }
}

/// The array in an argument; NULL counts as the empty one.
fn array_or_empty(value: ValueRef<'_>) -> Result<Array> {
    if value.is_null() { Ok(Array::default()) } else { Array::from_value(value) }
}

fn nested(form: StorageForm, value: ValueRef<'_>) -> String {
    let mut nested = String::new();
    key::push_value(&mut nested, form, value);
    nested
}

/// Whether elements are equal to one that is looked for: NULL is, to NULL.
struct Wanted {
    form: StorageForm,
    key: Option<String>,
    /// The key of the element that is compared, kept for its memory.
    scratch: String,
}

impl Wanted {
    fn new(form: StorageForm, value: ValueRef<'_>) -> Self {
        let key = (!value.is_null()).then(|| nested(form, value));
        Self { form, key, scratch: String::new() }
    }

    fn is(&mut self, element: &Value) -> Result<bool> {
        interrupt::check()?;
        let Some(key) = self.key.as_deref().filter(|_| !element.is_null()) else {
            return Ok(self.key.is_none() && element.is_null());
        };
        self.scratch.clear();
        key::push_value(&mut self.scratch, self.form, element.as_ref());
        Ok(self.scratch == key)
    }
}

fn dimension(v: &[ValueRef<'_>]) -> Result<Option<Dimension>> {
    let wanted = int4(v[1])?;
    let array = Array::from_value(v[0])?;
    Ok(usize::try_from(i64::from(wanted) - 1).ok().and_then(|index| array.dimensions.get(index).copied()))
}

fn one_dimension(array: &Array) -> Result<()> {
    if array.dimensions.len() > 1 {
        return Err(error!(DATA_EXCEPTION, "argument must be empty or one-dimensional array"));
    }
    Ok(())
}

fn subscript_overflow() -> SqlError {
    error!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range")
}

fn append(call: &FunctionCall<'_>, array: ValueRef<'_>, element: ValueRef<'_>) -> Result<Value> {
    let mut array = array_or_empty(array)?;
    one_dimension(&array)?;
    array.elements.push(element.to_owned());
    match array.dimensions.first_mut() {
        Some(dimension) => {
            dimension.upper().checked_add(1).ok_or_else(subscript_overflow)?;
            dimension.length += 1;
            let lower = dimension.lower;
            lower
                .checked_add(dimension.length)
                .ok_or_else(|| error!(PROGRAM_LIMIT_EXCEEDED, "array lower bound is too large: {lower}"))?;
        }
        None => array.dimensions.push(Dimension { length: 1, lower: 1 }),
    }
    array.to_value(form(call, 0))
}

fn prepend(call: &FunctionCall<'_>, element: ValueRef<'_>, array: ValueRef<'_>) -> Result<Value> {
    let mut array = array_or_empty(array)?;
    one_dimension(&array)?;
    array.elements.insert(0, element.to_owned());
    match array.dimensions.first_mut() {
        Some(dimension) => {
            dimension.lower.checked_sub(1).ok_or_else(subscript_overflow)?;
            dimension.length += 1;
        }
        None => array.dimensions.push(Dimension { length: 1, lower: 1 }),
    }
    array.to_value(form(call, 1))
}

fn concatenate(call: &FunctionCall<'_>, left: ValueRef<'_>, right: ValueRef<'_>) -> Result<Value> {
    match (left, right) {
        (ValueRef::Null, other) | (other, ValueRef::Null) => return Ok(other.to_owned()),
        _ => {}
    }
    let (mut a, mut b) = (Array::from_value(left)?, Array::from_value(right)?);
    if a.dimensions.is_empty() {
        return Ok(right.to_owned());
    }
    if b.dimensions.is_empty() {
        return Ok(left.to_owned());
    }
    let incompatible =
        |detail: &str| error!(ARRAY_SUBSCRIPT_ERROR, "cannot concatenate incompatible arrays").detail(detail);
    let lengths = |dimensions: &[Dimension]| dimensions.iter().map(|d| d.length).collect::<Vec<_>>();
    match a.dimensions.len() as i64 - b.dimensions.len() as i64 {
        0 => {
            if lengths(&a.dimensions[1..]) != lengths(&b.dimensions[1..]) {
                return Err(incompatible(
                    "Arrays with differing element dimensions are not compatible for concatenation.",
                ));
            }
            a.dimensions[0].length += b.dimensions[0].length;
            a.elements.append(&mut b.elements);
            a.to_value(form(call, 0))
        }
        // An array of one dimension less is one more element of the other.
        1 => {
            if lengths(&a.dimensions[1..]) != lengths(&b.dimensions) {
                return Err(incompatible(
                    "Arrays with differing dimensions are not compatible for concatenation.",
                ));
            }
            a.dimensions[0].length += 1;
            a.elements.append(&mut b.elements);
            a.to_value(form(call, 0))
        }
        -1 => {
            if lengths(&a.dimensions) != lengths(&b.dimensions[1..]) {
                return Err(incompatible(
                    "Arrays with differing dimensions are not compatible for concatenation.",
                ));
            }
            b.dimensions[0].length += 1;
            a.elements.append(&mut b.elements);
            b.elements = a.elements;
            b.to_value(form(call, 0))
        }
        _ => Err(incompatible(&format!(
            "Arrays of {} and {} dimensions are not compatible for concatenation.",
            a.dimensions.len(),
            b.dimensions.len()
        ))),
    }
}

fn searchable(array: &Array) -> Result<()> {
    if array.dimensions.len() > 1 {
        return Err(error!(
            FEATURE_NOT_SUPPORTED,
            "searching for elements in multidimensional arrays is not supported"
        ));
    }
    Ok(())
}

/// Where an element stands: its subscripts, from one on.
fn found(call: &FunctionCall<'_>, v: &[ValueRef<'_>], start: i64, most: usize) -> Result<Vec<Value>> {
    let array = Array::from_value(v[0])?;
    searchable(&array)?;
    let mut wanted = Wanted::new(form(call, 0), v[1]);
    let lower = array.dimensions.first().map_or(1, |d| i64::from(d.lower));
    let skipped = usize::try_from(start.saturating_sub(lower)).unwrap_or(0);
    let mut places = Things::default();
    for (index, element) in array.elements.iter().enumerate().skip(skipped) {
        if wanted.is(element)? {
            places.push(Value::Integer(lower + index as i64));
            if places.len() == most {
                break;
            }
        }
    }
    Ok(places.finish())
}

fn position(call: &FunctionCall<'_>, v: &[ValueRef<'_>], start: Option<ValueRef<'_>>) -> Result<Value> {
    if v[0].is_null() {
        return Ok(Value::Null);
    }
    let start = match start {
        None => i64::MIN,
        Some(ValueRef::Null) => {
            return Err(error!(NULL_VALUE_NOT_ALLOWED, "initial position must not be null"));
        }
        Some(value) => integer(value)?,
    };
    Ok(found(call, v, start, 1)?.pop().unwrap_or_default())
}

fn positions(call: &mut FunctionCall<'_>, v: &[ValueRef<'_>]) -> Result<Value> {
    if v[0].is_null() {
        return Ok(Value::Null);
    }
    Array::new(found(call, v, i64::MIN, usize::MAX)?).to_value(StorageForm::Integer)
}

/// `array_remove` (no replacement) and `array_replace`.
fn replace(
    call: &FunctionCall<'_>,
    array: ValueRef<'_>,
    from: ValueRef<'_>,
    to: Option<ValueRef<'_>>,
) -> Result<Value> {
    if array.is_null() {
        return Ok(Value::Null);
    }
    let mut array = Array::from_value(array)?;
    if to.is_none() && array.dimensions.len() > 1 {
        return Err(error!(
            FEATURE_NOT_SUPPORTED,
            "removing elements from multidimensional arrays is not supported"
        ));
    }
    let form = form(call, 0);
    let mut wanted = Wanted::new(form, from);
    match to {
        Some(to) => {
            for element in array.elements.iter_mut() {
                if wanted.is(element)? {
                    *element = to.to_owned();
                }
            }
        }
        None => {
            let mut kept = Things::default();
            for element in std::mem::take(&mut array.elements) {
                if !wanted.is(&element)? {
                    kept.push(element);
                }
            }
            array.elements = kept;
            match array.dimensions.first_mut() {
                Some(_) if array.elements.is_empty() => array.dimensions.clear(),
                Some(dimension) => dimension.length = array.elements.len() as i32,
                None => {}
            }
        }
    }
    array.to_value(form)
}

fn join(call: &FunctionCall<'_>, array: ValueRef<'_>, separator: &str, null: Option<&str>) -> Result<Value> {
    let cx = call.type_context();
    let element = crate::types::element_type(cx.catalog, call.types.arguments[0]);
    let element = element.ok_or_else(|| SqlError::internal("an argument that is not an array"))?;
    let (mut joined, mut first) = (interrupt::Text::default(), true);
    for value in elements(call.types.arguments[0], array)?.iter() {
        interrupt::check()?;
        if value.is_null() && null.is_none() {
            continue;
        }
        if !std::mem::take(&mut first) {
            joined.push_str(separator)?;
        }
        match null.filter(|_| value.is_null()) {
            Some(null) => joined.push_str(null)?,
            None => joined.push_str(&to_text(element, value.as_ref(), &cx)?)?,
        }
    }
    Ok(Value::Text(joined.finish()))
}

/// The elements of an array or of a vector.
fn elements(ty: Oid, value: ValueRef<'_>) -> Result<Things<Value>> {
    if matches!(ty, crate::oid::types::INT2VECTOR | crate::oid::types::OIDVECTOR) {
        return Ok(crate::types::vector::numbers(value)?
            .into_iter()
            .map(Value::Integer)
            .collect::<Vec<_>>()
            .into());
    }
    Ok(Array::from_value(value)?.elements)
}

/// The keys of an array's elements, NULLs left out.
fn keys(form: StorageForm, array: &Array) -> Result<Things<String>> {
    let mut keys = Things::default();
    for element in array.elements.iter().filter(|element| !element.is_null()) {
        interrupt::check()?;
        keys.push(nested(form, element.as_ref()));
    }
    Ok(keys)
}

fn set_of(keys: &[String]) -> Result<HashSet<&str, RandomState>> {
    let mut set = HashSet::with_capacity_and_hasher(keys.len(), RandomState::default());
    for key in keys {
        interrupt::check()?;
        set.insert(key.as_str());
    }
    Ok(set)
}

/// Whether the key of any element, NULLs left out, is one that is looked for.
fn any_key(form: StorageForm, array: &Array, mut wanted: impl FnMut(&str) -> bool) -> Result<bool> {
    let mut key = String::new();
    for element in array.elements.iter().filter(|element| !element.is_null()) {
        interrupt::check()?;
        key.clear();
        key::push_value(&mut key, form, element.as_ref());
        if wanted(&key) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn contains(call: &FunctionCall<'_>, whole: ValueRef<'_>, part: ValueRef<'_>) -> Result<Value> {
    includes(form(call, 0), &Array::from_value(whole)?, &Array::from_value(part)?).map(Value::from)
}

/// Whether every element of the second is in the first, whatever their dimensions; a NULL is in nothing.
fn includes(form: StorageForm, whole: &Array, part: &Array) -> Result<bool> {
    let keys = keys(form, part)?;
    if keys.is_empty() || keys.len() < part.elements.len() {
        return Ok(part.elements.is_empty());
    }
    let mut missing = set_of(&keys)?;
    any_key(form, whole, |key| missing.remove(key) && missing.is_empty())
}

fn overlap(call: &mut FunctionCall<'_>, v: &[ValueRef<'_>]) -> Result<Value> {
    overlaps(form(call, 0), &Array::from_value(v[0])?, &Array::from_value(v[1])?).map(Value::from)
}

/// Whether the arrays have an element in common, which NULL is not.
fn overlaps(form: StorageForm, left: &Array, right: &Array) -> Result<bool> {
    let left_is_less = left.elements.len() <= right.elements.len();
    let (less, more) = if left_is_less { (left, right) } else { (right, left) };
    let keys = keys(form, less)?;
    let set = set_of(&keys)?;
    any_key(form, more, |key| set.contains(key))
}

fn fill(
    call: &FunctionCall<'_>,
    value: ValueRef<'_>,
    lengths: ValueRef<'_>,
    lowers: ValueRef<'_>,
) -> Result<Value> {
    if lengths.is_null() {
        return Err(error!(NULL_VALUE_NOT_ALLOWED, "dimension array or low bound array cannot be null"));
    }
    let numbers = |array: &Array| -> Result<Vec<i32>> {
        if array.dimensions.len() > 1 {
            return Err(error!(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts")
                .detail("Dimension array must be one dimensional."));
        }
        if array.elements.iter().any(Value::is_null) {
            return Err(error!(NULL_VALUE_NOT_ALLOWED, "dimension values cannot be null"));
        }
        array.elements.iter().map(|e| int4(e.as_ref())).collect()
    };
    let lengths = numbers(&Array::from_value(lengths)?)?;
    let lowers =
        if lowers.is_null() { vec![1; lengths.len()] } else { numbers(&Array::from_value(lowers)?)? };
    if lengths.len() > DIMENSIONS_MAX {
        return Err(too_many_dimensions(lengths.len()));
    }
    if lowers.len() != lengths.len() {
        return Err(error!(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts")
            .detail("Low bound array has different size than dimensions array."));
    }
    if lengths.iter().any(|length| *length < 0) {
        return Err(too_large());
    }
    let total = lengths.iter().try_fold(1_usize, |total, length| total.checked_mul(*length as usize));
    let total =
        if lengths.is_empty() { 0 } else { total.filter(|t| *t <= ELEMENTS_MAX).ok_or_else(too_large)? };
    let form = element_form(call, call.types.result);
    if total == 0 {
        return Array::default().to_value(form);
    }
    let dimensions =
        lengths.into_iter().zip(lowers).map(|(length, lower)| Dimension { length, lower }).collect();
    let element = value.to_owned();
    let elements = interrupt::gather((0..total).map(|_| interrupt::checked(element.clone())))?.into();
    Array { dimensions, elements }.to_value(form)
}

fn trim(call: &mut FunctionCall<'_>, v: &[ValueRef<'_>]) -> Result<Value> {
    let mut array = Array::from_value(v[0])?;
    let (count, length) = (int4(v[1])?, array.dimensions.first().map_or(0, |d| d.length));
    if !(0..=length).contains(&count) {
        return Err(error!(ARRAY_ELEMENT_ERROR, "number of elements to trim must be between 0 and {length}"));
    }
    if let Some(dimension) = array.dimensions.first_mut() {
        let row = array.elements.len() / length.max(1) as usize;
        dimension.length -= count;
        // PostgreSQL's slices begin at one.
        dimension.lower = 1;
        array.elements.truncate(row * (length - count) as usize);
        if array.elements.is_empty() {
            array.dimensions.clear();
        }
    }
    array.to_value(form(call, 0))
}

fn width_bucket(call: &mut FunctionCall<'_>, v: &[ValueRef<'_>]) -> Result<Value> {
    let thresholds = Array::from_value(v[1])?;
    if thresholds.dimensions.len() > 1 {
        return Err(error!(ARRAY_SUBSCRIPT_ERROR, "thresholds must be one-dimensional array"));
    }
    if thresholds.elements.iter().any(Value::is_null) {
        return Err(error!(NULL_VALUE_NOT_ALLOWED, "thresholds array must not contain NULLs"));
    }
    let form = form(call, 1);
    let operand = match form {
        StorageForm::Real => nested(form, ValueRef::Real(real(v[0])?)),
        _ => nested(form, v[0]),
    };
    let bucket = thresholds.elements.partition_point(|t| nested(form, t.as_ref()) <= operand);
    Ok(Value::Integer(bucket as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look like chance, always the same.
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % limit
        }

        /// A short array, often with equal elements and NULLs, at times of two dimensions.
        fn array(&mut self, element: fn(u64) -> Value) -> Array {
            let length = self.below(5);
            let rows = if length > 0 { 1 + self.below(2) } else { 1 };
            let elements: Vec<_> = (0..length * rows)
                .map(|_| if self.below(8) == 0 { Value::Null } else { element(self.below(6)) })
                .collect();
            let mut array = Array::new(elements);
            if rows > 1 {
                array.dimensions = [rows, length].map(|n| Dimension { length: n as i32, lower: 1 }).to_vec();
            }
            array
        }
    }

    /// PostgreSQL's definition: each element is compared with each of the other array, and NULL is equal to nothing.
    fn compared_one_by_one(form: StorageForm, left: &Array, right: &Array) -> (bool, bool) {
        let key = |element: &Value| (!element.is_null()).then(|| nested(form, element.as_ref()));
        let is_in = |element: &Value, array: &Array| {
            key(element)
                .is_some_and(|wanted| array.elements.iter().any(|other| key(other) == Some(wanted.clone())))
        };
        let contains = right.elements.iter().all(|element| is_in(element, left));
        (contains, left.elements.iter().any(|element| is_in(element, right)))
    }

    #[test]
    fn sets_of_keys_find_what_comparing_finds() {
        let forms: [(StorageForm, fn(u64) -> Value); 3] = [
            (StorageForm::Integer, |n| Value::Integer(n as i64)),
            (StorageForm::Text, |n| Value::Text("a".repeat(n as usize))),
            (
                StorageForm::Real,
                |n| if n == 0 { Value::Text("NaN".to_owned()) } else { Value::Real(n as f64) },
            ),
        ];
        let mut chance = Chance(1);
        let mut seen = [0; 4];
        for (form, element) in forms {
            for _ in 0..2000 {
                let (left, right) = (chance.array(element), chance.array(element));
                let (contained, common) = compared_one_by_one(form, &left, &right);
                assert_eq!(includes(form, &left, &right).unwrap(), contained, "{left:?} @> {right:?}");
                assert_eq!(overlaps(form, &left, &right).unwrap(), common, "{left:?} && {right:?}");
                seen[usize::from(contained) * 2 + usize::from(common)] += 1;
            }
        }
        assert!(seen.iter().all(|times| *times > 100), "{seen:?}");
    }
}
