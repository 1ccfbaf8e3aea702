//! The shape of a statement's text: the text with its literals taken out, found in one pass over the bytes without
//! making tokens. Two texts of one shape are the same sequence of tokens but for the values of their literals, so what
//! has been found out about one holds for the other where those values do not matter; which literals those are, only
//! the binder can tell (`session::template`).
//!
//! ```text
//! SELECT a FROM t WHERE b = 12 AND c < -3.5 AND d = 'x'
//! SELECT a FROM t WHERE b = ¹ AND c < ⁷ AND d = ⁴          (the marks are control characters)
//! ```
//!
//! What is not plain has no shape: comments, `$`, prefixed strings, strings that go on in the next line, several
//! statements, commands. It must agree with `tokens` about where numbers, words and strings end.

/// The longest text that has a shape, in bytes. Longer ones (dumps, generated lists) are seldom run again.
const TEXT_BYTES_MAX: usize = 8 << 10;
/// The most literals of a text that has a shape: so many bits record what is known of them.
const LITERALS_MAX: usize = 64;
/// Added to the mark of a number whose sign belongs to it.
const SIGNED: u8 = 0x10;

/// What kind of literal something is, as far as its spelling tells. The values are the marks in a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiteralClass {
    /// A whole number in the range of `int4`.
    Integer = 1,
    /// A whole number in the range of `int8` only.
    BigInteger = 2,
    /// Any other number.
    Decimal = 3,
    /// A string.
    Text = 4,
}

/// A literal of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Literal {
    /// What it is.
    pub class: LiteralClass,
    /// The first byte, of its sign if it has one.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// For numbers: whether the text begins with a sign that belongs to the number.
    pub signed: bool,
}

impl Literal {
    /// The literal as it is written.
    pub fn text<'t>(&self, text: &'t str) -> &'t str {
        &text[self.start..self.end]
    }

    /// The value of a string.
    pub fn string(&self, text: &str) -> String {
        text[self.start + 1..self.end - 1].replace("''", "'")
    }

    /// Where the syntax tree has it: the character position, from 1, of its digits or opening quote in `text`.
    pub fn position(&self, text: &str) -> usize {
        let start = self.start + usize::from(self.signed);
        text[..start].chars().count() + 1
    }
}

/// Appends the shape of a text to `key` and its literals to `literals`; whether it has one. Without, and for texts
/// without literals, what has been appended means nothing.
pub fn shape(text: &str, key: &mut Vec<u8>, literals: &mut Vec<Literal>) -> bool {
    if text.len() > TEXT_BYTES_MAX || !may_have_literals(text) {
        return false;
    }
    let mut scan =
        Scan { text, bytes: text.as_bytes(), at: 0, copied: 0, before: Before::Other, key, literals };
    scan.run().is_some() && !scan.literals.is_empty()
}

/// Whether the first word is that of a query or data-modifying statement.
fn may_have_literals(text: &str) -> bool {
    const WORDS: [&str; 5] = ["select", "insert", "update", "delete", "with"];
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
    WORDS.iter().any(|word| text.get(..word.len()).is_some_and(|first| first.eq_ignore_ascii_case(word)))
}

/// What stands before the place that has been reached.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    /// `(` or `,`: a sign that follows belongs to the number behind it.
    Opening,
    /// An operator's character, and no blank since.
    Operator,
    /// An operator's character and a blank: likewise.
    OperatorAndBlank,
    Other,
}

struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Up to where the text has been copied to the key.
    copied: usize,
    before: Before,
    key: &'a mut Vec<u8>,
    literals: &'a mut Vec<Literal>,
}

impl Scan<'_> {
    fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Nothing when the text has no shape.
    fn run(&mut self) -> Option<()> {
        while self.at < self.bytes.len() {
            match self.byte(0) {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0c => {
                    self.at += 1;
                    if self.before == Before::Operator {
                        self.before = Before::OperatorAndBlank;
                    }
                    continue;
                }
                b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => self.word()?,
                b'0'..=b'9' => self.number(false)?,
                b'.' if self.byte(1).is_ascii_digit() => self.number(false)?,
                b'-' if self.starts_signed_number() => self.number(true)?,
                b'\'' => self.string()?,
                b'"' => self.quoted()?,
                b';' => return self.rest_is_blank(),
                byte => {
                    self.symbol(byte)?;
                    continue;
                }
            }
            self.before = Before::Other;
        }
        self.copy_to(self.bytes.len());
        Some(())
    }

    fn copy_to(&mut self, end: usize) {
        self.key.extend_from_slice(&self.bytes[self.copied..end]);
        self.copied = end;
    }

    /// A semicolon at the end is as good as none.
    fn rest_is_blank(&mut self) -> Option<()> {
        self.copy_to(self.at);
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c | b';');
        self.bytes[self.at..].iter().all(blank).then_some(())
    }

    fn word(&mut self) -> Option<()> {
        while is_identifier_part(self.byte(0)) {
            self.at += 1;
        }
        // `E'…'`, `U&'…'` and their kin; identifiers may hold `$`, which is nothing plain.
        (!matches!(self.byte(0), b'\'' | b'$')).then_some(())
    }

    fn symbol(&mut self, byte: u8) -> Option<()> {
        match (byte, self.byte(1)) {
            (b'-', b'-') | (b'/', b'*') | (b'&', b'\'') | (b'$' | b'\\' | 0x7f, _) => return None,
            (0..0x20, _) => return None,
            _ => {}
        }
        self.before = match byte {
            b'(' | b',' => Before::Opening,
            b'+' | b'-' | b'*' | b'/' | b'<' | b'>' | b'=' => Before::Operator,
            _ => Before::Other,
        };
        // Two points are one symbol, so that the second does not begin a number.
        self.at += if (byte, self.byte(1)) == (b'.', b'.') { 2 } else { 1 };
        Some(())
    }

    /// After an operand a `-` is an operator, and joined to other characters a part of one.
    fn starts_signed_number(&self) -> bool {
        matches!(self.before, Before::Opening | Before::OperatorAndBlank) && self.byte(1).is_ascii_digit()
    }

    fn digits(&mut self) {
        while self.byte(0).is_ascii_digit() {
            self.at += 1;
        }
    }

    fn number(&mut self, signed: bool) -> Option<()> {
        let start = self.at;
        self.at += usize::from(signed);
        self.digits();
        let mut whole = true;
        if self.byte(0) == b'.' && self.byte(1) != b'.' {
            whole = false;
            self.at += 1;
            self.digits();
        }
        if matches!(self.byte(0), b'e' | b'E') {
            whole = false;
            self.at += 1 + usize::from(matches!(self.byte(1), b'+' | b'-'));
            if !self.byte(0).is_ascii_digit() {
                return None;
            }
            self.digits();
        }
        if is_identifier_part(self.byte(0)) {
            return None;
        }
        let digits = &self.text[start..self.at];
        let class = match whole {
            true if digits.parse::<i32>().is_ok() => LiteralClass::Integer,
            true if digits.parse::<i64>().is_ok() => LiteralClass::BigInteger,
            _ => LiteralClass::Decimal,
        };
        self.literal(class, start, signed)
    }

    fn string(&mut self) -> Option<()> {
        let start = self.at;
        loop {
            self.at += 1;
            match (self.byte(0), self.byte(1)) {
                (b'\'', b'\'') => self.at += 1,
                (b'\'', _) => break,
                (0, _) => return None,
                _ => {}
            }
        }
        self.at += 1;
        // Another string behind blanks may be its continuation.
        let rest = self.bytes[self.at..].iter();
        let next = rest.copied().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c));
        if next == Some(b'\'') {
            return None;
        }
        self.literal(LiteralClass::Text, start, false)
    }

    fn literal(&mut self, class: LiteralClass, start: usize, signed: bool) -> Option<()> {
        if self.literals.len() == LITERALS_MAX {
            return None;
        }
        self.copy_to(start);
        self.key.push(class as u8 + if signed { SIGNED } else { 0 });
        self.copied = self.at;
        self.literals.push(Literal { class, start, end: self.at, signed });
        Some(())
    }

    /// A quoted identifier; a doubled quote in it is the end of one and the start of another here.
    fn quoted(&mut self) -> Option<()> {
        loop {
            self.at += 1;
            match self.byte(0) {
                b'"' => break,
                // The marks must not be mistaken for anything in a name.
                0..0x20 => return None,
                _ => {}
            }
        }
        self.at += 1;
        Some(())
    }
}

fn is_identifier_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shaped(text: &str) -> Option<(String, Vec<String>)> {
        let (mut key, mut literals) = (Vec::new(), Vec::new());
        let has = shape(text, &mut key, &mut literals);
        let key = key.iter().map(|byte| match byte {
            mark @ 1..=4 => char::from(b'0' + mark),
            mark @ 0x11..=0x14 => char::from(b'A' + mark - 0x11),
            other => char::from(*other),
        });
        has.then(|| (key.collect(), literals.iter().map(|literal| literal.text(text).to_owned()).collect()))
    }

    fn key(text: &str) -> String {
        shaped(text).map(|(key, _)| key).unwrap_or_default()
    }

    #[test]
    fn literals_are_taken_out() {
        let (key, literals) = shaped("SELECT a1 FROM t WHERE b = 12 AND c < -3.5 AND d='it''s' AND e>5e10;")
            .unwrap_or_default();
        assert_eq!(key, "SELECT a1 FROM t WHERE b = 1 AND c < C AND d=4 AND e>3");
        assert_eq!(literals, ["12", "-3.5", "'it''s'", "5e10"]);
    }

    #[test]
    fn classes_are_those_of_the_types() {
        assert_eq!(
            key("select 2147483647,2147483648,9223372036854775808,.5,1.,1..2"),
            "select 1,2,3,3,3,1..1"
        );
        assert_eq!(key("select (-2147483648,-2147483649)"), "select (A,B)");
    }

    #[test]
    fn a_sign_belongs_to_a_number_where_no_operand_precedes() {
        assert_eq!(key("update t set a = a + -5"), "update t set a = a + A");
        assert_eq!(key("update t set a = b -5"), "update t set a = b -1");
        assert_eq!(key("update t set a = (b) - 5, c=-5"), "update t set a = (b) - 1, c=-1");
        assert_eq!(key("select * from t where a #=-5"), "select * from t where a #=-1");
    }

    #[test]
    fn what_is_not_plain_has_no_shape() {
        for text in [
            "select 1 -- 2",
            "select /* 1 */ 2",
            "select e'a'",
            "select U&'a'",
            "select 'a'\n'b'",
            "select $1, 2",
            "select $$a$$, 2",
            "select 1; select 2",
            "select 'a",
            "select 1a",
            "select \"a\u{1}\", 1",
            "begin",
            "select a from t",
            "copy t from stdin with (header 1)",
        ] {
            assert_eq!(shaped(text), None, "{text}");
        }
    }

    #[test]
    fn words_and_names_keep_their_digits() {
        assert_eq!(
            key("select t1.\"c 2\", 'é', é3 from x4"),
            "select t1.\"c 2\", 4, é3 from x4".bytes().map(char::from).collect::<String>()
        );
        let text = "select 'é', 'x' , 7";
        let (mut key, mut literals) = (Vec::new(), Vec::new());
        assert!(shape(text, &mut key, &mut literals));
        let positions: Vec<usize> = literals.iter().map(|literal| literal.position(text)).collect();
        assert_eq!(positions, [8, 13, 19]);
        assert_eq!(literals[0].string(text), "é");
    }
}
