//! Host functions for arrays, rows and domains: what has syntax of its own in PostgreSQL and so no row in `pg_proc`.

use std::sync::Arc;

use storage::{AggregateFunction, AggregateState, CallContext, HostError, ScalarFunction};

use super::host::host_error;
use crate::interrupt::{Gathered, Things};
use crate::oid::types as type_oids;
use crate::session::StatementContext;
use crate::types::array::{self, Array, Dimension};
use crate::types::text::{NAME_LENGTH_MAX, char_from_byte};
use crate::types::{record, storage_form};
use crate::{Oid, Result, SqlError, Value, ValueRef, error, interrupt};

type Body = Arc<dyn Fn(&Arc<StatementContext>, &[ValueRef<'_>]) -> Result<Value> + Send + Sync>;

fn function(name: String, body: Body) -> ScalarFunction {
    ScalarFunction {
        name: name.into(),
        deterministic: true,
        body: Arc::new(move |call, arguments| {
            let context = StatementContext::lent(call.context)?;
            body(&context, arguments).map_err(host_error)
        }),
    }
}

/// `ARRAY[a, b]`, and `ARRAY[[a], [b]]` when nested.
pub(super) fn make_array(array: Oid, element: Oid, nested: bool) -> ScalarFunction {
    let name = format!("make_array#{array}{}", if nested { "_nested" } else { "" });
    function(
        name,
        Arc::new(move |context, arguments| {
            let form = storage_form(&context.catalog, element);
            let built = match nested {
                false => Array::new(arguments.iter().map(|v| (*v).to_owned()).collect()),
                true => stack(arguments)?,
            };
            built.to_value(form)
        }),
    )
}

/// Puts arrays of equal dimensions on top of each other.
fn stack(arguments: &[ValueRef<'_>]) -> Result<Array> {
    let mismatch = || {
        error!(
            ARRAY_SUBSCRIPT_ERROR,
            "multidimensional arrays must have array expressions with matching dimensions"
        )
    };
    let mut stacked: Option<Array> = None;
    let mut count = 0;
    for argument in arguments.iter().filter(|v| !v.is_null()) {
        interrupt::check()?;
        let one = Array::from_value(*argument)?;
        count += 1;
        match &mut stacked {
            None => stacked = Some(one),
            Some(all) if all.dimensions == one.dimensions => all.elements.extend(one.elements),
            Some(_) => return Err(mismatch()),
        }
    }
    if count != 0 && count != arguments.len() {
        return Err(mismatch());
    }
    let Some(mut array) = stacked else { return Ok(Array::new(Vec::new())) };
    if array.elements.is_empty() {
        return Ok(Array::new(Vec::new()));
    }
    let length = i32::try_from(count).map_err(|_| SqlError::internal("too many array elements"))?;
    array.dimensions.insert(0, Dimension { length, lower: 1 });
    if array.dimensions.len() > crate::types::array::DIMENSIONS_MAX {
        return Err(crate::types::array::too_many_dimensions(array.dimensions.len()));
    }
    Ok(array)
}

/// An array with the dimensions of another that has as many elements; `element` is its element type.
pub(super) fn shape_array(array: Oid, element: Oid) -> ScalarFunction {
    function(
        format!("shape_array#{array}_{element}"),
        Arc::new(move |context, arguments| {
            let mut shaped = Array::from_value(arguments[0])?;
            shaped.dimensions = Array::from_value(arguments[1])?.dimensions;
            shaped.to_value(storage_form(&context.catalog, element))
        }),
    )
}

/// `ARRAY(SELECT …)`: an empty array for no rows.
pub(super) fn collect_array(array: Oid, element: Oid) -> AggregateFunction {
    AggregateFunction {
        name: format!("collect_array#{array}_{element}").into(),
        start: Arc::new(move || Box::new(Collected { element, values: Gathered::default() })),
    }
}

struct Collected {
    element: Oid,
    values: Gathered<Value>,
}

impl AggregateState for Collected {
    fn step(&mut self, _: &mut CallContext<'_>, arguments: &[ValueRef<'_>]) -> Result<(), HostError> {
        self.values.push_back(arguments[0].to_owned());
        Ok(())
    }

    fn inverse(&mut self, _: &mut CallContext<'_>, _: &[ValueRef<'_>]) -> Result<(), HostError> {
        Err("collect_array is no window function".into())
    }

    fn value(&self, call: &mut CallContext<'_>) -> Result<Value, HostError> {
        let context = StatementContext::lent(call.context)?;
        // The elements of an array of arrays become a further dimension.
        if context.catalog.type_(self.element).is_some_and(|t| t.typcategory == 'A') {
            let inner = context.catalog.type_(self.element).map_or(self.element, |t| t.typelem);
            let arguments: Vec<ValueRef<'_>> = self.values.iter().map(Value::as_ref).collect();
            let stacked = stack(&arguments).map_err(host_error)?;
            return stacked.to_value(storage_form(&context.catalog, inner)).map_err(host_error);
        }
        let form = storage_form(&context.catalog, self.element);
        let dimension = Dimension { length: self.values.len() as i32, lower: 1 };
        let dimensions = if self.values.is_empty() { &[][..] } else { &[dimension] };
        array::stored(dimensions, self.values.iter(), form).map_err(host_error)
    }
}

/// `ROW(a, b)` and whole rows. `types` are the fields' types.
pub(super) fn make_row(row: Oid, types: Vec<Oid>) -> ScalarFunction {
    let key: Vec<String> = types.iter().map(ToString::to_string).collect();
    function(
        format!("make_row#{row}_{}", key.join("_")),
        Arc::new(move |context, arguments| {
            let fields: Vec<(Oid, Value)> = arguments
                .iter()
                .enumerate()
                .map(|(i, value)| (types.get(i).copied().unwrap_or(type_oids::TEXT), (*value).to_owned()))
                .collect();
            record::to_value(&fields, &context.type_context())
        }),
    )
}

/// A row of a subquery or function: an anonymous record whose fields have names, which JSON shows.
pub(super) fn make_named_row(types: Vec<Oid>, names: Vec<String>) -> ScalarFunction {
    let label = super::host::fingerprint(&format!("{types:?}{names:?}"));
    function(
        format!("make_named_row#{label:016x}"),
        Arc::new(move |context, arguments| {
            let fields: Vec<(Oid, Value)> =
                types.iter().zip(arguments).map(|(ty, value)| (*ty, (*value).to_owned())).collect();
            record::to_named_value(&fields, &names, &context.type_context())
        }),
    )
}

/// `row IS NULL`: all fields are; `row IS NOT NULL`: no field is.
pub(super) fn row_is_null(negated: bool) -> ScalarFunction {
    function(
        if negated { "row_is_not_null".into() } else { "row_is_null".into() },
        Arc::new(move |_, arguments| {
            if arguments[0].is_null() {
                return Ok(Value::from(!negated));
            }
            let fields = record::fields(arguments[0])?;
            Ok(Value::from(fields.iter().all(|(_, value)| value.is_null() != negated)))
        }),
    )
}

/// `(row).field`.
pub(super) fn row_field(row: Oid, field: usize, result: Oid) -> ScalarFunction {
    function(
        format!("row_field#{row}_{field}_{result}"),
        Arc::new(move |_, arguments| {
            if arguments[0].is_null() {
                return Ok(Value::Null);
            }
            let fields = record::fields(arguments[0])?;
            Ok(fields.into_iter().nth(field).map_or(Value::Null, |(_, value)| value))
        }),
    )
}

/// `a[i]`, `a[i][j]`, `a[l:u]`. A slice has two arguments for each dimension; the text `*` is an absent bound.
pub(super) fn subscript(base: Oid, result: Oid, slice: bool) -> ScalarFunction {
    function(
        format!("subscript#{base}_{result}{}", if slice { "_slice" } else { "" }),
        Arc::new(move |context, arguments| {
            if arguments.iter().any(|a| a.is_null()) {
                return Ok(Value::Null);
            }
            match base {
                type_oids::INT2VECTOR | type_oids::OIDVECTOR => vector_element(arguments),
                type_oids::NAME => Ok(name_element(arguments)),
                type_oids::JSONB => Err(SqlError::unsupported("a jsonb subscript")),
                _ if slice => {
                    let element = context.catalog.type_(base).map_or(type_oids::TEXT, |t| t.typelem);
                    array_slice(arguments, storage_form(&context.catalog, element))
                }
                _ => array_element(arguments),
            }
        }),
    )
}

/// Vectors are lists of numbers in text, counted from 0.
fn vector_element(arguments: &[ValueRef<'_>]) -> Result<Value> {
    let (ValueRef::Text(text), Some(ValueRef::Integer(index))) = (arguments[0], arguments.get(1)) else {
        return Ok(Value::Null);
    };
    let element = usize::try_from(*index).ok().and_then(|i| text.split_ascii_whitespace().nth(i));
    Ok(element.and_then(|e| e.parse::<i64>().ok()).map_or(Value::Null, Value::Integer))
}

/// A name is an array of 64 "char"s, counted from 0, in which zeros follow its bytes.
fn name_element(arguments: &[ValueRef<'_>]) -> Value {
    let (ValueRef::Text(name), Some(ValueRef::Integer(index))) = (arguments[0], arguments.get(1)) else {
        return Value::Null;
    };
    match usize::try_from(*index) {
        Ok(index) if index <= NAME_LENGTH_MAX => {
            let byte = name.as_bytes().get(index).copied().unwrap_or(0);
            char_from_byte(byte)
        }
        _ => Value::Null,
    }
}

fn array_element(arguments: &[ValueRef<'_>]) -> Result<Value> {
    let mut array = Array::from_value(arguments[0])?;
    let indexes = &arguments[1..];
    if indexes.len() != array.dimensions.len() {
        return Ok(Value::Null);
    }
    let mut numbers = Vec::new();
    for index in indexes {
        match *index {
            ValueRef::Integer(index) => match i32::try_from(index) {
                Ok(index) => numbers.push(index),
                Err(_) => return Ok(Value::Null),
            },
            _ => return Ok(Value::Null),
        }
    }
    Ok(place_of(&array, &numbers).map_or(Value::Null, |place| array.elements.swap_remove(place)))
}

fn array_slice(arguments: &[ValueRef<'_>], form: crate::types::StorageForm) -> Result<Value> {
    let array = Array::from_value(arguments[0])?;
    let bounds: Vec<&[ValueRef<'_>]> = arguments[1..].chunks(2).collect();
    if bounds.len() > array.dimensions.len() {
        return Array::default().to_value(form);
    }
    let mut ranges = Vec::new();
    for (i, dimension) in array.dimensions.iter().enumerate() {
        let (mut lower, mut upper) = (i64::from(dimension.lower), i64::from(dimension.upper()));
        if let Some(bound) = bounds.get(i) {
            if let ValueRef::Integer(value) = bound[0] {
                lower = lower.max(value);
            }
            if let Some(ValueRef::Integer(value)) = bound.get(1) {
                upper = upper.min(*value);
            }
        }
        if lower > upper {
            return Array::default().to_value(form);
        }
        ranges.push((lower - i64::from(dimension.lower), upper - i64::from(dimension.lower)));
    }
    let mut elements = Things::default();
    for (place, value) in array.elements.iter().enumerate() {
        interrupt::check()?;
        let mut rest = place as i64;
        let inside = array.dimensions.iter().zip(&ranges).rev().all(|(dimension, (lower, upper))| {
            let index = rest % i64::from(dimension.length);
            rest /= i64::from(dimension.length);
            (*lower..=*upper).contains(&index)
        });
        if inside {
            elements.push(value.clone());
        }
    }
    let dimensions = ranges
        .iter()
        .map(|(lower, upper)| Dimension {
            length: i32::try_from(upper - lower + 1).unwrap_or(i32::MAX),
            lower: 1,
        })
        .collect();
    Array { dimensions, elements }.to_value(form)
}

/// `a[i] = value`, called as (array, value, i, …). An array of one dimension grows as far as it must.
pub(super) fn assign_subscript(array: Oid, element: Oid) -> ScalarFunction {
    function(
        format!("assign_subscript#{array}"),
        Arc::new(move |context, arguments| {
            let mut target = match arguments[0] {
                ValueRef::Null => Array::new(Vec::new()),
                stored => Array::from_value(stored)?,
            };
            let mut indexes = Vec::new();
            for index in &arguments[2..] {
                let ValueRef::Integer(index) = *index else {
                    return Err(error!(
                        NULL_VALUE_NOT_ALLOWED,
                        "array subscript in assignment must not be null"
                    ));
                };
                indexes.push(i32::try_from(index).map_err(|_| subscript_out_of_range())?);
            }
            let value = arguments[1].to_owned();
            if target.dimensions.is_empty() && indexes.len() == 1 {
                target = Array::with_lower(vec![value], indexes[0]);
            } else if target.dimensions.len() != indexes.len() {
                return Err(error!(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts"));
            } else if indexes.len() == 1 {
                set_growing(&mut target, indexes[0], value)?;
            } else {
                let place = place_of(&target, &indexes).ok_or_else(subscript_out_of_range)?;
                target.elements[place] = value;
            }
            target.to_value(storage_form(&context.catalog, element))
        }),
    )
}

fn subscript_out_of_range() -> SqlError {
    error!(ARRAY_SUBSCRIPT_ERROR, "array subscript out of range")
}

/// Sets an element of an array of one dimension, filling the gap with NULLs.
fn set_growing(array: &mut Array, index: i32, value: Value) -> Result<()> {
    let dimension = &mut array.dimensions[0];
    let distance = i64::from(index) - i64::from(dimension.lower);
    let length = i64::from(dimension.length);
    let grown = if distance < 0 { length - distance } else { length.max(distance + 1) };
    let grown_length = usize::try_from(grown).map_err(|_| subscript_out_of_range())?;
    if grown_length > crate::types::array::ELEMENTS_MAX {
        return Err(crate::types::array::too_large());
    }
    if distance < 0 {
        let added = usize::try_from(-distance).map_err(|_| subscript_out_of_range())?;
        array.elements.splice(0..0, std::iter::repeat_n(Value::Null, added));
        dimension.lower = index;
        array.elements[0] = value;
    } else {
        array.elements.resize(grown_length, Value::Null);
        array.elements[usize::try_from(distance).map_err(|_| subscript_out_of_range())?] = value;
    }
    dimension.length = i32::try_from(grown).map_err(|_| subscript_out_of_range())?;
    Ok(())
}

/// Where an element stands; nothing for subscripts outside the array.
fn place_of(array: &Array, indexes: &[i32]) -> Option<usize> {
    let mut place = 0usize;
    for (dimension, index) in array.dimensions.iter().zip(indexes) {
        if *index < dimension.lower || *index > dimension.upper() {
            return None;
        }
        place = place * usize::try_from(dimension.length).ok()?
            + usize::try_from(index - dimension.lower).ok()?;
    }
    (place < array.elements.len()).then_some(place)
}

/// `c.f = value`, called as (row, value). `types` are the fields' types.
pub(super) fn assign_field(row: Oid, field: usize, types: Vec<Oid>) -> ScalarFunction {
    function(
        format!("assign_field#{row}_{field}"),
        Arc::new(move |context, arguments| {
            let mut fields = match arguments[0] {
                ValueRef::Null => types.iter().map(|ty| (*ty, Value::Null)).collect(),
                stored => record::fields(stored)?,
            };
            if let Some((_, value)) = fields.get_mut(field) {
                *value = arguments[1].to_owned();
            }
            record::to_value(&fields, &context.type_context())
        }),
    )
}

/// A value going into a domain: the value, then the results of its checks.
pub(super) fn check_domain(
    domain: Oid,
    name: String,
    not_null: bool,
    constraints: Vec<String>,
) -> ScalarFunction {
    function(
        format!("check_domain#{domain}_{}", constraints.len()),
        Arc::new(move |_, arguments| {
            if not_null && arguments[0].is_null() {
                return Err(error!(NOT_NULL_VIOLATION, "domain {name} does not allow null values"));
            }
            let failed = arguments[1..].iter().position(|result| matches!(result, ValueRef::Integer(0)));
            match failed.and_then(|i| constraints.get(i)) {
                Some(constraint) => Err(error!(
                    CHECK_VIOLATION,
                    "value for domain {name} violates check constraint \"{constraint}\""
                )),
                None => Ok(arguments[0].to_owned()),
            }
        }),
    )
}
