//! numeric: exact decimals of any length, with PostgreSQL's scales to the digit.
//!
//! A finite [`Numeric`] is a whole number of `10^-scale`. PostgreSQL computes in digits of base 10000, which shows in
//! how many digits a quotient or a root has; [`Numeric::weight`] gives that view.
//!
//! Storage is keyed TEXT. The key: a byte for the class (-Infinity, negative, zero, positive, Infinity, NaN), for
//! finite numbers the exponent and the digits in base 100 and a terminator, all complemented when negative.
//!
//! Source: `src/backend/utils/adt/numeric.c`.

mod arithmetic;
mod transcendental;

use std::cmp::Ordering;
use std::fmt;

use bytes::{Buf, BufMut, BytesMut};
use num_bigint::{BigInt, BigUint, Sign};
use num_traits::{Signed, ToPrimitive, Zero};

use crate::oid::types;
use crate::{Result, SqlError, Value, ValueRef, error};

use super::format::numeric_precision_scale;
use super::integer::is_space;
use super::{StorageForm, TypeEntry, invalid_syntax, key, text::MODIFIER_HEADER};

/// The most decimal digits after the point (PostgreSQL's `NUMERIC_DSCALE_MAX`).
pub const SCALE_MAX: i32 = 16_383;
/// The highest weight in base 10000 (PostgreSQL's `NUMERIC_WEIGHT_MAX`).
const WEIGHT_MAX: i64 = 0x7FFF;
/// Decimal digits in one digit of PostgreSQL's base (`DEC_DIGITS`).
const BASE_DIGITS: i64 = 4;

/// The types of this family.
pub const TYPES: &[TypeEntry] = &[TypeEntry {
    oid: types::NUMERIC,
    array: types::_NUMERIC,
    form: StorageForm::Keyed,
    input: |text, modifier, _| Ok(Numeric::parse(text)?.apply_modifier(modifier)?.to_value()),
    output: |value, _, out| {
        // The display form is the text form.
        out.push_str(key::split(value, "numeric")?.1);
        Ok(())
    },
    receive: Some(|bytes, modifier, _| Ok(receive(bytes)?.apply_modifier(modifier)?.to_value())),
    send: Some(|value, _, out| {
        send(&Numeric::from_value(value)?, out);
        Ok(())
    }),
}];

/// A numeric value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Numeric {
    /// `digits × 10^-scale`.
    Finite {
        /// The digits as a whole number.
        digits: BigInt,
        /// How many of them are shown after the point.
        scale: i32,
    },
    /// Infinity.
    Infinity,
    /// -Infinity.
    NegativeInfinity,
    /// Not a number: equal to itself and above all others.
    NaN,
}

impl Numeric {
    /// A whole number.
    pub fn integer(value: impl Into<BigInt>) -> Self {
        Self::Finite { digits: value.into(), scale: 0 }
    }

    /// A finite number.
    pub fn finite(digits: BigInt, scale: i32) -> Self {
        Self::Finite { digits, scale }
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// `22P02`, `22003`.
    pub fn parse(text: &str) -> Result<Self> {
        let word = text.trim_matches(is_space);
        match word.to_ascii_lowercase().as_str() {
            "nan" => return Ok(Self::NaN),
            "inf" | "+inf" | "infinity" | "+infinity" => return Ok(Self::Infinity),
            "-inf" | "-infinity" => return Ok(Self::NegativeInfinity),
            _ => {}
        }
        let (mantissa, exponent) = match word.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (word, None),
        };
        let unsigned = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
            return Err(invalid_syntax("numeric", text));
        }
        let exponent = match exponent {
            None => 0,
            Some(exponent) => parse_exponent(exponent).ok_or_else(|| invalid_syntax("numeric", text))?,
        };
        let scale = fraction.len() as i64 - exponent;
        if scale > i64::from(SCALE_MAX) || scale < -(WEIGHT_MAX + 1) * BASE_DIGITS {
            return Err(overflow());
        }
        let digits = format!("{whole}{fraction}");
        let mut digits =
            BigInt::from(BigUint::parse_bytes(digits.as_bytes(), 10).expect("digits were checked above"));
        if mantissa.starts_with('-') {
            digits = -digits;
        }
        if scale < 0 {
            digits *= power_of_ten(-scale);
        }
        Self::Finite { digits, scale: scale.max(0) as i32 }.checked()
    }

    /// The number, unless it has too many digits before the point.
    ///
    /// # Errors
    /// `22003`.
    pub fn checked(self) -> Result<Self> {
        let Self::Finite { digits, scale } = &self else { return Ok(self) };
        // A digit has more than three bits: most numbers are known to be short enough without being written out.
        let digits_max = digits.bits() as i64 / 3 + 1;
        if digits_max - i64::from(*scale) <= WEIGHT_MAX * BASE_DIGITS {
            return Ok(self);
        }
        match self.weight() {
            weight if weight > WEIGHT_MAX => Err(overflow()),
            _ => Ok(self),
        }
    }

    /// The number in a stored value.
    ///
    /// # Errors
    /// `XX000` when it is none.
    pub fn from_value(value: ValueRef<'_>) -> Result<Self> {
        if let ValueRef::Integer(i) = value {
            return Ok(Self::integer(i));
        }
        Self::parse(key::split(value, "numeric")?.1)
    }

    /// The number in storage form.
    pub fn to_value(&self) -> Value {
        // Written out once: that takes long for many digits.
        let decimal = self.decimal();
        let mut stored = self.key(&decimal);
        stored.push(key::KEY_SEPARATOR);
        self.display(&decimal, &mut stored).expect("a String takes anything");
        Value::Text(stored)
    }

    /// All digits, without sign and point; nothing for what is not finite.
    fn decimal(&self) -> String {
        match self {
            Self::Finite { digits, .. } => digits.magnitude().to_string(),
            _ => String::new(),
        }
    }

    fn display(&self, decimal: &str, out: &mut impl fmt::Write) -> fmt::Result {
        let (digits, scale) = match self {
            Self::Finite { digits, scale } => (digits, *scale as usize),
            Self::Infinity => return out.write_str("Infinity"),
            Self::NegativeInfinity => return out.write_str("-Infinity"),
            Self::NaN => return out.write_str("NaN"),
        };
        if digits.is_negative() {
            out.write_char('-')?;
        }
        // At least one digit stands before the point.
        let zeros = (scale + 1).saturating_sub(decimal.len());
        let shown = format!("{:0<zeros$}{decimal}", "");
        let (whole, fraction) = shown.split_at(shown.len() - scale);
        let point = if scale > 0 { "." } else { "" };
        write!(out, "{whole}{point}{fraction}")
    }

    fn key(&self, decimal: &str) -> String {
        let Self::Finite { digits, scale } = self else {
            return match self {
                Self::NegativeInfinity => "\u{10}",
                Self::Infinity => "\u{50}",
                _ => "\u{60}",
            }
            .to_owned();
        };
        if digits.is_zero() {
            return "\u{30}".to_owned();
        }
        // The exponent in base 100 of the first digit, and the digits aligned to pairs at the point.
        let top = decimal.len() as i64 - 1 - i64::from(*scale);
        let exponent = top.div_euclid(2);
        let mut aligned = if top.rem_euclid(2) == 0 { "0".to_owned() } else { String::new() };
        aligned.push_str(decimal.trim_end_matches('0'));
        if aligned.len() % 2 == 1 {
            aligned.push('0');
        }
        let mut magnitude = Vec::with_capacity(aligned.len() / 2 + 5);
        push_exponent(&mut magnitude, exponent);
        magnitude.extend(aligned.as_bytes().chunks(2).map(|pair| 4 + (pair[0] - b'0') * 10 + pair[1] - b'0'));
        magnitude.push(2);
        let negative = digits.is_negative();
        let first = if negative { 0x20 } else { 0x40 };
        let bytes = magnitude.into_iter().map(|byte| if negative { 0x81 - byte } else { byte });
        std::iter::once(first).chain(bytes).map(char::from).collect()
    }

    /// Digits after the point that are shown; zero for what is not finite.
    pub fn scale(&self) -> i32 {
        match self {
            Self::Finite { scale, .. } => *scale,
            _ => 0,
        }
    }

    /// The exponent of the first digit in base 10000; zero for zero and what is not finite.
    pub fn weight(&self) -> i64 {
        self.first_digit().0
    }

    /// The exponent of the first digit in base 10000, and that digit.
    pub(crate) fn first_digit(&self) -> (i64, i64) {
        let Self::Finite { digits, scale } = self else { return (0, 0) };
        if digits.is_zero() {
            return (0, 0);
        }
        let decimal = digits.magnitude().to_string();
        let top = decimal.len() as i64 - 1 - i64::from(*scale);
        let weight = top.div_euclid(BASE_DIGITS);
        let count = (top - weight * BASE_DIGITS + 1) as usize;
        let first = format!("{:0<count$}", &decimal[..count.min(decimal.len())]);
        (weight, first.parse().unwrap_or(0))
    }

    /// Whether this is NaN.
    pub fn is_nan(&self) -> bool {
        matches!(self, Self::NaN)
    }

    /// Whether this is a number with digits.
    pub fn is_finite(&self) -> bool {
        matches!(self, Self::Finite { .. })
    }

    /// -1, 0 or 1; zero for NaN.
    pub fn signum(&self) -> i32 {
        match self {
            Self::Finite { digits, .. } => match digits.sign() {
                Sign::Minus => -1,
                Sign::NoSign => 0,
                Sign::Plus => 1,
            },
            Self::Infinity => 1,
            Self::NegativeInfinity => -1,
            Self::NaN => 0,
        }
    }

    /// The number rounded (half away from zero) to the scale of a modifier, when its precision allows.
    ///
    /// # Errors
    /// `22003`.
    pub fn apply_modifier(self, modifier: i32) -> Result<Self> {
        if modifier < MODIFIER_HEADER || self.is_nan() {
            return Ok(self);
        }
        let (precision, scale) = numeric_precision_scale(modifier);
        let field = |detail: String| -> SqlError {
            error!(NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").detail(detail)
        };
        if !self.is_finite() {
            return Err(field(format!(
                "A field with precision {precision}, scale {scale} cannot hold an infinite value."
            )));
        }
        let rounded = self.round(scale);
        let whole_digits = precision - scale;
        let limit =
            Self::finite(BigInt::from(1) * power_of_ten(whole_digits.max(0).into()), (-whole_digits).max(0));
        if rounded.abs().compare(&limit) != Ordering::Less {
            let bound = if whole_digits == 0 { "1".to_owned() } else { format!("10^{whole_digits}") };
            return Err(field(format!(
                "A field with precision {precision}, scale {scale} must round to an absolute value less than {bound}."
            )));
        }
        Ok(rounded)
    }

    /// The order of PostgreSQL: -Infinity, numbers, Infinity, NaN.
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Finite { digits: a, scale: s }, Self::Finite { digits: b, scale: t }) => {
                if s == t {
                    return a.cmp(b);
                }
                let common = (*s).max(*t);
                (a * power_of_ten((common - s).into())).cmp(&(b * power_of_ten((common - t).into())))
            }
            _ => self.class().cmp(&other.class()),
        }
    }

    fn class(&self) -> i32 {
        match self {
            Self::NegativeInfinity => -1,
            Self::Finite { .. } => 0,
            Self::Infinity => 1,
            Self::NaN => 2,
        }
    }

    /// A double as PostgreSQL converts it: by its fifteen significant digits.
    pub fn from_float8(number: f64) -> Self {
        Self::from_float(number, f64::DIGITS as i32)
    }

    /// A float4 as PostgreSQL converts it: by its six significant digits.
    pub fn from_float4(number: f64) -> Self {
        Self::from_float(number, f32::DIGITS as i32)
    }

    fn from_float(number: f64, digits: i32) -> Self {
        match number {
            n if n.is_nan() => Self::NaN,
            n if n == f64::INFINITY => Self::Infinity,
            n if n == f64::NEG_INFINITY => Self::NegativeInfinity,
            n => Self::parse(&super::float::general(n, digits)).expect("a finite double has a text form"),
        }
    }

    /// The nearest double.
    ///
    /// # Errors
    /// `22003`.
    pub fn to_float8(&self) -> Result<f64> {
        super::float::parse_float8(&self.to_string())
    }

    /// The nearest double; infinite when there is none.
    pub(crate) fn approximate(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// The whole number nearest to this, half away from zero, within bounds.
    ///
    /// # Errors
    /// `22003`, `0A000` for what is not finite, naming the type.
    pub fn to_integer(&self, ty: &str, minimum: i64, maximum: i64) -> Result<i64> {
        let word = match self {
            Self::Finite { .. } => {
                let whole = self.clone().round(0).whole().to_i64();
                return whole
                    .filter(|i| (minimum..=maximum).contains(i))
                    .ok_or_else(|| error!(NUMERIC_VALUE_OUT_OF_RANGE, "{ty} out of range"));
            }
            Self::NaN => "NaN",
            _ => "infinity",
        };
        Err(error!(FEATURE_NOT_SUPPORTED, "cannot convert {word} to {ty}"))
    }

    /// The digits of a number of scale zero.
    pub(crate) fn whole(&self) -> BigInt {
        match self {
            Self::Finite { digits, scale: 0 } => digits.clone(),
            Self::Finite { digits, scale } => digits / power_of_ten((*scale).into()),
            _ => BigInt::zero(),
        }
    }
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.display(&self.decimal(), f)
    }
}

/// `10^exponent`, for an exponent that is not negative.
pub(crate) fn power_of_ten(exponent: i64) -> BigInt {
    BigInt::from(10).pow(exponent.max(0) as u32)
}

/// `22003`: the number has more digits than the format holds.
pub(crate) fn overflow() -> SqlError {
    error!(NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Any exponent beyond a million overflows in the same way.
    let magnitude = digits.parse::<i64>().unwrap_or(i64::MAX).min(1_000_000);
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

/// Appends an exponent of base 100: one byte when it is near zero, else a mark and three digits of base 100.
fn push_exponent(key: &mut Vec<u8>, exponent: i64) {
    const NEAR: i64 = 30;
    const OFFSET: i64 = 500_000;
    if exponent.abs() <= NEAR {
        key.push((0x40 + exponent) as u8);
        return;
    }
    key.push(if exponent < 0 { 3 } else { 0x7E });
    let moved = exponent + OFFSET;
    key.extend([moved / 10_000, moved / 100 % 100, moved % 100].map(|digit| 4 + digit as u8));
}

const SIGN_NEGATIVE: u16 = 0x4000;
const SIGN_NAN: u16 = 0xC000;
const SIGN_INFINITY: u16 = 0xD000;
const SIGN_NEGATIVE_INFINITY: u16 = 0xF000;

fn receive(mut bytes: &[u8]) -> Result<Numeric> {
    let short = |_| error!(PROTOCOL_VIOLATION, "insufficient data left in message");
    let invalid =
        |what: &str| error!(INVALID_BINARY_REPRESENTATION, "invalid {what} in external \"numeric\" value");
    let count = bytes.try_get_u16().map_err(short)?;
    let weight = bytes.try_get_i16().map_err(short)?;
    let sign = bytes.try_get_u16().map_err(short)?;
    let scale = bytes.try_get_u16().map_err(short)?;
    match sign {
        0 | SIGN_NEGATIVE => {}
        SIGN_NAN => return Ok(Numeric::NaN),
        SIGN_INFINITY => return Ok(Numeric::Infinity),
        SIGN_NEGATIVE_INFINITY => return Ok(Numeric::NegativeInfinity),
        _ => return Err(invalid("sign")),
    }
    if i32::from(scale) > SCALE_MAX {
        return Err(invalid("scale"));
    }
    let mut digits = BigInt::zero();
    for _ in 0..count {
        let digit = bytes.try_get_u16().map_err(short)?;
        if digit >= 10_000 {
            return Err(invalid("digit"));
        }
        digits = digits * 10_000 + digit;
    }
    if sign == SIGN_NEGATIVE {
        digits = -digits;
    }
    // The last digit's exponent in base ten; digits beyond the scale are cut, as PostgreSQL cuts them.
    let exponent = (i64::from(weight) - i64::from(count) + 1) * BASE_DIGITS + i64::from(scale);
    let digits =
        if exponent >= 0 { digits * power_of_ten(exponent) } else { digits / power_of_ten(-exponent) };
    Ok(Numeric::finite(digits, scale.into()))
}

fn send(number: &Numeric, out: &mut BytesMut) {
    let Numeric::Finite { digits, scale } = number else {
        let sign = match number {
            Numeric::Infinity => SIGN_INFINITY,
            Numeric::NegativeInfinity => SIGN_NEGATIVE_INFINITY,
            _ => SIGN_NAN,
        };
        [0, 0, sign, 0].into_iter().for_each(|word| out.put_u16(word));
        return;
    };
    // Digits aligned to the point in groups of four.
    let padding = (BASE_DIGITS - i64::from(*scale) % BASE_DIGITS) % BASE_DIGITS;
    let decimal = (digits.magnitude() * power_of_ten(padding).magnitude()).to_string();
    let decimal = format!("{decimal:0>0$}", decimal.len().div_ceil(4) * 4);
    let mut groups: Vec<u16> =
        (0..decimal.len() / 4).map(|i| decimal[i * 4..i * 4 + 4].parse().unwrap_or(0)).collect();
    let fraction_groups = (i64::from(*scale) + padding) / BASE_DIGITS;
    let mut weight = groups.len() as i64 - 1 - fraction_groups;
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let leading = groups.iter().take_while(|g| **g == 0).count();
    groups.drain(..leading);
    weight = if groups.is_empty() { 0 } else { weight - leading as i64 };
    out.put_u16(groups.len() as u16);
    out.put_i16(weight as i16);
    out.put_u16(if digits.is_negative() { SIGN_NEGATIVE } else { 0 });
    out.put_u16(*scale as u16);
    groups.into_iter().for_each(|group| out.put_u16(group));
}

#[cfg(test)]
mod tests;
