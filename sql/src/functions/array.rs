//! Functions of arrays. Elements are in storage form, so equality of elements is equality of their nested keys.
//!
//! Source: `src/backend/utils/adt/arrayfuncs.c`, `array_userfuncs.c`, `varlena.c`.

use crate::types::array::{Array, DIMENSIONS_MAX, Dimension, ELEMENTS_MAX, too_large, too_many_dimensions};
use crate::types::{StorageForm, key, storage_form, to_text};
use crate::{Oid, Result, SqlError, Value, ValueRef, error};

use super::arguments::{int4, integer, known, real, rows, scalar, text};
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
    rows("array_unnest", |_, v| {
        Ok(known(Array::from_value(v[0])?.elements.into_iter().map(|element| vec![element]).collect()))
    }),
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

fn keys(form: StorageForm, array: &Array) -> Vec<Option<String>> {
    array.elements.iter().map(|e| (!e.is_null()).then(|| nested(form, e.as_ref()))).collect()
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
    Ok(array.to_value(form(call, 0)))
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
    Ok(array.to_value(form(call, 1)))
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
            Ok(a.to_value(form(call, 0)))
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
            Ok(a.to_value(form(call, 0)))
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
            Ok(b.to_value(form(call, 0)))
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

/// Where an element stands: its subscripts.
fn found(call: &FunctionCall<'_>, v: &[ValueRef<'_>]) -> Result<Vec<i64>> {
    let array = Array::from_value(v[0])?;
    searchable(&array)?;
    let form = form(call, 0);
    let wanted = (!v[1].is_null()).then(|| nested(form, v[1]));
    let lower = array.dimensions.first().map_or(1, |d| i64::from(d.lower));
    let places = keys(form, &array).into_iter().enumerate().filter(|(_, key)| *key == wanted);
    Ok(places.map(|(index, _)| lower + index as i64).collect())
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
    Ok(found(call, v)?.into_iter().find(|at| *at >= start).into())
}

fn positions(call: &mut FunctionCall<'_>, v: &[ValueRef<'_>]) -> Result<Value> {
    if v[0].is_null() {
        return Ok(Value::Null);
    }
    let places = found(call, v)?.into_iter().map(Value::Integer).collect();
    Ok(Array::new(places).to_value(StorageForm::Integer))
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
    let wanted = (!from.is_null()).then(|| nested(form, from));
    let matching: Vec<_> = keys(form, &array).into_iter().map(|key| key == wanted).collect();
    match to {
        Some(to) => {
            for (element, _) in array.elements.iter_mut().zip(matching).filter(|(_, matches)| *matches) {
                *element = to.to_owned();
            }
        }
        None => {
            let mut keep = matching.into_iter().map(|matches| !matches);
            array.elements.retain(|_| keep.next().unwrap_or(true));
            match array.dimensions.first_mut() {
                Some(_) if array.elements.is_empty() => array.dimensions.clear(),
                Some(dimension) => dimension.length = array.elements.len() as i32,
                None => {}
            }
        }
    }
    Ok(array.to_value(form))
}

fn join(call: &FunctionCall<'_>, array: ValueRef<'_>, separator: &str, null: Option<&str>) -> Result<Value> {
    let cx = call.type_context();
    let element = crate::types::element_type(cx.catalog, call.types.arguments[0]);
    let element = element.ok_or_else(|| SqlError::internal("an argument that is not an array"))?;
    let mut parts = Vec::new();
    for value in &elements(call.types.arguments[0], array)? {
        match (value.is_null(), null) {
            (false, _) => parts.push(to_text(element, value.as_ref(), &cx)?),
            (true, Some(null)) => parts.push(null.to_owned()),
            (true, None) => {}
        }
    }
    Ok(Value::Text(parts.join(separator)))
}

/// The elements of an array or of a vector.
fn elements(ty: Oid, value: ValueRef<'_>) -> Result<Vec<Value>> {
    if matches!(ty, crate::oid::types::INT2VECTOR | crate::oid::types::OIDVECTOR) {
        return Ok(crate::types::vector::numbers(value)?.into_iter().map(Value::Integer).collect());
    }
    Ok(Array::from_value(value)?.elements)
}

/// Whether every element of the second is in the first; a NULL is in nothing.
fn contains(call: &FunctionCall<'_>, whole: ValueRef<'_>, part: ValueRef<'_>) -> Result<Value> {
    let form = form(call, 0);
    let whole = keys(form, &Array::from_value(whole)?);
    let part = keys(form, &Array::from_value(part)?);
    Ok(Value::from(part.iter().all(|key| key.is_some() && whole.contains(key))))
}

fn overlap(call: &mut FunctionCall<'_>, v: &[ValueRef<'_>]) -> Result<Value> {
    let form = form(call, 0);
    let left = keys(form, &Array::from_value(v[0])?);
    let right = keys(form, &Array::from_value(v[1])?);
    Ok(Value::from(left.iter().any(|key| key.is_some() && right.contains(key))))
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
        return Ok(Array::default().to_value(form));
    }
    let dimensions =
        lengths.into_iter().zip(lowers).map(|(length, lower)| Dimension { length, lower }).collect();
    Ok(Array { dimensions, elements: vec![value.to_owned(); total] }.to_value(form))
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
    Ok(array.to_value(form(call, 0)))
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
