"""Carries out one run: preview, wait for the yes, run every ready step, record each effect before and after.

Nothing is remembered here that the ledger does not hold: after a crash the same code starts from the fold.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from banksman._canonical import Plain
from banksman._connector import Connection
from banksman.errors import Drifted, NotApproved, OutcomeUnknown, StorageError
from banksman.guard import VERSION, expiry, moment, require_approval
from banksman.ledger import Draft, Entry, Ledger
from banksman.plan import Interpreter, Ready, Runbook, build, resolve, unmet
from banksman.preview import Connect, Look, Preview, hold_against
from banksman.runtime._clock import reading
from banksman.runtime._stage import Stage
from banksman.runtime._state import CallState, RunState, fold
from banksman.runtime._writing import Stopping, Superseded, Writing

log = logging.getLogger("banksman.runtime")

#: A preview that is older than this when the stage begins is made again first: seconds.
STALE_AFTER = 3.0

#: How long an outcome waits for a commit to share: seconds.
SHORTLY = 0.02

Progress = Callable[[RunState, Entry], None]


@dataclass
class Surroundings:
    """What every run of a process shares."""

    ledger: Ledger
    connect: Connect
    connections: Mapping[str, Connection]
    #: Says which code a plan is previewed and run by.
    versions: Callable[[Runbook], Mapping[str, str]] = lambda plan: {}
    progress: Progress | None = None
    #: How many calls of one run may be under way at once.
    width: int = 64
    #: Set when the process is asked to stop: calls under way end, no new one starts.
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    #: Gives a future that is done when there may be news of a run; None: do not wait for approvals.
    news: Callable[..., asyncio.Future[None]] | None = None


class Execution:
    """One run in this process."""

    def __init__(self, around: Surroundings, run: str) -> None:
        self.around = around
        #: Tells this execution of the run from any other one, should its lock have been lost without its knowing.
        self.runner = secrets.token_hex(6)
        self.state = fold(run, around.ledger.entries(run))
        self._superseded = False
        self._later: list[Draft] = []
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Future[None] | None = None
        self._plan: tuple[Any, Runbook] | None = None
        #: What the last look has just read; None where this process has not looked, as after a crash.
        self._reads: Mapping[str, Plain] | None = None

    # The ledger

    async def record(self, kind: str, call: str = "", /, **body: Plain) -> None:
        """Append one entry and take it into account."""
        await self.record_all([Draft(self.state.id, kind, call, body)])

    async def record_all(self, drafts: list[Draft]) -> None:
        """Append entries in one commit and take them into account.

        Raises:
            StorageError: nothing was recorded.
            Superseded: another process carries the run out; whatever was recorded, nothing may be sent.
        """
        if self._superseded:
            raise Superseded
        later, self._later = self._later, []
        try:
            entries = await self.around.ledger.append(*later, *drafts)
        except BaseException:
            self._later = [*later, *self._later]
            raise
        for entry in entries:
            if entry.run == self.state.id:
                self._applied(entry)
        if self._superseded:
            raise Superseded

    def record_soon(self, kind: str, call: str, /, **body: Plain) -> None:
        """Append an entry in the commit of the next one, or shortly: many calls in a row need half the commits.

        For outcomes that a crash may take away, because reconcile finds them again. What builds on one is recorded
        after it, so nothing leaves before it is on record.

        Raises:
            TypeError, ValueError: the body cannot be recorded.
        """
        draft = Draft(self.state.id, kind, call, body).encoded()
        self.state.anticipate(draft)
        self._later.append(draft)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SHORTLY, self._start_flush)

    def _start_flush(self) -> None:
        self._timer = None
        if self._later:
            self._flushing = asyncio.ensure_future(self._flush())

    async def _flush(self) -> None:
        # Where it cannot be recorded, whoever records next is told.
        with contextlib.suppress(StorageError, Superseded):
            if self._later:
                await self.record_all([])

    async def _finish_flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._flushing is not None:
            await self._flushing
        await self._flush()

    def _applied(self, entry: Entry) -> None:
        if entry.number > self.state.last + 1:
            self.catch_up()
        if entry.number == self.state.last + 1:
            self.state.apply(entry)
        if self.around.progress is not None:
            try:
                self.around.progress(self.state, entry)
            except Exception:
                # Whoever looks on must not change what happens.
                log.exception("an observer of run %s failed", self.state.id)

    def catch_up(self) -> None:
        """Take into account what another process has recorded, such as an approval."""
        for entry in self.around.ledger.entries(self.state.id, after=self.state.last):
            if entry.kind == "call.intended" and entry.body.get("runner") != self.runner:
                self._superseded = True
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
        try:
            await self._note_interrupted()
            return await self._proceed()
        finally:
            await self._finish_flush()

    async def _proceed(self) -> RunState:
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

    async def _note_interrupted(self) -> None:
        """A process ended between intent and outcome. Whatever it sent has left by now, and nothing more will."""
        why = "the process that sent it ended before the outcome was on record"
        drafts = [
            Draft(self.state.id, "call.unknown", call.id, {"error": why, **reading()})
            for call in self.state.of_status("intended")
        ]
        if drafts:
            await self.record_all(drafts)

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
            known=state.known,
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
            versions={**self.around.versions(plan), "rules": VERSION},
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
            kinds=look.kinds,
        )

    async def _preview(self) -> None:
        if open_calls := await self._settle_unknown():
            await self.record("run.paused", why=f"unknown: {'; '.join(open_calls)}")
            return
        preview = await self.look(self.state.stage + 1, secrets.token_hex(8), expiry())
        if preview.failed:
            reasons = "; ".join(preview.failures.get(call, call) for call in preview.failures)
            why, kinds = f"it cannot be previewed: {reasons}", dict(preview.kinds)
            await self.record("run.paused", why=why, kinds=kinds, preview=preview.document())
            return
        self._reads = preview.reads
        await self.record("run.previewed", preview=preview.document(), digest=preview.digest)

    async def _settle_unknown(self) -> list[str]:
        """Find out what became of the writes that are open, before anything new is planned on them.

        Returns what cannot be found out.
        """

        async def one(open_call: CallState) -> str | None:
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
                return str(error)
            return None

        asked = await asyncio.gather(*map(one, self.state.of_status("intended", "unknown")), return_exceptions=True)
        for problem in asked:
            if isinstance(problem, BaseException):
                raise problem
        # What a person has been asked before is still open, too.
        return [text for text in asked if isinstance(text, str)] or [
            f"{call.id}: {call.error}" for call in self.state.of_status("handed_over")
        ]

    async def _approved(self) -> bool:
        """Wait for an approval; nothing to change needs none. False where somebody said no."""
        preview = self.state.preview
        assert preview is not None
        while not preview.is_empty:
            news = self.around.news(self.state.id) if self.around.news is not None else None
            self.catch_up()
            if self.state.status == "paused":
                return False  # somebody withdrew the preview
            if self.state.preview is not preview:
                return True  # another plan has taken its place; there is something else to look at
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
        if preview is None or self.state.status not in ("previewed", "approved"):
            return
        age = (_now() - moment(self.state.previewed_at)).total_seconds()
        if not preview.is_empty and (age > STALE_AFTER or self._reads is None):
            again = await self.look(preview.stage, preview.nonce, preview.expires)
            if drift := _drift(preview, again):
                await self.record("run.paused", why=f"drifted: {drift}")
                return
            self._reads = again.reads
        begun = Draft(self.state.id, "stage.begun", "", {"digest": preview.digest})
        if self.state.undoes is None:
            await self.record_all([begun])
            return
        await self.record_all([begun, Draft(self.state.undoes, "run.undone", "", {"by": self.state.id})])
        # Two undos may have been approved at once; the first one recorded is the one.
        undone = fold(self.state.undoes, self.around.ledger.entries(self.state.undoes)).undone
        if undone != self.state.id:
            why = f"run {self.state.undoes} is undone by run {undone} already"
            await self.record("run.ended", status="cancelled", why=why)

    async def _finish_stage(self, preview: Preview) -> bool:
        """Run what this preview allows. True where the run went as far as it can; False: look again."""
        stage = Stage(self, preview, self._reads or {})
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
