//! What a catalog row is: the macro that declares one struct for each relation together with everything that follows
//! from its columns (conversions from and to text and stored values, keys, the place of its rows in a snapshot).
//!
//! Keys are compared part by part in order, so a key also finds rows by its first columns alone: `pg_attribute` by
//! `attrelid`, `pg_proc` by `proname`.

use std::borrow::Cow;
use std::marker::PhantomData;

use super::built_in::BuiltIn;
use super::relation::Relation;
use super::rows::Relations;
use crate::{Oid, SqlError, Value, ValueRef};

/// One value of a key. Numbers, OIDs and truth values are numbers; everything else is text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyPart<'a> {
    /// NULL.
    Null,
    /// An integer, or a float's bits in the float's order.
    Number(i64),
    /// Text.
    Text(Cow<'a, str>),
}

impl KeyPart<'_> {
    /// The same part with text of its own.
    pub(crate) fn into_owned(self) -> KeyPart<'static> {
        match self {
            KeyPart::Null => KeyPart::Null,
            KeyPart::Number(number) => KeyPart::Number(number),
            KeyPart::Text(text) => KeyPart::Text(Cow::Owned(text.into_owned())),
        }
    }

    /// The part that a value of SQL stands for; nothing when no column of a key can equal it.
    pub(crate) fn from_value(value: ValueRef<'_>) -> Option<KeyPart<'_>> {
        match value {
            ValueRef::Integer(number) => Some(KeyPart::Number(number)),
            ValueRef::Text(text) => Some(KeyPart::Text(Cow::Borrowed(text))),
            #[allow(
                clippy::cast_possible_truncation,
                reason = "checked to be whole and within an OID's range"
            )]
            ValueRef::Real(real) if real.fract() == 0.0 && real.abs() < 9e15 => {
                Some(KeyPart::Number(real as i64))
            }
            ValueRef::Real(_) | ValueRef::Null | ValueRef::Blob(_) => None,
        }
    }
}

impl From<Oid> for KeyPart<'_> {
    fn from(oid: Oid) -> Self {
        KeyPart::Number(oid.0.into())
    }
}

impl From<i16> for KeyPart<'_> {
    fn from(number: i16) -> Self {
        KeyPart::Number(number.into())
    }
}

impl From<i32> for KeyPart<'_> {
    fn from(number: i32) -> Self {
        KeyPart::Number(number.into())
    }
}

impl<'a> From<&'a str> for KeyPart<'a> {
    fn from(text: &'a str) -> Self {
        KeyPart::Text(Cow::Borrowed(text))
    }
}

/// What identifies a row: the values of its relation's first key.
pub trait Identity {
    /// The values, in the key's order.
    fn parts(&self) -> Vec<KeyPart<'static>>;
}

impl Identity for Oid {
    fn parts(&self) -> Vec<KeyPart<'static>> {
        vec![(*self).into()]
    }
}

impl<A: Copy + Into<KeyPart<'static>>, B: Copy + Into<KeyPart<'static>>> Identity for (A, B) {
    fn parts(&self) -> Vec<KeyPart<'static>> {
        vec![self.0.into(), self.1.into()]
    }
}

impl<A, B, C> Identity for (A, B, C)
where
    A: Copy + Into<KeyPart<'static>>,
    B: Copy + Into<KeyPart<'static>>,
    C: Copy + Into<KeyPart<'static>>,
{
    fn parts(&self) -> Vec<KeyPart<'static>> {
        vec![self.0.into(), self.1.into(), self.2.into()]
    }
}

/// Whether a key may have a value twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Never: 23505, as PostgreSQL's unique index of this name.
    Unique,
    /// Never, but to write the same row again is no error: PostgreSQL has no unique index there.
    Identity,
    /// Yes.
    Many,
}

/// A key of a relation.
#[derive(Clone, Copy, Debug)]
pub struct KeyDefinition {
    /// PostgreSQL's name of the index, or ours where it has none.
    pub name: &'static str,
    /// Whether it is unique.
    pub kind: KeyKind,
    /// Its columns, as positions from 0.
    pub columns: &'static [usize],
}

/// The key of a relation by which a lookup goes; the constants are in [`super::keys`].
pub struct Key<T> {
    /// Its position in [`Row::KEYS`].
    pub(crate) index: usize,
    row: PhantomData<fn() -> T>,
}

impl<T: Row> Key<T> {
    /// The key of this name. Only for constants: there is no such key otherwise.
    pub(crate) const fn named(name: &str) -> Self {
        let mut index = 0;
        while !same(T::KEYS[index].name, name) {
            index += 1;
        }
        Self { index, row: PhantomData }
    }
}

/// The position of a column, for constants.
pub(crate) const fn position(columns: &[&str], name: &str) -> usize {
    let mut index = 0;
    while !same(columns[index], name) {
        index += 1;
    }
    index
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut index = 0;
    while index < a.len() {
        if a[index] != b[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// A row of a catalog relation. Implemented by [`rows!`](super::rows) only.
pub trait Row: Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// The relation these are rows of.
    const RELATION: &'static str;
    /// Its columns, in order.
    const COLUMNS: &'static [&'static str];
    /// Its keys; the first identifies a row.
    const KEYS: &'static [KeyDefinition];
    /// Whether the whole cluster shares its rows.
    const SHARED: bool;
    /// Its built-in rows in COPY's text format with a header line; empty for none.
    const DATA: &'static str;

    /// The row with these columns, in PostgreSQL's text forms; nothing when one does not fit its column.
    fn from_text_fields(fields: &[Option<&str>]) -> Option<Self>;
    /// Its columns in PostgreSQL's text forms.
    fn to_text_fields(&self) -> Vec<Option<String>>;
    /// The row with these columns as [`Self::to_stored`] gave them.
    fn from_stored(values: &[Value]) -> Option<Self>;
    /// Its columns as the database file keeps them: numbers as numbers, everything else as text, lists in
    /// PostgreSQL's text form.
    fn to_stored(&self) -> Vec<Value>;
    /// The value of a column for a key.
    fn part(&self, column: usize) -> KeyPart<'_>;
    /// The built-in rows.
    fn built_in() -> &'static BuiltIn<Self>;
    /// This relation in a snapshot.
    fn relation(relations: &Relations) -> &Relation<Self>;
    /// This relation in a snapshot that is being made.
    fn relation_mut(relations: &mut Relations) -> &mut Relation<Self>;

    /// What identifies this row.
    fn identity(&self) -> Vec<KeyPart<'_>> {
        self.key(0)
    }
    /// The row's values for the key at this position of [`Self::KEYS`].
    fn key(&self, index: usize) -> Vec<KeyPart<'_>> {
        Self::KEYS[index].columns.iter().map(|&column| self.part(column)).collect()
    }
}

/// `XX000` for a row that does not have the shape of its relation: the file was written by something else.
pub(crate) fn malformed(relation: &str) -> SqlError {
    SqlError::internal(format!("malformed row of catalog relation \"{relation}\""))
}

/// Declares the rows of all catalog relations; see `rows.rs` for the form.
macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident = $relation:ident $origin:ident $scope:ident {
        $($field:ident: $type:ty,)*
    } keys {
        $($kind:ident $key:ident [$($column:ident),+];)+
    })*) => {
        $(
            $(#[$doc])*
            #[allow(missing_docs, reason = "the columns are described in PostgreSQL's manual")]
            #[derive(Clone, Debug, PartialEq)]
            pub struct $name {
                $(pub $field: $type,)*
            }

            impl $crate::catalog::Row for $name {
                const RELATION: &'static str = stringify!($relation);
                const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),*];
                const KEYS: &'static [$crate::catalog::row::KeyDefinition] =
                    &[$($crate::catalog::row::KeyDefinition {
                        name: stringify!($key),
                        kind: $crate::catalog::row::rows!(@kind $kind),
                        columns: &[$($crate::catalog::row::position(Self::COLUMNS, stringify!($column))),+],
                    }),+];
                const SHARED: bool = $crate::catalog::row::rows!(@shared $scope);
                const DATA: &'static str = $crate::catalog::row::rows!(@data $origin $relation);

                fn from_text_fields(fields: &[Option<&str>]) -> Option<Self> {
                    let mut fields = fields.iter();
                    let row = Self {
                        $($field: $crate::catalog::field::Field::from_text(*fields.next()?)?,)*
                    };
                    fields.next().is_none().then_some(row)
                }
                fn to_text_fields(&self) -> Vec<Option<String>> {
                    vec![$($crate::catalog::field::Field::to_text(&self.$field)),*]
                }
                fn from_stored(values: &[$crate::Value]) -> Option<Self> {
                    let mut values = values.iter();
                    let row = Self {
                        $($field: $crate::catalog::field::Field::from_stored(values.next()?)?,)*
                    };
                    values.next().is_none().then_some(row)
                }
                fn to_stored(&self) -> Vec<$crate::Value> {
                    vec![$($crate::catalog::field::Field::to_stored(&self.$field)),*]
                }
                fn part(&self, column: usize) -> $crate::catalog::KeyPart<'_> {
                    type Part = for<'a> fn(&'a $name) -> $crate::catalog::KeyPart<'a>;
                    const PARTS: &[Part] = &[$(|row| $crate::catalog::field::Field::part(&row.$field)),*];
                    PARTS[column](self)
                }
                fn built_in() -> &'static $crate::catalog::built_in::BuiltIn<Self> {
                    static ROWS: std::sync::LazyLock<$crate::catalog::built_in::BuiltIn<$name>> =
                        std::sync::LazyLock::new($crate::catalog::built_in::BuiltIn::parse);
                    &ROWS
                }
                fn relation(relations: &Relations) -> &$crate::catalog::relation::Relation<Self> {
                    &relations.$relation
                }
                fn relation_mut(relations: &mut Relations) -> &mut $crate::catalog::relation::Relation<Self> {
                    &mut relations.$relation
                }
            }
        )*

        /// The keys of all relations, under the names of PostgreSQL's indexes.
        #[allow(non_upper_case_globals, missing_docs, reason = "the names are PostgreSQL's own")]
        pub mod keys {
            use $crate::catalog::row::Key;
            $($(pub const $key: Key<super::$name> = Key::named(stringify!($key));)+)*
        }

        /// The rows of all relations in one snapshot.
        #[derive(Clone, Default)]
        pub struct Relations {
            $(pub(crate) $relation: $crate::catalog::relation::Relation<$name>,)*
        }

        impl Relations {
            /// Takes over the rows that the whole cluster shares.
            pub(crate) fn take_shared(&mut self, other: &Self) {
                $(if <$name as $crate::catalog::Row>::SHARED {
                    self.$relation = other.$relation.clone();
                })*
            }
        }

        /// All catalog relations, for what treats them alike.
        pub static RELATIONS: &[$crate::catalog::relation::RelationDefinition] = &[
            $($crate::catalog::relation::RelationDefinition {
                name: <$name as $crate::catalog::Row>::RELATION,
                columns: <$name as $crate::catalog::Row>::COLUMNS,
                keys: <$name as $crate::catalog::Row>::KEYS,
                shared: <$name as $crate::catalog::Row>::SHARED,
                rows: |relations| &relations.$relation,
                rows_mut: |relations| &mut relations.$relation,
            },)*
        ];
    };
    (@kind unique) => { $crate::catalog::row::KeyKind::Unique };
    (@kind identity) => { $crate::catalog::row::KeyKind::Identity };
    (@kind many) => { $crate::catalog::row::KeyKind::Many };
    (@shared shared) => { true };
    (@shared local) => { false };
    (@data built_in $relation:ident) => { include_str!(concat!("data/", stringify!($relation), ".tsv")) };
    (@data empty $relation:ident) => { "" };
}
pub(crate) use rows;
