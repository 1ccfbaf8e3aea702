//! Settings that only Postilion has, and those of PostgreSQL that `pg_settings` does not list.

use super::super::definition::Context::*;
use super::super::definition::Unit::*;
use super::super::definition::{SettingDefinition, boolean, choice, integer, string};
use super::Group;

/// How background workers run.
const WORKERS: &[SettingDefinition] = &[
    choice("worker_isolation", Sighup, "process", &["process", "task"], "Sets whether a background worker runs in an operating system process of its own or as a task of the server.")
        .extra("Applies to workers started after the change."),
    choice("worker_crash_scope", Sighup, "worker", &["worker", "cluster"], "Sets what a crashed background worker takes down: itself only, or, as in PostgreSQL, every session.").extra("\"cluster\" is for testing what PostgreSQL would do."),
    integer("worker_restart_backoff_max", Sighup, 300, 0, 86_400, "Sets the longest pause before a worker that keeps failing is started again.").unit(Seconds).extra("0 keeps every pause at the worker's own restart interval."),
    integer("worker_memory_limit", Sighup, 256, 0, i32::MAX, "Sets the most memory that one sandboxed worker may use.").unit(Megabytes).extra("0 sets no limit."),
    string("extension_directory", Postmaster, "", "Sets the directory of extensions and their libraries.").superuser_only().extra("Empty means \"extension\" in the data directory."),
];

/// Threads that serve connections.
const PROCESS: &[SettingDefinition] =
    &[integer("reactors", Postmaster, 0, 0, 1024, "Sets the number of threads that serve connections.")
        .extra("0 means one for each processor, but at least two.")];

/// What PostgreSQL keeps out of SHOW ALL and `pg_settings`.
const HIDDEN: &[SettingDefinition] = &[
    boolean("is_superuser", Internal, false, "Shows whether the current user is a superuser.")
        .reported()
        .hidden(),
    string("session_authorization", User, "", "Sets the session user name.")
        .reported()
        .hidden()
        .not_in_file(),
    string("role", User, "none", "Sets the current role.").hidden().not_in_file(),
];

/// The groups of this file, with the category that `pg_settings` shows.
pub(super) const GROUPS: &[Group] = &[
    ("Background Workers", WORKERS),
    ("Connections and Authentication / Connection Settings", PROCESS),
    ("Ungrouped", HIDDEN),
];
