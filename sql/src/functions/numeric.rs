//! Functions of numeric; the arithmetic itself is in [`crate::types::numeric`].
//!
//! Source: `src/backend/utils/adt/numeric.c`.

use crate::types::numeric::Numeric;
use crate::{Result, Value, ValueRef, error};

use super::Function;
use super::arguments::{from_real, int4, integer, native, real, scalar};
use super::integer::INT4;

fn number(value: ValueRef<'_>) -> Result<Numeric> {
    Numeric::from_value(value)
}

macro_rules! of_two {
    ($symbol:literal, $method:ident) => {
        scalar($symbol, |_, v| Ok(number(v[0])?.$method(&number(v[1])?)?.to_value()))
    };
}

macro_rules! of_one {
    ($symbol:literal, $function:expr) => {
        scalar($symbol, |_, v| {
            let function: fn(Numeric) -> Result<Numeric> = $function;
            Ok(function(number(v[0])?)?.to_value())
        })
    };
}

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    of_two!("numeric_add", add),
    of_two!("numeric_sub", subtract),
    of_two!("numeric_mul", multiply),
    of_two!("numeric_div", divide),
    of_two!("numeric_div_trunc", divide_whole),
    of_two!("numeric_mod", remainder),
    of_two!("numeric_power", power),
    of_two!("numeric_log", log),
    of_two!("numeric_lcm", lcm),
    scalar("numeric_gcd", |_, v| Ok(number(v[0])?.gcd(&number(v[1])?)?.to_value())),
    of_one!("numeric_sqrt", |x| x.sqrt()),
    of_one!("numeric_exp", |x| x.exp()),
    of_one!("numeric_ln", |x| x.ln()),
    of_one!("log(numeric)", |x| Numeric::integer(10).log(&x)),
    of_one!("log10(numeric)", |x| Numeric::integer(10).log(&x)),
    of_one!("round(numeric)", |x| Ok(x.round(0))),
    of_one!("trunc(numeric)", |x| Ok(x.truncate(0))),
    of_one!("numeric_ceil", |x| Ok(x.ceiling())),
    of_one!("numeric_floor", |x| Ok(x.floor())),
    of_one!("numeric_abs", |x| Ok(x.abs())),
    of_one!("numeric_uminus", |x| Ok(x.negate())),
    native("numeric_uplus", "{0}"),
    of_one!("numeric_inc", |x| x.add(&Numeric::integer(1))),
    of_one!("numeric_sign", |x| Ok(if x.is_nan() { x } else { Numeric::integer(x.signum()) })),
    of_one!("numeric_trim_scale", |x| {
        let scale = x.scale_min();
        Ok(x.truncate(scale))
    }),
    of_one!("numeric_fac", |x| factorial(&x)),
    scalar("numeric_round", |_, v| Ok(number(v[0])?.round(int4(v[1])?).to_value())),
    scalar("numeric_trunc", |_, v| Ok(number(v[0])?.truncate(int4(v[1])?).to_value())),
    scalar("numeric_scale", |_, v| {
        let x = number(v[0])?;
        Ok(x.is_finite().then(|| i64::from(x.scale())).into())
    }),
    scalar("numeric_min_scale", |_, v| {
        let x = number(v[0])?;
        Ok(x.is_finite().then(|| i64::from(x.scale_min())).into())
    }),
    scalar("width_bucket_numeric", |_, v| {
        width_bucket(&number(v[0])?, &number(v[1])?, &number(v[2])?, int4(v[3])?)
    }),
    // Casts.
    scalar("numeric", |_, v| Ok(number(v[0])?.apply_modifier(int4(v[1])?)?.to_value())),
    scalar("int2_numeric", |_, v| Ok(Numeric::integer(integer(v[0])?).to_value())),
    scalar("int4_numeric", |_, v| Ok(Numeric::integer(integer(v[0])?).to_value())),
    scalar("int8_numeric", |_, v| Ok(Numeric::integer(integer(v[0])?).to_value())),
    scalar("float4_numeric", |_, v| Ok(Numeric::from_float4(real(v[0])?).to_value())),
    scalar("float8_numeric", |_, v| Ok(Numeric::from_float8(real(v[0])?).to_value())),
    scalar("numeric_int2", |_, v| {
        number(v[0])?.to_integer("smallint", i16::MIN.into(), i16::MAX.into()).map(Value::Integer)
    }),
    scalar("numeric_int4", |_, v| {
        number(v[0])?.to_integer("integer", i32::MIN.into(), i32::MAX.into()).map(Value::Integer)
    }),
    scalar("numeric_int8", |_, v| number(v[0])?.to_integer("bigint", i64::MIN, i64::MAX).map(Value::Integer)),
    scalar("numeric_float8", |_, v| number(v[0])?.to_float8().map(from_real)),
    scalar("numeric_float4", |_, v| {
        crate::types::float::parse_float4(&number(v[0])?.to_string()).map(from_real)
    }),
];

fn factorial(of: &Numeric) -> Result<Numeric> {
    let count = of.to_integer("bigint", i64::MIN, i64::MAX)?;
    if count < 0 {
        return Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "factorial of a negative number is undefined"));
    }
    /// The greatest number whose factorial fits the format.
    const FACTORIAL_MAX: i64 = 32_177;
    if count > FACTORIAL_MAX {
        return Err(crate::types::numeric::overflow());
    }
    Ok(Numeric::integer(product(1, count.max(1))))
}

/// The product of all numbers from one to another, halves first: factors of like size multiply fastest.
fn product(from: i64, to: i64) -> num_bigint::BigInt {
    const ONE_BY_ONE_MAX: i64 = 16;
    if to - from < ONE_BY_ONE_MAX {
        return (from..=to).map(num_bigint::BigInt::from).product();
    }
    let middle = from + (to - from) / 2;
    product(from, middle) * product(middle + 1, to)
}

fn width_bucket(operand: &Numeric, low: &Numeric, high: &Numeric, count: i32) -> Result<Value> {
    let refuse = |message: &str| Err(error!(INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, "{message}"));
    if count <= 0 {
        return refuse("count must be greater than zero");
    }
    if operand.is_nan() || low.is_nan() || high.is_nan() {
        return refuse("operand, lower bound, and upper bound cannot be NaN");
    }
    if !low.is_finite() || !high.is_finite() {
        return refuse("lower and upper bounds must be finite");
    }
    let order = low.compare(high);
    if order.is_eq() {
        return refuse("lower bound cannot equal upper bound");
    }
    let (before, after) = match order.is_lt() {
        true => (operand.compare(low).is_lt(), operand.compare(high).is_ge()),
        false => (operand.compare(low).is_gt(), operand.compare(high).is_le()),
    };
    if before {
        return Ok(Value::Integer(0));
    }
    if after {
        return INT4.fit(Some(i64::from(count) + 1));
    }
    let share = operand.subtract(low)?.multiply(&Numeric::integer(count))?;
    let bucket = share.divide_whole(&high.subtract(low)?)?.to_integer("integer", 0, i32::MAX.into())?;
    INT4.fit(Some(bucket + 1))
}
