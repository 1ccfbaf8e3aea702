//! Functions of character strings.
//!
//! Source: `src/backend/utils/adt/varlena.c`, `oracle_compat.c`, `quote.c`, `misc.c`.

use std::collections::HashMap;

use crate::oid::types;
use crate::types::array::Array;
use crate::types::names::{quote_large_identifier, quote_large_literal};
use crate::types::text::{first_characters, truncate_name};
use crate::types::{StorageForm, to_text};
use crate::{Result, Value, ValueRef, error, interrupt};

use super::arguments::{boolean, column, int4, native, rows, scalar, text};
use super::{Function, FunctionCall};

/// The longest string a function makes, in bytes (PostgreSQL's `MaxAllocSize`, less its header).
pub(super) const LENGTH_MAX: usize = 0x3FFF_FFFF - 4;

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    native("textcat", "({0} || {1})"),
    native("textlen", "length({0})"),
    native("bpcharlen", "length(rtrim({0}, ' '))"),
    native("textoctetlen", "octet_length({0})"),
    native("bpcharoctetlen", "octet_length({0})"),
    native("bit_length(text)", "(octet_length({0}) * 8)"),
    scalar("upper", |_, v| interrupt::mapped(text(v[0])?, upper).map(Value::Text)),
    scalar("lower", |_, v| interrupt::mapped(text(v[0])?, lower).map(Value::Text)),
    scalar("initcap", |_, v| initcap(text(v[0])?).map(Value::Text)),
    scalar("text_substr", |_, v| substring(text(v[0])?, int4(v[1])?, Some(int4(v[2])?)).map(Value::from)),
    scalar("text_substr_no_len", |_, v| substring(text(v[0])?, int4(v[1])?, None).map(Value::from)),
    scalar("text_left", |_, v| Ok(Value::from(left(text(v[0])?, int4(v[1])?)))),
    scalar("text_right", |_, v| Ok(Value::from(right(text(v[0])?, int4(v[1])?)))),
    scalar("textpos", |_, v| position(text(v[0])?, text(v[1])?).map(Value::Integer)),
    scalar("textoverlay", |_, v| {
        overlay(text(v[0])?, text(v[1])?, int4(v[2])?, int4(v[3])?).map(Value::Text)
    }),
    scalar("textoverlay_no_len", |_, v| {
        let replacement = text(v[1])?;
        overlay(text(v[0])?, replacement, int4(v[2])?, replacement.chars().count() as i32).map(Value::Text)
    }),
    scalar("btrim", |_, v| trim(text(v[0])?, text(v[1])?, true, true).map(Value::from)),
    scalar("btrim1", |_, v| trim(text(v[0])?, " ", true, true).map(Value::from)),
    scalar("ltrim", |_, v| trim(text(v[0])?, text(v[1])?, true, false).map(Value::from)),
    scalar("ltrim1", |_, v| trim(text(v[0])?, " ", true, false).map(Value::from)),
    scalar("rtrim", |_, v| trim(text(v[0])?, text(v[1])?, false, true).map(Value::from)),
    native("rtrim1", "rtrim({0}, ' ')"),
    scalar("lpad", |_, v| pad(text(v[0])?, int4(v[1])?, text(v[2])?, true).map(Value::Text)),
    scalar("rpad", |_, v| pad(text(v[0])?, int4(v[1])?, text(v[2])?, false).map(Value::Text)),
    scalar("lpad(text,int4)", |_, v| pad(text(v[0])?, int4(v[1])?, " ", true).map(Value::Text)),
    scalar("rpad(text,int4)", |_, v| pad(text(v[0])?, int4(v[1])?, " ", false).map(Value::Text)),
    scalar("repeat", |_, v| repeat(text(v[0])?, int4(v[1])?)),
    scalar("replace_text", |_, v| replace(text(v[0])?, text(v[1])?, text(v[2])?).map(Value::Text)),
    scalar("translate", |_, v| translate(text(v[0])?, text(v[1])?, text(v[2])?).map(Value::Text)),
    scalar("text_reverse", |_, v| reverse(text(v[0])?).map(Value::Text)),
    scalar("split_part", |_, v| split_part(text(v[0])?, text(v[1])?, int4(v[2])?).map(Value::from)),
    scalar("ascii", |_, v| Ok(Value::Integer(text(v[0])?.chars().next().map_or(0, |c| u32::from(c).into())))),
    scalar("chr", |_, v| chr(int4(v[0])?)),
    scalar("to_hex32", |_, v| Ok(Value::Text(format!("{:x}", int4(v[0])?)))),
    scalar("to_hex64", |_, v| Ok(Value::Text(format!("{:x}", super::arguments::integer(v[0])?)))),
    scalar("quote_ident", |_, v| quote_large_identifier(text(v[0])?).map(Value::Text)),
    scalar("quote_literal", |_, v| quote_large_literal(text(v[0])?).map(Value::Text)),
    scalar("quote_nullable", |_, v| quote_nullable(v[0])),
    scalar("quote_literal(anyelement)", |call, v| {
        let shown = to_text(call.types.arguments[0], v[0], &call.type_context())?;
        quote_large_literal(&shown).map(Value::Text)
    }),
    scalar("quote_nullable(anyelement)", |call, v| match v[0] {
        ValueRef::Null => Ok(Value::from("NULL")),
        value => {
            let shown = to_text(call.types.arguments[0], value, &call.type_context())?;
            quote_large_literal(&shown).map(Value::Text)
        }
    }),
    scalar("textanycat(text,anynonarray)", |call, v| {
        let right = to_text(call.types.arguments[1], v[1], &call.type_context())?;
        joined("", [text(v[0])?, &right]).map(Value::Text)
    }),
    scalar("anytextcat(anynonarray,text)", |call, v| {
        let left = to_text(call.types.arguments[0], v[0], &call.type_context())?;
        joined("", [&left, text(v[1])?]).map(Value::Text)
    }),
    scalar("text_concat", |call, v| {
        let mut out = interrupt::Text::default();
        for (index, value) in v.iter().enumerate().filter(|(_, value)| !value.is_null()) {
            out.push_str(&argument_text(call, index, *value)?)?;
        }
        Ok(Value::Text(out.finish()))
    }),
    scalar("text_concat_ws", |call, v| {
        if v[0].is_null() {
            return Ok(Value::Null);
        }
        let mut parts = Vec::new();
        for (index, value) in v.iter().enumerate().skip(1).filter(|(_, value)| !value.is_null()) {
            parts.push(argument_text(call, index, *value)?);
        }
        joined(text(v[0])?, parts.iter().map(String::as_str)).map(Value::Text)
    }),
    scalar("text_to_array", |_, v| to_array(v[0], v[1], ValueRef::Null)),
    scalar("text_to_array_null", |_, v| to_array(v[0], v[1], v[2])),
    rows("text_to_table", |_, v| Ok(column(pieces(v[0], v[1], ValueRef::Null)?.unwrap_or_default()))),
    rows("text_to_table_null", |_, v| Ok(column(pieces(v[0], v[1], v[2])?.unwrap_or_default()))),
    scalar("parse_ident", |_, v| parse_ident(text(v[0])?, boolean(v[1])?)),
    scalar("unistr", |_, v| unistr(text(v[0])?).map(Value::Text)),
    native("name_text", "{0}"),
    scalar("text_name", |_, v| Ok(Value::from(truncate_name(text(v[0])?)))),
    scalar("bpchar_name", |_, v| Ok(Value::from(truncate_name(text(v[0])?.trim_end_matches(' '))))),
    native("name_bpchar", "{0}"),
    native("char_text", "{0}"),
    native("char_bpchar", "{0}"),
    scalar("text_char", |_, v| {
        Ok(crate::types::text::char_from_byte(crate::types::text::char_byte(text(v[0])?)))
    }),
    scalar("chartoi4", |_, v| Ok(Value::Integer((crate::types::text::char_byte(text(v[0])?) as i8).into()))),
    scalar("i4tochar", |_, v| match i8::try_from(int4(v[0])?) {
        Ok(byte) => Ok(crate::types::text::char_from_byte(byte as u8)),
        Err(_) => Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "\"char\" out of range")),
    }),
    scalar("nameconcatoid", |_, v| {
        let suffix = format!("_{}", super::arguments::integer(v[1])?);
        let name = text(v[0])?;
        let room = crate::types::text::NAME_LENGTH_MAX - suffix.len();
        Ok(Value::Text(format!("{}{suffix}", &name[..name.floor_char_boundary(room)])))
    }),
    // char(n) and varchar(n): the third argument says whether the cast is explicit.
    scalar("bpchar", |_, v| {
        let (source, modifier) = (text(v[0])?, int4(v[1])?);
        let cut = match boolean(v[2])? {
            true => crate::types::text::truncate(source, modifier),
            false => crate::types::text::fit(source, modifier, "character")?,
        };
        Ok(Value::Text(crate::types::text::pad(cut, modifier)))
    }),
    scalar("varchar", |_, v| {
        let (source, modifier) = (text(v[0])?, int4(v[1])?);
        Ok(Value::from(match boolean(v[2])? {
            true => crate::types::text::truncate(source, modifier),
            false => crate::types::text::fit(source, modifier, "character varying")?,
        }))
    }),
];

/// Texts put together, a separator between any two.
fn joined<'a>(separator: &str, parts: impl IntoIterator<Item = &'a str>) -> Result<String> {
    let mut out = interrupt::Text::default();
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            out.push_str(separator)?;
        }
        out.push_str(part)?;
    }
    Ok(out.finish())
}

/// Case mapping is character by character, as C libraries do it: lengths in characters stay.
pub(super) fn upper(c: char) -> char {
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

pub(super) fn lower(c: char) -> char {
    let mut mapped = c.to_lowercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn initcap(source: &str) -> Result<String> {
    let mut inside = false;
    interrupt::mapped(source, |c| {
        let mapped = if inside { lower(c) } else { upper(c) };
        inside = c.is_alphanumeric();
        mapped
    })
}

fn replace(source: &str, from: &str, to: &str) -> Result<String> {
    if from.is_empty() {
        return interrupt::copied_text(source);
    }
    let mut out = interrupt::Text::with_capacity(source.len());
    for (index, part) in interrupt::split(source, from).enumerate() {
        if index > 0 {
            out.push_str(to)?;
        }
        out.push_str(part?)?;
    }
    Ok(out.finish())
}

fn reverse(source: &str) -> Result<String> {
    let mut out = interrupt::Text::with_capacity(source.len());
    for piece in interrupt::text_pieces(source).rev() {
        out.extend(piece?.chars().rev());
    }
    Ok(out.finish())
}

/// The characters from `start` (counted from 1, possibly before the text), so many or to the end.
pub(super) fn substring(source: &str, start: i32, length: Option<i32>) -> Result<&str> {
    let (first, end) = window(start, length)?;
    let rest = &source[first_characters(source, first).len()..];
    Ok(match end {
        Some(end) => first_characters(rest, end.saturating_sub(first)),
        None => rest,
    })
}

/// The part of a value that `substring` takes: its first position from 0 and the position after its last.
pub(super) fn window(start: i32, length: Option<i32>) -> Result<(usize, Option<usize>)> {
    let first = (i64::from(start) - 1).max(0) as usize;
    let end = match length {
        None => None,
        Some(length) if length < 0 => {
            return Err(error!(SUBSTRING_ERROR, "negative substring length not allowed"));
        }
        Some(length) => Some((i64::from(start) - 1 + i64::from(length)).max(0) as usize),
    };
    Ok((first, end))
}

fn left(source: &str, count: i32) -> &str {
    match usize::try_from(count) {
        Ok(count) => first_characters(source, count),
        Err(_) => {
            let length = source.chars().count() as i64 + i64::from(count);
            first_characters(source, length.max(0) as usize)
        }
    }
}

fn right(source: &str, count: i32) -> &str {
    let skip = match count {
        count if count >= 0 => (source.chars().count() as i64 - i64::from(count)).max(0),
        count => -i64::from(count),
    };
    &source[first_characters(source, skip as usize).len()..]
}

fn position(source: &str, searched: &str) -> Result<i64> {
    Ok(interrupt::find(source, searched)?.map_or(0, |at| source[..at].chars().count() as i64 + 1))
}

fn overlay(source: &str, replacement: &str, start: i32, length: i32) -> Result<String> {
    if start <= 0 {
        return Err(error!(SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let after = start
        .checked_add(length)
        .ok_or_else(|| error!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))?;
    let (before, rest) = (substring(source, 1, Some(start - 1))?, substring(source, after, None)?);
    joined("", [before, replacement, rest])
}

fn trim<'a>(source: &'a str, set: &str, front: bool, back: bool) -> Result<&'a str> {
    let mut rest = source.chars();
    for (at_end, wanted) in [(false, front), (true, back)] {
        while wanted && !rest.as_str().is_empty() {
            interrupt::check()?;
            let before = rest.clone();
            let next = if at_end { rest.next_back() } else { rest.next() };
            if !next.is_some_and(|c| set.contains(c)) {
                rest = before;
                break;
            }
        }
    }
    Ok(rest.as_str())
}

fn pad(source: &str, length: i32, fill: &str, front: bool) -> Result<String> {
    let wanted = length.max(0) as usize;
    let has = source.chars().count();
    if wanted <= has || fill.is_empty() {
        return Ok(first_characters(source, wanted).to_owned());
    }
    if wanted > LENGTH_MAX / 4 {
        return Err(too_long());
    }
    let mut out = interrupt::Text::with_capacity(source.len() + wanted - has);
    if !front {
        out.push_str(source)?;
    }
    for c in fill.chars().cycle().take(wanted - has) {
        out.push(c)?;
    }
    if front {
        out.push_str(source)?;
    }
    Ok(out.finish())
}

/// `54000`.
pub(super) fn too_long() -> crate::SqlError {
    error!(PROGRAM_LIMIT_EXCEEDED, "requested length too large")
}

fn repeat(source: &str, count: i32) -> Result<Value> {
    let count = count.max(0) as usize;
    match source.len().checked_mul(count) {
        Some(length) if length <= LENGTH_MAX => interrupt::repeated(source, count).map(Value::Text),
        _ => Err(too_long()),
    }
}

/// From how many bytes on the characters to be replaced are looked up, not gone through.
const TRANSLATED_MANY_BYTES: usize = 64;

fn translate(source: &str, from: &str, to: &str) -> Result<String> {
    let to: Vec<_> = to.chars().collect();
    let mut table: HashMap<char, usize> = HashMap::new();
    if from.len() > TRANSLATED_MANY_BYTES {
        for (index, c) in from.chars().enumerate() {
            interrupt::check()?;
            table.entry(c).or_insert(index);
        }
    }
    let place = |c: char| match table.is_empty() {
        true => from.chars().position(|f| f == c),
        false => table.get(&c).copied(),
    };
    let mut out = interrupt::Text::with_capacity(source.len());
    for piece in interrupt::text_pieces(source) {
        out.extend(piece?.chars().filter_map(|c| match place(c) {
            Some(index) => to.get(index).copied(),
            None => Some(c),
        }));
    }
    Ok(out.finish())
}

fn split_part<'a>(source: &'a str, separator: &str, field: i32) -> Result<&'a str> {
    if field == 0 {
        return Err(error!(INVALID_PARAMETER_VALUE, "field position must not be zero"));
    }
    let index = field.unsigned_abs() as usize - 1;
    if separator.is_empty() {
        return Ok(if index == 0 { source } else { "" });
    }
    let mut skipped = index;
    if field < 0 {
        // Parts are those found from the front, also when they are counted from the end.
        let mut count = 0;
        for part in interrupt::split(source, separator) {
            part?;
            count += 1;
        }
        skipped = match usize::checked_sub(count, index + 1) {
            Some(skipped) => skipped,
            None => return Ok(""),
        };
    }
    for (place, part) in interrupt::split(source, separator).enumerate() {
        let part = part?;
        if place == skipped {
            return Ok(part);
        }
    }
    Ok("")
}

fn chr(code: i32) -> Result<Value> {
    let refused = || error!(PROGRAM_LIMIT_EXCEEDED, "requested character not valid for encoding: {code}");
    match code {
        ..0 => Err(error!(PROGRAM_LIMIT_EXCEEDED, "character number must be positive")),
        0 => Err(error!(PROGRAM_LIMIT_EXCEEDED, "null character not permitted")),
        0x11_0000.. => {
            Err(error!(PROGRAM_LIMIT_EXCEEDED, "requested character too large for encoding: {code}"))
        }
        _ => char::from_u32(code as u32).map(|c| Value::Text(c.to_string())).ok_or_else(refused),
    }
}

fn quote_nullable(value: ValueRef<'_>) -> Result<Value> {
    match value {
        ValueRef::Null => Ok(Value::from("NULL")),
        value => quote_large_literal(text(value)?).map(Value::Text),
    }
}

/// The text of an argument of any type.
pub(super) fn argument_text(call: &FunctionCall<'_>, index: usize, value: ValueRef<'_>) -> Result<String> {
    let ty = call.types.arguments.get(index).copied().unwrap_or(types::TEXT);
    to_text(ty, value, &call.type_context())
}

/// The pieces of a text between separators; `None` for a NULL text.
fn pieces(source: ValueRef<'_>, separator: ValueRef<'_>, null: ValueRef<'_>) -> Result<Option<Vec<Value>>> {
    if source.is_null() {
        return Ok(None);
    }
    let source = text(source)?;
    let null = if null.is_null() { None } else { Some(text(null)?) };
    let piece = |part: &str| if null == Some(part) { Value::Null } else { Value::from(part) };
    Ok(Some(match separator {
        _ if source.is_empty() => Vec::new(),
        ValueRef::Null => {
            let characters = source.chars().map(|c| interrupt::checked(piece(c.encode_utf8(&mut [0; 4]))));
            interrupt::gather(characters)?
        }
        separator => match text(separator)? {
            "" => vec![piece(source)],
            separator => interrupt::gather(interrupt::split(source, separator).map(|part| part.map(piece)))?,
        },
    }))
}

fn to_array(source: ValueRef<'_>, separator: ValueRef<'_>, null: ValueRef<'_>) -> Result<Value> {
    match pieces(source, separator, null)? {
        Some(pieces) => Array::new(pieces).to_value(StorageForm::Text),
        None => Ok(Value::Null),
    }
}

fn parse_ident(source: &str, strict: bool) -> Result<Value> {
    let refuse = || error!(INVALID_PARAMETER_VALUE, "string is not a valid identifier: \"{source}\"");
    let blank = |c: char| matches!(c, ' ' | '\t'..='\r');
    let mut rest = source.trim_start_matches(blank);
    let mut parts = Vec::new();
    let mut after_dot = false;
    loop {
        interrupt::check()?;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut inner = quoted;
            loop {
                interrupt::check()?;
                let (part, after) = inner
                    .split_once('"')
                    .ok_or_else(|| refuse().detail("String has unclosed double quotes."))?;
                name.push_str(part);
                rest = after;
                match after.strip_prefix('"') {
                    Some(next) => {
                        name.push('"');
                        inner = next;
                    }
                    None => break,
                }
            }
            if name.is_empty() {
                return Err(refuse().detail("Quoted identifier must not be empty."));
            }
            parts.push(Value::Text(name));
        } else {
            let start = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
            let inside = |c: char| start(c) || c.is_ascii_digit() || c == '$';
            if !rest.starts_with(start) {
                return Err(match (rest.starts_with('.'), after_dot) {
                    (true, _) => refuse().detail("No valid identifier before \".\"."),
                    (false, true) => refuse().detail("No valid identifier after \".\"."),
                    _ => refuse(),
                });
            }
            let end = rest.find(|c| !inside(c)).unwrap_or(rest.len());
            parts.push(Value::Text(rest[..end].to_ascii_lowercase()));
            rest = &rest[end..];
        }
        rest = rest.trim_start_matches(blank);
        match rest.strip_prefix('.') {
            Some(next) => {
                after_dot = true;
                rest = next.trim_start_matches(blank);
            }
            None if rest.is_empty() || !strict => break,
            None => return Err(refuse()),
        }
    }
    Array::new(parts).to_value(StorageForm::Text)
}

fn unistr(source: &str) -> Result<String> {
    let invalid = || {
        error!(SYNTAX_ERROR, "invalid Unicode escape")
            .hint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
    };
    let mut out = interrupt::Text::default();
    let mut rest = source;
    let mut high = None;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        if high.is_some() && !before.is_empty() {
            return Err(error!(SYNTAX_ERROR, "invalid Unicode surrogate pair"));
        }
        out.push_str(before)?;
        let body = &escape[1..];
        if let Some(after) = body.strip_prefix('\\') {
            out.push('\\')?;
            rest = after;
            continue;
        }
        let (digits, skip) = match body.chars().next() {
            Some('+') => (6, 1),
            Some('u') => (4, 1),
            Some('U') => (8, 1),
            _ => (4, 0),
        };
        let hex = body.get(skip..skip + digits).ok_or_else(invalid)?;
        let code = u32::from_str_radix(hex, 16).map_err(|_| invalid())?;
        rest = &body[skip + digits..];
        let code = match (high.take(), code) {
            (Some(first), 0xDC00..=0xDFFF) => 0x1_0000_u32 + ((first - 0xD800_u32) << 10) + (code - 0xDC00),
            (Some(_), _) | (None, 0xDC00..=0xDFFF) => {
                return Err(error!(SYNTAX_ERROR, "invalid Unicode surrogate pair"));
            }
            (None, 0xD800..=0xDBFF) => {
                high = Some(code);
                continue;
            }
            (None, code) => code,
        };
        out.push(char::from_u32(code).ok_or_else(invalid)?)?;
    }
    if high.is_some() {
        return Err(error!(SYNTAX_ERROR, "invalid Unicode surrogate pair"));
    }
    out.push_str(rest)?;
    Ok(out.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_strings() {
        assert_eq!(substring("hello", -1, Some(4)).unwrap(), "he");
        assert_eq!(substring("hello", 2, None).unwrap(), "ello");
        assert_eq!(substring("héllo", 2, Some(100)).unwrap(), "éllo");
        assert_eq!(
            substring("hello", 2, Some(-1)).unwrap_err().message(),
            "negative substring length not allowed"
        );
        assert_eq!(
            (left("abcde", -2), right("abcde", -2), right("abcde", 2), left("ab", 9)),
            ("abc", "cde", "de", "ab")
        );
        assert_eq!(position("hello", "l").unwrap(), 3);
        assert_eq!(overlay("Txxxxas", "hom", 2, 4).unwrap(), "Thomas");
        assert_eq!(pad("hi", 5, "xy", true).unwrap(), "xyxhi");
        assert_eq!(pad("hello", 2, "x", false).unwrap(), "he");
        assert_eq!(translate("12345", "143", "ax").unwrap(), "a2x5");
        assert_eq!(split_part("a~b~c", "~", -1).unwrap(), "c");
        assert_eq!(initcap("hi THOMAS o'neil").unwrap(), "Hi Thomas O'Neil");
        assert_eq!(unistr("d\\0061t\\+000061 \\D83D\\DE00").unwrap(), "data 😀");
    }
}
