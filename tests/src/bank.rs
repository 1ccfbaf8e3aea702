//! Transfers between accounts: whatever the level, every snapshot must have the same sum of balances, nobody's transfer
//! may be lost, and no client may be told of anything but a conflict that it can retry (`40001`, `40P01`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error};

use crate::{Peer, Random};

/// How many accounts there are: few, so that clients collide.
const ACCOUNTS: u64 = 20;

/// What each has at first.
const BALANCE: i64 = 1000;

/// What a run did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// Transactions that were committed.
    pub committed: u64,
    /// Transactions that were told to retry.
    pub retried: u64,
}

/// Has clients transfer money at a level for a time, while some of them look at the sum, and looks at it in the end.
///
/// # Errors
/// What went wrong: a sum that differs, or an error that is no conflict.
///
/// # Panics
/// When the table cannot be made.
pub async fn run(peer: &Peer, clients: u64, level: &str, span: Duration, seed: u64) -> Result<Told, String> {
    open(peer).await;
    let told = begin(peer, clients, level, Some(Instant::now() + span), seed).await.end().await?;
    audit(peer).await?;
    Ok(told)
}

/// Makes the accounts.
///
/// # Panics
/// When they cannot be made.
pub async fn open(peer: &Peer) {
    let make = format!(
        "DROP TABLE IF EXISTS accounts; CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL); \
         INSERT INTO accounts SELECT i, {BALANCE} FROM generate_series(0, {}) i",
        ACCOUNTS - 1
    );
    let control = peer.connect("control").await;
    control.batch_execute(&make).await.expect("the accounts can be made");
}

/// Looks at the sum.
///
/// # Errors
/// What is wrong with it.
pub async fn audit(peer: &Peer) -> Result<(), String> {
    let control = peer.connect("control").await;
    let found = sum(&control, "SELECT sum(balance)::bigint FROM accounts").await;
    check_sum(found.map_err(|error| words(&error))?)
}

/// Clients at work. Only those without a time may lose their connection.
pub struct Clients(Vec<JoinHandle<Result<Told, String>>>);

impl Clients {
    /// Waits until all have ended: at their time, or with their connections.
    ///
    /// # Errors
    /// What one of them has seen.
    pub async fn end(self) -> Result<Told, String> {
        let mut told = Told::default();
        for client in self.0 {
            let client = client.await.map_err(|panic| panic.to_string())??;
            told.committed += client.committed;
            told.retried += client.retried;
        }
        Ok(told)
    }
}

/// Has clients begin to transfer money at a level, while some of them look at the sum: until then, or until the server is
/// killed.
pub async fn begin(peer: &Peer, clients: u64, level: &str, deadline: Option<Instant>, seed: u64) -> Clients {
    let mut running = Vec::new();
    for number in 0..clients {
        let client = Arc::new(peer.connect(&format!("client {number}")).await);
        let (level, random) = (level.to_owned(), Random::new(seed, number));
        running.push(tokio::spawn(client_of_the_bank(client, level, number, deadline, random)));
    }
    Clients(running)
}

/// One in four clients looks, the others transfer.
async fn client_of_the_bank(
    client: Arc<Client>,
    level: String,
    number: u64,
    deadline: Option<Instant>,
    mut random: Random,
) -> Result<Told, String> {
    let begin = format!("BEGIN ISOLATION LEVEL {level}");
    let snapshot = !level.contains("COMMITTED");
    let mut told = Told::default();
    while deadline.is_none_or(|deadline| Instant::now() < deadline) {
        let turn = if number.is_multiple_of(4) {
            look(&client, &begin, snapshot).await
        } else {
            transfer(&client, &begin, snapshot, &mut random).await.map(|()| None)
        };
        match turn {
            Ok(found) => {
                told.committed += 1;
                found.map_or(Ok(()), check_sum)?;
            }
            Err(error) if is_conflict(&error) => {
                told.retried += 1;
                match client.batch_execute("ROLLBACK").await {
                    Err(error) if is_end(&error) && deadline.is_none() => return Ok(told),
                    undone => undone.map_err(|error| words(&error))?,
                }
            }
            Err(error) if is_end(&error) && deadline.is_none() => return Ok(told),
            Err(error) => return Err(words(&error)),
        }
    }
    Ok(told)
}

/// Whether the connection has ended without a word.
fn is_end(error: &Error) -> bool {
    error.as_db_error().is_none()
}

/// The sum as one snapshot has it: of one statement, or of two statements of one snapshot.
async fn look(client: &Client, begin: &str, snapshot: bool) -> Result<Option<i64>, Error> {
    client.batch_execute(begin).await?;
    let mut found = sum(client, "SELECT sum(balance)::bigint FROM accounts").await?;
    if snapshot {
        let low = sum(client, "SELECT sum(balance)::bigint FROM accounts WHERE id < 10").await?;
        let high = sum(client, "SELECT sum(balance)::bigint FROM accounts WHERE id >= 10").await?;
        if low + high != found {
            found = low + high;
        }
    }
    client.batch_execute("COMMIT").await?;
    Ok(Some(found))
}

/// Moves money between two accounts. In a snapshot the client computes the balances itself: a lost update would show.
async fn transfer(client: &Client, begin: &str, snapshot: bool, random: &mut Random) -> Result<(), Error> {
    let from = random.below(ACCOUNTS) as i32;
    let to = (from + 1 + random.below(ACCOUNTS - 1) as i32) % ACCOUNTS as i32;
    let amount = random.below(100) as i64;
    client.batch_execute(begin).await?;
    for (id, change) in [(from, -amount), (to, amount)] {
        if snapshot {
            let balance = sum(client, &format!("SELECT balance FROM accounts WHERE id = {id}")).await?;
            let update = "UPDATE accounts SET balance = $1 WHERE id = $2";
            client.execute(update, &[&(balance + change), &id]).await?;
        } else {
            client
                .execute("UPDATE accounts SET balance = balance + $1 WHERE id = $2", &[&change, &id])
                .await?;
        }
    }
    if random.percent(5) {
        return client.batch_execute("ROLLBACK").await;
    }
    client.batch_execute("COMMIT").await
}

async fn sum(client: &Client, sql: &str) -> Result<i64, Error> {
    Ok(client.query_one(sql, &[]).await?.get(0))
}

fn check_sum(found: i64) -> Result<(), String> {
    let right = ACCOUNTS as i64 * BALANCE;
    if found == right { Ok(()) } else { Err(format!("a snapshot has the sum {found} instead of {right}")) }
}

/// Has many clients write, each rows of its own and one that all share, in and out of transactions: what they are told
/// must never be that the database is busy.
///
/// # Errors
/// The first error that is no conflict, or a count that is not what was acknowledged.
///
/// # Panics
/// When the table cannot be made.
pub async fn crowd(peer: &Peer, clients: u64, span: Duration, seed: u64) -> Result<Told, String> {
    let control = peer.connect("control").await;
    let make = "DROP TABLE IF EXISTS crowd; CREATE TABLE crowd (client int, n bigint, PRIMARY KEY (client, n)); \
                DROP TABLE IF EXISTS shared; CREATE TABLE shared (n bigint); INSERT INTO shared VALUES (0)";
    control.batch_execute(make).await.expect("the tables can be made");
    let deadline = Instant::now() + span;
    let mut running = Vec::new();
    for number in 0..clients {
        let client = peer.connect(&format!("writer {number}")).await;
        running.push(tokio::spawn(writer(client, number as i32, deadline, Random::new(seed, number))));
    }
    let mut told = Told::default();
    for writer in running {
        let writer = writer.await.map_err(|panic| panic.to_string())??;
        told.committed += writer.committed;
        told.retried += writer.retried;
    }
    let rows = sum(&control, "SELECT count(*) FROM crowd").await.map_err(|error| words(&error))?;
    let shared = sum(&control, "SELECT n FROM shared").await.map_err(|error| words(&error))?;
    if rows + shared != told.committed as i64 {
        return Err(format!("{} writes were acknowledged, {rows} and {shared} are there", told.committed));
    }
    Ok(told)
}

async fn writer(client: Client, number: i32, deadline: Instant, mut random: Random) -> Result<Told, String> {
    let mut told = Told::default();
    let mut n: i64 = 0;
    while Instant::now() < deadline {
        let turn = if random.percent(50) {
            n += 1;
            client.execute("INSERT INTO crowd VALUES ($1, $2)", &[&number, &n]).await.map(drop)
        } else {
            let text =
                "BEGIN; SELECT count(*) FROM crowd WHERE client = 0; UPDATE shared SET n = n + 1; COMMIT";
            client.batch_execute(text).await
        };
        match turn {
            Ok(()) => told.committed += 1,
            Err(error) if is_conflict(&error) => {
                told.retried += 1;
                client.batch_execute("ROLLBACK").await.map_err(|error| words(&error))?;
            }
            Err(error) => return Err(words(&error)),
        }
    }
    Ok(told)
}

/// Whether a transaction that got this error is to be run again.
pub(crate) fn is_conflict(error: &Error) -> bool {
    error.code().is_some_and(|code| ["40001", "40P01"].contains(&code.code()))
}

pub(crate) fn words(error: &Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} {}", error.code().code(), error.message()),
        None => error.to_string(),
    }
}
