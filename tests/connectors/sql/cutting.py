"""A wire to a PostgreSQL server that breaks at COMMIT."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit


@dataclass
class Wire:
    """Carries bytes between clients and the server.

    Attributes:
        target: the server's Unix socket.
        cut: when the wire breaks: `before` COMMIT reaches the server, or `after` it answered; None: never.
        heals: whether new connections get through once it broke.
    """

    target: str
    listener: socket.socket
    cut: str | None = None
    heals: bool = True
    _broken: bool = False

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self._broken and not self.heals:
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.target)
            mute = threading.Event()
            threading.Thread(target=self._forth, args=(client, server, mute), daemon=True).start()
            threading.Thread(target=self._back, args=(server, client, mute), daemon=True).start()

    def _forth(self, client: socket.socket, server: socket.socket, mute: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while content := client.recv(65536):
                if self.cut and b"COMMIT" in content:
                    when, self.cut, self._broken = self.cut, None, True
                    if when == "before":
                        break
                    mute.set()
                server.sendall(content)
        _shut(client, server)

    def _back(self, server: socket.socket, client: socket.socket, mute: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while content := server.recv(65536):
                if mute.is_set():
                    # The answer to COMMIT: it is done, and nobody hears of it.
                    break
                client.sendall(content)
        _shut(client, server)


def _shut(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def wire(url: str) -> Iterator[tuple[Wire, str]]:
    """A wire to the server of a URL with a Unix socket, and the URL by which to use it."""
    parts = urlsplit(url)
    (folder,) = parse_qs(parts.query)["host"]
    listener = socket.create_server(("127.0.0.1", 0))
    made = Wire(f"{folder}/.s.PGSQL.5432", listener)
    threading.Thread(target=made.accept, daemon=True).start()
    try:
        yield made, f"postgresql://postgres@127.0.0.1:{listener.getsockname()[1]}{parts.path}?sslmode=disable"
    finally:
        listener.close()
