"""A server that speaks in bytes, for what no well-behaved one would say."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

#: Gets the head of the request and the open connection; what it does not send is not sent.
Speak = Callable[[bytes, socket.socket], Any]


class RawServer:
    """Answers each request by `speak`, one request per connection."""

    def __init__(self) -> None:
        self.speak: Speak = lambda head, connection: connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        self.requests: list[bytes] = []
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                head = b""
                while b"\r\n\r\n" not in head:
                    part = self.request.recv(65536)
                    if not part:
                        return
                    head += part
                outer.requests.append(head)
                with contextlib.suppress(OSError):  # the client has heard enough
                    outer.speak(head, self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def raw_server() -> Iterator[RawServer]:
    server = RawServer()
    yield server
    server.close()


@pytest.fixture
def closed_port() -> str:
    """An address where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}"
