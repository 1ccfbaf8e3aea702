//! float4 and float8.
//!
//! A value is REAL; NaN, which SQLite would turn into NULL, is the TEXT `NaN`. A float4 is the nearest double of its
//! 32-bit value. Minus zero loses its sign in a table, because SQLite stores whole doubles as integers.
//!
//! Source: `src/backend/utils/adt/float.c`, `src/common/d2s.c`.

use crate::oid::types;
use crate::{Result, Value, ValueRef, error};

use super::{StorageForm, TypeEntry, exact_bytes, integer::is_space, invalid_syntax, wrong_form};

/// The types of this family.
pub const TYPES: &[TypeEntry] = &[
    TypeEntry {
        oid: types::FLOAT4,
        array: types::_FLOAT4,
        form: StorageForm::Real,
        input: |text, _, _| parse_float4(text).map(to_value),
        output: |value, cx, out| {
            out.push_str(&format_float4(from_value(value)? as f32, cx.format.extra_float_digits));
            Ok(())
        },
        receive: Some(|bytes, _, _| Ok(to_value(f32::from_be_bytes(exact_bytes(bytes)?).into()))),
        send: Some(|value, _, out| {
            out.extend_from_slice(&(from_value(value)? as f32).to_be_bytes());
            Ok(())
        }),
    },
    TypeEntry {
        oid: types::FLOAT8,
        array: types::_FLOAT8,
        form: StorageForm::Real,
        input: |text, _, _| parse_float8(text).map(to_value),
        output: |value, cx, out| {
            out.push_str(&format_float8(from_value(value)?, cx.format.extra_float_digits));
            Ok(())
        },
        receive: Some(|bytes, _, _| Ok(to_value(f64::from_be_bytes(exact_bytes(bytes)?)))),
        send: Some(|value, _, out| {
            out.extend_from_slice(&from_value(value)?.to_be_bytes());
            Ok(())
        }),
    },
];

/// The text that stands for NaN in storage.
pub const NAN: &str = "NaN";

/// A double in storage form.
pub fn to_value(number: f64) -> Value {
    if number.is_nan() { Value::Text(NAN.to_owned()) } else { Value::Real(number) }
}

/// The double in a stored value.
///
/// # Errors
/// `XX000` when it is none.
pub fn from_value(value: ValueRef<'_>) -> Result<f64> {
    match value {
        ValueRef::Real(r) => Ok(r),
        // SQLite gives a whole REAL back as an integer from columns without a type.
        ValueRef::Integer(i) => Ok(i as f64),
        ValueRef::Text(NAN) => Ok(f64::NAN),
        _ => Err(wrong_form("double precision")),
    }
}

/// Reads a float8.
///
/// # Errors
/// `22P02`, `22003`.
pub fn parse_float8(text: &str) -> Result<f64> {
    let (number, digits) = scan(text, "double precision")?;
    if number.is_infinite() && digits || number == 0.0 && has_nonzero_digit(text) {
        return Err(out_of_range(text, "double precision"));
    }
    Ok(number)
}

/// Reads a float4, as the double of its value.
///
/// # Errors
/// `22P02`, `22003`.
pub fn parse_float4(text: &str) -> Result<f64> {
    let (_, digits) = scan(text, "real")?;
    // Read anew as float4: rounding twice may be off by one unit.
    let number: f32 = text.trim_matches(is_space).parse().map_err(|_| invalid_syntax("real", text))?;
    if number.is_infinite() && digits || number == 0.0 && has_nonzero_digit(text) {
        return Err(out_of_range(text, "real"));
    }
    Ok(number.into())
}

/// The number, and whether it was written in digits rather than as a word.
fn scan(text: &str, ty: &str) -> Result<(f64, bool)> {
    let number = text.trim_matches(is_space);
    let value = number.parse::<f64>().map_err(|_| invalid_syntax(ty, text))?;
    Ok((value, number.bytes().any(|b| b.is_ascii_digit())))
}

fn has_nonzero_digit(text: &str) -> bool {
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    mantissa.bytes().any(|b| matches!(b, b'1'..=b'9'))
}

fn out_of_range(text: &str, ty: &str) -> crate::SqlError {
    error!(NUMERIC_VALUE_OUT_OF_RANGE, "\"{}\" is out of range for type {ty}", text.trim_matches(is_space))
}

/// A float8 as PostgreSQL writes it: the shortest digits that read back the same, or with `extra_float_digits` at zero
/// or below, fifteen digits and so many fewer.
pub fn format_float8(number: f64, extra_float_digits: i32) -> String {
    if !number.is_finite() {
        return word(number).to_owned();
    }
    if extra_float_digits > 0 {
        shortest(&format!("{number:e}"), f64::DIGITS as i32)
    } else {
        general(number, (f64::DIGITS as i32 + extra_float_digits).max(1))
    }
}

/// A float4 as PostgreSQL writes it; see [`format_float8`].
pub fn format_float4(number: f32, extra_float_digits: i32) -> String {
    if !number.is_finite() {
        return word(number.into()).to_owned();
    }
    if extra_float_digits > 0 {
        shortest(&format!("{number:e}"), f32::DIGITS as i32)
    } else {
        general(number.into(), (f32::DIGITS as i32 + extra_float_digits).max(1))
    }
}

fn word(number: f64) -> &'static str {
    match number {
        n if n.is_nan() => NAN,
        n if n > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}

/// Lays shortest digits in scientific form (`1.5e3`) out as `%g` would with so many digits of precision.
fn shortest(scientific: &str, precision: i32) -> String {
    let (mantissa, exponent) = scientific.split_once('e').expect("the form has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a number");
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    if exponent < -4 || exponent >= precision {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{point}{rest}e{exponent_sign}{:02}", exponent.abs());
    }
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat((-exponent - 1) as usize));
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        format!("{sign}{digits}{}", "0".repeat(whole - digits.len()))
    } else {
        format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
    }
}

/// C's `%.*g`.
pub(crate) fn general(number: f64, precision: i32) -> String {
    let scientific = format!("{number:.*e}", precision as usize - 1);
    let (mantissa, exponent) = scientific.split_once('e').expect("the form has an exponent");
    let mantissa =
        if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    shortest(&format!("{mantissa}e{exponent}"), precision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_that_of_postgresql() {
        let table: &[(f64, &str, &str)] = &[
            (0.0, "0", "0"),
            (-0.0, "-0", "-0"),
            (0.1 + 0.2, "0.30000000000000004", "0.3"),
            (1e14, "100000000000000", "100000000000000"),
            (1e15, "1e+15", "1e+15"),
            (123_456_789_012_345.0, "123456789012345", "123456789012345"),
            (0.0001, "0.0001", "0.0001"),
            (0.00001, "1e-05", "1e-05"),
            (1.5e300, "1.5e+300", "1.5e+300"),
            (-2.5, "-2.5", "-2.5"),
            (f64::NAN, "NaN", "NaN"),
            (f64::NEG_INFINITY, "-Infinity", "-Infinity"),
        ];
        for (number, shortest, general) in table {
            assert_eq!(format_float8(*number, 1), *shortest);
            assert_eq!(format_float8(*number, 0), *general);
        }
        assert_eq!(format_float4(1e6, 1), "1e+06");
        assert_eq!(format_float4(0.1, 1), "0.1");
        assert_eq!(format_float4(123456.0, 1), "123456");
    }

    #[test]
    fn input_refuses_what_does_not_fit() {
        assert_eq!(parse_float8(" 1.5e3 ").unwrap(), 1500.0);
        assert!(parse_float8("-inf").unwrap().is_infinite());
        assert_eq!(
            parse_float8("1e400").unwrap_err().message(),
            "\"1e400\" is out of range for type double precision"
        );
        assert_eq!(parse_float8("1e-400").unwrap_err().code().to_string(), "22003");
        assert_eq!(
            parse_float8("").unwrap_err().message(),
            "invalid input syntax for type double precision: \"\""
        );
        assert_eq!(parse_float4("1e39").unwrap_err().message(), "\"1e39\" is out of range for type real");
    }
}
