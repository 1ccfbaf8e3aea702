"""The two servers that are compared: how each is started, asked, and looked at."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("POSTILION_BINARY", ROOT / "target/release/postilion"))
POSTGRES = pathlib.Path("/usr/lib/postgresql/15/bin")
PATIENCE_SECONDS = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment():
    return {**os.environ, "PGUSER": "postgres", "PGDATABASE": "postgres", "PGHOST": "127.0.0.1"}


class Server:
    """One of the two servers, on a directory and a port of its own."""

    def __init__(self, name, folder, *arguments, extra_environment=None):
        self.name = name
        self.arguments = arguments
        self.extra_environment = extra_environment or {}
        self.binary = BINARY
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.process = None

    def command(self):
        raise NotImplementedError

    def start(self):
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(self.command(), stdout=self.log, stderr=self.log, start_new_session=True,
                                        env={**os.environ, **self.extra_environment})
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.answers():
            if time.monotonic() > deadline or self.process.poll() is not None:
                sys.exit(f"{self.name} does not start; see {self.folder / 'log'}")
            time.sleep(0.002)

    def answers(self):
        probe = ["psql", "-XAtq", "-p", str(self.port), "-c", "SELECT 1"]
        return subprocess.run(probe, env=environment(), capture_output=True, check=False).returncode == 0

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE_SECONDS)

    def sql(self, text):
        command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-p", str(self.port), "-c", text]
        return subprocess.run(command, env=environment(), capture_output=True, text=True, check=True).stdout.strip()

    def pids(self):
        """The server's process and all its children."""
        tree = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        parents = {int(pid): int(parent) for pid, parent in (line.split() for line in tree.splitlines())}
        found = {self.process.pid}
        while True:
            more = {pid for pid, parent in parents.items() if parent in found} - found
            if not more:
                return found
            found |= more

    def memory_kilobytes(self):
        """Private and proportionally shared memory of all its processes."""
        total = 0
        for pid in self.pids():
            try:
                text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1))
            except (OSError, AttributeError):
                pass
        return total


class Postilion(Server):
    def command(self):
        data = str(self.folder / "data")
        return [str(self.binary), "-D", data, "-p", str(self.port), "-h", "127.0.0.1", "-k", "", "-c", "max_connections=300",
                *self.arguments]


class PostgreSQL(Server):
    def run_as(self, words):
        if os.getuid() != 0:
            return words
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *words]

    def prepare(self):
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        initdb = [str(POSTGRES / "initdb"), "-D", str(self.folder / "data"), "-E", "UTF8", "--locale=C.UTF-8",
                  "-U", "postgres", "-A", "trust"]
        subprocess.run(self.run_as(initdb), check=True, capture_output=True, cwd="/")

    def command(self):
        return self.run_as([str(POSTGRES / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port),
                            "-h", "127.0.0.1", "-k", "", "-c", "max_connections=300", *self.arguments])
