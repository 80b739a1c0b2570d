"""A connector: the code that knows a system. A connection: one configured account of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from banksman._action import Action
from banksman._change import UNSURE, Change, NativeKey, Sent, Unknowable, Verdict
from banksman.errors import (
    CallError,
    ConfigError,
    ConnectorGaps,
    MalformedAnswer,
    OutcomeUnknown,
    UnknownName,
)

if TYPE_CHECKING:
    from banksman.http import ErrorTable, Limits, Observer, RetryPolicy, Routes


class Environment(StrEnum):
    """What a mistake on a connection would hit. Unsaid, it counts as production."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"
    TEST = "test"


class Api(Protocol):
    """What a connector's bodies get as their first argument. `HttpApi` is one; a database has its own."""

    def bind(self, reader: Any) -> None:
        """Where `read` goes."""

    async def send(self, request: Any) -> Any:
        """Send an approved write and return the answer."""

    def rehearsal(self) -> AbstractAsyncContextManager[None]:
        """Around a whole preview, for seams that can show later reads the earlier writes."""

    async def aclose(self) -> None:
        """Close what is open."""


class Settings(BaseModel):
    """What a connection's configuration may say besides system, environment and auth. Connectors subclass it.

    Attributes:
        base_url: the address of the API.
        settle: seconds, where this account is known to be quicker or slower than the connector's `settle`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str | None = None
    settle: float | None = Field(default=None, ge=0)


@dataclass(frozen=True)
class Connection:
    """One configured account of a system.

    Attributes:
        name: `sap:s4-prod`: the system, a colon, the account.
        settings: of the connector's own settings type.
        auth: the configured credential, as references: `{"kind": "basic", "password": "env:SAP_PASSWORD"}`.
        limits: bounds that differ from the connector's.
        unattended: whether runs may go ahead with `--yes`, without a person; None: not in production.
    """

    name: str
    system: str
    environment: Environment = Environment.PRODUCTION
    settings: Settings = field(default_factory=Settings)
    auth: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    unattended: bool | None = None


@dataclass(frozen=True)
class Wiring:
    """What the hub gives a connector to build its API handle with: the outside, replaceable in tests."""

    auth: Any = None
    observers: tuple[Observer, ...] = ()
    inner: Any = None
    retry: RetryPolicy | None = None


#: Stands between a read action and its body while a preview looks: the overlay. Called as
#: `(opened, action, arguments, proceed)`.
reading: ContextVar[Callable[..., Awaitable[Any]] | None] = ContextVar("banksman_reading", default=None)

Opener = Callable[["Connector", Connection, Wiring], Any]


def open_http(connector: Connector, connection: Connection, wiring: Wiring, *, api: Any = None, **more: Any) -> Any:
    """The API handle of a connector over HTTP: `HttpApi`, or the subclass given as `api`.

    Raises:
        ConfigError: neither the connection nor the connector says where the system is.
    """
    from banksman.http import HttpApi, Limits

    base_url = connection.settings.base_url or connector.base_url
    if base_url is None:
        raise ConfigError(f"connection {connection.name!r}: give settings.base_url, the address of the API")
    return (api or HttpApi)(
        base_url,
        auth=wiring.auth,
        routes=connector.routes,
        errors=connector.errors,
        limits=replace(connector.limits or Limits(), **connection.limits),
        inner=wiring.inner,
        retry=wiring.retry,
        observers=wiring.observers,
        **more,
    )


@dataclass(frozen=True, kw_only=True)
class Connector:
    """A system as Banksman knows it. Building one reports every gap at once.

    Attributes:
        name: the system's name; the first part of its actions' full names.
        title: as people write it.
        docs: the vendor's API page.
        actions: the fixed actions.
        open: builds the API handle of a connection.
        discover: reads further actions from the system itself (an OData `$metadata`).
        settings: the type of a connection's settings.
        auth: the accepted schemes of `banksman.auth`.
        base_url: where the system is, if that is the same for everybody.
        settle: seconds; how long a request may still take effect after it was sent. A reconcile that finds
            nothing counts only after that.
        probe: a cheap read that shows that a connection works; returns a line for people.

    Raises:
        ConnectorGaps: a TypeError that lists every missing or wrong piece.
    """

    name: str
    title: str
    docs: str
    actions: Sequence[Action[Any, Any]]
    settle: float
    open: Opener = open_http
    discover: Callable[[Any], Awaitable[Sequence[Action[Any, Any]]]] | None = None
    settings: type[Settings] = Settings
    auth: tuple[Any, ...] = ()
    base_url: str | None = None
    routes: Routes | None = None
    errors: ErrorTable | None = None
    limits: Limits | None = None
    probe: Callable[[Any], Awaitable[str]] | None = None

    def __post_init__(self) -> None:
        held = tuple(replace(item, connector=self.name) for item in self.actions)
        object.__setattr__(self, "actions", held)
        gaps = [gap for item in held for gap in item.gaps()]
        names = [item.name for item in held]
        gaps += [f"{name}: declared twice" for name in sorted({n for n in names if names.count(n) > 1})]
        if not self.name.isidentifier() or not self.name.islower():
            gaps.append(f"name {self.name!r}: use lower case letters, digits and underscores")
        if gaps:
            raise ConnectorGaps(self.name, gaps)

    def own(self, action: Action[Any, Any]) -> Action[Any, Any]:
        """The action as this connector holds it, with its full name."""
        return action if action.connector == self.name else replace(action, connector=self.name)


class OpenConnection:
    """A connection in use: runs reads, prepares writes, sends what was approved, asks what became of it."""

    def __init__(self, connector: Connector, connection: Connection, api: Any) -> None:
        self.connector = connector
        self.connection = connection
        self.api = api
        self._actions = {item.full_name: item for item in connector.actions}
        self._discovered = connector.discover is None
        api.bind(self._read_from_body)

    @property
    def name(self) -> str:
        return self.connection.name

    @property
    def settle(self) -> float:
        """Seconds after which a write that reconcile does not find has not happened."""
        given = self.connection.settings.settle
        return self.connector.settle if given is None else given

    async def actions(self) -> Mapping[str, Action[Any, Any]]:
        """Every action by full name, those read from the system included (asked once)."""
        if not self._discovered and self.connector.discover is not None:
            found = await self._guarded(None, self.connector.discover(self.api))
            held = [replace(item, connector=self.connector.name) for item in found]
            if gaps := [gap for item in held for gap in item.gaps()]:
                raise ConnectorGaps(self.connector.name, gaps)
            # What the connector's author wrote by hand wins over what the description yields.
            self._actions = {item.full_name: item for item in held} | self._actions
            self._discovered = True
        return self._actions

    async def action(self, name: str) -> Action[Any, Any]:
        """One action by its full name.

        Raises:
            UnknownName: lists the near ones.
        """
        if name in self._actions:
            return self._actions[name]
        actions = await self.actions()
        if name not in actions:
            raise UnknownName("action", name, actions)
        return actions[name]

    async def read(self, action: Action[Any, Any], arguments: Mapping[str, Any]) -> Any:
        """Run a read action. `arguments` are validated here.

        Raises:
            ArgumentError: they do not fit.
            CallError: the system's answer, with action and connection filled in.
        """
        return await self._read(action, action.input.validate(action.full_name, arguments))

    async def prepare(self, action: Action[Any, Any], arguments: Mapping[str, Any]) -> Change[Any]:
        """The `Change` that a write action would make. Nothing is sent."""
        change = await self._invoke(action, action.input.validate(action.full_name, arguments))
        if not isinstance(change, Change):
            raise ConfigError(f"{action.full_name} returned a {type(change).__name__}; a write returns a Change")
        return change

    async def send(self, action: Action[Any, Any], change: Change[Any]) -> Any:
        """Send a prepared write; the caller has opened the gate for it.

        Raises:
            OutcomeUnknown: it may have happened, wholly or in part.
            CallError: it was refused.
        """
        answer: Any = None
        for index, request in enumerate(change.requests):
            try:
                answer = await self._guarded(action, self.api.send(request))
            except OutcomeUnknown:
                raise
            except CallError as error:
                if index:
                    done = f"{index} of {len(change.requests)} requests went through, then: {error.message}"
                    raise self._at(action, OutcomeUnknown(done)) from None
                raise
        try:
            return change.receive(answer)
        except Exception as error:
            # The system took the write; only its answer makes no sense. Reconcile reads the truth.
            told = error.message if isinstance(error, CallError) else type(error).__name__
            unknown = OutcomeUnknown(f"the write was accepted, but its answer cannot be read: {told}")
            raise self._at(action, unknown) from error

    async def reconcile(self, action: Action[Any, Any], sent: Sent[Any]) -> Any:
        """What became of an unknown write: its output, `ABSENT` or `UNSURE`."""
        how = action.reconcile
        if how is None or isinstance(how, NativeKey | Unknowable):
            return UNSURE
        return await self._guarded(action, how(self.api, sent))

    async def _read_from_body(self, action: Action[Any, Any], arguments: Mapping[str, Any]) -> Any:
        return await self._read(self.connector.own(action), arguments)

    async def _read(self, action: Action[Any, Any], arguments: Mapping[str, Any]) -> Any:
        between = reading.get()
        if between is None or action.effect.changes:
            return await self._invoke(action, arguments)
        return await between(self, action, arguments, lambda: self._invoke(action, arguments))

    async def _invoke(self, action: Action[Any, Any], arguments: Mapping[str, Any]) -> Any:
        if action.is_async:
            return await self._guarded(action, action.body(self.api, **arguments))
        call = partial(action.body, self.api.sync, **arguments)
        return await self._guarded(action, anyio.to_thread.run_sync(call, abandon_on_cancel=True))

    async def _guarded(self, action: Action[Any, Any] | None, work: Awaitable[Any]) -> Any:
        try:
            return await work
        except CallError as error:
            raise self._at(action, error) from None
        except ValidationError as error:
            # A record that cannot be read is the system's answer, not a fault in the caller's input.
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            broken = MalformedAnswer(f"the answer does not fit the connector's record at {place}: {first['msg']}")
            raise self._at(action, broken) from None

    def _at(self, action: Action[Any, Any] | None, error: CallError) -> CallError:
        error.connection = error.connection or self.name
        if action is not None:
            error.action = error.action or action.full_name
        return error

    async def aclose(self) -> None:
        await self.api.aclose()


def is_verdict(value: Any) -> bool:
    """Whether a reconcile gave a verdict instead of the output."""
    return isinstance(value, Verdict)
