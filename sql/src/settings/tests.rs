//! Settings: text in, text out.

use std::sync::Arc;

use super::*;

fn session() -> SessionSettings {
    let mut settings = SessionSettings::new(Arc::default());
    settings.set_superuser(true);
    settings.finish_start();
    settings
}

/// SET and SHOW; an error as `SQLSTATE message`.
fn set_show(name: &str, value: &str) -> String {
    let mut settings = session();
    match settings.set(name, Some(value), SetScope::Session) {
        Ok(()) => settings.show(name).expect("it was just set").1,
        Err(error) => {
            let hint = error.0.hint.as_ref().map(|hint| format!(" HINT {hint}")).unwrap_or_default();
            format!("{} {}{hint}", error.code(), error.message())
        }
    }
}

#[test]
fn values_and_errors_are_postgresqls() {
    for (name, value, expected) in [
        ("work_mem", "8MB", "8MB"),
        ("work_mem", "4096", "4MB"),
        ("work_mem", "1.5MB", "1536kB"),
        ("work_mem", "0x40", "64kB"),
        ("statement_timeout", "1min", "1min"),
        ("statement_timeout", "1500", "1500ms"),
        ("statement_timeout", "0", "0"),
        ("enable_seqscan", "of", "off"),
        ("enable_seqscan", "maybe", "22023 parameter \"enable_seqscan\" requires a Boolean value"),
        (
            "work_mem",
            "1",
            "22023 1 kB is outside the valid range for parameter \"work_mem\" (64 .. 2147483647)",
        ),
        (
            "statement_timeout",
            "-1",
            "22023 -1 ms is outside the valid range for parameter \"statement_timeout\" (0 .. 2147483647)",
        ),
        (
            "work_mem",
            "1 potato",
            "22023 invalid value for parameter \"work_mem\": \"1 potato\" HINT Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".",
        ),
        ("work_mem", "x", "22023 invalid value for parameter \"work_mem\": \"x\""),
        (
            "extra_float_digits",
            "99999999999",
            "22023 invalid value for parameter \"extra_float_digits\": \"99999999999\" HINT Value exceeds integer range.",
        ),
        (
            "IntervalStyle",
            "x",
            "22023 invalid value for parameter \"IntervalStyle\": \"x\" HINT Available values: postgres, postgres_verbose, sql_standard, iso_8601.",
        ),
        ("synchronous_commit", "TRUE", "on"),
        ("cpu_tuple_cost", "0.02", "0.02"),
        ("jit_above_cost", "1e7", "1e+07"),
        (
            "random_page_cost",
            "-1",
            "22023 -1 is outside the valid range for parameter \"random_page_cost\" (0 .. 1.79769e+308)",
        ),
        ("datestyle", "sql", "SQL, MDY"),
        ("datestyle", "german", "German, DMY"),
        ("datestyle", "iso, ymd", "ISO, YMD"),
        ("datestyle", "iso, sql", "22023 invalid value for parameter \"DateStyle\": \"iso, sql\""),
        ("timezone", "europe/berlin", "Europe/Berlin"),
        ("timezone", "UTC", "UTC"),
        ("timezone", "-5", "<-05>+05"),
        ("timezone", "5.5", "<+05:30>-05:30"),
        ("timezone", "Nowhere/None", "22023 invalid value for parameter \"TimeZone\": \"Nowhere/None\""),
        ("client_encoding", "unicode", "UTF8"),
        ("client_encoding", "latin1", "0A000 invalid value for parameter \"client_encoding\": \"latin1\""),
        ("client_encoding", "foo", "22023 invalid value for parameter \"client_encoding\": \"foo\""),
        (
            "max_worker_processes",
            "9",
            "55P02 parameter \"max_worker_processes\" cannot be changed without restarting the server",
        ),
        ("worker_isolation", "task", "55P02 parameter \"worker_isolation\" cannot be changed now"),
        ("log_connections", "on", "55P02 parameter \"log_connections\" cannot be set after connection start"),
        ("block_size", "1", "55P02 parameter \"block_size\" cannot be changed"),
        ("nosuch", "1", "42704 unrecognized configuration parameter \"nosuch\""),
        ("my.custom", "x", "x"),
        ("my.0", "x", "42602 invalid configuration parameter name \"my.0\""),
        (
            "standard_conforming_strings",
            "off",
            "0A000 parameter \"standard_conforming_strings\" supports the value \"on\" only",
        ),
    ] {
        assert_eq!(set_show(name, value), expected, "SET {name} = {value}");
    }
}

#[test]
fn defaults_are_shown_as_postgresql_shows_them() {
    let settings = session();
    for (name, expected) in [
        ("unix_socket_permissions", "0777"),
        ("shared_buffers", "128MB"),
        ("checkpoint_timeout", "5min"),
        ("track_activity_query_size", "1kB"),
        ("wal_segment_size", "16MB"),
        ("server_version_num", "150018"),
        ("transaction_isolation", "read committed"),
    ] {
        assert_eq!(settings.show(name).expect("a built-in setting").1, expected, "SHOW {name}");
    }
}

#[test]
fn transactions_and_savepoints_undo_sets() {
    let mut settings = session();
    let mut log = Vec::new();
    let mut step = |settings: &mut SessionSettings, what: &str| {
        match what.split_once(' ') {
            Some(("set", value)) => settings.set("work_mem", Some(value), SetScope::Session),
            Some(("local", value)) => settings.set("work_mem", Some(value), SetScope::Local),
            _ => {
                match what {
                    "begin" | "savepoint" => settings.begin_level(),
                    "release" => settings.commit_level(),
                    "back" => settings.abort_level(),
                    "commit" => settings.commit(),
                    _ => settings.rollback(),
                }
                Ok(())
            }
        }
        .expect("the values are good");
        log.push(format!("{what}: {}", settings.show("work_mem").expect("it exists").1));
    };
    for what in [
        "begin",
        "set 1MB",
        "local 2MB",
        "savepoint",
        "set 3MB",
        "back",
        "commit",
        "begin",
        "savepoint",
        "local 5MB",
        "release",
        "commit",
        "begin",
        "set 6MB",
        "savepoint",
        "set 7MB",
        "release",
        "rollback",
    ] {
        step(&mut settings, what);
    }
    assert_eq!(
        log,
        [
            "begin: 4MB",
            "set 1MB: 1MB",
            "local 2MB: 2MB",
            "savepoint: 2MB",
            "set 3MB: 3MB",
            "back: 2MB",
            "commit: 1MB",
            "begin: 1MB",
            "savepoint: 1MB",
            "local 5MB: 5MB",
            "release: 5MB",
            "commit: 1MB",
            "begin: 1MB",
            "set 6MB: 6MB",
            "savepoint: 6MB",
            "set 7MB: 7MB",
            "release: 7MB",
            "rollback: 1MB"
        ]
    );
}

#[test]
fn clients_are_told_of_changes_once() {
    let mut settings = session();
    assert_eq!(settings.take_reported_changes().len(), 13);
    settings.begin_level();
    settings.set("timezone", Some("Asia/Tokyo"), SetScope::Session).expect("a zone");
    assert_eq!(settings.take_reported_changes(), [("TimeZone", "Asia/Tokyo".to_owned())]);
    settings.rollback();
    assert_eq!(settings.take_reported_changes(), [("TimeZone", "GMT".to_owned())]);
    assert!(settings.take_reported_changes().is_empty());
}

#[test]
fn files_are_loaded_reloaded_and_written() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (main, auto) = (directory.path().join(CONFIG_FILE_NAME), directory.path().join(AUTO_FILE_NAME));
    std::fs::write(&main, "work_mem = 8MB\nworker_spi.naptime = 3\nport = 5433\n").expect("writable");
    let server = ServerSettings::default();
    server.set_at_start("port", "6000", Source::CommandLine).expect("a port");
    server.load(&main, &auto).expect("a good file");
    assert_eq!(server.integer(id::PORT), 6000);
    let naptime = definition::integer("worker_spi.naptime", definition::Context::Sighup, 10, 1, 100, "Naps.");
    let (naptime, reports) = server.define(naptime);
    assert!(reports.is_empty());
    assert_eq!(server.integer(naptime), 3);
    server.alter_system("work_mem", Some("9MB")).expect("writable");
    server.alter_system("max_worker_processes", Some("20")).expect("writable");
    std::fs::write(&main, "work_mem = 8MB\nworker_spi.naptime = 101\n").expect("writable");
    let messages: Vec<String> = server.reload().into_iter().map(|report| report.message).collect();
    assert_eq!(
        messages,
        [
            "parameter \"max_worker_processes\" cannot be changed without restarting the server".to_owned(),
            "parameter \"work_mem\" changed to \"9MB\"".to_owned(),
            "101 is outside the valid range for parameter \"worker_spi.naptime\" (1 .. 100)".to_owned(),
            format!(
                "configuration file \"{}\" contains errors; unaffected changes were applied",
                main.display()
            ),
        ]
    );
    assert!(server.assigned(id::MAX_WORKER_PROCESSES).pending_restart);
}
