"""A TCP server for tests of the proxy: it answers with what it is sent, and remembers it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Echo:
    """Listens on loopback until closed; one thread per connection."""

    def __init__(self, *, answers: bool = True) -> None:
        self._answers = answers
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.received = bytearray()
        self.accepted = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._socket.getsockname()
        return str(host), int(port)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.accepted += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := connection.recv(1 << 16):
                self.received += data
                if self._answers:
                    connection.sendall(data)

    def close(self) -> None:
        """Stops, and closes what is open."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def echo(*, answers: bool = True) -> Iterator[Echo]:
    """An echo server for as long as the context lasts."""
    server = Echo(answers=answers)
    try:
        yield server
    finally:
        server.close()


def connect(address: tuple[str, int], timeout_s: float = 20.0) -> socket.socket:
    """A client with a timeout that does not wait for more to send."""
    client = socket.create_connection(address, timeout_s)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def read(client: socket.socket, size: int) -> bytes:
    """Exactly so many bytes, or fewer if the stream ends."""
    found = bytearray()
    while len(found) < size and (data := client.recv(size - len(found))):
        found += data
    return bytes(found)
