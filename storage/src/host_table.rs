//! Table functions that the host lends to SQLite, as eponymous virtual tables.
//!
//! A table `name` has the function's columns and, hidden behind them, one column for each argument: `name(a,
//! b)` is SQLite's own writing for `name WHERE argument1 = a AND argument2 = b`. The planner asks
//! `best_index` about every join order; those in which an argument is not known yet are refused, so that what
//! is left runs the function after what it depends on, as LATERAL asks.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;

use rusqlite::ffi;

use crate::failure::Failure;
use crate::handle::Handle;
use crate::host_value;
use crate::registration::{Registered, c_name, call, guarded, release};
use crate::{Connection, Result, RowIterator, TableFunction, TableScan, Value, ValueRef};

/// What the planner is told of a lookup by key: about one page of work, a few rows.
const KEY_COST: f64 = 20.0;
const KEY_ROWS: i64 = 4;
/// What it is told of a function with arguments, whose rows depend on them.
const CALL_COST: f64 = 200.0;
const CALL_ROWS: i64 = 100;
/// What it is told of a table read from end to end: more than any table is likely to have, so that keys are
/// used.
const SCAN_COST: f64 = 100_000.0;
const SCAN_ROWS: i64 = 10_000;

impl Connection {
    /// As [`Self::ensure_scalar`], for a table function.
    pub fn ensure_table(&mut self, function: &TableFunction) -> Result<()> {
        if self.handle.known.borrow().tables.contains(&function.name) {
            return Ok(());
        }
        self.enter();
        let name = c_name(&function.name)?;
        let registered = Registered::into_raw(&self.handle, function.clone());
        // SAFETY: a live handle, inside it; SQLite copies the name and releases the pointer, also on
        // failure.
        let code = unsafe {
            let released = Some(release::<TableFunction> as unsafe extern "C" fn(*mut c_void));
            ffi::sqlite3_create_module_v2(self.handle.raw(), name.as_ptr(), &MODULE, registered, released)
        };
        self.handle.check(code)?;
        self.handle.known.borrow_mut().tables.insert(Arc::clone(&function.name));
        Ok(())
    }
}

/// Without `xCreate`, a module's table is there by its own name and can be made by no statement.
static MODULE: ffi::sqlite3_module = ffi::sqlite3_module {
    iVersion: 0,
    xCreate: None,
    xConnect: Some(connect),
    xBestIndex: Some(best_index),
    xDisconnect: Some(disconnect),
    xDestroy: None,
    xOpen: Some(open),
    xClose: Some(close),
    xFilter: Some(filter),
    xNext: Some(next),
    xEof: Some(eof),
    xColumn: Some(column),
    xRowid: Some(rowid),
    xUpdate: None,
    xBegin: None,
    xSync: None,
    xCommit: None,
    xRollback: None,
    xFindFunction: None,
    xRename: None,
    xSavepoint: None,
    xRelease: None,
    xRollbackTo: None,
    xShadowName: None,
    xIntegrity: None,
};

/// One connected table. SQLite sees its first field.
#[repr(C)]
struct Table {
    base: ffi::sqlite3_vtab,
    registered: *const Registered<TableFunction>,
}

impl Table {
    fn registered(&self) -> &Registered<TableFunction> {
        // SAFETY: SQLite releases the module's pointer after it has disconnected all its tables.
        unsafe { &*self.registered }
    }

    fn function(&self) -> &TableFunction {
        &self.registered().function
    }

    fn handle(&self) -> &Handle {
        self.registered().handle()
    }
}

/// One scan. SQLite sees its first field.
#[repr(C)]
struct Cursor {
    base: ffi::sqlite3_vtab_cursor,
    rows: Option<RowIterator>,
    current: Option<Vec<Value>>,
    arguments: Vec<Value>,
    rowid: i64,
}

impl Cursor {
    /// Goes to the next row, or to the end; `None` when the host failed.
    fn advance(&mut self, table: &Table) -> Option<()> {
        let rows = self.rows.as_mut()?;
        let row = guarded(table.handle(), &table.function().name, || rows.next().transpose());
        self.rowid += 1;
        self.current = row?;
        Some(())
    }
}

fn declaration(function: &TableFunction) -> String {
    let visible = function.columns.iter().map(|name| format!("\"{}\"", name.replace('"', "\"\"")));
    let hidden = (1..=function.arguments).map(|number| format!("\"argument {number}\" HIDDEN"));
    let columns: Vec<_> = visible.chain(hidden).collect();
    format!("CREATE TABLE x({})", columns.join(", "))
}

unsafe extern "C" fn connect(
    database: *mut ffi::sqlite3,
    registered: *mut c_void,
    _count: c_int,
    _names: *const *const c_char,
    table: *mut *mut ffi::sqlite3_vtab,
    _error: *mut *mut c_char,
) -> c_int {
    // SAFETY: SQLite gives the pointer the module was registered with.
    let function = unsafe { &Registered::<TableFunction>::from_raw(registered).function };
    let Ok(declaration) = c_name(&declaration(function)) else {
        return ffi::SQLITE_ERROR;
    };
    // SAFETY: inside `xConnect`, where this call belongs.
    let code = unsafe { ffi::sqlite3_declare_vtab(database, declaration.as_ptr()) };
    if code == ffi::SQLITE_OK {
        let base = ffi::sqlite3_vtab::default();
        let made = Box::new(Table { base, registered: registered.cast_const().cast() });
        // SAFETY: SQLite gives a place for the table, which it gives back to `disconnect`.
        unsafe { *table = Box::into_raw(made).cast() };
    }
    code
}

unsafe extern "C" fn disconnect(table: *mut ffi::sqlite3_vtab) -> c_int {
    // SAFETY: made by `connect`; SQLite does not use it again.
    drop(unsafe { Box::from_raw(table.cast::<Table>()) });
    ffi::SQLITE_OK
}

/// How a scan will be called: the arguments, then the columns of a key.
#[derive(Debug, PartialEq)]
struct Plan {
    /// The key's position, if one is used.
    key: Option<usize>,
    /// Which constraints give the values, in the order in which the scan gets them.
    constraints: Vec<usize>,
}

/// Plans a scan from the columns that have a usable `=`: `equal[i]` is what constraint `i` is on, if it is
/// one.
fn plan(function: &TableFunction, equal: &[Option<usize>]) -> Option<Plan> {
    let find = |column: usize| equal.iter().position(|on| *on == Some(column));
    let first = function.columns.len();
    let mut constraints: Vec<usize> = (first..first + function.arguments).map(find).collect::<Option<_>>()?;
    let usable = |key: &Vec<usize>| key.iter().copied().map(find).collect::<Option<Vec<_>>>();
    let candidates = function.keys.iter().enumerate().filter_map(|(index, key)| Some((index, usable(key)?)));
    // The last of equals is what `max_by_key` takes: reversed, the first declared wins.
    let best = candidates.rev().max_by_key(|(_, found)| found.len());
    let key = best.map(|(index, found)| {
        constraints.extend(found);
        index
    });
    Some(Plan { key, constraints })
}

fn estimate(function: &TableFunction, plan: &Plan) -> (f64, i64) {
    match (plan.key, function.arguments) {
        (Some(_), _) => (KEY_COST, KEY_ROWS),
        (None, 0) => (SCAN_COST, SCAN_ROWS),
        (None, _) => (CALL_COST, CALL_ROWS),
    }
}

/// # Safety
/// `info` is the one that SQLite gave to `best_index`, which has not returned.
unsafe fn equal_columns(info: &ffi::sqlite3_index_info) -> Vec<Option<usize>> {
    let count = usize::try_from(info.nConstraint).unwrap_or(0);
    let on = |constraint: &ffi::sqlite3_index_constraint| {
        let usable = constraint.usable != 0 && c_int::from(constraint.op) == ffi::SQLITE_INDEX_CONSTRAINT_EQ;
        usize::try_from(constraint.iColumn).ok().filter(|_| usable)
    };
    // SAFETY: the caller's promise: so many constraints are there.
    (0..count).map(|index| on(unsafe { &*info.aConstraint.add(index) })).collect()
}

unsafe extern "C" fn best_index(table: *mut ffi::sqlite3_vtab, info: *mut ffi::sqlite3_index_info) -> c_int {
    // SAFETY: made by `connect`, and SQLite's question.
    let (table, info) = unsafe { (&*table.cast::<Table>(), &mut *info) };
    let function = table.function();
    // SAFETY: the question of this call.
    let equal = unsafe { equal_columns(info) };
    let Some(plan) = plan(function, &equal) else {
        return ffi::SQLITE_CONSTRAINT;
    };
    for (position, constraint) in plan.constraints.iter().enumerate() {
        // SAFETY: as many usages are there as constraints, and this is the index of one.
        let usage = unsafe { &mut *info.aConstraintUsage.add(*constraint) };
        usage.argvIndex = position as c_int + 1;
        // Arguments are not checked again: a function need not give them back as columns. Keys are.
        usage.omit = u8::from(position < function.arguments);
    }
    info.idxNum = plan.key.map_or(0, |key| key as c_int + 1);
    (info.estimatedCost, info.estimatedRows) = estimate(function, &plan);
    ffi::SQLITE_OK
}

unsafe extern "C" fn open(
    _table: *mut ffi::sqlite3_vtab,
    cursor: *mut *mut ffi::sqlite3_vtab_cursor,
) -> c_int {
    let base = ffi::sqlite3_vtab_cursor { pVtab: ptr::null_mut() };
    let made = Box::new(Cursor { base, rows: None, current: None, arguments: Vec::new(), rowid: 0 });
    // SAFETY: SQLite gives a place for the cursor, fills in the table, and gives it back to `close`.
    unsafe { *cursor = Box::into_raw(made).cast() };
    ffi::SQLITE_OK
}

/// # Safety
/// The cursor was made by `open` and SQLite has not closed it; SQLite uses it from one callback at a time.
unsafe fn parts<'a>(cursor: *mut ffi::sqlite3_vtab_cursor) -> (&'a mut Cursor, &'a Table) {
    // SAFETY: the caller's promise; SQLite closes cursors before it disconnects their table.
    unsafe {
        let table = &*(*cursor).pVtab.cast::<Table>();
        (&mut *cursor.cast::<Cursor>(), table)
    }
}

unsafe extern "C" fn close(cursor: *mut ffi::sqlite3_vtab_cursor) -> c_int {
    // SAFETY: SQLite closes an open cursor.
    let (_, table) = unsafe { parts(cursor) };
    // SAFETY: made by `open`; SQLite does not use it again.
    let cursor = unsafe { Box::from_raw(cursor.cast::<Cursor>()) };
    guarded(table.handle(), &table.function().name, || {
        drop(cursor);
        Ok(())
    });
    ffi::SQLITE_OK
}

unsafe extern "C" fn filter(
    cursor: *mut ffi::sqlite3_vtab_cursor,
    plan: c_int,
    _text: *const c_char,
    count: c_int,
    values: *mut *mut ffi::sqlite3_value,
) -> c_int {
    // SAFETY: an open cursor.
    let (cursor, table) = unsafe { parts(cursor) };
    // SAFETY: the values of this callback.
    let begun = unsafe {
        host_value::with_arguments(count, values, |values| begin_scan(cursor, table, plan, values))
    };
    code_of(begun)
}

fn begin_scan(cursor: &mut Cursor, table: &Table, plan: c_int, values: &[ValueRef<'_>]) -> Option<()> {
    let function = table.function();
    cursor.rows = None;
    cursor.rowid = 0;
    let (arguments, key_values) = values.split_at_checked(function.arguments)?;
    cursor.arguments = arguments.iter().map(|value| ValueRef::to_owned(*value)).collect();
    let key = usize::try_from(plan - 1).ok().map(|key| (key, key_values));
    let scan = TableScan { arguments, key };
    let rows = call(table.handle(), &function.name, |call| (function.scan)(call, scan))?;
    cursor.rows = Some(rows);
    cursor.advance(table)
}

fn code_of(done: Option<()>) -> c_int {
    if done.is_some() { ffi::SQLITE_OK } else { ffi::SQLITE_ERROR }
}

unsafe extern "C" fn next(cursor: *mut ffi::sqlite3_vtab_cursor) -> c_int {
    // SAFETY: an open cursor.
    let (cursor, table) = unsafe { parts(cursor) };
    code_of(cursor.advance(table))
}

unsafe extern "C" fn eof(cursor: *mut ffi::sqlite3_vtab_cursor) -> c_int {
    // SAFETY: an open cursor.
    let (cursor, _) = unsafe { parts(cursor) };
    c_int::from(cursor.current.is_none())
}

unsafe extern "C" fn column(
    cursor: *mut ffi::sqlite3_vtab_cursor,
    context: *mut ffi::sqlite3_context,
    index: c_int,
) -> c_int {
    // SAFETY: an open cursor.
    let (cursor, table) = unsafe { parts(cursor) };
    let visible = table.function().columns.len();
    let index = usize::try_from(index).unwrap_or(0);
    let value = match index.checked_sub(visible) {
        Some(argument) => cursor.arguments.get(argument),
        None => cursor.current.as_ref().and_then(|row| row.get(index)),
    };
    let Some(value) = value else {
        let name = &table.function().name;
        table.handle().fail(Failure::Fault(format!("a row of \"{name}\" has no column {index}")));
        return ffi::SQLITE_ERROR;
    };
    // SAFETY: the context of this callback.
    unsafe { host_value::set_result(context, value.as_ref()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn rowid(cursor: *mut ffi::sqlite3_vtab_cursor, rowid: *mut i64) -> c_int {
    // SAFETY: an open cursor, and SQLite's place for the answer.
    unsafe { *rowid = parts(cursor).0.rowid };
    ffi::SQLITE_OK
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(arguments: usize, keys: &[&[usize]]) -> TableFunction {
        TableFunction {
            name: "f".into(),
            columns: ["a".to_owned(), "b".to_owned()].into(),
            arguments,
            keys: keys.iter().map(|key| key.to_vec()).collect(),
            scan: Arc::new(|_, _| Ok(Box::new(std::iter::empty()))),
        }
    }

    #[test]
    fn plans_without_all_arguments_are_refused() {
        assert_eq!(plan(&function(1, &[]), &[Some(0)]), None);
        assert_eq!(plan(&function(2, &[]), &[Some(3), None]), None);
        let plan = plan(&function(2, &[]), &[Some(3), None, Some(2)]).expect("both are there");
        assert_eq!(plan, Plan { key: None, constraints: vec![2, 0] });
    }

    #[test]
    fn the_longest_key_wins_and_then_the_first() {
        let keyed = function(0, &[&[1], &[0], &[0, 1]]);
        assert_eq!(plan(&keyed, &[Some(0), Some(1)]), Some(Plan { key: Some(2), constraints: vec![0, 1] }));
        assert_eq!(plan(&keyed, &[None, Some(0)]), Some(Plan { key: Some(1), constraints: vec![1] }));
        let twice = function(0, &[&[0], &[1]]);
        assert_eq!(plan(&twice, &[Some(1), Some(0)]), Some(Plan { key: Some(0), constraints: vec![1] }));
    }
}
