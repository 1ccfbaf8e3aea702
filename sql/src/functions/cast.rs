//! Casts between families that have a function in `pg_cast` and no better home.

use crate::Value;
use crate::types::registered;

use super::Function;
use super::arguments::{from_oid, integer, native, scalar, text};

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
];
