//! A disk that is full, fails to write, fails to flush, or has a damaged page: PostgreSQL's errors, and a server that goes
//! on where it can.

use std::os::unix::fs::FileExt;
use std::time::Duration;

use harness::{Faults, Server, eventually};

const ACCEPTED: &str = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'old' FROM generate_series(1, 100) i";

/// Runs SQL that must fail; its error with the SQLSTATE.
fn refusal(server: &Server, sql: &str) -> String {
    let output = server.psql_command("postgres").args(["-At", "-v", "VERBOSITY=verbose", "-c", sql]).output();
    let output = output.expect("psql runs");
    assert!(!output.status.success(), "{sql} did not fail");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// While writes fail: an error of this class, nothing of the statement, reading goes on; afterwards writing, too.
fn writes_fail(error: &str, code: &str) {
    let faults = Faults::default();
    let server = faults.failing(error, "write").start();
    server.query(ACCEPTED);
    faults.begin();
    let told = refusal(&server, "INSERT INTO t VALUES (1000, 'lost')");
    assert!(told.contains(code), "{told}");
    let told = refusal(&server, "UPDATE t SET v = 'lost'");
    assert!(told.contains(code), "{told}");
    let told = refusal(&server, "CREATE TABLE u (i int)");
    assert!(told.contains(code), "{told}");
    assert_eq!(server.query("SELECT count(*), min(v), max(v) FROM t"), "100|old|old");
    faults.end();
    server.query("INSERT INTO t VALUES (1000, 'kept')");
    server.query("CREATE TABLE u (i int)");
    assert_eq!(server.query("SELECT count(*), count(*) FILTER (WHERE v = 'kept') FROM t"), "101|1");
    let mut server = server;
    server.kill();
    let server = Server::builder().directory(server.directory()).start();
    assert_eq!(server.query("SELECT count(*), count(*) FILTER (WHERE v = 'kept') FROM t"), "101|1");
}

#[test]
fn a_full_disk_fails_statements_and_nothing_else() {
    writes_fail("ENOSPC", "53100");
}

#[test]
fn a_failed_write_fails_statements_and_nothing_else() {
    writes_fail("EIO", "58030");
}

#[test]
fn a_failed_flush_stops_the_server_and_nothing_acknowledged_is_lost() {
    let faults = Faults::default();
    let mut server = faults.failing("EIO", "flush").start();
    server.query(ACCEPTED);
    faults.begin();
    let told = server.error("INSERT INTO t VALUES (1000, 'uncertain')");
    assert!(told.contains("server closed the connection unexpectedly"), "{told}");
    server.wait();
    assert!(server.log().contains("PANIC:  could not fdatasync file"), "{}", server.log());
    faults.end();
    let server = Server::builder().directory(server.directory()).start();
    server.expect_log("database system was interrupted");
    assert_eq!(server.query("SELECT count(*) FROM t WHERE v = 'old'"), "100");
}

/// The log of the server may be on the full disk, too: what is tried in vain is tried, and said, less and less often.
#[test]
fn a_checkpoint_that_fails_is_not_tried_all_the_time() {
    let faults = Faults::default();
    let server = faults.failing("ENOSPC", "write").start();
    server.query("CREATE TABLE t (v text)");
    // Nothing is copied past what this one sees.
    let held = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t; SELECT pg_sleep(60)";
    let mut holder = server.psql_command("postgres").args(["-c", held]).spawn().expect("psql runs");
    eventually("a snapshot is held", || {
        server.query("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "1"
    });
    server.query("INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 10000)");
    faults.begin();
    server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    holder.wait().expect("psql ends");
    server.expect_log("checkpoint failed");
    std::thread::sleep(Duration::from_secs(4));
    let tries = server.log().matches("checkpoint failed").count();
    assert!((2..=6).contains(&tries), "{tries} tries:\n{}", server.log());
    faults.end();
    eventually("the log is copied when there is room", || {
        server.query("SELECT buffers_clean > 2000 FROM pg_stat_bgwriter") == "t"
    });
}

#[test]
fn a_damaged_page_is_an_error_of_those_who_read_it() {
    let mut server = Server::start();
    server.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
    server.query("CREATE TABLE whole AS SELECT 1 AS i");
    server.query("INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(1, 2000) i");
    let database = server.query("SELECT oid FROM pg_database WHERE datname = 'postgres'");
    assert_eq!(server.stop(), 0);
    let path = server.directory().path().join(format!("data/base/{database}.sqlite"));
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).expect("the file is there");
    let size = file.metadata().expect("it has a size").len();
    // The last pages belong to the table that was filled last.
    for page in 1..=20 {
        file.write_all_at(&[0xAA; 4096], size - page * 4096).expect("written");
    }
    drop(file);
    let server = Server::builder().directory(server.directory()).start();
    let told = refusal(&server, "SELECT count(v) FROM t");
    assert!(told.contains("XX001"), "{told}");
    assert_eq!(server.query("SELECT i FROM whole"), "1");
    server.query("CREATE TABLE made_later (i int)");
}

/// A transaction that changes roles, which are in the cluster's file, and tables, which are in the database's, happens in
/// both or in none.
#[test]
fn a_commit_of_two_files_happens_in_both_or_in_none() {
    const OWNED: &str = "SELECT count(*) FILTER (WHERE rolname = 'owner'), \
                         (SELECT count(*) FROM pg_tables WHERE tablename = 'owned' AND tableowner = 'owner'), \
                         count(*) FILTER (WHERE rolname = 'late') FROM pg_roles";
    for file in ["base/", "global"] {
        let faults = Faults::default();
        let mut server = faults.failing("ENOSPC", "write").environment("FAULT_MATCH", file).start();
        server.query("CREATE ROLE owner; CREATE TABLE owned (i int); ALTER TABLE owned OWNER TO owner");
        faults.begin();
        for changes in ["DROP OWNED BY owner; DROP ROLE owner", "CREATE ROLE late; CREATE TABLE lost (i int)"]
        {
            let told = refusal(&server, changes);
            assert!(told.contains("53100"), "{file}: {told}");
        }
        assert_eq!(server.query(OWNED), "1|1|0", "{file}");
        faults.end();
        assert_eq!(server.query(OWNED), "1|1|0", "{file}");
        server.kill();
        let server = Server::builder().directory(server.directory()).start();
        assert_eq!(server.query(OWNED), "1|1|0", "{file}");
        server.query("DROP OWNED BY owner; DROP ROLE owner; CREATE ROLE late");
        assert_eq!(server.query(OWNED), "0|0|1", "{file}");
    }
}
