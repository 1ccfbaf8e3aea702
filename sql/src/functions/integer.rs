//! Arithmetic of int2, int4 and int8. SQLite turns an overflow into a double, so sums and products are checked here.
//!
//! Source: `src/backend/utils/adt/int.c`, `int8.c`.

use num_integer::Integer;

use crate::{Result, SqlError, Value, error};

use super::Function;
use super::arguments::{int4, integer, native, scalar};

/// One of the integer types.
pub(super) struct Width {
    minimum: i64,
    maximum: i64,
    name: &'static str,
}

pub(super) const INT2: Width = Width { minimum: i16::MIN as i64, maximum: i16::MAX as i64, name: "smallint" };
pub(super) const INT4: Width = Width { minimum: i32::MIN as i64, maximum: i32::MAX as i64, name: "integer" };
pub(super) const INT8: Width = Width { minimum: i64::MIN, maximum: i64::MAX, name: "bigint" };

impl Width {
    /// The result when it is of this type.
    ///
    /// # Errors
    /// `22003`.
    pub(super) fn fit(&self, result: Option<i64>) -> Result<Value> {
        match result {
            Some(value) if (self.minimum..=self.maximum).contains(&value) => Ok(Value::Integer(value)),
            _ => Err(self.out_of_range()),
        }
    }

    /// `22003`.
    pub(super) fn out_of_range(&self) -> SqlError {
        error!(NUMERIC_VALUE_OUT_OF_RANGE, "{} out of range", self.name)
    }

    /// A double rounded half to even, as casts round.
    ///
    /// # Errors
    /// `22003`.
    pub(super) fn from_real(&self, real: f64) -> Result<Value> {
        let rounded = real.round_ties_even();
        // The upper bound of int8 is no double; the next one above it is excluded.
        let within = rounded >= self.minimum as f64 && rounded < self.maximum as f64 + 1.0;
        self.fit(within.then_some(rounded as i64))
    }
}

/// `22012`.
pub(super) fn division_by_zero() -> SqlError {
    error!(DIVISION_BY_ZERO, "division by zero")
}

fn nonzero(divisor: i64) -> Result<i64> {
    if divisor == 0 { Err(division_by_zero()) } else { Ok(divisor) }
}

macro_rules! arithmetic {
    ($($width:ident: $pl:literal $mi:literal $mul:literal $div:literal;)*) => {
        &[$(
            scalar($pl, |_, a| $width.fit(integer(a[0])?.checked_add(integer(a[1])?))),
            scalar($mi, |_, a| $width.fit(integer(a[0])?.checked_sub(integer(a[1])?))),
            scalar($mul, |_, a| $width.fit(integer(a[0])?.checked_mul(integer(a[1])?))),
            scalar($div, |_, a| $width.fit(integer(a[0])?.checked_div(nonzero(integer(a[1])?)?))),
        )*]
    };
}

/// `+`, `-`, `*` and `/`.
pub(super) const ARITHMETIC: &[Function] = arithmetic! {
    INT2: "int2pl" "int2mi" "int2mul" "int2div";
    INT4: "int4pl" "int4mi" "int4mul" "int4div";
    INT8: "int8pl" "int8mi" "int8mul" "int8div";
    INT4: "int24pl" "int24mi" "int24mul" "int24div";
    INT4: "int42pl" "int42mi" "int42mul" "int42div";
    INT8: "int28pl" "int28mi" "int28mul" "int28div";
    INT8: "int82pl" "int82mi" "int82mul" "int82div";
    INT8: "int48pl" "int48mi" "int48mul" "int48div";
    INT8: "int84pl" "int84mi" "int84mul" "int84div";
};

macro_rules! of_one_type {
    ($($width:ident: $modulo:literal $um:literal $up:literal $abs:literal $and:literal $or:literal $xor:literal $not:literal;)*) => {
        &[$(
            scalar($modulo, |_, a| $width.fit(Some(integer(a[0])?.wrapping_rem(nonzero(integer(a[1])?)?)))),
            scalar($um, |_, a| $width.fit(integer(a[0])?.checked_neg())),
            native($up, "{0}"),
            scalar($abs, |_, a| $width.fit(integer(a[0])?.checked_abs())),
            native($and, "({0} & {1})"),
            native($or, "({0} | {1})"),
            native($xor, "(({0} | {1}) - ({0} & {1}))"),
            native($not, "(~{0})"),
        )*]
    };
}

/// What takes and gives one type.
pub(super) const OF_ONE_TYPE: &[Function] = of_one_type! {
    INT2: "int2mod" "int2um" "int2up" "int2abs" "int2and" "int2or" "int2xor" "int2not";
    INT4: "int4mod" "int4um" "int4up" "int4abs" "int4and" "int4or" "int4xor" "int4not";
    INT8: "int8mod" "int8um" "int8up" "int8abs" "int8and" "int8or" "int8xor" "int8not";
};

/// Shifts, divisors, and casts between integers.
pub(super) const OTHERS: &[Function] = &[
    scalar("int2shl", |_, a| {
        Ok(Value::Integer(((integer(a[0])? as i32).wrapping_shl(int4(a[1])? as u32) as i16).into()))
    }),
    scalar("int2shr", |_, a| {
        Ok(Value::Integer(((integer(a[0])? as i32).wrapping_shr(int4(a[1])? as u32) as i16).into()))
    }),
    scalar("int4shl", |_, a| Ok(Value::Integer(int4(a[0])?.wrapping_shl(int4(a[1])? as u32).into()))),
    scalar("int4shr", |_, a| Ok(Value::Integer(int4(a[0])?.wrapping_shr(int4(a[1])? as u32).into()))),
    scalar("int8shl", |_, a| Ok(Value::Integer(integer(a[0])?.wrapping_shl(int4(a[1])? as u32)))),
    scalar("int8shr", |_, a| Ok(Value::Integer(integer(a[0])?.wrapping_shr(int4(a[1])? as u32)))),
    scalar("int4inc", |_, a| INT4.fit(integer(a[0])?.checked_add(1))),
    scalar("int8inc", |_, a| INT8.fit(integer(a[0])?.checked_add(1))),
    scalar("int8dec", |_, a| INT8.fit(integer(a[0])?.checked_sub(1))),
    scalar("int4gcd", |_, a| INT4.fit(gcd(integer(a[0])?, integer(a[1])?))),
    scalar("int8gcd", |_, a| INT8.fit(gcd(integer(a[0])?, integer(a[1])?))),
    scalar("int4lcm", |_, a| INT4.fit(lcm(integer(a[0])?, integer(a[1])?))),
    scalar("int8lcm", |_, a| INT8.fit(lcm(integer(a[0])?, integer(a[1])?))),
    // Widening changes nothing in storage; narrowing is checked.
    scalar("i4toi2", |_, a| INT2.fit(Some(integer(a[0])?))),
    native("i2toi4", "{0}"),
    scalar("int82", |_, a| INT2.fit(Some(integer(a[0])?))),
    scalar("int84", |_, a| INT4.fit(Some(integer(a[0])?))),
    native("int28", "{0}"),
    native("int48", "{0}"),
    native("oidtoi8", "{0}"),
];

fn gcd(a: i64, b: i64) -> Option<i64> {
    if a == i64::MIN && b == i64::MIN || a == i64::MIN && b == 0 || a == 0 && b == i64::MIN {
        return None;
    }
    Some(i128::from(a).gcd(&i128::from(b)) as i64)
}

fn lcm(a: i64, b: i64) -> Option<i64> {
    i64::try_from(i128::from(a).lcm(&i128::from(b))).ok().and_then(i64::checked_abs)
}
