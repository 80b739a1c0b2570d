"""Writes a catalog file: into a copy, which then takes the place of the old one at once."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from banksman.catalog.compile._model import Compiler
from banksman.catalog.entry import Entry, Report
from banksman.catalog.schemas import Json
from banksman.catalog.store import APPLICATION, FORMAT
from banksman.errors import ConfigError

_TABLES = """
CREATE TABLE systems (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, title TEXT NOT NULL, source TEXT NOT NULL,
    digest TEXT NOT NULL, version TEXT NOT NULL, added TEXT NOT NULL, operations INTEGER NOT NULL,
    provider BLOB NOT NULL, report BLOB NOT NULL, dictionary BLOB NOT NULL
);
CREATE TABLE entries (
    id INTEGER PRIMARY KEY, system INTEGER NOT NULL REFERENCES systems(id), name TEXT NOT NULL,
    effect TEXT NOT NULL, reviewed INTEGER NOT NULL, deprecated INTEGER NOT NULL, summary TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE definitions (
    system INTEGER NOT NULL REFERENCES systems(id), name TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (system, name)
) WITHOUT ROWID;
"""
# The index is made after the rows: that is quicker, and the file is smaller.
_INDEX = "CREATE UNIQUE INDEX IF NOT EXISTS entries_by_name ON entries (name)"
_OF_SYSTEM = "CREATE INDEX IF NOT EXISTS entries_by_system ON entries (system)"
_INSERT_ENTRY = (
    "INSERT INTO entries (system, name, effect, reviewed, deprecated, summary, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
)

#: What leads from one format to the next, by the format it starts from.
MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {}

#: Seconds to wait for another process that replaces the same catalog.
PATIENCE = 60.0

_DICTIONARY_SIZE = 16 * 1024
_SAMPLED = 64


class Builder:
    """Adds systems to a catalog that is not in its place yet. Made by `replacing`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def source(self, system: str) -> str | None:
        """Where a system that is in it came from; None where it is not in it."""
        row = self._connection.execute("SELECT source FROM systems WHERE name = ?", (system,)).fetchone()
        return None if row is None else str(row[0])

    def remove(self, system: str) -> None:
        """Take a system out, if it is there."""
        row = self._connection.execute("SELECT id FROM systems WHERE name = ?", (system,)).fetchone()
        if row is not None:
            for table in ("entries", "definitions"):
                self._connection.execute(f"DELETE FROM {table} WHERE system = ?", row)  # noqa: S608
            self._connection.execute("DELETE FROM systems WHERE id = ?", row)

    def add(self, compiler: Compiler, source: str, digest: str = "") -> Report:
        """Compile a system into the catalog, in the place of one of the same name.

        Args:
            source: where the description came from, to be shown.
            digest: of the description, to tell later whether it changed.

        Raises:
            DescriptionError: it cannot be used as a whole; nothing was added.
        """
        self._connection.execute("SAVEPOINT one_system")
        try:
            report = self._add(compiler, source, digest)
        except BaseException:
            self._connection.execute("ROLLBACK TO one_system")
            self._connection.execute("RELEASE one_system")
            raise
        self._connection.execute("RELEASE one_system")
        return report

    def _add(self, compiler: Compiler, source: str, digest: str) -> Report:
        provider = compiler.provider
        self.remove(provider.name)
        system = self._connection.execute("SELECT coalesce(max(id), 0) + 1 FROM systems").fetchone()[0]
        entries = compiler.entries()
        first = list(islice(entries, _SAMPLED))
        packing = _Packing(first)
        self._connection.executemany(_INSERT_ENTRY, (_row(system, entry, packing) for entry in _chain(first, entries)))
        self._connection.executemany(
            "INSERT INTO definitions (system, name, body) VALUES (?, ?, ?)",
            ((system, name, packing.pack(schema)) for name, schema in compiler.definitions()),
        )
        report = compiler.report
        self._connection.execute(
            "INSERT INTO systems VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                system, provider.name, provider.title, source, digest, provider.version,
                datetime.now(timezone.utc).isoformat(timespec="seconds"), report.operations,
                zlib.compress(to_json(provider.document())), zlib.compress(to_json(report.document())),
                zlib.compress(packing.dictionary),
            ),
        )  # fmt: skip
        return report


def _chain(first: list[Entry], rest: Iterator[Entry]) -> Iterator[Entry]:
    yield from first
    first.clear()
    yield from rest


def _row(system: int, entry: Entry, packing: _Packing) -> tuple[Any, ...]:
    body = packing.pack(entry.document())
    return system, entry.name, entry.effect.value, int(entry.reviewed), int(entry.deprecated), entry.summary, body


class _Packing:
    """Compresses with a dictionary made of a system's first documents."""

    def __init__(self, first: list[Entry]) -> None:
        share = _DICTIONARY_SIZE // max(1, min(len(first), 16))
        self.dictionary = b"".join(to_json(entry.document())[:share] for entry in first[:16]) or b"{}"
        self._fresh = zlib.compressobj(level=3, zdict=self.dictionary)

    def pack(self, document: Mapping[str, Any] | Json) -> bytes:
        """The document as compressed JSON."""
        packer = self._fresh.copy()
        return packer.compress(to_json(document)) + packer.flush()


@contextmanager
def replacing(path: str | PathLike[str], *, keep: bool = True, index: bool = True) -> Iterator[Builder]:
    """A catalog in the making: leaves its place untouched until the block ends well, then replaces it at once.

    Args:
        keep: start from what the catalog holds; otherwise from an empty one.
        index: whether to make the search index, which takes a while; without it, search finds nothing.

    Raises:
        ConfigError: what stands there is no catalog, or another process is replacing it for over a minute.
    """
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    with _alone(place):
        descriptor, name = tempfile.mkstemp(prefix=f".{place.name}.", suffix=".new", dir=place.parent)
        os.close(descriptor)
        making = Path(name)
        try:
            with closing(sqlite3.connect(making, isolation_level=None)) as connection:
                _begin(connection, place if keep and place.exists() else None)
                yield Builder(connection)
                _finish(connection, index)
            _take_place(making, place)
        finally:
            making.unlink(missing_ok=True)


def migrate(path: str | PathLike[str]) -> int:
    """Bring a catalog to this version's format, in a copy that then replaces it. Returns the format it had.

    Raises:
        ConfigError: it is no catalog, is newer, or is so old that it has to be made again.
    """
    with closing(sqlite3.connect(path)) as connection:
        before = int(connection.execute("PRAGMA user_version").fetchone()[0])
    with replacing(path, index=False):
        return before


def _begin(connection: sqlite3.Connection, old: Path | None) -> None:
    if old is None:
        connection.execute("PRAGMA page_size = 8192")
    else:
        with closing(sqlite3.connect(old)) as source:
            _check_migratable(source, old)
            source.backup(connection)
    # The copy is worth nothing until it is complete, so it needs no journal but for taking one system back.
    connection.execute("PRAGMA journal_mode = MEMORY")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -16000")
    connection.execute("BEGIN")
    if old is None:
        for statement in _TABLES.strip().split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
    else:
        for version in range(_version(connection), FORMAT):
            MIGRATIONS[version](connection)
        connection.execute("DROP INDEX IF EXISTS entries_by_name")
    connection.execute(_OF_SYSTEM)
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check_migratable(connection: sqlite3.Connection, path: Path) -> None:
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = _version(connection)
    except sqlite3.DatabaseError as error:
        raise ConfigError(f"{path} is no catalog: {error}", hint="Name another file.") from None
    if application != APPLICATION:
        raise ConfigError(f"{path} is no catalog of Banksman", hint="Name another file.")
    if version > FORMAT:
        raise ConfigError(
            f"catalog {path} has format {version}; this version writes {FORMAT}", hint="Upgrade Banksman."
        )
    if any(step not in MIGRATIONS for step in range(version, FORMAT)):
        raise ConfigError(f"catalog {path} has format {version}, which is too old", hint="Make the catalog again.")


def _finish(connection: sqlite3.Connection, index: bool) -> None:
    try:
        connection.execute(_INDEX)
    except sqlite3.IntegrityError as error:
        raise ConfigError(f"two systems hold entries of the same name: {error}") from None
    if index:
        from banksman.catalog.documents import index_entries

        index_entries(connection)
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = DELETE")


def _take_place(making: Path, place: Path) -> None:
    with making.open("rb+") as file:
        os.fsync(file.fileno())
    making.chmod(0o644)
    making.replace(place)
    if os.name == "posix":
        folder = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """One writer at a time: an SQLite lock, which ends with the process that holds it on every platform."""
    lock = place.with_name(f".{place.name}.lock")
    with closing(sqlite3.connect(lock, timeout=PATIENCE, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise ConfigError(
                f"catalog {place}: another process is replacing it ({error})", hint="Try later."
            ) from None
        yield
        connection.execute("ROLLBACK")
