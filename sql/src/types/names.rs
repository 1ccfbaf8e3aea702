//! SQL names as text: quoted where they must be, split at their dots, and type names such as `character varying(10)`.
//!
//! Source: `src/backend/utils/adt/ruleutils.c` (`quote_identifier`), `src/backend/utils/adt/varlena.c`
//! (`SplitIdentifierString`), `src/backend/parser/gram.y` (`Typename`).

use crate::bound::TypeMod;
use crate::catalog::Catalog;
use crate::interrupt::Text;
use crate::{Oid, Result, error, oid};

use super::integer::is_space;
use super::modifier_from_arguments;
use super::text::{NAME_LENGTH_MAX, truncate_name};

/// Keywords that are not free to be names (`pg_get_keywords()` other than unreserved), in order.
const KEYWORDS: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];

/// A name as SQL text, in double quotes when it would not be read back otherwise.
pub fn quote_identifier(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && KEYWORDS.binary_search(&name).is_err();
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A string as an SQL literal.
pub fn quote_literal(text: &str) -> String {
    let escape = if text.contains('\\') { "E" } else { "" };
    format!("{escape}'{}'", text.replace('\'', "''").replace('\\', "\\\\"))
}

/// As [`quote_identifier`], for one that may be large.
///
/// # Errors
/// `57014` when the statement is to stop.
pub(crate) fn quote_large_identifier(name: &str) -> Result<String> {
    if name.len() <= NAME_LENGTH_MAX { Ok(quote_identifier(name)) } else { quote(name, "\"", "\"", &['"']) }
}

/// As [`quote_literal`], for one that may be large.
///
/// # Errors
/// `57014` when the statement is to stop.
pub(crate) fn quote_large_literal(text: &str) -> Result<String> {
    quote(text, if text.contains('\\') { "E'" } else { "'" }, "'", &['\'', '\\'])
}

fn quote(text: &str, before: &str, after: &str, doubled: &[char]) -> Result<String> {
    let mut out = Text::with_capacity(before.len() + text.len() + after.len());
    out.push_str(before)?;
    for c in text.chars() {
        if doubled.contains(&c) {
            out.push(c)?;
        }
        out.push(c)?;
    }
    out.push_str(after)?;
    Ok(out.finish())
}

/// The parts of a name with dots, unquoted parts in lower case; `None` when the syntax is wrong.
pub fn split_qualified(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    loop {
        let (part, after) = take_identifier(rest)?;
        parts.push(truncate_name(&part).to_owned());
        let after = after.trim_start_matches(is_space);
        match after.strip_prefix('.') {
            Some(next) => rest = next.trim_start_matches(is_space),
            None if after.is_empty() => return Some(parts),
            None => return None,
        }
    }
}

/// An identifier from the front of a text.
fn take_identifier(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut name = String::new();
        let mut rest = quoted;
        loop {
            let (part, after) = rest.split_once('"')?;
            name.push_str(part);
            match after.strip_prefix('"') {
                Some(next) => {
                    name.push('"');
                    rest = next;
                }
                None => return (!name.is_empty()).then_some((name, after)),
            }
        }
    }
    let end = text.find(|c: char| is_space(c) || c == '.' || c == ',').unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_ascii_lowercase(), &text[end..]))
}

/// How names are shown that are refused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// As relations are (`RangeVarGetRelidExtended`).
    Quoted,
    /// As everything else is (`DeconstructQualifiedName`).
    Bare,
}

/// Refuses a name in another database.
///
/// # Errors
/// `0A000` for a name of three parts, or of four with a column's, whose first is not the database of the catalog.
pub fn refuse_other_database<S: AsRef<str>>(parts: &[S], shown: Shown, catalog: &Catalog) -> Result<()> {
    let ([database, _, _] | [database, _, _, _]) = parts else { return Ok(()) };
    let own = catalog.database(catalog.current_database());
    if own.is_some_and(|own| own.datname == database.as_ref()) {
        return Ok(());
    }
    let dotted = parts.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(".");
    let quote = if shown == Shown::Quoted { "\"" } else { "" };
    Err(error!(
        FEATURE_NOT_SUPPORTED,
        "cross-database references are not implemented: {quote}{dotted}{quote}"
    ))
}

/// The first thing that a lookup finds: in the schema that the name gives, else along the search path.
///
/// # Errors
/// `3F000` for a schema that does not exist, `42601` for too many parts, `0A000` for another database.
pub fn find<T>(
    parts: &[String],
    catalog: &Catalog,
    search_path: &[Oid],
    lookup: impl Fn(Oid, &str) -> Option<T>,
) -> Result<Option<T>> {
    let (schema, name) = match parts {
        [name] => return Ok(search_path.iter().find_map(|schema| lookup(*schema, name))),
        [schema, name] | [_, schema, name] => (schema, name),
        _ => {
            return Err(error!(
                SYNTAX_ERROR,
                "improper qualified name (too many dotted names): {}",
                parts.join(".")
            ));
        }
    };
    refuse_other_database(parts, Shown::Bare, catalog)?;
    match catalog.namespace_named(schema) {
        Some(namespace) => Ok(lookup(namespace.oid, name)),
        None => Err(error!(UNDEFINED_SCHEMA, "schema \"{schema}\" does not exist")),
    }
}

/// What the grammar's words for types mean in the catalog; longest first, since one may begin another.
const SPELLINGS: &[(&str, Oid)] = &[
    ("national character varying", oid::types::VARCHAR),
    ("timestamp without time zone", oid::types::TIMESTAMP),
    ("timestamp with time zone", oid::types::TIMESTAMPTZ),
    ("time without time zone", oid::types::TIME),
    ("time with time zone", oid::types::TIMETZ),
    ("national char varying", oid::types::VARCHAR),
    ("character varying", oid::types::VARCHAR),
    ("national character", oid::types::BPCHAR),
    ("double precision", oid::types::FLOAT8),
    ("nchar varying", oid::types::VARCHAR),
    ("national char", oid::types::BPCHAR),
    ("char varying", oid::types::VARCHAR),
    ("bit varying", oid::types::VARBIT),
    ("character", oid::types::BPCHAR),
    ("timestamp", oid::types::TIMESTAMP),
    ("interval", oid::types::INTERVAL),
    ("smallint", oid::types::INT2),
    ("boolean", oid::types::BOOL),
    ("decimal", oid::types::NUMERIC),
    ("integer", oid::types::INT4),
    ("numeric", oid::types::NUMERIC),
    ("bigint", oid::types::INT8),
    ("float", oid::types::FLOAT8),
    ("nchar", oid::types::BPCHAR),
    ("char", oid::types::BPCHAR),
    ("real", oid::types::FLOAT4),
    ("time", oid::types::TIME),
    ("bit", oid::types::BIT),
    ("dec", oid::types::NUMERIC),
    ("int", oid::types::INT4),
];

/// Reads a type name as the grammar does: `int`, `character varying(10)`, `numeric(5,2)[]`, `sales.mood`.
///
/// # Errors
/// `42704` for unknown types, `42601` for text that is no type name.
pub fn parse_type_name(text: &str, catalog: &Catalog, search_path: &[Oid]) -> Result<TypeMod> {
    let name = text.trim_matches(is_space);
    let syntax = || error!(SYNTAX_ERROR, "syntax error at or near \"{name}\"");
    let (mut body, mut array) = (name, false);
    while let Some(inner) = body.strip_suffix(']') {
        let (inner, bound) = inner.rsplit_once('[').ok_or_else(syntax)?;
        if !bound.bytes().all(|b| b.is_ascii_digit()) {
            return Err(syntax());
        }
        (body, array) = (inner.trim_end_matches(is_space), true);
    }
    let (words, arguments) = split_arguments(body).ok_or_else(syntax)?;
    let plain = words.split(is_space).filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ");
    let lower = plain.to_ascii_lowercase();
    let known = SPELLINGS.iter().find(|(spelling, _)| *spelling == lower).map(|(_, ty)| *ty);
    let oid = match known {
        Some(oid::types::FLOAT8) if arguments.first().is_some_and(|a| *a <= 24) => oid::types::FLOAT4,
        Some(ty) => ty,
        None => {
            let parts = split_qualified(&plain).ok_or_else(syntax)?;
            let found = find(&parts, catalog, search_path, |schema, name| catalog.type_named(schema, name))?;
            found.ok_or_else(|| error!(UNDEFINED_OBJECT, "type \"{plain}\" does not exist"))?.oid
        }
    };
    // A bare `char` or `bit` means length one.
    let arguments = match oid {
        oid::types::BPCHAR | oid::types::BIT if known.is_some() && arguments.is_empty() => vec![1],
        oid::types::FLOAT4 | oid::types::FLOAT8 => Vec::new(),
        _ => arguments,
    };
    let modifier = if arguments.is_empty() { -1 } else { modifier_from_arguments(oid, &arguments)? };
    let oid = match array {
        true => catalog
            .type_(oid)
            .map(|row| row.typarray)
            .filter(|a| a.is_valid())
            .ok_or_else(|| error!(UNDEFINED_OBJECT, "type \"{name}\" does not exist"))?,
        false => oid,
    };
    Ok(TypeMod { oid, modifier })
}

/// A type name without the numbers in parentheses, and those.
fn split_arguments(text: &str) -> Option<(String, Vec<i32>)> {
    let Some((before, rest)) = text.split_once('(') else { return Some((text.to_owned(), Vec::new())) };
    let (inside, after) = rest.split_once(')')?;
    let arguments = inside.split(',').map(|a| a.trim().parse().ok()).collect::<Option<_>>()?;
    Some((format!("{before} {after}"), arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_only_where_they_must_be() {
        for (name, quoted) in [
            ("t", "t"),
            ("T", "\"T\""),
            ("select", "\"select\""),
            ("a b", "\"a b\""),
            ("a\"b", "\"a\"\"b\""),
            ("1a", "\"1a\""),
            ("name", "name"),
            ("", "\"\""),
        ] {
            assert_eq!(quote_identifier(name), quoted);
        }
        assert!(KEYWORDS.is_sorted());
    }

    #[test]
    fn names_split_at_dots() {
        assert_eq!(split_qualified(" A.\"B.c\" . d").unwrap(), ["a", "B.c", "d"]);
        assert_eq!(split_qualified("a."), None);
        assert_eq!(split_qualified("a b"), None);
        assert_eq!(quote_literal("it's \\"), "E'it''s \\\\'");
    }
}
