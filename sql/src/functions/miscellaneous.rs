//! Functions about values of any type: `num_nulls`, enums, I/O functions called by name.
//!
//! Source: `src/backend/utils/adt/misc.c`, `enum.c`, `format_type.c`.

use crate::bound::TypeMod;
use crate::catalog::{Catalog, Procedure};
use crate::oid::types;
use crate::types::array::Array;
use crate::types::{StorageForm, modifier_text};
use crate::{Oid, Result, Value, ValueRef};

use super::arguments::{int4, oid, real, scalar, text};
use super::{Function, FunctionCall};

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    scalar("pg_num_nulls", |_, v| Ok(count_nulls(v).0)),
    scalar("pg_num_nonnulls", |_, v| Ok(count_nulls(v).1)),
    scalar("numerictypmodout", |_, v| modifier(types::NUMERIC, v[0])),
    scalar("varchartypmodout", |_, v| modifier(types::VARCHAR, v[0])),
    scalar("bpchartypmodout", |_, v| modifier(types::BPCHAR, v[0])),
    scalar("enum_first", |call, _| Ok(labels(call).first().copied().map(Value::Real).unwrap_or(Value::Null))),
    scalar("enum_last", |call, _| Ok(labels(call).last().copied().map(Value::Real).unwrap_or(Value::Null))),
    scalar("enum_range_all", |call, _| array(labels(call))),
    scalar("enum_range_bounds", |call, v| {
        let lower = if v[0].is_null() { f64::NEG_INFINITY } else { real(v[0])? };
        let upper = if v[1].is_null() { f64::INFINITY } else { real(v[1])? };
        array(labels(call).into_iter().filter(|order| (lower..=upper).contains(order)).collect())
    }),
    // The forms of values whose type only the call tells; those of other types: `INPUT` and its kin.
    scalar("array_in", |call, v| {
        let element = oid(v[1])?;
        let array = call.context.catalog.type_(element).map_or(Oid::INVALID, |row| row.typarray);
        input(call, array, v)
    }),
    scalar("record_in", |call, v| input(call, oid(v[1])?, v)),
    scalar("range_in", |call, v| input(call, oid(v[1])?, v)),
    scalar("enum_in", |call, v| input(call, oid(v[1])?, v)),
    scalar("domain_in", |call, v| input(call, oid(v[1])?, v)),
    scalar("array_out", output),
    scalar("enum_out", output),
    scalar("range_out", output),
    scalar("array_send", send),
    scalar("enum_send", send),
    scalar("record_send", send),
    scalar("range_send", send),
];

/// `typinput` of the result's type: the text, and perhaps the element's type and a modifier.
static INPUT: Function = scalar("input", |call, v| input(call, call.types.result, v));
/// `typoutput` of the argument's type.
static OUTPUT: Function = scalar("output", output);
/// `typsend` of the argument's type.
static SEND: Function = scalar("send", send);

/// The entry of a function that is one of the forms of a type: each goes through the type's own table.
pub(super) fn form_of_type(procedure: &Procedure, catalog: &Catalog) -> Option<&'static Function> {
    let first = *procedure.proargtypes.first()?;
    if first == types::CSTRING {
        let reads = catalog.type_(procedure.prorettype)?.typinput == procedure.oid;
        return reads.then_some(&INPUT);
    }
    let row = catalog.type_(first)?;
    match procedure.prorettype {
        types::CSTRING if row.typoutput == procedure.oid => Some(&OUTPUT),
        types::BYTEA if row.typsend == procedure.oid => Some(&SEND),
        _ => None,
    }
}

fn input(call: &FunctionCall<'_>, ty: Oid, v: &[ValueRef<'_>]) -> Result<Value> {
    let modifier = v.get(2).map_or(Ok(-1), |modifier| int4(*modifier))?;
    crate::types::input(TypeMod { oid: ty, modifier }, text(v[0])?, &call.type_context())
}

fn send(call: &mut FunctionCall<'_>, v: &[ValueRef<'_>]) -> Result<Value> {
    let mut bytes = bytes::BytesMut::new();
    crate::types::send(call.types.arguments[0], v[0], &call.type_context(), &mut bytes)?;
    Ok(Value::Blob(bytes.to_vec()))
}

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

fn array(orders: Vec<f64>) -> Result<Value> {
    Array::new(orders.into_iter().map(Value::Real).collect()).to_value(StorageForm::Real)
}
