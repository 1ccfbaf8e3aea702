//! Functions of ranges. Bounds compare by the nested keys of their values.
//!
//! Source: `src/backend/utils/adt/rangetypes.c`.

use std::cmp::Ordering;

use crate::types::range::{Bound, Range};
use crate::types::{Resolved, StorageForm, key, resolve, storage_form};
use crate::{Oid, Result, SqlError, Value, ValueRef, error};

use super::arguments::{scalar, text};
use super::{Function, FunctionCall};

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    scalar("range_constructor2", |call, v| construct(call, v[0], v[1], "[)")),
    scalar("range_constructor3", |call, v| {
        if v[2].is_null() {
            return Err(error!(DATA_EXCEPTION, "range constructor flags argument must not be null"));
        }
        construct(call, v[0], v[1], text(v[2])?)
    }),
    scalar("range_lower", |_, v| Ok(bounds(v[0])?.map_or(Value::Null, |(lower, _)| lower.value))),
    scalar("range_upper", |_, v| Ok(bounds(v[0])?.map_or(Value::Null, |(_, upper)| upper.value))),
    scalar("range_empty", |_, v| Ok(Value::from(bounds(v[0])?.is_none()))),
    scalar("range_lower_inc", |_, v| {
        Ok(Value::from(bounds(v[0])?.is_some_and(|(lower, _)| lower.inclusive)))
    }),
    scalar("range_upper_inc", |_, v| {
        Ok(Value::from(bounds(v[0])?.is_some_and(|(_, upper)| upper.inclusive)))
    }),
    scalar("range_lower_inf", |_, v| {
        Ok(Value::from(bounds(v[0])?.is_some_and(|(lower, _)| lower.value.is_null())))
    }),
    scalar("range_upper_inf", |_, v| {
        Ok(Value::from(bounds(v[0])?.is_some_and(|(_, upper)| upper.value.is_null())))
    }),
    scalar("range_contains_elem", |call, v| contains_element(call, 0, v[0], v[1])),
    scalar("elem_contained_by_range", |call, v| contains_element(call, 1, v[1], v[0])),
    scalar("range_contains", |call, v| contains(call, v[0], v[1])),
    scalar("range_contained_by", |call, v| contains(call, v[1], v[0])),
    scalar("range_overlaps", |call, v| {
        let form = form(call, 0)?;
        Ok(Value::from(match (bounds(v[0])?, bounds(v[1])?) {
            (Some((a, b)), Some((c, d))) => meets(&a, &d, form) && meets(&c, &b, form),
            _ => false,
        }))
    }),
    scalar("range_before", |call, v| before(call, v[0], v[1])),
    scalar("range_after", |call, v| before(call, v[1], v[0])),
    scalar("range_intersect", |call, v| {
        let form = form(call, 0)?;
        let (Some((a, b)), Some((c, d))) = (bounds(v[0])?, bounds(v[1])?) else {
            return store(call, &Range::Empty);
        };
        let lower = if lower_order(&a, &c, form).is_ge() { a.clone() } else { c.clone() };
        let upper = if upper_order(&b, &d, form).is_le() { b.clone() } else { d.clone() };
        if !(meets(&a, &d, form) && meets(&c, &b, form)) {
            return store(call, &Range::Empty);
        }
        store(call, &Range::Between(lower, upper))
    }),
    scalar("range_overleft", |call, v| {
        let form = form(call, 0)?;
        Ok(Value::from(match (bounds(v[0])?, bounds(v[1])?) {
            (Some((_, b)), Some((_, d))) => upper_order(&b, &d, form).is_le(),
            _ => false,
        }))
    }),
    scalar("range_overright", |call, v| {
        let form = form(call, 0)?;
        Ok(Value::from(match (bounds(v[0])?, bounds(v[1])?) {
            (Some((a, _)), Some((c, _))) => lower_order(&a, &c, form).is_ge(),
            _ => false,
        }))
    }),
    scalar("range_adjacent", |call, v| {
        let form = form(call, 0)?;
        Ok(Value::from(match (bounds(v[0])?, bounds(v[1])?) {
            (Some((a, b)), Some((c, d))) => touches(&b, &c, form) || touches(&d, &a, form),
            _ => false,
        }))
    }),
    scalar("range_union", |call, v| union(call, v[0], v[1], true)),
    scalar("range_merge", |call, v| union(call, v[0], v[1], false)),
    scalar("range_minus", |call, v| minus(call, v[0], v[1])),
];

/// Whether a range that ends at `upper` and one that begins at `lower` leave nothing between them and share nothing.
/// Ranges over discrete types are kept half open, so that neighbours meet at one value.
fn touches(upper: &Bound, lower: &Bound, form: StorageForm) -> bool {
    !upper.value.is_null()
        && !lower.value.is_null()
        && order(&upper.value, &lower.value, form).is_eq()
        && upper.inclusive != lower.inclusive
}

/// The smallest range that holds both; for a union there must be nothing between them.
fn union(call: &FunctionCall<'_>, left: ValueRef<'_>, right: ValueRef<'_>, strict: bool) -> Result<Value> {
    let form = form(call, 0)?;
    let (Some((a, b)), Some((c, d))) = (bounds(left)?, bounds(right)?) else {
        let other = if bounds(left)?.is_none() { right } else { left };
        return Ok(other.to_owned());
    };
    let overlap = meets(&a, &d, form) && meets(&c, &b, form);
    if strict && !overlap && !touches(&b, &c, form) && !touches(&d, &a, form) {
        return Err(error!(DATA_EXCEPTION, "result of range union would not be contiguous"));
    }
    let lower = if lower_order(&a, &c, form).is_le() { a } else { c };
    let upper = if upper_order(&b, &d, form).is_ge() { b } else { d };
    store(call, &Range::Between(lower, upper))
}

fn minus(call: &FunctionCall<'_>, left: ValueRef<'_>, right: ValueRef<'_>) -> Result<Value> {
    let form = form(call, 0)?;
    let (Some((a, b)), Some((c, d))) = (bounds(left)?, bounds(right)?) else { return Ok(left.to_owned()) };
    if !(meets(&a, &d, form) && meets(&c, &b, form)) {
        return Ok(left.to_owned());
    }
    let opposite = |bound: Bound| Bound { inclusive: !bound.inclusive, value: bound.value };
    match (lower_order(&a, &c, form).is_lt(), upper_order(&b, &d, form).is_gt()) {
        (true, true) => Err(error!(DATA_EXCEPTION, "result of range difference would not be contiguous")),
        (true, false) => store(call, &Range::Between(a, opposite(c))),
        (false, true) => store(call, &Range::Between(opposite(d), b)),
        (false, false) => store(call, &Range::Empty),
    }
}

/// The type of the bounds of a range type.
fn subtype(call: &FunctionCall<'_>, range: Oid) -> Result<Oid> {
    match resolve(&call.context.catalog, range) {
        Resolved::Range { subtype } => Ok(subtype),
        _ => Err(SqlError::internal("an argument that is not a range")),
    }
}

fn form(call: &FunctionCall<'_>, argument: usize) -> Result<StorageForm> {
    Ok(storage_form(&call.context.catalog, subtype(call, call.types.arguments[argument])?))
}

fn store(call: &FunctionCall<'_>, range: &Range) -> Result<Value> {
    range.to_value(subtype(call, call.types.result)?, &call.type_context())
}

/// The bounds of a range; `None` for the empty one.
fn bounds(value: ValueRef<'_>) -> Result<Option<(Bound, Bound)>> {
    Ok(match Range::from_value(value)? {
        Range::Empty => None,
        Range::Between(lower, upper) => Some((lower, upper)),
    })
}

fn construct(
    call: &FunctionCall<'_>,
    lower: ValueRef<'_>,
    upper: ValueRef<'_>,
    flags: &str,
) -> Result<Value> {
    let (lower_inclusive, upper_inclusive) = match flags {
        "[)" => (true, false),
        "[]" => (true, true),
        "(]" => (false, true),
        "()" => (false, false),
        _ => {
            return Err(error!(SYNTAX_ERROR, "invalid range bound flags")
                .hint("Valid values are \"[]\", \"[)\", \"(]\", and \"()\"."));
        }
    };
    let lower = Bound { value: lower.to_owned(), inclusive: lower_inclusive };
    let upper = Bound { value: upper.to_owned(), inclusive: upper_inclusive };
    store(call, &Range::Between(lower, upper))
}

fn order(a: &Value, b: &Value, form: StorageForm) -> Ordering {
    let nested = |value: &Value| {
        let mut nested = String::new();
        key::push_value(&mut nested, form, value.as_ref());
        nested
    };
    nested(a).cmp(&nested(b))
}

/// Whether a range that begins at `lower` has something below the end `upper`.
fn meets(lower: &Bound, upper: &Bound, form: StorageForm) -> bool {
    if lower.value.is_null() || upper.value.is_null() {
        return true;
    }
    match order(&lower.value, &upper.value, form) {
        Ordering::Less => true,
        Ordering::Equal => lower.inclusive && upper.inclusive,
        Ordering::Greater => false,
    }
}

fn lower_order(a: &Bound, b: &Bound, form: StorageForm) -> Ordering {
    match (a.value.is_null(), b.value.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        _ => order(&a.value, &b.value, form).then(b.inclusive.cmp(&a.inclusive)),
    }
}

fn upper_order(a: &Bound, b: &Bound, form: StorageForm) -> Ordering {
    match (a.value.is_null(), b.value.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        _ => order(&a.value, &b.value, form).then(a.inclusive.cmp(&b.inclusive)),
    }
}

fn contains_element(
    call: &FunctionCall<'_>,
    argument: usize,
    range: ValueRef<'_>,
    element: ValueRef<'_>,
) -> Result<Value> {
    let form = form(call, argument)?;
    let Some((lower, upper)) = bounds(range)? else { return Ok(Value::from(false)) };
    let point = Bound { value: element.to_owned(), inclusive: true };
    Ok(Value::from(meets(&lower, &point, form) && meets(&point, &upper, form)))
}

fn contains(call: &FunctionCall<'_>, outer: ValueRef<'_>, inner: ValueRef<'_>) -> Result<Value> {
    let form = form(call, 0)?;
    Ok(Value::from(match (bounds(outer)?, bounds(inner)?) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some((a, b)), Some((c, d))) => {
            lower_order(&a, &c, form).is_le() && upper_order(&b, &d, form).is_ge()
        }
    }))
}

fn before(call: &FunctionCall<'_>, left: ValueRef<'_>, right: ValueRef<'_>) -> Result<Value> {
    let form = form(call, 0)?;
    Ok(Value::from(match (bounds(left)?, bounds(right)?) {
        (Some((_, upper)), Some((lower, _))) => !meets(&lower, &upper, form),
        _ => false,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_meet_and_order() {
        let bound = |value: Option<i64>, inclusive| Bound { value: value.into(), inclusive };
        let form = StorageForm::Integer;
        assert!(meets(&bound(Some(1), true), &bound(Some(1), true), form));
        assert!(!meets(&bound(Some(1), true), &bound(Some(1), false), form));
        assert!(meets(&bound(None, false), &bound(Some(-9), false), form));
        assert!(lower_order(&bound(Some(1), true), &bound(Some(1), false), form).is_lt());
        assert!(upper_order(&bound(Some(1), true), &bound(None, false), form).is_lt());
    }
}
