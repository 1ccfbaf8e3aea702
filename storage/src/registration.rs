//! Functions, aggregates and collations that the host lends to SQLite. Table functions are in `host_table`.
//!
//! Rules of this border: no panic crosses it (each callback catches), an error of the host is kept beside the
//! handle and SQLite gets a plain failure in its place, and `step` hands the kept one back.

use std::any::Any;
use std::ffi::{CString, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

use rusqlite::ffi;

use crate::failure::{self, Failure};
use crate::handle::Handle;
use crate::host_value;
use crate::{
    AggregateFunction, AggregateState, CallContext, Collation, Connection, HostError, Result, ScalarFunction,
    ValueRef,
};

/// What a callback of SQLite gets back: the function, and the handle it was registered on.
pub(crate) struct Registered<F> {
    /// Lives as long as the registration: the handle closes SQLite, and with it all registrations, when it is
    /// dropped.
    handle: *const Handle,
    pub(crate) function: F,
}

impl<F> Registered<F> {
    pub(crate) fn into_raw(handle: &Handle, function: F) -> *mut c_void {
        Box::into_raw(Box::new(Self { handle, function })).cast()
    }

    /// # Safety
    /// `raw` came from [`Self::into_raw`] and SQLite has not released it.
    pub(crate) unsafe fn from_raw<'a>(raw: *mut c_void) -> &'a Self {
        // SAFETY: the caller's promise.
        unsafe { &*raw.cast_const().cast() }
    }

    pub(crate) fn handle(&self) -> &Handle {
        // SAFETY: see the field.
        unsafe { &*self.handle }
    }
}

/// SQLite's word that a registration is over.
pub(crate) unsafe extern "C" fn release<F>(raw: *mut c_void) {
    // SAFETY: the pointer came from `into_raw`, and SQLite says this once.
    let registered = unsafe { Box::from_raw(raw.cast::<Registered<F>>()) };
    // What a closure does when it is dropped is the host's; a panic in there must not leave.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(registered)));
}

/// Runs host code with a guest connection; `None` when it failed, with the reason kept beside the handle.
pub(crate) fn call<R>(
    handle: &Handle,
    name: &str,
    body: impl FnOnce(&mut CallContext<'_>) -> Result<R, HostError>,
) -> Option<R> {
    let context = handle.context.borrow();
    // SAFETY: callbacks run inside an operation on the handle: this thread is inside it, and somebody
    // holds its `Arc`. (When the handle is dropped, statements are put away without calling the host.)
    let mut connection = unsafe { Connection::guest(handle) };
    let result = guarded(handle, name, || {
        body(&mut CallContext { context: context.as_ref(), connection: &mut connection })
    });
    connection.retire(handle);
    result
}

/// Runs host code; `None` when it refused or panicked, with the reason kept beside the handle.
pub(crate) fn guarded<R>(
    handle: &Handle,
    name: &str,
    body: impl FnOnce() -> Result<R, HostError>,
) -> Option<R> {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(result)) => return Some(result),
        Ok(Err(error)) => Failure::Host(error),
        Err(payload) => panicked(name, payload),
    };
    handle.fail(failure);
    None
}

/// A panic's payload may itself panic when it is dropped, so it never is.
fn panicked(name: &str, payload: Box<dyn Any + Send>) -> Failure {
    let failure = Failure::from_panic(name, &*payload);
    std::mem::forget(payload);
    failure
}

/// Tells SQLite that the callback failed.
///
/// # Safety
/// The context is that of a callback that has not returned.
unsafe fn refuse(context: *mut ffi::sqlite3_context) {
    // SAFETY: the caller's promise; SQLite copies the text.
    unsafe { ffi::sqlite3_result_error(context, c"host function failed".as_ptr(), -1) };
}

impl Connection {
    /// Makes this function known, once by its name; to be called before a statement that uses it is prepared.
    pub fn ensure_scalar(&mut self, function: &ScalarFunction) -> Result<()> {
        if self.handle.known.borrow().functions.contains(&function.name) {
            return Ok(());
        }
        self.enter();
        let pure = ffi::SQLITE_DETERMINISTIC | ffi::SQLITE_INNOCUOUS;
        let flags = ffi::SQLITE_UTF8 | if function.deterministic { pure } else { 0 };
        let name = c_name(&function.name)?;
        let registered = Registered::into_raw(&self.handle, function.clone());
        // SAFETY: a live handle, inside it; SQLite copies the name and releases the pointer, also on
        // failure.
        let code = unsafe {
            let released = Some(release::<ScalarFunction> as unsafe extern "C" fn(*mut c_void));
            let (raw, body) = (self.handle.raw(), Some(call_scalar as Step));
            ffi::sqlite3_create_function_v2(
                raw,
                name.as_ptr(),
                -1,
                flags,
                registered,
                body,
                None,
                None,
                released,
            )
        };
        self.handle.check(code)?;
        self.handle.known.borrow_mut().functions.insert(Arc::clone(&function.name));
        Ok(())
    }

    /// As [`Self::ensure_scalar`], for an aggregate.
    pub fn ensure_aggregate(&mut self, function: &AggregateFunction) -> Result<()> {
        if self.handle.known.borrow().functions.contains(&function.name) {
            return Ok(());
        }
        self.enter();
        let flags = ffi::SQLITE_UTF8 | ffi::SQLITE_INNOCUOUS;
        let name = c_name(&function.name)?;
        let registered = Registered::into_raw(&self.handle, function.clone());
        // SAFETY: as for scalars.
        let code = unsafe {
            ffi::sqlite3_create_window_function(
                self.handle.raw(),
                name.as_ptr(),
                -1,
                flags,
                registered,
                Some(step_aggregate),
                Some(end_aggregate),
                Some(value_of_aggregate),
                Some(inverse_aggregate),
                Some(release::<AggregateFunction>),
            )
        };
        self.handle.check(code)?;
        self.handle.known.borrow_mut().functions.insert(Arc::clone(&function.name));
        Ok(())
    }

    /// As [`Self::ensure_scalar`], for a collation.
    pub fn ensure_collation(&mut self, collation: &Collation) -> Result<()> {
        if self.handle.known.borrow().collations.contains(&collation.name) {
            return Ok(());
        }
        self.enter();
        let name = c_name(&collation.name)?;
        let registered = Registered::into_raw(&self.handle, collation.clone());
        // SAFETY: as for scalars, but for a failure, after which the pointer is still ours.
        let code = unsafe {
            let released = Some(release::<Collation> as unsafe extern "C" fn(*mut c_void));
            let (raw, utf8) = (self.handle.raw(), ffi::SQLITE_UTF8);
            ffi::sqlite3_create_collation_v2(raw, name.as_ptr(), utf8, registered, Some(compare), released)
        };
        if code != ffi::SQLITE_OK {
            // SAFETY: SQLite documents that it does not release a collation that it refused.
            unsafe { release::<Collation>(registered) };
        }
        self.handle.check(code)?;
        self.handle.known.borrow_mut().collations.push(Arc::clone(&collation.name));
        Ok(())
    }
}

/// A name as C wants it.
pub(crate) fn c_name(name: &str) -> Result<CString> {
    CString::new(name).map_err(|_| failure::fault("the name of a host function holds a NUL"))
}

type Step = unsafe extern "C" fn(*mut ffi::sqlite3_context, c_int, *mut *mut ffi::sqlite3_value);

unsafe extern "C" fn call_scalar(
    context: *mut ffi::sqlite3_context,
    count: c_int,
    arguments: *mut *mut ffi::sqlite3_value,
) {
    // SAFETY: SQLite gives the pointer this function was registered with.
    let scalar = unsafe { Registered::<ScalarFunction>::from_raw(ffi::sqlite3_user_data(context)) };
    let function = &scalar.function;
    // SAFETY: the arguments of this callback.
    let result = unsafe {
        host_value::with_arguments(count, arguments, |arguments| {
            call(scalar.handle(), &function.name, |call| (function.body)(call, arguments))
        })
    };
    // SAFETY: the context of this callback.
    unsafe {
        match result {
            Some(value) => host_value::set_result(context, value.as_ref()),
            None => refuse(context),
        }
    }
}

/// A group's state, behind one thin pointer in the memory that SQLite keeps for the group.
struct Group(Box<dyn AggregateState>);

/// The place of the group's pointer; null if SQLite has none yet and `make` is false, or no memory.
///
/// # Safety
/// The context is that of an aggregate's callback that has not returned.
unsafe fn group_place(context: *mut ffi::sqlite3_context, make: bool) -> *mut *mut Group {
    let size = if make { size_of::<*mut Group>() as c_int } else { 0 };
    // SAFETY: the caller's promise; SQLite gives zeroed memory, aligned for pointers, the same for the whole
    // group.
    unsafe { ffi::sqlite3_aggregate_context(context, size).cast() }
}

/// Runs `body` on the group's state, which is made at its first row.
///
/// # Safety
/// As for [`group_place`].
unsafe fn with_group<R>(
    context: *mut ffi::sqlite3_context,
    body: impl FnOnce(&mut CallContext<'_>, &mut dyn AggregateState) -> Result<R, HostError>,
) -> Option<R> {
    // SAFETY: SQLite gives the pointer this aggregate was registered with.
    let aggregate = unsafe { Registered::<AggregateFunction>::from_raw(ffi::sqlite3_user_data(context)) };
    let (handle, function) = (aggregate.handle(), &aggregate.function);
    // SAFETY: the caller's promise.
    let place = unsafe { group_place(context, true) };
    if place.is_null() {
        handle.fail(Failure::Fault("out of memory".to_owned()));
        return None;
    }
    // SAFETY: the place holds null or the pointer that was put here.
    if unsafe { (*place).is_null() } {
        let state = guarded(handle, &function.name, || Ok((function.start)()))?;
        // SAFETY: as above.
        unsafe { *place = Box::into_raw(Box::new(Group(state))) };
    }
    // SAFETY: the pointer is live until `end_aggregate`, and callbacks of one group do not overlap.
    let group = unsafe { &mut **place };
    call(handle, &function.name, |call| body(call, &mut *group.0))
}

unsafe extern "C" fn step_aggregate(
    context: *mut ffi::sqlite3_context,
    count: c_int,
    arguments: *mut *mut ffi::sqlite3_value,
) {
    // SAFETY: context and arguments of this callback.
    unsafe {
        let taken = host_value::with_arguments(count, arguments, |arguments: &[ValueRef<'_>]| {
            with_group(context, |call, state| state.step(call, arguments))
        });
        if taken.is_none() {
            refuse(context);
        }
    }
}

unsafe extern "C" fn inverse_aggregate(
    context: *mut ffi::sqlite3_context,
    count: c_int,
    arguments: *mut *mut ffi::sqlite3_value,
) {
    // SAFETY: context and arguments of this callback.
    unsafe {
        let taken = host_value::with_arguments(count, arguments, |arguments: &[ValueRef<'_>]| {
            with_group(context, |call, state| state.inverse(call, arguments))
        });
        if taken.is_none() {
            refuse(context);
        }
    }
}

unsafe extern "C" fn value_of_aggregate(context: *mut ffi::sqlite3_context) {
    // SAFETY: the context of this callback.
    unsafe {
        match with_group(context, |call, state| state.value(call)) {
            Some(value) => host_value::set_result(context, value.as_ref()),
            None => refuse(context),
        }
    }
}

/// The end of a group: its result, unless the statement is being given up, and then its memory. SQLite calls
/// this for every group that has begun, whatever happens.
unsafe extern "C" fn end_aggregate(context: *mut ffi::sqlite3_context) {
    // SAFETY: as in `with_group`.
    let aggregate = unsafe { Registered::<AggregateFunction>::from_raw(ffi::sqlite3_user_data(context)) };
    let handle = aggregate.handle();
    if !handle.is_discarding() && !handle.has_failed() && !handle.watch.has_stopped() {
        // SAFETY: the context of this callback.
        unsafe { value_of_aggregate(context) };
    }
    // SAFETY: the context of this callback.
    let place = unsafe { group_place(context, false) };
    // SAFETY: null or the group's place.
    let group = if place.is_null() { ptr::null_mut() } else { unsafe { place.replace(ptr::null_mut()) } };
    if !group.is_null() {
        // SAFETY: made by `with_group`, and now taken out of its place.
        let group = unsafe { Box::from_raw(group) };
        guarded(handle, &aggregate.function.name, || {
            drop(group);
            Ok(())
        });
    }
}

/// A comparison cannot refuse: when the host's panics, the order of bytes stands in and the statement fails
/// afterwards.
unsafe extern "C" fn compare(
    registered: *mut c_void,
    left_length: c_int,
    left: *const c_void,
    right_length: c_int,
    right: *const c_void,
) -> c_int {
    // SAFETY: SQLite gives the pointer this collation was registered with.
    let collation = unsafe { Registered::<Collation>::from_raw(registered) };
    // SAFETY: SQLite gives two texts with their lengths, which stay until this returns.
    let (left, right) = unsafe {
        (host_value::bytes(left.cast(), left_length), host_value::bytes(right.cast(), right_length))
    };
    let ordering = match (std::str::from_utf8(left), std::str::from_utf8(right)) {
        (Ok(left), Ok(right)) => {
            let function = &collation.function;
            guarded(collation.handle(), &function.name, || Ok((function.compare)(left, right)))
        }
        _ => None,
    };
    ordering.unwrap_or_else(|| left.cmp(right)) as c_int
}
