//! Sessions share reactors: long work of one keeps no other from being served.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::SinkExt;
use harness::Server;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

/// Within this everything must have happened.
const SOON: Duration = Duration::from_secs(30);

/// How many times another session is served while one works.
const TURNS: i64 = 5;

/// Runs a flow of two sessions that share the only reactor.
fn with_one_reactor(flow: impl AsyncFnOnce(Client, Client)) {
    let server = Server::builder().set("reactors", "1").start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (one, two) = (connect(&server).await, connect(&server).await);
        tokio::time::timeout(2 * SOON, flow(one, two)).await.expect("nobody waits for ever");
    });
}

async fn connect(server: &Server) -> Client {
    let parameters = format!("host=127.0.0.1 port={} user=postgres dbname=postgres", server.port());
    let (client, connection) = tokio_postgres::connect(&parameters, NoTls).await.expect("connects");
    tokio::spawn(connection);
    client
}

async fn is_served(client: &Client) {
    for turn in 0..TURNS {
        let row = client.query_one("SELECT $1::int8", &[&turn]).await.expect("a row");
        assert_eq!(row.get::<_, i64>(0), turn);
    }
}

/// A message of many rows is one that others go on beside, and that can be canceled.
#[test]
fn a_large_copy_message_keeps_nobody_waiting() {
    with_one_reactor(async |one, two| {
        one.batch_execute("CREATE TABLE t (k int)").await.expect("created");
        let cancel = one.cancel_token();
        let copying = tokio::spawn(async move {
            let sink = one.copy_in::<_, Bytes>("COPY t FROM STDIN").await.expect("it takes data");
            let mut sink = std::pin::pin!(sink);
            // Seconds of work.
            sink.send(Bytes::from("1\n".repeat(2_000_000))).await.expect("sent");
            sink.finish().await
        });
        let begun = "SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass";
        while two.query_one(begun, &[]).await.expect("a row").get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
        is_served(&two).await;
        assert!(!copying.is_finished(), "the others had to wait");
        cancel.cancel_query(NoTls).await.expect("asked");
        let error = tokio::time::timeout(SOON, copying).await.expect("soon").expect("no panic").unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
        let count = two.query_one("SELECT count(*) FROM t", &[]).await.expect("a row");
        assert_eq!(count.get::<_, i64>(0), 0);
    });
}

/// The engine's work is counted by its instructions; that of functions of the host by the clock.
#[test]
fn long_functions_keep_nobody_waiting() {
    with_one_reactor(async |one, two| {
        let setup = "CREATE TABLE t (k int); INSERT INTO t VALUES (0)";
        one.batch_execute(setup).await.expect("created");
        let one = Arc::new(one);
        let long = "length(regexp_replace(repeat('ab cd ', 2000000), 'a', 'bb', 'g'))";
        for text in [format!("SELECT {long}"), format!("UPDATE t SET k = {long}")] {
            let working = {
                let (one, text) = (one.clone(), text.clone());
                tokio::spawn(async move { one.batch_execute(&text).await })
            };
            let begun = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%repeat%' \
                         AND pid <> pg_backend_pid()";
            while two.query_one(begun, &[]).await.expect("a row").get::<_, i64>(0) == 0 {
                assert!(!working.is_finished(), "the others had to wait for {text}");
                tokio::task::yield_now().await;
            }
            is_served(&two).await;
            assert!(!working.is_finished(), "the others had to wait for {text}");
            tokio::time::timeout(SOON, working).await.expect("soon").expect("no panic").expect("done");
        }
        let row = two.query_one("SELECT k FROM t", &[]).await.expect("a row");
        assert_eq!(row.get::<_, i32>(0), 14_000_000);
    });
}
