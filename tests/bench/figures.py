"""What is measured: each function gives one figure of one server, or shows figures that only ours has."""

import contextlib
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from servers import PATIENCE_SECONDS, ROOT, Postilion, PostgreSQL, environment
from wire import Connection

SCALE = 5
PIPELINE_DEPTH = 20
SCAN_SECONDS = 10
IDLE_CONNECTIONS = 200
MANY_CONNECTIONS = 5000
MANY_TITLE = "memory, 5,000 idle connections"


def pgbench(server, seconds, *options):
    """Transactions per second."""
    command = ["pgbench", "-n", "-T", str(seconds), "-p", str(server.port), *options]
    result = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([\d.]+)", result.stdout)
    if result.returncode != 0 or not found:
        sys.exit(f"pgbench against {server.name} failed:\n{result.stderr}")
    return float(found.group(1))


def fill(servers):
    """pgbench's tables, as its own initialization makes them."""
    for server in servers:
        subprocess.run(["pgbench", "-i", "-q", "-s", str(SCALE), "-p", str(server.port)], env=environment(),
                       capture_output=True, check=True)


def pipelined(server, seconds):
    """Point selects per second, twenty sent before the first is answered."""
    one = f"\\set aid random(1, {SCALE * 100000})\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write("\\startpipeline\n" + one * PIPELINE_DEPTH + "\\endpipeline\n")
        script.flush()
        return PIPELINE_DEPTH * pgbench(server, seconds, "-M", "prepared", "-c", "8", "-j", "2", "-f", script.name)


def start_to_first_answer(server):
    server.stop()
    began = time.monotonic()
    server.start()
    return (time.monotonic() - began) * 1000


def idle_memory(server, count=IDLE_CONNECTIONS):
    """Memory that one idle connection adds, in kilobytes: in a server that has just been started, over many of them,
    each of which has asked one question."""
    server.stop()
    server.start()
    # What the first connection makes for all that follow does not count.
    first = Connection(server.port)
    first.query("SELECT 1")
    before = server.memory_kilobytes()
    clients = [Connection(server.port) for _ in range(count)]
    for client in clients:
        client.query("SELECT 1")
    used = server.memory_kilobytes() - before
    for client in [first, *clients]:
        client.close()
    return used / count


def many_idle_connections(table):
    """All memory of our server with five thousand idle connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * MANY_CONNECTIONS + 1000
    if hard != resource.RLIM_INFINITY and hard < wanted:
        return table.alone(MANY_TITLE, "MB", f"not run: {hard} files at most")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    with running(Postilion, "-c", f"max_connections={MANY_CONNECTIONS + 10}") as server:
        clients = [Connection(server.port) for _ in range(MANY_CONNECTIONS)]
        for client in clients:
            client.query("SELECT 1")
        table.alone(MANY_TITLE, "MB", f"{server.memory_kilobytes() / 1024:,.0f}")
        for client in clients:
            client.close()


def point_query_p99(server, seconds):
    """The 99th percentile of point queries on one connection, in milliseconds."""
    connection = Connection(server.port)
    figures, deadline, aid = [], time.monotonic() + seconds, 1
    while time.monotonic() < deadline:
        aid = (aid * 7919) % (SCALE * 100000) + 1
        began = time.monotonic()
        connection.query(f"SELECT abalance FROM pgbench_accounts WHERE aid = {aid}")
        figures.append((time.monotonic() - began) * 1000)
        time.sleep(0.001)
    connection.close()
    return sorted(figures)[len(figures) * 99 // 100]


def point_query_p99_during_scan(server, seconds):
    """The same while another connection scans for ten seconds, until its own timeout ends it."""
    scan = ("SET statement_timeout = '%ds'" % SCAN_SECONDS,
            "SELECT sum(abalance + i) FROM pgbench_accounts, generate_series(1, 100000) i")
    command = ["psql", "-XAtq", "-p", str(server.port), "-c", scan[0], "-c", scan[1]]
    scanner = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while server.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT sum(abalance%' AND state = 'active'") != "1":
        if scanner.poll() is not None:
            sys.exit(f"the scan of {server.name} ended: {scanner.stderr.read()}")
    figure = point_query_p99(server, min(seconds, SCAN_SECONDS - 2))
    if scanner.poll() is not None:
        sys.exit(f"the scan of {server.name} ended too early: {scanner.stderr.read()}")
    scanner.communicate()
    return figure


@contextlib.contextmanager
def running(kind, *arguments, binary=None, extra_environment=None):
    """A server on a directory of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        server = kind(kind.__name__, folder, *arguments, extra_environment=extra_environment)
        server.binary = binary or getattr(server, "binary", None)
        if kind is PostgreSQL:
            server.prepare()
        server.start()
        try:
            yield server
        finally:
            server.stop()


class Pair:
    """Both servers, started when a figure first wants them, so that figures not asked for cost nothing."""

    def __init__(self, prepare=None, extra_environment=None):
        self.prepare = prepare
        self.extra_environment = extra_environment
        self.servers = []
        self.stack = contextlib.ExitStack()

    def __iter__(self):
        if not self.servers:
            kinds = (Postilion, PostgreSQL)
            self.servers = [self.stack.enter_context(running(kind, extra_environment=self.extra_environment)) for kind in kinds]
            if self.prepare:
                self.prepare(self.servers)
        return iter(self.servers)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        return self.stack.__exit__(*failure)


@contextlib.contextmanager
def slow_disks(delay_us):
    """An environment in which every flush takes so much longer (`tests/fault/shim.c`)."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        shim = pathlib.Path(folder) / "shim.so"
        compiler = ["cc", "-O2", "-shared", "-fPIC", "-o", str(shim), str(ROOT / "tests/fault/shim.c"), "-ldl", "-lpthread"]
        subprocess.run(compiler, check=True)
        yield {"LD_PRELOAD": str(shim), "FAULT_FLUSH_DELAY_US": str(delay_us)}


def connect_milliseconds(server, count=50):
    """The median of so many psql runs that connect and ask one question."""
    figures = []
    for _ in range(count):
        began = time.monotonic()
        server.sql("SELECT 1")
        figures.append((time.monotonic() - began) * 1000)
    return statistics.median(figures)


def pending_registrations(table):
    """New connections while two hundred workers wait for their start, against an idle server."""
    with running(Postilion, "-c", "max_worker_processes=220") as server:
        server.sql("CREATE EXTENSION worker_spi")
        idle = connect_milliseconds(server)
        server.sql("SELECT count(worker_spi_launch(i)) FROM generate_series(1, 200) i")
        pending = connect_milliseconds(server)
    title = "worker: psql SELECT 1, 200 starts pending / idle"
    table.alone(title, "ms", f"{pending:,.1f} / {idle:,.1f}", pending / idle)


def workers(table, rounds):
    """PostgreSQL does not ship worker_spi as a package: these figures stand alone."""
    calls, rows = [], []
    with running(Postilion) as server:
        server.sql("CREATE EXTENSION worker_spi")
        server.sql("ALTER EXTENSION worker_spi UPDATE TO '2.0'")
        for index in range(1, rounds + 1):
            began = time.monotonic()
            pid = server.sql(f"SELECT worker_spi_launch({index})")
            calls.append((time.monotonic() - began) * 1000)
            found = f"SELECT count(*) FROM pg_tables WHERE schemaname = 'schema{index}'"
            while server.sql(found) != "1":
                pass
            rows.append((time.monotonic() - began) * 1000)
            server.sql(f"SELECT pg_terminate_backend({pid}, 5000)")
    table.alone("worker: launch call, psql included", "ms", f"{statistics.median(calls):,.1f}")
    table.alone("worker: launch to first commit seen", "ms", f"{statistics.median(rows):,.1f}")


def spi(table, profile):
    """Statements per second through SPI, in both isolations, against rusqlite itself."""
    build = ["cargo", "build", "--quiet", "--locked", "--manifest-path", str(ROOT / "Cargo.toml")]
    build += ["--release"] if profile == "release" else []
    subprocess.run([*build, "-p", "postilion-storage", "--example", "raw_point_select"], check=True)
    subprocess.run([*build, "-p", "postilion", "--example", "spi_benchmark"], check=True)
    examples = ROOT / "target" / profile / "examples"
    raw = subprocess.run([examples / "raw_point_select"], capture_output=True, text=True, check=True).stdout.split()
    yardsticks = list(zip(("raw rusqlite", "raw rusqlite, exclusive file"), map(float, raw)))
    for isolation in ("task", "process"):
        settings = ["-c", "shared_preload_libraries=spi_benchmark", "-c", f"worker_isolation={isolation}"]
        with running(Postilion, *settings, binary=examples / "spi_benchmark") as server:
            deadline, found = time.monotonic() + PATIENCE_SECONDS, None
            while found is None and time.monotonic() < deadline:
                found = re.search(r"SPI statements per second: (\d+)", (server.folder / "log").read_text())
                time.sleep(0.05)
            if found is None:
                sys.exit(f"the SPI benchmark says nothing:\n{(server.folder / 'log').read_text()}")
        rate = float(found.group(1))
        for yardstick, pace in yardsticks:
            table.alone(f"SPI point select, {isolation} worker / {yardstick}", "1/s", f"{rate:,.0f} / {pace:,.0f}", rate / pace)
