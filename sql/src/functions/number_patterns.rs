//! `to_char` and `to_number` of numbers.
//!
//! Source: `NUM_processor` in `src/backend/utils/adt/formatting.c`.

use crate::bound::TypeMod;
use crate::functions::arguments::{integer, real, scalar, text, to_text};
use crate::functions::date_patterns::ordinal_suffix;
use crate::functions::{Function, FunctionCall};
use crate::oid::types as oids;
use crate::types;
use crate::{Result, Value, ValueRef, error};

/// The width of Roman numerals.
const ROMAN_WIDTH: usize = 15;

/// A part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Nine,
    Zero,
    Point,
    Group,
    Sign,
    Minus,
    Plus,
    PlusMinus,
    Ordinal(bool),
    Currency,
    Plain(char),
}

/// A pattern with what its parts add up to.
#[derive(Debug, Default)]
struct Pattern {
    parts: Vec<Part>,
    whole: usize,
    fraction: usize,
    shift: usize,
    first_zero: Option<usize>,
    fill: bool,
    brackets: bool,
    scientific: bool,
    roman: Option<bool>,
    has_point: bool,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self> {
        let mut pattern = Self { fill: true, ..Self::default() };
        let (mut rest, mut after_point, mut shifting) = (text, false, false);
        while let Some(first) = rest.chars().next() {
            let upper = rest.to_ascii_uppercase();
            let taken = if let Some(plain) = rest.strip_prefix('"') {
                let end = plain.find('"').unwrap_or(plain.len());
                pattern.parts.extend(plain[..end].chars().map(Part::Plain));
                (end + 2).min(rest.len())
            } else if upper.starts_with("EEEE") {
                pattern.scientific = true;
                4
            } else if let Some(length) = pattern.word(&upper, rest) {
                length
            } else {
                match first {
                    '9' | '0' => {
                        pattern.digit(first == '0', after_point, shifting);
                        1
                    }
                    '.' | 'D' | 'd' => {
                        if after_point {
                            return Err(error!(SYNTAX_ERROR, "multiple decimal points"));
                        }
                        (after_point, pattern.has_point) = (true, true);
                        pattern.parts.push(Part::Point);
                        1
                    }
                    'V' | 'v' => {
                        shifting = true;
                        1
                    }
                    ',' | 'G' | 'g' => pattern.push(Part::Group),
                    'S' | 's' => pattern.push(Part::Sign),
                    'L' | 'l' => pattern.push(Part::Currency),
                    other => {
                        pattern.parts.push(Part::Plain(other));
                        other.len_utf8()
                    }
                }
            };
            rest = &rest[taken..];
        }
        Ok(pattern)
    }

    fn push(&mut self, part: Part) -> usize {
        self.parts.push(part);
        1
    }

    /// Takes a keyword of two letters.
    fn word(&mut self, upper: &str, written: &str) -> Option<usize> {
        let lower = written.starts_with(|c: char| c.is_ascii_lowercase());
        match upper.get(..2)? {
            "FM" => self.fill = false,
            "MI" => self.parts.push(Part::Minus),
            "PL" => self.parts.push(Part::Plus),
            "SG" => self.parts.push(Part::PlusMinus),
            "PR" => self.brackets = true,
            "TH" => self.parts.push(Part::Ordinal(!lower)),
            "RN" => self.roman = Some(!lower),
            _ => return None,
        }
        Some(2)
    }

    fn digit(&mut self, zero: bool, after_point: bool, shifting: bool) {
        if after_point {
            self.fraction += 1;
        } else {
            if zero && self.first_zero.is_none() {
                self.first_zero = Some(self.whole);
            }
            self.whole += 1;
            self.shift += usize::from(shifting);
        }
        self.parts.push(if zero { Part::Zero } else { Part::Nine });
    }

    fn own_sign(&self) -> bool {
        self.brackets
            || self.parts.iter().any(|part| matches!(part, Part::Sign | Part::Minus | Part::PlusMinus))
    }

    /// Writes a number given as decimal text with enough digits.
    fn write(&self, number: &str) -> String {
        let shifted = shift(number, self.shift);
        let (negative, digits) =
            shifted.strip_prefix('-').map_or((false, shifted.as_str()), |digits| (true, digits));
        let rounded = round(digits, self.fraction);
        let (whole, fraction) = rounded.split_once('.').unwrap_or((&rounded, ""));
        let negative = negative && rounded.bytes().any(|b| matches!(b, b'1'..=b'9'));
        let overflow = whole.trim_start_matches('0').len() > self.whole;
        // `.1` rather than `0.1`, unless the pattern asks for the zero.
        let whole = match whole.trim_start_matches('0') {
            "" if self.has_point && self.fraction > 0 && self.whole > 0 => "",
            "" => "0",
            digits => digits,
        };
        let mut writer = Writer { out: String::new(), sign_at: None };
        let (mut position, mut after_point) = (0, false);
        let blanks = self.whole.saturating_sub(whole.len());
        let relevant = if self.fill { self.fraction } else { self.relevant(fraction) };
        let trailing_sign = matches!(self.parts.last(), Some(Part::Sign)) && self.parts.len() > 1;
        for part in &self.parts {
            match part {
                Part::Nine | Part::Zero if after_point => {
                    if position < relevant {
                        writer.number(if overflow { '#' } else { char::from(fraction.as_bytes()[position]) });
                    }
                    position += 1;
                }
                Part::Nine | Part::Zero => {
                    if overflow {
                        writer.number('#');
                    } else if position >= blanks {
                        writer.number(char::from(whole.as_bytes()[position - blanks]));
                    } else if self.first_zero.is_some_and(|zero| position >= zero) {
                        writer.number('0');
                    } else if self.fill {
                        writer.out.push(' ');
                    }
                    position += 1;
                }
                Part::Point => {
                    (after_point, position) = (true, 0);
                    writer.number('.');
                }
                Part::Group if writer.sign_at.is_some() => writer.out.push(','),
                Part::Group if self.fill => writer.out.push(' '),
                Part::Group => {}
                Part::Sign if trailing_sign => writer.out.push(if negative { '-' } else { '+' }),
                Part::Sign => {}
                Part::Minus if negative => writer.out.push('-'),
                Part::Plus if !negative => writer.out.push('+'),
                Part::Minus | Part::Plus if self.fill => writer.out.push(' '),
                Part::Minus | Part::Plus => {}
                Part::PlusMinus => writer.out.push(if negative { '-' } else { '+' }),
                Part::Ordinal(upper) if !negative && !self.has_point => {
                    writer.out.push_str(ordinal_suffix(whole, *upper))
                }
                Part::Ordinal(_) => {}
                Part::Currency => writer.out.push(' '),
                Part::Plain(c) => writer.out.push(*c),
            }
        }
        self.sign(writer, negative, trailing_sign)
    }

    /// Puts the sign before the first digit, and the bracket behind the last.
    fn sign(&self, mut writer: Writer, negative: bool, trailing_sign: bool) -> String {
        let leading = match (self.brackets, self.own_sign(), negative) {
            (true, _, true) => "<",
            (true, _, false) if self.fill => " ",
            (true, _, false) => "",
            (_, false, true) => "-",
            (_, false, false) if self.fill => " ",
            (_, false, false) => "",
            _ if !trailing_sign && self.parts.contains(&Part::Sign) => {
                if negative {
                    "-"
                } else {
                    "+"
                }
            }
            _ => "",
        };
        let place = writer.sign_at.unwrap_or(writer.out.len());
        writer.out.insert_str(place, leading);
        if self.brackets {
            writer.out.push_str(if negative {
                ">"
            } else if self.fill {
                " "
            } else {
                ""
            });
        }
        writer.out
    }

    /// How many digits of the fraction FM keeps: to the last that is not zero or that a `0` asks for.
    fn relevant(&self, fraction: &str) -> usize {
        let mut after_point = false;
        let asked = self.parts.iter().filter(|part| {
            after_point |= **part == Part::Point;
            after_point && matches!(part, Part::Nine | Part::Zero)
        });
        let asked = asked.enumerate().filter(|(_, part)| **part == Part::Zero).map(|(at, _)| at + 1).last();
        fraction.trim_end_matches('0').len().max(asked.unwrap_or(0))
    }
}

struct Writer {
    out: String,
    sign_at: Option<usize>,
}

impl Writer {
    fn number(&mut self, digit: char) {
        self.sign_at.get_or_insert(self.out.len());
        self.out.push(digit);
    }
}

/// Moves the point of a decimal number to the right.
fn shift(number: &str, places: usize) -> String {
    if places == 0 {
        return number.to_owned();
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let padded = format!("{fraction:0<places$}");
    format!("{whole}{}.{}", &padded[..places], &padded[places..])
}

/// Rounds a decimal number without sign to so many digits, halves away from zero.
fn round(number: &str, digits: usize) -> String {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut kept: Vec<u8> =
        whole.bytes().chain(format!("{fraction:0<digits$}").bytes().take(digits)).collect();
    let mut up = fraction.as_bytes().get(digits).is_some_and(|digit| *digit >= b'5');
    for digit in kept.iter_mut().rev() {
        if !up {
            break;
        }
        (*digit, up) = if *digit == b'9' { (b'0', true) } else { (*digit + 1, false) };
    }
    if up {
        kept.insert(0, b'1');
    }
    let split = kept.len() - digits;
    let text = String::from_utf8_lossy(&kept).into_owned();
    if digits == 0 { text } else { format!("{}.{}", &text[..split], &text[split..]) }
}

fn roman(number: i64, upper: bool, fill: bool) -> String {
    const NUMERALS: [(i64, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if !(1..4000).contains(&number) {
        return "#".repeat(ROMAN_WIDTH);
    }
    let (mut out, mut left) = (String::new(), number);
    for (value, numeral) in NUMERALS {
        while left >= value {
            out.push_str(numeral);
            left -= value;
        }
    }
    let out = if upper { out } else { out.to_ascii_lowercase() };
    if fill { format!("{out:>ROMAN_WIDTH$}") } else { out }
}

/// A number's text by a pattern.
fn format(number: &str, pattern: &str) -> Result<Value> {
    let pattern = Pattern::parse(pattern)?;
    if let Some(upper) = pattern.roman {
        let whole = round(number.trim_start_matches('-'), 0).parse().unwrap_or(0);
        let signed = if number.starts_with('-') { -whole } else { whole };
        return Ok(roman(signed, upper, pattern.fill).into());
    }
    if number == "NaN" && number.len() <= pattern.whole {
        return Ok(format!(" {number:>0$}", pattern.whole).into());
    }
    if number.ends_with(|c: char| !c.is_ascii_digit()) {
        // NaN and the infinities fill the pattern.
        let digits = format!(" {}", "#".repeat(pattern.whole));
        let fraction =
            if pattern.fraction > 0 { format!(".{}", "#".repeat(pattern.fraction)) } else { String::new() };
        return Ok(format!("{digits}{fraction}").into());
    }
    if pattern.scientific {
        let value: f64 = number.parse().unwrap_or(f64::NAN);
        let shown = format!("{value:.*e}", pattern.fraction);
        let (mantissa, exponent) = shown.split_once('e').unwrap_or((&shown, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let sign = if value < 0.0 { "" } else { " " };
        return Ok(
            format!("{sign}{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()).into()
        );
    }
    Ok(pattern.write(number).into())
}

/// A double with as many digits of the fraction as its precision gives.
fn plain_float(value: f64, precision: usize) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "NaN".to_owned() } else { "Infinity".to_owned() };
    }
    let whole_digits = format!("{:.0}", value.abs().trunc()).len();
    format!("{value:.*}", precision.saturating_sub(whole_digits))
}

fn to_number(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let (source, pattern) = (text(arguments[0])?, Pattern::parse(text(arguments[1])?)?);
    let mut number = String::new();
    let negative = source.contains('-') || (pattern.brackets && source.contains('<'));
    let (mut whole, mut fraction, mut after_point) = (0, 0, false);
    for c in source.chars() {
        match c {
            '.' if pattern.has_point && !after_point => {
                after_point = true;
                number.push('.');
            }
            '0'..='9' if after_point && fraction < pattern.fraction => {
                fraction += 1;
                number.push(c);
            }
            '0'..='9' if !after_point && whole < pattern.whole => {
                whole += 1;
                number.push(c);
            }
            _ => {}
        }
    }
    if whole + fraction == 0 {
        return Err(types::invalid_syntax("numeric", " "));
    }
    let number = if negative { format!("-{number}") } else { number };
    let number = if pattern.shift > 0 { format!("{number}e-{}", pattern.shift) } else { number };
    types::input(TypeMod::plain(oids::NUMERIC), number.trim_end_matches('.'), &call.type_context())
}

/// Formatting of numbers.
pub(super) const FUNCTIONS: &[Function] = &[
    scalar("int4_to_char", |_, a| format(&integer(a[0])?.to_string(), text(a[1])?)),
    scalar("int8_to_char", |_, a| format(&integer(a[0])?.to_string(), text(a[1])?)),
    scalar("numeric_to_char", |call, a| {
        format(&to_text(oids::NUMERIC, a[0], &call.type_context())?, text(a[1])?)
    }),
    scalar("float4_to_char", |_, a| format(&plain_float(real(a[0])?, 6), text(a[1])?)),
    scalar("float8_to_char", |_, a| format(&plain_float(real(a[0])?, 15), text(a[1])?)),
    scalar("numeric_to_number", to_number),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_by_patterns() {
        let cases = [
            ("12", "9990999.9", "    0012.0"),
            ("485", "999", " 485"),
            ("-485", "999", "-485"),
            ("485", "9 9 9", " 4 8 5"),
            ("1485", "9,999", " 1,485"),
            ("148.5", "999.999", " 148.500"),
            ("148.5", "FM999.999", "148.5"),
            ("148.5", "FM999.990", "148.500"),
            ("-485", "999S", "485-"),
            ("-485", "999MI", "485-"),
            ("485", "999MI", "485 "),
            ("485", "FM999MI", "485"),
            ("485", "SG999", "+485"),
            ("-485", "999PR", "<485>"),
            ("485", "RN", "        CDLXXXV"),
            ("482", "999th", " 482nd"),
            ("12.4", "99V999", " 12400"),
            ("-0.1", "99.99", "  -.10"),
            ("0.1", "0.9", " 0.1"),
            ("12345", "999", " ###"),
            ("0", "999", "   0"),
            ("-12", "S999", " -12"),
            ("-5", "PL99", "  -5"),
            ("NaN", "9999D9", "  NaN"),
            ("1234567.891", "9G999G999D99", " 1,234,567.89"),
        ];
        for (number, pattern, text) in cases {
            assert_eq!(format(number, pattern).unwrap(), Value::from(text), "{number} {pattern}");
        }
    }
}
