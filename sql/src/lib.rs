//! PostgreSQL itself: language, types, catalogs, sessions, and who is connected.
//!
//! The life of a statement: text → [`parse`] → syntax tree → [`bind`] → [`bound`] tree, all names resolved and all
//! expressions typed → [`lower`] → SQLite text and a list of host functions → [`execute`] → rows. Utility statements
//! go from `parse` to [`commands`]. A [`session`] holds what lasts longer than a statement.

pub mod backend;
pub mod bind;
mod blocking;
pub mod bound;
pub mod catalog;
pub mod clock;
pub mod cluster;
pub mod commands;
pub mod deparse;
mod error;
pub mod execute;
pub mod functions;
mod interrupt;
pub mod locks;
pub mod lower;
pub mod oid;
pub mod parse;
pub mod scram;
pub mod session;
pub mod settings;
mod sqlstate;
pub mod types;

pub use error::{ObjectNames, Report, Result, Severity, SqlError};
pub use oid::Oid;
pub use sqlstate::SqlState;
pub use storage::{Value, ValueRef};
