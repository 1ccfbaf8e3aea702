//! Privileges inquiry: may this role do that? Manual, "Access Privilege Inquiry Functions".
//!
//! Each function comes in variants by how role and object are named. They share a body, which tells a name (TEXT) from
//! an OID (INTEGER) by how the argument is stored.
//!
//! Source: `src/backend/utils/adt/acl.c`.

use crate::bound::TypeMod;
use crate::catalog::Catalog;
use crate::catalog::privileges::{Grantable, Privileges, Protected, default_acl, parse_acl, print_acl};
use crate::functions::arguments::{Rows, array_elements, array_of, from_oid, known, oid, rows, scalar, text};
use crate::functions::{Function, FunctionCall};
use crate::oid::types as types_oid;
use crate::types;
use crate::{Oid, Result, Value, ValueRef, error};

/// The kinds of objects that are asked about.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Table,
    AnyColumn,
    Sequence,
    Database,
    Function,
    Language,
    Schema,
    Type,
    Tablespace,
}

impl Kind {
    /// The privileges that such objects have.
    fn privileges(self) -> Privileges {
        type P = Privileges;
        match self {
            Self::Table => {
                [P::SELECT, P::INSERT, P::UPDATE, P::DELETE, P::TRUNCATE, P::REFERENCES, P::TRIGGER]
                    .into_iter()
                    .fold(P::NONE, P::with)
            }
            Self::AnyColumn => P::SELECT.with(P::INSERT).with(P::UPDATE).with(P::REFERENCES),
            Self::Sequence => P::USAGE.with(P::SELECT).with(P::UPDATE),
            Self::Database => P::CREATE.with(P::TEMPORARY).with(P::CONNECT),
            Self::Function => P::EXECUTE,
            Self::Language | Self::Type => P::USAGE,
            Self::Schema => P::CREATE.with(P::USAGE),
            Self::Tablespace => P::CREATE,
        }
    }
}

/// The role that an argument names; `public` is zero.
fn role(catalog: &Catalog, value: ValueRef<'_>) -> Result<Oid> {
    match value {
        ValueRef::Text("public") => Ok(Oid::INVALID),
        ValueRef::Text(name) => match catalog.role_named(name) {
            Some(role) => Ok(role.oid),
            None => Err(error!(UNDEFINED_OBJECT, "role \"{name}\" does not exist")),
        },
        other => oid(other),
    }
}

/// Who is asked about, and the other arguments: without a role it is the current user.
fn subject<'a, 'b>(
    call: &FunctionCall<'_>,
    arguments: &'a [ValueRef<'b>],
    full: usize,
) -> Result<(Oid, &'a [ValueRef<'b>])> {
    if arguments.len() == full {
        Ok((role(&call.context.catalog, arguments[0])?, &arguments[1..]))
    } else {
        Ok((call.context.session.users.lock().1, arguments))
    }
}

/// The privileges that a text lists, each with whether it is asked `WITH GRANT OPTION`; one of them suffices.
fn wanted(listed: &str, allowed: Privileges) -> Result<Vec<(Privileges, bool)>> {
    listed
        .split(',')
        .map(|item| {
            let item = item.trim();
            let upper = item.to_ascii_uppercase();
            let (name, grantable) =
                upper.strip_suffix(" WITH GRANT OPTION").map_or((upper.as_str(), false), |name| (name, true));
            let found = Privileges::named(name).filter(|privilege| allowed.contains(*privilege));
            let found = found
                .ok_or_else(|| error!(INVALID_PARAMETER_VALUE, "unrecognized privilege type: \"{item}\""))?;
            Ok((found, grantable))
        })
        .collect()
}

/// An object by name, as the function's kind reads names.
fn object(call: &FunctionCall<'_>, kind: Kind, value: ValueRef<'_>) -> Result<Oid> {
    let ValueRef::Text(name) = value else { return oid(value) };
    let catalog = &call.context.catalog;
    let registered = |ty: Oid| oid(types::input(TypeMod::plain(ty), name, &call.type_context())?.as_ref());
    let missing = |what: &str| error!(UNDEFINED_OBJECT, "{what} \"{name}\" does not exist");
    match kind {
        Kind::Table | Kind::AnyColumn => registered(types_oid::REGCLASS),
        Kind::Sequence => {
            let found = registered(types_oid::REGCLASS)?;
            if catalog.class(found).is_some_and(|class| class.relkind != 'S') {
                return Err(error!(WRONG_OBJECT_TYPE, "\"{name}\" is not a sequence"));
            }
            Ok(found)
        }
        Kind::Function => registered(types_oid::REGPROCEDURE),
        Kind::Type => registered(types_oid::REGTYPE),
        Kind::Schema => match catalog.namespace_named(name) {
            Some(schema) => Ok(schema.oid),
            None => Err(error!(UNDEFINED_SCHEMA, "schema \"{name}\" does not exist")),
        },
        Kind::Database => match catalog.database_named(name) {
            Some(database) => Ok(database.oid),
            None => Err(error!(UNDEFINED_DATABASE, "database \"{name}\" does not exist")),
        },
        Kind::Language => catalog.language_named(name).map(|row| row.oid).ok_or_else(|| missing("language")),
        Kind::Tablespace => tablespace_named(name).ok_or_else(|| missing("tablespace")),
    }
}

/// The two tablespaces there are.
fn tablespace_named(name: &str) -> Option<Oid> {
    match name {
        "pg_default" => Some(Oid(1663)),
        "pg_global" => Some(Oid(1664)),
        _ => None,
    }
}

/// An object's owner and list; nothing when it does not exist.
fn protection(catalog: &Catalog, kind: Kind, object: Oid) -> Option<(Grantable, Oid, Option<Vec<String>>)> {
    Some(match kind {
        Kind::Table | Kind::AnyColumn | Kind::Sequence => {
            let row = catalog.class(object)?;
            let grantable = if row.relkind == 'S' { Grantable::Sequence } else { Grantable::Table };
            (grantable, row.relowner, row.relacl.clone())
        }
        Kind::Database => {
            catalog.database(object).map(|row| (Grantable::Database, row.datdba, row.datacl.clone()))?
        }
        Kind::Function => {
            catalog.function(object).map(|row| (Grantable::Function, row.proowner, row.proacl.clone()))?
        }
        Kind::Language => {
            catalog.language(object).map(|row| (Grantable::Language, row.lanowner, row.lanacl.clone()))?
        }
        Kind::Schema => {
            catalog.namespace(object).map(|row| (Grantable::Schema, row.nspowner, row.nspacl.clone()))?
        }
        Kind::Type => {
            let row = catalog.type_(object)?;
            let row = if row.typelem.is_valid() && row.typlen == -1 {
                catalog.type_(row.typelem).unwrap_or(row)
            } else {
                row
            };
            (Grantable::Type, row.typowner, row.typacl.clone())
        }
        Kind::Tablespace => (Grantable::Tablespace, crate::oid::roles::POSTGRES, None),
    })
}

fn has(call: &FunctionCall<'_>, arguments: &[ValueRef<'_>], kind: Kind) -> Result<Value> {
    let (user, rest) = subject(call, arguments, 3)?;
    let (target, listed) = (object(call, kind, rest[0])?, text(rest[1])?);
    let catalog = &call.context.catalog;
    let wanted = wanted(listed, kind.privileges())?;
    let Some((grantable, owner, acl)) = protection(catalog, kind, target) else { return Ok(Value::Null) };
    let protected = Protected { kind: grantable, owner, acl: acl.as_deref() };
    for (privilege, with_grant) in wanted {
        if allowed(catalog, user, &protected, privilege, with_grant)?
            || (kind == Kind::AnyColumn && any_column(catalog, user, target, privilege)?)
        {
            return Ok(true.into());
        }
    }
    Ok(false.into())
}

fn allowed(
    catalog: &Catalog,
    user: Oid,
    object: &Protected<'_>,
    privilege: Privileges,
    with_grant: bool,
) -> Result<bool> {
    let held = if with_grant {
        catalog.grant_options_on(user, object, privilege)?
    } else {
        catalog.privileges_on(user, object, privilege)?
    };
    Ok(!held.is_empty())
}

fn any_column(catalog: &Catalog, user: Oid, table: Oid, privilege: Privileges) -> Result<bool> {
    for column in catalog.attributes(table).iter().filter(|column| !column.attisdropped) {
        if catalog.has_column_privilege(user, table, column.attnum, privilege)? == Some(true) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_column(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let (user, rest) = subject(call, arguments, 4)?;
    let catalog = &call.context.catalog;
    let table = object(call, Kind::Table, rest[0])?;
    let attnum = match rest[1] {
        ValueRef::Text(name) => match catalog.attribute_named(table, name) {
            Some(column) => column.attnum,
            None => {
                let relation = catalog.class(table).map_or_else(String::new, |class| class.relname.clone());
                return Err(error!(
                    UNDEFINED_COLUMN,
                    "column \"{name}\" of relation \"{relation}\" does not exist"
                ));
            }
        },
        other => crate::functions::arguments::int4(other)? as i16,
    };
    for (privilege, _) in wanted(text(rest[2])?, Kind::AnyColumn.privileges())? {
        match catalog.has_column_privilege(user, table, attnum, privilege)? {
            None => return Ok(Value::Null),
            Some(true) => return Ok(true.into()),
            Some(false) => {}
        }
    }
    Ok(false.into())
}

/// There are no foreign-data wrappers, servers or settings with privileges: superusers may, others may not.
fn superuser_only(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let (user, _) = subject(call, arguments, 3)?;
    Ok(call.context.catalog.is_superuser(user).into())
}

fn has_role(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let (member, rest) = subject(call, arguments, 3)?;
    let catalog = &call.context.catalog;
    let target = role(catalog, rest[0])?;
    for item in text(rest[1])?.split(',') {
        let item = item.trim();
        let granted = match item.to_ascii_uppercase().as_str() {
            "MEMBER" => catalog.is_member_of(member, target),
            "USAGE" => catalog.has_privs_of_role(member, target),
            "MEMBER WITH GRANT OPTION"
            | "MEMBER WITH ADMIN OPTION"
            | "USAGE WITH GRANT OPTION"
            | "USAGE WITH ADMIN OPTION" => catalog.is_admin_of(member, target),
            _ => return Err(error!(INVALID_PARAMETER_VALUE, "unrecognized privilege type: \"{item}\"")),
        };
        if granted {
            return Ok(true.into());
        }
    }
    Ok(false.into())
}

/// Whether row security hides rows from the current user: policies cannot be made here.
fn row_security(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    object(call, Kind::Table, arguments[0])?;
    Ok(false.into())
}

fn acl_explode(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Rows> {
    let items: Vec<String> = array_elements(types_oid::_ACLITEM, arguments[0], &call.type_context())?
        .into_iter()
        .flatten()
        .collect();
    let mut rows = Vec::new();
    for item in parse_acl(&items, &call.context.catalog)? {
        for name in item.privileges.names() {
            let grantable = Privileges::named(name).is_some_and(|privilege| item.grantable.meets(privilege));
            rows.push(vec![from_oid(item.grantor), from_oid(item.grantee), name.into(), grantable.into()]);
        }
    }
    Ok(known(rows))
}

fn acl_default(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let kind = match text(arguments[0])? {
        "c" => Grantable::Column,
        "r" => Grantable::Table,
        "s" => Grantable::Sequence,
        "d" => Grantable::Database,
        "f" => Grantable::Function,
        "l" => Grantable::Language,
        "L" => Grantable::LargeObject,
        "n" => Grantable::Schema,
        "t" => Grantable::Tablespace,
        "T" => Grantable::Type,
        "F" | "S" | "p" => return Err(crate::SqlError::unsupported("this kind of object")),
        other => {
            return Err(crate::SqlError::internal(format!("unrecognized objtype abbreviation: {other}")));
        }
    };
    let items = print_acl(&default_acl(kind, oid(arguments[1])?));
    array_of(types_oid::_ACLITEM, items.into_iter().map(Some), &call.type_context())
}

macro_rules! variants {
    ($name:literal, $body:expr) => {
        [
            scalar(concat!($name, "_name"), $body),
            scalar(concat!($name, "_name_name"), $body),
            scalar(concat!($name, "_name_id"), $body),
            scalar(concat!($name, "_id"), $body),
            scalar(concat!($name, "_id_name"), $body),
            scalar(concat!($name, "_id_id"), $body),
        ]
    };
}

/// The variants of each inquiry.
pub const TABLE: &[Function] = &variants!("has_table_privilege", |call, a| has(call, a, Kind::Table));
/// Any column.
pub const ANY_COLUMN: &[Function] =
    &variants!("has_any_column_privilege", |call, a| has(call, a, Kind::AnyColumn));
/// Sequences.
pub const SEQUENCE: &[Function] =
    &variants!("has_sequence_privilege", |call, a| has(call, a, Kind::Sequence));
/// Databases.
pub const DATABASE: &[Function] =
    &variants!("has_database_privilege", |call, a| has(call, a, Kind::Database));
/// Functions.
pub const FUNCTION: &[Function] =
    &variants!("has_function_privilege", |call, a| has(call, a, Kind::Function));
/// Languages.
pub const LANGUAGE: &[Function] =
    &variants!("has_language_privilege", |call, a| has(call, a, Kind::Language));
/// Schemas.
pub const SCHEMA: &[Function] = &variants!("has_schema_privilege", |call, a| has(call, a, Kind::Schema));
/// Types.
pub const TYPE: &[Function] = &variants!("has_type_privilege", |call, a| has(call, a, Kind::Type));
/// Tablespaces.
pub const TABLESPACE: &[Function] =
    &variants!("has_tablespace_privilege", |call, a| has(call, a, Kind::Tablespace));
/// Foreign-data wrappers.
pub const WRAPPER: &[Function] = &variants!("has_foreign_data_wrapper_privilege", superuser_only);
/// Foreign servers.
pub const SERVER: &[Function] = &variants!("has_server_privilege", superuser_only);
/// Settings.
pub const PARAMETER: &[Function] = &[
    scalar("has_parameter_privilege_name", superuser_only),
    scalar("has_parameter_privilege_name_name", superuser_only),
    scalar("has_parameter_privilege_id_name", superuser_only),
];
/// Roles.
pub const ROLE: &[Function] = &variants!("pg_has_role", has_role);

/// Columns and access control lists.
pub const FUNCTIONS: &[Function] = &[
    scalar("has_column_privilege_name_name_name", has_column),
    scalar("has_column_privilege_name_name_attnum", has_column),
    scalar("has_column_privilege_name_id_name", has_column),
    scalar("has_column_privilege_name_id_attnum", has_column),
    scalar("has_column_privilege_id_name_name", has_column),
    scalar("has_column_privilege_id_name_attnum", has_column),
    scalar("has_column_privilege_id_id_name", has_column),
    scalar("has_column_privilege_id_id_attnum", has_column),
    scalar("has_column_privilege_name_name", has_column),
    scalar("has_column_privilege_name_attnum", has_column),
    scalar("has_column_privilege_id_name", has_column),
    scalar("has_column_privilege_id_attnum", has_column),
    scalar("row_security_active", row_security),
    scalar("row_security_active_name", row_security),
    rows("aclexplode", acl_explode),
    scalar("acldefault_sql", acl_default),
];
