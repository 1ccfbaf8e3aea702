//! `format('…%s…', …)`.
//!
//! Source: `src/backend/utils/adt/varlena.c` (`text_format`).

use crate::interrupt::Text;
use crate::types::names::{quote_large_identifier, quote_large_literal};
use crate::{Result, SqlError, Value, ValueRef, error};

use super::arguments::{scalar, text};
use super::strings::argument_text;
use super::{Function, FunctionCall};

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = &[scalar("text_format", format), scalar("text_format_nv", format)];

fn format(call: &mut FunctionCall<'_>, v: &[ValueRef<'_>]) -> Result<Value> {
    if v[0].is_null() {
        return Ok(Value::Null);
    }
    let argument = |index: usize| -> Result<Option<String>> {
        match v.get(index) {
            None => Err(error!(INVALID_PARAMETER_VALUE, "too few arguments for format()")),
            Some(ValueRef::Null) => Ok(None),
            Some(value) => argument_text(call, index, *value).map(Some),
        }
    };
    expand(text(v[0])?, &argument).map(Value::Text)
}

/// One `%…` of a format.
#[derive(Debug, Default)]
struct Specifier {
    position: Option<usize>,
    left: bool,
    width: Option<Width>,
}

#[derive(Debug)]
enum Width {
    Literal(i64),
    NextArgument,
    Argument(usize),
}

fn unterminated() -> SqlError {
    error!(INVALID_PARAMETER_VALUE, "unterminated format() type specifier")
        .hint("For a single \"%\" use \"%%\".")
}

/// Fills a format; `argument` gives texts by position from 1, `None` for NULL.
fn expand(format: &str, argument: &dyn Fn(usize) -> Result<Option<String>>) -> Result<String> {
    let mut out = Text::with_capacity(format.len());
    let mut input = format.chars().peekable();
    let mut next = 1;
    while let Some(c) = input.next() {
        if c != '%' {
            out.push(c)?;
            continue;
        }
        if input.next_if_eq(&'%').is_some() {
            out.push('%')?;
            continue;
        }
        let specifier = specifier(&mut input)?;
        let kind = input.next().ok_or_else(unterminated)?;
        if !matches!(kind, 's' | 'I' | 'L') {
            return Err(error!(INVALID_PARAMETER_VALUE, "unrecognized format() type specifier \"{kind}\"")
                .hint("For a single \"%\" use \"%%\"."));
        }
        let width = width(&specifier, &mut next, argument)?;
        let position = specifier.position.unwrap_or(next);
        next = position + 1;
        let value = argument(position)?;
        let shown = match (kind, value) {
            ('s', value) => value.unwrap_or_default(),
            ('L', Some(value)) => quote_large_literal(&value)?,
            ('L', None) => "NULL".to_owned(),
            (_, Some(value)) => quote_large_identifier(&value)?,
            (_, None) => {
                return Err(error!(
                    NULL_VALUE_NOT_ALLOWED,
                    "null values cannot be formatted as an SQL identifier"
                ));
            }
        };
        push_padded(&mut out, &shown, width, specifier.left)?;
    }
    Ok(out.finish())
}

type Input<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn number(input: &mut Input<'_>) -> Result<Option<i64>> {
    let mut digits = String::new();
    while let Some(digit) = input.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    if digits.is_empty() {
        return Ok(None);
    }
    match digits.parse::<i32>() {
        Ok(number) => Ok(Some(number.into())),
        Err(_) => Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "number is out of range")),
    }
}

fn argument_number(number: i64) -> Result<usize> {
    match usize::try_from(number) {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(error!(
            INVALID_PARAMETER_VALUE,
            "format specifies argument 0, but arguments are numbered from 1"
        )),
    }
}

fn specifier(input: &mut Input<'_>) -> Result<Specifier> {
    let mut specifier = Specifier::default();
    if let Some(first) = number(input)? {
        if input.next_if_eq(&'$').is_none() {
            specifier.width = Some(Width::Literal(first));
            return Ok(specifier);
        }
        specifier.position = Some(argument_number(first)?);
    }
    while input.next_if_eq(&'-').is_some() {
        specifier.left = true;
    }
    if input.next_if_eq(&'*').is_some() {
        specifier.width = Some(match number(input)? {
            None => Width::NextArgument,
            Some(position) => {
                let position = argument_number(position)?;
                if input.next_if_eq(&'$').is_none() {
                    return Err(error!(
                        INVALID_PARAMETER_VALUE,
                        "width argument position must be ended by \"$\""
                    ));
                }
                Width::Argument(position)
            }
        });
    } else if let Some(width) = number(input)? {
        specifier.width = Some(Width::Literal(width));
    }
    if input.peek().is_none() {
        return Err(unterminated());
    }
    Ok(specifier)
}

fn width(
    specifier: &Specifier,
    next: &mut usize,
    argument: &dyn Fn(usize) -> Result<Option<String>>,
) -> Result<i64> {
    let position = match specifier.width {
        None => return Ok(0),
        Some(Width::Literal(width)) => return Ok(width),
        Some(Width::Argument(position)) => position,
        Some(Width::NextArgument) => *next,
    };
    *next = position + 1;
    match argument(position)? {
        Some(width) => {
            crate::types::integer::parse_signed(&width, "integer", i32::MIN.into(), i32::MAX.into())
        }
        None => Ok(0),
    }
}

fn push_padded(out: &mut Text, text: &str, width: i64, left: bool) -> Result<()> {
    let padding = (width.unsigned_abs() as usize).saturating_sub(text.chars().count());
    let left = left || width < 0;
    if left {
        out.push_str(text)?;
    }
    for _ in 0..padding {
        out.push(' ')?;
    }
    if left { Ok(()) } else { out.push_str(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let arguments = [Some("a b"), None, Some("x'y")];
        let fill = |format| {
            expand(format, &|index| match arguments.get(index - 1) {
                Some(value) => Ok(value.map(str::to_owned)),
                None => Err(error!(INVALID_PARAMETER_VALUE, "too few arguments for format()")),
            })
        };
        assert_eq!(fill("%s|%L|%L").unwrap(), "a b|NULL|'x''y'");
        assert_eq!(fill("%I %% %3$I").unwrap(), "\"a b\" % \"x'y\"");
        assert_eq!(fill("[%6s][%-6s]").unwrap(), "[   a b][      ]");
        assert_eq!(fill("%x").unwrap_err().message(), "unrecognized format() type specifier \"x\"");
        assert_eq!(fill("%").unwrap_err().message(), "unterminated format() type specifier");
        assert_eq!(fill("%4$s").unwrap_err().message(), "too few arguments for format()");
        assert_eq!(fill("%2$I").unwrap_err().code().to_string(), "22004");
    }
}
