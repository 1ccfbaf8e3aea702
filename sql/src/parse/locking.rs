//! FOR UPDATE and its kin. sqlparser's tree knows two strengths, `UPDATE` and `SHARE`; the weaker one of each (`NO KEY
//! UPDATE`, `KEY SHARE`) is marked by a first part of the clause's table name that no name of SQL can be.

use sqlparser::ast::{Ident, LockClause, LockType, NonBlock, ObjectName, ObjectNamePart, Query};

use super::parser::Parser;
use crate::Result;
use crate::bound::LockStrength;

/// Stands for "as far as keys are concerned". An identifier has at least one character.
const KEYS_ONLY: &str = "";

/// How strong a clause's lock is.
pub fn lock_strength(clause: &LockClause) -> LockStrength {
    match (clause.lock_type, is_marked(clause)) {
        (LockType::Share, true) => LockStrength::KeyShare,
        (LockType::Share, false) => LockStrength::Share,
        (LockType::Update, true) => LockStrength::NoKeyUpdate,
        (LockType::Update, false) => LockStrength::Update,
    }
}

/// The table that a clause names, if it names one.
pub fn locked_table(clause: &LockClause) -> Option<ObjectName> {
    let parts = clause.of.as_ref()?.0.iter().skip(usize::from(is_marked(clause)));
    let name = ObjectName(parts.cloned().collect());
    (!name.0.is_empty()).then_some(name)
}

fn is_marked(clause: &LockClause) -> bool {
    let first = clause.of.as_ref().and_then(|name| name.0.first());
    matches!(first, Some(ObjectNamePart::Identifier(ident)) if ident.value == KEYS_ONLY)
}

impl Parser<'_> {
    pub(super) fn locking(&mut self, query: &mut Query) -> Result<()> {
        self.expect("for")?;
        if self.accept_words(&["read", "only"]) {
            return Ok(());
        }
        let (lock_type, keys_only) = if self.accept("update") {
            (LockType::Update, false)
        } else if self.accept_words(&["no", "key", "update"]) {
            (LockType::Update, true)
        } else if self.accept("share") {
            (LockType::Share, false)
        } else if self.accept_words(&["key", "share"]) {
            (LockType::Share, true)
        } else {
            return self.fail();
        };
        let tables = if self.accept("of") { self.list(Self::object_name)? } else { Vec::new() };
        let nonblock = if self.accept("nowait") {
            Some(NonBlock::Nowait)
        } else if self.accept_words(&["skip", "locked"]) {
            Some(NonBlock::SkipLocked)
        } else {
            None
        };
        let marked = |table: Option<ObjectName>| {
            let mark = keys_only.then(|| ObjectNamePart::Identifier(Ident::new(KEYS_ONLY)));
            let parts: Vec<_> = mark.into_iter().chain(table.into_iter().flat_map(|name| name.0)).collect();
            (!parts.is_empty()).then_some(ObjectName(parts))
        };
        let tables: Vec<_> =
            if tables.is_empty() { vec![None] } else { tables.into_iter().map(Some).collect() };
        let clauses = tables.into_iter().map(|table| LockClause { lock_type, of: marked(table), nonblock });
        query.locks.extend(clauses);
        Ok(())
    }
}
