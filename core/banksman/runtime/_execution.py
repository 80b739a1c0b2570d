"""Carries out one run: preview, wait for the yes, run every ready step, record each effect before and after.

Nothing is remembered here that the ledger does not hold: after a crash the same code starts from the fold.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from banksman._canonical import Plain, plain
from banksman._connector import Connection
from banksman.errors import BanksmanError, Drifted, NotApproved, OutcomeUnknown, StorageError
from banksman.guard import VERSION, expiry, moment, require_approval
from banksman.ledger import Draft, Entry, Ledger
from banksman.plan import Interpreter, Ready, Runbook, build, resolve, unmet
from banksman.preview import Connect, Look, Preview, hold_against
from banksman.runtime._state import RunState, fold
from banksman.runtime._writing import Parked, Stopping, Writing

#: A preview that is older than this when the stage begins is made again first: seconds.
STALE_AFTER = 10.0

Progress = Callable[[RunState, Entry], None]


@dataclass
class Surroundings:
    """What every run of a process shares."""

    ledger: Ledger
    connect: Connect
    connections: Mapping[str, Connection]
    versions: Mapping[str, str] = field(default_factory=dict)
    progress: Progress | None = None
    #: How many calls of one run may be under way at once.
    width: int = 64
    #: Set when the process is asked to stop: calls under way end, no new one starts.
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    #: Gives a future that is done when the ledger changes; None: do not wait for approvals.
    news: Callable[[], asyncio.Future[None]] | None = None


class Execution:
    """One run in this process."""

    def __init__(self, around: Surroundings, run: str) -> None:
        self.around = around
        self.state = fold(run, around.ledger.entries(run))
        self._plan: tuple[Any, Runbook] | None = None
        self._reads: Mapping[str, Plain] = {}

    # The ledger

    async def record(self, kind: str, call: str = "", **body: Plain) -> None:
        """Append one entry and take it into account."""
        await self.record_all([Draft(self.state.id, kind, call, body)])

    async def record_all(self, drafts: list[Draft]) -> None:
        """Append entries in one commit and take them into account."""
        for entry in await self.around.ledger.append(*drafts):
            self._applied(entry)

    def _applied(self, entry: Entry) -> None:
        if entry.number > self.state.last + 1:
            self.catch_up()
        if entry.number == self.state.last + 1:
            self.state.apply(entry)
        if self.around.progress is not None:
            self.around.progress(self.state, entry)

    def catch_up(self) -> None:
        """Take into account what another process has recorded, such as an approval."""
        for entry in self.around.ledger.entries(self.state.id, after=self.state.last):
            self.state.apply(entry)

    # The run

    @property
    def plan(self) -> Runbook:
        """The plan as it is now; a replan puts another in its place."""
        if self._plan is None or self._plan[0] is not self.state.plan:
            self._plan = (self.state.plan, build(self.state.plan, source=self.state.name))
        return self._plan[1]

    async def proceed(self) -> RunState:
        """Go on until the run is over, or somebody has to decide something.

        Raises:
            Stopping: the process shuts down.
            StorageError: the ledger cannot be written; nothing was sent that is not recorded.
        """
        while not self.state.is_over and self.state.status != "paused":
            if self.state.status in ("new", "running") and (
                self.state.preview is None or self.state.preview.digest in self.state.used
            ):
                if self.state.preview is None or not await self._finish_stage(self.state.preview):
                    await self._preview()
            elif not await self._approved():
                return self.state
            else:
                await self._begin()
        return self.state

    async def look(self, stage: int, nonce: str, expires: str) -> Preview:
        """Look at all that is still to be done, and send nothing."""
        state = self.state
        plan = self.plan
        look = Look(
            plan=plan,
            inputs=state.inputs,
            facts=state.facts,
            nonce=nonce,
            connect=self.around.connect,
            key=lambda call: f"{state.id}.{call}",
            known=state.known(),
            failed=state.failed(),
            positional=frozenset(state.positional),
        )
        machine = await look.run()
        return Preview(
            run=state.id,
            nonce=nonce,
            stage=stage,
            requester=state.requester,
            expires=expires,
            versions={**self.around.versions, "rules": VERSION},
            plan=state.plan,
            inputs=state.inputs,
            items=look.items,
            alternatives=look.alternatives,
            reads=look.reads,
            rounds={step: tuple(keys) for step, keys in look.rounds.items()},
            deferred=dict(machine.deferred),
            failures={call: reason for call, reason in machine.failures.items() if call not in state.failed()},
            failed=tuple(name for name in plan.steps if machine.state_of(name) == "failed"),
            warnings=_warnings(plan, machine, nonce),
        )

    async def _preview(self) -> None:
        await self._settle_unknown()
        if self.state.status == "paused":
            return
        preview = await self.look(self.state.stage + 1, secrets.token_hex(8), expiry())
        if preview.failed:
            reasons = "; ".join(preview.failures.get(call, call) for call in preview.failures)
            await self.record("run.paused", why=f"it cannot be previewed: {reasons}", preview=preview.document())
            return
        self._reads = preview.reads
        await self.record("run.previewed", preview=preview.document(), digest=preview.digest)

    async def _settle_unknown(self) -> None:
        """Find out what became of the writes that a crash left open, before anything new is planned on them."""
        for open_call in self.state.of_status("intended", "unknown"):
            intent = open_call.intent
            step = open_call.id.partition("[")[0].partition("~")[0]
            call = Ready(
                open_call.id, step, "", 0, intent["action"], intent["connection"], intent["arguments"], frozenset()
            )
            opened = await self.around.connect(call.connection)
            writing = Writing(self, intent["nonce"], call, None, opened, await opened.action(call.action))
            try:
                await writing.reconcile()
            except OutcomeUnknown as error:
                await self.record("run.paused", why=str(error))

    async def _approved(self) -> bool:
        """Wait for an approval; nothing to change needs none. False where somebody said no."""
        preview = self.state.preview
        assert preview is not None
        while not preview.is_empty:
            news = self.around.news() if self.around.news is not None else None
            self.catch_up()
            if preview.digest in self.state.denials:
                why = self.state.denials[preview.digest]
                await self.record("run.ended", status="cancelled", why=f"not approved{': ' + why if why else ''}")
                return False
            try:
                require_approval(preview, self.state.approvals, frozenset(self.state.used), _now())
                return True
            except NotApproved as missing:
                if _now() >= moment(preview.expires):
                    await self.record("run.paused", why=missing.message)
                    return False
            if news is None:
                return False
            await self._wait(news)
        return True

    async def _wait(self, news: asyncio.Future[None]) -> None:
        stop: asyncio.Future[Any] = asyncio.ensure_future(self.around.stopping.wait())
        try:
            # A preview expires without anybody writing to the ledger.
            await asyncio.wait([news, stop], timeout=60, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
            stop.cancel()
        if self.around.stopping.is_set():
            raise Stopping

    async def _begin(self) -> None:
        """Use the approval up, once the world is still what the preview showed."""
        preview = self.state.preview
        assert preview is not None
        age = (_now() - moment(self.state.previewed_at)).total_seconds()
        if not preview.is_empty and (age > STALE_AFTER or not self._reads):
            again = await self.look(preview.stage, preview.nonce, preview.expires)
            if drift := _drift(preview, again):
                await self.record("run.paused", why=f"drifted: {drift}")
                return
            self._reads = again.reads
        await self.record("stage.begun", digest=preview.digest)

    async def _finish_stage(self, preview: Preview) -> bool:
        """Run what this preview allows. True where the run went as far as it can; False: look again."""
        stage = _Stage(self, preview, self._reads)
        await stage.run()
        if stage.stopped:
            raise Stopping
        if stage.pause:
            await self.record("run.paused", why=stage.pause)
        elif stage.parked and not stage.failures:
            return False
        else:
            await self._end(stage.machine)
        return True

    async def _end(self, machine: Interpreter) -> None:
        failed = {name for name in self.plan.steps if machine.state_of(name) in ("failed", "blocked")}
        if failed:
            reasons = "; ".join(f"{call}: {reason}" for call, reason in machine.failures.items())
            await self.record("run.ended", status="failed", why=reasons, unmet=[], outputs=None)
            return
        plan = self.plan
        broken = unmet(plan, machine.scope())
        outputs = {name: resolve(value, machine.scope()) for name, value in plan.outputs.items()}
        status = "failed" if broken else "done"
        why = f"not as ensured: {'; '.join(broken)}" if broken else ""
        await self.record("run.ended", status=status, outputs=outputs, unmet=broken, why=why)


class _Stage:
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
        self._held: dict[str, tuple[Ready, tuple[str, ...]]] = {}
        self._done: asyncio.Queue[tuple[Ready, Any]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._limit = asyncio.Semaphore(self.around.width)
        self._ended: set[str] = set()

    async def run(self) -> None:
        """Until nothing is ready or under way."""
        try:
            while True:
                calls = self.machine.take()
                if not calls and not self._tasks and not self._held:
                    return
                await self._record_pinned(calls)
                for call in calls:
                    self._start(call)
                self._release()
                if self._tasks:
                    call, outcome = await self._done.get()
                    self._take(call, outcome)
                    while not self._done.empty():
                        self._take(*self._done.get_nowait())
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

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
            self._ended.add(call.id)
            self.machine.succeed(call.id, state.output)
        elif state is not None and state.status == "failed":
            self._failed(call, state.error)
        elif self.pause or self.around.stopping.is_set():
            self._drop(call, stopped=not self.pause)
        else:
            item = self.preview.items.get(call.id)
            before = tuple(other for other in item.follows if other not in self._ended) if item else ()
            if before:
                self._held[call.id] = (call, before)
            else:
                self._launch(call)

    def _launch(self, call: Ready) -> None:
        task = asyncio.create_task(self._work(call), name=call.id)
        self._tasks.add(task)

    def _release(self) -> None:
        """Start the calls whose predecessors on the same record have ended, or will not come any more."""
        nothing_else = not self._tasks
        for name, (call, before) in list(self._held.items()):
            if nothing_else or all(other in self._ended for other in before):
                del self._held[name]
                self._launch(call)
                nothing_else = False

    def _drop(self, call: Ready, *, stopped: bool) -> None:
        self.stopped = self.stopped or stopped
        self._ended.add(call.id)
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
            outcome = await self._failure(call, BanksmanError(f"{call.action} broke: {type(error).__name__}: {error}"))
        self._tasks.discard(asyncio.current_task())
        self._done.put_nowait((call, outcome))

    async def _failure(self, call: Ready, error: BanksmanError) -> BanksmanError:
        """Record a failure before another way is tried: after a crash, both must not be."""
        state = self.execution.state.calls.get(call.id)
        if state is None or state.status != "failed":
            try:
                await self.execution.record("call.failed", call.id, error=str(error))
            except StorageError as full:
                return full
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
        self._ended.add(call.id)
        if isinstance(outcome, _Output):
            self.machine.succeed(call.id, outcome.value)
        elif isinstance(outcome, Parked):
            self.parked.append(call.id)
            self._drop(call, stopped=False)
        elif isinstance(outcome, Stopping):
            self._drop(call, stopped=not self.pause)
        elif isinstance(outcome, StorageError):
            raise outcome
        elif isinstance(outcome, Drifted | NotApproved | OutcomeUnknown):
            kind = "unknown" if isinstance(outcome, OutcomeUnknown) else "drifted"
            self.pause = self.pause or f"{kind}: {outcome}"
            self._drop(call, stopped=False)
        else:
            self._failed(call, str(outcome))

    def _failed(self, call: Ready, reason: str) -> None:
        self._ended.add(call.id)
        self.failures[call.id] = reason
        self.machine.fail(call.id, reason)


@dataclass(frozen=True, slots=True)
class _Output:
    value: Plain


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _warnings(plan: Runbook, machine: Interpreter, nonce: str) -> tuple[str, ...]:
    if machine.deferred or not plan.ensures or any(machine.state_of(name) == "failed" for name in plan.steps):
        return ()
    return tuple(f"as it looks now, this will not hold afterwards: {text}" for text in unmet(plan, machine.scope()))


def _drift(shown: Preview, now: Preview) -> str | None:
    """What is different between two looks at the same stage; None where nothing is."""
    for call, item in {**shown.items, **shown.alternatives}.items():
        fresh = now.items.get(call) or now.alternatives.get(call)
        if fresh is None:
            if call in shown.alternatives:
                continue
            reason = now.failures.get(call) or now.deferred.get(item.step) or "its turn does not come any more"
            return f"{call} would not be done now: {reason}"
        try:
            hold_against(item, fresh, shown.nonce, {})
        except Drifted as drifted:
            return str(drifted)
    added = [call for call in now.items if call not in shown.items]
    return f"{', '.join(added)} would be added" if added else None
