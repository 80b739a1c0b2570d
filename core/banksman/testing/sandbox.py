"""Small servers on loopback that keep state and stand in for a system, in demos and tests.

A sandbox subclasses `Sandbox` and answers calls; faults are scripted from outside, so that a test can make any system
slow, silent or full of errors in the middle of a run.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a sandbox sees it. `path` is decoded; `headers` have lower-case names."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The parsed body; {} where there is none."""
        return json.loads(self.body) if self.body else {}

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a sandbox says. A `body` that is not bytes is sent as JSON."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Fault:
    """What goes wrong, for calls that `matches`.

    Attributes:
        times: for how many calls; then it is spent.
        answer: is given instead of the real one; None: the connection is dropped without a word.
        after_commit: whether the call takes effect all the same.
        delay: seconds to wait before answering.
        honest: the real answer is given, only late.
    """

    matches: Callable[[Call], bool]
    times: int = 1
    answer: Answer | None = None
    after_commit: bool = False
    delay: float = 0.0
    honest: bool = False


class Sandbox:
    """A stateful stand-in on a free loopback port. Use it as a context manager.

    Every call needs `Authorization: Bearer <token>`; `token` is drawn at random unless given. A bug in `handle` is
    answered with status 500, and raised again where the block ends.
    """

    #: Shown to people.
    title = "sandbox"

    def __init__(self, *, token: str | None = None) -> None:
        self.token = token or secrets.token_urlsafe(16)
        self.calls: list[Call] = []
        self.broke: Exception | None = None
        self._faults: list[Fault] = []
        self._lock = threading.RLock()
        self._server: ThreadingHTTPServer | None = None

    def handle(self, call: Call) -> Answer:
        """Answer one authenticated call; only one runs at a time."""
        return Answer(404, {"error": f"{self.title} has no {call.method} {call.path}"})

    def authorized(self, call: Call) -> bool:
        """Whether a call carries the token."""
        given = call.headers.get("authorization", "")
        return secrets.compare_digest(given.encode(), f"Bearer {self.token}".encode())

    def refused(self, call: Call) -> Answer:
        """The answer to a call without the token."""
        return Answer(401, {"error": "unauthorized"})

    def fail(
        self,
        *,
        times: int = 1,
        method: str | None = None,
        path: str | None = None,
        answer: Answer | None = None,
        after_commit: bool = False,
        delay: float = 0.0,
        honest: bool = False,
    ) -> None:
        """Script a fault for the next calls whose method and path (a part of it) fit."""

        def matches(call: Call) -> bool:
            return (method is None or call.method == method) and (path is None or path in call.path)

        with self._lock:
            self._faults.append(Fault(matches, times, answer, after_commit, delay, honest))

    @property
    def url(self) -> str:
        """Where it listens, without a trailing slash."""
        assert self._server is not None, "start the sandbox first"
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _respond(self, call: Call) -> Answer | None:
        with self._lock:
            self.calls.append(call)
            if not self.authorized(call):
                return self.refused(call)
            fault = next((f for f in self._faults if f.times > 0 and f.matches(call)), None)
            if fault is None:
                return self._handled(call)
            fault.times -= 1
            real = self._handled(call) if fault.after_commit or fault.honest else None
        time.sleep(fault.delay)
        return real if fault.honest else fault.answer

    def _handled(self, call: Call) -> Answer:
        try:
            return self.handle(call)
        except Exception as error:
            self.broke = self.broke or error
            return Answer(500, {"error": f"{self.title} broke: {type(error).__name__}: {error}"})

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True, name=self.title).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        if self.broke is not None and kind is None:
            raise self.broke


def _handler(sandbox: Sandbox) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body leave in one segment each; Nagle's algorithm would hold the second back for 40 ms.
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("content-length") or 0)
            call = Call(
                self.command,
                unquote(parts.path),
                dict(parse_qsl(parts.query, keep_blank_values=True)),
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(length),
            )
            answer = sandbox._respond(call)
            if answer is None:
                self.close_connection = True
                return
            body = answer.body
            headers = {"content-type": "application/json"} if not isinstance(body, bytes | None) else {}
            content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(answer.status)
            for name, value in {**headers, **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        # The base class looks handlers up by these names.
        do_GET = do_POST = do_PUT = do_PATCH = do_MERGE = do_DELETE = do_HEAD = _serve  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet; `Sandbox.calls` has everything."""

    return Handler
