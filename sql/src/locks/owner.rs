//! A backend's own part of the lock manager: what it can note down without asking anybody.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32};

use parking_lot::Mutex;

use super::mode::LockMode;
use crate::Oid;

/// How many relations a backend notes down by itself (`FP_LOCK_SLOTS_PER_BACKEND`, which is 16); more go to the table.
pub(super) const WEAK_MAX: usize = 64;

/// A weak lock on a relation of the backend's database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Weak {
    pub(super) relation: Oid,
    pub(super) mode: LockMode,
    pub(super) level: u32,
}

/// See the head of this file.
#[derive(Default)]
pub struct LockOwner {
    /// Weak locks on relations, of which the table knows nothing.
    pub(super) weak: Mutex<Vec<Weak>>,
    /// How many savepoints are set.
    pub(super) level: AtomicU32,
    /// How many rows of each table the transaction has locked.
    pub(super) rows: Mutex<HashMap<Oid, u32, foldhash::fast::RandomState>>,
    /// Whether the table may know something of this backend.
    pub(super) known: AtomicBool,
}
