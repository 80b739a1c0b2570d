"""SQLite through the standard library. https://www.sqlite.org/lang.html

SQLite itself checks each statement while it compiles it (its authorizer), so that what a statement may do does not
rest on the parser alone.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import quote

from banksman._canonical import exact
from banksman.errors import ConfigError, Rejected
from banksman_connectors.sql.errors import from_sqlite
from banksman_connectors.sql.lexing import Text, rendered
from banksman_connectors.sql.schema import Table, TableName
from banksman_connectors.sql.session import Bounds, Mode, Rows, Session, too_large
from banksman_connectors.sql.settings import Dialect
from banksman_connectors.sql.sqlite_catalog import find_table, list_tables, outline

_READING: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_WRITING: Final = _READING | {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}
_NEVER: Final = frozenset(
    {
        sqlite3.SQLITE_ATTACH,
        sqlite3.SQLITE_DETACH,
        sqlite3.SQLITE_PRAGMA,
        sqlite3.SQLITE_TRANSACTION,
        sqlite3.SQLITE_SAVEPOINT,
        sqlite3.SQLITE_CREATE_VTABLE,
    }
)
_UNSAFE: Final = frozenset({"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "zipfile", "fsdir"})
_RANDOM: Final = frozenset({"random", "randomblob", "changes", "total_changes", "last_insert_rowid"})
_CLOCKS: Final = frozenset({"date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff"})
_OLDEST: Final = (3, 37)
_EVERY: Final = 20_000  # instructions of SQLite's machine between looks at the clock


class SqliteSession(Session):
    """One open SQLite file."""

    dialect: ClassVar[Dialect] = "sqlite"

    def __init__(self, path: Path, bounds: Bounds) -> None:
        super().__init__(bounds)
        self._mode = Mode.OWN
        self._deadline = 0.0
        self._path = path
        if sqlite3.sqlite_version_info < _OLDEST:
            raise ConfigError(
                f"SQLite {sqlite3.sqlite_version} is too old", hint="3.37 or newer knows RETURNING and STRICT."
            )
        if not path.is_file():
            raise ConfigError(f"there is no database file {path}", hint="Correct `settings.url` of the connection.")
        try:
            # `mode=rw` never makes a file; no statement cache, since a cached one was authorized in another mode.
            self._connection = sqlite3.connect(
                f"file:{quote(str(path.resolve()))}?mode=rw",
                uri=True,
                timeout=bounds.lock,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=0,
            )
            self._connection.text_factory = _text
            self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(bounds.size, 1_000_000))
            for pragma in ("foreign_keys = ON", "trusted_schema = OFF", "query_only = ON"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            self._file = _identity(path)
        except sqlite3.Error as error:
            raise from_sqlite(error) from None
        self._connection.set_authorizer(self._authorize)
        self._connection.set_progress_handler(lambda: time.monotonic() > self._deadline, _EVERY)

    def _authorize(self, action: int, one: str | None, two: str | None, base: str | None, inner: str | None) -> int:
        if self._mode is Mode.OWN:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and (two or "").lower() in _UNSAFE:
            return sqlite3.SQLITE_DENY
        if self._mode is Mode.DEFINE:
            return sqlite3.SQLITE_DENY if action in _NEVER else sqlite3.SQLITE_OK
        allowed = _READING if self._mode is Mode.READ else _WRITING
        return sqlite3.SQLITE_OK if action in allowed else sqlite3.SQLITE_DENY

    def control(self, sql: str) -> None:
        self.run((sql,))

    def run(
        self, text: Text, parameters: Mapping[str, Any] = {}, *, mode: Mode = Mode.OWN, most: int | None = None
    ) -> Rows:
        bound = {name: bindable(value) for name, value in parameters.items()}
        self._mode = mode
        self._deadline = time.monotonic() + self.bounds.statement
        try:
            cursor = self._connection.execute(rendered(text), bound)
            try:
                return self._fetch(cursor, most, stop=mode is Mode.READ)
            finally:
                cursor.close()
        except (sqlite3.Error, OverflowError, ValueError, UnicodeEncodeError) as error:
            raise from_sqlite(error) from None
        finally:
            self._mode = Mode.OWN

    def _fetch(self, cursor: sqlite3.Cursor, most: int | None, *, stop: bool) -> Rows:
        kept: list[tuple[Any, ...]] = []
        size = count = 0
        for row in cursor:
            count += 1
            if most is None or count <= most:
                values = tuple(_plain(value) for value in row)
                size += sum(len(value) for value in values if isinstance(value, str | bytes))
                if size > self.bounds.size:
                    raise too_large(size, self.bounds.size)
                kept.append(values)
            elif stop:
                break
        columns = tuple(item[0] for item in cursor.description or ())
        return Rows(columns, kept, count)

    def begin(self, mode: Mode) -> None:
        # Reading stays possible for others; a write takes SQLite's one write lock at once, so nothing drifts.
        self.control(f"PRAGMA query_only = {'ON' if mode is Mode.READ else 'OFF'}")
        self.control("BEGIN DEFERRED" if mode is Mode.READ else "BEGIN IMMEDIATE")

    def end(self) -> None:
        self._deadline = time.monotonic() + self.bounds.statement
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise from_sqlite(error, committing=True) from None

    def rollback(self) -> None:
        self._points = 0
        try:
            if self._connection.in_transaction:
                self._deadline = time.monotonic() + self.bounds.statement
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self.close()

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.close()

    @property
    def in_transaction(self) -> bool:
        try:
            return self._connection.in_transaction
        except sqlite3.Error:
            return False

    @property
    def usable(self) -> bool:
        # Another file may have been put in its place.
        return not self.in_transaction and _identity(self._path) == self._file

    def about(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}, {self._path}"

    def tables(self) -> list[tuple[TableName, str]]:
        return list_tables(self)

    def table(self, schema: str | None, name: str) -> Table | None:
        return find_table(self, name) if schema in (None, "", "main") else None

    def outline(self) -> dict[str, dict[str, Any]]:
        return outline(self)

    def refused(self, functions: frozenset[str], *, reading: bool) -> dict[str, str]:
        return dict.fromkeys(functions & _UNSAFE, "it reaches outside the database")

    def unstable(self, functions: frozenset[str], texts: Iterable[Any]) -> frozenset[str]:
        # A date function is a clock only when it is asked for the present: `now`, or no argument at all.
        asked = any(isinstance(text, str) and text.strip().lower() == "now" for text in texts)
        return functions & (_RANDOM | _CLOCKS if asked else _RANDOM)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _text(raw: bytes) -> str | bytes:
    """SQLite does not check its texts; what is not UTF-8 stays as it is."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def bindable(value: Any) -> Any:
    """A plain value as one of SQLite's five types. It has no decimals: those with a float of the same digits become
    it, longer ones stay text.

    Raises:
        Rejected: there is no such form.
    """
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise Rejected(f"SQLite has no number {value}")
        if value == value.to_integral_value() and abs(value) < 2**63:
            return int(value)
        return float(value) if Decimal(repr(float(value))) == value else exact(value)
    if isinstance(value, dict | list):
        from banksman_connectors.sql.values import json_text

        return json_text(value)
    # A Placeholder is a text, but sqlite3 binds subclasses of str only through adapters.
    return str(value) if isinstance(value, str) else value
