//! A queue of jobs and the workers that claim them: `SELECT … FOR UPDATE SKIP LOCKED LIMIT 1`, work, `DELETE`, `COMMIT`.
//! Each job must be done exactly once; and the workers must be able to hold claimed jobs at the same time, which is shown
//! by a barrier that none passes before all of them hold one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Barrier;

use crate::Peer;

/// How long all workers may take to hold a job each.
const BARRIER_PATIENCE: Duration = Duration::from_secs(20);

/// Lets so many workers do so many jobs.
///
/// # Errors
/// What went wrong: a job done twice or not at all, or workers that exclude each other.
///
/// # Panics
/// When the table cannot be made.
pub async fn run(peer: &Peer, workers: usize, jobs: usize) -> Result<(), String> {
    let control = peer.connect("control").await;
    let make = format!(
        "DROP TABLE IF EXISTS jobs; CREATE TABLE jobs (id int PRIMARY KEY, payload text NOT NULL); \
         INSERT INTO jobs SELECT i, 'job ' || i FROM generate_series(1, {jobs}) i"
    );
    control.batch_execute(&make).await.expect("the jobs can be made");
    let barrier = Arc::new(Barrier::new(workers));
    let mut running = Vec::new();
    for number in 0..workers {
        let client = peer.connect(&format!("worker {number}")).await;
        running.push(tokio::spawn(work(client, barrier.clone())));
    }
    let (mut done, mut times) = (BTreeSet::new(), 0);
    for worker in running {
        let ids = worker.await.map_err(|panic| panic.to_string())??;
        times += ids.len();
        done.extend(ids);
    }
    let left: i64 = control.query_one("SELECT count(*) FROM jobs", &[]).await.expect("a count").get(0);
    if times != jobs || done.len() != jobs || left != 0 {
        return Err(format!(
            "of {jobs} jobs {} were done, {times} times in all, and {left} are left",
            done.len()
        ));
    }
    Ok(())
}

/// One worker: claims, works, deletes, commits, until there is nothing to claim.
async fn work(client: tokio_postgres::Client, barrier: Arc<Barrier>) -> Result<Vec<i32>, String> {
    let told = |error: tokio_postgres::Error| match error.as_db_error() {
        Some(error) => format!("{} {}", error.code().code(), error.message()),
        None => error.to_string(),
    };
    let claim = "SELECT id FROM jobs ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED";
    let claim = client.prepare(claim).await.map_err(told)?;
    let delete = client.prepare("DELETE FROM jobs WHERE id = $1").await.map_err(told)?;
    let mut done = Vec::new();
    loop {
        client.batch_execute("BEGIN").await.map_err(told)?;
        let claimed = client.query_opt(&claim, &[]).await.map_err(told)?;
        let Some(row) = claimed else {
            client.batch_execute("COMMIT").await.map_err(told)?;
            return Ok(done);
        };
        let id: i32 = row.get(0);
        if done.is_empty() {
            // The work of the first job: to see all the others at work.
            let met = tokio::time::timeout(BARRIER_PATIENCE, barrier.wait()).await;
            met.map_err(|_| format!("no {BARRIER_PATIENCE:?} were enough for every worker to hold a job"))?;
        }
        let deleted = client.execute(&delete, &[&id]).await.map_err(told)?;
        if deleted != 1 {
            return Err(format!("job {id} was claimed and {deleted} rows of it deleted"));
        }
        client.batch_execute("COMMIT").await.map_err(told)?;
        done.push(id);
    }
}
