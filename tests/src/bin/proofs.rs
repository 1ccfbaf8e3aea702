//! The proofs by hand: isolation scripts to record and compare, and the long runs of what the tests run briefly.
//!
//! ```text
//! proofs isolation NAME ...                  compares scripts of tests/isolation
//! proofs record NAME ...                     writes NAME.out from the PostgreSQL that PROOF_SERVER names
//! proofs accept NAME ...                     writes NAME.differs from ours
//! proofs history LEVEL SECONDS [CLAIM]       random transactions at LEVEL, checked against CLAIM (LEVEL by default)
//! proofs bank LEVEL SECONDS                  transfers by 32 clients; the sum must not change
//! proofs crowd SECONDS                       64 clients that write; none may be told that the database is busy
//! proofs jobs COUNT                          16 workers that claim jobs
//! ```
//!
//! LEVEL is read-committed, repeatable-read or serializable. All run against our own server, or against the one that
//! PROOF_SERVER names by a connection string; chance comes from PROOF_SEED, or is printed.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command tells its user what it did")]

use std::process::ExitCode;
use std::time::Duration;

use harness::history::{self, Level};
use harness::{Peer, Random, bank, isolation, jobs};

/// How many clients a history has.
const HISTORY_CLIENTS: u64 = 16;

/// How many clients the bank has.
const BANK_CLIENTS: u64 = 32;

/// How many clients write in a crowd.
const CROWD_CLIENTS: u64 = 64;

/// How many workers claim jobs.
const WORKERS: usize = 16;

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, words)) = words.split_first() else { return usage() };
    match run(command, words).await {
        Some(Ok(told)) => {
            println!("{command}: {told}");
            ExitCode::SUCCESS
        }
        Some(Err(fault)) => {
            println!("{command}: violation: {fault}");
            ExitCode::FAILURE
        }
        None => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: proofs isolation|record|accept NAME ... | history LEVEL SECONDS [CLAIM] | bank LEVEL SECONDS"
    );
    eprintln!("       proofs crowd SECONDS | jobs COUNT");
    ExitCode::FAILURE
}

/// What a command found, or nothing when it is none.
async fn run(command: &str, words: &[String]) -> Option<Result<String, String>> {
    let peer = Peer::from_environment();
    let seed = Random::any_seed();
    println!("PROOF_SEED={seed}");
    let word = |index: usize| words.get(index).map(String::as_str);
    let seconds = |index: usize| word(index)?.parse().ok().map(Duration::from_secs);
    match command {
        "isolation" | "record" | "accept" => {
            for name in words {
                match command {
                    "isolation" => isolation::check(&peer, name).await,
                    "record" => isolation::record(&peer, name).await,
                    _ => isolation::accept(&peer, name).await,
                }
            }
            Some(Ok(words.join(" ")))
        }
        "history" => {
            let (name, level) = level(word(0)?)?;
            let claim = word(2).map_or(Some(level), |word| self::level(word).map(|(_, level)| level))?;
            let overwrite = claim > Level::ReadCommitted;
            let settings = history::Settings {
                clients: HISTORY_CLIENTS,
                level: name.to_owned(),
                span: seconds(1)?,
                seed,
                overwrite,
            };
            Some(match history::run(&peer, &settings).await {
                Ok(history) => history::check(&history, claim).map(|()| {
                    let committed = history.transactions.iter().filter(|t| t.committed).count();
                    format!(
                        "{committed} transactions committed, {} conflicts: {claim:?} holds",
                        history.conflicts
                    )
                }),
                Err(fault) => Err(fault),
            })
        }
        "bank" => {
            let (name, _) = level(word(0)?)?;
            let told = bank::run(&peer, BANK_CLIENTS, name, seconds(1)?, seed).await;
            Some(told.map(|told| format!("{told:?}")))
        }
        "crowd" => {
            let told = bank::crowd(&peer, CROWD_CLIENTS, seconds(0)?, seed).await;
            Some(told.map(|told| format!("{told:?}")))
        }
        "jobs" => {
            let count = word(0)?.parse().ok()?;
            Some(jobs::run(&peer, WORKERS, count).await.map(|()| format!("{count} jobs, each once")))
        }
        _ => None,
    }
}

/// A level's name in SQL, and what it promises.
fn level(word: &str) -> Option<(&'static str, Level)> {
    match word {
        "read-committed" => Some(("READ COMMITTED", Level::ReadCommitted)),
        "repeatable-read" => Some(("REPEATABLE READ", Level::RepeatableRead)),
        "serializable" => Some(("SERIALIZABLE", Level::Serializable)),
        _ => None,
    }
}
