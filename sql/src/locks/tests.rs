//! The table as a value, and the manager with waiting futures.

use std::sync::Arc;
use std::time::Duration;

use super::table::{Lifetime, Outcome, Request, Table};
use super::*;
use crate::backend::{BackendKind, Registration};
use crate::{Result, SqlState};

const DATABASE: Oid = Oid(5);
const TABLE: Oid = Oid(16_400);

fn relation() -> LockTag {
    LockTag::Relation(DATABASE, TABLE)
}

fn advisory(number: i64) -> LockTag {
    LockTag::Advisory(DATABASE, AdvisoryKey::Wide(number))
}

fn ask(table: &mut Table, pid: i32, tag: LockTag, mode: LockMode) -> char {
    let request = Request { pid, tag, mode, lifetime: Lifetime::Transaction, level: 0 };
    match table.request(request, Some(0)) {
        Outcome::Granted(_) => 'g',
        Outcome::Refused => 'r',
        Outcome::Queued(_) => 'q',
    }
}

#[test]
fn nobody_overtakes_a_waiter_that_it_excludes() {
    let mut table = Table::default();
    assert_eq!(ask(&mut table, 1, relation(), LockMode::AccessShare), 'g');
    assert_eq!(ask(&mut table, 2, relation(), LockMode::AccessExclusive), 'q');
    assert_eq!(ask(&mut table, 3, relation(), LockMode::AccessShare), 'q');
    assert_eq!(table.blockers(3), [2]);
    table.release_transaction(1, None, |_, _| {});
    assert!(table.holds(2, relation(), LockMode::AccessExclusive));
    assert_eq!(table.blockers(3), [2]);
    table.release_transaction(2, None, |_, _| {});
    assert!(table.holds(3, relation(), LockMode::AccessShare));
}

#[test]
fn a_holder_goes_before_those_who_wait_for_it() {
    let mut table = Table::default();
    assert_eq!(ask(&mut table, 1, relation(), LockMode::AccessShare), 'g');
    assert_eq!(ask(&mut table, 2, relation(), LockMode::AccessExclusive), 'q');
    assert_eq!(ask(&mut table, 1, relation(), LockMode::RowExclusive), 'g');
    assert!(table.circle(2).is_none());
}

#[test]
fn what_was_taken_since_a_savepoint_is_given_back() {
    let mut table = Table::default();
    let at = |level: u32| Request {
        pid: 1,
        tag: advisory(level.into()),
        mode: LockMode::Exclusive,
        lifetime: Lifetime::Transaction,
        level,
    };
    (0..3).for_each(|level| drop(table.request(at(level), None)));
    table.release_transaction(1, Some(0), |_, _| {});
    let held = |table: &Table| (0..3).filter(|n| table.holds(1, advisory(*n), LockMode::Exclusive)).count();
    assert_eq!(held(&table), 1);
    drop(table.request(at(2), None));
    table.merge_levels(1, 0);
    table.release_transaction(1, Some(0), |_, _| {});
    assert_eq!(held(&table), 2);
}

#[test]
fn who_leaves_the_queue_lets_the_next_one_through() {
    let mut table = Table::default();
    assert_eq!(ask(&mut table, 1, relation(), LockMode::Share), 'g');
    assert_eq!(ask(&mut table, 2, relation(), LockMode::Exclusive), 'q');
    assert_eq!(ask(&mut table, 3, relation(), LockMode::Share), 'q');
    table.withdraw(2);
    assert!(table.holds(3, relation(), LockMode::Share));
}

#[test]
fn a_session_gives_back_as_often_as_it_took() {
    let mut table = Table::default();
    let session = Request {
        pid: 1,
        tag: advisory(1),
        mode: LockMode::Exclusive,
        lifetime: Lifetime::Session,
        level: 0,
    };
    drop(table.request(session, None));
    drop(table.request(session, None));
    assert!(table.unlock(1, advisory(1), LockMode::Exclusive));
    assert!(table.holds(1, advisory(1), LockMode::Exclusive));
    table.release_transaction(1, None, |_, _| {});
    assert!(table.unlock(1, advisory(1), LockMode::Exclusive));
    assert!(!table.unlock(1, advisory(1), LockMode::Exclusive));
}

struct World {
    locks: Arc<LockManager>,
    registrations: Vec<Registration>,
}

impl World {
    fn new(backends: usize) -> Self {
        let table: Arc<BackendTable> = Arc::default();
        let registrations: Vec<_> =
            (0..backends).map(|_| table.register(BackendKind::Client, 0, 0, None)).collect();
        registrations.iter().for_each(|registration| registration.backend.enter_database(DATABASE));
        Self { locks: Arc::new(LockManager::new(table)), registrations }
    }

    fn backend(&self, number: usize) -> Arc<Backend> {
        self.registrations[number].backend.clone()
    }

    fn take(&self, number: usize, tag: LockTag, mode: LockMode) -> bool {
        self.locks.try_acquire(&self.backend(number), tag, mode, Lifetime::Transaction)
    }

    /// Waits for a lock as a task of its own.
    fn wait(
        &self,
        number: usize,
        tag: LockTag,
        mode: LockMode,
        timeout: Option<Duration>,
    ) -> tokio::task::JoinHandle<Result<()>> {
        let (locks, backend) = (self.locks.clone(), self.backend(number));
        tokio::spawn(async move {
            let interrupted = || Ok(());
            let deadlock = Duration::from_millis(20);
            let patience = Patience { deadlock, timeout, deadline: None, interrupted: &interrupted };
            locks.acquire(&backend, tag, mode, Lifetime::Transaction, &patience).await
        })
    }

    /// Lets tasks run until a backend waits.
    async fn until_waiting(&self, number: usize) {
        while self.locks.blockers(self.backend(number).pid).is_empty() {
            tokio::task::yield_now().await;
        }
    }
}

#[test]
fn weak_locks_are_found_by_who_wants_a_strong_one() {
    let world = World::new(2);
    assert!(world.take(0, relation(), LockMode::RowExclusive));
    assert!(world.locks.rows().iter().any(|row| row.fastpath && row.relation == Some(TABLE)));
    assert!(!world.take(1, relation(), LockMode::Share));
    world.locks.release_transaction(&world.backend(0), &RowChanges::default(), 0);
    assert!(world.take(1, relation(), LockMode::Share));
    assert!(!world.take(0, relation(), LockMode::RowExclusive));
    world.locks.release_transaction(&world.backend(1), &RowChanges::default(), 0);
    assert!(world.take(0, relation(), LockMode::RowExclusive));
    assert_eq!(world.locks.strong[strong_counter(TABLE)].load(Ordering::SeqCst), 0);
}

#[test]
fn very_many_rows_become_all_rows() {
    let world = World::new(2);
    let (first, second) = (world.backend(0), world.backend(1));
    let lock =
        |backend: &Backend, row| world.locks.lock_row(backend, DATABASE, TABLE, row, LockMode::Exclusive);
    for row in 0..i64::from(ROWS_MAX) {
        assert_eq!(lock(&first, row), RowAnswer::Locked);
        // One that is locked in two modes counts once.
        if row < i64::from(ROWS_MAX) - 1 {
            let changed = world.locks.lock_row(&first, DATABASE, TABLE, row, LockMode::RowRemoval);
            assert_eq!(changed, RowAnswer::Locked);
        }
    }
    assert_eq!(lock(&second, -1), RowAnswer::Locked);
    assert!(matches!(lock(&first, -2), RowAnswer::Busy(LockTag::AllRows(..), LockMode::AccessExclusive)));
    world.locks.release_transaction(&second, &RowChanges::default(), 0);
    assert_eq!(lock(&first, -2), RowAnswer::Locked);
    assert!(matches!(lock(&second, -3), RowAnswer::Busy(..)));
    let looked_at = |row| world.locks.changing_row(&second, DATABASE, TABLE, row);
    assert_eq!(looked_at(1), Some(LockTag::Row(DATABASE, TABLE, 1)));
    assert_eq!(looked_at(-2), None, "it is only locked, as all are");
    let changed = world.locks.lock_row(&first, DATABASE, TABLE, -2, LockMode::RowChange);
    assert_eq!((changed, looked_at(-3)), (RowAnswer::Locked, Some(LockTag::AllRows(DATABASE, TABLE))));
    world.locks.release_transaction(&first, &RowChanges::default(), 0);
    assert_eq!(lock(&second, 1), RowAnswer::Locked);
}

#[tokio::test]
async fn a_circle_is_told_to_one_of_its_members() {
    let world = World::new(2);
    world.backend(0).set_transaction_id(Some(700));
    let (row, writer) = (LockTag::Row(DATABASE, TABLE, 1), LockTag::Writer(DATABASE));
    assert!(world.take(0, row, LockMode::Exclusive) && world.take(1, advisory(1), LockMode::Exclusive));
    assert!(world.take(1, writer, LockMode::Exclusive));
    let first = world.wait(0, advisory(1), LockMode::Exclusive, None);
    world.until_waiting(0).await;
    let second = world.wait(1, row, LockMode::Exclusive, None);
    let error = tokio::select! {
        result = first => {
            world.locks.release_transaction(&world.backend(0), &RowChanges::default(), 0);
            result
        }
        result = second => result,
    };
    let error = error.unwrap().unwrap_err();
    assert_eq!(error.code(), SqlState::T_R_DEADLOCK_DETECTED);
    let detail = error.0.detail.clone().unwrap();
    let (a, b) = (world.backend(0).pid, world.backend(1).pid);
    let row_wait = format!("Process {b} waits for ShareLock on transaction 700; blocked by process {a}.");
    let lock_wait =
        format!("Process {a} waits for ExclusiveLock on advisory lock [5,0,1,1]; blocked by process {b}.");
    assert!(detail.contains(&row_wait) && detail.contains(&lock_wait), "{detail}");
}

#[tokio::test]
async fn a_wait_ends_when_its_time_is_up_and_its_place_is_free() {
    let world = World::new(3);
    assert!(world.take(0, advisory(1), LockMode::Exclusive));
    let timed = world.wait(1, advisory(1), LockMode::Exclusive, Some(Duration::from_millis(5)));
    assert_eq!(timed.await.unwrap().unwrap_err().code(), SqlState::LOCK_NOT_AVAILABLE);
    let dropped = world.wait(1, advisory(1), LockMode::Exclusive, None);
    world.until_waiting(1).await;
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    let last = world.wait(2, advisory(1), LockMode::Exclusive, None);
    world.until_waiting(2).await;
    world.locks.release_transaction(&world.backend(0), &RowChanges::default(), 0);
    last.await.unwrap().unwrap();
    assert!(world.locks.holds(&world.backend(2), advisory(1), LockMode::Exclusive));
}
