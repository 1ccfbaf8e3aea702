//! Arithmetic and mathematics of float4 and float8, with PostgreSQL's refusals of overflow and underflow.
//!
//! Source: `src/backend/utils/adt/float.c`.

use crate::{Result, SqlError, Value, error};

use super::Function;
use super::arguments::{from_real, native, real, scalar};
use super::integer::{INT2, INT4, INT8, division_by_zero};

/// A result that is infinite or zero only where its arguments explain it.
fn checked(result: f64, infinite_allowed: bool, zero_allowed: bool) -> Result<f64> {
    if result.is_infinite() && !infinite_allowed {
        return Err(overflow());
    }
    if result == 0.0 && !zero_allowed {
        return Err(underflow());
    }
    Ok(result)
}

/// The same for a float4, which is rounded first.
fn checked4(result: f64, infinite_allowed: bool, zero_allowed: bool) -> Result<f64> {
    checked(f64::from(result as f32), infinite_allowed, zero_allowed)
}

fn overflow() -> SqlError {
    error!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

fn underflow() -> SqlError {
    error!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")
}

fn input_out_of_range() -> SqlError {
    error!(NUMERIC_VALUE_OUT_OF_RANGE, "input is out of range")
}

macro_rules! arithmetic {
    ($($check:ident: $pl:literal $mi:literal $mul:literal $div:literal;)*) => {
        &[$(
            scalar($pl, |_, v| {
                let (a, b) = (real(v[0])?, real(v[1])?);
                $check(a + b, a.is_infinite() || b.is_infinite(), true).map(from_real)
            }),
            scalar($mi, |_, v| {
                let (a, b) = (real(v[0])?, real(v[1])?);
                $check(a - b, a.is_infinite() || b.is_infinite(), true).map(from_real)
            }),
            scalar($mul, |_, v| {
                let (a, b) = (real(v[0])?, real(v[1])?);
                $check(a * b, a.is_infinite() || b.is_infinite(), a == 0.0 || b == 0.0).map(from_real)
            }),
            scalar($div, |_, v| {
                let (a, b) = (real(v[0])?, real(v[1])?);
                if b == 0.0 && !a.is_nan() {
                    return Err(division_by_zero());
                }
                $check(a / b, a.is_infinite() || b == 0.0, a == 0.0 || b.is_infinite()).map(from_real)
            }),
        )*]
    };
}

/// `+`, `-`, `*` and `/`.
pub(super) const ARITHMETIC: &[Function] = arithmetic! {
    checked4: "float4pl" "float4mi" "float4mul" "float4div";
    checked: "float8pl" "float8mi" "float8mul" "float8div";
    checked: "float48pl" "float48mi" "float48mul" "float48div";
    checked: "float84pl" "float84mi" "float84mul" "float84div";
};

macro_rules! of_one {
    ($symbol:literal, $function:expr) => {
        scalar($symbol, |_, v| {
            let function: fn(f64) -> Result<f64> = $function;
            function(real(v[0])?).map(from_real)
        })
    };
}

/// Mathematics and casts.
pub(super) const FUNCTIONS: &[Function] = &[
    of_one!("float4um", |x| Ok(-x)),
    of_one!("float8um", |x| Ok(-x)),
    native("float4up", "{0}"),
    native("float8up", "{0}"),
    of_one!("float4abs", |x| Ok(x.abs())),
    of_one!("float8abs", |x| Ok(x.abs())),
    of_one!("dround", |x| Ok(x.round_ties_even())),
    of_one!("dtrunc", |x| Ok(x.trunc())),
    of_one!("dceil", |x| Ok(x.ceil())),
    of_one!("dfloor", |x| Ok(x.floor())),
    of_one!("dsign", |x| Ok(if x.is_nan() || x == 0.0 { x } else { x.signum() })),
    of_one!("dsqrt", |x| match x < 0.0 {
        true =>
            Err(error!(INVALID_ARGUMENT_FOR_POWER_FUNCTION, "cannot take square root of a negative number")),
        false => Ok(x.sqrt()),
    }),
    of_one!("dcbrt", |x| Ok(x.cbrt())),
    of_one!("dexp", |x| checked(x.exp(), x.is_infinite(), x.is_infinite())),
    of_one!("dlog1", |x| logarithm(x, f64::ln)),
    of_one!("dlog10", |x| logarithm(x, f64::log10)),
    of_one!("degrees", |x| checked(x.to_degrees(), x.is_infinite(), true)),
    of_one!("radians", |x| Ok(x.to_radians())),
    of_one!("dsin", |x| finite(x, f64::sin)),
    of_one!("dcos", |x| finite(x, f64::cos)),
    of_one!("dtan", |x| finite(x, f64::tan)),
    of_one!("dcot", |x| finite(x, |x| 1.0 / x.tan())),
    of_one!("dasin", |x| within_one(x, f64::asin)),
    of_one!("dacos", |x| within_one(x, f64::acos)),
    of_one!("datan", |x| Ok(x.atan())),
    of_one!("dsinh", |x| Ok(x.sinh())),
    of_one!("dcosh", |x| Ok(x.cosh())),
    of_one!("dtanh", |x| Ok(x.tanh())),
    of_one!("dasinh", |x| Ok(x.asinh())),
    of_one!("dacosh", |x| match x < 1.0 {
        true => Err(input_out_of_range()),
        false => Ok(x.acosh()),
    }),
    of_one!("datanh", |x| within_one(x, f64::atanh)),
    of_one!("dsind", |x| finite(x, sine_of_degrees)),
    of_one!("dcosd", |x| finite(x, |x| sine_of_degrees(90.0 - x))),
    of_one!("dtand", |x| finite(x, |x| sine_of_degrees(x) / sine_of_degrees(90.0 - x))),
    of_one!("dcotd", |x| finite(x, |x| sine_of_degrees(90.0 - x) / sine_of_degrees(x))),
    of_one!("dasind", |x| within_one(x, |x| whole_degrees(x.asin().to_degrees()))),
    of_one!("dacosd", |x| within_one(x, |x| whole_degrees(x.acos().to_degrees()))),
    of_one!("datand", |x| Ok(whole_degrees(x.atan().to_degrees()))),
    scalar("datan2", |_, v| Ok(from_real(real(v[0])?.atan2(real(v[1])?)))),
    scalar("datan2d", |_, v| Ok(from_real(whole_degrees(real(v[0])?.atan2(real(v[1])?).to_degrees())))),
    scalar("dpow", |_, v| power(real(v[0])?, real(v[1])?).map(from_real)),
    scalar("dpi", |_, _| Ok(Value::Real(std::f64::consts::PI))),
    scalar("drandom", |_, _| Ok(Value::Real(random()))),
    scalar("width_bucket_float8", |_, v| {
        let count = super::arguments::int4(v[3])?;
        width_bucket(real(v[0])?, real(v[1])?, real(v[2])?, count)
    }),
    native("i2tof", "CAST({0} AS REAL)"),
    scalar("i4tof", |_, v| Ok(from_real((super::arguments::integer(v[0])? as f32).into()))),
    scalar("i8tof", |_, v| Ok(from_real((super::arguments::integer(v[0])? as f32).into()))),
    native("i2tod", "CAST({0} AS REAL)"),
    native("i4tod", "CAST({0} AS REAL)"),
    native("i8tod", "CAST({0} AS REAL)"),
    native("ftod", "{0}"),
    scalar("dtof", |_, v| {
        let x = real(v[0])?;
        checked4(x, x.is_infinite(), x == 0.0).map(from_real)
    }),
    scalar("ftoi2", |_, v| INT2.from_real(real(v[0])?)),
    scalar("ftoi4", |_, v| INT4.from_real(real(v[0])?)),
    scalar("ftoi8", |_, v| INT8.from_real(real(v[0])?)),
    scalar("dtoi2", |_, v| INT2.from_real(real(v[0])?)),
    scalar("dtoi4", |_, v| INT4.from_real(real(v[0])?)),
    scalar("dtoi8", |_, v| INT8.from_real(real(v[0])?)),
];

fn logarithm(x: f64, function: fn(f64) -> f64) -> Result<f64> {
    if x == 0.0 {
        return Err(error!(INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of zero"));
    }
    if x < 0.0 {
        return Err(error!(INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of a negative number"));
    }
    Ok(function(x))
}

fn finite(x: f64, function: fn(f64) -> f64) -> Result<f64> {
    if x.is_infinite() { Err(input_out_of_range()) } else { Ok(function(x)) }
}

fn within_one(x: f64, function: fn(f64) -> f64) -> Result<f64> {
    if x.abs() > 1.0 { Err(input_out_of_range()) } else { Ok(function(x)) }
}

/// The sine of an angle in degrees, exact at the multiples of thirty.
fn sine_of_degrees(degrees: f64) -> f64 {
    let turn = degrees.rem_euclid(360.0);
    let (sign, half) = if turn >= 180.0 { (-1.0, turn - 180.0) } else { (1.0, turn) };
    let quarter = if half > 90.0 { 180.0 - half } else { half };
    let sine = match quarter {
        0.0 => 0.0,
        30.0 => 0.5,
        90.0 => 1.0,
        q => q.to_radians().sin(),
    };
    sign * sine
}

/// An angle in degrees, made whole where only rounding kept it from being so.
fn whole_degrees(degrees: f64) -> f64 {
    let near = degrees.round();
    if (degrees - near).abs() < 1e-13 { near } else { degrees }
}

/// `x ^ y` as PostgreSQL refuses it.
pub(super) fn power(x: f64, y: f64) -> Result<f64> {
    if x == 0.0 && y < 0.0 {
        return Err(error!(
            INVALID_ARGUMENT_FOR_POWER_FUNCTION,
            "zero raised to a negative power is undefined"
        ));
    }
    if x < 0.0 && y.is_finite() && y.fract() != 0.0 && x.is_finite() {
        return Err(error!(
            INVALID_ARGUMENT_FOR_POWER_FUNCTION,
            "a negative number raised to a non-integer power yields a complex result"
        ));
    }
    let explained = x.is_infinite() || y.is_infinite();
    checked(x.powf(y), explained, explained || x == 0.0)
}

/// A random number from zero (inclusive) to one.
fn random() -> f64 {
    // The low 53 bits of a random UUID are random in full.
    let bits = uuid::Uuid::new_v4().as_u128() as u64 & ((1 << 53) - 1);
    bits as f64 / (1_u64 << 53) as f64
}

fn width_bucket(operand: f64, low: f64, high: f64, count: i32) -> Result<Value> {
    let refuse = |message: &str| Err(error!(INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, "{message}"));
    if count <= 0 {
        return refuse("count must be greater than zero");
    }
    if operand.is_nan() || low.is_nan() || high.is_nan() {
        return refuse("operand, lower bound, and upper bound cannot be NaN");
    }
    if low.is_infinite() || high.is_infinite() {
        return refuse("lower and upper bounds must be finite");
    }
    if low == high {
        return refuse("lower bound cannot equal upper bound");
    }
    let (operand, low, high) = if low < high { (operand, low, high) } else { (-operand, -low, -high) };
    let bucket = if operand < low {
        0
    } else if operand >= high {
        i64::from(count) + 1
    } else {
        ((operand - low) / (high - low) * f64::from(count)) as i64 + 1
    };
    INT4.fit(Some(bucket))
}
