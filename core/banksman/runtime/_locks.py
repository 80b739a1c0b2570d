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

from banksman.errors import StorageError

if TYPE_CHECKING:
    import psycopg


class Locks(Protocol):
    """Named locks. A lock is held by one process until it lets go or dies."""

    def take(self, name: str) -> bool:
        """Try to take a lock; False where another process holds it."""

    def release(self, name: str) -> None:
        """Let go of a lock."""

    def close(self) -> None:
        """Let go of all."""


class FileLocks:
    """Lock files in one folder, by `flock`: the kernel frees them when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}
        self._guard = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"the folder {folder.name} for locks cannot be made: {error}") from error

    def take(self, name: str) -> bool:
        with self._guard:
            if name in self._held:
                return False
            try:
                handle = os.open(self._folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise StorageError(f"the lock {name} cannot be taken: {error}") from error
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(handle)
                return False
            self._held[name] = handle
            return True

    def release(self, name: str) -> None:
        with self._guard:
            handle = self._held.pop(name, None)
            if handle is not None:
                os.close(handle)

    def close(self) -> None:
        for name in list(self._held):
            self.release(name)


class PostgresLocks:
    """Advisory locks of one session: PostgreSQL frees them when the connection ends."""

    def __init__(self, url: str) -> None:
        import psycopg

        self._guard = threading.Lock()
        self._held: set[str] = set()
        try:
            self._connection: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True, connect_timeout=10)
        except psycopg.Error as error:
            raise StorageError(f"PostgreSQL cannot be reached for locks: {str(error).strip()}") from error

    def take(self, name: str) -> bool:
        with self._guard:
            if name in self._held:
                return False
            row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (_number(name),)).fetchone()
            taken = bool(row and row[0])
            if taken:
                self._held.add(name)
            return taken

    def release(self, name: str) -> None:
        with self._guard:
            if name in self._held:
                self._held.discard(name)
                self._connection.execute("SELECT pg_advisory_unlock(%s)", (_number(name),))

    def close(self) -> None:
        with self._guard:
            self._held.clear()
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
