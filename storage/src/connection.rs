//! One connection to SQLite: preparing, binding, stepping. Its transactions are in `transaction`, what it
//! lends to SQLite in `registration`.

use std::any::Any;
use std::cell::Cell;
use std::ffi::c_int;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::Instant;

use rusqlite::ffi;

use crate::cache::Origin;
use crate::failure;
use crate::handle::Handle;
use crate::host_value;
use crate::returned::Returned;
use crate::statement::Progress;
use crate::{Interrupt, Result, RowRef, Statement, Value, ValueRef};

/// A connection: one transaction at a time, used by one thread at a time (it is `Send`, not `Sync`).
///
/// Inside a host function, [`crate::CallContext`] lends a second one on the same SQLite handle, a guest: it
/// prepares and runs statements inside the one that called the function, but does not begin or end
/// transactions. A guest is bound to the thread and the duration of its call.
pub struct Connection {
    pub(crate) handle: Arc<Handle>,
    seat: Seat,
    not_sync: PhantomData<Cell<()>>,
}

/// In which role a connection uses its handle.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seat {
    /// The one connection of the handle.
    Owner,
    /// A guest on this thread, inside an operation of the owner.
    Guest(ThreadId),
}

impl Connection {
    pub(crate) fn owner(handle: Arc<Handle>) -> Self {
        Self { handle, seat: Seat::Owner, not_sync: PhantomData }
    }

    /// A guest for the duration of one host call.
    ///
    /// # Safety
    /// The handle lives in an `Arc` with owners, and this thread is inside it until [`Self::retire`].
    pub(crate) unsafe fn guest(handle: &Handle) -> Self {
        let place = ptr::from_ref(handle);
        // SAFETY: the caller's promise: the place is an `Arc`'s, and somebody holds it.
        let handle = unsafe {
            Arc::increment_strong_count(place);
            Arc::from_raw(place)
        };
        Self { handle, seat: Seat::Guest(thread::current().id()), not_sync: PhantomData }
    }

    /// Ends a guest. One that host code has exchanged for another connection would be usable after its call,
    /// from another thread; that is a fault which cannot be undone.
    pub(crate) fn retire(self, handle: &Handle) {
        if !ptr::eq(Arc::as_ptr(&self.handle), handle) || self.is_owner() {
            tracing::error!("a host function kept the connection it was lent");
            std::process::abort();
        }
    }

    pub(crate) fn is_owner(&self) -> bool {
        self.seat == Seat::Owner
    }

    /// To be called before SQLite is asked for anything: puts away the statements that were dropped meanwhile.
    pub(crate) fn enter(&self) {
        if let Seat::Guest(thread) = self.seat {
            assert!(thread == thread::current().id(), "a guest connection stays on its thread");
        }
        self.handle.put_away_returned();
    }

    /// Lends a value to all host functions called from now on, until it is replaced. Not from inside a host
    /// function: that panics, since the calls under way still use the old one.
    pub fn set_context(&mut self, context: Option<Arc<dyn Any + Send + Sync>>) {
        self.enter();
        let mut place =
            self.handle.context.try_borrow_mut().expect("the context is not replaced inside a host function");
        *place = context;
    }

    /// The handle that stops this connection's statements.
    pub fn interrupt(&self) -> Interrupt {
        self.handle.watch.interrupt()
    }

    /// Lets statements run again after an interrupt.
    pub fn clear_interrupt(&self) {
        self.handle.watch.clear_interrupt();
    }

    /// Ends any statement that is still running at this moment with [`crate::ErrorKind::Interrupted`].
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.handle.watch.set_deadline(deadline);
    }

    /// Ends the running statement with [`crate::ErrorKind::BudgetExhausted`] after about so many thousand
    /// virtual machine instructions; `None` for no limit. Counted anew from this call. Only reading
    /// statements spend it: SQLite undoes the whole transaction of a writing one that it stops, so that could
    /// not be run again elsewhere.
    pub fn set_budget(&mut self, kilo_instructions: Option<u32>) {
        self.handle.watch.set_budget(kilo_instructions);
    }

    /// Says whether a writing statement that runs is let run to its end, whatever the interrupt and the deadline say:
    /// stopped in its middle it would take the transaction along, savepoints too. It is still not begun when it should
    /// have ended by then. Holds until the connection goes back to the pool.
    pub fn shield_writes(&mut self, shielded: bool) {
        self.handle.watch.shield_writes(shielded);
    }

    /// The statement for this text (one statement), from the cache or newly prepared.
    pub fn prepare(&mut self, sql: &str) -> Result<Statement> {
        self.prepare_as(sql, || Arc::from(sql))
    }

    /// As [`Self::prepare`], for a text that is kept: it is then found by its address.
    pub fn prepare_kept(&mut self, sql: &Arc<str>) -> Result<Statement> {
        self.prepare_as(sql, || Arc::clone(sql))
    }

    fn prepare_as(&mut self, sql: &str, kept: impl FnOnce() -> Arc<str>) -> Result<Statement> {
        self.enter();
        let cached = self.handle.cache.borrow_mut().take(sql);
        let (raw, origin) = match cached {
            Some(cached) => cached,
            None => (self.compile(sql)?, Origin::Compiled),
        };
        // SAFETY: a live statement.
        let writes = unsafe { ffi::sqlite3_stmt_readonly(raw) } == 0;
        let handle = Arc::clone(&self.handle);
        let sql = Some(kept());
        Ok(Statement { handle, raw, sql, origin, progress: Progress::Ready, rollbacks: 0, writes })
    }

    fn compile(&self, sql: &str) -> Result<*mut ffi::sqlite3_stmt> {
        let length = c_int::try_from(sql.len()).map_err(|_| failure::fault("statement too long"))?;
        self.handle.take_failure();
        let (mut raw, mut tail) = (ptr::null_mut(), ptr::null());
        let (start, flags) = (sql.as_ptr().cast(), ffi::SQLITE_PREPARE_PERSISTENT);
        // SAFETY: inside a live handle; the text has that length and outlives the call.
        let code =
            unsafe { ffi::sqlite3_prepare_v3(self.handle.raw(), start, length, flags, &mut raw, &mut tail) };
        self.handle.check(code)?;
        if raw.is_null() {
            return Err(failure::fault("no statement in the text"));
        }
        let rest = &sql[tail.addr() - start.addr()..];
        if rest.contains(|c: char| c != ';' && !c.is_whitespace()) {
            // SAFETY: just compiled, and not kept.
            unsafe { ffi::sqlite3_finalize(raw) };
            return Err(failure::fault(format!("text after the end of the statement: {rest}")));
        }
        Ok(raw)
    }

    fn check_owned(&self, statement: &Statement) -> Result<()> {
        if Arc::ptr_eq(&self.handle, &statement.handle) {
            return Ok(());
        }
        Err(failure::fault("a statement was used with a connection that did not make it"))
    }

    /// Gives parameter `index` (from 1) a value. A statement that has run is reset first.
    pub fn bind(&mut self, statement: &mut Statement, index: usize, value: ValueRef<'_>) -> Result<()> {
        self.check_owned(statement)?;
        self.enter();
        if statement.progress != Progress::Ready {
            self.reset_inside(statement);
        }
        let index = c_int::try_from(index).map_err(|_| failure::fault("parameter index too large"))?;
        // SAFETY: a live statement of this handle, inside it.
        let code = unsafe { host_value::bind(statement.raw, index, value) };
        self.handle.check(code)
    }

    /// Runs to the next row. At the end it gives `None`, and goes on doing so until the statement is reset;
    /// after an error the statement is reset.
    pub fn step<'a>(&'a mut self, statement: &'a mut Statement) -> Result<Option<RowRef<'a>>> {
        self.check_owned(statement)?;
        if statement.progress == Progress::Done {
            return Ok(None);
        }
        self.enter();
        match self.advance(statement) {
            Ok(true) => Ok(Some(RowRef { statement })),
            Ok(false) => Ok(None),
            Err(error) => {
                self.reset_inside(statement);
                self.handle.watch.forget_stop();
                Err(error)
            }
        }
    }

    fn advance(&self, statement: &mut Statement) -> Result<bool> {
        let handle = &self.handle;
        if statement.progress == Progress::Running && statement.rollbacks != handle.rollbacks.get() {
            return Err(failure::fault("the statement was ended by a rollback"));
        }
        statement.rollbacks = handle.rollbacks.get();
        let stop = match statement.progress {
            Progress::Running => handle.watch.may_continue(),
            _ => handle.watch.may_begin(),
        };
        if let Some(stop) = stop {
            return Err(stop.into());
        }
        handle.take_failure();
        // One in the middle of its rows has its snapshot.
        let takes_snapshot = statement.progress != Progress::Running && handle.is_without_snapshot();
        if takes_snapshot {
            handle.reads.take_snapshot();
        }
        if statement.progress != Progress::Running {
            handle.running.set(handle.running.get() + 1);
        }
        let writing = handle.watch.enter_statement(statement.writes);
        statement.progress = Progress::Running;
        // SAFETY: a live statement of this live handle, inside it.
        let code = unsafe { ffi::sqlite3_step(statement.raw) };
        handle.watch.leave_statement(writing);
        if takes_snapshot {
            handle.reads.snapshot_taken();
        }
        handle.changed.set(handle.changed.get() || statement.writes);
        if code != ffi::SQLITE_ROW {
            handle.running.set(handle.running.get().saturating_sub(1));
        }
        match code {
            // Host code that cannot refuse (a collation) leaves its failure behind a good code.
            ffi::SQLITE_ROW | ffi::SQLITE_DONE if handle.has_failed() => Err(handle.error(code)),
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => {
                statement.progress = Progress::Done;
                Ok(false)
            }
            code => Err(handle.error(code)),
        }
    }

    /// Makes the statement ready to be bound and run anew. Its bindings stay.
    pub fn reset(&mut self, statement: &mut Statement) {
        if self.check_owned(statement).is_ok() {
            self.enter();
            self.reset_inside(statement);
        } else {
            debug_assert!(false, "a statement is reset through the connection that made it");
        }
    }

    fn reset_inside(&self, statement: &mut Statement) {
        self.handle.reset(statement.raw);
        statement.progress = Progress::Ready;
    }

    /// Ends a statement, as dropping it does, but at once.
    pub fn finish(&mut self, mut statement: Statement) {
        if self.check_owned(&statement).is_ok()
            && let Some(sql) = statement.sql.take()
        {
            self.enter();
            self.handle.put_away(Returned { raw: statement.raw, sql, origin: statement.origin });
        }
    }

    /// Prepares, binds and runs to the end; how many rows it changed.
    pub fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<usize> {
        let mut statement = self.prepare_bound(sql, parameters)?;
        let before = self.total_changes();
        while self.step(&mut statement)?.is_some() {}
        self.finish(statement);
        let changed = if self.total_changes() == before { 0 } else { self.changes() };
        Ok(changed)
    }

    /// Prepares, binds and runs to the end, all rows.
    pub fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>> {
        let mut statement = self.prepare_bound(sql, parameters)?;
        let mut rows = Vec::new();
        while let Some(row) = self.step(&mut statement)? {
            rows.push((0..row.len()).map(|index| row.get(index).to_owned()).collect());
        }
        self.finish(statement);
        Ok(rows)
    }

    fn prepare_bound(&mut self, sql: &str, parameters: &[Value]) -> Result<Statement> {
        let mut statement = self.prepare(sql)?;
        if parameters.len() > statement.parameter_count() {
            return Err(failure::fault("more parameters than the statement has"));
        }
        for (index, value) in (1..).zip(parameters) {
            self.bind(&mut statement, index, value.as_ref())?;
        }
        Ok(statement)
    }

    /// The rowid of the last row inserted.
    pub fn last_insert_rowid(&self) -> i64 {
        self.enter();
        // SAFETY: a live handle, inside it.
        unsafe { ffi::sqlite3_last_insert_rowid(self.handle.raw()) }
    }

    /// How many rows the last INSERT, UPDATE or DELETE that ended has changed, those of triggers not counted.
    pub fn changes(&self) -> usize {
        self.enter();
        // SAFETY: as above.
        let changes = unsafe { ffi::sqlite3_changes64(self.handle.raw()) };
        usize::try_from(changes).unwrap_or(0)
    }

    pub(crate) fn total_changes(&self) -> i64 {
        self.enter();
        // SAFETY: as above.
        unsafe { ffi::sqlite3_total_changes64(self.handle.raw()) }
    }
}

impl Drop for Connection {
    /// A transaction that is left open ends without effects. (Statements that outlive the connection keep the
    /// handle.)
    fn drop(&mut self) {
        if self.is_owner() {
            self.rollback();
        }
    }
}
