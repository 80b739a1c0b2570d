"""The system that the crash benchmark writes to, in a process of its own: it remembers every write that it carried out.

It does not deduplicate. One write in twenty takes three seconds before it takes effect, and it takes effect whether
or not anybody still waits for the answer: that is what makes a kill dangerous.

    python benchmarks/crash_remote.py [--slow-every 20] [--slow-for 3.0]     prints its address
"""

from __future__ import annotations

import argparse
import itertools
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Remote:
    """Records by number, and the journal of all writes in the order in which they took effect."""

    def __init__(self, slow_every: int, slow_for: float) -> None:
        self.records: dict[int, dict[str, Any]] = {}
        self.by_marker: dict[str, dict[str, Any]] = {}
        self.journal: list[dict[str, Any]] = []
        self.slow_every = slow_every
        self.slow_for = slow_for
        self._lock = threading.Lock()
        self._arrivals = itertools.count(1)
        self._ids = itertools.count(1)

    def read(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        """Answer a GET."""
        with self._lock:
            if path == "/journal":
                return 200, self.journal
            if path == "/records":
                prefix = query.get("prefix", [""])[0]
                return 200, [one for one in self.records.values() if one["text"].startswith(prefix)]
            if path == "/writes":
                # The look-up by the natural key: what became of the write that carried this marker.
                found = self.by_marker.get(query.get("marker", [""])[0])
                return (200, found) if found else (404, {"message": "no such write"})
            found = self.records.get(int(path.rsplit("/", 1)[1]))
            return (200, found) if found else (404, {"message": "no such record"})

    def write(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Carry a write out, sometimes late."""
        if next(self._arrivals) % self.slow_every == 0:
            time.sleep(self.slow_for)
        with self._lock:
            number = next(self._ids) if method == "POST" else int(path.rsplit("/", 1)[1])
            if method != "POST" and number not in self.records:
                return 404, {"message": "no such record"}
            if method == "DELETE":
                record = self.records.pop(number)
            else:
                record = self.records[number] = {"id": number, "text": body["text"]}
            done = {"method": method, "id": number, "text": record["text"], "marker": body["marker"]}
            self.journal.append(done)
            self.by_marker.setdefault(body["marker"], done)
            return 200, record


def _handler(remote: Remote) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.command == "GET":
                status, answer = remote.read(parts.path, parse_qs(parts.query))
            else:
                status, answer = remote.write(self.command, parts.path, json.loads(content))
            body = json.dumps(answer).encode()
            try:
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # whoever asked is gone; what was done is done

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing; the journal has everything."""

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is what this is for."""


def main() -> None:
    """Serve on a free port until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slow-every", type=int, default=20)
    parser.add_argument("--slow-for", type=float, default=3.0)
    given = parser.parse_args()
    server = _Server(("127.0.0.1", 0), _handler(Remote(given.slow_every, given.slow_for)))
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever(0.1)


if __name__ == "__main__":
    main()
