//! Times of day: `time`, stored as µs since midnight, and `timetz`, a keyed text ordered by instant, then zone.
//!
//! Source: `src/backend/utils/adt/date.c`.

use bytes::{BufMut, BytesMut};
use jiff::tz::TimeZone;

use crate::oid::types;
use crate::{Result, SqlError, Value, ValueRef, error};

use super::date::{DAY, exact};
use super::date_input::{Decoded, Mode, decode, syntax};
use super::{KEY_SEPARATOR, StorageForm, TypeContext, TypeEntry, date_output, timestamp};

/// A time with its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeTz {
    /// µs since midnight, local.
    pub time: i64,
    /// Seconds east of Greenwich.
    pub offset: i32,
}

impl TimeTz {
    /// What orders times with zones: the instant in UTC.
    pub fn instant(self) -> i64 {
        self.time - i64::from(self.offset) * 1_000_000
    }

    /// As it is stored.
    pub fn store(self) -> Value {
        // Both parts are moved above zero and written with a fixed width; of equal instants the eastern zone is less.
        let key = format!("{:012}{:06}", self.instant() + 2 * DAY, 200_000 - self.offset);
        Value::Text(format!("{key}{KEY_SEPARATOR}{} {}", self.time, self.offset))
    }

    /// A stored one.
    ///
    /// # Errors
    /// `XX000` when it is none.
    pub fn read(value: ValueRef<'_>) -> Result<Self> {
        let parse = |text: &str| {
            let (time, offset) = text.split_once(KEY_SEPARATOR)?.1.split_once(' ')?;
            Some(Self { time: time.parse().ok()?, offset: offset.parse().ok()? })
        };
        match value {
            ValueRef::Text(text) => parse(text),
            _ => None,
        }
        .ok_or_else(|| SqlError::internal(format!("expected a stored timetz, found {value:?}")))
    }
}

/// The time of day of a local timestamp.
pub fn of_timestamp(local: i64) -> i64 {
    local.rem_euclid(DAY)
}

/// The local time of an instant with its zone.
pub fn timetz_of(instant: i64, zone: &TimeZone) -> TimeTz {
    let offset = timestamp::offset_at(instant, zone);
    TimeTz { time: of_timestamp(instant + i64::from(offset) * 1_000_000), offset }
}

/// Rounds a time to a modifier's digits.
pub fn round(time: i64, modifier: i32) -> i64 {
    timestamp::round_to(time, modifier)
}

fn input_time(text: &str, modifier: i32, cx: &TypeContext<'_>) -> Result<Value> {
    match decode(text, Mode::Time, cx.format)? {
        Decoded::Moment(moment) => Ok(round(moment.time, modifier).into()),
        _ => Err(syntax("time", text)),
    }
}

fn input_timetz(text: &str, modifier: i32, cx: &TypeContext<'_>) -> Result<Value> {
    let Decoded::Moment(moment) = decode(text, Mode::TimeTz, cx.format)? else {
        return Err(syntax("time with time zone", text));
    };
    let offset = match moment.offset {
        Some(offset) => offset,
        None => timestamp::offset_at(cx.format.transaction_time, &cx.format.time_zone),
    };
    Ok(TimeTz { time: round(moment.time, modifier), offset }.store())
}

fn read_time(value: ValueRef<'_>) -> Result<i64> {
    match value {
        ValueRef::Integer(time) => Ok(time),
        other => Err(SqlError::internal(format!("expected a stored time, found {other:?}"))),
    }
}

fn output_time(value: ValueRef<'_>, _cx: &TypeContext<'_>, out: &mut String) -> Result<()> {
    date_output::time(read_time(value)?, out);
    Ok(())
}

fn output_timetz(value: ValueRef<'_>, _cx: &TypeContext<'_>, out: &mut String) -> Result<()> {
    let value = TimeTz::read(value)?;
    date_output::time(value.time, out);
    date_output::offset(value.offset, out);
    Ok(())
}

fn checked(time: i64) -> Result<i64> {
    if (0..=DAY).contains(&time) {
        Ok(time)
    } else {
        Err(error!(DATETIME_VALUE_OUT_OF_RANGE, "time out of range"))
    }
}

fn receive_time(bytes: &[u8], modifier: i32, _cx: &TypeContext<'_>) -> Result<Value> {
    Ok(round(checked(i64::from_be_bytes(exact(bytes)?))?, modifier).into())
}

fn receive_timetz(bytes: &[u8], modifier: i32, _cx: &TypeContext<'_>) -> Result<Value> {
    let bytes: [u8; 12] = exact(bytes)?;
    let time = checked(i64::from_be_bytes(exact(&bytes[..8])?))?;
    let west = i32::from_be_bytes(exact(&bytes[8..])?);
    if !(-57_600..57_600).contains(&west) {
        return Err(error!(INVALID_TIME_ZONE_DISPLACEMENT_VALUE, "time zone displacement out of range"));
    }
    Ok(TimeTz { time: round(time, modifier), offset: -west }.store())
}

fn send_time(value: ValueRef<'_>, _cx: &TypeContext<'_>, out: &mut BytesMut) -> Result<()> {
    out.put_i64(read_time(value)?);
    Ok(())
}

fn send_timetz(value: ValueRef<'_>, _cx: &TypeContext<'_>, out: &mut BytesMut) -> Result<()> {
    let value = TimeTz::read(value)?;
    out.put_i64(value.time);
    out.put_i32(-value.offset);
    Ok(())
}

/// The types.
pub const TYPES: &[TypeEntry] = &[
    TypeEntry {
        oid: types::TIME,
        array: types::_TIME,
        form: StorageForm::Integer,
        input: input_time,
        output: output_time,
        receive: Some(receive_time),
        send: Some(send_time),
    },
    TypeEntry {
        oid: types::TIMETZ,
        array: types::_TIMETZ,
        form: StorageForm::Keyed,
        input: input_timetz,
        output: output_timetz,
        receive: Some(receive_timetz),
        send: Some(send_timetz),
    },
];
