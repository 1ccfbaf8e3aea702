//! Input and output of dates and intervals, compared with PostgreSQL's answers (time zone America/New_York, DateStyle
//! ISO, MDY).

use super::date_input::{Decoded, Mode, decode};
use super::interval_input;
use super::{DateOrder, DateStyle, FormatSettings, IntervalStyle, TypeContext, timestamp};
use crate::Value;

fn settings() -> FormatSettings {
    FormatSettings {
        time_zone: jiff::tz::TimeZone::get("America/New_York").unwrap(),
        date_style: DateStyle::Iso,
        date_order: DateOrder::Mdy,
        interval_style: IntervalStyle::Postgres,
        extra_float_digits: 1,
        bytea_escape: false,
        transaction_time: 0,
    }
}

/// The text form of what a text reads as, or the SQLSTATE.
fn shown(text: &str, ty: usize) -> String {
    let catalog = crate::catalog::Catalog::built_in();
    let settings = settings();
    let cx = TypeContext { catalog: &catalog, format: &settings, search_path: &[] };
    let entry = &timestamp::TYPES[ty];
    let stored: crate::Result<Value> = (entry.input)(text, -1, &cx);
    match stored {
        Err(error) => error.code().to_string(),
        Ok(value) => {
            let mut out = String::new();
            (entry.output)(value.as_ref(), &cx, &mut out).unwrap();
            out
        }
    }
}

#[test]
fn timestamps_read_and_write_as_in_postgresql() {
    let cases = [
        ("2024-03-10 02:30:00", "2024-03-10 02:30:00", "2024-03-10 03:30:00-04"),
        ("2024-11-03 01:30:00", "2024-11-03 01:30:00", "2024-11-03 01:30:00-05"),
        ("Jan 5, 2021 3:04 PM", "2021-01-05 15:04:00", "2021-01-05 15:04:00-05"),
        ("5 January 2021", "2021-01-05 00:00:00", "2021-01-05 00:00:00-05"),
        ("20240229T131415.25", "2024-02-29 13:14:15.25", "2024-02-29 13:14:15.25-05"),
        ("2024-060", "2024-02-29 00:00:00", "2024-02-29 00:00:00-05"),
        ("1/2/03", "2003-01-02 00:00:00", "2003-01-02 00:00:00-05"),
        ("99-12-31", "22008", "22008"),
        ("2001-02-16 20:38:40.123456+02", "2001-02-16 20:38:40.123456", "2001-02-16 13:38:40.123456-05"),
        ("2001-02-16 20:38:40 PST", "2001-02-16 20:38:40", "2001-02-16 23:38:40-05"),
        ("2001-02-16 20:38:40 Europe/Paris", "2001-02-16 20:38:40", "2001-02-16 14:38:40-05"),
        ("0044-03-15 BC", "0044-03-15 00:00:00 BC", "0044-03-15 00:00:00-04:56:02 BC"),
        ("infinity", "infinity", "infinity"),
        ("-infinity", "-infinity", "-infinity"),
        ("epoch", "1970-01-01 00:00:00", "1969-12-31 19:00:00-05"),
        ("J2451187", "1999-01-08 00:00:00", "1999-01-08 00:00:00-05"),
        ("Sat Jan 01 12:00:00 2000 EST", "2000-01-01 12:00:00", "2000-01-01 12:00:00-05"),
        ("2024-02-30", "22008", "22008"),
        ("2024-13-01", "22008", "22008"),
        ("13/13/2024", "22008", "22008"),
        ("2024-01-01 25:00", "22008", "22008"),
        ("garbage", "22007", "22007"),
        ("", "22007", "22007"),
        ("2024-01-01 10:00 +16", "22009", "22009"),
        ("294276-12-31 23:59:59.999999", "294276-12-31 23:59:59.999999", "22008"),
        ("294277-01-01", "22008", "22008"),
        ("4713-01-01 BC", "4713-01-01 00:00:00 BC", "4713-01-01 00:00:00-04:56:02 BC"),
        ("2024-01-01 24:00:00", "2024-01-02 00:00:00", "2024-01-02 00:00:00-05"),
        ("2024-01-01 12:34:56.7891239 am", "2024-01-01 00:34:56.789124", "2024-01-01 00:34:56.789124-05"),
        ("allballs", "22007", "22007"),
        ("2024-01-01z", "2024-01-01 00:00:00", "2023-12-31 19:00:00-05"),
        ("12:00", "22007", "22007"),
        ("2024-01-01 Nowhere/Land", "22023", "22023"),
        ("2024-01-01 10:00:00 foo", "22007", "22007"),
        ("Mon Feb 5 10:00:00 2024", "2024-02-05 10:00:00", "2024-02-05 10:00:00-05"),
        ("5.3.2024", "2024-05-03 00:00:00", "2024-05-03 00:00:00-04"),
        ("2024.03.05", "2024-03-05 00:00:00", "2024-03-05 00:00:00-05"),
        ("0000-01-01", "22008", "22008"),
        ("08-Jan-1999", "1999-01-08 00:00:00", "1999-01-08 00:00:00-05"),
        ("Jan-08-1999", "1999-01-08 00:00:00", "1999-01-08 00:00:00-05"),
        ("1999 Jan 08", "1999-01-08 00:00:00", "1999-01-08 00:00:00-05"),
        ("January 8, 99 BC", "0099-01-08 00:00:00 BC", "0099-01-08 00:00:00-04:56:02 BC"),
        ("040506.789 20240101", "22007", "22007"),
        ("2024-01-01 04:05:06.789-8", "2024-01-01 04:05:06.789", "2024-01-01 07:05:06.789-05"),
        ("2024-01-01 040506+0730", "2024-01-01 04:05:06", "2023-12-31 15:35:06-05"),
        ("2024-1-1T5:06", "2024-01-01 05:06:00", "2024-01-01 05:06:00-05"),
    ];
    let mut wrong = Vec::new();
    for (text, local, instant) in cases {
        let found = (shown(text, 0), shown(text, 1));
        if found != (local.to_owned(), instant.to_owned()) {
            wrong.push(format!("{text:?}: {found:?} for {:?}", (local, instant)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn intervals_read_and_write_as_in_postgresql() {
    let cases = [
        (
            "1 year 2 mons 3 days 04:05:06",
            "1 year 2 mons 3 days 04:05:06",
            "@ 1 year 2 mons 3 days 4 hours 5 mins 6 secs",
            "+1-2 +3 +4:05:06",
            "P1Y2M3DT4H5M6S",
        ),
        ("1-2", "1 year 2 mons", "@ 1 year 2 mons", "1-2", "P1Y2M"),
        (
            "1-2 3 4:05:06",
            "1 year 2 mons 3 days 04:05:06",
            "@ 1 year 2 mons 3 days 4 hours 5 mins 6 secs",
            "+1-2 +3 +4:05:06",
            "P1Y2M3DT4H5M6S",
        ),
        ("@ 1 minute ago", "-00:01:00", "@ 1 min ago", "-0:01:00", "PT-1M"),
        (
            "P1Y2M3DT4H5M6.7S",
            "1 year 2 mons 3 days 04:05:06.7",
            "@ 1 year 2 mons 3 days 4 hours 5 mins 6.7 secs",
            "+1-2 +3 +4:05:06.7",
            "P1Y2M3DT4H5M6.7S",
        ),
        ("1.5 days", "1 day 12:00:00", "@ 1 day 12 hours", "1 12:00:00", "P1DT12H"),
        ("-1 day 02:00", "-1 days +02:00:00", "@ 1 day -2 hours ago", "+0-0 -1 +2:00:00", "P-1DT2H"),
        ("1.5 months", "1 mon 15 days", "@ 1 mon 15 days", "+0-1 +15 +0:00:00", "P1M15D"),
        ("3 weeks", "21 days", "@ 21 days", "21 0:00:00", "P21D"),
        ("1 decade 2 century", "210 years", "@ 210 years", "210-0", "P210Y"),
        (
            "-1-2 +3 -4:05:06",
            "-1 years -2 mons +3 days -04:05:06",
            "@ 1 year 2 mons -3 days 4 hours 5 mins 6 secs ago",
            "-1-2 +3 -4:05:06",
            "P-1Y-2M3DT-4H-5M-6S",
        ),
        ("1 hour 1 hour", "22007", "22007", "22007", "22007"),
        ("1", "00:00:01", "@ 1 sec", "0:00:01", "PT1S"),
        ("1.5", "00:00:01.5", "@ 1.5 secs", "0:00:01.5", "PT1.5S"),
        ("04:05", "04:05:00", "@ 4 hours 5 mins", "4:05:00", "PT4H5M"),
        ("04:05.5", "00:04:05.5", "@ 4 mins 5.5 secs", "0:04:05.5", "PT4M5.5S"),
        ("1 day ago foo", "22007", "22007", "22007", "22007"),
        ("", "22007", "22007", "22007", "22007"),
        ("P", "22007", "22007", "22007", "22007"),
        ("PT", "00:00:00", "@ 0", "0", "PT0S"),
        ("1e3 s", "22007", "22007", "22007", "22007"),
        ("0.5 years", "6 mons", "@ 6 mons", "0-6", "P6M"),
        ("2 h 3 m", "02:03:00", "@ 2 hours 3 mins", "2:03:00", "PT2H3M"),
        ("1 mon -1 day", "1 mon -1 days", "@ 1 mon -1 days", "+0-1 -1 +0:00:00", "P1M-1D"),
        ("100000000000 years", "22015", "22015", "22015", "22015"),
        (
            "1:2:3.4567891",
            "01:02:03.456789",
            "@ 1 hour 2 mins 3.456789 secs",
            "1:02:03.456789",
            "PT1H2M3.456789S",
        ),
        ("+1 day -1:00", "1 day -01:00:00", "@ 1 day -1 hours", "+0-0 +1 -1:00:00", "P1DT-1H"),
        ("-0.1 s", "-00:00:00.1", "@ 0.1 secs ago", "-0:00:00.1", "PT-0.1S"),
        ("12 ms 5 us", "00:00:00.012005", "@ 0.012005 secs", "0:00:00.012005", "PT0.012005S"),
        ("1 1/2", "22007", "22007", "22007", "22007"),
    ];
    let all = super::interval::ALL_FIELDS;
    let styles = [
        IntervalStyle::Postgres,
        IntervalStyle::PostgresVerbose,
        IntervalStyle::SqlStandard,
        IntervalStyle::Iso8601,
    ];
    let mut wrong = Vec::new();
    for (text, first, second, third, fourth) in cases {
        let expected = [first, second, third, fourth];
        let read = interval_input::decode(text, all, IntervalStyle::Postgres);
        let found = styles.map(|style| match &read {
            Err(error) => error.code().to_string(),
            Ok(interval) => {
                let mut out = String::new();
                interval.write(style, &mut out);
                out
            }
        });
        if found != expected {
            wrong.push(format!("{text:?}: {found:?} for {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn special_words_are_moments_of_the_transaction() {
    let settings = settings();
    let Decoded::Moment(moment) = decode("tomorrow", Mode::Date, &settings).unwrap() else { panic!("a day") };
    // Midnight of 2000-01-01 UTC is the evening before in New York.
    assert_eq!(moment.days, Some(0));
}
