//! Bound trees in, SQLite text out. Trees are made by hand here: what a client's text becomes is tested where parser and
//! binder are at hand, in the session's tests.

use std::sync::Arc;

use super::*;
use crate::bound::*;
use crate::oid::{relations, types};
use crate::{SqlError, Value};

struct NoExpressions;

impl StoredExpressions for NoExpressions {
    fn domain_checks(&self, _: &Catalog, _: Oid) -> Result<DomainChecks> {
        Err(SqlError::internal("no domains here"))
    }
    fn table_checks(&self, _: &Catalog, _: Oid, _: RangeId) -> Result<Vec<(String, Expr)>> {
        Ok(Vec::new())
    }
    fn generated_columns(&self, _: &Catalog, _: Oid, _: RangeId) -> Result<Vec<(usize, Expr)>> {
        Ok(Vec::new())
    }
    fn index_functions(&self, _: &Catalog, _: Oid) -> Result<Vec<HostFunction>> {
        Ok(Vec::new())
    }
}

fn expr(kind: ExprKind, ty: Oid) -> Expr {
    Expr { kind, ty: TypeMod::plain(ty), collation: Oid::INVALID }
}

fn integer(value: i64) -> Expr {
    expr(ExprKind::Constant(Value::Integer(value)), types::INT4)
}

fn column(range: u32, column: usize, ty: Oid) -> Expr {
    expr(ExprKind::Column { range: RangeId(range), column }, ty)
}

fn output(ty: Oid) -> OutputColumn {
    OutputColumn { name: "x".into(), ty: TypeMod::plain(ty), collation: Oid::INVALID, origin: None }
}

fn select(from: Option<FromItem>, targets: Vec<Expr>) -> Select {
    Select {
        id: SelectId(1),
        from,
        filter: None,
        group_by: GroupBy::default(),
        having: None,
        windows: Vec::new(),
        targets: targets.into_iter().map(|expr| Target { expr, name: "x".into(), hidden: false }).collect(),
        distinct: Distinct::No,
    }
}

fn query(body: QueryBody, columns: Vec<OutputColumn>) -> Query {
    Query {
        ctes: Vec::new(),
        body,
        order_by: Vec::new(),
        limit: None,
        offset: None,
        with_ties: false,
        locks: Vec::new(),
        columns,
    }
}

fn of_select(select: Select) -> Query {
    let columns = select.targets.iter().filter(|t| !t.hidden).map(|t| output(t.expr.ty.oid)).collect();
    query(QueryBody::Select(Box::new(select)), columns)
}

fn text_of(query: Query) -> String {
    let statement = BoundStatement {
        statement: Arc::new(Statement::Query(Box::new(query))),
        parameters: Vec::new(),
        views: Vec::new(),
        inlined: Vec::new(),
        records: Arc::default(),
    };
    let plan = plan(&statement, &Catalog::built_in(), &NoExpressions).unwrap();
    match plan.main {
        MainPlan::Query(text) => text.sql.to_string(),
        MainPlan::Modify(_) => unreachable!("a query was planned"),
    }
}

fn values(rows: &[i64]) -> Query {
    let rows = rows.iter().map(|value| vec![integer(*value)]).collect();
    query(QueryBody::Values(rows), vec![output(types::INT4)])
}

fn pg_am() -> FromItem {
    FromItem::Relation { range: RangeId(1), relation: relations::PG_AM }
}

#[test]
fn a_relation_of_the_catalog_is_a_host_table() {
    let text = text_of(of_select(select(Some(pg_am()), vec![column(1, 1, types::NAME)])));
    assert_eq!(text, r#"SELECT "r1"."amname" AS "c0" FROM "pg_catalog:pg_am" AS "r1""#);
}

#[test]
fn keyed_types_are_ordered_by_their_key_and_nulls_have_a_place() {
    let mut query = of_select(select(None, vec![expr(ExprKind::Parameter(1), types::_INT4)]));
    query.order_by = vec![SortKey { target: 0, descending: true, nulls_first: true }];
    assert_eq!(text_of(query), r#"SELECT ?1 AS "c0" ORDER BY 1 COLLATE "pgkey" DESC NULLS FIRST"#);
}

#[test]
fn set_operations_inside_set_operations_are_subqueries() {
    let union = |left, right| {
        let body = QueryBody::SetOperation {
            operation: SetOperation::Union,
            all: false,
            left: Box::new(left),
            right: Box::new(right),
        };
        query(body, vec![output(types::INT4)])
    };
    let one = || of_select(select(None, vec![integer(1)]));
    let text = text_of(union(one(), union(one(), one())));
    assert_eq!(
        text,
        r#"SELECT 1 AS "c0" UNION SELECT "c0" AS "c0" FROM (SELECT 1 AS "c0" UNION SELECT 1 AS "c0")"#
    );
}

#[test]
fn values_have_column_names() {
    assert_eq!(text_of(values(&[1, 2])), r#"SELECT column1 AS "c0" FROM (VALUES (1), (2))"#);
}

#[test]
fn a_scalar_subquery_refuses_a_second_row() {
    let subquery = SubqueryExpr { kind: SubqueryKind::Scalar, query: values(&[1, 2]) };
    let text =
        text_of(of_select(select(None, vec![expr(ExprKind::Subquery(Box::new(subquery)), types::INT4)])));
    assert_eq!(
        text,
        r#"SELECT (SELECT "single_row"("c0") FROM (SELECT column1 AS "c0" FROM (VALUES (1), (2)))) AS "c0""#
    );
}

#[test]
fn lateral_queries_become_table_functions_of_the_outer_columns() {
    let inner = of_select(select(None, vec![column(1, 1, types::NAME)]));
    let from = FromItem::Join {
        kind: JoinKind::Left,
        left: Box::new(pg_am()),
        right: Box::new(FromItem::Subquery { range: RangeId(2), query: Box::new(inner), lateral: true }),
        on: None,
    };
    let text = text_of(of_select(select(Some(from), vec![column(2, 0, types::NAME)])));
    let (before, after) = text.split_once("\"lateral#").unwrap();
    assert_eq!(before, r#"SELECT "r2"."c0" AS "c0" FROM "pg_catalog:pg_am" AS "r1" LEFT JOIN "#);
    assert!(after.ends_with(r#""("r1"."amname") AS "r2" ON 1"#), "{after}");
}

#[test]
fn grouping_sets_become_a_union_of_groupings() {
    let mut grouped = select(Some(pg_am()), vec![column(1, 1, types::NAME)]);
    grouped.group_by =
        GroupBy { keys: vec![column(1, 1, types::NAME)], sets: vec![vec![0], vec![]], grouped: true };
    assert_eq!(
        text_of(of_select(grouped)),
        r#"SELECT "r1"."amname" AS "c0" FROM "pg_catalog:pg_am" AS "r1" GROUP BY "r1"."amname" UNION ALL SELECT NULL AS "c0" FROM "pg_catalog:pg_am" AS "r1""#
    );
}

#[test]
fn limits_are_checked_unless_they_are_plain() {
    let mut query = values(&[1]);
    query.limit = Some(integer(3));
    query.offset = Some(expr(ExprKind::Parameter(1), types::INT8));
    assert_eq!(text_of(query), r#"SELECT 1 AS "c0" LIMIT 3 OFFSET "row_offset"(?1)"#);
}
