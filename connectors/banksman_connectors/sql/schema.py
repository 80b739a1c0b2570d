"""What a database says about its tables: columns, keys, what hangs on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from banksman.errors import UnknownName
from banksman_connectors.sql.lexing import quoted
from banksman_connectors.sql.settings import Dialect

#: What a foreign key does to the rows that refer to a row that goes or changes.
FOLLOWING: Final = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})

#: A row's primary key: the values in the order of the key's columns.
Key = tuple[Any, ...]
#: A row: column -> plain value.
Row = dict[str, Any]
#: Rows by their keys.
Rowset = dict[Key, Row]


@dataclass(frozen=True, slots=True)
class TableName:
    """A table's name with the schema it is in."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column.

    Attributes:
        default: the expression that fills it when nothing is given.
        generated: computed from other columns; can never be written.
        numbered: filled with a fresh number by the database (identity, serial, SQLite's row id).
        structured: holds JSON.
    """

    name: str
    type: str
    nullable: bool
    default: str | None = None
    generated: bool = False
    numbered: bool = False
    structured: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key, seen from the table it points to.

    Attributes:
        table: the table whose rows refer.
        columns: its columns that refer.
        referred: the columns they refer to, in the same order.
        on_delete, on_update: `CASCADE`, `SET NULL`, `SET DEFAULT`, `RESTRICT` or `NO ACTION`.
    """

    table: TableName
    columns: tuple[str, ...]
    referred: tuple[str, ...]
    on_delete: str
    on_update: str


@dataclass(frozen=True, slots=True)
class Trigger:
    """Code that runs with a write. `events` are of INSERT, UPDATE, DELETE."""

    name: str
    events: frozenset[str]


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        primary_key: its columns in order; () where it has none.
        referred_by: the foreign keys of other tables (or its own) that point here.
        refuses: why writes to it cannot be followed, None where they can.
    """

    title: TableName
    columns: tuple[TableColumn, ...]
    primary_key: tuple[str, ...]
    dialect: Dialect
    triggers: tuple[Trigger, ...] = ()
    referred_by: tuple[Reference, ...] = field(default=(), compare=False)
    refuses: str | None = None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns' names in order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def by_name(self) -> Mapping[str, TableColumn]:
        return {column.name: column for column in self.columns}

    @cached_property
    def sql(self) -> str:
        """The table's name, quoted."""
        parts = [part for part in (self.title.schema, self.title.name) if part]
        return ".".join(quoted(part, self.dialect) for part in parts)

    def key_of(self, row: Mapping[str, Any]) -> Key:
        """The primary key of a row."""
        return tuple(row[name] for name in self.primary_key)

    def column(self, name: str) -> TableColumn:
        """A column by its name.

        Raises:
            UnknownName: lists the near ones.
        """
        found = self.by_name.get(name)
        if found is None:
            raise UnknownName(f"column of {self.title}", name, self.names)
        return found

    def folded(self, name: str, *, quoted_name: bool) -> str | None:
        """The column that a statement means by a name, None for none: unquoted names know no case."""
        if name in self.by_name and (quoted_name or self.dialect == "sqlite"):
            return name
        if quoted_name and self.dialect == "postgres":
            return None
        if self.dialect == "postgres":
            return name.lower() if name.lower() in self.by_name else None
        return next((known for known in self.names if known.lower() == name.lower()), None)

    def triggered(self, event: str) -> list[str]:
        """The triggers that run for `INSERT`, `UPDATE` or `DELETE`."""
        return [trigger.name for trigger in self.triggers if event in trigger.events]


def text_of(columns: Iterable[str], key: Key) -> str:
    """A key as people read it, and as the images are keyed by: `id=7`, `order_id=7, line=2`."""
    return ", ".join(
        f"{name}={value.hex() if isinstance(value, bytes) else value}" for name, value in zip(columns, key, strict=True)
    )
