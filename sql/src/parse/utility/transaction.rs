//! BEGIN to ROLLBACK, savepoints and two-phase commit.

use super::Utility;
use crate::Result;
use crate::parse::parser::Parser;

/// An isolation level, as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationLevel {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl IsolationLevel {
    /// As `transaction_isolation` shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "read uncommitted",
            Self::ReadCommitted => "read committed",
            Self::RepeatableRead => "repeatable read",
            Self::Serializable => "serializable",
        }
    }
}

/// One transaction mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionMode {
    Isolation(IsolationLevel),
    ReadOnly(bool),
    Deferrable(bool),
}

impl Parser<'_> {
    pub(super) fn transaction_statement(&mut self) -> Result<Utility> {
        let word = self.label()?.value;
        match word.as_str() {
            "begin" => {
                self.work_or_transaction();
                Ok(Utility::Begin { start: false, modes: self.optional_transaction_modes()? })
            }
            "start" => {
                self.expect("transaction")?;
                Ok(Utility::Begin { start: true, modes: self.optional_transaction_modes()? })
            }
            "commit" if self.accept("prepared") => Ok(Utility::CommitPrepared(self.string()?)),
            "commit" | "end" => {
                self.work_or_transaction();
                Ok(Utility::Commit { chain: self.and_chain()? })
            }
            "rollback" if self.accept("prepared") => Ok(Utility::RollbackPrepared(self.string()?)),
            "rollback" | "abort" => {
                self.work_or_transaction();
                if word == "rollback" && self.accept("to") {
                    self.accept("savepoint");
                    return Ok(Utility::RollbackToSavepoint(self.simple_name()?));
                }
                Ok(Utility::Rollback { chain: self.and_chain()? })
            }
            "savepoint" => Ok(Utility::Savepoint(self.simple_name()?)),
            _ => {
                self.accept("savepoint");
                Ok(Utility::ReleaseSavepoint(self.simple_name()?))
            }
        }
    }

    fn work_or_transaction(&mut self) {
        if !self.accept("work") {
            self.accept("transaction");
        }
    }

    fn and_chain(&mut self) -> Result<bool> {
        if !self.accept("and") {
            return Ok(false);
        }
        let chain = !self.accept("no");
        self.expect("chain")?;
        Ok(chain)
    }

    fn optional_transaction_modes(&mut self) -> Result<Vec<TransactionMode>> {
        if self.at_end() { Ok(Vec::new()) } else { self.transaction_modes() }
    }

    /// One or more modes, with or without commas.
    pub(super) fn transaction_modes(&mut self) -> Result<Vec<TransactionMode>> {
        let mut modes = vec![self.transaction_mode()?];
        while self.accept_symbol(",") || self.at_any(&["isolation", "read", "deferrable", "not"]) {
            modes.push(self.transaction_mode()?);
        }
        Ok(modes)
    }

    fn transaction_mode(&mut self) -> Result<TransactionMode> {
        if self.accept_words(&["isolation", "level"]) {
            return Ok(TransactionMode::Isolation(self.isolation_level()?));
        }
        if self.accept("read") {
            if self.accept("only") {
                return Ok(TransactionMode::ReadOnly(true));
            }
            self.expect("write")?;
            return Ok(TransactionMode::ReadOnly(false));
        }
        let deferrable = !self.accept("not");
        self.expect("deferrable")?;
        Ok(TransactionMode::Deferrable(deferrable))
    }

    fn isolation_level(&mut self) -> Result<IsolationLevel> {
        if self.accept("serializable") {
            return Ok(IsolationLevel::Serializable);
        }
        if self.accept("repeatable") {
            self.expect("read")?;
            return Ok(IsolationLevel::RepeatableRead);
        }
        self.expect("read")?;
        if self.accept("committed") {
            return Ok(IsolationLevel::ReadCommitted);
        }
        self.expect("uncommitted")?;
        Ok(IsolationLevel::ReadUncommitted)
    }
}
