//! What was acknowledged stays: the server is killed under load, started again, and asked for every commit that a client
//! had been told of.

use std::time::Duration;

use harness::Server;
use tokio_postgres::{Client, NoTls};

/// Clients that write at the same time.
const CLIENTS: i32 = 4;

/// Rounds of killing; the long proof is `tests/run` with `POSTILION_KILL_ROUNDS=200`.
const ROUNDS: u64 = 3;

fn rounds() -> u64 {
    std::env::var("POSTILION_KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS)
}

async fn connect(port: u16) -> Client {
    let config = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres");
    let (client, connection) = tokio_postgres::connect(&config, NoTls).await.expect("connected");
    tokio::spawn(async move {
        // It ends with an error when the server is killed: that is the point.
        let _ended = connection.await;
    });
    client
}

/// Inserts pairs in transactions of two statements until the server is gone; the highest number acknowledged.
async fn write_until_killed(port: u16, client_number: i32, first: i32) -> i32 {
    let client = connect(port).await;
    let mut acknowledged = first - 1;
    for number in first.. {
        let text = format!(
            "BEGIN; INSERT INTO written VALUES ({client_number}, {number}); \
             INSERT INTO written VALUES ({client_number}, -{number}); COMMIT"
        );
        match client.batch_execute(&text).await {
            Ok(()) => acknowledged = number,
            Err(_) => break,
        }
    }
    acknowledged
}

#[test]
fn acknowledged_commits_survive_kill_9_of_the_server() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut server = Server::start();
    server.query("CREATE TABLE written (client int, number int)");
    let mut acknowledged = vec![0; CLIENTS as usize];
    for round in 0..rounds() {
        let port = server.port();
        let written = runtime.block_on(async {
            let writers: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    tokio::spawn(write_until_killed(port, client, acknowledged[client as usize] + 2))
                })
                .collect();
            // A different moment each round, so that all phases of a commit are hit in the long run.
            tokio::time::sleep(Duration::from_millis(200 + round * 37 % 300)).await;
            server.kill();
            let mut written = Vec::new();
            for writer in writers {
                written.push(writer.await.expect("no panic"));
            }
            written
        });
        server = Server::builder().directory(server.directory()).start();
        for (client, highest) in written.iter().enumerate() {
            let kept =
                format!("SELECT coalesce(max(number), 0) >= {highest} FROM written WHERE client = {client}");
            assert_eq!(server.query(&kept), "t", "round {round}: client {client} lost its commit {highest}");
        }
        assert_eq!(
            server.query("SELECT coalesce(sum(number), 0) FROM written"),
            "0",
            "round {round}: half a transaction"
        );
        acknowledged = server
            .query("SELECT max(number) FROM written GROUP BY client ORDER BY client")
            .lines()
            .map(|line| line.parse().expect("a number"))
            .collect();
    }
}

#[test]
fn a_killed_workers_transaction_leaves_nothing() {
    let server = Server::start();
    server.query("CREATE EXTENSION worker_spi");
    server.query("SELECT worker_spi_launch(1)");
    server.expect_log("worker 1 initialized");
    harness::eventually("the schema is there", || {
        server.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'schema1'") == "1"
    });
    let pid = server.query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'worker_spi'");
    let pid = rustix::process::Pid::from_raw(pid.parse().expect("a pid")).expect("a pid");
    server.query("INSERT INTO schema1.counted VALUES ('total', 0)");
    server.query("INSERT INTO schema1.counted SELECT 'delta', 1 FROM generate_series(1, 1000)");
    server.query("SELECT pg_reload_conf()");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
    server.expect_log("was terminated by signal 9: Killed");
    // Either the turn committed before the kill or it left nothing: never a part of it.
    let sum = server.query("SELECT sum(value) FROM schema1.counted");
    assert_eq!(sum, "1000");
    assert_eq!(server.query("SELECT worker_spi_launch(1)"), "t");
}
