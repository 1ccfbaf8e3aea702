//! Functions and operators of type `jsonb`. Manual, "JSON Functions and Operators".
//!
//! Source: `src/backend/utils/adt/jsonfuncs.c`, `jsonb_op.c`.

use std::collections::HashSet;

use crate::bound::TypeMod;
use crate::functions::arguments::{
    Rows, array_elements, boolean, int4, integer, known, native, rows, scalar, text,
};
use crate::functions::json::{build_array, build_object, object_of_texts, to_json, variadic};
use crate::functions::{Function, FunctionCall};
use crate::interrupt::{self, Things};
use crate::oid::types as oids;
use crate::types::json::parse;
use crate::types::jsonb::{Jsonb, key_order, position};
use crate::types::{self, Resolved, TypeContext, record};
use crate::{Oid, Result, SqlError, Value, ValueRef, error};

/// How a value is handed on: as `jsonb` or as text.
type Show = fn(&Jsonb) -> Result<Value>;

fn whole(value: &Jsonb) -> Result<Value> {
    value.store()
}

fn bare(value: &Jsonb) -> Result<Value> {
    value.bare_text().map(Value::from)
}

fn path_of(call: &FunctionCall<'_>, value: ValueRef<'_>) -> Result<Vec<Option<String>>> {
    array_elements(oids::_TEXT, value, &call.type_context())
}

fn at_path(call: &FunctionCall<'_>, arguments: &[ValueRef<'_>], show: Show) -> Result<Value> {
    let root = Jsonb::read(arguments[0])?;
    let mut value = &root;
    for step in path_of(call, arguments[1])? {
        let Some(step) = step else { return Ok(Value::Null) };
        let next = match value {
            Jsonb::Array(_) => step.trim().parse().ok().and_then(|index| value.element(index)),
            _ => value.get(&step),
        };
        match next {
            Some(next) => value = next,
            None => return Ok(Value::Null),
        }
    }
    show(value)
}

/// Whether the left value contains the right one (`@>`).
fn contains(left: &Jsonb, right: &Jsonb) -> Result<bool> {
    match (left, right) {
        (Jsonb::Object(_), Jsonb::Object(pairs)) => {
            for (key, value) in pairs.iter() {
                interrupt::check()?;
                let Some(own) = left.get(key) else { return Ok(false) };
                if !contains_member(own, value)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Jsonb::Array(own), Jsonb::Array(wanted)) => contains_elements(own, wanted),
        // An array contains a bare scalar that is one of its elements, as a special case of the top level.
        (Jsonb::Array(own), scalar) if !scalar.is_container() => {
            contains_elements(own, std::slice::from_ref(scalar))
        }
        _ => Ok(!left.is_container() && !right.is_container() && left.key()? == right.key()?),
    }
}

/// Whether each of the wanted elements is contained in one of an array's own. Scalars are looked for all at once.
fn contains_elements(own: &[Jsonb], wanted: &[Jsonb]) -> Result<bool> {
    let mut missing = HashSet::new();
    for value in wanted.iter().filter(|value| !value.is_container()) {
        missing.insert(value.key()?);
    }
    for element in own.iter().filter(|element| !element.is_container()) {
        if missing.is_empty() {
            break;
        }
        missing.remove(&element.key()?);
    }
    if !missing.is_empty() {
        return Ok(false);
    }
    for value in wanted.iter().filter(|value| value.is_container()) {
        let mut found = false;
        for element in own.iter().filter(|element| element.is_container()) {
            interrupt::check()?;
            if contains_member(element, value)? {
                found = true;
                break;
            }
        }
        if !found {
            return Ok(false);
        }
    }
    Ok(true)
}

fn contains_member(left: &Jsonb, right: &Jsonb) -> Result<bool> {
    match (left, right) {
        (Jsonb::Object(_), Jsonb::Object(_)) | (Jsonb::Array(_), Jsonb::Array(_)) => contains(left, right),
        _ => Ok(!left.is_container() && !right.is_container() && left.key()? == right.key()?),
    }
}

/// Whether a text is a key of an object, an element of an array, or the string itself (`?`).
fn exists(value: &Jsonb, name: &str) -> Result<bool> {
    match value {
        Jsonb::Object(_) => Ok(value.get(name).is_some()),
        Jsonb::Array(elements) => {
            for element in elements.iter() {
                interrupt::check()?;
                if matches!(element, Jsonb::String(text) if text == name) {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Jsonb::String(text) => Ok(text == name),
        _ => Ok(false),
    }
}

/// `||`: objects are merged, all else becomes a longer array.
fn concatenate(left: Jsonb, right: Jsonb) -> Result<Jsonb> {
    match (left, right) {
        (Jsonb::Object(mut own), Jsonb::Object(more)) => {
            for pair in more {
                interrupt::check()?;
                own.push(pair);
            }
            Jsonb::object(std::mem::take(&mut own))
        }
        (left, right) => {
            let list = |value: Jsonb| match value {
                Jsonb::Array(elements) => elements,
                other => vec![other].into(),
            };
            let mut elements = list(left);
            for element in list(right) {
                interrupt::check()?;
                elements.push(element);
            }
            Ok(Jsonb::Array(elements))
        }
    }
}

fn scalar_deletion() -> SqlError {
    error!(INVALID_PARAMETER_VALUE, "cannot delete from scalar")
}

fn delete_name(value: Jsonb, name: &str) -> Result<Jsonb> {
    match value {
        Jsonb::Object(mut pairs) => {
            pairs.retain(|(key, _)| key != name);
            Ok(Jsonb::Object(pairs))
        }
        Jsonb::Array(mut elements) => {
            elements.retain(|element| !matches!(element, Jsonb::String(text) if text == name));
            Ok(Jsonb::Array(elements))
        }
        _ => Err(scalar_deletion()),
    }
}

fn delete_index(value: Jsonb, index: i64) -> Result<Jsonb> {
    match value {
        Jsonb::Array(mut elements) => {
            if let Some(place) = position(index, elements.len()) {
                elements.remove(place);
            }
            Ok(Jsonb::Array(elements))
        }
        Jsonb::Object(_) => {
            Err(error!(INVALID_PARAMETER_VALUE, "cannot delete from object using integer index"))
        }
        _ => Err(scalar_deletion()),
    }
}

/// What is done at the end of a path.
#[derive(Clone)]
enum Change {
    Delete,
    Set { value: Jsonb, create: bool },
    Insert { value: Jsonb, after: bool },
}

/// The index that a step of a path names.
fn index_of(step: &str, level: usize) -> Result<i64> {
    step.trim().parse().map_err(|_| {
        error!(INVALID_TEXT_REPRESENTATION, "path element at position {level} is not an integer: \"{step}\"")
    })
}

fn change_at(target: &mut Jsonb, path: &[String], level: usize, change: &Change) -> Result<()> {
    let Some((step, rest)) = path.split_first() else { return Ok(()) };
    match target {
        Jsonb::Object(pairs) => {
            let found = pairs.binary_search_by(|(key, _)| key_order(key, step));
            match (found, rest.is_empty()) {
                (Ok(place), false) => change_at(&mut pairs[place].1, rest, level + 1, change),
                (Err(_), false) => Ok(()),
                (found, true) => change_member(pairs, step, found, change),
            }
        }
        Jsonb::Array(elements) => {
            let index = index_of(step, level)?;
            if rest.is_empty() {
                change_element(elements, index, change);
                return Ok(());
            }
            match position(index, elements.len()) {
                Some(place) => change_at(&mut elements[place], rest, level + 1, change),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn change_member(
    pairs: &mut Things<(String, Jsonb)>,
    key: &str,
    found: std::result::Result<usize, usize>,
    change: &Change,
) -> Result<()> {
    match (change, found) {
        (Change::Delete, Ok(place)) => drop(pairs.remove(place)),
        (Change::Delete, Err(_)) | (Change::Set { create: false, .. }, Err(_)) => {}
        (Change::Set { value, .. }, Ok(place)) => pairs[place].1 = value.clone(),
        (Change::Insert { .. }, Ok(_)) => {
            return Err(error!(INVALID_PARAMETER_VALUE, "cannot replace existing key")
                .hint("Try using the function jsonb_set to replace key value."));
        }
        (Change::Set { value, .. } | Change::Insert { value, .. }, Err(place)) => {
            pairs.insert(place, (key.to_owned(), value.clone()));
        }
    }
    Ok(())
}

fn change_element(elements: &mut Vec<Jsonb>, index: i64, change: &Change) {
    let place = position(index, elements.len());
    match (change, place) {
        (Change::Delete, Some(place)) => drop(elements.remove(place)),
        (Change::Delete, None) | (Change::Set { create: false, .. }, None) => {}
        (Change::Set { value, .. }, Some(place)) => elements[place] = value.clone(),
        (Change::Insert { value, after }, Some(place)) => {
            elements.insert(place + usize::from(*after), value.clone())
        }
        (Change::Set { value, .. } | Change::Insert { value, .. }, None) if index < 0 => {
            elements.insert(0, value.clone())
        }
        (Change::Set { value, .. } | Change::Insert { value, .. }, None) => elements.push(value.clone()),
    }
}

fn change(
    call: &FunctionCall<'_>,
    target: ValueRef<'_>,
    path: ValueRef<'_>,
    change: &Change,
) -> Result<Value> {
    let mut value = Jsonb::read(target)?;
    if !value.is_container() {
        let verb = if matches!(change, Change::Delete) { "delete path in" } else { "set path in" };
        return Err(error!(INVALID_PARAMETER_VALUE, "cannot {verb} scalar"));
    }
    let mut steps = Vec::new();
    for (place, step) in path_of(call, path)?.into_iter().enumerate() {
        let missing = || error!(NULL_VALUE_NOT_ALLOWED, "path element at position {} is null", place + 1);
        steps.push(step.ok_or_else(missing)?);
    }
    change_at(&mut value, &steps, 1, change)?;
    value.store()
}

fn set_lax(call: &mut FunctionCall<'_>, a: &[ValueRef<'_>]) -> Result<Value> {
    if a[0].is_null() || a[1].is_null() || a[3].is_null() {
        return Ok(Value::Null);
    }
    let create = boolean(a[3])?;
    if !a[2].is_null() {
        return change(call, a[0], a[1], &Change::Set { value: Jsonb::read(a[2])?, create });
    }
    match a[4] {
        ValueRef::Text("raise_exception") => Err(error!(NULL_VALUE_NOT_ALLOWED, "JSON value must not be null")
            .detail("Exception was raised because null_value_treatment is \"raise_exception\".")
            .hint("To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not passed.")),
        ValueRef::Text("use_json_null") => change(call, a[0], a[1], &Change::Set { value: Jsonb::Null, create }),
        ValueRef::Text("delete_key") => change(call, a[0], a[1], &Change::Delete),
        ValueRef::Text("return_target") => Ok(a[0].to_owned()),
        _ => Err(error!(
            INVALID_PARAMETER_VALUE,
            "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\""
        )),
    }
}

fn strip_nulls(value: Jsonb) -> Result<Jsonb> {
    interrupt::check()?;
    Ok(match value {
        Jsonb::Object(pairs) => {
            let kept = pairs.into_iter().filter(|(_, value)| *value != Jsonb::Null);
            let stripped = kept.map(|(key, value)| Ok((key, strip_nulls(value)?)));
            Jsonb::Object(interrupt::gather(stripped)?.into())
        }
        Jsonb::Array(elements) => {
            Jsonb::Array(interrupt::gather(elements.into_iter().map(strip_nulls))?.into())
        }
        scalar => scalar,
    })
}

fn each(a: &[ValueRef<'_>], function: &str, show: Show) -> Result<Rows> {
    match Jsonb::read(a[0])? {
        Jsonb::Object(pairs) => {
            Ok(Box::new(pairs.into_iter().map(move |(key, value)| Ok(vec![key.into(), show(&value)?]))))
        }
        _ => Err(error!(INVALID_PARAMETER_VALUE, "cannot call {function} on a non-object")),
    }
}

fn elements(a: &[ValueRef<'_>], show: Show) -> Result<Rows> {
    match Jsonb::read(a[0])? {
        Jsonb::Array(elements) => {
            Ok(Box::new(elements.into_iter().map(move |element| Ok(vec![show(&element)?]))))
        }
        Jsonb::Object(_) => Err(error!(INVALID_PARAMETER_VALUE, "cannot extract elements from an object")),
        _ => Err(error!(INVALID_PARAMETER_VALUE, "cannot extract elements from a scalar")),
    }
}

fn object_keys(_: &mut FunctionCall<'_>, a: &[ValueRef<'_>]) -> Result<Rows> {
    match Jsonb::read(a[0])? {
        Jsonb::Object(pairs) => Ok(Box::new(pairs.into_iter().map(|(key, _)| Ok(vec![key.into()])))),
        Jsonb::Array(_) => Err(error!(INVALID_PARAMETER_VALUE, "cannot call jsonb_object_keys on an array")),
        _ => Err(error!(INVALID_PARAMETER_VALUE, "cannot call jsonb_object_keys on a scalar")),
    }
}

fn array_length(_: &mut FunctionCall<'_>, a: &[ValueRef<'_>]) -> Result<Value> {
    match Jsonb::read(a[0])? {
        Jsonb::Array(elements) => Ok((elements.len() as i64).into()),
        Jsonb::Object(_) => Err(error!(INVALID_PARAMETER_VALUE, "cannot get array length of a non-array")),
        _ => Err(error!(INVALID_PARAMETER_VALUE, "cannot get array length of a scalar")),
    }
}

/// Casts of `jsonb` to numbers and booleans.
fn cast(call: &FunctionCall<'_>, value: ValueRef<'_>, target: Oid, name: &str) -> Result<Value> {
    let refuse = |what: &str| error!(INVALID_PARAMETER_VALUE, "cannot cast jsonb {what} to type {name}");
    match (Jsonb::read(value)?, target) {
        (Jsonb::Bool(value), oids::BOOL) => Ok(value.into()),
        (Jsonb::Number(text), target) if target != oids::BOOL => {
            let text =
                if matches!(target, oids::INT2 | oids::INT4 | oids::INT8) { rounded(&text) } else { text };
            let overflow = |_| match target {
                oids::INT2 => error!(NUMERIC_VALUE_OUT_OF_RANGE, "smallint out of range"),
                oids::INT4 => error!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"),
                _ => error!(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range"),
            };
            let input = types::input(TypeMod::plain(target), &text, &call.type_context());
            if matches!(target, oids::INT2 | oids::INT4 | oids::INT8) {
                input.map_err(overflow)
            } else {
                input
            }
        }
        (other, _) => Err(match other {
            Jsonb::Array(_) | Jsonb::Object(_) => refuse("array or object"),
            Jsonb::Bool(_) => refuse("boolean"),
            Jsonb::Number(_) => refuse("numeric"),
            scalar => refuse(scalar.type_name()),
        }),
    }
}

/// A decimal number rounded to a whole one, halves away from zero.
fn rounded(text: &str) -> String {
    let Some((whole, fraction)) = text.split_once('.') else { return text.to_owned() };
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let up = fraction.starts_with(|c: char| ('5'..='9').contains(&c));
    match digits.parse::<u128>() {
        Ok(number) => format!("{sign}{}", number + u128::from(up)),
        Err(_) => whole.to_owned(),
    }
}

/// A composite value with its fields taken from an object; fields that it lacks keep those of the base.
fn populate(call: &FunctionCall<'_>, base: ValueRef<'_>, object: &Jsonb) -> Result<Value> {
    let cx = call.type_context();
    let ty = call.types.arguments[0];
    let Resolved::Record { relation } = types::resolve(cx.catalog, ty) else {
        return Err(error!(DATATYPE_MISMATCH, "first argument of jsonb_populate_record must be a row type"));
    };
    let columns = cx.catalog.attributes(relation);
    if !relation.is_valid() {
        return Err(SqlError::unsupported("populating an anonymous record"));
    }
    let own = if base.is_null() { Vec::new() } else { record::fields(base)? };
    let mut fields = Vec::new();
    for (place, column) in columns.iter().filter(|column| !column.attisdropped).enumerate() {
        let kept = own.get(place).map(|(_, value)| value.clone()).unwrap_or_default();
        let target = TypeMod { oid: column.atttypid, modifier: column.atttypmod };
        let value = match object.get(&column.attname) {
            None => kept,
            Some(value) => from_json(value, target, &cx)?,
        };
        fields.push((column.atttypid, value));
    }
    record::to_value(&fields, &cx)
}

/// A JSON value as one of a type: arrays and composites from inside, all else through text.
fn from_json(value: &Jsonb, target: TypeMod, cx: &TypeContext<'_>) -> Result<Value> {
    match (value, types::resolve(cx.catalog, target.oid)) {
        (Jsonb::Null, _) => Ok(Value::Null),
        (Jsonb::Array(elements), Resolved::Array { element, .. }) => {
            let element_type = TypeMod { oid: element, modifier: target.modifier };
            let elements = interrupt::gather(elements.iter().map(|value| {
                interrupt::check()?;
                from_json(value, element_type, cx)
            }))?;
            types::array::Array::new(elements).to_value(types::storage_form(cx.catalog, element))
        }
        (value, _) if matches!(target.oid, oids::JSON | oids::JSONB) => {
            types::input(target, &value.text()?, cx)
        }
        (value, _) => types::input(target, &value.bare_text()?.unwrap_or_default(), cx),
    }
}

fn populate_set(call: &mut FunctionCall<'_>, base: ValueRef<'_>, list: Jsonb) -> Result<Rows> {
    let Jsonb::Array(elements) = list else {
        return Err(error!(INVALID_PARAMETER_VALUE, "cannot call jsonb_populate_recordset on a non-array"));
    };
    let mut found = Vec::new();
    for element in elements {
        if !matches!(element, Jsonb::Object(_)) {
            return Err(error!(
                INVALID_PARAMETER_VALUE,
                "argument of jsonb_populate_recordset must be an array of objects"
            ));
        }
        interrupt::check()?;
        let row = populate(call, base, &element)?;
        found.push(record::fields(row.as_ref())?.into_iter().map(|(_, value)| value).collect());
    }
    Ok(known(found))
}

/// The row of `json[b]_populate_record`: a value for each field, as rows of functions in FROM have.
fn populate_one(call: &mut FunctionCall<'_>, base: ValueRef<'_>, object: Option<Jsonb>) -> Result<Value> {
    match object {
        None => Ok(base.to_owned()),
        Some(object @ Jsonb::Object(_)) => populate(call, base, &object),
        Some(other) => {
            let what = if matches!(other, Jsonb::Array(_)) { "an array" } else { "a scalar" };
            Err(error!(INVALID_PARAMETER_VALUE, "cannot call populate_composite on {what}"))
        }
    }
}

fn read_optional(value: ValueRef<'_>) -> Result<Option<Jsonb>> {
    if value.is_null() { Ok(None) } else { Jsonb::read(value).map(Some) }
}

fn parse_optional(value: ValueRef<'_>) -> Result<Option<Jsonb>> {
    if value.is_null() { Ok(None) } else { Jsonb::from_node(parse(text(value)?)?).map(Some) }
}

/// Comparisons, which SQLite makes by the key.
pub(super) const COMPARISONS: &[Function] = &[
    native("jsonb_eq", "({0} = {1} COLLATE pgkey)"),
    native("jsonb_ne", "({0} <> {1} COLLATE pgkey)"),
    native("jsonb_lt", "({0} < {1} COLLATE pgkey)"),
    native("jsonb_le", "({0} <= {1} COLLATE pgkey)"),
    native("jsonb_gt", "({0} > {1} COLLATE pgkey)"),
    native("jsonb_ge", "({0} >= {1} COLLATE pgkey)"),
    native("jsonb_cmp", "(({0} > {1} COLLATE pgkey) - ({0} < {1} COLLATE pgkey))"),
];

/// The functions.
pub(super) const FUNCTIONS: &[Function] = &[
    scalar("to_jsonb", |call, a| {
        Jsonb::parse(&to_json(call.types.arguments[0], a[0], &call.type_context())?)?.store()
    }),
    scalar("jsonb_build_object", |call, a| {
        let text = build_object(&variadic(call, a)?, "jsonb_build_object", &call.type_context())?;
        Jsonb::parse(&text)?.store()
    }),
    scalar("jsonb_build_object_noargs", |_, _| Jsonb::Object(Things::default()).store()),
    scalar("jsonb_build_array", |call, a| {
        Jsonb::parse(&build_array(&variadic(call, a)?, &call.type_context())?)?.store()
    }),
    scalar("jsonb_build_array_noargs", |_, _| Jsonb::Array(Things::default()).store()),
    scalar("jsonb_object", |call, a| Jsonb::parse(&object_of_texts(call, a)?)?.store()),
    scalar("jsonb_object_two_arg", |call, a| Jsonb::parse(&object_of_texts(call, a)?)?.store()),
    scalar("jsonb_object_field", |_, a| Jsonb::read(a[0])?.get(text(a[1])?).map_or(Ok(Value::Null), whole)),
    scalar("jsonb_object_field_text", |_, a| {
        Jsonb::read(a[0])?.get(text(a[1])?).map_or(Ok(Value::Null), bare)
    }),
    scalar("jsonb_array_element", |_, a| {
        Jsonb::read(a[0])?.element(integer(a[1])?).map_or(Ok(Value::Null), whole)
    }),
    scalar("jsonb_array_element_text", |_, a| {
        Jsonb::read(a[0])?.element(integer(a[1])?).map_or(Ok(Value::Null), bare)
    }),
    scalar("jsonb_extract_path", |call, a| at_path(call, a, whole)),
    scalar("jsonb_extract_path_text", |call, a| at_path(call, a, bare)),
    scalar("jsonb_contains", |_, a| contains(&Jsonb::read(a[0])?, &Jsonb::read(a[1])?).map(Value::from)),
    scalar("jsonb_contained", |_, a| contains(&Jsonb::read(a[1])?, &Jsonb::read(a[0])?).map(Value::from)),
    scalar("jsonb_exists", |_, a| exists(&Jsonb::read(a[0])?, text(a[1])?).map(Value::from)),
    scalar("jsonb_exists_any", |call, a| {
        let value = Jsonb::read(a[0])?;
        for name in path_of(call, a[1])?.iter().flatten() {
            if exists(&value, name)? {
                return Ok(true.into());
            }
        }
        Ok(false.into())
    }),
    scalar("jsonb_exists_all", |call, a| {
        let value = Jsonb::read(a[0])?;
        for name in path_of(call, a[1])?.iter().flatten() {
            if !exists(&value, name)? {
                return Ok(false.into());
            }
        }
        Ok(true.into())
    }),
    scalar("jsonb_concat", |_, a| concatenate(Jsonb::read(a[0])?, Jsonb::read(a[1])?)?.store()),
    scalar("jsonb_delete", |_, a| delete_name(Jsonb::read(a[0])?, text(a[1])?)?.store()),
    scalar("jsonb_delete_idx", |_, a| delete_index(Jsonb::read(a[0])?, i64::from(int4(a[1])?))?.store()),
    scalar("jsonb_delete_array", |call, a| {
        let names = path_of(call, a[1])?;
        let value = names.iter().flatten().try_fold(Jsonb::read(a[0])?, |value, name| {
            interrupt::check()?;
            delete_name(value, name)
        })?;
        value.store()
    }),
    scalar("jsonb_delete_path", |call, a| change(call, a[0], a[1], &Change::Delete)),
    scalar("jsonb_set", |call, a| {
        change(call, a[0], a[1], &Change::Set { value: Jsonb::read(a[2])?, create: boolean(a[3])? })
    }),
    scalar("jsonb_set_lax", set_lax),
    scalar("jsonb_insert", |call, a| {
        change(call, a[0], a[1], &Change::Insert { value: Jsonb::read(a[2])?, after: boolean(a[3])? })
    }),
    scalar("jsonb_pretty", |_, a| Ok(Jsonb::read(a[0])?.pretty()?.into())),
    scalar("jsonb_strip_nulls", |_, a| strip_nulls(Jsonb::read(a[0])?)?.store()),
    scalar("jsonb_typeof", |_, a| Ok(Jsonb::read(a[0])?.type_name().into())),
    scalar("jsonb_array_length", array_length),
    rows("jsonb_each", |_, a| each(a, "jsonb_each", whole)),
    rows("jsonb_each_text", |_, a| each(a, "jsonb_each_text", bare)),
    rows("jsonb_array_elements", |_, a| elements(a, whole)),
    rows("jsonb_array_elements_text", |_, a| elements(a, bare)),
    rows("jsonb_object_keys", object_keys),
    scalar("jsonb_bool", |call, a| cast(call, a[0], oids::BOOL, "boolean")),
    scalar("jsonb_numeric", |call, a| cast(call, a[0], oids::NUMERIC, "numeric")),
    scalar("jsonb_int2", |call, a| cast(call, a[0], oids::INT2, "smallint")),
    scalar("jsonb_int4", |call, a| cast(call, a[0], oids::INT4, "integer")),
    scalar("jsonb_int8", |call, a| cast(call, a[0], oids::INT8, "bigint")),
    scalar("jsonb_float4", |call, a| cast(call, a[0], oids::FLOAT4, "real")),
    scalar("jsonb_float8", |call, a| cast(call, a[0], oids::FLOAT8, "double precision")),
    scalar("jsonb_populate_record", |call, a| {
        let object = read_optional(a[1])?;
        populate_one(call, a[0], object)
    }),
    scalar("json_populate_record", |call, a| {
        let object = parse_optional(a[1])?;
        populate_one(call, a[0], object)
    }),
    rows("jsonb_populate_recordset", |call, a| match read_optional(a[1])? {
        None => Ok(known(Vec::new())),
        Some(list) => populate_set(call, a[0], list),
    }),
    rows("json_populate_recordset", |call, a| match parse_optional(a[1])? {
        None => Ok(known(Vec::new())),
        Some(list) => populate_set(call, a[0], list),
    }),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Jsonb {
        Jsonb::parse(text).unwrap()
    }

    #[test]
    fn containment_follows_postgresql() {
        let holds = |left: &str, right: &str| contains(&read(left), &read(right)).unwrap();
        assert!(holds(r#"{"a": 1, "b": [1, 2, {"c": 3}]}"#, r#"{"b": [2, {"c": 3.0}]}"#));
        assert!(holds("[1, 2, 2]", "[2, 2, 1]") && holds("[\"foo\"]", "\"foo\""));
        assert!(!holds("\"foo\"", "[\"foo\"]") && !holds("[[1]]", "[1]") && !holds("[1, [2]]", "[2]"));
        assert!(holds("{}", "{}") && !holds("[]", "{}"));
    }

    #[test]
    fn paths_are_changed_in_place() {
        let changed = |text: &str, path: &[&str], change: Change| {
            let mut value = read(text);
            let path: Vec<String> = path.iter().map(|step| (*step).to_owned()).collect();
            change_at(&mut value, &path, 1, &change).map(|()| value.text().unwrap())
        };
        let set = |create| Change::Set { value: read("9"), create };
        let text = r#"{"a": [1, 2], "b": null}"#;
        assert_eq!(changed(text, &["a", "-1"], set(true)).unwrap(), r#"{"a": [1, 9], "b": null}"#);
        assert_eq!(changed(text, &["a", "7"], set(true)).unwrap(), r#"{"a": [1, 2, 9], "b": null}"#);
        assert_eq!(changed(text, &["c"], set(false)).unwrap(), text);
        assert_eq!(changed(text, &["a", "0"], Change::Delete).unwrap(), r#"{"a": [2], "b": null}"#);
        let insert = Change::Insert { value: read("9"), after: true };
        assert_eq!(changed(text, &["a", "0"], insert.clone()).unwrap(), r#"{"a": [1, 9, 2], "b": null}"#);
        assert_eq!(changed(text, &["a"], insert).unwrap_err().message(), "cannot replace existing key");
        let error = changed(text, &["a", "x"], set(true)).unwrap_err();
        assert_eq!(error.message(), "path element at position 2 is not an integer: \"x\"");
    }
}
