"""Makes the recordings anew, against the peers: `python -m contract_tests.record slack sap`, after `make setup`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path

import anyio
from tests.peers import servers

from banksman import Connection, Connector, Environment
from banksman.testing import record_contract

HERE = Path(__file__).parent


@contextmanager
def slack() -> Iterator[Connection]:
    """emulate's Slack, seeded from tests/peers/slack.yaml."""
    with servers.emulate(("slack",)) as server:
        yield _connection("slack", f"{server.base_url}/api", {"kind": "bearer", "token": f"literal:{server.token}"})


@contextmanager
def sap() -> Iterator[Connection]:
    """SAP CAP with the service of tests/peers/cap."""
    with servers.cap() as server:
        user, password = server.buyer
        config = {"kind": "basic", "username": user, "password": f"literal:{password}"}
        yield _connection("sap", server.v4, config)


PEERS: Mapping[str, Callable[[], AbstractContextManager[Connection]]] = {"sap": sap, "slack": slack}


def connector_of(system: str) -> Connector:
    """The connector of a folder."""
    found: Connector = import_module(f"banksman_connectors.{system}").connector
    return found


def _connection(system: str, base_url: str, auth: Mapping[str, str]) -> Connection:
    settings = connector_of(system).settings(base_url=base_url)
    return Connection(f"{system}:peer", system, environment=Environment.TEST, settings=settings, auth=auth)


def record(system: str, folder: Path) -> list[Path]:
    """Record a system's script into a folder."""
    with PEERS[system]() as connection:
        return anyio.run(record_contract, connector_of(system), connection, HERE / system / "script.yaml", folder)


def main(systems: list[str]) -> None:
    """Record the named systems, or all."""
    for system in systems or PEERS:
        sys.stdout.write(f"{system}: {len(record(system, HERE / system))} files\n")


if __name__ == "__main__":
    main(sys.argv[1:])
