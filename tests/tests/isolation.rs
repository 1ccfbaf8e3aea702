//! What several sessions see of each other: scripts of `tests/isolation`, whose expected texts are PostgreSQL's, and short
//! runs of the random proofs (the long ones are `cargo run --release -p postilion-tests --bin proofs`).

use std::time::Duration;

use harness::history::{self, Level};
use harness::{Peer, Random, Server, bank, isolation, jobs};

/// How long each random proof runs here.
const SPAN: Duration = Duration::from_secs(3);

fn peer() -> Peer {
    Peer::of(Server::builder().set("max_connections", "200").start())
}

macro_rules! scripts {
    ($($name:ident),* $(,)?) => {
        $(#[tokio::test]
        async fn $name() {
            isolation::check(&peer(), stringify!($name)).await;
        })*
    };
}

scripts!(
    advisory_locks,
    anomalies,
    command_locks,
    newer_catalog,
    deadlocks,
    maintenance,
    on_conflict,
    row_lock_uses,
    row_locks,
    table_locks,
    waiting,
    waiting_commits,
);

/// The levels by their names, with what they promise.
const LEVELS: [(&str, Level); 3] = [
    ("READ COMMITTED", Level::ReadCommitted),
    ("REPEATABLE READ", Level::RepeatableRead),
    ("SERIALIZABLE", Level::Serializable),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_keep_what_their_level_promises() {
    let (peer, seed) = (peer(), Random::any_seed());
    for (name, level) in LEVELS {
        let overwrite = level > Level::ReadCommitted;
        let settings = history::Settings { clients: 16, level: name.to_owned(), span: SPAN, seed, overwrite };
        let history = history::run(&peer, &settings).await;
        let verdict = history.and_then(|history| {
            assert!(history.transactions.iter().any(|t| t.committed), "{name}: nothing was committed");
            history::check(&history, level)
        });
        assert_eq!(verdict, Ok(()), "at {name}, PROOF_SEED={seed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_checker_finds_what_a_weaker_level_lets_pass() {
    let (peer, seed) = (peer(), Random::any_seed());
    let settings = history::Settings {
        clients: 16,
        level: "READ COMMITTED".to_owned(),
        span: SPAN,
        seed,
        overwrite: true,
    };
    let history = history::run(&peer, &settings).await.expect("a history");
    assert!(history::check(&history, Level::Serializable).is_err(), "PROOF_SEED={seed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bank_keeps_its_sum_at_every_level() {
    let (peer, seed) = (peer(), Random::any_seed());
    for (name, _) in LEVELS {
        let told = bank::run(&peer, 32, name, SPAN, seed).await;
        assert!(told.as_ref().is_ok_and(|told| told.committed > 0), "at {name}, PROOF_SEED={seed}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_of_a_crowd_is_told_that_the_database_is_busy() {
    let (peer, seed) = (peer(), Random::any_seed());
    let told = bank::crowd(&peer, 64, SPAN, seed).await;
    assert!(told.as_ref().is_ok_and(|told| told.committed > 0), "PROOF_SEED={seed}: {told:?}");
    let log = peer.log();
    assert!(!log.contains("locked") && !log.contains("busy"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_workers_claim_jobs_side_by_side_and_each_job_is_done_once() {
    assert_eq!(jobs::run(&peer(), 16, 200).await, Ok(()));
}
