"""Pursues one goal: plan, check, preview, approve, run; on failure plan the rest, at most so often; then a person."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from banksman._canonical import Plain
from banksman.agent._outcome import (
    Remedy,
    Trouble,
    dropped,
    progress_of,
    repeated,
    trouble_of,
)
from banksman.auth import redact
from banksman.errors import BanksmanError, CallError, PlanError, UsageError
from banksman.http.scrub import scrub
from banksman.ledger import Draft
from banksman.plan import Runbook, build
from banksman.planner import FORETOLD, Answer, Catalogue, Failure, NoPlan, Offer, Planner, Question, model_of, one_line
from banksman.runtime import RunState, fixed_steps, fold

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from banksman.hub import Hub

#: How often a model is asked before a person is.
MOST = 50


@dataclass(frozen=True)
class Event:
    """Something that people want to see while a goal is pursued.

    Attributes:
        kind: `begun` (the run has its id), `left_out` (a connection cannot be used), `asking`, `problems`, `planned`,
            `stopped` (a step failed), `person` (the loop ends; a person has to decide).
        text: one or more lines without control characters; texts of systems in it are scrubbed.
    """

    kind: Literal["begun", "left_out", "asking", "problems", "planned", "stopped", "person"]
    run: str
    text: str


Show = Callable[[Event], None]
#: Called with the run each time it waits for an approval of `state.preview`. It asks somebody and calls `hub.approve`
#: or `hub.deny`; or it returns, and the run goes on waiting for another process to do so.
Approve = Callable[[RunState], Awaitable[None]]


async def pursue(
    hub: Hub,
    goal: str,
    *,
    model: Model | str,
    approve: Approve,
    show: Show,
    inputs: Mapping[str, Any] | None = None,
    most: int = MOST,
) -> RunState:
    """Let a model plan for a goal, and carry out what a person approves.

    Args:
        model: pydantic-ai's model, or a name for `model_of`.
        approve: is told when the run waits for an approval.
        show: is told what happens.
        inputs: values for the plan's inputs; the model sees their names and types.
        most: how often the model is asked before a person is.

    Returns:
        The run: `done`, `cancelled` (somebody said no), or `paused` with the reason; `resume` goes on.

    Raises:
        UsageError: there is no goal, or no such model.
    """
    if not goal.strip():
        raise UsageError("there is no goal")
    planner = Planner(model_of(model) if isinstance(model, str) else model)
    run = await hub.begin(redact(goal), inputs, model=planner.name)
    return await _Pursuit(hub, run, planner, approve, show, most).go()


async def resume(hub: Hub, run: str, *, model: Model | str, approve: Approve, show: Show, most: int = MOST) -> RunState:
    """Let any run go on with a model at hand: what is left is tried again, and planned anew where that fails.

    Raises:
        UsageError: the run is over, a person has to settle a call first, or there is no such model.
    """
    planner = Planner(model_of(model) if isinstance(model, str) else model)
    state = hub.state(run)
    await hub.reopen(state.id)
    return await _Pursuit(hub, state.id, planner, approve, show, most).go()


class _Enough(Exception):
    """No plan came of it; the text says why a person is needed."""


class _Left(Exception):
    """The process shuts down; `resume` goes on."""


class _Pursuit:
    """One goal in this process. What it has to know again after a crash is in the ledger."""

    def __init__(self, hub: Hub, run: str, planner: Planner, approve: Approve, show: Show, most: int) -> None:
        self.hub = hub
        self.run = run
        self.planner = planner
        self.approve = approve
        self.most = most
        self._show = show
        self._state = fold(run, hub.ledger.entries(run))
        self._catalogue: Catalogue | None = None
        self._asked = self._asked_before()
        self._objections: tuple[Failure, ...] = ()
        self._foretold = False
        planner.listen(self._on_question, self._on_answer)

    def _asked_before(self) -> int:
        """How often the model was asked since a person last had a say: a crash does not start the count anew."""
        count = 0
        for entry in self.hub.ledger.entries(self.run):
            if entry.kind == "run.resumed":
                count = 0
            count += entry.kind == "model.asked"
        return count

    # The ledger

    def state(self) -> RunState:
        """The run as it is now."""
        for entry in self.hub.ledger.entries(self.run, after=self._state.last):
            self._state.apply(entry)
        return self._state

    async def _record(self, kind: str, **body: Plain) -> None:
        await self.hub.ledger.append(Draft(self.run, kind, "", body))

    async def _on_question(self, question: Question) -> None:
        self._asked += 1
        await self._record("model.asked", **asdict(question))
        what = {"plan": "a plan", "replan": "a plan for the rest", "repair": "the plan to be mended"}[question.purpose]
        self.show("asking", f"{question.model}, for {what} ({self._asked} of {self.most})")

    async def _on_answer(self, answer: Answer) -> None:
        await self._record("model.answered", **{**asdict(answer), "problems": list(answer.problems)})

    def show(self, kind: Any, text: str) -> None:
        """Tell people."""
        self._show(Event(kind, self.run, "\n".join(one_line(scrub(line), 400) for line in text.splitlines())))

    # The loop

    async def go(self) -> RunState:
        """Until the run is over, or a person has to decide."""
        self.show("begun", f"run {self.run}")
        async with self.planner.model:
            try:
                if not self.state().plan:
                    await self._plan()
                while (trouble := await self._carry_out()) is not None:
                    await self._replan(trouble)
            except _Enough as enough:
                await self._to_person(str(enough))
            except _Left:
                pass
        return self.state()

    async def _plan(self) -> None:
        state = self.state()
        catalogue = await self.catalogue()
        await self._seek(lambda: self.planner.plan(state.goal, catalogue, state.inputs), self._adopt)

    async def _adopt(self, plan: Runbook) -> None:
        await self.hub.adopt(self.run, plan)

    async def _replan(self, trouble: Trouble) -> None:
        state = self.state()
        told = "\n".join(f"{failure.where}: {failure.kind}: {failure.message}" for failure in trouble.failures)
        self.show("stopped", told)
        if trouble.remedy is Remedy.PERSON:
            raise _Enough(f"no other plan may go around this: {told}")
        catalogue = await self.catalogue()
        plan, kept = build(state.plan), fixed_steps(state)
        progress = progress_of(state, catalogue)

        async def ask() -> Runbook:
            failures = trouble.failures
            return await self.planner.replan(state.goal, catalogue, plan, progress, failures, state.inputs, kept=kept)

        await self._seek(ask, self._replace)

    async def _replace(self, plan: Runbook) -> None:
        state = self.state()
        if plan.document() == state.plan and {one.kind for one in self._objections} != {FORETOLD}:
            raise PlanError(plan.name, ["it is the plan that failed; change what failed"])
        if problems := dropped(state, plan):
            raise PlanError(plan.name, problems)
        await self.hub.replan(self.run, plan)

    async def _seek(self, ask: Callable[[], Awaitable[Runbook]], accept: Callable[[Runbook], Awaitable[None]]) -> None:
        """Ask until a plan is accepted.

        Raises:
            _Enough: the model was asked often enough, cannot be asked, or says that there is no plan.
            _Left: the process shuts down.
        """
        problems: Sequence[str] = ()
        while True:
            if self._asked >= self.most:
                raise _Enough(f"the model was asked {self._asked} times, and no plan of it has led to the goal")
            try:
                plan = await self._unless_left(self.planner.repair(problems) if problems else ask())
                # Whatever a model writes there, the goal is the person's.
                plan = plan.model_copy(update={"goal": self.state().goal})
                await accept(plan)
            except NoPlan as none:
                raise _Enough(f"the model has no plan: {none.why}") from None
            except PlanError as error:
                problems = tuple(scrub(problem) for problem in error.problems)
                await self._record("plan.refused", problems=list(problems))
                self.show("problems", "\n".join(problems))
            except CallError as error:
                raise _Enough(str(error)) from None
            except UsageError as error:
                raise _Enough(error.message) from None
            else:
                self.show("planned", "\n".join(f"{name}: {step.action}" for name, step in plan.steps.items()))
                return

    async def _unless_left(self, asking: Awaitable[Runbook]) -> Runbook:
        """A model may think for minutes; whoever wants to stop does not wait for it."""
        answer = asyncio.ensure_future(asking)
        stop = asyncio.ensure_future(self.hub.around.stopping.wait())
        try:
            await asyncio.wait([answer, stop], return_when=asyncio.FIRST_COMPLETED)
            if stop.done():
                raise _Left
            return answer.result()
        finally:
            stop.cancel()
            answer.cancel()
            await asyncio.gather(answer, stop, return_exceptions=True)

    async def _to_person(self, why: str) -> None:
        tried = [
            problem
            for entry in self.hub.ledger.entries(self.run)
            if entry.kind == "plan.refused"
            for problem in entry.body["problems"]
        ]
        tried = [one_line(problem, 300) for problem in dict.fromkeys(tried)][-20:]
        why = scrub(why)
        await self._record("run.paused", why=why, tried=tried, asked=self._asked)
        self.show("person", why)

    # One run of one plan

    async def _carry_out(self) -> Trouble | None:
        """Carry the plan as far as it goes; what stopped it, or None where nothing is to be planned anew."""
        self._objections = ()
        await self.hub.start(self.run)
        ended = asyncio.ensure_future(self.hub.wait(self.run))
        shown = ""
        try:
            while not ended.done():
                news = self.hub.around.news() if self.hub.around.news else ended
                state = self.state()
                if state.waits and state.preview is not None and state.preview.digest != shown:
                    shown = state.preview.digest
                    if not await self._object(state):
                        await self.approve(self.hub.state(self.run))
                    continue
                await asyncio.wait([news, ended], return_when=asyncio.FIRST_COMPLETED)
                if news is not ended:
                    news.cancel()
            await ended
        finally:
            ended.cancel()
            with contextlib.suppress(asyncio.CancelledError, BanksmanError):
                await ended
        if self._objections:
            return Trouble(self._objections)
        return trouble_of(self.state(), self.hub.ledger.entries(self.run))

    async def _object(self, state: RunState) -> bool:
        """Withdraw a preview that nobody needs to look at: it repeats what was done, or foretells its own failure."""
        preview = state.preview
        assert preview is not None
        found = repeated(preview, self.run, self.hub.ledger.entries(self.run)) if state.replans else []
        if not found and preview.warnings and not state.used and not self._foretold:
            # Once: the model may be right where the preview cannot see far enough. Then a person reads the warning.
            self._foretold = True
            found = [Failure("ensures", FORETOLD, text) for text in preview.warnings]
        if not found:
            return False
        self._objections = tuple(found)
        told = "; ".join(failure.message for failure in found)
        await self._record("run.paused", why=f"its preview was withdrawn: {told}")
        return True

    async def catalogue(self) -> Catalogue:
        """What every connection that can be used has to offer; asked once."""
        if self._catalogue is None:
            offers = await asyncio.gather(*map(self._offer, self.hub.config.connections))
            self._catalogue = Catalogue(tuple(offer for offer in offers if offer is not None))
        return self._catalogue

    async def _offer(self, name: str) -> Offer | None:
        try:
            opened = await self.hub.connect(name)
            return Offer(name, opened.connection.environment.value, await opened.actions())
        except BanksmanError as error:
            self.show("left_out", f"{name}: {error}")
            return None
