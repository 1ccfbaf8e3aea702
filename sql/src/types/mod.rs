//! Types: how values of each PostgreSQL type are stored, read from text and bytes, and written as text and bytes.
//!
//! Rule of storage: one SQLite storage class for each type, in natural order where there is one; otherwise TEXT made of
//! an order key, the byte 0x01, and a display form, compared under the collation [`KEY_COLLATION`], which looks at the
//! key only ([`key`]). So `1.10 = 1.1` for comparisons, indexes, grouping and DISTINCT, while the scale survives for
//! output.
//!
//! | type | stored as |
//! |---|---|
//! | bool, int2/4/8, oid, reg*, xid, cid, xid8, pg_lsn, tid (block × 65536 + item), date (days), timestamp(tz) and time (µs since 2000-01-01, midnight) | INTEGER; infinities are the extremes |
//! | float4, float8 | REAL; NaN is the TEXT `NaN`, which sorts after every REAL |
//! | text, varchar, name, "char", macaddr, json, xml, pg_node_tree, int2vector and oidvector (`1 2 3`) | TEXT |
//! | char(n) | TEXT, padded to n as in PostgreSQL; its comparison functions look at the trimmed text |
//! | bit, varbit | TEXT of `0` and `1` |
//! | bytea, uuid | BLOB |
//! | enum | REAL: `enumsortorder` |
//! | numeric, interval, timetz, jsonb, arrays, composites, ranges, inet, cidr | keyed TEXT |
//! | domains | as their base type |
//!
//! Each family of types has a file that ends in a table `TYPES`; [`FAMILIES`] lists them. Types made from others
//! (arrays, composites, enums, domains, ranges) have no entry: [`resolve`] finds what they are made of.

pub mod array;
mod bits;
pub mod boolean;
pub mod bytes;
pub mod date;
mod date_input;
pub mod date_names;
pub mod date_output;
#[cfg(test)]
mod date_tests;
pub mod enums;
pub mod float;
mod format;
pub mod integer;
pub mod interval;
pub(crate) mod interval_input;
pub mod json;
pub mod jsonb;
pub mod key;
pub mod names;
pub mod network;
pub mod numeric;
pub mod range;
pub mod record;
pub mod registered;
pub(crate) mod snapshot;
pub mod text;
pub mod time;
pub mod timestamp;
pub mod vector;

use std::sync::LazyLock;

use ::bytes::BytesMut;

use crate::bound::TypeMod;
use crate::catalog::Catalog;
use crate::{Oid, Result, SqlError, Value, ValueRef, error, oid};

pub use format::{format_type, modifier_from_arguments, modifier_text};
pub use key::{KEY_COLLATION, KEY_SEPARATOR, key_collation, push_value};

/// How values of a type are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageForm {
    /// INTEGER.
    Integer,
    /// REAL (NaN: TEXT).
    Real,
    /// TEXT in its own order.
    Text,
    /// BLOB.
    Blob,
    /// TEXT with an order key, to be compared under [`KEY_COLLATION`] everywhere.
    Keyed,
}

/// The settings and the moment that reading and writing values depend on.
#[derive(Clone, Debug)]
pub struct FormatSettings {
    /// `TimeZone`.
    pub time_zone: jiff::tz::TimeZone,
    /// `DateStyle`, its first half.
    pub date_style: DateStyle,
    /// `DateStyle`, its second half.
    pub date_order: DateOrder,
    /// `IntervalStyle`.
    pub interval_style: IntervalStyle,
    /// `extra_float_digits`.
    pub extra_float_digits: i32,
    /// `bytea_output`: whether it is `escape` rather than `hex`.
    pub bytea_escape: bool,
    /// The transaction's start in µs since 2000-01-01 UTC: what `'now'` means.
    pub transaction_time: i64,
}

/// The output styles of dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are PostgreSQL's own")]
pub enum DateStyle {
    Iso,
    Sql,
    Postgres,
    German,
}

/// The order of day, month and year in input, and in some output styles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are PostgreSQL's own")]
pub enum DateOrder {
    Ymd,
    Dmy,
    Mdy,
}

/// The output styles of intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are PostgreSQL's own")]
pub enum IntervalStyle {
    Postgres,
    PostgresVerbose,
    SqlStandard,
    Iso8601,
}

/// What reading and writing values may look at.
#[derive(Clone, Copy)]
pub struct TypeContext<'a> {
    /// For enums, domains, composites, `reg*` types and arrays of them.
    pub catalog: &'a Catalog,
    /// For dates, floats and bytea.
    pub format: &'a FormatSettings,
    /// `search_path` as schema OIDs in order (implicit `pg_catalog` included), for `reg*` types.
    pub search_path: &'a [Oid],
}

/// How a type is read from text: the text, the modifier (-1 for none), what it may look at.
pub type Input = fn(&str, i32, &TypeContext<'_>) -> Result<Value>;
/// How a value is written as text.
pub type Output = fn(ValueRef<'_>, &TypeContext<'_>, &mut String) -> Result<()>;
/// How a type is read from its binary form.
pub type Receive = fn(&[u8], i32, &TypeContext<'_>) -> Result<Value>;
/// How a value is written in its binary form.
pub type Send = fn(ValueRef<'_>, &TypeContext<'_>, &mut BytesMut) -> Result<()>;

/// One built-in type that is not made from others.
pub struct TypeEntry {
    /// `pg_type.oid`.
    pub oid: Oid,
    /// The array of it (`pg_type.typarray`), zero for none.
    pub array: Oid,
    /// How values are stored.
    pub form: StorageForm,
    /// Text in.
    pub input: Input,
    /// Text out.
    pub output: Output,
    /// Bytes in; absent where PostgreSQL has none.
    pub receive: Option<Receive>,
    /// Bytes out.
    pub send: Option<Send>,
}

/// All families of built-in types.
pub const FAMILIES: &[&[TypeEntry]] = &[
    bits::TYPES,
    boolean::TYPES,
    bytes::TYPES,
    date::TYPES,
    float::TYPES,
    integer::TYPES,
    interval::TYPES,
    json::TYPES,
    jsonb::TYPES,
    network::TYPES,
    numeric::TYPES,
    registered::TYPES,
    snapshot::TYPES,
    text::TYPES,
    time::TYPES,
    timestamp::TYPES,
    vector::TYPES,
];

/// The built-in types, by their OIDs: a place for each OID up to the highest, since every value that comes or goes is
/// looked up here.
static BUILT_IN: LazyLock<Box<[Option<Resolved>]>> = LazyLock::new(|| {
    let mut types: Vec<Option<Resolved>> = Vec::new();
    let mut put = |oid: Oid, resolved| {
        let place = oid.0 as usize;
        types.resize(types.len().max(place + 1), None);
        types[place] = Some(resolved);
    };
    for entry in FAMILIES.iter().flat_map(|family| family.iter()) {
        put(entry.oid, Resolved::Base(entry));
        if entry.array.is_valid() {
            put(entry.array, Resolved::Array { element: entry.oid, delimiter: ',' });
        }
    }
    put(oid::types::RECORD, Resolved::Record { relation: Oid::INVALID });
    put(oid::types::_RECORD, Resolved::Array { element: oid::types::RECORD, delimiter: ',' });
    types.into()
});

fn built_in(ty: Oid) -> Option<&'static Resolved> {
    BUILT_IN.get(ty.0 as usize)?.as_ref()
}

/// What a type is made of.
#[derive(Clone, Copy)]
pub enum Resolved {
    /// A built-in type with an entry of its own.
    Base(&'static TypeEntry),
    /// An array.
    Array {
        /// The type of its elements.
        element: Oid,
        /// What stands between elements in its text form (`typdelim` of the element).
        delimiter: char,
    },
    /// A composite type, or `record`.
    Record {
        /// Its row in `pg_class`; zero for `record`.
        relation: Oid,
    },
    /// An enum.
    Enum,
    /// A range.
    Range {
        /// The type of its bounds.
        subtype: Oid,
    },
    /// A multirange.
    Multirange {
        /// The range type of its members.
        range: Oid,
    },
    /// A type that is known by name but has no values here.
    Unsupported,
}

/// What a type is made of; domains count as their base type.
pub fn resolve(catalog: &Catalog, ty: Oid) -> Resolved {
    match built_in(ty) {
        Some(resolved) => *resolved,
        None => resolve_from_catalog(catalog, ty),
    }
}

fn resolve_from_catalog(catalog: &Catalog, ty: Oid) -> Resolved {
    let Some(row) = catalog.type_(ty) else { return Resolved::Unsupported };
    match row.typtype {
        'c' => Resolved::Record { relation: row.typrelid },
        'd' => resolve(catalog, row.typbasetype),
        'e' => Resolved::Enum,
        'r' => match catalog.range(ty) {
            Some(range) => Resolved::Range { subtype: range.rngsubtype },
            None => Resolved::Unsupported,
        },
        'm' => match catalog.range(ty) {
            Some(range) => Resolved::Multirange { range: range.rngtypid },
            None => Resolved::Unsupported,
        },
        'b' if row.typlen == -1 && row.typelem.is_valid() => match catalog.type_(row.typelem) {
            Some(element) => Resolved::Array { element: row.typelem, delimiter: element.typdelim },
            None => Resolved::Unsupported,
        },
        _ => Resolved::Unsupported,
    }
}

/// `pg_type.typlen` of a built-in type: the bytes of one of fixed size, -1 for others and for those that users have made.
pub fn length(ty: Oid) -> i16 {
    const VARIABLE: i16 = -1;
    static LENGTHS: LazyLock<Box<[i16]>> = LazyLock::new(|| {
        let mut lengths = Vec::new();
        for row in Catalog::built_in().relation::<crate::catalog::Type>().rows() {
            let place = row.oid.0 as usize;
            lengths.resize(lengths.len().max(place + 1), VARIABLE);
            lengths[place] = row.typlen;
        }
        lengths.into()
    });
    LENGTHS.get(ty.0 as usize).copied().unwrap_or(VARIABLE)
}

/// How values of a built-in type are stored; `None` for types that only a catalog knows.
pub(crate) fn built_in_form(ty: Oid) -> Option<StorageForm> {
    match built_in(ty)? {
        Resolved::Base(entry) => Some(entry.form),
        _ => Some(StorageForm::Keyed),
    }
}

/// The type of the elements of a built-in array type.
pub(crate) fn built_in_element(ty: Oid) -> Option<Oid> {
    match built_in(ty)? {
        Resolved::Array { element, .. } => Some(*element),
        _ => None,
    }
}

/// The type and modifier at the bottom of a domain; any other type is its own.
pub fn base_type(catalog: &Catalog, ty: TypeMod) -> TypeMod {
    if built_in(ty.oid).is_some() {
        return ty;
    }
    match catalog.type_(ty.oid) {
        Some(row) if row.typtype == 'd' => {
            base_type(catalog, TypeMod { oid: row.typbasetype, modifier: row.typtypmod })
        }
        _ => ty,
    }
}

/// The type of an array's elements, looking through domains; absent for types that are not arrays.
pub fn element_type(catalog: &Catalog, ty: Oid) -> Option<Oid> {
    match resolve(catalog, ty) {
        Resolved::Array { element, .. } => Some(element),
        Resolved::Base(entry) => vector::element_type(entry.oid),
        _ => None,
    }
}

/// How values of this type are stored. Types unknown to the catalog count as text.
pub fn storage_form(catalog: &Catalog, ty: Oid) -> StorageForm {
    match resolve(catalog, ty) {
        Resolved::Base(entry) => entry.form,
        Resolved::Enum => StorageForm::Real,
        Resolved::Unsupported => StorageForm::Text,
        Resolved::Array { .. }
        | Resolved::Record { .. }
        | Resolved::Range { .. }
        | Resolved::Multirange { .. } => StorageForm::Keyed,
    }
}

/// Reads a value from its text form, applying the modifier as an explicit cast of a literal does.
///
/// # Errors
/// `22P02`, `22003`, `22007`, `22008`, … with PostgreSQL's texts.
pub fn input(ty: TypeMod, text: &str, cx: &TypeContext<'_>) -> Result<Value> {
    match resolve(cx.catalog, ty.oid) {
        Resolved::Base(entry) => (entry.input)(text, modifier_of(ty, cx), cx),
        Resolved::Array { element, delimiter } => {
            array::input(TypeMod { oid: element, modifier: modifier_of(ty, cx) }, delimiter, text, cx)
        }
        Resolved::Record { relation } => record::input(relation, text, cx),
        Resolved::Enum => enums::input(ty.oid, text, cx),
        Resolved::Range { subtype } => range::input(base_type(cx.catalog, ty).oid, subtype, text, cx),
        Resolved::Multirange { .. } | Resolved::Unsupported => Err(unsupported(ty.oid, cx)),
    }
}

/// The modifier of a type, or of the base type of a domain.
fn modifier_of(ty: TypeMod, cx: &TypeContext<'_>) -> i32 {
    if ty.modifier >= 0 { ty.modifier } else { base_type(cx.catalog, ty).modifier }
}

fn unsupported(ty: Oid, cx: &TypeContext<'_>) -> SqlError {
    SqlError::unsupported(format_args!(
        "type {}",
        format_type(TypeMod::plain(ty), cx.catalog, cx.search_path)
    ))
}

/// Appends the text form of a value that is not NULL.
///
/// # Errors
/// `XX000` when the stored value is not of the type's form.
pub fn output(ty: Oid, value: ValueRef<'_>, cx: &TypeContext<'_>, out: &mut String) -> Result<()> {
    match resolve(cx.catalog, ty) {
        Resolved::Base(entry) => (entry.output)(value, cx, out),
        Resolved::Array { element, delimiter } => array::output(element, delimiter, value, cx, out),
        Resolved::Record { .. } => record::output(value, cx, out),
        Resolved::Enum => enums::output(ty, value, cx, out),
        Resolved::Range { subtype } => range::output(subtype, value, cx, out),
        // Catalog columns of types without values of their own hold plain text (`pg_node_tree`, `aclitem`).
        Resolved::Multirange { .. } | Resolved::Unsupported => text::output(value, cx, out),
    }
}

/// The text form of a value that is not NULL.
///
/// # Errors
/// As [`output`].
pub fn to_text(ty: Oid, value: ValueRef<'_>, cx: &TypeContext<'_>) -> Result<String> {
    let mut out = String::new();
    output(ty, value, cx, &mut out)?;
    Ok(out)
}

/// Reads a value from its binary form.
///
/// # Errors
/// `22P03`, `08P01` for malformed bytes; `42883` for types without a binary form.
pub fn receive(ty: TypeMod, bytes: &[u8], cx: &TypeContext<'_>) -> Result<Value> {
    match resolve(cx.catalog, ty.oid) {
        Resolved::Base(TypeEntry { receive: Some(receive), .. }) => receive(bytes, modifier_of(ty, cx), cx),
        Resolved::Array { element, .. } => {
            array::receive(TypeMod { oid: element, modifier: modifier_of(ty, cx) }, bytes, cx)
        }
        Resolved::Record { relation } => record::receive(relation, bytes, cx),
        Resolved::Range { subtype } => range::receive(subtype, bytes, cx),
        Resolved::Enum => enums::input(ty.oid, text::utf8(bytes)?, cx),
        _ => Err(error!(
            UNDEFINED_FUNCTION,
            "no binary input function available for type {}",
            format_type(TypeMod::plain(ty.oid), cx.catalog, cx.search_path)
        )),
    }
}

/// Appends the binary form of a value that is not NULL (without its length).
///
/// # Errors
/// `42883` for types without a binary form.
pub fn send(ty: Oid, value: ValueRef<'_>, cx: &TypeContext<'_>, out: &mut BytesMut) -> Result<()> {
    match resolve(cx.catalog, ty) {
        Resolved::Base(TypeEntry { send: Some(send), .. }) => send(value, cx, out),
        Resolved::Array { element, .. } => array::send(element, value, cx, out),
        Resolved::Record { .. } => record::send(value, cx, out),
        Resolved::Range { subtype } => range::send(subtype, value, cx, out),
        Resolved::Enum => {
            out.extend_from_slice(to_text(ty, value, cx)?.as_bytes());
            Ok(())
        }
        _ => Err(error!(
            UNDEFINED_FUNCTION,
            "no binary output function available for type {}",
            format_type(TypeMod::plain(ty), cx.catalog, cx.search_path)
        )),
    }
}

/// The fault of a stored value that is not of its type's form: the file was changed by something else.
pub(crate) fn wrong_form(what: &str) -> SqlError {
    SqlError::internal(format!("stored value is not of the form of {what}"))
}

/// `22P02`, as every input function says it.
pub(crate) fn invalid_syntax(ty: &str, text: &str) -> SqlError {
    error!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type {ty}: \"{text}\"")
}

/// Exactly `N` bytes of a binary value.
///
/// # Errors
/// `08P01` for too few, `22P03` for too many.
pub(crate) fn exact_bytes<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    match bytes.len() {
        length if length < N => Err(error!(PROTOCOL_VIOLATION, "insufficient data left in message")),
        length if length > N => Err(error!(INVALID_BINARY_REPRESENTATION, "incorrect binary data format")),
        _ => Ok(bytes.try_into().expect("the length was compared above")),
    }
}

#[cfg(test)]
mod tests;
