"""The write-ahead record: an intent is on disk before its request leaves, an outcome right after."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol
from weakref import WeakKeyDictionary

from anyio import to_thread

from banksman.errors import StorageError
from banksman.ledger._entry import Draft, Entry
from banksman.ledger._writer import Gathering, Results, Writer


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


class Ledger:
    """Appends durably, in one thread that commits what has gathered; reads beside it.

    Each run has a chain of its own, so runs do not wait for one another's hashes, and one run can be handed to an
    auditor as one file.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._writing = threading.Lock()
        self._pace = _Pace()
        self._writer = Writer(self._commit)
        self._gatherings: WeakKeyDictionary[asyncio.AbstractEventLoop, Gathering] = WeakKeyDictionary()

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
        loop = asyncio.get_running_loop()
        gathering = self._gatherings.get(loop)
        if gathering is None:
            gathering = self._gatherings[loop] = Gathering(self._writer)
        quick = self.store.quick and self._pace.alone(drafts[0].run) and gathering.is_idle
        if quick and self._writing.acquire(blocking=False):
            try:
                if self._writer.is_idle:
                    return self._timed(drafts)
            finally:
                self._writing.release()
        return await gathering.append(drafts)

    def append_now(self, *drafts: Draft) -> list[Entry]:
        """The same for a thread without an event loop."""
        told: Future[Results] = Future()
        self._writer.hand_in([drafts], told.set_result)
        result = told.result()[0]
        if isinstance(result, Exception):
            raise result
        return result

    def _commit(self, drafts: Sequence[Draft]) -> list[Entry]:
        with self._writing:
            return self._timed(drafts)

    def _timed(self, drafts: Sequence[Draft]) -> list[Entry]:
        started = time.perf_counter()
        entries = self.store.write(drafts)
        self._pace.took(time.perf_counter() - started)
        return entries

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
        for gathering in list(self._gatherings.values()):
            gathering.send()
        if self._writer.close():
            self.store.close()
