"""The schema in outline: what a definition changes, and which rows it takes with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from banksman_connectors.sql.lexing import quoted
from banksman_connectors.sql.schema import TableName
from banksman_connectors.sql.session import Session

#: Table or view, by name: `{"kind": ..., "columns": {name: type}, "indexes": {...}, "constraints": {...}}`.
Outline = dict[str, dict[str, Any]]


def counts(session: Session, outline: Outline, names: Iterable[str]) -> dict[str, int]:
    """The rows of those tables that are there."""
    titles = {str(title): title for title, kind in session.tables() if kind == "table"}
    return {name: count(session, titles[name]) for name in names if name in titles and name in outline}


def count(session: Session, title: TableName, column: str | None = None) -> int:
    """The rows of a table; with a column, those where it is not NULL."""
    what = quoted(column, session.dialect) if column is not None else "*"
    return int(session.run(("SELECT count(", what, ") FROM ", sql_name(session, title))).rows[0][0])


def sql_name(session: Session, title: TableName) -> str:
    """A table's name, quoted."""
    return ".".join(quoted(part, session.dialect) for part in (title.schema, title.name) if part)


def changed(before: Outline, after: Outline) -> list[str]:
    """The tables that are different, by name."""
    return [name for name in dict.fromkeys([*before, *after]) if before.get(name) != after.get(name)]


def cut(outline: Outline, names: Iterable[str], rows: Mapping[str, int]) -> Outline:
    """The part of an outline that is shown, with the number of rows where it was asked for."""
    shown: Outline = {}
    for name in names:
        if name in outline:
            shown[name] = {**outline[name], **({"rows": rows[name]} if name in rows else {})}
    return shown
