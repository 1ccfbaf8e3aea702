//! The grammar, text in and text out: trees are shown by sqlparser's `Display`, with parentheses around operators.

use sqlparser::ast::{Expr, Spanned, Statement};

use super::{Node, Utility, parse, parse_expression, parse_query, parse_type};

/// The grouping of an expression.
fn grouped(text: &str) -> String {
    show(&parse_expression(text).unwrap_or_else(|error| panic!("{text}: {error}")))
}

fn show(expression: &Expr) -> String {
    match expression {
        Expr::BinaryOp { left, op, right } => format!("({} {op} {})", show(left), show(right)),
        Expr::UnaryOp { op, expr } => format!("({op} {})", show(expr)),
        Expr::Nested(inner) => show(inner),
        Expr::AtTimeZone { timestamp, time_zone } => format!("({} at {})", show(timestamp), show(time_zone)),
        Expr::Collate { expr, collation } => format!("({} collate {collation})", show(expr)),
        Expr::Cast { expr, data_type, .. } => format!("({}::{data_type})", show(expr)),
        Expr::IsNull(expr) => format!("({} is null)", show(expr)),
        Expr::IsNotNull(expr) => format!("({} is not null)", show(expr)),
        Expr::Between { expr, low, high, .. } => format!("({} in {}..{})", show(expr), show(low), show(high)),
        other => other.to_string(),
    }
}

/// The error of a query string, with its position.
fn refusal(text: &str) -> String {
    match parse(text) {
        Ok(statements) => panic!("{text} is taken: {statements:?}"),
        Err(error) => format!("{} {}: {}", error.code(), error.0.position.unwrap_or(0), error.message()),
    }
}

fn utility(text: &str) -> Utility {
    match parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).remove(0).node {
        Node::Utility(utility) => *utility,
        Node::Sql(statement) => panic!("{text} is {statement}"),
    }
}

#[test]
fn operators_group_as_in_postgresql() {
    for (text, expected) in [
        ("-2 ^ 2", "((- 2) ^ 2)"),
        ("|/ 4 + 1", "(|/ (4 + 1))"),
        ("~1 + 2", "(~ (1 + 2))"),
        ("a = b ~ c", "(a = (b ~ c))"),
        ("a ~ b || c", "((a ~ b) || c)"),
        ("a operator(pg_catalog.+) b * c", "(a OPERATOR(pg_catalog.+) (b * c))"),
        ("-a at time zone 'x'", "((- a) at 'x')"),
        ("a::text collate \"C\"", "((a::TEXT) collate \"C\")"),
        ("a isnull and not b notnull", "((a is null) AND (NOT (b is not null)))"),
        ("a between 1 and 2 and b", "((a in 1..2) AND b)"),
        ("a or b and c", "(a OR (b AND c))"),
        ("1 - -2", "(1 - (- 2))"),
        ("a<-1", "(a < (- 1))"),
        ("a @-1", "(a @- 1)"),
        ("-x::int", "(- (x::INT))"),
    ] {
        assert_eq!(grouped(text), expected, "{text}");
    }
}

#[test]
fn errors_say_what_postgresql_says() {
    for (text, expected) in [
        ("selct 1", "42601 1: syntax error at or near \"selct\""),
        ("select 1; select é, from", "42601 21: syntax error at or near \"from\""),
        ("select * from", "42601 14: syntax error at end of input"),
        ("select a = b = c", "42601 14: syntax error at or near \"=\""),
        ("select a < 1 like b", "0"),
        ("select 'a' 'b'", "42601 12: syntax error at or near \"'b'\""),
        ("select 'abc", "42601 8: unterminated quoted string at or near \"'abc\""),
        ("select /* x", "42601 8: unterminated /* comment at or near \"/* x\""),
        ("select \"\"", "42601 8: zero-length delimited identifier at or near \"\"\"\""),
        ("select 12ab", "42601 8: trailing junk after numeric literal at or near \"12ab\""),
        ("create table order (a int)", "42601 14: syntax error at or near \"order\""),
        ("select 1 limit 1, 2", "42601 10: LIMIT #,# syntax is not supported"),
        ("select * from (select 1)", "42601 15: subquery in FROM must have an alias"),
    ] {
        if expected == "0" {
            assert!(parse(text).is_ok(), "{text}");
        } else {
            assert_eq!(refusal(text), expected, "{text}");
        }
    }
}

#[test]
fn literals_are_unescaped_and_merged() {
    for (text, expected) in [
        ("'a'\n 'b'", "'ab'"),
        ("E'a\\tb' -- c\n 'c\\n'", "'a\tbc\n'"),
        ("E'\\ud83d\\ude00'", "'😀'"),
        ("U&'d\\0061t!+000061' UESCAPE '!'", "'d\\0061ta'"),
        ("$x$a$y$b$x$", "'a$y$b'"),
    ] {
        assert_eq!(grouped(text), expected, "{text}");
    }
}

#[test]
fn statements_keep_text_and_offset() {
    let statements = parse(" ;é select 1 ; -- x").map(|_| ()).unwrap_err();
    assert_eq!(statements.0.position, Some(3));
    let statements = parse("/* é */ begin; select a\n, b ;;").unwrap();
    let places: Vec<_> = statements.iter().map(|statement| (statement.offset, &*statement.text)).collect();
    assert_eq!(places, [(8, "begin"), (15, "select a\n, b")]);
    let Node::Sql(statement) = &statements[1].node else { panic!("a query") };
    let Statement::Query(query) = &**statement else { panic!("a query") };
    let column = query.body.span().start;
    assert_eq!(super::position(&statements[1].text, column), Some(8));
}

#[test]
fn limits_are_errors_and_not_crashes() {
    for (open, close, count) in
        [("(", ")", 50_usize), ("(select ", ")", 20), ("array[", "]", 40), ("case when ", "", 0)]
    {
        let text = format!("select {}1{}", open.repeat(count), close.repeat(count));
        assert!(count == 0 || parse(&text).is_ok(), "{open}");
        let text = format!("select {}1{}", open.repeat(100_000), close.repeat(100_000));
        assert_eq!(parse(&text).unwrap_err().code().as_str(), "54001", "{open}");
    }
    let sum = format!("select 1{}", "+1".repeat(100_000));
    assert_eq!(parse(&sum).unwrap_err().code().as_str(), "54001");
    let choice = format!("select true{}", " or x = 1".repeat(20_000));
    assert!(parse(&choice).is_ok());
}

#[test]
fn queries_are_written_back() {
    for (text, expected) in [
        ("select from t", "SELECT FROM t"),
        ("table t order by 1", "SELECT * FROM t ORDER BY 1"),
        ("select (r).*, (r).x from r", "SELECT (r).*, (r).x FROM r"),
        ("select ((select 1) + 2)", "SELECT ((SELECT 1) + 2)"),
        ("((select 1) union (select 2)) limit 1", "((SELECT 1) UNION (SELECT 2)) LIMIT 1"),
        ("select x like any (array['a'])", "SELECT x ~~ ANY(ARRAY['a'])"),
    ] {
        assert_eq!(parse_query(text).unwrap().to_string(), expected, "{text}");
    }
}

#[test]
fn row_locks_keep_their_strengths_and_tables() {
    use crate::bound::LockStrength::*;
    for (text, expected) in [
        ("select 1 for update", vec![(Update, None)]),
        ("select 1 for no key update of a, s.b", vec![(NoKeyUpdate, Some("a")), (NoKeyUpdate, Some("s.b"))]),
        ("select 1 for share of a for key share", vec![(Share, Some("a")), (KeyShare, None)]),
    ] {
        let query = parse_query(text).unwrap();
        let found = query.locks.iter().map(|clause| {
            (super::lock_strength(clause), super::locked_table(clause).map(|name| name.to_string()))
        });
        let expected = expected.into_iter().map(|(strength, name)| (strength, name.map(str::to_owned)));
        assert!(found.eq(expected), "{text}");
    }
}

#[test]
fn types_have_their_variants() {
    for (text, expected) in [
        ("numeric(3,-1)", "NUMERIC(3,-1)"),
        ("timestamp(3) with time zone", "TIMESTAMP(3) WITH TIME ZONE"),
        ("int[][3]", "INT[][3]"),
        ("pg_catalog.\"char\"", "pg_catalog.\"char\""),
        ("character varying(3)", "CHARACTER VARYING(3)"),
        ("interval day to second(2)", "INTERVAL DAY TO SECOND(2)"),
    ] {
        let shown = parse_type(text).unwrap().to_string();
        assert!(shown.starts_with(expected.split('(').next().unwrap()), "{text}: {shown}");
    }
}

#[test]
fn utilities_have_their_tags() {
    for (text, tag) in [
        ("begin isolation level serializable read only, not deferrable", "BEGIN"),
        ("start transaction", "START TRANSACTION"),
        ("end and chain", "COMMIT"),
        ("rollback to savepoint s", "ROLLBACK"),
        ("set local time zone 'UTC'", "SET"),
        ("discard temp", "DISCARD TEMP"),
        ("move backward all from c", "MOVE"),
        ("deallocate prepare all", "DEALLOCATE ALL"),
        ("copy (select 1) to stdout with csv header force quote *", "COPY"),
        ("create role r login password 'x' in role a, b valid until 'infinity'", "CREATE ROLE"),
        ("alter user r in database d set search_path to a, b", "ALTER ROLE"),
        ("grant select (a), update on table s.t to public, r with grant option", "GRANT"),
        ("revoke admin option for a from b cascade", "REVOKE ROLE"),
        ("create schema s create table t (a int) create view v as select a from t", "CREATE SCHEMA"),
        ("create table t as execute p(1)", "CREATE TABLE AS"),
        ("select 1 into temp t", "SELECT INTO"),
        ("alter table only t add column a int not null default 1 + 2, drop column b cascade", "ALTER TABLE"),
        ("alter view if exists v rename column a to b", "ALTER VIEW"),
        ("drop function if exists f(int, out x text), g cascade", "DROP FUNCTION"),
        ("drop user a", "DROP ROLE"),
        (
            "create unique index concurrently on t using btree (lower(a) text_ops desc nulls last, b) where b > 1",
            "CREATE INDEX",
        ),
        ("create or replace procedure p(inout a int = 1) language sql as $$ select 1 $$", "CREATE PROCEDURE"),
        ("create function f() returns setof int begin atomic select 1; select 2; end", "CREATE FUNCTION"),
        ("alter extension e update to '1.1'", "ALTER EXTENSION"),
        ("comment on constraint c on domain d is null", "COMMENT"),
        ("alter function f(int) owner to current_user", "ALTER FUNCTION"),
        ("create rule r as on insert to t do (select 1; select 2)", "CREATE RULE"),
        ("alter materialized view m set schema s", "ALTER MATERIALIZED VIEW"),
        ("drop text search parser p", "DROP TEXT SEARCH PARSER"),
    ] {
        assert_eq!(utility(text).tag(), tag, "{text}");
    }
}

#[test]
fn a_table_keeps_all_that_is_said_of_it() {
    let text = "create temp table if not exists s.T (\"A b\" int constraint nn not null default -1, b text collate \"C\" \
                generated always as (a || 'x') stored, constraint pk primary key (a, b) deferrable initially deferred, \
                foreign key (b) references u on delete set null match full not valid, like v including all) \
                with (fillfactor = 70) on commit drop";
    let error = parse(text).unwrap_err();
    assert_eq!(error.message(), "syntax error at or near \"match\"");
    let Utility::CreateTable(table) = utility(&text.replace(" match full", "")) else { panic!("a table") };
    assert_eq!((table.name.schema.as_deref(), table.name.name.as_str()), (Some("s"), "t"));
    assert_eq!(table.elements.len(), 5);
    let super::TableElement::Column(column) = &table.elements[0] else { panic!("a column") };
    assert_eq!((column.name.as_str(), column.constraints.len()), ("A b", 2));
    let super::ColumnConstraintKind::Default(default) = &column.constraints[1].kind else {
        panic!("a default")
    };
    assert_eq!(default.text, "-1");
    assert_eq!(table.options[0].value_text().as_deref(), Some("70"));
}
