"""Who carries out a run: one process at a time, whatever is started, recovered or dispatched twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from anyio import to_thread

from banksman.errors import StorageError, UsageError
from banksman.runtime._locks import Locks
from banksman.runtime._writing import Stopping

T = TypeVar("T")
Carry = Callable[[str], Awaitable[None]]

#: How long another process may take to let go of a run that it has just finished with: seconds.
_LETTING_GO = 1.0
#: How often a run that another process carries out is asked for: seconds.
_STAND_BY = 1.0
#: How long calls under way may take when the process is asked to stop: seconds. Then they are left to the next one.
GRACE = 30.0


class Runner:
    """Runs `carry` under the lock of each run. To be used on one event loop."""

    def __init__(self, locks: Locks, carry: Carry) -> None:
        self._locks = locks
        self._carry = carry
        self._ends: dict[str, asyncio.Future[None]] = {}
        self._carrying: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._stopping = asyncio.Event()
        self._lost: StorageError | None = None

    def end(self, run: str) -> asyncio.Future[None]:
        """Done when the run has been carried as far as it goes; for a run that is about to be carried."""
        known = self._ends.get(run)
        if known is None or known.done():
            self._ends[run] = known = asyncio.get_running_loop().create_future()
        return known

    async def wait(self, run: str) -> None:
        """Until a run that was started or recovered here ends.

        Raises:
            Stopping: the process shuts down.
            StorageError: the ledger cannot be written.
            UsageError: another process carries it out.
        """
        await asyncio.shield(self._ends[run] if run in self._ends else self.end(run))

    def carries_again(self, run: str) -> bool:
        """Whether the run is under way here; if so, it is looked at once more before it is let go of."""
        if run in self._carrying:
            self._again.add(run)
        return run in self._carrying

    async def run(self, run: str) -> None:
        """Carry a run as far as it goes.

        Raises:
            Stopping, StorageError: it has not come to its end; some process has to go on with it.
        """
        if run in self._carrying:
            # Dispatched twice: it must not count as ended before it has.
            await asyncio.wait([self._carrying[run]])
            await asyncio.shield(self.end(run) if run not in self._ends else self._ends[run])
            return
        task = self._carrying[run] = asyncio.ensure_future(self._hold_and_carry(run))
        try:
            await task
        except asyncio.CancelledError:
            task.cancel()
            raise Stopping from None

    async def _hold_and_carry(self, run: str) -> None:
        future = self.end(run)
        try:
            await self._hold(run, future)
            future = self.end(run)
            try:
                while True:
                    self._again.discard(run)
                    await self._carry(run)
                    if run not in self._again:
                        break
            finally:
                with contextlib.suppress(StorageError):
                    await self._ask(self._locks.release, f"run-{run}")
        except asyncio.CancelledError:
            _fail(future, self._lost or Stopping())
            if self._lost is not None:
                raise self._lost from None
            raise
        except Exception as error:
            _fail(future, error)
            raise
        finally:
            del self._carrying[run]
        if not future.done():
            future.set_result(None)

    async def _hold(self, run: str, future: asyncio.Future[None]) -> None:
        """Take the lock of a run, and stand by for as long as another process has it."""
        waited = 0.0
        while not await self._ask(self._locks.take, f"run-{run}"):
            if waited >= _LETTING_GO:
                _fail(future, UsageError(f"run {run} is being carried out by another process"))
            pause = 0.05 if waited < _LETTING_GO else _STAND_BY
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
                raise Stopping
            waited += pause

    async def _ask(self, what: Callable[[str], T], name: str) -> T:
        return what(name) if self._locks.quick else await to_thread.run_sync(what, name)

    async def watch(self, interval: float = 1.0) -> None:
        """Stop all runs when the locks are lost: another process may have taken them by now."""
        while True:
            await asyncio.sleep(interval)
            try:
                await to_thread.run_sync(self._locks.check)
            except StorageError as error:
                self._lost = error
                for task in self._carrying.values():
                    task.cancel()
                return

    async def close(self) -> None:
        """Let calls under way end, for a while."""
        self._stopping.set()
        if self._carrying:
            await asyncio.wait(list(self._carrying.values()), timeout=GRACE)
        for task in list(self._carrying.values()):
            task.cancel()


def _fail(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # it is asked for in `wait`, or not at all
