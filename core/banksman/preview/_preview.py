"""The dry run of a whole plan: reads go out, writes land on the overlay, later reads see them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import anyio

from banksman import _connector
from banksman._action import Action
from banksman._canonical import Plain, digest, plain
from banksman._change import CallContext, preparing
from banksman._connector import OpenConnection
from banksman._record import holds_placeholder, settle, waits_for
from banksman.errors import BanksmanError
from banksman.plan import BadReference, Interpreter, Ready, Runbook, resolve
from banksman.preview._closed import is_closed
from banksman.preview._diff import same
from banksman.preview._item import Item, item_of
from banksman.preview._overlay import Overlay, Pending, _stale

Connect = Callable[[str], Awaitable[OpenConnection]]


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What one stage of a run would do.

    Attributes:
        nonce: 16 hex digits, drawn for this preview; no text from outside can hold one of its placeholders.
        stage: 1 for the first; a plan with reads that depend on writes may need more.
        items: the writes by call, in the order of the plan.
        alternatives: writes that happen only if the call before them fails.
        reads: outputs of the reads that do not depend on a write.
        rounds: the keys of each loop, in order.
        deferred: steps that need another look once this stage has run, with the reason.
        failures: calls that could not be looked at, with the reason.
        failed: the steps that cannot be done at all.
        kinds: the class of the error behind each of `failures`, such as `NotFound`; not part of what is approved.
        warnings: what a person should know about the plan as a whole.
    """

    run: str
    nonce: str
    stage: int
    requester: str
    expires: str
    versions: Mapping[str, str]
    plan: Mapping[str, Plain]
    inputs: Mapping[str, Plain]
    items: Mapping[str, Item]
    alternatives: Mapping[str, Item]
    reads: Mapping[str, Plain]
    rounds: Mapping[str, tuple[str, ...]]
    deferred: Mapping[str, str]
    failures: Mapping[str, str]
    failed: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Plain]:
        """What the approval is bound to. Outputs of reads are not in it: what they lead to is."""
        return {
            "run": self.run,
            "nonce": self.nonce,
            "stage": self.stage,
            "requester": self.requester,
            "expires": self.expires,
            "versions": dict(self.versions),
            "plan": dict(self.plan),
            "inputs": dict(self.inputs),
            "items": [item.document() for item in self.items.values()],
            "alternatives": [item.document() for item in self.alternatives.values()],
            "rounds": {step: list(keys) for step, keys in self.rounds.items()},
            "deferred": dict(self.deferred),
            "failures": dict(self.failures),
            "failed": list(self.failed),
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Plain]) -> Preview:
        """The preview that `document` came from, without the outputs of its reads."""
        given = dict(document)
        for name in ("items", "alternatives"):
            given[name] = {one["call"]: Item.from_document(one) for one in given[name]}
        given["rounds"] = {step: tuple(keys) for step, keys in given["rounds"].items()}
        given["failed"], given["warnings"] = tuple(given["failed"]), tuple(given["warnings"])
        return cls(**given, reads={})

    @cached_property
    def digest(self) -> str:
        """What an approval names."""
        return digest(self.document(), purpose="banksman.approval.v1")

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change."""
        return not self.items and not self.alternatives


@dataclass(kw_only=True)
class Look:
    """One pass over a plan.

    Args:
        known: outputs of the calls that have run; they are not looked at again.
        failed: calls that ran and failed.
        positional: loops whose rounds an earlier look at the same run named by place.
        key: the idempotency key of a call's id.
    """

    plan: Runbook
    inputs: Mapping[str, Plain]
    facts: Mapping[str, Plain]
    nonce: str
    connect: Connect
    key: Callable[[str], str]
    known: Mapping[str, Plain] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    positional: frozenset[str] = frozenset()
    width: int = 64

    def __post_init__(self) -> None:
        self.overlay = Overlay()
        self.items: dict[str, Item] = {}
        self.alternatives: dict[str, Item] = {}
        self.reads: dict[str, Plain] = {}
        self.rounds: dict[str, list[str]] = {}
        self.kinds: dict[str, str] = {}
        self._uncertain: dict[str, str] = {}
        self._free: set[tuple[str, str]] = set()
        self._pending_steps: set[str] = set()
        self._after_write: set[str] = set()
        self._last_rehearsed: dict[str, str] = {}
        self._stack = AsyncExitStack()
        self._rehearsing: set[str] = set()
        self._machine = Interpreter(
            self.plan, self.inputs, self.facts, positional=self.positional, undecided=self._undecided
        )

    async def run(self) -> Interpreter:
        """Look at everything that can be looked at now. Afterwards the fields hold what was found."""
        token = _connector.reading.set(self._read)
        try:
            # The nonce tells the placeholders of this preview from texts that only look like one.
            with preparing(CallContext(nonce=self.nonce)):
                async with self._stack:
                    while not self._machine.idle:
                        wave = self._machine.take()
                        await self._wave([call for call in wave if not self._replay(call)])
        finally:
            _connector.reading.reset(token)
        return self._machine

    def _replay(self, call: Ready) -> bool:
        if call.round:
            self.rounds.setdefault(call.step, []).append(call.round)
        if call.id in self.known:
            self._machine.succeed(call.id, self.known[call.id])
        elif call.id in self.failed:
            self._machine.fail(call.id, self.failed[call.id])
        else:
            return False
        return True

    async def _wave(self, calls: list[Ready]) -> None:
        """Look at independent calls side by side, then lay their writes over in the order of the plan."""
        found: dict[str, Any] = {}
        limit = anyio.Semaphore(self.width)

        async def one(call: Ready) -> None:
            async with limit:
                found[call.id] = await self._look(call)

        opened = {call.connection for call in calls}
        for name in opened:
            await self._rehearse(name)
        for call in calls:
            await self._consider_alternatives(call)
        if len(calls) > 1:
            async with anyio.create_task_group() as group:
                for call in calls:
                    if not await self._in_order(call):
                        group.start_soon(one, call)
        for call in calls:
            result = found[call.id] if call.id in found else await self._look(call)
            await self._take(call, result)

    async def _rehearse(self, name: str) -> None:
        if name not in self._rehearsing:
            self._rehearsing.add(name)
            try:
                opened = await self.connect(name)
            except BanksmanError:
                return  # the call itself will say what is wrong
            await self._stack.enter_async_context(opened.api.rehearsal())

    async def _in_order(self, call: Ready) -> bool:
        """Whether a call must be looked at in turn: a write inside a rehearsed transaction."""
        try:
            opened = await self.connect(call.connection)
            action = await opened.action(call.action)
        except BanksmanError:
            return False
        return action.effect.changes and bool(getattr(opened.api, "rehearses", False))

    async def _look(self, call: Ready, *, kept: bool = True) -> Any:
        """An item, an output with its stale reads, a reason to defer (`_Later`), or an error."""
        stale: list[str] = []
        token = _stale.set(stale)
        try:
            opened = await self.connect(call.connection)
            action = await opened.action(call.action)
            waits = holds_placeholder(dict(call.arguments))
            if waits and (free := self._free & waits_for(dict(call.arguments), self.nonce)):
                source, path = min(free)
                return _Later(f"{path} of {source} is free text that will exist only then")
            doubt = next((self._uncertain[step] for step in sorted(call.reads) if step in self._uncertain), None)
            if action.effect.changes:
                if doubt:
                    return _Later(doubt)
                return await self._prepare(call, opened, action, stale, waits, kept)
            if not kept:
                return _Later("a read is not looked at before it is needed")
            if waits and not self._covered(opened, action, call.arguments):
                return _Later("it reads by a value that exists only once the writes before it have run")
            output = plain(await opened.read(action, call.arguments))
            return _Output(output, doubt or (f"{stale[0]} may answer differently then" if stale else None))
        except BanksmanError as error:
            return error
        finally:
            _stale.reset(token)

    async def _prepare(
        self, call: Ready, opened: OpenConnection, action: Action[Any, Any], stale: list[str], waits: bool, kept: bool
    ) -> Any:
        try:
            with preparing(CallContext(self.key(call.id), self.nonce, call=call.id, kept=kept)):
                change = await opened.prepare(action, call.arguments)
        except BanksmanError as error:
            # What a body cannot do with a placeholder, it may well do with the value.
            return _Later(f"it cannot be prepared before the value is known: {error.message}") if waits else error
        if stale:
            return _Later(f"{stale[0]} may answer differently once the writes before it have run")
        environment = opened.connection.environment.value
        item = item_of(call, action, change, nonce=self.nonce, environment=environment)
        # A placeholder stands for what the service asserts. What anybody may have written has to be seen first.
        made = {path for source, path in waits_for(item.result, self.nonce) if source == call.id}
        self._free |= {(call.id, path) for path in made if not is_closed(action.output_schema, path)}
        return item

    def _covered(self, opened: OpenConnection, action: Action[Any, Any], arguments: Mapping[str, Any]) -> bool:
        if not action.entity or not action.key:
            return False
        named = {name: arguments.get(name) for name in action.key}
        return self.overlay.writer_of(opened.name, action.entity, named) is not None

    async def _take(self, call: Ready, result: Any) -> None:
        if isinstance(result, Item):
            await self._lay(call, result)
        elif isinstance(result, _Output):
            if result.doubt:
                self._uncertain[call.step] = result.doubt
            if call.reads & (self._pending_steps | self._after_write):
                self._after_write.add(call.step)
            elif not result.doubt:
                self.reads[call.id] = result.output
            if holds_placeholder(result.output):
                self._pending_steps.add(call.step)
            self._machine.succeed(call.id, result.output)
        elif isinstance(result, _Later):
            self._machine.defer(call.id, result.reason)
        else:
            self.kinds[call.id] = type(result).__name__
            self._machine.fail(call.id, str(result))

    async def _lay(self, call: Ready, item: Item) -> None:
        before = self.overlay.writer_of(item.connection, item.entity, item.key) if item.before is not None else None
        if before is not None and before not in self.known:
            if before in self._wave_writers(call):
                # Another call of this wave changed the same record: look again, now that it shows.
                again = await self._look(call)
                if not isinstance(again, Item):
                    await self._take(call, again)
                    return
                item = again
            item = replace(item, follows=(before,))
        rehearsed = self._last_rehearsed.get(item.connection)
        if await self._in_order(call):
            item = replace(item, follows=(rehearsed,)) if rehearsed else item
            self._last_rehearsed[item.connection] = item.call
        self.items[call.id] = item
        self.alternatives.pop(call.id, None)
        self._pending_steps.add(call.step)
        created = item.before is None
        full = {**_fields(item.result), **_fields(item.after)} if created else item.after
        after = None if item.after is None else full
        self.overlay.put(item.connection, item.entity, Pending(call.id, item.key, after, created), item.touches)
        self._machine.succeed(call.id, item.result)

    def _wave_writers(self, call: Ready) -> set[str]:
        return {other for other, item in self.items.items() if item.step == call.step or other not in call.reads}

    async def _consider_alternatives(self, call: Ready) -> None:
        """Look at the other ways too: the run may need them, and may only do what was shown.

        Before the call itself is looked at, since they come to pass only where it does not.
        """
        if call.way:
            return
        for way in range(1, len(self.plan.steps[call.step].ways)):
            try:
                other = self._machine.other_way(call, way)
            except BadReference:
                continue  # it will fail as well if it is ever needed
            await self._rehearse(other.connection)
            result = await self._look(other, kept=False)
            if isinstance(result, Item):
                self.alternatives[other.id] = result

    def _undecided(self, names: frozenset[str], template: Any, scope: Any) -> str | None:
        for name in sorted(names):
            if name in self._uncertain:
                return self._uncertain[name]
        pending = sorted(names & self._pending_steps)
        if not pending:
            return None
        reason = f"it depends on values that exist only once {', '.join(pending)} has run"
        if template is None:
            return reason
        # Put very different values where nothing is known yet: what comes out the same does not depend on them.
        try:
            plainly = resolve(template, scope)
            for stand_in in (None, -1, "\uffff"):
                varied = _Varied(scope, frozenset(pending), self.nonce, stand_in)
                if not same(settle(plainly, self.nonce, lambda _: stand_in), resolve(template, varied)):  # type: ignore[arg-type]  # noqa: B023
                    return reason
        except BadReference:
            return reason
        return None

    async def _read(
        self,
        opened: OpenConnection,
        action: Action[Any, Any],
        arguments: Mapping[str, Any],
        proceed: Callable[[], Awaitable[Any]],
    ) -> Any:
        return await self.overlay.read(opened, action, arguments, proceed)


@dataclass(frozen=True, slots=True)
class _Output:
    output: Plain
    doubt: str | None


@dataclass(frozen=True, slots=True)
class _Later:
    reason: str


class _Varied:
    """A scope in which placeholders are other values."""

    def __init__(self, scope: Any, names: frozenset[str], nonce: str, stand_in: Plain) -> None:
        self._scope = scope
        self._names = names
        self._nonce = nonce
        self._stand_in = stand_in

    def get(self, name: str) -> Plain:
        value = self._scope.get(name)
        return settle(value, self._nonce, lambda _: self._stand_in) if name in self._names else value


def _fields(value: Plain) -> Mapping[str, Plain]:
    return value if isinstance(value, Mapping) else {}
