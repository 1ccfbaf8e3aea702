"""A connection of PostgreSQL's protocol, just enough to be idle or to ask short questions cheaply."""

import socket
import struct

# How much of an answer is kept to find an error in.
LAST_BYTES = 1000


class Connection:
    """An authenticated connection (trust)."""

    def __init__(self, port):
        self.port = port
        self.key = b""
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        words = b"user\0postgres\0database\0postgres\0\0"
        self.socket.sendall(struct.pack("!ii", 8 + len(words), 196608) + words)
        self.until_ready()

    def message(self):
        """The next message: its type and body."""
        while len(self.buffer) < 5 or len(self.buffer) < 1 + struct.unpack_from("!i", self.buffer, 1)[0]:
            received = self.socket.recv(65536)
            if not received:
                raise ConnectionError("the server has closed the connection")
            self.buffer += received
        length = 1 + struct.unpack_from("!i", self.buffer, 1)[0]
        kind, body = self.buffer[:1], self.buffer[5:length]
        self.buffer = self.buffer[length:]
        return kind, body

    def until_ready(self):
        failure = None
        while True:
            kind, body = self.message()
            if kind == b"E":
                failure = body
            if kind == b"K":
                self.key = body
            if kind == b"Z":
                break
        if failure:
            raise RuntimeError(failure.replace(b"\0", b" ").decode())

    def ask(self, text):
        """Sends a simple query."""
        body = text.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack("!i", 4 + len(body)) + body)

    def query(self, text):
        """Runs a simple query; its rows are not looked at."""
        self.ask(text)
        self.until_ready()

    def end(self):
        """Reads to the next ReadyForQuery as fast as it comes, without taking the messages apart; the last bytes before it."""
        last = b""
        while not (last[-6:-1] == b"Z\0\0\0\5" and last[-1:] in b"ITE"):
            received = self.socket.recv(1 << 20)
            if not received:
                raise ConnectionError("the server has closed the connection")
            last = (last + received)[-LAST_BYTES:]
        return last[:-6]

    def cancel(self):
        """Asks the server to stop what this connection runs; returns when the request has been taken."""
        with socket.create_connection(("127.0.0.1", self.port)) as other:
            other.sendall(struct.pack("!ii", 16, 80877102) + self.key)
            other.recv(1)

    def close(self):
        self.socket.close()
