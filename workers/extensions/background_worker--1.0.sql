/* background_worker 1.0: dynamic workers from SQL. Handles survive reuse of slots and pids. */
CREATE FUNCTION register_dynamic_background_worker(
    library text, function text, name text DEFAULT '', type text DEFAULT '',
    argument bigint DEFAULT 0, restart_seconds bigint DEFAULT -1, access text DEFAULT 'database',
    start_time text DEFAULT 'recovery_finished', on_reload text DEFAULT 'flag', on_terminate text DEFAULT 'flag',
    extra bytea DEFAULT '')
RETURNS bigint STRICT
AS 'MODULE_PATHNAME', 'register_dynamic_background_worker' LANGUAGE C;

CREATE FUNCTION get_background_worker_pid(handle bigint) RETURNS integer STRICT
AS 'MODULE_PATHNAME', 'get_background_worker_pid' LANGUAGE C;

CREATE FUNCTION get_background_worker_status(handle bigint) RETURNS text STRICT
AS 'MODULE_PATHNAME', 'get_background_worker_status' LANGUAGE C;

CREATE FUNCTION wait_for_background_worker_startup(handle bigint) RETURNS integer STRICT
AS 'MODULE_PATHNAME', 'wait_for_background_worker_startup' LANGUAGE C;

CREATE FUNCTION wait_for_background_worker_shutdown(handle bigint) RETURNS text STRICT
AS 'MODULE_PATHNAME', 'wait_for_background_worker_shutdown' LANGUAGE C;

CREATE FUNCTION terminate_background_worker(handle bigint) RETURNS void STRICT
AS 'MODULE_PATHNAME', 'terminate_background_worker' LANGUAGE C;

/* A worker runs as the superuser that its library chooses: launching is not for everyone. */
REVOKE ALL ON FUNCTION register_dynamic_background_worker(
    text, text, text, text, bigint, bigint, text, text, text, text, bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION terminate_background_worker(bigint) FROM PUBLIC;
