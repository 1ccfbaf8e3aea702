//! Transactions of several sessions: what each sees of the others, what a rollback leaves, what ends a session that takes
//! too long. What one session does alone is in the golden script `transactions`.

use std::io::Write;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::SinkExt;
use harness::Server;
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Error, NoTls};

/// What must not wait for anybody may take.
const SOON: Duration = Duration::from_secs(10);

async fn connect_to(server: &Server, database: &str) -> Client {
    let parameters = format!("host=127.0.0.1 port={} user=postgres dbname={database}", server.port());
    let (client, connection) = tokio_postgres::connect(&parameters, NoTls).await.expect("connects");
    tokio::spawn(connection);
    client
}

/// Runs a flow of two sessions of the same database against a new server.
fn with_two(flow: impl AsyncFnOnce(&Server, Client, Client)) {
    let server = Server::builder().start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (one, two) = (connect_to(&server, "postgres").await, connect_to(&server, "postgres").await);
        tokio::time::timeout(6 * SOON, flow(&server, one, two)).await.expect("nobody waits for ever");
    });
}

async fn run(client: &Client, sql: &str) {
    if let Err(error) = client.batch_execute(sql).await {
        panic!("{sql}: {error:?}");
    }
}

async fn number(client: &Client, sql: &str) -> i64 {
    match client.query_one(sql, &[]).await {
        Ok(row) => row.get(0),
        Err(error) => panic!("{sql}: {error:?}"),
    }
}

/// The code and the text of a statement's error.
async fn refused(client: &Client, sql: &str) -> (String, String) {
    described(client.batch_execute(sql).await.expect_err(sql))
}

fn described(error: Error) -> (String, String) {
    match error.as_db_error() {
        Some(report) => (report.code().code().to_owned(), report.message().to_owned()),
        None => panic!("not from the server: {error:?}"),
    }
}

#[test]
fn each_isolation_level_sees_what_it_should() {
    with_two(async |_, one, two| {
        run(&one, "CREATE TABLE t (a int8); INSERT INTO t VALUES (1)").await;
        run(&one, "BEGIN").await;
        assert_eq!(number(&one, "SELECT sum(a)::int8 FROM t").await, 1);
        run(&two, "UPDATE t SET a = 2").await;
        assert_eq!(number(&one, "SELECT sum(a)::int8 FROM t").await, 2);
        run(&one, "COMMIT").await;
        for level in ["REPEATABLE READ", "SERIALIZABLE"] {
            run(&one, &format!("BEGIN ISOLATION LEVEL {level}")).await;
            let before = number(&one, "SELECT sum(a)::int8 FROM t").await;
            run(&two, "UPDATE t SET a = a + 1").await;
            assert_eq!(number(&one, "SELECT sum(a)::int8 FROM t").await, before);
            let error = one.batch_execute("UPDATE t SET a = 0").await.expect_err("a stale write");
            assert_eq!(error.code(), Some(&SqlState::T_R_SERIALIZATION_FAILURE));
            run(&one, "ROLLBACK").await;
        }
        run(&one, "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE").await;
        assert_eq!(number(&one, "SELECT sum(a)::int8 FROM t").await, 4);
        run(&one, "COMMIT").await;
    });
}

#[test]
fn a_failed_block_keeps_nobody_waiting() {
    with_two(async |_, one, two| {
        run(&one, "CREATE TABLE t (a int8)").await;
        run(&one, "BEGIN; INSERT INTO t VALUES (1)").await;
        assert_eq!(refused(&one, "SELECT 1/0").await.0, "22012");
        tokio::time::timeout(SOON, run(&two, "INSERT INTO t VALUES (2)")).await.expect("the lock is free");
        run(&one, "ROLLBACK").await;
        assert_eq!(number(&one, "SELECT sum(a)::int8 FROM t").await, 2);
    });
}

#[test]
fn shared_rows_of_others_survive() {
    with_two(async |server, one, _| {
        run(&one, "CREATE DATABASE other").await;
        let other = connect_to(server, "other").await;
        let roles = "SELECT count(*) FROM pg_roles WHERE rolname ~ '^made'";
        // The block has its catalog from before the role.
        run(&one, "BEGIN; CREATE TABLE t (a int)").await;
        run(&other, "CREATE ROLE made_elsewhere").await;
        run(
            &one,
            "COMMENT ON DATABASE postgres IS 'x'; GRANT CONNECT ON DATABASE postgres TO PUBLIC; COMMIT",
        )
        .await;
        assert_eq!((number(&one, roles).await, number(&other, roles).await), (1, 1));
        // One that goes back to before its own change.
        run(&one, "BEGIN; CREATE TABLE u (a int); SAVEPOINT s; CREATE ROLE made_and_undone; ROLLBACK TO s")
            .await;
        run(&other, "CREATE ROLE made_meanwhile").await;
        run(&one, "CREATE ROLE made_afterwards; COMMIT").await;
        assert_eq!((number(&one, roles).await, number(&other, roles).await), (3, 3));
        // One that keeps the lock: what came before the savepoint stays.
        run(
            &one,
            "BEGIN; CREATE ROLE made_first; SAVEPOINT s; CREATE ROLE made_second; ROLLBACK TO s; COMMIT",
        )
        .await;
        assert_eq!(number(&other, roles).await, 4);
    });
}

#[test]
fn a_write_that_is_stopped_leaves_what_came_before_its_savepoint() {
    with_two(async |_, one, two| {
        run(
            &one,
            "CREATE TABLE t (a int8, b int8); INSERT INTO t SELECT g, 0 FROM generate_series(1, 200000) g",
        )
        .await;
        for statement in
            ["DELETE FROM t WHERE a % 2 = 0", "UPDATE t SET b = b + 1", "INSERT INTO t SELECT * FROM t"]
        {
            run(&one, "BEGIN; INSERT INTO t VALUES (-1, 0); SAVEPOINT s; SET LOCAL statement_timeout = 30")
                .await;
            assert_eq!(
                refused(&one, statement).await,
                ("57014".to_owned(), "canceling statement due to statement timeout".to_owned()),
                "{statement}"
            );
            run(&one, "ROLLBACK TO s; INSERT INTO t VALUES (-2, 0); COMMIT").await;
        }
        assert_eq!(number(&two, "SELECT count(*) FROM t WHERE a < 0").await, 6);
        assert_eq!(number(&two, "SELECT count(*) FROM t").await, 200_006);
    });
}

#[test]
fn functions_with_effects_have_them_once() {
    with_two(async |_, one, _| {
        run(&one, "CREATE SEQUENCE s; CREATE TABLE t (a int8 DEFAULT nextval('s'), b int8)").await;
        assert_eq!(number(&one, "SELECT max(nextval('s')) FROM generate_series(1, 100000)").await, 100_000);
        run(&one, "INSERT INTO t (b) SELECT g FROM generate_series(1, 50000) g").await;
        assert_eq!(number(&one, "SELECT last_value FROM s").await, 150_000);
        let begun = Instant::now();
        run(&one, "SELECT count(pg_notify('c', g::text)) FROM generate_series(1, 50000) g").await;
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    });
}

#[test]
fn sessions_that_take_too_long_end() {
    with_two(async |server, _, two| {
        let cases = [
            (
                "idle_in_transaction_session_timeout",
                "25P03",
                "terminating connection due to idle-in-transaction timeout",
            ),
            ("idle_session_timeout", "57P05", "terminating connection due to idle-session timeout"),
            ("transaction_timeout", "25P04", "terminating connection due to transaction timeout"),
        ];
        for (setting, code, message) in cases {
            let client = connect_to(server, "postgres").await;
            let pid = number(&client, "SELECT pg_backend_pid()::int8").await;
            run(&client, &format!("SET {setting} = 100")).await;
            if setting != "idle_session_timeout" {
                run(&client, "BEGIN").await;
            }
            let gone = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
            let deadline = Instant::now() + SOON;
            while number(&two, &gone).await > 0 {
                assert!(Instant::now() < deadline, "{setting}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert!(server.log().contains(message), "{code} {message}: {}", server.log());
        }
        // In the middle of a statement, in a block and without one.
        for begin in ["BEGIN; SET LOCAL transaction_timeout = 100;", "SET transaction_timeout = 100;"] {
            let client = connect_to(server, "postgres").await;
            run(&client, begin).await;
            let (code, message) = refused(&client, "SELECT pg_sleep(30)").await;
            assert_eq!((code.as_str(), message.as_str()), (cases[2].1, cases[2].2));
            let client = connect_to(server, "postgres").await;
            run(&client, begin).await;
            let (code, _) = refused(&client, "SELECT count(*) FROM generate_series(1, 100000000)").await;
            assert_eq!(code, cases[2].1);
        }
        // Each statement of a message has its own time, and the setting of the one before it.
        let client = connect_to(server, "postgres").await;
        run(&client, "SET statement_timeout = 300").await;
        run(&client, "SELECT pg_sleep(0.2); SELECT pg_sleep(0.2); SELECT pg_sleep(0.2)").await;
        let (code, _) = refused(&client, "SET statement_timeout = 50; SELECT pg_sleep(30)").await;
        assert_eq!(code, "57014");
    });
}

/// Who draws from a sequence waits for who restarts it, and the other way round.
#[test]
fn sequences_that_are_restarted_are_waited_for() {
    with_two(async |server, one, observer| {
        run(&one, "CREATE SEQUENCE s; CREATE TABLE t (a serial)").await;
        for (restart, draw, next) in [
            ("ALTER SEQUENCE s RESTART WITH 100", "SELECT nextval('s')", 100),
            ("TRUNCATE t RESTART IDENTITY", "INSERT INTO t DEFAULT VALUES RETURNING a::int8", 1),
            ("TRUNCATE t RESTART IDENTITY", "SELECT nextval('t_a_seq')", 1),
        ] {
            run(&one, "SELECT nextval('s'); INSERT INTO t DEFAULT VALUES").await;
            for (first, second) in [(restart, draw), (draw, restart)] {
                let two = connect_to(server, "postgres").await;
                let pid = number(&two, "SELECT pg_backend_pid()::int8").await;
                run(&one, "BEGIN").await;
                run(&one, first).await;
                let waiting = tokio::spawn(async move { two.simple_query(second).await });
                awaits_somebody(&observer, pid).await;
                run(&one, "COMMIT").await;
                let told = waiting.await.expect("no panic").expect("it runs");
                let drawn = told.iter().find_map(|message| match message {
                    tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                    _ => None,
                });
                if first == restart {
                    assert_eq!(drawn, Some(next.to_string()), "{restart}; {draw}");
                } else {
                    assert_eq!(number(&one, draw).await, next, "{draw}; {restart}");
                }
            }
        }
    });
}

/// Rows are locked through views and subqueries: those of the tables that they come from.
#[test]
fn rows_are_locked_through_views() {
    with_two(async |_, one, two| {
        run(&one, "CREATE TABLE t (a int8 PRIMARY KEY, b int8); INSERT INTO t SELECT g, g FROM generate_series(1, 9) g").await;
        run(
            &one,
            "CREATE VIEW v AS SELECT a, b + 1 AS c FROM t WHERE a < 9; CREATE VIEW w AS SELECT c FROM v",
        )
        .await;
        for (text, locked) in [
            ("SELECT * FROM v WHERE a = 2 FOR UPDATE", "2"),
            ("SELECT * FROM w WHERE c > 7 FOR NO KEY UPDATE", "7 8"),
            ("SELECT * FROM (SELECT a FROM t ORDER BY a LIMIT 2) s FOR SHARE", "1 2"),
            (
                "SELECT FROM (VALUES (3)) x (a), LATERAL (SELECT FROM t WHERE t.a = x.a) s FOR UPDATE OF s",
                "3",
            ),
            ("SELECT FROM t JOIN v ON v.a = t.b WHERE t.a IN (4, 5) FOR UPDATE OF v", "4 5"),
        ] {
            run(&one, "BEGIN").await;
            run(&one, text).await;
            for skipping in ["t", "v", "(SELECT a FROM t) s"] {
                let free = format!("SELECT a FROM {skipping} FOR UPDATE SKIP LOCKED");
                let free = two.query(&free, &[]).await.expect("it skips");
                let free: Vec<i64> = free.iter().map(|row| row.get(0)).collect();
                let all = if skipping == "v" { 1..9 } else { 1..10 };
                let taken: Vec<String> = all.filter(|a| !free.contains(a)).map(|a| a.to_string()).collect();
                assert_eq!(taken.join(" "), locked, "{text}; {skipping}");
            }
            assert_eq!(refused(&two, "SELECT FROM w FOR UPDATE NOWAIT").await.0, "55P03", "{text}");
            run(&one, "ROLLBACK").await;
        }
    });
}

/// A statement that fails inside a savepoint keeps nobody from writing until its client goes back there.
#[test]
fn a_failed_savepoint_keeps_nobody_waiting() {
    with_two(async |_, one, two| {
        run(&one, "CREATE TABLE t (a int8 PRIMARY KEY, b int8 CHECK (b < 100)); INSERT INTO t VALUES (1, 1), (2, 2)").await;
        run(&one, "CREATE TABLE u (a int8)").await;
        for failing in ["INSERT INTO t VALUES (1, 5)", "UPDATE t SET b = 500 WHERE a = 1", "SELECT 1 / 0"] {
            run(&one, "BEGIN; INSERT INTO u VALUES (1); SAVEPOINT s; UPDATE t SET b = 3 WHERE a = 2").await;
            refused(&one, failing).await;
            for write in ["INSERT INTO u VALUES (2)", "UPDATE t SET b = 4 WHERE a = 2"] {
                tokio::time::timeout(SOON, run(&two, write)).await.expect("it waits for nobody");
            }
            run(&one, "ROLLBACK TO s; UPDATE t SET b = b + 1 WHERE a = 2; COMMIT").await;
            assert_eq!(number(&two, "SELECT b FROM t WHERE a = 2").await, 5);
        }
        assert_eq!(number(&two, "SELECT count(*) FROM u").await, 6);
    });
}

/// Rows that a transaction has deleted are there again when it is rolled back: nobody else takes their places meanwhile.
#[test]
fn rows_are_not_numbered_as_those_that_may_come_back() {
    let directory = {
        let mut server = Server::builder().start();
        server.query("CREATE TABLE t (a int8); INSERT INTO t SELECT generate_series(1, 100)");
        server.stop();
        server.directory()
    };
    let server = Server::builder().directory(directory).start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (one, two) = (connect_to(&server, "postgres").await, connect_to(&server, "postgres").await);
        run(&one, "BEGIN; DELETE FROM t; INSERT INTO t SELECT 1").await;
        run(&two, "BEGIN; INSERT INTO t VALUES (500)").await;
        run(&two, "COMMIT").await;
        run(&one, "ROLLBACK").await;
        run(&one, "INSERT INTO t VALUES (501)").await;
        assert_eq!(number(&one, "SELECT count(*) FROM t").await, 102);
    });
}

/// A sequence whose making was rolled back leaves nothing to one that gets its OID after a restart.
#[test]
fn a_sequence_begins_at_its_start_whatever_was_rolled_back() {
    let directory = {
        let mut server = Server::builder().start();
        server.query("BEGIN; CREATE SEQUENCE s; SELECT setval('s', 5000); ROLLBACK");
        server.stop();
        server.directory()
    };
    let server = Server::builder().directory(directory).start();
    assert_eq!(server.query("CREATE SEQUENCE s MAXVALUE 10; SELECT nextval('s')").lines().last(), Some("1"));
}

#[test]
fn numbers_of_transactions_grow_over_restarts() {
    let directory = {
        let mut server = Server::builder().start();
        let before: u64 = server.query("SELECT pg_current_xact_id()").trim().parse().expect("a number");
        let after: u64 = server.query("SELECT pg_current_xact_id()").trim().parse().expect("a number");
        assert_eq!(after, before + 1);
        assert!(
            server
                .error("SELECT pg_xact_status('1000000000')")
                .contains("transaction ID 1000000000 is in the future")
        );
        let directory = server.directory();
        server.stop();
        (directory, after)
    };
    let (directory, after) = directory;
    let mut server = Server::builder().directory(Arc::clone(&directory)).start();
    let next: u64 = server.query("SELECT pg_current_xact_id()").trim().parse().expect("a number");
    assert_eq!(next, after + 1);
    server.kill();
    let server = Server::builder().directory(directory).start();
    let later: u64 = server.query("SELECT pg_current_xact_id()").trim().parse().expect("a number");
    assert!(later > next, "{later} after {next}");
}

#[test]
fn a_snapshot_is_shared_with_others() {
    with_two(async |server, one, two| {
        run(&one, "CREATE TABLE t (a int8); INSERT INTO t VALUES (1)").await;
        run(&one, "BEGIN ISOLATION LEVEL REPEATABLE READ").await;
        let id: String = one.query_one("SELECT pg_export_snapshot()", &[]).await.expect("exports").get(0);
        let snapshot: String =
            one.query_one("SELECT pg_current_snapshot()::text", &[]).await.expect("a snapshot").get(0);
        run(&two, "INSERT INTO t VALUES (2); CREATE TABLE later (a int)").await;
        let mut importers = Vec::new();
        for _ in 0..8 {
            let client = connect_to(server, "postgres").await;
            run(&client, "BEGIN ISOLATION LEVEL REPEATABLE READ").await;
            run(&client, &format!("SET TRANSACTION SNAPSHOT '{id}'")).await;
            importers.push(client);
        }
        for client in &importers {
            assert_eq!(number(client, "SELECT count(*) FROM t").await, 1);
            assert_eq!(number(client, "SELECT count(*) FROM pg_class WHERE relname = 'later'").await, 0);
            let row = client.query_one("SELECT pg_current_snapshot()::text", &[]).await.expect("a snapshot");
            assert_eq!(row.get::<_, String>(0), snapshot);
        }
        let import = format!("BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '{id}'");
        assert_eq!(refused(&two, &import).await.0, "53400");
        run(&two, "ROLLBACK").await;
        // One that has ended makes room.
        run(&importers[0], "COMMIT").await;
        run(&two, &import).await;
        assert_eq!(number(&two, "SELECT count(*) FROM t").await, 1);
        run(&two, "COMMIT").await;
        let wrong = [
            (format!("BEGIN ISOLATION LEVEL SERIALIZABLE; SET TRANSACTION SNAPSHOT '{id}'"), "0A000"),
            (format!("BEGIN; SET TRANSACTION SNAPSHOT '{id}'"), "0A000"),
            (
                "BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT 'nonsense'".to_owned(),
                "22023",
            ),
        ];
        for (sql, code) in wrong {
            assert_eq!(refused(&two, &sql).await.0, code, "{sql}");
            run(&two, "ROLLBACK").await;
        }
        // Importers go on when the exporter has ended; nobody else can begin.
        run(&one, "COMMIT").await;
        assert_eq!(number(&importers[1], "SELECT count(*) FROM t").await, 1);
        assert_eq!(refused(&two, &import).await.0, "22023");
    });
}

#[test]
fn statements_that_need_no_right_to_write_keep_nobody_from_it() {
    with_two(async |server, one, two| {
        run(&one, "CREATE TABLE a (k int PRIMARY KEY, v int); INSERT INTO a VALUES (1, 0), (2, 0)").await;
        run(&one, "BEGIN; UPDATE a SET v = 1 WHERE k = 1").await;
        let sleeper = tokio::spawn(async move {
            run(&one, "SELECT pg_sleep(1000)").await;
        });
        let asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        while server.query(asleep) != "1" {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // The sleeper has written, and runs a statement.
        tokio::time::timeout(SOON, run(&two, "UPDATE a SET v = 2 WHERE k = 2"))
            .await
            .expect("not kept waiting");
        sleeper.abort();
    });
}

/// What is noted and not yet made in the engine is there for the transaction itself, in each kind of statement, and for
/// nobody else.
#[test]
fn noted_changes_are_seen_by_their_transaction_alone() {
    with_two(async |_, one, two| {
        run(&one, "CREATE TABLE a (k int PRIMARY KEY, v int); CREATE TABLE b (k int PRIMARY KEY, v int)")
            .await;
        run(
            &one,
            "CREATE TABLE log (v int); INSERT INTO a VALUES (1, 0), (2, 0); INSERT INTO b VALUES (1, 0)",
        )
        .await;
        run(&one, "CREATE VIEW of_a AS SELECT v FROM a").await;
        run(&one, "BEGIN; UPDATE a SET v = v + 1 WHERE k = 1; INSERT INTO log VALUES (1)").await;
        assert_eq!(number(&two, "SELECT sum(v)::int8 FROM a").await, 0);
        assert_eq!(number(&two, "SELECT count(*) FROM log").await, 0);
        assert_eq!(number(&one, "SELECT sum(v)::int8 FROM b").await, 0);
        assert_eq!(number(&one, "SELECT sum(v)::int8 FROM of_a").await, 1);
        assert_eq!(number(&one, "SELECT count(*) FROM log").await, 1);
        run(&one, "UPDATE a SET v = v + 1 WHERE k = 1; SAVEPOINT s; UPDATE b SET v = 5; DELETE FROM log")
            .await;
        assert_eq!(number(&one, "SELECT (SELECT sum(v) FROM b) + (SELECT count(*) FROM log)").await, 5);
        run(&one, "ROLLBACK TO s; UPDATE b SET v = v + (SELECT v FROM a WHERE k = 1)").await;
        // Another commits in between; what it has done is seen by the next statement.
        run(&two, "UPDATE a SET v = 10 WHERE k = 2; INSERT INTO log VALUES (2), (3)").await;
        assert_eq!(number(&one, "SELECT sum(v)::int8 FROM a").await, 12);
        assert_eq!(number(&one, "SELECT count(*) FROM log").await, 3);
        run(&one, "COMMIT").await;
        assert_eq!(number(&two, "SELECT sum(v)::int8 FROM a").await, 12);
        assert_eq!(number(&two, "SELECT v::int8 FROM b").await, 2);
        // A transaction that has only noted something leaves nothing when it is rolled back.
        run(&one, "BEGIN; UPDATE a SET v = -1; DELETE FROM log; INSERT INTO log VALUES (4); ROLLBACK").await;
        assert_eq!(number(&two, "SELECT sum(v)::int8 + (SELECT count(*) FROM log) FROM a").await, 15);
        // More than are noted.
        run(&one, "INSERT INTO log SELECT i FROM generate_series(1, 2000) i").await;
        run(&one, "BEGIN; UPDATE b SET v = 3; UPDATE log SET v = 0; UPDATE b SET v = v + 1; COMMIT").await;
        assert_eq!(number(&two, "SELECT sum(v)::int8 + (SELECT v FROM b) FROM log").await, 4);
    });
}

/// A row that is changed between the snapshot of a statement and its lock is changed from what it is then.
#[test]
fn side_by_side_no_change_is_lost() {
    const CLIENTS: i64 = 8;
    const ROUNDS: i64 = 50;
    let server = Server::builder().start();
    server.query("CREATE TABLE c (k int PRIMARY KEY, v int); INSERT INTO c VALUES (1, 0), (2, 0)");
    server.query("CREATE TABLE seen (v int)");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut all = Vec::new();
        for _ in 0..CLIENTS {
            let client = connect_to(&server, "postgres").await;
            all.push(tokio::spawn(async move {
                let add = client.prepare("UPDATE c SET v = v + 1 WHERE k = $1").await.expect("prepared");
                for _ in 0..ROUNDS {
                    run(&client, "BEGIN; INSERT INTO seen VALUES (1)").await;
                    for key in [1_i32, 2] {
                        assert_eq!(client.execute(&add, &[&key]).await.expect("updated"), 1);
                    }
                    run(&client, "COMMIT").await;
                }
            }));
        }
        for client in all {
            client.await.expect("no panic");
        }
    });
    let sums = "SELECT (SELECT sum(v) FROM c), (SELECT count(*) FROM seen)";
    assert_eq!(server.query(sums), format!("{}|{}", 2 * CLIENTS * ROUNDS, CLIENTS * ROUNDS));
}

/// A connection whose notices and notifications are kept.
async fn overheard(server: &Server) -> (Client, Arc<Mutex<Vec<String>>>) {
    let parameters = format!("host=127.0.0.1 port={} user=postgres dbname=postgres", server.port());
    let (client, mut connection) = tokio_postgres::connect(&parameters, NoTls).await.expect("connects");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            kept.lock().expect("no panic").push(match message {
                AsyncMessage::Notice(notice) => notice.message().to_owned(),
                AsyncMessage::Notification(notification) => notification.payload().to_owned(),
                _ => continue,
            });
        }
    });
    (client, heard)
}

/// Waits until a session waits for another.
async fn awaits_somebody(observer: &Client, pid: i64) {
    let question = format!("SELECT cardinality(pg_blocking_pids({pid}))::int8");
    let deadline = Instant::now() + SOON;
    while number(observer, &question).await == 0 {
        assert!(Instant::now() < deadline, "it does not wait");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until somebody waits for another transaction.
async fn until_one_waits(server: &Server) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'transactionid'";
    let deadline = Instant::now() + SOON;
    while server.query(waiting) != "1" {
        assert!(Instant::now() < deadline, "nobody waits");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A command that comes upon a lock is undone and run again: of the runs that were undone nothing is told and nothing kept.
/// What came before it in its transaction stays, whether that goes on with the right to write or has set its rows aside.
#[test]
fn a_command_that_waits_is_told_of_once() {
    with_two(async |server, one, observer| {
        let cases = [
            ("", "COMMIT", 3),
            ("INSERT INTO log VALUES (1);", "COMMIT", 3),
            ("TRUNCATE ser RESTART IDENTITY;", "ROLLBACK", 1),
        ];
        for (before, end, next) in cases {
            run(&one, "CREATE TABLE pa (id int PRIMARY KEY, v int); CREATE TABLE ch (p int REFERENCES pa)")
                .await;
            run(&one, "CREATE VIEW of_pa AS SELECT v FROM pa; INSERT INTO pa VALUES (1, 2)").await;
            run(&one, "CREATE TABLE log (a int); CREATE TABLE ser (a serial, b int)").await;
            run(&one, "INSERT INTO ser (b) VALUES (1), (2)").await;
            let (two, heard) = overheard(server).await;
            let pid = number(&two, "SELECT pg_backend_pid()::int8").await;
            run(&one, "BEGIN; INSERT INTO ch VALUES (1)").await;
            run(&two, &format!("LISTEN c; BEGIN; {before} NOTIFY c, 'sent'")).await;
            let waiting = tokio::spawn(async move {
                // The column and its view are gone before the table that refers to the other is come upon.
                run(&two, "ALTER TABLE pa DROP COLUMN v CASCADE, ALTER COLUMN id TYPE int8").await;
                two
            });
            awaits_somebody(&observer, pid).await;
            run(&one, end).await;
            let two = waiting.await.expect("no panic");
            run(&two, "COMMIT").await;
            assert_eq!(number(&two, "SELECT id FROM pa").await, 1, "{before}");
            let drawn = "INSERT INTO ser (b) VALUES (3) RETURNING a::int8";
            assert_eq!(number(&two, drawn).await, next, "{before}");
            let logged = i64::from(before.starts_with("INSERT"));
            assert_eq!(number(&two, "SELECT count(*) FROM log").await, logged, "{before}");
            let told = heard.lock().expect("no panic").clone();
            assert_eq!(told, ["drop cascades to view of_pa", "sent"], "{before}");
            run(&two, "DROP TABLE ch, pa, log, ser").await;
        }
    });
}

/// A transaction that has run a command keeps the right to write while it waits. Who commits meanwhile is let through: the
/// one that is in the way is told.
#[test]
fn who_waits_with_the_right_to_write_is_in_nobodys_way_for_long() {
    with_two(async |server, one, observer| {
        run(&one, "CREATE TABLE pa (id int PRIMARY KEY); CREATE TABLE ch (p int REFERENCES pa)").await;
        run(&one, "INSERT INTO pa VALUES (1)").await;
        let two = connect_to(server, "postgres").await;
        let pid = number(&two, "SELECT pg_backend_pid()::int8").await;
        run(&one, "BEGIN; INSERT INTO ch VALUES (1)").await;
        run(&two, "SET deadlock_timeout = '10ms'; BEGIN; CREATE TABLE made (a int)").await;
        let waiting = tokio::spawn(async move { (refused(&two, "TRUNCATE pa CASCADE").await, two) });
        awaits_somebody(&observer, pid).await;
        run(&one, "COMMIT").await;
        let ((code, _), two) = waiting.await.expect("no panic");
        assert_eq!(code, "40P01");
        run(&two, "ROLLBACK; TRUNCATE pa CASCADE").await;
        assert_eq!(number(&one, "SELECT count(*) FROM ch").await, 0);
    });
}

/// Runs a script of psql's, which may have data for COPY in it, beside what else goes on; whether it has succeeded, and what
/// it says of errors.
fn begun(server: &Server, script: &'static str) -> tokio::task::JoinHandle<(bool, String)> {
    let mut command = server.psql_command("postgres");
    command.args(["-q", "-v", "ON_ERROR_STOP=1"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    tokio::task::spawn_blocking(move || {
        let mut psql = command.spawn().expect("psql runs");
        let mut input = psql.stdin.take().expect("a pipe");
        input.write_all(script.as_bytes()).expect("psql reads");
        drop(input);
        let output = psql.wait_with_output().expect("psql ends");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    })
}

/// COPY that meets a key, or a row that a foreign key refers to, of another transaction: that one can go on, write and
/// commit meanwhile.
#[test]
fn copied_rows_wait_without_the_right_to_write() {
    with_two(async |server, one, _| {
        run(&one, "CREATE TABLE p (k int PRIMARY KEY); INSERT INTO p VALUES (1)").await;
        run(&one, "CREATE TABLE t (k int PRIMARY KEY, p int REFERENCES p, v int, w text)").await;
        run(&one, "CREATE UNIQUE INDEX ON t (lower(w)); CREATE TABLE o (v int)").await;
        let taken = "BEGIN; INSERT INTO t VALUES (2, 1); DELETE FROM t WHERE k = 2";
        let locked = "BEGIN; SELECT * FROM p FOR UPDATE";
        let scripts = [
            (taken, "COPY t FROM STDIN;\n1\t1\t0\ta\n2\t1\t0\tb\n3\t1\t0\tc\n\\.\n"),
            (taken, "COPY t FROM STDIN;\n2\t1\t0\tb\n1\t1\t0\ta\n3\t1\t0\tc\n\\.\n"),
            (locked, "COPY t FROM STDIN;\n1\t1\t0\ta\n2\t1\t0\tb\n3\t1\t0\tc\n\\.\n"),
            (
                taken,
                "BEGIN;\nINSERT INTO o VALUES (7);\nSAVEPOINT s;\nCOPY t FROM STDIN;\n1\t1\t0\ta\n2\t1\t0\tb\n\\.\n\
                 INSERT INTO t VALUES (3, 1, 0, 'c');\nCOMMIT;\n",
            ),
        ];
        for (before, script) in scripts {
            run(&one, before).await;
            let copying = begun(server, script);
            until_one_waits(server).await;
            run(&one, "INSERT INTO o VALUES (1)").await;
            run(&one, "COMMIT").await;
            assert_eq!(copying.await.expect("no panic"), (true, String::new()), "{script}");
            assert_eq!(number(&one, "SELECT sum(k)::int8 FROM t").await, 6);
            assert_eq!(refused(&one, "INSERT INTO t VALUES (9, 1, 0, 'A')").await.0, "23505");
            run(&one, "DELETE FROM t").await;
        }
        assert_eq!(number(&one, "SELECT sum(v)::int8 FROM o").await, 11);
        // A key that stays taken, and nothing is left of the rows before it.
        run(&one, "BEGIN; INSERT INTO t VALUES (2, 1)").await;
        let copying = begun(server, scripts[0].1);
        until_one_waits(server).await;
        run(&one, "INSERT INTO o VALUES (1); COMMIT").await;
        let (done, error) = copying.await.expect("no panic");
        assert!(
            !done && error.contains("Key (k)=(2) already exists.") && error.contains("line 2"),
            "{error}"
        );
        assert_eq!(number(&one, "SELECT sum(k)::int8 FROM t").await, 2);
    });
}

/// COPY that has waited for a table goes to the one that has the name then, and locks it.
#[test]
fn copied_rows_go_to_the_table_that_is_locked() {
    with_two(async |server, one, two| {
        run(&one, "CREATE TABLE t (k int); BEGIN; DROP TABLE t; CREATE TABLE t (k int)").await;
        run(&two, "BEGIN").await;
        let copy = async {
            let sink = two.copy_in::<_, Bytes>("COPY t FROM STDIN").await.expect("it takes data");
            let mut sink = std::pin::pin!(sink);
            sink.send(Bytes::from("1\n2\n")).await.expect("sent");
            assert_eq!(sink.finish().await.expect("copied"), 2);
        };
        let replace = async {
            until_one_waits(server).await;
            run(&one, "COMMIT").await;
        };
        tokio::join!(copy, replace);
        let held = "SELECT mode FROM pg_locks WHERE relation = 't'::regclass AND granted";
        assert_eq!(server.query(held), "RowExclusiveLock");
        run(&two, "COMMIT").await;
        assert_eq!(number(&one, "SELECT count(*) FROM t").await, 2);
    });
}

/// A client that stops in the middle of COPY keeps nobody from writing, and goes on when it likes.
#[test]
fn copying_slowly_keeps_nobody_waiting() {
    with_two(async |_, one, two| {
        run(&one, "CREATE TABLE t (k int PRIMARY KEY, v int); CREATE TABLE o (v int)").await;
        for (begin, end) in [("SELECT", "SELECT"), ("BEGIN; INSERT INTO o VALUES (1)", "COMMIT")] {
            run(&one, begin).await;
            let sink = one.copy_in::<_, Bytes>("COPY t FROM STDIN").await.expect("it takes data");
            let mut sink = std::pin::pin!(sink);
            for key in 1..4 {
                let line = Bytes::from(format!("{key}\t{key}\n"));
                sink.send(line).await.expect("sent");
                let write = run(&two, "INSERT INTO o VALUES (2)");
                tokio::time::timeout(SOON, write).await.expect("it waits for nobody");
            }
            assert_eq!(number(&two, "SELECT count(*) FROM t").await, 0);
            assert_eq!(sink.finish().await.expect("copied"), 3);
            run(&one, end).await;
            assert_eq!(number(&two, "SELECT sum(k)::int8 FROM t").await, 6);
            run(&two, "DELETE FROM t").await;
        }
        assert_eq!(number(&two, "SELECT count(*) FROM o").await, 7);
    });
}

/// PostgreSQL has no right to write, and so no limit of time for waiting for it but the statement's.
#[test]
fn the_right_to_write_is_no_lock_that_a_limit_counts() {
    with_two(async |server, one, two| {
        run(&one, "CREATE TABLE a (k int PRIMARY KEY, v int); INSERT INTO a VALUES (1, 0), (2, 0)").await;
        run(&one, "CREATE TABLE b (v int); SET lock_timeout = '20ms'").await;
        let one = Arc::new(one);
        let begin = "BEGIN; UPDATE a SET v = v + 1 WHERE k = 1";
        for (before, statement) in [(begin, "COMMIT"), ("", "INSERT INTO b VALUES (2)")] {
            run(&one, before).await;
            run(&two, "BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO b VALUES (1)").await;
            let waiting = {
                let one = one.clone();
                tokio::spawn(async move { one.batch_execute(statement).await })
            };
            let long = "SELECT count(*) FROM pg_locks WHERE clock_timestamp() - waitstart > '200ms'";
            let deadline = Instant::now() + SOON;
            while !waiting.is_finished() && server.query(long) != "1" {
                assert!(Instant::now() < deadline, "{statement} does not wait");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            run(&two, "COMMIT").await;
            waiting.await.expect("no panic").expect(statement);
        }
        assert_eq!(number(&one, "SELECT sum(v)::int8 FROM a").await, 1);
        assert_eq!(number(&one, "SELECT sum(v)::int8 FROM b").await, 4);
        // Rows are locks, and a COMMIT that has not begun is a statement as others.
        run(&two, "BEGIN; UPDATE a SET v = 0 WHERE k = 2").await;
        let expected = ("55P03".to_owned(), "canceling statement due to lock timeout".to_owned());
        assert_eq!(refused(&one, "UPDATE a SET v = 1 WHERE k = 2").await, expected);
        run(&two, "ROLLBACK").await;
        run(&one, begin).await;
        run(&two, "BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO b VALUES (1)").await;
        run(&one, "SET LOCAL statement_timeout = '20ms'").await;
        let expected = ("57014".to_owned(), "canceling statement due to statement timeout".to_owned());
        assert_eq!(refused(&one, "COMMIT").await, expected);
        run(&two, "COMMIT").await;
        assert_eq!(number(&one, "SELECT sum(v)::int8 FROM a").await, 1);
    });
}
