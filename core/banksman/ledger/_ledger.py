"""The write-ahead record: an intent is on disk before its request leaves, an outcome right after."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

from anyio import to_thread

from banksman.errors import StorageError
from banksman.ledger._entry import Draft, Entry


class Store(Protocol):
    """Where entries are kept."""

    #: Whether a commit may be quick enough to be done on an event loop.
    quick: bool

    def write(self, drafts: Sequence[Draft]) -> list[Entry]:
        """Record drafts in one commit; called by one thread only."""

    def read(self, run: str, after: int = 0) -> list[Entry]:
        """The entries of a run, in order."""

    def of_kind(self, *kinds: str) -> list[Entry]:
        """All entries of some kinds, oldest first."""

    def version(self) -> int:
        """Changes when another process has written."""

    def close(self) -> None:
        """Close what is open."""


class _Pace:
    """How quick commits are, and whether one run writes alone."""

    _QUICK = 0.001
    _CROWDED_FOR = 0.05

    def __init__(self) -> None:
        self._usual = 0.0
        self._last_run = ""
        self._last = 0.0
        self._crowded_until = 0.0

    def took(self, seconds: float) -> None:
        self._usual = 0.8 * self._usual + 0.2 * seconds

    def alone(self, run: str) -> bool:
        """Whether no other run wrote just before, and commits are quick."""
        now = time.monotonic()
        if run != self._last_run and now - self._last < 2 * self._QUICK:
            self._crowded_until = now + self._CROWDED_FOR
        self._last_run, self._last = run, now
        return self._usual < self._QUICK and now >= self._crowded_until


_Job = tuple[list[Draft], "Future[list[Entry]]"]


class Ledger:
    """Appends durably, in one thread that commits what has gathered; reads beside it.

    Each run has a chain of its own, so runs do not wait for one another's hashes, and one run can be handed to an
    auditor as one file.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._writing = threading.Lock()
        self._pace = _Pace()
        self._thread = threading.Thread(target=self._work, name="banksman-ledger", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, where: str | Path) -> Ledger:
        """The ledger in a file, or in PostgreSQL for a `postgresql://` address.

        Raises:
            StorageError: it cannot be opened.
        """
        if isinstance(where, str) and where.startswith(("postgresql://", "postgres://")):
            from banksman.ledger._postgres import PostgresStore

            return cls(PostgresStore(where))
        from banksman.ledger._sqlite import SqliteStore

        return cls(SqliteStore(Path(where)))

    async def append(self, *drafts: Draft) -> list[Entry]:
        """Record drafts together; they are durable when this returns.

        Raises:
            StorageError: nothing was recorded.
        """
        # The hop to the writer thread and back costs as much as a commit on a fast disk. A run that writes alone
        # commits where it stands; many runs, or a slow disk, go through the thread and share commits.
        if self.store.quick and self._pace.alone(drafts[0].run) and self._writing.acquire(blocking=False):
            try:
                if self._jobs.empty() and not self._closed:
                    started = time.perf_counter()
                    entries = self.store.write(drafts)
                    self._pace.took(time.perf_counter() - started)
                    return entries
            finally:
                self._writing.release()
        return await asyncio.wrap_future(self._submit(drafts))

    def append_now(self, *drafts: Draft) -> list[Entry]:
        """The same for a thread without an event loop."""
        return self._submit(drafts).result()

    def _submit(self, drafts: Sequence[Draft]) -> Future[list[Entry]]:
        future: Future[list[Entry]] = Future()
        with self._closing:
            if self._closed:
                raise StorageError("the ledger is closed")
            self._jobs.put((list(drafts), future))
        return future

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            jobs = [job]
            # Whatever came in during the last commit shares the next one.
            ended = False
            while len(jobs) < 256:
                try:
                    more = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    ended = True
                    break
                jobs.append(more)
            # Who stopped waiting before this moment gets nothing recorded; from now on it is too late for that.
            wanted = [one for one in jobs if one[1].set_running_or_notify_cancel()]
            if wanted:
                self._commit(wanted)
            if ended:
                return

    def _commit(self, jobs: list[_Job]) -> None:
        try:
            with self._writing:
                started = time.perf_counter()
                entries = self.store.write([draft for drafts, _ in jobs for draft in drafts])
                self._pace.took(time.perf_counter() - started)
        except Exception as error:
            if len(jobs) == 1:
                jobs[0][1].set_exception(error)
                return
            # One job's fault (a value that cannot be encoded) must not fail its neighbours.
            for job in jobs:
                self._commit([job])
            return
        start = 0
        for drafts, future in jobs:
            future.set_result(entries[start : start + len(drafts)])
            start += len(drafts)

    def entries(self, run: str, after: int = 0) -> list[Entry]:
        """The entries of a run, in order; empty for a run that is not known."""
        return self.store.read(run, after)

    def of_kind(self, *kinds: str) -> list[Entry]:
        """All entries of some kinds, oldest first."""
        return self.store.of_kind(*kinds)

    async def changes(self, interval: float = 0.03) -> AsyncIterator[None]:
        """Yields at once, and then whenever another process may have written. `interval` is in seconds."""
        seen: int | None = None
        while True:
            with contextlib.suppress(StorageError):
                # Microseconds in a local file; a round trip to a server waits in a thread of anyio's, since the default
                # one of the loop may belong to somebody else.
                version = self.store.version() if self.store.quick else await to_thread.run_sync(self.store.version)
                if version != seen:
                    seen = version
                    yield
            await asyncio.sleep(interval)

    def close(self) -> None:
        """Wait for what is under way, and close."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()
        self.store.close()
