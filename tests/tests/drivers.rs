//! The main flows of client libraries, by one that uses the extended protocol with binary values throughout.

use std::time::{Duration, Instant};

use harness::Server;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

/// What a canceled or timed out statement may take.
const SOON: Duration = Duration::from_secs(3);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

async fn connect(server: &Server) -> Client {
    let parameters = format!("host=127.0.0.1 port={} user=postgres dbname=postgres", server.port());
    let (client, connection) = tokio_postgres::connect(&parameters, NoTls).await.expect("connects");
    tokio::spawn(connection);
    client
}

/// Runs the flow against a new server.
fn with_client(flow: impl AsyncFnOnce(&Server, Client)) {
    let server = Server::builder().start();
    runtime().block_on(async {
        let client = connect(&server).await;
        flow(&server, client).await;
    });
}

#[test]
fn values_go_and_come_in_binary() {
    with_client(async |_, client| {
        let row = client
            .query_one(
                "SELECT $1::int2, $2::int8, $3::float8, $4::text, $5::bool, $6::bytea, $7::int4[], $8::text[], \
                 $9::int4, $10::timestamptz",
                &[
                    &7i16,
                    &(1i64 << 40),
                    &-2.5f64,
                    &"h\u{e9}llo",
                    &true,
                    &vec![0u8, 255],
                    &vec![Some(1i32), None],
                    &vec!["a", "b\"c"],
                    &None::<i32>,
                    &std::time::UNIX_EPOCH,
                ],
            )
            .await
            .expect("all types");
        assert_eq!((row.get::<_, i16>(0), row.get::<_, i64>(1), row.get::<_, f64>(2)), (7, 1 << 40, -2.5));
        assert_eq!((row.get::<_, &str>(3), row.get::<_, bool>(4)), ("h\u{e9}llo", true));
        assert_eq!(row.get::<_, Vec<u8>>(5), [0, 255]);
        assert_eq!(row.get::<_, Vec<Option<i32>>>(6), [Some(1), None]);
        assert_eq!(row.get::<_, Vec<&str>>(7), ["a", "b\"c"]);
        assert_eq!(row.get::<_, Option<i32>>(8), None);
        assert_eq!(row.get::<_, std::time::SystemTime>(9), std::time::UNIX_EPOCH);
    });
}

#[test]
fn transactions_savepoints_and_errors() {
    with_client(async |_, mut client| {
        client.batch_execute("CREATE TABLE t (id serial PRIMARY KEY, a int UNIQUE)").await.expect("a table");
        let mut transaction = client.transaction().await.expect("begins");
        transaction.execute("INSERT INTO t (a) VALUES ($1)", &[&1i32]).await.expect("inserts");
        let inner = transaction.transaction().await.expect("a savepoint");
        let error = inner.execute("INSERT INTO t (a) VALUES ($1)", &[&1i32]).await.expect_err("a duplicate");
        assert_eq!(error.code(), Some(&SqlState::UNIQUE_VIOLATION));
        let report = error.as_db_error().expect("from the server");
        assert_eq!((report.table(), report.constraint()), (Some("t"), Some("t_a_key")));
        inner.rollback().await.expect("rolls back");
        transaction.execute("INSERT INTO t (a) VALUES ($1)", &[&2i32]).await.expect("inserts");
        transaction.commit().await.expect("commits");
        let count: i64 = client.query_one("SELECT count(*) FROM t", &[]).await.expect("counts").get(0);
        assert_eq!(count, 2);
        // The column's default needs the sequence, and goes with the table all the same.
        client.batch_execute("DROP TABLE t").await.expect("drops");
    });
}

#[test]
fn portals_are_read_in_pieces_and_by_fetch() {
    with_client(async |_, mut client| {
        let transaction = client.transaction().await.expect("begins");
        let statement =
            transaction.prepare("SELECT * FROM generate_series(1, $1::int4)").await.expect("prepares");
        let portal = transaction.bind(&statement, &[&100i32]).await.expect("binds");
        let first = transaction.query_portal(&portal, 30).await.expect("thirty rows");
        let rest = transaction.query_portal(&portal, 0).await.expect("the others");
        assert_eq!((first.len(), rest.len()), (30, 70));
        assert_eq!(rest[0].get::<_, i32>(0), 31);
        let declare = "DECLARE c CURSOR FOR SELECT x FROM generate_series(1, $1::int4) AS x";
        transaction.execute(declare, &[&5i32]).await.expect("declares with a parameter");
        transaction.execute("MOVE 2 IN c", &[]).await.expect("moves");
        let rows = transaction.query("FETCH ALL FROM c", &[]).await.expect("fetches");
        assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<i32>>(), [3, 4, 5]);
    });
}

#[test]
fn statements_end_when_canceled_and_when_out_of_time() {
    with_client(async |_, client| {
        let token = client.cancel_token();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            token.cancel_query(NoTls).await
        });
        let begun = Instant::now();
        let error = client.batch_execute("SELECT pg_sleep(30)").await.expect_err("canceled");
        assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
        client.batch_execute("SET statement_timeout = 100").await.expect("sets");
        let error = client.query("SELECT pg_sleep($1)", &[&30f64]).await.expect_err("out of time");
        let report = error.as_db_error().expect("from the server");
        assert_eq!(report.message(), "canceling statement due to statement timeout");
        assert!(begun.elapsed() < SOON);
    });
}
