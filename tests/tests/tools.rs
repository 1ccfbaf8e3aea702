//! `postilion backup` and `postilion check`, checkpoints, and what maintenance leaves to be seen.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use harness::{Faults, Server, binary, eventually};
use rustix::process::Signal;

fn postilion(arguments: &[&str], directory: &Path) -> Output {
    let output = Command::new(binary()).args(arguments).arg("-D").arg(directory).output();
    output.expect("the binary runs")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

const CONTENT: &str = "
    CREATE ROLE reader LOGIN; CREATE SCHEMA s; CREATE TABLE s.t (id serial PRIMARY KEY, v text);
    CREATE INDEX ON s.t (lower(v)); INSERT INTO s.t (v) SELECT 'V' || i FROM generate_series(1, 500) i";

#[test]
fn a_backup_of_a_running_server_is_a_directory_to_start_on() {
    let server = Server::start();
    server.query(CONTENT);
    server.query("CREATE DATABASE other");
    let number: u64 = server.query("SELECT txid_current()").parse().expect("a number");
    let data = server.directory().path().join("data");
    let copies = std::sync::Arc::new(tempfile::tempdir().expect("a temporary directory"));
    let target = copies.path().join("data");
    let output = postilion(&["backup", target.to_str().expect("UTF-8")], &data);
    assert!(output.status.success(), "{}", text(&output));
    server.query("INSERT INTO s.t (v) VALUES ('after the backup')");
    let refused = postilion(&["backup", target.to_str().expect("UTF-8")], &data);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("exists but is not empty"), "{}", text(&refused));

    assert!(text(&postilion(&["check"], &target)).contains("database \"postgres\": ok"));
    let copy = Server::builder().directory(copies).start();
    let next: u64 = copy.query("SELECT txid_current()").parse().expect("a number");
    assert!(next > number, "{next} comes again after {number}");
    assert_eq!(copy.query("SELECT count(*), max(id) FROM s.t"), "500|500");
    assert_eq!(copy.query("INSERT INTO s.t (v) VALUES ('new') RETURNING id > 500"), "t\nINSERT 0 1");
    let there = "SELECT (SELECT count(*) FROM pg_roles WHERE rolname = 'reader'), \
                 (SELECT count(*) FROM pg_database WHERE datname = 'other')";
    assert_eq!(copy.query(there), "1|1");
}

#[test]
fn check_finds_a_damaged_page_and_an_unknown_table() {
    let mut server = Server::start();
    server.query(CONTENT);
    let data = server.directory().path().join("data");
    let online = postilion(&["check"], &data);
    assert!(online.status.success(), "{}", text(&online));
    assert!(text(&online).contains("database \"postgres\": ok"), "{}", text(&online));
    let database = server.query("SELECT oid FROM pg_database WHERE datname = 'postgres'");
    assert_eq!(server.stop(), 0);
    assert!(postilion(&["check"], &data).status.success());
    let path = data.join(format!("base/{database}.sqlite"));
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("the file is there");
    let size = file.metadata().expect("it has a size").len();
    file.write_all_at(&[0x55; 4096], size - 4096).expect("written");
    let damaged = postilion(&["check"], &data);
    assert_eq!(damaged.status.code(), Some(2), "{}", text(&damaged));
    assert!(text(&damaged).contains("database \"template1\": ok"), "{}", text(&damaged));
}

#[test]
fn a_backup_goes_to_a_directory_that_is_missing_or_empty() {
    let server = Server::start();
    let data = server.directory().path().join("data");
    let copies = tempfile::tempdir().expect("a temporary directory");
    let back_up = |target: &Path| postilion(&["backup", target.to_str().expect("UTF-8")], &data);
    let names = |directory: &Path| {
        let entries = std::fs::read_dir(directory).expect("readable").flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names
    };
    // A cluster's files whose settings were lost are somebody's, too.
    let filled = copies.path().join("filled");
    std::fs::create_dir_all(filled.join("base")).expect("made");
    std::fs::write(filled.join("base/5.sqlite"), "precious").expect("written");
    let other = copies.path().join("other");
    std::fs::create_dir(&other).expect("made");
    std::fs::write(other.join("letter"), "precious").expect("written");
    for (target, left) in [(&filled, "base"), (&other, "letter")] {
        let refused = back_up(target);
        assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
        assert!(text(&refused).contains("exists but is not empty"), "{}", text(&refused));
        assert_eq!(names(target), [left]);
    }
    assert_eq!(names(&filled.join("base")), ["5.sqlite"]);
    let (empty, missing) = (copies.path().join("empty"), copies.path().join("a/b/missing"));
    std::fs::create_dir(&empty).expect("made");
    for target in [&empty, &missing] {
        let output = back_up(target);
        assert!(output.status.success(), "{}", text(&output));
        assert!(names(target).contains(&"PG_VERSION".to_owned()));
    }
}

#[test]
fn a_backup_that_fails_leaves_nothing() {
    let faults = Faults::default();
    let copies = tempfile::tempdir().expect("a temporary directory");
    let inside = copies.path().canonicalize().expect("it exists");
    let server = faults.failing("ENOSPC", "write").environment("FAULT_DIR", inside.to_str().expect("UTF-8"));
    let server = server.start();
    let data = server.directory().path().join("data");
    let (empty, missing) = (copies.path().join("empty"), copies.path().join("missing"));
    std::fs::create_dir(&empty).expect("made");
    faults.begin();
    for target in [&empty, &missing] {
        let failed = postilion(&["backup", target.to_str().expect("UTF-8")], &data);
        assert_eq!(failed.status.code(), Some(1), "{}", text(&failed));
    }
    assert_eq!(std::fs::read_dir(&empty).expect("it is there").count(), 0);
    assert!(!missing.exists());
    faults.end();
    for target in [&empty, &missing] {
        let output = postilion(&["backup", target.to_str().expect("UTF-8")], &data);
        assert!(output.status.success(), "{}", text(&output));
    }
}

/// A command line that is under way.
fn asking(arguments: &[&str], directory: &Path) -> Child {
    let mut command = Command::new(binary());
    command.args(arguments).arg("-D").arg(directory).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary runs")
}

/// The output of one that must end by itself.
fn ended(mut asker: Child) -> Output {
    eventually("the command ends", || asker.try_wait().expect("waitable").is_some());
    asker.wait_with_output().expect("it has ended")
}

/// The files by which command lines and server talk.
fn errand_files(data: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(data).expect("readable").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| name.starts_with("postilion.errand") || name.starts_with("postilion.answer"))
        .collect()
}

#[test]
fn commands_side_by_side_each_get_their_own_answer() {
    const EACH: usize = 4;
    let server = Server::start();
    let data = server.directory().path().join("data");
    let copies = tempfile::tempdir().expect("a temporary directory");
    // All signals become one.
    server.signal(Signal::STOP);
    let askers: Vec<_> = (0..EACH)
        .map(|number| {
            let target = copies.path().join(number.to_string()).display().to_string();
            (asking(&["check"], &data), asking(&["backup", &target], &data), target)
        })
        .collect();
    eventually("all have asked", || errand_files(&data).len() >= 2 * EACH);
    server.signal(Signal::CONT);
    for (check, backup, target) in askers {
        let (check, backup) = (ended(check), ended(backup));
        assert!(check.status.success(), "{}", text(&check));
        assert!(text(&check).contains("database \"postgres\": ok"), "{}", text(&check));
        assert!(backup.status.success(), "{}", text(&backup));
        assert!(text(&backup).ends_with(&format!("databases to \"{target}\"\n")), "{}", text(&backup));
    }
    eventually("nothing is left", || errand_files(&data).is_empty());
}

#[test]
fn a_command_that_was_killed_is_in_nobodys_way() {
    let server = Server::start();
    let data = server.directory().path().join("data");
    let copies = tempfile::tempdir().expect("a temporary directory");
    let target = copies.path().join("copy");
    server.signal(Signal::STOP);
    let mut killed = asking(&["backup", target.to_str().expect("UTF-8")], &data);
    eventually("it has asked", || !errand_files(&data).is_empty());
    killed.kill().expect("it can be killed");
    killed.wait().expect("waitable");
    server.signal(Signal::CONT);
    let check = ended(asking(&["check"], &data));
    assert!(check.status.success(), "{}", text(&check));
    eventually("nothing is left", || errand_files(&data).is_empty());
    assert!(!target.exists(), "who has gone is not served");
}

#[test]
fn a_command_that_cannot_be_answered_fails() {
    let faults = Faults::default();
    let server = faults.failing("ENOSPC", "write").environment("FAULT_MATCH", "postilion.answer").start();
    let data = server.directory().path().join("data");
    faults.begin();
    let check = ended(asking(&["check"], &data));
    assert_eq!(check.status.code(), Some(1), "{}", text(&check));
    assert!(text(&check).contains("the server could not answer"), "{}", text(&check));
    server.expect_log("could not answer a command line");
    faults.end();
    let check = ended(asking(&["check"], &data));
    assert!(check.status.success(), "{}", text(&check));
    assert_eq!(errand_files(&data), [""; 0]);
}

#[test]
fn a_directory_without_a_cluster_is_refused() {
    let empty = tempfile::tempdir().expect("a temporary directory");
    let output = postilion(&["check"], empty.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("is not a data directory"), "{}", text(&output));
}

#[test]
fn checkpoints_are_counted_and_logged() {
    let server = Server::start();
    server.query(CONTENT);
    server.query("CHECKPOINT");
    server.expect_log("checkpoint starting: immediate force wait");
    server.expect_log("checkpoint complete: wrote ");
    assert_eq!(
        server.query("SELECT checkpoints_req >= 1 AND buffers_checkpoint > 0 FROM pg_stat_bgwriter"),
        "t"
    );
    let refused = server.error("SET ROLE reader; CHECKPOINT");
    assert!(refused.contains("must be superuser or have privileges of pg_checkpoint"), "{refused}");
    server.query("GRANT pg_checkpoint TO reader");
    server.query("SET ROLE reader; CHECKPOINT");
}

#[test]
fn a_file_is_not_built_anew_under_locked_rows() {
    let server = Server::start();
    // Without an integer key the engine's numbers of rows are its own, and the new file has them without gaps.
    server.query(
        "CREATE TABLE t (v text); INSERT INTO t VALUES ('a'), ('b'), ('c'); DELETE FROM t WHERE v = 'a'",
    );
    server.query("CREATE TABLE other (v text)");
    let held = "BEGIN; SELECT * FROM t WHERE v = 'b' FOR UPDATE; SET lock_timeout = 0; SELECT pg_sleep(60)";
    let mut holder = server.psql_command("postgres").args(["-c", held]).spawn().expect("psql runs");
    eventually("the row is locked", || {
        server.query("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "1"
    });
    for sql in ["VACUUM (FULL) other", "VACUUM (FULL) t", "VACUUM (FULL)"] {
        let command = server
            .psql_command("postgres")
            .args(["-c", "SET lock_timeout = '100ms'", "-c", sql])
            .output()
            .expect("psql runs");
        let told = text(&command);
        assert!(told.contains("canceling statement due to lock timeout"), "{sql}: {told}");
    }
    server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    holder.wait().expect("psql ends");
    server.query("VACUUM (FULL) t");
    assert_eq!(server.query("SELECT string_agg(v, ',' ORDER BY v) FROM t"), "b,c");
}

#[test]
fn sizes_are_what_rows_take() {
    let server = Server::start();
    server.query("CREATE TABLE t (v text); CREATE INDEX ON t (v); CREATE SEQUENCE q");
    let sizes =
        "SELECT pg_relation_size('t'), pg_table_size('t'), pg_indexes_size('t') > 0, pg_relation_size('q')";
    assert_eq!(server.query(sizes), "0|0|t|8192");
    server.query("INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 1000)");
    assert_eq!(server.query("SELECT pg_relation_size('t') BETWEEN 1000000 AND 2000000"), "t");
    assert_eq!(
        server.query(
            "SELECT pg_total_relation_size('t') - pg_relation_size('t') - pg_relation_size('t_v_idx'), \
             pg_total_relation_size('t') < pg_database_size(current_database())"
        ),
        "0|t"
    );
    server.query("TRUNCATE t");
    assert_eq!(server.query(sizes), "0|0|t|8192");
}

#[test]
fn maintenance_keeps_postgresqls_rules() {
    let server = Server::start();
    server.query(CONTENT);
    server.query("ANALYZE s.t");
    assert_eq!(server.query("SELECT reltuples, relpages > 0 FROM pg_class WHERE relname = 't'"), "500|t");
    server.query("VACUUM");
    server.query("DELETE FROM s.t WHERE id > 10");
    let before = server.query("SELECT pg_database_size('postgres')");
    server.query("VACUUM (FULL, ANALYZE) s.t");
    let after = server.query("SELECT pg_database_size('postgres')");
    assert!(after.parse::<i64>().ok() < before.parse::<i64>().ok(), "{before} {after}");
    assert_eq!(server.query("SELECT reltuples FROM pg_class WHERE relname = 't'"), "10");
    assert_eq!(server.query("SELECT count(*) FROM s.t WHERE lower(v) = 'v7'"), "1");
    server.query("REINDEX TABLE s.t");
    server.query("REINDEX INDEX s.t_lower_idx");
    server.query("REINDEX DATABASE postgres");
    for (sql, message) in [
        ("BEGIN; VACUUM", "VACUUM cannot run inside a transaction block"),
        ("VACUUM (frozen)", "unrecognized VACUUM option \"frozen\""),
        ("ANALYZE (full)", "unrecognized ANALYZE option \"full\""),
        ("VACUUM s.t (v)", "ANALYZE option must be specified when a column list is provided"),
        ("ANALYZE s.t (w)", "column \"w\" of relation \"t\" does not exist"),
        ("REINDEX INDEX s.t", "\"t\" is not an index"),
        ("REINDEX TABLE s.t_lower_idx", "\"t_lower_idx\" is not a table or materialized view"),
        ("REINDEX DATABASE template1", "can only reindex the currently open database"),
    ] {
        let told = server.error(sql);
        assert!(told.contains(message), "{sql}: {told}");
    }
    let told = server.psql("SET ROLE reader; ANALYZE pg_class");
    assert_eq!(told.code, 0, "{}", told.err);
}

#[test]
fn a_dump_is_restored_as_it_was() {
    let server = Server::start();
    server.query(CONTENT);
    server.query(
        "CREATE TYPE s.mood AS ENUM ('sad', 'ok'); \
         CREATE TABLE s.u (k int PRIMARY KEY, t int REFERENCES s.t ON DELETE CASCADE, m s.mood DEFAULT 'ok', \
                           n numeric(6,2) CHECK (n > 0), d date, a int[], UNIQUE (t, n)); \
         INSERT INTO s.u SELECT i, i, 'sad', i * 1.25, date '2026-11-29' + i, ARRAY[i, NULL] \
             FROM generate_series(1, 50) i; \
         COMMENT ON TABLE s.u IS 'a comment'; GRANT SELECT ON s.u TO reader",
    );
    server.query("CREATE DATABASE other");
    let dump = |database: &str| {
        let mut command = Command::new("pg_dump");
        let port = server.port().to_string();
        let output = command.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port, database]).output();
        let output = output.expect("pg_dump runs");
        assert!(output.status.success(), "{}", text(&output));
        // psql's guard has a word of its own in each dump.
        let lines = String::from_utf8(output.stdout).expect("UTF-8");
        lines
            .lines()
            .filter(|line| !line.contains("restrict "))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let first = dump("postgres");
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), &first).expect("written");
    let mut restore = server.psql_command("other");
    let restored = restore.args(["-q", "-v", "ON_ERROR_STOP=1", "-f"]).arg(file.path()).output();
    let restored = restored.expect("psql runs");
    assert!(restored.status.success(), "{}", text(&restored));
    assert_eq!(dump("other"), first);
}
