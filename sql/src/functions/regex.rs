//! Regular expressions: PostgreSQL's advanced ones, translated to those of the `fancy_regex` crate (which hands all it
//! can to a matcher of linear time), and SIMILAR TO.
//!
//! What differs and is kept: with neither `n` nor `p` a dot matches a newline and `^`, `$` only the ends. What differs
//! and is not: of several matches at one place PostgreSQL takes the longest, ours the first in the pattern's order, as
//! Perl does; collating elements in brackets are refused.
//!
//! Source: PostgreSQL manual, "POSIX Regular Expressions"; `src/backend/utils/adt/regexp.c`.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock};

use fancy_regex::{Captures, Match, Regex};
use parking_lot::Mutex;

use crate::types::StorageForm;
use crate::types::array::Array;
use crate::types::text::first_characters;
use crate::{Result, SqlError, Value, ValueRef, error, interrupt};

use super::Function;
use super::arguments::{Rows, int4, rows, scalar, text};

/// How many compiled expressions are kept.
const CACHE_SIZE: usize = 128;
/// How often a match with back-references may try anew before it is given up.
const BACKTRACK_LIMIT: usize = 1_000_000;

/// A compiled expression under its text and flags.
type Compiled = ((String, Flags), Arc<Regex>);
/// Those used last, the latest at the end.
static CACHE: LazyLock<Mutex<Vec<Compiled>>> = LazyLock::new(Mutex::default);

/// The letters of a flags argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Flags {
    ignore_case: bool,
    /// `n`, `m`: newlines are special to `.`, brackets, `^` and `$`.
    dot_stops: bool,
    lines: bool,
    extended: bool,
    literal: bool,
    global: bool,
}

const IGNORING_CASE: Flags = Flags {
    ignore_case: true,
    dot_stops: false,
    lines: false,
    extended: false,
    literal: false,
    global: false,
};

impl Flags {
    fn parse(letters: &str) -> Result<Self> {
        let mut flags = Self::default();
        for letter in letters.chars() {
            match letter {
                'g' => flags.global = true,
                'i' => flags.ignore_case = true,
                'c' => flags.ignore_case = false,
                'n' | 'm' => (flags.dot_stops, flags.lines) = (true, true),
                's' => (flags.dot_stops, flags.lines) = (false, false),
                'p' => (flags.dot_stops, flags.lines) = (true, false),
                'w' => (flags.dot_stops, flags.lines) = (false, true),
                'x' => flags.extended = true,
                't' => flags.extended = false,
                'q' => flags.literal = true,
                'a' | 'e' | 'b' if letter == 'a' || letter == 'e' => {}
                _ => {
                    return Err(error!(
                        INVALID_PARAMETER_VALUE,
                        "invalid regular expression option: \"{letter}\""
                    ));
                }
            }
        }
        Ok(flags)
    }

    fn parse_without_global(letters: &str, function: &str) -> Result<Self> {
        let flags = Self::parse(letters)?;
        if flags.global {
            return Err(error!(INVALID_PARAMETER_VALUE, "{function} does not support the \"global\" option"));
        }
        Ok(flags)
    }
}

macro_rules! operators {
    ($($symbol:literal: $flags:expr, $wanted:literal;)*) => {
        &[$(scalar($symbol, |_, v| Ok(Value::from(is_match(text(v[0])?, text(v[1])?, $flags)? == $wanted))),)*]
    };
}

/// `~` and its kin.
pub(super) const OPERATORS: &[Function] = operators! {
    "textregexeq": Flags::default(), true;
    "textregexne": Flags::default(), false;
    "texticregexeq": IGNORING_CASE, true;
    "texticregexne": IGNORING_CASE, false;
    "nameregexeq": Flags::default(), true;
    "nameregexne": Flags::default(), false;
    "nameicregexeq": IGNORING_CASE, true;
    "nameicregexne": IGNORING_CASE, false;
};

/// The functions `regexp_…` and `substring`.
pub(super) const FUNCTIONS: &[Function] = &[
    scalar("textregexsubstr", |_, v| substring(text(v[0])?, text(v[1])?)),
    scalar("substring(text,text,text)", |_, v| {
        substring(text(v[0])?, &similar_escape(text(v[1])?, Some(text(v[2])?))?)
    }),
    scalar("similar_to_escape_1", |_, v| similar_escape(text(v[0])?, Some("\\")).map(Value::Text)),
    scalar("similar_to_escape_2", |_, v| similar_escape(text(v[0])?, Some(text(v[1])?)).map(Value::Text)),
    scalar("similar_escape", |_, v| match (v[0], v[1]) {
        (ValueRef::Null, _) => Ok(Value::Null),
        (pattern, ValueRef::Null) => similar_escape(text(pattern)?, Some("\\")).map(Value::Text),
        (pattern, escape) => similar_escape(text(pattern)?, Some(text(escape)?)).map(Value::Text),
    }),
    scalar("regexp_like", |_, v| {
        let flags = Flags::parse_without_global(text(v[2])?, "regexp_like()")?;
        Ok(Value::from(is_match(text(v[0])?, text(v[1])?, flags)?))
    }),
    scalar("regexp_like_no_flags", |_, v| {
        Ok(Value::from(is_match(text(v[0])?, text(v[1])?, Flags::default())?))
    }),
    scalar("regexp_match_no_flags", |_, v| first_match(text(v[0])?, text(v[1])?, Flags::default())),
    scalar("regexp_match", |_, v| {
        let flags = Flags::parse(text(v[2])?)?;
        if flags.global {
            return Err(error!(
                INVALID_PARAMETER_VALUE,
                "regexp_match() does not support the \"global\" option"
            )
            .hint("Use the regexp_matches function instead."));
        }
        first_match(text(v[0])?, text(v[1])?, flags)
    }),
    rows("regexp_matches_no_flags", |_, v| all_matches(text(v[0])?, text(v[1])?, Flags::default())),
    rows("regexp_matches", |_, v| all_matches(text(v[0])?, text(v[1])?, Flags::parse(text(v[2])?)?)),
    rows("regexp_split_to_table_no_flags", |_, v| split_to_table(text(v[0])?, text(v[1])?, "", "")),
    rows("regexp_split_to_table", |_, v| {
        split_to_table(text(v[0])?, text(v[1])?, text(v[2])?, "regexp_split_to_table()")
    }),
    scalar("regexp_split_to_array_no_flags", |_, v| split_to_array(text(v[0])?, text(v[1])?, "", "")),
    scalar("regexp_split_to_array", |_, v| {
        split_to_array(text(v[0])?, text(v[1])?, text(v[2])?, "regexp_split_to_array()")
    }),
    scalar("textregexreplace_noopt", |_, v| {
        replace(text(v[0])?, text(v[1])?, text(v[2])?, Flags::default(), 1, Some(1))
    }),
    scalar("textregexreplace", |_, v| {
        let letters = text(v[3])?;
        if letters.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(error!(INVALID_PARAMETER_VALUE, "invalid regular expression option: \"{}\"", &letters[..1])
                .hint("If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly."));
        }
        let flags = Flags::parse(letters)?;
        replace(text(v[0])?, text(v[1])?, text(v[2])?, flags, 1, (!flags.global).then_some(1))
    }),
    scalar("textregexreplace_extended_no_n", |_, v| {
        replace(text(v[0])?, text(v[1])?, text(v[2])?, Flags::default(), int4(v[3])?, Some(1))
    }),
    scalar("textregexreplace_extended_no_flags", |_, v| {
        let nth = positive("n", int4(v[4])?, true)?;
        replace(
            text(v[0])?,
            text(v[1])?,
            text(v[2])?,
            Flags::default(),
            int4(v[3])?,
            (nth > 0).then_some(nth),
        )
    }),
    scalar("textregexreplace_extended", |_, v| {
        let nth = positive("n", int4(v[4])?, true)?;
        let flags = Flags::parse(text(v[5])?)?;
        replace(text(v[0])?, text(v[1])?, text(v[2])?, flags, int4(v[3])?, (nth > 0).then_some(nth))
    }),
    scalar("regexp_count_no_start", |_, v| count(text(v[0])?, text(v[1])?, 1, "")),
    scalar("regexp_count_no_flags", |_, v| count(text(v[0])?, text(v[1])?, int4(v[2])?, "")),
    scalar("regexp_count", |_, v| count(text(v[0])?, text(v[1])?, int4(v[2])?, text(v[3])?)),
    scalar("regexp_substr_no_start", |_, v| nth(text(v[0])?, text(v[1])?, 1, 1, "", 0)),
    scalar("regexp_substr_no_n", |_, v| nth(text(v[0])?, text(v[1])?, int4(v[2])?, 1, "", 0)),
    scalar("regexp_substr_no_flags", |_, v| nth(text(v[0])?, text(v[1])?, int4(v[2])?, int4(v[3])?, "", 0)),
    scalar("regexp_substr_no_subexpr", |_, v| {
        nth(text(v[0])?, text(v[1])?, int4(v[2])?, int4(v[3])?, text(v[4])?, 0)
    }),
    scalar("regexp_substr", |_, v| {
        nth(text(v[0])?, text(v[1])?, int4(v[2])?, int4(v[3])?, text(v[4])?, int4(v[5])?)
    }),
    scalar("regexp_instr_no_start", |_, v| instr(v, 1, 1, 0, "", 0)),
    scalar("regexp_instr_no_n", |_, v| instr(v, int4(v[2])?, 1, 0, "", 0)),
    scalar("regexp_instr_no_endoption", |_, v| instr(v, int4(v[2])?, int4(v[3])?, 0, "", 0)),
    scalar("regexp_instr_no_flags", |_, v| instr(v, int4(v[2])?, int4(v[3])?, int4(v[4])?, "", 0)),
    scalar("regexp_instr_no_subexpr", |_, v| instr(v, int4(v[2])?, int4(v[3])?, int4(v[4])?, text(v[5])?, 0)),
    scalar("regexp_instr", |_, v| instr(v, int4(v[2])?, int4(v[3])?, int4(v[4])?, text(v[5])?, int4(v[6])?)),
];

fn positive(name: &str, value: i32, zero: bool) -> Result<usize> {
    match usize::try_from(value) {
        Ok(n) if n > 0 || zero => Ok(n),
        _ => Err(error!(INVALID_PARAMETER_VALUE, "invalid value for parameter \"{name}\": {value}")),
    }
}

fn compile(pattern: &str, flags: Flags) -> Result<Arc<Regex>> {
    let flags = Flags { global: false, ..flags };
    let mut cache = CACHE.lock();
    if let Some(at) = cache.iter().position(|((text, with), _)| text == pattern && *with == flags) {
        let found = cache.remove(at);
        let regex = found.1.clone();
        cache.push(found);
        return Ok(regex);
    }
    let translated = translate(pattern, flags)?;
    let regex = fancy_regex::RegexBuilder::new(&translated)
        .backtrack_limit(BACKTRACK_LIMIT)
        .build()
        .map_err(|fault| invalid(&reason(&fault)))?;
    let regex = Arc::new(regex);
    if cache.len() == CACHE_SIZE {
        cache.remove(0);
    }
    cache.push(((pattern.to_owned(), flags), regex.clone()));
    Ok(regex)
}

fn invalid(reason: &str) -> SqlError {
    error!(INVALID_REGULAR_EXPRESSION, "invalid regular expression: {reason}")
}

/// PostgreSQL's words for what is wrong, as near as the matcher tells.
fn reason(fault: &fancy_regex::Error) -> String {
    let told = fault.to_string().to_ascii_lowercase();
    for (sign, reason) in [
        ("parenthes", "parentheses () not balanced"),
        ("unclosed group", "parentheses () not balanced"),
        ("unopened group", "parentheses () not balanced"),
        ("character class", "brackets [] not balanced"),
        ("repetition", "quantifier operand invalid"),
        ("repeat", "quantifier operand invalid"),
        ("target", "quantifier operand invalid"),
        ("back", "invalid backreference number"),
        ("escape", "invalid escape \\ sequence"),
    ] {
        if told.contains(sign) {
            return reason.to_owned();
        }
    }
    told
}

/// Turns an advanced regular expression of PostgreSQL into one of the crate.
fn translate(pattern: &str, flags: Flags) -> Result<String> {
    let (pattern, flags) = directives(pattern, flags)?;
    let mut out = String::from("(?");
    for (letter, on) in
        [('i', flags.ignore_case), ('s', !flags.dot_stops), ('m', flags.lines), ('x', flags.extended)]
    {
        if on {
            out.push(letter);
        }
    }
    out.push(')');
    if out == "(?)" {
        out.clear();
    }
    if flags.literal {
        out.push_str(&fancy_regex::escape(pattern));
        return Ok(out);
    }
    let mut characters = pattern.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '[' => bracket(&mut characters, &mut out, flags)?,
            '\\' => escape(&mut characters, &mut out)?,
            // A brace that opens no bound stands for itself.
            '{' if !characters.peek().is_some_and(char::is_ascii_digit) => out.push_str("\\{"),
            // `$` is the very end, not also before a last newline.
            '$' if !flags.lines => out.push_str("\\z"),
            '^' if !flags.lines => out.push_str("\\A"),
            '{' => {
                let rest: String = characters.clone().take_while(|c| *c != '}').collect();
                check_bound(&rest)?;
                out.push('{');
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

/// The most repetitions that a bound may ask for (PostgreSQL's `DUPMAX`).
const REPETITIONS_MAX: u32 = 255;

/// Checks what stands between the braces of a bound: `3`, `3,`, `3,5`.
fn check_bound(bound: &str) -> Result<()> {
    let (least, most) = bound.split_once(',').unwrap_or((bound, bound));
    let number = |text: &str| text.parse::<u32>().ok();
    let wrong = match (number(least), number(most)) {
        (Some(least), Some(most)) => most < least || most > REPETITIONS_MAX,
        (Some(least), None) => !most.is_empty() || least > REPETITIONS_MAX,
        (None, _) => true,
    };
    if wrong { Err(invalid("invalid repetition count(s)")) } else { Ok(()) }
}

/// Takes the directives `***=`, `***:` and embedded options `(?i)` from the front.
fn directives(pattern: &str, mut flags: Flags) -> Result<(&str, Flags)> {
    if let Some(rest) = pattern.strip_prefix("***=") {
        flags.literal = true;
        return Ok((rest, flags));
    }
    let pattern = pattern.strip_prefix("***:").unwrap_or(pattern);
    if let Some(rest) = pattern.strip_prefix("(?")
        && let Some((letters, rest)) = rest.split_once(')')
        && !letters.is_empty()
        && letters.chars().all(|c| c.is_ascii_lowercase())
    {
        let own = Flags::parse(letters).map_err(|_| invalid("invalid embedded option"))?;
        let insensitive = own.ignore_case || flags.ignore_case && !letters.contains('c');
        return Ok((rest, Flags { ignore_case: insensitive, ..own }));
    }
    Ok((pattern, flags))
}

type Input<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// A bracket expression. POSIX has no escapes of ours inside, and a first `]` stands for itself.
fn bracket(input: &mut Input<'_>, out: &mut String, flags: Flags) -> Result<()> {
    let unbalanced = || invalid("brackets [] not balanced");
    let rest: String = input.clone().collect();
    for (name, word) in [("[:<:]]", "\\b(?=\\w)"), ("[:>:]]", "\\b(?<=\\w)")] {
        if rest.starts_with(name) {
            input.nth(name.len() - 1);
            out.push_str(word);
            return Ok(());
        }
    }
    out.push('[');
    let negated = input.next_if_eq(&'^').is_some();
    if negated {
        out.push('^');
        if flags.dot_stops {
            out.push_str("\\n");
        }
    }
    let mut first = true;
    loop {
        let c = input.next().ok_or_else(unbalanced)?;
        match c {
            ']' if !first => break,
            '[' if matches!(input.peek(), Some(':' | '.' | '=')) => {
                let kind = input.next().ok_or_else(unbalanced)?;
                let mut name = String::new();
                loop {
                    let c = input.next().ok_or_else(unbalanced)?;
                    if c == kind && input.next_if_eq(&']').is_some() {
                        break;
                    }
                    name.push(c);
                }
                match (kind, name.as_str()) {
                    (':', "alpha") => out.push_str("\\p{Alphabetic}"),
                    (':', "alnum") => out.push_str("\\p{Alphabetic}\\p{Nd}"),
                    (':', "upper") => out.push_str("\\p{Lu}"),
                    (':', "lower") => out.push_str("\\p{Ll}"),
                    (':', "space") => out.push_str("\\s"),
                    (':', "digit") => out.push_str("\\d"),
                    (':', "word") => out.push_str("\\w"),
                    (':', "punct" | "xdigit" | "blank" | "cntrl" | "graph" | "print" | "ascii") => {
                        out.push_str(&format!("[:{name}:]"));
                    }
                    (':', _) => return Err(invalid("invalid character class")),
                    (_, name) if name.chars().count() == 1 => {
                        push_member(out, name.chars().next().unwrap_or(' '))
                    }
                    _ => return Err(invalid("invalid collating element")),
                }
            }
            '\\' => escape(input, out)?,
            '-' if !first && input.peek() != Some(&']') => out.push('-'),
            c => push_member(out, c),
        }
        first = false;
    }
    out.push(']');
    Ok(())
}

/// A character inside brackets that stands for itself.
fn push_member(out: &mut String, c: char) {
    if matches!(c, '[' | ']' | '\\' | '^' | '-' | '&' | '~' | ' ' | '#') {
        out.push('\\');
    }
    out.push(c);
}

fn escape(input: &mut Input<'_>, out: &mut String) -> Result<()> {
    let c = input.next().ok_or_else(|| invalid("invalid escape \\ sequence"))?;
    let hexadecimal = |input: &mut Input<'_>, count: usize| -> Result<u32> {
        let digits: String = (0..count).map_while(|_| input.next_if(char::is_ascii_hexdigit)).collect();
        u32::from_str_radix(&digits, 16).map_err(|_| invalid("invalid escape \\ sequence"))
    };
    match c {
        'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'A' | 'f' | 'n' | 'r' | 't' | 'v' => {
            out.push('\\');
            out.push(c);
        }
        'm' => out.push_str("\\b(?=\\w)"),
        'M' => out.push_str("\\b(?<=\\w)"),
        'y' => out.push_str("\\b"),
        'Y' => out.push_str("\\B"),
        'Z' => out.push_str("\\z"),
        'a' => out.push_str("\\x07"),
        'b' => out.push_str("\\x08"),
        'B' => out.push_str("\\\\"),
        'e' => out.push_str("\\x1b"),
        '0' => out.push_str("\\x00"),
        'u' => push_code(out, hexadecimal(input, 4)?),
        'U' => push_code(out, hexadecimal(input, 8)?),
        'x' => push_code(out, hexadecimal(input, 8)?),
        'c' => {
            let control = input.next().ok_or_else(|| invalid("invalid escape \\ sequence"))?;
            push_code(out, u32::from(control) & 31);
        }
        '1'..='9' => {
            out.push_str("(?:\\");
            out.push(c);
            out.push(')');
        }
        c if c.is_ascii_alphanumeric() => return Err(invalid("invalid escape \\ sequence")),
        c => {
            if c.is_ascii() {
                out.push('\\');
            }
            out.push(c);
        }
    }
    Ok(())
}

fn push_code(out: &mut String, code: u32) {
    out.push_str(&format!("\\x{{{code:x}}}"));
}

fn gave_up(_: fancy_regex::Error) -> SqlError {
    error!(STATEMENT_TOO_COMPLEX, "regular expression failed: regular expression is too complex")
}

fn is_match(source: &str, pattern: &str, flags: Flags) -> Result<bool> {
    compile(pattern, flags)?.is_match(source).map_err(gave_up)
}

/// A search for matches that do not overlap, which asks at each whether to stop. (The matcher does not ask: a match that
/// it looks for through a long text is not left before it is found or not.)
struct Search {
    regex: Arc<Regex>,
    /// From where it goes on.
    at: usize,
}

impl Search {
    fn new(regex: Arc<Regex>, from: usize) -> Self {
        Self { regex, at: from }
    }

    /// Whether anything is left to be searched.
    fn goes_on(&self, source: &str) -> Result<bool> {
        interrupt::check()?;
        Ok(self.at <= source.len())
    }

    fn passed(&mut self, source: &str, whole: Match<'_>) {
        self.at = match whole.end() {
            // An empty match: go on after the next character.
            end if end == whole.start() => end + source[end..].chars().next().map_or(1, char::len_utf8),
            end => end,
        };
    }

    /// The next match as a whole: much cheaper than one with its groups.
    fn next_whole<'t>(&mut self, source: &'t str) -> Result<Option<Match<'t>>> {
        if !self.goes_on(source)? {
            return Ok(None);
        }
        let found = self.regex.find_from_pos(source, self.at).map_err(gave_up)?;
        found.inspect(|whole| self.passed(source, *whole)).map(Ok).transpose()
    }

    /// The next match with its groups.
    fn next_captures<'t>(&mut self, source: &'t str) -> Result<Option<Captures<'t, str>>> {
        if !self.goes_on(source)? {
            return Ok(None);
        }
        let found = self.regex.captures_from_pos(source, self.at).map_err(gave_up)?;
        if let Some(whole) = found.as_ref().and_then(|captures| captures.get(0)) {
            self.passed(source, whole);
        }
        Ok(found)
    }
}

fn substring(source: &str, pattern: &str) -> Result<Value> {
    let regex = compile(pattern, Flags::default())?;
    let Some(captures) = regex.captures(source).map_err(gave_up)? else { return Ok(Value::Null) };
    // With parentheses in the pattern, the first group is the result.
    let group = usize::from(captures.len() > 1);
    Ok(captures.get(group).map(|m| m.as_str()).into())
}

/// The groups of a match as an array, or the whole match when there are none.
fn groups(captures: &Captures<'_, str>) -> Result<Value> {
    let first = usize::from(captures.len() > 1);
    let elements: Vec<_> =
        (first..captures.len()).map(|group| captures.get(group).map(|m| m.as_str()).into()).collect();
    Array::new(elements).to_value(StorageForm::Text)
}

fn first_match(source: &str, pattern: &str, flags: Flags) -> Result<Value> {
    let regex = compile(pattern, flags)?;
    regex.captures(source).map_err(gave_up)?.map_or(Ok(Value::Null), |captures| groups(&captures))
}

/// A row for each match, made when it is asked for.
fn all_matches(source: &str, pattern: &str, flags: Flags) -> Result<Rows> {
    let mut search = Search::new(compile(pattern, flags)?, 0);
    let mut left = if flags.global { usize::MAX } else { 1 };
    let source = interrupt::copied_text(source)?;
    Ok(Box::new(std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let captures = search.next_captures(&source).transpose()?;
        Some(captures.and_then(|captures| Ok(vec![groups(&captures)?])))
    })))
}

/// The parts of a text between matches.
struct Parts {
    search: Search,
    /// Where the next part begins; after the last there is none.
    from: Option<usize>,
}

impl Parts {
    fn new(pattern: &str, letters: &str, function: &str) -> Result<Self> {
        let regex = compile(pattern, Flags::parse_without_global(letters, function)?)?;
        Ok(Self { search: Search::new(regex, 0), from: Some(0) })
    }

    fn next<'t>(&mut self, source: &'t str) -> Result<Option<&'t str>> {
        let Some(from) = self.from else { return Ok(None) };
        while let Some(whole) = self.search.next_whole(source)? {
            // Empty matches at the ends and right after a match do not split.
            let empty = whole.start() == whole.end();
            if empty && (whole.start() == from || whole.start() == source.len()) {
                continue;
            }
            self.from = Some(whole.end());
            return Ok(Some(&source[from..whole.start()]));
        }
        self.from = None;
        Ok(Some(&source[from..]))
    }
}

fn split_to_array(source: &str, pattern: &str, letters: &str, function: &str) -> Result<Value> {
    let mut parts = Parts::new(pattern, letters, function)?;
    let parts = std::iter::from_fn(|| parts.next(source).map(|part| part.map(Value::from)).transpose());
    Array::new(interrupt::gather(parts)?).to_value(StorageForm::Text)
}

/// A row for each part, made when it is asked for.
fn split_to_table(source: &str, pattern: &str, letters: &str, function: &str) -> Result<Rows> {
    let mut parts = Parts::new(pattern, letters, function)?;
    let source = interrupt::copied_text(source)?;
    Ok(Box::new(std::iter::from_fn(move || {
        parts.next(&source).map(|part| part.map(|part| vec![Value::from(part)])).transpose()
    })))
}

fn byte_of(source: &str, start: i32) -> Result<Option<usize>> {
    let skip = positive("start", start, false)? - 1;
    let prefix = first_characters(source, skip);
    Ok((prefix.len() < source.len() || prefix.chars().count() == skip).then_some(prefix.len()))
}

fn replace(
    source: &str,
    pattern: &str,
    replacement: &str,
    flags: Flags,
    start: i32,
    only: Option<usize>,
) -> Result<Value> {
    let regex = compile(pattern, flags)?;
    let Some(from) = byte_of(source, start)? else { return Ok(Value::from(source)) };
    let mut search = Search::new(regex, from);
    let plain = !replacement.contains('\\');
    let (mut out, mut copied) = (interrupt::Text::default(), 0);
    for index in 1_usize.. {
        if only.is_some_and(|n| index > n) {
            break;
        }
        if plain || only.is_some_and(|n| index < n) {
            let Some(whole) = search.next_whole(source)? else { break };
            if only.is_none_or(|n| index == n) {
                out.push_str(&source[copied..whole.start()])?;
                out.push_str(replacement)?;
                copied = whole.end();
            }
            continue;
        }
        let Some(captures) = search.next_captures(source)? else { break };
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(&source[copied..whole.start()])?;
        push_replacement(&mut out, replacement, &captures)?;
        copied = whole.end();
    }
    out.push_str(&source[copied..])?;
    Ok(Value::Text(out.finish()))
}

/// The replacement with `\1`…`\9`, `\&` and `\\` filled in.
fn push_replacement(
    out: &mut interrupt::Text,
    replacement: &str,
    captures: &Captures<'_, str>,
) -> Result<()> {
    let mut characters = replacement.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            out.push(c)?;
            continue;
        }
        match characters.next() {
            Some('&') => out.push_str(captures.get(0).map_or("", |m| m.as_str()))?,
            Some(digit @ '1'..='9') => {
                let group = digit as usize - '0' as usize;
                out.push_str(captures.get(group).map_or("", |m| m.as_str()))?;
            }
            Some('\\') => out.push('\\')?,
            Some(other) => {
                out.push('\\')?;
                out.push(other)?;
            }
            None => out.push('\\')?,
        }
    }
    Ok(())
}

fn count(source: &str, pattern: &str, start: i32, letters: &str) -> Result<Value> {
    let regex = compile(pattern, Flags::parse_without_global(letters, "regexp_count()")?)?;
    let Some(from) = byte_of(source, start)? else { return Ok(Value::Integer(0)) };
    let mut search = Search::new(regex, from);
    let mut found = 0;
    while search.next_whole(source)?.is_some() {
        found += 1;
    }
    Ok(Value::Integer(found))
}

fn nth(source: &str, pattern: &str, start: i32, n: i32, letters: &str, group: i32) -> Result<Value> {
    let found = find_nth(source, pattern, start, n, letters, group, "regexp_substr()")?;
    Ok(found.map(|(from, to)| source[from..to].to_owned()).into())
}

fn instr(v: &[ValueRef<'_>], start: i32, n: i32, end: i32, letters: &str, group: i32) -> Result<Value> {
    let (source, pattern) = (text(v[0])?, text(v[1])?);
    if !matches!(end, 0 | 1) {
        return Err(error!(INVALID_PARAMETER_VALUE, "invalid value for parameter \"endoption\": {end}"));
    }
    let found = find_nth(source, pattern, start, n, letters, group, "regexp_instr()")?;
    let position = |at: usize| source[..at].chars().count() as i64 + 1;
    Ok(Value::Integer(found.map_or(0, |(from, to)| position(if end == 1 { to } else { from }))))
}

/// The bytes of a group of the n-th match.
fn find_nth(
    source: &str,
    pattern: &str,
    start: i32,
    n: i32,
    letters: &str,
    group: i32,
    function: &str,
) -> Result<Option<(usize, usize)>> {
    let from = byte_of(source, start)?;
    let n = NonZeroUsize::new(positive("n", n, false)?).map_or(1, NonZeroUsize::get);
    let group = positive("subexpr", group, true)?;
    let regex = compile(pattern, Flags::parse_without_global(letters, function)?)?;
    let Some(from) = from else { return Ok(None) };
    let mut search = Search::new(regex, from);
    for _ in 1..n {
        if search.next_whole(source)?.is_none() {
            return Ok(None);
        }
    }
    let found = if group == 0 {
        search.next_whole(source)?
    } else {
        search.next_captures(source)?.and_then(|captures| captures.get(group))
    };
    Ok(found.map(|m| (m.start(), m.end())))
}

/// The regular expression for a pattern of SIMILAR TO.
fn similar_escape(pattern: &str, escape: Option<&str>) -> Result<String> {
    let escape = escape.unwrap_or("\\");
    if escape.chars().count() > 1 {
        return Err(error!(INVALID_ESCAPE_SEQUENCE, "invalid escape string")
            .hint("Escape string must be empty or one character."));
    }
    let escape = escape.chars().next();
    let mut out = String::from("^(?:");
    let mut quotes = 0;
    let mut in_class = false;
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        if Some(c) == escape {
            match characters.next() {
                // Separators cut the pattern in three, of which the middle is the result of `substring`.
                Some('"') if !in_class => {
                    quotes += 1;
                    match quotes {
                        1 => out.push_str("){1,1}?("),
                        2 => out.push_str("){1,1}(?:"),
                        _ => {
                            return Err(error!(
                                INVALID_USE_OF_ESCAPE_CHARACTER,
                                "SQL regular expression may not contain more than two escape-double-quote separators"
                            ));
                        }
                    }
                }
                Some(next) => {
                    out.push('\\');
                    out.push(next);
                }
                None => out.push_str("\\\\"),
            }
            continue;
        }
        match c {
            '[' => {
                in_class = true;
                out.push('[');
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            '\\' => out.push_str("\\\\"),
            c if in_class => out.push(c),
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '(' => out.push_str("(?:"),
            '.' | '^' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out.push_str(")$");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str, pattern: &str) -> bool {
        is_match(source, pattern, Flags::default()).unwrap()
    }

    #[test]
    fn expressions_of_postgresql() {
        for (source, pattern, expected) in [
            ("abc", "^a.c$", true),
            ("a\nc", "a.c", true),
            ("a\n", "a$", false),
            ("foobar", "o{2}", true),
            ("a{b", "a{b", true),
            ("a]b", "[]]", true),
            ("a-b", "[a-]-", true),
            ("tab\there", "[[:space:]]", true),
            ("abc", "\\mabc\\M", true),
            ("xabc", "\\mabc", false),
            ("abab", "(ab)\\1", true),
            ("ABC", "(?i)abc", true),
            ("a.c", "***=a.c", true),
            ("abc", "***=a.c", false),
            ("foo1", "[[:alpha:]]+[[:digit:]]", true),
            ("x", "[^[:digit:]]", true),
            ("é", "^\\w$", true),
        ] {
            assert_eq!(found(source, pattern), expected, "{source:?} ~ {pattern:?}");
        }
        let refused = is_match("a", "(", Flags::default()).unwrap_err();
        assert_eq!(refused.message(), "invalid regular expression: parentheses () not balanced");
        assert_eq!(is_match("a", "[a", Flags::default()).unwrap_err().code().to_string(), "2201B");
    }

    #[test]
    fn replacing_and_splitting() {
        let replaced = |s, p, r, f| {
            replace(s, p, r, Flags::parse(f).unwrap(), 1, (!f.contains('g')).then_some(1)).unwrap()
        };
        assert_eq!(replaced("foobarbaz", "b..", "X", ""), Value::from("fooXbaz"));
        assert_eq!(replaced("foobarbaz", "b..", "X", "g"), Value::from("fooXX"));
        assert_eq!(replaced("foobarbaz", "b(..)", "X\\1Y", "g"), Value::from("fooXarYXazY"));
        assert_eq!(replaced("abc", "", "-", "g"), Value::from("-a-b-c-"));
        let parts = |s: &str, p| {
            let rows = split_to_table(s, p, "", "").unwrap();
            rows.flat_map(Result::unwrap).collect::<Vec<_>>()
        };
        assert_eq!(parts("hello world", "\\s+"), ["hello", "world"].map(Value::from));
        assert_eq!(parts("the quick", "\\s*"), ["t", "h", "e", "q", "u", "i", "c", "k"].map(Value::from));
        assert_eq!(parts(",a,", ","), ["", "a", ""].map(Value::from));
        assert_eq!(substring("foobar", "o(.)b").unwrap(), Value::from("o"));
    }

    #[test]
    fn similar_to() {
        let similar = |source, pattern| found(source, &similar_escape(pattern, None).unwrap());
        assert!(similar("abc", "a(b|x)c"));
        assert!(similar("abc", "_b%"));
        assert!(!similar("abc", "b"));
        assert!(!similar("abc", "a.c"));
        let middle = similar_escape("%#\"o_b#\"%", Some("#")).unwrap();
        assert_eq!(substring("foobar", &middle).unwrap(), Value::from("oob"));
    }
}
