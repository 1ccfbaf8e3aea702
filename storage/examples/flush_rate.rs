//! How fast concurrent committers get their commits onto the disk, without anything above the engine:
//!
//!     cargo run --release -p postilion-storage --example flush_rate -- COMMITTERS SECONDS
//!
//! With the delay of `tests/fault/shim.c` before it, it shows how flushes are shared. Printed are commits a second, flushes
//! a second, and how long a commit waited for its flush on average.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for people")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use storage::{Database, DatabaseOptions, Value};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().unwrap());
    let committers = arguments.next().unwrap_or(16);
    let seconds = Duration::from_secs(arguments.next().unwrap_or(5));
    let directory = tempfile::tempdir().unwrap();
    let options = DatabaseOptions { create: true, idle_connections_max: 64 };
    let database = Database::open(&directory.path().join("base"), options).unwrap();
    database.connection().unwrap().execute("CREATE TABLE t (a)", &[]).unwrap();
    let (commits, waited) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let started = Instant::now();
    let flushes = database.flush_count();
    std::thread::scope(|scope| {
        for number in 0..committers {
            let (database, commits, waited) = (database.clone(), commits.clone(), waited.clone());
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    while started.elapsed() < seconds {
                        let lock = database.write_lock().await;
                        let mut connection = database.connection().unwrap();
                        connection.begin_write().unwrap();
                        connection
                            .execute("INSERT INTO t VALUES (?)", &[Value::Integer(number as i64)])
                            .unwrap();
                        connection.commit().unwrap();
                        let commit = connection.last_commit();
                        drop(connection);
                        drop(lock);
                        let flushing = Instant::now();
                        database.flush_to(commit).await.unwrap();
                        waited.fetch_add(flushing.elapsed().as_micros() as u64, Ordering::Relaxed);
                        commits.fetch_add(1, Ordering::Relaxed);
                    }
                });
            });
        }
    });
    let (commits, elapsed) = (commits.load(Ordering::Relaxed), started.elapsed().as_secs_f64());
    println!(
        "{committers} committers: {:.0} commits/s, {:.0} flushes/s, {:.0} us waited for each",
        commits as f64 / elapsed,
        (database.flush_count() - flushes) as f64 / elapsed,
        waited.load(Ordering::Relaxed) as f64 / commits as f64
    );
}
