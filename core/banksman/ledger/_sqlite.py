"""The ledger in one SQLite file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from banksman.errors import StorageError
from banksman.ledger._entry import Draft, Entry, chained, origin

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    run TEXT NOT NULL,
    number INTEGER NOT NULL,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    call TEXT NOT NULL,
    text TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_of_runs ON entries (kind, at) WHERE call = '';
"""
_COLUMNS = "run, number, at, kind, call, text, previous, hash"


class SqliteStore:
    """One writing connection, and one reading connection that never waits for it (WAL)."""

    quick = True

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect()
            self._writer.executescript(_SCHEMA)
            self._reader = self._connect()
        except (sqlite3.Error, OSError) as error:
            raise _translated(path, error) from error
        self._reading = threading.Lock()
        self._tips: dict[str, tuple[int, str]] = {}
        self._seen = self._data_version()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=30)
        connection.execute("PRAGMA journal_mode=WAL")
        # FULL: a commit is on disk before the request leaves. With NORMAL a power cut could forget an intent whose
        # write arrived, and the run would send it again.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA busy_timeout=30000")
        return connection

    def _data_version(self) -> int:
        return int(self._writer.execute("PRAGMA data_version").fetchone()[0])

    def write(self, drafts: Sequence[Draft]) -> list[Entry]:
        """Record drafts in one commit. Called by one thread only.

        Raises:
            StorageError: nothing was recorded.
        """
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                entries = self._insert(drafts)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            self._tips.clear()
            raise _translated(self.path, error) from error
        for entry in entries:
            if entry.kind == "run.ended":
                self._tips.pop(entry.run, None)
            else:
                self._tips[entry.run] = (entry.number, entry.hash)
        return entries

    def _insert(self, drafts: Sequence[Draft]) -> list[Entry]:
        # Another process may have added an approval to one of our runs; then remembered tips are worth nothing.
        version = self._data_version()
        if version != self._seen:
            self._tips.clear()
            self._seen = version
        fresh: dict[str, tuple[int, str]] = {}
        entries: list[Entry] = []
        for draft in drafts:
            number, previous = fresh.get(draft.run) or self._tip(draft.run)
            entry = chained(draft, number + 1, previous)
            fresh[draft.run] = (entry.number, entry.hash)
            entries.append(entry)
        self._writer.executemany(
            f"INSERT INTO entries ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?)",  # noqa: S608  (constants only)
            [(e.run, e.number, e.at, e.kind, e.call, e.text, e.previous, e.hash) for e in entries],
        )
        return entries

    def _tip(self, run: str) -> tuple[int, str]:
        if run not in self._tips:
            row = self._writer.execute(
                "SELECT number, hash FROM entries WHERE run = ? ORDER BY number DESC LIMIT 1", (run,)
            ).fetchone()
            return (row[0], row[1]) if row else (0, origin(run))
        return self._tips[run]

    def read(self, run: str, after: int = 0) -> list[Entry]:
        """The entries of a run, in order."""
        return self._select("run = ? AND number > ? ORDER BY number", (run, after))

    def of_kind(self, *kinds: str) -> list[Entry]:
        """All entries of some kinds, oldest first."""
        marks = ",".join("?" * len(kinds))
        # What is about a run as a whole names no call, and only that is indexed: calls are many.
        whole = "" if any(kind.startswith("call.") for kind in kinds) else "AND call = ''"
        return self._select(f"kind IN ({marks}) {whole} ORDER BY at", kinds)

    def _select(self, where: str, values: Sequence[object]) -> list[Entry]:
        with self._reading:
            try:
                rows = self._reader.execute(f"SELECT {_COLUMNS} FROM entries WHERE {where}", values).fetchall()  # noqa: S608
            except sqlite3.Error as error:
                raise _translated(self.path, error) from error
        return [Entry(*row) for row in rows]

    def version(self) -> int:
        """Changes when another connection has written: 2 microseconds to ask."""
        with self._reading:
            try:
                return int(self._reader.execute("PRAGMA data_version").fetchone()[0])
            except sqlite3.Error as error:
                raise _translated(self.path, error) from error

    def close(self) -> None:
        """Close both connections."""
        self._writer.close()
        with self._reading:
            self._reader.close()


def _translated(path: Path, error: Exception) -> StorageError:
    text = str(error)
    if "full" in text or "No space" in text:
        hint = "Free some disk space, then resume the run; nothing was sent that is not recorded."
    elif "malformed" in text or "not a database" in text:
        hint = "Restore the file from a backup; do not delete it, it says what was done."
    else:
        hint = "Check the folder's permissions and free space."
    return StorageError(f"the ledger {path.name} cannot be used: {text}", hint=hint)
