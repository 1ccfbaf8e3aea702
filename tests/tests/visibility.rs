//! What was read from a commit leaves the server after the commit is on disk, and not before: flushes are held by the
//! shim, and the server's own `pg_stat_activity` says who waits for them.

use harness::{Faults, Server, eventually};
use tokio_postgres::{AsyncMessage, Client, NoTls, SimpleQueryMessage};

async fn connect(server: &Server, name: &str) -> Client {
    let (client, connection) =
        tokio_postgres::connect(&config(server, name), NoTls).await.expect("connected");
    tokio::spawn(connection);
    client
}

fn config(server: &Server, name: &str) -> String {
    format!("host=127.0.0.1 port={} user=postgres dbname=postgres application_name={name}", server.port())
}

/// How long something is waited for that must come.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// A statement that waits for the disk, in a session of this name, which lasts until the statement is answered.
async fn waiting(
    server: &Server,
    observer: &Client,
    name: &str,
    sql: &'static str,
) -> tokio::task::JoinHandle<Result<(), tokio_postgres::Error>> {
    let client = connect(server, &format!("'{name}'")).await;
    let answer = tokio::spawn(async move { client.batch_execute(sql).await });
    until_waiting(observer, name).await;
    answer
}

/// Waits until the session of this name waits for the disk.
async fn until_waiting(observer: &Client, name: &str) {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}' AND wait_event = 'WALSync'"
    );
    let deadline = std::time::Instant::now() + PATIENCE;
    while tokio::time::timeout(PATIENCE, first_value(observer, &sql))
        .await
        .expect("the observer waits itself")
        != "1"
    {
        assert!(std::time::Instant::now() < deadline, "\"{name}\" does not wait for the disk");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

async fn first_value(client: &Client, sql: &str) -> String {
    let messages = client.simple_query(sql).await.expect("it runs");
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("").to_owned()),
        _ => None,
    });
    row.expect("a row")
}

/// A commit is held up; the reader runs `sql`, which depends on it, and gets no answer before the commit is on disk.
async fn reader_waits(sql: &'static str) -> Result<Vec<SimpleQueryMessage>, tokio_postgres::Error> {
    let faults = Faults::default();
    let server = faults.holding_flushes().start();
    let observer = connect(&server, "observer").await;
    let setup = "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE other (id int); INSERT INTO other VALUES (1)";
    observer.batch_execute(setup).await.expect("set up");
    let (writer, reader) = (connect(&server, "writer").await, connect(&server, "reader").await);
    faults.begin();
    let written = tokio::spawn(async move { writer.batch_execute("INSERT INTO t VALUES (1, 'new')").await });
    until_waiting(&observer, "writer").await;
    // One that reads other pages is not held up.
    assert_eq!(first_value(&observer, "SELECT count(*) FROM other").await, "1");
    let read = tokio::spawn(async move { reader.simple_query(sql).await });
    until_waiting(&observer, "reader").await;
    assert!(!read.is_finished() && !written.is_finished());
    faults.end();
    written.await.expect("no panic").expect("committed");
    read.await.expect("no panic")
}

fn rows(messages: &[SimpleQueryMessage]) -> usize {
    messages.iter().filter(|message| matches!(message, SimpleQueryMessage::Row(_))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_wait_for_the_commit_they_come_from() {
    let answer = reader_waits("SELECT * FROM t").await.expect("it runs");
    assert_eq!(rows(&answer), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn returned_rows_wait_inside_a_transaction() {
    let answer =
        reader_waits("BEGIN; UPDATE t SET v = 'newer' RETURNING id; ROLLBACK").await.expect("it runs");
    assert_eq!(rows(&answer), 1);
}

/// Rows of one page: what waits for the one need not wait for the other.
#[tokio::test(flavor = "multi_thread")]
async fn changes_of_a_row_named_by_its_key_wait_for_its_own_commits() {
    let faults = Faults::default();
    let server = faults.holding_flushes().start();
    let observer = connect(&server, "observer").await;
    let setup = "CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n >= 0)); \
                 INSERT INTO t SELECT i, 1 FROM generate_series(1, 9) i";
    observer.batch_execute(setup).await.expect("set up");
    faults.begin();
    let changed = waiting(&server, &observer, "changed", "UPDATE t SET n = 7 WHERE id = 1").await;
    for sql in [
        "BEGIN; UPDATE t SET n = n + 1 WHERE id = 2",
        "BEGIN; UPDATE t SET n = n + 1 WHERE n = 1 AND 3 = id RETURNING n",
        "BEGIN; DELETE FROM t WHERE id = 4",
    ] {
        let client = connect(&server, "quick").await;
        let quick = tokio::time::timeout(PATIENCE, client.batch_execute(sql)).await;
        quick.expect("it waits for another row").expect("it runs");
    }
    let inserted = waiting(&server, &observer, "inserted", "INSERT INTO t VALUES (10, 10)").await;
    let mut tasks = Vec::new();
    for (name, sql) in [
        ("same", "BEGIN; UPDATE t SET n = n + 1 WHERE id = 1"),
        ("new", "BEGIN; UPDATE t SET n = n + 1 WHERE id = 10"),
        ("none", "BEGIN; UPDATE t SET n = n + 1 WHERE id = 11"),
        ("others", "BEGIN; UPDATE t SET n = n + (SELECT max(n) FROM t) WHERE id = 5"),
        ("all", "BEGIN; UPDATE t SET n = n + 1 WHERE n = 100"),
        ("refused", "BEGIN; UPDATE t SET n = n - 100 WHERE id = 6"),
    ] {
        tasks.push((name, waiting(&server, &observer, name, sql).await));
    }
    assert!(tasks.iter().all(|(_, answer)| !answer.is_finished()) && !changed.is_finished());
    faults.end();
    changed.await.expect("no panic").expect("committed");
    inserted.await.expect("no panic").expect("committed");
    for (name, answer) in tasks {
        assert_eq!(answer.await.expect("no panic").is_err(), name == "refused", "{name}");
    }
}

/// What changes a row without its lock: those who name such a row wait all the same.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_nobody_had_locked_are_waited_for() {
    let faults = Faults::default();
    let server = faults.holding_flushes().start();
    let observer = connect(&server, "observer").await;
    let setup = "CREATE TABLE moved (id int PRIMARY KEY, n int); INSERT INTO moved VALUES (1, 1); \
                 CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1); \
                 CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent ON UPDATE CASCADE, n int); \
                 INSERT INTO child VALUES (1, 1, 1); CREATE TABLE merged (id int PRIMARY KEY, n int)";
    observer.batch_execute(setup).await.expect("set up");
    faults.begin();
    let mut tasks = Vec::new();
    for (name, sql) in [
        ("mover", "UPDATE moved SET id = 2"),
        ("cascade", "UPDATE parent SET id = 2"),
        (
            "merger",
            "MERGE INTO merged m USING (SELECT 1 AS id) s ON m.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (1, 1)",
        ),
        ("of moved", "BEGIN; UPDATE moved SET n = n + 1 WHERE id = 2"),
        ("of cascade", "BEGIN; UPDATE child SET n = n + 1 WHERE id = 1 RETURNING p"),
        ("of merger", "BEGIN; DELETE FROM merged WHERE id = 1"),
    ] {
        tasks.push((name, waiting(&server, &observer, name, sql).await));
    }
    assert!(tasks.iter().all(|(_, answer)| !answer.is_finished()));
    faults.end();
    for (name, answer) in tasks {
        answer.await.expect("no panic").unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// A table is written anew by a commit that is nothing to wait for: its rows still tell of earlier ones.
#[tokio::test(flavor = "multi_thread")]
async fn rows_with_new_numbers_are_waited_for() {
    let faults = Faults::default();
    let server = faults.holding_flushes().start();
    let observer = connect(&server, "observer").await;
    let setup = "CREATE TABLE t (id text PRIMARY KEY, k int, n int); \
                 INSERT INTO t SELECT chr(96 + i), i, i FROM generate_series(1, 9) i; DELETE FROM t WHERE k < 6";
    observer.batch_execute(setup).await.expect("set up");
    let (writer, reader) = (connect(&server, "writer").await, connect(&server, "reader").await);
    let alter = connect(&server, "alter").await;
    faults.begin();
    let written =
        tokio::spawn(async move { writer.batch_execute("UPDATE t SET n = 888 WHERE id = 'h'").await });
    until_waiting(&observer, "writer").await;
    let altered = tokio::spawn(async move {
        let sql = "SET synchronous_commit = off; ALTER TABLE t ALTER COLUMN k TYPE bigint USING k + 100";
        alter.batch_execute(sql).await
    });
    // The new schema is read by everybody, so from its commit on even this waits.
    let moment = std::time::Duration::from_millis(200);
    while tokio::time::timeout(moment, observer.batch_execute("SELECT 1 FROM pg_class")).await.is_ok() {}
    let sql = "BEGIN; UPDATE t SET k = 0 WHERE id = 'h' RETURNING n";
    let read = tokio::spawn(async move { reader.simple_query(sql).await });
    tokio::time::sleep(moment).await;
    assert!(!read.is_finished() && !altered.is_finished() && !written.is_finished());
    faults.end();
    written.await.expect("no panic").expect("committed");
    altered.await.expect("no panic").expect("committed");
    assert_eq!(rows(&read.await.expect("no panic").expect("it runs")), 1);
}

/// A statement that gives up waiting for a row has read that there is one.
#[tokio::test(flavor = "multi_thread")]
async fn errors_of_waiting_for_a_row_wait_for_what_made_it_so() {
    let faults = Faults::default();
    let server = faults.holding_flushes().start();
    let observer = connect(&server, "observer").await;
    let setup = "CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n >= 0)); INSERT INTO t VALUES (1, 1)";
    observer.batch_execute(setup).await.expect("set up");
    faults.begin();
    let mut tasks = Vec::new();
    for (name, sql) in [
        ("writer", "UPDATE t SET n = 7 WHERE id = 1"),
        ("holder", "BEGIN; UPDATE t SET n = n + 1 WHERE id = 1"),
        ("update", "SET lock_timeout = 1; BEGIN; UPDATE t SET n = 0 WHERE n = 7"),
        ("select", "SET lock_timeout = 1; SELECT FROM t WHERE n = 7 FOR UPDATE"),
    ] {
        let client = connect(&server, name).await;
        tasks.push(tokio::spawn(async move { (client.batch_execute(sql).await, client) }));
        until_waiting(&observer, name).await;
    }
    assert!(tasks.iter().all(|answer| !answer.is_finished()));
    faults.end();
    let mut failed = Vec::new();
    for answer in tasks {
        let (answer, _client) = answer.await.expect("no panic");
        failed.push(
            answer.is_err_and(|error| {
                error.code() == Some(&tokio_postgres::error::SqlState::LOCK_NOT_AVAILABLE)
            }),
        );
    }
    assert_eq!(failed, [false, false, true, true]);
}

/// A row whose number comes from a sequence is not written before the sequence is on disk: it could outlive it.
#[tokio::test(flavor = "multi_thread")]
async fn values_of_sequences_are_on_disk_before_rows_are_written() {
    let faults = Faults::default();
    let server = faults.holding_flushes().start();
    let (writer, observer) = (connect(&server, "writer").await, connect(&server, "observer").await);
    // The first value of all sequences opens their file.
    let setup = "CREATE TABLE first (id serial); INSERT INTO first DEFAULT VALUES; CREATE TABLE t (id serial PRIMARY KEY)";
    observer.batch_execute(setup).await.expect("set up");
    writer.batch_execute("SET synchronous_commit = off").await.expect("set");
    faults.begin();
    let written = tokio::spawn(async move { writer.batch_execute("INSERT INTO t DEFAULT VALUES").await });
    until_waiting(&observer, "writer").await;
    assert_eq!(first_value(&observer, "SELECT count(*) FROM t").await, "0");
    faults.end();
    written.await.expect("no panic").expect("committed");
    assert_eq!(first_value(&observer, "SELECT id FROM t").await, "1");
}

/// A crash in the middle of the commit of a transaction that restarts a sequence leaves a sequence that goes on behind the
/// old rows as well as the new ones: either may be there.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_a_sequence_is_restarted_repeats_no_value() {
    for (setting, rows) in [("on", 0), ("off", 0), ("on", 100), ("off", 100)] {
        let faults = Faults::default();
        let mut server = faults.holding_flushes().start();
        let client = connect(&server, "client").await;
        let setup =
            "CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t SELECT FROM generate_series(1, 40)";
        client.batch_execute(setup).await.expect("set up");
        faults.begin();
        let sql = format!(
            "SET synchronous_commit = {setting}; BEGIN; TRUNCATE t RESTART IDENTITY; \
             INSERT INTO t SELECT FROM generate_series(1, {rows}); COMMIT"
        );
        let truncated = tokio::spawn(async move { client.batch_execute(&sql).await });
        // Whoever asks reads the new schema, and waits as well.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert!(!truncated.is_finished(), "{setting}");
        server.kill();
        faults.end();
        let server = Server::builder().directory(server.directory()).start();
        let next: i64 = server.query("SELECT nextval('t_id_seq')").parse().expect("a number");
        assert!(next > 40.max(rows), "synchronous_commit = {setting}, {rows} rows: {next}");
    }
}

/// A client that asks for some rows at a time gets none early.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_portal_wait_as_well() {
    let faults = Faults::default();
    let server = faults.holding_flushes().start();
    let observer = connect(&server, "observer").await;
    observer.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (0), (0)").await.expect("set up");
    faults.begin();
    let written = waiting(&server, &observer, "writer", "UPDATE t SET n = 7").await;
    let mut reader = connect(&server, "reader").await;
    let read = tokio::spawn(async move {
        let transaction = reader.transaction().await?;
        let portal = transaction.bind("SELECT n FROM t", &[]).await?;
        transaction.query_portal(&portal, 1).await.map(|rows| rows.len())
    });
    until_waiting(&observer, "reader").await;
    assert!(!read.is_finished() && !written.is_finished());
    faults.end();
    written.await.expect("no panic").expect("committed");
    assert_eq!(read.await.expect("no panic").expect("it runs"), 1);
}

/// A client that is turned away hears of what has been changed for it when that is sure to stay.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_wait_for_the_commit_they_tell_of() {
    let faults = Faults::default();
    let server = faults.holding_flushes().start();
    let observer = connect(&server, "observer").await;
    observer.batch_execute("CREATE ROLE clerk LOGIN").await.expect("set up");
    faults.begin();
    // Everybody reads the roles, so nobody can be asked who waits.
    let altered = tokio::spawn(async move { observer.batch_execute("ALTER ROLE clerk NOLOGIN").await });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let parameters = format!("host=127.0.0.1 port={} user=clerk dbname=postgres", server.port());
    let refused = tokio::spawn(async move { tokio_postgres::connect(&parameters, NoTls).await.map(drop) });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(!refused.is_finished() && !altered.is_finished());
    faults.end();
    altered.await.expect("no panic").expect("committed");
    let error = refused.await.expect("no panic").expect_err("it may not log in");
    assert_eq!(error.code(), Some(&tokio_postgres::error::SqlState::INVALID_AUTHORIZATION_SPECIFICATION));
}

/// Pages that a large transaction has written before it is rolled back belong to no commit, and commits that find nothing
/// to write never come: nobody waits for them.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_commit_that_does_not_come() {
    const ANSWERS: usize = 300;
    let server = Server::start();
    let writer = connect(&server, "writer").await;
    let setup = "CREATE TABLE t (id int PRIMARY KEY, n int, v text); \
                 INSERT INTO t SELECT g, 0, repeat('x', 3000) FROM generate_series(1, 20000) g";
    writer.batch_execute(setup).await.expect("set up");
    writer.batch_execute("BEGIN; UPDATE t SET v = repeat('y', 3000); ROLLBACK").await.expect("undone");
    let idle = |client: Client| {
        tokio::spawn(async move {
            loop {
                client.batch_execute("UPDATE t SET n = 1 WHERE id = 0").await.expect("it runs");
            }
        })
    };
    let writers = [idle(writer), idle(connect(&server, "writer").await)];
    let mut readers = Vec::new();
    for number in 0..4 {
        let client = connect(&server, "reader").await;
        readers.push(tokio::spawn(async move {
            for answer in 0..ANSWERS {
                let row = (answer * 61 + number * 13) % 20000 + 1;
                first_value(&client, &format!("SELECT n FROM t WHERE id = {row}")).await;
            }
        }));
    }
    for reader in readers {
        tokio::time::timeout(PATIENCE, reader).await.expect("it waits for nothing").expect("it runs");
    }
    writers.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_wait_for_the_commit_they_tell_of() {
    let error = reader_waits("INSERT INTO t VALUES (1, 'again')").await.expect_err("a duplicate");
    assert_eq!(error.code(), Some(&tokio_postgres::error::SqlState::UNIQUE_VIOLATION));
}

#[tokio::test(flavor = "multi_thread")]
async fn absent_rows_are_told_late_as_well() {
    let answer = reader_waits("SELECT * FROM t WHERE id = 2").await.expect("it runs");
    assert_eq!(rows(&answer), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn copied_rows_wait() {
    // The client library cannot take COPY data in a simple query; what it says of it comes after the wait.
    let _unexpected = reader_waits("COPY t TO STDOUT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_asynchronous_commit_wrote_is_seen_at_once() {
    let faults = Faults::default();
    let server = faults.holding_flushes().start();
    let (writer, reader) = (connect(&server, "writer").await, connect(&server, "reader").await);
    writer.batch_execute("CREATE TABLE t (id int); SET synchronous_commit = off").await.expect("set up");
    faults.begin();
    writer.batch_execute("INSERT INTO t VALUES (1)").await.expect("acknowledged before the flush");
    assert_eq!(first_value(&reader, "SELECT count(*) FROM t").await, "1");
    faults.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_in_progress_until_it_is_on_disk() {
    let faults = Faults::default();
    let server = faults.holding_flushes().start();
    let (writer, observer) = (connect(&server, "writer").await, connect(&server, "observer").await);
    observer.batch_execute("CREATE TABLE t (id int)").await.expect("set up");
    writer.batch_execute("BEGIN; INSERT INTO t VALUES (1)").await.expect("begun");
    let status =
        format!("SELECT pg_xact_status('{}')", first_value(&writer, "SELECT pg_current_xact_id()").await);
    faults.begin();
    let written = tokio::spawn(async move { writer.batch_execute("COMMIT").await });
    until_waiting(&observer, "writer").await;
    assert_eq!(first_value(&observer, &status).await, "in progress");
    faults.end();
    written.await.expect("no panic").expect("committed");
    assert_eq!(first_value(&observer, &status).await, "committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_session_has_ended_gives_its_number_back() {
    let faults = Faults::default();
    let server = faults.holding_flushes().start();
    let (writer, observer) = (connect(&server, "writer").await, connect(&server, "observer").await);
    observer.batch_execute("CREATE TABLE t (id int)").await.expect("set up");
    writer.batch_execute("BEGIN; INSERT INTO t VALUES (1)").await.expect("begun");
    let status =
        format!("SELECT pg_xact_status('{}')", first_value(&writer, "SELECT pg_current_xact_id()").await);
    faults.begin();
    let written = tokio::spawn(async move { writer.batch_execute("COMMIT").await });
    until_waiting(&observer, "writer").await;
    observer
        .batch_execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'writer'",
        )
        .await
        .expect("told to end");
    assert_eq!(first_value(&observer, &status).await, "in progress");
    faults.end();
    let _told_or_cut_off = written.await.expect("no panic");
    let deadline = std::time::Instant::now() + PATIENCE;
    while first_value(&observer, &status).await != "committed" {
        assert!(std::time::Instant::now() < deadline, "it stays in progress");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// A session, and the payloads that it hears.
async fn connect_to_listen(
    server: &Server,
    name: &str,
) -> (Client, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let (listener, mut connection) =
        tokio_postgres::connect(&config(server, name), NoTls).await.expect("connected");
    let (sender, received) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message {
                // The test may have heard enough.
                let _ = sender.send(notification.payload().to_owned());
            }
        }
    });
    (listener, received)
}

/// What a transaction says it hears itself when it listens, however many others commit and flush at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn listening_begins_with_the_commit() {
    const ROUNDS: usize = 40;
    let server = Server::start();
    connect(&server, "setup").await.batch_execute("CREATE TABLE t (id int)").await.expect("set up");
    let mut sessions = Vec::new();
    for number in 0..6 {
        let (client, mut received) = connect_to_listen(&server, "listener").await;
        sessions.push(tokio::spawn(async move {
            let text = format!("BEGIN; LISTEN c; INSERT INTO t VALUES (1); NOTIFY c, '{number}'; COMMIT");
            for round in 0..ROUNDS {
                client.batch_execute(&text).await.expect("committed");
                client.batch_execute("UNLISTEN c").await.expect("it runs");
                let mut heard = std::iter::from_fn(|| received.try_recv().ok());
                assert!(heard.any(|payload| payload == number.to_string()), "round {round} of {number}");
            }
        }));
    }
    for session in sessions {
        session.await.expect("each hears itself");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_come_after_the_flush_and_in_order() {
    let faults = Faults::default();
    let server = faults.holding_flushes().start();
    let observer = connect(&server, "observer").await;
    observer.batch_execute("CREATE TABLE t (id int)").await.expect("set up");
    let (listener, mut received) = connect_to_listen(&server, "listener").await;
    listener.batch_execute("LISTEN c").await.expect("listening");
    faults.begin();
    let mut senders = Vec::new();
    for number in 0..6 {
        let name = format!("sender{number}");
        let client = connect(&server, &name).await;
        let text = format!("BEGIN; INSERT INTO t VALUES ({number}); NOTIFY c, '{number}'; COMMIT");
        senders.push(tokio::spawn(async move { client.batch_execute(&text).await }));
        // One after the other, so that the order of commits is known.
        until_waiting(&observer, &name).await;
    }
    listener.batch_execute("SELECT 1").await.expect("it runs");
    assert!(received.try_recv().is_err(), "told before it was on disk");
    faults.end();
    for sender in senders {
        sender.await.expect("no panic").expect("committed");
    }
    for number in 0..6 {
        assert_eq!(received.recv().await.expect("a notification"), number.to_string());
    }
}

#[test]
fn a_worker_gets_nothing_that_could_vanish() {
    let faults = Faults::default();
    let server = faults.holding_flushes().set("worker_spi.naptime", "1").start();
    server.query("CREATE EXTENSION worker_spi");
    server.query("SELECT worker_spi_launch(1)");
    server.expect_log("worker 1 initialized");
    eventually("the table is there", || {
        server.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'schema1'") == "1"
    });
    faults.begin();
    let mut writer = server
        .psql_command("postgres")
        .args(["-c", "INSERT INTO schema1.counted VALUES ('total', 0), ('delta', 5)"])
        .spawn()
        .expect("psql runs");
    eventually("the worker waits for the disk", || {
        server.query(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'worker_spi' AND wait_event = 'WALSync'",
        ) == "1"
    });
    faults.end();
    assert!(writer.wait().expect("psql ends").success());
    eventually("the worker goes on", || server.query("SELECT sum(value) FROM schema1.counted") == "5");
}
