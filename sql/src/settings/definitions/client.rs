//! Settings of sessions: formats, statement behaviour, locks, compatibility.

use super::super::checks;
use super::super::definition::Context::*;
use super::super::definition::Unit::*;
use super::super::definition::{SettingDefinition, boolean, choice, integer, string};
use super::{Group, NO_EFFECT};

/// Client Connection Defaults / Locale and Formatting.
const LOCALE_AND_FORMATTING: &[SettingDefinition] = &[
    string("DateStyle", User, "ISO, MDY", "Sets the display format for date and time values.")
        .list()
        .reported()
        .checked(checks::date_style),
    choice(
        "IntervalStyle",
        User,
        "postgres",
        &["postgres", "postgres_verbose", "sql_standard", "iso_8601"],
        "Sets the display format for interval values.",
    )
    .reported(),
    string("TimeZone", User, "GMT", "Sets the time zone for displaying and interpreting time stamps.")
        .reported()
        .checked(checks::time_zone),
    string("client_encoding", User, "UTF8", "Sets the client's character set encoding.")
        .reported()
        .checked(checks::client_encoding),
    string(
        "default_text_search_config",
        User,
        "pg_catalog.simple",
        "Sets default text search configuration.",
    )
    .accepted(NO_EFFECT),
    integer(
        "extra_float_digits",
        User,
        1,
        -15,
        3,
        "Sets the number of digits displayed for floating-point values.",
    ),
    string("lc_messages", Superuser, "C", "Sets the language in which messages are displayed.")
        .accepted(NO_EFFECT),
    string("lc_monetary", User, "C", "Sets the locale for formatting monetary amounts.").accepted(NO_EFFECT),
    string("lc_numeric", User, "C", "Sets the locale for formatting numbers.").accepted(NO_EFFECT),
    string("lc_time", User, "C", "Sets the locale for formatting date and time values.").accepted(NO_EFFECT),
    string("timezone_abbreviations", User, "Default", "Selects a file of time zone abbreviations.")
        .accepted(NO_EFFECT),
];

/// Client Connection Defaults / Other Defaults.
const OTHER_DEFAULTS: &[SettingDefinition] = &[
    string("dynamic_library_path", Superuser, "$libdir", "Sets the path for dynamically loadable modules.")
        .superuser_only(),
    integer(
        "gin_fuzzy_search_limit",
        User,
        0,
        0,
        i32::MAX,
        "Sets the maximum allowed result for exact search by GIN.",
    )
    .accepted(NO_EFFECT),
];

/// Client Connection Defaults / Shared Library Preloading.
const SHARED_LIBRARY_PRELOADING: &[SettingDefinition] = &[
    string(
        "local_preload_libraries",
        User,
        "",
        "Lists unprivileged shared libraries to preload into each backend.",
    )
    .quoted_list()
    .accepted(NO_EFFECT),
    string(
        "session_preload_libraries",
        Superuser,
        "",
        "Lists shared libraries to preload into each backend.",
    )
    .quoted_list()
    .superuser_only()
    .accepted(NO_EFFECT),
    string("shared_preload_libraries", Postmaster, "", "Lists shared libraries to preload into server.")
        .quoted_list()
        .superuser_only(),
];

/// Client Connection Defaults / Statement Behavior.
const STATEMENT_BEHAVIOR: &[SettingDefinition] = &[
    choice("bytea_output", User, "hex", &["escape", "hex"], "Sets the output format for bytea."),
    boolean("check_function_bodies", User, true, "Check routine bodies during CREATE FUNCTION and CREATE PROCEDURE.").accepted(NO_EFFECT),
    choice("client_min_messages", User, "notice", &["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"], "Sets the message levels that are sent to the client."),
    string("default_table_access_method", User, "heap", "Sets the default table access method for new tables.").accepted(NO_EFFECT).checked(checks::access_method),
    string("default_tablespace", User, "", "Sets the default tablespace to create tables and indexes in.").accepted(NO_EFFECT).checked(checks::tablespace),
    choice("default_toast_compression", User, "pglz", &["pglz", "lz4"], "Sets the default compression method for compressible values.").accepted(NO_EFFECT),
    boolean("default_transaction_deferrable", User, false, "Sets the default deferrable status of new transactions."),
    choice("default_transaction_isolation", User, "read committed", &["serializable", "repeatable read", "read committed", "read uncommitted"], "Sets the transaction isolation level of each new transaction."),
    boolean("default_transaction_read_only", User, false, "Sets the default read-only status of new transactions.").reported(),
    integer("gin_pending_list_limit", User, 4096, 64, i32::MAX, "Sets the maximum size of the pending list for GIN index.").unit(Kilobytes).accepted(NO_EFFECT),
    integer("idle_in_transaction_session_timeout", User, 0, 0, i32::MAX, "Sets the maximum allowed idle time between queries, when in a transaction.").unit(Milliseconds),
    integer("idle_session_timeout", User, 0, 0, i32::MAX, "Sets the maximum allowed idle time between queries, when not in a transaction.").unit(Milliseconds),
    integer("lock_timeout", User, 0, 0, i32::MAX, "Sets the maximum allowed duration of any wait for a lock.").unit(Milliseconds),
    boolean("row_security", User, true, "Enable row security.").accepted(NO_EFFECT),
    string("search_path", User, "\"$user\", public", "Sets the schema search order for names that are not schema-qualified.").quoted_list().checked(checks::search_path),
    choice("session_replication_role", Superuser, "origin", &["origin", "replica", "local"], "Sets the session's behavior for triggers and rewrite rules.").only("origin"),
    integer("statement_timeout", User, 0, 0, i32::MAX, "Sets the maximum allowed duration of any statement.").unit(Milliseconds),
    string("temp_tablespaces", User, "", "Sets the tablespace(s) to use for temporary tables and sort files.").quoted_list().accepted(NO_EFFECT),
    boolean("transaction_deferrable", User, false, "Whether to defer a read-only serializable transaction until it can be executed with no possible serialization failures.").falls_back_to("default_transaction_deferrable").not_in_file(),
    choice("transaction_isolation", User, "read committed", &["serializable", "repeatable read", "read committed", "read uncommitted"], "Sets the current transaction's isolation level.").falls_back_to("default_transaction_isolation").not_in_file(),
    boolean("transaction_read_only", User, false, "Sets the current transaction's read-only status.").falls_back_to("default_transaction_read_only").not_in_file(),
    integer("transaction_timeout", User, 0, 0, i32::MAX, "Sets the maximum allowed duration of any transaction within a session (not a prepared transaction).").unit(Milliseconds),
    choice("xmlbinary", User, "base64", &["base64", "hex"], "Sets how binary values are to be encoded in XML.").accepted(NO_EFFECT),
    choice("xmloption", User, "content", &["content", "document"], "Sets whether XML data in implicit parsing and serialization operations is to be considered as documents or content fragments.").accepted(NO_EFFECT),
    integer("vacuum_freeze_min_age", User, 50000000, 0, 1000000000, "Minimum age at which VACUUM should freeze a table row.").accepted(NO_EFFECT),
    integer("vacuum_freeze_table_age", User, 150000000, 0, 2000000000, "Age at which VACUUM should scan whole table to freeze tuples.").accepted(NO_EFFECT),
];

/// Lock Management.
const LOCK_MANAGEMENT: &[SettingDefinition] = &[
    integer(
        "deadlock_timeout",
        Superuser,
        1000,
        1,
        i32::MAX,
        "Sets the time to wait on a lock before checking for deadlock.",
    )
    .unit(Milliseconds),
    integer(
        "max_locks_per_transaction",
        Postmaster,
        64,
        10,
        i32::MAX,
        "Sets the maximum number of locks per transaction.",
    )
    .accepted(NO_EFFECT),
];

/// Version and Platform Compatibility / Other Platforms and Clients.
const OTHER_PLATFORMS_AND_CLIENTS: &[SettingDefinition] =
    &[boolean("transform_null_equals", User, false, "Treats \"expr=NULL\" as \"expr IS NULL\".").only("off")];

/// Version and Platform Compatibility / Previous PostgreSQL Versions.
const PREVIOUS_POSTGRESQL_VERSIONS: &[SettingDefinition] = &[
    boolean("array_nulls", User, true, "Enable input of NULL elements in arrays.").only("on"),
    choice(
        "backslash_quote",
        User,
        "safe_encoding",
        &["safe_encoding", "on", "off"],
        "Sets whether \"\\'\" is allowed in string literals.",
    )
    .accepted(NO_EFFECT),
    boolean("escape_string_warning", User, true, "Warn about backslash escapes in ordinary string literals.")
        .accepted(NO_EFFECT),
    boolean(
        "lo_compat_privileges",
        Superuser,
        false,
        "Enables backward compatibility mode for privilege checks on large objects.",
    )
    .accepted(NO_EFFECT),
    boolean("quote_all_identifiers", User, false, "When generating SQL fragments, quote all identifiers.")
        .only("off"),
    boolean(
        "standard_conforming_strings",
        User,
        true,
        "Causes '...' strings to treat backslashes literally.",
    )
    .reported()
    .only("on"),
    boolean("synchronize_seqscans", User, true, "Enable synchronized sequential scans.").accepted(NO_EFFECT),
];

/// The groups of this file, with the category that `pg_settings` shows.
pub(super) const GROUPS: &[Group] = &[
    ("Client Connection Defaults / Locale and Formatting", LOCALE_AND_FORMATTING),
    ("Client Connection Defaults / Other Defaults", OTHER_DEFAULTS),
    ("Client Connection Defaults / Shared Library Preloading", SHARED_LIBRARY_PRELOADING),
    ("Client Connection Defaults / Statement Behavior", STATEMENT_BEHAVIOR),
    ("Lock Management", LOCK_MANAGEMENT),
    ("Version and Platform Compatibility / Other Platforms and Clients", OTHER_PLATFORMS_AND_CLIENTS),
    ("Version and Platform Compatibility / Previous PostgreSQL Versions", PREVIOUS_POSTGRESQL_VERSIONS),
];
