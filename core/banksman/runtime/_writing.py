"""One approved write: looked at again, intended, sent, and known for certain or handed to a person."""

from __future__ import annotations

import asyncio
import time
from collections import ChainMap
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from banksman import _gate
from banksman._action import Action
from banksman._canonical import Plain, plain
from banksman._change import ABSENT, UNSURE, CallContext, Change, NativeKey, Sent, Unknowable, preparing
from banksman._connector import OpenConnection
from banksman._record import settle
from banksman.errors import BanksmanError, CallError, OutcomeUnknown, RateLimited, Stopped, Unavailable
from banksman.guard import moment
from banksman.plan import Ready
from banksman.preview import ABSENT_FIELD, Item, differences, hold_against, item_of, resolver
from banksman.runtime._clock import passed, reading
from banksman.runtime._state import CallState

if TYPE_CHECKING:
    from banksman.runtime._execution import Execution

#: How often a write is sent anew after an answer that says that nothing happened and that it may work later.
ATTEMPTS = 4
#: How long to go on asking a system that does not answer what became of a write, beyond its settle time: seconds.
PATIENCE = 60.0


class Parked(Exception):
    """The call needs another preview; the text says why."""


class Stopping(Exception):
    """The process is shutting down; the run goes on from its ledger in the next one."""


class Superseded(Stopping):
    """Another process has taken this run over, so this one must not send anything for it any more."""


class Writing:
    """Carries out one write of a run."""

    def __init__(
        self,
        execution: Execution,
        nonce: str,
        call: Ready,
        item: Item | None,
        opened: OpenConnection,
        action: Action[Any, Any],
    ) -> None:
        self.execution = execution
        self.nonce = nonce
        self.call = call
        self.item = item
        self.opened = opened
        self.action = action
        self.key = f"{execution.state.id}.{call.id}"

    @property
    def _state(self) -> CallState | None:
        return self.execution.state.calls.get(self.call.id)

    async def run(self) -> Plain:
        """The output of the write.

        Raises:
            CallError: it failed, and nothing happened.
            Drifted: the record is not what was approved; nothing was sent.
            OutcomeUnknown: a person has to find out.
            Stopping: the process ends; another one goes on.
        """
        tries = 0
        while True:
            state = self._state
            if state is not None and state.status == "handed_over":
                raise OutcomeUnknown(f"{self.call.id}: {state.error}", hint=_decide(self.execution.state.id))
            if state is not None and state.is_open:
                found, output = await self.reconcile()
                if found:
                    return output
            if tries >= ATTEMPTS:
                await self._record("call.failed", error=_GAVE_UP, kind="Unavailable")
                raise Unavailable(_GAVE_UP)
            tries += 1
            try:
                return await self._attempt()
            except OutcomeUnknown:
                continue
            except CallError as error:
                if not error.transient or tries >= ATTEMPTS:
                    await self._record("call.failed", error=told(error), kind=type(error).__name__)
                    raise
                await self._record("call.failed", error=told(error), kind=type(error).__name__, again=True)
                await self._rest(_pause(error, tries))

    async def _record(self, kind: str, /, **body: Plain) -> None:
        await self.execution.record(kind, self.call.id, **body)

    async def _prepare(self) -> Change[Any]:
        with preparing(CallContext(self.key, self.nonce, call=self.call.id)):
            return await self.opened.prepare(self.action, self.call.arguments)

    def _fresh_item(self, change: Change[Any]) -> Item:
        environment = self.opened.connection.environment.value
        return item_of(self.call, self.action, change, nonce=self.nonce, environment=environment)

    async def _attempt(self) -> Plain:
        """Look again, record the intent, send, record the outcome."""
        try:
            change = await self._prepare()
        except OutcomeUnknown as error:
            # A look that fails sends nothing, whatever the error.
            raise BanksmanError(f"{self.call.id} could not be prepared: {error.message}") from None
        fresh = self._fresh_item(change)
        if self.item is None:
            raise BanksmanError(f"{self.call.id} is not part of the approved preview")
        hold_against(self.item, fresh, self.nonce, self.execution.state.known)
        return await self._send(change, fresh)

    async def _send(self, change: Change[Any], fresh: Item, *, repeated: bool = False) -> Plain:
        shown = {("record" if name == "key" else name): getattr(fresh, name) for name in _INTENT}
        shown["effect"] = fresh.effect.value
        runner = self.execution.runner
        await self._record("call.intended", key=self.key, nonce=self.nonce, runner=runner, **shown)
        try:
            with _gate.sending(request.fingerprint for request in change.requests):
                output = plain(await self.opened.send(self.action, change))
        except OutcomeUnknown as error:
            await self._record("call.unknown", error=told(error), **reading())
            raise
        except CallError:
            raise
        except Stopped as error:
            if repeated or len(change.requests) > 1:
                raise await self._broke(error) from error
            # The seam looked once more and did not send: nothing happened, and there is nothing to reconcile.
            await self._record("call.failed", error=told(error), kind=type(error).__name__, again=True)
            raise
        except Exception as error:
            # Whatever broke, and wherever: the request may have left.
            raise await self._broke(error) from error
        await self._confirm(output, fresh.result, self.nonce)
        return output

    async def _broke(self, error: Exception) -> OutcomeUnknown:
        what = broke(self.call.action, error)
        await self._record("call.unknown", error=what, **reading())
        return OutcomeUnknown(what)

    async def _confirm(self, output: Plain, result: Plain, nonce: str) -> None:
        own = ChainMap({self.call.id: output}, self.execution.state.known)
        predicted = settle(dict(result) if isinstance(result, Mapping) else {}, nonce, resolver(nonce, own))
        differs: list[Plain] = []
        if isinstance(output, Mapping):
            shared = {name: value for name, value in predicted.items() if name in output}
            found = differences(shared, {name: output[name] for name in shared})
            # Inside a field too, only what was shown can differ.
            differs = [
                [p, was, None if now is ABSENT_FIELD else now] for p, was, now in found if was is not ABSENT_FIELD
            ]
        try:
            if callable(self.action.reconcile):
                self.execution.record_soon("call.confirmed", self.call.id, output=output, differs=plain(differs))
            else:
                # If a crash took this away, a person would have to find out.
                await self._record("call.confirmed", output=output, differs=plain(differs))
        except (TypeError, ValueError) as error:
            await self._hand_over(f"it happened, but its output cannot be recorded: {told(error)}")

    # What became of it

    async def reconcile(self) -> tuple[bool, Plain]:
        """Whether an unknown write happened, with its output; returns only once that is certain.

        Raises:
            OutcomeUnknown: it cannot be found out; the call is handed to a person.
            Stopping: the process ends before it is certain.
        """
        state = self._state
        assert state is not None
        how = self.action.reconcile
        if isinstance(how, NativeKey):
            return await self._repeat(how, moment(state.first))
        if how is None or isinstance(how, Unknowable):
            return await self._hand_over(how.why if how else "no reconcile is declared")
        intent = state.intent
        sent = Sent[Any](
            arguments=intent["arguments"],
            before=intent["before"],
            after=settle(intent["after"], intent["nonce"], lambda _: None),
            requests=tuple(intent["requests"]),
            key=self.key,
            since=moment(state.since),
        )
        left = self._unsettled(state)
        wait = 0.1
        while True:
            looked = time.monotonic()
            found: Any = None
            why = ""
            try:
                with preparing(CallContext(self.key, self.nonce, call=self.call.id)):
                    found = await self.opened.reconcile(self.action, sent)
            except CallError as error:
                why = told(error)
            settled = looked >= left
            if found is ABSENT and settled:
                await self._record("call.absent")
                return False, None
            if found is UNSURE and settled:
                return await self._hand_over("the system's records do not tell whether it happened")
            if why and looked > left + PATIENCE:
                return await self._hand_over(f"the system does not say what became of it: {why}")
            if not why and found is not ABSENT and found is not UNSURE:
                output = plain(found)
                await self._confirm(output, intent["result"], intent["nonce"])
                return True, output
            # Not found does not mean that it will not arrive: a request in flight may still take effect.
            await self._rest(wait if settled else min(wait, left - looked + 0.01))
            wait = min(wait * 2, 5.0)

    def _unsettled(self, state: CallState) -> float:
        """When, on the monotonic clock, the system has done with what left this side before it fell quiet.

        Not the time of the intent counts: a request can wait for its turn long after it, and leave at the last moment
        of its process.
        """
        return time.monotonic() + max(0.0, self.opened.settle - passed(state.quiet))

    async def _rest(self, seconds: float) -> None:
        """Wait, but not beyond the end of the process."""
        stopping = self.execution.around.stopping
        try:
            await asyncio.wait_for(stopping.wait(), seconds)
        except TimeoutError:
            return
        raise Stopping

    async def _repeat(self, how: NativeKey, first: datetime) -> tuple[bool, Plain]:
        """The system deduplicates: the same request under the same key is either the first or no second one."""
        until = time.monotonic() + PATIENCE
        tries = 0
        while True:
            if (_now() - first).total_seconds() > how.remembers:
                return await self._hand_over(f"the system forgets idempotency keys after {how.remembers:.0f} s")
            tries += 1
            state = self._state
            assert state is not None
            try:
                change = await self._prepare()
                fresh = self._fresh_item(change)
                if not differences(plain(state.intent["requests"]), plain(list(fresh.requests))):
                    return True, await self._send(change, fresh, repeated=True)
            except CallError as error:
                if state.status == "handed_over":
                    raise
                # A refused repetition says nothing of the attempt before it.
                again = error.transient or isinstance(error, OutcomeUnknown)
                if not again or time.monotonic() > until:
                    return await self._hand_over(f"it was sent again, and that did not tell: {told(error)}")
                await self._rest(_pause(error, tries))
            else:
                return await self._hand_over("the same request cannot be built again")

    async def _hand_over(self, why: str) -> tuple[bool, Plain]:
        await self._record("call.handed_over", why=why)
        raise OutcomeUnknown(f"{self.call.id}: {why}", hint=_decide(self.execution.state.id))


_GAVE_UP = f"it was sent {ATTEMPTS} times without an answer, and each time it is known that nothing happened"
_INTENT = (
    "action",
    "connection",
    "entity",
    "key",
    "arguments",
    "before",
    "after",
    "requests",
    "result",
    "undo",
)


def _decide(run: str) -> str:
    return f"Look in the system, then `banksman runs settle {run} CALL --happened` or `--did-not-happen`."


def told(error: Exception) -> str:
    """The text of an error in a form that can be recorded, whatever bytes a system put into it."""
    return str(error).encode("utf-8", "replace").decode("utf-8")


def broke(what: str, error: Exception) -> str:
    """How to say that code is at fault. An unforeseen error can say anything, so it passes the scrub first."""
    from banksman.http.scrub import scrub

    return f"{what} broke: {type(error).__name__}: {scrub(told(error))}"


def _pause(error: CallError, tries: int) -> float:
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return min(error.retry_after, 60.0)
    return min(0.2 * 2.0**tries, 10.0)


def _now() -> datetime:
    return datetime.now(timezone.utc)
