//! What the source documents say of background workers, row by row: each test is named after its row, and shows on the
//! built server, through psql and `ps`, that the row holds.

use std::time::{Duration, Instant};

use harness::{Server, eventually, example, process_titles};

/// A server with a fast sample worker.
fn with_fast_workers() -> Server {
    let server = Server::start();
    server.query("CREATE EXTENSION worker_spi");
    server
}

fn titled(title: &str) -> Vec<i32> {
    process_titles().into_iter().filter(|(_, found)| found == title).map(|(pid, _)| pid).collect()
}

/// The pids of a server's children with this title.
fn workers_of(server: &Server, title: &str) -> Vec<i32> {
    let children = std::process::Command::new("ps")
        .args(["-o", "pid=,args=", "--ppid", &server.pid().to_string()])
        .output()
        .expect("ps runs");
    let text = String::from_utf8_lossy(&children.stdout).into_owned();
    let pid_of = |line: &str| {
        let (pid, found) = line.trim().split_once(' ')?;
        (found.trim() == title).then(|| pid.parse().ok())?
    };
    text.lines().filter_map(pid_of).collect()
}

fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("the worker can be killed");
}

fn wait_for_schema(server: &Server, index: u32) {
    let found = format!(
        "SELECT count(*) FROM pg_tables WHERE schemaname = 'schema{index}' AND tablename = 'counted'"
    );
    eventually("the worker has made its schema", || server.query(&found) == "1");
}

#[test]
fn row_01_a_library_worker_is_started_supervised_and_stopped_by_the_server() {
    let mut server = with_fast_workers();
    assert_eq!(server.query("SELECT worker_spi_launch(1)"), "t");
    server.expect_log("worker 1 initialized with schema1.counted");
    let running = workers_of(&server, "postgres: bgworker: worker 1");
    assert_eq!(running.len(), 1);
    assert_eq!(server.stop(), 0);
    assert!(!process_titles().iter().any(|(pid, _)| *pid == running[0]), "the worker outlived the server");
}

#[test]
fn row_02_and_14_libraries_named_in_the_configuration_register_workers_in_their_init() {
    let mut first = Server::start();
    first.query("ALTER SYSTEM SET shared_preload_libraries = 'count_relations', 'worker_spi'");
    first.query("ALTER SYSTEM SET \"worker_spi.total_workers\" = 3");
    first.stop();
    let server = Server::builder().directory(first.directory()).start();
    assert_eq!(server.query("SHOW shared_preload_libraries"), "count_relations, worker_spi");
    eventually("all four workers run", || {
        workers_of(&server, "postgres: bgworker: count relations").len() == 1
            && (1..=3).all(|n| workers_of(&server, &format!("postgres: bgworker: worker {n}")).len() == 1)
    });
}

#[test]
fn row_05_shutdown_is_not_held_up_by_sleeping_workers() {
    let mut server = Server::builder().set("max_worker_processes", "100").start();
    server.query("CREATE EXTENSION worker_spi");
    server.query("SELECT worker_spi_launch(i) FROM generate_series(1, 100) i");
    eventually("all workers are connected", || {
        server.query("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'worker_spi'") == "100"
    });
    let asked = Instant::now();
    server.stop();
    assert!(asked.elapsed() < Duration::from_secs(3), "shutdown took {:?}", asked.elapsed());
}

#[test]
fn row_08_the_sample_keeps_a_total() {
    let server = with_fast_workers();
    server.query("SELECT worker_spi_launch(1)");
    wait_for_schema(&server, 1);
    server.query("INSERT INTO schema1.counted VALUES ('total', 0), ('delta', 1)");
    assert_eq!(server.query("SELECT pg_reload_conf()"), "t");
    eventually("the delta is added", || server.query("SELECT * FROM schema1.counted") == "total|1");
    server.expect_log("worker 1: count in schema1.counted is now 1");
    assert_eq!(
        server.error("INSERT INTO schema1.counted VALUES ('total', 5)"),
        "ERROR:  duplicate key value violates unique constraint \"counted_unique_total\"\n\
         DETAIL:  Key (type)=(total) already exists."
    );
    assert_eq!(
        server.error("INSERT INTO schema1.counted VALUES ('other', 5)"),
        "ERROR:  new row for relation \"counted\" violates check constraint \"counted_type_check\"\n\
         DETAIL:  Failing row contains (other, 5)."
    );
}

#[test]
fn row_10_and_15_count_relations_logs_every_second_under_its_title() {
    let server = Server::builder().set("shared_preload_libraries", "count_relations").start();
    let line = "relations in database";
    server.expect_log("LOG:  Currently ");
    assert_eq!(workers_of(&server, "postgres: bgworker: count relations").len(), 1);
    let lines = || server.log().lines().filter(|l| l.contains(line)).count();
    let (before, began) = (lines(), Instant::now());
    eventually("three more counts", || lines() >= before + 3);
    assert!(
        began.elapsed() > Duration::from_millis(1500),
        "three naps of a second took {:?}",
        began.elapsed()
    );
    let counted = server.query("SELECT count(*) FROM pg_class");
    server.expect_log(&format!("Currently {counted} relations in database"));
}

/// The two ways to run a worker's body.
const ISOLATIONS: [&str; 2] = ["process", "task"];

/// A server that knows the workers of `server/examples/spi_script.rs`.
fn with_scripted_workers(isolation: &str) -> Server {
    let server = Server::builder().program(example("spi_script")).set("worker_isolation", isolation).start();
    server.query("CREATE EXTENSION background_worker");
    server
}

#[test]
fn row_11_a_worker_has_the_record_that_it_was_registered_with() {
    for isolation in ISOLATIONS {
        let server = with_scripted_workers(isolation);
        server.query(
            "SELECT register_dynamic_background_worker(library => 'spi_script', function => 'record_main', \
             name => 'my name', type => 'my type', argument => -42, restart_seconds => 7, access => 'shared_memory', \
             start_time => 'postmaster_start', on_reload => 'flag', on_terminate => 'flag', extra => 'my extra')",
        );
        server.expect_log(
            "record: name=my name type=my type access=SharedMemory start_time=PostmasterStart \
             restart=AfterSeconds(7) main=spi_script:record_main argument=-42 extra=my extra \
             on_reload=Flag on_terminate=Flag",
        );
        server.query("SELECT register_dynamic_background_worker('spi_script', 'record_main')");
        server.expect_log(
            "record: name=record_main type=record_main access=Database start_time=RecoveryFinished \
             restart=Never main=spi_script:record_main argument=0 extra= on_reload=Flag on_terminate=Flag",
        );
    }
}

#[test]
fn row_11_the_record_says_what_a_reload_and_a_termination_do() {
    for isolation in ISOLATIONS {
        let server = with_scripted_workers(isolation);
        let register = |on_reload: &str, on_terminate: &str| {
            server.query(&format!(
                "SELECT register_dynamic_background_worker('spi_script', 'record_main', '{on_reload} {on_terminate}', \
                 on_reload => '{on_reload}', on_terminate => '{on_terminate}')"
            ))
        };
        let seen = |text: &str| server.log().matches(text).count();
        // A new worker's latch is set: each is woken once by that.
        let deaf = register("ignore", "die");
        let attentive = register("flag", "flag");
        eventually("both have begun to wait", || seen("record: woken by Latch, reloaded: false") == 2);
        server.query("SELECT pg_reload_conf()");
        server.expect_log("record: woken by Latch, reloaded: true");
        for handle in [&deaf, &attentive] {
            server.query(&format!("SELECT terminate_background_worker({handle})"));
            let ended = server.query(&format!("SELECT wait_for_background_worker_shutdown({handle})"));
            assert_eq!(ended, "stopped");
        }
        server.expect_log("record: woken by Terminate, reloaded: false");
        server
            .expect_log("FATAL:  terminating background worker \"ignore die\" due to administrator command");
        server.expect_log("background worker \"ignore die\" (PID");
        assert_eq!(seen("reloaded: true"), 1, "a worker that ignores reloads saw one:\n{}", server.log());
        assert_eq!(seen("FATAL:"), 1, "{}", server.log());
    }
}

#[test]
fn row_11_restart_time_or_never() {
    for isolation in ISOLATIONS {
        let server = with_scripted_workers(isolation);
        let register = |name: &str, seconds: i32| {
            // Without its table, the worker fails.
            server.query(&format!(
                "SELECT register_dynamic_background_worker('spi_script', 'script_main', '{name}', \
                 restart_seconds => {seconds})"
            ))
        };
        let (once, again) = (register("once", -1), register("again", 1));
        let ends = |name: &str| server.log().matches(&format!("background worker \"{name}\" (PID")).count();
        eventually("both have failed", || ends("once") == 1 && ends("again") == 1);
        let failed = Instant::now();
        eventually("one of them is back, and fails again", || ends("again") == 2);
        assert!(failed.elapsed() >= Duration::from_millis(900), "it was back after {:?}", failed.elapsed());
        assert_eq!(server.query(&format!("SELECT get_background_worker_status({once})")), "stopped");
        assert_eq!(ends("once"), 1);
        server.query(&format!("SELECT terminate_background_worker({again})"));
    }
}

#[test]
fn row_11_a_record_that_makes_no_sense_is_refused() {
    let server = with_scripted_workers("process");
    let refused = |arguments: &str| {
        server.error(&format!(
            "SELECT register_dynamic_background_worker('spi_script', 'record_main', 'w', {arguments})"
        ))
    };
    let prefix = "ERROR:  background worker \"w\":";
    assert_eq!(refused("restart_seconds => -2"), format!("{prefix} invalid restart interval"));
    assert_eq!(refused("restart_seconds => 86400001"), format!("{prefix} invalid restart interval"));
    assert_eq!(
        refused("start_time => 'postmaster_start'"),
        format!("{prefix} cannot request database access if starting at postmaster start")
    );
    assert_eq!(
        refused("access => 'none'"),
        format!("{prefix} background workers without shared memory access are not supported")
    );
    assert_eq!(
        refused("on_reload => 'explode'"),
        "ERROR:  invalid value for parameter \"on_reload\": \"explode\"\nHINT:  Available values: ignore, flag."
    );
    server.query(
        "SELECT register_dynamic_background_worker('spi_script', 'script_main', access => 'shared_memory')",
    );
    server.expect_log("FATAL:  database connection requirement not indicated during registration");
}

/// A step of the script: call, name, text, argument, read-only, row limit; and what the worker must tell of it.
type Step = (&'static str, &'static str, &'static str, Option<i32>, bool, i64, &'static str);

/// Has a worker carry out a script of SPI calls, in both isolations.
fn run_script(steps: &[Step]) {
    for isolation in ISOLATIONS {
        let server = with_scripted_workers(isolation);
        server.query(
            "CREATE TABLE spi_script (step int PRIMARY KEY, call text, name text, text text, argument text, \
             read_only bool, row_limit int8); CREATE TABLE t (id int PRIMARY KEY, v text)",
        );
        for (index, (call, name, text, argument, read_only, row_limit, _)) in steps.iter().enumerate() {
            let argument = argument.map_or("NULL".to_owned(), |value| value.to_string());
            let text = text.replace('\'', "''");
            server.query(&format!(
                "INSERT INTO spi_script VALUES ({}, '{call}', '{name}', '{text}', {argument}, {read_only}, {row_limit})",
                index + 1
            ));
        }
        let handle = server.query("SELECT register_dynamic_background_worker('spi_script', 'script_main')");
        server.query(&format!("SELECT wait_for_background_worker_shutdown({handle})"));
        server.expect_log("the script is done");
        let log = server.log();
        let told = log.lines().filter_map(|line| Some(line.split_once("LOG:  step ")?.1));
        let expected =
            steps.iter().enumerate().map(|(index, step)| format!("{}: {}: {}", index + 1, step.0, step.6));
        let (told, expected): (Vec<String>, Vec<String>) =
            (told.map(str::to_owned).collect(), expected.collect());
        assert_eq!(told, expected, "in isolation {isolation}");
    }
}

const BEGIN: Step = ("begin", "", "", None, false, 0, "done");
const COMMIT: Step = ("commit", "", "", None, false, 0, "done");
const ROLLBACK: Step = ("rollback", "", "", None, false, 0, "done");

const fn execute(text: &'static str, told: &'static str) -> Step {
    ("execute", "", text, None, false, 0, told)
}

const fn execute_limited(text: &'static str, row_limit: i64, told: &'static str) -> Step {
    ("execute", "", text, None, false, row_limit, told)
}

const fn execute_read_only(text: &'static str, told: &'static str) -> Step {
    ("execute", "", text, None, true, 0, told)
}

#[test]
fn row_12_a_unit_of_work_executes_and_commits() {
    run_script(&[
        BEGIN,
        execute("INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 10) i", "code 7 processed 10"),
        execute("SELECT count(*) FROM t", "code 5 processed 1 [count] 10"),
        execute_limited("SELECT id FROM t ORDER BY id", 3, "code 5 processed 3 [id] 1 2 3"),
        execute("SELECT id FROM t WHERE id > 99", "code 5 processed 0 [id] "),
        execute("SELECT id, v INTO copied FROM t WHERE id < 4", "code 6 processed 3"),
        execute("CREATE TABLE made AS SELECT id FROM t WHERE id < 6", "code 4 processed 5"),
        execute("CREATE TABLE other (a int)", "code 4 processed 0"),
        execute("UPDATE t SET v = 'w' WHERE id <= 2", "code 9 processed 2"),
        execute("DELETE FROM t WHERE id = 10", "code 8 processed 1"),
        execute("INSERT INTO t VALUES (11, NULL) RETURNING id, v", "code 11 processed 1 [id|v] 11|NULL"),
        execute("UPDATE t SET v = 'x' WHERE id = 1 RETURNING v", "code 13 processed 1 [v] x"),
        execute("DELETE FROM t WHERE id = 11 RETURNING id", "code 12 processed 1 [id] 11"),
        execute(
            "MERGE INTO t USING (VALUES (1)) s (id) ON t.id = s.id WHEN MATCHED THEN DELETE",
            "code 18 processed 1",
        ),
        execute("INSERT INTO other VALUES (1); SELECT a FROM other", "code 5 processed 1 [a] 1"),
        ("execute", "", "SELECT v FROM t WHERE id = $1", Some(2), false, 0, "code 5 processed 1 [v] w"),
        execute("", "code 14 processed 0"),
        execute("COPY t TO STDOUT", "code -2 processed 0"),
        execute("COMMIT", "code -8 processed 0"),
        execute("SAVEPOINT s", "code -8 processed 0"),
        execute_limited("SELECT 1", -1, "code -6 processed 0"),
        COMMIT,
        BEGIN,
        execute("SELECT count(*) FROM t", "code 5 processed 1 [count] 8"),
        ROLLBACK,
    ]);
}

#[test]
fn row_12_read_only_work_writes_nothing() {
    let refused = "error 0A000 INSERT is not allowed in a non-volatile function";
    run_script(&[
        BEGIN,
        execute_read_only("SELECT count(*) FROM t", "code 5 processed 1 [count] 0"),
        execute_read_only("INSERT INTO t VALUES (1, 'a')", refused),
        ROLLBACK,
        BEGIN,
        ("prepare", "p", "INSERT INTO t VALUES ($1, 'a')", Some(0), false, 0, "done"),
        ("execute_plan", "p", "", Some(1), true, 0, refused),
        ROLLBACK,
        BEGIN,
        execute("SELECT count(*) FROM t", "code 5 processed 1 [count] 0"),
        COMMIT,
    ]);
}

#[test]
fn row_12_plans_outlive_the_transaction_until_they_are_freed() {
    run_script(&[
        BEGIN,
        ("prepare", "insert", "INSERT INTO t VALUES ($1, 'a')", Some(0), false, 0, "done"),
        ("prepare", "select", "SELECT id FROM t WHERE id >= $1 ORDER BY id", Some(0), false, 0, "done"),
        ("execute_plan", "insert", "", Some(1), false, 0, "code 7 processed 1"),
        ("execute_plan", "insert", "", Some(2), false, 0, "code 7 processed 1"),
        COMMIT,
        BEGIN,
        ("execute_plan", "select", "", Some(1), true, 0, "code 5 processed 2 [id] 1 2"),
        ("execute_plan", "select", "", Some(1), true, 1, "code 5 processed 1 [id] 1"),
        ("free_plan", "select", "", None, false, 0, "done"),
        (
            "execute_plan",
            "select",
            "",
            Some(1),
            true,
            0,
            "error 26000 prepared statement \"select\" does not exist",
        ),
        ROLLBACK,
    ]);
}

#[test]
fn row_12_cursors_fetch_and_move_both_ways() {
    run_script(&[
        BEGIN,
        execute("INSERT INTO t SELECT i, 'v' FROM generate_series(1, 6) i", "code 7 processed 6"),
        ("cursor_open", "c", "SELECT id FROM t WHERE id > $1 ORDER BY id", Some(0), true, 0, "done"),
        ("cursor_fetch", "c", "", None, false, 2, "code 3 processed 2 [id] 1 2"),
        ("cursor_move", "c", "", None, false, 2, "code 3 processed 2"),
        ("cursor_fetch", "c", "", None, false, 9, "code 3 processed 2 [id] 5 6"),
        ("cursor_fetch", "c", "", None, false, -2, "code 3 processed 2 [id] 6 5"),
        ("cursor_close", "c", "", None, false, 0, "done"),
        ("prepare", "p", "SELECT id FROM t WHERE id = $1", Some(0), false, 0, "done"),
        ("cursor_open_plan", "d", "p", Some(3), true, 0, "done"),
        ("cursor_fetch", "d", "", None, false, 5, "code 3 processed 1 [id] 3"),
        (
            "cursor_open",
            "e",
            "DELETE FROM t",
            None,
            false,
            0,
            "error 42P11 cannot open DELETE query as cursor",
        ),
        ROLLBACK,
        BEGIN,
        (
            "cursor_open",
            "f",
            "SELECT 1; SELECT 2",
            None,
            false,
            0,
            "error 42P11 cannot open multi-query plan as cursor",
        ),
        ROLLBACK,
        BEGIN,
        ("cursor_fetch", "c", "", None, false, 1, "error 34000 cursor \"c\" does not exist"),
        ROLLBACK,
    ]);
}

#[test]
fn row_12_an_error_in_a_subtransaction_is_undone_alone() {
    let duplicate = "error 23505 duplicate key value violates unique constraint \"t_pkey\"";
    run_script(&[
        BEGIN,
        execute("INSERT INTO t VALUES (1, 'kept')", "code 7 processed 1"),
        ("begin_subtransaction", "s", "", None, false, 0, "done"),
        execute("INSERT INTO t VALUES (2, 'lost')", "code 7 processed 1"),
        execute("INSERT INTO t VALUES (1, 'again')", duplicate),
        ("rollback_subtransaction", "s", "", None, false, 0, "done"),
        ("begin_subtransaction", "s", "", None, false, 0, "done"),
        execute("INSERT INTO t VALUES (3, 'kept')", "code 7 processed 1"),
        ("release_subtransaction", "s", "", None, false, 0, "done"),
        COMMIT,
        BEGIN,
        execute("SELECT id, v FROM t ORDER BY id", "code 5 processed 2 [id|v] 1|kept 3|kept"),
        ROLLBACK,
    ]);
}

#[test]
fn row_12_an_uncaught_error_ends_the_worker_and_undoes_its_work() {
    for isolation in ISOLATIONS {
        let server = with_scripted_workers(isolation);
        // The script's table is missing: the worker's own first command fails.
        let handle =
            server.query("SELECT register_dynamic_background_worker('spi_script', 'script_main', 'lost')");
        server.query(&format!("SELECT wait_for_background_worker_shutdown({handle})"));
        server.expect_log("ERROR:  relation \"spi_script\" does not exist");
        assert!(!server.log().contains("the script is done"));
        assert_eq!(server.query(&format!("SELECT get_background_worker_status({handle})")), "stopped");
        eventually("its session is gone", || {
            server.query("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'lost'") == "0"
        });
    }
}

#[test]
fn row_14_a_missing_library_stops_the_start() {
    let mut server = Server::builder().set("shared_preload_libraries", "nosuch").launch();
    assert_eq!(server.wait(), 1);
    server.expect_log("FATAL:  could not access file \"nosuch\": No such file or directory");
}

#[test]
fn row_17_and_26_a_session_launches_any_worker_and_holds_a_handle() {
    let server = Server::start();
    server.query("CREATE EXTENSION background_worker");
    server.query("CREATE TABLE launched (handle bigint)");
    server.query(
        "INSERT INTO launched SELECT register_dynamic_background_worker('worker_spi', 'worker_spi_main', 'mine', '', 7)",
    );
    let pid = server.query("SELECT wait_for_background_worker_startup(handle) FROM launched");
    assert_eq!(workers_of(&server, "postgres: bgworker: mine"), [pid.parse::<i32>().expect("a pid")]);
    assert_eq!(server.query("SELECT get_background_worker_status(handle) FROM launched"), "started");
    server.query("SELECT terminate_background_worker(handle) FROM launched");
    assert_eq!(server.query("SELECT wait_for_background_worker_shutdown(handle) FROM launched"), "stopped");
    assert_eq!(server.query("SELECT get_background_worker_pid(handle) IS NULL FROM launched"), "t");
}

#[test]
fn row_18_library_and_function_are_looked_up_when_the_worker_starts() {
    let server = Server::start();
    server.query("CREATE EXTENSION background_worker");
    server.query("SELECT register_dynamic_background_worker('nosuch', 'main')");
    server.expect_log("could not access file \"nosuch\": No such file or directory");
    server.query("SELECT register_dynamic_background_worker('worker_spi', 'nosuch')");
    server.expect_log("could not find function \"nosuch\" in file \"worker_spi\"");
}

#[test]
fn row_20_nothing_is_preloaded_by_default() {
    let server = Server::start();
    let printed = server.psql("SHOW shared_preload_libraries").out;
    assert_eq!(printed, " shared_preload_libraries \n--------------------------\n \n(1 row)\n\n");
}

#[test]
fn row_21_the_extension_lists_its_function() {
    let server = Server::start();
    assert_eq!(server.psql("CREATE EXTENSION worker_spi").out, "CREATE EXTENSION\n");
    assert_eq!(
        server.psql("\\dx+ worker_spi").out,
        "  Objects in extension \"worker_spi\"\n         Object description          \n\
         -------------------------------------\n function worker_spi_launch(integer)\n(1 row)\n\n"
    );
    assert_eq!(
        server.psql("\\dx").out,
        "               List of installed extensions\n    Name    | Version | Schema |       Description        \n\
         ------------+---------+--------+--------------------------\n \
         worker_spi | 1.0     | public | Sample background worker\n(1 row)\n\n"
    );
}

#[test]
fn row_22_and_23_two_workers_with_titles_and_schemas_of_their_own() {
    let server = with_fast_workers();
    let launched = server.psql("SELECT worker_spi_launch(1), worker_spi_launch(2)").out;
    assert_eq!(
        launched,
        " worker_spi_launch | worker_spi_launch \n-------------------+-------------------\n t                 | t\n(1 row)\n\n"
    );
    for index in [1, 2] {
        let title = format!("postgres: bgworker: worker {index}");
        eventually("the worker shows its title", || workers_of(&server, &title).len() == 1);
        assert!(!titled(&title).is_empty());
        wait_for_schema(&server, index);
    }
}

#[test]
fn row_24_no_more_than_the_limit() {
    let server = with_fast_workers();
    server.query("SELECT worker_spi_launch(1), worker_spi_launch(2)");
    let rows = server.query("select worker_spi_launch(generate_series(3,9))");
    assert_eq!(rows, "t\nt\nt\nt\nt\nt\nf");
    eventually("eight workers are connected", || {
        server.query("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'worker_spi'") == "8"
    });
}

#[test]
fn row_24_static_and_dynamic_workers_share_the_limit() {
    let server = Server::builder()
        .set("shared_preload_libraries", "count_relations, worker_spi")
        .set("max_worker_processes", "2")
        .start();
    server.expect_log("LOG:  too many background workers");
    server.expect_log("DETAIL:  Up to 2 background workers can be registered with the current settings.");
    server.expect_log("HINT:  Consider increasing the configuration parameter \"max_worker_processes\".");
    server.query("CREATE EXTENSION worker_spi");
    assert_eq!(server.query("SELECT worker_spi_launch(5)"), "f");
}

#[test]
fn row_25_terminating_a_worker_frees_its_slot_at_once() {
    let server = with_fast_workers();
    server.query("SELECT worker_spi_launch(i) FROM generate_series(1, 8) i");
    let workers = "FROM pg_stat_activity WHERE backend_type = 'worker_spi'";
    eventually("eight workers are connected", || server.query(&format!("SELECT count(*) {workers}")) == "8");
    assert_eq!(server.query("SELECT worker_spi_launch(9)"), "f");
    let pid = server.query(&format!("SELECT min(pid) {workers}"));
    assert_eq!(server.query(&format!("SELECT pg_terminate_backend({pid}, 5000)")), "t");
    assert_eq!(server.query("SELECT worker_spi_launch(9)"), "t");
}

#[test]
fn activity_of_a_worker_has_postgresqls_columns() {
    let server = with_fast_workers();
    server.query("SELECT worker_spi_launch(1)");
    wait_for_schema(&server, 1);
    let asleep = "SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'worker_spi'";
    eventually("the worker sleeps", || server.query(asleep) == "Extension");
    let columns = "datname, leader_pid IS NULL, usename, application_name = '', client_addr IS NULL, client_port IS NULL, \
                   backend_start IS NOT NULL, xact_start IS NULL, query_start IS NOT NULL, wait_event_type, wait_event, \
                   state, backend_xid IS NULL, query_id IS NULL, left(query, 20)";
    assert_eq!(
        server.query(&format!("SELECT {columns} FROM pg_stat_activity WHERE backend_type = 'worker_spi'")),
        "postgres|t|postgres|t|t|t|t|t|t|Extension|Extension|idle|t|t|WITH deleted AS (DEL"
    );
}

#[test]
fn a_killed_worker_harms_nobody_and_its_transaction_is_gone() {
    let server = Server::builder()
        .set("shared_preload_libraries", "count_relations")
        .set("count_relations.restart_time", "2")
        .start();
    server.expect_log("Currently ");
    let bystander = server.query("SELECT 42");
    assert_eq!(bystander, "42");
    let title = "postgres: bgworker: count relations";
    let victim = workers_of(&server, title)[0];
    let killed = Instant::now();
    kill(victim);
    eventually("the worker is back", || workers_of(&server, title).iter().any(|pid| *pid != victim));
    let away = killed.elapsed();
    assert!(
        away >= Duration::from_millis(1990) && away < Duration::from_millis(2400),
        "it was away {away:?}"
    );
    server.expect_log("was terminated by signal 9: Killed");
    assert_eq!(server.query("SELECT 42"), "42");
}

#[test]
fn version_two_returns_the_pid() {
    let server = with_fast_workers();
    server.query("ALTER EXTENSION worker_spi UPDATE TO '2.0'");
    let pid = server.query("SELECT worker_spi_launch(4)");
    assert_eq!(workers_of(&server, "postgres: bgworker: worker 4"), [pid.parse::<i32>().expect("a pid")]);
    assert_eq!(
        server.psql("\\dx+ worker_spi").out.lines().nth(3),
        Some(" function worker_spi_launch(integer,oid,oid,text[])")
    );
}
