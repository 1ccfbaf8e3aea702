//! Settings of the log and of statistics.

use super::super::checks;
use super::super::definition::Context::*;
use super::super::definition::Unit::*;
use super::super::definition::{SettingDefinition, boolean, choice, integer, string};
use super::{Group, NO_EFFECT};

/// Reporting and Logging / Process Title.
const PROCESS_TITLE: &[SettingDefinition] = &[
    string(
        "cluster_name",
        Postmaster,
        "",
        "Sets the name of the cluster, which is included in the process title.",
    )
    .checked(checks::printable_ascii),
    boolean(
        "update_process_title",
        Superuser,
        true,
        "Updates the process title to show the active SQL command.",
    )
    .accepted(NO_EFFECT),
];

/// Reporting and Logging / What to Log.
const WHAT_TO_LOG: &[SettingDefinition] = &[
    string("application_name", User, "", "Sets the application name to be reported in statistics and logs.").reported().checked(checks::printable_ascii),
    boolean("debug_pretty_print", User, true, "Indents parse and plan tree displays.").accepted(NO_EFFECT),
    boolean("debug_print_parse", User, false, "Logs each query's parse tree.").accepted(NO_EFFECT),
    boolean("debug_print_plan", User, false, "Logs each query's execution plan.").accepted(NO_EFFECT),
    boolean("debug_print_rewritten", User, false, "Logs each query's rewritten parse tree.").accepted(NO_EFFECT),
    boolean("log_checkpoints", Sighup, true, "Logs each checkpoint."),
    boolean("log_connections", SuperuserBackend, false, "Logs each successful connection."),
    boolean("log_disconnections", SuperuserBackend, false, "Logs end of a session, including duration."),
    boolean("log_duration", Superuser, false, "Logs the duration of each completed SQL statement."),
    choice("log_error_verbosity", Superuser, "default", &["terse", "default", "verbose"], "Sets the verbosity of logged messages."),
    string("log_line_prefix", Sighup, "%m [%p] ", "Controls information prefixed to each log line."),
    boolean("log_lock_waits", Superuser, false, "Logs long lock waits.").accepted(NO_EFFECT),
    integer("log_parameter_max_length", Superuser, -1, -1, 1073741823, "Sets the maximum length in bytes of data logged for bind parameter values when logging statements.").unit(Bytes).accepted(NO_EFFECT),
    integer("log_parameter_max_length_on_error", User, 0, -1, 1073741823, "Sets the maximum length in bytes of data logged for bind parameter values when logging statements, on error.").unit(Bytes).accepted(NO_EFFECT),
    choice("log_statement", Superuser, "none", &["none", "ddl", "mod", "all"], "Sets the type of statements logged."),
    integer("log_temp_files", Superuser, -1, -1, i32::MAX, "Log the use of temporary files larger than this number of kilobytes.").unit(Kilobytes).accepted(NO_EFFECT),
    string("log_timezone", Sighup, "GMT", "Sets the time zone to use in log messages.").checked(checks::time_zone),
];

/// Reporting and Logging / When to Log.
const WHEN_TO_LOG: &[SettingDefinition] = &[
    integer(
        "log_min_duration_statement",
        Superuser,
        -1,
        -1,
        i32::MAX,
        "Sets the minimum execution time above which all statements will be logged.",
    )
    .unit(Milliseconds),
    choice(
        "log_min_error_statement",
        Superuser,
        "error",
        &[
            "debug5", "debug4", "debug3", "debug2", "debug1", "info", "notice", "warning", "error", "log",
            "fatal", "panic",
        ],
        "Causes all statements generating error at or above this level to be logged.",
    ),
    choice(
        "log_min_messages",
        Superuser,
        "warning",
        &[
            "debug5", "debug4", "debug3", "debug2", "debug1", "info", "notice", "warning", "error", "log",
            "fatal", "panic",
        ],
        "Sets the message levels that are logged.",
    ),
];

/// Reporting and Logging / Where to Log.
const WHERE_TO_LOG: &[SettingDefinition] = &[
    string("log_destination", Sighup, "stderr", "Sets the destination for server log output.")
        .list()
        .checked(checks::log_destination),
    boolean(
        "logging_collector",
        Internal,
        false,
        "Start a subprocess to capture stderr, csvlog and/or jsonlog into log files.",
    ),
];

/// Statistics / Cumulative Query and Index Statistics.
const CUMULATIVE_QUERY_AND_INDEX_STATISTICS: &[SettingDefinition] = &[
    boolean("track_activities", Superuser, true, "Collects information about executing commands."),
    integer(
        "track_activity_query_size",
        Postmaster,
        1024,
        100,
        1048576,
        "Sets the size reserved for pg_stat_activity.query, in bytes.",
    )
    .unit(Bytes),
    boolean("track_counts", Superuser, true, "Collects statistics on database activity.").accepted(NO_EFFECT),
    choice(
        "track_functions",
        Superuser,
        "none",
        &["none", "pl", "all"],
        "Collects function-level statistics on database activity.",
    )
    .accepted(NO_EFFECT),
    boolean("track_io_timing", Superuser, false, "Collects timing statistics for database I/O activity.")
        .accepted(NO_EFFECT),
    choice(
        "stats_fetch_consistency",
        User,
        "cache",
        &["none", "cache", "snapshot"],
        "Sets the consistency of accesses to statistics data.",
    )
    .accepted(NO_EFFECT),
];

/// Statistics / Monitoring.
const MONITORING: &[SettingDefinition] = &[
    choice(
        "compute_query_id",
        Superuser,
        "auto",
        &["auto", "regress", "on", "off"],
        "Enables in-core computation of query identifiers.",
    )
    .accepted(NO_EFFECT),
    boolean(
        "log_executor_stats",
        Superuser,
        false,
        "Writes executor performance statistics to the server log.",
    )
    .accepted(NO_EFFECT),
    boolean("log_parser_stats", Superuser, false, "Writes parser performance statistics to the server log.")
        .accepted(NO_EFFECT),
    boolean(
        "log_planner_stats",
        Superuser,
        false,
        "Writes planner performance statistics to the server log.",
    )
    .accepted(NO_EFFECT),
    boolean(
        "log_statement_stats",
        Superuser,
        false,
        "Writes cumulative performance statistics to the server log.",
    )
    .accepted(NO_EFFECT),
];

/// The groups of this file, with the category that `pg_settings` shows.
pub(super) const GROUPS: &[Group] = &[
    ("Reporting and Logging / Process Title", PROCESS_TITLE),
    ("Reporting and Logging / What to Log", WHAT_TO_LOG),
    ("Reporting and Logging / When to Log", WHEN_TO_LOG),
    ("Reporting and Logging / Where to Log", WHERE_TO_LOG),
    ("Statistics / Cumulative Query and Index Statistics", CUMULATIVE_QUERY_AND_INDEX_STATISTICS),
    ("Statistics / Monitoring", MONITORING),
];
