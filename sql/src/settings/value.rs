//! Values of settings: from text, to text, with units and PostgreSQL's errors.
//!
//! Source: `src/backend/utils/misc/guc.c` (`parse_int`, `parse_real`, `convert_to_base_unit`).

use std::sync::Arc;

use super::definition::{Kind, SettingDefinition, Unit};
use crate::{Result, SqlError, error};

/// The value of a setting.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum SettingValue {
    Boolean(bool),
    Integer(i32),
    Real(f64),
    Text(Arc<str>),
    /// One of the definition's options.
    Choice(&'static str),
}

/// Spellings of enum values that are understood but not advertised.
const HIDDEN_SPELLINGS: &[(&str, &str)] = &[
    ("debug", "debug2"),
    ("true", "on"),
    ("yes", "on"),
    ("1", "on"),
    ("false", "off"),
    ("no", "off"),
    ("0", "off"),
];

const MEMORY_UNITS: &[(&str, f64)] =
    &[("B", 1.0), ("kB", 1024.0), ("MB", 1_048_576.0), ("GB", 1_073_741_824.0), ("TB", 1_099_511_627_776.0)];
const TIME_UNITS: &[(&str, f64)] =
    &[("us", 0.001), ("ms", 1.0), ("s", 1_000.0), ("min", 60_000.0), ("h", 3_600_000.0), ("d", 86_400_000.0)];
const MEMORY_HINT: &str = "Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".";
const TIME_HINT: &str =
    "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".";

impl Unit {
    /// As `pg_settings.unit` shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "B",
            Self::Kilobytes => "kB",
            Self::Blocks => "8kB",
            Self::Megabytes => "MB",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::Minutes => "min",
        }
    }

    fn is_memory(self) -> bool {
        matches!(self, Self::Bytes | Self::Kilobytes | Self::Blocks | Self::Megabytes)
    }

    /// The units it can be written in, with their sizes in bytes or milliseconds.
    fn family(self) -> &'static [(&'static str, f64)] {
        if self.is_memory() { MEMORY_UNITS } else { TIME_UNITS }
    }

    /// Its size in bytes or milliseconds.
    fn size(self) -> f64 {
        match self {
            Self::Bytes | Self::Milliseconds => 1.0,
            Self::Kilobytes => 1024.0,
            Self::Blocks => 8192.0,
            Self::Megabytes => 1_048_576.0,
            Self::Seconds => 1_000.0,
            Self::Minutes => 60_000.0,
        }
    }

    fn hint(self) -> &'static str {
        if self.is_memory() { MEMORY_HINT } else { TIME_HINT }
    }
}

impl SettingDefinition {
    /// The built-in default.
    pub fn boot_value(&self) -> SettingValue {
        match self.kind {
            Kind::Boolean { boot } => SettingValue::Boolean(boot),
            Kind::Integer { boot, .. } => SettingValue::Integer(boot),
            Kind::Real { boot, .. } => SettingValue::Real(boot),
            Kind::String { boot } => SettingValue::Text(boot.into()),
            Kind::Enum { boot, .. } => SettingValue::Choice(boot),
        }
    }

    /// Reads and checks a value. `present` is the value it would replace, which some settings merge with.
    ///
    /// # Errors
    /// `22023` with PostgreSQL's texts; `0A000` from a check.
    pub fn parse(&self, text: &str, present: &SettingValue) -> Result<SettingValue> {
        let value = self.parse_any(text, present)?;
        match self.only {
            Some(only) if self.plain(&value) != only => Err(error!(
                FEATURE_NOT_SUPPORTED,
                "parameter \"{}\" supports the value \"{only}\" only", self.name
            )),
            _ => Ok(value),
        }
    }

    fn parse_any(&self, text: &str, present: &SettingValue) -> Result<SettingValue> {
        match self.kind {
            Kind::Boolean { .. } => parse_boolean(text).map(SettingValue::Boolean).ok_or_else(|| {
                error!(INVALID_PARAMETER_VALUE, "parameter \"{}\" requires a Boolean value", self.name)
            }),
            Kind::Integer { min, max, .. } => self.parse_integer(text, min, max),
            Kind::Real { min, max, .. } => self.parse_real(text, min, max),
            Kind::Enum { options, .. } => self.parse_choice(text, options),
            Kind::String { .. } => match self.check {
                Some(check) => Ok(SettingValue::Text(check(self, text, present.as_text())?.into())),
                None => Ok(SettingValue::Text(text.into())),
            },
        }
    }

    /// `22023 invalid value for parameter …`, for parsers and check hooks.
    pub fn invalid(&self, text: &str) -> SqlError {
        error!(INVALID_PARAMETER_VALUE, "invalid value for parameter \"{}\": \"{text}\"", self.name)
    }

    fn parse_integer(&self, text: &str, min: i32, max: i32) -> Result<SettingValue> {
        let value = self.scaled_number(text)?.round_ties_even();
        if value > f64::from(i32::MAX) || value < f64::from(i32::MIN) {
            return Err(self.invalid(text).hint("Value exceeds integer range."));
        }
        let value = value as i32;
        if value < min || value > max {
            let unit = self.unit.map(|unit| format!(" {}", unit.as_str())).unwrap_or_default();
            return Err(error!(
                INVALID_PARAMETER_VALUE,
                "{value}{unit} is outside the valid range for parameter \"{}\" ({min} .. {max})", self.name
            ));
        }
        Ok(SettingValue::Integer(value))
    }

    fn parse_real(&self, text: &str, min: f64, max: f64) -> Result<SettingValue> {
        let value = self.scaled_number(text)?;
        if value.is_nan() || value < min || value > max {
            let unit = self.unit.map(|unit| format!(" {}", unit.as_str())).unwrap_or_default();
            return Err(error!(
                INVALID_PARAMETER_VALUE,
                "{}{unit} is outside the valid range for parameter \"{}\" ({} .. {})",
                general_format(value),
                self.name,
                general_format(min),
                general_format(max)
            ));
        }
        Ok(SettingValue::Real(value))
    }

    /// A number with an optional unit, in the definition's unit.
    fn scaled_number(&self, text: &str) -> Result<f64> {
        let (number, suffix) = split_number(text).ok_or_else(|| self.invalid(text))?;
        if suffix.is_empty() {
            return Ok(number);
        }
        let Some(unit) = self.unit else { return Err(self.invalid(text)) };
        let Some((_, size)) = unit.family().iter().find(|(name, _)| *name == suffix) else {
            return Err(self.invalid(text).hint(unit.hint()));
        };
        Ok(number * size / unit.size())
    }

    fn parse_choice(&self, text: &str, options: &'static [&'static str]) -> Result<SettingValue> {
        let spelled = |name: &str| options.iter().find(|option| option.eq_ignore_ascii_case(name)).copied();
        let hidden = || {
            let (_, name) =
                HIDDEN_SPELLINGS.iter().find(|(spelling, _)| spelling.eq_ignore_ascii_case(text))?;
            spelled(name)
        };
        spelled(text).or_else(hidden).map(SettingValue::Choice).ok_or_else(|| {
            let advertised: Vec<&str> = options.iter().copied().filter(|option| !option.is_empty()).collect();
            self.invalid(text).hint(format!("Available values: {}.", advertised.join(", ")))
        })
    }

    /// A value as SHOW gives it: numbers in the largest unit that divides them.
    pub fn show(&self, value: &SettingValue) -> String {
        match value {
            SettingValue::Integer(number) if self.octal => format!("0{number:03o}"),
            SettingValue::Integer(number) => match self.unit {
                Some(unit) if *number > 0 => {
                    show_with_unit(f64::from(*number), unit, |number| (number as i64).to_string())
                }
                _ => number.to_string(),
            },
            SettingValue::Real(number) => match self.unit {
                Some(unit) if *number > 0.0 => show_with_unit(*number, unit, general_format),
                _ => general_format(*number),
            },
            other => self.plain(other),
        }
    }

    /// A value as `pg_settings.setting` gives it: numbers in the definition's unit, without it.
    pub fn plain(&self, value: &SettingValue) -> String {
        match value {
            SettingValue::Boolean(true) => "on".into(),
            SettingValue::Boolean(false) => "off".into(),
            SettingValue::Integer(number) if self.octal => format!("0{number:03o}"),
            SettingValue::Integer(number) => number.to_string(),
            SettingValue::Real(number) => general_format(*number),
            SettingValue::Text(text) => text.to_string(),
            SettingValue::Choice(choice) => (*choice).into(),
        }
    }
}

impl SettingValue {
    /// The text of a text or enum value; empty for others.
    pub fn as_text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Choice(choice) => choice,
            _ => "",
        }
    }
}

/// `on`, `yes`, `true`, `1` and their opposites, or any unambiguous beginning of one, in any case.
pub fn parse_boolean(text: &str) -> Option<bool> {
    let text = text.to_ascii_lowercase();
    let begins = |word: &str, least: usize| text.len() >= least && word.starts_with(&text);
    if begins("true", 1) || begins("yes", 1) || begins("on", 2) || text == "1" {
        Some(true)
    } else if begins("false", 1) || begins("no", 1) || begins("off", 2) || text == "0" {
        Some(false)
    } else {
        None
    }
}

/// Splits ` 0x10 MB ` into 16 and `MB`.
fn split_number(text: &str) -> Option<(f64, &str)> {
    let text = text.trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let (number, rest) = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
        (i64::from_str_radix(&hex[..end], 16).ok()? as f64, &hex[end..])
    } else {
        let end = number_end(digits);
        let (number, rest) = digits.split_at(end);
        let octal =
            number.len() > 1 && number.starts_with('0') && number.bytes().all(|c| matches!(c, b'0'..=b'7'));
        if octal { (i64::from_str_radix(number, 8).ok()? as f64, rest) } else { (number.parse().ok()?, rest) }
    };
    Some((sign * number, rest.trim()))
}

/// Where a decimal number with optional fraction and exponent ends.
fn number_end(text: &str) -> usize {
    let digits = |from: usize| from + text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(0);
    if text[end..].starts_with('.') {
        end = digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let exponent = end + 1 + usize::from(text[end + 1..].starts_with(['+', '-']));
        let after = digits(exponent);
        if after > exponent {
            end = after;
        }
    }
    end
}

fn show_with_unit(number: f64, unit: Unit, write: fn(f64) -> String) -> String {
    let total = number * unit.size();
    let (name, size) = unit
        .family()
        .iter()
        .rev()
        .find(|(_, size)| (total / size).fract() == 0.0)
        .copied()
        .unwrap_or((unit.as_str(), unit.size()));
    format!("{}{name}", write(total / size))
}

/// C's `%g`: six significant digits, no trailing zeros.
fn general_format(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e6 {
        return format!("{}", number as i64);
    }
    let exponent = number.abs().log10().floor() as i32;
    if (-4..6).contains(&exponent) {
        let text = format!("{number:.*}", usize::try_from(5 - exponent).unwrap_or(0));
        return text.trim_end_matches('0').trim_end_matches('.').into();
    }
    let text = format!("{number:.5e}");
    let (mantissa, exponent) = text.split_once('e').expect("the format has an exponent");
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
    let exponent: i32 = exponent.parse().expect("the exponent is a number");
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}
