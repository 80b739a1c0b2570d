"""Carries a run out before a person's eyes: shows each preview, gets the yes or leaves the run waiting."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from banksman.cli.exits import Exit, of_state
from banksman.cli.render.live import Progress, progress_for
from banksman.cli.session import Session
from banksman.cli.terminal import answer, stop_signals
from banksman.errors import BanksmanError, Denied, NotApproved, UsageError
from banksman.hub import Hub
from banksman.runtime import RunState, fold


class Carrier:
    """One run in the hands of this invocation.

    Args:
        yes: approve by flag, where the rules let nobody look.
        wait: False leaves the run to a worker once its first preview is approved.
    """

    def __init__(self, session: Session, hub: Hub, *, yes: bool = False, wait: bool = True) -> None:
        self.session = session
        self.hub = hub
        self.yes = yes
        self.wait = wait
        self.left = False
        self.handed_on = False
        self.refused: BanksmanError | None = None
        self._progress: Progress = progress_for(session)
        self._state: RunState | None = None
        self._stop: asyncio.Future[None] | None = None
        self._shown = ""

    async def carry(self, run: str, *, since: int | None = None) -> Exit:
        """Let the hub carry out a run, and follow it to where it goes no further."""
        return await self.following(run, lambda: self.hub.carry_out(run), decide=True, since=since)

    async def following(
        self, run: str, work: Callable[[], Awaitable[RunState]], *, decide: bool, since: int | None = None
    ) -> Exit:
        """Follow a run by its ledger while `work` carries it out, here or in another process.

        With `decide`, previews that wait are decided upon; without, `work` asks `decide` itself. What was recorded
        before entry `since`, by default until now, is not told again.
        """
        entries = self.hub.ledger.entries(run)
        self._state = fold(run, entries if since is None else entries[:since])
        with stop_signals() as self._stop:
            ended = asyncio.ensure_future(work())
            try:
                while not (ended.done() or self._stop.done()):
                    await self._step(ended, decide)
                await self._settle_down(run, ended, decide)
            finally:
                ended.cancel()
                with contextlib.suppress(asyncio.CancelledError, BanksmanError):
                    await ended
            self._catch_up()
            return self._finish()

    async def _step(self, ended: asyncio.Future[Any] | None, decide: bool) -> None:
        """Until something new is on record. `ended` is of who carries the run out, where that is this process."""
        news = self._news()  # first: what is recorded from here on wakes us
        try:
            self._catch_up()
            state = self._state
            assert state is not None
            assert self._stop is not None
            if decide and state.waits and state.preview is not None and state.preview.digest != self._shown:
                self._shown = state.preview.digest
                await self.decide(state)
            elif ended is not None or not _rests(state):
                waited: list[asyncio.Future[Any]] = [news, self._stop, *([ended] if ended is not None else [])]
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()

    async def _settle_down(self, run: str, ended: asyncio.Future[RunState], decide: bool) -> None:
        """Let what is under way end, or follow the process that carries the run out."""
        assert self._stop is not None
        if self._stop.done() and not self.left:
            self.session.say("Stopping: calls under way end, nothing new begins. Once more to quit at once.")
        if self._stop.done() or self.left:
            self.hub.around.stopping.set()
        state = self._state
        if self._stop.done() and not decide and state is not None and state.status not in ("approved", "running"):
            return  # a model is being asked, and nothing is lost by not waiting for its answer
        try:
            await ended
        except UsageError:
            # Carrying out has nothing to complain of but this; an agent has.
            if not decide:
                raise
            await self._follow_other(run)

    async def _follow_other(self, run: str) -> None:
        """Another process carries the run out; what it records is seen all the same."""
        assert self._stop is not None
        self.session.say(f"Run {run} is being carried out by another process; following it.")
        while not (self._stop.done() or self.left or (self._state is not None and _rests(self._state))):
            await self._step(None, decide=True)

    def _news(self) -> asyncio.Future[None]:
        news = self.hub.around.news
        assert news is not None
        return news()

    def _catch_up(self) -> None:
        state = self._state
        assert state is not None
        for entry in self.hub.ledger.entries(state.id, after=state.last):
            state.apply(entry)
            self._progress.see(entry)

    # The decision

    async def decide(self, state: RunState) -> None:
        """Show a preview that waits; approve or deny it as the person says, or leave it waiting."""
        preview = state.preview
        if preview is None or preview.is_empty:
            return
        with self._progress.halted():
            self._show_preview(state, details=False)
            if self.yes:
                await self._approve_by_flag(state)
            elif self.session.interactive:
                await self._ask(state)
            else:
                self._leave()

    def _show_preview(self, state: RunState, *, details: bool) -> None:
        from banksman.cli.documents import preview_document
        from banksman.cli.render.preview import show_preview

        assert state.preview is not None
        if self.session.json:
            self.session.event({"event": "run.previewed", **preview_document(state.preview)})
            return
        page = self.session.page()
        page.gap()
        show_preview(page, state.preview, details=details)
        page.show()

    async def _approve_by_flag(self, state: RunState) -> None:
        try:
            await self._approve(state, "flag")
        except (Denied, NotApproved) as error:
            self.refused = error
            self._leave()

    async def _approve(self, state: RunState, how: str) -> None:
        assert state.preview is not None
        if not self.wait:
            self._leave()  # first, or this process would begin the stage
        await self.hub.approve(state.id, state.preview.digest, how=how)
        self.handed_on = not self.wait

    async def _ask(self, state: RunState) -> None:
        assert state.preview is not None
        while True:
            said = await self._answer(state, "Approve? [y/N/d=details] ")
            if said is None:
                self.session.say("")
                if self.still_waits(state):
                    self._leave()
                return
            if said.lower() in ("d", "details"):
                self._show_preview(state, details=True)
                continue
            try:
                if said.lower() in ("y", "yes"):
                    await self._approve(state, "prompt")
                else:
                    await self.hub.deny(state.id, state.preview.digest)
            except NotApproved as error:
                self.session.complain(error)
            return

    async def _answer(self, state: RunState, question: str) -> str | None:
        """What the person types, as long as nobody else has decided and no signal came."""
        decided = asyncio.ensure_future(self._decided_elsewhere(state))
        assert self._stop is not None
        try:
            return await answer(lambda: self.session.ask(question), decided, self._stop)
        finally:
            decided.cancel()

    async def _decided_elsewhere(self, state: RunState) -> None:
        while True:
            news = self._news()
            if not self.still_waits(state):
                return
            await news

    def still_waits(self, state: RunState) -> bool:
        """Whether nobody has decided about this preview yet."""
        now = self.hub.state(state.id)
        assert state.preview is not None
        digest = state.preview.digest
        return now.waits and digest not in now.denials and now.preview is not None and now.preview.digest == digest

    def _leave(self) -> None:
        """The run goes on waiting without this process."""
        self.left = True
        self.hub.around.stopping.set()

    # The end

    def _finish(self) -> Exit:
        from banksman.cli.documents import run_document
        from banksman.cli.render.runs import show_end

        state = self._state
        assert state is not None
        entries = self.hub.ledger.entries(state.id)
        code = of_state(state, entries)
        if self.refused is not None:
            code = Exit.NOT_APPROVED
        elif self.handed_on and code in (Exit.WAITING, Exit.INTERRUPTED):
            code = Exit.DONE
        with self._progress.halted():
            if self.refused is not None:
                self.session.complain(self.refused)
            if self.session.json:
                self.session.event({"event": "result", **run_document(state, entries, code=code)})
                return code
            page = self.session.page()
            if self.handed_on:
                page.add(f"Run {state.id} is approved. `banksman worker` carries it out, or `banksman runs resume`.")
            elif code is Exit.INTERRUPTED:
                page.add(f"Interrupted: run {state.id} can be resumed. What was under way has ended.", style="bold")
            if not self.handed_on:
                show_end(page, state)
            page.show()
        return code


def _rests(state: RunState) -> bool:
    """Whether nobody carries the run any further for now."""
    return state.is_over or state.status == "paused"
