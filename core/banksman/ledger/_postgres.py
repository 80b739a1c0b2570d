"""The ledger in PostgreSQL, for several workers."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from banksman.errors import StorageError
from banksman.ledger._entry import Draft, Entry, chained, origin

if TYPE_CHECKING:
    import psycopg

_SCHEMA = """
CREATE SCHEMA IF NOT EXISTS banksman;
CREATE TABLE IF NOT EXISTS banksman.entries (
    run text NOT NULL,
    number bigint NOT NULL,
    at text NOT NULL,
    kind text NOT NULL,
    call text NOT NULL,
    text text NOT NULL,
    previous text NOT NULL,
    hash text NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (run, number)
);
CREATE INDEX IF NOT EXISTS entries_by_kind ON banksman.entries (kind, at);
CREATE INDEX IF NOT EXISTS entries_by_position ON banksman.entries (position);
"""
#: One after the other writes to a run, in the order in which they came; in the order of the numbers, so that two
#: that write to the same runs do not wait for each other.
_QUEUE = """
SELECT pg_advisory_xact_lock(number) FROM (
    SELECT DISTINCT hashtextextended('banksman.ledger:' || run, 0) AS number FROM unnest(%s::text[]) AS run ORDER BY 1
) AS numbers
"""
#: How often a write is tried anew when the connection breaks.
_TRIES = 3
_COLUMNS = "run, number, at, kind, call, text, previous, hash"


class PostgresStore:
    """One writing and one reading connection; a lost one is opened anew on the next use."""

    quick = False

    def __init__(self, url: str) -> None:
        self._url = url
        self._writer: psycopg.Connection[Any] | None = None
        self._reader: psycopg.Connection[Any] | None = None
        self._reading = threading.Lock()
        with self._open() as connection:
            # Two processes that start together would both create the schema; one waits for the other.
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('banksman.schema'))")
            connection.execute(_SCHEMA)

    def _open(self) -> psycopg.Connection[Any]:
        import psycopg

        try:
            return psycopg.connect(self._url, connect_timeout=10)
        except psycopg.Error as error:
            raise _translated(error) from error

    def write(self, drafts: Sequence[Draft]) -> list[Entry]:
        """Record drafts in one commit. Called by one thread only.

        Raises:
            StorageError: nothing was recorded.
        """
        import psycopg

        tried: list[Entry] = []
        for attempt in range(1, _TRIES + 1):
            try:
                if self._writer is None or self._writer.closed:
                    self._writer = self._open()
                if tried and self._is_there(self._writer, tried[0]):
                    return tried
                with self._writer.transaction():
                    tried = self._chain(self._writer, drafts)
                    self._insert(self._writer, tried)
                return tried
            except psycopg.OperationalError as error:
                # The connection may have broken after the commit; then what was tried is there.
                self._drop_writer()
                if attempt == _TRIES:
                    raise _translated(error) from error
            except psycopg.Error as error:
                raise _translated(error) from error
        raise AssertionError

    def _is_there(self, connection: psycopg.Connection[Any], entry: Entry) -> bool:
        query = "SELECT 1 FROM banksman.entries WHERE run = %s AND number = %s AND hash = %s"
        with connection.transaction():
            return connection.execute(query, (entry.run, entry.number, entry.hash)).fetchone() is not None

    def _drop_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _chain(self, connection: psycopg.Connection[Any], drafts: Sequence[Draft]) -> list[Entry]:
        runs = list({draft.run for draft in drafts})
        connection.execute(_QUEUE, (runs,))
        tips: dict[str, tuple[int, str]] = {run: (0, origin(run)) for run in runs}
        rows = connection.execute(
            "SELECT DISTINCT ON (run) run, number, hash FROM banksman.entries WHERE run = ANY(%s) "
            "ORDER BY run, number DESC",
            (runs,),
        )
        tips.update({run: (number, mark) for run, number, mark in rows})
        entries: list[Entry] = []
        for draft in drafts:
            number, previous = tips[draft.run]
            entry = chained(draft, number + 1, previous)
            tips[draft.run] = (entry.number, entry.hash)
            entries.append(entry)
        return entries

    def _insert(self, connection: psycopg.Connection[Any], entries: Sequence[Entry]) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO banksman.entries ({_COLUMNS}) VALUES (%s,%s,%s,%s,%s,%s,%s,%s)",  # noqa: S608
                [(e.run, e.number, e.at, e.kind, e.call, e.text, e.previous, e.hash) for e in entries],
            )

    def read(self, run: str, after: int = 0) -> list[Entry]:
        """The entries of a run, in order."""
        return self._select("run = %s AND number > %s ORDER BY number", (run, after))

    def of_kind(self, *kinds: str) -> list[Entry]:
        """All entries of some kinds, oldest first."""
        return self._select("kind = ANY(%s) ORDER BY position", (list(kinds),))

    def _select(self, where: str, values: Sequence[Any]) -> list[Entry]:
        query = f"SELECT {_COLUMNS} FROM banksman.entries WHERE {where}"  # noqa: S608
        return [Entry(*row) for row in self._query(query, values)]

    def _query(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        import psycopg

        with self._reading:
            for attempt in (1, 2):
                try:
                    if self._reader is None or self._reader.closed:
                        self._reader = self._open()
                        self._reader.autocommit = True
                    return self._reader.execute(query, values).fetchall()
                except psycopg.Error as error:
                    if self._reader is not None:
                        self._reader.close()
                        self._reader = None
                    if attempt == 2:
                        raise _translated(error) from error
        raise AssertionError

    def version(self) -> int:
        """Changes when anybody has written."""
        return int(self._query("SELECT coalesce(max(position), 0) FROM banksman.entries")[0][0])

    def close(self) -> None:
        """Close both connections."""
        self._drop_writer()
        with self._reading:
            if self._reader is not None:
                self._reader.close()
                self._reader = None


def _translated(error: Exception) -> StorageError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return StorageError(
        f"the ledger's database cannot be used: {first}",
        hint="Check that PostgreSQL is up and the --database address is right; then resume the run.",
    )
