//! Moments: `timestamp` and `timestamptz`, stored as µs since 2000-01-01 (local, and UTC), and time zone arithmetic.
//!
//! jiff knows the rules of zones for the years -9999 to 9999. Earlier moments have the zone's first offset; later ones
//! that of the same day 400 years (a whole cycle of the calendar) or a multiple of it before.
//!
//! Source: `src/backend/utils/adt/timestamp.c`; `DetermineTimeZoneOffset` in `datetime.c`.

use std::time::SystemTime;

use bytes::{BufMut, BytesMut};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::oid::types;
use crate::{Result, SqlError, Value, ValueRef, error};

use super::date::{self, DAY, Day, UNIX_EPOCH_DAYS, exact};
use super::date_input::{Decoded, Mode, Moment, decode};
use super::{StorageForm, TypeContext, TypeEntry, date_names, date_output};

/// `-infinity`.
pub const NEGATIVE_INFINITY: i64 = i64::MIN;
/// `infinity`.
pub const INFINITY: i64 = i64::MAX;
/// The first moment there is: 4714-11-24 BC.
pub const MIN: i64 = -211_813_488_000_000_000;
/// The first moment there is not: 294277-01-01.
pub const END: i64 = 9_223_371_331_200_000_000;
/// µs from 1970 to 2000.
pub const UNIX_EPOCH: i64 = UNIX_EPOCH_DAYS * DAY;
/// µs of 400 years.
const CYCLE: i64 = 146_097 * DAY;

/// Checks the range.
///
/// # Errors
/// `22008`.
pub fn checked(moment: i64) -> Result<i64> {
    if (MIN..END).contains(&moment) || is_infinite(moment) { Ok(moment) } else { Err(out_of_range()) }
}

/// Whether the value is one of the infinities.
pub fn is_infinite(moment: i64) -> bool {
    moment == NEGATIVE_INFINITY || moment == INFINITY
}

/// `22008`, without the value.
pub fn out_of_range() -> SqlError {
    error!(DATETIME_VALUE_OUT_OF_RANGE, "timestamp out of range")
}

/// The wall clock, µs since 2000-01-01 UTC.
///
/// # Errors
/// `XX000` when the clock stands before 1970.
pub fn now() -> Result<i64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since = since.map_err(|_| SqlError::internal("the clock stands before 1970"))?;
    Ok(since.as_micros() as i64 - UNIX_EPOCH)
}

/// Moves a moment by cycles of the calendar into the years that jiff knows.
fn into_known_years(moment: i64) -> i64 {
    const FIRST: i64 = -372_000_000 * 1_000_000 * 1000; // about 9790 BC: before anything that can be stored
    const LAST: i64 = 250_000_000_000 * 1_000_000; // about 9920 AD
    if moment > LAST { moment - ((moment - LAST) / CYCLE + 1) * CYCLE } else { moment.max(FIRST) }
}

fn to_jiff(moment: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(into_known_years(moment).saturating_add(UNIX_EPOCH))
        .unwrap_or(jiff::Timestamp::MIN)
}

/// The zone's offset at an instant, seconds east of Greenwich.
pub fn offset_at(instant: i64, zone: &TimeZone) -> i32 {
    zone.to_offset(to_jiff(instant)).seconds()
}

/// The zone's offset, abbreviation, and whether it is summer time, at an instant.
pub fn zone_at(instant: i64, zone: &TimeZone) -> (i32, String, bool) {
    let info = zone.to_offset_info(to_jiff(instant));
    (info.offset().seconds(), info.abbreviation().to_owned(), info.dst().is_dst())
}

/// The local moment of an instant.
///
/// # Errors
/// `22008`.
pub fn to_local(instant: i64, zone: &TimeZone) -> Result<i64> {
    if is_infinite(instant) {
        return Ok(instant);
    }
    checked(instant + i64::from(offset_at(instant, zone)) * 1_000_000)
}

/// The offset that a local moment has in a zone. Of the two that a moment in a gap or a fold could have, PostgreSQL
/// takes the one before a gap and the one after a fold.
pub fn offset_of_local(local: i64, zone: &TimeZone) -> i32 {
    let known = into_known_years(local);
    let civil = civil(known);
    match civil.map(|civil| zone.to_ambiguous_timestamp(civil).offset()) {
        Some(AmbiguousOffset::Unambiguous { offset }) => offset.seconds(),
        Some(AmbiguousOffset::Gap { before, .. }) => before.seconds(),
        Some(AmbiguousOffset::Fold { after, .. }) => after.seconds(),
        None => offset_at(known, zone),
    }
}

fn civil(local: i64) -> Option<DateTime> {
    let day = Day::from_days(local.div_euclid(DAY));
    let date = jiff::civil::Date::new(i16::try_from(day.year).ok()?, day.month as i8, day.day as i8).ok()?;
    let seconds = local.rem_euclid(DAY) / 1_000_000;
    Some(date.at((seconds / 3600) as i8, (seconds / 60 % 60) as i8, (seconds % 60) as i8, 0))
}

/// The instant of a local moment.
///
/// # Errors
/// `22008`.
pub fn from_local(local: i64, zone: &TimeZone) -> Result<i64> {
    if is_infinite(local) {
        return Ok(local);
    }
    checked(local - i64::from(offset_of_local(local, zone)) * 1_000_000)
}

/// The zone that a name, an abbreviation, or an offset in POSIX's (western) sense names.
///
/// # Errors
/// `22023`.
pub fn zone_named(name: &str) -> Result<TimeZone> {
    if let Some(offset) = date_names::abbreviation(name) {
        return fixed(offset);
    }
    date_names::zone(name)
        .ok_or_else(|| error!(INVALID_PARAMETER_VALUE, "time zone \"{name}\" not recognized"))
}

/// The zone with one offset, in seconds east of Greenwich.
///
/// # Errors
/// `22023`.
pub fn fixed(offset: i32) -> Result<TimeZone> {
    let offset = jiff::tz::Offset::from_seconds(offset);
    Ok(TimeZone::fixed(
        offset.map_err(|_| error!(INVALID_PARAMETER_VALUE, "time zone displacement out of range"))?,
    ))
}

/// Rounds µs to a modifier's digits, halves away from zero; -1 leaves all six.
pub fn round_to(value: i64, modifier: i32) -> i64 {
    if !(0..6).contains(&modifier) || is_infinite(value) {
        return value;
    }
    let unit = 10_i64.pow(6 - modifier as u32);
    let half = unit / 2;
    let shifted = if value >= 0 { value.checked_add(half) } else { value.checked_sub(half) };
    shifted.map_or(value, |shifted| shifted / unit * unit)
}

fn local_of(moment: &Moment) -> Option<i64> {
    moment.days.unwrap_or(0).checked_mul(DAY)?.checked_add(moment.time)
}

fn out_of_range_text(text: &str) -> SqlError {
    error!(DATETIME_VALUE_OUT_OF_RANGE, "timestamp out of range: \"{text}\"")
}

fn input_timestamp(text: &str, modifier: i32, cx: &TypeContext<'_>) -> Result<Value> {
    let local = match decode(text, Mode::Timestamp, cx.format)? {
        Decoded::Infinity => INFINITY,
        Decoded::NegativeInfinity => NEGATIVE_INFINITY,
        Decoded::Moment(moment) => {
            let local = local_of(&moment).filter(|local| (MIN..END).contains(local));
            local.ok_or_else(|| out_of_range_text(text))?
        }
    };
    Ok(checked(round_to(local, modifier))?.into())
}

fn input_timestamptz(text: &str, modifier: i32, cx: &TypeContext<'_>) -> Result<Value> {
    let instant = match decode(text, Mode::TimestampTz, cx.format)? {
        Decoded::Infinity => INFINITY,
        Decoded::NegativeInfinity => NEGATIVE_INFINITY,
        Decoded::Moment(moment) => {
            let local = local_of(&moment).ok_or_else(|| out_of_range_text(text))?;
            let offset = moment.offset.unwrap_or_else(|| offset_of_local(local, &cx.format.time_zone));
            let instant = local - i64::from(offset) * 1_000_000;
            if !(MIN..END).contains(&instant) {
                return Err(out_of_range_text(text));
            }
            instant
        }
    };
    Ok(checked(round_to(instant, modifier))?.into())
}

/// A stored moment.
///
/// # Errors
/// `XX000` when it is none.
pub fn read(value: ValueRef<'_>) -> Result<i64> {
    match value {
        ValueRef::Integer(moment) => Ok(moment),
        other => Err(SqlError::internal(format!("expected a stored timestamp, found {other:?}"))),
    }
}

fn output_timestamp(value: ValueRef<'_>, cx: &TypeContext<'_>, out: &mut String) -> Result<()> {
    date_output::timestamp(read(value)?, cx.format, out);
    Ok(())
}

fn output_timestamptz(value: ValueRef<'_>, cx: &TypeContext<'_>, out: &mut String) -> Result<()> {
    date_output::timestamptz(read(value)?, cx.format, out);
    Ok(())
}

fn receive(bytes: &[u8], modifier: i32, _cx: &TypeContext<'_>) -> Result<Value> {
    Ok(round_to(checked(i64::from_be_bytes(exact(bytes)?))?, modifier).into())
}

fn send(value: ValueRef<'_>, _cx: &TypeContext<'_>, out: &mut BytesMut) -> Result<()> {
    out.put_i64(read(value)?);
    Ok(())
}

/// The days of a date as a local moment.
///
/// # Errors
/// `22008`.
pub fn of_date(days: i64) -> Result<i64> {
    match days {
        date::NEGATIVE_INFINITY => Ok(NEGATIVE_INFINITY),
        date::INFINITY => Ok(INFINITY),
        days => days
            .checked_mul(DAY)
            .filter(|moment| (MIN..END).contains(moment))
            .ok_or_else(|| error!(DATETIME_VALUE_OUT_OF_RANGE, "date out of range for timestamp")),
    }
}

/// The types.
pub const TYPES: &[TypeEntry] = &[
    TypeEntry {
        oid: types::TIMESTAMP,
        array: types::_TIMESTAMP,
        form: StorageForm::Integer,
        input: input_timestamp,
        output: output_timestamp,
        receive: Some(receive),
        send: Some(send),
    },
    TypeEntry {
        oid: types::TIMESTAMPTZ,
        array: types::_TIMESTAMPTZ,
        form: StorageForm::Integer,
        input: input_timestamptz,
        output: output_timestamptz,
        receive: Some(receive),
        send: Some(send),
    },
];
