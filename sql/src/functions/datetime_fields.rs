//! Fields of dates, times and intervals: `EXTRACT`, `date_part`, `date_trunc`.
//!
//! Source: `timestamp_part_common`, `interval_part_common`, `timestamp_trunc` in `src/backend/utils/adt/timestamp.c`.

use crate::bound::TypeMod;
use crate::functions::FunctionCall;
use crate::functions::arguments::from_real;
use crate::oid::types as type_oids;
use crate::types::date::{self, DAY, Day};
use crate::types::interval::Interval;
use crate::types::interval_input::{Unit, unit};
use crate::types::{self, timestamp};
use crate::{Result, SqlError, Value, error};

const HOUR: i64 = 3_600_000_000;
const MINUTE: i64 = 60_000_000;
/// Seconds of a mean year, as `epoch` of an interval counts them.
const YEAR_SECONDS_QUARTER: i128 = 36_525 * 864;

/// What a field is taken from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Subject {
    /// A date; it has no time.
    Date,
    /// A local timestamp.
    Timestamp,
    /// A timestamp with time zone, made local, with its offset.
    TimestampTz {
        /// Seconds east of Greenwich.
        offset: i32,
    },
    /// A time.
    Time,
    /// A time with time zone, local, with its offset.
    TimeTz {
        /// Seconds east of Greenwich.
        offset: i32,
    },
    /// An interval.
    Interval(Interval),
}

impl Subject {
    fn type_name(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Timestamp => "timestamp without time zone",
            Self::TimestampTz { .. } => "timestamp with time zone",
            Self::Time => "time without time zone",
            Self::TimeTz { .. } => "time with time zone",
            Self::Interval(_) => "interval",
        }
    }

    fn offset(self) -> Option<i32> {
        match self {
            Self::TimestampTz { offset } | Self::TimeTz { offset } => Some(offset),
            _ => None,
        }
    }
}

/// A field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Unit(Unit),
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    IsoYear,
    Julian,
    Epoch,
    Zone,
    ZoneHour,
    ZoneMinute,
}

fn field(name: &str) -> Option<Field> {
    if let Some(unit) = unit(name) {
        return Some(Field::Unit(unit));
    }
    Some(match name {
        "dow" => Field::DayOfWeek,
        "isodow" => Field::IsoDayOfWeek,
        "doy" => Field::DayOfYear,
        "isoyear" => Field::IsoYear,
        "j" | "jd" | "julian" => Field::Julian,
        "epoch" => Field::Epoch,
        "timezone" => Field::Zone,
        "timezone_h" | "timezone_hour" => Field::ZoneHour,
        "timezone_m" | "timezone_minute" => Field::ZoneMinute,
        _ => return None,
    })
}

/// A field's value: a decimal number of so many digits after the point.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Decimal(i128, u32),
    Infinity(bool),
    Null,
}

impl Number {
    const fn whole(value: i64) -> Self {
        Self::Decimal(value as i128, 0)
    }

    fn text(self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Infinity(positive) => Some(if positive { "Infinity" } else { "-Infinity" }.to_owned()),
            Self::Decimal(value, 0) => Some(value.to_string()),
            Self::Decimal(value, scale) => {
                let unit = 10_u128.pow(scale);
                let sign = if value < 0 { "-" } else { "" };
                let magnitude = value.unsigned_abs();
                Some(format!(
                    "{sign}{}.{:0width$}",
                    magnitude / unit,
                    magnitude % unit,
                    width = scale as usize
                ))
            }
        }
    }

    fn real(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Infinity(positive) => Value::Real(if positive { f64::INFINITY } else { f64::NEG_INFINITY }),
            // Decimal text gives the nearest double; a division would round twice.
            Self::Decimal(..) => {
                from_real(self.text().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN))
            }
        }
    }
}

fn unknown(name: &str, subject: Subject) -> SqlError {
    error!(INVALID_PARAMETER_VALUE, "unit \"{name}\" not recognized for type {}", subject.type_name())
}

fn unsupported(name: &str, subject: Subject) -> SqlError {
    error!(FEATURE_NOT_SUPPORTED, "unit \"{name}\" not supported for type {}", subject.type_name())
}

/// `EXTRACT(name FROM …)`: `local` is the subject's local moment or time of day in µs, unused for intervals.
///
/// # Errors
/// `22023` and `0A000` for names.
pub(crate) fn extract(call: &FunctionCall<'_>, name: &str, local: i64, subject: Subject) -> Result<Value> {
    match number(name, local, subject)?.text() {
        None => Ok(Value::Null),
        Some(text) => types::input(TypeMod::plain(type_oids::NUMERIC), &text, &call.type_context()),
    }
}

/// `date_part(name, …)`.
///
/// # Errors
/// As [`extract`].
pub(crate) fn part(name: &str, local: i64, subject: Subject) -> Result<Value> {
    number(name, local, subject).map(Number::real)
}

fn number(name: &str, local: i64, subject: Subject) -> Result<Number> {
    let name = name.to_ascii_lowercase();
    let field = field(&name).ok_or_else(|| unknown(&name, subject))?;
    let number = match subject {
        Subject::Interval(interval) => of_interval(field, interval),
        Subject::Time | Subject::TimeTz { .. } => of_time(field, local, subject),
        _ if timestamp::is_infinite(local) => of_infinity(field, local > 0, subject),
        _ => of_moment(field, local, subject),
    };
    number.ok_or_else(|| unsupported(&name, subject))
}

fn of_clock(unit: Unit, time: i64) -> Option<Number> {
    Some(match unit {
        Unit::Microsecond => Number::whole(time % MINUTE),
        Unit::Millisecond => Number::Decimal(i128::from(time % MINUTE), 3),
        Unit::Second => Number::Decimal(i128::from(time % MINUTE), 6),
        Unit::Minute => Number::whole(time / MINUTE % 60),
        Unit::Hour => Number::whole(time / HOUR),
        _ => return None,
    })
}

fn of_time(field: Field, time: i64, subject: Subject) -> Option<Number> {
    match field {
        Field::Unit(unit) => of_clock(unit, time),
        Field::Epoch => {
            let offset = i128::from(subject.offset().unwrap_or(0)) * 1_000_000;
            Some(Number::Decimal(i128::from(time) - offset, 6))
        }
        field => of_zone(field, subject),
    }
}

fn of_zone(field: Field, subject: Subject) -> Option<Number> {
    let offset = i64::from(subject.offset()?);
    match field {
        Field::Zone => Some(Number::whole(offset)),
        Field::ZoneHour => Some(Number::whole(offset / 3600)),
        Field::ZoneMinute => Some(Number::whole(offset / 60 % 60)),
        _ => None,
    }
}

fn of_infinity(field: Field, positive: bool, subject: Subject) -> Option<Number> {
    match field {
        Field::Unit(Unit::Year | Unit::Decade | Unit::Century | Unit::Millennium)
        | Field::IsoYear
        | Field::Julian
        | Field::Epoch => Some(Number::Infinity(positive)),
        Field::Unit(unit) if subject == Subject::Date && of_clock(unit, 0).is_some() => None,
        Field::Zone | Field::ZoneHour | Field::ZoneMinute if subject.offset().is_none() => None,
        _ => Some(Number::Null),
    }
}

fn of_moment(field: Field, local: i64, subject: Subject) -> Option<Number> {
    let (days, time) = (local.div_euclid(DAY), local.rem_euclid(DAY));
    let day = Day::from_days(days);
    Some(match field {
        Field::Unit(unit) => match of_clock(unit, time) {
            Some(_) if subject == Subject::Date => return None,
            Some(number) => number,
            None => of_calendar(unit, day)?,
        },
        Field::DayOfWeek => Number::whole(date::day_of_week(days)),
        Field::IsoDayOfWeek => Number::whole((date::day_of_week(days) + 6) % 7 + 1),
        Field::DayOfYear => Number::whole(day.day_of_year()),
        Field::IsoYear => Number::whole(shown_year(date::iso_week(days).0)),
        Field::Julian if subject == Subject::Date => Number::whole(days + date::EPOCH_JULIAN),
        Field::Julian => julian(days, time),
        Field::Epoch if subject == Subject::Date => Number::whole((days + date::UNIX_EPOCH_DAYS) * 86_400),
        Field::Epoch => {
            let offset = i128::from(subject.offset().unwrap_or(0)) * 1_000_000;
            Number::Decimal(i128::from(local) + i128::from(timestamp::UNIX_EPOCH) - offset, 6)
        }
        field => return of_zone(field, subject),
    })
}

/// The Julian day with its fraction, in the digits that numeric division gives.
fn julian(days: i64, time: i64) -> Number {
    const DIGITS: u32 = 20;
    const MIDNIGHT_DIGITS: u32 = 28;
    let whole = i128::from(days + date::EPOCH_JULIAN);
    if time == 0 {
        return Number::Decimal(whole * 10_i128.pow(MIDNIGHT_DIGITS), MIDNIGHT_DIGITS);
    }
    let fraction = (i128::from(time) * 10_i128.pow(DIGITS) + i128::from(DAY) / 2) / i128::from(DAY);
    Number::Decimal(whole * 10_i128.pow(DIGITS) + fraction, DIGITS)
}

fn shown_year(year: i64) -> i64 {
    if year > 0 { year } else { year - 1 }
}

fn of_calendar(unit: Unit, day: Day) -> Option<Number> {
    let year = day.year;
    Some(Number::whole(match unit {
        Unit::Day => i64::from(day.day),
        Unit::Week => date::iso_week(day.days()).1,
        Unit::Month => i64::from(day.month),
        Unit::Quarter => i64::from(day.month - 1) / 3 + 1,
        Unit::Year => shown_year(year),
        Unit::Decade => year.div_euclid(10),
        Unit::Century => {
            if year > 0 {
                (year + 99) / 100
            } else {
                -((99 - (year - 1)) / 100)
            }
        }
        Unit::Millennium => {
            if year > 0 {
                (year + 999) / 1000
            } else {
                -((999 - (year - 1)) / 1000)
            }
        }
        _ => return None,
    }))
}

fn of_interval(field: Field, interval: Interval) -> Option<Number> {
    let (months, time) = (i64::from(interval.months), interval.microseconds);
    Some(match field {
        Field::Unit(unit) => match of_clock(unit, time) {
            Some(number) => number,
            None => Number::whole(match unit {
                Unit::Day => i64::from(interval.days),
                Unit::Month => months % 12,
                Unit::Quarter => months % 12 / 3 + 1,
                Unit::Year => months / 12,
                Unit::Decade => months / 120,
                Unit::Century => months / 1200,
                Unit::Millennium => months / 12_000,
                _ => return None,
            }),
        },
        Field::Epoch => {
            let years = i128::from(months / 12) * YEAR_SECONDS_QUARTER;
            let days = (i128::from(months % 12) * 30 + i128::from(interval.days)) * 86_400;
            Number::Decimal((years + days) * 1_000_000 + i128::from(time), 6)
        }
        _ => return None,
    })
}

/// `date_trunc` of a local moment.
///
/// # Errors
/// `22023` and `0A000` for names.
pub(crate) fn truncate(name: &str, local: i64, subject: Subject) -> Result<i64> {
    if timestamp::is_infinite(local) {
        return Ok(local);
    }
    let name = name.to_ascii_lowercase();
    let Some(unit) = unit(&name) else {
        let known = matches!(field(&name), Some(Field::Zone | Field::ZoneHour | Field::ZoneMinute));
        return Err(if known { unsupported(&name, subject) } else { unknown(&name, subject) });
    };
    let (days, day) = (local.div_euclid(DAY), Day::from_days(local.div_euclid(DAY)));
    let to = |unit: i64| local - local.rem_euclid(unit);
    let start = |year: i64, month: u32| Day { year, month, day: 1 }.days() * DAY;
    let of_years = |years: i64| {
        if day.year > 0 {
            (day.year - 1) / years * years + 1
        } else {
            -((years - (day.year)) / years * years) + 1
        }
    };
    timestamp::checked(match unit {
        Unit::Microsecond => local,
        Unit::Millisecond => to(1000),
        Unit::Second => to(1_000_000),
        Unit::Minute => to(MINUTE),
        Unit::Hour => to(HOUR),
        Unit::Day => to(DAY),
        Unit::Week => (days - (date::day_of_week(days) + 6) % 7) * DAY,
        Unit::Month => start(day.year, day.month),
        Unit::Quarter => start(day.year, (day.month - 1) / 3 * 3 + 1),
        Unit::Year => start(day.year, 1),
        Unit::Decade => start(day.year.div_euclid(10) * 10, 1),
        Unit::Century => start(of_years(100), 1),
        Unit::Millennium => start(of_years(1000), 1),
    })
}

/// `date_trunc` of an interval.
///
/// # Errors
/// As [`truncate`].
pub(crate) fn truncate_interval(name: &str, interval: Interval) -> Result<Interval> {
    let (name, subject) = (name.to_ascii_lowercase(), Subject::Interval(interval));
    let unit = unit(&name).ok_or_else(|| unknown(&name, subject))?;
    let months = |unit: i32| Interval { months: interval.months / unit * unit, days: 0, microseconds: 0 };
    let time = |unit: i64| Interval { microseconds: interval.microseconds / unit * unit, ..interval };
    Ok(match unit {
        Unit::Microsecond => interval,
        Unit::Millisecond => time(1000),
        Unit::Second => time(1_000_000),
        Unit::Minute => time(MINUTE),
        Unit::Hour => time(HOUR),
        Unit::Day => Interval { microseconds: 0, ..interval },
        Unit::Week => return Err(unsupported(&name, subject).detail("Months usually have fractional weeks.")),
        Unit::Month => months(1),
        Unit::Quarter => months(3),
        Unit::Year => months(12),
        Unit::Decade => months(120),
        Unit::Century => months(1200),
        Unit::Millennium => months(12_000),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, local: i64, subject: Subject) -> String {
        number(name, local, subject).unwrap().text().unwrap()
    }

    #[test]
    fn fields_have_postgresqls_digits() {
        let noon = DAY / 2;
        assert_eq!(text("julian", noon, Subject::Timestamp), "2451545.50000000000000000000");
        assert_eq!(text("julian", 45_296_789_000, Subject::Timestamp), "2451545.52426839120370370370");
        assert_eq!(text("julian", 0, Subject::Timestamp), "2451545.0000000000000000000000000000");
        assert_eq!(text("epoch", noon + 500_000, Subject::Timestamp), "946728000.500000");
        assert_eq!(text("epoch", 0, Subject::Date), "946684800");
        let interval = Interval { months: 14, days: 3, microseconds: 4_000_000 };
        assert_eq!(text("epoch", 0, Subject::Interval(interval)), "37000804.000000");
        assert_eq!(text("milliseconds", 3_723_500_000, Subject::Time), "3500.000");
        assert_eq!(text("century", -DAY * 800_000, Subject::Timestamp), "-2");
    }

    #[test]
    fn units_are_refused_by_name() {
        let error = number("hour", 0, Subject::Date).unwrap_err();
        assert_eq!(error.message(), "unit \"hour\" not supported for type date");
        let error = number("foo", 0, Subject::Timestamp).unwrap_err();
        assert_eq!(error.message(), "unit \"foo\" not recognized for type timestamp without time zone");
    }
}
