"""One connection to a database, used by one thread at a time: transactions, statements, and what is in the schema.

`commit` is the only way in which anything can last, and it asks the gate.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from banksman import _gate
from banksman.errors import CallError, Denied, Rejected
from banksman_connectors.sql.lexing import Text, lex, quoted
from banksman_connectors.sql.schema import Key, Row, Table, TableName
from banksman_connectors.sql.settings import Dialect

if TYPE_CHECKING:
    from banksman_connectors.sql.statement import Statement

#: How many keys go into one WHERE.
_AT_ONCE: Final = 200


class Mode(StrEnum):
    """What the statements of a transaction may do: `own` are those that this connector writes itself."""

    OWN = "own"
    READ = "read"
    WRITE = "write"
    DEFINE = "define"


@dataclass(frozen=True, slots=True)
class Rows:
    """What a statement answered.

    Attributes:
        rows: at most as many as were asked for, values in plain form.
        count: how many there were.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    count: int

    def objects(self) -> list[Row]:
        """The rows keyed by column; a column that comes twice gets a number."""
        names: list[str] = []
        for name in self.columns:
            unique, number = name, 2
            while unique in names:
                unique, number = f"{name}_{number}", number + 1
            names.append(unique)
        return [dict(zip(names, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one connection may take.

    Attributes:
        statement: seconds for one statement.
        rehearsal: seconds for one transaction.
        lock: seconds to wait for somebody else's lock.
        size: bytes of text and binary values that one statement may answer with.
    """

    statement: float
    rehearsal: float
    lock: float
    size: int


class Session(ABC):
    """A connection in use."""

    dialect: ClassVar[Dialect]

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._points = 0

    @abstractmethod
    def control(self, sql: str) -> None:
        """Run a constant statement of this connector that has no rows."""

    @abstractmethod
    def run(
        self, text: Text, parameters: Mapping[str, Any] = {}, *, mode: Mode = Mode.OWN, most: int | None = None
    ) -> Rows:
        """Run one statement.

        Args:
            most: keep so many rows; in reading, stop there.

        Raises:
            CallError: what the database's error means.
        """

    @abstractmethod
    def begin(self, mode: Mode) -> None:
        """Open a transaction that holds one picture of the data."""

    @abstractmethod
    def end(self) -> None:
        """Send COMMIT.

        Raises:
            OutcomeUnknown: no clear answer came.
            CallError: it was refused, and nothing was changed.
        """

    @abstractmethod
    def rollback(self) -> None:
        """Give the transaction up. Never raises: a connection that cannot is closed."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    @property
    @abstractmethod
    def in_transaction(self) -> bool:
        """Whether a transaction is open; the database may have given it up."""

    @property
    @abstractmethod
    def usable(self) -> bool:
        """Whether the connection is there and outside of any transaction."""

    @abstractmethod
    def about(self) -> str:
        """A line for people: which server, which database, as whom."""

    @abstractmethod
    def tables(self) -> list[tuple[TableName, str]]:
        """Every table and view that statements can name, with `table` or `view`."""

    @abstractmethod
    def table(self, schema: str | None, name: str) -> Table | None:
        """A table by its exact name; None where there is none."""

    @abstractmethod
    def outline(self) -> dict[str, dict[str, Any]]:
        """Everything in the schema by name, for the comparison of before and after."""

    @abstractmethod
    def refused(self, functions: frozenset[str], *, reading: bool) -> dict[str, str]:
        """The functions that a statement may not call, with the reason."""

    @abstractmethod
    def unstable(self, functions: frozenset[str], texts: Iterable[Any]) -> frozenset[str]:
        """The functions whose value differs from time to time. `texts` are the values they may be called with."""

    def commit(self, statement: Statement) -> None:
        """Make an approved statement last.

        Raises:
            WriteRefused: it is not approved.
            OutcomeUnknown: no clear answer came.
        """
        _gate.admit(statement.effect, statement, statement.fingerprint, statement.summary())
        self.end()

    @contextmanager
    def point(self, *, keep: bool) -> Iterator[None]:
        """A part of the transaction that is undone at the end, or if it fails; `keep` only if it fails."""
        self._points += 1
        name = f"banksman_{self._points}"
        self.control(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            # Where the database has given up the whole transaction, there is no savepoint to go back to.
            with suppress(CallError):
                self.control(f"ROLLBACK TO SAVEPOINT {name}")
                self.control(f"RELEASE SAVEPOINT {name}")
            raise
        finally:
            self._points = max(0, self._points - 1)
        if not keep:
            self.control(f"ROLLBACK TO SAVEPOINT {name}")
        self.control(f"RELEASE SAVEPOINT {name}")

    def ask(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a constant query of this connector, parameters as `:name`."""
        return self.run(_own(sql, self.dialect), parameters).rows

    def selected(self, table: Table, columns: tuple[str, ...], keys: Iterable[Key]) -> list[Row]:
        """The rows whose `columns` have one of the given values, all columns, in the order of the primary key."""
        wanted = list(dict.fromkeys(keys))
        found: list[Row] = []
        for start in range(0, len(wanted), _AT_ONCE):
            condition, parameters = self._among(columns, wanted[start : start + _AT_ONCE])
            found += self.run((*_select(table), " WHERE ", *condition), parameters).objects()
        return sorted(found, key=lambda row: _order(table.key_of(row) if table.primary_key else tuple(row.values())))

    def counted(self, table: Table, columns: tuple[str, ...], keys: Iterable[Key]) -> int:
        """How many rows have one of the given values."""
        wanted = list(dict.fromkeys(keys))
        total = 0
        for start in range(0, len(wanted), _AT_ONCE):
            condition, parameters = self._among(columns, wanted[start : start + _AT_ONCE])
            rows = self.run(("SELECT count(*) FROM ", table.sql, " WHERE ", *condition), parameters)
            total += int(rows.rows[0][0])
        return total

    def _among(self, columns: tuple[str, ...], keys: list[Key]) -> tuple[Text, dict[str, Any]]:
        from banksman_connectors.sql.commands import matches

        pieces: list[Any] = []
        parameters: dict[str, Any] = {}
        for number, key in enumerate(keys):
            names = [f"k{number}_{place}" for place in range(len(columns))]
            parameters.update(zip(names, key, strict=True))
            pieces += [" OR (" if pieces else "(", *matches(columns, names, self.dialect), ")"]
        return tuple(pieces), parameters


def _select(table: Table) -> Text:
    columns = ", ".join(quoted(name, table.dialect) for name in table.names)
    return ("SELECT ", columns, " FROM ", table.sql)


@cache
def _own(sql: str, dialect: Dialect) -> Text:
    return lex(sql, dialect).text()


def _order(key: tuple[Any, ...]) -> list[tuple[str, Any]]:
    """A total order over keys of any types, the same each time."""
    return [(type(part).__name__, part if isinstance(part, int | float | str | bytes) else str(part)) for part in key]


def check_functions(session: Session, functions: frozenset[str], *, reading: bool) -> None:
    """Refuse a statement that calls what it may not.

    Raises:
        Denied: names the functions and the reason.
    """
    refused = session.refused(functions, reading=reading)
    if refused:
        named = "; ".join(f"{name}: {why}" for name, why in sorted(refused.items()))
        raise Denied(f"the statement calls functions that it may not call: {named}", rule="sql.functions")


def too_large(size: int, bound: int) -> Rejected:
    """The error for an answer beyond the bound."""
    return Rejected(
        f"the answer is larger than {bound:,} bytes ({size:,} so far)",
        hint="Name fewer columns or rows, or raise `limits.response_bytes` of the connection.",
    )
