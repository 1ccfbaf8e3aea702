//! Sets of numbers: `generate_series` and `generate_subscripts`.
//!
//! Source: `src/backend/utils/adt/int.c`, `int8.c`, `numeric.c`, `arrayfuncs.c`.

use crate::types::array::Array;
use crate::types::numeric::Numeric;
use crate::{Result, Value, ValueRef, error};

use super::Function;
use super::arguments::{Rows, boolean, int4, integer, known, rows};

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    rows("generate_series_int4", |_, v| integers(integer(v[0])?, integer(v[1])?, 1, i32::MAX.into())),
    rows("generate_series_step_int4", |_, v| {
        integers(integer(v[0])?, integer(v[1])?, integer(v[2])?, i32::MAX.into())
    }),
    rows("generate_series_int8", |_, v| integers(integer(v[0])?, integer(v[1])?, 1, i64::MAX)),
    rows("generate_series_step_int8", |_, v| {
        integers(integer(v[0])?, integer(v[1])?, integer(v[2])?, i64::MAX)
    }),
    rows("generate_series_numeric", |_, v| numerics(v, &Numeric::integer(1))),
    rows("generate_series_step_numeric", |_, v| numerics(v, &Numeric::from_value(v[2])?)),
    rows("generate_subscripts", |_, v| subscripts(v[0], int4(v[1])?, boolean(v[2])?)),
    rows("generate_subscripts_nodir", |_, v| subscripts(v[0], int4(v[1])?, false)),
];

fn zero_step() -> crate::SqlError {
    error!(INVALID_PARAMETER_VALUE, "step size cannot equal zero")
}

/// From one number to another; it ends early rather than pass the type's bounds.
fn integers(start: i64, stop: i64, step: i64, maximum: i64) -> Result<Rows> {
    if step == 0 {
        return Err(zero_step());
    }
    let within = move |value: &i64| if step > 0 { *value <= stop } else { *value >= stop };
    let next =
        move |value: &i64| value.checked_add(step).filter(|next| *next <= maximum && *next >= -maximum - 1);
    let series = std::iter::successors(Some(start), next).take_while(within);
    Ok(Box::new(series.map(|value| Ok(vec![Value::Integer(value)]))))
}

fn numerics(v: &[ValueRef<'_>], step: &Numeric) -> Result<Rows> {
    let (start, stop) = (Numeric::from_value(v[0])?, Numeric::from_value(v[1])?);
    for (name, value) in [("start", &start), ("stop", &stop), ("step size", step)] {
        if !value.is_finite() {
            let what = if value.is_nan() { "NaN" } else { "infinity" };
            return Err(error!(
                INVALID_PARAMETER_VALUE,
                "{name} {}cannot be {what}",
                if name == "step size" { "" } else { "value " }
            ));
        }
    }
    if step.signum() == 0 {
        return Err(zero_step());
    }
    let (step, forward) = (step.clone(), step.signum() > 0);
    let within = move |value: &Numeric| {
        let order = value.compare(&stop);
        if forward { order.is_le() } else { order.is_ge() }
    };
    let series = std::iter::successors(Some(start), move |value| value.add(&step).ok()).take_while(within);
    Ok(Box::new(series.map(|value| Ok(vec![value.to_value()]))))
}

fn subscripts(array: ValueRef<'_>, dimension: i32, reverse: bool) -> Result<Rows> {
    let array = Array::from_value(array)?;
    let index = usize::try_from(dimension - 1).ok();
    let Some(dimension) = index.and_then(|index| array.dimensions.get(index)) else {
        return Ok(known(Vec::new()));
    };
    let range = i64::from(dimension.lower)..=i64::from(dimension.upper());
    let row = |value| Ok(vec![Value::Integer(value)]);
    Ok(if reverse { Box::new(range.rev().map(row)) } else { Box::new(range.map(row)) })
}
