//! Writing dates and times in the styles of `DateStyle`.
//!
//! Source: `EncodeDateOnly`, `EncodeTimeOnly`, `EncodeDateTime` in `src/backend/utils/adt/datetime.c`.

use std::fmt::Write;

use super::date::{self, DAY, Day};
use super::{DateOrder, DateStyle, FormatSettings, date_names, timestamp};

/// Appends, ignoring the error that writing to a string cannot give.
macro_rules! put {
    ($out:expr, $($text:tt)+) => {{
        let _ = write!($out, $($text)+);
    }};
}

/// Appends a date.
pub fn date(days: i64, settings: &FormatSettings, out: &mut String) {
    match days {
        date::INFINITY => return out.push_str("infinity"),
        date::NEGATIVE_INFINITY => return out.push_str("-infinity"),
        _ => {}
    }
    let day = Day::from_days(days);
    let (year, month) = (day.displayed_year(), day.month);
    let (first, second) =
        if settings.date_order == DateOrder::Dmy { (day.day, month) } else { (month, day.day) };
    match settings.date_style {
        DateStyle::Iso => put!(out, "{year:04}-{month:02}-{:02}", day.day),
        DateStyle::Sql => put!(out, "{first:02}/{second:02}/{year:04}"),
        DateStyle::German => put!(out, "{:02}.{month:02}.{year:04}", day.day),
        DateStyle::Postgres => put!(out, "{first:02}-{second:02}-{year:04}"),
    }
    era(day, out);
}

fn era(day: Day, out: &mut String) {
    if day.year <= 0 {
        out.push_str(" BC");
    }
}

/// Appends a time of day, with as many digits of the second as it needs.
pub fn time(time: i64, out: &mut String) {
    let seconds = time / 1_000_000;
    put!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    fraction(time % 1_000_000, out);
}

/// Appends a fraction of a second without trailing zeros.
pub fn fraction(microseconds: i64, out: &mut String) {
    if microseconds != 0 {
        let digits = format!("{:06}", microseconds.abs());
        put!(out, ".{}", digits.trim_end_matches('0'));
    }
}

/// Appends an offset: `+02`, `-03:30`, `+00:19:32`.
pub fn offset(seconds: i32, out: &mut String) {
    let (sign, seconds) = (if seconds < 0 { '-' } else { '+' }, seconds.abs());
    put!(out, "{sign}{:02}", seconds / 3600);
    if seconds % 3600 != 0 {
        put!(out, ":{:02}", seconds / 60 % 60);
    }
    if seconds % 60 != 0 {
        put!(out, ":{:02}", seconds % 60);
    }
}

/// Appends a local timestamp.
pub fn timestamp(local: i64, settings: &FormatSettings, out: &mut String) {
    moment(local, None, settings, out);
}

/// Appends an instant in the session's zone.
pub fn timestamptz(instant: i64, settings: &FormatSettings, out: &mut String) {
    if timestamp::is_infinite(instant) {
        return moment(instant, None, settings, out);
    }
    let (seconds, abbreviation, _) = timestamp::zone_at(instant, &settings.time_zone);
    moment(instant + i64::from(seconds) * 1_000_000, Some((seconds, &abbreviation)), settings, out);
}

fn moment(local: i64, zone: Option<(i32, &str)>, settings: &FormatSettings, out: &mut String) {
    match local {
        timestamp::INFINITY => return out.push_str("infinity"),
        timestamp::NEGATIVE_INFINITY => return out.push_str("-infinity"),
        _ => {}
    }
    let days = local.div_euclid(DAY);
    let (day, clock) = (Day::from_days(days), local.rem_euclid(DAY));
    match settings.date_style {
        DateStyle::Iso => {
            put!(out, "{:04}-{:02}-{:02} ", day.displayed_year(), day.month, day.day);
            time(clock, out);
            if let Some((seconds, _)) = zone {
                offset(seconds, out);
            }
        }
        DateStyle::Sql | DateStyle::German => {
            let (first, second) = match (settings.date_style, settings.date_order) {
                (DateStyle::German, _) | (_, DateOrder::Dmy) => (day.day, day.month),
                _ => (day.month, day.day),
            };
            let separator = if settings.date_style == DateStyle::German { '.' } else { '/' };
            put!(out, "{first:02}{separator}{second:02}{separator}{:04} ", day.displayed_year());
            time(clock, out);
            if let Some((seconds, name)) = zone {
                zone_name(seconds, name, out);
            }
        }
        DateStyle::Postgres => {
            let weekday = date_names::DAYS[date::day_of_week(days) as usize];
            let month = &date_names::MONTHS[day.month as usize - 1][..3];
            put!(out, "{} ", &weekday[..3]);
            if settings.date_order == DateOrder::Dmy {
                put!(out, "{:02} {month} ", day.day);
            } else {
                put!(out, "{month} {:02} ", day.day);
            }
            time(clock, out);
            put!(out, " {:04}", day.displayed_year());
            if let Some((seconds, name)) = zone {
                zone_name(seconds, name, out);
            }
        }
    }
    era(day, out);
}

fn zone_name(seconds: i32, name: &str, out: &mut String) {
    out.push(' ');
    if name.is_empty() {
        offset(seconds, out);
    } else {
        out.push_str(name);
    }
}
