//! The `reg*` types: an OID that is read from and written as the name of what it numbers.
//!
//! Source: `src/backend/utils/adt/regproc.c`.

use bytes::BufMut;

use crate::bound::TypeMod;
use crate::catalog::{Operator, Procedure};
use crate::oid::types;
use crate::{Oid, Result, SqlError, Value, ValueRef, error};

use super::integer::integer;
use super::names::{Shown, find, parse_type_name, quote_identifier, refuse_other_database, split_qualified};
use super::{StorageForm, TypeContext, TypeEntry, exact_bytes, format_type};

/// What finds the OID that a name means.
type Find = fn(&str, &TypeContext<'_>) -> Result<Oid>;
/// What names an OID; `None` when nothing has it.
type Name = fn(Oid, &TypeContext<'_>) -> Option<String>;

macro_rules! registered {
    ($oid:ident, $array:ident, $find:expr, $name:expr) => {
        TypeEntry {
            oid: types::$oid,
            array: types::$array,
            form: StorageForm::Integer,
            input: |text, _, cx| input(text, cx, $find),
            output: |value, cx, out| output(value, cx, $name, out),
            receive: Some(|bytes, _, _| Ok(Value::Integer(u32::from_be_bytes(exact_bytes(bytes)?).into()))),
            send: Some(|value, _, out| {
                out.put_u32(integer(value, "oid")? as u32);
                Ok(())
            }),
        }
    };
}

/// The types of this family.
pub const TYPES: &[TypeEntry] = &[
    registered!(REGPROC, _REGPROC, find_function, name_function),
    registered!(REGPROCEDURE, _REGPROCEDURE, find_procedure, name_procedure),
    registered!(REGOPER, _REGOPER, find_operator, name_operator),
    registered!(REGOPERATOR, _REGOPERATOR, find_operator_with_types, name_operator_with_types),
    registered!(REGCLASS, _REGCLASS, find_class, name_class),
    registered!(REGTYPE, _REGTYPE, find_type, name_type),
    registered!(REGROLE, _REGROLE, find_role, name_role),
    registered!(REGNAMESPACE, _REGNAMESPACE, find_namespace, name_namespace),
    registered!(REGCOLLATION, _REGCOLLATION, find_collation, name_collation),
    registered!(
        REGCONFIG,
        _REGCONFIG,
        |_, _| Err(SqlError::unsupported("input of type regconfig")),
        |_, _| None
    ),
    registered!(
        REGDICTIONARY,
        _REGDICTIONARY,
        |_, _| Err(SqlError::unsupported("input of type regdictionary")),
        |_, _| None
    ),
];

fn input(text: &str, cx: &TypeContext<'_>, find: Find) -> Result<Value> {
    if text == "-" {
        return Ok(Value::Integer(0));
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return super::integer::parse_unsigned(text, "oid").map(Value::Integer);
    }
    Ok(Value::Integer(find(text, cx)?.0.into()))
}

fn output(value: ValueRef<'_>, cx: &TypeContext<'_>, name: Name, out: &mut String) -> Result<()> {
    let oid = Oid(integer(value, "oid")? as u32);
    let text = if oid.is_valid() { name(oid, cx) } else { Some("-".to_owned()) };
    out.push_str(&text.unwrap_or_else(|| oid.to_string()));
    Ok(())
}

fn parts(text: &str) -> Result<Vec<String>> {
    split_qualified(text).ok_or_else(|| error!(INVALID_NAME, "invalid name syntax"))
}

/// The name of something in a schema, with the schema unless a bare name finds the same thing.
fn qualified(namespace: Oid, name: &str, visible: bool, cx: &TypeContext<'_>) -> String {
    match cx.catalog.namespace(namespace) {
        Some(schema) if !visible => format!("{}.{name}", quote_identifier(&schema.nspname)),
        _ => name.to_owned(),
    }
}

/// The relation that a name means.
///
/// # Errors
/// `42P01`, `3F000`, `42601`, `42602`.
pub fn find_class(text: &str, cx: &TypeContext<'_>) -> Result<Oid> {
    let parts = parts(text)?;
    if parts.len() > 3 {
        let dotted = parts.join(".");
        return Err(error!(SYNTAX_ERROR, "improper relation name (too many dotted names): {dotted}"));
    }
    refuse_other_database(&parts, Shown::Quoted, cx.catalog)?;
    match find(&parts, cx.catalog, cx.search_path, |schema, name| cx.catalog.class_named(schema, name)) {
        Ok(Some(class)) => Ok(class.oid),
        Ok(None) => Err(error!(UNDEFINED_TABLE, "relation \"{}\" does not exist", parts.join("."))),
        Err(fault) => Err(fault),
    }
}

/// A relation's name, qualified unless it is visible.
pub fn name_class(oid: Oid, cx: &TypeContext<'_>) -> Option<String> {
    let class = cx.catalog.class(oid)?;
    let first = cx.search_path.iter().find_map(|schema| cx.catalog.class_named(*schema, &class.relname));
    let visible = first.is_some_and(|c| c.oid == oid);
    Some(qualified(class.relnamespace, &quote_identifier(&class.relname), visible, cx))
}

fn find_type(text: &str, cx: &TypeContext<'_>) -> Result<Oid> {
    parse_type_name(text, cx.catalog, cx.search_path).map(|ty| ty.oid)
}

fn name_type(oid: Oid, cx: &TypeContext<'_>) -> Option<String> {
    cx.catalog.type_(oid)?;
    Some(format_type(TypeMod::plain(oid), cx.catalog, cx.search_path))
}

/// The functions that a name may mean: those in the first schema of the path hide equal ones behind it, which does not
/// matter to those who ask here.
fn functions(parts: &[String], cx: &TypeContext<'_>) -> Result<Vec<std::sync::Arc<Procedure>>> {
    let name = parts.last().map(String::as_str).unwrap_or_default();
    let all = cx.catalog.functions_named(name);
    let mut found = Vec::new();
    find(parts, cx.catalog, cx.search_path, |schema, _| {
        all.iter().any(|f| f.pronamespace == schema).then_some(())
    })?;
    let schema = match parts {
        [_] => None,
        [.., schema, _] => cx.catalog.namespace_named(schema).map(|n| n.oid),
        [] => None,
    };
    for function in all.iter() {
        let listed = match schema {
            Some(schema) => function.pronamespace == schema,
            None => cx.search_path.contains(&function.pronamespace),
        };
        if listed {
            found.push(function.clone());
        }
    }
    Ok(found)
}

fn find_function(text: &str, cx: &TypeContext<'_>) -> Result<Oid> {
    match functions(&parts(text)?, cx)?.as_slice() {
        [one] => Ok(one.oid),
        [] => Err(error!(UNDEFINED_FUNCTION, "function \"{text}\" does not exist")),
        _ => Err(error!(AMBIGUOUS_FUNCTION, "more than one function named \"{text}\"")),
    }
}

fn name_function(oid: Oid, cx: &TypeContext<'_>) -> Option<String> {
    let function = cx.catalog.function(oid)?;
    let all = cx.catalog.functions_named(&function.proname);
    let visible = all.iter().filter(|f| cx.search_path.contains(&f.pronamespace)).map(|f| f.oid);
    let only = visible.eq([oid]);
    Some(qualified(function.pronamespace, &quote_identifier(&function.proname), only, cx))
}

/// A name and the types in parentheses after it; `None` in the place of `NONE`.
fn signature(text: &str, none: bool, cx: &TypeContext<'_>) -> Result<(Vec<String>, Vec<Oid>)> {
    let refuse = |message: &str| error!(INVALID_TEXT_REPRESENTATION, "{message}");
    let (name, rest) = text.split_once('(').ok_or_else(|| refuse("expected a left parenthesis"))?;
    let inside = rest
        .trim_end_matches(super::integer::is_space)
        .strip_suffix(')')
        .ok_or_else(|| refuse("expected a right parenthesis"))?;
    let name = match none {
        true => operator_parts(name)?,
        false => parts(name)?,
    };
    let mut types = Vec::new();
    for word in split_types(inside) {
        let word = word.trim_matches(super::integer::is_space);
        match word {
            "" if inside.trim().is_empty() => {}
            "" => return Err(refuse("expected a type name")),
            _ if none && word.eq_ignore_ascii_case("none") => types.push(Oid::INVALID),
            _ => types.push(find_type(word, cx)?),
        }
    }
    Ok((name, types))
}

/// Splits at commas that are not inside parentheses.
fn split_types(text: &str) -> Vec<&str> {
    let mut depth = 0;
    text.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
    .collect()
}

/// Finds a function by name and argument types.
///
/// # Errors
/// `42883`, `22P02`, and those of type names.
pub fn find_procedure(text: &str, cx: &TypeContext<'_>) -> Result<Oid> {
    let (name, arguments) = signature(text, false, cx)?;
    let found = functions(&name, cx)?.into_iter().find(|f| f.proargtypes == arguments);
    found.map(|f| f.oid).ok_or_else(|| error!(UNDEFINED_FUNCTION, "function \"{text}\" does not exist"))
}

/// A function's name with its argument types: `sum(integer)`.
pub fn name_procedure(oid: Oid, cx: &TypeContext<'_>) -> Option<String> {
    let function = cx.catalog.function(oid)?;
    let visible = function_is_visible(&function, cx);
    let name = qualified(function.pronamespace, &quote_identifier(&function.proname), visible, cx);
    Some(format!("{name}({})", type_list(&function.proargtypes, cx)))
}

/// Whether a bare name with its argument types finds this function.
pub fn function_is_visible(function: &Procedure, cx: &TypeContext<'_>) -> bool {
    let all = cx.catalog.functions_named(&function.proname);
    let same = |schema: &Oid| {
        all.iter().find(|f| f.pronamespace == *schema && f.proargtypes == function.proargtypes).map(|f| f.oid)
    };
    cx.search_path.iter().find_map(same) == Some(function.oid)
}

fn type_list(types: &[Oid], cx: &TypeContext<'_>) -> String {
    let name = |ty: &Oid| match ty.is_valid() {
        true => format_type(TypeMod::plain(*ty), cx.catalog, cx.search_path),
        false => "NONE".to_owned(),
    };
    types.iter().map(name).collect::<Vec<_>>().join(",")
}

/// An operator's name, which has dots only before it.
fn operator_parts(text: &str) -> Result<Vec<String>> {
    let text = text.trim_matches(super::integer::is_space);
    match text.rsplit_once('.') {
        Some((schema, name)) => {
            let mut all = parts(schema)?;
            all.push(name.to_owned());
            Ok(all)
        }
        None => Ok(vec![text.to_owned()]),
    }
}

fn operators(parts: &[String], cx: &TypeContext<'_>) -> Result<Vec<std::sync::Arc<Operator>>> {
    let name = parts.last().map(String::as_str).unwrap_or_default();
    let all = cx.catalog.operators_named(name);
    find(parts, cx.catalog, cx.search_path, |schema, _| {
        all.iter().any(|o| o.oprnamespace == schema).then_some(())
    })?;
    let schema = match parts {
        [.., schema, _] => cx.catalog.namespace_named(schema).map(|n| n.oid),
        _ => None,
    };
    let listed = |operator: &Operator| match schema {
        Some(schema) => operator.oprnamespace == schema,
        None => cx.search_path.contains(&operator.oprnamespace),
    };
    Ok(all.iter().filter(|o| listed(o)).cloned().collect())
}

fn find_operator(text: &str, cx: &TypeContext<'_>) -> Result<Oid> {
    match operators(&operator_parts(text)?, cx)?.as_slice() {
        [one] => Ok(one.oid),
        [] => Err(error!(UNDEFINED_FUNCTION, "operator does not exist: {text}")),
        _ => Err(error!(AMBIGUOUS_FUNCTION, "more than one operator named {text}")),
    }
}

fn name_operator(oid: Oid, cx: &TypeContext<'_>) -> Option<String> {
    let operator = cx.catalog.operator(oid)?;
    let all = cx.catalog.operators_named(&operator.oprname);
    let only = all.iter().filter(|o| cx.search_path.contains(&o.oprnamespace)).map(|o| o.oid).eq([oid]);
    Some(qualified(operator.oprnamespace, &operator.oprname, only, cx))
}

fn find_operator_with_types(text: &str, cx: &TypeContext<'_>) -> Result<Oid> {
    let (name, types) = signature(text, true, cx)?;
    let [left, right] = types[..] else {
        return Err(match types.len() {
            1 => error!(UNDEFINED_PARAMETER, "missing argument")
                .hint("Use NONE to denote the missing argument of a unary operator."),
            _ => error!(TOO_MANY_ARGUMENTS, "too many arguments")
                .hint("Provide two argument types for operator."),
        });
    };
    let found = operators(&name, cx)?.into_iter().find(|o| o.oprleft == left && o.oprright == right);
    found.map(|o| o.oid).ok_or_else(|| error!(UNDEFINED_FUNCTION, "operator does not exist: {text}"))
}

fn name_operator_with_types(oid: Oid, cx: &TypeContext<'_>) -> Option<String> {
    let operator = cx.catalog.operator(oid)?;
    let all = cx.catalog.operators_named(&operator.oprname);
    let same = |schema: &Oid| {
        all.iter()
            .find(|o| {
                o.oprnamespace == *schema && o.oprleft == operator.oprleft && o.oprright == operator.oprright
            })
            .map(|o| o.oid)
    };
    let visible = cx.search_path.iter().find_map(same) == Some(oid);
    let name = qualified(operator.oprnamespace, &operator.oprname, visible, cx);
    Some(format!("{name}({})", type_list(&[operator.oprleft, operator.oprright], cx)))
}

/// The one part of a name that has no schema.
fn single(text: &str) -> Result<String> {
    let mut all = parts(text)?;
    match (all.pop(), all.is_empty()) {
        (Some(name), true) => Ok(name),
        _ => Err(error!(INVALID_NAME, "invalid name syntax")),
    }
}

fn find_role(text: &str, cx: &TypeContext<'_>) -> Result<Oid> {
    let name = single(text)?;
    let role = cx.catalog.role_named(&name);
    role.map(|r| r.oid).ok_or_else(|| error!(UNDEFINED_OBJECT, "role \"{name}\" does not exist"))
}

fn name_role(oid: Oid, cx: &TypeContext<'_>) -> Option<String> {
    Some(quote_identifier(&cx.catalog.role(oid)?.rolname))
}

fn find_namespace(text: &str, cx: &TypeContext<'_>) -> Result<Oid> {
    let name = single(text)?;
    let schema = cx.catalog.namespace_named(&name);
    schema.map(|n| n.oid).ok_or_else(|| error!(UNDEFINED_SCHEMA, "schema \"{name}\" does not exist"))
}

fn name_namespace(oid: Oid, cx: &TypeContext<'_>) -> Option<String> {
    Some(quote_identifier(&cx.catalog.namespace(oid)?.nspname))
}

fn find_collation(text: &str, cx: &TypeContext<'_>) -> Result<Oid> {
    let parts = parts(text)?;
    let found =
        find(&parts, cx.catalog, cx.search_path, |schema, name| cx.catalog.collation_named(schema, name))?;
    found.map(|c| c.oid).ok_or_else(|| {
        error!(UNDEFINED_OBJECT, "collation \"{}\" for encoding \"UTF8\" does not exist", parts.join("."))
    })
}

fn name_collation(oid: Oid, cx: &TypeContext<'_>) -> Option<String> {
    let collation = cx.catalog.collation(oid)?;
    let first = cx.search_path.iter().find_map(|s| cx.catalog.collation_named(*s, &collation.collname));
    let visible = first.is_some_and(|c| c.oid == oid);
    Some(qualified(collation.collnamespace, &quote_identifier(&collation.collname), visible, cx))
}
