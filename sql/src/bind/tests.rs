//! Statements in, columns or errors out, over the built-in catalog.

use super::{BindContext, bind};
use crate::bound::Statement;
use crate::catalog::Catalog;
use crate::oid::namespaces;
use crate::parse::{self, Node};
use crate::types::{DateOrder, DateStyle, FormatSettings, IntervalStyle};

/// The columns as `name type`, or the error as `code message @position`.
fn outcome(text: &str) -> String {
    let catalog = Catalog::built_in();
    let format = FormatSettings {
        time_zone: jiff::tz::TimeZone::UTC,
        date_style: DateStyle::Iso,
        date_order: DateOrder::Mdy,
        interval_style: IntervalStyle::Postgres,
        extra_float_digits: 1,
        bytea_escape: false,
        transaction_time: 0,
    };
    let search_path = [namespaces::PG_CATALOG, namespaces::PUBLIC];
    let parsed = parse::parse(text).expect("the statement parses");
    let Some(Node::Sql(tree)) = parsed.first().map(|statement| &statement.node) else {
        return "no query".to_owned();
    };
    let context =
        BindContext { catalog: &catalog, search_path: &search_path, format: &format, text, parameters: &[] };
    match bind(tree, &context) {
        Ok(bound) => {
            let Statement::Query(query) = &*bound.statement else { return "modified".to_owned() };
            let name = |oid| catalog.type_(oid).map_or_else(String::new, |row| row.typname.clone());
            let columns: Vec<String> = query
                .columns
                .iter()
                .map(|column| format!("{} {}", column.name, name(column.ty.oid)))
                .collect();
            columns.join(", ")
        }
        Err(error) => {
            let position = error.0.position.map_or_else(String::new, |position| format!(" @{position}"));
            format!("{} {}{position}", error.code(), error.message())
        }
    }
}

#[test]
fn columns_get_names_and_types() {
    assert_eq!(outcome("select 1, 'x', 1 + 2::int8 as total"), "?column? int4, ?column? text, total int8");
    assert_eq!(outcome("select oid, relname from pg_class"), "oid oid, relname name");
    assert_eq!(outcome("select count(*), max(relname::text) from pg_class"), "count int8, max text");
}

#[test]
fn errors_carry_code_and_position() {
    assert_eq!(outcome("select 1 + true"), "42883 operator does not exist: integer + boolean @10");
    assert_eq!(outcome("select nosuch from pg_class"), "42703 column \"nosuch\" does not exist @8");
    assert_eq!(outcome("select * from nosuch"), "42P01 relation \"nosuch\" does not exist @15");
    assert_eq!(outcome("select $1"), "?column? text");
    assert_eq!(
        outcome("select relname, count(*) from pg_class"),
        "42803 column \"pg_class.relname\" must appear in the GROUP BY clause or be used in an aggregate function @8"
    );
}

#[test]
fn keys_determine_the_other_columns() {
    assert_eq!(outcome("select relname, count(*) from pg_class group by oid"), "relname name, count int8");
}
