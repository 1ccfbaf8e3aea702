//! Requests to stop reach whatever a session does, soon, and leave its transaction as it should be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::Server;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, NoTls};

/// From the request to the answer. A release build takes a tenth of it; what never asks whether to stop takes longer.
const SOON: Duration = Duration::from_millis(250);

/// When a statement is canceled: parts of what the whole of it takes, from when it is seen to run.
const MOMENTS: [f64; 3] = [0.2, 0.55, 0.85];

/// As [`SOON`], where a large value is at work: much memory is given back.
const SOON_FOR_LARGE: Duration = Duration::from_millis(500);

/// How long a function of a large value works before it is stopped: much less than the shortest takes.
const BEFORE_STOP: Duration = Duration::from_millis(60);

const LARGE: &str = "
    CREATE TABLE large AS SELECT repeat('some words, ', 400000) t, convert_to(repeat('0123456789', 800000), 'UTF8') b,
        repeat(md5('x'), 30000) w;
    CREATE TABLE lists AS SELECT array_agg(i) a, array_agg(i::text) t, array_agg(-i) other FROM generate_series(1, 300000) i;
    CREATE TABLE digits AS SELECT (repeat('7', 60000) || '1')::numeric a, (repeat('3', 59999) || '7')::numeric b;
    CREATE TABLE documents AS SELECT '[' || repeat('{\"a\": 1, \"bb\": [true, null, \"c\"]}, ', 60000) || '1]' j,
        '{' || (SELECT string_agg(format('\"%s\": %s', md5(i::text), i), ',') FROM generate_series(1, 120000) i) || '}' o";

/// Statements that spend their time in one function, each of a large value.
const OF_LARGE: &[(&str, &str)] = &[
    ("regexp_matches", "SELECT count(*) FROM large, regexp_matches(t, '[a-z](.)', 'g')"),
    ("regexp_split_to_table", "SELECT count(*) FROM large, regexp_split_to_table(t, '[ ,]+')"),
    ("regexp_split_to_array", "SELECT cardinality(regexp_split_to_array(t, '[ ,]+')) FROM large"),
    ("regexp_replace", "SELECT length(regexp_replace(t, '(w)o', '[\\1]', 'g')) FROM large"),
    ("regexp_count", "SELECT regexp_count(repeat(t, 3), 'o') FROM large"),
    ("string_to_array", "SELECT cardinality(string_to_array(t, 'o')) FROM large"),
    ("string_to_table", "SELECT count(*) FROM large, string_to_table(t, NULL)"),
    ("upper", "SELECT length(upper(repeat(t, 4))) FROM large"),
    ("initcap", "SELECT length(initcap(repeat(t, 4))) FROM large"),
    ("reverse", "SELECT length(reverse(repeat(t, 6))) FROM large"),
    ("replace", "SELECT length(replace(repeat(t, 5), 'o', 'oo')) FROM large"),
    ("translate", "SELECT length(translate(repeat(t, 2), 'somewrd', 'SOM')) FROM large"),
    ("format", "SELECT length(format('%s %L', repeat(t, 4), repeat(t, 4))) FROM large"),
    ("lpad", "SELECT length(lpad(t, 50000000, 'xy')) FROM large"),
    ("split_part", "SELECT split_part(repeat(t, 5), 'o', -7) FROM large"),
    ("LIKE", "SELECT w LIKE '%' || left(w, 3000) || '_x' FROM large"),
    ("ILIKE", "SELECT repeat(t, 3) ILIKE '%some_WORDSx%' FROM large"),
    ("md5", "SELECT md5(repeat(t, 30)) FROM large"),
    ("sha256", "SELECT sha256(b || b || b || b) FROM large"),
    ("encode", "SELECT length(encode(b || b || b, 'base64')) FROM large"),
    ("decode", "SELECT length(decode(repeat('0a', 20000000), 'hex'))"),
    ("position", "SELECT position('\\x3132'::bytea || b || b IN b || b || b) FROM large"),
    ("bits", "SELECT length(~(repeat('01', 20000000)::varbit)) FROM large"),
    ("hashtext", "SELECT hashtext(repeat(t, 15)) FROM large"),
    ("@>", "SELECT t || t || t @> t FROM lists"),
    ("&&", "SELECT a || a || a && other FROM lists"),
    ("array_cat", "SELECT cardinality(t || t || t) FROM lists"),
    ("array_position", "SELECT array_position(t || t || t, 'x') FROM lists"),
    ("array_remove", "SELECT cardinality(array_remove(a || a || a, 0)) FROM lists"),
    ("array_to_string", "SELECT length(array_to_string(t || t || t, ', ')) FROM lists"),
    ("array_fill", "SELECT cardinality(array_fill(7, ARRAY[3000000]))"),
    ("unnest", "SELECT count(*) FROM lists, unnest(t || t || t)"),
    ("an array's input", "SELECT cardinality(('{' || repeat('12,', 600000) || '1}')::int[])"),
    ("gcd", "SELECT gcd(a, b) FROM digits"),
    ("json", "SELECT json_array_length((j || ' ')::json) FROM documents"),
    ("jsonb", "SELECT jsonb_array_length(j::jsonb) FROM documents"),
    ("jsonb of an object", "SELECT o::jsonb ? 'x' FROM documents"),
    ("jsonb_pretty", "SELECT length(jsonb_pretty(j::jsonb)) FROM documents"),
    ("jsonb_array_elements", "SELECT count(*) FROM documents, jsonb_array_elements(j::jsonb)"),
    ("jsonb ||", "SELECT jsonb_array_length(j::jsonb || j::jsonb) FROM documents"),
    ("jsonb @>", "SELECT jsonb_agg(i) @> jsonb_agg(-i) FROM generate_series(1, 30000) i"),
    ("jsonb_strip_nulls", "SELECT jsonb_array_length(jsonb_strip_nulls(j::jsonb)) FROM documents"),
    ("jsonb_object_agg", "SELECT jsonb_object_agg(md5(i::text), i) IS NULL FROM generate_series(1, 60000) i"),
    ("json_object_keys", "SELECT count(*) FROM documents, json_object_keys(o::json)"),
    ("to_jsonb", "SELECT to_jsonb(t || t) IS NULL FROM lists"),
];

const CONTENT: &str = "
    CREATE TABLE long (id int, v int, t text);
    INSERT INTO long SELECT i, (i * 1013) % 300000, md5(i::text) FROM generate_series(1, 300000) i;
    CREATE TABLE target (id int PRIMARY KEY, v int, t text)";

fn kinds() -> Vec<(&'static str, String)> {
    let list = |item: fn(i32) -> String| (0..120_000).map(item).collect::<Vec<_>>().join(",");
    vec![
        ("aggregate", "SELECT sum(v), count(DISTINCT v) FROM long, generate_series(1, 2)".to_owned()),
        ("sort", "SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY t) n FROM long) s".to_owned()),
        ("DISTINCT", "SELECT count(*) FROM (SELECT DISTINCT t FROM long) s".to_owned()),
        ("rows", "SELECT * FROM long".to_owned()),
        ("CREATE INDEX", "CREATE INDEX ON long (t)".to_owned()),
        ("CREATE INDEX on an expression", "CREATE INDEX ON long (lower(t))".to_owned()),
        ("INSERT", "INSERT INTO target SELECT * FROM long".to_owned()),
        ("UPDATE", "UPDATE long SET v = v + 1 WHERE id < 150000".to_owned()),
        ("DELETE", "DELETE FROM long WHERE id < 150000".to_owned()),
        ("string_agg", "SELECT length(string_agg(t, ',')) FROM long, generate_series(1, 3)".to_owned()),
        ("array_agg", "SELECT cardinality(array_agg(v)) FROM long, generate_series(1, 3)".to_owned()),
        ("an array's text", "SELECT array_agg(t) FROM long".to_owned()),
        ("jsonb_agg", "SELECT length(jsonb_agg(t)::text) FROM long".to_owned()),
        ("sizes", "SELECT sum(pg_total_relation_size('long')) FROM generate_series(1, 20)".to_owned()),
        ("planning a list", format!("SELECT 1 WHERE -1 IN ({})", list(|i| i.to_string()))),
        ("planning rows", format!("SELECT count(*) FROM (VALUES {}) v", list(|i| format!("({i}, 'x{i}')")))),
    ]
}

fn with_server(flow: impl AsyncFnOnce(&Server)) {
    let server = Server::start();
    server.query(CONTENT);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(flow(&server));
}

async fn connect(server: &Server) -> Arc<Client> {
    let parameters = format!("host=127.0.0.1 port={} user=postgres dbname=postgres", server.port());
    let (client, connection) = tokio_postgres::connect(&parameters, NoTls).await.expect("connects");
    tokio::spawn(connection);
    Arc::new(client)
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.expect("a number").get(0)
}

/// Runs a statement and, when it is seen to run and has gone on for so long, does something to its backend; how it ended
/// and how long after that.
async fn disturbed(
    client: &Arc<Client>,
    other: &Client,
    sql: &str,
    after: Duration,
    request: &str,
) -> (Result<(), Error>, Duration) {
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await.expect("a pid").get(0);
    let (runner, text) = (client.clone(), sql.to_owned());
    let running = tokio::spawn(async move { (runner.batch_execute(&text).await, Instant::now()) });
    tokio::task::yield_now().await;
    let active = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND state = 'active'");
    while number(other, &active).await == 0 && !running.is_finished() {}
    tokio::time::sleep(after).await;
    let asked = Instant::now();
    other.batch_execute(&format!("SELECT {request}({pid})")).await.expect("asks");
    let (ended, moment) = running.await.expect("the statement has not panicked");
    (ended, moment.saturating_duration_since(asked))
}

fn assert_canceled(error: &Error, what: &str) {
    let report = error.as_db_error().unwrap_or_else(|| panic!("{what}: {error}"));
    assert_eq!(report.code(), &SqlState::QUERY_CANCELED, "{what}: {report}");
    assert_eq!(report.message(), "canceling statement due to user request", "{what}");
}

#[test]
fn every_long_statement_ends_soon_when_canceled() {
    with_server(async |server| {
        let (client, other) = (connect(server).await, connect(server).await);
        let mut late = Vec::new();
        for (kind, sql) in kinds() {
            client.batch_execute("BEGIN").await.expect("begins");
            let begun = Instant::now();
            client.batch_execute(&sql).await.expect("comes to its end");
            let whole = begun.elapsed();
            client.batch_execute("ROLLBACK").await.expect("rolls back");
            let (mut lags, mut stopped) = (Vec::new(), 0);
            for moment in MOMENTS {
                client.batch_execute("BEGIN").await.expect("begins");
                let after = whole.mul_f64(moment);
                let (ended, lag) = disturbed(&client, &other, &sql, after, "pg_cancel_backend").await;
                if let Err(error) = &ended {
                    assert_canceled(error, kind);
                    stopped += 1;
                }
                lags.push(lag.as_millis());
                // A request that comes after the end may stop this instead.
                while client.batch_execute("ROLLBACK").await.is_err() {}
            }
            println!("{kind}: {lags:?} ms of {} ms", whole.as_millis());
            assert!(stopped > 0, "{kind} was never stopped");
            late.extend(lags.iter().filter(|lag| **lag > SOON.as_millis()).map(|lag| (kind, *lag)));
        }
        assert_eq!(late, [], "milliseconds");
        assert_eq!(number(&other, "SELECT count(*) FROM long WHERE v = (id * 1013) % 300000").await, 300_000);
        assert_eq!(number(&other, "SELECT count(*) FROM target").await, 0);
    });
}

#[test]
fn functions_of_large_values_end_soon_when_canceled() {
    with_server(async |server| {
        server.query(LARGE);
        let (client, other) = (connect(server).await, connect(server).await);
        let (mut late, mut stopped) = (Vec::new(), 0);
        for (function, sql) in OF_LARGE {
            let (ended, lag) = disturbed(&client, &other, sql, BEFORE_STOP, "pg_cancel_backend").await;
            println!("{function}: {} ms", lag.as_millis());
            // On a quick machine one may come to its end before the request.
            if let Err(error) = ended {
                assert_canceled(&error, function);
                stopped += 1;
            }
            if lag > SOON_FOR_LARGE {
                late.push((*function, format!("{lag:?}")));
            }
        }
        assert_eq!(late, []);
        assert!(2 * stopped > OF_LARGE.len(), "only {stopped} were stopped");
    });
}

#[test]
fn a_statement_stopped_inside_a_savepoint_takes_only_itself_along() {
    with_server(async |server| {
        let (client, other) = (connect(server).await, connect(server).await);
        for (index, sql) in
            ["CREATE INDEX made ON long (t)", "INSERT INTO target SELECT * FROM long WHERE id > 9"]
                .into_iter()
                .enumerate()
        {
            let id = index + 1;
            client.batch_execute("BEGIN").await.expect("begins");
            client.batch_execute(&format!("INSERT INTO target (id) VALUES ({id})")).await.expect("inserts");
            client.batch_execute("SAVEPOINT s").await.expect("sets a savepoint");
            // Less than the shortest of them takes.
            let after = Duration::from_millis(30);
            let (ended, lag) = disturbed(&client, &other, sql, after, "pg_cancel_backend").await;
            assert_canceled(&ended.expect_err("canceled"), sql);
            println!("{sql}: {} ms", lag.as_millis());
            assert!(lag < SOON, "{sql}: {lag:?}");
            client.batch_execute("ROLLBACK TO s; COMMIT").await.expect("goes on");
            assert_eq!(number(&other, "SELECT count(*) FROM target").await, id as i64);
        }
        assert_eq!(number(&other, "SELECT count(*) FROM pg_class WHERE relname = 'made'").await, 0);
        client.batch_execute("CREATE INDEX made ON long (t)").await.expect("makes the index");
    });
}

#[test]
fn time_runs_out_in_host_code_too_and_ended_sessions_end() {
    with_server(async |server| {
        let (client, other) = (connect(server).await, connect(server).await);
        for (kind, sql) in kinds().into_iter().filter(|(kind, _)| kind.starts_with("planning")) {
            client.batch_execute("SET statement_timeout = 60").await.expect("sets");
            let begun = Instant::now();
            let error = client.batch_execute(&sql).await.expect_err("out of time");
            let report = error.as_db_error().expect("from the server");
            assert_eq!(report.message(), "canceling statement due to statement timeout", "{kind}");
            assert!(begun.elapsed() < SOON * 2, "{kind}: {:?}", begun.elapsed());
        }
        client.batch_execute("RESET statement_timeout").await.expect("resets");
        let sql = "SELECT length(jsonb_agg(t)::text) FROM long, generate_series(1, 3)";
        let after = Duration::from_millis(50);
        let (ended, lag) = disturbed(&client, &other, sql, after, "pg_terminate_backend").await;
        let error = ended.expect_err("the session ends");
        let report = error.as_db_error().expect("from the server");
        assert_eq!((report.code(), report.severity()), (&SqlState::ADMIN_SHUTDOWN, "FATAL"));
        assert_eq!(report.message(), "terminating connection due to administrator command");
        assert!(lag < SOON, "{lag:?}");
    });
}
