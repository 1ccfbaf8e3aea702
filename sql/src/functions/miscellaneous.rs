//! Functions about values of any type: `num_nulls`, enums, I/O functions called by name.
//!
//! Source: `src/backend/utils/adt/misc.c`, `enum.c`, `format_type.c`.

use crate::types::array::Array;
use crate::types::{StorageForm, modifier_text};
use crate::{Oid, Result, Value, ValueRef};

use super::arguments::{int4, native, real, scalar};
use super::{Function, FunctionCall};

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    scalar("pg_num_nulls", |_, v| Ok(count_nulls(v).0)),
    scalar("pg_num_nonnulls", |_, v| Ok(count_nulls(v).1)),
    scalar("numerictypmodout", |_, v| modifier(crate::oid::types::NUMERIC, v[0])),
    scalar("varchartypmodout", |_, v| modifier(crate::oid::types::VARCHAR, v[0])),
    scalar("bpchartypmodout", |_, v| modifier(crate::oid::types::BPCHAR, v[0])),
    scalar("enum_first", |call, _| Ok(labels(call).first().copied().map(Value::Real).unwrap_or(Value::Null))),
    scalar("enum_last", |call, _| Ok(labels(call).last().copied().map(Value::Real).unwrap_or(Value::Null))),
    scalar("enum_range_all", |call, _| Ok(array(labels(call)))),
    scalar("enum_range_bounds", |call, v| {
        let lower = if v[0].is_null() { f64::NEG_INFINITY } else { real(v[0])? };
        let upper = if v[1].is_null() { f64::INFINITY } else { real(v[1])? };
        Ok(array(labels(call).into_iter().filter(|order| (lower..=upper).contains(order)).collect()))
    }),
    // Text forms by name.
    scalar("textin", |_, v| Ok(v[0].to_owned())),
    native("textout", "{0}"),
    scalar("int4out", output),
    scalar("int2out", output),
    scalar("int8out", output),
    scalar("boolout", output),
    scalar("numeric_out", output),
    scalar("float8out", output),
    scalar("float4out", output),
    scalar("byteaout", output),
    scalar("uuid_out", output),
    scalar("array_out", output),
    scalar("record_out", output),
    scalar("enum_out", output),
    scalar("regclassout", output),
    scalar("regtypeout", output),
    scalar("oidout", output),
    native("nameout", "{0}"),
    native("varcharout", "{0}"),
    native("bpcharout", "{0}"),
];

fn modifier(ty: Oid, value: ValueRef<'_>) -> Result<Value> {
    Ok(Value::Text(modifier_text(ty, int4(value)?)))
}

fn output(call: &mut FunctionCall<'_>, v: &[ValueRef<'_>]) -> Result<Value> {
    crate::types::to_text(call.types.arguments[0], v[0], &call.type_context()).map(Value::Text)
}

/// How many arguments are NULL and how many are not.
fn count_nulls(v: &[ValueRef<'_>]) -> (Value, Value) {
    let nulls = v.iter().filter(|value| value.is_null()).count() as i64;
    (Value::Integer(nulls), Value::Integer(v.len() as i64 - nulls))
}

/// The orders of the labels of the enum that the call is about.
fn labels(call: &FunctionCall<'_>) -> Vec<f64> {
    let Some(ty) = call.types.arguments.first() else { return Vec::new() };
    call.context.catalog.enum_labels(*ty).iter().map(|label| label.enumsortorder).collect()
}

fn array(orders: Vec<f64>) -> Value {
    Array::new(orders.into_iter().map(Value::Real).collect()).to_value(StorageForm::Real)
}
