"""Locks that die with their process: executor slots, and one runner per run."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from banksman.errors import StorageError

if TYPE_CHECKING:
    import psycopg


class Locks(Protocol):
    """Named locks. A lock is held by one process until it lets go or dies."""

    #: Whether asking is quick enough to be done on an event loop.
    quick: bool

    def take(self, name: str) -> bool:
        """Try to take a lock; False where somebody holds it.

        Raises:
            StorageError: it cannot be told.
        """

    def check(self) -> None:
        """Make sure that what was taken is still held.

        Raises:
            StorageError: it is not, or that cannot be told; whoever relies on a lock has to stop.
        """

    def release(self, name: str) -> None:
        """Let go of a lock."""

    def close(self) -> None:
        """Let go of all."""


class FileLocks:
    """Lock files in one folder, by `flock`: the kernel frees them when the process ends, however it ends."""

    quick = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}
        self._guard = threading.Lock()
        _forked.add(self)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"the folder {folder.name} for locks cannot be made: {error}") from error

    def take(self, name: str) -> bool:
        with self._guard:
            if name in self._held:
                return False
            try:
                handle = self._lock(self._folder / f"{name}.lock")
            except OSError as error:
                raise StorageError(f"the lock {name} cannot be taken: {error}") from error
            if handle is None:
                return False
            self._held[name] = handle
            return True

    def _lock(self, path: Path) -> int | None:
        while True:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Its last holder may have deleted the file between our two calls: then we hold a lock on nothing.
                if os.path.samestat(os.fstat(handle), path.stat()):
                    return handle
            except BlockingIOError:
                os.close(handle)
                return None
            except FileNotFoundError:
                pass
            except OSError:
                os.close(handle)
                raise
            os.close(handle)

    def check(self) -> None:
        """The kernel takes no lock away from a living process."""

    def release(self, name: str) -> None:
        with self._guard:
            handle = self._held.pop(name, None)
            if handle is not None:
                # Deleted while it is held, so that a folder does not fill with one file for each run there ever was.
                path = self._folder / f"{name}.lock"
                with contextlib.suppress(OSError):
                    if os.path.samestat(os.fstat(handle), path.stat()):
                        path.unlink()
                os.close(handle)

    def close(self) -> None:
        for name in list(self._held):
            self.release(name)


#: A fork inherits open files, and with them locks; the child must not hold on to what its parent lets go of by dying.
_forked: WeakSet[FileLocks] = WeakSet()


def _let_go_after_fork() -> None:
    for locks in _forked:
        for handle in locks._held.values():
            os.close(handle)
        locks._held.clear()


os.register_at_fork(after_in_child=_let_go_after_fork)


class PostgresLocks:
    """Advisory locks of one session: PostgreSQL frees them when the connection ends, also when only that ended."""

    quick = False

    def __init__(self, url: str) -> None:
        import psycopg

        self._guard = threading.Lock()
        self._held: set[str] = set()
        try:
            # What answers no more must not look alive for the hours that TCP takes by default.
            self._connection: psycopg.Connection[Any] = psycopg.connect(
                url,
                autocommit=True,
                connect_timeout=10,
                keepalives_idle=5,
                keepalives_interval=2,
                keepalives_count=3,
                tcp_user_timeout=10_000,
            )
        except psycopg.Error as error:
            raise StorageError(f"PostgreSQL cannot be reached for locks: {str(error).strip()}") from error

    def _ask(self, query: str, *values: Any) -> Any:
        import psycopg

        try:
            row = self._connection.execute(query, values).fetchone()
        except psycopg.Error as error:
            told = (str(error).strip().splitlines() or [type(error).__name__])[0]
            hint = "Start this process again; its runs go on from where they were."
            raise StorageError(f"the session that holds the locks is lost: {told}", hint=hint) from error
        return row[0] if row else None

    def take(self, name: str) -> bool:
        with self._guard:
            if name in self._held:
                return False
            taken = bool(self._ask("SELECT pg_try_advisory_lock(%s)", _number(name)))
            if taken:
                self._held.add(name)
            return taken

    def check(self) -> None:
        with self._guard:
            self._ask("SELECT 1")

    def release(self, name: str) -> None:
        with self._guard:
            if name in self._held:
                self._held.discard(name)
                self._ask("SELECT pg_advisory_unlock(%s)", _number(name))

    def close(self) -> None:
        with self._guard:
            self._held.clear()
            # The server notices the end of a connection a little later; whoever starts next should not have to wait.
            with contextlib.suppress(StorageError):
                self._ask("SELECT 1 FROM (SELECT pg_advisory_unlock_all()) AS unlocked")
            self._connection.close()


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"banksman:{name}".encode()).digest()[:8], "big", signed=True)


def locks_for(where: str | Path) -> Locks:
    """Locks beside a SQLite ledger, or in PostgreSQL."""
    if isinstance(where, str) and where.startswith(("postgresql://", "postgres://")):
        return PostgresLocks(where)
    return FileLocks(Path(where).parent / "locks")


def take_slot(locks: Locks, most: int = 1024) -> str:
    """The first free executor slot: a stable id that no other live process has.

    A process that starts after a crash gets the slot of the dead one, and with it the runs that it left.
    """
    for number in range(most):
        name = f"executor-{number}"
        if locks.take(name):
            return name
    raise StorageError(f"all {most} executor slots are taken", hint="Stop some of the processes.")


@contextmanager
def held(locks: Locks, name: str) -> Iterator[bool]:
    """Hold a lock for a block; yields whether it could be had."""
    taken = locks.take(name)
    try:
        yield taken
    finally:
        if taken:
            with contextlib.suppress(Exception):
                locks.release(name)
