//! What others may see of the locks: `pg_locks`, `pg_blocking_pids`.
//!
//! Source: `src/backend/utils/adt/lockfuncs.c`.

use super::{LockManager, LockMode, LockTag};
use crate::cluster::LockRow;

impl LockManager {
    /// The pids that keep a backend waiting.
    pub fn blockers(&self, pid: i32) -> Vec<i32> {
        self.table.lock().blockers(pid)
    }

    /// The rows of `pg_locks`. Each transaction has its own virtual number, and its number if it has one.
    pub fn rows(&self) -> Vec<LockRow> {
        let mut rows: Vec<LockRow> = Vec::new();
        for backend in self.backends.all() {
            let pid = backend.pid;
            let own = LockRow { pid, mode: LockMode::Exclusive.name(), granted: true, ..LockRow::default() };
            if backend.activity.lock().transaction_start.is_some() {
                rows.push(LockRow {
                    locktype: "virtualxid",
                    virtualxid: Some(backend.virtual_transaction()),
                    ..own.clone()
                });
            }
            if let Some(number) = backend.transaction_id() {
                rows.push(LockRow { locktype: "transactionid", transactionid: Some(number), ..own });
            }
            let database = backend.database();
            let weak = backend.locks.weak.lock();
            rows.extend(weak.iter().map(|held| {
                let row = LockTag::Relation(database, held.relation).row(pid, held.mode, None, 0);
                LockRow { fastpath: true, ..row }
            }));
        }
        let table = self.table.lock();
        table.each(|pid, tag, mode, since| {
            if since.is_none() && !tag.shows_holders() {
                return;
            }
            let holder = since.and_then(|_| table.blockers(pid).first().copied());
            rows.push(tag.row(pid, mode, since, holder.map_or(0, |holder| self.transaction_of(holder))));
        });
        rows.sort_by_key(|row| (row.pid, row.locktype, row.classid, row.objid, row.relation));
        rows
    }
}
