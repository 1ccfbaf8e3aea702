//! Reading dates and times. One grammar serves `date`, `time`, `timetz`, `timestamp` and `timestamptz`, as in
//! PostgreSQL: the text is cut into fields by shape, then each field is understood in the light of those before it.
//!
//! Source: `ParseDateTime`, `DecodeDateTime`, `DecodeTimeOnly` in `src/backend/utils/adt/datetime.c`; manual,
//! appendix "Date/Time Support".

use jiff::tz::TimeZone;

use crate::{Result, SqlError, error};

use super::date::{self, DAY, Day};
use super::{DateOrder, FormatSettings, date_names, timestamp};

/// The longest text that is read (`MAXDATELEN`, with room): anything longer is no date.
const LENGTH_MAX: usize = 128;
/// How many fields a text may have (`MAXDATEFIELDS`).
const FIELDS_MAX: usize = 25;
/// The largest displacement of a time zone in hours.
const ZONE_HOURS_MAX: i64 = 15;

/// The type that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub(super) enum Mode {
    Date,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Time => "time",
            Self::TimeTz => "time with time zone",
            Self::Timestamp => "timestamp",
            Self::TimestampTz => "timestamp with time zone",
        }
    }

    fn time_only(self) -> bool {
        matches!(self, Self::Time | Self::TimeTz)
    }
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    /// `infinity`.
    Infinity,
    /// `-infinity`.
    NegativeInfinity,
    /// A moment.
    Moment(Moment),
}

/// A moment as written.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Moment {
    /// Days since 2000-01-01; absent when only a time was written.
    pub days: Option<i64>,
    /// µs since midnight.
    pub time: i64,
    /// Seconds east of Greenwich, when a zone was written.
    pub offset: Option<i32>,
}

/// `22007`.
pub(super) fn syntax(ty: &str, text: &str) -> SqlError {
    error!(INVALID_DATETIME_FORMAT, "invalid input syntax for type {ty}: \"{text}\"")
}

/// Why a text is no date.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Format,
    Field,
    MonthDay,
    Zone,
    UnknownZone(String),
}

impl Fault {
    pub(super) fn error(self, ty: &str, text: &str) -> SqlError {
        let field = || error!(DATETIME_FIELD_OVERFLOW, "date/time field value out of range: \"{text}\"");
        match self {
            Self::Format => syntax(ty, text),
            Self::Field => field(),
            Self::MonthDay => field().hint("Perhaps you need a different \"datestyle\" setting."),
            Self::Zone => {
                error!(
                    INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
                    "time zone displacement out of range: \"{text}\""
                )
            }
            Self::UnknownZone(zone) => error!(INVALID_PARAMETER_VALUE, "time zone \"{zone}\" not recognized"),
        }
    }
}

/// The shape of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Number,
    Word,
    Date,
    Time,
    Zone,
    Special,
}

/// Cuts a text into fields; words come out in lower case.
pub(super) fn split(text: &str) -> Result<Vec<(Shape, String)>, Fault> {
    if text.len() > LENGTH_MAX {
        return Err(Fault::Format);
    }
    let input: Vec<char> = text.chars().collect();
    let (mut fields, mut at) = (Vec::new(), 0);
    while at < input.len() {
        let c = input[at];
        if c.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (shape, end) = field_end(&input, at)?;
        if end > at {
            let field: String = input[at..end].iter().filter(|c| !c.is_ascii_whitespace()).collect();
            fields.push((shape, field.to_ascii_lowercase()));
        }
        at = end.max(at + 1);
    }
    if fields.len() > FIELDS_MAX { Err(Fault::Format) } else { Ok(fields) }
}

fn skip(input: &[char], mut at: usize, accept: impl Fn(char) -> bool) -> usize {
    while at < input.len() && accept(input[at]) {
        at += 1;
    }
    at
}

/// The shape of the field that begins here, and its end; an empty one for punctuation that is ignored.
fn field_end(input: &[char], at: usize) -> Result<(Shape, usize), Fault> {
    let digit = |at: usize| input.get(at).is_some_and(char::is_ascii_digit);
    match input[at] {
        '0'..='9' => Ok(number_end(input, at)),
        '.' => Ok((Shape::Number, skip(input, at + 1, |c| c.is_ascii_digit()))),
        c if c.is_ascii_alphabetic() => Ok(word_end(input, at)),
        '+' | '-' => {
            let start = skip(input, at + 1, |c| c.is_ascii_whitespace());
            if digit(start) || input.get(start) == Some(&'.') {
                Ok((Shape::Zone, skip(input, start, |c| c.is_ascii_digit() || matches!(c, ':' | '.' | '-'))))
            } else if input.get(start).is_some_and(char::is_ascii_alphabetic) {
                Ok((Shape::Special, skip(input, start, |c| c.is_ascii_alphabetic())))
            } else {
                Err(Fault::Format)
            }
        }
        c if c.is_ascii_punctuation() => Ok((Shape::Word, at)),
        _ => Err(Fault::Format),
    }
}

fn number_end(input: &[char], at: usize) -> (Shape, usize) {
    let end = skip(input, at, |c| c.is_ascii_digit());
    match input.get(end) {
        Some(':') => (Shape::Time, skip(input, end, |c| c.is_ascii_digit() || c == ':' || c == '.')),
        Some(&delimiter @ ('-' | '/' | '.')) => {
            if input.get(end + 1).is_some_and(char::is_ascii_digit) {
                let second = skip(input, end + 1, |c| c.is_ascii_digit());
                if input.get(second) == Some(&delimiter) {
                    return (Shape::Date, skip(input, second, |c| c.is_ascii_digit() || c == delimiter));
                }
                (if delimiter == '.' { Shape::Number } else { Shape::Date }, second)
            } else {
                (Shape::Date, skip(input, end + 1, |c| c.is_ascii_alphanumeric() || c == delimiter))
            }
        }
        _ => (Shape::Number, end),
    }
}

fn word_end(input: &[char], at: usize) -> (Shape, usize) {
    let end = skip(input, at, |c| c.is_ascii_alphabetic());
    let is_date = match input.get(end) {
        Some('-' | '/' | '.') => true,
        // `PST8PDT` is one field, `jan1` and `t040506` are two.
        Some('+' | '0'..='9') => {
            let word: String = input[at..end].iter().collect::<String>().to_ascii_lowercase();
            !is_keyword(&word)
        }
        _ => false,
    };
    if !is_date {
        return (Shape::Word, end);
    }
    (
        Shape::Date,
        skip(input, end, |c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '/' | '_' | '.' | ':')),
    )
}

fn is_keyword(word: &str) -> bool {
    date_names::month(word).is_some()
        || date_names::is_day(word)
        || matches!(
            word,
            "ad" | "bc"
                | "am"
                | "pm"
                | "at"
                | "on"
                | "d"
                | "dow"
                | "doy"
                | "dst"
                | "epoch"
                | "h"
                | "infinity"
                | "isodow"
                | "isoyear"
                | "j"
                | "jd"
                | "julian"
                | "m"
                | "mm"
                | "now"
                | "s"
                | "t"
                | "today"
                | "tomorrow"
                | "y"
                | "yesterday"
                | "allballs"
                | "zulu"
        )
}

/// What a unit letter before a number asks of it (`j2451187`, `t040506`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prefix {
    Julian,
    Time,
}

#[derive(Default)]
struct Reader {
    year: Option<i64>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<i64>,
    julian: Option<i64>,
    month_from_text: bool,
    two_digit_year: bool,
    bc: Option<bool>,
    afternoon: Option<bool>,
    time: Option<i64>,
    offset: Option<i32>,
    zone: Option<TimeZone>,
    daylight: bool,
    special: Option<Special>,
    seen_zone: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Special {
    Now,
    Today(i64),
    Epoch,
    Infinity,
    NegativeInfinity,
}

/// The digits of `1011`.
const HOUR_MINUTE_DIGITS: usize = 4;

/// Reads a text.
///
/// # Errors
/// `22007`, `22008`, `22009`, `22023`.
pub(super) fn decode(text: &str, mode: Mode, settings: &FormatSettings) -> Result<Decoded> {
    decode_parts(text, mode, settings).map_err(|fault| fault.error(mode.name(), text))
}

fn decode_parts(text: &str, mode: Mode, settings: &FormatSettings) -> Result<Decoded, Fault> {
    let fields = split(text)?;
    if fields.is_empty() {
        return Err(Fault::Format);
    }
    let mut reader = Reader::default();
    let (mut at, mut prefix) = (0, None);
    while at < fields.len() {
        let (shape, field) = &fields[at];
        let mut taken = prefix.take();
        if matches!(mode, Mode::Time | Mode::TimeTz)
            && *shape == Shape::Number
            && field.len() == HOUR_MINUTE_DIGITS
        {
            // `1011` is no year where only a time is wanted.
            taken.get_or_insert(Prefix::Time);
        }
        prefix = reader.field(*shape, field, taken, fields.get(at + 1), settings)?;
        at += 1;
    }
    if prefix.is_some() {
        return Err(Fault::Format);
    }
    reader.finish(mode, settings)
}

impl Reader {
    fn has_date(&self) -> bool {
        self.julian.is_some() || (self.year.is_some() && self.has_day())
    }

    fn has_day(&self) -> bool {
        (self.month.is_some() && self.day.is_some()) || self.day_of_year.is_some()
    }

    fn field(
        &mut self,
        shape: Shape,
        field: &str,
        prefix: Option<Prefix>,
        next: Option<&(Shape, String)>,
        settings: &FormatSettings,
    ) -> Result<Option<Prefix>, Fault> {
        match shape {
            Shape::Date
                if prefix == Some(Prefix::Time)
                    || (self.month.is_some() && self.day.is_some())
                    || self.julian.is_some() =>
            {
                self.time_with_zone_or_zone(field, prefix)?;
            }
            Shape::Date if field.starts_with(|c: char| c.is_ascii_alphabetic()) && field.contains('/') => {
                self.set_zone_name(field)?;
            }
            Shape::Date => self.date(field, settings).or_else(|fault| {
                // `PST8PDT 2001-…`: a field that is no date may still be a zone.
                if field.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    self.set_zone_name(field)
                } else {
                    Err(fault)
                }
            })?,
            Shape::Time => self.set_time(decode_time(field)?)?,
            Shape::Zone => self.set_offset(decode_offset(field)?)?,
            Shape::Number => self.bare_number(field, prefix, settings)?,
            Shape::Word | Shape::Special => return self.word(field, next),
        }
        Ok(None)
    }

    fn set_time(&mut self, time: i64) -> Result<(), Fault> {
        if self.time.replace(time).is_some() { Err(Fault::Format) } else { Ok(()) }
    }

    fn set_offset(&mut self, offset: i32) -> Result<(), Fault> {
        if std::mem::replace(&mut self.seen_zone, true) && self.zone.is_none() && self.offset.is_some() {
            // `UTC+3`, `PST -08`: only a name before, which the number shifts, would be legal; PostgreSQL refuses both.
            return Err(Fault::Format);
        }
        self.offset = Some(offset);
        Ok(())
    }

    fn set_zone_name(&mut self, name: &str) -> Result<(), Fault> {
        if std::mem::replace(&mut self.seen_zone, true) {
            return Err(Fault::Format);
        }
        self.zone = Some(date_names::zone(name).ok_or_else(|| Fault::UnknownZone(name.to_owned()))?);
        Ok(())
    }

    /// `040506-08` after a date, or the name of a zone.
    fn time_with_zone_or_zone(&mut self, field: &str, prefix: Option<Prefix>) -> Result<(), Fault> {
        if !field.starts_with(|c: char| c.is_ascii_digit()) && prefix.is_none() {
            return self.set_zone_name(field);
        }
        let (time, zone) = field.split_at(field.find('-').ok_or(Fault::Format)?);
        self.number_field(time)?;
        self.set_offset(decode_offset(zone)?)
    }

    fn bare_number(
        &mut self,
        field: &str,
        prefix: Option<Prefix>,
        settings: &FormatSettings,
    ) -> Result<(), Fault> {
        match prefix {
            Some(Prefix::Julian) => return self.julian_day(field),
            Some(Prefix::Time) => return self.number_field(field),
            None => {}
        }
        let whole = field.find('.').unwrap_or(field.len());
        let has_point = whole < field.len();
        if has_point && !self.has_date() && self.year.is_none() && self.month.is_none() && self.day.is_none()
        {
            self.date(field, settings)
        } else if (has_point && whole > 2) || (field.len() >= 6 && (!self.has_date() || self.time.is_none()))
        {
            self.number_field(field)
        } else {
            self.number(field, settings)
        }
    }

    fn julian_day(&mut self, field: &str) -> Result<(), Fault> {
        let value: f64 = field.parse().map_err(|_| Fault::Format)?;
        let days = value.floor();
        self.julian = Some(days as i64 - date::EPOCH_JULIAN);
        if field.contains('.') {
            self.set_time(((value - days) * DAY as f64).round() as i64)?;
        }
        Ok(())
    }

    /// A date of several parts: `2000-01-02`, `1/2/2000`, `2-Jan-2000`, `2000.245`.
    fn date(&mut self, field: &str, settings: &FormatSettings) -> Result<(), Fault> {
        if self.has_date() {
            return Err(Fault::Format);
        }
        let mut parts: Vec<&str> = Vec::new();
        let mut rest = field;
        while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
            rest = &rest[start..];
            let digits = rest.starts_with(|c: char| c.is_ascii_digit());
            let end =
                rest.find(|c: char| if digits { !c.is_ascii_digit() } else { !c.is_ascii_alphabetic() });
            let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
            parts.push(part);
            rest = after;
        }
        for part in parts.iter().filter(|part| part.starts_with(|c: char| c.is_ascii_alphabetic())) {
            if self.month.is_some() {
                return Err(Fault::Format);
            }
            self.month = Some(date_names::month(part).ok_or(Fault::Format)?);
            self.month_from_text = true;
        }
        for part in parts.iter().filter(|part| part.starts_with(|c: char| c.is_ascii_digit())) {
            self.number(part, settings)?;
        }
        if self.year.is_some() && self.has_day() { Ok(()) } else { Err(Fault::Format) }
    }

    /// A number that stands for itself: which of year, month and day it is follows from those known already.
    fn number(&mut self, field: &str, settings: &FormatSettings) -> Result<(), Fault> {
        let (digits, fraction) =
            field.split_once('.').map_or((field, None), |(digits, fraction)| (digits, Some(fraction)));
        if fraction.is_some() && digits.len() > 2 {
            return self.number_field(field);
        }
        let value: i64 = digits.parse().map_err(|_| Fault::Field)?;
        let length = field.len();
        if length == 3
            && self.year.is_some()
            && self.month.is_none()
            && self.day.is_none()
            && (1..=366).contains(&value)
        {
            self.day_of_year = Some(value);
            return Ok(());
        }
        let small = || u32::try_from(value).map_err(|_| Fault::MonthDay);
        match (self.year.is_some(), self.month.is_some(), self.day.is_some()) {
            (false, false, false) => match settings.date_order {
                _ if length >= 3 => self.set_year(value, length),
                DateOrder::Ymd => self.set_year(value, length),
                DateOrder::Dmy => self.day = Some(small()?),
                DateOrder::Mdy => self.month = Some(small()?),
            },
            (true, false, false) | (false, false, true) => self.month = Some(small()?),
            (false, true, false)
                if self.month_from_text && (length >= 3 || settings.date_order == DateOrder::Ymd) =>
            {
                self.set_year(value, length);
            }
            (true, true, false) if self.month_from_text && length >= 3 && self.two_digit_year => {
                // `02-Feb-2004` in YMD order: the first number was the day after all.
                self.day = self.year.and_then(|day| u32::try_from(day).ok());
                self.set_year(value, length);
            }
            (false, true, false) | (true, true, false) => self.day = Some(small()?),
            (false, true, true) => self.set_year(value, length),
            (true, false, true) => self.month = Some(small()?),
            (true, true, true) => return self.number_field(field),
        }
        Ok(())
    }

    fn set_year(&mut self, year: i64, length: usize) {
        self.year = Some(year);
        self.two_digit_year = length <= 2;
    }

    /// Digits run together: `20000102`, `040506`, `0405`, `040506.789`.
    fn number_field(&mut self, field: &str) -> Result<(), Fault> {
        let part = |range: std::ops::Range<usize>| {
            field.get(range).and_then(|part| part.parse::<i64>().ok()).ok_or(Fault::Format)
        };
        let (whole, fraction) = match field.find('.') {
            Some(point) => (point, fraction_of_second(&field[point..])?),
            None => (field.len(), 0),
        };
        if whole == field.len() && !self.has_date() && whole >= 6 {
            self.set_year(part(0..whole - 4)?, whole - 4);
            self.month = u32::try_from(part(whole - 4..whole - 2)?).ok();
            self.day = u32::try_from(part(whole - 2..whole)?).ok();
            return Ok(());
        }
        if self.time.is_some() {
            return Err(Fault::Format);
        }
        let (hour, minute, second) = match whole {
            6 => (part(0..2)?, part(2..4)?, part(4..6)?),
            4 => (part(0..2)?, part(2..4)?, 0),
            _ => return Err(Fault::Format),
        };
        self.set_time(time_of(hour, minute, second, fraction)?)
    }

    fn word(&mut self, word: &str, next: Option<&(Shape, String)>) -> Result<Option<Prefix>, Fault> {
        let (sign, plain) = match word.strip_prefix(['+', '-']) {
            Some(plain) => (word.chars().next(), plain),
            None => (None, word),
        };
        if let Some(special) = special(sign, plain) {
            return self.special.replace(special).map_or(Ok(None), |_| Err(Fault::Format));
        }
        if sign.is_some() {
            return Err(Fault::Format);
        }
        if let Some(month) = date_names::month(word) {
            return self.named_month(month).map(|()| None);
        }
        let number_follows = next.is_some_and(|(shape, _)| matches!(shape, Shape::Number | Shape::Date));
        match word {
            "am" | "pm" => self.afternoon = Some(word == "pm"),
            "ad" | "bc" => self.bc = Some(word == "bc"),
            "allballs" => {
                self.set_time(0)?;
                self.set_offset(0)?;
            }
            "z" | "zulu" => self.set_offset(0)?,
            "dst" => self.daylight = true,
            "at" | "on" => {}
            "t" if next.is_some() => return Ok(number_follows.then_some(Prefix::Time)),
            "j" | "jd" | "julian" if number_follows => return Ok(Some(Prefix::Julian)),
            word if date_names::is_day(word) => {}
            word => self.zone_word(word)?,
        }
        Ok(None)
    }

    fn named_month(&mut self, month: u32) -> Result<(), Fault> {
        if self.month_from_text {
            return Err(Fault::Format);
        }
        // `1 Jan` in MDY order: the number before was the day.
        if let Some(day) = self.month.replace(month)
            && self.day.replace(day).is_some()
        {
            return Err(Fault::Format);
        }
        self.month_from_text = true;
        Ok(())
    }

    fn zone_word(&mut self, word: &str) -> Result<(), Fault> {
        if std::mem::replace(&mut self.seen_zone, true) {
            return Err(Fault::Format);
        }
        match date_names::abbreviation(word) {
            Some(offset) => self.offset = Some(offset),
            None => self.zone = Some(date_names::zone(word).ok_or(Fault::Format)?),
        }
        Ok(())
    }

    fn finish(mut self, mode: Mode, settings: &FormatSettings) -> Result<Decoded, Fault> {
        let today = || {
            let now = settings.transaction_time;
            now + i64::from(timestamp::offset_at(now, &settings.time_zone)) * 1_000_000
        };
        match self.special {
            Some(Special::Infinity) if !mode.time_only() => return Ok(Decoded::Infinity),
            Some(Special::NegativeInfinity) if !mode.time_only() => return Ok(Decoded::NegativeInfinity),
            Some(Special::Epoch) if !mode.time_only() => {
                let days = Some(-date::UNIX_EPOCH_DAYS);
                return Ok(Decoded::Moment(Moment { days, time: 0, offset: Some(0) }));
            }
            Some(Special::Now) => {
                let local = today();
                let offset = Some(timestamp::offset_at(settings.transaction_time, &settings.time_zone));
                return Ok(Decoded::Moment(Moment {
                    days: Some(local.div_euclid(DAY)),
                    time: local.rem_euclid(DAY),
                    offset,
                }));
            }
            Some(Special::Today(shift)) if !mode.time_only() => {
                self.julian = Some(today().div_euclid(DAY) + shift)
            }
            Some(_) => return Err(Fault::Format),
            None => {}
        }
        let time = self.clock()?;
        let days = self.days()?;
        let complete = if mode.time_only() { time.is_some() } else { days.is_some() };
        if !complete || (self.zone.is_some() && days.is_none() && mode == Mode::TimeTz) {
            return Err(Fault::Format);
        }
        let time = time.unwrap_or(0);
        let offset = self.offset_of(days, time)?;
        Ok(Decoded::Moment(Moment { days, time, offset }))
    }

    fn offset_of(&self, days: Option<i64>, time: i64) -> Result<Option<i32>, Fault> {
        let summer = if self.daylight { 3600 } else { 0 };
        match (&self.zone, self.offset) {
            (Some(_), Some(_)) => Err(Fault::Format),
            (Some(zone), None) => Ok(Some(timestamp::offset_of_local(
                days.unwrap_or(0).saturating_mul(DAY).saturating_add(time),
                zone,
            ))),
            (None, offset) => Ok(offset.map(|offset| offset + summer)),
        }
    }

    fn clock(&self) -> Result<Option<i64>, Fault> {
        const HALF: i64 = DAY / 2;
        const HOUR: i64 = DAY / 24;
        let Some(time) = self.time else {
            return if self.afternoon.is_some() { Err(Fault::Format) } else { Ok(None) };
        };
        let Some(afternoon) = self.afternoon else { return Ok(Some(time)) };
        if time >= HALF + HOUR {
            return Err(Fault::Field);
        }
        Ok(Some(match (afternoon, time >= HALF) {
            (true, false) => time + HALF,
            (false, true) => time - HALF,
            _ => time,
        }))
    }

    fn days(&self) -> Result<Option<i64>, Fault> {
        if let Some(days) = self.julian {
            return Ok(Some(days));
        }
        let Some(written) = self.year else {
            return if self.month.is_some() || self.day.is_some() || self.bc.is_some() {
                Err(Fault::Format)
            } else {
                Ok(None)
            };
        };
        let year = match self.bc {
            Some(true) if written <= 0 => return Err(Fault::Field),
            Some(true) => 1 - written,
            _ if self.two_digit_year && written < 70 => written + 2000,
            _ if self.two_digit_year && written < 100 => written + 1900,
            _ if written <= 0 => return Err(Fault::Field),
            _ => written,
        };
        if let Some(day) = self.day_of_year {
            return Ok(Some(Day { year, month: 1, day: 1 }.days() + day - 1));
        }
        let (Some(month), Some(day)) = (self.month, self.day) else { return Err(Fault::Format) };
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(Fault::MonthDay);
        }
        if day > date::days_in_month(year, month) {
            return Err(Fault::Field);
        }
        Ok(Some(Day { year, month, day }.days()))
    }
}

fn special(sign: Option<char>, word: &str) -> Option<Special> {
    Some(match (sign, word) {
        (None, "now") => Special::Now,
        (None, "today") => Special::Today(0),
        (None, "tomorrow") => Special::Today(1),
        (None, "yesterday") => Special::Today(-1),
        (None, "epoch") => Special::Epoch,
        (None | Some('+'), "infinity" | "inf") => Special::Infinity,
        (Some('-'), "infinity" | "inf") => Special::NegativeInfinity,
        _ => return None,
    })
}

/// µs of `.789`, rounded.
pub(super) fn fraction_of_second(text: &str) -> Result<i64, Fault> {
    let digits = text.strip_prefix('.').ok_or(Fault::Format)?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::Format);
    }
    if digits.is_empty() {
        return Ok(0);
    }
    let fraction: f64 = text.parse().map_err(|_| Fault::Format)?;
    Ok((fraction * 1e6).round_ties_even() as i64)
}

fn time_of(hour: i64, minute: i64, second: i64, fraction: i64) -> Result<i64, Fault> {
    if !(0..=24).contains(&hour)
        || !(0..60).contains(&minute)
        || !(0..=60).contains(&second)
        || !(0..=1_000_000).contains(&fraction)
    {
        return Err(Fault::Field);
    }
    let time = ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction;
    if time > DAY { Err(Fault::Field) } else { Ok(time) }
}

/// `04:05`, `04:05:06`, `04:05:06.789` as hours, minutes, seconds and µs, hours unbounded (as intervals allow).
pub(super) fn clock_parts(field: &str) -> Result<(i64, i64, i64, i64), Fault> {
    let mut parts = field.splitn(3, ':');
    let number = |text: &str| {
        text.parse::<i64>().map_err(|_| if text.is_empty() { Fault::Format } else { Fault::Field })
    };
    let hour = number(parts.next().unwrap_or(""))?;
    let second_part = parts.next().ok_or(Fault::Format)?;
    let seconds = parts.next();
    let split = |text: &str| -> Result<(i64, i64), Fault> {
        match text.find('.') {
            Some(point) => Ok((number(&text[..point])?, fraction_of_second(&text[point..])?)),
            None => Ok((number(text)?, 0)),
        }
    };
    match seconds {
        Some(seconds) => {
            let (second, fraction) = split(seconds)?;
            Ok((hour, number(second_part)?, second, fraction))
        }
        // `mm:ss.fff`: a fraction makes it minutes and seconds.
        None if second_part.contains('.') => {
            let (second, fraction) = split(second_part)?;
            Ok((0, hour, second, fraction))
        }
        None => Ok((hour, if second_part.is_empty() { 0 } else { number(second_part)? }, 0, 0)),
    }
}

fn decode_time(field: &str) -> Result<i64, Fault> {
    let (hour, minute, second, fraction) = clock_parts(field)?;
    time_of(hour, minute, second, fraction)
}

/// `+08`, `-0830`, `+08:30:15` in seconds east of Greenwich.
pub(super) fn decode_offset(field: &str) -> Result<i32, Fault> {
    let sign = match field.chars().next() {
        Some('+') => 1,
        Some('-') => -1,
        _ => return Err(Fault::Format),
    };
    let mut parts = field[1..].splitn(3, ':');
    let number =
        |text: Option<&str>| text.map_or(Ok(0), |text| text.parse::<i64>().map_err(|_| Fault::Format));
    let first = parts.next().unwrap_or("");
    let (mut hours, mut minutes) = (number(Some(first))?, 0);
    match parts.next() {
        Some(second) => minutes = number(Some(second))?,
        None if first.len() > 2 => (hours, minutes) = (hours / 100, hours % 100),
        None => {}
    }
    let seconds = number(parts.next())?;
    if hours > ZONE_HOURS_MAX || minutes >= 60 || seconds >= 60 {
        return Err(Fault::Zone);
    }
    Ok(sign * (hours * 3600 + minutes * 60 + seconds) as i32)
}
