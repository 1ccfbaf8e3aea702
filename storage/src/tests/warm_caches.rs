//! What connections keep cached while others commit.

use std::collections::BTreeMap;

use rusqlite::ffi;

use super::*;

/// Pages that the connection has read from its files since it was asked last.
fn pages_read(connection: &Connection) -> i32 {
    let (mut now, mut highest) = (0, 0);
    // SAFETY: the handle is live, and this thread is the one that uses it.
    let code = unsafe {
        let (raw, misses) = (connection.handle.raw(), ffi::SQLITE_DBSTATUS_CACHE_MISS);
        ffi::sqlite3_db_status(raw, misses, &raw mut now, &raw mut highest, 1)
    };
    assert_eq!(code, ffi::SQLITE_OK);
    now
}

#[test]
fn a_commit_costs_a_reader_the_pages_that_it_has_changed() {
    let fixture = fixture();
    let mut writer = fixture.connection();
    writer.begin_write().unwrap();
    writer.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, filler TEXT)", &[]).unwrap();
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
                INSERT INTO t SELECT i, 0, printf('%.200c', 'x') FROM n";
    writer.execute(rows, &[]).unwrap();
    writer.commit().unwrap();
    let mut reader = fixture.connection();
    assert_eq!(integer(&mut reader, "SELECT sum(n) FROM t"), 0);
    assert!(pages_read(&reader) > 500);
    for id in 1..=10 {
        writer.begin_write().unwrap();
        writer.execute("UPDATE t SET n = 1 WHERE id = ?", &[Value::Integer(id * 777)]).unwrap();
        writer.commit().unwrap();
        assert_eq!(integer(&mut reader, "SELECT sum(n) FROM t"), id);
        assert!((1..=3).contains(&pages_read(&reader)));
    }
    // More than is remembered.
    writer.execute("UPDATE t SET n = 2", &[]).unwrap();
    assert_eq!(integer(&mut reader, "SELECT sum(n) FROM t"), 20_000);
    assert!(pages_read(&reader) > 500);
    // A smaller file: what was behind its end is not taken for what comes there again.
    writer.execute("DELETE FROM t WHERE id > 10", &[]).unwrap();
    writer.execute("VACUUM", &[]).unwrap();
    writer.execute(&rows.replace("SELECT i, 0", "SELECT i + 10, 3"), &[]).unwrap();
    assert_eq!(integer(&mut reader, "SELECT sum(n) FROM t"), 30_020);
}

/// A sequence of numbers from a seed (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// A row: how long its text is, and of which letter.
type Rows = BTreeMap<i64, (i64, i64)>;

fn rows_of(connection: &mut Connection) -> Rows {
    let rows = connection.query("SELECT id, length(x), unicode(x) FROM t", &[]).unwrap();
    let of = |row: &Vec<Value>| match row[..] {
        [Value::Integer(id), Value::Integer(length), Value::Integer(letter)] => (id, (length, letter)),
        ref other => panic!("{other:?}"),
    };
    rows.iter().map(of).collect()
}

fn change(connection: &mut Connection, rows: &mut Rows, numbers: &mut Numbers) {
    let id = i64::try_from(numbers.below(300)).unwrap();
    if numbers.below(3) == 0 {
        connection.execute("DELETE FROM t WHERE id = ?", &[Value::Integer(id)]).unwrap();
        rows.remove(&id);
    } else {
        // From a part of a page to several pages.
        let longest = if numbers.below(4) == 0 { 20_000 } else { 300 };
        let length = i64::try_from(1 + numbers.below(longest)).unwrap();
        let letter = i64::try_from(97 + numbers.below(26)).unwrap();
        let text = "INSERT OR REPLACE INTO t SELECT ?1, printf('%.*c', ?2, char(?3))";
        connection.execute(text, &[id, length, letter].map(Value::Integer)).unwrap();
        rows.insert(id, (length, letter));
    }
}

/// One transaction of a writer: committed, undone, or undone in part.
fn write(connection: &mut Connection, committed: &mut Rows, numbers: &mut Numbers) {
    let mut rows = committed.clone();
    connection.begin_write().unwrap();
    for _ in 0..=numbers.below(20) {
        change(connection, &mut rows, numbers);
    }
    if numbers.below(3) == 0 {
        let before = rows.clone();
        connection.savepoint("s").unwrap();
        for _ in 0..=numbers.below(20) {
            change(connection, &mut rows, numbers);
        }
        if numbers.below(2) == 0 {
            connection.rollback_to("s").unwrap();
            rows = before;
        }
    }
    if numbers.below(4) == 0 {
        connection.rollback();
    } else {
        connection.commit().unwrap();
        *committed = rows;
    }
}

#[test]
fn warm_caches_show_what_is_committed() {
    for seed in 1..=6 {
        println!("seed {seed}");
        let (fixture, mut numbers, mut committed) = (fixture(), Numbers(seed), Rows::new());
        let mut connections: Vec<_> = (0..4).map(|_| fixture.connection()).collect();
        connections[0].execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)", &[]).unwrap();
        connections[0].execute("CREATE INDEX t_x ON t (x)", &[]).unwrap();
        // Old snapshots, and what they are to show.
        let mut open: [Option<Rows>; 4] = Default::default();
        for _ in 0..250 {
            let chosen = usize::try_from(numbers.below(4)).unwrap();
            let connection = &mut connections[chosen];
            match (open[chosen].take(), numbers.below(10)) {
                (Some(rows), 0..6) => {
                    assert_eq!(rows_of(connection), rows);
                    open[chosen] = Some(rows);
                }
                (Some(rows), _) => {
                    assert_eq!(rows_of(connection), rows);
                    connection.rollback();
                }
                (None, 0..4) => write(connection, &mut committed, &mut numbers),
                (None, 4..7) => assert_eq!(rows_of(connection), committed),
                (None, 7) => {
                    connection.begin_read().unwrap();
                    open[chosen] = Some(committed.clone());
                }
                (None, 8) => {
                    fixture.database.checkpoint().unwrap();
                }
                (None, _) if numbers.below(4) == 0 && open.iter().all(Option::is_none) => {
                    connection.execute("VACUUM", &[]).unwrap();
                }
                (None, _) => {
                    let whole = connection.query("PRAGMA integrity_check", &[]).unwrap();
                    assert_eq!(whole, [[Value::from("ok")]]);
                }
            }
        }
    }
}

/// Threads, so that snapshots are taken in the middle of others' commits.
#[test]
fn warm_caches_beside_busy_writers_show_whole_commits() {
    const COUNTERS: u64 = 200;
    let fixture = fixture();
    let mut writer = fixture.connection();
    writer.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, filler TEXT)", &[]).unwrap();
    for id in 1..=COUNTERS {
        let id = Value::Integer(i64::try_from(id).unwrap());
        writer.execute("INSERT INTO t VALUES (?, 0, printf('%.2000c', 'x'))", &[id]).unwrap();
    }
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let mut reader = fixture.connection();
            let ended = &ended;
            scope.spawn(move || {
                let mut seen = 0;
                while !ended.load(Memory::Relaxed) {
                    // Each commit moves one from a counter to another one, and counts itself in the first.
                    reader.begin_read().unwrap();
                    assert_eq!(integer(&mut reader, "SELECT sum(n) FROM t WHERE id > 1"), 0);
                    let now = integer(&mut reader, "SELECT n FROM t WHERE id = 1");
                    reader.rollback();
                    assert!(now >= seen, "{now} after {seen}");
                    seen = now;
                }
                assert_eq!(integer(&mut reader, "SELECT n FROM t WHERE id = 1"), 3000);
            });
        }
        let mut numbers = Numbers(1);
        for _ in 0..3000 {
            let mut counter = || Value::Integer(2 + i64::try_from(numbers.below(COUNTERS - 1)).unwrap());
            let (from, to) = (counter(), counter());
            writer.begin_write().unwrap();
            writer.execute("UPDATE t SET n = n - 1 WHERE id = ?", &[from]).unwrap();
            writer.execute("UPDATE t SET n = n + 1 WHERE id = ?", &[to]).unwrap();
            writer.execute("UPDATE t SET n = n + 1 WHERE id = 1", &[]).unwrap();
            writer.commit().unwrap();
        }
        ended.store(true, Memory::Relaxed);
    });
}
