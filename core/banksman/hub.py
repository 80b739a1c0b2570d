"""The hub: what the CLI, the server and a program hold. It connects accounts and carries out runs."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from types import TracebackType
from typing import Any, Self

from banksman import guard
from banksman._canonical import Plain, plain
from banksman._connector import Connection, OpenConnection
from banksman._version import __version__
from banksman.catalog import Registry
from banksman.config import Config
from banksman.errors import NotApproved, PlanError, StorageError, UnknownName, UsageError
from banksman.ledger import Draft, Entry, Ledger
from banksman.plan import Runbook, bind_inputs, build
from banksman.plan import load as load_runbook
from banksman.preview import Preview
from banksman.runtime import (
    Accounts,
    DbosEngine,
    Engine,
    Execution,
    LocalEngine,
    Locks,
    News,
    RunState,
    Stopping,
    Surroundings,
    UndoPlan,
    broke,
    fold,
    kept,
    locks_for,
    plan_undo,
    told,
)


class Hub:
    """Holds connections, ledger and engine. Use it as an async context manager, on one event loop.

        async with Hub(config) as hub:
            plan = load_runbook("reorder.yaml")
            preview = await hub.preview(plan)        # nothing is recorded, nothing is written
            run = await hub.create(plan, {"days": 2})
            state = await hub.carry_out(run)         # waits for `approve`, by anybody, from anywhere

    Args:
        config: what is configured.
        registry: where connectors come from; those installed by default.
        durable: False keeps runs in this process alone (the ledger is written all the same).
        inner: moves the bytes of one connection, by its name; tests and recordings give their own.
        observers: see what passes the seam of a connection.
        progress: called with each entry that a run records.
    """

    def __init__(
        self,
        config: Config,
        *,
        registry: Registry | None = None,
        durable: bool = True,
        inner: Callable[[str], Any] | None = None,
        observers: Callable[[str], tuple[Any, ...]] | None = None,
        progress: Callable[[RunState, Entry], None] | None = None,
    ) -> None:
        self.config = config
        self.registry = registry or Registry()
        self.progress = progress
        self._durable = durable
        self.accounts = Accounts(config, self.registry, inner=inner, observers=observers)
        self._ledger: Ledger | None = None
        self._locks: Locks | None = None
        self._engine: Engine | None = None
        self._launching = asyncio.Lock()
        self._news: News | None = None
        self._around: Surroundings | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End: calls under way finish, nothing new starts, unfinished runs go on in another process."""
        if self._around is not None:
            self._around.stopping.set()
        if self._news is not None:
            await self._news.close()
        if self._engine is not None:
            await self._engine.close()
        await self.accounts.close()
        if self._ledger is not None:
            self._ledger.close()
        if self._locks is not None:
            self._locks.close()

    # What there is

    @property
    def ledger(self) -> Ledger:
        """Opened on first use.

        Raises:
            StorageError: it cannot be opened.
        """
        if self._ledger is None:
            self._ledger = Ledger.open(self.config.ledger)
        return self._ledger

    @property
    def around(self) -> Surroundings:
        """What every run of this hub shares."""
        if self._around is None:
            self._news = News(self.ledger)
            self._around = Surroundings(
                ledger=self.ledger,
                connect=self.accounts.connect,
                connections=self.accounts,
                versions=lambda plan: {"banksman": __version__, **self.accounts.versions(plan)},
                progress=self._on_progress,
                news=self._news.next,
            )
        return self._around

    def _on_progress(self, state: RunState, entry: Entry) -> None:
        if self.progress is not None:
            self.progress(state, entry)

    def connection(self, name: str) -> Connection:
        """A configured connection; see `Accounts.connection`."""
        return self.accounts.connection(name)

    async def connect(self, name: str) -> OpenConnection:
        """A connection in use; see `Accounts.connect`."""
        return await self.accounts.connect(name)

    # Runs

    async def check(self, plan: Runbook) -> list[str]:
        """The problems of a plan against the actions there are; see `Accounts.check`."""
        return await self.accounts.check(plan)

    async def create(
        self,
        plan: Runbook,
        inputs: Mapping[str, Any] | None = None,
        *,
        undoes: str | None = None,
        model: str | None = None,
    ) -> str:
        """Record a new run and return its id. Nothing is called yet, but for the descriptions of systems.

        Raises:
            PlanError: the plan or its inputs have problems; all are listed.
        """
        if problems := await self.check(plan):
            raise PlanError(plan.name, problems)
        bound = bind_inputs(plan, inputs or {})
        return await self._created(plan.name, plan.document(), bound, undoes=undoes, model=model)

    async def _created(self, name: str, plan: Mapping[str, Plain], inputs: Mapping[str, Any], **more: Plain) -> str:
        run = new_run_id()
        now = datetime.now(timezone.utc)
        body: dict[str, Plain] = {
            "name": name,
            "plan": dict(plan),
            "inputs": plain(inputs),
            "facts": {"id": run, "date": now.date().isoformat(), "requester": self.config.user},
            "requester": self.config.user,
            "version": __version__,
        }
        body |= {key: value for key, value in more.items() if value}
        await self.ledger.append(Draft(run, "run.created", "", body))
        return run

    async def begin(self, goal: str, inputs: Mapping[str, Any] | None = None, *, model: str) -> str:
        """Record a new run that has a goal and no plan yet, and return its id: a model is about to be asked for one."""
        return await self._created(goal.strip()[:60], {}, inputs or {}, goal=goal, model=model)

    async def adopt(self, run: str, plan: Runbook) -> None:
        """Give a run that began with a goal its first plan.

        Raises:
            UsageError: it has one.
            PlanError: the plan or the run's inputs have problems; all are listed.
        """
        state = self.state(run)
        if state.plan:
            raise UsageError(f"run {state.id} has a plan; `replan` puts another in its place")
        if problems := await self.check(plan):
            raise PlanError(plan.name, problems)
        body = {"name": plan.name, "plan": plan.document(), "inputs": plain(bind_inputs(plan, state.inputs))}
        await self.ledger.append(Draft(state.id, "run.planned", "", body))

    def state(self, run: str) -> RunState:
        """What is known of a run. A unique beginning of its id is enough.

        Raises:
            UnknownName: there is no such run.
        """
        entries = self.ledger.entries(run)
        if not entries:
            run = self._full_id(run)
            entries = self.ledger.entries(run)
        return fold(run, entries)

    def _full_id(self, run: str) -> str:
        runs = [entry.run for entry in self.ledger.of_kind("run.created")]
        fitting = [name for name in runs if name.startswith(run)] if run else []
        if len(fitting) != 1:
            raise UnknownName("run", run, fitting or runs[-8:], hint="`banksman runs list` shows all.")
        return fitting[0]

    def runs(self) -> list[RunState]:
        """All runs, newest first."""
        return [self.state(entry.run) for entry in reversed(self.ledger.of_kind("run.created"))]

    async def preview(self, plan: Runbook, inputs: Mapping[str, Any] | None = None) -> Preview:
        """What a plan would do now. Nothing is recorded, nothing is written anywhere.

        Raises:
            PlanError: the plan or its inputs have problems.
        """
        if problems := await self.check(plan):
            raise PlanError(plan.name, problems)
        run = "preview"
        now = datetime.now(timezone.utc)
        facts = {"id": run, "date": now.date().isoformat(), "requester": self.config.user}
        bound = plain(bind_inputs(plan, inputs or {}))
        execution = Execution(self.around, run)
        state = execution.state
        state.name, state.requester, state.plan = plan.name, self.config.user, plan.document()
        state.inputs, state.facts = bound, facts
        return await execution.look(1, secrets.token_hex(8), guard.expiry())

    async def start(self, run: str) -> None:
        """Hand a run to the durable engine: it is previewed, waits for its approval, and is carried out."""
        engine = await self.engine()
        await engine.start(run)

    async def wait(self, run: str) -> RunState:
        """Until a started run is over, paused, or has to wait for another process.

        Raises:
            StorageError: the ledger cannot be written any more.
        """
        engine = await self.engine()
        with contextlib.suppress(Stopping):
            await engine.wait(run)
        return self.state(run)

    async def carry_out(self, run: str) -> RunState:
        """`start`, then `wait`."""
        await self.start(run)
        return await self.wait(run)

    async def engine(self) -> Engine:
        """The durable engine, launched on first use; it takes over what dead processes left."""
        async with self._launching:
            if self._engine is None:
                self._locks = locks_for(self.config.ledger)
                if self._durable:
                    self._engine = await DbosEngine(self.config.engine, self._locks, self._carry).open()
                    await self._engine.recover()
                else:
                    self._engine = LocalEngine(self._locks, self._carry)
        return self._engine

    async def _carry(self, run: str) -> None:
        execution = Execution(self.around, run)
        try:
            await execution.proceed()
        except (Stopping, StorageError):
            raise
        except UsageError as error:
            # The plan or the configuration does not fit any more; a person has to mend it and resume.
            await execution.record("run.paused", why=told(error))
        except Exception as error:
            # Also where our own code is at fault: a run that nobody carries any more must say so.
            await execution.record("run.paused", why=broke("the hub", error))

    async def approve(self, run: str, digest: str, *, how: str = "command") -> None:
        """Record a person's yes to one preview.

        Raises:
            NotApproved: the run does not wait for an approval of this digest.
            Denied: `how` is `flag`, and a rule wants a person.
        """
        state = self._waiting(run, digest)
        assert state.preview is not None
        if how == "flag":
            items = [*state.preview.items.values(), *state.preview.alternatives.values()]
            guard.require_unattended(items, self.accounts)
        approval = guard.Approval(state.preview.digest, self.config.user, how, "")
        await self._tell(Draft(state.id, "approval.given", "", approval.document()))

    async def deny(self, run: str, digest: str, why: str = "") -> None:
        """Record a person's no to one preview; the run ends.

        Raises:
            NotApproved: the run does not wait for an approval of this digest.
        """
        state = self._waiting(run, digest)
        assert state.preview is not None
        body = {"digest": state.preview.digest, "by": self.config.user, "why": why}
        await self._tell(Draft(state.id, "approval.denied", "", body))

    async def _tell(self, draft: Draft) -> None:
        """Record what a run may be waiting for."""
        await self.ledger.append(draft)
        if self._news is not None:
            self._news.tell(draft.run)

    def _waiting(self, run: str, digest: str) -> RunState:
        state = self.state(run)
        if not state.waits or state.preview is None:
            raise NotApproved(f"run {state.id} does not wait for an approval: it is {state.status}")
        if len(digest) < 12 or not state.preview.digest.startswith(digest):
            given = digest[:12] or "nothing"
            raise NotApproved(
                f"run {state.id} waits for an approval of {state.preview.digest[:12]}, not of {given}",
                hint="Look at it again: `banksman runs show`.",
            )
        return state

    async def resume(self, run: str) -> RunState:
        """Let a paused, failed or interrupted run go on; what is left is previewed again.

        Raises:
            UsageError: the run is over, has no plan yet, or a person has to settle a call first.
        """
        state = self.state(run)
        if not state.plan:
            hint = f"Let a model go on planning: `banksman runs resume {state.id} --model PROVIDER:NAME`."
            raise UsageError(f"run {state.id} has no plan yet", hint=hint)
        await self.reopen(state.id)
        return await self.carry_out(state.id)

    async def reopen(self, run: str) -> None:
        """Record that a person lets a paused or failed run go on. Nothing is started yet.

        Raises:
            UsageError: the run is over, or a person has to settle a call first.
        """
        state = self.state(run)
        if open_calls := state.of_status("handed_over"):
            names = ", ".join(call.id for call in open_calls)
            hint = f"Look in the system, then `banksman runs settle {state.id} CALL --happened` (or --did-not-happen)."
            raise UsageError(f"run {state.id}: nobody has said whether {names} happened", hint=hint)
        if state.status in ("done", "cancelled"):
            raise UsageError(f"run {state.id} is {state.status}; there is nothing to resume")
        if state.status in ("paused", "failed"):
            await self.ledger.append(Draft(state.id, "run.resumed", "", {"by": self.config.user}))

    async def settle(self, run: str, call: str, *, happened: bool, output: Plain = None, note: str = "") -> None:
        """Record what a person found out about a write whose outcome the hub cannot know.

        Raises:
            UsageError: that call is not waiting for a person.
        """
        state = self.state(run)
        known = {item.id for item in state.of_status("handed_over")}
        if call not in known:
            raise UnknownName("call that waits for a person", call, known)
        body = {"happened": happened, "output": output, "by": self.config.user, "note": note}
        await self.ledger.append(Draft(state.id, "call.settled", call, body))

    async def plan_undo(self, run: str) -> UndoPlan:
        """How a run would be taken back.

        Raises:
            UsageError: it is still going on, or was undone before.
        """
        state = self.state(run)
        if not state.is_over and state.status != "paused":
            raise UsageError(f"run {state.id} is {state.status}; resume it, or deny its preview, before undoing it")
        if state.undone:
            raise UsageError(f"run {state.id} was undone by run {state.undone}")
        if open_calls := [call.id for call in state.calls.values() if call.is_open]:
            raise UsageError(
                f"run {state.id}: nobody knows yet whether {', '.join(open_calls)} happened",
                hint="Resume the run, or settle the call, before undoing it.",
            )
        return await plan_undo(state, self.connect)

    async def replan(self, run: str, plan: Runbook) -> None:
        """Put another plan in the place of what is left of a run. Steps that have run stay as they were.

        Raises:
            UsageError: the run is under way or over, or nobody knows whether one of its writes happened.
            PlanError: the plan has problems, or changes a step that has run.
        """
        state = self.state(run)
        if open_calls := [call.id for call in state.calls.values() if call.is_open]:
            hint = "Resume the run, or settle the call, before planning anew."
            raise UsageError(f"run {state.id}: nobody knows yet whether {', '.join(open_calls)} happened", hint=hint)
        if not state.may_replan:
            raise UsageError(f"run {state.id} is {state.status}; another plan cannot take the place of this one now")
        problems = await self.check(plan)
        if problems := problems or kept(state, plan):
            raise PlanError(plan.name, problems)
        await self.ledger.append(Draft(state.id, "run.replanned", "", {"plan": plan.document()}))

    async def call(self, action: str, connection: str, arguments: Mapping[str, Any]) -> Any:
        """Run one read action and return its plain output.

        Raises:
            UsageError: it is a write; make it a plan of one step.
        """
        opened = await self.connect(connection)
        found = await opened.action(action)
        if found.effect.changes:
            raise UsageError(f"{action} changes something; run it as a plan of one step")
        return plain(await opened.read(found, arguments))


def new_run_id() -> str:
    """Sorts by time, and can be read out: `20261124-153000-k3f9qd`."""
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    alphabet = "23456789abcdefghjkmnpqrstuvwxyz"
    drawn = secrets.randbelow(len(alphabet) ** 6)
    return f"{stamp}-{''.join(alphabet[drawn // len(alphabet) ** place % len(alphabet)] for place in range(6))}"


def single_call(action: str, connection: str, arguments: Mapping[str, Any]) -> Runbook:
    """The plan of one step that calls an action with literal arguments."""
    from banksman.plan import escape

    step = {"action": action, "on": connection, "with": escape(dict(arguments))}
    return build({"name": "call", "goal": f"Call {action}", "steps": {"call": step}})


__all__ = ["Hub", "load_runbook", "new_run_id", "single_call"]
