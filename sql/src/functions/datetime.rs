//! Functions and operators of dates, times and timestamps. Manual, "Date/Time Functions and Operators".
//!
//! Source: `src/backend/utils/adt/date.c`, `timestamp.c`.

use jiff::tz::TimeZone;

use crate::functions::arguments::{Rows, int4, integer, known, native, real, rows, scalar, text};
use crate::functions::datetime_fields::{Subject, extract, part, truncate};
use crate::functions::{Function, FunctionCall};
use crate::session::StatementContext;
use crate::types::date::{self, DAY, Day};
use crate::types::interval::Interval;
use crate::types::time::TimeTz;
use crate::types::{time, timestamp};
use crate::{Result, Value, ValueRef, error};

fn zone(call: &FunctionCall<'_>) -> TimeZone {
    call.context.format.time_zone.clone()
}

/// Adds an interval to a local moment: months first, the day cut to its month's end, then days, then µs.
///
/// # Errors
/// `22008`.
pub(super) fn add_interval(local: i64, interval: Interval) -> Result<i64> {
    if timestamp::is_infinite(local) {
        return Ok(local);
    }
    let moment = add_months_and_days(local, interval)?;
    moment.checked_add(interval.microseconds).ok_or_else(timestamp::out_of_range).and_then(timestamp::checked)
}

fn add_months_and_days(local: i64, interval: Interval) -> Result<i64> {
    let mut days = local.div_euclid(DAY);
    if interval.months != 0 {
        let mut day = Day::from_days(days);
        let months = day.year * 12 + i64::from(day.month) - 1 + i64::from(interval.months);
        (day.year, day.month) = (months.div_euclid(12), months.rem_euclid(12) as u32 + 1);
        day.day = day.day.min(date::days_in_month(day.year, day.month));
        days = day.days();
    }
    let moment = (days + i64::from(interval.days))
        .checked_mul(DAY)
        .and_then(|days| days.checked_add(local.rem_euclid(DAY)));
    moment
        .filter(|moment| (timestamp::MIN..timestamp::END).contains(moment))
        .ok_or_else(timestamp::out_of_range)
}

/// Adds an interval to an instant: months and days are counted on the zone's calendar.
///
/// # Errors
/// `22008`.
pub(super) fn add_interval_in_zone(instant: i64, interval: Interval, zone: &TimeZone) -> Result<i64> {
    if timestamp::is_infinite(instant) {
        return Ok(instant);
    }
    let mut instant = instant;
    if interval.months != 0 || interval.days != 0 {
        let local = add_months_and_days(timestamp::to_local(instant, zone)?, interval)?;
        instant = timestamp::from_local(local, zone)?;
    }
    instant
        .checked_add(interval.microseconds)
        .ok_or_else(timestamp::out_of_range)
        .and_then(timestamp::checked)
}

/// The difference in days and time, without months.
fn subtract(left: i64, right: i64) -> Result<Interval> {
    if timestamp::is_infinite(left) || timestamp::is_infinite(right) {
        return Err(error!(DATETIME_VALUE_OUT_OF_RANGE, "cannot subtract infinite timestamps"));
    }
    Interval::new(0, 0, i128::from(left) - i128::from(right))?.justify_hours()
}

/// The difference in years, months, days and time, as people count it.
fn age(left: i64, right: i64) -> Result<Interval> {
    if timestamp::is_infinite(left) || timestamp::is_infinite(right) {
        return Err(timestamp::out_of_range());
    }
    let split = |moment: i64| (Day::from_days(moment.div_euclid(DAY)), moment.rem_euclid(DAY));
    let ((first, first_time), (second, second_time)) = (split(left), split(right));
    let negative = left < right;
    let sign = if negative { -1 } else { 1 };
    let mut time = sign * (first_time - second_time);
    let mut days = sign * (i64::from(first.day) - i64::from(second.day));
    let mut months =
        sign * ((first.year - second.year) * 12 + i64::from(first.month) - i64::from(second.month));
    while time < 0 {
        time += DAY;
        days -= 1;
    }
    while days < 0 {
        let borrowed = if negative { first } else { second };
        days += i64::from(date::days_in_month(borrowed.year, borrowed.month));
        months -= 1;
    }
    Interval::new(sign * months, sign * days, i128::from(sign * time))
}

/// Moves a moment down to a multiple of a stride counted from an origin.
fn bin(stride: Interval, moment: i64, origin: i64) -> Result<i64> {
    if timestamp::is_infinite(moment) {
        return Ok(moment);
    }
    if timestamp::is_infinite(origin) {
        return Err(error!(DATETIME_VALUE_OUT_OF_RANGE, "origin out of range"));
    }
    if stride.months != 0 {
        return Err(error!(
            FEATURE_NOT_SUPPORTED,
            "timestamps cannot be binned into intervals containing months or years"
        ));
    }
    let stride = stride.total_microseconds();
    if stride <= 0 {
        return Err(error!(DATETIME_VALUE_OUT_OF_RANGE, "stride must be greater than zero"));
    }
    let difference = i128::from(moment) - i128::from(origin);
    let binned = i128::from(origin) + difference - difference.rem_euclid(stride);
    i64::try_from(binned).map_err(|_| timestamp::out_of_range()).and_then(timestamp::checked)
}

/// `HH:MM:SS` out of its parts.
fn make_time(hour: i64, minute: i64, second: f64) -> Result<i64> {
    let refuse = || {
        let mut shown = String::new();
        crate::types::float::format_float8(second, 0).clone_into(&mut shown);
        error!(DATETIME_FIELD_OVERFLOW, "time field value out of range: {hour}:{minute:02}:{shown:0>2}")
    };
    if second.is_nan()
        || !(0..=24).contains(&hour)
        || !(0..60).contains(&minute)
        || !(0.0..=60.0).contains(&second)
    {
        return Err(refuse());
    }
    let time = (hour * 60 + minute) * 60_000_000 + (second * 1e6).round_ties_even() as i64;
    if time > DAY { Err(refuse()) } else { Ok(time) }
}

fn make_date(arguments: &[ValueRef<'_>]) -> Result<i64> {
    let (written, month, day) = (integer(arguments[0])?, integer(arguments[1])?, integer(arguments[2])?);
    let refuse =
        || error!(DATETIME_FIELD_OVERFLOW, "date field value out of range: {written}-{month:02}-{day:02}");
    let year = if written < 0 { written + 1 } else { written };
    let valid = written != 0
        && (1..=12).contains(&month)
        && day >= 1
        && day <= i64::from(date::days_in_month(year, month as u32));
    if !valid {
        return Err(refuse());
    }
    let days = Day { year, month: month as u32, day: day as u32 }.days();
    if (date::MIN..date::END).contains(&days) {
        Ok(days)
    } else {
        Err(error!(DATETIME_VALUE_OUT_OF_RANGE, "date out of range: {written}-{month:02}-{day:02}"))
    }
}

fn make_timestamp(arguments: &[ValueRef<'_>]) -> Result<i64> {
    let days = make_date(arguments)?;
    let time = make_time(integer(arguments[3])?, integer(arguments[4])?, real(arguments[5])?)?;
    days.checked_mul(DAY)
        .and_then(|days| days.checked_add(time))
        .ok_or_else(timestamp::out_of_range)
        .and_then(timestamp::checked)
}

/// The zone that an interval names as an offset east of Greenwich.
fn interval_zone(call: &FunctionCall<'_>, value: ValueRef<'_>) -> Result<i32> {
    let interval = Interval::read(value)?;
    if interval.months != 0 || interval.days != 0 {
        let mut shown = String::new();
        interval.write(call.context.format.interval_style, &mut shown);
        return Err(error!(
            INVALID_PARAMETER_VALUE,
            "interval time zone \"{shown}\" must not include months or days"
        ));
    }
    Ok((interval.microseconds / 1_000_000) as i32)
}

fn shift(moment: i64, seconds: i32) -> Result<i64> {
    if timestamp::is_infinite(moment) {
        return Ok(moment);
    }
    timestamp::checked(moment + i64::from(seconds) * 1_000_000)
}

fn timetz_in(value: TimeTz, offset: i32) -> TimeTz {
    TimeTz { time: (value.instant() + i64::from(offset) * 1_000_000).rem_euclid(DAY), offset }
}

fn timetz_zone(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let zone = timestamp::zone_named(text(arguments[0])?)?;
    let offset = timestamp::offset_at(call.context.format.transaction_time, &zone);
    Ok(timetz_in(TimeTz::read(arguments[1])?, offset).store())
}

/// A time moved by an interval, around the clock.
fn move_time(time: i64, interval: Interval, sign: i64) -> i64 {
    (time + sign * (interval.microseconds % DAY)).rem_euclid(DAY)
}

fn date_shift(days: i64, by: i64) -> Result<Value> {
    if date::is_infinite(days) {
        return Ok(days.into());
    }
    let moved = days.checked_add(by).filter(|days| (date::MIN..date::END).contains(days));
    moved.map(Value::Integer).ok_or_else(date::out_of_range)
}

/// A date at a time of day, as a local moment.
fn date_at(days: i64, time: i64) -> Result<i64> {
    let start = timestamp::of_date(days)?;
    if timestamp::is_infinite(start) { Ok(start) } else { timestamp::checked(start + time) }
}

fn date_at_timetz(days: i64, value: TimeTz) -> Result<Value> {
    let start = timestamp::of_date(days)?;
    if timestamp::is_infinite(start) {
        return Ok(start.into());
    }
    timestamp::checked(start + value.instant()).map(Value::Integer)
}

/// A date as a local moment for comparisons: dates beyond all timestamps compare as the infinities.
fn comparable(days: i64) -> i64 {
    match days {
        date::NEGATIVE_INFINITY => i64::MIN,
        date::INFINITY => i64::MAX,
        days => days.saturating_mul(DAY),
    }
}

/// A local moment as an instant for comparisons.
fn comparable_instant(context: &StatementContext, local: i64) -> i64 {
    if timestamp::is_infinite(local) || !(timestamp::MIN..timestamp::END).contains(&local) {
        return local;
    }
    local - i64::from(timestamp::offset_of_local(local, &context.format.time_zone)) * 1_000_000
}

#[derive(Clone, Copy)]
enum Kind {
    Date,
    Timestamp,
    TimestampTz,
}

/// Compares two values of different types.
fn order(
    call: &FunctionCall<'_>,
    kinds: (Kind, Kind),
    arguments: &[ValueRef<'_>],
) -> Result<std::cmp::Ordering> {
    let instants = matches!(kinds, (Kind::TimestampTz, _) | (_, Kind::TimestampTz));
    let read = |kind: Kind, value: ValueRef<'_>| -> Result<i64> {
        let stored = integer(value)?;
        Ok(match kind {
            Kind::TimestampTz => stored,
            Kind::Date if instants => comparable_instant(call.context, comparable(stored)),
            Kind::Date => comparable(stored),
            Kind::Timestamp if instants => comparable_instant(call.context, stored),
            Kind::Timestamp => stored,
        })
    };
    Ok(read(kinds.0, arguments[0])?.cmp(&read(kinds.1, arguments[1])?))
}

/// `(start, end) OVERLAPS (start, end)` with SQL's rules for NULLs: true when that follows from what is known.
fn overlaps(mut first: [Option<i128>; 2], mut second: [Option<i128>; 2]) -> Option<bool> {
    for pair in [&mut first, &mut second] {
        match *pair {
            [None, None] => return None,
            [None, Some(end)] => *pair = [Some(end), None],
            [Some(start), Some(end)] if start > end => *pair = [Some(end), Some(start)],
            _ => {}
        }
    }
    let (Some(first_start), Some(second_start)) = (first[0], second[0]) else { return None };
    match first_start.cmp(&second_start) {
        std::cmp::Ordering::Greater => within(first_start, first[1], second[1]),
        std::cmp::Ordering::Less => within(second_start, second[1], first[1]),
        std::cmp::Ordering::Equal => (first[1].is_some() && second[1].is_some()).then_some(true),
    }
}

/// Whether the later period, which begins here, begins inside the earlier one.
fn within(later_start: i128, later_end: Option<i128>, earlier_end: Option<i128>) -> Option<bool> {
    match earlier_end {
        None => None,
        Some(end) if later_start < end => later_end.map(|_| true),
        Some(_) => Some(false),
    }
}

type PointReader = fn(ValueRef<'_>) -> Result<i128>;
type PointShift = fn(&FunctionCall<'_>, i128, Interval) -> Result<i128>;

fn optional(value: ValueRef<'_>, read: PointReader) -> Result<Option<i128>> {
    if value.is_null() { Ok(None) } else { read(value).map(Some) }
}

/// OVERLAPS where some of the ends are given as intervals after their starts.
fn overlaps_with(
    call: &FunctionCall<'_>,
    arguments: &[ValueRef<'_>],
    intervals: (bool, bool),
    read: PointReader,
    shift: PointShift,
) -> Result<Value> {
    let end = |start: Option<i128>, value: ValueRef<'_>, is_interval: bool| -> Result<Option<i128>> {
        match (is_interval, start) {
            (false, _) => optional(value, read),
            (true, Some(start)) if !value.is_null() => shift(call, start, Interval::read(value)?).map(Some),
            (true, _) => Ok(None),
        }
    };
    let (first, second) = (optional(arguments[0], read)?, optional(arguments[2], read)?);
    let (first_end, second_end) =
        (end(first, arguments[1], intervals.0)?, end(second, arguments[3], intervals.1)?);
    Ok(overlaps([first, first_end], [second, second_end]).into())
}

fn plain(value: ValueRef<'_>) -> Result<i128> {
    integer(value).map(i128::from)
}

fn timetz_point(value: ValueRef<'_>) -> Result<i128> {
    let value = TimeTz::read(value)?;
    // Of equal instants the zone decides, as in comparisons.
    Ok(i128::from(value.instant()) * 1_000_000 - i128::from(value.offset))
}

fn shift_time(_: &FunctionCall<'_>, time: i128, interval: Interval) -> Result<i128> {
    Ok(i128::from(move_time(time as i64, interval, 1)))
}

fn shift_local(_: &FunctionCall<'_>, local: i128, interval: Interval) -> Result<i128> {
    add_interval(local as i64, interval).map(i128::from)
}

fn shift_instant(call: &FunctionCall<'_>, instant: i128, interval: Interval) -> Result<i128> {
    add_interval_in_zone(instant as i64, interval, &zone(call)).map(i128::from)
}

/// The moments from one to another by steps.
struct Series {
    next: Option<i64>,
    end: i64,
    step: Interval,
    upwards: bool,
    zone: Option<TimeZone>,
}

impl Iterator for Series {
    type Item = Result<Vec<Value>>;

    fn next(&mut self) -> Option<Self::Item> {
        let current = self.next.take()?;
        if (self.upwards && current > self.end) || (!self.upwards && current < self.end) {
            return None;
        }
        let following = match &self.zone {
            Some(zone) => add_interval_in_zone(current, self.step, zone),
            None => add_interval(current, self.step),
        };
        match following {
            Ok(next) => self.next = Some(next),
            Err(error) => return Some(Err(error)),
        }
        Some(Ok(vec![current.into()]))
    }
}

fn series(arguments: &[ValueRef<'_>], zone: Option<TimeZone>) -> Result<Rows> {
    let step = Interval::read(arguments[2])?;
    let length = step.total_microseconds();
    if length == 0 {
        return Err(error!(INVALID_PARAMETER_VALUE, "step size cannot equal zero"));
    }
    let (start, end) = (integer(arguments[0])?, integer(arguments[1])?);
    Ok(Box::new(Series { next: Some(start), end, step, upwards: length > 0, zone }))
}

fn from_unix_seconds(seconds: f64) -> Result<i64> {
    if seconds.is_nan() {
        return Err(error!(DATETIME_VALUE_OUT_OF_RANGE, "timestamp cannot be NaN"));
    }
    if seconds.is_infinite() {
        return Ok(if seconds > 0.0 { timestamp::INFINITY } else { timestamp::NEGATIVE_INFINITY });
    }
    let shifted = seconds - timestamp::UNIX_EPOCH as f64 / 1e6;
    let refuse = || error!(DATETIME_VALUE_OUT_OF_RANGE, "timestamp out of range: \"{seconds}\"");
    if !(timestamp::MIN as f64 / 1e6..timestamp::END as f64 / 1e6).contains(&shifted) {
        return Err(refuse());
    }
    timestamp::checked((shifted * 1e6).round_ties_even() as i64).map_err(|_| refuse())
}

/// The seven comparisons of values that are stored so that SQLite compares them rightly.
macro_rules! native_comparisons {
    ($prefix:literal, $collate:literal) => {
        [
            native(concat!($prefix, "_eq"), concat!("({0} = {1}", $collate, ")")),
            native(concat!($prefix, "_ne"), concat!("({0} <> {1}", $collate, ")")),
            native(concat!($prefix, "_lt"), concat!("({0} < {1}", $collate, ")")),
            native(concat!($prefix, "_le"), concat!("({0} <= {1}", $collate, ")")),
            native(concat!($prefix, "_gt"), concat!("({0} > {1}", $collate, ")")),
            native(concat!($prefix, "_ge"), concat!("({0} >= {1}", $collate, ")")),
            native(
                concat!($prefix, "_cmp"),
                concat!("(({0} > {1}", $collate, ") - ({0} < {1}", $collate, "))"),
            ),
            native(
                concat!($prefix, "_larger"),
                concat!("CASE WHEN {0} > {1}", $collate, " THEN {0} ELSE {1} END"),
            ),
            native(
                concat!($prefix, "_smaller"),
                concat!("CASE WHEN {0} < {1}", $collate, " THEN {0} ELSE {1} END"),
            ),
        ]
    };
}
pub(crate) use native_comparisons;

/// The seven comparisons between two types.
macro_rules! comparisons {
    ($left:literal, $right:literal, $kinds:expr) => {
        [
            scalar(concat!($left, "_eq_", $right), |c, a| Ok(order(c, $kinds, a)?.is_eq().into())),
            scalar(concat!($left, "_ne_", $right), |c, a| Ok(order(c, $kinds, a)?.is_ne().into())),
            scalar(concat!($left, "_lt_", $right), |c, a| Ok(order(c, $kinds, a)?.is_lt().into())),
            scalar(concat!($left, "_le_", $right), |c, a| Ok(order(c, $kinds, a)?.is_le().into())),
            scalar(concat!($left, "_gt_", $right), |c, a| Ok(order(c, $kinds, a)?.is_gt().into())),
            scalar(concat!($left, "_ge_", $right), |c, a| Ok(order(c, $kinds, a)?.is_ge().into())),
            scalar(concat!($left, "_cmp_", $right), |c, a| Ok((order(c, $kinds, a)? as i64).into())),
        ]
    };
}

/// Comparisons of dates.
pub(super) const DATE_COMPARISONS: &[Function] = &native_comparisons!("date", "");
/// Comparisons of both kinds of timestamps.
pub(super) const TIMESTAMP_COMPARISONS: &[Function] = &native_comparisons!("timestamp", "");
/// Comparisons of times.
pub(super) const TIME_COMPARISONS: &[Function] = &native_comparisons!("time", "");
/// Comparisons of times with zones.
pub(super) const TIMETZ_COMPARISONS: &[Function] = &native_comparisons!("timetz", " COLLATE pgkey");
/// Comparisons between dates and timestamps.
pub(super) const DATE_TIMESTAMP: &[Function] =
    &comparisons!("date", "timestamp", (Kind::Date, Kind::Timestamp));
/// Comparisons between dates and timestamps with time zone.
pub(super) const DATE_TIMESTAMPTZ: &[Function] =
    &comparisons!("date", "timestamptz", (Kind::Date, Kind::TimestampTz));
/// Comparisons between timestamps and dates.
pub(super) const TIMESTAMP_DATE: &[Function] =
    &comparisons!("timestamp", "date", (Kind::Timestamp, Kind::Date));
/// Comparisons between timestamps without and with time zone.
pub(super) const TIMESTAMP_TIMESTAMPTZ: &[Function] =
    &comparisons!("timestamp", "timestamptz", (Kind::Timestamp, Kind::TimestampTz));
/// Comparisons between timestamps with time zone and dates.
pub(super) const TIMESTAMPTZ_DATE: &[Function] =
    &comparisons!("timestamptz", "date", (Kind::TimestampTz, Kind::Date));
/// Comparisons between timestamps with and without time zone.
pub(super) const TIMESTAMPTZ_TIMESTAMP: &[Function] =
    &comparisons!("timestamptz", "timestamp", (Kind::TimestampTz, Kind::Timestamp));

/// Functions whose result is a moment now.
pub(super) const CLOCK: &[Function] = &[
    scalar("now", |call, _| Ok(call.context.format.transaction_time.into())),
    scalar("statement_timestamp", |call, _| Ok(call.context.statement_time.into())),
    scalar("clock_timestamp", |_, _| Ok(timestamp::now()?.into())),
    scalar("timeofday", |call, _| {
        let now = timestamp::now()?;
        let (offset, name, _) = timestamp::zone_at(now, &call.context.format.time_zone);
        let local = now + i64::from(offset) * 1_000_000;
        let (day, clock) = (Day::from_days(local.div_euclid(DAY)), local.rem_euclid(DAY));
        let weekday = &crate::types::date_names::DAYS[date::day_of_week(day.days()) as usize][..3];
        let month = &crate::types::date_names::MONTHS[day.month as usize - 1][..3];
        let (seconds, fraction) = (clock / 1_000_000, clock % 1_000_000);
        Ok(format!(
            "{weekday} {month} {:02} {:02}:{:02}:{:02}.{fraction:06} {:04} {name}",
            day.day,
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60,
            day.year
        )
        .into())
    }),
];

/// Dates.
pub(super) const DATES: &[Function] = &[
    scalar("date_finite", |_, a| Ok((!date::is_infinite(integer(a[0])?)).into())),
    scalar("date_pli", |_, a| date_shift(integer(a[0])?, integer(a[1])?)),
    scalar("date_mii", |_, a| date_shift(integer(a[0])?, -integer(a[1])?)),
    scalar("integer_pl_date(int4,date)", |_, a| date_shift(integer(a[1])?, integer(a[0])?)),
    scalar("date_mi", |_, a| {
        let (left, right) = (integer(a[0])?, integer(a[1])?);
        if date::is_infinite(left) || date::is_infinite(right) {
            return Err(error!(DATETIME_VALUE_OUT_OF_RANGE, "cannot subtract infinite dates"));
        }
        Ok((left - right).into())
    }),
    scalar("date_pl_interval", |_, a| {
        Ok(add_interval(timestamp::of_date(integer(a[0])?)?, Interval::read(a[1])?)?.into())
    }),
    scalar("interval_pl_date(interval,date)", |_, a| {
        Ok(add_interval(timestamp::of_date(integer(a[1])?)?, Interval::read(a[0])?)?.into())
    }),
    scalar("date_mi_interval", |_, a| {
        Ok(add_interval(timestamp::of_date(integer(a[0])?)?, Interval::read(a[1])?.negated()?)?.into())
    }),
    scalar("date_timestamp", |_, a| Ok(timestamp::of_date(integer(a[0])?)?.into())),
    scalar("date_timestamptz", |c, a| {
        Ok(timestamp::from_local(timestamp::of_date(integer(a[0])?)?, &zone(c))?.into())
    }),
    scalar("timestamp_date", |_, a| Ok(date::from_timestamp(integer(a[0])?).into())),
    scalar("timestamptz_date", |c, a| {
        Ok(date::from_timestamp(timestamp::to_local(integer(a[0])?, &zone(c))?).into())
    }),
    scalar("datetime_timestamp", |_, a| Ok(date_at(integer(a[0])?, integer(a[1])?)?.into())),
    scalar("timedate_pl(time,date)", |_, a| Ok(date_at(integer(a[1])?, integer(a[0])?)?.into())),
    scalar("timestamptz(date,time)", |c, a| {
        Ok(timestamp::from_local(date_at(integer(a[0])?, integer(a[1])?)?, &zone(c))?.into())
    }),
    scalar("datetimetz_timestamptz", |_, a| date_at_timetz(integer(a[0])?, TimeTz::read(a[1])?)),
    scalar("timetzdate_pl(timetz,date)", |_, a| date_at_timetz(integer(a[1])?, TimeTz::read(a[0])?)),
    scalar("make_date", |_, a| Ok(make_date(a)?.into())),
];

/// Timestamps.
pub(super) const TIMESTAMPS: &[Function] = &[
    scalar("timestamp_finite", |_, a| Ok((!timestamp::is_infinite(integer(a[0])?)).into())),
    scalar("timestamp_pl_interval", |_, a| Ok(add_interval(integer(a[0])?, Interval::read(a[1])?)?.into())),
    scalar("interval_pl_timestamp(interval,timestamp)", |_, a| {
        Ok(add_interval(integer(a[1])?, Interval::read(a[0])?)?.into())
    }),
    scalar("timestamp_mi_interval", |_, a| {
        Ok(add_interval(integer(a[0])?, Interval::read(a[1])?.negated()?)?.into())
    }),
    scalar("timestamptz_pl_interval", |c, a| {
        Ok(add_interval_in_zone(integer(a[0])?, Interval::read(a[1])?, &zone(c))?.into())
    }),
    scalar("interval_pl_timestamptz(interval,timestamptz)", |c, a| {
        Ok(add_interval_in_zone(integer(a[1])?, Interval::read(a[0])?, &zone(c))?.into())
    }),
    scalar("timestamptz_mi_interval", |c, a| {
        Ok(add_interval_in_zone(integer(a[0])?, Interval::read(a[1])?.negated()?, &zone(c))?.into())
    }),
    scalar("timestamp_mi", |_, a| Ok(subtract(integer(a[0])?, integer(a[1])?)?.store())),
    scalar("timestamp_age", |_, a| Ok(age(integer(a[0])?, integer(a[1])?)?.store())),
    scalar("timestamptz_age", |c, a| {
        let zone = zone(c);
        Ok(age(timestamp::to_local(integer(a[0])?, &zone)?, timestamp::to_local(integer(a[1])?, &zone)?)?
            .store())
    }),
    scalar("age(timestamp)", |c, a| Ok(age(today(c)?, integer(a[0])?)?.store())),
    scalar("age(timestamptz)", |c, a| {
        Ok(age(today(c)?, timestamp::to_local(integer(a[0])?, &zone(c))?)?.store())
    }),
    scalar("timestamp_timestamptz", |c, a| Ok(timestamp::from_local(integer(a[0])?, &zone(c))?.into())),
    scalar("timestamptz_timestamp", |c, a| Ok(timestamp::to_local(integer(a[0])?, &zone(c))?.into())),
    scalar("timestamp_scale", |_, a| Ok(timestamp::round_to(integer(a[0])?, int4(a[1])?).into())),
    scalar("timestamptz_scale", |_, a| Ok(timestamp::round_to(integer(a[0])?, int4(a[1])?).into())),
    scalar("timestamp_zone", |_, a| {
        Ok(timestamp::from_local(integer(a[1])?, &timestamp::zone_named(text(a[0])?)?)?.into())
    }),
    scalar("timestamptz_zone", |_, a| {
        Ok(timestamp::to_local(integer(a[1])?, &timestamp::zone_named(text(a[0])?)?)?.into())
    }),
    scalar("timestamp_izone", |c, a| Ok(shift(integer(a[1])?, -interval_zone(c, a[0])?)?.into())),
    scalar("timestamptz_izone", |c, a| Ok(shift(integer(a[1])?, interval_zone(c, a[0])?)?.into())),
    scalar("timestamp_trunc", |_, a| Ok(truncate(text(a[0])?, integer(a[1])?, Subject::Timestamp)?.into())),
    scalar("timestamptz_trunc", |c, a| truncate_in_zone(text(a[0])?, integer(a[1])?, &zone(c))),
    scalar("timestamptz_trunc_zone", |_, a| {
        truncate_in_zone(text(a[0])?, integer(a[1])?, &timestamp::zone_named(text(a[2])?)?)
    }),
    scalar("timestamp_bin", |_, a| Ok(bin(Interval::read(a[0])?, integer(a[1])?, integer(a[2])?)?.into())),
    scalar("timestamptz_bin", |_, a| Ok(bin(Interval::read(a[0])?, integer(a[1])?, integer(a[2])?)?.into())),
    scalar("make_timestamp", |_, a| Ok(make_timestamp(a)?.into())),
    scalar("make_timestamptz", |c, a| Ok(timestamp::from_local(make_timestamp(a)?, &zone(c))?.into())),
    scalar("make_timestamptz_at_timezone", |_, a| {
        Ok(timestamp::from_local(make_timestamp(a)?, &timestamp::zone_named(text(a[6])?)?)?.into())
    }),
    scalar("float8_timestamptz", |_, a| Ok(from_unix_seconds(real(a[0])?)?.into())),
    rows("generate_series_timestamp", |_, a| series(a, None)),
    rows("generate_series_timestamptz", |c, a| series(a, Some(zone(c)))),
];

fn today(call: &FunctionCall<'_>) -> Result<i64> {
    let local = timestamp::to_local(call.context.format.transaction_time, &call.context.format.time_zone)?;
    Ok(local.div_euclid(DAY) * DAY)
}

fn truncate_in_zone(unit: &str, instant: i64, zone: &TimeZone) -> Result<Value> {
    if timestamp::is_infinite(instant) {
        return Ok(instant.into());
    }
    let local = timestamp::to_local(instant, zone)?;
    let truncated = truncate(unit, local, Subject::TimestampTz { offset: 0 })?;
    // Below a day the offset stays as it was, also inside the hour that a change of the clock repeats.
    if local - truncated < DAY
        && local.div_euclid(DAY) == truncated.div_euclid(DAY)
        && truncated.rem_euclid(DAY) != 0
    {
        return Ok((instant - (local - truncated)).into());
    }
    timestamp::from_local(truncated, zone).map(Value::Integer)
}

/// Times.
pub(super) const TIMES: &[Function] = &[
    scalar("timestamp_time", |_, a| Ok(finite_time(integer(a[0])?))),
    scalar("timestamptz_time", |c, a| Ok(finite_time(timestamp::to_local(integer(a[0])?, &zone(c))?))),
    scalar("timestamptz_timetz", |c, a| {
        let instant = integer(a[0])?;
        if timestamp::is_infinite(instant) {
            Ok(Value::Null)
        } else {
            Ok(time::timetz_of(instant, &zone(c)).store())
        }
    }),
    scalar("timetz_time", |_, a| Ok(TimeTz::read(a[0])?.time.into())),
    scalar("time_timetz", |c, a| {
        let format = &c.context.format;
        let offset = timestamp::offset_at(format.transaction_time, &format.time_zone);
        Ok(TimeTz { time: integer(a[0])?, offset }.store())
    }),
    scalar("time_interval", |_, a| {
        Ok(Interval { microseconds: integer(a[0])?, ..Interval::default() }.store())
    }),
    scalar("interval_time", |_, a| Ok(Interval::read(a[0])?.microseconds.rem_euclid(DAY).into())),
    scalar("time_pl_interval", |_, a| Ok(move_time(integer(a[0])?, Interval::read(a[1])?, 1).into())),
    scalar("interval_pl_time(interval,time)", |_, a| {
        Ok(move_time(integer(a[1])?, Interval::read(a[0])?, 1).into())
    }),
    scalar("time_mi_interval", |_, a| Ok(move_time(integer(a[0])?, Interval::read(a[1])?, -1).into())),
    scalar("timetz_pl_interval", |_, a| move_timetz(a[0], a[1], 1)),
    scalar("interval_pl_timetz(interval,timetz)", |_, a| move_timetz(a[1], a[0], 1)),
    scalar("timetz_mi_interval", |_, a| move_timetz(a[0], a[1], -1)),
    scalar("time_mi_time", |_, a| {
        Ok(Interval { microseconds: integer(a[0])? - integer(a[1])?, ..Interval::default() }.store())
    }),
    scalar("time_scale", |_, a| Ok(time::round(integer(a[0])?, int4(a[1])?).into())),
    scalar("timetz_scale", |_, a| {
        let value = TimeTz::read(a[0])?;
        Ok(TimeTz { time: time::round(value.time, int4(a[1])?), ..value }.store())
    }),
    scalar("timetz_zone", timetz_zone),
    scalar("timetz_izone", |c, a| Ok(timetz_in(TimeTz::read(a[1])?, interval_zone(c, a[0])?).store())),
    scalar("make_time", |_, a| Ok(make_time(integer(a[0])?, integer(a[1])?, real(a[2])?)?.into())),
];

fn finite_time(local: i64) -> Value {
    if timestamp::is_infinite(local) { Value::Null } else { time::of_timestamp(local).into() }
}

fn move_timetz(value: ValueRef<'_>, interval: ValueRef<'_>, sign: i64) -> Result<Value> {
    let value = TimeTz::read(value)?;
    Ok(TimeTz { time: move_time(value.time, Interval::read(interval)?, sign), ..value }.store())
}

fn subject_of(call: &FunctionCall<'_>, instant: i64) -> Subject {
    let offset = if timestamp::is_infinite(instant) {
        0
    } else {
        timestamp::offset_at(instant, &call.context.format.time_zone)
    };
    Subject::TimestampTz { offset }
}

fn local_instant(call: &FunctionCall<'_>, instant: i64) -> Result<i64> {
    timestamp::to_local(instant, &call.context.format.time_zone)
}

/// `EXTRACT` and `date_part`.
pub(super) const FIELDS: &[Function] = &[
    scalar("extract_date", |c, a| extract(c, text(a[0])?, comparable(integer(a[1])?), Subject::Date)),
    scalar("date_part(text,date)", |_, a| part(text(a[0])?, comparable(integer(a[1])?), Subject::Timestamp)),
    scalar("extract_timestamp", |c, a| extract(c, text(a[0])?, integer(a[1])?, Subject::Timestamp)),
    scalar("timestamp_part", |_, a| part(text(a[0])?, integer(a[1])?, Subject::Timestamp)),
    scalar("extract_timestamptz", |c, a| {
        let (instant, subject) = (integer(a[1])?, subject_of(c, integer(a[1])?));
        extract(c, text(a[0])?, local_instant(c, instant)?, subject)
    }),
    scalar("timestamptz_part", |c, a| {
        let (instant, subject) = (integer(a[1])?, subject_of(c, integer(a[1])?));
        part(text(a[0])?, local_instant(c, instant)?, subject)
    }),
    scalar("extract_time", |c, a| extract(c, text(a[0])?, integer(a[1])?, Subject::Time)),
    scalar("time_part", |_, a| part(text(a[0])?, integer(a[1])?, Subject::Time)),
    scalar("extract_timetz", |c, a| {
        let value = TimeTz::read(a[1])?;
        extract(c, text(a[0])?, value.time, Subject::TimeTz { offset: value.offset })
    }),
    scalar("timetz_part", |_, a| {
        let value = TimeTz::read(a[1])?;
        part(text(a[0])?, value.time, Subject::TimeTz { offset: value.offset })
    }),
    scalar("extract_interval", |c, a| extract(c, text(a[0])?, 0, Subject::Interval(Interval::read(a[1])?))),
    scalar("interval_part", |_, a| part(text(a[0])?, 0, Subject::Interval(Interval::read(a[1])?))),
];

/// A zone's offset as an interval, as the views of time zones show it.
fn offset_interval(seconds: i32) -> Value {
    Interval { microseconds: i64::from(seconds) * 1_000_000, ..Interval::default() }.store()
}

/// The rows of `pg_timezone_names`, with what holds at the start of the transaction.
fn zone_names(call: &mut FunctionCall<'_>, _: &[ValueRef<'_>]) -> Result<Rows> {
    let now = call.context.format.transaction_time;
    let row = |name: &str| {
        let zone = crate::types::date_names::zone(name)?;
        let (offset, abbreviation, summer) = timestamp::zone_at(now, &zone);
        Some(vec![name.into(), abbreviation.into(), offset_interval(offset), summer.into()])
    };
    Ok(known(jiff::tz::db().available().filter_map(|name| row(name.as_str())).collect()))
}

/// The rows of `pg_timezone_abbrevs`.
fn zone_abbreviations(_: &mut FunctionCall<'_>, _: &[ValueRef<'_>]) -> Result<Rows> {
    let names = crate::types::date_names::ZONE_ABBREVIATIONS.iter();
    let row = |(name, offset, summer): &(&str, i32, bool)| {
        vec![name.to_ascii_uppercase().into(), offset_interval(*offset), (*summer).into()]
    };
    Ok(known(names.map(row).collect()))
}

/// The time zones there are.
pub(super) const ZONES: &[Function] =
    &[rows("pg_timezone_names", zone_names), rows("pg_timezone_abbrevs", zone_abbreviations)];

/// OVERLAPS.
pub(super) const OVERLAPS: &[Function] = &[
    scalar("overlaps_time", |c, a| overlaps_with(c, a, (false, false), plain, shift_time)),
    scalar("overlaps_timetz", |c, a| overlaps_with(c, a, (false, false), timetz_point, shift_time)),
    scalar("overlaps_timestamp", |c, a| overlaps_with(c, a, (false, false), plain, shift_local)),
    scalar("overlaps(time,interval,time,interval)", |c, a| {
        overlaps_with(c, a, (true, true), plain, shift_time)
    }),
    scalar("overlaps(time,interval,time,time)", |c, a| overlaps_with(c, a, (true, false), plain, shift_time)),
    scalar("overlaps(time,time,time,interval)", |c, a| overlaps_with(c, a, (false, true), plain, shift_time)),
    scalar("overlaps(timestamp,interval,timestamp,interval)", |c, a| {
        overlaps_with(c, a, (true, true), plain, shift_local)
    }),
    scalar("overlaps(timestamp,interval,timestamp,timestamp)", |c, a| {
        overlaps_with(c, a, (true, false), plain, shift_local)
    }),
    scalar("overlaps(timestamp,timestamp,timestamp,interval)", |c, a| {
        overlaps_with(c, a, (false, true), plain, shift_local)
    }),
    scalar("overlaps(timestamptz,interval,timestamptz,interval)", |c, a| {
        overlaps_with(c, a, (true, true), plain, shift_instant)
    }),
    scalar("overlaps(timestamptz,interval,timestamptz,timestamptz)", |c, a| {
        overlaps_with(c, a, (true, false), plain, shift_instant)
    }),
    scalar("overlaps(timestamptz,timestamptz,timestamptz,interval)", |c, a| {
        overlaps_with(c, a, (false, true), plain, shift_instant)
    }),
];
