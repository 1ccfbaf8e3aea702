//! The type `interval`: months, days and µs, which do not add up to one number because months and days differ in
//! length. Stored as keyed text: the key is the length in µs with months of 30 days and days of 24 hours, by which
//! PostgreSQL compares; the display form keeps the three parts as written.
//!
//! Source: `src/backend/utils/adt/timestamp.c`; `EncodeInterval` in `datetime.c`.

use std::fmt::Write;

use bytes::{BufMut, BytesMut};

use crate::oid::types;
use crate::{Result, SqlError, Value, ValueRef, error};

use super::date::{DAY, exact};
use super::interval_input;
use super::{IntervalStyle, KEY_SEPARATOR, StorageForm, TypeContext, TypeEntry, timestamp};

/// Days of a month, where one must be assumed.
pub const DAYS_OF_MONTH: i64 = 30;
/// What is added to a length before it is written in the key, so that all are positive; more than any length.
const KEY_BIAS: i128 = 1 << 76;
/// The modifier's half that says which fields are kept: all.
pub const ALL_FIELDS: i32 = 0x7FFF;
/// The modifier's half that says how many digits of the second are kept: all.
pub const ALL_DIGITS: i32 = 0xFFFF;

/// The bits of fields in a modifier.
pub mod field {
    /// Months.
    pub const MONTH: i32 = 1 << 1;
    /// Years.
    pub const YEAR: i32 = 1 << 2;
    /// Days.
    pub const DAY: i32 = 1 << 3;
    /// Hours.
    pub const HOUR: i32 = 1 << 10;
    /// Minutes.
    pub const MINUTE: i32 = 1 << 11;
    /// Seconds.
    pub const SECOND: i32 = 1 << 12;
}

/// An interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Interval {
    /// Months and years.
    pub months: i32,
    /// Days and weeks.
    pub days: i32,
    /// The rest, in µs.
    pub microseconds: i64,
}

impl Interval {
    /// An interval of these parts.
    ///
    /// # Errors
    /// `22008` when a part is too large.
    pub fn new(months: i64, days: i64, microseconds: i128) -> Result<Self> {
        let parts = (i32::try_from(months), i32::try_from(days), i64::try_from(microseconds));
        match parts {
            (Ok(months), Ok(days), Ok(microseconds)) => Ok(Self { months, days, microseconds }),
            _ => Err(out_of_range()),
        }
    }

    /// Its length in µs, months having 30 days and days 24 hours.
    pub fn total_microseconds(self) -> i128 {
        let days = i128::from(self.months) * i128::from(DAYS_OF_MONTH) + i128::from(self.days);
        days * i128::from(DAY) + i128::from(self.microseconds)
    }

    /// As it is stored.
    pub fn store(self) -> Value {
        let key = self.total_microseconds() + KEY_BIAS;
        Value::Text(format!("{key:020x}{KEY_SEPARATOR}{} {} {}", self.months, self.days, self.microseconds))
    }

    /// A stored one.
    ///
    /// # Errors
    /// `XX000` when it is none.
    pub fn read(value: ValueRef<'_>) -> Result<Self> {
        let parse = |text: &str| {
            let mut parts = text.split_once(KEY_SEPARATOR)?.1.splitn(3, ' ');
            let months = parts.next()?.parse().ok()?;
            let days = parts.next()?.parse().ok()?;
            Some(Self { months, days, microseconds: parts.next()?.parse().ok()? })
        };
        match value {
            ValueRef::Text(text) => parse(text),
            _ => None,
        }
        .ok_or_else(|| SqlError::internal(format!("expected a stored interval, found {value:?}")))
    }

    /// The interval turned round.
    ///
    /// # Errors
    /// `22008`.
    pub fn negated(self) -> Result<Self> {
        Self::new(-i64::from(self.months), -i64::from(self.days), -i128::from(self.microseconds))
    }

    /// The sum, part by part.
    ///
    /// # Errors
    /// `22008`.
    pub fn plus(self, other: Self) -> Result<Self> {
        Self::new(
            i64::from(self.months) + i64::from(other.months),
            i64::from(self.days) + i64::from(other.days),
            i128::from(self.microseconds) + i128::from(other.microseconds),
        )
    }

    /// Multiplied by a factor; fractions of months and days go to the smaller parts.
    ///
    /// # Errors
    /// `22008`.
    pub fn times(self, factor: f64) -> Result<Self> {
        self.scaled(|part| part * factor)
    }

    /// Divided by a divisor other than zero, as [`Self::times`].
    ///
    /// # Errors
    /// `22008`.
    pub fn divided_by(self, divisor: f64) -> Result<Self> {
        self.scaled(|part| part / divisor)
    }

    fn scaled(self, scale: impl Fn(f64) -> f64) -> Result<Self> {
        let whole = |value: f64| -> Result<i32> {
            if value.is_nan() || !(-2_147_483_648.0..2_147_483_648.0).contains(&value) {
                return Err(out_of_range());
            }
            Ok(value as i32)
        };
        let round = |value: f64| (value * 1e6).round_ties_even() / 1e6;
        let (months, days) = (scale(f64::from(self.months)), scale(f64::from(self.days)));
        let (whole_months, whole_days) = (whole(months)?, whole(days)?);
        let month_days = round((months - f64::from(whole_months)) * DAYS_OF_MONTH as f64);
        let mut seconds = (days - f64::from(whole_days) + month_days - month_days.trunc()) * 86_400.0;
        seconds = round(seconds);
        let mut days = i64::from(whole_days) + month_days.trunc() as i64;
        if seconds.abs() >= 86_400.0 {
            days += (seconds / 86_400.0) as i64;
            seconds -= (seconds / 86_400.0).trunc() * 86_400.0;
        }
        let microseconds = (scale(self.microseconds as f64) + seconds * 1e6).round_ties_even();
        if microseconds.is_nan() || microseconds.abs() >= 9.223_372_036_854_775e18 {
            return Err(out_of_range());
        }
        Self::new(i64::from(whole_months), days, microseconds as i128)
    }

    /// Days and µs with equal signs, whole days out of the µs (`justify_hours`).
    ///
    /// # Errors
    /// `22008`.
    pub fn justify_hours(self) -> Result<Self> {
        let mut days = i64::from(self.days) + self.microseconds / DAY;
        let mut rest = self.microseconds % DAY;
        if days > 0 && rest < 0 {
            rest += DAY;
            days -= 1;
        } else if days < 0 && rest > 0 {
            rest -= DAY;
            days += 1;
        }
        Self::new(i64::from(self.months), days, i128::from(rest))
    }

    /// Months of 30 days out of the days (`justify_days`).
    ///
    /// # Errors
    /// `22008`.
    pub fn justify_days(self) -> Result<Self> {
        let mut months = i64::from(self.months) + i64::from(self.days) / DAYS_OF_MONTH;
        let mut days = i64::from(self.days) % DAYS_OF_MONTH;
        if months > 0 && days < 0 {
            days += DAYS_OF_MONTH;
            months -= 1;
        } else if months < 0 && days > 0 {
            days -= DAYS_OF_MONTH;
            months += 1;
        }
        Self::new(months, days, i128::from(self.microseconds))
    }

    /// All parts with one sign (`justify_interval`).
    ///
    /// # Errors
    /// `22008`.
    pub fn justify(self) -> Result<Self> {
        let mut days = i64::from(self.days) + self.microseconds / DAY;
        let mut rest = self.microseconds % DAY;
        let mut months = i64::from(self.months) + days / DAYS_OF_MONTH;
        days %= DAYS_OF_MONTH;
        if months > 0 && (days < 0 || (days == 0 && rest < 0)) {
            days += DAYS_OF_MONTH;
            months -= 1;
        } else if months < 0 && (days > 0 || (days == 0 && rest > 0)) {
            days -= DAYS_OF_MONTH;
            months += 1;
        }
        if days > 0 && rest < 0 {
            rest += DAY;
            days -= 1;
        } else if days < 0 && rest > 0 {
            rest -= DAY;
            days += 1;
        }
        Self::new(months, days, i128::from(rest))
    }

    /// Keeps what a modifier keeps.
    pub fn with_modifier(mut self, modifier: i32) -> Self {
        if modifier < 0 {
            return self;
        }
        let (range, digits) = ((modifier >> 16) & ALL_FIELDS, modifier & ALL_DIGITS);
        self = self.with_fields(range);
        if digits < 6 {
            self.microseconds = timestamp::round_to(self.microseconds, digits);
        }
        self
    }

    /// Drops what is smaller than the last field of a range.
    fn with_fields(mut self, range: i32) -> Self {
        use field::{HOUR, MINUTE, MONTH, SECOND, YEAR};
        let unit = |microseconds: i64, unit: i64| microseconds / unit * unit;
        if range == ALL_FIELDS || range & SECOND != 0 {
        } else if range & MINUTE != 0 {
            self.microseconds = unit(self.microseconds, 60_000_000);
        } else if range & HOUR != 0 {
            self.microseconds = unit(self.microseconds, 3_600_000_000);
        } else if range & field::DAY != 0 {
            self.microseconds = 0;
        } else if range & MONTH != 0 {
            (self.days, self.microseconds) = (0, 0);
        } else if range & YEAR != 0 {
            (self.months, self.days, self.microseconds) = (self.months / 12 * 12, 0, 0);
        }
        self
    }

    /// Appends the text form in a style.
    pub fn write(self, style: IntervalStyle, out: &mut String) {
        let parts = Parts::of(self);
        match style {
            IntervalStyle::Postgres => parts.postgres(out),
            IntervalStyle::PostgresVerbose => parts.verbose(out),
            IntervalStyle::SqlStandard => parts.sql_standard(out),
            IntervalStyle::Iso8601 => parts.iso_8601(out),
        }
    }
}

/// `22008`.
pub fn out_of_range() -> SqlError {
    error!(DATETIME_VALUE_OUT_OF_RANGE, "interval out of range")
}

/// An interval in the units that are shown; all of them may have their own sign.
struct Parts {
    years: i64,
    months: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    seconds: i64,
    fraction: i64,
}

impl Parts {
    fn of(interval: Interval) -> Self {
        let rest = interval.microseconds;
        Self {
            years: i64::from(interval.months / 12),
            months: i64::from(interval.months % 12),
            days: i64::from(interval.days),
            hours: rest / 3_600_000_000,
            minutes: rest / 60_000_000 % 60,
            seconds: rest / 1_000_000 % 60,
            fraction: rest % 1_000_000,
        }
    }

    fn time_is_negative(&self) -> bool {
        self.hours < 0 || self.minutes < 0 || self.seconds < 0 || self.fraction < 0
    }

    fn has_time(&self) -> bool {
        self.hours != 0 || self.minutes != 0 || self.seconds != 0 || self.fraction != 0
    }

    /// `5` or `5.25`, without sign.
    fn seconds_text(&self, fill: bool) -> String {
        let mut out =
            if fill { format!("{:02}", self.seconds.abs()) } else { self.seconds.abs().to_string() };
        super::date_output::fraction(self.fraction, &mut out);
        out
    }

    /// `1 year 2 mons -3 days +04:05:06`.
    fn postgres(&self, out: &mut String) {
        let (mut first, mut negative) = (true, false);
        for (value, unit) in [(self.years, "year"), (self.months, "mon"), (self.days, "day")] {
            if value != 0 {
                let space = if first { "" } else { " " };
                let plus = if negative && value > 0 { "+" } else { "" };
                let plural = if value == 1 { "" } else { "s" };
                let _ = write!(out, "{space}{plus}{value} {unit}{plural}");
                (first, negative) = (false, value < 0);
            }
        }
        if first || self.has_time() {
            let space = if first { "" } else { " " };
            let sign = if self.time_is_negative() {
                "-"
            } else if negative {
                "+"
            } else {
                ""
            };
            let (hours, minutes) = (self.hours.abs(), self.minutes.abs());
            let _ = write!(out, "{space}{sign}{hours:02}:{minutes:02}:{}", self.seconds_text(true));
        }
    }

    /// `@ 1 year 2 mons 3 days 4 hours ago`.
    fn verbose(&self, out: &mut String) {
        out.push('@');
        let (mut empty, mut before) = (true, false);
        let units = [
            (self.years, "year"),
            (self.months, "mon"),
            (self.days, "day"),
            (self.hours, "hour"),
            (self.minutes, "min"),
        ];
        for (value, unit) in units {
            if value != 0 {
                if empty {
                    before = value < 0;
                }
                let value = if before { -value } else { value };
                let plural = if value == 1 { "" } else { "s" };
                let _ = write!(out, " {value} {unit}{plural}");
                empty = false;
            }
        }
        if self.seconds != 0 || self.fraction != 0 {
            let negative = self.seconds < 0 || self.fraction < 0;
            if empty {
                before = negative;
            }
            let sign = if negative != before { "-" } else { "" };
            let plural = if self.seconds.abs() == 1 && self.fraction == 0 { "" } else { "s" };
            let _ = write!(out, " {sign}{} sec{plural}", self.seconds_text(false));
            empty = false;
        }
        if empty {
            out.push_str(" 0");
        }
        if before {
            out.push_str(" ago");
        }
    }

    /// `1-2 3 4:05:06`.
    fn sql_standard(&self, out: &mut String) {
        let all = [self.years, self.months, self.days, self.hours, self.minutes, self.seconds, self.fraction];
        let (negative, positive) = (all.iter().any(|part| *part < 0), all.iter().any(|part| *part > 0));
        let (has_months, has_days) = (self.years != 0 || self.months != 0, self.days != 0);
        let has_day_time = has_days || self.has_time();
        if !negative && !positive {
            out.push('0');
        } else if (negative && positive) || (has_months && has_day_time) {
            let sign = |is_negative: bool| if is_negative { '-' } else { '+' };
            let _ = write!(
                out,
                "{}{}-{} {}{} {}{}:{:02}:{}",
                sign(self.years < 0 || self.months < 0),
                self.years.abs(),
                self.months.abs(),
                sign(self.days < 0),
                self.days.abs(),
                sign(self.time_is_negative()),
                self.hours.abs(),
                self.minutes.abs(),
                self.seconds_text(true)
            );
        } else {
            if negative {
                out.push('-');
            }
            let clock = format!("{}:{:02}:{}", self.hours.abs(), self.minutes.abs(), self.seconds_text(true));
            let _ = if has_months {
                write!(out, "{}-{}", self.years.abs(), self.months.abs())
            } else if has_days {
                write!(out, "{} {clock}", self.days.abs())
            } else {
                write!(out, "{clock}")
            };
        }
    }

    /// `P1Y2M3DT4H5M6S`.
    fn iso_8601(&self, out: &mut String) {
        let start = out.len();
        out.push('P');
        for (value, unit) in [(self.years, 'Y'), (self.months, 'M'), (self.days, 'D')] {
            if value != 0 {
                let _ = write!(out, "{value}{unit}");
            }
        }
        if self.has_time() {
            out.push('T');
        }
        for (value, unit) in [(self.hours, 'H'), (self.minutes, 'M')] {
            if value != 0 {
                let _ = write!(out, "{value}{unit}");
            }
        }
        if self.seconds != 0 || self.fraction != 0 {
            let sign = if self.seconds < 0 || self.fraction < 0 { "-" } else { "" };
            let _ = write!(out, "{sign}{}S", self.seconds_text(false));
        }
        if out.len() == start + 1 {
            out.push_str("T0S");
        }
    }
}

fn input(text: &str, modifier: i32, cx: &TypeContext<'_>) -> Result<Value> {
    let range = if modifier < 0 { ALL_FIELDS } else { (modifier >> 16) & ALL_FIELDS };
    let interval = interval_input::decode(text, range, cx.format.interval_style)?;
    Ok(interval.with_modifier(modifier).store())
}

fn output(value: ValueRef<'_>, cx: &TypeContext<'_>, out: &mut String) -> Result<()> {
    Interval::read(value)?.write(cx.format.interval_style, out);
    Ok(())
}

fn receive(bytes: &[u8], modifier: i32, _cx: &TypeContext<'_>) -> Result<Value> {
    let bytes: [u8; 16] = exact(bytes)?;
    let interval = Interval {
        microseconds: i64::from_be_bytes(exact(&bytes[..8])?),
        days: i32::from_be_bytes(exact(&bytes[8..12])?),
        months: i32::from_be_bytes(exact(&bytes[12..])?),
    };
    Ok(interval.with_modifier(modifier).store())
}

fn send(value: ValueRef<'_>, _cx: &TypeContext<'_>, out: &mut BytesMut) -> Result<()> {
    let interval = Interval::read(value)?;
    out.put_i64(interval.microseconds);
    out.put_i32(interval.days);
    out.put_i32(interval.months);
    Ok(())
}

/// The type.
pub const TYPES: &[TypeEntry] = &[TypeEntry {
    oid: types::INTERVAL,
    array: types::_INTERVAL,
    form: StorageForm::Keyed,
    input,
    output,
    receive: Some(receive),
    send: Some(send),
}];
