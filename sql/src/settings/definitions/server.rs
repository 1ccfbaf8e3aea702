//! Settings of the server: connections, files, resources, durability, and what is preset.

use super::super::definition::Context::*;
use super::super::definition::Unit::*;
use super::super::definition::{SettingDefinition, boolean, choice, integer, real, string};
use super::{Group, NO_EFFECT};

/// Connections and Authentication / Authentication.
const AUTHENTICATION: &[SettingDefinition] = &[
    integer(
        "authentication_timeout",
        Sighup,
        60,
        1,
        600,
        "Sets the maximum allowed time to complete client authentication.",
    )
    .unit(Seconds),
    choice(
        "password_encryption",
        User,
        "scram-sha-256",
        &["md5", "scram-sha-256"],
        "Chooses the algorithm for encrypting passwords.",
    )
    .only("scram-sha-256"),
];

/// Connections and Authentication / Connection Settings.
const CONNECTION_SETTINGS: &[SettingDefinition] = &[
    integer(
        "client_connection_check_interval",
        User,
        0,
        0,
        i32::MAX,
        "Sets the time interval between checks for disconnection while running queries.",
    )
    .unit(Milliseconds)
    .accepted(NO_EFFECT),
    string("listen_addresses", Postmaster, "localhost", "Sets the host name or IP address(es) to listen to.")
        .list(),
    integer(
        "max_connections",
        Postmaster,
        100,
        1,
        262143,
        "Sets the maximum number of concurrent connections.",
    ),
    integer("port", Postmaster, 5432, 1, 65535, "Sets the TCP port the server listens on."),
    integer(
        "superuser_reserved_connections",
        Postmaster,
        3,
        0,
        262143,
        "Sets the number of connection slots reserved for superusers.",
    ),
    integer("tcp_keepalives_count", User, 0, 0, i32::MAX, "Maximum number of TCP keepalive retransmits."),
    integer("tcp_keepalives_idle", User, 0, 0, i32::MAX, "Time between issuing TCP keepalives.")
        .unit(Seconds),
    integer("tcp_keepalives_interval", User, 0, 0, i32::MAX, "Time between TCP keepalive retransmits.")
        .unit(Seconds),
    integer("tcp_user_timeout", User, 0, 0, i32::MAX, "TCP user timeout.")
        .unit(Milliseconds)
        .accepted(NO_EFFECT),
    string(
        "unix_socket_directories",
        Postmaster,
        "/tmp",
        "Sets the directories where Unix-domain sockets will be created.",
    )
    .list()
    .superuser_only(),
    string("unix_socket_group", Postmaster, "", "Sets the owning group of the Unix-domain socket."),
    integer(
        "unix_socket_permissions",
        Postmaster,
        0o777,
        0,
        0o777,
        "Sets the access permissions of the Unix-domain socket.",
    )
    .octal(),
];

/// Connections and Authentication / SSL.
const SSL: &[SettingDefinition] = &[
    boolean("ssl", Sighup, false, "Enables SSL connections."),
    string("ssl_cert_file", Sighup, "server.crt", "Location of the SSL server certificate file."),
    string("ssl_key_file", Sighup, "server.key", "Location of the SSL server private key file."),
    choice(
        "ssl_min_protocol_version",
        Sighup,
        "TLSv1.2",
        &["TLSv1.2", "TLSv1.3"],
        "Sets the minimum SSL/TLS protocol version to use.",
    ),
];

/// File Locations.
const FILE_LOCATIONS: &[SettingDefinition] = &[
    string("config_file", Postmaster, "", "Sets the server's main configuration file.").superuser_only(),
    string("data_directory", Postmaster, "", "Sets the server's data directory.").superuser_only(),
    string("external_pid_file", Postmaster, "", "Writes the postmaster PID to the specified file.")
        .superuser_only(),
    string("hba_file", Postmaster, "", "Sets the server's \"hba\" configuration file.").superuser_only(),
];

/// Error Handling.
const ERROR_HANDLING: &[SettingDefinition] =
    &[boolean("restart_after_crash", Sighup, true, "Reinitialize server after backend crash.")];

/// Preset Options.
const PRESET_OPTIONS: &[SettingDefinition] = &[
    integer("block_size", Internal, 8192, 8192, 8192, "Shows the size of a disk block."),
    boolean(
        "data_checksums",
        Internal,
        false,
        "Shows whether data checksums are turned on for this cluster.",
    ),
    integer("data_directory_mode", Internal, 0o700, 0, 0o777, "Shows the mode of the data directory.")
        .octal(),
    boolean(
        "debug_assertions",
        Internal,
        false,
        "Shows whether the running server has assertion checks enabled.",
    ),
    boolean("in_hot_standby", Internal, false, "Shows whether hot standby is currently active.").reported(),
    boolean("integer_datetimes", Internal, true, "Shows whether datetimes are integer based.").reported(),
    string("lc_collate", Internal, "C", "Shows the collation order locale."),
    string("lc_ctype", Internal, "C", "Shows the character classification and case conversion locale."),
    integer("max_function_args", Internal, 100, 100, 100, "Shows the maximum number of function arguments."),
    integer("max_identifier_length", Internal, 63, 63, 63, "Shows the maximum identifier length."),
    integer("max_index_keys", Internal, 32, 32, 32, "Shows the maximum number of index keys."),
    integer("segment_size", Internal, 131072, 131072, 131072, "Shows the number of pages per disk file.")
        .unit(Blocks),
    string("server_encoding", Internal, "UTF8", "Shows the server (database) character set encoding.")
        .reported(),
    string("server_version", Internal, "15.18", "Shows the server version.").reported(),
    integer(
        "server_version_num",
        Internal,
        150018,
        150018,
        150018,
        "Shows the server version as an integer.",
    ),
    string("ssl_library", Internal, "rustls", "Shows the name of the SSL library."),
    integer("wal_block_size", Internal, 8192, 8192, 8192, "Shows the block size in the write ahead log."),
    integer(
        "wal_segment_size",
        Internal,
        16777216,
        1048576,
        1073741824,
        "Shows the size of write ahead log segments.",
    )
    .unit(Bytes),
];

/// Autovacuum.
const AUTOVACUUM: &[SettingDefinition] =
    &[boolean("autovacuum", Sighup, true, "Starts the autovacuum subprocess.").accepted(NO_EFFECT)];

/// Resource Usage / Asynchronous Behavior.
const ASYNCHRONOUS_BEHAVIOR: &[SettingDefinition] = &[
    integer(
        "max_parallel_maintenance_workers",
        User,
        2,
        0,
        1024,
        "Sets the maximum number of parallel processes per maintenance operation.",
    )
    .accepted(NO_EFFECT),
    integer(
        "max_parallel_workers",
        User,
        8,
        0,
        1024,
        "Sets the maximum number of parallel workers that can be active at one time.",
    )
    .accepted(NO_EFFECT),
    integer(
        "max_parallel_workers_per_gather",
        User,
        2,
        0,
        1024,
        "Sets the maximum number of parallel processes per executor node.",
    )
    .accepted(NO_EFFECT),
    integer(
        "max_worker_processes",
        Postmaster,
        8,
        0,
        262143,
        "Maximum number of concurrent worker processes.",
    ),
    boolean(
        "parallel_leader_participation",
        User,
        true,
        "Controls whether Gather and Gather Merge also run subplans.",
    )
    .accepted(NO_EFFECT),
    integer(
        "effective_io_concurrency",
        User,
        1,
        0,
        1000,
        "Number of simultaneous requests that can be handled efficiently by the disk subsystem.",
    )
    .accepted(NO_EFFECT),
    integer(
        "maintenance_io_concurrency",
        User,
        10,
        0,
        1000,
        "A variant of effective_io_concurrency that is used for maintenance work.",
    )
    .accepted(NO_EFFECT),
    integer(
        "backend_flush_after",
        User,
        0,
        0,
        256,
        "Number of pages after which previously performed writes are flushed to disk.",
    )
    .unit(Blocks)
    .accepted(NO_EFFECT),
];

/// Resource Usage / Memory.
const MEMORY: &[SettingDefinition] = &[
    integer(
        "autovacuum_work_mem",
        Sighup,
        -1,
        -1,
        i32::MAX,
        "Sets the maximum memory to be used by each autovacuum worker process.",
    )
    .unit(Kilobytes)
    .accepted(NO_EFFECT),
    real("hash_mem_multiplier", User, 2.0, 1.0, 1000.0, "Multiple of work_mem to use for hash tables.")
        .accepted(NO_EFFECT),
    integer(
        "logical_decoding_work_mem",
        User,
        65536,
        64,
        i32::MAX,
        "Sets the maximum memory to be used for logical decoding.",
    )
    .unit(Kilobytes)
    .accepted(NO_EFFECT),
    integer(
        "maintenance_work_mem",
        User,
        65536,
        1024,
        i32::MAX,
        "Sets the maximum memory to be used for maintenance operations.",
    )
    .unit(Kilobytes)
    .accepted(NO_EFFECT),
    integer(
        "max_prepared_transactions",
        Internal,
        0,
        0,
        262143,
        "Sets the maximum number of simultaneously prepared transactions.",
    ),
    integer("max_stack_depth", Superuser, 2048, 100, i32::MAX, "Sets the maximum stack depth, in kilobytes.")
        .unit(Kilobytes)
        .accepted(NO_EFFECT),
    integer(
        "shared_buffers",
        Postmaster,
        16384,
        16,
        1073741823,
        "Sets the number of shared memory buffers used by the server.",
    )
    .unit(Blocks)
    .accepted(NO_EFFECT),
    integer(
        "temp_buffers",
        User,
        1024,
        100,
        1073741823,
        "Sets the maximum number of temporary buffers used by each session.",
    )
    .unit(Blocks)
    .accepted(NO_EFFECT),
    integer("work_mem", User, 4096, 64, i32::MAX, "Sets the maximum memory to be used for query workspaces.")
        .unit(Kilobytes)
        .accepted(NO_EFFECT),
];

/// Resource Usage / Disk.
const DISK: &[SettingDefinition] = &[integer(
    "temp_file_limit",
    Superuser,
    -1,
    -1,
    i32::MAX,
    "Limits the total size of all temporary files used by each process.",
)
.unit(Kilobytes)
.accepted(NO_EFFECT)];

/// Resource Usage / Cost-Based Vacuum Delay.
const COST_BASED_VACUUM_DELAY: &[SettingDefinition] = &[
    real("vacuum_cost_delay", User, 0.0, 0.0, 100.0, "Vacuum cost delay in milliseconds.")
        .unit(Milliseconds)
        .accepted(NO_EFFECT),
    integer("vacuum_cost_limit", User, 200, 1, 10000, "Vacuum cost amount available before napping.")
        .accepted(NO_EFFECT),
    integer("vacuum_cost_page_dirty", User, 20, 0, 10000, "Vacuum cost for a page dirtied by vacuum.")
        .accepted(NO_EFFECT),
    integer("vacuum_cost_page_hit", User, 1, 0, 10000, "Vacuum cost for a page found in the buffer cache.")
        .accepted(NO_EFFECT),
    integer(
        "vacuum_cost_page_miss",
        User,
        2,
        0,
        10000,
        "Vacuum cost for a page not found in the buffer cache.",
    )
    .accepted(NO_EFFECT),
];

/// Write-Ahead Log / Checkpoints.
const CHECKPOINTS: &[SettingDefinition] = &[
    integer(
        "checkpoint_timeout",
        Sighup,
        300,
        30,
        86400,
        "Sets the maximum time between automatic WAL checkpoints.",
    )
    .unit(Seconds),
    real(
        "checkpoint_completion_target",
        Sighup,
        0.9,
        0.0,
        1.0,
        "Time spent flushing dirty buffers during checkpoint, as fraction of checkpoint interval.",
    )
    .accepted(NO_EFFECT),
    integer("max_wal_size", Sighup, 1024, 2, i32::MAX, "Sets the WAL size that triggers a checkpoint.")
        .unit(Megabytes),
    integer("min_wal_size", Sighup, 80, 2, i32::MAX, "Sets the minimum size to shrink the WAL to.")
        .unit(Megabytes)
        .accepted("Accepted for clients that set it, without effect: a log keeps up to 64 MiB of its space for reuse, and a larger one is cut to nothing."),
];

/// Write-Ahead Log / Settings.
const SETTINGS: &[SettingDefinition] = &[
    integer(
        "commit_delay",
        Superuser,
        0,
        0,
        100000,
        "Sets the delay in microseconds between transaction commit and flushing WAL to disk.",
    )
    .accepted(NO_EFFECT),
    integer(
        "commit_siblings",
        User,
        5,
        0,
        1000,
        "Sets the minimum number of concurrent open transactions required before performing commit_delay.",
    )
    .accepted(NO_EFFECT),
    boolean("fsync", Sighup, true, "Forces synchronization of updates to disk.").only("on"),
    boolean(
        "full_page_writes",
        Sighup,
        true,
        "Writes full pages to WAL when first modified after a checkpoint.",
    )
    .accepted(NO_EFFECT),
    choice(
        "synchronous_commit",
        User,
        "on",
        &["local", "remote_write", "remote_apply", "on", "off"],
        "Sets the current transaction's synchronization level.",
    ),
    choice(
        "wal_level",
        Internal,
        "minimal",
        &["minimal", "replica", "logical"],
        "Sets the level of information written to the WAL.",
    ),
    choice(
        "wal_compression",
        Superuser,
        "off",
        &["pglz", "lz4", "zstd", "on", "off"],
        "Compresses full-page writes written in WAL file with specified method.",
    )
    .accepted(NO_EFFECT),
    integer(
        "wal_writer_delay",
        Sighup,
        200,
        1,
        10000,
        "Time between WAL flushes performed in the WAL writer.",
    )
    .unit(Milliseconds),
];

/// Replication / Sending Servers.
const SENDING_SERVERS: &[SettingDefinition] = &[
    integer(
        "max_wal_senders",
        Internal,
        0,
        0,
        262143,
        "Sets the maximum number of simultaneously running WAL sender processes.",
    ),
    integer(
        "max_replication_slots",
        Internal,
        0,
        0,
        262143,
        "Sets the maximum number of simultaneously defined replication slots.",
    ),
];

/// Replication / Standby Servers.
const STANDBY_SERVERS: &[SettingDefinition] =
    &[boolean("hot_standby", Internal, false, "Allows connections and queries during recovery.")];

/// Write-Ahead Log / Archiving.
const ARCHIVING: &[SettingDefinition] = &[choice(
    "archive_mode",
    Internal,
    "off",
    &["always", "on", "off"],
    "Allows archiving of WAL files using archive_command.",
)];

/// The groups of this file, with the category that `pg_settings` shows.
pub(super) const GROUPS: &[Group] = &[
    ("Connections and Authentication / Authentication", AUTHENTICATION),
    ("Connections and Authentication / Connection Settings", CONNECTION_SETTINGS),
    ("Connections and Authentication / SSL", SSL),
    ("File Locations", FILE_LOCATIONS),
    ("Error Handling", ERROR_HANDLING),
    ("Preset Options", PRESET_OPTIONS),
    ("Autovacuum", AUTOVACUUM),
    ("Resource Usage / Asynchronous Behavior", ASYNCHRONOUS_BEHAVIOR),
    ("Resource Usage / Memory", MEMORY),
    ("Resource Usage / Disk", DISK),
    ("Resource Usage / Cost-Based Vacuum Delay", COST_BASED_VACUUM_DELAY),
    ("Write-Ahead Log / Checkpoints", CHECKPOINTS),
    ("Write-Ahead Log / Settings", SETTINGS),
    ("Replication / Sending Servers", SENDING_SERVERS),
    ("Replication / Standby Servers", STANDBY_SERVERS),
    ("Write-Ahead Log / Archiving", ARCHIVING),
];
