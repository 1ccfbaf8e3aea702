//! Numbers of settings. Code that reads a setting often does so by a number fixed at compile time, never by its name.

use super::definitions::FILES;

/// The number of a setting in the table: built-in ones first, then those that libraries define.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SettingId(pub(super) usize);

/// The id of a built-in setting; a name that is not in the table does not compile.
const fn built_in(name: &str) -> SettingId {
    let (mut id, mut file) = (0, 0);
    while file < FILES.len() {
        let mut group = 0;
        while group < FILES[file].len() {
            let settings = FILES[file][group].1;
            let mut at = 0;
            while at < settings.len() {
                if equal(settings[at].name.as_bytes(), name.as_bytes()) {
                    return SettingId(id);
                }
                id += 1;
                at += 1;
            }
            group += 1;
        }
        file += 1;
    }
    panic!("no such setting");
}

const fn equal(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

macro_rules! ids {
    ($($constant:ident = $name:literal),* $(,)?) => {
        $(#[doc = concat!("`", $name, "`.")] pub const $constant: SettingId = built_in($name);)*
    };
}

ids! {
    APPLICATION_NAME = "application_name",
    AUTHENTICATION_TIMEOUT = "authentication_timeout",
    BYTEA_OUTPUT = "bytea_output",
    CHECKPOINT_TIMEOUT = "checkpoint_timeout",
    CHECK_FUNCTION_BODIES = "check_function_bodies",
    CLIENT_ENCODING = "client_encoding",
    CLIENT_MIN_MESSAGES = "client_min_messages",
    CLUSTER_NAME = "cluster_name",
    CONFIG_FILE = "config_file",
    DATA_DIRECTORY = "data_directory",
    DATE_STYLE = "DateStyle",
    DEADLOCK_TIMEOUT = "deadlock_timeout",
    DEFAULT_TRANSACTION_DEFERRABLE = "default_transaction_deferrable",
    DEFAULT_TRANSACTION_ISOLATION = "default_transaction_isolation",
    DEFAULT_TRANSACTION_READ_ONLY = "default_transaction_read_only",
    DYNAMIC_LIBRARY_PATH = "dynamic_library_path",
    EXTENSION_DIRECTORY = "extension_directory",
    EXTERNAL_PID_FILE = "external_pid_file",
    EXTRA_FLOAT_DIGITS = "extra_float_digits",
    HBA_FILE = "hba_file",
    IDLE_IN_TRANSACTION_SESSION_TIMEOUT = "idle_in_transaction_session_timeout",
    IDLE_SESSION_TIMEOUT = "idle_session_timeout",
    INTERVAL_STYLE = "IntervalStyle",
    IS_SUPERUSER = "is_superuser",
    LISTEN_ADDRESSES = "listen_addresses",
    LOCK_TIMEOUT = "lock_timeout",
    LOG_CONNECTIONS = "log_connections",
    LOG_DESTINATION = "log_destination",
    LOG_DISCONNECTIONS = "log_disconnections",
    LOG_DURATION = "log_duration",
    LOG_ERROR_VERBOSITY = "log_error_verbosity",
    LOG_LINE_PREFIX = "log_line_prefix",
    LOG_MIN_DURATION_STATEMENT = "log_min_duration_statement",
    LOG_MIN_ERROR_STATEMENT = "log_min_error_statement",
    LOG_MIN_MESSAGES = "log_min_messages",
    LOG_STATEMENT = "log_statement",
    LOG_TIMEZONE = "log_timezone",
    MAX_CONNECTIONS = "max_connections",
    MAX_WAL_SIZE = "max_wal_size",
    LOG_CHECKPOINTS = "log_checkpoints",
    MAX_WORKER_PROCESSES = "max_worker_processes",
    MAX_PARALLEL_WORKERS = "max_parallel_workers",
    PORT = "port",
    REACTORS = "reactors",
    RESTART_AFTER_CRASH = "restart_after_crash",
    ROLE = "role",
    ROW_SECURITY = "row_security",
    SEARCH_PATH = "search_path",
    SESSION_AUTHORIZATION = "session_authorization",
    SHARED_PRELOAD_LIBRARIES = "shared_preload_libraries",
    SSL = "ssl",
    SSL_CERT_FILE = "ssl_cert_file",
    SSL_KEY_FILE = "ssl_key_file",
    SSL_MIN_PROTOCOL_VERSION = "ssl_min_protocol_version",
    TRANSACTION_TIMEOUT = "transaction_timeout",
    STATEMENT_TIMEOUT = "statement_timeout",
    SUPERUSER_RESERVED_CONNECTIONS = "superuser_reserved_connections",
    SYNCHRONOUS_COMMIT = "synchronous_commit",
    TCP_KEEPALIVES_COUNT = "tcp_keepalives_count",
    TCP_KEEPALIVES_IDLE = "tcp_keepalives_idle",
    TCP_KEEPALIVES_INTERVAL = "tcp_keepalives_interval",
    TIME_ZONE = "TimeZone",
    TRACK_ACTIVITIES = "track_activities",
    TRACK_ACTIVITY_QUERY_SIZE = "track_activity_query_size",
    TRANSACTION_DEFERRABLE = "transaction_deferrable",
    TRANSACTION_ISOLATION = "transaction_isolation",
    TRANSACTION_READ_ONLY = "transaction_read_only",
    UNIX_SOCKET_DIRECTORIES = "unix_socket_directories",
    UNIX_SOCKET_GROUP = "unix_socket_group",
    UNIX_SOCKET_PERMISSIONS = "unix_socket_permissions",
    WAL_WRITER_DELAY = "wal_writer_delay",
    WORKER_CRASH_SCOPE = "worker_crash_scope",
    WORKER_ISOLATION = "worker_isolation",
    WORKER_MEMORY_LIMIT = "worker_memory_limit",
    WORKER_RESTART_BACKOFF_MAX = "worker_restart_backoff_max",
}
