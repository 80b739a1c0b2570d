"""The configured accounts: each connection is opened once, with its credential, and then shared."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from banksman._action import Action
from banksman._connector import Connection, Connector, OpenConnection, Wiring
from banksman.catalog import Registry
from banksman.config import Config
from banksman.errors import BanksmanError, UnknownName, UsageError
from banksman.plan import Runbook, check


class Accounts(Mapping[str, Connection]):
    """The connections of a configuration, by name; checked when they are asked for.

    Args:
        inner: moves the bytes of one connection, by its name.
        observers: see what passes the seam of a connection.
    """

    def __init__(
        self,
        config: Config,
        registry: Registry,
        *,
        inner: Callable[[str], Any] | None = None,
        observers: Callable[[str], tuple[Any, ...]] | None = None,
    ) -> None:
        self._config = config
        self._registry = registry
        self._inner = inner
        self._observers = observers
        self._open: dict[str, asyncio.Future[OpenConnection]] = {}

    def __getitem__(self, name: str) -> Connection:
        return self.connection(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._config.connections)

    def __len__(self) -> int:
        return len(self._config.connections)

    def connection(self, name: str) -> Connection:
        """A configured connection.

        Raises:
            UnknownName: there is none of that name.
            ConfigError: its settings do not fit.
        """
        if name not in self._config.connections:
            hint = f"Add it to {self._config.path or 'banksman.yaml'} (`banksman init` writes one)."
            raise UnknownName("connection", name, self._config.connections, hint=hint)
        return self._config.connection(name, self._registry.get(name.split(":", 1)[0]))

    async def connect(self, name: str) -> OpenConnection:
        """A connection in use; opened once, then shared.

        Raises:
            UnknownName, ConfigError: as `connection`; also where a secret cannot be found.
        """
        known = self._open.get(name)
        if known is None:
            known = self._open[name] = asyncio.get_running_loop().create_future()
            try:
                known.set_result(self._connect(name))
            except Exception as error:
                # Also a fault in a connector's code: nobody may wait for a connection that never comes.
                del self._open[name]
                known.set_exception(error)
                known.exception()
                raise
        return await asyncio.shield(known)

    def _connect(self, name: str) -> OpenConnection:
        connection = self.connection(name)
        connector = self._registry.get(connection.system)
        wiring = Wiring(
            auth=self._auth(connector, connection),
            observers=self._observers(name) if self._observers else (),
            inner=self._inner(name) if self._inner else None,
        )
        return OpenConnection(connector, connection, connector.open(connector, connection, wiring))

    def _auth(self, connector: Connector, connection: Connection) -> Any:
        from banksman import auth

        if not connector.auth:
            return None
        # Only a rotating refresh token has to outlive the process; opening the vault may ask the keyring for its key.
        rotating = connection.auth.get("kind") == auth.OAuth2Refresh.kind
        store = auth.Vault.open(self._config.home / "vault") if rotating else None
        return auth.build(connector.auth, connection.auth, connection=connection.name, store=store)

    def versions(self, plan: Runbook) -> dict[str, str]:
        """The code that a plan's calls are prepared by, for the approval: another version voids it."""
        systems = {call.action.split(".", 1)[0] for step in plan.steps.values() for call in step.ways}
        return {f"connector:{system}": self._registry.version(system) for system in sorted(systems)}

    async def check(self, plan: Runbook) -> list[str]:
        """The problems of a plan against the actions there are; systems that describe themselves are asked.

        Raises:
            CallError: a system cannot be asked. That is no problem of the plan.
        """
        known: dict[str, Mapping[str, Action[Any, Any]] | UsageError] = {}
        for step in plan.steps.values():
            for call in step.ways:
                with contextlib.suppress(UsageError):
                    name = plan.connection_of(call)
                    if name not in known:
                        known[name] = await self._actions_of(name)

        def lookup(connection: str, action: str) -> Action[Any, Any]:
            actions = known.get(connection)
            if isinstance(actions, UsageError):
                raise actions
            if actions is None or action not in actions:
                raise UnknownName("action", action, actions or {})
            return actions[action]

        return check(plan, lookup)

    async def _actions_of(self, connection: str) -> Mapping[str, Action[Any, Any]] | UsageError:
        try:
            return await (await self.connect(connection)).actions()
        except UsageError as error:
            return error

    async def close(self) -> None:
        """Close what is open."""
        for opened in self._open.values():
            with contextlib.suppress(BanksmanError):
                await (await opened).aclose()
        self._open.clear()
