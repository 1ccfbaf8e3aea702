//! Making JSON from SQL values, and the functions of type `json`, which work on its text and keep it as written.
//!
//! Source: `src/backend/utils/adt/json.c`, `jsonfuncs.c`.

use std::sync::Arc;

use storage::{AggregateState, CallContext, HostError};

use crate::functions::aggregate::Parts;
use crate::functions::arguments::{
    Rows, array_elements, boolean, column, integer, known, rows, scalar, text,
};
use crate::functions::{Body, CallTypes, Function, FunctionCall};
use crate::oid::types as oids;
use crate::session::StatementContext;
use crate::types::array::Array;
use crate::types::json::{Node, Tree, parse, quote};
use crate::types::{self, Resolved, TypeContext, date, record, timestamp};
use crate::{Oid, Result, SqlError, Value, ValueRef, error, interrupt};

/// Appends a value as JSON (`datum_to_json`). With `pretty`, the elements and fields of the outermost value stand on
/// lines of their own.
///
/// # Errors
/// Those of the type's output function.
pub(crate) fn append(
    ty: Oid,
    value: ValueRef<'_>,
    pretty: bool,
    cx: &TypeContext<'_>,
    out: &mut String,
) -> Result<()> {
    if value.is_null() {
        out.push_str("null");
        return Ok(());
    }
    match ty {
        oids::BOOL => {
            out.push_str(if boolean(value)? { "true" } else { "false" });
            return Ok(());
        }
        oids::JSON | oids::JSONB => return types::output(ty, value, cx, out),
        oids::INT2 | oids::INT4 | oids::INT8 | oids::FLOAT4 | oids::FLOAT8 | oids::NUMERIC => {
            let shown = types::to_text(ty, value, cx)?;
            if shown.ends_with(|c: char| c.is_ascii_digit()) {
                out.push_str(&shown)
            } else {
                quote(&shown, out)
            }
            return Ok(());
        }
        oids::DATE | oids::TIMESTAMP | oids::TIMESTAMPTZ => {
            quote(&iso_8601(ty, integer(value)?, cx)?, out);
            return Ok(());
        }
        _ => {}
    }
    match types::resolve(cx.catalog, ty) {
        Resolved::Array { element, .. } => append_array(element, &Array::from_value(value)?, pretty, cx, out),
        Resolved::Record { relation } => append_record(relation, value, pretty, cx, out),
        _ => {
            quote(&types::to_text(ty, value, cx)?, out);
            Ok(())
        }
    }
}

/// A moment as XML Schema and JavaScript write it.
fn iso_8601(ty: Oid, value: i64, cx: &TypeContext<'_>) -> Result<String> {
    let format = types::FormatSettings { date_style: types::DateStyle::Iso, ..cx.format.clone() };
    let mut out = String::new();
    match ty {
        oids::DATE => types::date_output::date(value, &format, &mut out),
        oids::TIMESTAMP => types::date_output::timestamp(value, &format, &mut out),
        _ => types::date_output::timestamptz(value, &format, &mut out),
    }
    let finite = !(date::is_infinite(value) && ty == oids::DATE) && !timestamp::is_infinite(value);
    if ty != oids::DATE && finite {
        out = out.replacen(' ', "T", 1);
    }
    if ty == oids::TIMESTAMPTZ && finite {
        // The offset always has minutes here.
        let end = out.find(" BC").unwrap_or(out.len());
        if out[..end].rfind(['+', '-']).is_some_and(|sign| end - sign == 3) {
            out.insert_str(end, ":00");
        }
    }
    Ok(out)
}

fn append_array(
    element: Oid,
    array: &Array,
    pretty: bool,
    cx: &TypeContext<'_>,
    out: &mut String,
) -> Result<()> {
    let lengths: Vec<usize> = array.dimensions.iter().map(|dimension| dimension.length as usize).collect();
    let mut elements = array.elements.iter();
    append_dimension(element, &lengths, &mut elements, pretty, cx, out)
}

fn append_dimension(
    element: Oid,
    lengths: &[usize],
    elements: &mut std::slice::Iter<'_, Value>,
    pretty: bool,
    cx: &TypeContext<'_>,
    out: &mut String,
) -> Result<()> {
    let Some((&length, inner)) = lengths.split_first() else {
        out.push_str("[]");
        return Ok(());
    };
    out.push('[');
    for position in 0..length {
        interrupt::check()?;
        if position > 0 {
            out.push_str(if pretty { ",\n " } else { "," });
        }
        if inner.is_empty() {
            let value = elements.next().map_or(ValueRef::Null, Value::as_ref);
            append(element, value, false, cx, out)?;
        } else {
            append_dimension(element, inner, elements, false, cx, out)?;
        }
    }
    out.push(']');
    Ok(())
}

/// The names of a composite type's fields; `f1`, `f2`, … for anonymous ones.
fn field_names(relation: Oid, count: usize, cx: &TypeContext<'_>) -> Vec<String> {
    if !relation.is_valid() {
        return (1..=count).map(|position| format!("f{position}")).collect();
    }
    let columns = cx.catalog.attributes(relation);
    columns.iter().filter(|column| !column.attisdropped).map(|column| column.attname.clone()).collect()
}

fn append_record(
    relation: Oid,
    value: ValueRef<'_>,
    pretty: bool,
    cx: &TypeContext<'_>,
    out: &mut String,
) -> Result<()> {
    let fields = record::fields(value)?;
    let names = match record::names(value)? {
        Some(names) if !relation.is_valid() => names,
        _ => field_names(relation, fields.len(), cx),
    };
    out.push('{');
    for (position, ((ty, value), name)) in fields.iter().zip(names).enumerate() {
        if position > 0 {
            out.push_str(if pretty { ",\n " } else { "," });
        }
        quote(&name, out);
        out.push(':');
        append(*ty, value.as_ref(), false, cx, out)?;
    }
    out.push('}');
    Ok(())
}

/// A value as JSON text.
///
/// # Errors
/// As [`append`].
pub(crate) fn to_json(ty: Oid, value: ValueRef<'_>, cx: &TypeContext<'_>) -> Result<String> {
    let mut out = String::new();
    append(ty, value, false, cx, &mut out)?;
    Ok(out)
}

/// A value as the key of an object.
///
/// # Errors
/// `22023` for arrays, composites and JSON.
pub(crate) fn to_key(ty: Oid, value: ValueRef<'_>, cx: &TypeContext<'_>) -> Result<String> {
    let composite =
        matches!(types::resolve(cx.catalog, ty), Resolved::Array { .. } | Resolved::Record { .. });
    if composite || matches!(ty, oids::JSON | oids::JSONB) {
        return Err(error!(
            INVALID_PARAMETER_VALUE,
            "key value must be scalar, not array, composite, or json"
        ));
    }
    match ty {
        oids::BOOL => Ok(if boolean(value)? { "true" } else { "false" }.to_owned()),
        oids::DATE | oids::TIMESTAMP | oids::TIMESTAMPTZ => iso_8601(ty, integer(value)?, cx),
        _ => types::to_text(ty, value, cx),
    }
}

/// The arguments of a VARIADIC "any" call with their types: the elements of an array when it was called with VARIADIC.
///
/// # Errors
/// `XX000` when the array is none.
pub(crate) fn variadic(call: &FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Vec<(Oid, Value)>> {
    let with_types = arguments.iter().zip(&call.types.arguments);
    Ok(with_types.map(|(value, ty)| (*ty, ValueRef::to_owned(*value))).collect())
}

/// The text of `json_build_object`.
///
/// # Errors
/// `22023` for an odd number of arguments and for NULL keys.
pub(crate) fn build_object(pairs: &[(Oid, Value)], function: &str, cx: &TypeContext<'_>) -> Result<String> {
    if !pairs.len().is_multiple_of(2) {
        return Err(error!(INVALID_PARAMETER_VALUE, "argument list must have even number of elements")
            .hint(format!("The arguments of {function}() must consist of alternating keys and values.")));
    }
    let mut out = String::from("{");
    for (position, pair) in pairs.chunks(2).enumerate() {
        out.push_str(if position > 0 { ", " } else { "" });
        let ((key_type, key), (ty, value)) = (&pair[0], &pair[1]);
        if key.is_null() {
            let argument = position * 2 + 1;
            return Err(if function.starts_with("jsonb") {
                error!(INVALID_PARAMETER_VALUE, "argument {argument}: key must not be null")
            } else {
                error!(INVALID_PARAMETER_VALUE, "argument {argument} cannot be null")
                    .hint("Object keys should be text.")
            });
        }
        quote(&to_key(*key_type, key.as_ref(), cx)?, &mut out);
        out.push_str(" : ");
        append(*ty, value.as_ref(), false, cx, &mut out)?;
    }
    out.push('}');
    Ok(out)
}

/// The text of `json_build_array`.
///
/// # Errors
/// As [`append`].
pub(crate) fn build_array(elements: &[(Oid, Value)], cx: &TypeContext<'_>) -> Result<String> {
    let mut out = String::from("[");
    for (position, (ty, value)) in elements.iter().enumerate() {
        out.push_str(if position > 0 { ", " } else { "" });
        append(*ty, value.as_ref(), false, cx, &mut out)?;
    }
    out.push(']');
    Ok(out)
}

/// The text of `json_object(text[])` and `json_object(text[], text[])`.
///
/// # Errors
/// `2202E` for wrong shapes, `22004` for NULL keys.
pub(crate) fn object_of_texts(call: &FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<String> {
    let cx = call.type_context();
    let first = array_elements(oids::_TEXT, arguments[0], &cx)?;
    let pairs: Vec<(Option<String>, Option<String>)> = if let Some(second) = arguments.get(1) {
        let second = array_elements(oids::_TEXT, *second, &cx)?;
        if first.len() != second.len() {
            return Err(error!(ARRAY_SUBSCRIPT_ERROR, "mismatched array dimensions"));
        }
        first.into_iter().zip(second).collect()
    } else {
        if first.len() % 2 != 0 {
            return Err(error!(ARRAY_SUBSCRIPT_ERROR, "array must have even number of elements"));
        }
        first.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
    };
    let mut out = String::from("{");
    for (position, (key, value)) in pairs.into_iter().enumerate() {
        interrupt::check()?;
        out.push_str(if position > 0 { ", " } else { "" });
        let key =
            key.ok_or_else(|| error!(NULL_VALUE_NOT_ALLOWED, "null value not allowed for object key"))?;
        quote(&key, &mut out);
        out.push_str(" : ");
        match value {
            None => out.push_str("null"),
            Some(value) => quote(&value, &mut out),
        }
    }
    out.push('}');
    Ok(out)
}

/// What `->>` gives for a node: strings without quotes, `null` as NULL.
fn bare(node: &Node<'_>) -> Value {
    match &node.tree {
        Tree::Null => Value::Null,
        Tree::String(text) => text.clone().into_owned().into(),
        _ => node.raw.into(),
    }
}

fn raw(node: &Node<'_>) -> Value {
    node.raw.into()
}

type Show = fn(&Node<'_>) -> Value;

fn member<'t, 'a>(node: &'t Node<'a>, name: &str) -> Option<&'t Node<'a>> {
    let Tree::Object(pairs) = &node.tree else { return None };
    pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn element<'t, 'a>(node: &'t Node<'a>, index: i64) -> Option<&'t Node<'a>> {
    let Tree::Array(elements) = &node.tree else { return None };
    elements.get(types::jsonb::position(index, elements.len())?)
}

fn field(arguments: &[ValueRef<'_>], show: Show) -> Result<Value> {
    let node = parse(text(arguments[0])?)?;
    Ok(member(&node, text(arguments[1])?).map_or(Value::Null, show))
}

fn at_index(arguments: &[ValueRef<'_>], show: Show) -> Result<Value> {
    let node = parse(text(arguments[0])?)?;
    Ok(element(&node, integer(arguments[1])?).map_or(Value::Null, show))
}

fn at_path(call: &FunctionCall<'_>, arguments: &[ValueRef<'_>], show: Show) -> Result<Value> {
    let root = parse(text(arguments[0])?)?;
    let mut node = &root;
    for step in array_elements(oids::_TEXT, arguments[1], &call.type_context())? {
        let Some(step) = step else { return Ok(Value::Null) };
        let next = match &node.tree {
            Tree::Array(_) => step.trim().parse().ok().and_then(|index| element(node, index)),
            _ => member(node, &step),
        };
        match next {
            Some(next) => node = next,
            None => return Ok(Value::Null),
        }
    }
    Ok(show(node))
}

fn shape_error(tree: &Tree<'_>, function: &str) -> SqlError {
    match tree {
        Tree::Array(_) => error!(INVALID_PARAMETER_VALUE, "cannot deconstruct an array as an object"),
        Tree::Object(_) => error!(INVALID_PARAMETER_VALUE, "cannot call {function} on a non-array"),
        _ => error!(INVALID_PARAMETER_VALUE, "cannot call {function} on a scalar"),
    }
}

fn each(arguments: &[ValueRef<'_>], show: Show) -> Result<Rows> {
    let node = parse(text(arguments[0])?)?;
    match &node.tree {
        Tree::Object(pairs) => {
            Ok(known(interrupt::gather(pairs.iter().map(|(key, value)| {
                interrupt::checked(vec![key.clone().into_owned().into(), show(value)])
            }))?))
        }
        Tree::Array(_) => Err(error!(INVALID_PARAMETER_VALUE, "cannot deconstruct an array as an object")),
        _ => Err(error!(INVALID_PARAMETER_VALUE, "cannot deconstruct a scalar")),
    }
}

fn elements(arguments: &[ValueRef<'_>], function: &str, show: Show) -> Result<Rows> {
    let node = parse(text(arguments[0])?)?;
    match &node.tree {
        Tree::Array(elements) => {
            let shown = elements.iter().map(|element| interrupt::checked(show(element)));
            Ok(column(interrupt::gather(shown)?))
        }
        other => Err(shape_error(other, function)),
    }
}

fn object_keys(_: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Rows> {
    let node = parse(text(arguments[0])?)?;
    match &node.tree {
        Tree::Object(pairs) => {
            let keys = pairs.iter().map(|(key, _)| interrupt::checked(key.clone().into_owned().into()));
            Ok(column(interrupt::gather(keys)?))
        }
        Tree::Array(_) => Err(error!(INVALID_PARAMETER_VALUE, "cannot call json_object_keys on an array")),
        _ => Err(error!(INVALID_PARAMETER_VALUE, "cannot call json_object_keys on a scalar")),
    }
}

fn array_length(_: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    match parse(text(arguments[0])?)?.tree {
        Tree::Array(elements) => Ok((elements.len() as i64).into()),
        Tree::Object(_) => Err(error!(INVALID_PARAMETER_VALUE, "cannot get array length of a non-array")),
        _ => Err(error!(INVALID_PARAMETER_VALUE, "cannot get array length of a scalar")),
    }
}

fn type_of(_: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    Ok(match parse(text(arguments[0])?)?.tree {
        Tree::Null => "null",
        Tree::Bool(_) => "boolean",
        Tree::Number => "number",
        Tree::String(_) => "string",
        Tree::Array(_) => "array",
        Tree::Object(_) => "object",
    }
    .into())
}

fn strip_nulls(node: &Node<'_>, out: &mut String) -> Result<()> {
    interrupt::check()?;
    match &node.tree {
        Tree::Object(pairs) => {
            out.push('{');
            let kept = pairs.iter().filter(|(_, value)| value.tree != Tree::Null);
            for (position, (key, value)) in kept.enumerate() {
                out.push_str(if position > 0 { "," } else { "" });
                quote(key, out);
                out.push(':');
                strip_nulls(value, out)?;
            }
            out.push('}');
        }
        Tree::Array(elements) => {
            out.push('[');
            for (position, element) in elements.iter().enumerate() {
                out.push_str(if position > 0 { "," } else { "" });
                strip_nulls(element, out)?;
            }
            out.push(']');
        }
        Tree::String(text) => quote(text, out),
        _ => out.push_str(node.raw),
    }
    Ok(())
}

fn argument_to_json(call: &FunctionCall<'_>, arguments: &[ValueRef<'_>], pretty: bool) -> Result<Value> {
    let mut out = String::new();
    append(call.types.arguments[0], arguments[0], pretty, &call.type_context(), &mut out)?;
    Ok(out.into())
}

/// The state of the aggregates that make arrays and objects, for both types.
pub(crate) struct Collect {
    types: Arc<CallTypes>,
    object: bool,
    binary: bool,
    /// The JSON of all rows, each behind a separator.
    joined: String,
    parts: Parts,
}

/// Between two values of the result.
const SEPARATOR: &str = ", ";

impl Collect {
    /// The state of a group: whether it makes an object, and whether `jsonb`.
    pub(crate) fn start(types: &Arc<CallTypes>, object: bool, binary: bool) -> Box<dyn AggregateState> {
        let (types, joined) = (types.clone(), String::new());
        Box::new(Self { types, object, binary, joined, parts: Parts::default() })
    }

    fn append(&mut self, arguments: &[ValueRef<'_>], cx: &TypeContext<'_>) -> Result<()> {
        let out = &mut self.joined;
        if self.object {
            if arguments[0].is_null() {
                return Err(error!(INVALID_PARAMETER_VALUE, "field name must not be null"));
            }
            quote(&to_key(self.types.arguments[0], arguments[0], cx)?, out);
            out.push_str(" : ");
        }
        let last = arguments.len() - 1;
        append(self.types.arguments[last], arguments[last], false, cx, out)
    }
}

impl Drop for Collect {
    fn drop(&mut self) {
        interrupt::give_back(std::mem::take(&mut self.joined).into_bytes());
    }
}

fn context_of<'a>(call: &'a CallContext<'_>) -> Result<&'a StatementContext> {
    let context = call.context.and_then(|context| context.downcast_ref::<StatementContext>());
    context.ok_or_else(|| SqlError::internal("an aggregate was called outside a statement"))
}

impl AggregateState for Collect {
    fn step(&mut self, call: &mut CallContext<'_>, arguments: &[ValueRef<'_>]) -> Result<(), HostError> {
        self.joined.push_str(SEPARATOR);
        let before = self.joined.len();
        self.append(arguments, &context_of(call)?.type_context())?;
        self.parts.add(SEPARATOR.len(), self.joined.len() - before);
        Ok(())
    }

    fn inverse(&mut self, _: &mut CallContext<'_>, _: &[ValueRef<'_>]) -> Result<(), HostError> {
        self.joined.drain(..self.parts.remove(self.joined.len()));
        Ok(())
    }

    fn value(&self, _: &mut CallContext<'_>) -> Result<Value, HostError> {
        let Some(begin) = self.parts.begin() else { return Ok(Value::Null) };
        let (open, close) = if self.object { ("{ ", " }") } else { ("[", "]") };
        let values = &self.joined[begin..];
        let mut text = String::with_capacity(open.len() + values.len() + close.len());
        text.push_str(open);
        interrupt::append(&mut text, values)?;
        text.push_str(close);
        if !self.binary {
            return Ok(text.into());
        }
        let stored = types::jsonb::Jsonb::parse(&text).and_then(|tree| tree.store());
        interrupt::give_back(text.into_bytes());
        Ok(stored?)
    }
}

/// The functions.
pub(super) const FUNCTIONS: &[Function] = &[
    scalar("to_json", |call, a| argument_to_json(call, a, false)),
    scalar("row_to_json", |call, a| argument_to_json(call, a, false)),
    scalar("row_to_json_pretty", |call, a| argument_to_json(call, a, boolean(a[1])?)),
    scalar("array_to_json", |call, a| argument_to_json(call, a, false)),
    scalar("array_to_json_pretty", |call, a| argument_to_json(call, a, boolean(a[1])?)),
    scalar("json_build_object", |call, a| {
        Ok(build_object(&variadic(call, a)?, "json_build_object", &call.type_context())?.into())
    }),
    scalar("json_build_object_noargs", |_, _| Ok("{}".into())),
    scalar("json_build_array", |call, a| Ok(build_array(&variadic(call, a)?, &call.type_context())?.into())),
    scalar("json_build_array_noargs", |_, _| Ok("[]".into())),
    scalar("json_object", |call, a| Ok(object_of_texts(call, a)?.into())),
    scalar("json_object_two_arg", |call, a| Ok(object_of_texts(call, a)?.into())),
    scalar("json_object_field", |_, a| field(a, raw)),
    scalar("json_object_field_text", |_, a| field(a, bare)),
    scalar("json_array_element", |_, a| at_index(a, raw)),
    scalar("json_array_element_text", |_, a| at_index(a, bare)),
    scalar("json_extract_path", |call, a| at_path(call, a, raw)),
    scalar("json_extract_path_text", |call, a| at_path(call, a, bare)),
    scalar("json_array_length", array_length),
    scalar("json_typeof", type_of),
    scalar("json_strip_nulls", |_, a| {
        let mut out = String::new();
        strip_nulls(&parse(text(a[0])?)?, &mut out)?;
        Ok(out.into())
    }),
    rows("json_each", |_, a| each(a, raw)),
    rows("json_each_text", |_, a| each(a, bare)),
    rows("json_array_elements", |_, a| elements(a, "json_array_elements", raw)),
    rows("json_array_elements_text", |_, a| elements(a, "json_array_elements_text", bare)),
    rows("json_object_keys", object_keys),
    Function {
        symbol: "json_agg(anyelement)",
        body: Body::Aggregate(|types| Collect::start(types, false, false)),
    },
    Function {
        symbol: "jsonb_agg(anyelement)",
        body: Body::Aggregate(|types| Collect::start(types, false, true)),
    },
    Function {
        symbol: "json_object_agg(any,any)",
        body: Body::Aggregate(|types| Collect::start(types, true, false)),
    },
    Function {
        symbol: "jsonb_object_agg(any,any)",
        body: Body::Aggregate(|types| Collect::start(types, true, true)),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_handed_back_as_written() {
        let arguments = [ValueRef::Text(r#"{"a": {"b" : 1.0}, "a": [1 , "x\n"]}"#), ValueRef::Text("a")];
        assert_eq!(field(&arguments, raw).unwrap(), Value::from(r#"[1 , "x\n"]"#));
        let arguments = [ValueRef::Text(r#"[1 , "x\n", null]"#), ValueRef::Integer(-2)];
        assert_eq!(at_index(&arguments, bare).unwrap(), Value::from("x\n"));
        assert_eq!(at_index(&[arguments[0], ValueRef::Integer(2)], bare).unwrap(), Value::Null);
    }

    #[test]
    fn nulls_are_stripped_from_objects_only() {
        let mut out = String::new();
        strip_nulls(&parse(r#"{"a": null, "b": [null, {"c" : null}]}"#).unwrap(), &mut out).unwrap();
        assert_eq!(out, r#"{"b":[null,{}]}"#);
    }
}
