//! The worker framework seen from psql: restart intervals, signals, shutdown, isolation, and who may do what.

use std::process::Stdio;
use std::time::Duration;

use harness::{Server, eventually};
use rustix::process::Signal;

const WORKERS: &str = "FROM pg_stat_activity WHERE backend_type = 'worker_spi'";

fn server_with_worker(index: u32) -> Server {
    launch(Server::start(), index)
}

fn launch(server: Server, index: u32) -> Server {
    server.query("CREATE EXTENSION IF NOT EXISTS worker_spi");
    assert_eq!(server.query(&format!("SELECT worker_spi_launch({index})")), "t");
    let found = format!("SELECT count(*) FROM pg_tables WHERE schemaname = 'schema{index}'");
    eventually("the worker has made its schema", || server.query(&found) == "1");
    server
}

fn count(server: &Server) -> String {
    server.query(&format!("SELECT count(*) {WORKERS}"))
}

/// How often a text stands in the log.
fn times(server: &Server, text: &str) -> usize {
    server.log().matches(text).count()
}

#[test]
fn a_worker_inside_the_server_does_the_same() {
    let server = launch(Server::builder().set("worker_isolation", "task").start(), 1);
    server.query("INSERT INTO schema1.counted VALUES ('total', 0), ('delta', 1), ('delta', 2)");
    server.query("SELECT pg_reload_conf()");
    eventually("the deltas are added", || server.query("SELECT * FROM schema1.counted") == "total|3");
    server.expect_log("worker 1: count in schema1.counted is now 3");
    let pid = server.query(&format!("SELECT pid {WORKERS}"));
    assert_eq!(server.query(&format!("SELECT pg_terminate_backend({pid}, 5000)")), "t");
    assert_eq!(count(&server), "0");
    server.expect_log("background worker \"worker_spi\" (PID");
}

#[test]
fn a_failing_worker_comes_back_after_its_interval_until_its_handle_ends_it() {
    let server = Server::start();
    server.query("CREATE EXTENSION background_worker");
    let failing = "register_dynamic_background_worker('worker_spi', 'nosuch', 'failing', '', 0, 1)";
    let handle = server.query(&format!("SELECT {failing}"));
    let failure = "could not find function \"nosuch\" in file \"worker_spi\"";
    eventually("it has failed three times", || times(&server, failure) >= 3);
    server.query(&format!("SELECT terminate_background_worker({handle})"));
    assert_eq!(server.query(&format!("SELECT wait_for_background_worker_shutdown({handle})")), "stopped");
    let failures = times(&server, failure);
    std::thread::sleep(Duration::from_millis(1300));
    assert_eq!(times(&server, failure), failures, "it came back after its end");
}

#[test]
fn a_launch_is_not_undone_by_a_rollback() {
    let server = Server::start();
    server.query("CREATE EXTENSION worker_spi");
    server.query("BEGIN; SELECT worker_spi_launch(7); ROLLBACK");
    server.expect_log("worker 7 initialized with schema7.counted");
}

#[test]
fn a_reload_wakes_the_worker_with_its_new_naptime() {
    let server = Server::builder().set("shared_preload_libraries", "worker_spi").start();
    server.query("CREATE EXTENSION worker_spi");
    eventually("the schema is there", || {
        server.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'schema1'") == "1"
    });
    server.query("INSERT INTO schema1.counted VALUES ('total', 0)");
    server.query("ALTER SYSTEM SET worker_spi.naptime = 1");
    server.query("SELECT pg_reload_conf()");
    server.expect_log("received SIGHUP, reloading configuration files");
    assert_eq!(server.query("SHOW worker_spi.naptime"), "1");
    let turn = "worker 1: count in schema1.counted is now 0";
    eventually("a turn each second", || times(&server, turn) >= 3);
}

#[test]
fn cancelling_a_sleeping_worker_ends_it() {
    let server = server_with_worker(1);
    eventually("it sleeps", || server.query(&format!("SELECT wait_event {WORKERS}")) == "Extension");
    server.query(&format!("SELECT pg_cancel_backend(pid) {WORKERS}"));
    server.expect_log("ERROR:  canceling statement due to user request");
    eventually("it is gone", || count(&server) == "0");
}

#[test]
fn smart_shutdown_keeps_workers_until_the_last_client_leaves() {
    let mut server = server_with_worker(1);
    let mut client = server
        .psql_command("postgres")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("psql runs");
    eventually("the client is connected", || {
        server.query("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'psql'") == "2"
    });
    server.signal(Signal::TERM);
    server.expect_log("received smart shutdown request");
    eventually("new clients are turned away", || {
        server.psql("SELECT 1").err.contains("the database system is shutting down")
    });
    assert!(
        !server.log().contains("exited with exit code 1"),
        "the worker was ended before the last client left"
    );
    drop(client.stdin.take());
    client.wait().expect("psql ends");
    assert_eq!(server.wait(), 0);
    server.expect_log("database system is shut down");
}

#[test]
fn a_connected_worker_blocks_database_ddl() {
    let server = Server::start();
    server.query("CREATE EXTENSION worker_spi");
    server.query("CREATE DATABASE other");
    server.query("ALTER EXTENSION worker_spi UPDATE TO '2.0'");
    server.query("SELECT worker_spi_launch(1, (SELECT oid FROM pg_database WHERE datname = 'other'))");
    let there =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = 'other' AND backend_type LIKE 'worker_spi%'";
    eventually("the worker is connected", || server.query(there) == "1");
    assert_eq!(
        server.error("DROP DATABASE other"),
        "ERROR:  database \"other\" is being accessed by other users\n\
         DETAIL:  There is 1 other session using the database."
    );
    server.query("DROP DATABASE other WITH (FORCE)");
    assert_eq!(server.query("SELECT count(*) FROM pg_database WHERE datname = 'other'"), "0");
}

#[test]
fn a_worker_that_cannot_connect_says_so_in_the_log_only() {
    let server = Server::start();
    server.query("CREATE EXTENSION worker_spi VERSION '2.0'");
    server.query("CREATE ROLE nologrole NOLOGIN");
    let role = "(SELECT oid FROM pg_roles WHERE rolname = 'nologrole')";
    assert_ne!(server.query(&format!("SELECT worker_spi_launch(13, 0, {role})")), "");
    server.expect_log("FATAL:  role \"nologrole\" is not permitted to log in");
    let launched =
        server.query(&format!("SELECT worker_spi_launch(14, 0, {role}, '{{ROLELOGINCHECK}}') IS NOT NULL"));
    assert_eq!(launched, "t");
    assert_eq!(
        server.error("SELECT worker_spi_launch(1, 0, 0, '{nonsense}')"),
        "ERROR:  incorrect flag value found in array"
    );
}

#[test]
fn only_those_who_may_end_a_worker() {
    let server = server_with_worker(1);
    server.query("CREATE ROLE plain LOGIN");
    let pid = server.query(&format!("SELECT pid {WORKERS}"));
    assert_eq!(
        server.error(&format!("SET ROLE plain; SELECT pg_terminate_backend({pid})")),
        "ERROR:  must be a superuser to terminate superuser process"
    );
    assert_eq!(
        server.error("SET ROLE plain; SELECT pg_reload_conf()"),
        "ERROR:  permission denied for function pg_reload_conf"
    );
    assert_eq!(
        server.query(&format!(
            "SET ROLE plain; SELECT query, state IS NULL FROM pg_stat_activity WHERE pid = {pid}"
        )),
        "SET\n<insufficient privilege>|t"
    );
    assert_eq!(count(&server), "1");
}

#[test]
fn a_slot_is_free_as_soon_as_its_worker_is_told_to_end() {
    let server = Server::start();
    server.query("CREATE EXTENSION worker_spi");
    server.query("SELECT count(worker_spi_launch(i)) FROM generate_series(1, 8) i");
    eventually("all run", || count(&server) == "8");
    assert_eq!(server.query("SELECT worker_spi_launch(9)"), "f");
    for index in 10..30 {
        // Two statements of one session: nothing lies between them.
        let last = format!("(SELECT pid {WORKERS} ORDER BY backend_start DESC LIMIT 1)");
        let both = format!("SELECT pg_terminate_backend({last}); SELECT worker_spi_launch({index})");
        assert_eq!(server.query(&both), "t\nt", "worker {index}");
        eventually("it runs", || count(&server) == "8");
    }
}

#[test]
fn a_killed_server_takes_its_workers_along() {
    let mut server = Server::builder().set("worker_spi.naptime", "1000").start();
    server = launch(server, 1);
    let pid: i32 = server.query(&format!("SELECT pid {WORKERS}")).parse().expect("a pid");
    server.kill();
    let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
    eventually("the worker has ended", || {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        // Nobody may be there to take note of its end.
        status.map_or(true, |status| status.contains(") Z "))
    });
}

#[test]
fn an_immediate_shutdown_says_so_to_clients() {
    let server = Server::start();
    let mut idle = server.psql_command("postgres");
    idle.args(["-c", "SELECT pg_sleep(1000)"]).stderr(Stdio::piped());
    let client = idle.spawn().expect("psql runs");
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    eventually("it sleeps", || server.query(sleeping) == "1");
    server.signal(Signal::QUIT);
    let output = client.wait_with_output().expect("psql ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("terminating connection due to immediate shutdown command"), "{said}");
}

#[test]
fn the_extensions_that_can_be_installed_are_listed() {
    let server = Server::start();
    server.query("CREATE EXTENSION worker_spi");
    let listed = "SELECT name, default_version, installed_version FROM pg_available_extensions ORDER BY name";
    assert_eq!(server.query(listed), "background_worker|1.0|\nworker_spi|1.0|1.0");
    let versions = "SELECT version, installed, superuser FROM pg_available_extension_versions \
                    WHERE name = 'worker_spi' ORDER BY version";
    assert_eq!(server.query(versions), "1.0|t|t\n2.0|f|t");
    let paths = "SELECT source, target, path FROM pg_extension_update_paths('worker_spi') ORDER BY source";
    assert_eq!(server.query(paths), "1.0|2.0|1.0--2.0\n2.0|1.0|");
}

#[test]
fn clients_are_listed_with_their_addresses() {
    let server = Server::start();
    let own = "SELECT client_addr, client_port > 0 FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    assert_eq!(server.query(own), "127.0.0.1|t");
    assert_eq!(server.query("SELECT inet_client_addr()"), "127.0.0.1");
}

#[test]
fn signals_to_a_process_that_has_just_begun_are_kept_for_it() {
    let server = Server::start();
    server.query("CREATE EXTENSION worker_spi");
    for index in 1..=8 {
        // The reload comes while the process is being started.
        server.query(&format!("SELECT worker_spi_launch({index}), pg_reload_conf()"));
    }
    eventually("all have made their schemas", || {
        server.query("SELECT count(*) FROM pg_tables WHERE tablename = 'counted'") == "8"
    });
    assert_eq!(count(&server), "8");
    assert_eq!(times(&server, "was terminated by signal"), 0);
    server.query("SELECT worker_spi_launch(9)");
    for index in 10..20 {
        let last = format!("(SELECT pid {WORKERS} ORDER BY backend_start DESC LIMIT 1)");
        server.query(&format!("SELECT pg_terminate_backend({last}, 5000)"));
        assert_eq!(server.query(&format!("SELECT worker_spi_launch({index})")), "t");
        eventually("it runs", || count(&server) == "8");
    }
    assert_eq!(times(&server, "was terminated by signal"), 0);
}
