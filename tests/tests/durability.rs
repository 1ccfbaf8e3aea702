//! What was acknowledged stays, and nothing stays by half: the server is killed under a load of every kind, on a good disk
//! and on one that loses what was not flushed, started again, and asked.
//!
//! The long proofs are `POSTILION_KILL_ROUNDS=200 tests/run killed_server` and `POSTILION_LOSS_ROUNDS=100 tests/run
//! power_failure`; `POSTILION_FAULT_SEED` repeats a round whose number a failure has named.

use std::time::{Duration, Instant};

use harness::{Faults, Load, Peer, Server, bank};

/// Rounds in the normal run.
const KILL_ROUNDS: u64 = 3;
const LOSS_ROUNDS: u64 = 2;

/// How many writes, truncations and flushes a round with losses may see before its power failure.
const EVENTS_MAX: u64 = 1500;

/// How long a start after a crash may take.
const RECOVERY_MAX: Duration = Duration::from_secs(1);

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Starts the server after a crash, looks how long that takes, and has its files checked.
fn recover(server: &Server, round: &str) -> Server {
    let started = Instant::now();
    let server = Server::builder().directory(server.directory()).start();
    let taken = started.elapsed();
    assert!(taken < RECOVERY_MAX, "{round}: the start took {taken:?}");
    server.check();
    server
}

#[test]
fn acknowledged_commits_survive_a_killed_server() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut server = Server::start();
    let mut load = runtime.block_on(Load::set_up(server.port())).expect("set up");
    let seed = number("POSTILION_FAULT_SEED", 1);
    for round in seed..seed + number("POSTILION_KILL_ROUNDS", KILL_ROUNDS) {
        runtime.block_on(async {
            let running = load.run(server.port(), round as i64);
            // A different moment each round, so that all phases of a commit are hit in the long run.
            running.progress((round * 13 % 50) as i64).await;
            tokio::time::sleep(Duration::from_micros(round * 7919 % 20_000)).await;
            server.kill();
            running.finish(&mut load).await;
        });
        let name = format!("round {round}");
        server = recover(&server, &name);
        load.check(&server, &name);
    }
    assert!(load.count() > 0, "nothing was written");
}

#[test]
fn the_sum_of_a_bank_survives_a_killed_server() {
    const CLIENTS: u64 = 32;
    const LEVELS: [&str; 3] = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"];
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut server = Server::start();
    runtime.block_on(bank::open(&Peer::at(server.port())));
    let seed = number("POSTILION_FAULT_SEED", 1);
    let mut committed = 0;
    for round in seed..seed + number("POSTILION_KILL_ROUNDS", KILL_ROUNDS) {
        let name = format!("round {round}");
        let level = LEVELS[round as usize % LEVELS.len()];
        let told = runtime.block_on(async {
            let peer = Peer::at(server.port());
            let running = bank::begin(&peer, CLIENTS, level, None, round).await;
            tokio::time::sleep(Duration::from_micros(100_000 + round * 7919 % 200_000)).await;
            server.kill();
            running.end().await
        });
        committed += told.unwrap_or_else(|seen| panic!("{name}, {level}: {seen}")).committed;
        server = recover(&server, &name);
        let sum = runtime.block_on(bank::audit(&Peer::at(server.port())));
        sum.unwrap_or_else(|seen| panic!("{name}, {level}: {seen}"));
    }
    assert!(committed > 0, "nothing was transferred");
}

#[test]
fn acknowledged_commits_survive_a_power_failure() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let seed = number("POSTILION_FAULT_SEED", 1);
    let mut acknowledged = 0;
    for round in seed..seed + number("POSTILION_LOSS_ROUNDS", LOSS_ROUNDS) {
        let name = format!("seed {round}");
        let faults = Faults::default();
        // Made on a good disk, so that the failure comes into the load.
        let mut server = faults.builder().start();
        let mut load = runtime.block_on(Load::set_up(server.port())).expect("set up");
        // Twice: the second failure meets what the first has left.
        for life in 0..2 {
            server.kill();
            let lossy = faults.losing(2 * round + life, EVENTS_MAX).launch();
            if lossy.accepts_connections() {
                runtime.block_on(async { load.run(lossy.port(), round as i64).finish(&mut load).await });
            }
            let mut lossy = lossy;
            lossy.wait();
            // It arrives a moment after the end: the log is read by another thread.
            lossy.expect_log("fault: crash at event");
            server = recover(&lossy, &name);
            load.check(&server, &name);
        }
        acknowledged += load.count();
    }
    assert!(acknowledged > 0, "nothing was written");
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
