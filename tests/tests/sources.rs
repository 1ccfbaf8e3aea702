//! What the source documents say of background workers, row by row: each test is named after its row, and shows on the
//! built server, through psql and `ps`, that the row holds.

use std::time::{Duration, Instant};

use harness::{Server, eventually, process_titles};

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
