//! Host functions for arrays, rows and domains: what has syntax of its own in PostgreSQL and so no row in `pg_proc`.

use std::sync::Arc;

use storage::{AggregateFunction, AggregateState, CallContext, HostError, ScalarFunction};

use super::host::host_error;
use crate::oid::types as type_oids;
use crate::session::StatementContext;
use crate::types::array::Array;
use crate::types::{record, storage_form};
use crate::{Oid, Result, SqlError, Value, ValueRef, error};

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
            Ok(built.to_value(form))
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
    array.dimensions.insert(0, crate::types::array::Dimension { length, lower: 1 });
    if array.dimensions.len() > crate::types::array::DIMENSIONS_MAX {
        return Err(crate::types::array::too_many_dimensions(array.dimensions.len()));
    }
    Ok(array)
}

/// `ARRAY(SELECT …)`: an empty array for no rows.
pub(super) fn collect_array(array: Oid, element: Oid) -> AggregateFunction {
    AggregateFunction {
        name: format!("collect_array#{array}_{element}").into(),
        start: Arc::new(move || Box::new(Collected { element, values: Vec::new() })),
    }
}

struct Collected {
    element: Oid,
    values: Vec<Value>,
}

impl AggregateState for Collected {
    fn step(&mut self, _: &mut CallContext<'_>, arguments: &[ValueRef<'_>]) -> Result<(), HostError> {
        self.values.push(arguments[0].to_owned());
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
            return Ok(stacked.to_value(storage_form(&context.catalog, inner)));
        }
        let form = storage_form(&context.catalog, self.element);
        Ok(Array::new(self.values.clone()).to_value(form))
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
            Ok(record::to_value(&fields, &context.type_context()))
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

fn array_element(arguments: &[ValueRef<'_>]) -> Result<Value> {
    let mut array = Array::from_value(arguments[0])?;
    let indexes = &arguments[1..];
    if indexes.len() != array.dimensions.len() {
        return Ok(Value::Null);
    }
    let mut place = 0usize;
    for (dimension, index) in array.dimensions.iter().zip(indexes) {
        let ValueRef::Integer(index) = *index else { return Ok(Value::Null) };
        if index < i64::from(dimension.lower) || index > i64::from(dimension.upper()) {
            return Ok(Value::Null);
        }
        let length = usize::try_from(dimension.length).unwrap_or(0);
        place = place * length + usize::try_from(index - i64::from(dimension.lower)).unwrap_or(0);
    }
    Ok(if place < array.elements.len() { array.elements.swap_remove(place) } else { Value::Null })
}

fn array_slice(arguments: &[ValueRef<'_>], form: crate::types::StorageForm) -> Result<Value> {
    let array = Array::from_value(arguments[0])?;
    let bounds: Vec<&[ValueRef<'_>]> = arguments[1..].chunks(2).collect();
    if bounds.len() > array.dimensions.len() {
        return Ok(Array::new(Vec::new()).to_value(form));
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
            return Ok(Array::new(Vec::new()).to_value(form));
        }
        ranges.push((lower - i64::from(dimension.lower), upper - i64::from(dimension.lower)));
    }
    let mut elements = Vec::new();
    for (place, value) in array.elements.iter().enumerate() {
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
        .map(|(lower, upper)| crate::types::array::Dimension {
            length: i32::try_from(upper - lower + 1).unwrap_or(i32::MAX),
            lower: 1,
        })
        .collect();
    Ok(Array { dimensions, elements }.to_value(form))
}

/// A value going into a domain: the value, then the results of its checks.
pub(super) fn check_domain(domain: Oid, name: String, not_null: bool, constraints: Vec<String>) -> ScalarFunction {
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
