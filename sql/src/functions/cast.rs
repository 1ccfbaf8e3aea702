//! Casts between families that have a function in `pg_cast` and no better home.

use crate::types::registered;
use crate::{Result, Value, ValueRef};

use super::arguments::{from_oid, integer, native, scalar, text};
use super::{Function, FunctionCall};

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    native("bool_int4", "{0}"),
    native("int4_bool", "({0} <> 0)"),
    native("booltext", "(CASE {0} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)"),
    scalar("i8tooid", |_, v| {
        let value = integer(v[0])?;
        match u32::try_from(value) {
            Ok(_) => Ok(Value::Integer(value)),
            Err(_) => Err(crate::error!(NUMERIC_VALUE_OUT_OF_RANGE, "OID out of range")),
        }
    }),
    native("xid8toxid", "({0} & 4294967295)"),
    scalar("text_regclass", |call, v| {
        Ok(from_oid(registered::find_class(text(v[0])?, &call.type_context())?))
    }),
    scalar("to_regclass", |call, v| lookup(call, v, crate::oid::types::REGCLASS)),
    scalar("to_regtype", |call, v| lookup(call, v, crate::oid::types::REGTYPE)),
    scalar("to_regproc", |call, v| lookup(call, v, crate::oid::types::REGPROC)),
    scalar("to_regprocedure", |call, v| lookup(call, v, crate::oid::types::REGPROCEDURE)),
    scalar("to_regoper", |call, v| lookup(call, v, crate::oid::types::REGOPER)),
    scalar("to_regoperator", |call, v| lookup(call, v, crate::oid::types::REGOPERATOR)),
    scalar("to_regnamespace", |call, v| lookup(call, v, crate::oid::types::REGNAMESPACE)),
    scalar("to_regrole", |call, v| lookup(call, v, crate::oid::types::REGROLE)),
    scalar("to_regcollation", |call, v| lookup(call, v, crate::oid::types::REGCOLLATION)),
];

/// The OID a name means, NULL when nothing has it; a number is no name here.
fn lookup(call: &FunctionCall<'_>, v: &[ValueRef<'_>], ty: crate::Oid) -> Result<Value> {
    use crate::SqlState;
    let name = text(v[0])?;
    if name.bytes().all(|b| b.is_ascii_digit()) || name == "-" {
        return Ok(Value::Null);
    }
    match crate::types::input(crate::bound::TypeMod::plain(ty), name, &call.type_context()) {
        Ok(found) => Ok(found),
        Err(refused)
            if [
                SqlState::UNDEFINED_TABLE,
                SqlState::UNDEFINED_OBJECT,
                SqlState::UNDEFINED_FUNCTION,
                SqlState::AMBIGUOUS_FUNCTION,
                SqlState::UNDEFINED_SCHEMA,
            ]
            .contains(&refused.code()) =>
        {
            Ok(Value::Null)
        }
        Err(refused) => Err(refused),
    }
}
