"""Somebody who works in purchasing, with one connection, for tests that need no whole run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import httpx

from banksman import BoundCall, Change, Connection, OpenConnection, Receipt, Sent, Wiring, _gate
from banksman._canonical import plain
from banksman_connectors.sap import connector
from banksman_connectors.sap.settings import SapSettings


class Buyer:
    """Reads, prepares and sends by the short names of actions: `purchase_orders.get`."""

    def __init__(self, opened: OpenConnection) -> None:
        self.opened = opened

    async def actions(self) -> Mapping[str, Any]:
        """Every action by its short name."""
        return {name.removeprefix("sap."): action for name, action in (await self.opened.actions()).items()}

    async def read(self, name: str, **given: Any) -> Any:
        """The output of a read."""
        return await self.opened.read(await self.opened.action(f"sap.{name}"), given)

    async def prepare(self, name: str, **given: Any) -> Change[Any]:
        """The change that a write would make."""
        return await self.opened.prepare(await self.opened.action(f"sap.{name}"), given)

    async def send(self, name: str, change: Change[Any]) -> Any:
        """Send a prepared write, as if it was approved."""
        with _gate.sending(request.fingerprint for request in change.requests):
            return await self.opened.send(await self.opened.action(f"sap.{name}"), change)

    async def write(self, name: str, **given: Any) -> Any:
        """Prepare and send; the output."""
        return await self.send(name, await self.prepare(name, **given))

    async def undo(self, name: str, change: Change[Any], output: Any, given: Mapping[str, Any]) -> Any:
        """Take a write back by its own undo; the output of the inverse."""
        action = await self.opened.action(f"sap.{name}")
        make = getattr(action.undo, "call", action.undo)
        inverse: BoundCall = make(
            Receipt(arguments=plain(given), before=plain(change.before), after=None, result=plain(output))
        )
        return await self.write(inverse.action.name, **inverse.arguments)

    async def reconcile(
        self, name: str, given: Mapping[str, Any], change: Change[Any], since: datetime | None = None
    ) -> Any:
        """What the action finds out about a write of which no answer came."""
        action = await self.opened.action(f"sap.{name}")
        sent = Sent[Any](
            arguments=plain(action.input.validate(action.full_name, given)),
            before=plain(change.before),
            after=None,
            requests=(),
            key="run.call",
            since=since or datetime.now(timezone.utc),
        )
        return await self.opened.reconcile(action, sent)


def open_buyer(base_url: str, credential: tuple[str, str], **settings: Any) -> Buyer:
    """A connection to one service."""
    observers = settings.pop("observers", ())
    held = SapSettings(base_url=base_url, **settings)
    connection = Connection("sap:test", "sap", settings=held)
    wiring = Wiring(auth=httpx.BasicAuth(*credential), observers=observers)
    return Buyer(OpenConnection(connector, connection, connector.open(connector, connection, wiring)))
