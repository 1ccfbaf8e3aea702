//! Making a history: clients that run random transactions until the time is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::{Client, Error};

use super::{History, Operation, Transaction};
use crate::bank::{is_conflict, words};
use crate::{Peer, Random};

/// How many lists, and how many bags, are in use at a time: few, so that transactions collide.
const OBJECTS: u64 = 6;

/// After so many writes new objects are taken into use, so that none grows long.
const WRITES_PER_WINDOW: u64 = 300;

/// How many windows there are; the run ends when they are used up.
const WINDOWS: u64 = 10_000;

/// The most things a transaction does.
const OPERATIONS_MAX: u64 = 6;

/// What a run is like.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many clients.
    pub clients: u64,
    /// The level that transactions ask for.
    pub level: String,
    /// How long.
    pub span: Duration,
    /// Where chance comes from.
    pub seed: u64,
    /// Whether clients also write lists that they have read (and may lose updates below REPEATABLE READ).
    pub overwrite: bool,
}

/// Runs random transactions.
///
/// # Errors
/// The first error that is no conflict.
///
/// # Panics
/// When the tables cannot be made.
pub async fn run(peer: &Peer, settings: &Settings) -> Result<History, String> {
    let control = peer.connect("control").await;
    let make = format!(
        "DROP TABLE IF EXISTS lists; CREATE TABLE lists (k bigint PRIMARY KEY, v text NOT NULL); \
         INSERT INTO lists SELECT i, '' FROM generate_series(0, {}) i; \
         DROP TABLE IF EXISTS bags; CREATE TABLE bags (v bigint PRIMARY KEY, bag bigint NOT NULL); \
         CREATE INDEX ON bags (bag)",
        OBJECTS * WINDOWS - 1
    );
    control.batch_execute(&make).await.expect("the tables can be made");
    let deadline = Instant::now() + settings.span;
    let values = Arc::new(AtomicU64::new(1));
    let mut running = Vec::new();
    for number in 0..settings.clients {
        let client = Actor {
            client: peer.connect(&format!("client {number}")).await,
            values: values.clone(),
            random: Random::new(settings.seed, number),
            settings: settings.clone(),
        };
        running.push(tokio::spawn(client.run(deadline)));
    }
    let mut history = History::default();
    for actor in running {
        let (transactions, conflicts) = actor.await.map_err(|panic| panic.to_string())??;
        history.transactions.extend(transactions);
        history.conflicts += conflicts;
    }
    for row in control.query("SELECT k, v FROM lists", &[]).await.map_err(|error| words(&error))? {
        history.lists.insert(row.get::<_, i64>(0) as u64, numbers(row.get(1)));
    }
    Ok(history)
}

struct Actor {
    client: Client,
    /// The last number that was written by anybody.
    values: Arc<AtomicU64>,
    random: Random,
    settings: Settings,
}

impl Actor {
    async fn run(mut self, deadline: Instant) -> Result<(Vec<Transaction>, u64), String> {
        let (mut transactions, mut conflicts) = (Vec::new(), 0);
        while Instant::now() < deadline && self.values.load(Ordering::Relaxed) < WINDOWS * WRITES_PER_WINDOW {
            let mut operations = Vec::new();
            let committed = match self.transaction(&mut operations).await {
                Ok(committed) => committed,
                Err(error) if is_conflict(&error) => {
                    conflicts += 1;
                    self.client.batch_execute("ROLLBACK").await.map_err(|error| words(&error))?;
                    false
                }
                Err(error) => return Err(words(&error)),
            };
            transactions.push(Transaction { operations, committed });
        }
        Ok((transactions, conflicts))
    }

    /// One transaction; whether it was committed. What it did is noted also when it fails.
    async fn transaction(&mut self, operations: &mut Vec<Operation>) -> Result<bool, Error> {
        let count = 1 + self.random.below(OPERATIONS_MAX);
        self.client.batch_execute(&format!("BEGIN ISOLATION LEVEL {}", self.settings.level)).await?;
        let mut savepoint = None;
        for _ in 0..count {
            match self.random.below(12) {
                0 if savepoint.is_none() => {
                    self.client.batch_execute("SAVEPOINT s").await?;
                    savepoint = Some(operations.len());
                }
                1 => {
                    if let Some(start) = savepoint.take() {
                        self.client.batch_execute("ROLLBACK TO s").await?;
                        operations[start..].iter_mut().for_each(undo);
                    }
                }
                2..=4 => self.append(operations).await?,
                5..=7 => self.read(operations).await?,
                8 | 9 => self.insert(operations).await?,
                _ => self.search(operations).await?,
            }
        }
        if self.random.percent(10) {
            self.client.batch_execute("ROLLBACK").await?;
            return Ok(false);
        }
        self.client.batch_execute("COMMIT").await?;
        Ok(true)
    }

    /// An object in use, and a number that nobody has written.
    fn object(&mut self) -> u64 {
        let window = self.values.load(Ordering::Relaxed) / WRITES_PER_WINDOW;
        window.min(WINDOWS - 1) * OBJECTS + self.random.below(OBJECTS)
    }

    fn value(&self) -> u64 {
        self.values.fetch_add(1, Ordering::Relaxed)
    }

    async fn append(&mut self, operations: &mut Vec<Operation>) -> Result<(), Error> {
        let (key, value) = (self.object(), self.value());
        let seen = if self.settings.overwrite && self.random.percent(50) {
            let seen = self.list(key).await?;
            operations.push(Operation::Read { key, seen: numbers(&seen) });
            Some(seen)
        } else {
            None
        };
        // Noted first: the server may have done it even when its answer is an error.
        operations.push(Operation::Append { key, value, undone: false });
        let (k, added) = (key as i64, format!("{value},"));
        match seen {
            Some(seen) => {
                let written = seen + &added;
                self.client.execute("UPDATE lists SET v = $1 WHERE k = $2", &[&written, &k]).await?;
            }
            None => {
                self.client.execute("UPDATE lists SET v = v || $1 WHERE k = $2", &[&added, &k]).await?;
            }
        }
        Ok(())
    }

    async fn list(&self, key: u64) -> Result<String, Error> {
        let row = self.client.query_one("SELECT v FROM lists WHERE k = $1", &[&(key as i64)]).await?;
        Ok(row.get(0))
    }

    async fn read(&mut self, operations: &mut Vec<Operation>) -> Result<(), Error> {
        let key = self.object();
        if self.random.percent(25) {
            // Several rows of one statement, found by a range.
            let first = (key / OBJECTS * OBJECTS) as i64;
            let sql = "SELECT k, v FROM lists WHERE k BETWEEN $1 AND $2";
            for row in self.client.query(sql, &[&first, &(first + OBJECTS as i64 - 1)]).await? {
                let key = row.get::<_, i64>(0) as u64;
                operations.push(Operation::Read { key, seen: numbers(row.get(1)) });
            }
        } else {
            let seen = numbers(&self.list(key).await?);
            operations.push(Operation::Read { key, seen });
        }
        Ok(())
    }

    async fn insert(&mut self, operations: &mut Vec<Operation>) -> Result<(), Error> {
        let (bag, value) = (self.object(), self.value());
        operations.push(Operation::Insert { bag, value, undone: false });
        self.client
            .execute("INSERT INTO bags VALUES ($1, $2)", &[&(value as i64), &(bag as i64)])
            .await
            .map(drop)
    }

    async fn search(&mut self, operations: &mut Vec<Operation>) -> Result<(), Error> {
        let bag = self.object();
        let rows = self.client.query("SELECT v FROM bags WHERE bag = $1", &[&(bag as i64)]).await?;
        let seen = rows.iter().map(|row| row.get::<_, i64>(0) as u64).collect();
        operations.push(Operation::Search { bag, seen });
        Ok(())
    }
}

fn undo(operation: &mut Operation) {
    if let Operation::Append { undone, .. } | Operation::Insert { undone, .. } = operation {
        *undone = true;
    }
}

fn numbers(text: &str) -> Vec<u64> {
    text.split(',').filter_map(|number| number.parse().ok()).collect()
}
