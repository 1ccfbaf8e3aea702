//! Arrays: of any type with elements, up to six dimensions, each with a lower bound of its own.
//!
//! Storage is keyed TEXT. The key is every element's nested key after a mark, a terminator, then dimensions and bounds,
//! so that arrays compare element by element and the shorter is the lesser. The display form is
//! `length@lower,…|` and the packed elements (see [`super::record`] for packing).
//!
//! Source: `src/backend/utils/adt/arrayfuncs.c`.

use std::fmt::Write;

use bytes::{Buf, BufMut, BytesMut};

use crate::bound::TypeMod;
use crate::interrupt::{Things, Turns};
use crate::{Oid, Result, SqlError, Value, ValueRef, error, interrupt};

use super::integer::is_space;
use super::record::{pack, unpack};
use super::{StorageForm, TypeContext, format_type, key, wrong_form};

/// The most dimensions an array may have (PostgreSQL's `MAXDIM`).
pub const DIMENSIONS_MAX: usize = 6;

/// The most elements an array may have (PostgreSQL's `MaxArraySize`).
pub const ELEMENTS_MAX: usize = 134_217_727;

/// Stands before each element in a key: above the terminator, below the mark of NULL.
const ELEMENT_MARK: char = '\u{10}';

/// One dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dimension {
    /// How many elements it has.
    pub length: i32,
    /// The subscript of the first.
    pub lower: i32,
}

impl Dimension {
    /// The subscript of the last.
    pub fn upper(self) -> i32 {
        // In this order: the first may be the lowest there is.
        self.lower + (self.length - 1)
    }
}

/// An array with its elements in storage form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Array {
    /// Outer to inner; none for an empty array.
    pub dimensions: Vec<Dimension>,
    /// In row-major order.
    pub(crate) elements: Things<Value>,
}

impl Array {
    /// An array of one dimension from 1.
    pub fn new(elements: Vec<Value>) -> Self {
        Self::with_lower(elements, 1)
    }

    /// An array of one dimension from a subscript.
    pub fn with_lower(elements: Vec<Value>, lower: i32) -> Self {
        if elements.is_empty() {
            return Self::default();
        }
        Self {
            dimensions: vec![Dimension { length: elements.len() as i32, lower }],
            elements: elements.into(),
        }
    }

    /// The array in a stored value. `int2vector` and `oidvector`, whose form has no key, are arrays from 0 to the
    /// functions of any array.
    ///
    /// # Errors
    /// `XX000` when it is none.
    pub fn from_value(value: ValueRef<'_>) -> Result<Self> {
        if let ValueRef::Text(text) = value
            && !text.contains(key::KEY_SEPARATOR)
        {
            let numbers = super::vector::numbers(value).map_err(|_| wrong_form("an array"))?;
            return Ok(Self::with_lower(numbers.into_iter().map(Value::Integer).collect(), 0));
        }
        let (_, display) = key::split(value, "an array")?;
        let (header, mut body) = display.split_once('|').ok_or_else(|| wrong_form("an array"))?;
        let mut array = Self::default();
        for part in header.split(',').filter(|p| !p.is_empty()) {
            let parsed = part.split_once('@').and_then(|(l, b)| Some((l.parse().ok()?, b.parse().ok()?)));
            let (length, lower) = parsed.ok_or_else(|| wrong_form("an array"))?;
            array.dimensions.push(Dimension { length, lower });
        }
        while !body.is_empty() {
            interrupt::check()?;
            array.elements.push(unpack(&mut body)?);
        }
        Ok(array)
    }

    /// The array in storage form, whose elements are of a form.
    ///
    /// # Errors
    /// `57014` when the statement is to stop.
    pub fn to_value(&self, form: StorageForm) -> Result<Value> {
        stored(&self.dimensions, self.elements.iter(), form)
    }
}

/// An array of these dimensions and elements in storage form.
///
/// # Errors
/// `57014` when the statement is to stop.
pub(crate) fn stored<'a>(
    dimensions: &[Dimension],
    elements: impl Iterator<Item = &'a Value> + Clone,
    form: StorageForm,
) -> Result<Value> {
    let mut stored = String::new();
    for element in elements.clone() {
        interrupt::check()?;
        if !element.is_null() {
            stored.push(ELEMENT_MARK);
        }
        key::push_value(&mut stored, form, element.as_ref());
    }
    stored.push(key::TERMINATOR);
    key::push_integer(&mut stored, dimensions.len() as i64);
    dimensions.iter().for_each(|d| key::push_integer(&mut stored, d.length.into()));
    dimensions.iter().for_each(|d| key::push_integer(&mut stored, d.lower.into()));
    stored.push(key::KEY_SEPARATOR);
    for (index, dimension) in dimensions.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        write!(stored, "{comma}{}@{}", dimension.length, dimension.lower).expect("a String takes anything");
    }
    stored.push('|');
    for element in elements {
        interrupt::check()?;
        pack(&mut stored, element.as_ref())?;
    }
    Ok(Value::Text(stored))
}

/// Reads an array from its text form.
///
/// # Errors
/// `22P02`, `2202E`, `54000`, and those of the elements.
pub fn input(element: TypeMod, delimiter: char, text: &str, cx: &TypeContext<'_>) -> Result<Value> {
    let literal = Literal { text, delimiter };
    let (explicit, contents) = literal.bounds()?;
    let (lengths, words) = literal.contents(contents)?;
    let mut dimensions: Vec<_> = lengths.into_iter().map(|length| Dimension { length, lower: 1 }).collect();
    if let Some(explicit) = explicit {
        let same = explicit.iter().map(|d| d.length).eq(dimensions.iter().map(|d| d.length));
        if !same {
            return Err(literal.malformed("Specified array dimensions do not match array contents."));
        }
        dimensions = explicit;
    }
    let elements = words.into_iter().map(|word| {
        interrupt::check()?;
        word.map_or(Ok(Value::Null), |word| super::input(element, &word, cx))
    });
    let elements = interrupt::gather(elements)?.into();
    Array { dimensions, elements }.to_value(super::storage_form(cx.catalog, element.oid))
}

/// The text of an array while it is read.
struct Literal<'a> {
    text: &'a str,
    delimiter: char,
}

/// Where the scan of an array's contents stands.
#[derive(Clone, Copy, PartialEq)]
enum Scan {
    NoLevel,
    LevelStarted,
    Element,
    QuotedElement,
    QuotedElementCompleted,
    ElementDelimited,
    LevelCompleted,
    LevelDelimited,
}

/// One element while it is read.
#[derive(Default)]
struct Word {
    text: String,
    /// The length up to the last character that is not a bare blank.
    significant: usize,
    literal: bool,
}

impl Word {
    fn push(&mut self, c: char, keep: bool) {
        self.text.push(c);
        if keep {
            self.significant = self.text.len();
        }
    }

    fn take(&mut self) -> Option<String> {
        let mut word = std::mem::take(self);
        word.text.truncate(word.significant);
        (word.literal || !word.text.eq_ignore_ascii_case("null")).then_some(word.text)
    }
}

impl<'a> Literal<'a> {
    fn malformed(&self, detail: impl Into<String>) -> SqlError {
        error!(INVALID_TEXT_REPRESENTATION, "malformed array literal: \"{}\"", self.text).detail(detail)
    }

    /// The explicit bounds `[2:4]=`, when there are any, and the text after them.
    fn bounds(&self) -> Result<(Option<Vec<Dimension>>, &'a str)> {
        let mut rest = self.text.trim_start_matches(is_space);
        let mut dimensions = Vec::new();
        while let Some(inside) = rest.strip_prefix('[') {
            if dimensions.len() == DIMENSIONS_MAX {
                return Err(too_many_dimensions(DIMENSIONS_MAX + 1));
            }
            let (first, after) = subscript(inside).ok_or_else(|| {
                self.malformed("\"[\" must introduce explicitly-specified array dimensions.")
            })?;
            let (lower, upper, after) = match after.strip_prefix(':') {
                Some(second) => {
                    let (upper, after) =
                        subscript(second).ok_or_else(|| self.malformed("Missing array dimension value."))?;
                    (first, upper, after)
                }
                None => (1, first, after),
            };
            rest = after
                .strip_prefix(']')
                .ok_or_else(|| self.malformed("Missing \"]\" after array dimensions."))?
                .trim_start_matches(is_space);
            if upper < lower {
                return Err(error!(ARRAY_SUBSCRIPT_ERROR, "upper bound cannot be less than lower bound"));
            }
            dimensions.push(Dimension { length: upper - lower + 1, lower });
        }
        if dimensions.is_empty() {
            if !rest.starts_with('{') {
                return Err(self.malformed("Array value must start with \"{\" or dimension information."));
            }
            return Ok((None, rest));
        }
        let contents = rest
            .strip_prefix('=')
            .ok_or_else(|| self.malformed("Missing \"=\" after array dimensions."))?
            .trim_start_matches(is_space);
        if !contents.starts_with('{') {
            return Err(self.malformed("Array contents must start with \"{\"."));
        }
        Ok((Some(dimensions), contents))
    }

    /// The length of each dimension and all elements, `None` for NULL.
    #[allow(clippy::too_many_lines, reason = "one flat match over the characters of the grammar")]
    fn contents(&self, contents: &str) -> Result<(Vec<i32>, Things<Option<String>>)> {
        use Scan::*;
        let unexpected = |c: char| self.malformed(format!("Unexpected \"{c}\" character."));
        let mut state = NoLevel;
        let mut depth = 0;
        let mut counts = [1; DIMENSIONS_MAX];
        let mut finished = [0; DIMENSIONS_MAX];
        let mut depth_max = 0;
        let mut word = Word::default();
        let mut words = Things::default();
        let mut characters = contents.chars();
        let mut turns = Turns::default();
        loop {
            turns.turn()?;
            let Some(c) = characters.next() else { return Err(self.malformed("Unexpected end of input.")) };
            match c {
                '\\' => {
                    if !matches!(state, LevelStarted | Element | QuotedElement | ElementDelimited) {
                        return Err(unexpected(c));
                    }
                    if state != QuotedElement {
                        state = Element;
                    }
                    let Some(escaped) = characters.next() else {
                        return Err(self.malformed("Unexpected end of input."));
                    };
                    word.literal = true;
                    word.push(escaped, true);
                }
                '"' => match state {
                    QuotedElement => state = QuotedElementCompleted,
                    LevelStarted | ElementDelimited => {
                        word = Word { literal: true, ..Word::default() };
                        state = QuotedElement;
                    }
                    _ => return Err(self.malformed("Unexpected array element.")),
                },
                _ if state == QuotedElement => word.push(c, true),
                '{' => {
                    if !matches!(state, NoLevel | LevelStarted | LevelDelimited) {
                        return Err(unexpected(c));
                    }
                    state = LevelStarted;
                    if depth >= DIMENSIONS_MAX {
                        return Err(too_many_dimensions(depth + 1));
                    }
                    depth += 1;
                    depth_max = depth_max.max(depth);
                }
                '}' => {
                    let empty = depth == 1 && state == LevelStarted;
                    if !matches!(state, Element | QuotedElementCompleted | LevelCompleted) && !empty {
                        return Err(unexpected(c));
                    }
                    if matches!(state, Element | QuotedElementCompleted) {
                        words.push(word.take());
                    }
                    state = LevelCompleted;
                    depth -= 1;
                    if finished[depth] != 0 && counts[depth] != finished[depth] {
                        return Err(self.malformed(
                            "Multidimensional arrays must have sub-arrays with matching dimensions.",
                        ));
                    }
                    finished[depth] = counts[depth];
                    counts[depth] = 1;
                    if depth == 0 {
                        break;
                    }
                }
                _ if c == self.delimiter => {
                    match state {
                        Element | QuotedElementCompleted => {
                            words.push(word.take());
                            state = ElementDelimited;
                        }
                        LevelCompleted => state = LevelDelimited,
                        _ => return Err(unexpected(c)),
                    }
                    counts[depth - 1] += 1;
                }
                _ if is_space(c) => {
                    if state == Element {
                        word.push(c, false);
                    }
                }
                _ => {
                    if !matches!(state, LevelStarted | Element | ElementDelimited) {
                        return Err(self.malformed("Unexpected array element."));
                    }
                    state = Element;
                    word.push(c, true);
                }
            }
        }
        if !characters.all(is_space) {
            return Err(self.malformed("Junk after closing right brace."));
        }
        if words.is_empty() {
            depth_max = 0;
        }
        Ok((finished[..depth_max].to_vec(), words))
    }
}

fn subscript(text: &str) -> Option<(i32, &str)> {
    let end = text
        .char_indices()
        .find(|(at, c)| !(c.is_ascii_digit() || *at == 0 && matches!(c, '-' | '+')))
        .map_or(text.len(), |(at, _)| at);
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// `54000` for more dimensions than [`DIMENSIONS_MAX`].
pub fn too_many_dimensions(count: usize) -> SqlError {
    error!(
        PROGRAM_LIMIT_EXCEEDED,
        "number of array dimensions ({count}) exceeds the maximum allowed ({DIMENSIONS_MAX})"
    )
}

/// Appends the text form of an array.
///
/// # Errors
/// `XX000`.
pub fn output(
    element: Oid,
    delimiter: char,
    value: ValueRef<'_>,
    cx: &TypeContext<'_>,
    out: &mut String,
) -> Result<()> {
    let array = Array::from_value(value)?;
    if array.dimensions.is_empty() {
        out.push_str("{}");
        return Ok(());
    }
    if array.dimensions.iter().any(|d| d.lower != 1) {
        for dimension in &array.dimensions {
            write!(out, "[{}:{}]", dimension.lower, dimension.upper()).expect("a String takes anything");
        }
        out.push('=');
    }
    let mut elements = array.elements.iter();
    push_level(&array.dimensions, &mut elements, delimiter, out, &mut |value, out| {
        push_element(element, delimiter, value, cx, out)
    })
}

fn push_level<'a>(
    dimensions: &[Dimension],
    elements: &mut std::slice::Iter<'a, Value>,
    delimiter: char,
    out: &mut String,
    push: &mut dyn FnMut(&'a Value, &mut String) -> Result<()>,
) -> Result<()> {
    let Some((dimension, inner)) = dimensions.split_first() else {
        return push(elements.next().ok_or_else(|| wrong_form("an array"))?, out);
    };
    out.push('{');
    for index in 0..dimension.length {
        interrupt::check()?;
        if index > 0 {
            out.push(delimiter);
        }
        push_level(inner, elements, delimiter, out, push)?;
    }
    out.push('}');
    Ok(())
}

fn push_element(
    ty: Oid,
    delimiter: char,
    value: &Value,
    cx: &TypeContext<'_>,
    out: &mut String,
) -> Result<()> {
    if value.is_null() {
        out.push_str("NULL");
        return Ok(());
    }
    let text = super::to_text(ty, value.as_ref(), cx)?;
    let special = |c: char| matches!(c, '"' | '\\' | '{' | '}') || c == delimiter || is_space(c);
    if !text.is_empty() && !text.eq_ignore_ascii_case("null") && !text.contains(special) {
        return interrupt::append(out, &text);
    }
    out.push('"');
    for piece in interrupt::text_pieces(&text) {
        for c in piece?.chars() {
            if matches!(c, '"' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out.push('"');
    Ok(())
}

/// Reads an array from its binary form.
///
/// # Errors
/// `22P03`, `08P01`, `42804`, and those of the elements.
pub fn receive(element: TypeMod, bytes: &[u8], cx: &TypeContext<'_>) -> Result<Value> {
    let array = decode_binary(element.oid, element.modifier, bytes, cx)?;
    array.to_value(super::storage_form(cx.catalog, element.oid))
}

/// The array in a binary form.
///
/// # Errors
/// As [`receive`].
pub(super) fn decode_binary(
    element: Oid,
    modifier: i32,
    mut bytes: &[u8],
    cx: &TypeContext<'_>,
) -> Result<Array> {
    let short = |_| error!(PROTOCOL_VIOLATION, "insufficient data left in message");
    let count = bytes.try_get_i32().map_err(short)?;
    if count < 0 {
        return Err(error!(INVALID_BINARY_REPRESENTATION, "invalid number of dimensions: {count}"));
    }
    if count as usize > DIMENSIONS_MAX {
        return Err(too_many_dimensions(count as usize));
    }
    let flags = bytes.try_get_i32().map_err(short)?;
    if !matches!(flags, 0 | 1) {
        return Err(error!(INVALID_BINARY_REPRESENTATION, "invalid array flags"));
    }
    let sent = Oid(bytes.try_get_u32().map_err(short)?);
    if sent != element {
        let name = |ty| format_type(TypeMod::plain(ty), cx.catalog, cx.search_path);
        return Err(error!(
            DATATYPE_MISMATCH,
            "binary data has array element type {sent} ({}) instead of expected {element} ({})",
            name(sent),
            name(element)
        ));
    }
    let mut array = Array::default();
    let mut total: usize = count.min(1) as usize;
    for _ in 0..count {
        let length = bytes.try_get_i32().map_err(short)?;
        let lower = bytes.try_get_i32().map_err(short)?;
        total = total.saturating_mul(length.max(0) as usize);
        if length < 0 || total > ELEMENTS_MAX || lower.checked_add(length).is_none() {
            return Err(too_large());
        }
        array.dimensions.push(Dimension { length, lower });
    }
    for _ in 0..total {
        interrupt::check()?;
        let length = bytes.try_get_i32().map_err(short)?;
        array.elements.push(match usize::try_from(length) {
            Err(_) => Value::Null,
            Ok(length) => {
                let (field, rest) = bytes.split_at_checked(length).ok_or_else(|| {
                    error!(INVALID_BINARY_REPRESENTATION, "insufficient data left in message")
                })?;
                bytes = rest;
                super::receive(TypeMod { oid: element, modifier }, field, cx)?
            }
        });
    }
    if array.elements.is_empty() {
        array.dimensions.clear();
    }
    Ok(array)
}

/// `54000` for more elements than [`ELEMENTS_MAX`].
pub fn too_large() -> SqlError {
    error!(PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed ({ELEMENTS_MAX})")
}

/// Appends the binary form of an array.
///
/// # Errors
/// `42883` when the elements have none.
pub fn send(element: Oid, value: ValueRef<'_>, cx: &TypeContext<'_>, out: &mut BytesMut) -> Result<()> {
    let array = Array::from_value(value)?;
    out.put_i32(array.dimensions.len() as i32);
    out.put_i32(array.elements.iter().any(Value::is_null).into());
    out.put_u32(element.0);
    for dimension in &array.dimensions {
        out.put_i32(dimension.length);
        out.put_i32(dimension.lower);
    }
    for value in array.elements.iter() {
        interrupt::check()?;
        send_field(element, value.as_ref(), cx, out)?;
    }
    Ok(())
}

/// Appends a length and a binary value, or -1 for NULL.
pub(crate) fn send_field(
    ty: Oid,
    value: ValueRef<'_>,
    cx: &TypeContext<'_>,
    out: &mut BytesMut,
) -> Result<()> {
    if value.is_null() {
        out.put_i32(-1);
        return Ok(());
    }
    let start = out.len();
    out.put_i32(0);
    super::send(ty, value, cx, out)?;
    let length = (out.len() - start - 4) as i32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Vec<i32>, Things<Option<String>>)> {
        let literal = Literal { text, delimiter: ',' };
        let (_, contents) = literal.bounds()?;
        literal.contents(contents)
    }

    #[test]
    fn words_of_literals() {
        let some = |words: &[&str]| words.iter().map(|w| Some((*w).to_owned())).collect::<Vec<_>>().into();
        assert_eq!(read("{}").unwrap(), (vec![], vec![].into()));
        assert_eq!(
            read(" { 1 , b c ,\"d\\\"e\" , \\ f} ").unwrap(),
            (vec![4], some(&["1", "b c", "d\"e", " f"]))
        );
        assert_eq!(read("{{1,2},{3,4},{5,6}}").unwrap().0, [3, 2]);
        assert_eq!(*read("{null,\"null\"}").unwrap().1, [None, Some("null".to_owned())]);
    }

    #[test]
    fn details_of_refusals() {
        let table = [
            ("{1,2", "Unexpected end of input."),
            ("1,2", "Array value must start with \"{\" or dimension information."),
            ("{1,2}}", "Junk after closing right brace."),
            ("{{1,2},{3}}", "Multidimensional arrays must have sub-arrays with matching dimensions."),
            ("{1,{2}}", "Unexpected \"{\" character."),
            ("{1,,2}", "Unexpected \",\" character."),
            ("{1,}", "Unexpected \"}\" character."),
            ("{\"a\"b}", "Unexpected array element."),
            ("{a\"b\"}", "Unexpected array element."),
            ("{{},{}}", "Unexpected \"}\" character."),
            ("[2:4]{1,2,3}", "Missing \"=\" after array dimensions."),
            ("[a:4]={1}", "\"[\" must introduce explicitly-specified array dimensions."),
            ("[2:4={1,2,3}", "Missing \"]\" after array dimensions."),
        ];
        for (text, detail) in table {
            let refused = read(text).unwrap_err();
            assert_eq!(refused.0.detail.as_deref(), Some(detail), "{text}");
            assert_eq!(refused.message(), format!("malformed array literal: \"{text}\""));
        }
        assert_eq!(
            read("{{{{{{{1}}}}}}}").unwrap_err().message(),
            "number of array dimensions (7) exceeds the maximum allowed (6)"
        );
    }

    #[test]
    fn stored_arrays_order_as_postgresql_orders_them() {
        let array = |elements: &[Option<i64>]| {
            let elements = elements.iter().map(|e| Value::from(*e)).collect();
            match Array::new(elements).to_value(StorageForm::Integer).unwrap() {
                Value::Text(text) => text,
                other => panic!("{other:?}"),
            }
        };
        let ascending = [
            array(&[]),
            array(&[Some(1)]),
            array(&[Some(1), Some(1)]),
            array(&[Some(1), None]),
            array(&[Some(2)]),
            array(&[None]),
        ];
        for pair in ascending.windows(2) {
            assert_eq!(key::compare(&pair[0], &pair[1]), std::cmp::Ordering::Less, "{pair:?}");
        }
        let stored = Value::Text(ascending[3].clone());
        assert_eq!(*Array::from_value(stored.as_ref()).unwrap().elements, [Value::Integer(1), Value::Null]);
    }
}
