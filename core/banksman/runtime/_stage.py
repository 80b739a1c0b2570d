"""The calls of one approved preview: each as soon as what it needs is there, each recorded before and after."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from banksman._canonical import Plain, plain
from banksman.errors import BanksmanError, Drifted, NotApproved, OutcomeUnknown, StorageError
from banksman.ledger import Draft
from banksman.plan import Interpreter, Ready
from banksman.preview import Preview
from banksman.runtime._writing import Parked, Stopping, Writing, broke, told

if TYPE_CHECKING:
    from banksman.runtime._execution import Execution


class Stage:
    """The calls of one approved preview."""

    def __init__(self, execution: Execution, preview: Preview, reads: Mapping[str, Plain]) -> None:
        self.execution = execution
        self.around = execution.around
        self.preview = preview
        self.reads = reads
        state = execution.state
        self.machine = Interpreter(execution.plan, state.inputs, state.facts, positional=frozenset(state.positional))
        self.parked: list[str] = []
        self.failures: dict[str, str] = {}
        self.pause = ""
        self.stopped = False
        self._done: asyncio.Queue[tuple[Ready, Any]] = asyncio.Queue()
        #: Calls under way; one leaves when its outcome has been taken.
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._limit = asyncio.Semaphore(self.around.width)
        self._ended: set[str] = set()
        #: Calls that wait for others on the same record, each with those that have not ended; and the other way round.
        self._held: dict[str, tuple[Ready, set[str]]] = {}
        self._followers: dict[str, list[str]] = {}
        self._free: deque[Ready] = deque()

    async def run(self) -> None:
        """Until nothing is ready or under way."""
        try:
            while True:
                while calls := self.machine.take():
                    await self._record_pinned(calls)
                    for call in calls:
                        self._start(call)
                self._release()
                if not self._tasks:
                    return
                self._take(*await self._done.get())
                while not self._done.empty():
                    self._take(*self._done.get_nowait())
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _record_pinned(self, calls: list[Ready]) -> None:
        """Reads whose outputs the preview has just fetched are taken over, all in one commit."""
        state = self.execution.state
        pinned = [call for call in calls if call.id in self.reads and call.id not in state.calls]
        if pinned:
            drafts = [Draft(state.id, "call.read", call.id, {"output": self.reads[call.id]}) for call in pinned]
            await self.execution.record_all(drafts)

    def _start(self, call: Ready) -> None:
        state = self.execution.state.calls.get(call.id)
        if state is not None and state.status in ("read", "confirmed"):
            self._end(call)
            self.machine.succeed(call.id, state.output)
        elif state is not None and state.status == "failed":
            self._failed(call, state.error)
        elif self.pause or self.around.stopping.is_set():
            self._drop(call, stopped=not self.pause)
        else:
            item = self.preview.items.get(call.id)
            before = {other for other in item.follows if other not in self._ended} if item else set()
            if before:
                self._held[call.id] = (call, before)
                for other in before:
                    self._followers.setdefault(other, []).append(call.id)
            else:
                self._free.append(call)

    def _end(self, call: Ready) -> None:
        """A call is over, however; those that only waited for it are free."""
        self._ended.add(call.id)
        for name in self._followers.pop(call.id, ()):
            if name in self._held:
                follower, before = self._held[name]
                before.discard(call.id)
                if not before:
                    del self._held[name]
                    self._free.append(follower)

    def _release(self) -> None:
        """Start the calls that are free; if there is none and nothing is under way, one that waits in vain."""
        if not self._free and not self._tasks and self._held:
            self._free.append(self._held.pop(next(iter(self._held)))[0])
        while self._free:
            call = self._free.popleft()
            self._tasks[call.id] = asyncio.create_task(self._work(call), name=call.id)

    def _drop(self, call: Ready, *, stopped: bool) -> None:
        self.stopped = self.stopped or stopped
        self._end(call)
        self.machine.drop(call.id)

    async def _work(self, call: Ready) -> None:
        outcome: Any
        try:
            async with self._limit:
                if self.pause or self.around.stopping.is_set():
                    raise Stopping
                outcome = await self._carry_out(call)
        except (Parked, Stopping, StorageError, Drifted, NotApproved, OutcomeUnknown) as error:
            outcome = error
        except BanksmanError as error:
            outcome = await self._failure(call, error)
        except Exception as error:
            # A fault in a connector's code must not look like an answer of its system.
            outcome = await self._failure(call, BanksmanError(broke(call.action, error)))
        self._done.put_nowait((call, outcome))

    async def _failure(self, call: Ready, error: BanksmanError) -> Exception:
        """Record a failure before another way is tried: after a crash, both must not be."""
        state = self.execution.state.calls.get(call.id)
        if state is not None and state.is_open:
            # It may have happened. Only what finds that out may say that it did not.
            return OutcomeUnknown(f"{call.id}: {error}")
        if state is None or state.status != "failed":
            try:
                await self.execution.record("call.failed", call.id, error=told(error), kind=type(error).__name__)
            except Exception as ended:
                return ended
        return error

    async def _carry_out(self, call: Ready) -> Any:
        opened = await self.around.connect(call.connection)
        action = await opened.action(call.action)
        if not action.effect.changes:
            output = plain(await opened.read(action, call.arguments))
            await self.execution.record("call.read", call.id, output=output)
            return _Output(output)
        item = self.preview.items.get(call.id) or self.preview.alternatives.get(call.id)
        if item is None and call.id not in self.execution.state.calls:
            if call.step in self.preview.deferred:
                raise Parked(self.preview.deferred[call.step])
            raise Drifted(f"{call.id}: {call.action}", [("call", "not part of the approved preview", "to be made")])
        writing = Writing(self.execution, self.preview.nonce, call, item, opened, action)
        return _Output(await writing.run())

    def _take(self, call: Ready, outcome: Any) -> None:
        del self._tasks[call.id]
        self._end(call)
        if isinstance(outcome, _Output):
            self.machine.succeed(call.id, outcome.value)
        elif isinstance(outcome, Parked):
            self.parked.append(call.id)
            self._drop(call, stopped=False)
        elif isinstance(outcome, Stopping):
            self._drop(call, stopped=not self.pause)
        elif isinstance(outcome, StorageError) or not isinstance(outcome, BanksmanError):
            raise outcome
        elif isinstance(outcome, Drifted | NotApproved | OutcomeUnknown):
            kind = "unknown" if isinstance(outcome, OutcomeUnknown) else "drifted"
            self.pause = self.pause or f"{kind}: {outcome}"
            self._drop(call, stopped=False)
        else:
            self._failed(call, str(outcome))

    def _failed(self, call: Ready, reason: str) -> None:
        self._end(call)
        self.failures[call.id] = reason
        self.machine.fail(call.id, reason)


@dataclass(frozen=True, slots=True)
class _Output:
    value: Plain
