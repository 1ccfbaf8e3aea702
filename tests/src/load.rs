//! A load of every kind of change, and what must be true of a database after it was cut off at any moment.
//!
//! Each client makes numbered transactions, one after the other: its `number`-th does what [`statements`] says and
//! writes itself down in `journal`. So the journal says exactly which transactions there are, and everything else must
//! follow from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio_postgres::{Client, NoTls};

use crate::Server;

/// Clients that write at the same time.
const CLIENTS: usize = 4;
/// Accounts that money is moved between.
const ACCOUNTS: i64 = 20;

/// The load's tables.
const SETUP: &str = "
CREATE TABLE journal (client int, number int, PRIMARY KEY (client, number));
CREATE TABLE pairs (client int, number int, sign int);
CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL);
CREATE TABLE transfers (id serial PRIMARY KEY, source int REFERENCES accounts, target int REFERENCES accounts, amount int);
CREATE TABLE kept (client int, number int);
CREATE TABLE undone (client int);
INSERT INTO accounts SELECT i, 0 FROM generate_series(0, 19) i;
CREATE EXTENSION worker_spi";

/// Queries that must give nothing, with what it would mean if they gave something.
const CHECKS: &[(&str, &str)] = &[
    (
        "a transaction in the middle is missing",
        "SELECT client FROM journal GROUP BY client HAVING count(*) <> max(number)",
    ),
    (
        "half a pair",
        "SELECT client, number FROM pairs GROUP BY client, number HAVING sum(sign) <> 0 OR count(*) <> 2",
    ),
    (
        "a pair is missing or has not been deleted",
        "SELECT client, number FROM journal j WHERE number % 5 = 0 AND EXISTS (SELECT FROM pairs p WHERE p.client = j.client AND p.number = j.number) \
         = EXISTS (SELECT FROM journal d WHERE d.client = j.client AND d.number = j.number + 4)",
    ),
    (
        "a pair without its transaction",
        "SELECT client, number FROM pairs EXCEPT SELECT client, number FROM journal",
    ),
    (
        "money was made or lost",
        "SELECT id FROM accounts a WHERE balance <> (SELECT coalesce(sum(amount), 0) FROM transfers WHERE target = a.id) \
         - (SELECT coalesce(sum(amount), 0) FROM transfers WHERE source = a.id)",
    ),
    (
        "a transfer is missing",
        "SELECT 1 WHERE (SELECT count(*) FROM transfers) <> (SELECT count(*) FROM journal WHERE number % 5 = 1)",
    ),
    ("what was rolled back to a savepoint is there", "SELECT client FROM undone"),
    (
        "what was kept after a savepoint",
        "SELECT client, number FROM journal WHERE number % 5 = 2 EXCEPT SELECT client, number FROM kept",
    ),
    (
        "what was kept without its transaction",
        "SELECT client, number FROM kept EXCEPT SELECT client, number FROM journal",
    ),
    (
        "a table is missing or has not been dropped",
        "SELECT 'made_' || client || '_' || max(number) FROM journal WHERE number % 5 = 3 GROUP BY client \
         EXCEPT SELECT relname FROM pg_class WHERE relname LIKE 'made%'",
    ),
    (
        "a table too many",
        "SELECT relname FROM pg_class WHERE relname LIKE 'made%' \
         EXCEPT SELECT 'made_' || client || '_' || max(number) FROM journal WHERE number % 5 = 3 GROUP BY client",
    ),
    (
        "the sequence would repeat itself",
        "SELECT max(id) FROM transfers HAVING max(id) >= nextval('transfers_id_seq')",
    ),
];

/// What a client does in its `number`-th transaction.
fn statements(client: usize, number: i64, random: i64) -> String {
    let body = match number % 5 {
        0 => format!(
            "INSERT INTO pairs VALUES ({client}, {number}, 1); INSERT INTO pairs VALUES ({client}, {number}, -1)"
        ),
        1 => {
            let (source, target) = (random % ACCOUNTS, (random / ACCOUNTS) % ACCOUNTS);
            let amount = 1 + random % 100;
            format!(
                "UPDATE accounts SET balance = balance - {amount} WHERE id = {source}; \
                 UPDATE accounts SET balance = balance + {amount} WHERE id = {target}; \
                 INSERT INTO transfers (source, target, amount) VALUES ({source}, {target}, {amount})"
            )
        }
        2 => format!(
            "INSERT INTO kept VALUES ({client}, {number}); SAVEPOINT s; INSERT INTO undone VALUES ({client}); \
             ROLLBACK TO s; RELEASE s"
        ),
        3 => format!(
            "DROP TABLE IF EXISTS made_{client}_{}; CREATE TABLE made_{client}_{number} (i int)",
            (number - 5).max(0)
        ),
        _ => format!("DELETE FROM pairs WHERE client = {client} AND number = {}", number - 4),
    };
    format!("BEGIN; {body}; INSERT INTO journal VALUES ({client}, {number}); COMMIT")
}

/// The load on one data directory, over many lives of its server.
pub struct Load {
    /// For each client, the last transaction of which it has been told that it is committed.
    acknowledged: Vec<i64>,
    /// For each client, the next transaction.
    next: Vec<i64>,
}

/// A load that is running.
pub struct Running {
    acknowledged: Arc<Vec<AtomicI64>>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

async fn connect(port: u16) -> Option<Client> {
    let config = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres");
    let (client, connection) = tokio_postgres::connect(&config, NoTls).await.ok()?;
    tokio::spawn(async move {
        // It ends with an error when the server dies: that is the point.
        let _ended = connection.await;
    });
    Some(client)
}

impl Load {
    /// Makes the tables. `None` when the server dies of it.
    pub async fn set_up(port: u16) -> Option<Self> {
        let client = connect(port).await?;
        client.batch_execute(&format!("BEGIN; {SETUP}; COMMIT")).await.ok()?;
        Some(Self { acknowledged: vec![0; CLIENTS], next: vec![1; CLIENTS] })
    }

    /// Begins to write, until the server dies. A worker runs along.
    pub fn run(&self, port: u16, seed: i64) -> Running {
        let acknowledged: Arc<Vec<AtomicI64>> =
            Arc::new(self.acknowledged.iter().map(|number| AtomicI64::new(*number)).collect());
        let mut clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (shared, first) = (acknowledged.clone(), self.next[client]);
                tokio::spawn(write_until_dead(port, client, first, seed, shared))
            })
            .collect();
        clients.push(tokio::spawn(async move {
            if let Some(client) = connect(port).await {
                let _died = client.batch_execute("SELECT worker_spi_launch(1)").await;
            }
        }));
        Running { acknowledged, clients }
    }

    /// Looks at the server that has come up after the crash: what must be there is there, and nothing by half.
    ///
    /// # Panics
    /// When it is not so.
    pub fn check(&mut self, server: &Server, round: &str) {
        let rows = server.query("SELECT client, max(number) FROM journal GROUP BY client");
        let mut present = [0; CLIENTS];
        for line in rows.lines() {
            let (client, number) = line.split_once('|').expect("two columns");
            let client: usize = client.parse().expect("a number");
            present[client] = number.parse().expect("a number");
        }
        for client in 0..CLIENTS {
            let (acknowledged, present) = (self.acknowledged[client], present[client]);
            assert!(acknowledged <= present, "{round}: client {client} lost {acknowledged}, has {present}");
            self.next[client] = present + 1;
        }
        for (meaning, query) in CHECKS {
            assert_eq!(server.query(query), "", "{round}: {meaning}");
        }
    }

    /// How many transactions have been acknowledged.
    pub fn count(&self) -> i64 {
        self.acknowledged.iter().sum()
    }
}

impl Running {
    /// Waits until so many transactions more have been acknowledged, or the clients have ended.
    pub async fn progress(&self, transactions: i64) {
        let total = || self.acknowledged.iter().map(|number| number.load(Ordering::SeqCst)).sum::<i64>();
        let enough = total() + transactions;
        while total() < enough && !self.clients.iter().all(tokio::task::JoinHandle::is_finished) {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    /// Waits until all clients have noticed the server's end, and takes note of what they had been told.
    ///
    /// # Panics
    /// When a client has.
    pub async fn finish(self, load: &mut Load) {
        for client in self.clients {
            client.await.expect("no panic");
        }
        for (known, number) in load.acknowledged.iter_mut().zip(&*self.acknowledged) {
            *known = number.load(Ordering::SeqCst);
        }
    }
}

async fn write_until_dead(
    port: u16,
    client: usize,
    first: i64,
    seed: i64,
    acknowledged: Arc<Vec<AtomicI64>>,
) {
    let Some(session) = connect(port).await else { return };
    for number in first.. {
        let random =
            (seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(number * 7919 + client as i64)) >> 20;
        match session.batch_execute(&statements(client, number, random.rem_euclid(1 << 30))).await {
            Ok(()) => acknowledged[client].store(number, Ordering::SeqCst),
            Err(error) if error.is_closed() || error.code().is_none() => return,
            Err(error) => panic!("client {client}, transaction {number}: {error:?}"),
        }
    }
}
