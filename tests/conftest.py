"""What all tests share: the peers, one of each per worker, and the rule that nothing leaves this machine."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.peers import servers

# A proxy of the machine must not see what goes to loopback.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "localhost,127.0.0.1,::1"


class OutsideCall(RuntimeError):
    """A test tried to reach something that is not on this machine."""


_outside: list[str] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuses whatever is not addressed to loopback. An audit hook, because every client passes it."""
    if event not in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        return
    connection, address = arguments
    if address is None or connection.family == socket.AF_UNIX or _is_loopback(address):
        return
    _outside.append(f"{event} to {address!r}")
    raise OutsideCall(f"{event} to {address!r}: tests reach only this machine; use a peer or a recording")


def _is_loopback(address: Any) -> bool:
    host = address[0] if isinstance(address, tuple) else address
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def outside_calls() -> Iterator[list[str]]:
    """Fails a test that tried to leave this machine, also where the code under test swallowed the error.

    Yields the list of tries; a test of the guard itself clears it.
    """
    _outside.clear()
    yield _outside
    if _outside:
        tried, count = "; ".join(_outside), len(_outside)
        _outside.clear()
        pytest.fail(f"{count} call(s) to the outside: {tried}")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop that everything runs on."""
    return "asyncio"


@pytest.fixture(scope="session")
def cap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Cap]:
    """SAP CAP. Its data is shared by a worker's tests: change an order of your own."""
    with servers.cap(tmp_path_factory.mktemp("cap")) as server:
        yield server


@pytest.fixture(scope="session")
def emulate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Emulate]:
    """emulate's Slack, seeded from `tests/peers/slack.yaml`."""
    with servers.emulate(("slack",), tmp_path_factory.mktemp("emulate")) as server:
        yield server


@pytest.fixture(scope="session")
def oauth2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.OAuth2]:
    """An OAuth 2 server that accepts any client."""
    with servers.oauth2(tmp_path_factory.mktemp("oauth2")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Postgres]:
    """PostgreSQL. Tests share the cluster: create a schema or a database of your own."""
    with servers.postgres() as server:
        yield server
