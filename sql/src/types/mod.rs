//! Types: how values of each PostgreSQL type are stored, read from text and bytes, and written as text and bytes.
//!
//! Rule of storage: one SQLite storage class for each type, in natural order where there is one; otherwise TEXT made of
//! an order key, the byte 0x01, and a display form, compared under the collation [`KEY_COLLATION`], which looks at the
//! key only. So `1.10 = 1.1` for comparisons, indexes, grouping and DISTINCT, while the scale survives for output.
//!
//! | type | stored as |
//! |---|---|
//! | bool, int2/4/8, oid, reg*, xid, cid, date (days), timestamp(tz) and time (µs since 2000-01-01, midnight) | INTEGER; infinities are the extremes |
//! | float4, float8 | REAL; NaN is the TEXT `NaN`, which sorts after every REAL |
//! | text, varchar, name, char(n) (trimmed), "char", json, xml, pg_node_tree, int2vector and oidvector (`1 2 3`), tid, pg_lsn | TEXT |
//! | bytea, uuid | BLOB |
//! | enum | REAL: `enumsortorder` |
//! | numeric, interval, timetz, jsonb, arrays, composites, ranges | keyed TEXT |
//! | domains | as their base type |

pub mod date;
mod date_input;
pub mod date_names;
mod date_output;
pub mod interval;
mod interval_input;
pub mod json;
pub mod jsonb;
pub mod time;
pub mod timestamp;

use bytes::BytesMut;

use crate::bound::TypeMod;
use crate::catalog::Catalog;
use crate::{Oid, Result, Value, ValueRef};

/// The collation of keyed TEXT: compares the bytes before 0x01.
pub const KEY_COLLATION: &str = "pgkey";

/// The byte between key and display form.
pub const KEY_SEPARATOR: char = '\u{1}';

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

/// How values of this type are stored. Types unknown to the catalog count as text.
pub fn storage_form(_catalog: &Catalog, _ty: Oid) -> StorageForm {
    unimplemented!()
}

/// Reads a value from its text form, applying the modifier as an explicit cast of a literal does.
///
/// # Errors
/// `22P02`, `22003`, `22007`, `22008`, … with PostgreSQL's texts.
pub fn input(_ty: TypeMod, _text: &str, _cx: &TypeContext<'_>) -> Result<Value> {
    unimplemented!()
}

/// Appends the text form of a value that is not NULL.
///
/// # Errors
/// `XX000` when the stored value is not of the type's form.
pub fn output(_ty: Oid, _value: ValueRef<'_>, _cx: &TypeContext<'_>, _out: &mut String) -> Result<()> {
    unimplemented!()
}

/// Reads a value from its binary form.
///
/// # Errors
/// `22P03`, `08P01` for malformed bytes; `42883` for types without a binary form.
pub fn receive(_ty: TypeMod, _bytes: &[u8], _cx: &TypeContext<'_>) -> Result<Value> {
    unimplemented!()
}

/// Appends the binary form of a value that is not NULL (without its length).
///
/// # Errors
/// `42883` for types without a binary form.
pub fn send(_ty: Oid, _value: ValueRef<'_>, _cx: &TypeContext<'_>, _out: &mut BytesMut) -> Result<()> {
    unimplemented!()
}

/// A modifier as `format_type` shows it and the grammar reads it: from `(10,2)` to 655366 for this type.
///
/// # Errors
/// `22023` and `42601` as PostgreSQL's `typmodin` functions raise them.
pub fn modifier_from_arguments(_ty: Oid, _arguments: &[i32]) -> Result<i32> {
    unimplemented!()
}

/// The SQL spelling of a type: `character varying(80)`, `integer[]`, `sales.mood` (`format_type`).
pub fn format_type(_ty: TypeMod, _catalog: &Catalog, _search_path: &[Oid]) -> String {
    unimplemented!()
}
