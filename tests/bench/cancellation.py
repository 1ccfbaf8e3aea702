"""How long a statement goes on after it has been canceled, for each kind of long statement, as its client sees it."""

import threading
import time

from wire import Connection

# Where in the run of a statement it is canceled, as parts of what the whole of it takes.
MOMENTS = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97)
ROWS = 400_000
SETUP = f"""
    CREATE TABLE cancel_rows (id int, v int, t text);
    INSERT INTO cancel_rows SELECT i, (i * 1013) % {ROWS}, md5(i::text) FROM generate_series(1, {ROWS}) i;
    CREATE TABLE cancel_target (id int PRIMARY KEY, v int, t text);
"""
KINDS = {
    "aggregate": "SELECT sum(v), count(DISTINCT v) FROM cancel_rows, generate_series(1, 3)",
    "DISTINCT": "SELECT count(*) FROM (SELECT DISTINCT t FROM cancel_rows) s",
    "sort": "SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY t) n FROM cancel_rows) s",
    "many rows sent": "SELECT * FROM cancel_rows",
    "CREATE INDEX": "CREATE INDEX cancel_index ON cancel_rows (t)",
    "CREATE INDEX on an expression": "CREATE INDEX cancel_index ON cancel_rows (lower(t))",
    "INSERT ... SELECT": "INSERT INTO cancel_target SELECT * FROM cancel_rows",
    "UPDATE": "UPDATE cancel_rows SET v = v + 1",
    "DELETE": "DELETE FROM cancel_rows WHERE v >= 0",
    "string_agg": "SELECT length(string_agg(t, ',')) FROM cancel_rows, generate_series(1, 5)",
    "array_agg": "SELECT cardinality(array_agg(v)) FROM cancel_rows, generate_series(1, 5)",
    "array_agg, sent": "SELECT array_agg(t) FROM cancel_rows",
    "jsonb_agg": "SELECT length(jsonb_agg(t)::text) FROM cancel_rows",
    "planning 120,000 literals": "SELECT 1 WHERE 5 IN (" + ",".join(str(i) for i in range(10, 120_010)) + ")",
    "planning 120,000 rows": "SELECT count(*) FROM (VALUES " + ",".join(f"({i},'x{i}')" for i in range(120_000)) + ") v",
    "adding a CHECK": "ALTER TABLE cancel_rows ADD CHECK (v >= 0)",
    "CREATE TABLE AS": "CREATE TABLE cancel_copy AS SELECT * FROM cancel_rows",
}


def run(connection, sql):
    """Runs a statement; whether it came to its end."""
    connection.ask(sql)
    last = connection.end()
    if b"\0C57014\0" in last:
        return False
    if b"\0VERROR\0" in last:
        raise RuntimeError(last)
    return True


def whole(connection, sql):
    """How many seconds the whole statement takes; its effects are undone."""
    connection.query("BEGIN")
    began = time.monotonic()
    run(connection, sql)
    taken = time.monotonic() - began
    connection.query("ROLLBACK")
    return taken


def lag(connection, sql, after):
    """The milliseconds from the request, so many seconds after the start, to the statement's end."""
    ended = []
    connection.query("BEGIN")
    runner = threading.Thread(target=lambda: ended.append((run(connection, sql), time.monotonic())))
    runner.start()
    time.sleep(after)
    asked = time.monotonic()
    connection.cancel()
    runner.join()
    # A request that has come after the end may stop this instead.
    while not run(connection, "ROLLBACK"):
        pass
    done, moment = ended[0]
    return max(0.0, moment - asked) * 1000, done


def lags(server, kind, moments=MOMENTS):
    """The lags of one kind of statement, canceled at each of the moments, and what the whole statement takes."""
    connection = Connection(server.port)
    taken = whole(connection, KINDS[kind])
    figures = []
    for moment in moments:
        figures.append(lag(connection, KINDS[kind], moment * taken))
    connection.close()
    return figures, taken


def titles():
    return [f"cancellation, {kind}" for kind in KINDS]


def prepare(servers):
    for server in servers:
        connection = Connection(server.port)
        connection.query(SETUP)
        connection.close()


def show(table, servers):
    """Shows the greatest lag of each kind over all moments, in milliseconds."""
    for kind, title in zip(KINDS, titles()):
        table.compare(title, "ms", lambda server: max(lag for lag, _ in lags(server, kind)[0]), servers)
