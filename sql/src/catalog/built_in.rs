//! The rows that exist from the start: PostgreSQL 15's own, compiled in as `data/*.tsv`. A relation's rows are parsed
//! when first asked for, and a key is sorted when first searched, so that starting costs nothing.

use std::sync::{Arc, OnceLock};

use super::relation::Stored;
use super::row::{KeyPart, Row};

/// The built-in rows of one relation, in the order of the data file.
pub struct BuiltIn<T: Row> {
    pub(crate) rows: Vec<Arc<Stored<T>>>,
    /// For each key, the positions of the rows in the key's order.
    orders: Vec<OnceLock<Vec<u32>>>,
}

impl<T: Row> BuiltIn<T> {
    /// Parses the relation's data.
    ///
    /// # Panics
    /// When the data compiled in does not have the relation's columns: it was written by another version of `dump.sh`.
    pub(crate) fn parse() -> Self {
        let rows = T::DATA.lines().skip(1).map(|line| Arc::new(Stored::new(parse_line(line)))).collect();
        Self { rows, orders: T::KEYS.iter().map(|_| OnceLock::new()).collect() }
    }

    /// The rows whose key begins with these parts, in the key's order.
    pub(crate) fn find<'a>(
        &'a self,
        key: usize,
        parts: &[KeyPart<'_>],
    ) -> impl Iterator<Item = &'a Arc<Stored<T>>> {
        let columns = T::KEYS[key].columns;
        let order = self.orders[key].get_or_init(|| self.order(columns));
        let compare = |row: &T| {
            let differing = parts.iter().zip(columns).map(|(part, &column)| row.part(column).cmp(part));
            differing.into_iter().find(|ordering| ordering.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        };
        let start = order.partition_point(|&row| compare(&self.rows[row as usize].row).is_lt());
        let found =
            order[start..].iter().take_while(|&&row| compare(&self.rows[row as usize].row).is_eq()).count();
        order[start..start + found].iter().map(|&row| &self.rows[row as usize])
    }

    fn order(&self, columns: &[usize]) -> Vec<u32> {
        let count = u32::try_from(self.rows.len()).expect("the data compiled in is small");
        let mut order: Vec<u32> = (0..count).collect();
        order.sort_by(|&a, &b| {
            let (a, b) = (&self.rows[a as usize].row, &self.rows[b as usize].row);
            let differing = columns.iter().map(|&column| a.part(column).cmp(&b.part(column)));
            differing.into_iter().find(|ordering| ordering.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        });
        order
    }
}

fn parse_line<T: Row>(line: &str) -> T {
    let fields: Vec<_> = line.split('\t').map(unescape).collect();
    let fields: Vec<_> = fields.iter().map(Option::as_deref).collect();
    T::from_text_fields(&fields)
        .unwrap_or_else(|| panic!("row of {} in the data compiled in: {line}", T::RELATION))
}

/// A field of COPY's text format.
fn unescape(field: &str) -> Option<std::borrow::Cow<'_, str>> {
    if field == "\\N" {
        return None;
    }
    if !field.contains('\\') {
        return Some(field.into());
    }
    let (mut text, mut characters) = (String::with_capacity(field.len()), field.chars());
    while let Some(character) = characters.next() {
        text.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('v') => '\u{b}',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    Some(text.into())
}
