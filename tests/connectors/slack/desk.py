"""An open connection, and the few steps that a run takes with a write."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from banksman import Action, Change, Connection, OpenConnection, Sent, Settings, Wiring, _gate
from banksman._canonical import plain
from banksman._change import CallContext, preparing
from banksman._connector import Environment
from banksman.auth import build
from banksman.http import Exchange
from banksman_connectors.slack import connector

KEY = "run-7:tell"


@dataclass
class Desk:
    """Reads, prepares, sends and asks what became of it, as the runtime does."""

    opened: OpenConnection
    seen: list[Exchange] = field(default_factory=list)
    key: str = KEY

    def action(self, name: str) -> Action[Any, Any]:
        return next(action for action in connector.actions if action.name == name)

    async def read(self, name: str, **arguments: Any) -> Any:
        return await self.opened.read(self.action(name), arguments)

    async def prepare(self, name: str, **arguments: Any) -> Change[Any]:
        with preparing(CallContext(self.key)):
            return await self.opened.prepare(self.action(name), arguments)

    async def send(self, name: str, change: Change[Any]) -> Any:
        with _gate.sending(request.fingerprint for request in change.requests):
            return await self.opened.send(self.action(name), change)

    async def do(self, name: str, **arguments: Any) -> Any:
        return await self.send(name, await self.prepare(name, **arguments))

    async def reconcile(self, name: str, change: Change[Any], since: datetime | None = None, **arguments: Any) -> Any:
        sent = Sent[Any](
            arguments=plain(arguments),
            before=plain(change.before) if change.before is not None else None,
            after=plain(change.after) if change.after is not None else None,
            requests=tuple(request.canonical() for request in change.requests),
            key=self.key,
            since=since or datetime.now(timezone.utc),
        )
        return await self.opened.reconcile(self.action(name), sent)


def open_desk(base_url: str, token: str) -> Desk:
    seen: list[Exchange] = []
    connection = Connection(
        name="slack:works",
        system="slack",
        environment=Environment.TEST,
        settings=Settings(base_url=base_url),
        limits={"rate": None},
    )
    auth = build(connector.auth, {"kind": "bearer", "token": f"literal:{token}"})
    api = connector.open(connector, connection, Wiring(auth=auth, observers=(seen.append,)))
    return Desk(OpenConnection(connector, connection, api), seen)
