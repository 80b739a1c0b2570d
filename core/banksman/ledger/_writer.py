"""One thread that commits what has gathered, and the way to it from an event loop: one hop for many entries."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence

from banksman.errors import StorageError
from banksman.ledger._entry import Draft, Entry

#: What became of each job of a batch: its entries, or why there are none.
Results = list[list[Entry] | Exception]
Commit = Callable[[Sequence[Draft]], list[Entry]]
_Batch = tuple[list[Sequence[Draft]], Callable[[Results], None]]

#: How many jobs share one commit at most.
_MOST = 512


class Writer:
    """The thread. A job is a list of drafts that are recorded together or not at all."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._batches: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="banksman-ledger", daemon=True)
        self._thread.start()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and more may come."""
        return self._batches.empty() and not self._closed

    def hand_in(self, jobs: list[Sequence[Draft]], tell: Callable[[Results], None]) -> None:
        """Have jobs committed; `tell` is called in the thread.

        Raises:
            StorageError: it is closed.
        """
        with self._closing:
            if self._closed:
                raise StorageError("the ledger is closed")
            self._batches.put((jobs, tell))

    def _work(self) -> None:
        ended = False
        while not ended and (batch := self._batches.get()) is not None:
            batches = [batch]
            # Whatever came in during the last commit shares the next one.
            while sum(len(jobs) for jobs, _ in batches) < _MOST:
                try:
                    more = self._batches.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    ended = True
                    break
                batches.append(more)
            results = self._record([job for jobs, _ in batches for job in jobs])
            for jobs, tell in batches:
                tell(results[: len(jobs)])
                del results[: len(jobs)]

    def _record(self, jobs: list[Sequence[Draft]]) -> Results:
        try:
            entries = self._commit([draft for drafts in jobs for draft in drafts])
        except Exception as error:
            # One job's fault (a value that cannot be encoded) must not fail its neighbours.
            return [error] if len(jobs) == 1 else [result for job in jobs for result in self._record([job])]
        results: Results = []
        start = 0
        for drafts in jobs:
            results.append(entries[start : start + len(drafts)])
            start += len(drafts)
        return results

    def close(self) -> bool:
        """Commit what was handed in, and end; False where that was done before."""
        with self._closing:
            if self._closed:
                return False
            self._closed = True
            self._batches.put(None)
        self._thread.join()
        return True


class Gathering:
    """The appends of one event loop: what comes while a commit is under way goes into the next one as a whole."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[Sequence[Draft], asyncio.Future[list[Entry]]]] = []
        self._under_way = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits or is under way: what is recorded now comes after all that was handed in before."""
        return not self._under_way

    def append(self, drafts: Sequence[Draft]) -> asyncio.Future[list[Entry]]:
        """Done when the drafts are durable."""
        future: asyncio.Future[list[Entry]] = self._loop.create_future()
        self._waiting.append((drafts, future))
        if not self._under_way:
            self._under_way = True
            self._loop.call_soon(self.send)
        return future

    def send(self) -> None:
        """Hand in what waits."""
        # Who stopped waiting before this moment gets nothing recorded; from now on it is too late for that.
        batch = [one for one in self._waiting if not one[1].done()]
        self._waiting = []
        if not batch:
            self._under_way = False
            return

        def tell(results: Results) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed; nobody waits any more
                self._loop.call_soon_threadsafe(self._deliver, batch, results)

        try:
            self._writer.hand_in([drafts for drafts, _ in batch], tell)
        except StorageError as error:
            self._deliver(batch, [error for _ in batch])

    def _deliver(self, batch: list[tuple[Sequence[Draft], asyncio.Future[list[Entry]]]], results: Results) -> None:
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
        if self._waiting:
            self.send()
        else:
            self._under_way = False
