//! `to_char`, `to_date`, `to_timestamp`, `to_number` of dates and times. Numbers are in `number_patterns`.
//!
//! A pattern is cut into keywords and plain text once; then each keyword writes its field, or reads it.
//!
//! Source: `src/backend/utils/adt/formatting.c`; manual, "Data Type Formatting Functions".

use crate::functions::arguments::{integer, scalar, text};
use crate::functions::{Function, FunctionCall};
use crate::types::date::{self, DAY, Day};
use crate::types::date_names::{DAYS, MONTHS, month};
use crate::types::interval::Interval;
use crate::types::timestamp;
use crate::{Result, SqlError, Value, ValueRef, error};

/// The keywords in upper case, longer ones before those they begin with.
const KEYWORDS: &[&str] = &[
    "A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "CC", "DAY", "DDD", "DD", "DY", "D", "FF1", "FF2", "FF3",
    "FF4", "FF5", "FF6", "FX", "HH24", "HH12", "HH", "IDDD", "ID", "IW", "IYYY", "IYY", "IY", "I", "J", "MI",
    "MM", "MONTH", "MON", "MS", "OF", "P.M.", "PM", "Q", "RM", "SSSSS", "SSSS", "SS", "TZH", "TZM", "TZ",
    "US", "WW", "W", "Y,YYY", "YYYY", "YYY", "YY", "Y",
];

const ROMAN_MONTHS: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// A keyword: in upper case, and as written.
    Field { key: &'static str, written: String, fill: bool, ordinal: Option<bool> },
    /// Text that stands for itself.
    Plain(char),
    /// Text in quotes.
    Quoted(char),
}

/// Cuts a pattern into parts.
fn parse_pattern(pattern: &str) -> Vec<Part> {
    let (mut parts, mut rest) = (Vec::new(), pattern);
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            rest = quoted(&rest[1..], &mut parts);
            continue;
        }
        if first == '\\' && rest.len() > 1 {
            let next = rest[1..].chars().next().unwrap_or('\\');
            parts.push(Part::Quoted(next));
            rest = &rest[1 + next.len_utf8()..];
            continue;
        }
        let (fill, after) = prefix(rest);
        match keyword(after) {
            Some((key, written)) => {
                rest = &after[written.len()..];
                let ordinal = match rest.get(..2) {
                    Some("TH") => Some(true),
                    Some("th") => Some(false),
                    _ => None,
                };
                rest = if ordinal.is_some() { &rest[2..] } else { rest };
                if key != "FX" {
                    parts.push(Part::Field { key, written: written.to_owned(), fill, ordinal });
                }
            }
            None if after.len() < rest.len() => rest = after,
            None => {
                parts.push(Part::Plain(first));
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    parts
}

fn quoted<'a>(text: &'a str, parts: &mut Vec<Part>) -> &'a str {
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return &text[at + 1..],
            '\\' => parts.extend(characters.next().map(|(_, c)| Part::Quoted(c))),
            c => parts.push(Part::Quoted(c)),
        }
    }
    ""
}

/// Takes `FM` and `TM` away; whether padding is suppressed.
fn prefix(text: &str) -> (bool, &str) {
    let (mut rest, mut fill) = (text, true);
    while let Some(prefix) = rest.get(..2) {
        match prefix {
            "FM" | "fm" => fill = false,
            "TM" | "tm" => fill = false,
            _ => break,
        }
        rest = &rest[2..];
    }
    (fill, rest)
}

fn keyword(text: &str) -> Option<(&'static str, &str)> {
    KEYWORDS.iter().find_map(|key| {
        let written = text.get(..key.len())?;
        let capital = matches!(*key, "DAY" | "DY" | "MONTH" | "MON")
            && written.starts_with(|c: char| c.is_ascii_uppercase());
        let same = written == *key
            || written == key.to_ascii_lowercase()
            || (capital && written[1..] == key[1..].to_ascii_lowercase());
        same.then_some((*key, written))
    })
}

/// What is written: a moment or an interval in fields.
struct Moment<'a> {
    year: i64,
    month: i64,
    day: i64,
    day_of_year: i64,
    days: i64,
    time: i64,
    zone: Option<(i32, &'a str)>,
    is_interval: bool,
}

impl<'a> Moment<'a> {
    fn of_local(local: i64, zone: Option<(i32, &'a str)>) -> Self {
        let days = local.div_euclid(DAY);
        let day = Day::from_days(days);
        Self {
            year: day.year,
            month: i64::from(day.month),
            day: i64::from(day.day),
            day_of_year: day.day_of_year(),
            days,
            time: local.rem_euclid(DAY),
            zone,
            is_interval: false,
        }
    }

    fn of_interval(interval: Interval) -> Self {
        let (months, days) = (i64::from(interval.months), i64::from(interval.days));
        Self {
            year: months / 12,
            month: months % 12,
            day: days,
            day_of_year: months * 30 + days,
            days: days + months * 30,
            time: interval.microseconds,
            zone: None,
            is_interval: true,
        }
    }

    fn shown_year(&self, year: i64) -> i64 {
        if self.is_interval || year > 0 { year } else { 1 - year }
    }

    fn hour(&self) -> i64 {
        self.time / 3_600_000_000
    }

    /// The number that a keyword writes, with its width.
    fn number(&self, key: &str) -> Option<(i64, usize)> {
        let (minute, second) = (self.time / 60_000_000 % 60, self.time / 1_000_000 % 60);
        let hour_12 = if self.hour() % 12 == 0 { 12 } else { self.hour() % 12 };
        let weekday = date::day_of_week(self.days);
        let year = self.shown_year(self.year);
        let iso_year = || self.shown_year(date::iso_week(self.days).0);
        Some(match key {
            "HH" | "HH12" => (hour_12, 2),
            "HH24" => (self.hour(), 2),
            "MI" => (minute, 2),
            "SS" => (second, 2),
            "SSSS" | "SSSSS" => (self.time / 1_000_000, 0),
            "MM" => (self.month, 2),
            "DD" => (self.day, 2),
            "DDD" => (self.day_of_year, 3),
            "IDDD" => (self.days - date::iso_week_start(date::iso_week(self.days).0, 1) + 1, 3),
            "D" => (weekday + 1, 0),
            "ID" => ((weekday + 6) % 7 + 1, 0),
            "W" => ((self.day - 1) / 7 + 1, 0),
            "WW" => ((self.day_of_year - 1) / 7 + 1, 2),
            "IW" => (date::iso_week(self.days).1, 2),
            "Q" => ((self.month - 1) / 3 + 1, 0),
            "J" => (self.days + date::EPOCH_JULIAN, 0),
            "CC" if self.is_interval => (self.year / 100, 2),
            "CC" => (
                if self.year > 0 {
                    (self.year - 1) / 100 + 1
                } else {
                    (self.year - 1) / 100 - 1 + i64::from(self.year % 100 == 0)
                },
                2,
            ),
            "YYYY" => (year, 4),
            "YYY" => (year % 1000, 3),
            "YY" => (year % 100, 2),
            "Y" => (year % 10, 1),
            "IYYY" => (iso_year(), 4),
            "IYY" => (iso_year() % 1000, 3),
            "IY" => (iso_year() % 100, 2),
            "I" => (iso_year() % 10, 1),
            _ => return None,
        })
    }

    fn write(&self, parts: &[Part]) -> Result<String> {
        let mut out = String::new();
        for part in parts {
            match part {
                Part::Plain(c) | Part::Quoted(c) => out.push(*c),
                Part::Field { key, written, fill, ordinal } => {
                    self.write_field(key, written, *fill, *ordinal, &mut out)?
                }
            }
        }
        Ok(out)
    }

    fn write_field(
        &self,
        key: &str,
        written: &str,
        fill: bool,
        ordinal: Option<bool>,
        out: &mut String,
    ) -> Result<()> {
        if let Some((number, width)) = self.number(key) {
            let width = if !fill {
                0
            } else if number < 0 && width > 0 {
                width + 1
            } else {
                width
            };
            let text = format!("{number:0width$}");
            out.push_str(&text);
            if let Some(upper) = ordinal {
                out.push_str(ordinal_suffix(&text, upper));
            }
            return Ok(());
        }
        let fraction = self.time.rem_euclid(1_000_000);
        match key {
            "Y,YYY" => {
                let year = self.shown_year(self.year);
                out.push_str(&format!("{},{:03}", year / 1000, year % 1000));
            }
            "MS" => out.push_str(&format!("{:03}", fraction / 1000)),
            "US" => out.push_str(&format!("{fraction:06}")),
            key if key.starts_with("FF") => {
                let digits = usize::from(key.as_bytes()[2] - b'0');
                out.push_str(&format!("{fraction:06}")[..digits]);
            }
            "AM" | "PM" | "A.M." | "P.M." => {
                let half = if self.hour() % 24 >= 12 { "PM" } else { "AM" };
                out.push_str(&dotted(half, written));
            }
            _ if self.is_interval && !matches!(key, "MONTH" | "MON" | "RM") => {
                return Err(error!(
                    INVALID_DATETIME_FORMAT,
                    "invalid format specification for an interval value"
                )
                .hint("Intervals are not tied to specific calendar dates."));
            }
            "AD" | "BC" | "A.D." | "B.C." => {
                out.push_str(&dotted(if self.year <= 0 { "BC" } else { "AD" }, written))
            }
            "MONTH" | "MON" | "RM" if self.month == 0 => {}
            "MONTH" => name(MONTHS[self.month as usize - 1], written, fill, 9, out),
            "MON" => name(&MONTHS[self.month as usize - 1][..3], written, fill, 0, out),
            "DAY" => name(DAYS[date::day_of_week(self.days) as usize], written, fill, 9, out),
            "DY" => name(&DAYS[date::day_of_week(self.days) as usize][..3], written, fill, 0, out),
            "RM" => {
                let roman = ROMAN_MONTHS[(self.month - 1).rem_euclid(12) as usize];
                let roman = if written == "rm" { roman.to_ascii_lowercase() } else { roman.to_owned() };
                out.push_str(&if fill { format!("{roman:<4}") } else { roman });
            }
            key => self.write_zone(key, written, out),
        }
        Ok(())
    }

    fn write_zone(&self, key: &str, written: &str, out: &mut String) {
        let Some((offset, name)) = self.zone else {
            return match key {
                "OF" | "TZH" => out.push_str("+00"),
                "TZM" => out.push_str("00"),
                _ => {}
            };
        };
        let (sign, seconds) = (if offset < 0 { '-' } else { '+' }, offset.abs());
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        match key {
            "TZ" if written == "tz" => out.push_str(&name.to_ascii_lowercase()),
            "TZ" => out.push_str(name),
            "TZH" => out.push_str(&format!("{sign}{hours:02}")),
            "TZM" => out.push_str(&format!("{minutes:02}")),
            _ if minutes == 0 => out.push_str(&format!("{sign}{hours:02}")),
            _ => out.push_str(&format!("{sign}{hours:02}:{minutes:02}")),
        }
    }
}

/// `AD` as `A.D.` or `ad`, in the shape in which the pattern writes it.
fn dotted(word: &str, written: &str) -> String {
    let text =
        if written.contains('.') { word.chars().map(|c| format!("{c}.")).collect() } else { word.to_owned() };
    if written.starts_with(|c: char| c.is_ascii_lowercase()) { text.to_ascii_lowercase() } else { text }
}

/// A name in the case in which the pattern writes it, padded.
fn name(name: &str, written: &str, fill: bool, width: usize, out: &mut String) {
    let lower = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase());
    let shown = if lower(written) {
        name.to_ascii_lowercase()
    } else if lower(&written[1..]) {
        name.to_owned()
    } else {
        name.to_ascii_uppercase()
    };
    let width = if fill { width } else { 0 };
    out.push_str(&format!("{shown:<width$}"));
}

/// `st`, `nd`, `rd` or `th` for a number's text.
pub(super) fn ordinal_suffix(number: &str, upper: bool) -> &'static str {
    let digits: Vec<char> = number.chars().rev().filter(char::is_ascii_digit).take(2).collect();
    let teen = digits.get(1) == Some(&'1');
    let suffix = match digits.first() {
        Some('1') if !teen => ["st", "ST"],
        Some('2') if !teen => ["nd", "ND"],
        Some('3') if !teen => ["rd", "RD"],
        _ => ["th", "TH"],
    };
    suffix[usize::from(upper)]
}

/// What a text says, read by a pattern.
#[derive(Default)]
struct Reader {
    year: Option<i64>,
    century: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    iso: (Option<i64>, Option<i64>, Option<i64>),
    week: Option<i64>,
    julian: Option<i64>,
    hour: Option<i64>,
    minute: i64,
    second: i64,
    seconds_of_day: Option<i64>,
    microseconds: i64,
    twelve_hours: bool,
    afternoon: Option<bool>,
    bc: bool,
    zone: (Option<i64>, i64, i64),
}

fn range_error(source: &str) -> SqlError {
    error!(DATETIME_FIELD_OVERFLOW, "date/time field value out of range: \"{source}\"")
}

impl Reader {
    fn read(pattern: &str, source: &str) -> Result<Self> {
        let parts = parse_pattern(pattern);
        let (mut reader, mut rest) = (Self::default(), source.trim_start());
        for (position, part) in parts.iter().enumerate() {
            match part {
                Part::Plain(c) if !c.is_alphanumeric() => {
                    rest = rest.trim_start();
                    let next = rest.chars().next();
                    let sign_of_zone =
                        matches!(parts.get(position + 1), Some(Part::Field { key: "TZH", .. }));
                    if let Some(next) = next.filter(|next| {
                        !next.is_alphanumeric() && !(sign_of_zone && matches!(next, '+' | '-'))
                    }) {
                        rest = rest[next.len_utf8()..].trim_start();
                    }
                }
                Part::Plain(_) | Part::Quoted(_) => {
                    rest = rest.chars().next().map_or(rest, |next| &rest[next.len_utf8()..]);
                }
                Part::Field { key, written, fill, .. } => {
                    rest = rest.trim_start();
                    if rest.is_empty() {
                        break;
                    }
                    let adjacent = matches!(parts.get(position + 1), Some(Part::Field { key, .. }) if !matches!(*key, "MONTH" | "MON" | "DAY" | "DY" | "AM" | "PM" | "TZ"));
                    rest = reader.field(key, written, rest, *fill && adjacent)?;
                }
            }
        }
        Ok(reader)
    }

    fn field<'a>(&mut self, key: &str, written: &str, rest: &'a str, fixed: bool) -> Result<&'a str> {
        let width = match key {
            "YYYY" | "IYYY" | "HH24" | "HH12" if key.len() == 4 && key.contains('Y') => 4,
            "HH24" | "HH12" | "HH" | "MI" | "SS" | "MM" | "DD" | "WW" | "IW" | "YY" | "IY" | "CC" | "TZM" => {
                2
            }
            "YYY" | "IYY" | "DDD" | "IDDD" | "MS" => 3,
            "SSSS" | "SSSSS" => 5,
            "US" => 6,
            "Y" | "I" | "D" | "ID" | "Q" | "W" => 1,
            "J" => 7,
            key if key.starts_with("FF") => usize::from(key.as_bytes()[2] - b'0'),
            _ => return self.word(key, written, rest),
        };
        let limit =
            if fixed || matches!(key, "MS" | "US") || key.starts_with("FF") { width } else { usize::MAX };
        let sign = usize::from(rest.starts_with(['-', '+']));
        let digits = rest[sign..].bytes().take(limit).take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            let shown: String = rest.chars().take(width).collect();
            return Err(error!(INVALID_DATETIME_FORMAT, "invalid value \"{shown}\" for \"{written}\"")
                .detail("Value must be an integer."));
        }
        let (number, after) = rest.split_at(sign + digits);
        let value: i64 = number.parse().map_err(|_| {
            error!(DATETIME_FIELD_OVERFLOW, "value for \"{written}\" in source string is out of range")
        })?;
        self.number(key, value, digits);
        Ok(after)
    }

    fn number(&mut self, key: &str, value: i64, digits: usize) {
        let short_year = |value: i64, digits: usize| match digits {
            _ if value >= 1000 || digits > 3 => value,
            0..=2 if value < 70 => value + 2000,
            0..=2 if value < 100 => value + 1900,
            _ if value < 520 && digits == 3 => value + 2000,
            _ if value < 1000 && digits == 3 => value + 1000,
            _ => value,
        };
        match key {
            "YYYY" => self.year = Some(value),
            "YYY" | "YY" | "Y" => self.year = Some(short_year(value, digits)),
            "IYYY" => self.iso.0 = Some(value),
            "IYY" | "IY" | "I" => self.iso.0 = Some(short_year(value, digits)),
            "MM" => self.month = Some(value),
            "DD" => self.day = Some(value),
            "DDD" => self.day_of_year = Some(value),
            "IDDD" => (self.iso.1, self.iso.2) = (Some((value - 1) / 7 + 1), Some((value - 1) % 7 + 1)),
            "IW" => self.iso.1 = Some(value),
            "ID" => self.iso.2 = Some(value),
            "WW" => self.week = Some(value),
            "J" => self.julian = Some(value),
            "CC" => self.century = Some(value),
            "HH24" => self.hour = Some(value),
            "HH" | "HH12" => (self.hour, self.twelve_hours) = (Some(value), true),
            "MI" => self.minute = value,
            "SS" => self.second = value,
            "SSSS" | "SSSSS" => self.seconds_of_day = Some(value),
            "MS" => self.microseconds += value * 10_i64.pow(6 - digits.min(6) as u32),
            "US" => self.microseconds += value * 10_i64.pow(6 - digits.min(6) as u32),
            key if key.starts_with("FF") => self.microseconds += value * 10_i64.pow(6 - digits.min(6) as u32),
            "TZM" => self.zone.2 = value,
            _ => {}
        }
    }

    fn word<'a>(&mut self, key: &str, written: &str, rest: &'a str) -> Result<&'a str> {
        let word: String = rest.chars().take_while(|c| c.is_alphabetic() || *c == '.').collect();
        let lower = word.to_ascii_lowercase();
        let invalid = || {
            error!(INVALID_DATETIME_FORMAT, "invalid value \"{word}\" for \"{written}\"")
                .detail("The given value did not match any of the allowed values for this field.")
        };
        let full = |names: &[&str]| {
            names
                .iter()
                .position(|name| lower.starts_with(&name.to_ascii_lowercase()))
                .map(|at| (at, names[at].len()))
        };
        let taken = match key {
            "MONTH" | "MON" => {
                let found = if key == "MONTH" { full(&MONTHS) } else { None };
                let short = || lower.get(..3).and_then(month).map(|month| (month as usize - 1, 3));
                let (at, taken) = found.or_else(short).ok_or_else(invalid)?;
                self.month = Some(at as i64 + 1);
                taken
            }
            "DAY" => full(&DAYS).ok_or_else(invalid)?.1,
            "DY" => 3.min(word.len()),
            "RM" => {
                let found = ROMAN_MONTHS
                    .iter()
                    .position(|roman| roman.eq_ignore_ascii_case(&word))
                    .ok_or_else(invalid)?;
                self.month = Some(found as i64 + 1);
                word.len()
            }
            "AM" | "PM" | "A.M." | "P.M." => {
                let plain = lower.replace('.', "");
                self.afternoon = Some(plain.starts_with("pm"));
                if !plain.starts_with("pm") && !plain.starts_with("am") {
                    return Err(invalid());
                }
                if key.contains('.') { 4.min(word.len()) } else { 2 }
            }
            "AD" | "BC" | "A.D." | "B.C." => {
                self.bc = lower.starts_with('b');
                if key.contains('.') { 4.min(word.len()) } else { 2.min(word.len()) }
            }
            "Y,YYY" => {
                let end = rest.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(rest.len());
                self.year = Some(rest[..end].replace(',', "").parse().map_err(|_| invalid())?);
                end
            }
            "TZH" => {
                let sign = if rest.starts_with('-') { -1 } else { 1 };
                let digits: String = rest
                    .trim_start_matches(['+', '-'])
                    .chars()
                    .take(2)
                    .take_while(char::is_ascii_digit)
                    .collect();
                self.zone = (Some(sign), digits.parse().map_err(|_| invalid())?, self.zone.2);
                digits.len() + usize::from(rest.starts_with(['+', '-']))
            }
            _ => {
                return Err(error!(
                    FEATURE_NOT_SUPPORTED,
                    "formatting field \"{written}\" is only supported in to_char"
                ));
            }
        };
        Ok(&rest[taken..])
    }

    fn days(&self, source: &str) -> Result<i64> {
        if let Some(julian) = self.julian {
            return Ok(julian - date::EPOCH_JULIAN);
        }
        if let (Some(year), week, day) = self.iso
            && (week.is_some() || day.is_some())
        {
            return Ok(date::iso_week_start(year, week.unwrap_or(1)) + day.unwrap_or(1) - 1);
        }
        let year = match (self.year, self.century) {
            (Some(year), _) if self.bc => 1 - year,
            (Some(year), _) if year < 0 => year + 1,
            (Some(year), _) => year,
            (None, Some(century)) => (century - 1) * 100 + 1,
            (None, None) => 0,
        };
        if let Some(day) = self.day_of_year.or_else(|| self.week.map(|week| (week - 1) * 7 + 1)) {
            if !(1..=365 + i64::from(date::is_leap(year))).contains(&day) {
                return Err(range_error(source));
            }
            return Ok(Day { year, month: 1, day: 1 }.days() + day - 1);
        }
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        if !(1..=12).contains(&month) || day < 1 || day > i64::from(date::days_in_month(year, month as u32)) {
            return Err(range_error(source));
        }
        Ok(Day { year, month: month as u32, day: day as u32 }.days())
    }

    fn time(&self, source: &str) -> Result<i64> {
        if let Some(seconds) = self.seconds_of_day {
            return Ok(seconds * 1_000_000 + self.microseconds);
        }
        let mut hour = self.hour.unwrap_or(0);
        if self.twelve_hours {
            if !(1..=12).contains(&hour) {
                return Err(error!(
                    INVALID_DATETIME_FORMAT,
                    "hour \"{hour}\" is invalid for the 12-hour clock"
                )
                .hint("Use the 24-hour clock, or give an hour between 1 and 12."));
            }
            hour = match self.afternoon {
                Some(true) if hour < 12 => hour + 12,
                Some(false) | None if hour == 12 && self.afternoon.is_some() => 0,
                _ => hour,
            };
        } else if self.afternoon == Some(true) && hour < 12 {
            hour += 12;
        }
        if hour >= 24 || self.minute >= 60 || self.second >= 60 {
            return Err(range_error(source));
        }
        Ok(((hour * 60 + self.minute) * 60 + self.second) * 1_000_000 + self.microseconds)
    }
}

fn to_char_local(pattern: &str, local: i64, zone: Option<(i32, &str)>) -> Result<Value> {
    if timestamp::is_infinite(local) || pattern.is_empty() {
        return Ok(Value::Null);
    }
    Ok(Moment::of_local(local, zone).write(&parse_pattern(pattern))?.into())
}

fn timestamptz_to_char(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let instant = integer(arguments[0])?;
    if timestamp::is_infinite(instant) {
        return Ok(Value::Null);
    }
    let (offset, name, _) = timestamp::zone_at(instant, &call.context.format.time_zone);
    to_char_local(text(arguments[1])?, instant + i64::from(offset) * 1_000_000, Some((offset, &name)))
}

fn to_timestamp(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let source = text(arguments[0])?;
    let reader = Reader::read(text(arguments[1])?, source)?;
    let local = reader.days(source)?.checked_mul(DAY).map(|days| reader.time(source).map(|time| days + time));
    let local = local.ok_or_else(timestamp::out_of_range)??;
    let instant = match reader.zone {
        (Some(sign), hours, minutes) => local - sign * (hours * 60 + minutes) * 60_000_000,
        _ => timestamp::from_local(local, &call.context.format.time_zone)?,
    };
    Ok(timestamp::checked(instant)?.into())
}

/// Formatting of dates and times.
pub(super) const FUNCTIONS: &[Function] = &[
    scalar("timestamp_to_char", |_, a| to_char_local(text(a[1])?, integer(a[0])?, None)),
    scalar("timestamptz_to_char", timestamptz_to_char),
    scalar("interval_to_char", |_, a| {
        Ok(Moment::of_interval(Interval::read(a[0])?).write(&parse_pattern(text(a[1])?))?.into())
    }),
    scalar("to_date", |_, a| {
        let source = text(a[0])?;
        Ok(date::checked(Reader::read(text(a[1])?, source)?.days(source)?)?.into())
    }),
    scalar("to_timestamp", to_timestamp),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_by_patterns() {
        // 2024-03-05 14:07:09.012345, a Tuesday.
        let local = Day { year: 2024, month: 3, day: 5 }.days() * DAY + 50_829_012_345;
        let shown = |pattern: &str| match to_char_local(pattern, local, None).unwrap() {
            Value::Text(text) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(shown("YYYY-MM-DD HH24:MI:SS.MS US"), "2024-03-05 14:07:09.012 012345");
        assert_eq!(shown("Day, DD FMMonth YYYY"), "Tuesday  , 05 March 2024");
        assert_eq!(shown("DAY dy MON Mon mon|FMDay"), "TUESDAY   tue MAR Mar mar|Tuesday");
        assert_eq!(shown("HH12:MI AM p.m."), "02:07 PM p.m.");
        assert_eq!(shown("FMDDth DDD IW IYYY Q CC J D ID"), "5th 065 10 2024 1 21 2460375 3 2");
        assert_eq!(shown("\"at\" HH24\\h RM Y,YYY"), "at 14h III  2,024");
    }

    #[test]
    fn moments_are_read_by_patterns() {
        let read = |pattern: &str, source: &str| {
            let reader = Reader::read(pattern, source).unwrap();
            (reader.days(source).unwrap(), reader.time(source).unwrap())
        };
        let day = |year, month, day| Day { year, month, day }.days();
        assert_eq!(read("YYYY-MM-DD", "2024-3-5"), (day(2024, 3, 5), 0));
        assert_eq!(read("YYYYMMDDHH24MISS", "20240305140709"), (day(2024, 3, 5), 50_829_000_000));
        assert_eq!(
            read("DD Mon YYYY HH12:MI PM", "05 Dec 2000 02:30 pm"),
            (day(2000, 12, 5), 52_200_000_000)
        );
        assert_eq!(read("IYYY-IW-ID", "2006-42-4"), (day(2006, 10, 19), 0));
    }
}
