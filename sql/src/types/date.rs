//! Dates: the calendar, and the type `date`, stored as days since 2000-01-01.
//!
//! Days are counted by Julian day numbers in the proleptic Gregorian calendar, as in PostgreSQL, so that dates reach
//! from 4713 BC to 5874897 AD; jiff, which knows fewer years, is asked about time zones only.
//!
//! Source: `date2j` and `j2date` in `src/backend/utils/adt/datetime.c`; `src/backend/utils/adt/date.c`.

use bytes::{BufMut, BytesMut};

use crate::oid::types;
use crate::{Result, SqlError, Value, ValueRef, error};

use super::date_input::{Decoded, Mode, decode};
use super::date_output;
use super::{StorageForm, TypeContext, TypeEntry};

/// The Julian day of 2000-01-01.
pub const EPOCH_JULIAN: i64 = 2_451_545;
/// Days from 1970-01-01 to 2000-01-01.
pub const UNIX_EPOCH_DAYS: i64 = 10_957;
/// µs of a day.
pub const DAY: i64 = 86_400_000_000;
/// `-infinity`.
pub const NEGATIVE_INFINITY: i64 = i32::MIN as i64;
/// `infinity`.
pub const INFINITY: i64 = i32::MAX as i64;
/// The first day there is: 4714-11-24 BC.
pub const MIN: i64 = -EPOCH_JULIAN;
/// The first day there is not: 5874898-01-01.
pub const END: i64 = 2_147_483_494 - EPOCH_JULIAN;

/// A day of the calendar. Year 0 is 1 BC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Day {
    /// The year; zero and below are BC.
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
}

impl Day {
    /// The day so many days after 2000-01-01.
    pub fn from_days(days: i64) -> Self {
        // Counting from 1 March makes the leap day the last of its year.
        let shifted = days + EPOCH_JULIAN - 1_721_120;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { year, month: month as u32, day: day as u32 }
    }

    /// Days since 2000-01-01. The day may lie outside its month, and counts on.
    pub fn days(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month = i64::from(self.month);
        let month_from_march = if month > 2 { month - 3 } else { month + 9 };
        let of_year = (153 * month_from_march + 2) / 5 + i64::from(self.day) - 1;
        let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
        era * 146_097 + of_era + 1_721_120 - EPOCH_JULIAN
    }

    /// The year as people count it, without a year zero.
    pub fn displayed_year(self) -> i64 {
        if self.year > 0 { self.year } else { 1 - self.year }
    }

    /// The day of the year, from 1.
    pub fn day_of_year(self) -> i64 {
        self.days() - Self { year: self.year, month: 1, day: 1 }.days() + 1
    }
}

/// Whether a year (0 is 1 BC) has a leap day.
pub fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// How many days a month has.
pub fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 => 28 + u32::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The day of the week, 0 for Sunday.
pub fn day_of_week(days: i64) -> i64 {
    (days + 6).rem_euclid(7)
}

/// The first Monday of an ISO year's first week.
fn iso_year_start(year: i64) -> i64 {
    let fourth = Day { year, month: 1, day: 4 }.days();
    fourth - (day_of_week(fourth) + 6) % 7
}

/// The ISO year (0 is 1 BC) and week of a day.
pub fn iso_week(days: i64) -> (i64, i64) {
    let year = Day::from_days(days).year;
    let year = if days < iso_year_start(year) {
        year - 1
    } else if days >= iso_year_start(year + 1) {
        year + 1
    } else {
        year
    };
    (year, (days - iso_year_start(year)) / 7 + 1)
}

/// The Monday of an ISO week.
pub fn iso_week_start(year: i64, week: i64) -> i64 {
    iso_year_start(year) + (week - 1) * 7
}

/// Whether the value is one of the infinities.
pub fn is_infinite(days: i64) -> bool {
    days == NEGATIVE_INFINITY || days == INFINITY
}

/// The date of a local timestamp.
pub fn from_timestamp(local: i64) -> i64 {
    match local {
        i64::MIN => NEGATIVE_INFINITY,
        i64::MAX => INFINITY,
        local => local.div_euclid(DAY),
    }
}

/// Checks the range.
///
/// # Errors
/// `22008`.
pub fn checked(days: i64) -> Result<i64> {
    if (MIN..END).contains(&days) || is_infinite(days) { Ok(days) } else { Err(out_of_range()) }
}

/// `22008`, without the value.
pub fn out_of_range() -> SqlError {
    error!(DATETIME_VALUE_OUT_OF_RANGE, "date out of range")
}

/// Reads a date.
///
/// # Errors
/// `22007` and `22008`.
pub fn input(text: &str, _modifier: i32, cx: &TypeContext<'_>) -> Result<Value> {
    let days = match decode(text, Mode::Date, cx.format)? {
        Decoded::Infinity => INFINITY,
        Decoded::NegativeInfinity => NEGATIVE_INFINITY,
        Decoded::Moment(moment) => {
            let days = moment.days.unwrap_or(0);
            if !(MIN..END).contains(&days) {
                return Err(error!(DATETIME_VALUE_OUT_OF_RANGE, "date out of range: \"{text}\""));
            }
            days
        }
    };
    Ok(days.into())
}

fn output(value: ValueRef<'_>, cx: &TypeContext<'_>, out: &mut String) -> Result<()> {
    date_output::date(read(value)?, cx.format, out);
    Ok(())
}

/// A stored date.
///
/// # Errors
/// `XX000` when it is none.
pub fn read(value: ValueRef<'_>) -> Result<i64> {
    match value {
        ValueRef::Integer(days) => Ok(days),
        other => Err(SqlError::internal(format!("expected a stored date, found {other:?}"))),
    }
}

fn receive(bytes: &[u8], _modifier: i32, _cx: &TypeContext<'_>) -> Result<Value> {
    Ok(checked(i64::from(i32::from_be_bytes(exact(bytes)?)))?.into())
}

fn send(value: ValueRef<'_>, _cx: &TypeContext<'_>, out: &mut BytesMut) -> Result<()> {
    out.put_i32(read(value)? as i32);
    Ok(())
}

/// Exactly `N` bytes of a binary value.
pub(super) fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    match bytes.len() {
        length if length < N => Err(error!(PROTOCOL_VIOLATION, "insufficient data left in message")),
        length if length > N => Err(error!(INVALID_BINARY_REPRESENTATION, "incorrect binary data format")),
        _ => Ok(bytes.try_into().expect("the length was compared above")),
    }
}

/// The type.
pub const TYPES: &[TypeEntry] = &[TypeEntry {
    oid: types::DATE,
    array: types::_DATE,
    form: StorageForm::Integer,
    input,
    output,
    receive: Some(receive),
    send: Some(send),
}];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_is_its_own_inverse() {
        for days in (MIN..END).step_by(9973) {
            let day = Day::from_days(days);
            assert_eq!(day.days(), days);
            assert!((1..=days_in_month(day.year, day.month)).contains(&day.day));
        }
        assert_eq!(Day::from_days(MIN), Day { year: -4713, month: 11, day: 24 });
        assert_eq!(Day { year: 2000, month: 2, day: 29 }.days(), 59);
        assert_eq!(Day { year: 5_874_897, month: 12, day: 31 }.days(), END - 1);
    }

    #[test]
    fn weeks_are_those_of_iso_8601() {
        assert_eq!(iso_week(Day { year: 2021, month: 1, day: 3 }.days()), (2020, 53));
        assert_eq!(iso_week(Day { year: 2024, month: 12, day: 30 }.days()), (2025, 1));
        assert_eq!(day_of_week(0), 6);
    }
}
