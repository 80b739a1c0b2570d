"""One approved write: looked at again, intended, sent, and known for certain or handed to a person."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from banksman import _gate
from banksman._action import Action
from banksman._canonical import Plain, plain
from banksman._change import ABSENT, UNSURE, CallContext, Change, NativeKey, Sent, Unknowable, preparing
from banksman._connector import OpenConnection
from banksman._record import settle
from banksman.errors import BanksmanError, CallError, OutcomeUnknown, RateLimited, Stopped
from banksman.guard import moment
from banksman.plan import Ready
from banksman.preview import Item, differences, hold_against, item_of, resolver

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
    def _state(self) -> Any:
        return self.execution.state.calls.get(self.call.id)

    async def run(self) -> Plain:
        """The output of the write.

        Raises:
            CallError: it failed, and nothing happened.
            Drifted: the record is not what was approved; nothing was sent.
            OutcomeUnknown: a person has to find out.
        """
        if self._state is not None and self._state.status == "handed_over":
            raise OutcomeUnknown(f"{self.call.id}: {self._state.error}", hint=_decide(self.execution.state.id))
        if self._state is not None and self._state.status in ("intended", "unknown"):
            found, output = await self.reconcile()
            if found:
                return output
        tries = 0
        while True:
            tries += 1
            try:
                return await self._attempt()
            except OutcomeUnknown:
                found, output = await self.reconcile()
                if found:
                    return output
            except CallError as error:
                if not error.transient or tries >= ATTEMPTS:
                    await self._record("call.failed", error=str(error))
                    raise
                await self._record("call.failed", error=str(error), again=True)
                await asyncio.sleep(_pause(error, tries))

    async def _record(self, kind: str, **body: Plain) -> None:
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
        except CallError as error:
            # A look that fails sends nothing, whatever the error.
            if isinstance(error, OutcomeUnknown):
                raise BanksmanError(f"{self.call.id} could not be prepared: {error.message}") from None
            raise
        fresh = self._fresh_item(change)
        if self.item is None:
            raise BanksmanError(f"{self.call.id} is not part of the approved preview")
        hold_against(self.item, fresh, self.nonce, self.execution.state.known())
        return await self._send(change, fresh)

    async def _send(self, change: Change[Any], fresh: Item) -> Plain:
        shown = {("record" if name == "key" else name): plain(getattr(fresh, name)) for name in _INTENT}
        await self._record("call.intended", key=self.key, nonce=self.nonce, **shown)
        try:
            with _gate.sending(request.fingerprint for request in change.requests):
                output = plain(await self.opened.send(self.action, change))
        except OutcomeUnknown as error:
            await self._record("call.unknown", error=str(error))
            raise
        except Stopped as error:
            # The seam looked once more and did not send: nothing happened, and there is nothing to reconcile.
            await self._record("call.failed", error=str(error), again=True)
            raise
        await self._confirm(output, fresh.after)
        return output

    async def _confirm(self, output: Plain, after: Mapping[str, Plain] | None) -> None:
        own = {**self.execution.state.known(), self.call.id: output}
        predicted = settle(dict(after or {}), self.nonce, resolver(self.nonce, own))
        differs = []
        if isinstance(output, Mapping):
            shared = {name: value for name, value in predicted.items() if name in output}
            differs = [list(one) for one in differences(shared, {name: output[name] for name in shared})]
        await self._record("call.confirmed", output=output, differs=plain(differs))

    # What became of it

    async def reconcile(self) -> tuple[bool, Plain]:
        """Whether an unknown write happened, with its output; returns only once that is certain.

        Raises:
            OutcomeUnknown: it cannot be found out; the call is handed to a person.
        """
        state = self._state
        how = self.action.reconcile
        since = moment(state.since)
        if isinstance(how, NativeKey):
            return await self._resend(how, since)
        if how is None or isinstance(how, Unknowable):
            return await self._hand_over(how.why if how else "no reconcile is declared")
        intent = state.intent
        sent = Sent[Any](
            arguments=intent["arguments"],
            before=intent["before"],
            after=settle(intent["after"], intent["nonce"], lambda _: None),
            requests=tuple(intent["requests"]),
            key=self.key,
            since=since,
        )
        settled = since + timedelta(seconds=self.opened.settle)
        wait = 0.1
        while True:
            looked = _now()
            try:
                with preparing(CallContext(self.key, self.nonce)):
                    found = await self.opened.reconcile(self.action, sent)
            except CallError as error:
                if looked > settled + timedelta(seconds=PATIENCE):
                    return await self._hand_over(f"the system does not say what became of it: {error}")
                found = None
            if found is ABSENT and looked >= settled:
                await self._record("call.absent")
                return False, None
            if found is UNSURE and looked >= settled:
                return await self._hand_over("the system's records do not tell whether it happened")
            if found is not None and found is not ABSENT and found is not UNSURE:
                output = plain(found)
                await self._confirm(output, intent["after"])
                return True, output
            # Not found does not mean that it will not arrive: a request in flight may still take effect.
            await self._rest(min(wait, max(0.05, (settled - looked).total_seconds() + 0.01)))
            wait = min(wait * 2, 5.0)

    async def _rest(self, seconds: float) -> None:
        if self.execution.around.stopping.is_set():
            raise Stopping
        await asyncio.sleep(seconds)

    async def _resend(self, how: NativeKey, since: datetime) -> tuple[bool, Plain]:
        """The system deduplicates: the same request under the same key is either the first or no second one."""
        if (_now() - since).total_seconds() > how.remembers:
            return await self._hand_over(f"the system forgets idempotency keys after {how.remembers:.0f} s")
        change = await self._prepare()
        fresh = self._fresh_item(change)
        if differences(plain(self._state.intent["requests"]), plain(list(fresh.requests))):
            return await self._hand_over("the same request cannot be built again")
        return True, await self._send(change, fresh)

    async def _hand_over(self, why: str) -> tuple[bool, Plain]:
        await self._record("call.handed_over", why=why)
        raise OutcomeUnknown(f"{self.call.id}: {why}", hint=_decide(self.execution.state.id))


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
    "effect",
    "undo",
)


def _decide(run: str) -> str:
    return f"Look in the system, then `banksman runs settle {run} CALL --happened` or `--did-not-happen`."


def _pause(error: CallError, tries: int) -> float:
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return min(error.retry_after, 60.0)
    return min(0.2 * 2.0**tries, 10.0)


def _now() -> datetime:
    return datetime.now(timezone.utc)
