//! What can be locked.

use super::mode::LockMode;
use crate::Oid;
use crate::cluster::LockRow;

/// The number of an advisory lock in its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AdvisoryKey {
    /// `pg_advisory_lock(bigint)`.
    Wide(i64),
    /// `pg_advisory_lock(int, int)`: a space of its own.
    Pair(i32, i32),
}

impl AdvisoryKey {
    /// `classid`, `objid`, `objsubid` in `pg_locks`.
    fn fields(self) -> (u32, u32, i16) {
        match self {
            Self::Wide(number) => ((number >> 32) as u32, number as u32, 1),
            Self::Pair(first, second) => (first as u32, second as u32, 2),
        }
    }
}

/// Something that is locked. The first field is the database, zero for what all databases share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LockTag {
    /// The right to write to a database. PostgreSQL has no such lock; to others it looks like a wait for the transaction
    /// that has it, which is what it is.
    Writer(Oid),
    /// A table, view, index or sequence.
    Relation(Oid, Oid),
    /// All rows of a table, or keys of an index: taken weakly by those who lock some of them.
    AllRows(Oid, Oid),
    /// A row of a table, by its row number; a key of a unique index, by a number made of it.
    Row(Oid, Oid, i64),
    /// What clients agree on.
    Advisory(Oid, AdvisoryKey),
}

impl LockTag {
    /// The name of the wait in `pg_stat_activity.wait_event`.
    pub(super) fn wait_event(self) -> &'static str {
        match self {
            Self::Writer(_) | Self::Row(..) | Self::AllRows(..) => "transactionid",
            Self::Relation(..) => "relation",
            Self::Advisory(..) => "advisory",
        }
    }

    /// Whether others know it as a wait for the transaction of its holder.
    fn is_of_transaction(self) -> bool {
        matches!(self, Self::Writer(_) | Self::Row(..) | Self::AllRows(..))
    }

    /// Whether `pg_locks` shows who holds it: locks of rows are the rows' own affair, as in PostgreSQL, and the right to
    /// write shows as the holder's transaction.
    pub(super) fn shows_holders(self) -> bool {
        !self.is_of_transaction()
    }

    /// What a process waits for, in DETAIL of a deadlock: the mode and the thing (`DescribeLockTag`).
    pub(super) fn described(self, mode: LockMode, holder_transaction: u64) -> String {
        if self.is_of_transaction() {
            return format!("{} on transaction {holder_transaction}", LockMode::Share.name());
        }
        let thing = match self {
            Self::Relation(database, relation) => format!("relation {relation} of database {database}"),
            Self::Advisory(database, key) => {
                let (class, object, part) = key.fields();
                format!("advisory lock [{database},{class},{object},{part}]")
            }
            Self::Writer(_) | Self::Row(..) | Self::AllRows(..) => String::new(),
        };
        format!("{} on {thing}", mode.name())
    }

    /// Its row in `pg_locks`.
    pub(super) fn row(
        self,
        pid: i32,
        mode: LockMode,
        waiting_since: Option<i64>,
        holder_transaction: u64,
    ) -> LockRow {
        let row = LockRow {
            pid,
            mode: mode.name(),
            granted: waiting_since.is_none(),
            waitstart: waiting_since,
            ..LockRow::default()
        };
        match self {
            Self::Relation(database, relation) => {
                LockRow { locktype: "relation", database: Some(database), relation: Some(relation), ..row }
            }
            Self::Advisory(database, key) => {
                let (class, object, part) = key.fields();
                LockRow {
                    locktype: "advisory",
                    database: Some(database),
                    classid: Some(class),
                    objid: Some(object),
                    objsubid: Some(part),
                    ..row
                }
            }
            Self::Writer(_) | Self::Row(..) | Self::AllRows(..) => LockRow {
                locktype: "transactionid",
                transactionid: Some(holder_transaction),
                mode: LockMode::Share.name(),
                ..row
            },
        }
    }
}
