//! Checks of text settings: each takes the new text and the present value and gives the canonical text.
//!
//! Source: `src/backend/commands/variable.c`.

use jiff::tz::TimeZone;

use super::definition::SettingDefinition;
use crate::types::{DateOrder, DateStyle};
use crate::{Result, SqlState};

/// The encodings that PostgreSQL can convert and Postilion cannot.
const OTHER_ENCODINGS: &[&str] = &[
    "BIG5",
    "EUC_CN",
    "EUC_JP",
    "EUC_JIS_2004",
    "EUC_KR",
    "EUC_TW",
    "GB18030",
    "GBK",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "JOHAB",
    "KOI8R",
    "KOI8U",
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "MULE_INTERNAL",
    "SJIS",
    "SHIFT_JIS_2004",
    "UHC",
    "WIN866",
    "WIN874",
    "WIN1250",
    "WIN1251",
    "WIN1252",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1256",
    "WIN1257",
    "WIN1258",
];

/// `ISO, MDY` from `iso`, `sql, dmy`, `german`, …; a half that is not named keeps its present value.
pub(super) fn date_style(definition: &SettingDefinition, new: &str, present: &str) -> Result<String> {
    let (mut style, mut order) = read_date_style(present);
    let (mut style_named, mut order_named) = (None, None);
    for word in new.split(',').map(|word| word.trim().trim_matches('"').to_ascii_lowercase()) {
        let named_style = match word.as_str() {
            "iso" => Some(DateStyle::Iso),
            "sql" => Some(DateStyle::Sql),
            "german" => Some(DateStyle::German),
            _ if word.starts_with("postgres") => Some(DateStyle::Postgres),
            _ => None,
        };
        let named_order = match word.as_str() {
            "ymd" => Some(DateOrder::Ymd),
            "dmy" => Some(DateOrder::Dmy),
            "mdy" | "us" => Some(DateOrder::Mdy),
            _ if word.starts_with("euro") => Some(DateOrder::Dmy),
            _ if word.starts_with("noneuro") => Some(DateOrder::Mdy),
            _ => None,
        };
        if word == "default" {
            (style, order) = (DateStyle::Iso, DateOrder::Mdy);
        } else if let Some(named) = named_style {
            if style_named.replace(named).is_some_and(|before| before != named) {
                return Err(conflict(definition, new));
            }
        } else if let Some(named) = named_order {
            if order_named.replace(named).is_some_and(|before| before != named) {
                return Err(conflict(definition, new));
            }
        } else {
            return Err(definition.invalid(new).detail(format!("Unrecognized key word: \"{word}\".")));
        }
    }
    if style_named == Some(DateStyle::German) && order_named.is_none() {
        order = DateOrder::Dmy;
    }
    style = style_named.unwrap_or(style);
    order = order_named.unwrap_or(order);
    Ok(write_date_style(style, order))
}

fn conflict(definition: &SettingDefinition, new: &str) -> crate::SqlError {
    definition.invalid(new).detail("Conflicting \"datestyle\" specifications.")
}

/// Reads the canonical form.
pub(super) fn read_date_style(text: &str) -> (DateStyle, DateOrder) {
    let (style, order) = text.split_once(", ").unwrap_or((text, "MDY"));
    let style = match style {
        "SQL" => DateStyle::Sql,
        "Postgres" => DateStyle::Postgres,
        "German" => DateStyle::German,
        _ => DateStyle::Iso,
    };
    let order = match order {
        "YMD" => DateOrder::Ymd,
        "DMY" => DateOrder::Dmy,
        _ => DateOrder::Mdy,
    };
    (style, order)
}

fn write_date_style(style: DateStyle, order: DateOrder) -> String {
    let style = match style {
        DateStyle::Iso => "ISO",
        DateStyle::Sql => "SQL",
        DateStyle::Postgres => "Postgres",
        DateStyle::German => "German",
    };
    let order = match order {
        DateOrder::Ymd => "YMD",
        DateOrder::Dmy => "DMY",
        DateOrder::Mdy => "MDY",
    };
    format!("{style}, {order}")
}

/// A zone of the time zone database (in its own spelling), a POSIX zone, or hours east of UTC.
pub(super) fn time_zone(definition: &SettingDefinition, new: &str, _present: &str) -> Result<String> {
    if let Ok(hours) = new.trim().parse::<f64>() {
        return fixed_zone(hours).ok_or_else(|| definition.invalid(new));
    }
    match find_time_zone(new) {
        Some(zone) => Ok(zone.iana_name().unwrap_or(new).to_owned()),
        None => Err(definition.invalid(new)),
    }
}

/// Hours east of UTC as a POSIX zone, which counts west: 2 is `<+02>-02`.
fn fixed_zone(hours: f64) -> Option<String> {
    const HOURS_MAX: f64 = 167.0;
    if !hours.is_finite() || hours.abs() > HOURS_MAX {
        return None;
    }
    let minutes = (hours.abs() * 60.0).round() as i64;
    let (east, west) = if hours < 0.0 { ('-', '+') } else { ('+', '-') };
    let clock = match minutes % 60 {
        0 => format!("{:02}", minutes / 60),
        rest => format!("{:02}:{rest:02}", minutes / 60),
    };
    Some(format!("<{east}{clock}>{west}{clock}"))
}

/// The zone of a canonical name.
pub(super) fn find_time_zone(name: &str) -> Option<TimeZone> {
    if name.eq_ignore_ascii_case("UTC") || name.eq_ignore_ascii_case("GMT") {
        // Both are zones of the database, and mean the same.
        return TimeZone::get(name).ok().or(Some(TimeZone::UTC));
    }
    TimeZone::get(name).ok().or_else(|| TimeZone::posix(name).ok())
}

/// UTF8 under any of its names, or SQL_ASCII, which converts nothing either.
pub(super) fn client_encoding(definition: &SettingDefinition, new: &str, _present: &str) -> Result<String> {
    let squeezed = |name: &str| {
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
    };
    let wanted = squeezed(new);
    match wanted.as_str() {
        "utf8" | "unicode" => return Ok("UTF8".into()),
        "sqlascii" => return Ok("SQL_ASCII".into()),
        _ => {}
    }
    let wanted = wanted.replace("iso88591", "latin1");
    match OTHER_ENCODINGS.iter().find(|name| squeezed(name) == wanted) {
        Some(name) => {
            let mut error = definition
                .invalid(new)
                .detail(format!("Conversion between {name} and UTF8 is not supported."));
            error.0.code = SqlState::FEATURE_NOT_SUPPORTED;
            Err(error)
        }
        None => Err(definition.invalid(new)),
    }
}

/// A list of identifiers.
pub(super) fn search_path(definition: &SettingDefinition, new: &str, _present: &str) -> Result<String> {
    match split_identifiers(new) {
        Some(_) => Ok(new.into()),
        None => Err(definition.invalid(new).detail("List syntax is invalid.")),
    }
}

/// Splits a list of identifiers, folding those not quoted to lower case; `None` when it is malformed.
pub fn split_identifiers(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text.trim();
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_identifier(quoted)?,
            None => {
                let end = rest.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(rest.len());
                (rest[..end].to_lowercase(), &rest[end..])
            }
        };
        if name.is_empty() {
            return None;
        }
        names.push(name);
        let after = after.trim_start();
        if after.is_empty() {
            return Some(names);
        }
        rest = after.strip_prefix(',')?.trim_start();
    }
}

fn quoted_identifier(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match (character, characters.peek()) {
            ('"', Some((_, '"'))) => {
                characters.next();
                name.push('"');
            }
            ('"', _) => return Some((name, &text[at + 1..])),
            _ => name.push(character),
        }
    }
    None
}

/// The one tablespace that there is.
pub(super) fn tablespace(definition: &SettingDefinition, new: &str, _present: &str) -> Result<String> {
    match new {
        "" | "pg_default" => Ok(new.into()),
        _ => Err(definition.invalid(new).detail(format!("Tablespace \"{new}\" does not exist."))),
    }
}

/// The one access method that tables have.
pub(super) fn access_method(definition: &SettingDefinition, new: &str, _present: &str) -> Result<String> {
    match new {
        "heap" => Ok(new.into()),
        "" => Err(definition.invalid(new).detail("default_table_access_method cannot be empty.")),
        _ => Err(definition.invalid(new).detail(format!("Table access method \"{new}\" does not exist."))),
    }
}

/// Where log lines can go.
pub(super) fn log_destination(definition: &SettingDefinition, new: &str, _present: &str) -> Result<String> {
    let Some(words) = split_identifiers(new) else {
        return Err(definition.invalid(new).detail("List syntax is invalid."));
    };
    match words.iter().find(|word| !matches!(word.as_str(), "stderr" | "jsonlog")) {
        Some(word) => Err(definition.invalid(new).detail(format!("Unrecognized key word: \"{word}\"."))),
        None => Ok(new.into()),
    }
}

/// Text that any terminal and log can show: other characters become question marks.
pub(super) fn printable_ascii(_definition: &SettingDefinition, new: &str, _present: &str) -> Result<String> {
    Ok(new.bytes().map(|byte| if (32..=126).contains(&byte) { char::from(byte) } else { '?' }).collect())
}
