//! Comparisons. Values of one storage class compare in SQLite as PostgreSQL orders them; keyed ones do under their
//! collation; `char(n)` compares without its trailing blanks. So all of these are SQLite's own text.

use super::Function;
use super::arguments::native;

/// For each type: `=`, `<>`, `<`, `<=`, `>`, `>=`, and the three-way comparison ("" for none).
macro_rules! comparisons {
    ($left:literal, $right:literal; $($eq:literal $ne:literal $lt:literal $le:literal $gt:literal $ge:literal $cmp:literal;)*) => {
        &[$(
            native($eq, concat!("(", $left, " = ", $right, ")")),
            native($ne, concat!("(", $left, " <> ", $right, ")")),
            native($lt, concat!("(", $left, " < ", $right, ")")),
            native($le, concat!("(", $left, " <= ", $right, ")")),
            native($gt, concat!("(", $left, " > ", $right, ")")),
            native($ge, concat!("(", $left, " >= ", $right, ")")),
            native($cmp, concat!("((", $left, " > ", $right, ") - (", $left, " < ", $right, "))")),
        )*]
    };
}

/// Types in their class's own order.
pub(super) const PLAIN: &[Function] = comparisons! { "{0}", "{1}";
    "booleq" "boolne" "boollt" "boolle" "boolgt" "boolge" "btboolcmp";
    "int2eq" "int2ne" "int2lt" "int2le" "int2gt" "int2ge" "btint2cmp";
    "int4eq" "int4ne" "int4lt" "int4le" "int4gt" "int4ge" "btint4cmp";
    "int8eq" "int8ne" "int8lt" "int8le" "int8gt" "int8ge" "btint8cmp";
    "int24eq" "int24ne" "int24lt" "int24le" "int24gt" "int24ge" "btint24cmp";
    "int28eq" "int28ne" "int28lt" "int28le" "int28gt" "int28ge" "btint28cmp";
    "int42eq" "int42ne" "int42lt" "int42le" "int42gt" "int42ge" "btint42cmp";
    "int48eq" "int48ne" "int48lt" "int48le" "int48gt" "int48ge" "btint48cmp";
    "int82eq" "int82ne" "int82lt" "int82le" "int82gt" "int82ge" "btint82cmp";
    "int84eq" "int84ne" "int84lt" "int84le" "int84gt" "int84ge" "btint84cmp";
    "oideq" "oidne" "oidlt" "oidle" "oidgt" "oidge" "btoidcmp";
    "xid8eq" "xid8ne" "xid8lt" "xid8le" "xid8gt" "xid8ge" "xid8cmp";
    "tideq" "tidne" "tidlt" "tidle" "tidgt" "tidge" "bttidcmp";
    "pg_lsn_eq" "pg_lsn_ne" "pg_lsn_lt" "pg_lsn_le" "pg_lsn_gt" "pg_lsn_ge" "pg_lsn_cmp";
    "float4eq" "float4ne" "float4lt" "float4le" "float4gt" "float4ge" "btfloat4cmp";
    "float8eq" "float8ne" "float8lt" "float8le" "float8gt" "float8ge" "btfloat8cmp";
    "float48eq" "float48ne" "float48lt" "float48le" "float48gt" "float48ge" "btfloat48cmp";
    "float84eq" "float84ne" "float84lt" "float84le" "float84gt" "float84ge" "btfloat84cmp";
    "texteq" "textne" "text_lt" "text_le" "text_gt" "text_ge" "bttextcmp";
    "nameeq" "namene" "namelt" "namele" "namegt" "namege" "btnamecmp";
    "nameeqtext" "namenetext" "namelttext" "nameletext" "namegttext" "namegetext" "btnametextcmp";
    "texteqname" "textnename" "textltname" "textlename" "textgtname" "textgename" "bttextnamecmp";
    "chareq" "charne" "charlt" "charle" "chargt" "charge" "btcharcmp";
    "byteaeq" "byteane" "bytealt" "byteale" "byteagt" "byteage" "byteacmp";
    "uuid_eq" "uuid_ne" "uuid_lt" "uuid_le" "uuid_gt" "uuid_ge" "uuid_cmp";
    "biteq" "bitne" "bitlt" "bitle" "bitgt" "bitge" "bitcmp";
    "macaddr_eq" "macaddr_ne" "macaddr_lt" "macaddr_le" "macaddr_gt" "macaddr_ge" "macaddr_cmp";
    "enum_eq" "enum_ne" "enum_lt" "enum_le" "enum_gt" "enum_ge" "enum_cmp";
};

/// Types with an order key.
pub(super) const KEYED: &[Function] = comparisons! { "{0}", "{1} COLLATE pgkey";
    "numeric_eq" "numeric_ne" "numeric_lt" "numeric_le" "numeric_gt" "numeric_ge" "numeric_cmp";
    "array_eq" "array_ne" "array_lt" "array_le" "array_gt" "array_ge" "btarraycmp";
    "record_eq" "record_ne" "record_lt" "record_le" "record_gt" "record_ge" "btrecordcmp";
    "network_eq" "network_ne" "network_lt" "network_le" "network_gt" "network_ge" "network_cmp";
    "range_eq" "range_ne" "range_lt" "range_le" "range_gt" "range_ge" "range_cmp";
};

/// `char(n)`, whose trailing blanks do not count.
pub(super) const TRIMMED: &[Function] = comparisons! { "rtrim({0}, ' ')", "rtrim({1}, ' ')";
    "bpchareq" "bpcharne" "bpcharlt" "bpcharle" "bpchargt" "bpcharge" "bpcharcmp";
};

/// The greater and the lesser of two values, and comparisons that stand alone.
pub(super) const EXTREMES: &[Function] = &[
    native("int2larger", "max({0}, {1})"),
    native("int2smaller", "min({0}, {1})"),
    native("int4larger", "max({0}, {1})"),
    native("int4smaller", "min({0}, {1})"),
    native("int8larger", "max({0}, {1})"),
    native("int8smaller", "min({0}, {1})"),
    native("float4larger", "max({0}, {1})"),
    native("float4smaller", "min({0}, {1})"),
    native("float8larger", "max({0}, {1})"),
    native("float8smaller", "min({0}, {1})"),
    native("oidlarger", "max({0}, {1})"),
    native("oidsmaller", "min({0}, {1})"),
    native("tidlarger", "max({0}, {1})"),
    native("tidsmaller", "min({0}, {1})"),
    native("xid8_larger", "max({0}, {1})"),
    native("xid8_smaller", "min({0}, {1})"),
    native("pg_lsn_larger", "max({0}, {1})"),
    native("pg_lsn_smaller", "min({0}, {1})"),
    native("text_larger", "max({0}, {1})"),
    native("text_smaller", "min({0}, {1})"),
    native("bpchar_larger", "max({0}, {1})"),
    native("bpchar_smaller", "min({0}, {1})"),
    native("enum_larger", "max({0}, {1})"),
    native("enum_smaller", "min({0}, {1})"),
    native("numeric_larger", "max({0} COLLATE pgkey, {1})"),
    native("numeric_smaller", "min({0} COLLATE pgkey, {1})"),
    native("array_larger", "max({0} COLLATE pgkey, {1})"),
    native("array_smaller", "min({0} COLLATE pgkey, {1})"),
    native("xideq", "({0} = {1})"),
    native("xidneq", "({0} <> {1})"),
    native("cideq", "({0} = {1})"),
    native("text_pattern_lt", "({0} < {1})"),
    native("text_pattern_le", "({0} <= {1})"),
    native("text_pattern_gt", "({0} > {1})"),
    native("text_pattern_ge", "({0} >= {1})"),
    native("bttext_pattern_cmp", "(({0} > {1}) - ({0} < {1}))"),
    native("bpchar_pattern_lt", "(rtrim({0}, ' ') < rtrim({1}, ' '))"),
    native("bpchar_pattern_le", "(rtrim({0}, ' ') <= rtrim({1}, ' '))"),
    native("bpchar_pattern_gt", "(rtrim({0}, ' ') > rtrim({1}, ' '))"),
    native("bpchar_pattern_ge", "(rtrim({0}, ' ') >= rtrim({1}, ' '))"),
    native("text_starts_with", "(substr({0}, 1, length({1})) = {1})"),
    native("oidvectoreq", "({0} = {1})"),
    native("oidvectorne", "({0} <> {1})"),
    native(
        "btbpchar_pattern_cmp",
        "((rtrim({0}, ' ') > rtrim({1}, ' ')) - (rtrim({0}, ' ') < rtrim({1}, ' ')))",
    ),
];
