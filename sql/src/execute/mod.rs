//! Execution: running a plan on an engine connection. Everything here is synchronous and knows no session: it gets a
//! connection, a plan, parameters and a context, and gives rows or a count.
//!
//! | file | what |
//! |---|---|
//! | `run` | texts: functions registered, places bound, errors taken back out of the engine |
//! | `table` | what writing to a table must know of it |
//! | `physical` | tables and indexes of the catalog as tables and indexes of SQLite |
//! | `modify` | INSERT, UPDATE, DELETE, MERGE over rows that the engine has computed |
//! | `write` | one row at a time: constraints, then the write |
//! | `foreign_keys` | referential integrity at the end of a statement or transaction |

pub(crate) mod foreign_keys;
pub(crate) mod modify;
pub mod physical;
pub(crate) mod run;
pub(crate) mod stored;
pub(crate) mod table;
pub(crate) mod write;
