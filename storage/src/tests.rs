//! The whole crate through its own door.

use std::cmp::Ordering;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering as Memory};
use std::time::{Duration, Instant};

mod warm_caches;

use super::*;
use crate::cache::CACHED_STATEMENTS_MAX;
use crate::database::LOG_BEGUN_ANEW_BYTES_MIN;

/// Set for the child process of the tests that need one: the database file it opens.
const CHILD_FILE: &str = "POSTILION_STORAGE_TEST_FILE";

struct Fixture {
    directory: tempfile::TempDir,
    database: Arc<Database>,
}

fn options() -> DatabaseOptions {
    DatabaseOptions { create: true, idle_connections_max: 4 }
}

fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(&directory.path().join("base"), options()).unwrap();
    Fixture { directory, database }
}

impl Fixture {
    fn connection(&self) -> PooledConnection {
        self.database.connection().unwrap()
    }
}

fn scalar(
    name: &str,
    body: impl Fn(&mut CallContext<'_>, &[ValueRef<'_>]) -> Result<Value, HostError> + Send + Sync + 'static,
) -> ScalarFunction {
    ScalarFunction { name: name.into(), deterministic: true, body: Arc::new(body) }
}

fn integer(connection: &mut Connection, sql: &str) -> i64 {
    match connection.query(sql, &[]).unwrap()[..] {
        [ref row] => match row[..] {
            [Value::Integer(integer)] => integer,
            ref other => panic!("{other:?}"),
        },
        ref other => panic!("{other:?}"),
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// A statement that runs for minutes.
const ENDLESS: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n WHERE i < 0";

#[test]
fn handles_may_change_threads() {
    fn is_send<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    is_send::<Connection>();
    is_send::<PooledConnection>();
    is_send::<Statement>();
    is_send::<WriteLock>();
    is_shared::<Database>();
    is_shared::<Interrupt>();
}

#[test]
fn values_come_back_as_they_went() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    connection.execute("CREATE TABLE t (a, b, c, d, e, f, g)", &[]).unwrap();
    let values = [
        Value::Null,
        Value::Integer(i64::MIN),
        Value::Real(-0.1),
        Value::Text("käse\u{1f9c0}".to_owned()),
        Value::Text(String::new()),
        Value::Blob(vec![0, 255]),
        Value::Blob(Vec::new()),
    ];
    let changed = connection.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", &values).unwrap();
    assert_eq!(changed, 1);
    assert_eq!(connection.query("SELECT * FROM t", &[]).unwrap(), [values.to_vec()]);
    let broken = connection.query("SELECT CAST(x'ff' AS TEXT)", &[]).unwrap();
    assert_eq!(broken, [[Value::Blob(vec![255])]]);
}

#[test]
fn one_statement_per_text() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    assert!(connection.prepare("SELECT 1; ").is_ok());
    assert!(matches!(kind(connection.execute("SELECT 1; SELECT 2", &[])), ErrorKind::Other));
    assert!(matches!(kind(connection.execute(" -- nothing", &[])), ErrorKind::Other));
    assert!(connection.prepare("SELECT \"no such column\"").is_err(), "double quotes are names");
}

#[test]
fn statements_are_reused_without_bindings() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    let mut statement = connection.prepare("SELECT ?").unwrap();
    let raw = statement.raw;
    connection.bind(&mut statement, 1, ValueRef::Integer(1)).unwrap();
    assert_eq!(connection.step(&mut statement).unwrap().unwrap().get(0), ValueRef::Integer(1));
    drop(statement);
    let mut again = connection.prepare("SELECT ?").unwrap();
    assert_eq!(again.raw, raw);
    assert_eq!(connection.step(&mut again).unwrap().unwrap().get(0), ValueRef::Null);
    let other = connection.prepare("SELECT ?").unwrap();
    assert_ne!(other.raw, again.raw, "one user at a time");
    drop((again, other));
    for number in 0..CACHED_STATEMENTS_MAX + 10 {
        connection.query(&format!("SELECT {number}"), &[]).unwrap();
    }
    assert_eq!(connection.handle.cache.borrow().len(), CACHED_STATEMENTS_MAX);
    assert_ne!(connection.prepare("SELECT 9999").unwrap().raw, std::ptr::null_mut());
}

#[test]
fn a_statement_knows_its_connection_and_outlives_it() {
    let fixture = fixture();
    let (mut one, mut two) = (fixture.connection(), fixture.connection());
    let mut statement = one.prepare("SELECT 1").unwrap();
    assert!(matches!(kind(two.step(&mut statement).map(|_| ())), ErrorKind::Other));
    let dropped = std::thread::spawn(move || drop(statement));
    for _ in 0..1000 {
        assert_eq!(integer(&mut one, "SELECT 2"), 2);
    }
    dropped.join().unwrap();
    let late = one.prepare("SELECT 3").unwrap();
    drop((one, two));
    fixture.database.shrink();
    drop(late);
}

#[test]
fn dropping_a_statement_elsewhere_ends_its_snapshot() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    connection.execute("CREATE TABLE t (a)", &[]).unwrap();
    connection.execute("INSERT INTO t VALUES (1), (2)", &[]).unwrap();
    let mut statement = connection.prepare("SELECT a FROM t").unwrap();
    assert!(connection.step(&mut statement).unwrap().is_some());
    std::thread::spawn(move || drop(statement)).join().unwrap();
    assert!(!connection.in_transaction(), "the next operation puts it away");
    // A reader that is left would keep the truncation from happening.
    let mut writer = fixture.connection();
    writer.execute("INSERT INTO t VALUES (3)", &[]).unwrap();
    assert_eq!(fixture.database.checkpoint().unwrap().1, 0);
}

#[test]
fn rollback_ends_open_statements() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    connection.begin_read().unwrap();
    let mut statement = connection.prepare("SELECT 1 UNION ALL SELECT 2").unwrap();
    assert!(connection.step(&mut statement).unwrap().is_some());
    connection.rollback();
    assert!(connection.step(&mut statement).is_err(), "not begun anew");
    assert!(connection.step(&mut statement).unwrap().is_some());
    assert!(connection.step(&mut statement).unwrap().is_some());
    assert!(connection.step(&mut statement).unwrap().is_none());
    assert!(connection.step(&mut statement).unwrap().is_none(), "the end stays the end");
}

#[derive(Debug, PartialEq)]
struct Refusal(u32);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "refused with {}", self.0)
    }
}

impl std::error::Error for Refusal {}

fn refusal(error: Error) -> Refusal {
    match error.kind {
        ErrorKind::Host(host) => *host.downcast::<Refusal>().unwrap(),
        other => panic!("{other:?}: {}", error.message),
    }
}

#[test]
fn host_errors_travel_unchanged() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    connection.ensure_scalar(&scalar("refuse", |_, _| Err(Box::new(Refusal(7))))).unwrap();
    let nested = scalar("nested", |call, _| {
        call.connection.query("SELECT refuse()", &[])?;
        Ok(Value::Null)
    });
    connection.ensure_scalar(&nested).unwrap();
    assert_eq!(refusal(connection.query("SELECT refuse()", &[]).unwrap_err()), Refusal(7));
    assert_eq!(refusal(connection.query("SELECT nested()", &[]).unwrap_err()), Refusal(7));
    assert_eq!(integer(&mut connection, "SELECT 1"), 1);
}

#[test]
fn host_panics_become_errors() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    connection.ensure_scalar(&scalar("explode", |_, _| panic!("bang"))).unwrap();
    let error = connection.query("SELECT explode()", &[]).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Other) && error.message.contains("bang"), "{error:?}");
    connection.ensure_collation(&Collation { name: "bad".into(), compare: |_, _| panic!("bang") }).unwrap();
    let sorted = connection.query("SELECT 'a' AS x UNION ALL SELECT 'b' ORDER BY x COLLATE bad", &[]);
    assert!(sorted.unwrap_err().message.contains("bang"));
    assert_eq!(integer(&mut connection, "SELECT 1"), 1);
}

#[test]
fn functions_run_statements_and_see_the_context() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    connection.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v)", &[]).unwrap();
    connection.execute("INSERT INTO t VALUES (1, 10), (2, 20)", &[]).unwrap();
    let lookup = scalar("lookup", |call, arguments| {
        let base = call.context.and_then(|context| context.downcast_ref::<i64>()).copied();
        let rows = call.connection.query("SELECT v FROM t WHERE k = ?", &[arguments[0].to_owned()])?;
        assert!(call.connection.commit().is_err(), "the statement outside runs in that transaction");
        call.connection.rollback();
        match rows[0][0] {
            Value::Integer(found) => Ok(Value::Integer(found + base.unwrap_or(0))),
            ref other => panic!("{other:?}"),
        }
    });
    connection.ensure_scalar(&lookup).unwrap();
    connection.ensure_scalar(&lookup).unwrap();
    assert_eq!(integer(&mut connection, "SELECT sum(lookup(k)) FROM t"), 30);
    connection.set_context(Some(Arc::new(100_i64)));
    assert_eq!(integer(&mut connection, "SELECT sum(lookup(k)) FROM t"), 230);
    connection.execute("UPDATE t SET v = lookup(k)", &[]).unwrap();
    assert_eq!(integer(&mut connection, "SELECT sum(v) FROM t"), 230);
}

#[test]
fn functions_stand_in_the_schema() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    connection
        .ensure_scalar(&scalar("twice", |_, arguments| match arguments {
            [ValueRef::Integer(i)] => Ok(Value::Integer(i * 2)),
            _ => Err("not a number".into()),
        }))
        .unwrap();
    connection.execute("CREATE TABLE t (a CHECK (twice(a) < 100))", &[]).unwrap();
    connection.execute("CREATE UNIQUE INDEX twice_a ON t (twice(a))", &[]).unwrap();
    connection.execute("INSERT INTO t VALUES (1)", &[]).unwrap();
    assert!(connection.execute("INSERT INTO t VALUES (60)", &[]).is_err());
    match kind(connection.execute("INSERT INTO t VALUES (1)", &[])) {
        ErrorKind::Unique { index, .. } => assert_eq!(index.as_deref(), Some("twice_a")),
        other => panic!("{other:?}"),
    }
    let refused = connection.execute("INSERT INTO t VALUES ('x')", &[]);
    assert!(matches!(kind(refused), ErrorKind::Host(_)));
}

struct Sum(i64, Arc<AtomicUsize>);

impl AggregateState for Sum {
    fn step(&mut self, _: &mut CallContext<'_>, arguments: &[ValueRef<'_>]) -> Result<(), HostError> {
        match arguments[0] {
            ValueRef::Integer(integer) => self.0 += integer,
            _ => return Err(Box::new(Refusal(1))),
        }
        Ok(())
    }
    fn inverse(&mut self, _: &mut CallContext<'_>, arguments: &[ValueRef<'_>]) -> Result<(), HostError> {
        if let ValueRef::Integer(integer) = arguments[0] {
            self.0 -= integer;
        }
        Ok(())
    }
    fn value(&self, call: &mut CallContext<'_>) -> Result<Value, HostError> {
        assert_eq!(integer(call.connection, "SELECT 1"), 1);
        Ok(Value::Integer(self.0))
    }
}

impl Drop for Sum {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Memory::SeqCst);
    }
}

#[test]
fn aggregates_and_windows() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    let alive = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&alive);
    let start = move || -> Box<dyn AggregateState> {
        counted.fetch_add(1, Memory::SeqCst);
        Box::new(Sum(0, Arc::clone(&counted)))
    };
    let sum = AggregateFunction { name: "host_sum".into(), start: Arc::new(start) };
    connection.ensure_aggregate(&sum).unwrap();
    connection.execute("CREATE TABLE t (g, a)", &[]).unwrap();
    assert_eq!(integer(&mut connection, "SELECT host_sum(a) FROM t"), 0);
    connection.execute("INSERT INTO t VALUES (1, 1), (1, 2), (2, 4), (2, 8)", &[]).unwrap();
    let groups = connection.query("SELECT host_sum(a) FROM t GROUP BY g", &[]).unwrap();
    assert_eq!(groups, [[Value::Integer(3)], [Value::Integer(12)]]);
    let window = "SELECT host_sum(a) OVER (ORDER BY a ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t";
    let moving = connection.query(window, &[]).unwrap();
    assert_eq!(moving, [[Value::Integer(1)], [Value::Integer(3)], [Value::Integer(6)], [Value::Integer(12)]]);
    connection.execute("INSERT INTO t VALUES (3, 'x')", &[]).unwrap();
    assert_eq!(refusal(connection.query("SELECT host_sum(a) FROM t", &[]).unwrap_err()), Refusal(1));
    let mut statement = connection.prepare(window).unwrap();
    assert!(connection.step(&mut statement).is_ok());
    connection.finish(statement);
    assert_eq!(alive.load(Memory::SeqCst), 0, "every group is freed, also of statements left in the middle");
}

#[test]
fn collations_order_indexes() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    fn backwards(left: &str, right: &str) -> Ordering {
        right.cmp(left)
    }
    connection.ensure_collation(&Collation { name: "backwards".into(), compare: backwards }).unwrap();
    connection.execute("CREATE TABLE t (a COLLATE backwards)", &[]).unwrap();
    connection.execute("CREATE INDEX t_a ON t (a)", &[]).unwrap();
    connection.execute("INSERT INTO t VALUES ('a'), ('c'), ('b')", &[]).unwrap();
    let sorted = connection.query("SELECT a FROM t ORDER BY a", &[]).unwrap();
    assert_eq!(sorted, [[Value::from("c")], [Value::from("b")], [Value::from("a")]]);
}

/// `people`: ten rows, looked up by name or read whole; counts how it was asked.
fn people(scans: &Arc<AtomicUsize>, lookups: &Arc<AtomicUsize>) -> TableFunction {
    let (scans, lookups) = (Arc::clone(scans), Arc::clone(lookups));
    let row = |i: i64| Ok(vec![Value::Integer(i), Value::Text(format!("name{i}"))]);
    TableFunction {
        name: "people".into(),
        columns: ["id".to_owned(), "name".to_owned()].into(),
        arguments: 0,
        keys: [vec![1]].into(),
        scan: Arc::new(move |_, scan| match scan.key {
            Some((0, [ValueRef::Text(name)])) => {
                lookups.fetch_add(1, Memory::SeqCst);
                let found = name.strip_prefix("name").and_then(|number| number.parse().ok());
                // One row too many: SQLite checks.
                Ok(Box::new(found.into_iter().chain([3]).map(row)))
            }
            _ => {
                scans.fetch_add(1, Memory::SeqCst);
                Ok(Box::new((0..10).map(row)))
            }
        }),
    }
}

#[test]
fn tables_are_looked_up_by_key() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    let (scans, lookups) = (Arc::default(), Arc::default());
    connection.ensure_table(&people(&scans, &lookups)).unwrap();
    assert_eq!(integer(&mut connection, "SELECT count(*) FROM people"), 10);
    assert_eq!(integer(&mut connection, "SELECT id FROM people WHERE name = 'name4'"), 4);
    assert_eq!((scans.load(Memory::SeqCst), lookups.load(Memory::SeqCst)), (1, 1));
    connection.execute("CREATE TABLE t (n)", &[]).unwrap();
    connection.execute("INSERT INTO t VALUES ('name1'), ('name2'), ('nobody')", &[]).unwrap();
    assert_eq!(integer(&mut connection, "SELECT sum(id) FROM people JOIN t ON n = name"), 3);
    assert_eq!((scans.load(Memory::SeqCst), lookups.load(Memory::SeqCst)), (1, 4));
    assert_eq!(integer(&mut connection, "SELECT count(*) FROM people WHERE name IN ('name1', 'name7')"), 2);
    assert_eq!(scans.load(Memory::SeqCst), 1);
    let star = connection.query("SELECT * FROM people WHERE id = 5", &[]).unwrap();
    assert_eq!(star, [[Value::Integer(5), Value::from("name5")]]);
}

/// `upto(n, step)`: runs a nested statement for its end; refuses at 13, panics at 17.
fn upto() -> TableFunction {
    TableFunction {
        name: "upto".into(),
        columns: ["i".to_owned()].into(),
        arguments: 2,
        keys: [].into(),
        scan: Arc::new(|call, scan| {
            let (ValueRef::Integer(end), ValueRef::Integer(step)) = (scan.arguments[0], scan.arguments[1])
            else {
                return Err(Box::new(Refusal(2)));
            };
            assert_eq!(call.connection.query("SELECT 1", &[])?.len(), 1);
            let step = usize::try_from(step)?;
            Ok(Box::new((1..=end).step_by(step).map(|i| match i {
                13 => Err(HostError::from(Refusal(13))),
                17 => panic!("bang"),
                _ => Ok(vec![Value::Integer(i)]),
            })))
        }),
    }
}

#[test]
fn table_functions_take_arguments_of_other_tables() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    connection.ensure_table(&upto()).unwrap();
    assert_eq!(integer(&mut connection, "SELECT sum(i) FROM upto(4, 1)"), 10);
    connection.execute("CREATE TABLE t (n)", &[]).unwrap();
    connection.execute("INSERT INTO t VALUES (1), (2), (3)", &[]).unwrap();
    assert_eq!(integer(&mut connection, "SELECT count(*) FROM t, upto(t.n, 1)"), 6);
    assert_eq!(integer(&mut connection, "SELECT count(*) FROM upto(t.n, 1) JOIN t ON true"), 6);
    let left = "SELECT count(*) FROM (SELECT 0 AS n UNION SELECT 2) a LEFT JOIN upto(a.n, 1)";
    assert_eq!(integer(&mut connection, left), 3);
    assert!(connection.query("SELECT * FROM upto(1)", &[]).is_err(), "an argument is missing");
    assert!(connection.query("SELECT * FROM upto", &[]).is_err());
    assert_eq!(refusal(connection.query("SELECT * FROM upto('x', 1)", &[]).unwrap_err()), Refusal(2));
    assert_eq!(refusal(connection.query("SELECT * FROM upto(20, 1)", &[]).unwrap_err()), Refusal(13));
    let error = connection.query("SELECT * FROM upto(20, 16)", &[]).unwrap_err();
    assert!(error.message.contains("bang"));
}

#[test]
fn interrupts_stop_this_and_later_statements() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    let nested = scalar("nested", |call, _| {
        call.connection.query(ENDLESS, &[])?;
        Ok(Value::Null)
    });
    connection.ensure_scalar(&nested).unwrap();
    for sql in [ENDLESS, "SELECT nested()"] {
        let interrupt = connection.interrupt();
        let stopper = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            interrupt.set();
        });
        assert!(matches!(kind(connection.query(sql, &[])), ErrorKind::Interrupted));
        stopper.join().unwrap();
        assert!(matches!(kind(connection.query("SELECT 1", &[])), ErrorKind::Interrupted));
        connection.begin_write().unwrap();
        connection.commit().unwrap();
        connection.clear_interrupt();
        assert_eq!(integer(&mut connection, "SELECT 1"), 1);
    }
}

#[test]
fn a_stopped_write_takes_its_transaction_along() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    connection.execute("CREATE TABLE t (a)", &[]).unwrap();
    connection.begin_write().unwrap();
    connection.savepoint("s").unwrap();
    connection.set_deadline(Some(Instant::now() + Duration::from_millis(20)));
    let write = format!("INSERT INTO t {ENDLESS}");
    assert!(matches!(kind(connection.execute(&write, &[])), ErrorKind::Interrupted));
    assert!(!connection.in_transaction());
    connection.rollback();
    assert!(connection.rollback_to("s").is_err());
}

#[test]
fn deadlines_and_budgets_stop_statements() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    connection.set_deadline(Some(Instant::now() + Duration::from_millis(20)));
    assert!(matches!(kind(connection.query(ENDLESS, &[])), ErrorKind::Interrupted));
    connection.set_deadline(None);
    connection.set_budget(Some(50));
    assert!(matches!(kind(connection.query(ENDLESS, &[])), ErrorKind::BudgetExhausted));
    connection.set_budget(None);
    assert_eq!(integer(&mut connection, "SELECT 1"), 1);
}

/// A table of 100,000 rows, several times what is sorted in one piece, in an order without rule.
fn large_table(connection: &mut Connection) {
    connection.execute("CREATE TABLE t (a)", &[]).unwrap();
    let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
        INSERT INTO t SELECT printf('%032d', i * 1009 % 100003) FROM n";
    connection.execute(fill, &[]).unwrap();
}

#[test]
fn large_sorts_are_right() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    large_table(&mut connection);
    let rows = connection.query("SELECT a FROM t ORDER BY a", &[]).unwrap();
    assert_eq!(rows.len(), 100_000);
    assert!(rows.windows(2).all(|pair| match (&pair[0][0], &pair[1][0]) {
        (Value::Text(before), Value::Text(after)) => before < after,
        _ => false,
    }));
    connection.execute("CREATE INDEX i ON t (a)", &[]).unwrap();
    assert_eq!(connection.query("PRAGMA integrity_check", &[]).unwrap(), [[Value::from("ok")]]);
    let distinct = "SELECT count(*) FROM (SELECT DISTINCT substr(a, 2) FROM t)";
    assert_eq!(integer(&mut connection, distinct), 100_000);
}

#[test]
fn a_sort_is_stopped_without_its_transaction() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    large_table(&mut connection);
    connection.begin_write().unwrap();
    connection.savepoint("s").unwrap();
    connection.execute("DELETE FROM t WHERE rowid = 1", &[]).unwrap();
    // Not the connection's own: only the sort looks at this one.
    let interrupt = Interrupt::default();
    interrupt.set();
    let attention = interrupt.attend(None);
    for sql in ["CREATE INDEX i ON t (a)", "SELECT a FROM t ORDER BY a"] {
        assert!(matches!(kind(connection.query(sql, &[])), ErrorKind::Interrupted), "{sql}");
    }
    // What undoes statements is not stopped.
    connection.rollback_to("s").unwrap();
    drop(attention);
    assert!(connection.in_transaction());
    assert_eq!(integer(&mut connection, "SELECT count(*) FROM t"), 100_000);
    assert_eq!(integer(&mut connection, "SELECT count(*) FROM sqlite_schema"), 1);
    connection.execute("CREATE INDEX i ON t (a)", &[]).unwrap();
    connection.commit().unwrap();
}

#[test]
fn a_long_result_of_host_code_arrives_whole_or_is_stopped() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    let long = |_: &mut CallContext<'_>, _: &[ValueRef<'_>]| Ok(Value::Text("x\u{e9}".repeat(1 << 20)));
    connection.ensure_scalar(&scalar("long", long)).unwrap();
    assert_eq!(connection.query("SELECT long()", &[]).unwrap(), [[Value::Text("x\u{e9}".repeat(1 << 20))]]);
    let interrupt = Interrupt::default();
    interrupt.set();
    let _attention = interrupt.attend(None);
    assert!(matches!(kind(connection.query("SELECT long()", &[])), ErrorKind::Interrupted));
}

#[test]
fn a_recycled_connection_is_clean() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    let old = connection.interrupt();
    connection.set_budget(Some(0));
    connection.set_context(Some(Arc::new(1)));
    connection.begin_write().unwrap();
    drop(connection);
    assert_eq!(fixture.database.connection_counts(), (0, 1));
    old.set();
    let mut connection = fixture.connection();
    assert!(!connection.in_transaction());
    assert!(connection.handle.context.borrow().is_none());
    assert_eq!(integer(&mut connection, "SELECT 1"), 1);
}

#[test]
fn unique_violations_name_table_and_columns() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    connection
        .execute("CREATE TABLE \"s.t\" (a, \"b c\", id INTEGER PRIMARY KEY, UNIQUE (a, \"b c\"))", &[])
        .unwrap();
    let insert = "INSERT INTO \"s.t\" VALUES (1, 2, ?)";
    connection.execute(insert, &[Value::Integer(1)]).unwrap();
    let violated = |result| match kind(result) {
        ErrorKind::Unique { table, columns, index: None } => (table, columns),
        other => panic!("{other:?}"),
    };
    let expected = ("s.t".to_owned(), vec!["a".to_owned(), "b c".to_owned()]);
    assert_eq!(violated(connection.execute(insert, &[Value::Integer(2)])), expected);
    let (_, columns) = violated(connection.execute("INSERT INTO \"s.t\" VALUES (2, 2, 1)", &[]));
    assert_eq!(columns, ["id"]);
}

#[test]
fn limits_are_told_apart() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    assert!(matches!(kind(connection.query("SELECT zeroblob(300000000)", &[])), ErrorKind::Limit));
    let columns = vec!["1"; 3000].join(",");
    assert!(matches!(kind(connection.query(&format!("SELECT {columns}"), &[])), ErrorKind::Limit));
}

#[test]
fn stale_snapshots_cannot_write() {
    let fixture = fixture();
    let (mut one, mut two) = (fixture.connection(), fixture.connection());
    one.execute("CREATE TABLE t (a)", &[]).unwrap();
    two.begin_read().unwrap();
    one.execute("INSERT INTO t VALUES (1)", &[]).unwrap();
    assert!(matches!(kind(two.upgrade()), ErrorKind::StaleSnapshot));
    assert!(matches!(kind(two.execute("INSERT INTO t VALUES (2)", &[])), ErrorKind::StaleSnapshot));
    assert_eq!(
        integer(&mut two, "SELECT count(*) FROM t"),
        0,
        "the snapshot is still there, from the beginning"
    );
    two.commit().unwrap();
    two.begin_read().unwrap();
    two.upgrade().unwrap();
    assert!(two.is_writing() && !two.changed_in_transaction());
    two.execute("INSERT INTO t VALUES (2)", &[]).unwrap();
    assert!(two.changed_in_transaction());
    two.commit().unwrap();
    assert_eq!(integer(&mut one, "SELECT count(*) FROM t"), 2);
}

#[test]
fn savepoints_nest() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    connection.execute("CREATE TABLE t (a)", &[]).unwrap();
    connection.begin_write().unwrap();
    connection.savepoint("a \"b\"").unwrap();
    connection.execute("INSERT INTO t VALUES (1)", &[]).unwrap();
    connection.rollback_to("a \"b\"").unwrap();
    connection.execute("INSERT INTO t VALUES (2)", &[]).unwrap();
    connection.release("a \"b\"").unwrap();
    assert!(connection.release("a \"b\"").is_err());
    connection.commit().unwrap();
    assert_eq!(integer(&mut connection, "SELECT a FROM t"), 2);
}

/// SQLite puts pages of a large transaction into the log before its end, writes some of them over, and then all headers
/// once more. What a kill leaves after its commit is whole.
#[test]
fn a_transaction_larger_than_the_cache_is_whole_after_a_kill() {
    const ROWS: i64 = 250_000;
    let fixture = fixture();
    let mut connection = fixture.connection();
    connection.execute("CREATE TABLE t (id TEXT PRIMARY KEY, v)", &[]).unwrap();
    connection.begin_write().unwrap();
    let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
                INSERT INTO t SELECT lower(hex(randomblob(16))), hex(randomblob(60)) FROM n";
    connection.execute(fill, &[Value::Integer(ROWS)]).unwrap();
    connection.execute("UPDATE t SET v = 'x' || v", &[]).unwrap();
    connection.commit().unwrap();
    fixture.database.flush_blocking();
    // The files as a kill would leave them now.
    let left = tempfile::tempdir().unwrap();
    let path = fixture.database.path();
    let copy = left.path().join("left.sqlite");
    std::fs::copy(path, &copy).unwrap();
    let log = |path: &std::path::Path| std::path::PathBuf::from(format!("{}-wal", path.display()));
    assert!(std::fs::copy(log(path), log(&copy)).unwrap() > 40 << 20, "it has outgrown the cache");
    let options = DatabaseOptions { create: false, idle_connections_max: 1 };
    let database = Database::open(&copy, options).unwrap();
    let mut connection = database.connection().unwrap();
    assert_eq!(integer(&mut connection, "SELECT count(*) FROM t"), ROWS);
    assert_eq!(connection.query("PRAGMA integrity_check", &[]).unwrap(), [[Value::from("ok")]]);
}

#[test]
fn only_commits_that_wrote_are_counted() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    connection.execute("CREATE TABLE t (a)", &[]).unwrap();
    let before = connection.last_commit();
    assert_eq!(before, fixture.database.committed());
    connection.begin_write().unwrap();
    connection.execute("DELETE FROM t WHERE a = 1", &[]).unwrap();
    connection.commit().unwrap();
    assert_eq!(connection.last_commit(), before);
    connection.begin_write().unwrap();
    connection.execute("INSERT INTO t VALUES (1)", &[]).unwrap();
    connection.commit().unwrap();
    assert_eq!(connection.last_commit(), before + 1);
    let mut returning = connection.prepare("INSERT INTO t VALUES (1) RETURNING a").unwrap();
    assert!(connection.step(&mut returning).unwrap().is_some());
    drop(returning);
    assert!(connection.last_commit() > before + 1, "left in the middle, but it has written");
}

#[test]
fn dependence_is_known_to_the_page_however_warm_the_cache() {
    let fixture = fixture();
    let database = &fixture.database;
    let mut writer = fixture.connection();
    for table in ["quiet", "busy"] {
        writer.execute(&format!("CREATE TABLE {table} (a)"), &[]).unwrap();
        writer.execute(&format!("INSERT INTO {table} VALUES (1)"), &[]).unwrap();
    }
    let mut reader = fixture.connection();
    let mut reads = |table: &str| {
        reader.begin_read().unwrap();
        assert_eq!(integer(&mut reader, &format!("SELECT count(*) FROM {table}")), 1);
        let depends_on = reader.depends_on();
        reader.rollback();
        depends_on
    };
    let commit = |writer: &mut Connection, sql: &str| {
        writer.begin_write().unwrap();
        writer.execute(sql, &[]).unwrap();
        writer.commit().unwrap();
        writer.last_commit()
    };
    database.flush_blocking();
    assert_eq!((reads("quiet"), reads("busy")), (0, 0));
    let first = commit(&mut writer, "UPDATE busy SET a = 2");
    // Whether the pages are read or found in the cache.
    assert_eq!((reads("busy"), reads("quiet"), reads("busy")), (first, 0, first));
    database.flush_blocking();
    assert_eq!((reads("busy"), reads("quiet")), (0, 0));
    // Its own pages are in the writer's cache, but it has looked at none of them.
    commit(&mut writer, "UPDATE busy SET a = 3");
    writer.begin_write().unwrap();
    assert_eq!(integer(&mut writer, "SELECT a FROM quiet"), 1);
    assert_eq!(writer.depends_on(), 0);
    assert_eq!(integer(&mut writer, "SELECT a FROM busy"), 3);
    assert_eq!(writer.depends_on(), writer.last_commit());
    // What was not committed is nothing to wait for.
    writer.execute("UPDATE busy SET a = 4", &[]).unwrap();
    writer.rollback();
    database.flush_blocking();
    writer.begin_write().unwrap();
    writer.commit().unwrap();
    assert!(database.is_settled());
    assert_eq!(reads("busy"), 0);
}

#[test]
fn a_snapshot_depends_on_nothing_that_came_after_it() {
    let fixture = fixture();
    let mut writer = fixture.connection();
    writer.execute("CREATE TABLE t (a)", &[]).unwrap();
    writer.execute("INSERT INTO t VALUES (1)", &[]).unwrap();
    fixture.database.flush_blocking();
    let mut reader = fixture.connection();
    reader.begin_read().unwrap();
    let before = fixture.database.committed();
    for value in 2..5 {
        writer.begin_write().unwrap();
        writer.execute("UPDATE t SET a = ?1", &[Value::Integer(value)]).unwrap();
        writer.commit().unwrap();
    }
    assert_eq!(integer(&mut reader, "SELECT a FROM t"), 1);
    assert!(reader.depends_on() <= before + 1);
    reader.rollback();
    assert_eq!(integer(&mut reader, "SELECT a FROM t"), 4);
    assert_eq!(reader.depends_on(), writer.last_commit());
}

#[test]
fn writers_use_one_connection_after_the_other() {
    let fixture = fixture();
    let database = &fixture.database;
    let right = database.try_write_lock().unwrap();
    let place = |connection: &Connection| Arc::as_ptr(&connection.handle).addr();
    let first = database.writing_connection(&right).unwrap();
    let writers = place(&first);
    drop(first);
    let reader = database.connection().unwrap();
    assert_ne!(place(&reader), writers);
    assert_eq!(place(&database.writing_connection(&right).unwrap()), writers);
}

#[test]
fn writers_are_served_in_order() {
    let fixture = fixture();
    let database = &fixture.database;
    block_on(async {
        let first = database.write_lock().await;
        assert!(database.try_write_lock().is_none());
        let served = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let mut waiters: Vec<_> = (0..5)
            .map(|number| {
                let (database, served) = (Arc::clone(database), Arc::clone(&served));
                tokio::spawn(async move {
                    let _lock = database.write_lock().await;
                    served.lock().push(number);
                })
            })
            .collect();
        tokio::task::yield_now().await;
        waiters.remove(2).abort();
        drop(first);
        for waiter in waiters {
            waiter.await.unwrap();
        }
        assert_eq!(*served.lock(), [0, 1, 3, 4]);
    });
    assert!(database.try_write_lock().is_some());
}

#[test]
fn concurrent_commits_are_all_durable() {
    const COMMITTERS: i64 = 8;
    const COMMITS: i64 = 100;
    let fixture = fixture();
    fixture.connection().execute("CREATE TABLE t (a)", &[]).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..COMMITTERS {
            scope.spawn(|| block_on(commit_and_flush(&fixture.database, COMMITS)));
        }
    });
    assert_eq!(integer(&mut fixture.connection(), "SELECT count(*) FROM t"), COMMITTERS * COMMITS);
    assert_eq!(fixture.database.durable(), fixture.database.committed());
}

async fn commit_and_flush(database: &Arc<Database>, commits: i64) {
    let mut connection = database.connection().unwrap();
    for number in 0..commits {
        let lock = database.write_lock().await;
        connection.begin_write().unwrap();
        connection.execute("INSERT INTO t VALUES (?)", &[Value::Integer(number)]).unwrap();
        connection.commit().unwrap();
        drop(lock);
        database.flush_to(connection.last_commit()).await.unwrap();
        assert!(database.durable() >= connection.last_commit());
    }
}

#[test]
fn committers_on_one_reactor_share_a_flush() {
    let fixture = fixture();
    fixture.connection().execute("CREATE TABLE t (a)", &[]).unwrap();
    block_on(async {
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let database = Arc::clone(&fixture.database);
                // Not spawned across threads: the future holds a connection.
                async move { commit_and_flush(&database, 1).await }
            })
            .collect();
        let set = tokio::task::LocalSet::new();
        let handles: Vec<_> = tasks.into_iter().map(|task| set.spawn_local(task)).collect();
        set.await;
        for handle in handles {
            handle.await.unwrap();
        }
    });
    assert_eq!(fixture.database.durable(), fixture.database.committed());
    assert!(fixture.database.flush_count() <= 2, "{}", fixture.database.flush_count());
}

#[test]
fn copies_are_whole_and_new() {
    let fixture = fixture();
    let mut connection = fixture.connection();
    connection.execute("CREATE TABLE t (a)", &[]).unwrap();
    connection.execute("INSERT INTO t VALUES (1)", &[]).unwrap();
    let copy = fixture.directory.path().join("copy");
    fixture.database.copy_to(&copy).unwrap();
    assert!(fixture.database.copy_to(&copy).is_err(), "it is there");
    let database = Database::open(&copy, options()).unwrap();
    assert_eq!(integer(&mut database.connection().unwrap(), "SELECT a FROM t"), 1);
}

#[test]
fn checkpoints_stop_at_readers_and_closing_leaves_one_file() {
    let fixture = fixture();
    let (mut reader, mut writer) = (fixture.connection(), fixture.connection());
    writer.execute("CREATE TABLE t (a)", &[]).unwrap();
    reader.begin_read().unwrap();
    writer.execute("INSERT INTO t VALUES (1)", &[]).unwrap();
    assert!(fixture.database.checkpoint().unwrap().1 > 0);
    reader.commit().unwrap();
    assert_eq!(fixture.database.checkpoint().unwrap().1, 0);
    assert!(matches!(kind(fixture.database.close()), ErrorKind::InUse));
    drop((reader, writer));
    fixture.database.close().unwrap();
    fixture.database.close().unwrap();
    assert!(fixture.database.connection().is_err());
    assert!(!fixture.directory.path().join("base-wal").exists());
    assert!(fixture.database.size_bytes().unwrap() > 0);
    let again = Database::open(&fixture.directory.path().join("base"), options()).unwrap();
    assert_eq!(integer(&mut again.connection().unwrap(), "SELECT a FROM t"), 1);
}

/// Writers and readers at work all the time: everything is never copied for long, and still the log must not grow.
#[test]
fn a_log_is_begun_anew_while_others_write_and_read() {
    const ROUNDS: usize = 8;
    let fixture = fixture();
    let mut connection = fixture.connection();
    connection.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v)", &[]).unwrap();
    connection.execute("INSERT INTO t VALUES (1, 0)", &[]).unwrap();
    let ended = std::sync::atomic::AtomicBool::new(false);
    let padding = Value::Blob(vec![7; 200_000]);
    let commits = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut writer = fixture.connection();
            while !ended.load(Memory::SeqCst) {
                let _right = fixture.database.write_lock_blocking();
                writer.begin_write().unwrap();
                writer.execute("UPDATE t SET v = v + 1 WHERE k = 1", &[]).unwrap();
                writer
                    .execute("INSERT OR REPLACE INTO t VALUES (2, ?1)", std::slice::from_ref(&padding))
                    .unwrap();
                writer.commit().unwrap();
                commits.fetch_add(1, Memory::SeqCst);
            }
        });
        scope.spawn(|| {
            let mut reader = fixture.connection();
            let mut last = 0;
            while !ended.load(Memory::SeqCst) {
                let now = integer(&mut reader, "SELECT v FROM t WHERE k = 1");
                assert!(now >= last, "{now} after {last}");
                last = now;
            }
        });
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut begun = 0;
        // A statement may be in the way for once; what then counts is that the log does not grow over it.
        while begun < ROUNDS && Instant::now() < deadline {
            while fixture.database.log_used_bytes() < LOG_BEGUN_ANEW_BYTES_MIN && Instant::now() < deadline {
                std::thread::yield_now();
            }
            let used = fixture.database.log_used_bytes();
            fixture.database.checkpoint().unwrap();
            let next = commits.load(Memory::SeqCst) + 2;
            while commits.load(Memory::SeqCst) < next && Instant::now() < deadline {
                std::thread::yield_now();
            }
            begun += usize::from(fixture.database.log_used_bytes() < used);
        }
        ended.store(true, Memory::SeqCst);
        assert_eq!(begun, ROUNDS, "the log has grown to {} bytes", fixture.database.log_used_bytes());
    });
    assert!(fixture.database.log_size_bytes().unwrap() < 64 << 20);
    let commits = i64::try_from(commits.load(Memory::SeqCst)).unwrap();
    assert_eq!(integer(&mut connection, "SELECT v FROM t WHERE k = 1"), commits);
    drop(connection);
    fixture.database.close().unwrap();
}

/// What a transaction has written before it was rolled back is nobody's, and its room is given back.
#[test]
fn a_log_that_is_longer_than_its_commits_is_cut() {
    const LONG: u64 = 64 << 20;
    let fixture = fixture();
    let mut connection = fixture.connection();
    connection.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v)", &[]).unwrap();
    connection.execute("INSERT INTO t VALUES (0, 'kept')", &[]).unwrap();
    let padding = [Value::Blob(vec![7; 1 << 20])];
    for _ in 0..2 {
        let right = fixture.database.write_lock_blocking();
        connection.begin_write().unwrap();
        for _ in 0..130 {
            connection.execute("INSERT INTO t (v) VALUES (?1)", &padding).unwrap();
        }
        assert!(fixture.database.log_is_oversized(), "the cache holds it all");
        fixture.database.checkpoint().unwrap();
        assert!(fixture.database.log_size_bytes().unwrap() > LONG, "a transaction is under way");
        connection.rollback();
        drop(right);
        fixture.database.checkpoint().unwrap();
        assert_eq!(fixture.database.log_size_bytes().unwrap(), 0);
    }
    connection.execute("INSERT INTO t VALUES (1, 'kept')", &[]).unwrap();
    drop(connection);
    let Fixture { directory, database } = fixture;
    drop(database);
    let again = Database::open(&directory.path().join("base"), options()).unwrap();
    assert_eq!(integer(&mut again.connection().unwrap(), "SELECT count(*) FROM t WHERE v = 'kept'"), 2);
}

#[test]
fn a_file_is_opened_once() {
    let fixture = fixture();
    let path = fixture.directory.path().join("base");
    assert!(matches!(kind(Database::open(&path, options()).map(|_| ())), ErrorKind::InUse));
    let missing = DatabaseOptions { create: false, ..options() };
    let nothing = fixture.directory.path().join("nothing");
    assert!(matches!(kind(Database::open(&nothing, missing).map(|_| ())), ErrorKind::Io));
    let garbage = fixture.directory.path().join("garbage");
    std::fs::write(&garbage, "not a database, but long enough to be looked at; ".repeat(100)).unwrap();
    assert!(matches!(kind(Database::open(&garbage, options()).map(|_| ())), ErrorKind::Corrupt));
}

/// Not a test by itself: what the child process of the next one runs. It says on its output what is durable.
#[test]
fn child_commits_until_killed() {
    let Ok(file) = std::env::var(CHILD_FILE) else { return };
    let database = Database::open(Path::new(&file), options()).unwrap();
    let mut connection = database.connection().unwrap();
    connection.execute("CREATE TABLE t (a)", &[]).unwrap();
    for number in 1_i64.. {
        connection.execute("INSERT INTO t VALUES (?)", &[Value::Integer(number)]).unwrap();
        block_on(database.flush_to(connection.last_commit())).unwrap();
        writeln!(std::io::stdout().lock(), "durable {number}").unwrap();
    }
}

#[test]
fn a_killed_process_loses_nothing_and_keeps_others_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("base");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::child_commits_until_killed", "--nocapture"])
        .env(CHILD_FILE, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut durable = 0;
    let number =
        |line: String| line.rsplit_once("durable ").and_then(|(_, number)| number.parse::<i64>().ok());
    while durable < 200 {
        durable = number(lines.next().unwrap()).unwrap_or(durable);
    }
    assert!(matches!(kind(Database::open(&path, options()).map(|_| ())), ErrorKind::InUse));
    child.kill().unwrap();
    durable = lines.filter_map(number).last().unwrap_or(durable);
    child.wait().unwrap();
    let database = Database::open(&path, options()).unwrap();
    let mut connection = database.connection().unwrap();
    assert!(integer(&mut connection, "SELECT max(a) FROM t") >= durable);
    assert_eq!(connection.query("PRAGMA integrity_check", &[]).unwrap(), [[Value::from("ok")]]);
}
