"""The catalog file: SQLite, opened read-only by many processes, and replaced as a whole.

    systems       a row for each system: where it came from, provider facts, what was refused
    entries       a row for each operation; all but a few columns is compressed JSON
    definitions   the shared schemas of a system, each once

Nothing ever changes inside a catalog file that stands in its place: additions are made in a copy, which then takes
the place by one rename. So a reader needs no lock, and what it has open stays whole. Compressed values use a
dictionary of their system's own words, which makes small documents smaller by half.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from pydantic_core import from_json

from banksman.catalog.entry import Entry, Provider, Report
from banksman.catalog.schemas import Json
from banksman.errors import ConfigError, UnknownName

#: SQLite's `application_id`: the letters BKCT.
APPLICATION = 0x424B4354
#: SQLite's `user_version`: the format of the tables and of the documents in them.
FORMAT = 1
#: An input schema with more shared schemas than this is cut: what lies deeper takes anything.
MOST_DEFINITIONS = 400


class Catalog:
    """A catalog file, read-only. Close it, or use it in a `with` statement; not to be shared between threads.

    Raises:
        ConfigError: there is no such file, it is no catalog, or its format is another; says what to do.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self._identity = _identity(self.path)
            # `immutable`: the file never changes in place, so SQLite may leave out its locks.
            uri = f"file:{quote(str(self.path.absolute()))}?mode=ro&immutable=1"
            self.connection = sqlite3.connect(uri, uri=True, cached_statements=32)
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(
                f"catalog {self.path} cannot be opened: {error}", hint="Make one: banksman catalog add SOURCE"
            ) from None
        try:
            check_format(self.connection, self.path)
        except ConfigError:
            self.connection.close()
            raise
        self.connection.row_factory = sqlite3.Row
        self._inflate = lru_cache(maxsize=16)(self._dictionary)

    @classmethod
    def over(cls, connection: sqlite3.Connection) -> Catalog:
        """The catalog that a connection is writing, to be read before it takes its place."""
        made = cls.__new__(cls)
        made.path, made._identity, made.connection = Path(), (0, 0, 0, 0), connection
        connection.row_factory = sqlite3.Row
        made._inflate = lru_cache(maxsize=16)(made._dictionary)
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    @property
    def replaced(self) -> bool:
        """Whether another file has taken the place of the one that is open."""
        try:
            return _identity(self.path) != self._identity
        except OSError:
            return True

    def systems(self) -> list[str]:
        """The names of the compiled systems."""
        return [row[0] for row in self.connection.execute("SELECT name FROM systems ORDER BY name")]

    def names(self, system: str | None = None) -> Iterator[str]:
        """The full names of the entries, of one system or of all."""
        where, values = ("", ()) if system is None else (" WHERE system = ?", (self._system(system)["id"],))
        for row in self.connection.execute(f"SELECT name FROM entries{where} ORDER BY name", values):  # noqa: S608
            yield row[0]

    def count(self) -> int:
        """How many entries there are."""
        return int(self.connection.execute("SELECT coalesce(sum(operations), 0) FROM systems").fetchone()[0])

    def provider(self, system: str) -> Provider:
        """What holds for a system as a whole.

        Raises:
            UnknownName: it is not in the catalog.
        """
        row = self._system(system)
        return Provider(**from_json(zlib.decompress(row["provider"])))

    def report(self, system: str) -> Report:
        """What came of compiling a system: what was refused and why, what was mended."""
        return Report.parse(from_json(zlib.decompress(self._system(system)["report"])))

    def origin(self, system: str) -> dict[str, str]:
        """Where a system was compiled from: `source`, `digest` (SHA-256 of the description), `version`, `added`."""
        row = self._system(system)
        return {name: row[name] for name in ("source", "digest", "version", "added")}

    def entry(self, name: str) -> Entry:
        """One operation, by its full name.

        Raises:
            UnknownName: there is none; lists near ones of the same system.
        """
        row = self.connection.execute(_ONE, (name,)).fetchone()
        if row is None:
            system = name.partition(".")[0]
            raise UnknownName("action in the catalog", name, self.names(str(self._system(system)["name"])))
        return self._entry(row)

    def entries(self, system: str | None = None) -> Iterator[Entry]:
        """All entries, of one system or of all, in the order of their descriptions; one in memory at a time."""
        cursor = self.connection.execute(_ALL) if system is None else self.connection.execute(_OF, (system,))
        for row in cursor:
            yield self._entry(row)

    def input_schema(self, entry: Entry, *, most: int = MOST_DEFINITIONS) -> Json:
        """The schema of an entry's arguments, self-contained; members that only the system sets are left out."""
        return self._contained(entry.system, entry.input, most, inputs=True)

    def output_schema(self, entry: Entry, *, most: int = MOST_DEFINITIONS) -> Json | None:
        """The schema of an entry's answer, self-contained; None where the description says nothing."""
        return None if entry.output is None else self._contained(entry.system, entry.output, most, inputs=False)

    def definition(self, system: str, name: str) -> Json | None:
        """One shared schema of a system."""
        row = self.connection.execute(_DEFINITION, (system, name)).fetchone()
        return None if row is None else self._read(system, row[0])

    def _contained(self, system: str, schema: Json, most: int, *, inputs: bool) -> Json:
        found: Json = {}
        waiting = list(references(schema))
        while waiting:
            name = waiting.pop(0)
            if name in found:
                continue
            if len(found) >= most:
                found[name] = {"description": "Not shown here: the schema is too large."}
                continue
            definition = self.definition(system, name) or {}
            found[name] = without_read_only(definition) if inputs else definition
            waiting += references(found[name])
        return {**schema, "$defs": found} if found else schema

    def _system(self, name: str) -> Mapping[str, Any]:
        row = self.connection.execute("SELECT * FROM systems WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise UnknownName("system in the catalog", name, self.systems())
        return dict(row)

    def _dictionary(self, system: str) -> bytes:
        row = self.connection.execute("SELECT dictionary FROM systems WHERE name = ?", (system,)).fetchone()
        return zlib.decompress(row[0])

    def _read(self, system: str, value: bytes) -> Any:
        return from_json(zlib.decompressobj(zdict=self._inflate(system)).decompress(value))

    def _entry(self, row: sqlite3.Row) -> Entry:
        return Entry.parse(row["system"], dict(row), self._read(row["system"], row["body"]))


_COLUMNS = (
    "SELECT entries.name, systems.name AS system, effect, reviewed, deprecated, summary, body "
    "FROM entries JOIN systems ON systems.id = entries.system"
)
_ONE = f"{_COLUMNS} WHERE entries.name = ?"
_OF = f"{_COLUMNS} WHERE systems.name = ? ORDER BY entries.id"
_ALL = f"{_COLUMNS} ORDER BY entries.id"
_DEFINITION = (
    "SELECT body FROM definitions WHERE system = (SELECT id FROM systems WHERE name = ?) AND definitions.name = ?"
)


def check_format(connection: sqlite3.Connection, path: Path) -> None:
    """Whether a file is a catalog of this format.

    Raises:
        ConfigError: it is not; says what to do.
    """
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise ConfigError(f"{path} is no catalog: {error}") from None
    if application != APPLICATION:
        raise ConfigError(f"{path} is no catalog of Banksman")
    if version > FORMAT:
        raise ConfigError(
            f"catalog {path} has format {version}; this version of Banksman reads up to {FORMAT}",
            hint="Upgrade Banksman, or make the catalog again.",
        )
    if version < FORMAT:
        raise ConfigError(
            f"catalog {path} has format {version}, and {FORMAT} is needed", hint="Run: banksman catalog migrate"
        )


def _identity(path: Path) -> tuple[int, int, int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def subschemas(schema: Any) -> Iterator[Json]:
    """The schema and all within it, without the values that it only mentions (`default`, `enum`)."""
    waiting = [schema]
    while waiting:
        held = waiting.pop()
        if type(held) is not dict:
            continue
        yield held
        for key, value in held.items():
            if key in _MAPS and type(value) is dict:
                waiting.extend(value.values())
            elif key in _INNER:
                waiting.extend(value if type(value) is list else (value,))


_MAPS = frozenset({"properties", "patternProperties", "$defs"})
_INNER = frozenset({"items", "prefixItems", "allOf", "anyOf", "oneOf", "not", "additionalProperties"})


def references(schema: Any) -> Iterator[str]:
    """The names of the shared schemas that a schema refers to."""
    for held in subschemas(schema):
        reference = held.get("$ref")
        if type(reference) is str:
            yield reference.removeprefix("#/$defs/")


def without_read_only(schema: Json) -> Json:
    """The schema without the members that only the system sets."""
    properties = schema.get("properties")
    made = dict(schema)
    if type(properties) is dict:
        made["properties"] = {
            name: without_read_only(member) if type(member) is dict else member
            for name, member in properties.items()
            if not (type(member) is dict and member.get("readOnly") is True)
        }
    for key in ("allOf", "anyOf", "oneOf"):
        if type(schema.get(key)) is list:
            made[key] = [without_read_only(part) if type(part) is dict else part for part in schema[key]]
    return made
