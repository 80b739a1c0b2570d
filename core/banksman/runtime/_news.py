"""One watcher a process tells all waiting runs that somebody wrote to the ledger."""

from __future__ import annotations

import asyncio
import contextlib

from banksman.ledger import Ledger


class News:
    """Polls the ledger's version while anybody waits: a thousand waiting runs cost as much as one."""

    def __init__(self, ledger: Ledger, interval: float = 0.03) -> None:
        self._ledger = ledger
        self._interval = interval
        self._waiters: dict[asyncio.Future[None], str] = {}
        self._task: asyncio.Task[None] | None = None

    def next(self, run: str = "") -> asyncio.Future[None]:
        """Done when there may be news of a run, or of any, after this call.

        Ask first, then look, then wait: nothing is missed.
        """
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = run
        waiter.add_done_callback(lambda done: self._waiters.pop(done, None))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        return waiter

    async def _watch(self) -> None:
        async for _ in self._ledger.changes(self._interval):
            self._wake(list(self._waiters))

    def tell(self, run: str) -> None:
        """This process has just written to a run, so nobody who waits for it has to be found by polling."""
        self._wake([waiter for waiter, waits_for in self._waiters.items() if waits_for in ("", run)])

    @staticmethod
    def _wake(waiters: list[asyncio.Future[None]]) -> None:
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
