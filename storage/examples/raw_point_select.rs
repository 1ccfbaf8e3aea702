//! The yardsticks of the SPI benchmark: point selects through rusqlite itself, a cached statement each, on one connection
//! to a table of 10,000 rows, with a snapshot for each statement. Prints statements per second twice: for a file opened as
//! rusqlite does, which other processes may use, too, and for one that this process has for itself, as Postilion does.

use std::time::{Duration, Instant};

/// How long it measures.
const SPAN: Duration = Duration::from_secs(2);

/// Rows of the table.
const ROWS: i64 = 10_000;

fn main() -> rusqlite::Result<()> {
    for vfs in ["unix", "unix-excl"] {
        let rate = point_selects(vfs)?;
        #[allow(clippy::print_stdout, reason = "the figure is what the program is for")]
        {
            println!("{rate:.0}");
        }
    }
    Ok(())
}

/// Statements per second with one of SQLite's ways to open files.
fn point_selects(vfs: &str) -> rusqlite::Result<f64> {
    let file = std::env::temp_dir().join(format!("raw_point_select_{}", std::process::id()));
    let flags = rusqlite::OpenFlags::default();
    let connection = rusqlite::Connection::open_with_flags_and_vfs(&file, flags, vfs)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")?;
    connection.execute_batch("BEGIN")?;
    for id in 0..ROWS {
        connection.prepare_cached("INSERT INTO t VALUES (?1, ?2)")?.execute((id, format!("value {id}")))?;
    }
    connection.execute_batch("COMMIT")?;
    let began = Instant::now();
    let mut count = 0_i64;
    while began.elapsed() < SPAN {
        let id = count % ROWS;
        let _value: String =
            connection.prepare_cached("SELECT v FROM t WHERE id = ?1")?.query_row([id], |row| row.get(0))?;
        count += 1;
    }
    let rate = count as f64 / began.elapsed().as_secs_f64();
    drop(connection);
    for ending in ["", "-wal", "-shm"] {
        let mut name = file.clone().into_os_string();
        name.push(ending);
        // Not all of them exist.
        let _gone = std::fs::remove_file(name);
    }
    Ok(rate)
}
