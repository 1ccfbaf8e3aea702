//! Reading intervals: `1 year 2 days`, `1-2 3 04:05:06`, `@ 5 mins ago`, `P1Y2M3DT4H5M6S`.
//!
//! Fields are understood from the last to the first, because a unit follows its number.
//!
//! Source: `DecodeInterval` and `DecodeISO8601Interval` in `src/backend/utils/adt/datetime.c`.

use crate::{Result, SqlError, error};

use super::IntervalStyle;
use super::date::DAY;
use super::date_input::{Fault, Shape, clock_parts, split, syntax};
use super::interval::{ALL_FIELDS, DAYS_OF_MONTH, Interval, field};

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
}

/// The unit that a lower-case word names.
pub(crate) fn unit(word: &str) -> Option<Unit> {
    Some(match word {
        "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecon" | "microsecond" | "microseconds" => {
            Unit::Microsecond
        }
        "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecon" | "millisecond" | "milliseconds" => {
            Unit::Millisecond
        }
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Second,
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Minute,
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Hour,
        "d" | "day" | "days" => Unit::Day,
        "w" | "week" | "weeks" => Unit::Week,
        "mon" | "mons" | "month" | "months" => Unit::Month,
        "qtr" | "quarter" => Unit::Quarter,
        "y" | "yr" | "yrs" | "year" | "years" => Unit::Year,
        "dec" | "decs" | "decade" | "decades" => Unit::Decade,
        "c" | "cent" | "century" | "centuries" => Unit::Century,
        "mil" | "mils" | "millennia" | "millennium" => Unit::Millennium,
        _ => return None,
    })
}

/// Reads an interval; `range` is the modifier's fields, which give a bare number its unit.
///
/// # Errors
/// `22007`, `22008`, `22015`.
pub(crate) fn decode(text: &str, range: i32, style: IntervalStyle) -> Result<Interval> {
    let trimmed = text.trim();
    let parts = if trimmed.starts_with('P') { iso_8601(trimmed) } else { fields(text, range, style) };
    parts.map_err(|fault| match fault {
        Fault::Format => syntax("interval", text),
        _ => overflow(text),
    })
}

fn overflow(text: &str) -> SqlError {
    error!(INTERVAL_FIELD_OVERFLOW, "interval field value out of range: \"{text}\"")
}

#[derive(Default)]
struct Sum {
    months: i64,
    days: i64,
    microseconds: i128,
}

impl Sum {
    /// Adds a number with a fraction in a unit; fractions of larger units go to smaller ones.
    fn add(&mut self, value: i64, fraction: f64, unit: Unit) -> Result<(), Fault> {
        match unit {
            Unit::Microsecond => self.time(value, fraction, 1),
            Unit::Millisecond => self.time(value, fraction, 1000),
            Unit::Second => self.time(value, fraction, 1_000_000),
            Unit::Minute => self.time(value, fraction, 60_000_000),
            Unit::Hour => self.time(value, fraction, 3_600_000_000),
            Unit::Day => self.days(value, fraction, 1),
            Unit::Week => self.days(value, fraction, 7),
            Unit::Month => {
                self.months += value;
                self.days(0, fraction, DAYS_OF_MONTH)
            }
            Unit::Quarter => Err(Fault::Format),
            Unit::Year => self.years(value, fraction, 1),
            Unit::Decade => self.years(value, fraction, 10),
            Unit::Century => self.years(value, fraction, 100),
            Unit::Millennium => self.years(value, fraction, 1000),
        }
    }

    fn time(&mut self, value: i64, fraction: f64, scale: i64) -> Result<(), Fault> {
        self.microseconds += i128::from(value) * i128::from(scale);
        self.microseconds += (fraction * scale as f64).round_ties_even() as i128;
        Ok(())
    }

    fn days(&mut self, value: i64, fraction: f64, scale: i64) -> Result<(), Fault> {
        let extra = fraction * scale as f64;
        let whole =
            value.checked_mul(scale).and_then(|days| days.checked_add(extra as i64)).ok_or(Fault::Field)?;
        self.days = self.days.checked_add(whole).ok_or(Fault::Field)?;
        self.microseconds += ((extra - extra.trunc()) * DAY as f64).round_ties_even() as i128;
        Ok(())
    }

    fn years(&mut self, value: i64, fraction: f64, scale: i64) -> Result<(), Fault> {
        let months = value.checked_mul(scale * 12).ok_or(Fault::Field)?;
        let extra = (fraction * scale as f64 * 12.0).round_ties_even() as i64;
        self.months =
            self.months.checked_add(months).and_then(|sum| sum.checked_add(extra)).ok_or(Fault::Field)?;
        Ok(())
    }

    fn negate(&mut self) {
        (self.months, self.days, self.microseconds) = (-self.months, -self.days, -self.microseconds);
    }

    fn finish(self) -> Result<Interval, Fault> {
        Interval::new(self.months, self.days, self.microseconds).map_err(|_| Fault::Field)
    }
}

/// The unit of a bare number: the last field of the range, seconds without one.
fn default_unit(range: i32) -> Unit {
    if range & field::SECOND != 0 || range == ALL_FIELDS {
        Unit::Second
    } else if range & field::MINUTE != 0 {
        Unit::Minute
    } else if range & field::HOUR != 0 {
        Unit::Hour
    } else if range & field::DAY != 0 {
        Unit::Day
    } else if range & field::MONTH != 0 {
        Unit::Month
    } else {
        Unit::Year
    }
}

fn fields(text: &str, range: i32, style: IntervalStyle) -> Result<Interval, Fault> {
    let fields = split(text)?;
    if fields.is_empty() {
        return Err(Fault::Format);
    }
    // With `sql_standard` one leading minus negates all fields, unless another sign is written.
    let force_negative = style == IntervalStyle::SqlStandard
        && fields[0].1.starts_with('-')
        && !fields[1..].iter().any(|(_, field)| field.starts_with(['-', '+']));
    let (mut sum, mut unit_now, mut ago, mut any) = (Sum::default(), None, false, false);
    let mut seen: Vec<Unit> = Vec::new();
    for (shape, field) in fields.iter().rev() {
        match shape {
            Shape::Word | Shape::Special => {
                unit_now = match unit(field) {
                    Some(unit) => Some(unit),
                    None if field == "ago" => {
                        ago = true;
                        continue;
                    }
                    None => return Err(Fault::Format),
                };
                continue;
            }
            Shape::Time | Shape::Zone | Shape::Date | Shape::Number => {}
        }
        let negative = field.starts_with('-');
        let digits = field.trim_start_matches(['+', '-']);
        if digits.contains(':') {
            sum.microseconds += clock(digits, range, negative || force_negative)?;
            unit_now = Some(Unit::Day);
            mark(&mut seen, Unit::Hour)?;
        } else {
            let unit = unit_now.unwrap_or_else(|| default_unit(range));
            let unit = number(&mut sum, digits, unit, negative || force_negative)?;
            mark(&mut seen, unit)?;
            unit_now = None;
        }
        any = true;
    }
    if !any {
        return Err(Fault::Format);
    }
    if ago {
        sum.negate();
    }
    sum.finish()
}

/// Each unit may be written once (seconds and their parts together, as PostgreSQL counts them).
fn mark(seen: &mut Vec<Unit>, unit: Unit) -> Result<(), Fault> {
    if seen.contains(&unit) {
        return Err(Fault::Format);
    }
    seen.push(unit);
    Ok(())
}

fn clock(digits: &str, range: i32, negative: bool) -> Result<i128, Fault> {
    let (mut hour, mut minute, mut second, fraction) = clock_parts(digits)?;
    let two_parts = digits.matches(':').count() == 1 && !digits.contains('.');
    if two_parts && range == (field::MINUTE | field::SECOND) {
        (hour, minute, second) = (0, hour, minute);
    }
    if minute >= 60 || second > 60 {
        return Err(Fault::Field);
    }
    let total = ((i128::from(hour) * 60 + i128::from(minute)) * 60 + i128::from(second)) * 1_000_000
        + i128::from(fraction);
    Ok(if negative { -total } else { total })
}

/// A number, or `years-months`; gives the unit it had.
fn number(sum: &mut Sum, digits: &str, unit: Unit, negative: bool) -> Result<Unit, Fault> {
    let sign = if negative { -1 } else { 1 };
    if let Some((years, months)) = digits.split_once('-') {
        let years: i64 = years.parse().map_err(|_| Fault::Format)?;
        let months: i64 = months.parse().map_err(|_| Fault::Format)?;
        if months >= 12 {
            return Err(Fault::Field);
        }
        sum.add(sign * (years * 12 + months), 0.0, Unit::Month)?;
        return Ok(Unit::Month);
    }
    let (whole, fraction) = match digits.find('.') {
        Some(point) => {
            (&digits[..point], format!("0{}", &digits[point..]).parse::<f64>().map_err(|_| Fault::Format)?)
        }
        None => (digits, 0.0),
    };
    let value: i64 = match whole {
        "" => 0,
        whole if whole.bytes().all(|b| b.is_ascii_digit()) => whole.parse().map_err(|_| Fault::Field)?,
        _ => return Err(Fault::Format),
    };
    sum.add(sign * value, sign as f64 * fraction, unit)?;
    Ok(unit)
}

/// The units of the "alternative format", where dashes and colons stand in their place.
const DATE_UNITS: [Unit; 3] = [Unit::Year, Unit::Month, Unit::Day];
const TIME_UNITS: [Unit; 3] = [Unit::Hour, Unit::Minute, Unit::Second];

/// `0001-02-03` or, after the `T`, `04:05:06`; `None` when units stand behind the numbers.
fn alternative(text: &str, in_time: bool) -> Option<Vec<(f64, Unit)>> {
    let part = &text[..text.find('T').unwrap_or(text.len())];
    let (separator, units) = if in_time { (':', TIME_UNITS) } else { ('-', DATE_UNITS) };
    let numbers: Vec<&str> = part.split(separator).collect();
    if numbers.len() < 2 || numbers.len() > units.len() {
        return None;
    }
    numbers.iter().zip(units).map(|(number, unit)| Some((number.parse().ok()?, unit))).collect()
}

fn iso_8601(text: &str) -> Result<Interval, Fault> {
    let (mut rest, mut in_time, mut sum) = (&text[1..], false, Sum::default());
    if rest.is_empty() {
        return Err(Fault::Format);
    }
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            (rest, in_time) = (after, true);
            if rest.is_empty() {
                break;
            }
        }
        if let Some(parts) = alternative(rest, in_time) {
            for (value, unit) in parts {
                sum.add(value.trunc() as i64, value.fract(), unit)?;
            }
            rest = rest.split_at(rest.find('T').unwrap_or(rest.len())).1;
            continue;
        }
        let end =
            rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '-' | '+')).ok_or(Fault::Format)?;
        let value: f64 = rest[..end].parse().map_err(|_| Fault::Format)?;
        let unit = match (in_time, rest[end..].chars().next()) {
            (false, Some('Y')) => Unit::Year,
            (false, Some('M')) => Unit::Month,
            (false, Some('W')) => Unit::Week,
            (false, Some('D')) => Unit::Day,
            (true, Some('H')) => Unit::Hour,
            (true, Some('M')) => Unit::Minute,
            (true, Some('S')) => Unit::Second,
            _ => return Err(Fault::Format),
        };
        let whole = value.trunc();
        if whole.abs() > i64::MAX as f64 / 4.0 {
            return Err(Fault::Field);
        }
        sum.add(whole as i64, value - whole, unit)?;
        rest = &rest[end + 1..];
    }
    sum.finish()
}
