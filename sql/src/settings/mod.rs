//! Settings (PostgreSQL's GUC): one table declares them; file, command line, SET, SHOW, `pg_settings` and the manual
//! all read it.

/// The settings of one session: the server's values under its own SETs, which obey transactions and savepoints.
pub struct SessionSettings {}
