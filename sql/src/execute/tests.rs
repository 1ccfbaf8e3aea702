//! Bound trees run on a real engine: what is written, and what is said when it is refused.

use std::sync::Arc;

use storage::{Database, DatabaseOptions, PooledConnection};

use super::*;
use crate::backend::BackendKind;
use crate::bound::*;
use crate::catalog::{Attribute, Catalog, CatalogEdit, Class, Constraint, Index};
use crate::oid::{namespaces, relations, types};
use crate::session::{NoServices, SessionShared};
use crate::settings::{ServerSettings, SessionSettings};
use crate::{Oid, ValueRef};

const INT4_EQUAL: Oid = Oid(65);
const INT4_GREATER: Oid = Oid(147);
const TEXT_EQUAL: Oid = Oid(67);
const INT48_PLUS: Oid = Oid(1278);
const INT8_TO_INT4: Oid = Oid(480);
const SUM_INT4: Oid = Oid(2108);
const PARENT: Oid = Oid(20000);
const CHILD: Oid = Oid(20001);

/// A database with `parent (id int4 primary key, kind text unique, value int4 not null)` and
/// `child (id int4, parent int4 references parent)`.
struct World {
    _directory: tempfile::TempDir,
    connection: PooledConnection,
    context: Arc<StatementContext>,
}

fn column(relation: Oid, attnum: i16, name: &str, ty: Oid, not_null: bool) -> Attribute {
    let built_in = Catalog::built_in().attributes(relations::PG_AM);
    Attribute {
        attrelid: relation,
        attname: name.into(),
        atttypid: ty,
        attnum,
        attnotnull: not_null,
        ..(*built_in[0]).clone()
    }
}

fn table(oid: Oid, name: &str) -> Class {
    let built_in = Catalog::built_in().class(relations::PG_AM).unwrap();
    Class { oid, relname: name.into(), relnamespace: namespaces::PUBLIC, ..(*built_in).clone() }
}

fn unique(edit: &mut CatalogEdit, oid: Oid, name: &str, column: i16, primary: bool) {
    let class = Class { relkind: 'i', ..table(oid, name) };
    edit.insert(class).unwrap();
    let built_in = Catalog::built_in().indexes(relations::PG_AM)[0].clone();
    edit.insert(Index {
        indexrelid: oid,
        indrelid: PARENT,
        indnatts: 1,
        indnkeyatts: 1,
        indisunique: true,
        indisprimary: primary,
        indkey: vec![column],
        indoption: vec![0],
        indexprs: None,
        indpred: None,
        ..(*built_in).clone()
    })
    .unwrap();
}

fn foreign_key(action: char) -> Constraint {
    let built_in = Catalog::built_in().relation::<Constraint>().rows().next().unwrap();
    Constraint {
        oid: Oid(20010),
        conname: "child_parent_fkey".into(),
        connamespace: namespaces::PUBLIC,
        contype: 'f',
        condeferrable: false,
        condeferred: false,
        conrelid: CHILD,
        contypid: Oid::INVALID,
        confrelid: PARENT,
        confupdtype: 'a',
        confdeltype: action,
        confmatchtype: 's',
        conkey: Some(vec![2]),
        confkey: Some(vec![1]),
        confdelsetcols: None,
        conbin: None,
        ..(*built_in).clone()
    }
}

fn catalog(action: char) -> Arc<Catalog> {
    let mut edit = CatalogEdit::new(&Catalog::built_in());
    edit.insert(table(PARENT, "parent")).unwrap();
    edit.insert(table(CHILD, "child")).unwrap();
    for row in [
        column(PARENT, 1, "id", types::INT4, true),
        column(PARENT, 2, "kind", types::TEXT, false),
        column(PARENT, 3, "value", types::INT4, true),
        column(CHILD, 1, "id", types::INT4, false),
        column(CHILD, 2, "parent", types::INT4, false),
    ] {
        edit.insert(row).unwrap();
    }
    unique(&mut edit, Oid(20002), "parent_pkey", 1, true);
    unique(&mut edit, Oid(20003), "parent_kind_key", 2, false);
    edit.insert(foreign_key(action)).unwrap();
    edit.finish().0
}

fn context(catalog: Arc<Catalog>) -> Arc<StatementContext> {
    let cluster = crate::cluster::Cluster::without_sessions();
    let settings = SessionSettings::new(Arc::new(ServerSettings::default()));
    let format = settings.format(0);
    let backend = cluster.backends.register(BackendKind::Client, 0, 0, None).backend.clone();
    let session = SessionShared {
        cluster,
        backend,
        database: Oid(5),
        users: parking_lot::Mutex::new((Oid(10), Oid(10))),
        settings: parking_lot::Mutex::new(settings),
        notices: parking_lot::Mutex::default(),
        functions: parking_lot::Mutex::default(),
        services: Arc::new(NoServices),
    };
    Arc::new(StatementContext {
        catalog,
        format,
        search_path: [namespaces::PG_CATALOG, namespaces::PUBLIC].into(),
        statement_time: 0,
        session: Arc::new(session),
        buffered: parking_lot::Mutex::default(),
    })
}

impl World {
    fn new(delete_action: char) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = DatabaseOptions { create: true, idle_connections_max: 1 };
        let database = Database::open(&directory.path().join("1.sqlite"), options).unwrap();
        let mut connection = database.connection().unwrap();
        connection.ensure_collation(crate::types::key_collation()).unwrap();
        let context = context(catalog(delete_action));
        connection.begin_write().unwrap();
        for relation in [PARENT, CHILD] {
            let sql = physical::create_table_sql(&context.catalog, relation).unwrap();
            connection.execute(&sql, &[]).unwrap();
        }
        for index in context.catalog.indexes(PARENT).iter() {
            if !physical::is_row_number_index(&context.catalog, index) {
                let sql = physical::create_index_sql(&context.catalog, index, &[], None).unwrap();
                connection.execute(&sql, &[]).unwrap();
            }
        }
        Self { _directory: directory, connection, context }
    }

    fn run(&mut self, statement: Statement) -> Result<Modified> {
        let bound = BoundStatement {
            statement: Arc::new(statement),
            parameters: Vec::new(),
            views: Vec::new(),
            inlined: Vec::new(),
            records: Arc::default(),
        };
        let plan = make_plan(
            &bound,
            &BindContext {
                catalog: &self.context.catalog,
                search_path: &self.context.search_path,
                format: &self.context.format,
                text: "",
                parameters: &[],
            },
        )?;
        if plan.read_only {
            let mut cursor = Cursor::open(&mut self.connection, &plan, &[], &self.context)?;
            let width = cursor.columns();
            let mut rows = Vec::new();
            while let Some(row) = cursor.next(&mut self.connection)? {
                rows.push((0..width).map(|i| row.get(i).to_owned()).collect());
            }
            return Ok(Modified { count: rows.len() as u64, rows });
        }
        let context = self.context.clone();
        run_modify(&mut self.connection, &plan, &[], &context, &mut Vec::new())
    }

    fn rows(&mut self, sql: &str) -> Vec<Vec<Value>> {
        self.connection.query(sql, &[]).unwrap()
    }

    fn insert(&mut self, target: Oid, rows: &[&[Value]]) -> Result<Modified> {
        let rows = rows.iter().map(|row| row.iter().map(constant).collect()).collect();
        self.run(Statement::Modify(Box::new(insert(
            target,
            query(QueryBody::Values(rows), Vec::new()),
            None,
        ))))
    }
}

fn typed(kind: ExprKind, ty: Oid) -> Expr {
    Expr { kind, ty: TypeMod::plain(ty), collation: Oid::INVALID }
}

fn constant(value: &Value) -> Expr {
    let ty = if matches!(value.as_ref(), ValueRef::Text(_)) { types::TEXT } else { types::INT4 };
    typed(ExprKind::Constant(value.clone()), ty)
}

fn field(range: u32, column: usize, ty: Oid) -> Expr {
    typed(ExprKind::Column { range: RangeId(range), column }, ty)
}

fn call(function: Oid, arguments: Vec<Expr>, ty: Oid) -> Expr {
    typed(ExprKind::Call(Call { function, arguments, collation: Oid::INVALID, position: None }), ty)
}

fn output(ty: Oid) -> OutputColumn {
    OutputColumn { name: "x".into(), ty: TypeMod::plain(ty), collation: Oid::INVALID, origin: None }
}

fn target(expr: Expr) -> Target {
    Target { expr, name: "x".into(), hidden: false }
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

fn select(from: Option<FromItem>, targets: Vec<Expr>) -> Select {
    Select {
        id: SelectId(1),
        from,
        filter: None,
        group_by: GroupBy::default(),
        having: None,
        windows: Vec::new(),
        targets: targets.into_iter().map(target).collect(),
        distinct: Distinct::No,
    }
}

fn of_select(select: Select) -> Query {
    let columns = select.targets.iter().map(|t| output(t.expr.ty.oid)).collect();
    query(QueryBody::Select(Box::new(select)), columns)
}

fn insert(target: Oid, source: Query, on_conflict: Option<OnConflict>) -> Modify {
    Modify {
        ctes: Vec::new(),
        target,
        range: RangeId(1),
        action: ModifyAction::Insert { source: Box::new(source), on_conflict, named: Vec::new() },
        returning: Vec::new(),
        columns: Vec::new(),
    }
}

fn delete(target: Oid, filter: Expr, returning: Vec<Expr>) -> Modify {
    let columns = returning.iter().map(|e| output(e.ty.oid)).collect();
    Modify {
        ctes: Vec::new(),
        target,
        range: RangeId(1),
        action: ModifyAction::Delete { using: None, filter: Some(filter) },
        returning: returning.into_iter().map(self::target).collect(),
        columns,
    }
}

fn int(value: i64) -> Value {
    Value::Integer(value)
}

fn three_parents(world: &mut World) {
    let rows: [&[Value]; 3] = [
        &[int(1), "total".into(), int(10)],
        &[int(2), "delta".into(), int(5)],
        &[int(3), Value::Null, int(7)],
    ];
    assert_eq!(world.insert(PARENT, &rows).unwrap().count, 3);
}

#[test]
fn a_unique_index_names_itself_and_the_key() {
    let mut world = World::new('a');
    three_parents(&mut world);
    let error = world.insert(PARENT, &[&[int(4), "x".into(), int(0)], &[int(5), "delta".into(), int(0)]]);
    let error = error.err().unwrap();
    assert_eq!(error.code(), crate::SqlState::UNIQUE_VIOLATION);
    assert_eq!(error.message(), "duplicate key value violates unique constraint \"parent_kind_key\"");
    assert_eq!(error.0.detail.as_deref(), Some("Key (kind)=(delta) already exists."));
    let error = world.insert(PARENT, &[&[int(3), "y".into(), int(0)]]).err().unwrap();
    assert_eq!(error.0.detail.as_deref(), Some("Key (id)=(3) already exists."));
    // The statement is undone as a whole.
    assert_eq!(world.rows("SELECT count(*) FROM parent"), [[int(3)]]);
}

#[test]
fn not_null_shows_the_failing_row() {
    let mut world = World::new('a');
    let error = world.insert(PARENT, &[&[int(1), "a".into(), Value::Null]]).err().unwrap();
    assert_eq!(
        error.message(),
        "null value in column \"value\" of relation \"parent\" violates not-null constraint"
    );
    assert_eq!(error.0.detail.as_deref(), Some("Failing row contains (1, a, null)."));
}

#[test]
fn foreign_keys_hold_at_the_end_of_the_statement() {
    let mut world = World::new('a');
    three_parents(&mut world);
    world.insert(CHILD, &[&[int(1), int(2)], &[int(2), Value::Null]]).unwrap();
    let error = world.insert(CHILD, &[&[int(3), int(99)]]).err().unwrap();
    assert_eq!(
        error.message(),
        "insert or update on table \"child\" violates foreign key constraint \"child_parent_fkey\""
    );
    assert_eq!(error.0.detail.as_deref(), Some("Key (parent)=(99) is not present in table \"parent\"."));
    let two = call(INT4_EQUAL, vec![field(1, 0, types::INT4), constant(&int(2))], types::BOOL);
    let error = world.run(Statement::Modify(Box::new(delete(PARENT, two, Vec::new())))).err().unwrap();
    assert_eq!(error.0.detail.as_deref(), Some("Key (id)=(2) is still referenced from table \"child\"."));
}

#[test]
fn cascade_takes_the_followers() {
    let mut world = World::new('c');
    three_parents(&mut world);
    world.insert(CHILD, &[&[int(1), int(2)], &[int(2), int(3)]]).unwrap();
    let two = call(INT4_EQUAL, vec![field(1, 0, types::INT4), constant(&int(2))], types::BOOL);
    world.run(Statement::Modify(Box::new(delete(PARENT, two, Vec::new())))).unwrap();
    assert_eq!(world.rows("SELECT id FROM child"), [[int(2)]]);
}

#[test]
fn on_conflict_updates_and_refuses_a_second_touch() {
    let mut world = World::new('a');
    three_parents(&mut world);
    let conflict = || {
        Some(OnConflict {
            arbiters: vec![Oid(20003)],
            update: Some((vec![(2, typed(ExprKind::Excluded(2), types::INT4))], None)),
        })
    };
    let rows = |values: &[i64]| {
        let row = |v: &i64| vec![constant(&int(50 + v)), constant(&"delta".into()), constant(&int(*v))];
        query(QueryBody::Values(values.iter().map(row).collect()), Vec::new())
    };
    let done = world.run(Statement::Modify(Box::new(insert(PARENT, rows(&[42]), conflict())))).unwrap();
    assert_eq!(done.count, 1);
    assert_eq!(world.rows("SELECT id, value FROM parent WHERE kind = 'delta'"), [[int(2), int(42)]]);
    let twice = world.run(Statement::Modify(Box::new(insert(PARENT, rows(&[1, 2]), conflict()))));
    assert_eq!(twice.err().unwrap().code(), crate::SqlState::CARDINALITY_VIOLATION);
    assert_eq!(world.rows("SELECT value FROM parent WHERE kind = 'delta'"), [[int(42)]]);
}

/// What `worker_spi` runs: `WITH deleted AS (DELETE … RETURNING value), total AS (SELECT coalesce(sum(value), 0) AS sum
/// FROM deleted) UPDATE … SET value = counted.value + total.sum FROM total WHERE kind = 'total' RETURNING counted.value`.
fn roll_up() -> Modify {
    let is = |range, kind: &str| {
        call(TEXT_EQUAL, vec![field(range, 1, types::TEXT), constant(&kind.into())], types::BOOL)
    };
    let deleted = delete(PARENT, is(1, "delta"), vec![field(1, 2, types::INT4)]);
    let sum = typed(
        ExprKind::Aggregate(Box::new(AggregateCall {
            function: SUM_INT4,
            arguments: vec![field(2, 0, types::INT4)],
            direct: Vec::new(),
            distinct: false,
            order_by: Vec::new(),
            filter: None,
            collation: Oid::INVALID,
            level: SelectId(2),
        })),
        types::INT8,
    );
    let zero = typed(ExprKind::Constant(int(0)), types::INT8);
    let from = FromItem::Cte { range: RangeId(2), cte: CteId(1) };
    let mut total = select(Some(from), vec![typed(ExprKind::Coalesce(vec![sum, zero]), types::INT8)]);
    total.group_by.grouped = true;
    let cte = |id, name: &str, body, ty| Cte {
        id: CteId(id),
        name: name.into(),
        columns: vec![output(ty)],
        body,
        materialized: None,
        recursive: false,
    };
    let added = call(INT48_PLUS, vec![field(3, 2, types::INT4), field(4, 0, types::INT8)], types::INT8);
    Modify {
        ctes: vec![
            cte(1, "deleted", CteBody::Modify(Box::new(deleted)), types::INT4),
            cte(2, "total", CteBody::Query(Box::new(of_select(total))), types::INT8),
        ],
        target: PARENT,
        range: RangeId(3),
        action: ModifyAction::Update {
            from: Some(FromItem::Cte { range: RangeId(4), cte: CteId(2) }),
            filter: Some(is(3, "total")),
            assignments: vec![(2, call(INT8_TO_INT4, vec![added], types::INT4))],
        },
        returning: vec![target(field(3, 2, types::INT4)), target(field(4, 0, types::INT8))],
        columns: vec![output(types::INT4), output(types::INT8)],
    }
}

#[test]
fn parts_of_with_hand_their_rows_on() {
    let mut world = World::new('a');
    three_parents(&mut world);
    let done = world.run(Statement::Modify(Box::new(roll_up()))).unwrap();
    assert_eq!((done.count, done.rows), (1, vec![vec![int(15), int(5)]]));
    assert_eq!(world.rows("SELECT id, value FROM parent ORDER BY id"), [[int(1), int(15)], [int(3), int(7)]]);
}

fn parents() -> FromItem {
    FromItem::Relation { range: RangeId(1), relation: PARENT }
}

#[test]
fn lateral_queries_see_their_neighbours() {
    let mut world = World::new('a');
    three_parents(&mut world);
    let mut inner = select(
        Some(FromItem::Relation { range: RangeId(2), relation: PARENT }),
        vec![field(2, 0, types::INT4)],
    );
    inner.filter =
        Some(call(INT4_GREATER, vec![field(2, 2, types::INT4), field(1, 2, types::INT4)], types::BOOL));
    let from = FromItem::Join {
        kind: JoinKind::Left,
        left: Box::new(parents()),
        right: Box::new(FromItem::Subquery {
            range: RangeId(3),
            query: Box::new(of_select(inner)),
            lateral: true,
        }),
        on: None,
    };
    let mut outer = of_select(select(Some(from), vec![field(1, 0, types::INT4), field(3, 0, types::INT4)]));
    outer.order_by = (0..2).map(|target| SortKey { target, descending: false, nulls_first: false }).collect();
    let rows = world.run(Statement::Query(Box::new(outer))).unwrap().rows;
    let expected =
        vec![vec![int(1), Value::Null], vec![int(2), int(1)], vec![int(2), int(3)], vec![int(3), int(1)]];
    assert_eq!(rows, expected);
}

#[test]
fn intersect_all_counts_equal_rows() {
    let mut world = World::new('a');
    let values = |list: &[i64]| {
        let rows = list.iter().map(|v| vec![constant(&int(*v))]).collect();
        Box::new(query(QueryBody::Values(rows), vec![output(types::INT4)]))
    };
    let body = QueryBody::SetOperation {
        operation: SetOperation::Intersect,
        all: true,
        left: values(&[1, 1, 1, 2]),
        right: values(&[1, 1, 3]),
    };
    let rows = world.run(Statement::Query(Box::new(query(body, vec![output(types::INT4)])))).unwrap().rows;
    assert_eq!(rows, [[int(1)], [int(1)]]);
}

#[test]
fn distinct_on_keeps_the_first_row_of_each() {
    let mut world = World::new('a');
    let rows = [[1, 5], [2, 9], [1, 3]].iter().map(|row| row.iter().map(|v| constant(&int(*v))).collect());
    let values = query(QueryBody::Values(rows.collect()), vec![output(types::INT4), output(types::INT4)]);
    let from = FromItem::Subquery { range: RangeId(1), query: Box::new(values), lateral: false };
    let mut select = select(Some(from), vec![field(1, 0, types::INT4), field(1, 1, types::INT4)]);
    select.distinct = Distinct::On(vec![0]);
    let mut query = of_select(select);
    query.order_by = (0..2).map(|target| SortKey { target, descending: false, nulls_first: false }).collect();
    let rows = world.run(Statement::Query(Box::new(query))).unwrap().rows;
    assert_eq!(rows, [[int(1), int(3)], [int(2), int(9)]]);
}

#[test]
fn a_scalar_subquery_of_two_rows_is_refused() {
    let mut world = World::new('a');
    three_parents(&mut world);
    let inner = of_select(select(Some(parents()), vec![field(1, 0, types::INT4)]));
    let subquery = SubqueryExpr { kind: SubqueryKind::Scalar, query: inner };
    let outer = of_select(select(None, vec![typed(ExprKind::Subquery(Box::new(subquery)), types::INT4)]));
    let error = world.run(Statement::Query(Box::new(outer))).err().unwrap();
    assert_eq!(error.message(), "more than one row returned by a subquery used as an expression");
}

#[test]
fn functions_are_named_after_their_symbols() {
    let mut world = World::new('a');
    let sum = call(Oid(177), vec![constant(&int(2_147_483_647)), constant(&int(1))], types::INT4);
    let error = world.run(Statement::Query(Box::new(of_select(select(None, vec![sum]))))).err().unwrap();
    assert_eq!(error.message(), "integer out of range");
}

impl World {
    /// Runs the statements of a text; what the last one gives, as text.
    fn sql(&mut self, text: &str) -> Result<Vec<Vec<String>>> {
        let mut last = Vec::new();
        for parsed in crate::parse::parse(text)? {
            let crate::parse::Node::Sql(tree) = &parsed.node else {
                return Err(SqlError::unsupported("a utility statement in this test"));
            };
            let context = BindContext {
                catalog: &self.context.catalog.clone(),
                search_path: &self.context.search_path.clone(),
                format: &self.context.format.clone(),
                text: &parsed.text,
                parameters: &[],
            };
            let bound = crate::bind::bind(tree, &context)?;
            let columns = make_plan(&bound, &context)?.columns;
            let done = self.run((*bound.statement).clone())?;
            last = done.rows.iter().map(|row| self.texts(&columns, row)).collect();
        }
        Ok(last)
    }

    fn texts(&self, columns: &[OutputColumn], row: &[Value]) -> Vec<String> {
        let text = |(column, value): (&OutputColumn, &Value)| {
            let mut text = String::new();
            match value {
                Value::Null => text.push_str("NULL"),
                value => {
                    crate::types::output(
                        column.ty.oid,
                        value.as_ref(),
                        &self.context.type_context(),
                        &mut text,
                    )
                    .unwrap();
                }
            }
            text
        };
        columns.iter().zip(row).map(text).collect()
    }
}

/// Runs a text and compares its rows, columns by `|`.
#[track_caller]
fn check(world: &mut World, text: &str, expected: &[&str]) {
    let rows: Vec<String> = world.sql(text).unwrap().iter().map(|row| row.join("|")).collect();
    assert_eq!(rows, expected, "{text}");
}

#[test]
fn texts_run_from_end_to_end() {
    let mut world = World::new('a');
    let world = &mut world;
    check(world, "INSERT INTO parent VALUES (1, 'total', 10), (2, 'delta', 5), (3, NULL, 7)", &[]);
    check(world, "SELECT id + 1, kind FROM parent WHERE value > 6 ORDER BY id DESC", &["4|NULL", "2|total"]);
    check(world, "UPDATE parent SET value = value * 2 WHERE id = 2 RETURNING id, value", &["2|10"]);
    check(
        world,
        "SELECT p.id, x.n FROM parent p, LATERAL (SELECT p.value + 1 AS n) x ORDER BY 1",
        &["1|11", "2|11", "3|8"],
    );
    check(world, "SELECT count(*) FROM parent WHERE id IN (SELECT id FROM parent WHERE value = 10)", &["2"]);
    check(world, "DELETE FROM parent WHERE id = 3 RETURNING *", &["3|NULL|7"]);
    check(
        world,
        "WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT n FROM t",
        &["1", "2", "3"],
    );
    check(world, "SELECT id, row_number() OVER (ORDER BY id DESC) FROM parent ORDER BY 1", &["1|2", "2|1"]);
    check(world, "SELECT relname FROM pg_class WHERE oid = 'parent'::regclass", &["parent"]);
}
